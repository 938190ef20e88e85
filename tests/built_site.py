"""The built site for its tests: where it lies, a server for it, and what may be wrong with a page in a browser."""

import functools
import http.server
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(os.environ.get("SPECNORM_SITE", ROOT / "build" / "site"))
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files as a page needs them: a module has to come as JavaScript, on every system."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def list_directory(self, path):
        """Answer that there is no such page, as the hosts of static pages do."""
        self.send_error(404)

    def log_message(self, *_):
        """Keep the output of the tests clean."""


@contextmanager
def served(folder):
    """Serve a folder on a free port of this machine, and give its address, which ends with a slash."""
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Watch:
    """A page of the browser that keeps a list of what a reader would not want to happen on it."""

    def __init__(self, browser, origin, width=1280, **context):
        """Open an empty page; requests that do not go to `origin` will be written down, and fail."""
        self.page = browser.new_page(viewport={"width": width, "height": 844}, **context)
        self.page.set_default_timeout(120_000)  # for a busy machine
        self.wrong = []
        self.page.on("console", lambda message: self.wrong.append(f"console, {message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(f"{got.status}: {got.url}"))
        own = (origin, "data:", "blob:")
        self.page.on("request", lambda to: to.url.startswith(own) or self.wrong.append(f"other host: {to.url}"))

    def _failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # which is what becomes of a picture when the next page is opened
            self.wrong.append(f"failed: {request.url}")

    def look_at(self, url):
        """Open a page, go to its end, so that late pictures are fetched, and write down all that is wrong with it."""
        self.page.goto(url)
        self.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        if self.page.evaluate("document.scripts.length + document.images.length"):
            self.page.wait_for_load_state("networkidle")
        self.wrong += self.page.evaluate(FAULTS)
        return self.wrong


FAULTS = r"""() => {
    const wrong = [], root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) wrong.push(`the page is ${root.scrollWidth} wide and scrolls sideways`);
    if (!root.lang) wrong.push("the page does not say its language");
    if (!document.title.trim()) wrong.push("the page has no title");
    const heads = document.querySelectorAll("h1").length;
    if (heads !== 1) wrong.push(`the page has ${heads} headings of the first level`);
    for (const image of document.images) {
        if (!image.complete || !image.naturalWidth) wrong.push(`not shown: ${image.src}`);
        if (!image.alt.trim() || /\.(png|svg|gif)$/.test(image.alt)) wrong.push(`no alternative text: ${image.src}`);
    }
    for (const error of document.querySelectorAll(".katex-error")) wrong.push(`not typeset: ${error.textContent}`);
    const size = element => parseFloat(getComputedStyle(element).fontSize);
    const large = index => size(index) > 0.8 * size(index.closest(".katex"));
    const indices = [...document.querySelectorAll(".katex .reset-size6.size3")];
    if (indices.some(large)) wrong.push("an index is as large as its letter");
    for (const tag of document.querySelectorAll(".katex-html > .tag")) {
        const t = tag.getBoundingClientRect(), bases = [...tag.parentElement.querySelectorAll(":scope > .base")];
        const on = b => b.left < t.right - 1 && t.left + 1 < b.right && b.top < t.bottom - 1 && t.top + 1 < b.bottom;
        if (bases.some(e => on(e.getBoundingClientRect()))) wrong.push(`a number on its formula: ${tag.textContent}`);
    }
    const main = (document.querySelector("[role=main], main, article") || document.body).cloneNode(true);
    main.querySelectorAll(".katex, pre, code, script, style").forEach(e => e.remove());
    const raw = main.textContent.match(/\$[^$\n]*\\[^$\n]*\$|\$\$|\\[()[\]]|\\begin\{/g) || [];
    return wrong.concat(raw.map(text => `left as source: ${text}`));
}"""

CRAWL = r"""async (start) => {
    const here = new URL(start).origin, anchors = new Map(), links = [], queue = [start], dead = [];
    while (queue.length) {
        const url = queue.pop();
        if (anchors.has(url)) continue;
        const got = await fetch(url), html = (got.headers.get("content-type") || "").startsWith("text/html");
        anchors.set(url, got.ok ? new Set() : null);
        if (!got.ok || !html) { await got.body?.cancel(); continue; }
        const page = new DOMParser().parseFromString(await got.text(), "text/html");
        anchors.get(url).html = true;
        for (const e of page.querySelectorAll("[id], a[name]")) anchors.get(url).add(e.id || e.name);
        for (const e of page.querySelectorAll("a[href], area[href]")) {
            const to = new URL(e.getAttribute("href"), url);
            if (to.origin !== here) continue;
            const file = to.origin + to.pathname;
            links.push([url, file, decodeURIComponent(to.hash.slice(1))]);
            queue.push(file);
        }
    }
    for (const [from, to, anchor] of links) {
        const known = anchors.get(to), missing = !known || (known.html && anchor && !known.has(anchor));
        if (missing) dead.push(`${from} -> ${to}${anchor && "#" + anchor}`);
    }
    return { dead: [...new Set(dead)], reached: [...anchors.keys()] };
}"""


def crawl(page, start):
    """Follow every link from `start` on, as the browser reads them, and return the dead ones and the pages reached."""
    page.goto(start)
    found, origin = page.evaluate(CRAWL, start), start[: start.index("/", len("http://")) + 1]
    dead = [link.replace(origin, "") for link in found["dead"]]
    return sorted(dead), {url.removeprefix(origin) for url in found["reached"]}


def source_of(name):
    """Return the file that a page is made of, or None."""
    found = [path for end in (".md", ".py", ".rst") if (path := (ROOT / name).with_suffix(end)).is_file()]
    return found[0] if found else None


def formulas_in(path):
    """Return the formulas in a text between dollars, or in the comments of a percent script."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        cells = re.split(r"^# %%", text, flags=re.M)
        text = "\n\n".join(cell for cell in cells if cell.startswith(" [markdown]"))
        text = re.sub(r"^# ?", "", text, flags=re.M)
    text = re.sub(r"(?ms)^(```+|~~~+).*?^\1", "", text)
    text = re.sub(r"(`+).*?\1", "", text, flags=re.S)
    return re.findall(r"(?s)(?<!\\)\$\$.+?\$\$|(?<!\\)\$(?:[^$\n]|\n(?!\n))+?\$", text)
