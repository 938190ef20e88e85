"""Quality against the Lipschitz constant K of a layer. Section 1: the one hyper-parameter "does not require tuning"."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from figures import style
from figures.training import BASE, QUICK
from specnorm_np.runs.compare import plan, train_all
from specnorm_np.runs.config import Config
from specnorm_np.toy.metrics import perfect_share

TITLE = "Quality against K"
CAPTION = """
No figure of the paper, which states that its Lipschitz constant, the one hyper-parameter, worked without intensive
tuning. K per layer, K⁴ for D with its four layers, on ring (radius 1, std 0.01) and grid ({{−4, …, 4}}², std 0.05)
as published; D 2-{width}-{width}-{width}-1, batch {batch}, {steps} generator updates, n_dis = 1, one learning rate for
D and G (0.0015, 0.002 on the grid) that falls to 0, average .999, seeds {seeds}: lines are means, bars the range.
{seen} The one thing to see: {lesson}
"""
SEEN = """Modes found at K = {K}, in % of all: ring {ring}; grid {grid}. The best mean share of high quality is
{ring_share} on the ring and {grid_share} on the grid, both far below what the defaults reach with more
updates and wider nets."""
LESSON = """K from 1 to 2, a factor of 16 in the network's bound, does about equally well in these short runs; below and
above that modes are lost. So K is not without effect, and which one is best depends on the length of the run: the
command's defaults, which train five times as long, end at a K of 4, for a mode of width 0.01 is a fine detail to D."""
K = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
TRAINING = {
    "ring": {"alpha": 1.5e-3, "decay": 0.5, "average": 0.999, "g_scale": 1.0},
    "grid": {"alpha": 2e-3, "decay": 0.3, "average": 0.999, "g_scale": 3.0},
}
TARGETS = ("ring", "grid")
METRICS = ("modes", "high_quality", "reverse_kl")


def configs(quick: bool) -> list[Config]:
    """List the runs, target by target, K by K."""
    small = {**BASE, "steps": 4000, **({**QUICK, "d_depth": 2} if quick else {})}
    seeds = range(1 if quick else 3)
    return [
        config
        for target in TARGETS
        for k in (K[1::2] if quick else K)
        for config in plan(["sn"], None, seeds, {"target": target, **TRAINING[target], **small, "K": k})
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the summaries by target, K and seed."""
    chosen = configs(quick)
    results = train_all(chosen, cache / "compare", executor=executor)
    summaries = [result.summary or {} for result in results]
    seeds = sorted({config.seed for config in chosen})
    data: style.Data = {"K": np.array(sorted({config.K for config in chosen})), "seeds": np.array(seeds)}
    shape = (len(TARGETS), len(data["K"]), len(seeds))
    for name in METRICS:  # a reverse KL that is not there is infinite: no sample of high quality; 0 for a failed run
        missing = np.inf if name == "reverse_kl" else 0.0
        values = [missing if summary.get(name) is None else summary[name] for summary in summaries]
        data[name] = np.array(values, dtype=float).reshape(shape)
    total = [summary.get("modes_total", 0) for summary in summaries]
    data["modes"] /= np.array(total, dtype=float).reshape(shape).max(axis=(1, 2), keepdims=True)
    data |= {f"mean_{name}": data[name].mean(axis=2) for name in METRICS}
    data["depth"] = np.array(chosen[0].d_depth + 1)
    return data | {name: np.array(getattr(chosen[0], name)) for name in ("d_width", "batch", "steps")}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    seen = {"K": ", ".join(f"{k:g}" for k in data["K"])}
    for target, modes, share in zip(TARGETS, data["mean_modes"], data["mean_high_quality"], strict=True):
        seen[target] = ", ".join(f"{100 * m:.0f}" for m in modes)
        seen[f"{target}_share"] = f"{share.max():.0%}"
    return {
        "width": str(data["d_width"]),
        "batch": str(data["batch"]),
        "steps": str(data["steps"]),
        "seeds": ", ".join(map(str, data["seeds"])),
        "seen": SEEN.format(**seen),
        "lesson": LESSON,
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw modes, high quality and reverse KL against K."""
    figure = style.figure(7.2, 3.0)
    axes = figure.subplots(1, 3)
    titles = ("modes found, %", "high quality, %", "reverse KL")
    depth = int(data["depth"])
    for ax, name, title in zip(axes, METRICS, titles, strict=True):
        factor = 1.0 if name == "reverse_kl" else 100.0
        for i, target in enumerate(TARGETS):
            color, line, marker = style.LAYERS[i]
            values, mean = factor * data[name][i], factor * data[f"mean_{name}"][i]
            ax.vlines(data["K"], values.min(axis=1), values.max(axis=1), color=color, alpha=0.5, lw=2)
            ax.plot(data["K"], mean, line, color=color, marker=marker, ms=4, label=target)
        ax.set(xscale="log", xlabel="$K$ of a layer")
        ax.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
        ax.minorticks_off()
        top = ax.secondary_xaxis("top")
        top.set_xticks([0.5, 1, 2, 4], [f"{k**depth:.3g}" for k in (0.5, 1, 2, 4)])
        top.minorticks_off()
        top.set_xlabel(f"$K^{depth}$ of the network")
        ax.set_ylabel(title)
        if name != "reverse_kl":
            ax.set_ylim(-3, 103)
    axes[1].axhline(100 * perfect_share(), color=style.LIGHT, lw=0.9)
    axes[1].annotate("perfect sampler", (0.5, 100 * perfect_share()), (0, -9), textcoords="offset points", fontsize=7.5)
    axes[2].set(yscale="log")
    axes[2].yaxis.set_minor_formatter(NullFormatter())
    axes[0].legend(loc="lower left")
    return figure
