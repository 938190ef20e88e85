"""What acts on W after the step, or on the objective: section 3 and D.2-D.4. Eqs. (14), (28)-(31).

Like a normaliser, each of these holds hyper-parameters only. A *projection* takes one layer's blocks, after the step of
the optimiser, back to allowed ones. A *penalty* has a value, to be added to the loss of D, and a gradient: that of a
penalty of W alone is added at the raw W, after the pullback; that of the gradient penalty at W̄, before it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from specnorm_np.network import deltas, forward, gains, orthonormalized
from specnorm_np.spectral import Array, SingularTriplet


class Projection(Protocol):
    """What a network in training asks of a projection."""

    @property
    def project(self) -> Callable[..., tuple[Array, ...]]:
        """*w ↦ allowed blocks, in the order of `blocks` of the normaliser that it goes with."""


class WeightPenalty(Protocol):
    """What a network in training asks of a penalty of W alone."""

    def penalty(self, W: Array, norm: Any) -> tuple[float, Array]:
        """Return the value at a raw W, and the gradient there; `norm` is the state of its normaliser."""


def _check_positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} is {value}; expected a positive finite number")


@dataclass(frozen=True)
class Clip:
    """Weight clipping (Arjovsky et al. 2017): every entry of W into [−c, c]. D.2.

    Parameters
    ----------
    c : float, positive
        The paper's is 0.01. Biases are not clipped.

    Notes
    -----
    The largest σ(W) allowed is c√(d_o d_i), at W = c ss'ᵀ with sign vectors s, s': a matrix of rank one.
    """

    c: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("c", self.c)

    def project(self, W: Array) -> tuple[Array]:
        """Truncate every entry."""
        return (np.clip(W, -self.c, self.c),)


@dataclass(frozen=True)
class SingularValueClip:
    """Singular value clipping (Saito et al. 2017): every singular value of W down to K at most, by SVD. D.3.

    Parameters
    ----------
    K : float, positive
    """

    K: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("K", self.K)

    def project(self, W: Array) -> tuple[Array]:
        """Return the nearest matrix, in the Frobenius norm, with σ(W) ≤ K; W itself if it is one."""
        U, S, Vt = np.linalg.svd(W, full_matrices=False)
        return (W if S[0] <= self.K else U * np.minimum(S, self.K) @ Vt,)


@dataclass(frozen=True)
class USV:
    """The parametrisation W = USVᵀ with UᵀU = VᵀV = I and max S_ii = K: a normaliser and a projection. Eq. (28).

    Parameters
    ----------
    K : float, positive

    Notes
    -----
    The blocks are U (d_o, P), the diagonal of S (P,) and V (d_i, P), P = min(d_o, d_i). A step of the optimiser leaves
    the allowed set: UᵀU = I is curved. `project` returns to it, after every step. S_ii may become negative: this is the
    W of −S_ii and −u_i, and |S_ii| is what counts.
    """

    K: float = 1.0
    blocks: ClassVar[tuple[str, ...]] = ("U", "S", "V")

    def __post_init__(self) -> None:
        _check_positive("K", self.K)

    def parametrize(self, W: Array) -> tuple[Array, Array, Array]:
        """Factorise W by SVD and scale S to max S_ii = K."""
        U, S, Vt = np.linalg.svd(W, full_matrices=False)
        return self.project(U, self.K * (S / (S[0] or 1.0)), Vt.T)

    def start(self, U: Array, S: Array, V: Array, *, rng: np.random.Generator) -> None:
        """There is no state."""

    def refresh(self, U: Array, S: Array, V: Array, state: None) -> None:
        """There is no state."""

    def normalize(self, U: Array, S: Array, V: Array, state: None) -> Array:
        """Multiply the factors. Eq. (28)."""
        W: Array = U * S @ V.T  # (28)
        return W

    def pullback(self, dW: Array, U: Array, S: Array, V: Array, state: None) -> tuple[Array, Array, Array]:
        """Pull ∂V/∂W back to dU = dW V S, dS = diag(Uᵀ dW V), dV = dWᵀU S, as if U, S, V were free."""
        dW_V = dW @ V
        return dW_V * S, (U * dW_V).sum(axis=0), dW.T @ U * S

    def project(self, U: Array, S: Array, V: Array) -> tuple[Array, Array, Array]:
        """Return to the allowed set: U, V by QR, which is a retraction; S to the nearest one.

        The nearest S has its entries clipped to [−K, K], and the largest one raised to K if none reaches it.
        """
        S = np.clip(S, -self.K, self.K)
        top = np.abs(S).argmax()
        S[top] = math.copysign(self.K, S[top])
        return orthonormalized(U), S, orthonormalized(V)


@dataclass(frozen=True)
class Orthonormal:
    """Orthonormal regularisation (Brock et al. 2016): lam·‖WᵀW − I‖_F². Eq. (14).

    Start from `orthonormal_layers`.

    Parameters
    ----------
    lam : float, positive
        The paper does not state it; the default is a choice of this package.

    Notes
    -----
    The minimum is 0, at WᵀW = I. A wide W, d_out < d_in, cannot have it: there the minimum is lam·(d_in − d_out), at
    WWᵀ = I. Either way all singular values are 1.
    """

    lam: float = 0.1

    def __post_init__(self) -> None:
        _check_positive("lam", self.lam)

    def penalty(self, W: Array, norm: Any) -> tuple[float, Array]:
        """Return the value and its gradient 4 lam W(WᵀW − I)."""
        E = W.T @ W - np.eye(W.shape[1], dtype=W.dtype)
        return self.lam * float(np.vdot(E, E)), 4.0 * self.lam * (W @ E)  # (14)


@dataclass(frozen=True)
class SpectralNormPenalty:
    """Spectral norm regularisation (Yoshida & Miyato 2017), lam/2·σ(W)². Section 2.1 describes it without a formula.

    Parameters
    ----------
    lam : float, positive
        The default is a choice of this package.

    Notes
    -----
    σ̂ = ũᵀWṽ of the layer's triplet stands for σ(W); in the gradient, lam·σ̂ũṽᵀ, ũ and ṽ are held constant, as in (9).
    It does not depend on the data, unlike the λũṽᵀ of (12), and does not set σ to a value.
    """

    lam: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("lam", self.lam)

    def penalty(self, W: Array, norm: Any) -> tuple[float, Array]:
        """Return the value and its gradient at a raw W, whose triplet is `norm`."""
        if not isinstance(norm, SingularTriplet):
            raise ValueError(f"norm is {norm}; expected the triplet of W, which the normaliser `Tracked` keeps")
        u, sigma, v = norm
        return 0.5 * self.lam * sigma**2, self.lam * sigma * np.outer(u, v)


def interpolate(x_real: Array, x_fake: Array, *, rng: np.random.Generator) -> Array:
    """Draw x̂ = εx + (1 − ε)x̃ with its own ε ~ U[0, 1] for each pair of rows. Eqs. (30), (31).

    Page 5 of the paper has ε on x̃ instead. The law of x̂ is the same.

    Parameters
    ----------
    x_real, x_fake : (n, d) arrays
        x from the data, x̃ = G(z).

    Returns
    -------
    (n, d) array

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if x_real.shape != x_fake.shape:
        raise ValueError(f"x_real has shape {x_real.shape} and x_fake {x_fake.shape}; expected as many rows in both")
    epsilon = rng.random((len(x_real), 1)).astype(x_real.dtype)  # (31)
    return epsilon * x_real + (1.0 - epsilon) * x_fake  # (30)


