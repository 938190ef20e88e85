"""Ring and grid with the command's defaults, ten seeds, beside published tables. Measured by `metrics`."""

import math
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import QUICK
from specnorm_np.runs.compare import train_all
from specnorm_np.runs.config import Config, from_options
from specnorm_np.toy.metrics import N_EVAL, perfect_share

TITLE = "Ring and grid beside published tables"
CAPTION = """
No figure of the paper, which has images only. SN with the command's defaults on the ring of 8 Gaussians (radius 1,
std 0.01) and the grid of 25 ({{−4, …, 4}}², std 0.05), seeds {seeds}, mean ± standard error, beside the tables of
VEEGAN (Srivastava et al. 2017, Table 1; mean of 5 runs) and PacGAN (Lin et al. 2018, Table 1; mean ± standard error
of 10), read from the pictures of the tables in their authors' repositories. All count {samples} samples; *high
quality*: within 3 std of the nearest mode; *modes*: nearest to at least one sample of high quality; *reverse KL*:
of the modes' shares among samples of high quality, from equal shares (for PacGAN inferred from its code). *Perfect
sampler*: the target's own samples; its high quality is {perfect} in expectation, so that more means too
concentrated, not better. The budgets differ, see the table's notes. The one thing to see: SN finds {ring_modes} of
8 and {grid_modes} of 25 modes in the mean, with {ring_hq} and {grid_hq} of high quality.
"""
TARGETS = ("ring", "grid")
METRICS = ("modes", "high_quality", "reverse_kl")
OPTIONS = ("steps", "batch", "d_width", "d_depth", "d_alpha", "g_alpha")
COLUMNS = ("modes", "high quality, %", "reverse KL")

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
Sources: VEEGAN, Table 1, `img/veegan_tab.png` in akashgit/VEEGAN at 77ec74e; PacGAN, Table 1,
`img/pacgan_Table1.png` in fjxmlzn/PacGAN at 190853e. Budgets: PacGAN 400,000 steps at batch 100, G 4 × 400 with
batch normalisation, D 3 × 200 with maxout of 5. The VEEGAN table states neither its training budget nor its standard
deviation. Ours: n_dis = 1, D and G with {ring_d_depth} hidden layers of {ring_d_width}, fresh data at every step. The
samples come from an exponential moving average of G's parameters. Ring: {ring_steps} generator updates at batch
{ring_batch}, Adam with α = {ring_d_alpha} for D and {ring_g_alpha} for G. Grid: {grid_steps} generator updates at
batch {grid_batch}, Adam with α = {grid_d_alpha} for D and {grid_g_alpha} for G. K and the start of G follow the spread
of the data.

Definitions, for {samples} samples: a sample is of high quality if it is within 3 std of the nearest mode. A mode counts
if it is the nearest one of at least one sample of high quality. The reverse KL is KL(p̂ ‖ uniform), where p̂ is the share
of the high-quality samples at each mode. The row of the perfect sampler is exact for the high quality, 1 − exp(−9/2),
and (k − 1)/2n for the reverse KL of n samples on k modes, its mean to first order in 1/n.

