"""Whether pairs of points refute a Lipschitz bound, and the search for such a pair.

Both see points and values only, so it does not matter which library computes the function.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from specnorm_np.network import forward
from specnorm_np.spectral import Array, check_matrix

Function: TypeAlias = Callable[[Array], npt.ArrayLike]
ErrorBound: TypeAlias = float | Array | Callable[[Array], npt.ArrayLike]

_U = 2.0**-53  # the rounding unit of float64, in which the checks compute


# --- checks


class LipschitzViolation(NamedTuple):
    """A pair of points that refutes a bound; as a string, an explanation.

    Attributes
    ----------
    x, y : (d,) arrays
    f_x, f_y : (k,) arrays
        The values there, in float64.
    K : float
        The bound.
    distance, ratio : float
        ‖x − y‖₂ and ‖f(x) − f(y)‖₂ / ‖x − y‖₂.
    allowance : float
        What rounding may contribute to ‖f(x) − f(y)‖₂, by `assert_lipschitz`.
    excess : float, positive
        ‖f(x) − f(y)‖₂ − K‖x − y‖₂ − allowance; infinite if f is not finite.
    """

    x: Array
    y: Array
    f_x: Array
    f_y: Array
    K: float
    distance: float
    ratio: float
    allowance: float
    excess: float

    def __str__(self) -> str:
        lines = [
            f"x = {_written(self.x)}",
            f"y = {_written(self.y)}",
            f"f(x) = {_written(self.f_x)}",
            f"f(y) = {_written(self.f_y)}",
            f"‖f(x) - f(y)‖ / ‖x - y‖ = {self.ratio:.9g} with ‖x - y‖ = {self.distance:.9g}; K = {self.K:.9g}",
            f"‖f(x) - f(y)‖ - K ‖x - y‖ exceeds the allowance for rounding, {self.allowance:.3g}, by {self.excess:.9g}",
        ]
        return "\n  ".join(lines)


def assert_lipschitz(
    f: Function, K: float, x: npt.ArrayLike, y: npt.ArrayLike, *, error: ErrorBound | None = None, ulps: float = 64.0
) -> None:
    """Raise AssertionError if ‖f(x) − f(y)‖₂ > K‖x − y‖₂ for a pair of rows, by more than rounding can explain.

    Parameters
    ----------
    f : function of an (n, d) array, returning (n,) or (n, k)
        Called once, with x and y stacked.
    K : float, not negative
        The bound.
    x, y : (n, d) or (d,) arrays
        Row i of x and row i of y are a pair. In the dtype that f computes with: if f rounds its argument, that counts
        as an error of f.
    error : float, (2n,) array or function of an (m, d) array returning (m,), optional
        A bound of ‖f̂ − f‖₂ at a point, f̂ being what is computed and f the function that the bound is about; an array
        has those of x first. `forward_error_bound` derives it for a perceptron.
    ulps : float, not negative
        Used without `error`: see the notes. 0 together with a function free of rounding makes the test exact.

    Raises
    ------
    AssertionError
        With the worst pair, its ratio and the excess; or if a value of f is NaN or infinite.
    ValueError
        If an argument is not as described.

    Notes
    -----
    *Derived.* If f is K-Lipschitz and ‖f̂ − f‖ ≤ e, then ‖f̂(x) − f̂(y)‖ ≤ K‖x − y‖ + e(x) + e(y): an absolute term for
    each pair, which near pairs need and far pairs hardly notice. Points are exact as stored. The check computes in
    float64, u = 2⁻⁵³, and errs by at most (d+6)u·K‖x − y‖ + (k+6)u·‖f̂(x) − f̂(y)‖; twice that is added, and (K+1)2⁻¹⁰²⁰
    for underflow.

    *Assumed*, if there is no `error`: what is computed is exact, to p = ulps·ε relatively, at a point that is off by p
    relatively. f̂(x) = f(x + Δx) + Δf, ‖Δx‖ ≤ p‖x‖, ‖Δf‖ ≤ p‖f(x + Δx)‖, with ε that of the coarser of the dtypes of x
    and f̂(x). Then e(x) = p(K‖x‖ + ‖f̂(x)‖/(1 − p)) follows. One cannot know this of a black box: large intermediate
    values that cancel need more, as do hundreds of layers or products in reduced precision.
    """
    x, y = _checked_points(x, y)
    seen = _measure(f, K, x, y, error, ulps)
    if not (seen.excess > 0.0).any():
        return
    i = int(np.argmax(seen.excess))
    n_bad, n = int((seen.excess > 0.0).sum()), len(x)
    raise AssertionError(f"f is not {K:g}-Lipschitz: {n_bad} of {n} pairs, the worst in row {i}\n  {seen.pair(i)}")


def find_lipschitz_violation(
    f: Function,
    K: float,
    d: int,
    *,
    n: int = 1024,
    n_rounds: int = 16,
    radius: float = 1.0,
    dtype: npt.DTypeLike = np.float64,
    error: ErrorBound | None = None,
    ulps: float = 64.0,
    rng: np.random.Generator,
) -> LipschitzViolation | None:
    """Look for a pair of points that refutes a bound: at many scales, then uphill from the steepest.

    Parameters
    ----------
    f, K, error, ulps
        As in `assert_lipschitz`; an array as `error` is not possible.
    d : int
        Dimension of a point.
    n : int, at least 1
        Random pairs to begin with.
    n_rounds : int, at least 0
        Rounds of ascent from the eight steepest pairs. A round takes 8(2d + 64) evaluations.
    radius : float, positive
        The size of typical points; looked at are scales from a hundredth of it to ten times.
    dtype : floating dtype
        Of the points.

    Returns
    -------
    LipschitzViolation or None
        The pair with the largest ratio that rounding cannot explain. None proves nothing.

    Raises
    ------
    ValueError
        If an argument is not as described.

    Notes
    -----
    Pairs compete by (‖f(x) − f(y)‖ − allowance)/‖x − y‖, so that near ones count as far as rounding lets them. A step
    of ascent takes the Jacobian at the middle of a pair by central differences over the length of the pair, and tries
    pairs along its top right singular vector: longer, shorter, and displaced. No pair is shorter than radius·√ε. Below
    that the rounding of a bias, which does not shrink with the pair, would pass for steepness: (x + 100) − 100 jumps by
    1e-14 between points that are much closer. Where both x and f(x) are near 0 and f has large biases inside, say with
    `error` how wrong the values of f may be.
    """
    if d < 1 or n < 1 or n_rounds < 0 or not 0.0 < radius < np.inf:
        raise ValueError(
            f"d, n, n_rounds, radius are {d}, {n}, {n_rounds}, {radius}; expected positive ones, n_rounds at least 0"
        )

    def measure(middle: Array, half: Array) -> _Measured:
        x, y = ((middle + sign * half).astype(dtype) for sign in (1.0, -1.0))
        return _measure(f, K, *_checked_points(x, y), error, ulps)

    shortest = np.log10(np.sqrt(float(np.finfo(dtype).eps)))
    middle = radius * 10 ** rng.uniform(-2, 1, (n, 1)) * rng.standard_normal((n, d))
    half = radius * 10 ** rng.uniform(shortest, 1, (n, 1)) * unit(rng.standard_normal((n, d)))
    climbers = measure(middle, half).ranked
    for _ in range(n_rounds):
        for c, (score, pair) in enumerate(climbers):
            if not np.isfinite(score):
                continue
            middle, length = pair.x.astype(np.float64) / 2 + pair.y.astype(np.float64) / 2, pair.distance
            J = jacobian(f, middle.astype(dtype), length / 2)
            v = np.linalg.svd(J, full_matrices=False)[2][0] if np.isfinite(J).all() else unit(rng.standard_normal(d))
            lengths = np.maximum(length * 10 ** np.append(0.0, rng.uniform(-1, 1, 63)), radius * 10**shortest)
            moves = radius * 10 ** rng.uniform(-4, 1, (64, 1)) * rng.standard_normal((64, d))
            moves[:32] = 0.0
            best = measure(middle + moves, lengths[:, None] / 2 * v).ranked[0]
            climbers[c] = best if best[0] > score else climbers[c]
    worst = max(climbers, key=lambda scored: scored[0])[1]
    return worst if worst.excess > 0.0 else None


def jacobian(f: Function, x: npt.ArrayLike, step: float) -> Array:
    """Compute the Jacobian of f at a point by central differences, in one call of f.

    Parameters
    ----------
    f : function of an (n, d) array
    x : (d,) array
    step : float, positive
        Half the distance of the two points of a difference.

    Returns
    -------
    (k, d) array
        In float64. Its top right singular vector is the direction in which f is steepest.
    """
    x = np.asarray(x)
    d = len(x)
    points = np.concatenate([x + step * np.eye(d), x - step * np.eye(d)]).astype(x.dtype)
    values = _as_values(np.asarray(f(points.copy())), 2 * d)
    span = np.diagonal(points[:d].astype(np.float64) - points[d:])
    with np.errstate(invalid="ignore", divide="ignore"):
        J: Array = ((values[:d] - values[d:]) / span[:, None]).T
    return J


def forward_error_bound(W: Sequence[Array], b: Sequence[Array], slope: float, x: Array) -> Array:
    """Bound ‖f̂(x) − f(x)‖₂ for f̂ the `network.forward` of a leaky ReLU network, in floating point.

    Parameters
    ----------
    W, b : L+1 arrays each
        Effective weights (d_l, d_{l-1}) and biases (d_l,).
    slope : float, at least 0
        Of the leaky ReLU.
    x : (n, d_0) array
        Points.

    Returns
    -------
    (n,) float64 array
        Infinite where the model says nothing.

    Notes
    -----
    Model, with u the rounding unit of the coarsest of the dtypes of W, b and x: a dot product of n terms, in any order,
    errs by at most γ_n|x|ᵀ|y|, γ_n = nu/(1 − nu), plus the smallest normal number for each term in case of underflow.
    For f the function of real numbers with the stored W and b, and the slope as given, errors e_l of the activations
    then obey, entry by entry,

        e_l ≤ L|Wˡ|e_{l-1} + Lγ_{d+1}(|Wˡ||ĥ_{l-1}| + |bˡ|) + 3u|ĥ_l|,    e_0 = 0,    L = max(1, slope),

    d = d_{l-1}, the last term only for activations, where the slope is rounded and multiplied by. Another order of
    summation gives another ĥ; both are within e of h, so |ĥ| here is that of one run plus 2e. The bound is itself
    computed in float64, of non-negative numbers, and enlarged by twice its rounding.
    """
    W, b, x = [np.asarray(W_l) for W_l in W], [np.asarray(b_l) for b_l in b], np.asarray(x)
    info = [np.finfo(array.dtype) for array in (x, *W, *b)]
    u, least = max(float(i.eps) for i in info) / 2, max(float(i.tiny) for i in info)
    if not 0.0 <= slope < np.inf:
        raise ValueError(f"slope is {slope}; expected a number that is at least 0")
    with np.errstate(over="ignore", invalid="ignore"):
        f, cache = forward(W, b, x, slope)
        e: Array = np.zeros(x.shape)
        for l, (W_l, b_l, h) in enumerate(zip(W, b, cache, strict=True)):
            d = W_l.shape[1]
            gamma = (d + 1) * u / (1.0 - (d + 1) * u) if (d + 1) * u < 1.0 else np.inf
            A, c = np.abs(W_l).astype(np.float64).T, np.abs(b_l).astype(np.float64)
            e = e @ A + gamma * ((np.abs(h).astype(np.float64) + 2.0 * e) @ A + c) + 2 * (d + 1) * least
            if l + 1 < len(W):
                e = max(1.0, slope) * e
                e = (e + 3.0 * u * np.abs(cache[l + 1]).astype(np.float64) + least) * (1.0 + 7.0 * u)
            e = e * (1.0 + 2 * (2 * d + 12) * _U)
        bound = np.linalg.norm(e, axis=1) * (1.0 + 2 * (e.shape[1] + 4) * _U)
    return np.where(np.isfinite(bound) & np.isfinite(f).all(axis=1), bound, np.inf)


class _Measured(NamedTuple):
    """Pairs, values, and for each pair what `LipschitzViolation` holds of one."""

    x: Array
    y: Array
    f_x: Array
    f_y: Array
    K: float
    distance: Array
    difference: Array
    allowance: Array
    excess: Array

    @property
    def scores(self) -> Array:
        """Return the ratios that are left after the allowance; infinite where f is not finite."""
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = (self.difference - self.allowance) / self.distance
        scores[~(self.distance > 0.0) | np.isnan(scores)] = -np.inf
        scores[np.isinf(self.excess) & (self.excess > 0.0)] = np.inf
        return scores

    @property
    def ranked(self) -> list[tuple[float, LipschitzViolation]]:
        """Return the eight pairs of largest score, with it, the largest first."""
        scores = self.scores
        return [(float(scores[i]), self.pair(int(i))) for i in np.argsort(-scores, kind="stable")[:8]]

    def pair(self, i: int) -> LipschitzViolation:
        distance, difference = float(self.distance[i]), float(self.difference[i])
        ratio = difference / distance if distance else (np.inf if difference else 0.0)
        points = (self.x[i], self.y[i], self.f_x[i], self.f_y[i])
        return LipschitzViolation(*points, self.K, distance, ratio, float(self.allowance[i]), float(self.excess[i]))


def _measure(f: Function, K: float, x: Array, y: Array, error: ErrorBound | None, ulps: float) -> _Measured:
    if not (0.0 <= K < np.inf and 0.0 <= ulps < np.inf):
        raise ValueError(f"K is {K} and ulps is {ulps}; expected finite numbers that are not negative")
    n, d = x.shape
    points = np.concatenate([x, y])
    raw = np.asarray(f(points.copy()))
    values = _as_values(raw, 2 * n)
    finite = np.logical_and.reduce(np.isfinite(values), axis=1)
    f_x, f_y = values[:n], values[n:]
    with np.errstate(over="ignore", invalid="ignore"):
        if error is None:
            p = ulps * max(float(np.finfo(t).eps) for t in (x.dtype, raw.dtype) if t.kind == "f")
            if not p < 1.0:
                raise ValueError(f"ulps is {ulps}; expected less than 1/ε of {raw.dtype}")
            e = p * (K * _norms(points.astype(np.float64)) + _norms(values) / (1.0 - p))
        else:
            e = np.broadcast_to(np.asarray(error(points) if callable(error) else error, np.float64), (2 * n,))
        if bool((np.isnan(e) & finite).any()) or bool((e < 0.0).any()):
            raise ValueError("error holds NaN or negative numbers; expected bounds of an absolute error")
        distance, difference = _norms(x.astype(np.float64) - y), _norms(f_x - f_y)
        rounding = 2.0 * _U * ((d + 6) * K * distance + (values.shape[1] + 6) * difference) + (K + 1.0) * 2.0**-1020
        allowance = e[:n] + e[n:] + rounding
        excess = difference - K * distance - allowance
    excess = np.where(finite[:n] & finite[n:], excess, np.inf)
    return _Measured(x, y, f_x, f_y, K, distance, difference, allowance, excess)


def _as_values(raw: Array, n: int) -> Array:
    """Return what f gave as an (n, k) float64 array."""
    if raw.ndim not in (1, 2) or len(raw) != n or raw.dtype.kind not in "fiub" or raw.size == 0:
        raise ValueError(
            f"f gave shape {raw.shape}, dtype {raw.dtype}, for {n} points; expected ({n},) or ({n}, k), real"
        )
    return raw.reshape(n, -1).astype(np.float64)


def _checked_points(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    """Return pairs of points as two (n, d) arrays."""
    x, y = (check_matrix(np.atleast_2d(np.asarray(p)), name) for p, name in ((x, "x"), (y, "y")))
    if x.shape != y.shape or x.dtype != y.dtype or x.dtype.itemsize > 8:
        raise ValueError(
            f"x has shape {x.shape}, dtype {x.dtype} and y {y.shape}, {y.dtype}; expected the same, at most float64"
        )
    if max(float(np.abs(x).max()), float(np.abs(y).max())) > 1e300:
        raise ValueError("x or y has entries above 1e300; expected points whose distance can be computed")
    return x, y


def _norms(z: Array) -> Array:
    """Return ‖z‖₂ of every row; scaled by a power of two, so that squares stay in range."""
    exponent = np.frexp(np.abs(z).max(axis=1))[1]
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        scaled = np.ldexp(z, -exponent[:, None])
        norms: Array = np.ldexp(np.sqrt((scaled * scaled).sum(axis=1)), exponent)
    return norms


def unit(z: Array) -> Array:
    """Return every row of z at unit length."""
    rows: Array = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return rows


def _written(x: Array) -> str:
    return np.array2string(x, max_line_width=100, threshold=32, separator=", ", floatmode="unique", precision=None)


# --- strategies
