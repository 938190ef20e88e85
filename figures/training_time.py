"""Seconds per 100 generator updates of every method, and what SN adds. C.2, Figure 10."""

import dataclasses
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import at_setting
from specnorm_np.command.bench import medians, step_of
from specnorm_np.gan import GAN
from specnorm_np.normalizers import Identity
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs.config import make_gan, make_target
from specnorm_np.spectral import Array

TITLE = "Training time"
CAPTION = """
The one thing to see: SN adds {sn_share} to a generator update of a network as small as this one and the gradient
penalty {gp_share}, so that the wide gap between the two in the paper's Figure 10 does not show here. The paper's four
methods are in colour, all others in grey. (a) Seconds per 100 generator updates of a small MLP (three hidden layers of
width {width} in D, two in G, batch {batch}, n_dis = 5, float32, one BLAS thread) where the paper has a CNN. They are
medians of {repeats} measurements taken in turn: {none} s without normalisation, {sn} s with SN, {wn} s with WN and
{gp} s with WGAN-GP. The dearest is {dearest} ({dearest_time} s). (b) What SN adds to an update, against the width of
all hidden layers: {most} at width {most_width} and batch {most_batch}, {least} at width {least_width} and batch
{least_batch}. The larger the batch, the smaller the share of SN. The data have no error bars, and a bump in (b) of a
few percent may be noise. No network is trained to its end, so that there are no seeds. It was measured on one machine:
run it on yours.
"""
PAPER = ("none", "wn", "sn", "wgan-gp")
"""The methods of the paper's Figure 10."""


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Time training steps in turn, in this process alone."""
    width, batch, repeats, inner = (16, 16, 3, 2) if quick else (64, 64, 15, 10)
    config = at_setting("D", False, batch=batch, d_width=width, g_width=width)
    sample_real = make_target(config).sample
    steps = {}
    for name in METHODS:
        gan = make_gan(dataclasses.replace(config, method=name), make_target(config))
        steps[name] = step_of(gan, sample_real)
    seconds = medians(steps, repeats, inner)
    widths, batches = ((8, 16), (8, 32)) if quick else ((16, 32, 64, 128, 256), (16, 64, 256))
    base = make_gan(config, make_target(config))
    share = [[_share(base, width, batch, repeats) for width in widths] for batch in batches]
    return {
        "method": np.array(list(seconds)),
        "seconds": 100.0 * np.array(list(seconds.values())),
        "widths": np.array(widths),
        "batches": np.array(batches),
        "share": np.array(share),
        "width": np.array(width),
        "batch": np.array(batch),
        "repeats": np.array(repeats),
    }


def _share(base: GAN, width: int, batch: int, repeats: int) -> float:
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
    t = medians(actions, 2 * repeats, 5)
    return t["sn"] / t["none"] - 1.0


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    t = dict(zip(data["method"].tolist(), data["seconds"].tolist(), strict=True))
    share, dearest = data["share"], max(t, key=lambda name: t[name])
    ends: dict[str, str] = {}
    for name, at in (("most", share.argmax()), ("least", share.argmin())):
        i, j = np.unravel_index(at, share.shape)
        ends |= {name: f"{share[i, j]:.0%}", f"{name}_width": str(data["widths"][j])}
        ends[f"{name}_batch"] = str(data["batches"][i])
    return {
        **ends,
        **{name: str(data[name]) for name in ("width", "batch", "repeats")},
        "none": f"{t['none']:.2f}",
        "sn": f"{t['sn']:.2f}",
        "wn": f"{t['wn']:.2f}",
        "gp": f"{t['wgan-gp']:.2f}",
        "sn_share": f"{t['sn'] / t['none'] - 1:.0%}",
        "gp_share": f"{t['wgan-gp'] / t['none'] - 1:.0%}",
        "dearest": style.LABELS[dearest],
        "dearest_time": f"{t[dearest]:.2f}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the bars and SN's share."""
    figure = style.figure(7.2, 5.2)
    left, right = figure.subplots(1, 2)
    order = np.argsort(data["seconds"])
    names, seconds = data["method"][order].tolist(), data["seconds"][order]
    place = np.arange(len(names))
    left.barh(place, seconds, 0.72, color=[style.METHODS[n][0] if n in PAPER else style.LIGHT for n in names])
    left.set_yticks(place, [style.LABELS[name] for name in names])
    left.set(xlabel="s per 100 updates", xlim=(0, 1.05 * seconds[-1]), ylim=(-0.6, len(names) - 0.4), title="methods")
    for i, batch in enumerate(data["batches"]):
        color, line, marker = style.LAYERS[i]
        right.plot(
            data["widths"], 100 * data["share"][i], line, color=color, marker=marker, ms=4, label=f"batch {batch}"
        )
    right.set(xscale="log", xlabel="width of the hidden layers", ylim=(0, None))
    right.set_xticks(data["widths"], [str(width) for width in data["widths"]])
    right.minorticks_off()
    right.set_title("what SN adds, %")
    right.legend()
    style.letter((left, right))
    return figure
