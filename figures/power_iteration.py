"""Power iteration: its rates, a cold start, and a warm one along a training run. Appendix A, (18)-(22), C.1."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.spectra import configs
from figures.training import layers_of, record_all
from specnorm_np.bounds.certificates import convergence
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.spectral import Array, random_direction, spectral_norm

TITLE = "Power iteration: rates, cold start, warm start"
CAPTION = """
The approximation of Appendix A, (18)–(22); the paper's Figure 9 shows the last panel for a CNN. (a), (b) A 64 × 64
matrix with σ₂/σ₁ = r and the other singular values evenly between 0 and 0.6σ₂, {n_starts} random starts: the error
of σ̂ = ũᵀWṽ shrinks as r^(4k), the angle to the singular vector as r^(2k); lines are medians, the grey lines have
exactly these slopes. (c) Square Gaussian matrices, {n_cold} of each size: σ(W/σ̂) is {cold} (64 × 64, mean) after
one iteration from a random start, and, because such a matrix has almost no gap σ₂/σ₁ < 1, still {cold_15} after 15.
(d) The same one iteration an update in training (setting D, ring of radius 2 and std 0.05, D 2-64-64-64-1, {steps}
generator updates, seeds {seeds}): σ(W̄) by SVD, the worst layer of each seed, is {first} at the first normalisation
and at most {late} in the second half. The one thing to see: one iteration from scratch is poor, one iteration a
step is enough, and σ(W̄) is approached from above.
"""
RATIOS = (0.5, 0.8, 0.9, 0.97)
SIZES = (64, 128, 512)
N_ITER = 40


def planted(r: float, d: int, *, rng: np.random.Generator) -> Array:
    """Make a matrix with σ₁ = 1, σ₂ = r and the rest evenly between 0 and 0.6 r."""
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    return U * np.concatenate(([1.0, r], np.linspace(0.6 * r, 0.0, d - 2))) @ V.T


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Iterate on planted and on Gaussian matrices, and read σ(W̄) off training records."""
    rng = np.random.default_rng(0)
    n_starts, d = (4, 24) if quick else (20, 64)
    data: style.Data = {"k": np.arange(1, N_ITER + 1), "r": np.array(RATIOS), "n_starts": np.array(n_starts)}
    for i, r in enumerate(RATIOS):
        W = planted(r, d, rng=rng)
        seen = [convergence(W, random_direction(d, rng=rng), N_ITER) for _ in range(n_starts)]
        error = np.median([np.maximum(c.error, 0.0) for c in seen], axis=0)
        angle = np.median([c.angle for c in seen], axis=0)
        middle = int(np.flatnonzero(angle > 1e-6)[-1])  # the predicted lines are anchored where the rate has settled
        data[f"error_{i}"], data[f"angle_{i}"] = error, angle
        data[f"predicted_error_{i}"] = error[middle] * r ** (4.0 * (data["k"] - data["k"][middle]))
        data[f"predicted_angle_{i}"] = angle[middle] * r ** (2.0 * (data["k"] - data["k"][middle]))
    data |= _cold(8 if quick else 40, SIZES[:1] if quick else SIZES, rng=rng)
    return data | _warm(quick, cache, executor)


def _cold(n: int, sizes: tuple[int, ...], *, rng: np.random.Generator) -> style.Data:
    data: style.Data = {"sizes": np.array(sizes), "n_cold": np.array(n)}
    for d in sizes:
        quotients = np.empty((n, 20))
        for row in quotients:
            W, normalizer = rng.standard_normal((d, d)), SpectralNorm()
            sigma, triplet = spectral_norm(W), normalizer.start(W, rng=rng)
            for k in range(row.size):
                row[k] = sigma / triplet.sigma
                triplet = normalizer.settle(W, triplet)[1]
        data[f"cold_{d}"] = np.stack([quotients.min(axis=0), quotients.mean(axis=0), quotients.max(axis=0)])
    return data


def _warm(quick: bool, cache: Path, executor: Executor | None) -> style.Data:
    records = record_all(configs(quick, ("sn",)), cache, executor)
    layers = range(1, layers_of(records[0]) + 1)
    worst = [np.max([record[f"values_{l}"][:, 0] for l in layers], axis=0) for record in records]
    return {"step": records[0]["step"], "warm": np.stack(worst)}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    cold, warm = data["cold_64"][1], data["warm"]
    late = warm[:, data["step"] > data["step"][-1] // 2].max()
    return {
        "n_starts": str(data["n_starts"]),
        "n_cold": str(data["n_cold"]),
        "cold": f"{cold[0]:.2f}",
        "cold_15": f"{cold[14]:.3f}",
        "steps": str(data["step"][-1]),
        "seeds": ", ".join(map(str, range(len(warm)))),
        "first": "–".join(f"{x:.2f}" for x in (warm[:, 0].min(), warm[:, 0].max())),
        "late": f"{late:.3f}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw errors, angles, the cold start and the warm one."""
    figure = style.figure(7.2, 5.4)
    axes = figure.subplots(2, 2).ravel()
    for ax, what in zip(axes, ("error", "angle"), strict=False):
        for i, r in enumerate(data["r"]):
            color, line, marker = style.LAYERS[i]
            ax.plot(data["k"], data[f"predicted_{what}_{i}"], color=style.LIGHT, lw=0.9, zorder=1)
            ax.plot(data["k"], data[what + f"_{i}"], line, color=color, marker=marker, ms=3, markevery=4)
            seen = np.flatnonzero(data[what + f"_{i}"] > 1e-13)
            at, offset, side = (min(int(seen[-1]), 33) - 2, (4, 9), "left") if i in (0, 3) else (24, (0, -10), "right")
            label = {"xytext": offset, "ha": side}
            style.end_label(ax, data["k"][at], data[what + f"_{i}"][at], f"$r$ = {r:g}", color, **label)
        ax.set(yscale="log", xlabel="iteration $k$", xlim=(0, 41))
    axes[0].set(
        ylim=(1e-15, 1), title="error of $\\hat\\sigma$, with slopes $r^{4k}$", ylabel="$\\sigma_1-\\hat\\sigma$"
    )
    axes[1].set(ylim=(1e-15, 3), title="angle to $v_1$, with slopes $r^{2k}$", ylabel="$\\sin\\angle(\\tilde v, v_1)$")
    ax, k = axes[2], np.arange(1, 21)
    for i, d in enumerate(data["sizes"]):
        color, line, marker = style.LAYERS[i]
        low, mean, high = data[f"cold_{d}"]
        ax.fill_between(k, low, high, color=color, alpha=0.15, lw=0)
        ax.plot(k, mean, line, color=color, marker=marker, ms=3, label=f"{d} × {d}")
    ax.axhline(1.0, color=style.LIGHT, lw=0.8)
    ax.set(
        xlabel="iterations from a random start", ylabel="$\\sigma(W/\\hat\\sigma)$", title="cold start, Gaussian $W$"
    )
    ax.set(ylim=(0.97, 1.65), xticks=(1, 5, 10, 15, 20))
    ax.legend()
    ax = axes[3]
    for seed, warm in enumerate(data["warm"]):
        color, line, _ = style.LAYERS[seed]
        ax.plot(data["step"] + 1, warm, line, color=color, lw=1.1, label=f"seed {seed}")
    ax.axhline(1.0, color=style.LIGHT, lw=0.8)
    ax.set(xscale="log", ylim=(0.97, 1.65), xlabel="generator update + 1", title="warm start, one iteration an update")
    ax.set(ylabel="$\\max_l\\,\\sigma(\\bar W^l)$")
    ax.legend()
    style.letter(axes)
    return figure
