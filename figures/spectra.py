"""Singular values of trained discriminators, and their stable rank through training. Section 4.1.1, Figure 3."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import RING, at_setting, record_all, spread, stable_rank
from specnorm_np.runs.config import Config

TITLE = "Spectra of the hidden layers"
CAPTION = """
The one thing to see: clipping and WN concentrate on a few directions and SN keeps many, as the paper's Figure 3 has
it. (a), (b) σ² divided by its maximum, of the two square matrices of D at the end of training. D is a small MLP
(2-{width}-{width}-{width}-1) instead of a CNN; its first and last layer have at most 2 and 1 singular values. A D
without normalisation is shown, too. (c) Stable rank Σσ²/σ₁² through training, as the mean of the two matrices. At the
end it is {rank_clip} for clipping, {rank_wn} for WN, {rank_none} without normalisation and {rank_sn} for SN. Lines are
means over the seeds {seeds}, and bands are ranges. The setting is D of Table 1, with {steps} generator updates, batch
{batch}, the ring of 8 Gaussians (radius 2, std 0.05) and the standard loss. Modes found of 8, at a share of high
quality, by seed: {modes}.
"""
METHODS = ("clip", "wn", "none", "sn")


def configs(quick: bool, methods: tuple[str, ...] = METHODS) -> list[Config]:
    """List the runs at setting D, method by method."""
    fields = {**RING, "steps": 4000}
    seeds = range(1 if quick else 3)
    return [at_setting("D", quick, method=method, seed=seed, **fields) for method in methods for seed in seeds]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Read spectra and stable ranks off the training records."""
    chosen = configs(quick)
    records = record_all(chosen, cache, executor)
    n = len(chosen) // len(METHODS)
    data: style.Data = {
        "step": records[0]["step"],
        "width": np.array(chosen[0].d_width),
        "batch": np.array(chosen[0].batch),
        "seeds": np.arange(n),
    }
    for i, method in enumerate(METHODS):
        mine = records[i * n : (i + 1) * n]
        for l in (2, 3):
            last = [record[f"values_{l}"][-1] for record in mine]
            data[f"{method}_{l}"] = spread([(values / values[0]) ** 2 for values in last])
        ranks = [np.mean([stable_rank(record[f"values_{l}"]) for l in (2, 3)], axis=0) for record in mine]
        data[f"{method}_rank"] = spread(ranks)
        data[f"{method}_modes"] = np.array([record["modes"] for record in mine])
        data[f"{method}_high_quality"] = np.array([record["high_quality"] for record in mine])
    return data


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    found = {
        name: ", ".join(
            f"{modes} at {share:.0%}"
            for modes, share in zip(data[f"{name}_modes"], data[f"{name}_high_quality"], strict=True)
        )
        for name in METHODS
    }
    return {
        "width": str(data["width"]),
        "batch": str(data["batch"]),
        "steps": str(data["step"][-1]),
        "seeds": ", ".join(map(str, data["seeds"])),
        "modes": "; ".join(f"{style.LABELS[name]} {text}" for name, text in found.items()),
        **{f"rank_{name}": f"{data[f'{name}_rank'][1, -1]:.1f}" for name in METHODS},
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw both spectra and the stable rank."""
    figure = style.figure(7.2, 3.9)
    axes = figure.subplots(1, 3)
    index = np.arange(1, int(data["width"]) + 1)
    for method in METHODS:
        _, _, marker = style.METHODS[method]
        for ax, name, x in (
            (axes[0], f"{method}_2", index),
            (axes[1], f"{method}_3", index),
            (axes[2], f"{method}_rank", data["step"]),
        ):
            low, mean, high = data[name]
            line = style.method_line(method)
            ax.fill_between(x, low, high, color=line["color"], alpha=0.18, lw=0)
            ax.plot(x, mean, **line, marker=marker, ms=3, markevery=max(len(x) // 8, 1), label=style.LABELS[method])
    for l, ax in zip((2, 3), axes, strict=False):
        ax.set(xlabel="index of $\\sigma$", title=f"$\\bar W^{l}$, end", ylim=(0, 1.03), xlim=(0, index[-1] + 1))
    axes[0].set_ylabel("$\\sigma^2/\\sigma_1^2$")
    axes[2].set(xlabel="update", xticks=(0, 2000, 4000), title="stable rank", ylim=(0, None))
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=4, columnspacing=1.0)
    style.letter(axes)
    return figure
