"""The spectral norm σ(W): exactly, and by power iteration. Sections 2.1, 2.2 and Appendix A, eqs. (6), (18)-(22).

Here W is always the matrix whose norm is wanted, never W̄. These functions keep no state: to "recycle" ũ from one
update to the next, as Appendix A does, pass the u of the previous triplet to the next call.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = list[Array]


class SingularTriplet(NamedTuple):
    """An approximation of the first singular triplet of a matrix W: W v = σ u.

    Attributes
    ----------
    u : (d_out,) array
        Left vector ũ, of unit length.
    sigma : float
        σ̂ = ũᵀWṽ, eq. (19). A lower bound of σ(W) up to rounding; 0 only if W = 0.
    v : (d_in,) array
        Right vector ṽ, of unit length.
    """

    u: Array
    sigma: float
    v: Array


def floats(*values: npt.ArrayLike) -> Arrays:
    """Return arrays of a floating dtype. Whole numbers become float64: with them −x may be no negative number.

    Raises
    ------
    TypeError
        If a value holds anything but real numbers.
    """
    return [x if x.dtype.kind == "f" else x.astype(np.float64, casting="same_kind") for x in map(np.asarray, values)]


def check_matrix(W: npt.ArrayLike, name: str = "W", *, finite: bool = True) -> Array:
    """Return W as an array if it is a floating-point matrix, and a finite one, else say what it is.

    Raises
    ------
    ValueError
        If W is not two-dimensional, is empty, or has no floating dtype; or, with `finite`, if it holds NaN or infinity.
    """
    W = np.asarray(W)
    if W.ndim != 2 or W.size == 0:
        raise ValueError(f"{name} has shape {W.shape}; expected a matrix (d_out, d_in), neither of them 0")
    if W.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {W.dtype}; expected a floating dtype such as float64")
    if finite and not np.isfinite(W).all():
        raise ValueError(f"{name} holds NaN or infinity; expected finite entries")
    return W


def check_positive(name: str, value: float) -> None:
    """Raise a ValueError that names the argument unless 0 < value < ∞."""
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} is {value}; expected a positive finite number")


def check_share(name: str, value: float) -> None:
    """Raise a ValueError that names the argument unless 0 ≤ value < 1."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} is {value}; expected a number in [0, 1)")


def check_count(name: str, value: int) -> None:
    """Raise a ValueError that names the argument unless value ≥ 1."""
    if value < 1:
        raise ValueError(f"{name} is {value}; expected at least 1")


def spectral_norm(W: npt.ArrayLike) -> float:
    """Compute the largest singular value of W by SVD, the oracle of everything else here. Eq. (6).

    Parameters
    ----------
    W : (d_out, d_in) array
        Any finite matrix; float32 is computed in float64.

    Returns
    -------
    float
        σ(W), to a small multiple of the rounding unit.

    Raises
    ------
    ValueError
        As `check_matrix`.

    Notes
    -----
    σ(A) := max_{h≠0} ‖Ah‖₂ / ‖h‖₂ = max_{‖h‖₂≤1} ‖Ah‖₂, with A the argument `W`.
    """
    W = check_matrix(W)
    return float(np.linalg.svd(W.astype(np.float64), compute_uv=False)[0])  # (6)


def random_direction(d: int, *, dtype: npt.DTypeLike = np.float64, rng: np.random.Generator) -> Array:
    """Draw a unit vector uniformly on the sphere in ℝᵈ, the start of ũ. Algorithm 1, footnote 7.

    The chance that it is orthogonal to the first singular vector is zero.

    Raises
    ------
    ValueError
        If d < 1.
    """
    check_count("d", d)
    return normalized(rng.standard_normal(d))[0].astype(dtype)


