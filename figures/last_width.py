"""Width of D's last hidden layer, with SN and with orthonormal regularisation: the paper's Figure 4 on toy data."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from specnorm_np.runs.config import Config

TITLE = "Width of the last hidden layer"
CAPTION = """
The one thing to see: the width hardly matters to either method; failed runs: {failed} of {runs} ({which}). The paper's
Figure 4 on toy data: the ring at setting C with 16 to 512 units in D's last hidden layer, seeds {seeds}. Dots are runs,
lines their means. The paper widens a convolution of an image model, and finds that orthonormal regularisation suffers
and spectral normalisation does not. The mean reverse KL with {least} and {most} units is {found}.
"""
METHODS = ("sn", "ortho")
WIDTHS = (16, 32, 64, 128, 256, 512)
SEEDS = 3
FAILED = 0.5
"""The reverse KL above which a run is called failed: that of a sampler which has lost three modes of eight."""
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
    failed = np.argwhere(data["reverse_kl"] > FAILED)
    widths, seeds = data["widths"], data["seeds"]
    which = [f"{style.LABELS[METHODS[i]]} with {widths[k]} units, seed {seeds[s]}" for s, i, k in failed]
    return {
        "runs": str(data["reverse_kl"].size),
        "failed": str(len(failed)),
        "which": "; ".join(which) or "none of them",
        "seeds": ", ".join(map(str, data["seeds"])),
        "least": str(data["widths"][0]),
        "most": str(data["widths"][-1]),
        "found": "; ".join(found),
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw reverse KL and 1-NN accuracy against the width."""
    figure = style.figure(7.2, 3.0)
    axes = figure.subplots(1, len(MEASURES))
    for ax, (measure, title, factor) in zip(axes, MEASURES, strict=True):
        for i, name in enumerate(METHODS):
            values = factor * data[measure][:, i]
            look = {**style.method_line(name), "marker": style.METHODS[name][2], "ms": 4}
            for run in values:
                ax.plot(data["widths"], run, look["marker"], color=look["color"], ms=4, alpha=0.5, mew=0)
            ax.plot(data["widths"], values.mean(axis=0), look["ls"], color=look["color"], label=style.LABELS[name])
        ax.set(xscale="log", xlabel="width of the last hidden layer", ylabel=title)
        ax.set_xticks(data["widths"], [str(width) for width in data["widths"]])
        ax.minorticks_off()
    axes[0].set_ylim(0, None)
    axes[0].legend()
    style.letter(axes)
    return figure
