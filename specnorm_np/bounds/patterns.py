"""Activation patterns, the gradients that they make, and which patterns points near given polygons can have."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from specnorm_np.bounds.regions import UNIT_ROUNDOFF
from specnorm_np.spectral import Array

Slopes = list[Array]
"""For each hidden layer the slope of every unit, (n, d_l), a row for each pattern."""


def spread_bound(W: Sequence[Array]) -> float:
    """Bound the rounding of a computed gradient: 2 n u ∏‖|Wˡ|‖_F, n = ∑(d_{l-1} + 3), and what underflow adds.

    Squares below 1e-308 vanish, so that norms below 1e-154 are not seen: 1e-140 covers them. Where a product of layers
    may exceed 1e140, nothing is promised.
    """
    n = sum(W_l.shape[1] + 3 for W_l in W)
    norms = [float(np.linalg.norm(W_l)) * (1.0 + 1e-10) + 1e-150 for W_l in W]
    if not math.prod(max(1.0, norm) for norm in norms) < 1e140:
        return math.inf
    return float(2 * n * UNIT_ROUNDOFF * math.prod(norms) + 1e-140)


def upper_norms(W: Sequence[Array], low: Slopes, high: Slopes) -> Array:
    """Bound ‖∇f‖₂ for slopes between `low` and `high`, up to the rounding of `spread_bound`.

    The gradient is carried back as a centre and a radius in every entry. If the two are the same lists it is the norm.
    """
    n = len(low[0])
    center = np.broadcast_to(W[-1], (n, W[-1].shape[1]))
    if all(one is other for one, other in zip(low, high, strict=True)):
        for W_l, s in zip(reversed(W[:-1]), reversed(low), strict=True):
            center = (center * s) @ W_l
        return norm(center)
    radius = np.zeros(center.shape)
    for W_l, s_low, s_high in zip(reversed(W[:-1]), reversed(low), reversed(high), strict=True):
        middle, half = (s_low + s_high) / 2, (s_high - s_low) / 2
        radius = radius * s_high + np.abs(center) * half
        center, radius = (center * middle) @ W_l, radius @ np.abs(W_l) * (1.0 + 1e-10)
    return norm(np.abs(center) + radius)


def norm(rows: Array) -> Array:
    """Compute the length of every row."""
    lengths: Array = np.linalg.norm(rows, axis=1)
    return lengths


def norms_of_patterns(
    W: Sequence[Array], W_part: Sequence[Array], b_part: Sequence[Array], slope: float, x: Array
) -> Array:
    """Compute ‖∇f‖₂ with the activations that a network like f has at x; it may have more units in every layer."""
    slopes, h = [], x
    for W_l, b_l, own in zip(W_part[:-1], b_part[:-1], W[:-1], strict=True):
        a = h @ W_l.T + b_l
        s = np.where(a > 0, 1.0, slope)
        slopes.append(s[:, : len(own)])
        h = a * s
    return upper_norms(W, slopes, slopes)


def patterns_near(
    W: Sequence[Array],
    b: Sequence[Array],
    slope: float,
    vertices: Array,
    size: Array,
    tau: Sequence[Array],
    enumerated: int,
) -> Iterator[tuple[Slopes, Slopes]]:
    """Yield slopes, as least and largest ones, among which are those of every point on or next to the polygons.

    Parameters
    ----------
    W, b, slope
        The network.
    vertices : (n, 2) array
        The vertices of all polygons, one polygon after the other.
    size : (p,) array of int
        How many vertices each polygon has.
    tau : sequence of (d_l,) arrays
        Bounds τ_l of the rounding of the pre-activations, and of how far a point next to a polygon can move them.
    enumerated : int
        With so many activations near 0 at a vertex all patterns are tried; with more they are left free.

    Notes
    -----
    Let s be the activations of a polygon, A_l the affine pre-activations that they make, and y a point on it. If
    s_j A_l(p)_j ≥ −3τ_l at the vertices p, then so it is at y, up to a further τ_l for a point next to the polygon.
    Units whose activation at y is not the polygon's have made an error of at most 3τ_l in h_l. With e_l for the
    distance of the true pre-activation at y from A_l(y), therefore

        e_1 = 0,    e_{l+1} = |W^{l+1}| (2e_l + 4τ_l).

    So an activation can differ at y only if |A_l(y)_j| ≤ e_l + τ_l. Divide the polygon into triangles; y has a
    barycentric coordinate of at least 1/3 at one vertex p. If |A_l(p)_j| > 16τ_l + 3e_l + τ_l, then
    |A_l(y)_j| > (16τ_l + 3e_l)/3 − 4τ_l > e_l + τ_l, and the activation is the polygon's. What is left are the units
    near 0 at p, at most two at most vertices. A unit with the wrong sign at a vertex of its polygon is left free on
    all of it.
    """
    start = np.cumsum(size) - size
    of = np.repeat(np.arange(len(size)), size)
    h, e, slopes, near = vertices, np.zeros(len(b[0])), [], []
    for l in range(len(W) - 1):
        a = h @ W[l].T + b[l]
        on = np.maximum.reduceat(a, start, axis=0) > -np.minimum.reduceat(a, start, axis=0)
        wrong = np.logical_or.reduceat(np.where(on[of], -a, a) > 2 * tau[l], start, axis=0)
        near.append((np.abs(a) <= 17 * tau[l] + 3 * e) | wrong[of])
        slopes.append(np.where(on, 1.0, slope))
        h = a * slopes[-1][of]
        if l + 2 < len(W):
            e = 1.01 * (np.abs(W[l + 1]) @ (2 * e + 4 * tau[l]))
    pattern, undecided = np.concatenate(slopes, axis=1), np.concatenate(near, axis=1)
    splits = np.cumsum([s.shape[1] for s in slopes])[:-1]

    def split(rows: Array) -> Slopes:
        return np.split(rows, splits, axis=1)

    everywhere = split(pattern)
    yield everywhere, everywhere
    count = undecided.sum(axis=1)
    few = (count > 0) & (count <= enumerated)
    for m in np.unique(count[few]).tolist():
        rows = np.flatnonzero(count == m)
        units = np.nonzero(undecided[rows])[1].reshape(-1, m)
        flips = (np.arange(1, 2**m)[:, None] >> np.arange(m)) & 1 == 1
        for flip in flips:
            flipped = pattern[of[rows]]
            index = np.arange(len(rows))[:, None], units[:, flip]
            flipped[index] = np.where(flipped[index] == 1.0, slope, 1.0)
            part = split(np.unique(flipped, axis=0) if len(flipped) < 64 else flipped)
            yield part, part
    rows = np.flatnonzero(count > enumerated)
    for block in np.array_split(rows, -(-len(rows) // 256)) if len(rows) else []:
        base, free = pattern[of[block]], undecided[block]
        yield split(np.where(free, slope, base)), split(np.where(free, 1.0, base))
