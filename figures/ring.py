"""What a run of `specnorm-np train` looks like at its end and through training. Figures 3, 9."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from specnorm_np import gan as algorithm
from specnorm_np.runs import run as runs
from specnorm_np.runs.compare import key, train_all
from specnorm_np.runs.config import Config, from_options, per_layer_K
from specnorm_np.runs.picture import column
from specnorm_np.runs.snapshots import lattice
from specnorm_np.spectral import Array, spectral_norm
from specnorm_np.toy.metrics import mode_shapes
from specnorm_np.toy.targets import Mixture

TITLE = "A run with the command's defaults"
CAPTION = """
The one thing to see: at the end of a run with SN the samples lie at all eight modes, and σ(W̄) of every layer follows
the K that was asked for. The run is `specnorm-np train`, seed 0: the ring of 8 Gaussians (radius 1, std 0.01) and
{steps} generator updates at batch {batch}. (a) {n} samples of G in blue over the target in grey: {modes} of 8 modes,
{quality} of high quality, 1-NN {nn}, where 50 % is perfect. (b) f, the discriminator before its link. (c) One mode
enlarged, in units of its std; the circles are at 1 and 3 std. It is the mode whose spread is in the middle of all
eight. (d) All singular values of W̄ of each layer. Layers 2 and 3 have {width} of them and keep {many} above a tenth
of the largest. (e) σ(W̄) by SVD, the start included, which is {first} in the worst layer. The dotted line is K, which
the defaults let grow from {k_first} to {k_last}. After the first tenth of the run no σ(W̄) exceeds K by more than
{above}. (f) High quality and 1-NN through training. The picture of every run, `picture.png` in its folder, has the
same six panels.
"""


def config(quick: bool) -> Config:
    """Return the config of the run."""
    small = {"steps": 300, "d_width": 16, "g_width": 16, "batch": 16} if quick else {}
    return from_options({"target": "ring", "seed": 0, **small})


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train once, and read the run's folder."""
    chosen = config(quick)
    train_all([chosen], cache / "compare", executor=executor)
    run = runs.load(cache / "compare" / key(chosen))
    x, report = runs.evaluation(run)
    real = runs.reference(run.target)[: len(x)]
    plane = lattice(real, 21 if quick else 121)
    points = plane.reshape(-1, 2).astype(run.gan.dtype)
    f = algorithm.discriminate(run.gan, run.state.D, points).reshape(plane.shape[:2])
    first = algorithm.start(run.gan, chosen.seed).D
    W_bar, _ = algorithm.effective(run.state.D, run.gan.normalizer)
    layers = range(1, len(W_bar) + 1)
    at_start = [spectral_norm(W.astype(float)) for W in algorithm.effective(first, run.gan.normalizer)[0]]
    sigma = np.column_stack([column(run.history, f"sigma_bar_{l}") for l in layers])
    data = {"x": x, "real": real, "plane": plane, "f": f, **_middle_mode(run, x, real)}
    data |= {
        f"values_{l}": np.linalg.svd(W.astype(float), compute_uv=False) for l, W in zip(layers, W_bar, strict=True)
    }
    step = np.concatenate(([0.0], column(run.history, "step")))
    progress, factor = zip(*(chosen.K_schedule or ((0.0, 1.0),)), strict=True)
    small = {name: array.astype(np.float32) for name, array in data.items()}
    return small | {
        "step": step,
        "K": per_layer_K(chosen, run.target) * np.interp(step / chosen.steps, progress, factor),
        "sigma": np.vstack([at_start, sigma]),
        "two_sample": column(run.history, "two_sample"),
        "high_quality": column(run.history, "high_quality"),
        "end": np.array([report.modes, report.high_quality, report.two_sample], dtype=float),
        **{name: np.array(getattr(chosen, name)) for name in ("steps", "batch", "d_width")},
    }


