"""What the paper's experiments are here: networks, data, budgets and seeds, the measures, and the rule of a verdict.

All of it was written down before the runs, whose seeds begin at 0. The lengths of the runs follow what two cores can do
in two hours, after a look at four runs of SN and of no normalisation with seed 100. What was chosen later, after runs
had been seen, is said in the ledger.

Every run goes through `specnorm_np.runs.compare`, so it is trained once and then read from the cache:

    python -m figures --recompute settings n_dis last_width reparametrisation k_and_scale concentration
"""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from figures import training
from specnorm_np.gan import effective
from specnorm_np.runs import run as runs
from specnorm_np.runs.compare import Result, fields_of_setting, key, train_all
from specnorm_np.runs.config import Config, from_options
from specnorm_np.spectral import Array

BASE: dict[str, Any] = {**training.BASE, "decay": 1.0, "average": 0.995, "K": 1.0}
"""D 2-64-64-64-1 and G 2-64-64-2; as in the paper K = 1, and rates that do not fall. Samples are from G's average."""

TARGETS: dict[str, dict[str, Any]] = {
    "ring": {"target": "ring", "target_options": training.RING["target_options"], "g_scale": 1.0},
    "grid": {"target": "grid", "g_scale": 3.0},
}
"""The ring is twice as large as the published one, and its modes are wider: for K = 1 the scale of the data matters."""

STEPS = {"A": 6000, "B": 12_000, "C": 8000, "D": 3000, "E": 3000, "F": 3000}
"""Generator updates. A to C have a fifth or a tenth of the rate of D to F, and two of them one update of D for five."""

SMALL = {"d_width": 8, "g_width": 8, "batch": 8, "steps": 8}
"""What `--quick` puts in their place: to see that it works."""


def at(setting: str, target: str = "ring", **fields: Any) -> Config:
    """Make the config of a run at a setting of Table 1."""
    return from_options({**BASE, **TARGETS[target], **fields_of_setting(setting), "steps": STEPS[setting], **fields})


# ---- measures -------------------------------------------------------------------------------------------------------


def at_most_one_mode(kl: float | None, n_modes: int = 8) -> float:
    """Return a reverse KL, or log k where it is larger or None: as much as a single mode of k gives."""
    return math.log(n_modes) if kl is None else min(float(kl), math.log(n_modes))


def reverse_kl(result: Result) -> float:
    """Return KL(p̂ ‖ uniform) over the modes, at most log k.

    A run that has diverged, or has no sample of high quality, counts as log k, too: it has learnt nothing.
    """
    kl = None if result.summary is None else result.summary["reverse_kl"]
    return at_most_one_mode(kl, 8 if result.config.target == "ring" else 25)


def two_sample(result: Result) -> float:
    """Return the accuracy of the 1-nearest-neighbour test, 1 for a run that has diverged."""
    return 1.0 if result.summary is None else float(result.summary["two_sample"])


def modes(result: Result) -> float:
    """Return how many modes are found, 0 for a run that has diverged."""
    return 0.0 if result.summary is None else float(result.summary["modes"])


MEASURES = {"modes": modes, "reverse_kl": reverse_kl, "two_sample": two_sample}


def train(configs: Sequence[Config], cache: Path, executor: Executor | None) -> list[Result]:
    """Train, or read from the cache, and return the results, all of which have ended. Divergence is an end as well.

    Raises
    ------
    RuntimeError
        If a run has failed or is not finished.
    """
    results = train_all(configs, cache / "compare", executor=executor)
    open_ = [result for result in results if result.status not in ("finished", "diverged")]
    if open_:
        raise RuntimeError(f"{len(open_)} of {len(results)} runs have not ended, the first: {open_[0]}")
    by_key = {result.key: result for result in results}
    return [by_key[key(config)] for config in configs]


def measured(results: Sequence[Result], shape: tuple[int, ...]) -> dict[str, Array]:
    """Return every measure of the results as an array of the given shape."""
    return {
        name: np.array([measure(result) for result in results], float).reshape(shape)
        for name, measure in MEASURES.items()
    }


def stable_ranks(result: Result, cache: Path) -> Array:
    """Return Σσ²/σ₁² of every W̄ of the trained D, NaN for a run that has diverged."""
    if result.summary is None:
        return np.full(result.config.d_depth + 1, np.nan)
    run = runs.load(cache / "compare" / result.key)
    W_bar, _ = effective(run.state.D, run.gan.normalizer)
    return np.array([training.stable_rank(np.linalg.svd(W.astype(float), compute_uv=False)) for W in W_bar])


def halved_late(result: Result, cache: Path) -> bool:
    """Say whether a run was still on its way: its Fréchet distance at the end is below half of that at half time."""
    if result.summary is None:
        return False
    history = runs.read_history(cache / "compare" / result.key / "history.csv")
    half, end = (float(history[i]["frechet"] or 0.0) for i in (len(history) // 2 - 1, -1))
    return end < 0.5 * half


def sigma_bars(result: Result, cache: Path) -> Array:
    """Return σ(W̄) of every layer at every evaluation after the first tenth of the run, (T, L+1)."""
    history = runs.read_history(cache / "compare" / result.key / "history.csv")
    layers = range(1, result.config.d_depth + 2)
    late = [row for row in history if (row["step"] or 0) > result.config.steps / 10]
    return np.array([[row[f"sigma_bar_{l}"] for l in layers] for row in late], float)


# ---- verdicts -------------------------------------------------------------------------------------------------------

CONFIDENCE, RESAMPLES = 0.95, 10_000
MATTERS = {"reverse_kl": 0.1, "stable rank": 1.0, "overfitting": 0.05, "margin": 0.0}
"""How large an effect has to be: in nats, dimensions, and standard deviations of f.

A sampler that loses one mode of eight, and gives the others equal shares, has a reverse KL of log(8/7) = 0.134. A
margin is what is left of a bound that the claim itself names, or of 0.1 nats where the claim is that nothing changes.
"""


class Effect(NamedTuple):
    """A mean over seeds with its bootstrap interval."""

    mean: float
    low: float
    high: float
    seeds: int


def effect(differences: Sequence[float] | Array) -> Effect:
    """Compute the mean of paired differences, one a seed, and the percentiles of its bootstrap at 95 %.

    Parameters
    ----------
    differences : (n,) array
        Positive where the claim says so.
    """
    x = np.asarray(differences, dtype=float)
    drawn = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    low, high = np.quantile(x[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Effect(float(x.mean()), float(low), float(high), len(x))


def verdict(found: Effect, matters: float) -> str:
    """Judge a claim by its effect, of which the claim says that it is positive, and how large it must be to matter.

    It holds if the interval lies above 0 and the mean is at least `matters`. It does not hold if the interval lies
    below `matters`: then the effect is absent, opposite, or too small. Anything else is undecided, and so is what fewer
    than three seeds say.
    """
    if found.seeds < 3:
        return "undecided here"
    if found.low > 0.0 and found.mean >= matters:
        return "holds"
    return "does not hold" if found.high < matters else "undecided here"
