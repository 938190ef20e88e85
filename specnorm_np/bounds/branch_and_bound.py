"""A certified bracket of the Lipschitz constant of a network: both ends hold in floating point. Not in the paper.

With one or two inputs the regions of `regions` are walked, and it is proven that no region was missed. With more, boxes
are bounded and split, the one with the largest bound first, as LipBaB (Bhowmick et al. 2021) does; it is not complete
there, but whenever it stops its bracket holds. Interval bounds of the activations, and of the gradient behind them, are
those of RecurJac's (Zhang et al. 2019) and auto_LiRPA's simplest kind. For what no splitting reaches there is the bound
of `sdp` (LipSDP, Fazlyab et al. 2019).
"""

import heapq
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from specnorm_np.bounds.lipschitz import (
    certain_gradient_norms,
    checked_box,
    cube_of_kinks,
    float64_scalar_network,
    lipschitz_lower_bound,
    plus_up,
    tighter_lipschitz_upper_bound,
    times_up,
)
from specnorm_np.bounds.patterns import norms_of_patterns, patterns_near, spread_bound, upper_norms
from specnorm_np.bounds.regions import AffinePieces, affine_pieces, rounding_allowances
from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound
from specnorm_np.spectral import Array

BOXES = 256
"""How many boxes are bounded at a time."""

ENUMERATED = 8
"""With so many undecided activations at most, all their patterns are tried."""


class CertifiedConstant(NamedTuple):
    """A bracket of a Lipschitz constant. Both ends are proven, rounding included.

    Attributes
    ----------
    lower, upper : float
        lower ≤ ‖f‖_Lip ≤ upper on the box, or everywhere if there was none.
    x : (d_0,) array
        A point of the box where ‖∇f‖₂ ≥ lower.
    n_pieces : int
        Regions, or boxes, that were looked at.
    reached : bool
        Whether upper ≤ (1 + gap)·lower.
    """

    lower: float
    upper: float
    x: Array
    n_pieces: int
    reached: bool


def certified_lipschitz(
    W: Sequence[npt.ArrayLike],
    b: Sequence[npt.ArrayLike],
    slope: float,
    box: npt.ArrayLike | None = None,
    *,
    gap: float = 0.01,
    budget: float = 60.0,
    progress: Callable[[float, float], object] | None = None,
) -> CertifiedConstant:
    """Bracket ‖f‖_Lip, the K of (5), of a network with one output between two proven numbers.

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights, with d_{L+1} = 1.
    b : L+1 arrays, (d_l,)
        Biases.
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.
    box : sequence of d_0 pairs (min, max), optional
        Where f is looked at. Without it everywhere, which is possible with one or two inputs.
    gap : float, positive
        Stop when upper ≤ (1 + gap)·lower.
    budget : float, positive
        Seconds, about. What has been proven by then is returned. `KeyboardInterrupt` returns it, too.
    progress : callable, optional
        Called as progress(lower, upper) whenever the bracket may have changed.

    Returns
    -------
    CertifiedConstant

    Raises
    ------
    ValueError
        If the shapes do not chain or do not end in one output, an entry is not finite, slope is outside [0, 1], the box
        is not d_0 intervals of positive length or is missing with three or more inputs, `gap` or `budget` is not
        positive, or pre-activations overflow.

    Notes
    -----
    With one or two inputs the polygons of `regions` cover the box up to their rounding. Take any point of the box, and
    the polygon that holds it or is next to it. An activation of the point can differ from that of the polygon only
    where a pre-activation is near 0, and then it is near 0 at the polygon's vertex that is nearest in the sense of
    barycentric coordinates (see `patterns.patterns_near`). So the gradients of all points are among those of the
    polygons with the activations flipped that are near 0 at one vertex. The largest of all these norms is the upper
    bound. It is larger than the constant only where a flip leads to no region, as it may where more than two kinks meet
    in a point, or are parallel and so meet at infinity.

    Without a box the plane is divided into a square and four parts outside of it. With the square's half side R a power
    of 2, a point of such a part is x = (R/q)(1, t) or one of its turns, 0 ≤ q ≤ 1, −1 ≤ t ≤ 1. Multiplied by q/R, which
    is positive and so changes no activation, all pre-activations are piecewise affine in (t, q) again. The same walk
    covers them, infinity included.

    With more inputs a box is bounded from its intervals of the pre-activations: an activation that cannot change in the
    box is fixed, the others have any slope in [slope, 1]. The gradient is affine in each of these slopes and its norm
    convex, so that the largest norm is attained at a pattern of ends; with up to 8 of them all patterns are tried, with
    more the gradient is bounded entry by entry.

    The gradient at a pattern is computed in float64 and rounded outward by n u ∏‖|Wˡ|‖_F, n = ∑(d_{l-1} + 3).
    """
    chain, biases = float64_scalar_network(W, b, slope)
    for name, value in (("gap", gap), ("budget", budget)):
        if not (value > 0.0 and math.isfinite(value)):
            raise ValueError(f"{name} is {value}; expected a finite positive number")
    d = chain[0].shape[1]
    sides = None if box is None else checked_box(box, d)
    if sides is None and d > 2:
        raise ValueError(f"box is None; expected {d} pairs (min, max): only with one or two inputs it may be left out")
    bracket = _Bracket(
        chain, biases, slope, gap, budget, progress, np.zeros(d) if sides is None else sides.mean(axis=1)
    )
    try:
        if math.isinf(bracket.rounding):
            pass  # out of the range of the proof: the product bound is all that is known
        elif len(chain) == 1:  # an affine map has one gradient
            size = float(np.linalg.norm(chain[0]))
            bracket.found(size, bracket.x)
            bracket.proved(plus_up(times_up(size, 1.0 + 2.0**-50), bracket.rounding))
        elif d <= 2:
            _walk_the_plane(bracket, sides)
        elif sides is not None:
            _split_boxes(bracket, sides)
    except KeyboardInterrupt:
        pass
    return bracket.result()


