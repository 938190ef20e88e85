"""Gradient descent on the raw weights. Algorithm 1, eq. (23), and Table 1.

An optimiser holds hyper-parameters only. It steps θ as one vector and knows nothing of layers or of normalisation.
`alpha` is the paper's learning rate α everywhere in this module.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from specnorm_np.spectral import Array, check_positive, check_share


class Moments(NamedTuple):
    """What Adam remembers: the running means of the gradient and of its square, and the number t of steps."""

    m: Array
    v: Array
    t: int


class Optimizer(Protocol):
    """What a network in training asks of an optimiser."""

    def start(self, theta: Array) -> Any:
        """Make the state that belongs to the first θ."""

    def step(self, theta: Array, dtheta: Array, state: Any, rate: float) -> tuple[Array, Any]:
        """Return θ and the state after one step against `dtheta`, with the learning rate times `rate`."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, θ ← θ − α∇ℓ. Eq. (23).

    Parameters
    ----------
    alpha : float, positive
        Learning rate.
    """

    alpha: float = 1e-2

    def __post_init__(self) -> None:
        check_positive("alpha", self.alpha)

    def start(self, theta: Array) -> None:
        """There is no state."""

    def step(self, theta: Array, dtheta: Array, state: None, rate: float = 1.0) -> tuple[Array, None]:
        """Return the next θ."""
        return theta - (rate * self.alpha) * dtheta, None  # (23)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba, 2015), with which the paper trains. Section 4, Table 1.

    Parameters
    ----------
    alpha : float, positive
        Learning rate α.
    beta1, beta2 : float in [0, 1)
        Decay rates of the two running means.
    eps : float, positive
        ε in the denominator. The paper does not state it; this is Kingma and Ba's.

    Notes
    -----
    m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − α m̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). The two corrections
    are scalars; they are moved to α and ε, which saves two passes over θ and changes nothing else. One buffer serves
    all of the step: in a network of this size memory costs as much as arithmetic.
    """

    alpha: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_positive("alpha", self.alpha)
        check_positive("eps", self.eps)
        for name in ("beta1", "beta2"):
            check_share(name, getattr(self, name))

    def start(self, theta: Array) -> Moments:
        """Begin with both means at zero."""
        return Moments(0.0 * theta, 0.0 * theta, 0)

    def step(self, theta: Array, dtheta: Array, state: Moments, rate: float = 1.0) -> tuple[Array, Moments]:
        """Return the next θ and the next moments."""
        m, v, t = state.m * self.beta1, state.v * self.beta2, state.t + 1
        buffer = (1.0 - self.beta1) * dtheta
        m += buffer
        np.multiply(dtheta, dtheta, out=buffer)
        buffer *= 1.0 - self.beta2
        v += buffer
        correction = math.sqrt(1.0 - self.beta2**t)
        np.sqrt(v, out=buffer)
        buffer += self.eps * correction
        np.divide(m, buffer, out=buffer)
        buffer *= rate * self.alpha * correction / (1.0 - self.beta1**t)
        return np.subtract(theta, buffer, out=buffer), Moments(m, v, t)


class Setting(NamedTuple):
    """A row of Table 1: an Adam and the number n_dis of updates of D to one of G."""

    adam: Adam
    n_dis: int


TABLE_1 = {
    "A": Setting(Adam(1e-4, 0.5, 0.9), 5),  # Gulrajani et al. 2017
    "B": Setting(Adam(1e-4, 0.5, 0.999), 1),  # Warde-Farley & Bengio 2017
    "C": Setting(Adam(2e-4, 0.5, 0.999), 1),  # Radford et al. 2016
    "D": Setting(Adam(1e-3, 0.5, 0.9), 5),  # D, E, F: aggressive ones
    "E": Setting(Adam(1e-3, 0.5, 0.999), 5),
    "F": Setting(Adam(1e-3, 0.9, 0.999), 5),
}


def linear_decay(progress: float, start: float = 1.0) -> float:
    """Return the factor of α at a share `progress` of the run: 1 up to `start`, then linearly down to 0. B.3.

    With `start` = 1 the factor is always 1.
    """
    return 1.0 if progress < start else (1.0 - progress) / (1.0 - start)


def averaged(mean: Array, theta: Array, decay: float, t: int) -> Array:
    """Return the next exponential average of θ. It is not in the paper, whose samples come from G itself.

    Parameters
    ----------
    mean, theta : (p,) arrays
        The average so far, and the newest θ.
    decay : float in [0, 1)
        How much of the average so far is kept, in the long run.
    t : int, at least 0
        How many θ have entered the average so far, the random start not counted.

    Notes
    -----
    The decay grows: it is min(decay, t/(t + 9)). The first average is therefore θ₁, and the random start θ₀ has no
    weight in any. With a constant decay of 0.999 it would keep 37 % of the weight after 1,000 updates.
    """
    decay = min(decay, t / (t + 9))
    mean = decay * mean
    mean += (1.0 - decay) * theta
    return mean
