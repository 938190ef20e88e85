"""Width of D's last hidden layer, with SN and with orthonormal regularisation: the paper's Figure 4 on toy data."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from specnorm_np.runs.config import Config

TITLE = "Width of the last hidden layer"
CAPTION = """
The one thing to see: {lesson} The paper's Figure 4 on toy data: the ring at setting C with 16 to 512 units in D's last
hidden layer, seeds {seeds}. Lines are means, bars the range over the seeds. The paper widens a convolution of an image
model and finds orthonormal regularisation to suffer, spectral normalisation not.
"""
METHODS = ("sn", "ortho")
WIDTHS = (16, 32, 64, 128, 256, 512)
SEEDS = 3
MEASURES = (("reverse_kl", "reverse KL", 1.0), ("two_sample", "1-NN, %", 100.0))


def configs(quick: bool) -> list[Config]:
    """List the runs: seed by seed, method by method, width by width."""
    small = protocol.SMALL if quick else {}
    return [
        protocol.at("C", method=method, seed=seed, d_last_width=width, **small)
        for seed in range(2 if quick else SEEDS)
        for method in METHODS
        for width in (WIDTHS[::5] if quick else WIDTHS)
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the measures by seed, method and width."""
    chosen = configs(quick)
    results = protocol.train(chosen, cache, executor)
    seeds = sorted({config.seed for config in chosen})
    widths = sorted({config.d_last_width or 0 for config in chosen})
    shape = (len(seeds), len(METHODS), len(widths))
    return {**protocol.measured(results, shape), "seeds": np.array(seeds), "widths": np.array(widths)}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    kl = data["reverse_kl"].mean(axis=0)
    found = [f"{style.LABELS[name]} {kl[i, 0]:.3f} and {kl[i, -1]:.3f}" for i, name in enumerate(METHODS)]
    lesson = f"the mean reverse KL with {data['widths'][0]} and {data['widths'][-1]} units is {'; '.join(found)}."
    return {"seeds": ", ".join(map(str, data["seeds"])), "lesson": lesson}


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw reverse KL and 1-NN accuracy against the width."""
    figure = style.figure(7.2, 3.0)
    axes = figure.subplots(1, len(MEASURES))
    for ax, (measure, title, factor) in zip(axes, MEASURES, strict=True):
        for i, name in enumerate(METHODS):
            values = factor * data[measure][:, i]
            look = {**style.method_line(name), "marker": style.METHODS[name][2], "ms": 4}
            ax.vlines(data["widths"], values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.4, lw=2)
            ax.plot(data["widths"], values.mean(axis=0), **look, label=style.LABELS[name])
        ax.set(xscale="log", xlabel="width of the last hidden layer", ylabel=title)
        ax.set_xticks(data["widths"], [str(width) for width in data["widths"]])
        ax.minorticks_off()
    axes[0].set_ylim(0, None)
    axes[0].legend()
    style.letter(axes)
    return figure
