"""The picture of a run: samples, the discriminator's field, its singular values, σ(W̄) through training.

Needs matplotlib.
"""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specnorm_np import gan as algorithm
from specnorm_np.runs import run as runs
from specnorm_np.runs.snapshots import lattice
from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import mode_shapes
from specnorm_np.toy.targets import Mixture, Target

STYLE: Any = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "svg.hashsalt": "specnorm_np",
}
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#9A9A9A"
LAYER_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def draw(run: runs.Run, figure: Figure | None = None) -> Figure:
    """Draw a run as it stands, on a new figure or on the one that is given."""
    with matplotlib.rc_context(STYLE):
        figure = figure or Figure(figsize=(12.4, 7.2), layout="constrained")
        axes = figure.subplots(2, 3)
        x, _ = runs.evaluation(run)
        real = runs.reference(run.target)[: len(x)]
        draw_samples(axes[0, 0], run.target, x, real)
        if run.target.dim == 2:
            draw_field(axes[0, 1], run, real)
        else:
            axes[0, 1].set_axis_off()  # there is no plane to draw f on
        if isinstance(run.target, Mixture) and run.target.dim == 2:
            draw_mode(axes[0, 2], run.target, x, real)
        else:
            draw_losses(axes[0, 2], run.history)
        draw_singular_values(axes[1, 0], run)
        draw_sigma_bar(axes[1, 1], run.history)
        draw_measures(axes[1, 2], run.history)
    return figure


def draw_samples(ax: Axes, target: Target, x: Array, real: Array) -> None:
    """Draw generated points over points of the target: the first two coordinates, or a histogram if there is one."""
    x, real = target.to_user_units(x), target.to_user_units(real)
    if target.dim == 1:
        edges = np.histogram_bin_edges(real[:, 0], 60).tolist()
        ax.hist(real[:, 0], edges, density=True, color=GREY, alpha=0.6, label="target")
        ax.hist(x[:, 0], edges, density=True, color=BLUE, histtype="step", label="G(z)")
        ax.set(xlabel="x", ylabel="density")
    else:
        ax.plot(*real[:, :2].T, ".", color=GREY, ms=4, alpha=0.5, mew=0, label="target", rasterized=True)
        ax.plot(*x[:, :2].T, ".", color=BLUE, ms=2.5, alpha=0.6, mew=0, label="G(z)", rasterized=True)
        ax.set(xlabel="$x_1$", ylabel="$x_2$")
        ax.set_aspect("equal", adjustable="datalim")
    ax.set_title(f"{len(x)} samples of G over the target" + (", first two coordinates" if target.dim > 2 else ""))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, handletextpad=0.1, markerscale=3)


def draw_field(ax: Axes, run: runs.Run, real: Array) -> None:
    """Draw f, the discriminator before its link, with level lines."""
    plane = lattice(real, 161)
    points = plane.reshape(-1, 2).astype(run.gan.dtype)
    f = algorithm.discriminate(run.gan, run.state.D, points).reshape(plane.shape[:2])
    shown = run.target.to_user_units(plane.reshape(-1, 2)).reshape(plane.shape)
    extent = (shown[0, 0, 0], shown[0, -1, 0], shown[0, 0, 1], shown[-1, 0, 1])
    image = ax.imshow(f, origin="lower", extent=extent, cmap="viridis", aspect="equal", interpolation="bilinear")
    ax.contour(shown[..., 0], shown[..., 1], f, 12, colors="white", linewidths=0.5, alpha=0.7)
    ax.figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title="f, the discriminator before its link")


def draw_mode(ax: Axes, target: Mixture, x: Array, real: Array) -> None:
    """Draw one mode enlarged, the one whose spread is in the middle of all: the target, and the samples."""
    offset, spread = mode_shapes(x, target.modes, target.std)
    known = np.flatnonzero(~np.isnan(offset))
    chosen = int(known[np.argsort(spread[known, 0])[len(known) // 2]]) if len(known) else 0
    for points, color, size in ((real, GREY, 5), (x, BLUE, 4)):
        near = (points - target.modes[chosen]) / target.std
        near = near[np.square(near).sum(axis=1) < 25.0]
        ax.plot(*near.T, ".", color=color, ms=size, alpha=0.6, mew=0)
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    for radius in (1.0, 3.0):
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), color=GREY, lw=0.6)
    what = f"offset {offset[chosen]:.2f}, spread {spread[chosen, 0]:.2f} to {spread[chosen, 1]:.2f}"
    ax.set(xlim=(-5, 5), ylim=(-5, 5), aspect="equal", title="one mode enlarged, in units of its std")
    ax.set_xlabel(what if len(known) else "no mode has samples")


def draw_measures(ax: Axes, history: list[runs.Row]) -> None:
    """Draw what the samples are worth through training: 1-NN, and the share of high quality if there are modes."""
    for name, color, label in (("two_sample", BLUE, "1-NN (0.5 is right)"), ("high_quality", ORANGE, "high quality")):
        if history[0].get(name) is not None:
            ax.plot(column(history, "step"), column(history, name), color=color, label=label)
    ax.axhline(0.5, color=GREY, lw=0.6)
    ax.set(ylim=(0.0, 1.03), xlabel="generator update", title="samples through training")
    ax.legend()


def column(history: list[runs.Row], name: str) -> Array:
    """Return a column of the history, NaN where it is empty."""
    return np.array([row[name] for row in history], dtype=float)


def draw_losses(ax: Axes, history: list[runs.Row]) -> None:
    """Draw the losses of both players."""
    for name, color in (("d_loss", BLUE), ("g_loss", ORANGE)):
        ax.plot(column(history, "step"), column(history, name), color=color, label=f"{name[0].upper()} minimises")
    ax.set(xlabel="generator update", title="losses")
    ax.legend()


def draw_singular_values(ax: Axes, run: runs.Run) -> None:
    """Draw the singular values of every W̄, each against its index over the number of them."""
    W_bar, _ = algorithm.effective(run.state.D, run.gan.normalizer)
    for l, W in enumerate(W_bar, 1):
        values = np.linalg.svd(W.astype(np.float64), compute_uv=False)
        color = LAYER_COLORS[(l - 1) % len(LAYER_COLORS)]
        ax.plot(
            np.arange(1, len(values) + 1), values, "o-" if len(values) < 9 else "-", ms=4, color=color, label=f"$l={l}$"
        )
    ax.set(
        xscale="log",
        ylim=(0.0, None),
        xlabel="index of the singular value",
        title="singular values of each $\\bar W^l$",
    )
    ax.legend()


def draw_sigma_bar(ax: Axes, history: list[runs.Row]) -> None:
    """Draw the exact σ(W̄) of every layer through training, as the paper's Figure 9."""
    names = [name for name in history[0] if name.startswith("sigma_bar_")]
    for l, name in enumerate(names, 1):
        color = LAYER_COLORS[(l - 1) % len(LAYER_COLORS)]
        ax.plot(column(history, "step"), column(history, name), color=color, label=f"$l={l}$")
    ax.set(xlabel="generator update", title="$\\sigma(\\bar W^l)$ through training, by SVD")
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.legend()