@np.errstate(over="ignore", invalid="ignore")
def power_iteration(W: npt.ArrayLike, u: npt.ArrayLike, n_iter: int = 1) -> SingularTriplet:
    """Approximate the first singular triplet of W, starting from u. Eqs. (18)-(22).

    Parameters
    ----------
    W : (d_out, d_in) array
        The raw, un-normalised weight.
    u : (d_out,) array
        Where to start: the `u` of the last call on nearly the same W, or a `random_direction`. Its length does
        not matter.
    n_iter : int, at least 1
        Number of iterations; the paper uses one.

    Returns
    -------
    SingularTriplet
        `u` and `v` in the dtype of W, `sigma` a Python float, infinite if σ(W) exceeds the largest one.

    Raises
    ------
    ValueError
        As `check_matrix`; if u has another shape than (d_out,), or is not finite; if n_iter < 1.

    Notes
    -----
    One iteration is ṽ ← Wᵀũ/‖Wᵀũ‖ (20), then ũ ← Wṽ/‖Wṽ‖ (21), in this order. The estimate is σ̂ = ũᵀWṽ (22).
    It needs no product of its own: ũ has just been set to Wṽ/‖Wṽ‖, so ũᵀWṽ is the length ‖Wṽ‖.

    With unit vectors σ̂ ≤ σ(W), with equality at convergence only: σ(W/σ̂) ≥ 1, up to rounding. With
    r = σ₂/σ₁ and for almost every start, k iterations leave an angle to u₁ of order r^2k and an error of σ̂ of
    order r^4k. A start orthogonal to u₁ stays orthogonal in exact arithmetic.

    The paper leaves two cases open. If W = 0, then σ̂ = 0 and the two vectors mean nothing. If Wᵀũ = 0 although
    W ≠ 0, ũ restarts at the unit vector of the row of W that holds its largest entry. Beyond the paper, entries
    near the ends of the floating-point range are scaled by a power of two, so that σ̂ is right wherever σ(W) can
    be represented.
    """
    W, start = _checked(W, u, n_iter)
    u = start if 0.5 < start @ start < 2.0 else normalized(start)[0]  # a ũ of an earlier iteration has length 1
    for _ in range(n_iter):
        v, length = normalized(W.T @ u)  # (20)
        if length == 0.0:
            v = _largest_row(W)
        u, sigma = normalized(W @ v)  # (21), (22)
    triplet = SingularTriplet(u, sigma, v)
    return triplet if _is_safe(sigma, W.dtype) else _rescued(triplet, W, start, n_iter)


# ---- what keeps it right at the ends of the floating-point range, at W = 0 and at Wᵀu = 0 ----------------------------


def normalized(x: Array) -> tuple[Array, float]:
    """Return x/‖x‖₂ and ‖x‖₂, which neither overflows nor underflows on the way.

    If x is 0 or not finite, it is returned as it is, with 0, infinity or NaN for its length. NumPy may warn of an
    overflow that is then avoided.
    """
    largest, norm = 1.0, math.sqrt(x @ x)
    if not 1e-10 < norm < 1e10:  # the squares may have left the range: divide by the largest entry first
        largest = float(np.abs(x).max())
        if largest == 0.0 or not math.isfinite(largest):
            return x, largest
        x = x / largest
        norm = math.sqrt(x @ x)
    return x / norm, largest * norm


def _checked(W: npt.ArrayLike, u: npt.ArrayLike, n_iter: int) -> tuple[Array, Array]:
    """Return W and u as arrays of one dtype. Only `_rescued` looks at every entry: a bad one makes σ̂ unsafe."""
    W = check_matrix(W, finite=False)
    u = np.asarray(u, W.dtype)
    if u.shape != W.shape[:1]:
        raise ValueError(f"u has shape {u.shape}; expected {W.shape[:1]}, one entry for each row of W")
    check_count("n_iter", n_iter)
    return W, u


def _largest_row(W: Array) -> Array:
    """Return the row of W that holds its largest entry, at unit length: Wv is not 0 there unless W is."""
    return normalized(W[np.abs(W).max(axis=1).argmax()])[0]


_SMALLEST_SAFE = {np.dtype(t): float(np.finfo(t).tiny) ** 0.25 for t in (np.float16, np.float32, np.float64)}


def _is_safe(sigma: float, dtype: np.dtype[Any]) -> bool:
    """Say whether the squares and products on the way to σ̂ have kept their digits. NaN is not safe."""
    smallest = _SMALLEST_SAFE.get(dtype, 1e-70)
    return bool(smallest < sigma < 1.0 / smallest)


def _rescued(triplet: SingularTriplet, W: Array, u: Array, n_iter: int) -> SingularTriplet:
    """Iterate again on W over a power of two near its largest entry, or say why σ̂ cannot be had."""
    largest = float(np.abs(W).max())
    if not (math.isfinite(largest) and np.isfinite(u).all()):
        raise ValueError(f"{'u' if math.isfinite(largest) else 'W'} holds NaN or infinity; expected finite entries")
    if largest == 0.0:
        return SingularTriplet(normalized(u)[0], 0.0, np.eye(1, W.shape[1], dtype=W.dtype)[0])
    exponent = math.frexp(largest)[1]
    if exponent == 0:  # its entries are below 1 already, as they are the second time
        return triplet
    u, sigma, v = power_iteration(np.ldexp(W, -exponent), u, n_iter)
    return SingularTriplet(u, float(np.ldexp(sigma, exponent)), v)
