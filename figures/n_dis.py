"""Updates of D per update of G: the paper's Figure 11 on toy data, at setting D."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from specnorm_np.runs.config import Config

TITLE = "Updates of D per update of G"
CAPTION = """
The one thing to see: {lesson} The paper's Figure 11 on toy data: the ring at setting D with 1 to 20 updates of D per
update of G, seeds {seeds}. Lines are means, bars the range over the seeds. Left: {steps} generator updates for all, so
that a larger n_dis is a longer training. Right: {d_steps} updates of D for all, so that a larger n_dis leaves fewer
updates for G.
"""
METHODS = ("sn", "wn", "none")
N_DIS = (1, 2, 5, 10, 20)
BUDGETS = ("equal updates of G", "equal updates of D")
D_STEPS = 5 * protocol.STEPS["D"]
SEEDS = 3


def configs(quick: bool) -> list[Config]:
    """List the runs: seed by seed, budget by budget, method by method."""
    chosen = []
    for seed in range(2 if quick else SEEDS):
        for budget in BUDGETS:
            for method in METHODS:
                for n in N_DIS[::4] if quick else N_DIS:
                    fields: dict[str, Any] = {"method": method, "n_dis": n, "seed": seed}
                    if budget == BUDGETS[1]:
                        fields["steps"] = D_STEPS // n
                    chosen.append(protocol.at("D", **{**fields, **(protocol.SMALL if quick else {})}))
    return chosen


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and arrange the measures by seed, budget, method and n_dis."""
    chosen = configs(quick)
    results = protocol.train(chosen, cache, executor)
    seeds = sorted({config.seed for config in chosen})
    n_dis = sorted({config.n_dis for config in chosen})
    shape = (len(seeds), len(BUDGETS), len(METHODS), len(n_dis))
    return {**protocol.measured(results, shape), "seeds": np.array(seeds), "n_dis": np.array(n_dis)}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    kl = data["reverse_kl"].mean(axis=0)[0]
    found = [f"{style.LABELS[name]} {kl[i, 0]:.2f} and {kl[i, -1]:.2f}" for i, name in enumerate(METHODS)]
    return {
        "seeds": ", ".join(map(str, data["seeds"])),
        "steps": f"{protocol.STEPS['D']:,}",
        "d_steps": f"{D_STEPS:,}",
        "lesson": f"at equal updates of G the mean reverse KL at n_dis = 1 and 20 is {'; '.join(found)}.",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the reverse KL against n_dis, for both budgets."""
    figure = style.figure(7.2, 3.0)
    axes = figure.subplots(1, len(BUDGETS), sharey=True)
    for k, (ax, budget) in enumerate(zip(axes, BUDGETS, strict=True)):
        for i, name in enumerate(METHODS):
            values = data["reverse_kl"][:, k, i]
            look = {**style.method_line(name), "marker": style.METHODS[name][2], "ms": 4}
            ax.vlines(data["n_dis"], values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.4, lw=2)
            ax.plot(data["n_dis"], values.mean(axis=0), **look, label=style.LABELS[name])
        ax.set(xscale="log", xlabel="$n_{dis}$", ylim=(-0.05, 1.45))
        ax.set_title(budget, loc="left")
        ax.set_xticks(data["n_dis"], [str(n) for n in data["n_dis"]])
        ax.minorticks_off()
    axes[0].set_ylabel("reverse KL")
    axes[0].legend(loc="upper left")
    style.letter(axes)
    return figure
