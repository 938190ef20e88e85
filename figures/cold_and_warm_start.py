"""One power iteration: from a random start, and along a training run. Appendix A, footnote 7, C.1, Figure 9."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures import style
from figures.spectra import configs
from figures.training import layers_of, record_all
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.spectral import spectral_norm

TITLE = "One power iteration: a cold and a warm start"
CAPTION = """
The one thing to see: one power iteration from a random start leaves σ(W/σ̂) far above 1, but one iteration an update
is enough in training, because W changes little from one update to the next. (a) {n_cold} square Gaussian matrices of
each size, each iterated from a random start: lines are means, the band is the range of the 64 × 64 matrices. Their mean
is {cold} after one iteration. It is still {cold_15} after 15, because σ₂ is nearly as large as σ₁ in such a matrix.
(b) SN with one iteration an update: σ(W̄) by SVD of the worst layer, one line for each of the seeds {seeds}. It is
{first} at the first normalisation, which is a cold start. It reaches {middle} once more between the updates {from_} and
{to}, while W changes fast, and stays below {late} in the second half. No value lies below 1, for σ̂ is never larger than
σ(W), up to rounding. The paper's Figure 9 shows (b) for a CNN. Here D is 2-64-64-64-1, the data are the ring of radius
2 and std 0.05, the setting is D of Table 1, and the run has {steps} generator updates.
"""
SIZES = (64, 128, 512)
N_ITER = 20
AFTER_START, EARLY = 20, 400
"""Between these two updates the caption looks for the second peak."""


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Iterate on Gaussian matrices, and read σ(W̄) off training records."""
    n, sizes = (8, SIZES[:1]) if quick else (40, SIZES)
    rng = np.random.default_rng(0)
    data: style.Data = {"sizes": np.array(sizes), "n_cold": np.array(n)}
    for d in sizes:
        quotients = np.empty((n, N_ITER))
        for row in quotients:
            W, normalizer = rng.standard_normal((d, d)), SpectralNorm()
            sigma, triplet = spectral_norm(W), normalizer.start(W, rng=rng)
            for k in range(row.size):
                row[k] = sigma / triplet.sigma
                triplet = normalizer.settle(W, triplet)[1]
        data[f"cold_{d}"] = np.stack([quotients.min(axis=0), quotients.mean(axis=0), quotients.max(axis=0)])
    return data | _warm(quick, cache, executor)


def _warm(quick: bool, cache: Path, executor: Executor | None) -> style.Data:
    records = record_all(configs(quick, ("sn",)), cache, executor)
    layers = range(1, layers_of(records[0]) + 1)
    worst = [np.max([record[f"values_{l}"][:, 0] for l in layers], axis=0) for record in records]
    return {"step": records[0]["step"], "warm": np.stack(worst)}


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    cold, warm, step = data["cold_64"][1], data["warm"], data["step"]
    middle = warm[:, (step >= AFTER_START) & (step <= EARLY)].max(axis=1)
    return {
        "n_cold": str(data["n_cold"]),
        "cold": f"{cold[0]:.2f}",
        "cold_15": f"{cold[14]:.3f}",
        "seeds": ", ".join(map(str, range(len(warm)))),
        "first": _range(warm[:, 0]),
        "middle": _range(middle),
        "from_": str(AFTER_START),
        "to": str(EARLY),
        "late": f"{np.ceil(100 * warm[:, step > step[-1] // 2].max()) / 100:.2f}",
        "steps": str(step[-1]),
    }


def _range(x: np.ndarray) -> str:
    return f"{x.min():.2f}–{x.max():.2f}"


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the cold start and the warm one."""
    figure = style.figure(7.2, 3.7)
    left, right = figure.subplots(1, 2, sharey=True)
    k = np.arange(1, data["cold_64"].shape[1] + 1)
    left.fill_between(k, data["cold_64"][0], data["cold_64"][2], color=style.LIGHT, alpha=0.25, lw=0)
    for d, line, marker in zip(data["sizes"], ("-", "--", ":"), "os^", strict=False):
        left.plot(k, data[f"cold_{d}"][1], line, color=style.INK, marker=marker, ms=4, label=f"{d} × {d}")
    left.set(xlabel="iteration, random start", ylabel="$\\sigma(W/\\hat\\sigma)$", title="cold, Gaussian $W$")
    left.set(ylim=(0.97, 1.65), xticks=(1, 5, 10, 15, 20))
    left.legend()
    for warm, line in zip(data["warm"], ("-", "--", ":"), strict=False):
        right.plot(data["step"], warm, line, color=style.METHODS["sn"][0], lw=1.1)
    right.set_xscale("symlog", linthresh=1.0, linscale=0.3)
    right.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
    right.minorticks_off()
    right.set(xlabel="generator update", title="warm, one an update")
    for ax in (left, right):
        ax.axhline(1.0, color=style.LIGHT, lw=0.9)
    style.letter((left, right))
    return figure
