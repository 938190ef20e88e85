"""Algorithm 1, and the GAN around it. Sections 4 and 4.1, Appendix A.

What never changes during training is a `GAN`; what does is a `State`; `d_step` and `g_step` turn one state of a player
into the next and keep nothing. The triplet (ũ, σ̂, ṽ) of a layer always belongs to that layer's present W, so a step of
D is Algorithm 1's cycle begun at its second line: loss and gradient at the present W̄; update of the raw W; then the
power iteration, once, which gives the next W̄. Nothing else iterates. D(real), D(fake) and G's pass through D between
two updates of D all see the same W̄.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from specnorm_np.activation_norms import BatchNorm, LayerNorm
from specnorm_np.losses import STANDARD, Loss
from specnorm_np.network import (
    Params,
    backward,
    backward_to_input,
    forward,
    he_layers,
    orthonormal_layers,
)
from specnorm_np.normalizers import Identity, Normalizer, SpectralNorm
from specnorm_np.optim import Adam, Moments, Optimizer, linear_decay
from specnorm_np.regularizers import GradientPenalty, Projection, WeightPenalty, interpolate
from specnorm_np.spectral import Array

STREAMS = ("D", "G", "data", "latent", "interpolation")


class Diverged(ArithmeticError):
    """A loss or a parameter became NaN or infinite."""


class Player(NamedTuple):
    """A network in training, D or G.

    Attributes
    ----------
    theta : Params
        The raw parameters, which the optimiser owns.
    norms : tuple
        The normaliser's state of every layer, W¹ first: for spectral normalisation the triplet (ũ, σ̂, ṽ) of W.
    moments : Moments or None
        The optimiser's state.
    """

    theta: Params
    norms: tuple[Any, ...]
    moments: Moments | None


class State(NamedTuple):
    """A run between two generator updates: all that is needed to go on to the same bits.

    Attributes
    ----------
    step : int
        Generator updates done.
    D, G : Player
    G_mean : Params or None
        The exponential average of G's parameters, if wanted.
    streams : dict of str to Generator
        The random streams. Alone of all fields they are not values: drawing advances them in place.
    """

    step: int
    D: Player
    G: Player
    G_mean: Params | None
    streams: dict[str, np.random.Generator]


@dataclass(frozen=True)
class GAN:
    """What stays the same through a run.

    Parameters
    ----------
    d_widths, g_widths : tuple of int
        Widths of D, from the data's dimension to 1, and of G, from the dimension of z to the data's. D has L+1 weight
        matrices and all of them are normalised, the last one too.
    loss : Loss
    normalizer : Normalizer
        Of D. G has none, and no batch normalisation either, unlike the paper's.
    projection : Projection or None
        Where W goes after a step of D.
    weight_penalty, gradient_penalty : WeightPenalty or None, GradientPenalty or None
        What is added to the loss of D: a function of W alone, or one of f and W̄.
    activation_norm : BatchNorm or LayerNorm or None
        In D's hidden layers.
    orthonormal : bool
        Whether D starts from orthonormal weights.
    d_optim, g_optim : Optimizer
    n_dis : int
        Updates of D to one of G, each on fresh real and fresh generated points.
    batch : int
        Real points in a step of D, generated points in a step of D and in a step of G. The paper does not state it.
    steps : int
        Generator updates of the whole run.
    decay_from : int or None
        From which generator update on the learning rates fall linearly to 0 at `steps`; None for never. B.3.
    average : float in [0, 1)
        Decay rate of the exponential average of G's parameters, 0 for none. It is not in the paper.
    d_slope, g_slope : float
        Leaky ReLU in D (Table 3), ReLU in G.
    g_scale : float, positive
        G's last weight matrix starts as many times as large as He et al. have it: about the size of the data's
        coordinates, for G to start as spread out as they are.
    dtype : str
        Of everything computed.

    Raises
    ------
    ValueError
        If a number is out of its range; if the widths do not fit; if the gradient penalty is to go with a normalisation
        of activations (f at a point would depend on others), or a penalty of W with a normaliser without a block W.
    """

    d_widths: tuple[int, ...] = (2, 128, 128, 128, 1)
    g_widths: tuple[int, ...] = (2, 128, 128, 128, 2)
    loss: Loss = STANDARD
    normalizer: Normalizer = SpectralNorm()
    projection: Projection | None = None
    weight_penalty: WeightPenalty | None = None
    gradient_penalty: GradientPenalty | None = None
    activation_norm: BatchNorm | LayerNorm | None = None
    orthonormal: bool = False
    d_optim: Optimizer = Adam()
    g_optim: Optimizer = Adam()
    n_dis: int = 1
    batch: int = 128
    steps: int = 20_000
    decay_from: int | None = None
    average: float = 0.0
    d_slope: float = 0.1
    g_slope: float = 0.0
    g_scale: float = 1.0
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if self.d_widths[0] != self.g_widths[-1] or self.d_widths[-1] != 1:
            raise ValueError(
                f"d_widths is {self.d_widths}, g_widths {self.g_widths}; expected D to begin where G ends, and end in 1"
            )
        for name in ("n_dis", "batch", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 0.0 <= self.average < 1.0:
            raise ValueError(f"average is {self.average}; expected a number in [0, 1)")
        if not 0.0 < self.g_scale < float("inf"):
            raise ValueError(f"g_scale is {self.g_scale}; expected a positive finite number")
        for name in ("d_slope", "g_slope"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a number in [0, 1], to be 1-Lipschitz")
        if self.gradient_penalty is not None and self.activation_norm is not None:
            raise ValueError("gradient_penalty and activation_norm are both given; expected at most one of them")
        if self.weight_penalty is not None and "W" not in self.normalizer.blocks:
            raise ValueError(f"weight_penalty needs a block W; normalizer has {', '.join(self.normalizer.blocks)}")

    def rate(self, step: int) -> float:
        """Return the factor of both learning rates at a generator update."""
        return 1.0 if self.decay_from is None else linear_decay(step, self.steps, self.decay_from)


class StepLog(NamedTuple):
    """What a training step saw, for whoever wants to plot it.

    Attributes
    ----------
    d_loss, g_loss : float
        At the parameters before the update; of the last of the n_dis steps of D.
    W_bar, dW_bar : lists of arrays
        D's effective weights in that step and the gradient of its loss there.
    """

    d_loss: float
    g_loss: float
    W_bar: list[Array]
    dW_bar: list[Array]

    @property
    def lam(self) -> list[float]:
        """λ of every layer, in the sign of the paper, whose V is minus our loss. Eqs. (12), (35)."""
        return [-float(np.vdot(dW, W)) for dW, W in zip(self.dW_bar, self.W_bar, strict=True)]


def start(gan: GAN, seed: int) -> State:
    """Draw both networks and the first triplets.

    One seed spawns a stream for each purpose, so that two methods at one seed see the same data, latents and G, and how
    often a run is evaluated changes nothing.
    """
    spawned = np.random.SeedSequence(seed).spawn(len(STREAMS))
    streams = {name: np.random.default_rng(s) for name, s in zip(STREAMS, spawned, strict=True)}
    if gan.orthonormal:
        d_layers = orthonormal_layers(gan.d_widths, dtype=gan.dtype, rng=streams["D"])
    else:
        d_layers = he_layers(gan.d_widths, gan.d_slope, dtype=gan.dtype, rng=streams["D"])
    g_layers = he_layers(gan.g_widths, gan.g_slope, dtype=gan.dtype, rng=streams["G"])
    g_layers[-1][0][...] *= gan.g_scale
    d_theta = parametrized(d_layers, gan.normalizer, gan.projection)
    D = start_player(d_theta, gan.normalizer, gan.d_optim, rng=streams["D"])
    G = start_player(Params.of_layers(g_layers), Identity(), gan.g_optim, rng=streams["G"])
    return State(0, D, G, G.theta if gan.average else None, streams)


def parametrized(
    layers: Sequence[tuple[Array, Array]], normalizer: Normalizer, projection: Projection | None = None
) -> Params:
    """Make the θ that represents given (W, b): with a normaliser's own blocks in the place of W, and projected."""
    blocks: dict[str, Array] = {}
    for l, (W, b) in enumerate(layers, 1):
        w = normalizer.parametrize(W)
        if projection is not None:
            w = projection.project(*w)
        blocks |= {f"{name}{l}": block for name, block in zip(normalizer.blocks, w, strict=True)}
        blocks[f"b{l}"] = b
    return Params.of_blocks(blocks)


