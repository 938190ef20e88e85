"""λ of every layer through training, and the share of the gradient along u₁v₁ᵀ. Section 2.3, (11), (12)."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.sigma_in_training import configs
from figures.training import layers_of, record_all, spread
from specnorm_np.spectral import Array

TITLE = "λ in training"
CAPTION = """
The paper has no such figure; this one illustrates the argument of its section 2.3. The runs of the figure before (SN,
setting C, {steps} updates, seeds {seeds}). (a) λ = Ê[δᵀ(W̄h)] of (12), in the sign of V, which D ascends: then λ > 0
penalises the first singular component. Running means over {window} of the recorded steps; lines are means over the
seeds, the band is the range over seeds and layers. It is positive in {positive} of all records after the first tenth:
mostly D would gain by growing, so that the constraint binds. The layers differ at first: the largest of their mean
curves is {early} times the smallest at update {early_step}, and {late} times at the end. (Without biases they would
share one λ, for f is then homogeneous in each W̄: λ = Ê[∂V/∂f·f].) (b) Share ⟨∇_W̄V, u₁v₁ᵀ⟩²/‖∇_W̄V‖² of the gradient
along u₁v₁ᵀ, which the second term of (12) acts on; grey: a random direction, 1/(d_o d_i). In the square matrices it
is {hidden} on average after the first tenth, {times} times that of a random direction; in the last layer, where u₁v₁ᵀ
is W̄ itself, {last}. The one thing to see: λ is positive for most of the run, not for all of it, and adapts; what it
acts on is far from random, but in the square matrices a small part of the gradient.
"""
WINDOW = 9


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Read λ and the share off the training records."""
    chosen = configs(quick)
    records = record_all(chosen, cache, executor)
    late = records[0]["step"] > records[0]["step"][-1] // 10
    shapes = [records[0][f"W_{l}"].shape[1:] for l in range(1, layers_of(records[0]) + 1)]
    along = np.stack([record["along"] for record in records])
    return {
        "step": records[0]["step"][1:],
        "lam_band": _around([record["lam"] for record in records]),
        "lam": _bands([record["lam"] for record in records]),
        "along": _bands([record["along"] for record in records]),
        "random": np.array([1.0 / np.prod(shape) for shape in shapes]),
        "mean_along": np.nanmean(along[:, late], axis=(0, 1)),
        "positive": np.mean([(record["lam"][late] > 0).mean() for record in records]),
        "raw_lam": np.stack([record["lam"][1:] for record in records]),
        "seeds": np.arange(len(records)),
    }


def _bands(curves: list[Array]) -> Array:
    """Return the spread over the seeds of running means, (3, T, L+1)."""
    return spread([np.apply_along_axis(_smooth, 0, curve[1:]) for curve in curves])


def _around(curves: list[Array]) -> Array:
    """Return the least and the largest over seeds and layers of running means, (2, T)."""
    low, _, high = _bands(curves)
    return np.stack([low.min(axis=1), high.max(axis=1)])


def _smooth(x: Array) -> Array:
    window = min(WINDOW, len(x))
    kernel = np.ones(window)
    return np.convolve(x, kernel, "same") / np.convolve(np.ones_like(x), kernel, "same")


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    hidden = slice(1, len(data["random"]) - 1)
    means = data["lam"][1]  # (T, L+1)
    early = int(np.abs(data["step"] - 0.1 * data["step"][-1]).argmin())
    return {
        "early": f"{means[early].max() / means[early].min():.1f}",
        "early_step": f"{data['step'][early]}",
        "late": f"{means[-1].max() / means[-1].min():.1f}",
        "steps": str(data["step"][-1]),
        "seeds": ", ".join(map(str, data["seeds"])),
        "window": str(WINDOW),
        "positive": f"{data['positive']:.1%}",
        "hidden": f"{data['mean_along'][hidden].mean():.1%}",
        "last": f"{data['mean_along'][-1]:.0%}",
        "times": f"{(data['mean_along'][hidden] / data['random'][hidden]).mean():.0f}",
    }


def _random_lines(random: Array) -> tuple[list[float], list[str]]:
    """Return the different shares of a random direction, and the layers that have them."""
    shares = sorted(set(random.tolist()))
    return shares, [", ".join(str(l) for l, x in enumerate(random, 1) if x == share) for share in shares]


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw λ and the share along u₁v₁ᵀ."""
    figure = style.figure(7.2, 3.1)
    left, right = figure.subplots(1, 2)
    for ax, name in ((left, "lam"), (right, "along")):
        for l in range(1, data[name].shape[2] + 1):
            low, mean, high = data[name][:, :, l - 1]
            line = style.layer_line(l)
            if name == "along":
                ax.fill_between(data["step"], low, high, color=line["color"], alpha=0.12, lw=0)
            ax.plot(data["step"], mean, **line, label=f"$l={l}$")
        ax.set(xscale="log", xlabel="generator update")
    left.fill_between(data["step"], *data["lam_band"], color=style.LIGHT, alpha=0.25, lw=0)
    left.axhline(0.0, color=style.LIGHT, lw=0.8)
    left.set(ylabel="$\\lambda$", title="$\\lambda$ of (12)")
    left.legend(loc="upper left")
    for share, layers in zip(*_random_lines(data["random"]), strict=True):
        right.axhline(share, color=style.LIGHT, lw=0.8)
        style.end_label(right, data["step"][-1], share, f"random, $l={layers}$", style.INK, xytext=(9, 0), fontsize=7)
    right.set(yscale="log", ylim=(1e-4, 1.5), ylabel="share of $\\|\\nabla_{\\bar W}V\\|^2$")
    right.set_title("share of the gradient along $u_1v_1^T$")
    style.letter((left, right))
    return figure
