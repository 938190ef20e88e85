"""Training runs that are watched from inside: spectra, λ, snapshots of D, samples along the way.

A run folder of specnorm_np keeps the end of a run and its history; these records keep what happens in between. Each
is one `.npz`, under the key of its config, and is computed once.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.gan import GAN, Player, State, StepLog
from specnorm_np.runs.compare import fields_of_setting, key
from specnorm_np.runs.config import Config, from_options, make_gan, make_target
from specnorm_np.runs.run import reference
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import N_EVAL, evaluate

SNAPSHOTS, FRAMES, SHOWN = 20, 60, 500
"""Snapshots of D, sets of samples from fixed latents, and how many samples each has."""

BASE = {"d_width": 64, "g_width": 64, "g_depth": 2, "batch": 64, "dtype": "float32"}
"""Small networks; D has the three hidden layers of the default, so that two of its matrices are square."""

RING: dict[str, Any] = {"target_options": {"radius": 2.0, "std": 0.05}, "decay": 1.0, "average": 0.0}
RING |= {"K": 1.0, "g_scale": 1.0}
"""What the watched runs have in common: like the paper's, K = 1, no decay and no average of G."""

QUICK = {"d_width": 16, "g_width": 16, "batch": 16, "steps": 150}


def at_setting(setting: str, quick: bool, **fields: Any) -> Config:
    """Make a config of the small networks, with Adam and n_dis of a row of Table 1."""
    return from_options({**BASE, **fields_of_setting(setting), **fields, **(QUICK if quick else {})})


def record_all(configs: Sequence[Config], cache: Path, executor: Executor | None = None) -> list[dict[str, Array]]:
    """Return the record of every config, from the cache or by training."""
    folders = [cache / "figures"] * len(configs)
    return list(executor.map(record, configs, folders) if executor else map(record, configs, folders))


def record(config: Config, folder: Path) -> dict[str, Array]:
    """Return the record of a config, from the folder or by training.

    Returns
    -------
    dict of arrays
        `step` (T,) and, for each of its entries: `values_l` (T, ·), the singular values of the present W̄ of layer l,
        as the next step of D sees it; `lam` and `along` (T, L+1), λ of (12) and the share ⟨∇_W̄V, u₁v₁ᵀ⟩²/‖∇_W̄V‖²
        in the last step of D, NaN before the first. `snapshot` (S,) and the weights `W_l`, `b_l` (S, …). `frame` (F,)
        and `x` (F, ·, d), samples of G at fixed latents. `modes`, `high_quality`, `reverse_kl` and `frechet` at the
        end, as in a run's summary.
    """
    path = folder / f"{key(config)}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arrays = _train(config)
        write(path, lambda file: np.savez_compressed(file, **arrays))
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _train(config: Config) -> dict[str, Array]:
    target = make_target(config)
    gan = make_gan(config, target)
    early = {*range(21), *np.geomspace(20, gan.steps, 40).astype(int).tolist()}
    steps, snapshots, frames = early | _evenly(gan, 100), _evenly(gan, SNAPSHOTS), _evenly(gan, FRAMES)
    z = algorithm.latents(gan, SHOWN, rng=np.random.default_rng([config.seed, 1]))
    first = algorithm.start(gan, config.seed)
    rows = [{"step": 0, **_spectra(gan, first.D, None)}]
    taken, shown = [_weights(gan, first.D)], [_samples(gan, first, z)]
    for state, log in algorithm.train(gan, first, target.sample):
        if state.step in steps:
            rows.append({"step": state.step, **_spectra(gan, state.D, log)})
        if state.step in snapshots:
            taken.append(_weights(gan, state.D))
        if state.step in frames:
            shown.append(_samples(gan, state, z))
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    arrays |= {name: np.stack([weights[name] for weights in taken]) for name in taken[0]}
    arrays |= {"snapshot": np.array(sorted(snapshots)), "frame": np.array(sorted(frames)), "x": np.stack(shown)}
    latents = algorithm.latents(gan, N_EVAL, rng=np.random.default_rng([config.seed, state.step]))
    x = _samples(gan, state, latents).astype(np.float64)
    report = evaluate(x, target, reference(target))
    return arrays | {name: np.array(value) for name, value in report._asdict().items()}


def _evenly(gan: GAN, n: int) -> set[int]:
    return set(np.linspace(0, gan.steps, n + 1).astype(int).tolist())


def _samples(gan: GAN, state: State, z: Array) -> Array:
    theta = state.G.theta if state.G_mean is None else state.G_mean
    return algorithm.generate(gan, theta, z).astype(np.float32)


def _weights(gan: GAN, D: Player) -> dict[str, Array]:
    W_bar, b = algorithm.effective(D, gan.normalizer)
    return {f"{name}_{l}": A for name, layers in (("W", W_bar), ("b", b)) for l, A in enumerate(layers, 1)}


def _spectra(gan: GAN, D: Player, log: StepLog | None) -> dict[str, Array]:
    W_bar, _ = algorithm.effective(D, gan.normalizer)
    row = {f"values_{l}": np.linalg.svd(W.astype(float), compute_uv=False) for l, W in enumerate(W_bar, 1)}
    nothing = np.full(len(W_bar), np.nan)
    if log is None:
        return row | {"lam": nothing, "along": nothing}
    along = [_share_along_top(W.astype(float), dW.astype(float)) for W, dW in zip(log.W_bar, log.dW_bar, strict=True)]
    return row | {"lam": np.array(log.lam), "along": np.array(along)}


def _share_along_top(W: Array, dW: Array) -> float:
    U, _, Vt = np.linalg.svd(W, full_matrices=False)
    square = float(np.vdot(dW, dW))
    return float(U[:, 0] @ dW @ Vt[0]) ** 2 / square if square else np.nan


def stable_rank(values: Array) -> Array:
    """Return Σσ²/σ₁² along the last axis, for singular values that decrease."""
    rank: Array = np.square(values / values[..., :1]).sum(axis=-1)
    return rank


def layers_of(record: dict[str, Array]) -> int:
    """Return L+1, the number of layers of D."""
    return sum(name.startswith("values_") for name in record)


def network(record: dict[str, Array], snapshot: int) -> tuple[list[Array], list[Array]]:
    """Return W̄ and b of every layer of D in a snapshot."""
    layers = range(1, layers_of(record) + 1)
    return [record[f"W_{l}"][snapshot] for l in layers], [record[f"b_{l}"][snapshot] for l in layers]


def spread(curves: Sequence[Array]) -> Array:
    """Return the least, the mean and the largest over the seeds, (3, …)."""
    stacked = np.stack(curves)
    return np.stack([stacked.min(axis=0), stacked.mean(axis=0), stacked.max(axis=0)])
