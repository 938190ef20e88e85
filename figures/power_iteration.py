"""Power iteration: at which rates its estimate and its singular vector converge. Appendix A, (18)-(22)."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from specnorm_np.bounds.certificates import convergence
from specnorm_np.spectral import Array, random_direction

TITLE = "Power iteration: how fast it converges"
CAPTION = """
The one thing to see: the error of σ̂ falls twice as fast as the angle to the singular vector, on a logarithmic scale,
and both fall faster the smaller the ratio r = σ₂/σ₁ of the two largest singular values is. The iteration is that of
Appendix A, (18)–(22), on {d} × {d} matrices with σ₁ = 1 and a planted r; the other singular values lie evenly between 0
and 0.6σ₂. (a) The error of σ̂ = ũᵀWṽ shrinks as r^(4k). (b) The angle between ṽ and v₁ shrinks as r^(2k). Coloured
lines are medians over {n_starts} random starts. The grey lines behind them have exactly the slopes r^(4k) and r^(2k).
After {k} iterations at r = 0.9 the error is {error} and the sine of the angle is {angle}. The curve of r = 0.5 in (b)
ends at {floor}, where rounding stops it. The paper has no such figure.
"""
RATIOS = (0.5, 0.8, 0.9, 0.97)
N_ITER = 40
LOWEST = (1e-11, 1e-10, 1e-6, 1e-15)
"""A label stands where its curve passes this height, or where it is at two thirds of the axis if it does not."""
SHOWN_RATIO, SHOWN_K = 2, 20
"""Which ratio and which iteration the caption quotes."""


def planted(r: float, d: int, *, rng: np.random.Generator) -> Array:
    """Make a matrix with σ₁ = 1, σ₂ = r and the rest evenly between 0 and 0.6 r."""
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    return U * np.concatenate(([1.0, r], np.linspace(0.6 * r, 0.0, d - 2))) @ V.T


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Iterate on planted matrices from random starts."""
    rng = np.random.default_rng(0)
    n_starts, d = (4, 24) if quick else (20, 64)
    data: style.Data = {"k": np.arange(1, N_ITER + 1), "r": np.array(RATIOS)}
    data |= {"n_starts": np.array(n_starts), "d": np.array(d)}
    for i, r in enumerate(RATIOS):
        W = planted(r, d, rng=rng)
        seen = [convergence(W, random_direction(d, rng=rng), N_ITER) for _ in range(n_starts)]
        error = np.median([np.maximum(c.error, 0.0) for c in seen], axis=0)
        angle = np.median([c.angle for c in seen], axis=0)
        middle = int(np.flatnonzero(angle > 1e-6)[-1])  # the predicted lines are anchored where the rate has settled
        data[f"error_{i}"], data[f"angle_{i}"] = error, angle
        data[f"predicted_error_{i}"] = error[middle] * r ** (4.0 * (data["k"] - data["k"][middle]))
        data[f"predicted_angle_{i}"] = angle[middle] * r ** (2.0 * (data["k"] - data["k"][middle]))
    return data


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    return {
        "d": str(data["d"]),
        "n_starts": str(data["n_starts"]),
        "k": str(SHOWN_K),
        "error": f"{data[f'error_{SHOWN_RATIO}'][SHOWN_K - 1]:.0e}",
        "angle": f"{data[f'angle_{SHOWN_RATIO}'][SHOWN_K - 1]:.0e}",
        "floor": f"{data['angle_0'][-1]:.0e}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the error of σ̂ and the angle to v₁."""
    figure = style.figure(7.2, 3.7)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, what in zip(axes, ("error", "angle"), strict=True):
        for i, r in enumerate(data["r"]):
            color, line, marker = style.LAYERS[i]
            values = data[f"{what}_{i}"]
            ax.plot(data["k"], data[f"predicted_{what}_{i}"], color=style.LIGHT, lw=1.0, zorder=1)
            ax.plot(data["k"], values, line, color=color, marker=marker, ms=4, markevery=4)
            at = min(int(np.flatnonzero(values > LOWEST[i])[-1]), 28)
            style.end_label(ax, data["k"][at], values[at], f"$r$ = {r:g}", color, xytext=(5, 3), va="bottom")
        ax.set(yscale="log", xlabel="iteration $k$", xlim=(0, 41), ylim=(1e-15, 3), yticks=10.0 ** np.arange(-15, 1, 3))
    axes[0].set(title="error $\\sigma_1-\\hat\\sigma$, as $r^{4k}$")
    axes[1].set(title="$\\sin\\angle(\\tilde v, v_1)$, as $r^{2k}$")
    style.letter(axes)
    return figure
