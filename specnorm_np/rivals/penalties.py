"""Penalties, terms that are added to the loss of D: sections 3 and D.4. Eqs. (14), (29)-(31).

Each holds hyper-parameters only. Called with what a step of D has at hand, it returns its value and its gradient at the
effective weights, as `losses.Penalty` says. In the paper the penalties of the weights alone go with W̄ = W.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from specnorm_np.network import MLP, deltas, forward, gains
from specnorm_np.rivals.projections import orthonormalized
from specnorm_np.spectral import Array, SingularTriplet, check_positive, floats


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
    The minimum is 0, where WᵀW = I. A wide W, with d_out < d_in, cannot reach it. Its minimum is lam·(d_in − d_out),
    where WWᵀ = I. In both cases all singular values are 1.
    """

    lam: float = 0.1

    def __post_init__(self) -> None:
        check_positive("lam", self.lam)

    def penalty(self, W: Array, norm: Any) -> tuple[float, Array]:
        """Return the value and its gradient 4 lam W(WᵀW − I)."""
        E = W.T @ W - np.eye(W.shape[1], dtype=W.dtype)
        return self.lam * float(np.vdot(E, E)), 4.0 * self.lam * (W @ E)  # (14)

    def __call__(
        self, net: MLP, W_bar: Sequence[Array], b: Sequence[Array], norms: Sequence[Any], *more: Any
    ) -> tuple[float, list[Array]]:
        """Add up the penalties of all layers, taken at W̄, which is W if D has no normalisation."""
        terms = [self.penalty(W, norm) for W, norm in zip(W_bar, norms, strict=True)]
        return sum(value for value, _ in terms), [gradient for _, gradient in terms]


def orthonormal_layers(
    widths: Sequence[int], slope: float = 0.0, *, dtype: npt.DTypeLike = np.float64, rng: np.random.Generator
) -> list[tuple[Array, Array]]:
    """Draw orthonormal weights, uniformly (Haar), and zero biases, where orthonormal D starts. Section 4.1.

    WᵀW = I, or WWᵀ = I if W is wide: a minimum of (14) in both cases. The slope of the activations makes no difference;
    it is an argument so that this function can stand in the place of `he_layers`.

    Raises
    ------
    ValueError
        As `he_layers`.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths is {tuple(widths)}; expected at least an input and an output, each at least 1")
    layers = []
    for d_in, d_out in pairwise(widths):
        Q = orthonormalized(rng.standard_normal((max(d_in, d_out), min(d_in, d_out))))
        layers.append(((Q if d_out >= d_in else Q.T).astype(dtype), np.zeros(d_out, dtype)))
    return layers


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
        check_positive("lam", self.lam)

    def penalty(self, W: Array, norm: Any) -> tuple[float, Array]:
        """Return the value and its gradient at a raw W, whose triplet is `norm`."""
        if not isinstance(norm, SingularTriplet):
            raise ValueError(f"norm is {norm}; expected the triplet of W, which the normaliser `Tracked` keeps")
        u, sigma, v = norm
        return 0.5 * self.lam * sigma**2, self.lam * sigma * np.outer(u, v)

    def __call__(
        self, net: MLP, W_bar: Sequence[Array], b: Sequence[Array], norms: Sequence[Any], *more: Any
    ) -> tuple[float, list[Array]]:
        """Add up the penalties of all layers, taken at W̄, which is W if D has no normalisation."""
        terms = [self.penalty(W, norm) for W, norm in zip(W_bar, norms, strict=True)]
        return sum(value for value, _ in terms), [gradient for _, gradient in terms]


def interpolate(x_real: Array, x_fake: Array, *, rng: np.random.Generator) -> Array:
    """Draw x̂ = εx + (1 − ε)x̃ with its own ε ~ U[0, 1] for each pair of rows. Eqs. (30), (31).

    Page 5 of the paper writes ε beside x̃ instead. The law of x̂ is the same.

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
    x_real, x_fake = floats(x_real, x_fake)
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
        The λ of (29), for which the paper has 10. It is not the λ of (12).

    Notes
    -----
    (29) has the gradient of D, and section 3 has that of f. Here it is the gradient of f. For the Wasserstein loss
    the two are the same; for the standard loss D is sigmoid(f).
    """

    lam: float = 10.0

    def __post_init__(self) -> None:
        check_positive("lam", self.lam)

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
        delta = deltas(W_bar, cache, np.ones_like(f), slope)
        g = delta[0] @ W_bar[0]
        length = np.linalg.norm(g, axis=1, keepdims=True)
        excess = length - 1.0
        t = np.divide(g, length, out=np.zeros_like(g), where=length > 0.0)
        t *= excess * (2.0 * self.lam / len(g))  # t_0
        dW_bar = [delta[0].T @ t]
        for W, h, delta_l in zip(W_bar[:-1], cache[1:], delta[1:], strict=True):
            t = t @ W.T
            t *= gains(h, slope)
            dW_bar.append(delta_l.T @ t)
        return self.lam * float(np.square(excess).mean()), dW_bar  # (29)

    def __call__(
        self,
        net: MLP,
        W_bar: Sequence[Array],
        b: Sequence[Array],
        norms: Sequence[Any],
        x_real: Array,
        x_fake: Array,
        rng: np.random.Generator | None,
    ) -> tuple[float, list[Array]]:
        """Draw the points, and compute the penalty there.

        Raises
        ------
        ValueError
            If D normalises activations, for f at a point would then depend on other points; or if there is no rng.
        """
        if type(net) is not MLP:
            raise ValueError(f"d_net is {net}; expected a plain MLP beside the gradient penalty")
        if rng is None:
            raise ValueError("rng is None; expected a Generator for the points of the gradient penalty")
        return self.penalty(W_bar, b, interpolate(x_real, x_fake, rng=rng), net.slope)
