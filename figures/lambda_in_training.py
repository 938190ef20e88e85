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
The one thing to see: λ of (12) is positive for most of the run, in {positive} of all records after the first tenth, so
that D would mostly gain by growing and the constraint holds it back. The paper argues so in its section 2.3 and has no
such figure. The runs are those of the figure before (SN, setting C, {steps} updates, seeds {seeds}). (a) λ =
Ê[δᵀ(W̄h)] has the sign of V, which D ascends, so that λ > 0 weakens the first singular component. Lines are means over
the seeds of running means over {window} records; the band is their range over seeds and layers. The layers do not
share one λ: the largest of their mean curves is {early} times the smallest at update {early_step}, and {late} times at
the end. They would share it if D had no biases, for f is then homogeneous in each W̄, and λ = Ê[∂V/∂f·f]. (b) The
share ⟨∇_W̄V, u₁v₁ᵀ⟩²/‖∇_W̄V‖² of the gradient lies along u₁v₁ᵀ, and the second term of (12) acts on it. Bands are
ranges over the seeds. A thin line of the same colour is the share of a random direction, 1/(d_o d_i), which is the
same in the layers 2 and 3. In these two square matrices the share is {hidden} on average after the first tenth,
{times} times that of a random direction, but still a small part of the gradient. In the last layer u₁v₁ᵀ is W̄ itself,
and the share is {last}.
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


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw λ and the share along u₁v₁ᵀ."""
    figure = style.figure(7.2, 3.9)
    left, right = figure.subplots(1, 2)
    left.fill_between(data["step"], *data["lam_band"], color=style.LIGHT, alpha=0.25, lw=0)
    left.axhline(0.0, color=style.LIGHT, lw=0.9)
    for l, share in enumerate(data["random"], 1):
        line, along = style.layer_line(l), data["along"][:, :, l - 1]
        left.plot(data["step"], data["lam"][1, :, l - 1], **line)
        right.fill_between(data["step"], along[0], along[2], color=line["color"], alpha=0.12, lw=0)
        right.plot(data["step"], along[1], **line, label=f"$l={l}$")
        right.axhline(share, color=line["color"], lw=0.8)
    for ax in (left, right):
        ax.set(xlabel="generator update", xticks=(0, 2500, 5000))
    left.set(title="$\\lambda$ of (12)")
    right.set(yscale="log", ylim=(0.7 * data["along"].min(), 1.0), title="share along $u_1v_1^T$")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    style.letter((left, right))
    return figure
