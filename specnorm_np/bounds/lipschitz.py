"""The Lipschitz constant of a network: from above, exactly, and from below. Section 2, eqs. (5), (7).

‖f‖_Lip is the smallest M with ‖f(x) - f(x')‖ ≤ M‖x - x'‖ for all x, x'; f is the network before the link 𝒜. For every
network and every box

    lipschitz_lower_bound ≤ exact_lipschitz_constant ≤ tighter_lipschitz_upper_bound ≤ lipschitz_upper_bound.

The two upper bounds hold in floating point; the two values below them are computed gradients, whose rounding is stated
where they are. Weights of lower precision are taken as they are stored: float64 holds them exactly.

From loose to sharp, the upper bounds of the package are: `lipschitz_upper_bound`, the product (7);
`tighter_lipschitz_upper_bound`; `sdp.sdp_lipschitz_upper_bound`, each never above the one before; and, on a box or with
few inputs, the upper end of `branch_and_bound.certified_lipschitz`.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from specnorm_np.bounds.certificates import spectral_norm_bounds
from specnorm_np.bounds.convolutions import Conv2d
from specnorm_np.bounds.regions import UNIT_ROUNDOFF, affine_pieces, rounding_allowances
from specnorm_np.spectral import Array, check_matrix


def lipschitz_upper_bound(W: Sequence[npt.ArrayLike | Conv2d], slope: float) -> float:
    """Bound ‖f‖_Lip, the K of (5), by the product of the layers' spectral norms. Eq. (7).

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights. Biases do not matter. Any of them may be a `Conv2d`, which counts with the norm of the
        convolution, not with that of its reshaped kernel (footnote 3).
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.

    Returns
    -------
    float
        An upper bound that holds in floating point: certified factors, every product rounded up.

    Raises
    ------
    ValueError
        If W is empty or not a chain of finite matrices, or slope is outside [0, 1], where (7) needs a factor more.

    Notes
    -----
    ‖f‖_Lip ≤ ∏_{l=1}^{L+1} σ(Wˡ), since max(a, slope·a) is 1-Lipschitz for 0 ≤ slope ≤ 1. The bound is on f over all
    of the input space, as a function of real numbers: two computed values of f differ by their rounding on top.
    """
    check_slope(slope)
    norms = [W_l.norm_upper() if isinstance(W_l, Conv2d) else spectral_norm_bounds(W_l)[1] for W_l in _layers(W)]
    return times_up(*norms)  # (7)


def tighter_lipschitz_upper_bound(W: Sequence[npt.ArrayLike], slope: float) -> float:
    """Bound ‖f‖_Lip by norms of products of layers, never above the bound of (7).

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights. Biases do not matter.
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.

    Returns
    -------
    float
        An upper bound that holds in floating point: the norms are certified, the rounding of the products of matrices
        is bounded and added, and every operation on the bounds is rounded up.

    Raises
    ------
    ValueError
        As `lipschitz_upper_bound`.

    Notes
    -----
    The difference of two outputs of an activation is D times that of its inputs, with D diagonal and entries in
    [slope, 1]. So D = c·1 + r·E with c = (1 + slope)/2, r = (1 - slope)/2 and σ(E) ≤ 1. Expanding Wᴸ⁺¹D_L ⋯ D₁W¹ into
    2ᴸ terms, each choosing c·1 or r·E at each activation, and taking norms between the E gives θ_{L+1} of

        θ_m = ∑_{k=0}^{m-1} θ_k r_k cᵐ⁻¹⁻ᵏ σ(Wᵐ ⋯ Wᵏ⁺¹),    θ_0 = r_0 = 1,  r_k = r for k ≥ 1.

    Since σ(Wᵐ ⋯ Wᵏ⁺¹) ≤ ∏σ(Wˡ) and c + r = 1, it is at most (7); the smaller of the two is returned, so that rounding
    does not change their order. With slope 1 it is σ(Wᴸ⁺¹ ⋯ W¹), the constant itself.

    A computed product AB of inner dimension d is off by at most γ_d |A||B| entrywise, γ_d = du/(1 - du) ≤ 2du with
    u = 2⁻⁵³, in any order of summation, underflow aside, which is added; only multiplication of Strassen's kind would
    not satisfy this. So the errors e of Mˡ = Wˡ Mˡ⁻¹ obey e_l ≤ σ(Wˡ) e_{l-1} + 2du ‖Wˡ‖_F ‖Mˡ⁻¹‖_F, in ‖·‖₂.

    References
    ----------
    Combettes and Pesquet, "Lipschitz certificates for layered network structures driven by averaged activation
    operators", SIAM J. Math. Data Sci. 2(2), 2020, arXiv 1903.01014.
    """
    check_slope(slope)
    chain = float64_chain(W)
    norms = [spectral_norm_bounds(W_l)[1] for W_l in chain]
    c = (1.0 + slope) / 2.0
    r = max(1.0 - c, math.nextafter(c - slope, math.inf) if slope < c else 0.0)  # every entry of D is within r of c
    theta = [1.0] + [0.0] * len(chain)
    for k in range(len(chain)):
        start = times_up(theta[k], r) if k else 1.0
        for m, norm in enumerate(_product_norms(chain[k:], norms[k:]), k + 1):
            theta[m] = plus_up(theta[m], times_up(start, *[c] * (m - 1 - k), norm))
    return min(theta[-1], times_up(*norms))


class ExactConstant(NamedTuple):
    """The Lipschitz constant of a network on a box.

    Attributes
    ----------
    value : float
        The largest ‖∇f‖₂ over the regions.
    x : (2,) array
        A point inside a region where it is attained.
    n_regions : int
        Number of regions that were found, on each of which f is affine. Neighbours may share a gradient.
    """

    value: float
    x: Array
    n_regions: int


def exact_lipschitz_constant(
    W: Sequence[npt.ArrayLike],
    b: Sequence[npt.ArrayLike],
    slope: float,
    box: npt.ArrayLike,
    *,
    progress: Callable[[float, float], object] | None = None,
) -> ExactConstant:
    """Compute the Lipschitz constant, on a box, of a network from the plane to the line. Eq. (5).

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights, with d_0 = 2 and d_{L+1} = 1.
    b : L+1 arrays, (d_l,)
        Biases.
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.
    box : ((x_min, x_max), (y_min, y_max))
        Where f is looked at.
    progress : callable, optional
        Called as progress(done, total) with the area that is done and that of the box.

    Returns
    -------
    ExactConstant

    Raises
    ------
    ValueError
        If the shapes do not chain or are not 2 → … → 1, an entry is not finite, slope is outside [0, 1], the box is
        not two intervals of positive length, or pre-activations overflow on it.

    Notes
    -----
    f is continuous, and affine on finitely many convex polygons with gradient Wᴸ⁺¹D_L Wᴸ ⋯ D₁W¹; a box is convex. So
    the smallest M with |f(x) - f(x')| ≤ M‖x - x'‖ on the box is the largest ‖∇f‖₂ over the polygons in it: not over
    the whole plane, unless the box holds a part of every region. `specnorm_np.bounds.regions` builds all polygons.

    What rounding leaves: every region is found that holds a point with all pre-activations beyond 3τ, τ of
    `specnorm_np.bounds.regions.rounding_allowances`. A thinner one may be missed, or be given activations of which some
    are a neighbour's; that gradient still obeys the upper bounds. The value is a gradient computed in float64, so
    it is within n u ∏‖|Wˡ|‖_F of the exact one, n = ∑(d_{l-1} + 3) over all layers, u = 2⁻⁵³.
    """
    chain, biases = float64_scalar_network(W, b, slope)
    if chain[0].shape[1] != 2:
        raise ValueError(f"W[0] has shape {chain[0].shape}; expected (d_1, 2), a network of two inputs")
    sides = checked_box(box, 2)
    total = float(np.prod(sides[:, 1] - sides[:, 0]))
    value, x, n_regions, done = -1.0, sides.mean(axis=1), 0, 0.0
    for pieces in affine_pieces(chain, biases, slope, sides):
        size = np.hypot(pieces.gradient[:, 0], pieces.gradient[:, 1])
        best = int(np.argmax(size))
        if size[best] > value:
            value, x = float(size[best]), pieces.center[best]
        n_regions += len(size)
        done = min(total, done + float(pieces.area.sum()))
        if progress is not None:
            progress(done, total)
    return ExactConstant(value, x, n_regions)


def lipschitz_lower_bound(
    W: Sequence[npt.ArrayLike],
    b: Sequence[npt.ArrayLike],
    slope: float,
    box: npt.ArrayLike | None = None,
    *,
    n_samples: int = 4096,
    n_steps: int = 200,
    n_climbers: int = 64,
    rng: np.random.Generator,
) -> tuple[float, Array]:
    """Find a large input gradient of a network with one output, by sampling and ascent. From below of (5).

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights, with d_{L+1} = 1.
    b : L+1 arrays, (d_l,)
        Biases.
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.
    box : sequence of d_0 pairs (min, max), optional
        Where to look. By default a cube around 0 that holds all kinks of the first layer ten times over.
    n_samples : int, at least 1
        Points to start with: half uniform in the box, half closer to its centre at scales down to a thousandth.
    n_steps : int, at least 0
        Steps of ascent.
    n_climbers : int, at least 1
        How many of the best points ascend.

    Returns
    -------
    value : float
        ‖∇f(x)‖₂.
    x : (d_0,) array
        A point of the box where it is attained.

    Raises
    ------
    ValueError
        As `exact_lipschitz_constant`, for any number of inputs; or if a count is too small.

    Notes
    -----
    ‖∇f‖ is constant on each region of f, so there is nothing to differentiate: a step tries one random displacement for
    each climber, at a scale drawn log-uniformly between 10⁻⁵ of the box and all of it, and keeps what is larger.

    At a kink the formula for ∇f may give what is no gradient of f. So a point counts only if each pre-activation
    exceeds three times its rounding (`specnorm_np.bounds.regions.rounding_allowances`), or does not depend on x nearby
    because all that leads to it is off. Then x lies inside a region whose activations are certain, one of those
    that `exact_lipschitz_constant` finds on the same box. If no point counts, the value is 0, which bounds too.

    The value is computed in float64 and not rounded down: it may exceed the norm at x by n u ∏‖|Wˡ|‖_F,
    n = ∑(d_{l-1} + 3) over all layers, u = 2⁻⁵³.
    """
    chain, biases = float64_scalar_network(W, b, slope)
    for name, count, least in (("n_samples", n_samples, 1), ("n_steps", n_steps, 0), ("n_climbers", n_climbers, 1)):
        if count < least:
            raise ValueError(f"{name} is {count}; expected at least {least}")
    sides = cube_of_kinks(chain[0], biases[0]) if box is None else checked_box(box, chain[0].shape[1])
    tau = rounding_allowances(chain, biases, np.abs(sides).max(axis=1))
    center, half = sides.mean(axis=1), (sides[:, 1] - sides[:, 0]) / 2

    scale = np.ones(n_samples)
    scale[n_samples // 2 :] = 10 ** rng.uniform(-3, 0, n_samples - n_samples // 2)
    x = center + scale[:, None] * half * rng.uniform(-1, 1, (n_samples, len(center)))
    x = np.clip(x, sides[:, 0], sides[:, 1])
    value = certain_gradient_norms(chain, biases, slope, x, tau)
    climbers = np.argsort(-value, kind="stable")[:n_climbers]
    x, value = x[climbers], value[climbers]
    for _ in range(n_steps):
        scale = 10 ** rng.uniform(-5, 0, (len(x), 1))
        trial = np.clip(x + scale * half * rng.standard_normal(x.shape), sides[:, 0], sides[:, 1])
        trial_value = certain_gradient_norms(chain, biases, slope, trial, tau)
        better = trial_value > value
        x[better], value[better] = trial[better], trial_value[better]
    best = int(np.argmax(value))
    return max(float(value[best]), 0.0), x[best]


def certain_gradient_norms(
    W: Sequence[Array], b: Sequence[Array], slope: float, x: Array, tau: Sequence[Array]
) -> Array:
    """Return ‖∇f‖₂ at each row of x, or -1 where an activation is not certain."""
    h, gains, certain = x, [], np.ones(len(x), bool)
    sensitivity = np.ones_like(x)  # 0 where a unit does not depend on x
    for W_l, b_l, tau_l in zip(W[:-1], b[:-1], tau[:-1], strict=True):
        a = h @ W_l.T + b_l
        sensitivity = sensitivity @ np.abs(W_l).T
        certain &= ((np.abs(a) > 3 * tau_l) | (sensitivity == 0)).all(axis=1)
        gains.append(np.where(a > 0, 1.0, slope))
        h, sensitivity = a * gains[-1], sensitivity * gains[-1]
    gradient = np.broadcast_to(W[-1], (len(x), W[-1].shape[1]))
    for W_l, gain in zip(reversed(W[:-1]), reversed(gains), strict=True):
        gradient = (gradient * gain) @ W_l
    return np.where(certain, np.linalg.norm(gradient, axis=1), -1.0)


def cube_of_kinks(W: Array, b: Array) -> Array:
    """Return a cube around 0 that holds the kinks of the first layer ten times over."""
    length = np.linalg.norm(W, axis=1)
    distance = np.abs(b[length > 0]) / length[length > 0]
    radius = 10.0 * float(distance.max(initial=0.0)) or 1.0
    return np.tile([-radius, radius], (W.shape[1], 1))


def _product_norms(W: Sequence[Array], norms: Sequence[float]) -> list[float]:
    """Return upper bounds of σ(W¹), σ(W²W¹), …, given those of each σ(Wˡ)."""
    product, error, bounds = W[0], 0.0, [norms[0]]
    for W_l, norm in zip(W[1:], norms[1:], strict=True):
        d = W_l.shape[1]
        rounding = times_up(2 * d * UNIT_ROUNDOFF, _frobenius_upper(W_l), _frobenius_upper(product))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            product = W_l @ product
        if not np.isfinite(product).all():
            return bounds + [math.inf] * (len(W) - len(bounds))
        underflow = math.ldexp(2 * d * product.size, -1022)
        error = plus_up(plus_up(times_up(norm, error), rounding), underflow)
        bounds.append(plus_up(spectral_norm_bounds(product)[1], error))
    return bounds


def _frobenius_upper(A: Array) -> float:
    """Return an upper bound of ‖A‖_F; the 1 % holds its rounding for any matrix of less than 10¹³ entries."""
    largest = float(np.abs(A).max())
    return times_up(largest, 1.01 * float(np.linalg.norm(A / largest))) if largest else 0.0


def times_up(*factors: float) -> float:
    """Return a product of non-negative numbers, rounded up."""
    product = 1.0
    for factor in factors:
        if factor == 0.0:
            return 0.0
        product = factor if product == 1.0 else math.nextafter(product * factor, math.inf)
    return product


def plus_up(x: float, y: float) -> float:
    """Return a sum of non-negative numbers, rounded up."""
    return x + y if x == 0.0 or y == 0.0 else math.nextafter(x + y, math.inf)


def check_slope(slope: float) -> None:
    """Refuse a slope outside of [0, 1]."""
    if not 0.0 <= slope <= 1.0:
        raise ValueError(f"slope is {slope}; expected a number in [0, 1], where the activation is 1-Lipschitz")


def float64_chain(W: Sequence[npt.ArrayLike]) -> list[Array]:
    """Return the matrices in float64 if each one's columns are the last one's rows."""
    for l, W_l in enumerate(W):
        if isinstance(W_l, Conv2d):
            raise ValueError(f"W[{l}] is a Conv2d; expected a matrix: only lipschitz_upper_bound takes convolutions")
    return [layer for layer in _layers(W) if not isinstance(layer, Conv2d)]


def _layers(W: Sequence[npt.ArrayLike | Conv2d]) -> list[Array | Conv2d]:
    """Return the layers, matrices in float64, if each one takes as many numbers as the last one gives."""
    if len(W) == 0:
        raise ValueError("W is empty; expected L+1 matrices")
    layers = [W_l if isinstance(W_l, Conv2d) else check_matrix(W_l, f"W[{l}]") for l, W_l in enumerate(W)]
    for l, layer in enumerate(layers):
        if not isinstance(layer, Conv2d) and layer.dtype.itemsize > 8:
            raise ValueError(f"W[{l}] has dtype {layer.dtype}; expected float64 or narrower")
        if l and layer.shape[1] != layers[l - 1].shape[0]:
            raise ValueError(f"W[{l}] has shape {layer.shape}; expected {layers[l - 1].shape[0]} columns")
    return [layer if isinstance(layer, Conv2d) else layer.astype(np.float64) for layer in layers]


def float64_scalar_network(
    W: Sequence[npt.ArrayLike], b: Sequence[npt.ArrayLike], slope: float
) -> tuple[list[Array], list[Array]]:
    """Return matrices and biases in float64 if they are those of a network with one output."""
    check_slope(slope)
    chain, biases = float64_chain(W), [np.asarray(b_l) for b_l in b]
    if len(chain[-1]) != 1:
        raise ValueError(f"W[{len(W) - 1}] has shape {chain[-1].shape}; expected one row, a network of one output")
    if len(biases) != len(chain):
        raise ValueError(f"b has {len(biases)} arrays; expected {len(chain)}, one for each matrix")
    for l, (W_l, b_l) in enumerate(zip(chain, biases, strict=True)):
        if b_l.shape != W_l.shape[:1] or not np.issubdtype(b_l.dtype, np.floating):
            raise ValueError(f"b[{l}] has shape {b_l.shape}, dtype {b_l.dtype}; expected {W_l.shape[:1]}, floating")
        if not np.isfinite(b_l).all():
            raise ValueError(f"b[{l}] holds NaN or infinity; expected finite entries")
    return chain, [b_l.astype(np.float64) for b_l in biases]


def checked_box(box: npt.ArrayLike, d: int) -> Array:
    """Return the box in float64 if it is d intervals of positive length."""
    sides = np.asarray(box, dtype=np.float64)
    if sides.shape != (d, 2) or not np.isfinite(sides).all() or not (sides[:, 0] < sides[:, 1]).all():
        raise ValueError(f"box is {sides.tolist()}; expected {d} finite pairs (min, max) with min < max")
    return sides
