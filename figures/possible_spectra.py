"""Which spectra a normalisation admits, and what a large gain costs. Appendix D.1, D.2, Figure 14."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.rivals.normalizers import FrobeniusNorm, WeightNorm
from specnorm_np.rivals.projections import Clip
from specnorm_np.spectral import Array, SingularTriplet, spectral_norm

TITLE = "Possible spectra, and the price of a gain"
CAPTION = """
The one thing to see: with SN the number of directions in use costs no sensitivity, while WN, the Frobenius norm and
clipping must give up directions for gain. (a) resembles the paper's Figure 14: squared singular values that a {d} ×
{d} matrix may have, four exponential spectra for each method. SN asks for σ₁ = 1 and nothing else. WN asks for a sum
of d_o (13), (27), so that a broad spectrum must be low. The paper's figure has two slips that are mended here: the
curves decrease, and it is WN's spectra that are divided by d_o. (b) is the argument of D.1 and D.2: {n} random
matrices of falling spectra, each normalised by the package, with the gain σ₁ for the best direction against the stable
rank Σσ²/σ₁², which counts the directions in use. Only the slope of a line matters here, not its height, because the
scale of a layer can be undone by the layers around it. WN has σ₁²·(stable rank) = d_o, the Frobenius norm has 1, and
clipping at c has at most c²d_i d_o. Their largest gains, √d_o = {wn_top}, 1 and c√(d_i d_o) = {clip_top}, are reached
at rank one. SN has the gain 1 at any rank. Lines are these identities and marks are the matrices, which lie off the
lines of WN and Frobenius by at most {off}. Nothing is trained.
"""
D_OUT = 50


def planted(values: Array, *, rng: np.random.Generator) -> Array:
    """Make a square matrix with these singular values and random singular vectors."""
    U, V = (np.linalg.qr(rng.standard_normal((len(values), len(values))))[0] for _ in range(2))
    return U * values @ V.T


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Draw spectra, and measure gain and stable rank of normalised matrices."""
    rng, n = np.random.default_rng(0), 12 if quick else 60
    index = np.arange(D_OUT)
    sharpness = np.array([0.4, 1.0, 2.5, 6.0])
    sn = np.exp(-index / D_OUT * sharpness[:, None])
    wn = sn**2 / (sn**2).sum(axis=1, keepdims=True)
    data = {"index": index, "sn": sn**2, "wn": wn, "c": np.array(Clip().c)}
    raw = [planted(np.exp(-index * decay), rng=rng) for decay in np.geomspace(1e-3, 6.0, n)]
    for name in ("sn", "wn", "fn", "clip"):
        measured = np.array([_gain_and_rank(normalized(name, W)) for W in raw])
        data[f"{name}_gain"], data[f"{name}_rank"] = measured.T
    data["rank"] = np.geomspace(1.0, D_OUT, 50)
    return data


def normalized(name: str, W: Array) -> Array:
    """Return W̄ of a converged normaliser, or W pushed against the box of clipping."""
    if name == "sn":
        U, S, Vt = np.linalg.svd(W)
        return SpectralNorm().normalize(W, SingularTriplet(U[:, 0], float(S[0]), Vt[0]))
    if name == "clip":
        (projected,) = Clip().project(W * 1e3)
        return Identity().normalize(projected, None)
    return {"wn": WeightNorm(), "fn": FrobeniusNorm()}[name].normalize(W, None)


def _gain_and_rank(W: Array) -> tuple[float, float]:
    sigma = spectral_norm(W)
    return sigma, float(np.vdot(W, W)) / sigma**2


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    d = len(data["index"])
    off = max(
        np.abs(data[f"{name}_gain"] ** 2 * data[f"{name}_rank"] / budget - 1.0).max()
        for name, budget in (("wn", d), ("fn", 1.0))
    )
    return {
        "d": str(d),
        "n": str(len(data["wn_gain"])),
        "wn_top": f"{np.sqrt(d):.1f}",
        "clip_top": f"{data['c'] * d:g}",
        "off": f"{off:.0e}",
    }


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the spectra and the price."""
    figure = style.figure(7.2, 3.9)
    left, right = figure.subplots(1, 2)
    for name in ("sn", "wn"):
        for i, curve in enumerate(data[name]):
            left.plot(data["index"] + 1, curve, **style.method_line(name), alpha=1.0 - 0.15 * i)
    left.set(xlabel="index of $\\sigma$", ylim=(0, 1.03), xlim=(0, len(data["index"])))
    left.set_title("$\\sigma^2$ that are possible")
    left.text(22, 0.8, "SN", color=style.METHODS["sn"][0])
    color = style.METHODS["wn"][0]
    arrow = {"arrowstyle": "-", "color": color, "lw": 0.8, "shrinkB": 0}
    left.annotate("WN / $d_o$", (5, data["wn"][2, 4]), (30, 0.33), color=color, va="bottom", arrowprops=arrow)
    d = len(data["index"])
    budgets = {"wn": d, "fn": 1.0, "clip": (data["c"] * d) ** 2}
    for name in ("wn", "sn", "fn", "clip"):
        color, line, marker = style.METHODS[name]
        bound = np.sqrt(budgets[name] / data["rank"]) if name in budgets else np.ones_like(data["rank"])
        right.plot(data["rank"], bound, line, color=color)
        right.plot(data[f"{name}_rank"], data[f"{name}_gain"], marker, color=color, ms=4, mew=0, alpha=0.8)
        at = {"wn": 16, "sn": 22, "fn": 20, "clip": 34}[name]
        label = f"≤ {style.LABELS[name]}" if name == "clip" else style.LABELS[name]
        side: dict[str, object] = {"xytext": (-4, -7), "ha": "right"} if name == "clip" else {"xytext": (4, 9)}
        style.end_label(right, data["rank"][at], bound[at], label, color, **side)
    right.set(xscale="log", yscale="log", xlim=(0.9, d), ylim=(0.03, 12))
    right.set_xlabel("stable rank $\\Sigma\\sigma^2/\\sigma_1^2$")
    right.set(xticks=(1, 5, 10, 50), xticklabels=("1", "5", "10", "50"), title="gain $\\sigma_1(\\bar W)$")
    right.minorticks_off()
    style.letter((left, right))
    return figure
