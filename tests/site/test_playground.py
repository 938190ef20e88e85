"""The playground in a real browser: it trains, and finds the numbers of a native run.

`bash docs/playground/get_wasm.sh && python docs/playground/assemble.py` puts it beside the built site.
"""

import base64
import dataclasses
import json

import numpy as np
import pytest
from built_site import SITE, Watch
from test_session import session

import specnorm_np as sn

PAGES = ("index.html", "ellipse.html")
SECONDS = 300_000
"""How long to wait for Python and for a short run, in milliseconds, on a machine that has much else to do."""
LINK = "#target=ring&seed=3&steps=100&run=sn+4+0.004+0.001+1&run=wgan-gp+4+0.001+0.001+2"
SETTINGS = {
    "seed": 3,
    "steps": 100,
    "runs": [
        {"method": "sn", "K": 4.0, "d_alpha": 4e-3, "g_alpha": 1e-3},
        {"method": "wgan-gp", "d_alpha": 1e-3, "g_alpha": 1e-3, "n_dis": 2},
    ],
}

pytestmark = pytest.mark.skipif(
    not (SITE / "playground" / "pyodide" / "pyodide.mjs").is_file(),
    reason="the playground is not built: bash docs/playground/get_wasm.sh && python docs/playground/assemble.py",
)


@pytest.fixture(scope="module")
def tab(browser, site_url):
    """Return the playground, watched, with Python loaded. Loading takes seconds, so that the tests share it."""
    tab = Watch(browser, site_url)
    tab.page.set_default_timeout(SECONDS)
    tab.page.goto(site_url + "playground/index.html" + LINK)
    wait(tab.page, "playground.state.ready && playground.state.frames.length == 2")
    yield tab
    tab.page.close()


@pytest.fixture
def page(tab):
    """Return its page."""
    return tab.page


def wait(page, condition):
    """Wait until a condition holds, which is asked for five times a second, since the page is busy enough."""
    page.wait_for_function(condition, polling=200)


def state(page, what):
    return page.evaluate(f"playground.state.{what}")


def pixels(page, canvas):
    """Return the pixels of a canvas, (height, width, 3)."""
    width, text = page.locator(canvas).first.evaluate(
        """c => {
            const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(c, 0, 0);
            const bytes = copy.getImageData(0, 0, c.width, c.height).data, parts = [];
            for (let i = 0; i < bytes.length; i += 8192) {
                parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
            }
            return [c.width, btoa(parts.join(""))];
        }"""
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, width, 4)[..., :3]


def go_to(page, fragment):
    """Take the settings of a link, without loading Python again."""
    page.evaluate("fragment => { location.hash = fragment; }", fragment)
    wait(page, "playground.state.frames.every((frame) => frame.step == 0) && playground.state.frames[0]")


