"""The normalisers that the paper compares with: weight and Frobenius normalisation, a learned gain, a tracked triplet.

Appendices D.1 and E, eqs. (13), (25)-(27), (32), (36).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from specnorm_np.normalizers import Identity, Normalizer, SpectralNorm, pullback_of_quotient
from specnorm_np.spectral import Array, SingularTriplet, normalized


@dataclass(frozen=True)
class FrobeniusNorm(Identity):
    """Frobenius normalisation, W̄ = W/‖W‖_F. Eq. (26).

    Notes
    -----
    Σ_t σ_t(W̄)² = ‖W̄‖_F² = 1, a budget that the singular values share; σ(W̄) ≤ 1. If W = 0, then
    W̄ = 0 and the gradient passes unchanged. There is no state.
    """

    def normalize(self, W: Array, state: Any) -> Array:
        """Divide W by ‖W‖_F. Eq. (26)."""
        return normalized(W.ravel())[0].reshape(W.shape)  # (26)

    def pullback(self, dW_bar: Array, W: Array, state: Any) -> tuple[Array]:
        """Pull ∂V/∂W̄ back to ∂V/∂W: (35) with ∇_W ‖W‖_F = W̄. Eq. (36)."""
        W_bar, N = normalized(W.ravel())
        return (pullback_of_quotient(dW_bar, W, N or 1.0, W_bar.reshape(W.shape)),)  # (36)


@dataclass(frozen=True)
class WeightNorm(Identity):
    """Weight normalisation (Salimans & Kingma 2016) without γ, the paper's baseline: w̄_i = w_i/‖w_i‖₂. Eq. (25).

    Notes
    -----
    w_i is a row of W. Each has its own norm, so this is not W/N(W) with a scalar N, but (26) and (36) row by row. It
    follows that Σ_t σ_t(W̄)² = d_o (13), (27), shared by T = min(d_i, d_o) singular values: σ(W̄) can be as large as
    √d_o, and is, at rank one. A row of zeros stays as it is, and its gradient passes unchanged. There is no state.
    """

    def normalize(self, W: Array, state: Any) -> Array:
        """Divide every row by its length. Eq. (25)."""
        return W / self._N(W)  # (25)

    def pullback(self, dW_bar: Array, W: Array, state: Any) -> tuple[Array]:
        """Pull ∂V/∂W̄ back to ∂V/∂W, row by row. Eq. (36)."""
        N = self._N(W)
        W_bar = W / N
        lam = np.einsum("ij,ij->i", dW_bar, W_bar)[:, None]
        return ((dW_bar - lam * W_bar) / N,)  # (36)

    def _N(self, W: Array) -> Array:
        """Return ‖w_i‖₂ of every row, (d_out, 1), and 1 for a row of zeros."""
        N: Array = np.sqrt(np.einsum("ij,ij->i", W, W))[:, None]
        if not 1e-10 < N.min() <= N.max() < 1e10:  # the squares may have left the range: divide by the largest first
            largest = np.abs(W).max(axis=1, keepdims=True)
            largest[largest == 0.0] = 1.0
            N = largest * np.linalg.norm(W / largest, axis=1, keepdims=True)
            N[N == 0.0] = 1.0
        return N


@dataclass(frozen=True)
class Scaled:
    """Reparametrisation with a learned gain, W̃ = γW̄. Eq. (32).

    A network of such layers is no longer 1-Lipschitz. The paper therefore uses it together with the gradient penalty
    (E.1).

    Parameters
    ----------
    normalizer : Normalizer
        What makes W̄, of the one block W.
    per_row : bool
        One γ for the layer, (1,), as in (32); or one for each row of W, (d_out, 1), as in footnote 8 for weight
        normalisation.

    Raises
    ------
    ValueError
        If the normaliser has other blocks than W.

    Notes
    -----
    γ is a block of θ and starts at 1, where W̃ = W̄; the paper does not state its start. ∂V/∂γ is trace((∇_W̃ V)ᵀ W̄), or
    the same sum of each row, and ∇_W̄ V = γ ∇_W̃ V.
    """

    normalizer: Normalizer
    per_row: bool = False
    blocks: ClassVar[tuple[str, ...]] = ("W", "gamma")

    def __post_init__(self) -> None:
        if self.normalizer.blocks != ("W",):
            raise ValueError(f"normalizer has the blocks {self.normalizer.blocks}; expected one that has W only")

    def parametrize(self, W: Array) -> tuple[Array, Array]:
        """Return W and γ = 1."""
        return W, np.ones((W.shape[0], 1) if self.per_row else (1,), W.dtype)

    def start(self, W: Array, gamma: Array, *, rng: np.random.Generator) -> Any:
        """Make the state of the normaliser."""
        return self.normalizer.start(W, rng=rng)

    def normalize(self, W: Array, gamma: Array, state: Any) -> Array:
        """Multiply W̄ by γ. Eq. (32)."""
        return gamma * self.normalizer.normalize(W, state)  # (32)

    def pullback(self, dW_tilde: Array, W: Array, gamma: Array, state: Any) -> tuple[Array, Array]:
        """Pull ∂V/∂W̃ back to ∂V/∂W and ∂V/∂γ."""
        product = dW_tilde * self.normalizer.normalize(W, state)
        dgamma = product.sum(axis=1, keepdims=True) if self.per_row else product.sum().reshape(1)
        (dW,) = self.normalizer.pullback(gamma * dW_tilde, W, state)
        return dW, dgamma

    def settle(self, W: Array, gamma: Array, state: Any) -> tuple[tuple[Array, Array], Any]:
        """Let the normaliser settle W; γ is free."""
        (W,), state = self.normalizer.settle(W, state)
        return (W, gamma), state


@dataclass(frozen=True)
class Tracked(SpectralNorm):
    """No normalisation, W̄ = W, but with the triplet of W, for a penalty on σ(W).

    Parameters
    ----------
    n_iter : int, at least 1
        Power iterations per update of W.
    """

    def normalize(self, W: Array, triplet: SingularTriplet) -> Array:
        """Return W itself."""
        return W

    def pullback(self, dW_bar: Array, W: Array, triplet: SingularTriplet) -> tuple[Array]:
        """Return the gradient as it came."""
        return (dW_bar,)
