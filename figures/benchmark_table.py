"""Ring and grid with the command's defaults, beside rivals and published tables. Measured by `metrics`."""

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import QUICK
from specnorm_np.runs.compare import train_all
from specnorm_np.runs.config import Config, from_options
from specnorm_np.toy.metrics import N_EVAL

TITLE = "Ring and grid beside published tables"
CAPTION = """
The one thing to see: on the grid, the samples of SN are spread over the modes more evenly than those of every other row
but the perfect sampler; on the ring, WGAN-GP is as even. The picture shows the reverse KL between the shares of the
modes and equal shares, on a logarithmic axis, as mean ± standard error over seeds. Blue is SN, grey are other methods
of this package, black is the perfect sampler, and green are the published numbers of PacGAN. VEEGAN's table has no
reverse KL. The table below has all measures and all rows. SN finds {ring_modes} of 8 and {grid_modes} of 25 modes in
the mean, with {ring_hq} and {grid_hq} of high quality. A nearest neighbour still tells {ring_nn} and {grid_nn} of its
points from real ones, where 50 % is perfect, because the published measures do not see how a mode looks inside. The
rows without SN, with weight normalisation and with WGAN-GP were trained with the same defaults, which were chosen for
SN. The targets are the ring of 8 Gaussians (radius 1, std 0.01) and the grid of 25 ({{−4, …, 4}}², std 0.05). The
published rows are those of VEEGAN (Srivastava et al. 2017, Table 1, mean of 5 runs) and PacGAN (Lin et al. 2018, Table
1, mean ± standard error of 10 runs), read from the pictures of the tables in their authors' repositories. All of them
count {samples} samples. Their budgets differ, as the notes say. The paper has no such figure, for it trains on images
only.
"""
TARGETS = ("ring", "grid")
METHODS = ("sn", "none", "wn", "wgan-gp")
SEEDS = 10
"""How many seeds each method has on each target, from 0 on."""
LABELS = {"sn": "**SN**", "none": "no normalisation", "wn": "weight normalisation", "wgan-gp": "WGAN-GP"}
METRICS = ("modes", "high_quality", "reverse_kl", "two_sample", "spread_minor", "spread_major")
OPTIONS = ("steps", "batch", "d_width", "d_depth", "d_alpha", "g_alpha")
COLUMNS = ("modes", "high quality, %", "reverse KL", "1-NN, %", "spread")
KL = (COLUMNS.index("reverse KL"), len(COLUMNS) + COLUMNS.index("reverse KL"))
"""Where a row has the reverse KL, on either target."""
LARGEST = 1.0
"""The end of the axis, where an infinite reverse KL is drawn."""

