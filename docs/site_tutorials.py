"""What the pages of the tutorials have beside their text: a button that downloads a notebook, and folded solutions."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
SOLUTIONS = "tutorials/solutions/"


def scripts(app: Any) -> Iterator[str]:
    """Yield the pages that are made of scripts."""
    return (name for name in app.env.found_docs if str(app.env.doc2path(name)).endswith(".py"))


def buttons(app: Any, docname: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put at the head of a tutorial where it is to be had as a notebook."""
    if docname in scripts(app):
        link = f'<a href="{Path(docname).name}.ipynb" download>Download as a notebook</a>'
        context["body"] = f'<p class="download">{link}</p>\n{context["body"]}'


def fold(app: Any, doctree: nodes.document) -> None:
    """Fold each solution, so that it is not read before the exercise is tried."""
    if app.env.docname.startswith(SOLUTIONS):
        for section in list(doctree.findall(nodes.section)):
            if isinstance(section.parent, nodes.section):  # below the title of the page
                begin = '<details class="solution"><summary>Show the solution</summary>'
                section.insert(1, nodes.raw("", begin, format="html"))
                section += nodes.raw("", "</details>", format="html")


def write(app: Any, error: Exception | None) -> None:
    """Write what the buttons lead to, and what the notebooks import."""
    if error is None and app.builder.name == "html":
        out = Path(app.outdir)
        for docname in scripts(app):
            jupytext.write(jupytext.read(ROOT / f"{docname}.py", fmt="py:percent"), out / f"{docname}.ipynb")
        for helper in ("plotting.py", "one_page.py"):
            shutil.copy(ROOT / "tutorials" / helper, out / "tutorials" / helper)


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("doctree-read", fold)
    app.connect("html-page-context", buttons)
    app.connect("build-finished", write)