class _Bracket:
    """What has been proven so far. The upper bound begins at the tighter product bound, and falls."""

    def __init__(
        self,
        W: list[Array],
        b: list[Array],
        slope: float,
        gap: float,
        budget: float,
        progress: Callable[[float, float], object] | None,
        x: Array,
    ):
        self.W, self.b, self.slope, self.gap, self.progress = W, b, slope, gap, progress
        self.end = time.monotonic() + budget
        self.lower, self.upper, self.x, self.n_pieces = 0.0, tighter_lipschitz_upper_bound(W, slope), x, 0
        self.rounding = spread_bound(W)

    @property
    def late(self) -> bool:
        return time.monotonic() > self.end

    @property
    def closed(self) -> bool:
        return self.upper <= (1.0 + self.gap) * self.lower

    def found(self, norm: float, x: Array) -> None:
        """Take note of a gradient, computed at a point whose activations are certain."""
        proven = math.nextafter(norm * (1.0 - 2.0**-50) - self.rounding, -math.inf)
        if proven > self.lower:
            self.lower, self.x = proven, x
            self.told()

    def proved(self, upper: float) -> None:
        """Take note of an upper bound of the whole."""
        if upper < self.upper:
            self.upper = upper
            self.told()

    def told(self) -> None:
        if self.progress is not None:
            self.progress(self.lower, self.upper)

    def result(self) -> CertifiedConstant:
        upper = max(self.upper, self.lower)  # equal up to rounding for a linear network
        return CertifiedConstant(self.lower, upper, self.x, self.n_pieces, upper <= (1.0 + self.gap) * self.lower)


# ---- one or two inputs ----------------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """A part of the plane: a network with the activations of f there, a box for it, and the way back to x."""

    W: list[Array]
    b: list[Array]
    box: Array
    to_x: Callable[[Array], Array]


def _walk_the_plane(bracket: _Bracket, sides: Array | None) -> None:
    """Bound all gradients on a box, or on all of the plane."""
    W, b, slope = bracket.W, bracket.b, bracket.slope
    d = W[0].shape[1]
    if d == 1:  # a second input that has no effect
        W = [np.column_stack([W[0], np.zeros(len(W[0]))]), *W[1:]]
        sides = None if sides is None else np.vstack([sides, [[-1.0, 1.0]]])
    largest = 0.0
    for part in _parts(W, b, sides, axes=range(d)):
        tau = rounding_allowances(part.W, part.b, np.abs(part.box).max(axis=1))
        for pieces in affine_pieces(part.W, part.b, slope, part.box):
            if bracket.late:
                return  # what was not looked at may be steeper: only the first upper bound is proven
            bracket.n_pieces += len(pieces.gradient)
            largest = max(largest, _largest_norm(W, slope, part, pieces, tau))
            _look_at_steepest(bracket, W, part, pieces, tau, d)
    bracket.proved(plus_up(times_up(largest, 1.0 + 2.0**-50), bracket.rounding))