PUBLISHED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # ring: modes, high quality in %, reverse KL; grid: the same; as printed
    ("GAN", "VEEGAN", ("1", "99.3", "", "3.3", "0.5", "")),
    ("ALI", "VEEGAN", ("2.8", "0.13", "", "15.8", "1.6", "")),
    ("Unrolled GAN", "VEEGAN", ("7.6", "35.6", "", "23.6", "16", "")),
    ("VEEGAN", "VEEGAN", ("8", "52.9", "", "24.6", "40", "")),
    ("GAN", "PacGAN", ("6.3 ± 0.5", "98.2 ± 0.2", "0.45 ± 0.09", "17.3 ± 0.8", "94.8 ± 0.7", "0.70 ± 0.07")),
    ("ALI", "PacGAN", ("6.6 ± 0.3", "97.6 ± 0.4", "0.36 ± 0.04", "24.1 ± 0.4", "95.7 ± 0.6", "0.14 ± 0.03")),
    ("PacGAN2", "PacGAN", ("7.9 ± 0.1", "95.6 ± 2.0", "0.07 ± 0.03", "23.8 ± 0.7", "91.3 ± 0.8", "0.13 ± 0.04")),
    ("PacGAN3", "PacGAN", ("7.8 ± 0.1", "97.7 ± 0.3", "0.10 ± 0.02", "24.6 ± 0.4", "94.2 ± 0.4", "0.06 ± 0.02")),
    ("PacGAN4", "PacGAN", ("7.8 ± 0.1", "95.9 ± 1.4", "0.07 ± 0.02", "24.8 ± 0.2", "93.6 ± 0.6", "0.04 ± 0.01")),
)
NOTES = """\
*Modes*: how many are nearest to at least one sample of high quality. *High quality*: within 3 std of the nearest mode.
*Reverse KL*: KL(p̂ ‖ uniform), where p̂ is the share of the high-quality samples at each mode. *1-NN*: how many of
{samples} generated and {samples} real points have a nearest neighbour of their own kind; 50 % if they cannot be told
apart. *Spread*: the standard deviation of a mode's samples along the axis in which they are narrowest and widest, in
units of the true one, as means over the modes. What each measure sees, and what it misses:
`docs/measures.md`. The row of the perfect sampler is exact where there is a formula: high quality
1 − exp(−9/2), reverse KL (k − 1)/2n, 1-NN (n − 1)/(2n − 1).

The rows of this package have the seeds {seeds}. Some of the runs were made on another machine than the rest, which adds
in another order and so rounds to other numbers. G and D have {ring_d_depth} hidden layers of {ring_d_width}, the
data are fresh at every step, n_dis = 1, Adam. Ring: {ring_steps} generator updates at batch {ring_batch}. Grid:
{grid_steps} at batch {grid_batch}.
The rates, K and their schedules are those of `specnorm_np.runs.config`, chosen for SN on seed 0; they are not in the
paper. The samples come from an exponential moving average of G's parameters. The three rows below SN have the same
defaults, which were *not* chosen for them.

Sources of the others: VEEGAN, Table 1, `img/veegan_tab.png` in akashgit/VEEGAN at 77ec74e; PacGAN, Table 1,
`img/pacgan_Table1.png` in fjxmlzn/PacGAN at 190853e. Budgets: PacGAN 400,000 steps at batch 100, G 4 × 400 with
batch normalisation, D 3 × 200 with maxout of 5. The VEEGAN table states neither its training budget nor its standard
deviation. We know of no other published table of SN on these targets: none was found in our search."""