def _middle_mode(run: runs.Run, x: Array, real: Array) -> style.Data:
    """Return the points near the mode whose spread is in the middle, in units of its std."""
    if not isinstance(run.target, Mixture):
        raise TypeError(f"the target is a {type(run.target).__name__}; expected a mixture")
    _, spread = mode_shapes(x, run.target.modes, run.target.std)
    known = np.flatnonzero(~np.isnan(spread[:, 0]))
    chosen = int(known[np.argsort(spread[known, 0])[len(known) // 2]]) if len(known) else 0
    near = {}
    for name, points in (("mode_x", x), ("mode_real", real)):
        away = (points - run.target.modes[chosen]) / run.target.std
        near[name] = away[np.square(away).sum(axis=1) < 25.0]
    return near


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    ratio = (data["sigma"] / data["K"][:, None]).max(axis=1)
    kept = [int((data[f"values_{l}"] > 0.1 * data[f"values_{l}"][0]).sum()) for l in (2, 3)]
    modes, quality, nn = data["end"].tolist()
    return {
        "steps": f"{data['steps']:,}",
        "batch": str(data["batch"]),
        "n": f"{len(data['x']):,}",
        "modes": f"{modes:.0f}",
        "quality": f"{quality:.1%}",
        "nn": f"{nn:.1%}",
        "width": str(data["d_width"]),
        "many": " and ".join(map(str, kept)),
        "first": f"{data['sigma'][0].max():.2f} ({ratio[0]:.2f} K)",
        "k_first": f"{data['K'][0]:.2f}",
        "k_last": f"{data['K'][-1]:.2f}",
        "above": f"{np.ceil(1000 * (ratio[data['step'] > 0.1 * data['steps']].max() - 1)) / 10:.1f} %",
    }


def _points(ax: Axes, real: Array, x: Array, size: float) -> None:
    ax.plot(*real.T, ".", color=style.LIGHT, ms=1.4 * size, alpha=0.5, mew=0, rasterized=True)
    ax.plot(*x.T, ".", color=style.BLUE, ms=size, alpha=0.6, mew=0, rasterized=True)


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw samples, f, a mode, singular values, and two traces."""
    figure = style.figure(7.2, 9.0)
    axes = figure.subplots(3, 2).ravel()
    plane, half = data["plane"], 1.3
    _points(axes[0], data["real"], data["x"], 3.0)
    axes[0].set(title="samples of G", xlim=(-half, half), ylim=(-half, half), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    extent = (plane[0, 0, 0], plane[0, -1, 0], plane[0, 0, 1], plane[-1, 0, 1])
    image = axes[1].imshow(data["f"], origin="lower", extent=extent, cmap="viridis", interpolation="bilinear")
    axes[1].contour(plane[..., 0], plane[..., 1], data["f"], 10, colors="white", linewidths=0.5, linestyles="-")
    figure.colorbar(image, ax=axes[1], shrink=0.8)
    axes[1].set(title="f, before its link", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    _points(axes[2], data["mode_real"], data["mode_x"], 4.0)
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    for radius in (1.0, 3.0):
        axes[2].plot(radius * np.cos(angle), radius * np.sin(angle), color=style.INK, lw=0.8)
    axes[2].set(title="one mode, enlarged", xlim=(-5, 5), ylim=(-5, 5), xticks=(-3, 0, 3), yticks=(-3, 0, 3))
    axes[0].set_aspect("equal")
    axes[2].set_aspect("equal")
    for l in range(1, data["sigma"].shape[1] + 1):
        values, line = data[f"values_{l}"], style.layer_line(l)
        marker = "o" if len(values) < 9 else ""
        axes[3].plot(np.arange(1, len(values) + 1), values, **line, marker=marker, ms=5, label=f"$l={l}$")
        axes[4].plot(data["step"], data["sigma"][:, l - 1], **line)
    axes[3].set(title="singular values of $\\bar W^l$", xlabel="index", ylim=(0, None))
    axes[3].legend()
    axes[4].plot(data["step"], data["K"], ":", color=style.INK)
    axes[4].set(title="$\\sigma(\\bar W^l)$, dotted $K$", xlabel="generator update", ylim=(0, None))
    axes[5].plot(data["step"][1:], 100 * data["high_quality"], color=style.ORANGE, label="high quality")
    axes[5].plot(data["step"][1:], 100 * data["two_sample"], color=style.BLUE, ls="--", label="1-NN (50 is perfect)")
    axes[5].axhline(50.0, color=style.LIGHT, lw=0.9)
    axes[5].set(title="samples in training, %", xlabel="generator update", ylim=(0, 103))
    axes[5].legend(loc="lower right")
    for ax in axes[4:]:
        ax.set_xticks([0, data["steps"] // 2, data["steps"]])
    style.letter(axes)
    return figure
