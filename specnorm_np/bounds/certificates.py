"""Bounds of σ(W) that hold in floating point, and what a power iteration's residual does and does not prove.

Everything rigorous here rests on one identity. For every real number c² and every square matrix L,

    WᵀW = c² I − LLᵀ − D   with   D := c² I − WᵀW − LLᵀ,

and because LLᵀ is positive semidefinite, σ(W)² = λ_max(WᵀW) ≤ c² + ‖D‖₂. A Cholesky factor L of c² I − WᵀW,
which exists when c > σ(W), makes D nearly zero; nothing is assumed about how well it was computed. What is left is
to bound ‖D‖₂ from computed matrix products, which needs no more than the error of a dot product.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array, check_matrix, normalized, power_iteration

_U = 2.0**-53  # the rounding unit of float64


class Convergence(NamedTuple):
    """What was seen, iteration by iteration, of a power iteration, beside what its residuals predict.

    Attributes
    ----------
    sigma : (n_iter,) array
        σ̂ after each iteration.
    residual_u, residual_v : (n_iter,) arrays
        ‖Wṽ − σ̂ũ‖ and ‖Wᵀũ − σ̂ṽ‖. The first is zero up to rounding, by (21).
    r : float
        Estimate of σ₂/σ₁; NaN if fewer than two residuals stand above rounding.
    predicted_error, error : (n_iter,) arrays
        σ(W) − σ̂ as estimated from the residual and r, and as measured by SVD.
    predicted_angle, angle : (n_iter,) arrays
        The sine of the angle between ṽ and v₁, likewise.
    """

    sigma: Array
    residual_u: Array
    residual_v: Array
    r: float
    predicted_error: Array
    error: Array
    predicted_angle: Array
    angle: Array


def spectral_norm_bounds(W: npt.ArrayLike) -> tuple[float, float]:
    """Bound σ(W) from both sides, rigorously for W as stored: rounding is included.

    Parameters
    ----------
    W : (d_out, d_in) array
        Any finite matrix, float64 or narrower. Its range does not matter: 1e-300 and 1e300 may meet in one matrix.

    Returns
    -------
    lower, upper : float
        lower ≤ σ(W) ≤ upper. Both 0 if and only if W = 0; upper is infinite if σ(W) is within rounding of the
        largest float, or above.

    Raises
    ------
    ValueError
        As `check_matrix`, or if W is wider than float64.

    Notes
    -----
    Notation: W is scaled by a power of two so that ½ ≤ max|W_ij| < 1, and transposed if need be, to m × n with
    m ≥ n; u = 2⁻⁵³; γ_k = ku/(1−ku). Model (Higham, chapters 2 and 3): a dot product of k terms, in any order of
    summation and with or without fused multiply-add, differs from xᵀy by at most γ_k|x|ᵀ|y|, underflow aside.
    Matrix multiplication of Strassen's kind is excluded.

    *Upper.* Let G, M, H, F be the computed WᵀW, c² I − G, LLᵀ and M − H, where L is the computed Cholesky factor
    of M. Then D = (M−H) + (c² I−G−M) + (G−WᵀW) + (H−LLᵀ), and, term by term,

        ‖D‖₂ ≤ ‖F‖_F/(1−u) + u c² + γ_m ‖W‖_F² + γ_n ‖L‖_F²,

    since F is M − H rounded once; c² I − G is rounded on the diagonal only, where 0 < M_ii ≤ c²; and
    ‖ |W|ᵀ|W| ‖_F ≤ ‖W‖_F². The traces of G and H stand for the last two norms, from which they differ by a factor
    of 1 ± γ_2m at most. A factor 1.01 on the whole covers this and every rounding made in adding the terms up, as
    long as mn < 10¹². Then σ(W) ≤ √(c² + 1.01(…)), where one sum, one root and one product are rounded: 2½u in
    all, which the last factor 1 + 4u exceeds by more than u. ‖W‖_F, rounded up, is the bound where it is smaller.

    *Lower.* For every vector v ≠ 0, σ(W) ≥ ‖Wv‖/‖v‖. With y the computed Wv, ‖y − Wv‖ ≤ γ_n ‖W‖_F ‖v‖, the
    computed ‖y‖ and ‖v‖ are off by a factor of 1 ± γ_m and 1 ± γ_n at most, and the quotient by 1 ± u:

        σ(W) ≥ (‖y‖/‖v‖)(1 − (m+n+8)u) − 1.01 γ_n ‖W‖_F.

    The spare 7u and 1.01 cover the roundings of this line and of the two roots. σ(W) ≥ max|W_ij| needs none.

    *Underflow.* An operation that underflows is off by at most 2⁻¹⁰²², even where it flushes to zero. In scaling and
    in the products this adds at most 4mn² 2⁻¹⁰²² to a matrix in ‖·‖_F, and in the squares of ‖F‖_F and ‖y‖ at most
    n 2⁻⁵¹¹ and m 2⁻⁵¹¹: below 2⁻⁴⁰⁰ together, while the spare factor 1 + u is worth more than 2⁻⁵⁴, for σ(W) ≥ ½.

    c² and v come from the eigendecomposition of G; the bounds hold whatever they are, and are close because they
    are good. Since ‖W‖_F² + ‖L‖_F² is nearly nc², the relative width is about ½mn u, plus 4m u by which c² is taken
    larger than the computed σ², plus γ_n‖W‖_F/σ.

    References
    ----------
    N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM, 2002.
    S. M. Rump, Verification of positive definiteness, BIT 46 (2006), 433-452: the same with an a priori bound of
    the error of Cholesky's algorithm in place of H.
    """
    A, exponent = _scaled(_check_width(W))
    if not A.any():
        return 0.0, 0.0
    A = A if A.shape[0] >= A.shape[1] else A.T
    m, n = A.shape
    G = _gram(A)
    eigenvalues, V = np.linalg.eigh(G)
    upper, frobenius, slack = math.nan, _frobenius(A), 8 * m * _U
    while math.isnan(upper) and slack < 1.0:
        upper = _upper(G, m, float(eigenvalues[-1]) * (1.0 + slack))
        slack *= 8.0
    upper = upper if upper < frobenius else frobenius
    y, v = A @ V[:, -1], V[:, -1]
    quotient = float(np.linalg.norm(y) / np.linalg.norm(v))
    lower = quotient * (1.0 - (m + n + 8) * _U) - 1.01 * _gamma(n) * frobenius
    lower = max(lower, float(np.abs(A).max()))
    return _unscaled(lower, exponent, 0.0), _unscaled(upper, exponent, math.inf)


def certify_upper(W: npt.ArrayLike, bound: float) -> bool:
    """Tell whether σ(W) ≤ bound could be proven, at about a third of the cost of `spectral_norm_bounds`.

    Parameters
    ----------
    W : (d_out, d_in) array
        Any finite matrix, float64 or narrower, taken as stored.
    bound : float
        At least 0.

    Returns
    -------
    bool
        True only if σ(W) ≤ bound, rounding included. False proves nothing: it is also the answer for a bound
        above σ(W) by less than about (mn + 16n + 16)·2⁻⁵³ relative, n the shorter side.

    Raises
    ------
    ValueError
        As `spectral_norm_bounds`, or if bound is NaN or negative.

    Notes
    -----
    True if ‖W‖_F ≤ bound, False if max|W_ij| > bound; else the upper bound of `spectral_norm_bounds` with c²
    less than bound² by as much as ‖D‖₂ is expected to be.
    """
    W, bound = _check_width(W), float(bound)
    if not bound >= 0.0:
        raise ValueError(f"bound is {bound}; expected a number of at least 0")
    return _certified(W, bound)


def certified_normalization(
    W: npt.ArrayLike, sigma_hat: float, K: float = 1.0, *, margin: float = 0.01
) -> tuple[Array, float]:
    """Scale W to W̄ = (K/s) W such that σ(W̄) ≤ K holds for W̄ as stored. The strict form of eq. (8).

    Parameters
    ----------
    W : (d_out, d_in) array
        The raw weight, float64 or narrower.
    sigma_hat : float
        σ̂ of a power iteration. Safe whatever it is, if finite and at least 0: too low costs time, too high
        makes s too large by as much.
    K : float
        The wanted bound; within the normal range of the dtype of W.
    margin : float, at least 0
        s = (1 + margin) σ̂ is tried first.

    Returns
    -------
    W_bar : (d_out, d_in) array
        In the dtype of W; a copy of W if W = 0.
    s : float
        What W was divided by, before K; 1 if W = 0, infinite if it exceeds the largest float.

    Raises
    ------
    ValueError
        As `spectral_norm_bounds`; if sigma_hat, K or margin is out of its range.

    Notes
    -----
    σ̂ ≤ σ(W), so W/σ̂ exceeds the bound until the power iteration has converged. The first try is certified if
    σ̂ is low by less than the margin, up to rounding, and then s ≤ (1 + margin) σ(W). Otherwise s is computed from
    the eigenvalues of WᵀW and exceeds σ(W) by rounding only, of W̄ to its dtype above all. Either way the proof of
    `certify_upper` has the last word, on the stored W̄; while it fails, the rounding allowed for is doubled.
    """
    W, sigma_hat, K = _check_width(W), float(sigma_hat), float(K)
    tiny = float(np.finfo(W.dtype).tiny)
    if not 0.0 <= sigma_hat < math.inf:
        raise ValueError(f"sigma_hat is {sigma_hat}; expected a finite number of at least 0")
    if not tiny <= K <= 1.0 / tiny:
        raise ValueError(f"K is {K}; expected a number from {tiny} to {1.0 / tiny} for dtype {W.dtype}")
    if not 0.0 <= margin < math.inf:
        raise ValueError(f"margin is {margin}; expected a finite number of at least 0")
    A, exponent = _scaled(W)
    if not A.any():
        return W.copy(), 1.0
    s = max(_ldexp(sigma_hat, -exponent) * (1.0 + margin), float(np.abs(A).max()))
    W_bar, sigma, allowance = _divided(A, s, K, W.dtype), 0.0, float(np.finfo(W.dtype).eps) / 2 + _slack(A)
    while not _certified(W_bar, K):
        sigma, allowance = sigma or math.sqrt(np.linalg.eigvalsh(_gram(A))[-1]), 2.0 * allowance
        s = sigma * (1.0 + allowance)
        W_bar = _divided(A, s, K, W.dtype)
    return W_bar, _ldexp(s, exponent)


def convergence(W: npt.ArrayLike, u: npt.ArrayLike, n_iter: int) -> Convergence:
    """Watch a power iteration converge: its residuals, what they predict, and the SVD's answer.

    Parameters
    ----------
    W : (d_out, d_in) array
        Any finite matrix but zero, float64 or narrower; computed in float64.
    u : (d_out,) array
        The start.
    n_iter : int, at least 1
        Number of iterations.

    Returns
    -------
    Convergence
        One entry for each iteration.

    Raises
    ------
    ValueError
        As `power_iteration`; if W is wider than float64; if W = 0.

    Notes
    -----
    *Proven*, for unit vectors and up to the rounding of the residual: a singular value of W lies within
    √((‖Wṽ−σ̂ũ‖² + ‖Wᵀũ−σ̂ṽ‖²)/2) of σ̂ (zero counts as one if W is not square), because (ũ, ṽ)/√2 is a unit vector
    and leaves this residual in the symmetric eigenproblem of [[0, W], [Wᵀ, 0]], whose eigenvalues are ±σ_i and 0.
    **Which** singular value is not proven. From u = e₂, W = diag(3, 1, ½) gives σ̂ = 1 for ever with residual 0:
    e₂ is a singular vector, and u₁ = e₁, orthogonal to it, never comes in. A small residual certifies *a* singular
    value; only an upper bound (`spectral_norm_bounds`) tells that it is the largest.

    *Estimated*, where σ₁ is simple and only its neighbour σ₂ = rσ₁ is left in ṽ = v₁cosθ + v₂sinθ: one iteration
    multiplies tanθ by r², and to leading order in θ

        ‖Wᵀũ − σ̂ṽ‖ = σ₁(1−r²) sinθ,    σ₁ − σ̂ = ½σ₁(1−r²) sin²θ.

    So r² is estimated by the quotient of the last two residuals above rounding, sinθ by residual/(σ̂(1−r²)), and
    σ₁ − σ̂ by residual²/(2σ̂(1−r²)); along k iterations they shrink as r^2k and r^4k. With r unknown, or 1 or more
    because the iteration has not settled, the predictions are NaN.
    """
    W = _check_width(W).astype(np.float64)
    if not W.any():
        raise ValueError("W is zero; expected a matrix with a singular vector to converge to")
    if n_iter < 1:
        raise ValueError(f"n_iter is {n_iter}; expected at least 1")
    _, singular_values, Vt = np.linalg.svd(W, full_matrices=False)
    rows = []
    for _ in range(n_iter):
        u, s, v = power_iteration(W, u)
        vectors = (W @ v - s * u, W.T @ u - s * v, v - Vt[0] * (Vt[0] @ v))
        rows.append((s, *(normalized(x)[1] for x in vectors)))
    sigma, residual_u, residual_v, angle = np.array(rows).T
    visible = residual_v > 10 * sum(W.shape) * _U * normalized(W.ravel())[1]
    last = np.flatnonzero(visible[1:] & visible[:-1])[-1:]  # the last pair above rounding, if any
    r = math.sqrt(residual_v[last + 1].item() / residual_v[last].item()) if last.size else math.nan
    predicted_angle = residual_v / sigma / (1.0 - r * r if r < 1.0 else math.nan)
    predicted_error = residual_v * predicted_angle / 2
    error = singular_values[0] - sigma
    return Convergence(sigma, residual_u, residual_v, r, predicted_error, error, predicted_angle, angle)


def iterations_needed(accuracy: float, r: float, tan_angle: float) -> int:
    """Count the power iterations after which σ̂ ≥ (1 − accuracy) σ(W).

    Parameters
    ----------
    accuracy : float, in (0, 1)
        The wanted relative error of σ̂.
    r : float, in [0, 1)
        σ₂/σ₁.
    tan_angle : float, at least 0
        Tangent of the angle between the start and u₁; about √d_out for a random one.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Proven, in exact arithmetic, for the true r and angle: multiplying by Wᵀ or W multiplies the tangent by r at
    most, so the k-th ṽ has tanθ ≤ r^(2k−1) tan_angle, and σ̂ = ‖Wṽ‖ ≥ σ₁cosθ gives

        1 − σ̂/σ₁ ≤ 1 − cosθ ≤ ½tan²θ ≤ ½ r^(4k−2) tan_angle².

    With `r` and the last `angle` of a `Convergence` the count is of further iterations, and an estimate.
    """
    if not 0.0 < accuracy < 1.0:
        raise ValueError(f"accuracy is {accuracy}; expected a number strictly between 0 and 1")
    if not 0.0 <= r < 1.0:
        raise ValueError(f"r is {r}; expected a ratio of singular values in [0, 1)")
    if not 0.0 <= tan_angle < math.inf:
        raise ValueError(f"tan_angle is {tan_angle}; expected a finite number of at least 0")
    if r == 0.0 or tan_angle == 0.0:
        return 1
    return max(1, math.ceil((math.log(2 * accuracy / tan_angle**2) / math.log(r) + 2) / 4))


def _check_width(W: npt.ArrayLike) -> Array:
    W = check_matrix(W)
    if W.dtype.itemsize > 8:
        raise ValueError(f"W has dtype {W.dtype}; expected float64 or narrower, for which the bounds are derived")
    return W


def _scaled(W: Array) -> tuple[Array, int]:
    """Return 2^-e W in float64 with largest entry in [½, 1), and e. Exact but for what underflows."""
    exponent = math.frexp(max(float(W.max()), -float(W.min())))[1]
    half = exponent // 2  # 2^-e itself may leave the range
    return W.astype(np.float64) * 2.0**-half * 2.0 ** (half - exponent), exponent


def _divided(A: Array, s: float, K: float, dtype: np.dtype[Any]) -> Array:
    W_bar: Array = (A * (K / s)).astype(dtype)  # (8)
    return W_bar


def _ldexp(x: float, exponent: int) -> float:
    with np.errstate(over="ignore"):
        return float(np.ldexp(x, exponent))


def _unscaled(x: float, exponent: int, outward: float) -> float:
    """Return 2^e x, on the `outward` side of it if it is not representable."""
    y = _ldexp(x, exponent)
    back = _ldexp(y, -exponent)
    return y if back == x or (back > x) == (outward > x) else float(np.nextafter(y, outward))


def _gram(A: Array) -> Array:
    """Return AᵀA or AAᵀ, whichever is smaller."""
    G: Array = A.T @ A if A.shape[0] >= A.shape[1] else A @ A.T
    return G


def _gamma(k: int) -> float:
    return k * _U / (1.0 - k * _U)


def _slack(A: Array) -> float:
    """Return what ‖D‖₂/c² is expected to be: γ_m n, and an allowance for the rest that is linear in n."""
    n: int = min(A.shape)
    return (1.1 * A.size + 16 * n + 16) * _U


def _frobenius(A: Array) -> float:
    """Bound ‖A‖_F from above: √(Σa²/(1−γ_mn)), where root, factor and product are rounded once each."""
    return math.sqrt(float(np.vdot(A, A))) * (1.0 + (A.size + 8) * _U)


def _upper(G: Array, m: int, c2: float) -> float:
    """Bound σ(A) from above, given G = fl(AᵀA) for an A of m rows; not a number if L does not exist."""
    M = -G
    M.flat[:: len(G) + 1] += c2
    try:
        L = np.linalg.cholesky(M)
    except np.linalg.LinAlgError:
        return math.nan
    H = L @ L.T
    D = float(np.linalg.norm(M - H)) + _U * c2 + _gamma(m) * float(np.trace(G) + np.trace(H))
    return math.sqrt(c2 + 1.01 * D) * (1.0 + 4.0 * _U)


def _certified(W: Array, bound: float) -> bool:
    largest = max(float(W.max()), -float(W.min()))
    if largest == 0.0 or not largest <= bound:
        return largest == 0.0
    A, exponent = _scaled(W)
    b = _ldexp(bound, -exponent)  # exact, since b ≥ ½; infinity is above every ‖A‖_F
    if _frobenius(A) <= b:
        return True
    return _upper(_gram(A), max(A.shape), b * b * (1.0 - _slack(A))) <= b
