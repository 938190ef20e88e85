"""Make the site smaller without a change that a reader sees: pictures, drawings, code, and formulas."""

import re
from pathlib import Path
from typing import Any

from PIL import Image

PLAIN = re.compile(r'<span class="[nopw]">([^<]*)</span>')  # names, signs and blanks: half the size, and no colour
KATEX = re.compile(r' xmlns="http://www.w3.org/1998/Math/MathML"|</?semantics>|<annotation .*?</annotation>', re.S)
DIGITS = re.compile(r"(\.\d\d)\d+")


def lighten(app: Any, docname: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Take from a page the marks that have no effect in a browser; a formula's MathML stays, for screen readers."""
    if "body" in context:
        context["body"] = KATEX.sub("", PLAIN.sub(r"\1", context["body"]))


def shrink_picture(path: Path) -> None:
    """Give a picture a palette of 256 colours, and a third of its size; a plot looks the same."""
    with Image.open(path) as image:
        if image.mode == "P":
            return
        full = image.convert("RGBA")
    white = Image.new("RGBA", full.size, "white")
    small = Image.alpha_composite(white, full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def shrink_drawing(path: Path) -> None:
    """Write the points of a drawing with two decimals, which are hundredths of a point of print."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'(?<=\sd=")[^"]*', lambda points: DIGITS.sub(r"\1", points[0]), text)
    path.write_text(re.sub(r"(?m)^ +", "", text), encoding="utf-8")


def shrink(app: Any, error: Exception | None) -> None:
    """Shrink the pictures that are shown, and the drawings that are to be had."""
    if error is None:
        for path in (Path(app.outdir) / "_images").glob("*.png"):
            shrink_picture(path)
        for path in (Path(app.outdir) / "_downloads").glob("*/*.svg"):
            shrink_drawing(path)


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("html-page-context", lighten)
    app.connect("build-finished", shrink)