def start_player(theta: Params, normalizer: Normalizer, optim: Optimizer, *, rng: np.random.Generator) -> Player:
    """Make the states that belong to the first θ."""
    norms = tuple(normalizer.start(*w, rng=rng) for w in _layers(theta, normalizer.blocks))
    return Player(theta, norms, optim.start(theta.vector))


def _layers(theta: Params, names: tuple[str, ...]) -> list[list[Array]]:
    """Return the blocks of every layer that have these names."""
    return [[theta[f"{name}{l}"] for name in names] for l in range(1, theta.depth + 1)]


def effective(player: Player, normalizer: Normalizer) -> tuple[list[Array], list[Array]]:
    """Compute the effective weights W̄ and biases b of every layer. Reading them changes nothing."""
    layers = _layers(player.theta, normalizer.blocks)
    W_bar = [normalizer.normalize(*w, norm) for w, norm in zip(layers, player.norms, strict=True)]
    return W_bar, [b for (b,) in _layers(player.theta, ("b",))]


def update(
    player: Player,
    dW_bar: list[Array],
    db: list[Array],
    normalizer: Normalizer,
    optim: Optimizer,
    rate: float,
    dW: list[Array] | None = None,
    projection: Projection | None = None,
) -> Player:
    """Pull the gradient back to θ, step, and let the power iteration follow. Algorithm 1, eq. (23).

    Parameters
    ----------
    player : Player
    dW_bar, db : lists of arrays
        Gradient at the effective weights and the biases.
    normalizer, optim, projection
        Of this player.
    rate : float
        Factor of the learning rate.
    dW : list of arrays, optional
        Gradient at the raw W of every layer, of what depends on W alone.

    Raises
    ------
    Diverged
        If a parameter is NaN or infinite after the step.
    """
    theta, names = player.theta, normalizer.blocks
    gradient: dict[str, Array] = {}
    for l, (w, norm) in enumerate(zip(_layers(theta, names), player.norms, strict=True), 1):
        dw = normalizer.pullback(dW_bar[l - 1], *w, norm)  # (12)
        gradient |= {f"{name}{l}": d for name, d in zip(names, dw if len(w) > 1 else (dw,), strict=True)}
        gradient[f"b{l}"] = db[l - 1]
        if dW is not None:
            gradient[f"W{l}"] = gradient[f"W{l}"] + dW[l - 1]
    dtheta = np.concatenate([gradient[name].ravel() for name in theta])
    vector, moments = optim.step(theta.vector, dtheta, player.moments, rate)  # (23)
    if not np.isfinite(vector).all():
        raise Diverged("a parameter is NaN or infinite")
    theta = theta.replace(vector)
    if projection is not None:
        theta = _projected(theta, names, projection)
    norms = (normalizer.refresh(*w, norm) for w, norm in zip(_layers(theta, names), player.norms, strict=True))
    return Player(theta, tuple(norms), moments)  # (20)-(22)


