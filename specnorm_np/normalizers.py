"""Normalisers of a weight, W ↦ W̄, each with its pullback. Sections 2.1 and 2.3, Appendices D.1, E and F.

A normaliser says how one layer's effective weight W̄ comes out of that layer's blocks of θ and of a small state that
belongs to them (for spectral normalisation the triplet (ũ, σ̂, ṽ)). It holds hyper-parameters only; its methods are
pure functions. The *pullback*, elsewhere called the vector-Jacobian product, takes the gradient ∇_W̄ V = Ê[δhᵀ] at the
effective weight back to the gradient at the blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from specnorm_np.certificates import certified_normalization
from specnorm_np.spectral import Array, SingularTriplet, normalized, power_iteration, random_direction


class Normalizer(Protocol):
    """What a network in training asks of a normaliser. `w` stands for one layer's blocks, in the order of `blocks`."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks of θ that make one W̄; layer l has them with l appended."""

    @property
    def parametrize(self) -> Callable[[Array], tuple[Array, ...]]:
        """W ↦ the blocks that a freshly drawn W becomes, in the order of `blocks`."""

    @property
    def start(self) -> Callable[..., Any]:
        """(*w, rng=rng) ↦ the state that belongs to freshly drawn blocks."""

    @property
    def refresh(self) -> Callable[..., Any]:
        """(*w, state) ↦ the state after an update of the blocks. Called once per update, and by nothing else."""

    @property
    def normalize(self) -> Callable[..., Array]:
        """(*w, state) ↦ W̄."""

    @property
    def pullback(self) -> Callable[..., Any]:
        """(∂V/∂W̄, *w, state) ↦ the gradient at the block, or a tuple of gradients at the blocks."""


def pullback_of_quotient(dW_bar: Array, W: Array, N: float, dN: Array) -> Array:
    """Pull ∂V/∂W̄ back through W̄ = W/N(W), for any differentiable scalar N. Eqs. (33)-(35).

    Parameters
    ----------
    dW_bar : (d_out, d_in) array
        ∇_W̄ V = Ê[δhᵀ].
    W : (d_out, d_in) array
        The raw weight.
    N : float, not 0
        N(W).
    dN : (d_out, d_in) array
        ∇_W N.

    Returns
    -------
    (d_out, d_in) array
        ∂V/∂W = α(∇_W̄ V − λ ∇_W N), α := 1/N(W), λ := trace((∇_W̄ V)ᵀ W̄). This α is Appendix F's and not Adam's.

    Notes
    -----
    It vanishes where ∇_W̄ V = k ∇_W N for a real k (38), provided that N is homogeneous, N(cW) = |c| N(W), as norms
    are; then also ⟨∂V/∂W, W⟩ = 0: scaling W changes nothing.
    """
    alpha = 1.0 / N
    lam = alpha * float(np.vdot(dW_bar, W))
    dW: Array = lam * dN
    np.subtract(dW_bar, dW, out=dW)
    dW *= alpha  # (35)
    return dW


class _OneBlock:
    """What the normalisers of one block W without a state have in common."""

    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> None:
        """There is no state."""

    def refresh(self, W: Array, state: None) -> None:
        """There is no state."""


@dataclass(frozen=True)
class Identity(_OneBlock):
    """No normalisation: W̄ = W."""

    def normalize(self, W: Array, state: None) -> Array:
        """Return W itself."""
        return W

    def pullback(self, dW_bar: Array, W: Array, state: None) -> Array:
        """Return the gradient as it came."""
        return dW_bar


