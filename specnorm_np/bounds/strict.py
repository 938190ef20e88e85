"""Spectral normalisation that keeps its bound in floating point. Not in the paper.

The paper divides by σ̂, which is a lower bound of σ(W), so that σ(W̄) ends a little above 1. Here W is divided by a
number that is proven to be large enough, and the bound K holds for W̄ as it is stored.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from specnorm_np.bounds.certificates import certified_normalization
from specnorm_np.normalizers import SpectralNorm, pullback_of_quotient
from specnorm_np.spectral import Array, SingularTriplet, power_iteration


class CertifiedTriplet(NamedTuple):
    """The state of `CertifiedSpectralNorm`: a triplet, the W̄ that was certified, and the s it was divided by."""

    u: Array
    sigma: float
    v: Array
    W_bar: Array
    s: float


@dataclass(frozen=True)
class CertifiedSpectralNorm:
    """Spectral normalisation whose bound holds: σ(W̄) ≤ K for W̄ as stored. Not in the paper.

    W̄ = K·W/s, with s a little above σ(W) instead of σ̂ below it; see `certificates.certified_normalization`.

    Parameters
    ----------
    n_iter, K
        As `SpectralNorm`.

    Notes
    -----
    In the pullback c = s/(ũᵀWṽ) is held fixed, as ũ and ṽ are: N(W) = c·ũᵀWṽ/K, so ∇_W N = c ũṽᵀ/K, and
    ⟨∂V/∂W, W⟩ = 0 holds here, too.
    """

    n_iter: int = 1
    K: float = 1.0
    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def __post_init__(self) -> None:
        SpectralNorm(self.n_iter, self.K)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> CertifiedTriplet:
        """Draw ũ at random, iterate, and certify."""
        return self._certified(W, SpectralNorm(self.n_iter).start(W, rng=rng))

    def _certified(self, W: Array, triplet: SingularTriplet) -> CertifiedTriplet:
        return CertifiedTriplet(*triplet, *certified_normalization(W, triplet.sigma, self.K))

    def normalize(self, W: Array, state: CertifiedTriplet) -> Array:
        """Return the W̄ that was certified."""
        return state.W_bar

    def pullback(self, dW_bar: Array, W: Array, state: CertifiedTriplet) -> tuple[Array]:
        """Pull ∂V/∂W̄ back to ∂V/∂W, with (35)."""
        u, sigma, v, _, s = state
        if sigma == 0.0:
            return (dW_bar,)
        dN = u[:, None] * (v * (s / sigma / self.K))
        return (pullback_of_quotient(dW_bar, W, s / self.K, dN),)

    def settle(self, W: Array, state: CertifiedTriplet) -> tuple[tuple[Array], CertifiedTriplet]:
        """Keep W, iterate from the ũ of the last update, and certify."""
        return (W,), self._certified(W, power_iteration(W, state.u, self.n_iter))
