"""The grid without normalisation and with SN, the README's picture, and both trainings moving. Figures 1, 2 and 6."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.training import QUICK, network, record_all
from specnorm_np.network import backward_to_input, forward
from specnorm_np.runs.config import Config, from_options, make_target
from specnorm_np.runs.snapshots import lattice
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array

TITLE = "The same GAN without and with SN"
CAPTION = """
The one thing to see: without normalisation G leaves modes of the grid empty, with SN it finds all of them, and in both
the samples that are there look equally good. What the paper's Figures 1, 2 and 6 show with images, in the plane: the
grid of 25 Gaussians as published (distance 2, std 0.05), in grey, and {shown} samples of G after {steps} generator
updates of `specnorm-np train grid` and `specnorm-np train grid --method none`: the same networks (three hidden layers
of 128), data, latents and seed 0, and the same defaults, which were tuned for SN. The lines are level lines of f, the
discriminator before its link. The largest slope of f on the lattice that is drawn is {none_slope} without
normalisation and {sn_slope} with SN. Modes found, and share of high quality among 2500 samples, over the seeds {seeds}:
{none} without normalisation, {sn} with SN. The animation shows the runs of seed 0 from the start.
"""
METHODS = ("none", "sn")
TICKS = 81


def configs(quick: bool) -> list[Config]:
    """List the runs of the command's defaults on the grid, method by method."""
    small = {**QUICK, "d_depth": 2} if quick else {}
    return [
        from_options({"target": "grid", "method": method, "seed": seed, **small})
        for method in METHODS
        for seed in range(1 if quick else 2)
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Read samples along the way, and f at the end, off the training records."""
    chosen = configs(quick)
    records = record_all(chosen, cache, executor)
    n = len(chosen) // len(METHODS)
    shown = records[0]["x"].shape[1]
    target = make_target(chosen[0]).sample(2 * shown, rng=np.random.default_rng(0))
    plane = lattice(target, TICKS)
    data: style.Data = {"frame": records[0]["frame"], "target": target.astype(np.float32), "seeds": np.arange(n)}
    data["ticks"] = plane[0, :, 0]
    for i, method in enumerate(METHODS):
        mine = records[i * n : (i + 1) * n]
        W, b = network(mine[0], -1)
        f, tape = forward(W, b, plane.reshape(-1, 2), 0.1)
        slopes = np.linalg.norm(backward_to_input(W, tape, np.ones_like(f), 0.1), axis=1)
        data |= {method: mine[0]["x"], f"{method}_f": f.reshape(TICKS, TICKS).astype(np.float32)}
        data[f"{method}_slope"] = np.array(slopes.max())
        data |= {f"{method}_{name}": np.array([record[name] for record in mine]) for name in ("modes", "high_quality")}
    return data


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    found = {}
    for method in METHODS:
        modes, share = data[f"{method}_modes"].tolist(), data[f"{method}_high_quality"].tolist()
        found[method] = f"{', '.join(map(str, modes))} modes at {', '.join(f'{x:.0%}' for x in share)}"
        found[f"{method}_slope"] = f"{data[f'{method}_slope']:.0f}"
    return {
        **found,
        "seeds": ", ".join(map(str, data["seeds"])),
        "shown": str(data["sn"].shape[1]),
        "steps": str(data["frame"][-1]),
    }


def _panel(ax: Axes, x: Array, target: Array, color: str, title: str) -> None:
    half = 1.25 * float(np.abs(target).max())
    ax.plot(*target.T, ".", color=style.LIGHT, ms=4, mew=0, alpha=0.6, rasterized=True)
    ax.plot(*x.T, ".", color=color, ms=3, mew=0, alpha=0.8, rasterized=True)
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=(), yticks=(), title=title)
    for spine in ax.spines.values():
        spine.set(visible=True, color=style.LIGHT, lw=0.6)
    ax.title.set_color(color)


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the final samples of both over level lines of f."""
    figure = style.figure(6.4, 3.9)
    for ax, method in zip(figure.subplots(1, 2), METHODS, strict=True):
        _panel(ax, data[method][-1], data["target"], style.METHODS[method][0], style.LABELS[method])
        levels = np.quantile(data[f"{method}_f"], np.linspace(0.02, 0.98, 13))
        look: dict[str, Any] = {"colors": style.LIGHT, "linewidths": 0.4, "linestyles": "solid", "alpha": 0.7}
        ax.contour(data["ticks"], data["ticks"], data[f"{method}_f"], np.unique(levels), **look)
        modes, share = data[f"{method}_modes"][0], data[f"{method}_high_quality"][0]
        ax.set_xlabel(f"{modes:.0f} of 25 modes, high quality {share:.0%}")
    return figure


def animate(data: style.Data, path: Path) -> None:
    """Write both trainings as an animated GIF."""
    with matplotlib.rc_context(style.LOOK):
        figure = Figure(figsize=(5.0, 3.1), dpi=90, layout="constrained")
        axes = figure.subplots(1, 2)
        writer = PillowWriter(fps=10)
        temporary = path.with_name(f".{path.name}.tmp.gif")
        with writer.saving(figure, temporary, dpi=90):
            for i, step in [*enumerate(data["frame"]), *[(-1, data["frame"][-1])] * 15]:
                for ax, method in zip(axes, METHODS, strict=True):
                    ax.clear()
                    _panel(ax, data[method][i], data["target"], style.METHODS[method][0], style.LABELS[method])
                axes[0].set_xlabel(f"generator update {step}")
                axes[1].set_xlabel(" ")
                writer.grab_frame()
        content = temporary.read_bytes()
        temporary.unlink()
    write(path, lambda file: file.write(content))
