"""Quality against the Lipschitz constant K of a layer. Section 1: the one hyper-parameter "does not require tuning"."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import BASE, QUICK
from specnorm_np.runs.compare import plan, train_all
from specnorm_np.runs.config import Config

TITLE = "Quality against K"
CAPTION = """
The one thing to see: in these short runs every K from {k_low} to {k_high} finds about as many modes, a range of
{factor} in the bound of the network, and below and above it modes are lost. So K has an effect, though a coarse one.
The paper states that its Lipschitz constant, the one hyper-parameter, worked without intensive tuning, and has no such
figure. K is that of a layer; the bound of D with its {depth} layers is K^{depth}. (a) Modes found, in % of all. At K =
{K} they are {ring} on the ring (radius 1, std 0.01) and {grid} on the grid ({{−4, …, 4}}², std 0.05). (b) Reverse KL
between the shares of the modes and equal shares; 0 is perfect. Lines are means over the seeds {seeds} and bars are
ranges. The runs are too short for a verdict on quality: the best mean share of high quality is {ring_share} on the
ring and {grid_share} on the grid, while the command's defaults reach 95 % and more with at least five times the
updates and networks twice as wide, and they end at a K of 4 on the ring. A longer run may therefore prefer a larger K.
D is 2-{width}-{width}-{width}-1, with batch {batch}, {steps} generator updates, n_dis = 1, one learning rate for D and
G (0.0015, 0.002 on the grid) that falls to 0, and an average of G with .999.
"""
LEVEL = (1.0, 2.0)
"""Between these K the caption says that the modes hardly depend on K; a test checks it."""
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
    seen = {"K": ", ".join(f"{k:g}" for k in data["K"]), "k_low": f"{LEVEL[0]:g}", "k_high": f"{LEVEL[1]:g}"}
    for target, modes, share in zip(TARGETS, data["mean_modes"], data["mean_high_quality"], strict=True):
        seen[target] = ", ".join(f"{100 * m:.0f}" for m in modes)
        seen[f"{target}_share"] = f"{share.max():.0%}"
    return {
        **seen,
        "factor": f"{(LEVEL[1] / LEVEL[0]) ** int(data['depth']):g}",
        "depth": str(data["depth"]),
        "width": str(data["d_width"]),
        "batch": str(data["batch"]),
        "steps": str(data["steps"]),
        "seeds": ", ".join(map(str, data["seeds"])),
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw modes and reverse KL against K."""
    figure = style.figure(7.2, 3.9)
    axes = figure.subplots(1, 2)
    depth, ticks = int(data["depth"]), (0.5, 1, 2, 4)
    panels = (("modes", 100.0, "modes found, %"), ("reverse_kl", 1.0, "reverse KL"))
    for ax, (name, factor, title) in zip(axes, panels, strict=True):
        ax.axvspan(*LEVEL, color=style.LIGHT, alpha=0.2, lw=0)
        for i, target in enumerate(TARGETS):
            color, line, marker = style.LAYERS[i]
            values = factor * data[name][i]
            ax.vlines(data["K"], values.min(axis=1), values.max(axis=1), color=color, alpha=0.5, lw=2.5)
            ax.plot(data["K"], factor * data[f"mean_{name}"][i], line, color=color, marker=marker, ms=6, label=target)
        ax.set(xscale="log", ylim=(0, None), title=title)
        ax.set_xticks(ticks, [f"{k:g}\n{k**depth:.3g}" for k in ticks])
        ax.minorticks_off()
        ax.set_xlabel(f"$K$ of a layer, $K^{depth}$ of D")
    axes[0].legend(loc="lower center")
    style.letter(axes)
    return figure
