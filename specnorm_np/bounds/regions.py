"""The regions of a plane on which a piecewise-linear network is affine.

On a polygon where the first l - 1 hidden layers are affine, every pre-activation of layer l is affine too, so layer l
cuts the polygon along straight lines, one for each unit that changes sign inside. Cutting a box layer after layer
leaves convex polygons on which the network itself is affine. They are walked depth first in blocks, so that only a
few blocks are in memory at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from specnorm_np.spectral import Array

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True)
class Polygons:
    """Convex polygons in the plane, stored one after the other.

    Attributes
    ----------
    vertices : (n, 2) array
        The vertices of all polygons, each polygon's in counter-clockwise order.
    size : (p,) array of int
        How many vertices each polygon has.
    owner : (p,) array of int
        Row of the affine maps that hold on the polygon.
    """

    vertices: Array
    size: Array
    owner: Array

    @property
    def start(self) -> Array:
        """Index of each polygon's first vertex, shape (p,)."""
        return np.cumsum(self.size) - self.size

    def take(self, keep: Array) -> "Polygons":
        """Return the polygons where the boolean mask `keep`, shape (p,), is true."""
        return Polygons(self.vertices[np.repeat(keep, self.size)], self.size[keep], self.owner[keep])

    def blocks(self, n: int) -> Iterator["Polygons"]:
        """Yield the polygons in order, at most `n` at a time."""
        end = np.cumsum(self.size)
        for first in range(0, len(self.size), n):
            part = slice(first, first + n)
            vertices = self.vertices[end[first] - self.size[first] : end[part][-1]]
            yield Polygons(vertices, self.size[part], self.owner[part])


@dataclass(frozen=True)
class AffinePieces:
    """Regions on which the network is affine.

    Attributes
    ----------
    gradient : (p, 2) array
        Gradient of the network on each region.
    center : (p, 2) array
        A point inside each region: the mean of its vertices.
    area : (p,) array
        Area of each region.
    vertices : (n, 2) array
        The vertices of all regions, each region's in counter-clockwise order.
    size : (p,) array of int
        How many vertices each region has.
    """

    gradient: Array
    center: Array
    area: Array
    vertices: Array
    size: Array


def affine_pieces(
    W: Sequence[Array], b: Sequence[Array], slope: float, box: Array, block: int = 256
) -> Iterator[AffinePieces]:
    """Yield the regions of a box on which a network with scalar output is affine, a block at a time.

    Parameters
    ----------
    W : L+1 arrays of float64, (d_l, d_{l-1})
        d_0 = 2 and d_{L+1} = 1.
    b : L+1 arrays of float64, (d_l,)
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.
    box : (2, 2) array of float64
        Rows (min, max) of the two coordinates.
    block : int
        How many polygons carry their affine maps in memory at a time.

    Yields
    ------
    AffinePieces

    Notes
    -----
    A unit cuts a polygon where its pre-activation exceeds τ at one vertex and is below -τ at another, τ being that of
    `rounding_allowances`; a vertex within τ lies on the kink and belongs to both parts. Both parts share the vertices
    that are computed on the edges they cut, so the polygons cover the box up to the rounding of these. Hence every
    region is found, with its own activations, that holds a point at which each pre-activation exceeds 3τ in size.
    What rounding leaves: thinner regions may be merged with a neighbour. Kinks that coincide, or meet in one
    point as they do without biases, leave no slivers behind.
    """
    tau = rounding_allowances(W, b, np.abs(box).max(axis=1))
    (x_min, x_max), (y_min, y_max) = box
    corners = np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    whole = Polygons(corners, np.array([4]), np.array([0]))
    first = np.vstack([W[0].T, b[0]])[None]
    yield from _walk(W, b, slope, tau, whole, first, 0, block)


