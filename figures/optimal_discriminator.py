"""The optimal discriminator and its gradient, beside a discriminator trained with SN. Section 2, (3)-(5)."""

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from figures import style
from specnorm_np import gan as algorithm
from specnorm_np.gan import GAN
from specnorm_np.losses import sigmoid
from specnorm_np.network import MLP, backward_to_input, forward
from specnorm_np.optim import Adam
from specnorm_np.spectral import Array
from specnorm_np.toy.targets import Mixture, ring

TITLE = "The optimal discriminator, and one with a Lipschitz bound"
CAPTION = """
The one thing to see: the optimal D sends G next to nothing or far too much, depending on G's loss, while a D with a
Lipschitz bound sends a gradient of moderate length by either loss. The paper has no such figure; this one illustrates
its section 2, (3)–(5). The data q_data are a ring of 8 Gaussians (radius 1, std {std}), black, and the model p_G is a
ring at radius {model_radius} with std {model_std}, green, off the data. (a) f* = log q_data − log p_G, exact. (b) f of
a discriminator trained on the two with SN at K = 1 (2-{width}-{width}-{width}-1, {steps} updates, Adam 0.001, one
seed), while p_G stands still. (c) and (d) follow the dashed line from the centre through a mode of p_G and one of the
data. (c) ‖∇f*‖ is {at_model} at the mode of p_G and {peak} at the end of the line, and it grows without bound. ‖∇f‖ is
at most {sn_peak}, below the bound (7), which is {bound}: not exactly 1, because power iteration approaches σ(W) from
below. (d) What a point of G is sent through D = sigmoid(f). The saturating loss log(1 − D), dashed, sends D‖∇f‖, which
at the mode of p_G is {vanished} with f* and {sn_sat} with SN. The loss −log D, solid, which is used in practice, sends
(1 − D)‖∇f‖, which is {star_used} with f* there and {sn_used} with SN.
"""
STD, MODEL_STD, MODEL_RADIUS = 0.05, 0.03, 0.5


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Evaluate (3) and (4), and train D with SN against a model that stands still."""
    data_q, model_p = ring(std=STD), ring(radius=MODEL_RADIUS, std=MODEL_STD)
    width, steps, n = (16, 200, 21) if quick else (64, 4000, 161)
    gan = GAN(d_widths=(2, width, width, width, 1), d_optim=Adam(1e-3, 0.5, 0.9), batch=128, steps=steps)
    W_bar, b = _trained(gan, data_q, model_p)
    ticks = np.linspace(-1.5, 1.5, n)
    plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    t = np.linspace(0.0, 1.5, 301)
    line = np.column_stack([t, 0.0 * t])
    f_line, df_line = _with_gradient(W_bar, b, line, gan.d_net.slope)
    rng = np.random.default_rng(1)
    star_line = _log_ratio(data_q, model_p, line)
    star_slope = np.linalg.norm(data_q.grad_log_density(line) - model_p.grad_log_density(line), axis=1)  # (4)
    sn_slope = np.linalg.norm(df_line, axis=1)
    return {
        "ticks": ticks,
        "star": _log_ratio(data_q, model_p, plane).reshape(n, n).astype(np.float32),
        "sn": _with_gradient(W_bar, b, plane, gan.d_net.slope)[0].reshape(n, n).astype(np.float32),
        "x_data": data_q.sample(300, rng=rng).astype(np.float32),
        "x_model": model_p.sample(300, rng=rng).astype(np.float32),
        "t": t,
        "star_slope": star_slope,
        "sn_slope": sn_slope,
        "star_saturating": sigmoid(star_line) * star_slope,
        "sn_saturating": sigmoid(f_line) * sn_slope,
        "star_used": sigmoid(-star_line) * star_slope,
        "sn_used": sigmoid(-f_line) * sn_slope,
        "sigma_bar": np.array([np.linalg.svd(W, compute_uv=False)[0] for W in W_bar]),
        "std": np.array(STD),
        "model_std": np.array(MODEL_STD),
        "model_radius": np.array(MODEL_RADIUS),
        "width": np.array(width),
        "steps": np.array(steps),
    }


def _log_ratio(data_q: Mixture, model_p: Mixture, x: Array) -> Array:
    return data_q.log_density(x) - model_p.log_density(x)  # (3)


def _trained(gan: GAN, data_q: Mixture, model_p: Mixture) -> tuple[list[Array], list[Array]]:
    gan = replace(gan, d_net=MLP(0.1))
    D, rng = algorithm.start(gan, 0).D, np.random.default_rng(0)
    for step in range(gan.steps):
        rate = min(1.0, 2.0 * (1.0 - step / gan.steps))
        D, *_ = algorithm.d_step(gan, D, data_q.sample(gan.batch, rng=rng), model_p.sample(gan.batch, rng=rng), rate)
    return algorithm.effective(D, gan.normalizer)


def _with_gradient(W_bar: list[Array], b: list[Array], x: Array, slope: float) -> tuple[Array, Array]:
    f, cache = forward(W_bar, b, x, slope)
    return f[:, 0], backward_to_input(W_bar, cache, np.ones_like(f), slope)


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    at_model = int(np.abs(data["t"] - data["model_radius"]).argmin())
    return {
        "std": f"{data['std']:g}",
        "model_std": f"{data['model_std']:g}",
        "model_radius": f"{data['model_radius']:g}",
        "width": str(data["width"]),
        "steps": str(data["steps"]),
        "at_model": f"{data['star_slope'][at_model]:.0f}",
        "peak": f"{data['star_slope'].max():.0f}",
        "sn_peak": f"{data['sn_slope'].max():.2f}",
        "bound": f"{data['sigma_bar'].prod():.3f}",
        "vanished": f"{data['star_saturating'][at_model]:.0e}",
        "sn_sat": f"{data['sn_saturating'][at_model]:.2f}",
        "star_used": f"{data['star_used'][at_model]:.0f}",
        "sn_used": f"{data['sn_used'][at_model]:.2f}",
    }


def _field(ax: Axes, data: style.Data, name: str, title: str) -> None:
    f, ticks = data[name], data["ticks"]
    extent = (ticks[0], ticks[-1], ticks[0], ticks[-1])
    top = float(np.abs(f).max())
    norm = SymLogNorm(1.0, vmin=-top, vmax=top) if name == "star" else None
    image = ax.imshow(
        f, origin="lower", extent=extent, cmap="PuOr", aspect="equal", interpolation="bilinear", norm=norm,
        **({} if norm else {"vmin": -top, "vmax": top}),
    )  # fmt: skip
    levels = [-1000, -100, -10, 0, 10, 100, 1000] if name == "star" else np.linspace(-top, top, 13)
    ax.contour(ticks, ticks, f, levels, colors=style.INK, linewidths=0.5, alpha=0.6, linestyles="-")
    ax.plot(*data["x_data"].T, ".", color=style.INK, ms=2.5, mew=0, rasterized=True)
    ax.plot(*data["x_model"].T, ".", color=style.GREEN, ms=2.5, mew=0, rasterized=True)
    ax.plot((0, 1.5), (0, 0), "--", color=style.INK, lw=0.9)
    ax.figure.colorbar(image, ax=ax, shrink=0.85)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title, xticks=(-1, 0, 1), yticks=(-1, 0, 1))


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw both fields, and both slopes along a line."""
    figure = style.figure(7.2, 6.4)
    axes = figure.subplots(2, 2).ravel()
    _field(axes[0], data, "star", "$f^*$ of (3), log scale")
    _field(axes[1], data, "sn", "$f$ trained with SN, $K=1$")
    for name, color in (("star", style.INK), ("sn", style.METHODS["sn"][0])):
        axes[2].plot(data["t"], data[f"{name}_slope"], color=color)
        axes[3].plot(data["t"], data[f"{name}_saturating"], "--", color=color)
        axes[3].plot(data["t"], data[f"{name}_used"], "-", color=color)
    for ax, title in ((axes[2], "slope of $f$ along the line"), (axes[3], "what G is sent")):
        ax.set(yscale="log", xlim=(0, 1.5), xlabel="distance from the centre", title=title)
        for at, text, color in ((float(data["model_radius"]), "$p_G$", style.GREEN), (1.0, "$q_{data}$", style.INK)):
            ax.axvline(at, color=color, lw=0.9, ls=":")
            ax.text(at + 0.02, 0.02, text, color=color, va="bottom", transform=ax.get_xaxis_transform())
    axes[2].set(ylim=(0.02, 5e3))
    axes[3].set(ylim=(1e-12, 1e4))
    axes[2].text(1.2, 150.0, "$f^*$", color=style.INK)
    axes[2].text(1.25, 0.9, "SN", color=style.METHODS["sn"][0])
    axes[3].text(0.8, 1e-8, "solid: $-\\log D$\ndashed:\n$\\log(1-D)$", color=style.INK, backgroundcolor="white")
    axes[3].text(1.25, 2e-3, "SN", color=style.METHODS["sn"][0])
    style.letter(axes)
    return figure