def test_it_trains_to_the_numbers_of_a_native_run(page):
    first = [pixels(page, canvas) for canvas in (".plane", "[data-chart=sigma]", "[data-chart=spectra]")]
    page.click("#run")
    wait(page, "!playground.state.running")
    assert "Finished. Run A: After 100 updates:" in page.inner_text("#status")
    native = session.Session(json.dumps(SETTINGS))
    native.advance(100)
    for rows, run in zip(state(page, "histories"), native.runs, strict=True):
        assert [row["step"] for row in rows] == [20, 40, 60, 80, 100]
        for row, expected in zip(rows, run.rows, strict=True):
            assert row.keys() == expected.keys()
            for name, value in expected.items():
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-9), (row["step"], name)
    shown = page.evaluate("playground.state.frames.map((frame) => [[...frame.x], [...frame.f], frame.spectra])")
    for (x, f, spectra), run in zip(shown, native.runs, strict=True):
        np.testing.assert_allclose(x, run.samples().ravel(), rtol=1e-9, atol=1e-9)
        expected = sn.discriminate(run.gan, run.state.D, run.plane).ravel()
        np.testing.assert_allclose(f, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
        W_bar, _ = sn.effective(run.state.D, run.gan.normalizer)
        np.testing.assert_allclose([s[0] for s in spectra], [sn.spectral_norm(W) for W in W_bar], rtol=1e-9)
    last = [pixels(page, canvas) for canvas in (".plane", "[data-chart=sigma]", "[data-chart=spectra]")]
    for before, after in zip(first, last, strict=True):
        assert (before != after).any(axis=2).sum() > 100


def test_samples_are_drawn_where_they_are(page):
    go_to(page, LINK.replace("seed=3", "seed=4"))
    x0, y0, x1, y1 = session.Session(json.dumps({**SETTINGS, "seed": 4})).runs[0].corners
    x = np.reshape(page.evaluate("[...playground.state.frames[0].x]"), (-1, 2))
    image = pixels(page, ".plane").astype(int)
    inside = x[(np.abs(x) < 0.95 * x1).all(axis=1)]
    rows = (image.shape[0] * (1 - (inside[:, 1] - y0) / (y1 - y0))).astype(int)
    columns = (image.shape[1] * (inside[:, 0] - x0) / (x1 - x0)).astype(int)
    blue = image[..., 2] > image[..., 0] + 40  # only samples are blue
    found = [blue[r - 2 : r + 3, c - 2 : c + 3].any() for r, c in zip(rows, columns, strict=True)]
    assert np.mean(found) > 0.98
    assert blue.mean() < 0.1


def test_pause_stops_and_goes_on_and_a_step_is_one_update(page):
    go_to(page, LINK.replace("steps=100", "steps=5000"))
    page.click("#run")
    wait(page, "playground.state.frames[0].step > 3")
    page.click("#run")
    assert page.inner_text("#run") == "Go on"
    page.wait_for_timeout(1000)  # for the turn that was under way
    paused = state(page, "frames[0].step")
    page.wait_for_timeout(1000)
    assert state(page, "frames[0].step") == paused
    page.click("#step")
    wait(page, f"playground.state.frames[0].step > {paused}")
    page.click("#run")
    wait(page, f"playground.state.frames[1].step > {paused + 3}")
    page.click("#run")
    assert page.evaluate("playground.state.running") is False


def test_sliders_reach_the_run_as_it_stands_and_the_link(page):
    go_to(page, LINK)
    page.click("#step")
    wait(page, "playground.state.frames[0].step == 1")
    assert state(page, "frames[0].spectra[0][0]") == pytest.approx(4.0, rel=0.2)
    page.locator("input[data-is=K]").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert state(page, "settings.runs[0].K") == 2.0
    assert "run=sn+2+" in page.evaluate("location.hash")
    page.click("#step")
    wait(page, "playground.state.frames[0].step == 2")
    assert state(page, "frames[0].spectra[0][0]") == pytest.approx(2.0, rel=0.2)
    assert page.locator("input[data-is=K]").nth(1).is_disabled()


def test_points_are_drawn_with_the_mouse_and_with_the_keyboard(page):
    page.select_option("#target", "drawn")
    assert page.locator("#run").is_disabled()
    page.locator(".plane").first.scroll_into_view_if_needed()
    box = page.locator(".plane").first.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=12)
    page.mouse.up()
    drawn = np.array(state(page, "settings.drawn"))
    reach = 1.35 * session.DRAWN_REACH
    assert len(drawn) >= 20
    assert np.abs(drawn[:, 1]).max() < 0.15
    np.testing.assert_allclose([drawn[:, 0].min(), drawn[:, 0].max()], [-0.4 * reach, 0.4 * reach], atol=0.15)
    page.locator(".plane").first.focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    added = np.array(state(page, "settings.drawn"))[len(drawn) :]
    assert len(added) == 3
    np.testing.assert_allclose(added.mean(axis=0), [0.0, 0.5], atol=0.1)
    wait(page, "playground.state.frames.length == 2")
    page.click("#step")
    wait(page, "playground.state.frames[0].step == 1")
    link = page.evaluate("location.hash")
    page.click("#clear")
    assert state(page, "settings.drawn") == []
    page.evaluate("link => { location.hash = link; }", link)
    wait(page, "playground.state.settings.drawn.length > 0")
    assert state(page, "settings.drawn") == [*drawn.tolist(), *added.tolist()]


def test_one_run_alone(page):
    go_to(page, LINK)
    page.uncheck("#two")
    wait(page, "playground.state.frames.length == 1")
    assert page.locator(".run").count() == 1
    page.check("#two")
    wait(page, "playground.state.frames.length == 2")
    assert state(page, "settings.runs[1].method") == "wgan-gp"


