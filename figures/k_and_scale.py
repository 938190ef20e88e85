"""Quality against K and the scale of the data. The abstract: K is the one hyper-parameter, without intensive tuning."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from figures.protocol import MATTERS
from specnorm_np.runs.config import Config

TITLE = "Quality against K and the scale of the data"
CAPTION = """
The one thing to see: {lesson} No figure of the paper, which states that its Lipschitz constant, the one
hyper-parameter, worked without intensive tuning. The ring at setting C, seeds {seeds}, as it is (radius 2, std 0.05)
and made ten times smaller and larger. K is per layer, K⁴ the constant of D with its four layers. Lines are means and
bars the range over the seeds; the dotted lines are the means without normalisation. (a) Against K itself; (b) against
K⁴ times the scale of the data, which says how much f may change from one side of the ring to the other. On the ring as
it is, the mean reverse KL is {found}, and {none} without normalisation.
"""
U = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""K of a layer, times the fourth root of the data's scale."""
SCALES = (1.0, 0.1, 10.0)
LAYERS, SEEDS = 4, 3


def configs(quick: bool) -> list[Config]:
    """List the runs: seed by seed, scale by scale, every K and then no normalisation."""
    small = protocol.SMALL if quick else {}
    chosen = []
    for seed in range(2 if quick else SEEDS):
        for scale in SCALES[: 2 if quick else None]:
            data: dict[str, Any] = {"target_options": {"radius": 2.0 * scale, "std": 0.05 * scale}, "g_scale": scale}
            data |= {"seed": seed, **small}
            chosen += [
                protocol.at("C", method="sn", **{**data, "K": u / scale ** (1 / LAYERS)})
                for u in (U[::5] if quick else U)
            ]
            chosen.append(protocol.at("C", method="none", **data))
    return chosen


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the measures by seed, scale and K, the last of which is no normalisation."""
    chosen = configs(quick)
    results = protocol.train(chosen, cache, executor)
    seeds = sorted({config.seed for config in chosen})
    scales, u = (SCALES[:2], U[::5]) if quick else (SCALES, U)
    shape = (len(seeds), len(scales), len(u) + 1)
    return {**protocol.measured(results, shape), "seeds": np.array(seeds), "scales": np.array(scales), "u": np.array(u)}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    kl = data["reverse_kl"].mean(axis=0)[0]
    low, high = data["u"][kl[:-1] <= kl[:-1].min() + MATTERS["reverse_kl"]][[0, -1]]
    factor = f"{(high / low) ** LAYERS:,.0f}"
    lesson = (
        f"every K of a layer from {low:g} to {high:g}, a factor of {factor} in the bound of D, does about as well, "
    )
    lesson += "a larger one loses modes, and K has to fall as the scale of the data grows."
    return {
        "lesson": lesson,
        "found": ", ".join(f"{value:.2f} at K = {u:g}" for u, value in zip(data["u"], kl, strict=False)),
        "none": f"{kl[-1]:.2f}",
        "seeds": ", ".join(map(str, data["seeds"])),
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the reverse KL against K, and against K⁴ times the scale."""
    figure = style.figure(7.2, 3.2)
    axes = figure.subplots(1, 2, sharey=True)
    for k, scale in enumerate(data["scales"]):
        values = data["reverse_kl"][:, k]
        color, line, marker = style.LAYERS[k]
        u = data["u"]
        for ax, x in zip(axes, (u / scale ** (1 / LAYERS), u**LAYERS), strict=True):
            ax.vlines(x, values[:, :-1].min(axis=0), values[:, :-1].max(axis=0), color=color, alpha=0.4, lw=2)
            ax.plot(x, values[:, :-1].mean(axis=0), line, color=color, marker=marker, ms=4, label=f"data × {scale:g}")
            ax.axhline(values[:, -1].mean(), color=color, ls=":", lw=0.9)
    for ax, label in zip(axes, ("$K$ of a layer", "$K^4$ times the scale of the data"), strict=True):
        ax.set(xscale="log", xlabel=label, ylim=(-0.05, None))
    axes[0].set_ylabel("reverse KL")
    axes[0].legend()
    style.letter(axes)
    return figure
