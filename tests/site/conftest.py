"""The built site behind a server of its own, and a browser to look at it; each test says why where one is missing.

`bash .ci/site` installs and builds all of it. With SPECNORM_BROWSER=required, as there, what is missing is a failure.
SPECNORM_SITE names the folder of the site, CHROMIUM the browser's program.
"""

import functools
import http.server
import os
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("SPECNORM_SITE", ROOT / "build" / "site"))
PROGRAMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files as a page needs them: a module has to come as JavaScript, on every system."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

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


def missing(reason):
    """Skip, or fail where a browser is required."""
    (pytest.fail if os.environ.get("SPECNORM_BROWSER") == "required" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def site_url():
    """Return the address at which the built site is served."""
    if not (SITE / "index.html").is_file():
        missing(f"no built site at {SITE}: bash .ci/site")
    with served(SITE) as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    """Return a running Chromium of playwright's, for which no host but this machine exists."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        missing('playwright is not installed: pip install -e ".[browser]"')
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [path for path in PROGRAMS if os.access(path, os.X_OK)]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(  # without a path: the one of `playwright install chromium`
                executable_path=found[0] if found else None,
                args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
            )
        except Error as error:
            missing(f"no Chromium can be started: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


class Watch:
    """A page of the browser that keeps a list of what a reader would not want to happen on it."""

    def __init__(self, browser, origin, width=1280, **context):
        """Open an empty page; requests that do not go to `origin` will be written down, and fail."""
        self.page = browser.new_page(viewport={"width": width, "height": 844}, **context)
        self.wrong = []
        self.page.on("console", lambda message: self.wrong.append(f"console, {message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(f"{got.status}: {got.url}"))
        own = (origin, "data:", "blob:")
        self.page.on("request", lambda to: to.url.startswith(own) or self.wrong.append(f"other host: {to.url}"))


@pytest.fixture
def folder_url(tmp_path):
    """Return the address at which the temporary folder of a test is served."""
    with served(tmp_path) as url:
        yield url


@pytest.fixture
def watch(browser):
    """Return a function that opens a watched page: `watch(origin, width=1280)` has `.page` and the list `.wrong`."""
    opened = []

    def open_page(origin, width=1280, **context):
        opened.append(Watch(browser, origin, width, **context))
        return opened[-1]

    yield open_page
    for each in opened:
        each.page.close()
