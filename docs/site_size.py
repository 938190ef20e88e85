"""Make the site smaller without a change that a reader sees: pictures, drawings, code, and formulas."""

import base64
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

PLAIN = re.compile(r'<span class="(?:[nopw]|m[if]|nb|nn|bp)">([^<]*)</span>')  # names, signs, numbers: most marks
ALIKE = re.compile(r'<span class="([a-z][a-z\d]?)">[^<]*</span>(?:<span class="\1">[^<]*</span>)+')
KATEX = re.compile(r' xmlns="http://www.w3.org/1998/Math/MathML"|</?semantics>|<annotation .*?</annotation>', re.S)
STYLED = re.compile(r'<span(?: class="([^"]*)")? style="([^"]*)">')
EMBEDDED = re.compile(r'(?<="data:image/png;base64,)[^"]*')
DIGITS = re.compile(r"(\.\d\d)\d+")


def share_styles(body: str) -> str:
    """Write each style that a page's formulas repeat once, at its head, and give the spans that have it a class."""
    often = [style for style, times in Counter(style for _, style in STYLED.findall(body)).items() if times > 3]
    names = {style: f"k{i}" for i, style in enumerate(often)}

    def shared(span: re.Match[str]) -> str:
        if span[2] not in names:
            return span[0]
        return f'<span class="{" ".join(filter(None, (span[1], names[span[2]])))}">'

    rules = (f".{name}{{{style.rstrip(';').replace(';', '!important;')}!important}}" for style, name in names.items())
    return (f"<style>{''.join(rules)}</style>\n" if often else "") + STYLED.sub(shared, body)


def light_code(html: str) -> str:
    """Leave colour to words, texts and comments, and one mark to neighbours that have the same."""
    plain = PLAIN.sub(r"\1", html)
    return ALIKE.sub(lambda run: f'<span class="{run[1]}">{re.sub("<[^>]*>", "", run[0])}</span>', plain)


def lighten(app: Any, docname: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Take from a page the marks that have no effect in a browser; a formula's MathML stays, for screen readers."""
    if "body" in context:
        context["body"] = share_styles(KATEX.sub("", light_code(context["body"])))


def smaller(data: bytes) -> bytes:
    """Give a picture a palette of 256 colours, and a third of its size; a plot looks the same."""
    with Image.open(io.BytesIO(data)) as image:
        if image.mode == "P" or (image.mode == "RGBA" and image.getextrema()[3] != (255, 255)):
            return data
        found = io.BytesIO()
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(found, "png", optimize=True)
    return min(data, found.getvalue(), key=len)


def shrink_drawing(text: str) -> str:
    """Write the points of a drawing with two decimals, to a hundredth of a point, and shrink its pictures."""
    text = re.sub(r'(?<=\sd=")[^"]*', lambda points: DIGITS.sub(r"\1", points[0]), text)
    text = EMBEDDED.sub(lambda picture: base64.b64encode(smaller(base64.b64decode(picture[0]))).decode(), text)
    return re.sub(r"(?m)^ +", "", text)


def without_data(app: Any, docname: str, source: list[str]) -> None:
    """Leave the data of the figures to the repository, whose gallery leads to them; here they would be a megabyte."""
    if docname == "figures/README":
        source[0] = re.sub(r" · \[data\]\([^)]*\)", "", source[0])


def shrink(app: Any, error: Exception | None) -> None:
    """Shrink the pictures that are shown, and the drawings that are to be had."""
    if error is None:
        for path in (Path(app.outdir) / "_images").glob("*.png"):
            path.write_bytes(smaller(path.read_bytes()))
        for path in (Path(app.outdir) / "_downloads").glob("*/*.svg"):
            path.write_text(shrink_drawing(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Any) -> None:
    """Connect the above."""
    app.connect("source-read", without_data)
    app.connect("html-page-context", lighten)
    app.connect("build-finished", shrink)
