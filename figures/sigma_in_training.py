"""The spectral norm of every normalised layer through training, and the network's Lipschitz constant. C.1, Figure 9."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
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
(a) The paper's Figure 9, for a small MLP (D 2-{width}-{width}-{width}-1, batch {batch}) on the ring of radius 2 and
std 0.05 instead of a CNN on CIFAR-10: σ(W̄) of every layer by SVD, at normalisation, that is, of the W̄ that the
next step of D sees. Setting C, one power iteration an update, {steps} generator updates, seeds {seeds}: lines are
the mean, bands the range. It is {first} at the start, in the worst layer and seed; after a tenth of the run never
above {late} and never below 1 (up to rounding). (b) Seed 0, {n} snapshots: the product (7), certified in floating
point; a tighter certified bound; the exact constant on [−3, 3]², by enumerating all {regions} affine pieces; a
gradient that was found, the lower bound. At the end they are {end}. The one thing to see: after the start the
layers stay within {percent} of 1, from above (the paper: mostly within 5 %), and the network's own constant is well
below the product.
"""
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
        "n": str(len(data["snapshot"])),
        "regions": f"{data['regions'].min()}–{data['regions'].max()}",
        "end": ", ".join(f"{data[name][-1]:.3f}" for name in BOUNDS),
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw σ(W̄) of every layer and the four values of the constant."""
    figure = style.figure(7.2, 3.1)
    left, right = figure.subplots(1, 2)
    for l, (low, mean, high) in enumerate(data["sigma"], 1):
        line = style.layer_line(l)
        left.fill_between(data["step"] + 1, low, high, color=line["color"], alpha=0.18, lw=0)
        left.plot(data["step"] + 1, mean, **line, label=f"$l={l}$")
    left.axhline(1.0, color=style.LIGHT, lw=0.8)
    left.set(xscale="log", ylim=(0.95, 1.6), xlabel="generator update + 1", ylabel="$\\sigma(\\bar W^l)$")
    left.set_title("$\\sigma(\\bar W^l)$, one iteration an update")
    left.legend()
    looks = (
        ("product", "product (7)", style.INK, "--", "s"),
        ("tighter", "tighter bound", style.ORANGE, "-.", "^"),
        ("exact", "exact on the box", style.BLUE, "-", "o"),
        ("lower", "found gradient", style.RED, ":", "x"),
    )
    for name, label, color, dashes, marker in looks:
        right.plot(data["snapshot"], data[name], dashes, color=color, marker=marker, ms=3.5, label=label)
    right.set(xlabel="generator update", ylabel="$\\|f\\|_{Lip}$", ylim=(0, None), title="Lipschitz constant of $f$")
    right.legend(loc="upper right")
    style.letter((left, right))
    return figure
