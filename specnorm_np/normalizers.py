"""Normalisers of a weight, W ↦ W̄, each with its pullback. Sections 2.1 and 2.3, Appendix F.

A normaliser says how one layer's effective weight W̄ comes out of that layer's blocks of θ and of a small state that
belongs to them (for spectral normalisation the block W and the triplet (ũ, σ̂, ṽ)). It holds hyper-parameters only; its
methods are pure functions. The *pullback*, elsewhere called the vector-Jacobian product, takes the gradient
∇_W̄ V = Ê[δhᵀ] at the effective weight back to the gradient at the blocks. It is linear, so it serves V, which D ascends
in the paper, and the loss −V, which D descends here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from specnorm_np.network import Params
from specnorm_np.spectral import Array, SingularTriplet, check_count, check_positive, power_iteration, random_direction


class Normalizer(Protocol):
    """What a network in training asks of a normaliser.

    `w` stands for the blocks of one layer, in the order of `blocks`: a single W for spectral normalisation.
    """

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks of θ that make one W̄; layer l has them with l appended."""

    def parametrize(self, W: Array) -> tuple[Array, ...]:
        """W ↦ the blocks that a freshly drawn W becomes."""

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """(*w, rng=rng) ↦ the state that belongs to freshly drawn blocks."""

    def normalize(self, *args: Any) -> Array:
        """(*w, state) ↦ W̄."""

    def pullback(self, *args: Any) -> tuple[Array, ...]:
        """(∂V/∂W̄, *w, state) ↦ the gradient at each of the blocks."""

    def settle(self, *args: Any) -> tuple[tuple[Array, ...], Any]:
        """(*w, state) ↦ the blocks and the state after an update of the blocks. It is called once per update.

        Whatever has to follow an update happens here. Spectral normalisation keeps the blocks as they are and does one
        power iteration; a method that projects its weights returns other blocks.
        """


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
    dW_bar, W, dN = map(np.asarray, (dW_bar, W, dN))
    alpha = 1.0 / N
    lam = alpha * float(np.vdot(dW_bar, W))
    dW: Array = lam * dN
    np.subtract(dW_bar, dW, out=dW)
    dW *= alpha  # (35)
    return dW


@dataclass(frozen=True)
class Identity:
    """No normalisation: W̄ = W, and no state."""

    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> Any:
        """There is no state."""
        return None

    def normalize(self, W: Array, state: Any) -> Array:
        """Return W itself."""
        return W

    def pullback(self, dW_bar: Array, W: Array, state: Any) -> tuple[Array]:
        """Return the gradient as it came."""
        return (dW_bar,)

    def settle(self, W: Array, state: Any) -> tuple[tuple[Array], Any]:
        """Nothing has to follow an update."""
        return (W,), state


PLAIN = Identity()


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
    converged. If W = 0, which is 0-Lipschitz already, then W̄ = 0 and the gradient passes unchanged.
    """

    n_iter: int = 1
    K: float = 1.0
    blocks: ClassVar[tuple[str, ...]] = ("W",)

    def __post_init__(self) -> None:
        check_count("n_iter", self.n_iter)
        check_positive("K", self.K)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Return W as the only block."""
        return (W,)

    def start(self, W: Array, *, rng: np.random.Generator) -> SingularTriplet:
        """Draw ũ at random and iterate. Algorithm 1, footnote 7."""
        return power_iteration(W, random_direction(W.shape[0], dtype=W.dtype, rng=rng), self.n_iter)

    def normalize(self, W: Array, triplet: SingularTriplet) -> Array:
        """Divide W by N(W) = σ̂/K. Eqs. (8), (22)."""
        return W / self._N(triplet)  # (8), (22)

    def pullback(self, dW_bar: Array, W: Array, triplet: SingularTriplet) -> tuple[Array]:
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
        one (d_out, d_in) array, in a tuple
            (1/σ̂)(Ê[δhᵀ] − λ ũṽᵀ) at K = 1.

        Notes
        -----
        ũ and ṽ are held constant, σ̂ = ũᵀWṽ is not: ∂σ̂/∂W_ij = [ũṽᵀ]_ij, as in (9). So this is the exact gradient for
        fixed ũ, ṽ after any number of iterations; it is the gradient of W/σ(W) at convergence only. λ = Ê[δᵀ(W̄h)] of
        (12) is trace(Ê[δhᵀ]ᵀ W̄) of (37), which needs no further pass through the network.
        """
        dN = triplet.u[:, None] * (triplet.v / self.K)
        return (pullback_of_quotient(dW_bar, W, self._N(triplet), dN),)  # (12), (37)

    def settle(self, W: Array, triplet: SingularTriplet) -> tuple[tuple[Array], SingularTriplet]:
        """Keep W, and iterate from the ũ of the last update. Eqs. (20)-(22)."""
        return (W,), power_iteration(W, triplet.u, self.n_iter)  # (20), (21)

    def _N(self, triplet: SingularTriplet) -> float:
        return triplet.sigma / self.K or 1.0


def parametrized(layers: Sequence[tuple[Array, Array]], normalizer: Normalizer) -> Params:
    """Make the θ that represents given (W, b), with the normaliser's own blocks in the place of each W."""
    blocks: dict[str, Array] = {}
    for l, (W, b) in enumerate(layers, 1):
        for name, block in zip((*normalizer.blocks, "b"), (*normalizer.parametrize(W), b), strict=True):
            blocks[f"{name}{l}"] = block
    return Params.of_blocks(blocks)
