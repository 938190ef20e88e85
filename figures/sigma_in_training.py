"""The spectral norm of every normalised layer through training, and the network's Lipschitz constant. C.1, Figure 9."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.training import RING, at_setting, layers_of, network, record_all, spread
from specnorm_np.bounds.lipschitz import (
    exact_lipschitz_constant,
    lipschitz_lower_bound,
    lipschitz_upper_bound,
    tighter_lipschitz_upper_bound,
)
from specnorm_np.runs.config import Config
from specnorm_np.spectral import Array

TITLE = "σ(W̄) and the Lipschitz constant in training"
CAPTION = """
The one thing to see: after the start σ(W̄) of every layer stays within {percent} of 1, from above, and the Lipschitz
constant of the network is well below the product of the layers' constants. (a) is the paper's Figure 9, where the
layers of a CNN on CIFAR-10 stay mostly within 5 %; its axis is that of the paper. Here D is a small MLP
(2-{width}-{width}-{width}-1, batch {batch}), the data are the ring of radius 2 and std 0.05, and the setting is C with
one power iteration an update, {steps} generator updates and the seeds {seeds}. σ(W̄) is computed by SVD, of the W̄
that the next step of D sees. Lines are means over the seeds and bands are ranges. The first value, {first} in the
worst layer and seed, lies above the axis and is shown in the inset, which enlarges the first {inset} updates. After a
tenth of the run σ(W̄) is never above {late} and never below 1, up to rounding. (b) Four values for {n} snapshots of
seed 0: the product (7), which is certified in floating point; a tighter certified bound; the exact constant on [−3,
3]², which is found by enumerating all {regions} affine pieces; and the largest gradient that a search has found, a
lower bound. At the end they are {end}; the search finds at least {search} of the exact constant in every snapshot.
"""
INSET = 100
"""How many updates the inset shows."""
SLOPE = 0.1
BOX = ((-3.0, 3.0), (-3.0, 3.0))
BOUNDS = ("product", "tighter", "exact", "lower")


def configs(quick: bool) -> list[Config]:
    """List the runs at setting C."""
    return [at_setting("C", quick, method="sn", seed=seed, **RING, steps=5000) for seed in range(1 if quick else 3)]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Read σ(W̄) off the records and bound the constant of the snapshots."""
    chosen = configs(quick)
    records = record_all(chosen, cache, executor)
    layers = range(1, layers_of(records[0]) + 1)
    snapshots = range(0, len(records[0]["snapshot"]), 5 if quick else 1)
    rows = [_constants(*network(records[0], i)) for i in snapshots]
    values = np.array([row[:-1] for row in rows])
    return {
        "step": records[0]["step"],
        "sigma": np.stack([spread([record[f"values_{l}"][:, 0] for record in records]) for l in layers]),
        "snapshot": records[0]["snapshot"][list(snapshots)],
        **{name: values[:, i] for i, name in enumerate(BOUNDS)},
        "regions": np.array([row[-1] for row in rows]),
        "seeds": np.arange(len(records)),
        "width": np.array(chosen[0].d_width),
        "batch": np.array(chosen[0].batch),
    }


def _constants(W: list[Array], b: list[Array]) -> tuple[float, ...]:
    exact = exact_lipschitz_constant(W, b, SLOPE, BOX)
    lower, _ = lipschitz_lower_bound(W, b, SLOPE, BOX, rng=np.random.default_rng(0))
    product, tighter = lipschitz_upper_bound(W, SLOPE), tighter_lipschitz_upper_bound(W, SLOPE)
    return product, tighter, exact.value, lower, exact.n_regions


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    late = data["sigma"][:, :, data["step"] > data["step"][-1] // 10]
    return {
        "width": str(data["width"]),
        "batch": str(data["batch"]),
        "steps": str(data["step"][-1]),
        "seeds": ", ".join(map(str, data["seeds"])),
        "first": f"{data['sigma'][:, 2, 0].max():.2f}",
        "late": f"{late.max():.3f}",
        "percent": f"{np.ceil(1000 * (late.max() - 1)) / 10:.1f} %",
        "inset": str(INSET),
        "search": f"{np.floor(1000 * (data['lower'] / data['exact']).min()) / 10:.1f} %",
        "n": str(len(data["snapshot"])),
        "regions": f"{data['regions'].min()}–{data['regions'].max()}",
        "end": ", ".join(f"{data[name][-1]:.3f}" for name in BOUNDS),
    }


def _layers(ax: Axes, data: style.Data) -> None:
    for l, (low, mean, high) in enumerate(data["sigma"], 1):
        line = style.layer_line(l)
        ax.fill_between(data["step"], low, high, color=line["color"], alpha=0.18, lw=0)
        ax.plot(data["step"], mean, **line, label=f"$l={l}$")
    ax.axhline(1.0, color=style.LIGHT, lw=0.9)


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw σ(W̄) of every layer, its start in an inset, and the four values of the constant."""
    figure = style.figure(7.2, 4.0)
    left, right = figure.subplots(1, 2)
    _layers(left, data)
    left.set(ylim=(0.95, 1.2), xlabel="generator update", xticks=(0, 2500, 5000), title="$\\sigma(\\bar W^l)$")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4, columnspacing=1.0)
    inset = left.inset_axes((0.26, 0.66, 0.7, 0.32))
    _layers(inset, data)
    inset.set(xlim=(-1, INSET), ylim=(0.95, 1.6), xticks=(0, INSET), yticks=(1.0, 1.5))
    looks = (
        ("product", "product (7)", style.INK, "--", "s"),
        ("tighter", "tighter bound", style.ORANGE, "-.", "^"),
        ("exact", "exact", style.BLUE, "-", ""),
    )
    for name, label, color, dashes, marker in looks:
        right.plot(data["snapshot"], data[name], dashes, color=color, marker=marker, ms=4, label=label)
    right.plot(
        data["snapshot"], data["lower"], "o", color=style.RED, mfc="none", ms=7, mew=1.2, label="found by search"
    )
    right.set(xlabel="generator update", ylim=(0, None), xticks=(0, 2500, 5000), title="Lipschitz constant of $f$")
    right.legend(loc="upper right")
    style.letter((left, right))
    return figure
