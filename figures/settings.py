"""Methods over the settings A to F of Table 1: the paper's Figures 1 and 2 on toy data."""

import csv
import io
import math
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from specnorm_np.runs.config import Config
from specnorm_np.toy.metrics import N_EVAL

TITLE = "Methods over the settings A to F"
CAPTION = """
The one thing to see: {lesson} The paper's Figures 1 and 2 on toy data: {n_methods} methods at the six settings of Table
1, on the ring (8 modes, radius 2, std 0.05; seeds {ring_seeds}) and the grid (25 modes; seeds {grid_seeds}). A cell is
a mean over the seeds, with its standard error below. D is 2-64-64-64-1, K = 1, batch 64; the budgets, the same for all
methods, are {steps} generator updates. A run without samples of high quality, or one that diverged, counts as a single
mode: its reverse KL is log 8 = 2.08 on the ring and log 25 = 3.22 on the grid.
"""
METHODS = (
    *("none", "sn", "sn, hinge", "sn-strict", "wn", "fn", "clip", "ortho", "snreg"),
    *("wgan-gp", "gan-gp", "bn", "ln"),
)
"""By name, with another loss than the method's own after a comma."""
ON_GRID = ("none", "sn", "wn", "wgan-gp")
SETTINGS = "ABCDEF"
SEEDS = {"ring": 5, "grid": 3}
SHOWN, SHOWN_SEED = 300, 0
"""How many samples of which seed are kept for the contact sheet."""


def methods(target: str, quick: bool) -> tuple[str, ...]:
    """Return the methods that are trained on a target."""
    every = METHODS if target == "ring" else ON_GRID
    return every[:2] if quick else every


def configs(quick: bool, target: str) -> list[Config]:
    """List the runs: seed by seed, method by method, setting by setting."""
    small: dict[str, Any] = protocol.SMALL if quick else {}
    chosen = []
    for seed in range(2 if quick else SEEDS[target]):
        for name in methods(target, quick):
            method, _, loss = name.partition(", ")
            fields = {"method": method, "loss": loss or None, "seed": seed, **small}
            chosen += [protocol.at(setting, target, **fields) for setting in SETTINGS[:: 4 if quick else 1]]
    return chosen


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the measures by seed, method and setting."""
    data: style.Data = {}
    for target in protocol.TARGETS:
        chosen = configs(quick, target)
        results = protocol.train(chosen, cache, executor)
        seeds = sorted({config.seed for config in chosen})
        names, settings = methods(target, quick), SETTINGS[:: 4 if quick else 1]
        shape = (len(seeds), len(names), len(settings))
        data |= {f"{target}_methods": np.array(names), "settings": np.array(list(settings))}
        data |= {f"{target}_{name}": values for name, values in protocol.measured(results, shape).items()}
        data[f"{target}_seeds"] = np.array(seeds)
        ranks = [protocol.stable_ranks(result, cache) for result in results]
        data[f"{target}_rank"] = np.array(ranks).reshape(*shape, -1)
        diverged = [result.summary is None for result in results]
        data[f"{target}_diverged"] = np.array(diverged).reshape(shape)
        late = [protocol.halved_late(result, cache) for result in results]
        data[f"{target}_halved_late"] = np.array(late).reshape(shape)
        if target == "ring":
            first = results[: shape[1] * shape[2]]
            data["samples"] = np.array([_samples(result.key, cache) for result in first], dtype=np.float16)
            largest = [_largest_sigma(result, cache) for result in results]
            data["ring_sigma"] = np.array(largest).reshape(shape)
    return data


def _samples(key: str, cache: Path) -> np.ndarray:
    """Return the first samples of a run, NaN if it diverged."""
    path = cache / "compare" / key / "samples.npy"
    return np.load(path)[:SHOWN] if path.exists() else np.full((SHOWN, 2), np.nan)


def _largest_sigma(result: protocol.Result, cache: Path) -> float:
    """Return the largest σ(W̄) of any layer after the first tenth of a run, NaN for what does not normalise by σ."""
    if result.summary is None or not result.config.method.startswith("sn") or result.config.method == "snreg":
        return math.nan
    return float(protocol.sigma_bars(result, cache).max())


def mean_se(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error over the seeds, the first axis."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(len(values))


COLUMNS = {"modes": ("modes found", ".1f"), "reverse_kl": ("reverse KL", ".2f"), "two_sample": ("1-NN, %", ".0f")}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    kl = data["ring_reverse_kl"].mean(axis=0)
    worst = {name: kl[i].max() for i, name in enumerate(data["ring_methods"].tolist())}
    shown = [name for name in ("sn", "wgan-gp", "wn", "ortho", "none", "clip") if name in worst]
    found = ", ".join(f"{label(name)} {worst[name]:.2f}" for name in shown)
    return {
        "n_methods": str(len(data["ring_methods"])),
        "ring_seeds": ", ".join(map(str, data["ring_seeds"])),
        "grid_seeds": ", ".join(map(str, data["grid_seeds"])),
        "steps": ", ".join(f"{name} {steps:,}" for name, steps in protocol.STEPS.items()),
        "lesson": f"the mean reverse KL on the ring, at the setting that is worst for a method, is {found}.",
    }


def label(name: str) -> str:
    """Return the label of a method, with the loss that takes the place of its own."""
    method, comma, loss = name.partition(", ")
    return style.LABELS[method] + comma + loss


def rows(data: style.Data) -> list[list[str]]:
    """List target, method, setting, and mean and standard error of every measure."""
    lines = [["target", "method", "setting", "seeds", "diverged"]]
    for name in protocol.MEASURES:
        lines[0] += [name, f"{name}_se"]
    for target in protocol.TARGETS:
        numbers = {name: mean_se(data[f"{target}_{name}"]) for name in protocol.MEASURES}
        for i, method in enumerate(data[f"{target}_methods"].tolist()):
            for j, setting in enumerate(data["settings"].tolist()):
                diverged = int(data[f"{target}_diverged"][:, i, j].sum())
                line = [target, method, setting, str(len(data[f"{target}_seeds"])), str(diverged)]
                for mean, error in numbers.values():
                    line += [f"{mean[i, j]:.4f}", f"{error[i, j]:.4f}"]
                lines.append(line)
    return lines


def table_csv(data: style.Data) -> str:
    """Return the table as CSV."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows(data))
    return file.getvalue()


