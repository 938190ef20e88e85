"""Algorithm 1, and the GAN around it. Sections 4 and 4.1, Appendix A.

What never changes during a run is a `GAN`; what does is a `State`, with a `Player` for each of D and G. `d_step` and
`g_step` take the present player and return the next one. They keep nothing and change nothing in place.

The triplet (ũ, σ̂, ṽ) of a layer always belongs to that layer's present W. A step of D is therefore the loop of
Algorithm 1, entered after the power iteration, because G, which moves next, needs a normalised D. First comes the loss
with its gradient at the present W̄, then the update of the raw W, then one power iteration, which gives the next W̄.
Nothing else iterates. D(real) and D(fake) see one W̄. G's pass through D follows the update of D, and sees the W̄ that
the next update of D will see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from specnorm_np.losses import STANDARD, Loss, Penalty
from specnorm_np.network import MLP, Params, he_layers
from specnorm_np.normalizers import PLAIN, Normalizer, SpectralNorm, parametrized
from specnorm_np.optim import Adam, Moments, Optimizer, averaged, linear_decay
from specnorm_np.spectral import Array, Arrays, check_count, check_positive, check_share

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
    """What stays fixed during training. The defaults are the paper's SN with the setting C of Table 1.

    Parameters
    ----------
    d_widths, g_widths : tuple of int
        d_0, …, d_{L+1} of D, with d_{L+1} = 1, and of G, which begins with the dimension of z.
    loss : Loss
    normalizer : Normalizer
        Of every weight matrix of D, the last one included. G has none.
    d_net, g_net : MLP
        Forward and backward. D has leaky ReLUs of slope 0.1 (Table 3), G has ReLUs.
    d_start : function (widths, slope, *, dtype, rng) -> list of (W, b)
        How D is drawn.
    penalties : tuple of Penalty
        What is added to the loss of D.
    d_optim, g_optim : Optimizer
    n_dis : int
        Updates of D to one of G, each on fresh real and fresh generated points.
    batch : int
        Real points in a step of D, generated points in a step of D and in a step of G. The paper does not state it.
    steps : int
        Generator updates of the whole run.
    d_rate, g_rate : function (progress) -> float
        Factor of either learning rate at a share `progress` in [0, 1) of the run, by default 1. B.3 lets it fall
        linearly; other schedules are not in the paper.
    average : float in [0, 1)
        Decay rate of the exponential average of G's parameters, 0 for none; see `averaged`. It is not in the paper.
    g_scale : float, positive
        Factor applied to He's initialisation of G's last matrix. Choose it so that G's first samples are about as
        spread out as the data.
    dtype : str
        Of everything computed.

    Raises
    ------
    ValueError
        If a number is out of its range, or if the widths do not fit.
    """

    d_widths: tuple[int, ...] = (2, 128, 128, 128, 1)
    g_widths: tuple[int, ...] = (2, 128, 128, 128, 2)
    loss: Loss = STANDARD
    normalizer: Normalizer = SpectralNorm()
    d_net: MLP = MLP(0.1)
    g_net: MLP = MLP(0.0)
    d_start: Callable[..., list[tuple[Array, Array]]] = he_layers
    penalties: tuple[Penalty, ...] = ()
    d_optim: Optimizer = Adam()
    g_optim: Optimizer = Adam()
    n_dis: int = 1
    batch: int = 128
    steps: int = 20_000
    d_rate: Callable[[float], float] = linear_decay
    g_rate: Callable[[float], float] = linear_decay
    average: float = 0.0
    g_scale: float = 1.0
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if self.d_widths[0] != self.g_widths[-1] or self.d_widths[-1] != 1:
            raise ValueError(f"d_widths is {self.d_widths}, g_widths {self.g_widths}; expected (d, …, 1) and (…, d)")
        for name in ("n_dis", "batch", "steps"):
            check_count(name, getattr(self, name))
        check_share("average", self.average)
        check_positive("g_scale", self.g_scale)


class StepLog(NamedTuple):
    """What a training step saw, for whoever wants to plot it.

    Attributes
    ----------
    d_loss, g_loss : float
        At the parameters before the update; of the last of the n_dis steps of D.
    W_bar, dW_bar : lists of arrays
        D's effective weights in that step, and the gradient there of its loss without the penalties.
    """

    d_loss: float
    g_loss: float
    W_bar: Arrays
    dW_bar: Arrays

    @property
    def lam(self) -> list[float]:
        """λ of every layer, in the sign of the paper, whose V is minus our loss. Eqs. (12), (35)."""
        return [-float(np.vdot(dW, W)) for dW, W in zip(self.dW_bar, self.W_bar, strict=True)]


def start(gan: GAN, seed: int) -> State:
    """Draw both networks and the first triplets.

    One seed spawns a stream for each purpose, so that two methods at one seed see the same data, latents and G, and how
    often a run is evaluated changes nothing.
    """
    seeds = np.random.SeedSequence(seed).spawn(len(STREAMS))
    streams = dict(zip(STREAMS, map(np.random.default_rng, seeds), strict=True))
    d_layers = gan.d_start(gan.d_widths, gan.d_net.slope, dtype=gan.dtype, rng=streams["D"])
    g_layers = he_layers(gan.g_widths, gan.g_net.slope, dtype=gan.dtype, rng=streams["G"])
    g_layers[-1][0][...] *= gan.g_scale  # W of the last layer
    D = start_player(parametrized(d_layers, gan.normalizer), gan.normalizer, gan.d_optim, rng=streams["D"])
    G = start_player(Params.of_layers(g_layers), PLAIN, gan.g_optim, rng=streams["G"])
    return State(0, D, G, G.theta if gan.average else None, streams)


def start_player(theta: Params, normalizer: Normalizer, optim: Optimizer, *, rng: np.random.Generator) -> Player:
    """Make the states that belong to the first θ."""
    return Player(theta, tuple(normalizer.start(*w, rng=rng) for *w, _ in theta.layers), optim.start(theta.vector))


def effective(player: Player, normalizer: Normalizer) -> tuple[Arrays, Arrays]:
    """Compute the effective weights W̄ and biases b of every layer. Eq. (22). Reading them changes nothing."""
    layers = zip(player.theta.layers, player.norms, strict=True)
    return [normalizer.normalize(*w, norm) for (*w, _), norm in layers], player.theta.biases


def d_step(
    gan: GAN, D: Player, x_real: Array, x_fake: Array, rate: float = 1.0, *, rng: np.random.Generator | None = None
) -> tuple[Player, float, Arrays, Arrays]:
    """Do one update of the discriminator. Algorithm 1.

    Parameters
    ----------
    gan : GAN
    D : Player
    x_real, x_fake : (n, d) and (m, d) arrays
        Points of the data and of G. One pass takes both, so that they see one W̄.
    rate : float
        Factor of the learning rate.
    rng : Generator
        For penalties that draw points, as (31) does.

    Returns
    -------
    D : Player
        After the update; its triplets belong to the new W.
    loss : float
        Before the update, penalties included.
    W_bar, dW_bar : lists of arrays
        The effective weights that the loss saw, and the gradient there of the loss without the penalties, for λ.

    Raises
    ------
    Diverged
        If a parameter is NaN or infinite after the update.
    """
    W_bar, b = effective(D, gan.normalizer)
    f, cache = gan.d_net.forward(W_bar, b, x_real, x_fake)  # (1)
    loss, df_real, df_fake = gan.loss.d(f[: len(x_real)], f[len(x_real) :])  # (15) or (16)
    dW_bar, db = gan.d_net.backward(W_bar, cache, np.concatenate((df_real, df_fake)))
    total = dW_bar
    for penalty in gan.penalties:
        value, more = penalty(gan.d_net, W_bar, b, D.norms, x_real, x_fake, rng)
        loss, total = loss + value, [dW + d for dW, d in zip(total, more, strict=True)]
    return update(D, total, db, gan.normalizer, gan.d_optim, rate), loss, W_bar, dW_bar


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
    W_G, b_G = effective(G, PLAIN)
    x_fake, cache_G = gan.g_net.forward(W_G, b_G, z)
    W_bar, b = effective(D, gan.normalizer)
    f, cache = gan.d_net.forward(W_bar, b, x_fake)  # (1)
    loss, df = gan.loss.g(f)  # −log D, or (17)
    dx_fake = gan.d_net.backward_to_input(W_bar, cache, df)
    dW, db = gan.g_net.backward(W_G, cache_G, dx_fake)
    return update(G, dW, db, PLAIN, gan.g_optim, rate), loss


def update(player: Player, dW_bar: Arrays, db: Arrays, normalizer: Normalizer, optim: Optimizer, rate: float) -> Player:
    """Pull the gradient back to θ, step there, and let the normaliser follow. Algorithm 1, eq. (23).

    Parameters
    ----------
    player : Player
    dW_bar, db : lists of arrays
        Gradient at the effective weights and the biases.
    normalizer, optim
        Of this player.
    rate : float
        Factor of the learning rate.

    Raises
    ------
    Diverged
        If a parameter is NaN or infinite after the step.
    """
    dtheta: Arrays = []
    for (*w, _), norm, dW, db_l in zip(player.theta.layers, player.norms, dW_bar, db, strict=True):
        dtheta += [block.ravel() for block in (*normalizer.pullback(dW, *w, norm), db_l)]  # (12)
    vector, moments = optim.step(player.theta.vector, np.concatenate(dtheta), player.moments, rate)  # (23)
    if not np.isfinite(vector).all():
        raise Diverged("a parameter is NaN or infinite")
    theta, norms = player.theta.replace(vector), []
    for (*w, _), norm in zip(theta.layers, player.norms, strict=True):
        settled, norm = normalizer.settle(*w, norm)  # (20), (21)
        for block, new in zip(w, settled, strict=True):
            block[...] = new  # θ is new here, and nobody else has seen it; SN leaves it as it is
        norms.append(norm)
    return Player(theta, tuple(norms), moments)


def latents(gan: GAN, n: int, *, rng: np.random.Generator) -> Array:
    """Draw z ~ N(0, I), (n, d_z)."""
    return rng.standard_normal((n, gan.g_widths[0])).astype(gan.dtype, copy=False)


def generate(gan: GAN, theta: Params, z: Array) -> Array:
    """Compute G(z), (n, d), at G's parameters or at their average."""
    return gan.g_net.forward(theta.weights, theta.biases, z)[0]


