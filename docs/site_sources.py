"""Pages of the code and of the tests, a line number at each line, for the links that lead there."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("specnorm_np", "tests", "figures", "docs", "tutorials")
FORWARD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>specnorm_np</title>'
FORWARD += '<meta http-equiv="refresh" content="0; url={0}"><p><a href="{0}">specnorm_np</a></p></html>\n'


class Links(SphinxTransform):
    """Lead links to Python files to the pages of their source, and links to README.md to the front page."""

    default_priority = 400  # before references are resolved

    def apply(self, **_: Any) -> None:
        """Replace the references of one document."""
        up = "../" * self.env.docname.count("/")
        for node in list(self.document.findall(pending_xref)):
            target, line = node["reftarget"], node.get("reftargetid")
            if node["reftype"] == "myst" and (ROOT / target / "__init__.py").is_file():
                target = f"{target.rstrip('/')}/__init__"
            elif node["reftype"] != "myst" or node.get("refdomain") != "doc" or target in self.env.found_docs:
                continue
            if target == "README":
                node["reftarget"] = self.config.root_doc
            elif (ROOT / f"{target}.py").is_file():
                uri = f"{up}source/{target}.py.html" + (f"#{line.replace('L', 'L-')}" if line else "")
                node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def line_of_object(domain: str, info: dict[str, str]) -> str | None:
    """Return where an entry of the API leads for its source, as seen from the folder of these pages."""
    if domain != "py" or not info["module"]:
        return None
    module = importlib.import_module(info["module"])
    thing: Any = module
    for part in info["fullname"].split("."):
        thing = getattr(thing, part, None)
    thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing) if thing is not None else None
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return None
    try:
        path, first = Path(str(inspect.getsourcefile(thing))).resolve(), inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):  # what NamedTuple and dataclass generate has no source
        return None
    return f"../../source/{path.relative_to(ROOT).as_posix()}.html#L-{first}" if path.is_relative_to(ROOT) else None


def pages(app: Any) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield a page for each Python file that is not a page already."""
    tutorials = [Path(app.env.doc2path(name)) for name in app.env.found_docs]
    form = HtmlFormatter(lineanchors="L")  # the style sheet counts the lines
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if path not in tutorials:
            body = highlight(path.read_text(encoding="utf-8"), PythonLexer(stripnl=False), form)
            body = re.sub(r' name="L-\d+" href="#L-\d+"', "", body)
            yield f"source/{name}", {"title": name, "body": body}, "source.html"


def forward(app: Any, error: Exception | None) -> None:
    """Write a page at the root of the site that leads to the front page."""
    if error is None and app.builder.name == "html":
        (Path(app.outdir) / "index.html").write_text(FORWARD.format(f"{app.config.root_doc}.html"), encoding="utf-8")


def setup(app: Any) -> None:
    """Connect the above."""
    app.add_transform(Links)
    app.connect("html-collect-pages", pages)
    app.connect("build-finished", forward)