We know of no other published table of SN on these targets: none was found in our search."""


def configs(quick: bool) -> list[Config]:
    """List the runs: the command's defaults."""
    small = {**QUICK, "steps": 300, "d_depth": 2} if quick else {}
    return [
        from_options({"target": target, "seed": seed, **small})
        for target in TARGETS
        for seed in range(2 if quick else 10)
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and take mean and standard error over the seeds."""
    chosen = configs(quick)
    results = train_all(chosen, cache / "compare", executor=executor)
    data: style.Data = {"seeds": np.array(sorted({config.seed for config in chosen}))}
    for target in TARGETS:
        summaries = [result.summary for result in results if result.config.target == target]
        config = next(config for config in chosen if config.target == target)
        finished = [summary for summary in summaries if summary is not None]
        if len(finished) < len(summaries):
            raise RuntimeError(f"{len(summaries) - len(finished)} runs on the {target} have not finished")
        for name in METRICS:
            values = [np.inf if summary[name] is None else summary[name] for summary in finished]
            data[f"{target}_{name}"] = np.array([np.mean(values), _standard_error(values)])
            data[f"{target}_{name}_runs"] = np.array(values, dtype=float)
        data[f"{target}_total"] = np.array(finished[0]["modes_total"])
        for name in OPTIONS:
            data[f"{target}_{name}"] = np.array(getattr(config, name))
    return data


def _standard_error(values: list[float]) -> float:
    """Return s/√n with s² over n − 1; NaN if a value is infinite."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if np.isfinite(values).all() else math.nan


def rows(data: style.Data) -> list[tuple[str, str, tuple[str, ...]]]:
    """List all rows: the published, ours, and the perfect sampler's; high quality in %."""
    looks = ((1.0, ".2f"), (100.0, ".2f"), (1.0, ".4f"))
    ours, perfect = [], []
    for target in TARGETS:
        k = float(data[f"{target}_total"])
        limits = (k, perfect_share(), (k - 1.0) / (2.0 * N_EVAL * perfect_share()))
        for name, limit, (factor, digits) in zip(METRICS, limits, looks, strict=True):
            numbers = (factor * data[f"{target}_{name}"]).tolist()
            ours.append(" ± ".join(f"{x:{digits}}" for x in numbers if not math.isnan(x)))
            perfect.append(f"{factor * limit:{digits}}")
    seeds = f"this package, {len(data['seeds'])} seeds"
    return [*PUBLISHED, ("SN", seeds, tuple(ours)), ("perfect sampler", "", tuple(perfect))]


def table(data: style.Data) -> str:
    """Return the table in Markdown, with its notes."""
    head = [f"{target} {name}" for target in TARGETS for name in COLUMNS]
    lines = [["method", "source", *head], ["---"] * (2 + len(head))]
    for name, source, cells in rows(data):
        bold = "**" if name == "SN" else ""
        lines.append([f"{bold}{name}{bold}", source, *(f"{bold}{text}{bold}" if text else "–" for text in cells)])
    numbers = {f"{target}_{name}": f"{data[f'{target}_{name}']:,g}" for target in TARGETS for name in OPTIONS}
    notes = NOTES.format(samples=N_EVAL, **numbers)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + notes


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    seeds = data["seeds"]
    found = {}
    for target in TARGETS:
        found[f"{target}_modes"] = f"{data[f'{target}_modes'][0]:g}"
        found[f"{target}_hq"] = f"{100 * data[f'{target}_high_quality'][0]:.1f} %"
    return {
        **found,
        "seeds": f"{seeds[0]}–{seeds[-1]}",
        "samples": str(N_EVAL),
        "perfect": f"{100 * perfect_share():.2f} %",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the table: a dot with its standard error and its number for every cell."""
    figure = style.figure(7.6, 4.0)
    axes = figure.subplots(1, 6, sharey=True)
    listed = rows(data)
    place = np.arange(len(listed))[::-1]
    looks = {"VEEGAN": (style.ORANGE, "^"), "PacGAN": (style.GREEN, "s"), "": (style.INK, "D")}
    for column, ax in enumerate(axes):
        most = (float(data[f"{TARGETS[column // 3]}_total"]), 100.0, 0.8)[column % 3]
        for y, (_, source, cells) in zip(place, listed, strict=True):
            color, marker = looks.get(source, (style.METHODS["sn"][0], "o"))
            ax.axhline(y, color=style.LIGHT, lw=0.3, zorder=0)
            if not cells[column]:
                continue
            mean, _, error = cells[column].partition(" ± ")
            x, side = min(float(mean), most), 1 if float(mean) < 0.6 * most else -1
            ax.errorbar(x, y, xerr=float(error) if error else None, color=color, marker=marker, ms=4.5, capsize=2)
            ax.annotate(
                mean, (x, y), (6 * side, 4), textcoords="offset points", fontsize=7, color=color, va="center",
                ha="left" if side > 0 else "right",
            )  # fmt: skip
        ax.set(xlim=(-0.06 * most, 1.08 * most), ylim=(-0.6, len(listed) - 0.4))
        ax.set_title(COLUMNS[column % 3], fontsize=8)
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    for first, target in ((0, "ring, 8 modes"), (3, "grid, 25 modes")):
        axes[first].annotate(
            target, (0, 1), (0, 22), xycoords="axes fraction", textcoords="offset points", weight="bold", va="bottom"
        )
    names = [f"{name} ({source})" if source in ("VEEGAN", "PacGAN") else name for name, source, _ in listed]
    axes[0].set_yticks(place, names)
    return figure
