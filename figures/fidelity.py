"""How faithful the samples are, against K, at one and at two time scales. What the defaults were chosen by."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.training import QUICK
from specnorm_np.runs.compare import plan, train_all
from specnorm_np.runs.config import Config

TITLE = "Fidelity against K, at one and at two time scales"
CAPTION = """
The one thing to see: with one learning rate for both players a nearest neighbour tells most samples from the target,
whatever K is; with a D that learns ten times as fast as G it tells far fewer, and a larger K widens the modes towards
their true width. No figure of the paper, whose recipe has a single rate. SN on the ring as published (radius 1, std
0.01), D and G with three hidden layers of {width}, batch {batch}, {steps} generator updates, n_dis = 1, constant K per
layer, rates that fall from the middle of the run on; points are means over the seeds {seeds}, bars the range. One time
scale is α = {one}, two are α = {two_d} for D and {two_g} for G. (a) 1-NN two-sample accuracy; 50 % says that the
samples cannot be told from the target. At two time scales it is {two_nn} at K = {K}, at one {one_nn}. (b) Standard
deviation of the samples of a mode along its narrowest axis, over the true one; a perfect sampler has 1. At two time
scales it is {two_spread}. The share of high quality, which is published most often, says the opposite: at K = 1 it is
{one_hq} at one time scale and {two_hq} at two. The defaults take two time scales and let K grow to 4.1, in runs twice
as long: at a constant K of 3 or 4 a mode was lost in one run of three ({two_modes} modes in the mean), and it is not
when K grows. What else was tried on the ring and the grid, and what each attempt reached, stands in the tables of
`docs/recipe.md`.
"""
K = (1.0, 2.0, 3.0, 4.0, 5.0)
SCALES = {"one": (1.5e-3, 1.5e-3), "two": (4e-3, 4e-4)}
LABEL = {"one": "one time scale", "two": "two time scales"}
METRICS = ("two_sample", "spread_minor", "high_quality", "modes")


def configs(quick: bool) -> list[Config]:
    """List the runs, scale by scale, K by K."""
    small = {"steps": 10_000, "K_schedule": None, **({**QUICK, "d_depth": 2} if quick else {})}
    return [
        config
        for d_alpha, g_alpha in SCALES.values()
        for k in (K[:2] if quick else K)
        for config in plan(
            ["sn"],
            None,
            range(1 if quick else 3),
            {"target": "ring", "d_alpha": d_alpha, "g_alpha": g_alpha, **small, "K": k},
        )
    ]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the summaries by time scale, K and seed. What a run cannot say is NaN."""
    chosen = configs(quick)
    results = train_all(chosen, cache / "compare", executor=executor)
    summaries = [result.summary or {} for result in results]
    ks, seeds = sorted({config.K for config in chosen}), sorted({config.seed for config in chosen})
    data: style.Data = {"K": np.array(ks), "seeds": np.array(seeds), "alpha": np.array(list(SCALES.values()))}
    for name in METRICS:
        values = [np.nan if summary.get(name) is None else summary[name] for summary in summaries]
        data[name] = np.array(values, dtype=float).reshape(len(SCALES), len(ks), len(seeds))
    return data | {name: np.array(getattr(chosen[0], name)) for name in ("d_width", "batch", "steps")}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    (one, _), (two_d, two_g) = data["alpha"]

    def listed(name: str, scale: int, form: str) -> str:
        return ", ".join(form.format(value) for value in data[name][scale].mean(axis=1))

    return {
        "width": str(data["d_width"]),
        "batch": str(data["batch"]),
        "steps": str(data["steps"]),
        "seeds": ", ".join(map(str, data["seeds"])),
        "one": f"{one:g}",
        "two_d": f"{two_d:g}",
        "two_g": f"{two_g:g}",
        "K": ", ".join(f"{k:g}" for k in data["K"]),
        "one_nn": listed("two_sample", 0, "{:.1%}"),
        "two_nn": listed("two_sample", 1, "{:.1%}"),
        "two_spread": listed("spread_minor", 1, "{:.2f}"),
        "two_modes": listed("modes", 1, "{:.1f}"),
        "one_hq": f"{data['high_quality'][0, 0].mean():.1%}",
        "two_hq": f"{data['high_quality'][1, 0].mean():.1%}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw 1-NN and the spread against K."""
    figure = style.figure(7.2, 3.9)
    axes = figure.subplots(1, 2)
    panels = (("two_sample", 100.0, "1-NN, %", 50.0), ("spread_minor", 1.0, "narrowest std / true std", 1.0))
    for ax, (name, factor, label, perfect) in zip(axes, panels, strict=True):
        ax.axhline(perfect, color=style.LIGHT, lw=0.9)
        ax.annotate(
            "perfect", (data["K"][-1], perfect), (0, 3), textcoords="offset points", ha="right", fontsize=style.SMALL
        )
        for scale, color, marker, values in zip(SCALES, (style.ORANGE, style.BLUE), "so", data[name], strict=True):
            low, high = factor * values.min(axis=1), factor * values.max(axis=1)
            ax.vlines(data["K"], low, high, color=color, alpha=0.5, lw=2)
            ax.plot(data["K"], factor * values.mean(axis=1), color=color, marker=marker, ms=4, label=LABEL[scale])
        ax.set(xlabel="$K$ of a layer", ylabel=label, xticks=data["K"])
    axes[0].set(ylim=(45, 102), title="(a) told from the target")
    axes[1].set(ylim=(0, 1.12), title="(b) width of a mode")
    axes[1].legend(loc="lower right")
    return figure
