"""Three gradients that are all called "the" gradient of spectral normalisation. Section 2.3, (9)-(12), (37)."""

from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.spectral import Array, SingularTriplet, power_iteration, random_direction
from specnorm_np.testing.gradcheck import numeric_gradient

TITLE = "Three gradients of W/σ̂"
CAPTION = """
The one thing to see: three gradients of V = ⟨C, W/σ̂⟩ are the same only when the power iteration has converged, and
(12), which the paper uses, is the slowest to get there. The paper has no such figure; the subject is its section 2.3.
C is a fixed Gaussian matrix, W is a {shape} matrix with σ₂/σ₁ = {r}, and σ̂ comes from k iterations from the same
random ũ. Lines are medians over {n} draws of C and ũ. *Frozen* is (12), with ũ, ṽ of iteration k held fixed, as the
paper, its code and this package have it. *Through* differentiates the k iterations as well, by central differences of
W ↦ V. *True* is the gradient of V at W/σ(W). At k = 1 the frozen gradient is off by {frozen_1} and the other by
{through_1}, relative to the true one. The frozen one approaches it as r^(2k), like the singular vectors it is made of.
The one through the iterations approaches it as k·r^(4k), like σ̂ itself, until the rounding of the differences.
Dotted: the difference of the two. The scale invariance ⟨∂V/∂W, W⟩ = 0 holds for the frozen one at every k, with at
most {along} here, relative to ‖∂V/∂W‖‖W‖.
"""
N_ITER = 24
RATIO = 0.75


def matrix(d_out: int, d_in: int, *, rng: np.random.Generator) -> Array:
    """Make a matrix with σ₁ = 2, σ₂ = RATIO·σ₁ and the rest evenly below."""
    m = min(d_out, d_in)
    U = np.linalg.qr(rng.standard_normal((d_out, m)))[0]
    V = np.linalg.qr(rng.standard_normal((d_in, m)))[0]
    return U * (2.0 * np.concatenate(([1.0], np.linspace(RATIO, 0.1, m - 1)))) @ V.T


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Compare the gradients for several draws of C and the start."""
    d_out, d_in, n, n_iter = (5, 7, 3, 8) if quick else (8, 12, 25, N_ITER)
    rng = np.random.default_rng(0)
    W = matrix(d_out, d_in, rng=rng)
    draws = [(rng.standard_normal(W.shape), random_direction(d_out, rng=rng)) for _ in range(n)]
    differences = np.array([_differences(W, C, u, n_iter) for C, u in draws])
    k = np.arange(1, n_iter + 1)
    median = np.median(differences, axis=0)
    frozen, through, between = median.T[:3]
    anchor = int(np.flatnonzero(through > 1e-7)[-1])
    return {
        "k": k,
        "r": np.array(RATIO),
        "shape": np.array(W.shape),
        "n": np.array(n),
        "frozen": frozen,
        "through": through,
        "between": between,
        "along": differences[:, :, 3].max(axis=0),
        "rate_2k": frozen[-1] * RATIO ** (2.0 * (k - k[-1])),
        "rate_4k": through[anchor] * (k / k[anchor]) * RATIO ** (4.0 * (k - k[anchor])),
    }


def _value(C: Array, u: Array, k: int, W: Array) -> float:
    return float(np.vdot(C, W)) / power_iteration(W, u, k).sigma


def _differences(W: Array, C: Array, u: Array, n_iter: int) -> list[tuple[float, ...]]:
    SN = SpectralNorm()
    U, S, Vt = np.linalg.svd(W, full_matrices=False)
    true = SN.pullback(C, W, SingularTriplet(U[:, 0], float(S[0]), Vt[0]))[0]
    scale, rows = np.linalg.norm(true), []
    for k in range(1, n_iter + 1):
        frozen = SN.pullback(C, W, power_iteration(W, u, k))[0]
        through = numeric_gradient(partial(_value, C, u, k), W)
        pairs = ((frozen, true), (through, true), (frozen, through))
        scales = float(np.linalg.norm(frozen) * np.linalg.norm(W))
        invariance = abs(float(np.vdot(frozen, W))) / scales
        rows.append((*(float(np.linalg.norm(a - b) / scale) for a, b in pairs), invariance))
    return rows


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    return {
        "shape": " × ".join(map(str, data["shape"])),
        "r": f"{data['r']:g}",
        "n": str(data["n"]),
        "frozen_1": f"{data['frozen'][0]:.0%}",
        "through_1": f"{data['through'][0]:.0%}",
        "along": f"{data['along'].max():.0e}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the relative differences against k."""
    figure = style.figure(6.4, 4.6)
    ax, k = figure.subplots(), data["k"]
    ax.plot(k, data["rate_2k"], color=style.LIGHT, lw=0.9)
    ax.plot(k, data["rate_4k"], color=style.LIGHT, lw=0.9, ls="--")
    ax.plot(k, data["frozen"], "-o", color=style.BLUE, ms=3.5)
    ax.plot(k, data["between"], ls=":", color=style.INK, lw=1.6)
    ax.plot(k, data["through"], "--s", color=style.RED, ms=3.5)
    ax.plot(k, data["along"], "-.", color=style.GREEN)
    ax.set(yscale="log", ylim=(1e-17, 5), xlim=(0, k[-1] + 1), xlabel="power iterations $k$ from a random start")
    ax.set_ylabel("relative distance from the true one")
    at = 2 * len(k) // 3
    notes = (
        ("frozen", "frozen (12), $\\propto r^{2k}$", (6, 6), style.BLUE, at),
        ("through", "through, $\\propto k\\,r^{4k}$", (-8, -4), style.RED, at - 2),
    )
    for name, text, offset, color, i in notes:
        ha, va = ("left", "bottom") if offset[0] > 0 else ("right", "top")
        style.end_label(ax, k[i], data[name][i], text, color, xytext=offset, ha=ha, va=va)
    style.end_label(
        ax, k[0], data["along"].max(), "$\\langle\\partial V/\\partial W, W\\rangle$ of (12), relative", style.GREEN,
        xytext=(0, 5), va="bottom",
    )  # fmt: skip
    return figure
