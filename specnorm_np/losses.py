"""The objectives of D and G, each with its gradient at f. Section 4, eqs. (15)-(17).

f is the discriminator before its output link 𝒜 (2): logits for the standard loss, D itself for the others. D maximises
V in the paper. Here both players minimise, so D's functions return −V, and every gradient is that of the loss that is
returned. Means over the batch are part of the loss, and so 1/n is part of the gradient.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from specnorm_np.spectral import Array, Arrays, floats

DLoss: TypeAlias = Callable[[Array, Array], tuple[float, Array, Array]]
GLoss: TypeAlias = Callable[[Array], tuple[float, Array]]

#: A term that is added to D's loss: (net, W_bar, b, norms, x_real, x_fake, rng) ↦ its value and its gradient at W̄, a
#: list like `W_bar`. `net` is D's network, and `norms` are the states of its normaliser.
Penalty: TypeAlias = Callable[..., tuple[float, Arrays]]


def softplus(x: Array) -> Array:
    """Compute log(1 + eˣ) without overflow; −log sigmoid(x) is softplus(−x)."""
    (x,) = floats(x)
    return np.logaddexp(0.0, x).astype(x.dtype, copy=False)


def sigmoid(x: Array) -> Array:
    """Compute 1/(1 + e⁻ˣ), accurate where it is tiny. The link 𝒜 of the standard loss, eqs. (2), (3)."""
    (x,) = floats(x)
    return np.exp(-softplus(-x))


def _mean(x: Array) -> float:
    """Return Ê; for the few numbers of a batch ndarray.mean takes three times as long."""
    return float(x.sum()) / x.size


def standard_d(f_real: Array, f_fake: Array) -> tuple[float, Array, Array]:
    """Minimise −V(G, D) for D = sigmoid(f). Eq. (15).

    Parameters
    ----------
    f_real, f_fake : (n, 1) and (m, 1) arrays
        f at real points and at generated ones. Any shape will do; whole numbers are taken as float64.

    Returns
    -------
    loss : float
        mean softplus(−f_real) + mean softplus(f_fake), which is −E[log D(x)] − E[log(1 − D(G(z)))].
    df_real, df_fake : arrays
        Its gradients, each of the shape of its variable.
    """
    f_real, f_fake = floats(f_real, f_fake)
    loss = _mean(softplus(-f_real)) + _mean(softplus(f_fake))  # (15)
    return loss, -sigmoid(-f_real) / f_real.size, sigmoid(f_fake) / f_fake.size


def non_saturating_g(f_fake: Array) -> tuple[float, Array]:
    """Minimise −E[log D(G(z))], the cost of G in the paper's experiments. It stands unnumbered after (15).

    Returns
    -------
    loss : float
        mean softplus(−f_fake).
    df_fake : array
        Its gradient.
    """
    (f_fake,) = floats(f_fake)
    return _mean(softplus(-f_fake)), -sigmoid(-f_fake) / f_fake.size


def saturating_g(f_fake: Array) -> tuple[float, Array]:
    """Minimise E[log(1 − D(G(z)))], G's half of (15). Its gradient vanishes where D is sure.

    Returns
    -------
    loss : float
        −mean softplus(f_fake).
    df_fake : array
        Its gradient.
    """
    (f_fake,) = floats(f_fake)
    return -_mean(softplus(f_fake)), -sigmoid(f_fake) / f_fake.size


def hinge_d(f_real: Array, f_fake: Array) -> tuple[float, Array, Array]:
    """Minimise −V_D(Ĝ, D) of the hinge loss, D = f. Eq. (16).

    Returns
    -------
    loss : float
        mean max(0, 1 − f_real) + mean max(0, 1 + f_fake), which is −E[min(0, −1 + D(x))] − E[min(0, −1 − D(G(z)))].
    df_real, df_fake : arrays
        Its gradients; 0 at the kinks.
    """
    f_real, f_fake = floats(f_real, f_fake)
    loss = _mean(np.maximum(0.0, 1.0 - f_real)) + _mean(np.maximum(0.0, 1.0 + f_fake))  # (16), −min(0, −a) = max(0, a)
    df_real = (f_real < 1.0).astype(f_real.dtype) / -f_real.size + 0.0  # + 0.0: no −0.0 where a margin is kept
    df_fake = (f_fake > -1.0).astype(f_fake.dtype) * (1.0 / f_fake.size)
    return loss, df_real, df_fake


def wasserstein_d(f_real: Array, f_fake: Array) -> tuple[float, Array, Array]:
    """Minimise E[f(G(z))] − E[f(x)], the critic's half of the WGAN objective (unnumbered, after (17)).

    Returns
    -------
    loss : float
        mean f_fake − mean f_real.
    df_real, df_fake : arrays
        Its gradients, constants.
    """
    f_real, f_fake = floats(f_real, f_fake)
    loss = _mean(f_fake) - _mean(f_real)
    return loss, np.full_like(f_real, -1.0 / f_real.size), np.full_like(f_fake, 1.0 / f_fake.size)


def mean_g(f_fake: Array) -> tuple[float, Array]:
    """Minimise V_G(G, D̂) = −E[D̂(G(z))], D = f: G's cost for the hinge loss and the Wasserstein loss. Eq. (17).

    Returns
    -------
    loss : float
        −mean f_fake.
    df_fake : array
        Its gradient, a constant.
    """
    (f_fake,) = floats(f_fake)
    return -_mean(f_fake), np.full_like(f_fake, -1.0 / f_fake.size)  # (17)


class Loss(NamedTuple):
    """What D minimises and what G minimises.

    Attributes
    ----------
    d : function (f_real, f_fake) -> (loss, df_real, df_fake)
    g : function (f_fake) -> (loss, df_fake)
    """

    d: DLoss
    g: GLoss


STANDARD = Loss(standard_d, non_saturating_g)
SATURATING = Loss(standard_d, saturating_g)
HINGE = Loss(hinge_d, mean_g)
WASSERSTEIN = Loss(wasserstein_d, mean_g)