def discriminate(gan: GAN, D: Player, x: Array) -> Array:
    """Compute f(x), (n, 1), at D's effective weights."""
    return gan.d_net.forward(*effective(D, gan.normalizer), x)[0]


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
    while step < gan.steps:
        progress, step = step / gan.steps, step + 1
        try:
            rate, rng = gan.d_rate(progress), streams["interpolation"]
            for _ in range(gan.n_dis):
                x_real = sample_real(gan.batch, rng=streams["data"]).astype(gan.dtype, copy=False)
                x_fake = generate(gan, G.theta, latents(gan, gan.batch, rng=streams["latent"]))
                D, d_loss, W_bar, dW_bar = d_step(gan, D, x_real, x_fake, rate, rng=rng)
            G, g_loss = g_step(gan, G, D, latents(gan, gan.batch, rng=streams["latent"]), gan.g_rate(progress))
        except Diverged as error:
            raise Diverged(f"diverged at step {step}: {error}") from None
        if not np.isfinite(d_loss + g_loss):
            raise Diverged(f"diverged at step {step}: the losses are {d_loss:g} (D) and {g_loss:g} (G)")
        if G_mean is not None:
            G_mean = G_mean.replace(averaged(G_mean.vector, G.theta.vector, gan.average, step - 1))
        yield State(step, D, G, G_mean, streams), StepLog(d_loss, g_loss, W_bar, dW_bar)
