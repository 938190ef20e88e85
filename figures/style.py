"""One style for all figures: the package's own, one colour and line per method, and files that come out the same twice.

Needs matplotlib.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specnorm_np.runs.picture import GREY, LAYER_COLORS, STYLE
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array

Data = dict[str, Array]

TEXT, SMALL = 12.0, 11.0
"""Sizes of letters, in points."""

LOOK: dict[str, Any] = {
    **STYLE,
    "font.size": TEXT,  # so that a figure as wide as a text column is still read at half that width
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.8,
    "mathtext.fontset": "dejavusans",
}
INK, LIGHT = "#222222", GREY
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442",
)  # fmt: skip

METHODS: dict[str, tuple[str, str, str]] = {
    "none": (INK, "--", "s"),
    "sn": (BLUE, "-", "o"),
    "sn-strict": (BLUE, ":", "P"),
    "wn": (ORANGE, "-.", "^"),
    "fn": (ORANGE, ":", "v"),
    "clip": (GREEN, ":", "D"),
    "svclip": (GREEN, "-.", "p"),
    "usv": (GREEN, "--", "h"),
    "ortho": (PINK, "-", "*"),
    "snreg": (PINK, "--", "X"),
    "wgan-gp": (RED, "-", "<"),
    "gan-gp": (RED, "--", ">"),
    "sn+gp": (SKY, "-", "8"),
    "sn-gamma+gp": (SKY, "--", "d"),
    "wn-gamma+gp": (SKY, ":", "H"),
    "fn-gamma+gp": (YELLOW, ":", "<"),
    "bn": (YELLOW, "-", "x"),
    "ln": (YELLOW, "--", "+"),
}
"""Colour (Okabe and Ito's), line and marker of every method; relatives share a colour and differ in the line."""

LABELS = {
    "none": "no normalisation",
    "sn": "SN",
    "sn-strict": "SN, certified",
    "wn": "WN",
    "fn": "Frobenius",
    "clip": "clipping",
    "svclip": "SV clipping",
    "usv": "$USV^T$",
    "ortho": "orthonormal",
    "snreg": "SN penalty",
    "wgan-gp": "WGAN-GP",
    "gan-gp": "GAN-GP",
    "sn+gp": "SN + GP",
    "sn-gamma+gp": "γ·SN + GP",
    "wn-gamma+gp": "γ·WN + GP",
    "fn-gamma+gp": "γ·Frobenius + GP",
    "bn": "BN",
    "ln": "LN",
}

LAYERS: tuple[tuple[str, str, str], ...] = tuple(
    zip(LAYER_COLORS, ("-", "--", "-.", ":", "-", "--"), ("o", "s", "^", "D", "v", "P"), strict=True)
)
"""Colour, line and marker of the layers, l = 1 first."""


def method_line(name: str) -> dict[str, Any]:
    """Return the colour and line of a method, as keywords of `plot`."""
    color, line, _ = METHODS[name]
    return {"color": color, "ls": line}


def layer_line(l: int) -> dict[str, Any]:
    """Return the colour and line of layer l, counted from 1, as keywords of `plot`."""
    color, line, _ = LAYERS[(l - 1) % len(LAYERS)]
    return {"color": color, "ls": line}


def styled(draw: Callable[[Data], Figure]) -> Callable[[Data], Figure]:
    """Make a function draw in this style."""

    @functools.wraps(draw)
    def in_style(data: Data) -> Figure:
        with matplotlib.rc_context(LOOK):
            return draw(data)

    return in_style


def figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches; a text column is about 7 wide."""
    return Figure(figsize=(width, height), layout="constrained")


def letter(axes: Any) -> None:
    """Write (a), (b), … before the titles."""
    for ax, name in zip(axes, "abcdefghijkl", strict=False):
        ax.set_title(f"({name}) {ax.get_title(loc='left')}", loc="left")


def end_label(ax: Axes, x: float, y: float, text: str, color: str, **keywords: Any) -> None:
    """Write a label at the end of a curve, to the right of a point."""
    keywords = {"xytext": (4, 0), "va": "center", "ha": "left", "fontsize": SMALL, **keywords}
    ax.annotate(text, (x, y), textcoords="offset points", color=color, annotation_clip=False, **keywords)


def save(drawn: Figure, stem: Path, dpi: int = 160) -> None:
    """Write `stem`.png and `stem`.svg. They hold neither a date nor a version, and come out the same twice."""
    with matplotlib.rc_context(LOOK):
        write(
            stem.with_suffix(".png"),
            lambda file: drawn.savefig(file, format="png", dpi=dpi, metadata={"Software": None}),
        )
        write(
            stem.with_suffix(".svg"),
            lambda file: drawn.savefig(file, format="svg", dpi=200, metadata={"Date": None, "Creator": None}),
        )
