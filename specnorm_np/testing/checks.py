"""Whether pairs of points refute a Lipschitz bound.

The check sees points and values only, so it does not matter which library computes the function.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array
from specnorm_np.testing.points import Function, as_values, checked_points, norms, pair_in_words, written
from specnorm_np.testing.rounding import EPSILON, U, epsilon

ErrorBound: TypeAlias = float | Array | Callable[[Array], npt.ArrayLike]
Precision: TypeAlias = str | float | npt.DTypeLike | None


class LipschitzViolation(NamedTuple):
    """A pair of points that refutes a bound; as a string, an explanation.

    Attributes
    ----------
    x, y : (d,) arrays, or of the shape of a point
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
        return "\n  ".join([*self._facts(), *self._hint()])

    def _facts(self) -> list[str]:
        lines = [*pair_in_words(self.x, self.y), f"f(x) = {written(self.f_x)}", f"f(y) = {written(self.f_y)}"]
        for name, value in (("x", self.f_x), ("y", self.f_y)):
            if not np.isfinite(value).all():
                what = "NaN" if np.isnan(value).any() else "infinite"
                where = f"; {np.count_nonzero(~np.isfinite(value))} of its {value.size} entries" * (value.size > 1)
                return [*lines, f"f({name}) is {what}{where}, where a Lipschitz function has finite values"]
        return [
            *lines,
            f"‖f(x) - f(y)‖ / ‖x - y‖ = {self.ratio:.9g} with ‖x - y‖ = {self.distance:.9g}; K = {self.K:.9g}",
            f"‖f(x) - f(y)‖ - K ‖x - y‖ exceeds the allowance for rounding, {self.allowance:.3g}, by {self.excess:.9g}",
        ]

    def _hint(self) -> list[str]:
        """Name the formats whose rounding would explain a violation of near points, if there are any."""
        if not np.isfinite(self.excess) or not self.distance > 0.0:
            return []
        x, y, f_x, f_y = (float(norms(p[None].astype(np.float64))[0]) for p in (self.x, self.y, self.f_x, self.f_y))
        if self.distance > 0.01 * (x + y) and self.distance > 0.01 * (f_x + f_y) / max(self.K, 1e-300):
            return []
        explained = (self.ratio - self.K) * self.distance / (self.K * (x + y) + f_x + f_y)
        names = [name for name in ("float32", "tf32", "bfloat16") if explained < _relative(EPSILON[name], None)]
        if not names:
            return []
        return [
            f"the points are near each other: values that are off by a relative {explained:.1g} would explain this. "
            f"If f computes in {' or '.join(names)} inside, say so by `precision`; if large numbers cancel in it, "
            "say by `error` how wrong its values may be"
        ]


def assert_lipschitz(
    f: Function,
    K: float,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    error: ErrorBound | None = None,
    ulps: float | None = None,
    precision: Precision = None,
) -> None:
    """Raise AssertionError if ‖f(x) − f(y)‖₂ > K‖x − y‖₂ for a pair of rows, by more than rounding can explain.

    Parameters
    ----------
    f : function of an (n, d) array, or (n, ...), returning (n,) or (n, k), or (n, ...)
        Called once, with x and y stacked. `batched` adapts a function of one point, or of a fixed number of them.
    K : float, not negative
        The bound.
    x, y : (n, d) or (d,) arrays, or (n, ...)
        Row i of x and row i of y are a pair; images (n, c, h, w) are as good as vectors, in the norm of all their
        entries. In the dtype that f computes with: if f rounds its argument, that counts as an error of f. If both hold
        whole numbers, f gets them in float64.
    error : float, (2n,) array or function of an (m, d) array returning (m,), optional
        A bound of ‖f̂ − f‖₂ at a point, f̂ being what is computed and f the function that the bound is about; an array
        has those of x first. `forward_error_bound` derives it for a perceptron. It is needed where large numbers cancel
        in f: x + 3 − 3 is off by the rounding of 3, which the assumption below does not know; it matters where x and
        f(x) are near 0, if the bound K is attained.
    ulps : float, not negative, optional
        Used without `error`: see the notes. 0 together with a function free of rounding makes the test exact. 64 by
        default; fewer in a format so coarse that 64 would be more than 1/16 of a value.
    precision : name, dtype or float, optional
        The coarsest format that f computes in, if points and values do not show it: "float32", "float16", "tf32" or
        "bfloat16", or the distance of 1 from the next larger number.

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
    relatively. f̂(x) = f(x + Δx) + Δf, ‖Δx‖ ≤ p‖x‖, ‖Δf‖ ≤ p‖f(x + Δx)‖, with ε that of the coarsest of the dtypes of x
    and f̂(x) and of `precision`. Then e(x) = p(K‖x‖ + ‖f̂(x)‖/(1 − p)) follows. One cannot know this of a black box:
    large intermediate values that cancel need more, as do hundreds of layers.
    """
    __tracebackhide__ = True
    x, y = checked_points(x, y)
    seen = measure(f, K, x, y, error, ulps, precision)
    if not (seen.excess > 0.0).any():
        return
    i = int(np.argmax(seen.excess))
    n_bad, n = int((seen.excess > 0.0).sum()), len(x)
    worst = seen.pair(i)
    # with a bound of the error, the caller has already said how f rounds
    text = "\n  ".join([*worst._facts(), *(worst._hint() if error is None else [])])
    raise AssertionError(f"f is not {K:g}-Lipschitz: {n_bad} of {n} pairs, the worst in row {i}\n  {text}")


