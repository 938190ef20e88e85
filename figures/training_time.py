"""Seconds per 100 generator updates of every method, and what SN adds. C.2, Figure 10."""

import dataclasses
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.frameworks import LIBRARIES, measured_alone
from figures.timing import minima
from figures.training import at_setting
from specnorm_np.command.bench import step_of
from specnorm_np.gan import GAN
from specnorm_np.normalizers import Identity
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs.config import make_gan, make_target
from specnorm_np.spectral import Array

TITLE = "Training time"
CAPTION = """
The one thing to see: SN adds {sn_share} to a generator update of a network as small as this one, WN {wn_share} and
WGAN-GP {gp_share}; the wide gap between SN and WGAN-GP in the paper's Figure 10 {gap}. The paper's four methods are in
colour, all others in grey. (a) Seconds per 100 generator updates of a small MLP (three hidden layers of width {width}
in D, two in G, batch {batch}, n_dis = 5, float32, one thread) where the paper has a CNN. The dearest is {dearest},
with {dearest_time} s. (b) {frameworks} (c) What SN adds to an update, against the width of all hidden layers: {most}
at width {most_width} and batch {most_batch}, {least} at width {least_width} and batch {least_batch}. The larger the
batch, the smaller the share of SN. How it was measured: the machine did other things, too, so it is the
processor's time that counts, and all actions were timed in turn, in {rounds} rounds of {inner} single updates each. A
bar is the shortest time of all rounds, and its whisker ends at the median of the shortest times of the rounds; (c) has
the ratio of the shortest times. No network is trained to its end, so that there are no seeds. Run it on your machine: `python -m
figures --recompute training_time`.
"""
FRAMEWORKS = """The same update, written in NumPy (this package), eager PyTorch and JAX compiled as a whole
(`figures/frameworks.py`): pale without SN, dark with SN. Same parameters, latents, sizes, dtype and one thread; a test
compares the results. With SN, 100 updates take {times}."""
NO_FRAMEWORKS = "PyTorch and JAX were not installed where this was measured."
PAPER = ("none", "wn", "sn", "wgan-gp")
"""The methods of the paper's Figure 10."""


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Time training steps in turn, in this process alone; those of the libraries in another one."""
    width, batch, rounds, inner = (16, 16, 2, 1) if quick else (64, 64, 8, 5)
    config = at_setting("D", False, batch=batch, d_width=width, g_width=width)
    sample_real = make_target(config).sample
    steps = {}
    for name in METHODS:
        gan = make_gan(dataclasses.replace(config, method=name), make_target(config))
        steps[name] = step_of(gan, sample_real)
    seconds = minima(steps, rounds, inner)
    widths, batches = ((8, 16), (8, 32)) if quick else ((16, 32, 64, 128, 256), (16, 64, 256))
    base = make_gan(config, make_target(config))
    share = [[_share(base, width, batch, rounds, inner) for width in widths] for batch in batches]
    libraries = {} if quick else measured_alone(width, batch, rounds, inner)
    return {
        "method": np.array(list(steps)),
        "seconds": 100.0 * seconds,
        "widths": np.array(widths),
        "batches": np.array(batches),
        "share": np.array(share),
        "width": np.array(width),
        "batch": np.array(batch),
        "rounds": np.array(rounds),
        "inner": np.array(inner),
        **libraries,
    }


def _share(base: GAN, width: int, batch: int, rounds: int, inner: int) -> float:
    """Return what SN adds to a step, as a share of the step without."""
    d_widths, g_widths = (2, *[width] * 3, 1), (2, *[width] * 2, 2)
    gan = dataclasses.replace(base, d_widths=d_widths, g_widths=g_widths, batch=batch)
    real = np.random.default_rng(0).standard_normal((batch, 2)).astype(np.float32)

    def sample_real(n: int, *, rng: np.random.Generator) -> Array:
        return real

    actions = {
        "sn": step_of(gan, sample_real),
        "none": step_of(dataclasses.replace(gan, normalizer=Identity()), sample_real),
    }
    sn, none = minima(actions, rounds, inner).min(axis=1)
    return float(sn / none) - 1.0


def shortest(data: style.Data) -> dict[str, float]:
    """Return the shortest time of every method, seconds per 100 generator updates."""
    return dict(zip(data["method"].tolist(), data["seconds"].min(axis=1).tolist(), strict=True))


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    t, share = shortest(data), data["share"]
    dearest = max(t, key=lambda name: t[name])
    ends: dict[str, str] = {}
    for name, at in (("most", share.argmax()), ("least", share.argmin())):
        i, j = np.unravel_index(at, share.shape)
        ends |= {name: f"{share[i, j]:.0%}", f"{name}_width": str(data["widths"][j])}
        ends[f"{name}_batch"] = str(data["batches"][i])
    added = {name: t[name] / t["none"] - 1.0 for name in PAPER}
    return {
        **ends,
        **{name: str(data[name]) for name in ("width", "batch", "rounds", "inner")},
        "sn_share": f"{added['sn']:.0%}",
        "wn_share": f"{added['wn']:.0%}",
        "gp_share": f"{added['wgan-gp']:.0%}",
        "gap": "is not there" if added["wgan-gp"] < 1.5 * added["sn"] else "is there",
        "dearest": style.LABELS[dearest],
        "dearest_time": f"{t[dearest]:.2f}",
        "frameworks": _frameworks(data),
    }


def _frameworks(data: style.Data) -> str:
    """Say what the libraries took."""
    if len(data.get("library", ())) < 2:
        return NO_FRAMEWORKS
    listed = zip(data["library"].tolist(), data["version"].tolist(), data["library_seconds"][:, 1], strict=True)
    return FRAMEWORKS.format(
        times=", ".join(
            f"{100.0 * seconds.min():.2f} s in {LIBRARIES[name][0]} ({version})" for name, version, seconds in listed
        )
    )


def _bars(ax: Axes, place: Array, seconds: Array, colors: list[str], height: float = 0.72) -> None:
    """Draw a bar of the shortest time, and a whisker that ends at the median of the rounds, for every row."""
    low = seconds.min(axis=1)
    whisker = [np.zeros_like(low), np.median(seconds, axis=1) - low]
    ax.barh(place, low, height, color=colors, xerr=whisker, error_kw={"lw": 1.2, "capsize": 2, "ecolor": style.INK})


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the bars of the methods and of the libraries, and SN's share."""
    figure = style.figure(7.2, 5.6)
    grid = figure.add_gridspec(2, 2)
    left, upper, lower = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    order = np.argsort(data["seconds"].min(axis=1))
    names = data["method"][order].tolist()
    colors = [style.METHODS[name][0] if name in PAPER else style.LIGHT for name in names]
    _bars(left, np.arange(len(names)), data["seconds"][order], colors)
    left.set_yticks(np.arange(len(names)), [style.LABELS[name] for name in names])
    left.set(xlabel="s per 100 updates", title="methods", ylim=(-0.6, len(names) - 0.4))
    libraries = data.get("library", np.array([]))[::-1].tolist()
    if libraries:
        seconds, place = 100.0 * data["library_seconds"][::-1], np.arange(len(libraries))
        for i, (offset, color) in enumerate(((0.2, style.SKY), (-0.2, style.BLUE))):
            _bars(upper, place + offset, seconds[:, i], [color] * len(place), height=0.38)
        upper.set_yticks(place, [LIBRARIES[name][0].replace(", ", ",\n") for name in libraries])
    upper.set(xlabel="s per 100 updates", title="libraries", xlim=(0, None))
    for i, batch in enumerate(data["batches"]):
        look, marker = (style.INK, "#666666", style.LIGHT)[i], "os^"[i]
        lower.plot(data["widths"], 100 * data["share"][i], color=look, marker=marker, ms=5, label=f"batch {batch}")
    lower.set(xscale="log", xlabel="width of the hidden layers", ylim=(0, None), title="what SN adds, %")
    lower.set_xticks(data["widths"], [str(width) for width in data["widths"]])
    lower.minorticks_off()
    lower.legend(loc="best", handlelength=1.2, labelspacing=0.2)
    style.letter((left, upper, lower))
    return figure