def _projected(theta: Params, names: tuple[str, ...], projection: Projection) -> Params:
    blocks = dict(theta)
    for l, w in enumerate(_layers(theta, names), 1):
        blocks |= {f"{name}{l}": block for name, block in zip(names, projection.project(*w), strict=True)}
    return theta.replace(np.concatenate([block.ravel() for block in blocks.values()]))


def d_step(
    gan: GAN,
    D: Player,
    x_real: Array,
    x_fake: Array,
    rate: float = 1.0,
    *,
    rng: np.random.Generator | None = None,
) -> tuple[Player, float, list[Array], list[Array]]:
    """Do one update of the discriminator. Algorithm 1.

    Parameters
    ----------
    gan : GAN
    D : Player
    x_real, x_fake : (n, d) and (m, d) arrays
        Points of the data and of G. One pass takes both: they see one W̄, and batch normalisation takes its statistics
        of each apart.
    rate : float
        Factor of the learning rate.
    rng : Generator
        For the points of the gradient penalty (31), if there is one.

    Returns
    -------
    D : Player
        After the update; its triplets belong to the new W.
    loss : float
        Before the update, penalties included.
    W_bar, dW_bar : lists of arrays
        The effective weights that the loss saw, and its gradient there, for λ.

    Raises
    ------
    Diverged
        If a parameter is NaN or infinite after the update.
    """
    W_bar, b = effective(D, gan.normalizer)
    n = len(x_real)
    x = np.concatenate((x_real, x_fake))
    f, cache = forward(W_bar, b, x, gan.d_slope, gan.activation_norm, (n, len(x_fake)))  # (1)
    loss, df_real, df_fake = gan.loss.d(f[:n], f[n:])
    dW_bar, db = backward(W_bar, cache, np.concatenate((df_real, df_fake)), gan.d_slope)
    if gan.gradient_penalty is not None:
        if rng is None:
            raise ValueError("rng is None; expected a Generator for the points of the gradient penalty")
        x_hat = interpolate(x_real, x_fake, rng=rng)
        value, more = gan.gradient_penalty.penalty(W_bar, b, x_hat, gan.d_slope)
        loss, dW_bar = loss + value, [dW + d for dW, d in zip(dW_bar, more, strict=True)]
    dW = None
    if gan.weight_penalty is not None:
        raw = _layers(D.theta, ("W",))
        penalties = [gan.weight_penalty.penalty(W, norm) for (W,), norm in zip(raw, D.norms, strict=True)]
        loss, dW = loss + sum(value for value, _ in penalties), [gradient for _, gradient in penalties]
    D = update(D, dW_bar, db, gan.normalizer, gan.d_optim, rate, dW, gan.projection)
    return D, loss, W_bar, dW_bar


