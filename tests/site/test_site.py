"""The built site, page by page. `bash .ci/site` builds it and runs this; without a site there is nothing to test.

SPECNORM_SITE names its folder; the default is `build/site`.
"""

import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from built_site import PAGES, ROOT, SITE

FETCHES = {  # the attributes that make a browser ask for something while it shows a page
    ("img", "src"),
    ("img", "srcset"),
    ("script", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "src"),
    ("video", "poster"),
    ("audio", "src"),
    ("embed", "src"),
    ("object", "data"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("use", "href"),
}
NO_FETCH = {"next", "prev", "index", "search", "genindex", "canonical", "author", "license"}  # rel of <link>

pytestmark = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built: bash .ci/site")


class Page(HTMLParser):
    """What a page refers to: `links` of any kind, `fetched` without a click, `anchors` to be referred to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.anchors, self.classes = [], [], set(), set()
        self.in_style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.classes |= set(given.get("class", "").split())
        self.in_style = tag == "style"
        for name, value in given.items():
            fetched = (tag, name) in FETCHES or (tag == "link" and name == "href" and given.get("rel") not in NO_FETCH)
            if fetched:
                self.fetched += [part.split()[0] for part in value.split(",")] if name == "srcset" else [value]
            if name in ("href", "src"):
                self.links.append(value)
            if name == "style":
                self.fetched += urls_of(value)
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.links.append(given["content"].partition("url=")[2])

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.in_style:
            self.fetched += urls_of(data)

    def handle_endtag(self, tag):
        self.in_style = False


def urls_of(css):
    return [a or b for a, b in re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", css)]


@cache
def parsed(path):
    return Page(path.read_text(encoding="utf-8"))


def is_elsewhere(link):
    return link.startswith("//") or urlsplit(link).scheme not in ("", "data", "blob")


def dead_links(name, page):
    """Return the relative links of a page that lead to no file, or to no anchor of it."""
    dead = []
    for link in page.links:
        if link.startswith("//") or urlsplit(link).scheme:
            continue
        url, fragment = urldefrag(link)
        path = ((SITE / name).parent / unquote(url.split("?")[0])).resolve()
        if url and not (path.is_relative_to(SITE.resolve()) and path.is_file()):
            dead.append(link)
        elif fragment and (not url or path.suffix == ".html"):
            target = parsed(path) if url else page
            if unquote(fragment) not in target.anchors:
                dead.append(link)
    return dead


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_dead_link_and_asks_no_other_host(name):
    page = parsed((SITE / name).resolve())
    assert dead_links(name, page) == []
    assert [link for link in page.fetched if is_elsewhere(link)] == []
    assert "katex-error" not in page.classes


def test_no_style_sheet_asks_another_host_or_for_a_missing_file():
    wrong = []
    for path in SITE.rglob("*.css"):
        for url in urls_of(path.read_text(encoding="utf-8")):
            file = path.parent / unquote(url.split("?")[0].split("#")[0])
            if is_elsewhere(url) or not (url.startswith("data:") or file.is_file()):
                wrong.append((path.name, url))
    assert wrong == []


def test_every_tutorial_is_a_page_with_its_mathematics_its_pictures_and_a_notebook():
    scripts = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
    assert scripts
    for script in scripts:
        page = SITE / "tutorials" / f"{script.stem}.html"
        assert "katex-html" in parsed(page.resolve()).classes, page.name
        assert page.with_suffix(".ipynb").is_file(), page.name
        assert f'<a href="{script.stem}.ipynb" download>' in page.read_text(encoding="utf-8"), page.name
        pictures = [link for link in parsed(page.resolve()).fetched if "_images/" in link]
        shown = re.findall(r"^show\(", script.read_text(encoding="utf-8"), re.M)
        assert len(pictures) >= len(shown), page.name


def test_what_a_cell_prints_stands_in_one_box():
    scripts = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
    assert scripts
    for script in scripts:
        html = (SITE / "tutorials" / f"{script.stem}.html").read_text(encoding="utf-8")
        assert '<div class="output stream' in html, script.name
        assert not re.search(r'</pre></div>\s*</div>\s*<div class="output stream', html), script.name


def test_the_headings_of_the_help_texts_can_be_typed():
    html = (SITE / "docs" / "command.html").read_text(encoding="utf-8")
    for command in ("", "train ", "compare ", "bench "):
        assert f"<h2>specnorm-np {command}--help<" in html


def test_every_solution_is_folded():
    scripts = sorted((ROOT / "tutorials" / "solutions").glob("[0-9][0-9]_*.py"))
    assert scripts
    for script in scripts:
        html = (SITE / "tutorials" / "solutions" / f"{script.stem}.html").read_text(encoding="utf-8")
        folded = re.findall(r'<h2>.*?</h2>\s*<details class="solution">', html)
        assert len(folded) == html.count("<h2>") == html.count("</details>") == 3, script.name


def test_every_equation_stands_beside_its_code():
    html = (SITE / "docs" / "line_by_line.html").read_text(encoding="utf-8")
    boxes = html.split('<div class="equation docutils container">')[1:]
    assert len(boxes) == 38 + 2  # and two lines of Algorithm 1 without a number
    for box in boxes:
        says, lines = box.split('<div class="lines docutils container">')
        assert "katex-display" in says
        assert "tutorials/" in says
        assert "highlight-python" in lines
        assert "python -m pytest" in lines


def test_only_what_is_a_script_has_a_notebook():
    scripts = {path.relative_to(ROOT) for path in (ROOT / "tutorials").rglob("[0-9][0-9]_*.py")}
    assert {path.relative_to(SITE) for path in SITE.rglob("*.ipynb")} == {
        path.with_suffix(".ipynb") for path in scripts
    }


def test_no_formula_is_left_as_source():
    left = {}
    for name in PAGES:
        if not name.startswith("source/"):
            html = (SITE / name).read_text(encoding="utf-8")
            text = re.sub(r"(?s)<(pre|code|script|style|annotation)\b.*?</\1>", "", html)
            if found := re.findall(r"\$[^$\n<]*\\[^$\n<]*\$", text):
                left[name] = found
    assert left == {}


def test_the_site_is_below_15_mb_without_the_playground():
    left_out = {".doctrees", "playground"}
    files = [p for p in SITE.rglob("*") if p.is_file() and not left_out & set(p.relative_to(SITE).parts)]
    sizes = [p.stat().st_size for p in files]
    assert sum(sizes) < 15e6


@pytest.mark.parametrize(
    ("html", "dead", "elsewhere"),
    [
        ('<a href="index.html">', [], []),
        ('<a href="nowhere.html">', ["nowhere.html"], []),
        ('<a href="index.html#nowhere">', ["index.html#nowhere"], []),
        ('<p id="here"><a href="#here"><a href="#there">', ["#there"], []),
        ('<a href="../outside.html">', ["../outside.html"], []),
        ('<a href="https://example.org">', [], []),
        ('<link rel="next" href="index.html">', [], []),
        ('<link rel="stylesheet" href="https://example.org/a.css">', [], ["https://example.org/a.css"]),
        ('<script src="//example.org/a.js"></script>', [], ["//example.org/a.js"]),
        ('<img src="index.html" srcset="https://example.org/a.png 2x">', [], ["https://example.org/a.png"]),
        ("<style>@import 'https://example.org/a.css';</style>", [], ["https://example.org/a.css"]),
        ('<p style="background: url(https://example.org/a.png)">', [], ["https://example.org/a.png"]),
    ],
)
def test_the_checks_see_what_is_planted(html, dead, elsewhere):
    page = Page(html)
    assert dead_links("planted.html", page) == dead
    assert [link for link in page.fetched if is_elsewhere(link)] == elsewhere