@pytest.mark.parametrize("link", ["#target=torus&seed=-1&steps=x&run=magic+0+a+b+9", "#run=", "#%%%", "#drawn=AAAA"])
def test_a_link_that_is_wrong_falls_back_on_the_defaults(page, link):
    go_to(page, LINK)
    expected = json.loads(json.dumps(dataclasses.asdict(session.Settings())))
    found = page.evaluate("async (link) => (await import('./settings.js')).fromLink(link)", link)
    found["runs"] += expected["runs"][len(found["runs"]) :]
    assert found == expected


def test_nothing_was_wrong_meanwhile(tab):
    assert tab.wrong == []


# ---- without Python -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_names_its_controls(browser, site_url, name, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.route("**/worker.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"{site_url}playground/{name}")
    wait(page, "document.querySelectorAll('canvas').length > 0")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas, progress")].filter((e) => !(
            (e.labels && e.labels.length) || e.getAttribute("aria-label") || e.textContent.trim()
        )).map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("h1").count() == 1
    luminance = pixels(page, "canvas").mean()
    assert luminance < 100 if scheme == "dark" else luminance > 200
    page.close()


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("delete window.WebAssembly", "This browser has no WebAssembly"),
        ("delete window.Worker", "it has no module workers"),
    ],
)
def test_a_browser_that_cannot_run_it_is_told_so(browser, site_url, gone, sentence):
    page = browser.new_page()
    page.add_init_script(gone)
    page.goto(site_url + "playground/index.html")
    assert sentence in page.inner_text("#status")
    assert page.locator("#run").is_disabled()
    page.close()


def test_opened_as_a_file_it_says_what_to_do(browser):
    page = browser.new_page()
    page.goto((SITE / "playground" / "index.html").resolve().as_uri())
    assert "cannot run from a file" in page.inner_text("#status")
    page.close()


# ---- the circle and the ellipse -------------------------------------------------------------------------------------


@pytest.fixture
def ellipse(browser, site_url):
    page = browser.new_page(viewport={"width": 1280, "height": 1200})
    page.goto(site_url + "playground/ellipse.html")
    yield page
    page.close()


@pytest.mark.parametrize("preset", range(4))
def test_the_ellipse_iterates_as_the_package_does(ellipse, preset):
    ellipse.select_option("#preset", index=preset)
    W = np.array(ellipse.evaluate("ellipse.W")).reshape(2, 2)
    u = np.array(ellipse.evaluate("ellipse.u"))
    for _ in range(4):
        ellipse.click("#iterate")
        triplet = sn.power_iteration(W, u)
        u = triplet.u
    rows = ellipse.evaluate("ellipse.rows")
    assert rows[-1]["hat"] == pytest.approx(triplet.sigma, rel=1e-14)
    np.testing.assert_allclose(rows[-1]["u"], triplet.u, atol=1e-14)
    np.testing.assert_allclose(rows[-1]["v"], triplet.v, atol=1e-14)
    sigmas = np.linalg.svd(W, compute_uv=False)
    np.testing.assert_allclose(ellipse.evaluate("[ellipse.sigma, ellipse.sigma2]"), sigmas, atol=1e-14)
    assert ellipse.inner_text("#rate") == f"{(sigmas[1] / sigmas[0]) ** 2:.4f}"


def test_each_iteration_of_the_ellipse_shrinks_the_tangent_by_the_rate(ellipse):
    for _ in range(3):
        ellipse.click("#iterate")
    shown = ellipse.locator("#table tbody tr td:last-child").all_inner_texts()
    assert shown == [ellipse.inner_text("#rate")] * 3


def test_a_column_of_the_matrix_is_dragged_and_moved_by_keys(ellipse):
    before = pixels(ellipse, "#picture")
    box = ellipse.locator("#picture").bounding_box()
    handle = ellipse.locator("#first").bounding_box()
    ellipse.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    ellipse.mouse.down()
    ellipse.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"], steps=5)
    ellipse.mouse.up()
    W = ellipse.evaluate("ellipse.W")
    assert [W[0], W[2]] == pytest.approx([-1.2, 1.2], abs=0.02)
    assert (pixels(ellipse, "#picture") != before).any(axis=2).sum() > 100
    ellipse.focus("#second")
    ellipse.keyboard.press("ArrowRight")
    ellipse.keyboard.press("Shift+ArrowDown")
    moved = ellipse.evaluate("ellipse.W")
    assert [moved[1] - W[1], moved[3] - W[3]] == pytest.approx([0.1, -0.01])