def g_step(gan: GAN, G: Player, D: Player, z: Array, rate: float = 1.0) -> tuple[Player, float]:
    """Do one update of the generator, through D's present W̄. D is not changed.

    Parameters
    ----------
    gan : GAN
    G, D : Player
    z : (n, d_z) array
        Latent points.
    rate : float
        Factor of the learning rate.

    Returns
    -------
    G : Player
        After the update.
    loss : float
        Before the update.

    Raises
    ------
    Diverged
        If a parameter is NaN or infinite after the update.
    """
    W_G, b_G = effective(G, Identity())
    x_fake, cache_G = forward(W_G, b_G, z, gan.g_slope)
    W_bar, b = effective(D, gan.normalizer)
    f, cache = forward(W_bar, b, x_fake, gan.d_slope, gan.activation_norm)
    loss, df = gan.loss.g(f)
    dx_fake = backward_to_input(W_bar, cache, df, gan.d_slope)
    dW, db = backward(W_G, cache_G, dx_fake, gan.g_slope)
    return update(G, dW, db, Identity(), gan.g_optim, rate), loss


def latents(gan: GAN, n: int, *, rng: np.random.Generator) -> Array:
    """Draw z ~ N(0, I), (n, d_z)."""
    return rng.standard_normal((n, gan.g_widths[0])).astype(gan.dtype, copy=False)


def generate(gan: GAN, theta: Params, z: Array) -> Array:
    """Compute G(z), (n, d), at G's parameters or at their average."""
    W, b = zip(*_layers(theta, ("W", "b")), strict=True)
    return forward(W, b, z, gan.g_slope)[0]


def discriminate(gan: GAN, D: Player, x: Array) -> Array:
    """Compute f(x), (n, 1). With batch normalisation it is that of these x together."""
    W_bar, b = effective(D, gan.normalizer)
    return forward(W_bar, b, x, gan.d_slope, gan.activation_norm)[0]


def train(gan: GAN, state: State, sample_real: Callable[..., Array]) -> Iterator[tuple[State, StepLog]]:
    """Train from `state` up to `gan.steps`, and yield the state after every generator update.

    Parameters
    ----------
    gan : GAN
    state : State
        From `start`, or from any earlier run of the same `gan`.
    sample_real : function (n, *, rng) -> (n, d) array
        Draws from the data.

    Yields
    ------
    state : State
    log : StepLog

    Raises
    ------
    Diverged
        If a loss or a parameter becomes NaN or infinite; the message names the generator update, counted from 1.
    """
    step, D, G, G_mean, streams = state

    def fakes() -> Array:
        return generate(gan, G.theta, latents(gan, gan.batch, rng=streams["latent"]))

    while step < gan.steps:
        rate = gan.rate(step)
        step += 1
        try:
            for _ in range(gan.n_dis):
                x_real = sample_real(gan.batch, rng=streams["data"]).astype(gan.dtype, copy=False)
                D, d_loss, W_bar, dW_bar = d_step(gan, D, x_real, fakes(), rate, rng=streams["interpolation"])
            G, g_loss = g_step(gan, G, D, latents(gan, gan.batch, rng=streams["latent"]), rate)
        except Diverged as error:
            raise Diverged(f"diverged at step {step}: {error}") from None
        if not np.isfinite(d_loss + g_loss):
            raise Diverged(f"diverged at step {step}: the losses are {d_loss:g} (D) and {g_loss:g} (G)")
        if G_mean is not None:
            mean = gan.average * G_mean.vector
            mean += (1.0 - gan.average) * G.theta.vector
            G_mean = G_mean.replace(mean)
        yield State(step, D, G, G_mean, streams), StepLog(d_loss, g_loss, W_bar, dW_bar)