@dataclass(frozen=True)
class SpectralNorm:
    """Spectral normalisation, W̄ = K·W/σ̂. Eqs. (8), (22).

    Parameters
    ----------
    n_iter : int, at least 1
        Power iterations per update of W. The paper uses one.
    K : float, positive
        Lipschitz constant of the layer; the paper has 1. A network of L+1 such layers has K^(L+1).

    Raises
    ------
    ValueError
        If n_iter < 1, or K is not a positive finite number.

    Notes
    -----
    σ̂ = ũᵀWṽ is a lower bound of σ(W), so that σ(W̄) ≥ K up to rounding, with equality when the power iteration has
    converged. W = 0 is 0-Lipschitz already: it is left as it is, and its gradient passes unchanged.
    """

    n_iter: int = 1
    K: float = 1.0
    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def __post_init__(self) -> None:
        if self.n_iter < 1:
            raise ValueError(f"n_iter is {self.n_iter}; expected at least 1")
        if not 0.0 < self.K < float("inf"):
            raise ValueError(f"K is {self.K}; expected a positive finite number")

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> SingularTriplet:
        """Draw ũ at random and iterate. Algorithm 1, footnote 7."""
        return power_iteration(W, random_direction(W.shape[0], dtype=W.dtype, rng=rng), self.n_iter)

    def refresh(self, W: Array, triplet: SingularTriplet) -> SingularTriplet:
        """Iterate from the ũ of the last update. Eqs. (20)-(22)."""
        return power_iteration(W, triplet.u, self.n_iter)

    def normalize(self, W: Array, triplet: SingularTriplet) -> Array:
        """Divide W by N(W) = σ̂/K. Eqs. (8), (22)."""
        return W / self._N(triplet)  # (8), (22)

    def pullback(self, dW_bar: Array, W: Array, triplet: SingularTriplet) -> Array:
        """Pull ∂V/∂W̄ back to ∂V/∂W. Eqs. (9)-(12), (37).

        Parameters
        ----------
        dW_bar : (d_out, d_in) array
            Ê[δhᵀ]: δ carries the 1/n of the mean, so it is the sum over the batch of δhᵀ.
        W : (d_out, d_in) array
            The raw weight.
        triplet : SingularTriplet
            The very triplet that W was normalised with.

        Returns
        -------
        (d_out, d_in) array
            (1/σ̂)(Ê[δhᵀ] − λ ũṽᵀ) at K = 1.

        Notes
        -----
        ũ and ṽ are held constant, σ̂ = ũᵀWṽ is not: ∂σ̂/∂W_ij = [ũṽᵀ]_ij, as in (9). So this is the exact gradient for
        fixed ũ, ṽ after any number of iterations; it is the gradient of W/σ(W) at convergence only. λ = Ê[δᵀ(W̄h)] of
        (12) is trace(Ê[δhᵀ]ᵀ W̄) of (37), which needs no further pass through the network.
        """
        dN = triplet.u[:, None] * (triplet.v / self.K)
        return pullback_of_quotient(dW_bar, W, self._N(triplet), dN)  # (12), (37)

    def _N(self, triplet: SingularTriplet) -> float:
        return triplet.sigma / self.K or 1.0


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

    def refresh(self, W: Array, state: CertifiedTriplet) -> CertifiedTriplet:
        """Iterate from the ũ of the last update, and certify."""
        return self._certified(W, power_iteration(W, state.u, self.n_iter))

    def _certified(self, W: Array, triplet: SingularTriplet) -> CertifiedTriplet:
        return CertifiedTriplet(*triplet, *certified_normalization(W, triplet.sigma, self.K))

    def normalize(self, W: Array, state: CertifiedTriplet) -> Array:
        """Return the W̄ that was certified."""
        return state.W_bar

    def pullback(self, dW_bar: Array, W: Array, state: CertifiedTriplet) -> Array:
        """Pull ∂V/∂W̄ back to ∂V/∂W, with (35)."""
        u, sigma, v, _, s = state
        if sigma == 0.0:
            return dW_bar
        dN = u[:, None] * (v * (s / sigma / self.K))
        return pullback_of_quotient(dW_bar, W, s / self.K, dN)