class Measured(NamedTuple):
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
        """Return pair i."""
        distance, difference = float(self.distance[i]), float(self.difference[i])
        ratio = difference / distance if distance else (np.inf if difference else 0.0)
        points = (self.x[i], self.y[i], self.f_x[i], self.f_y[i])
        return LipschitzViolation(*points, self.K, distance, ratio, float(self.allowance[i]), float(self.excess[i]))


def measure(
    f: Function,
    K: float,
    x: Array,
    y: Array,
    error: ErrorBound | None,
    ulps: float | None,
    precision: Precision,
) -> Measured:
    """Compute, for pairs of checked points, the distances of points and of values, and what rounding may add."""
    if not (0.0 <= K < np.inf and (ulps is None or 0.0 <= ulps < np.inf)):
        raise ValueError(f"K is {K} and ulps is {ulps}; expected finite numbers that are not negative")
    n, d = len(x), x[0].size
    points = np.concatenate([x, y])
    raw = np.asarray(f(points.copy()))
    values = as_values(raw, 2 * n)
    finite = np.logical_and.reduce(np.isfinite(values), axis=1)
    f_x, f_y = values[:n], values[n:]
    with np.errstate(over="ignore", invalid="ignore"):
        if error is None:
            coarsest = max(
                epsilon(t) for t in (x.dtype, raw.dtype, x.dtype if precision is None else precision) if not _whole(t)
            )
            p = _relative(coarsest, ulps)
            if not p < 1.0:
                raise ValueError(f"ulps is {ulps}; expected less than 1/ε of {raw.dtype}")
            e = p * (K * norms(points.astype(np.float64)) + norms(values) / (1.0 - p))
        else:
            e = np.broadcast_to(np.asarray(error(points) if callable(error) else error, np.float64), (2 * n,))
        if bool((np.isnan(e) & finite).any()) or bool((e < 0.0).any()):
            raise ValueError("error holds NaN or negative numbers; expected bounds of an absolute error")
        distance, difference = norms(x.astype(np.float64) - y), norms(f_x - f_y)
        rounding = 2.0 * U * ((d + 6) * K * distance + (values.shape[1] + 6) * difference) + (K + 1.0) * 2.0**-1020
        allowance = e[:n] + e[n:] + rounding
        excess = difference - K * distance - allowance
    excess = np.where(finite[:n] & finite[n:], excess, np.inf)
    return Measured(x, y, f_x, f_y, K, distance, difference, allowance, excess)


def _relative(eps: float, ulps: float | None) -> float:
    """Return p of the assumption of `assert_lipschitz`."""
    return min(64.0 * eps, 1 / 16) if ulps is None else ulps * eps


def _whole(t: object) -> bool:
    return isinstance(t, np.dtype) and t.kind in "iub"
