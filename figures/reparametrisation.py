"""γ·W̄ inside WGAN-GP, on fresh data and on a few hundred points: the paper's Figure 15, Tables 7 and 8 on toy data."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures import protocol, style
from specnorm_np.gan import effective
from specnorm_np.network import forward
from specnorm_np.runs import run as runs
from specnorm_np.runs.compare import Result
from specnorm_np.runs.config import Config
from specnorm_np.runs.storage import write
from specnorm_np.toy.metrics import evaluate
from specnorm_np.toy.targets import Target, ring

TITLE = "Reparametrisations inside WGAN-GP"
CAPTION = """
The one thing to see: {lesson} The paper's Figure 15 and Tables 7 and 8 on toy data: WGAN-GP alone and with W̃ of D's
weights, on the ring at setting D, seeds {seeds}; dots are runs, bars their mean. Fresh data at every step, or {points}
training points, of which a tenth is held out. All are measured against 2,500 new points of the ring. The critic's
overfitting (c) is how much higher it rates the points it was trained on than new ones, in units of its standard
deviation over the new ones. The mean reverse KL on fresh and on finite data is {found}.
"""
VARIANTS: dict[str, dict[str, Any]] = {
    "wgan-gp": {"method": "wgan-gp"},
    "sn+gp": {"method": "sn+gp", "loss": "wasserstein"},
    "sn-gamma+gp": {"method": "sn-gamma+gp"},
    "wn-gamma+gp": {"method": "wn-gamma+gp"},
    "fn-gamma+gp": {"method": "fn-gamma+gp"},
}
SUPPLY = ("fresh data", "finite data")
ALONE = "none of the reparametrisations improves on WGAN-GP alone; the critic does not overfit by much in any of them."
POINTS, SEEDS, NEW = 300, 3, 2500
PANELS = (("reverse_kl", "reverse KL"), ("two_sample", "1-NN, %"), ("overfitting", "overfitting, std"))


def true_ring() -> Target:
    """Return the distribution that all runs are measured against."""
    return ring(**protocol.TARGETS["ring"]["target_options"])


def configs(quick: bool, cache: Path) -> list[Config]:
    """List the runs: seed by seed, fresh and finite, variant by variant. The finite data are written to the cache."""
    small = protocol.SMALL if quick else {}
    chosen = []
    for seed in range(2 if quick else SEEDS):
        path = cache / f"ring-{POINTS}-{seed}.csv"
        x = true_ring().sample(POINTS, rng=np.random.default_rng([seed, POINTS]))
        cache.mkdir(parents=True, exist_ok=True)
        write(path, lambda file, x=x: np.savetxt(file, x, delimiter=",", fmt="%.17g"))  # type: ignore[misc]
        for name in SUPPLY:
            data = {"data": str(path), "target_options": {}} if name == SUPPLY[1] else {}
            chosen += [
                protocol.at("D", **fields, **data, seed=seed, **small)
                for fields in list(VARIANTS.values())[: 2 if quick else None]
            ]
    return chosen


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train, and measure every run against new points."""
    chosen = configs(quick, cache)
    results = protocol.train(chosen, cache, executor)
    seeds = sorted({config.seed for config in chosen})
    rows = np.array([_measures(result, cache) for result in results])
    names = list(VARIANTS)[: 2 if quick else None]
    values = rows.reshape(len(seeds), len(SUPPLY), len(names), len(PANELS))
    data = {name: values[..., i] for i, (name, _) in enumerate(PANELS)}
    return {**data, "seeds": np.array(seeds), "variants": np.array(names)}


def _measures(result: Result, cache: Path) -> tuple[float, float, float]:
    """Return reverse KL, 1-NN accuracy and the critic's overfitting of a run."""
    if result.summary is None:
        return protocol.at_most_one_mode(None), 1.0, np.nan
    run, target = runs.load(cache / "compare" / result.key), true_ring()
    x = np.load(cache / "compare" / result.key / "samples.npy")
    report = evaluate(x, target, runs.reference(target))
    kl = protocol.at_most_one_mode(report.reverse_kl)
    new = target.sample(NEW, rng=np.random.default_rng([result.config.seed, 1]))
    if result.config.data is None:
        return kl, float(report.two_sample), 0.0
    center, scale = run.target.center, run.target.scale  # type: ignore[attr-defined]
    seen, unseen = _f(run, run.target.x), _f(run, (new - center) / scale)  # type: ignore[attr-defined]
    return kl, float(report.two_sample), float((seen.mean() - unseen.mean()) / unseen.std())


def _f(run: runs.Run, x: np.ndarray) -> np.ndarray:
    """Evaluate the trained critic."""
    W_bar, b = effective(run.state.D, run.gan.normalizer)
    f, _ = forward(W_bar, b, x.astype(run.gan.dtype), 0.1)
    return np.asarray(f, float)


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    kl = data["reverse_kl"].mean(axis=0)
    names = [style.LABELS[name] for name in data["variants"].tolist()]
    better = [name for name, column in zip(names[1:], kl.T[1:], strict=True) if (column < kl[:, 0]).any()]
    return {
        "lesson": f"{', '.join(better)} improves on WGAN-GP alone." if better else ALONE,
        "found": "; ".join(f"{name} {kl[0, i]:.2f} and {kl[1, i]:.2f}" for i, name in enumerate(names)),
        "seeds": ", ".join(map(str, data["seeds"])),
        "points": str(POINTS),
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the three measures of all variants."""
    figure = style.figure(7.6, 3.0)
    axes = figure.subplots(1, len(PANELS), sharey=True)
    place = np.arange(len(data["variants"]))[::-1]
    for ax, (measure, title) in zip(axes, PANELS, strict=True):
        for k, (name, color) in enumerate(zip(SUPPLY, (style.BLUE, style.ORANGE), strict=True)):
            if measure == "overfitting" and name == SUPPLY[0]:
                continue
            values = (100.0 if measure == "two_sample" else 1.0) * data[measure][:, k]
            y = place + 0.15 - 0.3 * k
            for run in values:
                ax.plot(run, y, "o", color=color, ms=3, alpha=0.6)
            ax.plot(values.mean(axis=0), y, "|", color=color, ms=10, mew=2, label=name)
        ax.set_title(title, loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(3))
        for y in place:
            ax.axhline(y, color=style.LIGHT, lw=0.3, zorder=0)
    axes[0].set_yticks(place, [style.LABELS[name] for name in data["variants"].tolist()])
    axes[0].set_xlim(-0.05, None)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    style.letter(axes)
    return figure
