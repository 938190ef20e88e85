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
The paper's Figure 10, for every method of the package on a small MLP (three hidden layers of width {width} in D, two
in G, batch {batch}, n_dis = 5, float32, one BLAS thread) instead of a CNN: (a) seconds per 100 generator updates,
medians of {repeats} measurements taken in turn. Without normalisation it is {none} s, with SN {sn} s ({sn_share}
more), WN {wn} s, WGAN-GP {gp} s ({gp_share} more); the dearest is {dearest} ({dearest_time} s). (b) What SN adds to a
step, against the width of all hidden layers. It is {most} at width {most_width} and batch {most_batch}, {least} at
width {least_width} and batch {least_batch}. The one thing to see: SN adds {sn_share} and the gradient penalty
{gp_share}, so that the wide gap between the two in the paper's figure does not show on networks as small as this one;
several other methods cost far more. The share of SN is smaller the larger the batch. Measured on one machine: run it
on yours. No seeds.
"""


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
    figure = style.figure(7.2, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    order = np.argsort(data["seconds"])
    names, seconds = data["method"][order].tolist(), data["seconds"][order]
    place = np.arange(len(names))
    left.barh(place, seconds, 0.72, color=[style.METHODS[name][0] for name in names], edgecolor=style.INK, lw=0.4)
    for y, t in zip(place, seconds, strict=True):
        left.annotate(f"{t:.2f}", (t, y), (3, 0), textcoords="offset points", va="center", fontsize=7.5)
    left.set_yticks(place, [style.LABELS[name] for name in names], fontsize=8)
    left.set(xlabel="seconds per 100 generator updates", xlim=(0, 1.15 * seconds[-1]), title="$n_{dis}=5$")
    for i, batch in enumerate(data["batches"]):
        color, line, marker = style.LAYERS[i]
        right.plot(
            data["widths"], 100 * data["share"][i], line, color=color, marker=marker, ms=4, label=f"batch {batch}"
        )
    right.set(xscale="log", xlabel="width of the hidden layers", ylabel="% of the step without SN", ylim=(0, None))
    right.set_xticks(data["widths"], [str(width) for width in data["widths"]])
    right.minorticks_off()
    right.set_title("what SN adds")
    right.legend()
    style.letter((left, right))
    return figure
