"""Target, no normalisation, SN: the README's picture, and both trainings moving. Figures 1, 2 and 6 in small."""

from concurrent.futures import Executor
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.training import RING, at_setting, record_all
from specnorm_np.runs.config import Config, make_target
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import perfect_share

TITLE = "The same GAN without and with SN"
CAPTION = """
What the paper's Figures 1, 2 and 6 show with images, in the plane: a ring of 8 Gaussians (radius 2, std 0.05) and
{shown} samples of G after {steps} generator updates at the aggressive setting D of Table 1 (Adam 0.001, n_dis = 5),
without normalisation and with SN at K = 1; everything else is the same: networks (D 2-64-64-64-1, G 16-64-64-2),
data, latents (16 dimensions), standard loss, seed 0. Below: modes found and share of high quality among 2500
samples. Over the seeds {seeds} it is {none} without normalisation, and {sn} with SN. The one thing to see: {lesson}
The animation shows the same two runs from the start. The contrast depends on the latents: in 2 dimensions, as in
the figure of the spectra, it is weaker.
"""
LESSON = "without normalisation G collapses to one mode, with SN it finds the ring."
METHODS = ("none", "sn")
HALF = 2.7


def configs(quick: bool) -> list[Config]:
    """List the runs at setting D, method by method."""
    fields = {**RING, "steps": 4000, "latent": 16}
    return [
        at_setting("D", quick, method=method, seed=seed, **fields)
        for method in METHODS
        for seed in range(1 if quick else 3)
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Read samples along the way off the training records."""
    chosen = configs(quick)
    records = record_all(chosen, cache, executor)
    n = len(chosen) // len(METHODS)
    shown = records[0]["x"].shape[1]
    target = make_target(chosen[0]).sample(shown, rng=np.random.default_rng(0))
    data: style.Data = {"frame": records[0]["frame"], "target": target.astype(np.float32), "seeds": np.arange(n)}
    for i, method in enumerate(METHODS):
        mine = records[i * n : (i + 1) * n]
        data[method] = mine[0]["x"]
        data |= {f"{method}_{name}": np.array([record[name] for record in mine]) for name in ("modes", "high_quality")}
    return data


def _found(modes: int, share: float) -> str:
    return f"{modes} of 8 modes, high quality {share:.0%}"


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    found = {}
    for method in METHODS:
        modes, share = data[f"{method}_modes"].tolist(), data[f"{method}_high_quality"].tolist()
        found[method] = f"{', '.join(map(str, modes))} modes at {', '.join(f'{x:.0%}' for x in share)}"
    seeds = ", ".join(map(str, data["seeds"]))
    return {
        **found,
        "seeds": seeds,
        "shown": str(len(data["target"])),
        "steps": str(data["frame"][-1]),
        "lesson": LESSON,
    }


def _panel(ax: Axes, x: Array, target: Array, color: str, title: str) -> None:
    ax.plot(*target.T, ".", color=style.LIGHT, ms=3, mew=0, alpha=0.6, rasterized=True)
    ax.plot(*x.T, ".", color=color, ms=4, mew=0, alpha=0.7, rasterized=True)
    ax.set(xlim=(-HALF, HALF), ylim=(-HALF, HALF), aspect="equal", xticks=(), yticks=(), title=title)
    for spine in ax.spines.values():
        spine.set(visible=True, color=style.LIGHT, lw=0.6)
    ax.title.set_color(color)


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the target and the final samples of both."""
    figure = style.figure(7.2, 2.75)
    axes = figure.subplots(1, 3)
    _panel(axes[0], data["target"], data["target"], style.LIGHT, "target")
    for ax, method in zip(axes[1:], METHODS, strict=True):
        _panel(ax, data[method][-1], data["target"], style.METHODS[method][0], style.LABELS[method])
        ax.set_xlabel(_found(int(data[f"{method}_modes"][0]), float(data[f"{method}_high_quality"][0])))
    axes[0].set_xlabel(f"8 modes, high quality {perfect_share():.1%}")
    return figure


def animate(data: style.Data, path: Path) -> None:
    """Write both trainings as an animated GIF."""
    with matplotlib.rc_context(style.LOOK):
        figure = Figure(figsize=(5.0, 2.75), dpi=90, layout="constrained")
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