def table(data: style.Data) -> str:
    """Return the table of the reverse KL in Markdown; the others are in the CSV file."""
    lines = []
    for target in protocol.TARGETS:
        mean, error = mean_se(data[f"{target}_reverse_kl"])
        lines += ["", f"| reverse KL, {target} | {' | '.join(data['settings'])} |", "|---" * (mean.shape[1] + 1) + "|"]
        for i, name in enumerate(data[f"{target}_methods"].tolist()):
            cells = [f"{m:.2f} ± {e:.2f}" for m, e in zip(mean[i], error[i], strict=True)]
            lines.append(f"| {label(name)} | {' | '.join(cells)} |")
    return "\n".join(
        [*lines[1:], "", f"Every number is of {N_EVAL:,} samples a run. [All measures as CSV](settings.csv)"]
    )


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw a heat map for every measure and target."""
    figure = style.figure(9.0, 7.4)
    heights = [len(data[f"{target}_methods"]) for target in protocol.TARGETS]
    axes = figure.subplots(2, len(COLUMNS), height_ratios=heights, sharey="row")
    for row, target in zip(axes, protocol.TARGETS, strict=True):
        n_modes = 8 if target == "ring" else 25
        limits = {"modes": (0, n_modes), "reverse_kl": (0.0, math.log(n_modes)), "two_sample": (0.5, 1.0)}
        for ax, (name, (title, digits)) in zip(row, COLUMNS.items(), strict=True):
            mean, error = mean_se(data[f"{target}_{name}"])
            low, high = limits[name]
            good = (mean - low) / (high - low)
            good = good if name == "modes" else 1.0 - good
            ax.imshow(good, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto")
            factor = 100.0 if name == "two_sample" else 1.0
            for i, j in np.ndindex(*mean.shape):
                ink = "white" if good[i, j] < 0.6 else "black"
                ax.text(j, i, f"{factor * mean[i, j]:{digits}}", color=ink, ha="center", va="bottom", fontsize=7.5)
                text = f"± {factor * error[i, j]:{digits}}"
                ax.text(j, i, text, color=ink, ha="center", va="top", fontsize=5.5)
            ax.set_title(f"{target}: {title}", loc="left")
            ax.set_xticks(range(mean.shape[1]), data["settings"])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
        names = data[f"{target}_methods"].tolist()
        row[0].set_yticks(range(len(names)), [label(name) for name in names])
    return figure