def _parts(W: list[Array], b: list[Array], sides: Array | None, axes: Sequence[int]) -> Iterator[_Part]:
    """Divide what is to be looked at into parts with a box each."""
    if sides is not None:
        yield _Part(W, b, sides, lambda p: p)
        return
    R = 2.0 ** math.ceil(math.log2(float(cube_of_kinks(W[0], b[0])[0, 1])))
    yield _Part(W, b, np.array([[-R, R], [-R, R]]), lambda p: p)
    for axis in axes:
        for sign in (1.0, -1.0):
            first = np.column_stack([W[0][:, 1 - axis], b[0] / R])
            chain, biases = [np.vstack([first, [0.0, 1.0]])], [np.append(sign * W[0][:, axis], 0.0)]
            for W_l, b_l in zip(W[1:], b[1:], strict=True):  # the last unit of every layer is q
                chain.append(np.vstack([np.column_stack([W_l, b_l / R]), np.append(np.zeros(W_l.shape[1]), 1.0)]))
                biases.append(np.zeros(len(b_l) + 1))
            chain[-1], biases[-1] = chain[-1][:-1], biases[-1][:-1]

            def to_x(p: Array, axis: int = axis, sign: float = sign) -> Array:
                columns = [np.full(len(p), sign), p[:, 0]]
                return np.column_stack(columns if axis == 0 else columns[::-1]) * (R / p[:, 1])[:, None]

            yield _Part(chain, biases, np.array([[-1.0, 1.0], [0.0, 1.0]]), to_x)


def _largest_norm(W: list[Array], slope: float, part: _Part, pieces: AffinePieces, tau: list[Array]) -> float:
    """Return the largest norm of a gradient that a point on or next to these polygons can have."""
    largest = 0.0
    widths = [len(W_l) for W_l in W[:-1]]
    for low, high in patterns_near(part.W, part.b, slope, pieces.vertices, pieces.size, tau, ENUMERATED):
        exact = low is high
        low = [s[:, :width] for s, width in zip(low, widths, strict=True)]
        high = low if exact else [s[:, :width] for s, width in zip(high, widths, strict=True)]
        largest = max(largest, float(upper_norms(W, low, high).max(initial=0.0)))
    return largest