@dataclass(frozen=True)
class Tracked:
    """No normalisation, W̄ = W, but with the triplet of W, for a penalty on σ(W).

    Parameters
    ----------
    n_iter : int, at least 1
        Power iterations per update of W.
    """

    n_iter: int = 1
    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> SingularTriplet:
        """Draw ũ at random and iterate, as `SpectralNorm`."""
        return SpectralNorm(self.n_iter).start(W, rng=rng)

    def refresh(self, W: Array, triplet: SingularTriplet) -> SingularTriplet:
        """Iterate from the ũ of the last update, as `SpectralNorm`."""
        return power_iteration(W, triplet.u, self.n_iter)

    def normalize(self, W: Array, triplet: SingularTriplet) -> Array:
        """Return W itself."""
        return W

    def pullback(self, dW_bar: Array, W: Array, triplet: SingularTriplet) -> Array:
        """Return the gradient as it came."""
        return dW_bar


@dataclass(frozen=True)
class FrobeniusNorm(_OneBlock):
    """Frobenius normalisation, W̄ = W/‖W‖_F. Eq. (26).

    Notes
    -----
    Σ_t σ_t(W̄)² = ‖W̄‖_F² = 1, a budget that the singular values share; σ(W̄) ≤ 1. W = 0 is left as it is, and its
    gradient passes unchanged. There is no state.
    """

    def normalize(self, W: Array, state: None) -> Array:
        """Divide W by ‖W‖_F. Eq. (26)."""
        return normalized(W.ravel())[0].reshape(W.shape)  # (26)

    def pullback(self, dW_bar: Array, W: Array, state: None) -> Array:
        """Pull ∂V/∂W̄ back to ∂V/∂W: (35) with ∇_W ‖W‖_F = W̄. Eq. (36)."""
        W_bar, N = normalized(W.ravel())
        return pullback_of_quotient(dW_bar, W, N or 1.0, W_bar.reshape(W.shape))  # (36)


@dataclass(frozen=True)
class WeightNorm(_OneBlock):
    """Weight normalisation (Salimans & Kingma 2016) without γ, the paper's baseline: w̄_i = w_i/‖w_i‖₂. Eq. (25).

    Notes
    -----
    w_i is a row of W. Each has its own norm, so this is not W/N(W) with a scalar N, but (26) and (36) row by row. It
    follows that Σ_t σ_t(W̄)² = d_o (13), (27), shared by T = min(d_i, d_o) singular values: σ(W̄) can be as large as
    √d_o, and is, at rank one. A row of zeros is left as it is, and its gradient passes unchanged. There is no state.
    """

    def normalize(self, W: Array, state: None) -> Array:
        """Divide every row by its length. Eq. (25)."""
        return W / self._N(W)  # (25)

    def pullback(self, dW_bar: Array, W: Array, state: None) -> Array:
        """Pull ∂V/∂W̄ back to ∂V/∂W, row by row. Eq. (36)."""
        N = self._N(W)
        W_bar = W / N
        lam = np.einsum("ij,ij->i", dW_bar, W_bar)[:, None]
        dW: Array = (dW_bar - lam * W_bar) / N  # (36)
        return dW

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

    It is no longer 1-Lipschitz: the paper has it together with the gradient penalty (E.1).

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

    def refresh(self, W: Array, gamma: Array, state: Any) -> Any:
        """Refresh the state of the normaliser."""
        return self.normalizer.refresh(W, state)

    def normalize(self, W: Array, gamma: Array, state: Any) -> Array:
        """Multiply W̄ by γ. Eq. (32)."""
        return gamma * self.normalizer.normalize(W, state)  # (32)

    def pullback(self, dW_tilde: Array, W: Array, gamma: Array, state: Any) -> tuple[Array, Array]:
        """Pull ∂V/∂W̃ back to ∂V/∂W and ∂V/∂γ."""
        product = dW_tilde * self.normalizer.normalize(W, state)
        dgamma = product.sum(axis=1, keepdims=True) if self.per_row else product.sum().reshape(1)
        return self.normalizer.pullback(gamma * dW_tilde, W, state), dgamma
