"""The built site behind a server of its own, and a browser to look at it; each test says why where one is missing.

`bash .ci/site` installs and builds all of it. With SPECNORM_BROWSER=required, as there, what is missing is a failure.
SPECNORM_SITE names the folder of the site, CHROMIUM the browser's program.
"""

import os

import pytest
from built_site import SITE, Watch, served

PROGRAMS = ("/usr/bin/chromium", "/usr/bin/google-chrome")


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