def configs(quick: bool) -> list[Config]:
    """List the runs: the command's defaults, for every method."""
    small = {**QUICK, "steps": 300, "d_depth": 2} if quick else {}
    return [
        from_options({"target": target, "method": method, "seed": seed, **small})
        for method, target in product(METHODS, TARGETS)
        for seed in range(2 if quick else SEEDS)
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and take mean and standard error over the seeds."""
    chosen = configs(quick)
    results = train_all(chosen, cache / "compare", executor=executor)
    data: style.Data = {}
    for method, target in product(METHODS, TARGETS):
        name = f"{target}_{method}"
        members = [r for r in results if (r.config.target, r.config.method) == (target, method)]
        finished = [result.summary for result in members if result.summary is not None]
        if len(finished) < len(members):
            raise RuntimeError(f"{len(members) - len(finished)} runs of {method} on the {target} have not finished")
        data["seeds"] = np.array([result.config.seed for result in members])
        for metric in METRICS:
            values = [_number(summary, metric) for summary in finished]
            data[f"{name}_{metric}"] = np.array([np.mean(values), _standard_error(values)])
            data[f"{name}_{metric}_runs"] = np.array(values, dtype=float)
        data[f"{target}_total"] = np.array(finished[0]["modes_total"])
        data[f"{target}_perfect"] = np.array([finished[0]["perfect_sampler"][metric] for metric in METRICS], float)
        for option in OPTIONS:
            data[f"{target}_{option}"] = np.array(getattr(members[0].config, option))
    return data


def _number(summary: Mapping[str, Any], metric: str) -> float:
    """Return a number of a summary: without samples of high quality the reverse KL is infinite, the spread unknown."""
    value = summary[metric]
    return float(value) if value is not None else math.inf if metric == "reverse_kl" else math.nan


def _standard_error(values: list[float]) -> float:
    """Return s/√n with s² over n − 1; NaN if a value is infinite."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if np.isfinite(values).all() else math.nan


def rows(data: style.Data) -> list[tuple[str, str, tuple[str, ...]]]:
    """List all rows: ours, the perfect sampler's, and the published; shares in %."""
    ours = []
    for method, label in LABELS.items():
        cells: list[str] = []
        for target in TARGETS:
            cells += _cells([data[f"{target}_{method}_{metric}"].tolist() for metric in METRICS])
        ours.append((label, "this package", tuple(cells)))
    perfect: list[str] = []
    for target in TARGETS:
        perfect += _cells([[value, math.nan] for value in data[f"{target}_perfect"].tolist()])
    published = [(name, source, (*cells[:3], "", "", *cells[3:], "", "")) for name, source, cells in PUBLISHED]
    return [*ours, ("*perfect sampler*", "", tuple(perfect)), *published]


def _cells(numbers: list[list[float]]) -> list[str]:
    """Write the cells of a target: mean ± standard error, of the spread the two means."""
    looks = ((1.0, ".2f"), (100.0, ".2f"), (1.0, ".4f"), (100.0, ".1f"))
    cells = []
    for (mean, error), (factor, digits) in zip(numbers[:4], looks, strict=True):
        text = "∞" if mean == math.inf else f"{factor * mean:{digits}}"
        cells.append(text if math.isnan(error) else f"{text} ± {factor * error:{digits}}")
    (minor, _), (major, _) = numbers[4:]
    return [*cells, "" if math.isnan(minor) else f"{minor:.2f}–{major:.2f}"]


def table(data: style.Data) -> str:
    """Return the table in Markdown, with its notes."""
    head = [f"{target} {name}" for target in TARGETS for name in COLUMNS]
    lines = [["method", "source", *head], ["---"] * (2 + len(head))]
    for name, source, cells in rows(data):
        lines.append([name, source, *(text or "–" for text in cells)])
    numbers = {f"{target}_{name}": f"{data[f'{target}_{name}']:,g}" for target in TARGETS for name in OPTIONS}
    notes = NOTES.format(samples=f"{N_EVAL:,}", seeds=f"{data['seeds'][0]} to {data['seeds'][-1]}", **numbers)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + notes


def short_table(data: style.Data) -> str:
    """Return the rows of this package and of the perfect sampler in Markdown, a line for each target and method."""
    lines = ["| | modes | high quality, % | reverse KL | 1-NN, % |", "|---|---|---|---|---|"]
    for k, target in enumerate(TARGETS):
        for name, source, cells in rows(data):
            if source in ("this package", ""):
                numbers = cells[k * len(COLUMNS) : (k + 1) * len(COLUMNS) - 1]
                lines.append(f"| {target}: {name} | {' | '.join(text or '–' for text in numbers)} |")
    return "\n".join(lines)


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    found = {"samples": f"{N_EVAL:,}"}
    for target in TARGETS:
        found[f"{target}_modes"] = f"{data[f'{target}_sn_modes'][0]:g}"
        found[f"{target}_hq"] = f"{100 * data[f'{target}_sn_high_quality'][0]:.1f} %"
        found[f"{target}_nn"] = f"{100 * data[f'{target}_sn_two_sample'][0]:.0f} %"
    return found


def _inside(mean: str, error: str) -> list[list[float]] | None:
    """Return the lengths of an error bar, cut where it would leave a logarithmic axis."""
    return [[min(float(error), 0.99 * float(mean))], [float(error)]] if error else None


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the reverse KL of every row that has one, with its standard error, on a logarithmic axis."""
    figure = style.figure(7.2, 4.4)
    axes = figure.subplots(1, 2, sharey=True)
    listed = [row for row in rows(data) if row[2][KL[0]]]
    place = np.arange(len(listed))[::-1]
    looks = {"PacGAN": (style.GREEN, "s"), "": (style.INK, "D")}
    for ax, target, column in zip(axes, TARGETS, KL, strict=True):
        for y, (name, source, cells) in zip(place, listed, strict=True):
            color, marker = looks.get(source, (style.METHODS["sn"][0] if "SN" in name else style.LIGHT, "o"))
            mean, _, error = cells[column].partition(" ± ")
            ax.axhline(y, color=style.LIGHT, lw=0.4, zorder=0)
            x = LARGEST if mean == "∞" else float(mean)
            ax.errorbar(x, y, xerr=_inside(mean, error), color=color, marker=marker, ms=6, capsize=3)
        ax.set(xscale="log", xlim=(0.001, LARGEST), ylim=(-0.6, len(listed) - 0.4), xlabel="reverse KL (0 is perfect)")
        ax.set_title(f"{target}, {data[f'{target}_total']} modes")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    names = [f"{name} (PacGAN)" if source and name in ("GAN", "ALI") else name.strip("*") for name, source, _ in listed]
    axes[0].set_yticks(place, names)
    return figure
