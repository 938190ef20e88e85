"""Small training problems for the tests of the rivals: every normaliser, a drawn θ, and D's whole loss."""

import numpy as np
import pytest
from strategies import AWKWARD, draw_net, near_kink, perceptron

from specnorm_np.losses import STANDARD
from specnorm_np.network import MLP, Params
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.rivals.normalizers import FrobeniusNorm, Scaled, Tracked, WeightNorm
from specnorm_np.rivals.projections import USV
from specnorm_np.spectral import SingularTriplet

NORMALIZERS = {
    "none": Identity(),
    "sn": SpectralNorm(K=1.5),
    "wn": WeightNorm(),
    "fn": FrobeniusNorm(),
    "tracked": Tracked(),
    "usv": USV(1.5),
    "sn-gamma": Scaled(SpectralNorm(3)),
    "fn-gamma": Scaled(FrobeniusNorm()),
    "wn-gamma": Scaled(WeightNorm(), per_row=True),
}
every_normalizer = pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=NORMALIZERS.keys())
awkward = pytest.mark.parametrize("W", AWKWARD.values(), ids=AWKWARD.keys())
EPS = float(np.finfo(np.float64).eps)


def draw_theta(net, normalizer, rng):
    """Blocks of every layer, moved off their special start: γ of both signs, U, S, V no longer orthonormal."""
    blocks, states = {}, []
    for l, (W, b) in enumerate(net.layers, 1):
        w = normalizer.parametrize(W)
        w = (w[0], *(x + rng.standard_normal(x.shape) for x in w[1:]))
        states.append(normalizer.start(*w, rng=rng))
        blocks |= {f"{name}{l}": x for name, x in zip(normalizer.blocks, w, strict=True)} | {f"b{l}": b}
    return Params.of_blocks(blocks), states


def layer_blocks(theta, normalizer, n_layers):
    return [[theta[f"{name}{l}"] for name in normalizer.blocks] for l in range(1, n_layers + 1)]


def at(W, state):
    """The state at another W: ũ and ṽ are held constant, σ̂ = ũᵀWṽ is not."""
    return SingularTriplet(state.u, state.u @ W @ state.v, state.v) if isinstance(state, SingularTriplet) else state


def d_loss(theta, states, normalizer, batch, slope, loss=STANDARD, net=None, extra=None):
    """D's whole loss and its gradient, a vector: blocks → W̄ → f → loss, and back. Also the hidden W̄h + b.

    `extra(W_bar, b, theta, states) -> (value, dW_bar or None, {block: gradient})` is what a penalty adds.
    """
    x_real = batch[0]
    layers = layer_blocks(theta, normalizer, len(states))
    b = [theta[f"b{l}"] for l in range(1, len(states) + 1)]
    states = [at(w[0], state) for w, state in zip(layers, states, strict=True)]
    W_bar = [normalizer.normalize(*w, state) for w, state in zip(layers, states, strict=True)]
    net = net or MLP(slope)
    f, cache = net.forward(W_bar, b, *batch)
    value, df_real, df_fake = loss.d(f[: len(x_real)], f[len(x_real) :])
    dW_bar, db = net.backward(W_bar, cache, np.concatenate([df_real, df_fake]))
    added, at_W_bar, at_theta = extra(W_bar, b, theta, states) if extra else (0.0, None, {})
    if at_W_bar is not None:
        dW_bar = [dW + more for dW, more in zip(dW_bar, at_W_bar, strict=True)]
    gradient = {}
    for l, (w, state) in enumerate(zip(layers, states, strict=True), 1):
        dw = normalizer.pullback(dW_bar[l - 1], *w, state)
        for name, d in zip(normalizer.blocks, dw, strict=True):
            gradient[f"{name}{l}"] = d + at_theta.get(f"{name}{l}", 0.0)
        gradient[f"b{l}"] = db[l - 1]
    assert all(gradient[name].shape == theta[name].shape for name in theta)
    return value + added, np.concatenate([gradient[name].ravel() for name in theta])


def draw_problem(normalizer, rng, widths=(2, 4, 3, 1), slope=0.1, n=(3, 2)):
    net = draw_net(widths, sum(n), slope, rng)
    theta, states = draw_theta(net, normalizer, rng)
    return theta, states, (net.x[: n[0]], net.x[n[0] :])


def away_from_kinks(theta, states, normalizer, x, slope):
    layers = layer_blocks(theta, normalizer, len(states))
    W_bar = [normalizer.normalize(*w, state) for w, state in zip(layers, states, strict=True)]
    b = [theta[f"b{l}"] for l in range(1, len(states) + 1)]
    return not near_kink(perceptron(W_bar, b, x, slope)[1])


# --- whole losses