@dataclass(frozen=True)
class GradientPenalty:
    """The gradient penalty (Gulrajani et al. 2017), lam·E[(‖∇f(x̂)‖₂ − 1)²]. Eqs. (29)-(31).

    Parameters
    ----------
    lam : float, positive
        The paper's λ, 10; not the λ of (12).

    Notes
    -----
    (29) has the gradient of D, section 3 that of f. It is f here: for the Wasserstein loss the two are one, for the
    standard loss D is sigmoid(f).
    """

    lam: float = 10.0

    def __post_init__(self) -> None:
        _check_positive("lam", self.lam)

    def penalty(
        self, W_bar: Sequence[Array], b: Sequence[Array], x_hat: Array, slope: float
    ) -> tuple[float, list[Array]]:
        """Compute the penalty and its gradient at the effective weights. Eq. (29).

        Parameters
        ----------
        W_bar, b, slope
            Of D, as `forward` takes them. D has one output, and no normalisation of activations: with batch
            normalisation f at a point would depend on the other points.
        x_hat : (n, d_0) array
            From `interpolate`.

        Returns
        -------
        R : float
            The penalty.
        dW_bar : L+1 arrays of the shapes of W_bar
            ∂R/∂W̄. The biases have none: f is piecewise linear, so they do not move ∇f, but for the kinks.

        Notes
        -----
        For one x̂, vectors as columns, and D_l the diagonal matrix of the activation's slopes at a_l: backward to x̂ is

            δ_{L+1} = 1,  δ_l = D_l (W̄^{l+1})ᵀ δ_{l+1},  g = ∇f(x̂) = (W̄¹)ᵀ δ_1.

        D_l does not change with W̄, almost everywhere. So this is a linear network from 1 to g, and R = lam(‖g‖ − 1)² a
        loss at its output. The backward pass of this network runs forward through f:

            t_0 = ∂R/∂g = 2 lam (‖g‖ − 1) g/‖g‖,  t_l = D_l W̄^l t_{l-1},  ∂R/∂W̄^l = δ_l t_{l-1}ᵀ.

        At g = 0, where ‖g‖ has no gradient, 0 is taken for g/‖g‖: it is one of its subgradients.
        """
        f, cache = forward(W_bar, b, x_hat, slope)
        if f.shape[1] != 1:
            raise ValueError(f"W_bar has {f.shape[1]} outputs; expected 1, for the gradient of f")
        delta = [delta for _, _, delta in deltas(W_bar, cache, np.ones_like(f), slope)][::-1]
        g = delta[0] @ W_bar[0]
        length = np.linalg.norm(g, axis=1, keepdims=True)
        excess = length - 1.0
        t = np.divide(g, length, out=np.zeros_like(g), where=length > 0.0)
        t *= excess * (2.0 * self.lam / len(g))  # t_0
        dW_bar = [delta[0].T @ t]
        for W, h, delta_l in zip(W_bar[:-1], cache.h[1:], delta[1:], strict=True):
            t = t @ W.T
            t *= gains(h, slope)
            dW_bar.append(delta_l.T @ t)
        return self.lam * float(np.square(excess).mean()), dW_bar  # (29)