def rounding_allowances(W: Sequence[Array], b: Sequence[Array], radius: Array) -> list[Array]:
    """Bound the rounding of each pre-activation over the box |x| ≤ radius, one array (d_l,) a layer.

    Notes
    -----
    S_l = |W_l| S_{l-1} + |b_l| from S_0 = radius bounds the sum of absolute values behind a pre-activation of layer l.
    With n operations in a row, d_{l-1} + 3 a layer, a computed one is off by at most about n u S_l, u = 2⁻⁵³.
    A vertex computed on an edge is off that edge by at most 6 u radius, and this happens to an edge at most once for
    each of the N hidden units: 6 N u S_l more. The allowance τ = 2 (n + 6 N + 8) u S_l is at least twice the sum.
    """
    units = sum(len(b_l) for b_l in b[:-1])
    S, n, tau = radius, 0, []
    for W_l, b_l in zip(W, b, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            S = np.abs(W_l) @ S + np.abs(b_l)
        n += W_l.shape[1] + 3
        tau.append(2 * (n + 6 * units + 8) * UNIT_ROUNDOFF * S)
    if not np.isfinite(S).all():
        raise ValueError(f"W and b overflow on a box of radius {radius.tolist()}; expected finite pre-activations")
    return tau


def _walk(
    W: Sequence[Array],
    b: Sequence[Array],
    slope: float,
    tau: Sequence[Array],
    polygons: Polygons,
    maps: Array,
    l: int,
    block: int,
) -> Iterator[AffinePieces]:
    """Cut `polygons` at the kinks of layers l, l+1, ...; maps (p, 3, d_l) give a_l as rows (x, y, 1) @ map."""
    if l == len(W) - 1:
        center = _means(polygons)
        gradient, area = maps[polygons.owner, :2, 0], _areas(polygons, center)
        yield AffinePieces(gradient, center, area, polygons.vertices, polygons.size)
        return
    parts = polygons if slope == 1 else _split(polygons, maps, tau[l])
    for part in parts.blocks(block):
        a_map = maps[part.owner]
        own = Polygons(part.vertices, part.size, np.arange(len(part.size)))
        low, high = _ranges(own, a_map)
        h_map = a_map * np.where(high > -low, 1.0, slope)[:, None, :]
        next_map = (h_map.reshape(-1, h_map.shape[2]) @ W[l + 1].T).reshape(len(a_map), 3, -1)
        next_map[:, 2] += b[l + 1]
        yield from _walk(W, b, slope, tau, own, next_map, l + 1, block)


def _split(polygons: Polygons, maps: Array, tau: Array) -> Polygons:
    """Cut each polygon by the zero lines of all units of its map.

    In round k each polygon that descends from parent i is cut by the k-th of the units that change sign on i.
    """
    low, high = _ranges(polygons, maps)
    crossing = (high > tau) & (low < -tau)
    count = crossing.sum(axis=1)
    unit = np.argsort(~crossing, axis=1, kind="stable")
    # Descendants carry the row of their parent in `polygons` until the end.
    active = Polygons(polygons.vertices, polygons.size, np.arange(len(polygons.size)))
    done = []
    for k in range(int(count.max()) + 1):
        more = count[active.owner] > k
        done.append(active.take(~more))
        active = active.take(more)
        if more.any():
            j = unit[active.owner, k]
            active = _cut(active, maps[polygons.owner[active.owner], :, j], tau[j])
    vertices = np.concatenate([part.vertices for part in done])
    size = np.concatenate([part.size for part in done])
    row = np.concatenate([part.owner for part in done])
    return Polygons(vertices, size, polygons.owner[row])


def _ranges(polygons: Polygons, maps: Array) -> tuple[Array, Array]:
    """Return the least and the largest value of each unit on each polygon, both (p, d): they are taken at vertices."""
    a = (_homogeneous(polygons.vertices)[:, None, :] @ maps[np.repeat(polygons.owner, polygons.size)])[:, 0, :]
    return np.minimum.reduceat(a, polygons.start, axis=0), np.maximum.reduceat(a, polygons.start, axis=0)


def _cut(polygons: Polygons, line: Array, tau: Array) -> Polygons:
    """Cut each polygon by its own line, where the line passes through it.

    Parameters
    ----------
    polygons : Polygons
        The p polygons to cut.
    line : (p, 3) array
        The affine functions (x, y, 1) @ line whose zeros are the lines.
    tau : (p,) array
        A vertex with a value of at most tau in size lies on the line.
    """
    of = np.repeat(np.arange(len(polygons.size)), polygons.size)
    value = np.einsum("ij,ij->i", _homogeneous(polygons.vertices), line[of])
    above, below = value > tau[of], value < -tau[of]
    cut = np.logical_or.reduceat(above, polygons.start) & np.logical_or.reduceat(below, polygons.start)
    whole = polygons.take(~cut)
    if not cut.any():
        return whole
    inside = cut[of]
    parted, value, above, below = polygons.take(cut), value[inside], above[inside], below[inside]
    following = _following(parted)
    crossed = (above & below[following]) | (below & above[following])
    gap = np.where(crossed, value - value[following], 1.0)
    x = parted.vertices
    between = x + (value / gap)[:, None] * (x[following] - x)
    # Each vertex is followed by the crossing on its edge, if there is one; each side keeps what is not beyond the line.
    path = np.stack([x, between], axis=1).reshape(-1, 2)
    vertices, sizes = [whole.vertices], [whole.size]
    for beyond in (below, above):
        keep = np.stack([~beyond, crossed], axis=1).reshape(-1)
        vertices.append(path[keep])
        sizes.append(np.add.reduceat(keep.astype(np.intp), 2 * parted.start))
    owner = np.concatenate([whole.owner, parted.owner, parted.owner])
    return Polygons(np.concatenate(vertices), np.concatenate(sizes), owner)


def _following(polygons: Polygons) -> Array:
    """Index of the vertex that follows each vertex around its polygon."""
    following = np.arange(1, len(polygons.vertices) + 1)
    following[polygons.start + polygons.size - 1] = polygons.start
    return following


def _homogeneous(x: Array) -> Array:
    """Rows (x, y, 1)."""
    return np.column_stack([x, np.ones(len(x))])


def _means(polygons: Polygons) -> Array:
    """Mean of the vertices of each polygon, a point inside it."""
    return np.add.reduceat(polygons.vertices, polygons.start, axis=0) / polygons.size[:, None]


def _areas(polygons: Polygons, center: Array) -> Array:
    """Area of each polygon, as triangles between its center and its edges."""
    x = polygons.vertices - np.repeat(center, polygons.size, axis=0)
    y = x[_following(polygons)]
    area: Array = 0.5 * np.add.reduceat(x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0], polygons.start)
    return area
