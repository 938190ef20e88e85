"""The pages of the built site in a real browser, on a wide screen and on a phone. `bash .ci/site` runs this."""

import importlib.util
import re
from pathlib import Path

import pytest
from built_site import PAGES, Watch, crawl, formulas_in, source_of

WIDTHS = (1280, 390)
CODE = [name for name in PAGES if name.startswith("source/")]
TEXT = [name for name in PAGES if name not in CODE and name != "index.html"]
QUICK = [name for name in TEXT if not name.startswith("playground/")]  # test_playground.py waits for Python


@pytest.fixture(scope="module")
def tabs(browser, site_url):
    """Return a page of the browser for each width, which all tests go through: what pages share is fetched once."""
    return {width: Watch(browser, site_url, width) for width in WIDTHS}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", QUICK)
def test_a_page_is_as_it_should_be(tabs, site_url, name, width):
    tabs[width].wrong.clear()
    assert tabs[width].look_at(site_url + name) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_of_source_are_as_they_should_be(watch, site_url, width):
    seen = watch(site_url, width)
    for name in CODE:
        assert seen.look_at(site_url + name) == [], name


@pytest.mark.parametrize("name", [name for name in TEXT if source_of(name) and formulas_in(source_of(name))])
def test_each_formula_of_the_source_is_typeset(tabs, site_url, name):
    page = tabs[1280].page
    page.goto(site_url + name)
    page.evaluate("document.querySelectorAll('details').forEach(solution => { solution.open = true })")
    shown = page.locator("article .katex-html")
    assert shown.count() == len(formulas_in(source_of(name)))
    assert shown.first.bounding_box()["height"] > 10
    assert page.evaluate("document.fonts.check('16px KaTeX_Main') && document.fonts.check('16px KaTeX_Math')")


def test_the_style_sheet_of_katex_is_of_the_version_of_its_renderer(watch, site_url):
    spec = importlib.util.find_spec("sphinxcontrib.katex")
    if spec is None:
        pytest.skip("sphinxcontrib-katex is not installed")
    scripts = [path.read_text(encoding="utf-8") for path in Path(spec.origin).parent.rglob("katex.min.js")]
    versions = {found for text in scripts for found in re.findall(r'\bversion:\s*"(\d+\.\d+\.\d+)"', text)}
    page = watch(site_url).page
    page.goto(site_url + "tutorials/04_the_gradient.html")
    mark = "<span class='katex'><span class='katex-version'></span></span>"
    page.evaluate(f'document.body.insertAdjacentHTML("beforeend", "{mark}")')
    style = page.evaluate("getComputedStyle(document.querySelector('.katex-version'), '::after').content")
    assert {style.strip('"')} == versions


def test_no_link_or_anchor_is_dead_and_every_page_can_be_reached(watch, site_url):
    dead, reached = crawl(watch(site_url).page, site_url + "docs/index.html")
    assert dead == []
    # The field of the search leads to search.html, and that to what genindex.html lists.
    assert set(TEXT) - reached <= {"search.html", "genindex.html"}


def test_the_root_leads_to_the_front_page(watch, site_url):
    seen = watch(site_url)
    seen.page.goto(site_url)
    seen.page.wait_for_url(site_url + "docs/index.html")
    assert seen.wrong == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_search_finds_an_equation_by_its_number(watch, site_url, width):
    seen = watch(site_url, width)
    seen.page.goto(site_url + "docs/index.html")
    if width < 800:
        seen.page.locator(".mobile-header label[for='__navigation']").click()
    seen.page.locator("input[name=q]").fill("(12)")
    seen.page.keyboard.press("Enter")
    seen.page.locator("ul.search li a").first.click()
    target = seen.page.locator(":target")
    assert "(12)" in target.text_content()
    assert seen.wrong == []


HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page</title>'


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("<p>Nothing is wrong here: 5 $ and 6 $.", ""),
        ("<script>console.log('to whom?')</script>", "console, log: to whom?"),
        ("<script>nowhere()</script>", "error: nowhere is not defined"),
        ("<img src='nowhere.png' alt='?'>", "404: http://127.0.0.1"),
        ("<img src='nowhere.png' alt='?'>", "not shown: http://127.0.0.1"),
        ("<img src='data:,' alt=''>", "no alternative text"),
        ("<img src='data:,' alt='_images/9f3c.png'>", "no alternative text"),
        ("<script src='https://example.org/a.js'></script>", "other host: https://example.org/a.js"),
        ("<style>@import 'https://example.org/a.css'</style>", "other host: https://example.org/a.css"),
        ("<div style='width: 1300px'>wide</div>", "the page is 1308 wide and scrolls sideways"),
        ("<div style='overflow: auto'><div style='width: 1300px'>wide</div></div>", ""),
        ("<h1>Another title</h1>", "the page has 2 headings"),
        ("<span class='katex-error'>\\nosuch</span>", "not typeset: \\nosuch"),
        ("<p>The norm $\\sigma$ is", "left as source: $\\sigma$"),
        ("<p>The norm \\(s\\) is", "left as source: \\("),
        ("<pre>print('$\\sigma$')</pre>", ""),
        ("<span class='katex'>x<span class='reset-size6 size3'>2</span></span>", "an index is as large"),
        (
            "<span class='katex-html'><i class='base'>x</i><i class='tag' style='margin-left: -9px'>(6)",
            "a number on its",
        ),
        ("<span class='katex-html'><i class='base'>x</i><i class='tag' style='margin-left: 9px'>(6)</i></span>", ""),
    ],
)
def test_the_checks_see_what_is_planted(watch, tmp_path, folder_url, body, wrong):
    (tmp_path / "page.html").write_text(f"{HEAD}<h1>A page</h1>{body}", encoding="utf-8")
    found = watch(folder_url).look_at(folder_url + "page.html")
    assert any(line.startswith(wrong) for line in found) if wrong else found == []


def test_the_crawl_sees_what_is_planted(watch, tmp_path, folder_url):
    links = ["b.html", "b.html#here", "b.html#there", "nowhere.html", "folder/", "#top", "a.txt#L1", "//example.org/"]
    text = HEAD + "".join(f'<a id="top" href="{link}">link</a>' for link in links)
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    (tmp_path / "b.html").write_text(f'{HEAD}<p id="here">', encoding="utf-8")
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    dead, reached = crawl(watch(folder_url).page, folder_url + "a.html")
    assert dead == [f"a.html -> {link}" for link in ("b.html#there", "folder/", "nowhere.html")]
    assert {"a.html", "b.html", "a.txt"} <= reached


def test_formulas_are_counted_and_code_is_not(tmp_path):
    text = "A $x$ and `$y$`.\n\n```\n$z$\n```\n\n$$\na\n$$\n\nIt costs 3\\$, and $a\nb$.\n"
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    (tmp_path / "a.py").write_text("# %% [markdown]\n# An $x$.\n\n# %%\ny = '$y$'\n", encoding="utf-8")
    assert formulas_in(tmp_path / "a.md") == ["$x$", "$$\na\n$$", "$a\nb$"]
    assert formulas_in(tmp_path / "a.py") == ["$x$"]
