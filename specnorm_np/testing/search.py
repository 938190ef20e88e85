"""The search for a pair of points that refutes a Lipschitz bound: at many scales, then uphill.

Random pairs find what is steep in many places. To find a steep place that is rare, the search compares gradients: at
points around the best pairs, and beyond the activation boundaries that it has met. It takes the gradients of the caller
if there are any, and differences of values otherwise. In many dimensions it looks at differences along the few
directions in which f was found to vary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array
from specnorm_np.testing.checks import ErrorBound, LipschitzViolation, Measured, Precision, measure
from specnorm_np.testing.points import Box, Function, Shape, as_values, checked_points, shape_of, unit
from specnorm_np.testing.rounding import epsilon

Climber: TypeAlias = tuple[float, LipschitzViolation]
Gradients: TypeAlias = Callable[[Array], npt.ArrayLike]

_ALL_DIRECTIONS = 1024  # coordinates up to which a Jacobian is computed entry by entry
_FEW = 32  # directions along which gradients are compared
_PATIENCE = 5  # rounds without improvement after which a climber starts anew


def find_lipschitz_violation(
    f: Function,
    K: float,
    d: Shape,
    *,
    n: int = 1024,
    n_rounds: int = 16,
    radius: float = 1.0,
    dtype: npt.DTypeLike = np.float64,
    error: ErrorBound | None = None,
    ulps: float | None = None,
    rng: np.random.Generator,
    box: npt.ArrayLike | None = None,
    precision: Precision = None,
    jac: Gradients | None = None,
) -> LipschitzViolation | None:
    """Look for a pair of points that refutes a bound: at many scales, then uphill from the steepest.

    Parameters
    ----------
    f, K, error, ulps, precision
        As in `assert_lipschitz`; an array as `error` is not possible.
    d : int or tuple of int
        Dimension of a point, or its shape, such as (3, 32, 32).
    n : int, at least 1
        Random pairs to begin with.
    n_rounds : int, at least 0
        Rounds of ascent from the eight steepest pairs. A round takes about 8(2d + 720) values of f, of which 2d are for
        a Jacobian; beyond 1,024 coordinates it takes 130 instead of 2d. With
        `jac` it takes 8 · 256 values and as many gradients.
    radius : float, positive
        The size of typical points; looked at are scales from a hundredth of it to ten times. Not used for coordinates
        that `box` bounds.
    dtype : floating dtype
        Of the points.
    box : pair (min, max), or array of shape (d, 2) or (*d, 2), optional
        Where the bound is claimed. f is never called outside of it. An end may be infinite.
    jac : function of an (n, d) array, returning (n, d) or (n, k, d), optional
        The gradients of f, or its Jacobians. They guide the search, and a wrong one can only misguide it: what refutes
        a bound is always a pair of values.

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
    of ascent takes the Jacobian at the middle of a pair, by central differences over the length of the pair, and tries
    pairs along its top right singular vector: longer, shorter, and displaced. It also takes Jacobians at displaced
    points, and tries pairs along their own top right singular vectors. Half of these points are displaced along the
    difference of two gradients: where f is piecewise affine, this is the normal of the boundary between two pieces, so
    that the move crosses this boundary and few others. A pair that has not improved for five rounds starts anew.

    No pair is shorter than radius·√ε. Below that the rounding of a bias, which does not shrink with the pair, would
    pass for steepness: (x + 100) − 100 jumps by 1e-14 between points that are much closer. Where both x and f(x) are
    near 0 and f has large biases inside, say with `error` how wrong the values of f may be.

    A steep region that is small, in many dimensions, is not found by values: if nothing outside a ball hints at it, a
    search has to hit the ball by chance.
    """
    if d == 0 or n < 1 or n_rounds < 0 or not 0.0 < radius < np.inf:
        raise ValueError(
            f"d, n, n_rounds, radius are {d}, {n}, {n_rounds}, {radius}; expected positive ones, n_rounds at least 0"
        )
    shape = shape_of(d)
    dtype = np.dtype(dtype)
    sides = Box.of(box, shape, dtype)
    eps = max(epsilon(dtype), epsilon(dtype if precision is None else precision))
    spread = sides.spread(radius)
    judge = (K, error, ulps, precision)
    space = _Space(f, jac, judge, shape, dtype, sides, spread, float(spread.max()), eps, rng)
    climbers = space.launch(n, None)
    best = climbers[0]
    stalled = [0] * len(climbers)
    met = np.zeros((0, spread.size))
    for _ in range(n_rounds):
        basis = space.basis(met)
        for c, climber in enumerate(climbers):
            if not np.isfinite(climber[0]):
                continue
            if stalled[c] >= _PATIENCE:
                climbers[c], stalled[c] = space.launch(max(n // 8, 1), basis)[0], 0
                continue
            climbers[c], seen = space.step(climber, basis, met)
            met = np.concatenate([met, seen])[-64:]
            stalled[c] = 0 if climbers[c][0] > climber[0] * (1.0 + 1e-9) else stalled[c] + 1
        best = max([best, *climbers], key=lambda scored: scored[0])
    return best[1] if best[1].excess > 0.0 else None


def jacobian(f: Function, x: npt.ArrayLike, step: float, *, box: npt.ArrayLike | None = None) -> Array:
    """Compute the Jacobian of f at a point by central differences, in one call of f.

    Parameters
    ----------
    f : function of an (n, d) array, or (n, ...)
    x : (d,) array, or of the shape of a point
    step : float, positive
        Half the distance of the two points of a difference.
    box : as in `find_lipschitz_violation`, optional
        Where x lies at its edge, differences are one-sided.

    Returns
    -------
    (k, d) array
        In float64. Its top right singular vector is the direction in which f is steepest.
    """
    x = np.asarray(x)
    where = Box.of(box, x.shape, x.dtype)
    J: Array = _differences(f, x.reshape(1, -1), None, step, where, x.shape, x.dtype)[0]
    return J


def steepest(f: Function, x: Array, step: float, box: Box) -> Array:
    """Return the steepest slope of f at a point, a (d,) vector of that length; among 64 directions if d is large."""
    d, basis = x.size, None
    if d > _ALL_DIRECTIONS:
        basis = np.linalg.qr(np.random.default_rng(0).standard_normal((d, 64)))[0].T
    J = _differences(f, x.reshape(1, d).astype(np.float64), basis, step, box, x.shape, x.dtype)[0]
    if not np.isfinite(J).all():
        return np.zeros(d)
    slope = _top(J[None])[0]
    return slope if basis is None else np.asarray(slope @ basis)


def _differences(
    f: Function,
    middles: Array,
    basis: Array | None,
    step: float,
    box: Box,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
) -> Array:
    """Compute Jacobians at the rows of `middles`, (m, k, s), along the s rows of a basis, or along every coordinate."""
    m, d = middles.shape
    moves = step * (np.eye(d) if basis is None else basis)
    s = len(moves)
    ahead, behind = (box.inside(middles[:, None] + sign * moves, dtype).reshape(m * s, d) for sign in (1.0, -1.0))
    values = as_values(np.asarray(f(np.concatenate([ahead, behind]).reshape(-1, *shape))), 2 * m * s)
    # what a format or the edge of a box leaves of a move, along the move
    if basis is None:
        i = np.tile(np.arange(d), m)
        span = ahead[np.arange(m * s), i].astype(np.float64) - behind[np.arange(m * s), i]
    else:
        span = ((ahead.astype(np.float64) - behind).reshape(m, s, d) * basis).sum(axis=2)
    span = span.reshape(m * s, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.where(span == 0.0, 0.0, (values[: m * s] - values[m * s :]) / span)
    J: Array = slopes.reshape(m, s, -1).swapaxes(1, 2)
    return J


def _top(J: Array) -> Array:
    """Return σ₁v₁ of matrices (m, k, s), with a sign that neighbours share: their difference is to mean something."""
    size = np.abs(J).max(axis=(1, 2), keepdims=True)
    size[size == 0.0] = 1.0
    J = J / size
    if J.shape[1] == 1:
        top: Array = J
    elif min(J.shape[1:]) <= 32:
        wide = J.shape[1] <= J.shape[2]
        w, U = np.linalg.eigh(J @ J.swapaxes(1, 2) if wide else J.swapaxes(1, 2) @ J)
        last = U[:, :, -1:]
        top = last.swapaxes(1, 2) @ J if wide else (np.sqrt(np.maximum(w[:, -1:], 0.0))[:, None] * last.swapaxes(1, 2))
    else:
        row = np.argmax((J * J).sum(axis=2), axis=1)
        top = J[np.arange(len(J)), row][:, None]
        for _ in range(20):
            u = top @ J.swapaxes(1, 2)
            top = u / np.maximum(np.linalg.norm(u, axis=2, keepdims=True), 1e-300) @ J
    if J.shape[1] > 1:
        top = top * np.where(top.sum(axis=2, keepdims=True) < 0.0, -1.0, 1.0)
    return np.asarray((top * size)[:, 0])


class _Space(NamedTuple):
    """Where the search looks, and what it asks of f."""

    f: Function
    jac: Gradients | None
    judge: tuple[Any, ...]  # K, error, ulps, precision
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    box: Box
    spread: Array
    radius: float
    eps: float
    rng: np.random.Generator

    def pairs(self, middle: Array, half: Array) -> Measured:
        """Measure the pairs middle ± half."""
        x, y = (self.box.inside(middle + sign * half, self.dtype).reshape(-1, *self.shape) for sign in (1.0, -1.0))
        K, error, ulps, precision = self.judge
        return measure(self.f, K, *checked_points(x, y), error, ulps, precision)

    def scattered(self, n: int) -> Array:
        """Return n points at all scales: around 0, or uniform where there is a box."""
        offset = 10 ** self.rng.uniform(-2, 1, (n, 1)) * self.rng.standard_normal((n, self.spread.size))
        if self.box.bounded.any():
            offset = np.where(self.box.bounded, self.rng.uniform(-1, 1, offset.shape), offset)
        return self.box.centre() + self.spread * offset

    def launch(self, n: int, basis: Array | None) -> list[Climber]:
        """Return the best of n random pairs, and of the pairs along the largest gradients where these are cheap."""
        length = self.radius * 10 ** self.rng.uniform(np.log10(np.sqrt(self.eps)), 1, (n, 1))
        directions = unit(self.rng.standard_normal((n, self.spread.size)))
        climbers = self.pairs(self.scattered(n), length * directions).ranked
        if self.jac is None and basis is None and self.spread.size > _FEW:
            return climbers
        points = self.box.inside(self.scattered(2 * self.cheap(basis)), self.dtype).astype(np.float64)
        fine = self.radius * self.eps ** (1 / 3)
        g = self.gradients(points, basis, fine)
        top = np.argsort(-np.linalg.norm(g, axis=1), kind="stable")[:8]
        top = top[g[top].any(axis=1)]
        steep = self.pairs(points[top], fine * unit(g[top])).ranked if len(top) else []
        return sorted([*climbers[:4], *steep[:4]], key=lambda scored: -scored[0])

    def cheap(self, basis: Array | None) -> int:
        """Return how many gradients a step may compare."""
        return 256 if self.jac is not None else max(4, 256 // (self.spread.size if basis is None else len(basis)))

    def basis(self, met: Array) -> Array | None:
        """Return the directions along which gradients are compared: all if they are few, else those that were met."""
        if self.jac is not None or self.spread.size <= _FEW:
            return None
        if not len(met):
            return unit(self.rng.standard_normal((4, self.spread.size)))
        s, V = np.linalg.svd(met, full_matrices=False)[1:]
        return np.asarray(V[: min(16, int((s > 0.05 * s[0]).sum()))])

    def gradients(self, middles: Array, basis: Array | None, step: float) -> Array:
        """Compute the steepest slope of f at each point with its direction: (m, d) vectors of that length."""
        if self.jac is not None:
            points = self.box.inside(middles, self.dtype).reshape(-1, *self.shape)
            raw = np.asarray(self.jac(points), np.float64)
            if raw.size == 0 or raw.size % middles.size or len(raw) != len(middles):
                raise ValueError(f"jac gave shape {raw.shape} for points {points.shape}; expected (n, d) or (n, k, d)")
            J, basis = raw.reshape(len(middles), -1, middles.shape[1]), None
        else:
            J = _differences(self.f, middles, basis, step, self.box, self.shape, self.dtype)
        J = np.where(np.isfinite(J).all(axis=(1, 2), keepdims=True), J, 0.0)
        top = _top(J)
        return top if basis is None else np.asarray(top @ basis)

    def steepest(self, middle: Array, step: float, known: Array) -> Array:
        """Return the direction in which f is steepest at a point; among some directions if there are very many."""
        d, basis = middle.size, None
        if self.jac is None and d > _ALL_DIRECTIONS:
            basis = np.linalg.qr(np.vstack([known, self.rng.standard_normal((64, d))]).T)[0].T
        g: Array = self.gradients(middle[None], basis, step)[0]
        return g

    def moved(self, middle: Array, m: int, basis: Array | None, met: Array) -> Array:
        """Return m points around a point: moved at random, in every direction or within the basis, or across a kink."""
        d = middle.size
        moves = self.rng.standard_normal((m, d)) * (self.spread / self.radius)
        if basis is not None:
            moves[::2] = self.rng.standard_normal((len(moves[::2]), len(basis))) @ basis
        if len(met):
            moves[1::2] = met[self.rng.integers(0, len(met), len(moves[1::2]))]
            moves[1::2] *= self.rng.choice([-1.0, 1.0], (len(moves[1::2]), 1))
        points = self.box.inside(middle + self.radius * 10 ** self.rng.uniform(-4, 0.5, (m, 1)) * moves, self.dtype)
        return points.astype(np.float64)

    def step(self, climber: Climber, basis: Array | None, met: Array) -> tuple[Climber, Array]:
        """Return the better of a climber and the pairs around it, and the directions in which gradients differ."""
        pair, d = climber[1], self.spread.size
        middle, length = (pair.x.astype(np.float64) / 2 + pair.y.astype(np.float64) / 2).ravel(), pair.distance
        fine = self.radius * self.eps ** (1 / 3)
        known = unit((pair.x.astype(np.float64) - pair.y).reshape(1, d))
        here = self.steepest(middle, length / 2, known if basis is None else np.vstack([known, basis]))
        points = self.moved(middle, self.cheap(basis), basis, met)
        there = self.gradients(np.concatenate([middle[None], points]), basis, fine)
        top = np.argsort(-np.linalg.norm(there[1:], axis=1), kind="stable")[:4]
        found = [(middle, here), *((points[i], there[1 + i]) for i in top)]
        middles, halves = [], []
        for k, (point, g) in enumerate(found):
            m = 16 if k else 64
            v = unit(g) if g.any() else unit(self.rng.standard_normal(d))
            lengths = length * 10 ** np.append(0.0, self.rng.uniform(-1, 1, m - 1))
            if k:
                lengths[1::2] = 2.0 * fine * 10 ** self.rng.uniform(0, 4, m // 2)
            lengths = np.maximum(lengths, self.radius * np.sqrt(self.eps))
            moves = self.radius * 10 ** self.rng.uniform(-4, 1, (m, 1)) * self.rng.standard_normal((m, d))
            moves[: m // 2 if k == 0 else m] = 0.0
            middles.append(point + moves)
            halves.append(lengths[:, None] / 2 * v)
        best = self.pairs(np.concatenate(middles), np.concatenate(halves)).ranked[0]
        jumps = np.concatenate([here[None], there[1:] - there[0]])
        sizes = np.linalg.norm(jumps, axis=1)
        jumps = jumps[sizes > 1e-3 * sizes.max()][:8] if sizes.max() > 0.0 else jumps[:0]
        return (best if best[0] > climber[0] else climber), (unit(jumps) if len(jumps) else jumps)
