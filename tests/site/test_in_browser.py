"""The pages of the built site in a real browser, on a wide screen and on a phone. `bash .ci/site` runs this."""

import pytest


def look_at(watch, url, width=1280):
    """Open a page, wait until it is done, and return it with all that is wrong with it."""
    origin = url[: url.index("/", len("http://")) + 1]
    seen = watch(origin, width)
    seen.page.goto(url, wait_until="networkidle")
    if seen.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        seen.wrong.append("the page scrolls sideways")
    return seen


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("<p>Nothing is wrong here.", ""),
        ("<script>console.log('to whom?')</script>", "console, log: to whom?"),
        ("<script>nowhere()</script>", "error: nowhere is not defined"),
        ("<img src='nowhere.png'>", "404: http://127.0.0.1"),
        ("<script src='https://example.org/a.js'></script>", "other host: https://example.org/a.js"),
        ("<div style='width: 1300px'>wide</div>", "the page scrolls sideways"),
        ("<div style='overflow: auto'><div style='width: 1300px'>wide</div></div>", ""),
    ],
)
def test_the_checks_see_what_is_planted(watch, tmp_path, folder_url, body, wrong):
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page</title>'
    (tmp_path / "page.html").write_text(head + body, encoding="utf-8")
    seen = look_at(watch, folder_url + "page.html")
    assert any(line.startswith(wrong) for line in seen.wrong) if wrong else seen.wrong == []
