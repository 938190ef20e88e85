"""Describe the pictures that the tutorials draw, for whoever does not see them.

The description is made of the titles and axes in the code of the picture. Without it a screen reader reads the name of
a file, which is 64 random letters.
"""

import ast
from typing import Any

from docutils import nodes

TEXTS = ("title", "xlabel", "ylabel")


def text_of(node: ast.expr) -> str:
    """Return a text as it stands in code, without the signs of LaTeX, and with … for what is only known at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.translate(str.maketrans("", "", "$\\{}"))
    return "".join(map(text_of, node.values)) if isinstance(node, ast.JoinedStr) else "…"


def description(code: str) -> str:
    """Return what a cell says of its panels, such as "the loss: V against t; the norms: σ against t"."""
    panels = []
    for call in ast.walk(ast.parse(code)):
        if isinstance(call, ast.Call):
            said = {word.arg: text_of(word.value) for word in call.keywords if word.arg in TEXTS}
            if getattr(call.func, "attr", "") == "set_title" and call.args:
                said["title"] = text_of(call.args[0])
            axes = " against ".join(said[axis] for axis in ("ylabel", "xlabel") if axis in said)
            if panel := ": ".join(part for part in (said.get("title"), axes) if part and part != "…"):
                panels.append((call.lineno, " ".join(panel.split())))
    return "; ".join(panel for _, panel in sorted(panels))


def describe(app: Any, doctree: nodes.document, docname: str) -> None:
    """Give each picture of an executed cell an alternative text."""
    for cell in doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node["classes"]):
        code = next(iter(cell.findall(nodes.literal_block)), None)
        for image in cell.findall(nodes.image):
            if code is not None and not image.get("alt"):
                place: Any = cell
                while not isinstance(place, nodes.section):
                    place = place.parent
                image["alt"] = f"Plots: {description(code.astext()) or place[0].astext()}"


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("doctree-resolved", describe)