def _look_at_steepest(
    bracket: _Bracket, W: list[Array], part: _Part, pieces: AffinePieces, tau: list[Array], d: int
) -> None:
    """Raise the lower bound by the steepest polygons whose activations are certain at their centre."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = part.to_x(pieces.center)
    certain = certain_gradient_norms(part.W, part.b, bracket.slope, pieces.center, tau) >= 0.0
    certain &= np.isfinite(x).all(axis=1)
    if certain.any():
        norms = norms_of_patterns(W, part.W, part.b, bracket.slope, pieces.center[certain])
        best = int(np.argmax(norms))
        bracket.found(float(norms[best]), x[certain][best, :d])


# ---- any number of inputs -------------------------------------------------------------------------------------------


def _split_boxes(bracket: _Bracket, sides: Array) -> None:
    """Bound boxes, and split those with the largest bounds, until the gap is reached or the time is over."""
    W, b, slope = bracket.W, bracket.b, bracket.slope
    bracket.found(*lipschitz_lower_bound(W, b, slope, sides, rng=np.random.default_rng(0)))
    bracket.proved(sdp_lipschitz_upper_bound(W, slope))
    tau = rounding_allowances(W, b, np.abs(sides).max(axis=1))
    boxes, first = sides[None], True
    heap: list[tuple[float, int, Array]] = []
    count = 0
    while not (bracket.closed or bracket.late) or first:
        first = False
        x = boxes.mean(axis=2)
        norms = certain_gradient_norms(W, b, slope, x, tau)
        best = int(np.argmax(norms))
        bracket.found(float(norms[best]), x[best])
        low, high = _slopes_on(W, b, slope, boxes)
        bounds = times_up_all(upper_norms(W, low, high), bracket.rounding)
        bounds = _enumerated(W, low, high, bounds, bracket.rounding)
        bracket.n_pieces += len(boxes)
        for bound, piece in zip(bounds.tolist(), boxes, strict=True):
            if bound > (1.0 + bracket.gap) * bracket.lower:
                count += 1
                heapq.heappush(heap, (-bound, count, piece))
        # What has been dropped is at most (1 + gap) lower.
        bracket.proved(max(-heap[0][0] if heap else 0.0, (1.0 + bracket.gap) * bracket.lower))
        if not heap:
            return
        worst = np.stack([heapq.heappop(heap)[2] for _ in range(min(BOXES, len(heap)))])
        if bracket.late:
            return
        boxes = _halved(worst, W[0])


def _halved(boxes: Array, W: Array) -> Array:
    """Cut each box in two, across the side that moves the first layer most."""
    moves = (boxes[:, :, 1] - boxes[:, :, 0]) * np.linalg.norm(W, axis=0)
    rows, side = np.arange(len(boxes)), np.argmax(moves, axis=1)
    middle = boxes[rows, side].mean(axis=1)
    lower, upper = boxes.copy(), boxes.copy()
    lower[rows, side, 1], upper[rows, side, 0] = middle, middle
    return np.concatenate([lower, upper])


def _slopes_on(W: list[Array], b: list[Array], slope: float, boxes: Array) -> tuple[list[Array], list[Array]]:
    """Return the least and the largest slope of every hidden unit on each box, by intervals rounded outward."""
    center, radius = boxes.mean(axis=2), (boxes[:, :, 1] - boxes[:, :, 0]) / 2 * (1.0 + 2.0**-50)
    radius += 2.0**-52 * np.abs(center)  # the rounding of the centre
    low, high = [], []
    for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
        size = np.abs(W_l)
        a = center @ W_l.T + b_l
        error = (W_l.shape[1] + 4) * 2.0**-52 * ((np.abs(center) + radius) @ size.T + np.abs(b_l)) + 1e-300
        spread = radius @ size.T + error
        bottom, top = a - spread, a + spread
        low.append(np.where(bottom > 0.0, 1.0, slope))
        high.append(np.where(top < 0.0, slope, 1.0))
        h_bottom, h_top = np.maximum(bottom, slope * bottom), np.maximum(top, slope * top)
        center, radius = (h_bottom + h_top) / 2, (h_top - h_bottom) / 2
        radius += 2.0**-50 * (np.abs(h_bottom) + np.abs(h_top))
    return low, high


def _enumerated(W: list[Array], low: list[Array], high: list[Array], bounds: Array, rounding: float) -> Array:
    """Sharpen the bounds of boxes with few undecided units: the largest norm over all patterns of these."""
    undecided = np.concatenate([one < other for one, other in zip(low, high, strict=True)], axis=1)
    count = undecided.sum(axis=1)
    splits = np.cumsum([part.shape[1] for part in low])[:-1]
    least, most = np.concatenate(low, axis=1), np.concatenate(high, axis=1)
    for m in np.unique(count[(count > 0) & (count <= ENUMERATED)]).tolist():
        rows = np.flatnonzero(count == m)
        units = np.nonzero(undecided[rows])[1].reshape(-1, m)
        ends = (np.arange(2**m)[:, None] >> np.arange(m)) & 1 == 1
        patterns = np.repeat(least[rows, None, :], 2**m, axis=1)
        index = np.arange(len(rows))[:, None, None], np.arange(2**m)[None, :, None], units[:, None, :]
        patterns[index] = np.where(ends[None], most[rows[:, None], units][:, None, :], patterns[index])
        flat = np.split(patterns.reshape(len(rows) * 2**m, -1), splits, axis=1)
        norms = upper_norms(W, flat, flat).reshape(len(rows), -1).max(axis=1)
        bounds[rows] = np.minimum(bounds[rows], times_up_all(norms, rounding))
    return bounds


def times_up_all(norms: Array, rounding: float) -> Array:
    """Round computed norms outward; one that could not be computed is infinite."""
    bounds = np.nextafter(norms * (1.0 + 2.0**-50) + rounding, np.inf)
    return np.where(np.isnan(bounds), np.inf, bounds)
