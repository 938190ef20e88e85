"""Points of any shape, functions of many points or of one, boxes, and points in words."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array
from specnorm_np.testing.rounding import EPSILON

Function: TypeAlias = Callable[[Array], npt.ArrayLike]
Shape: TypeAlias = int | tuple[int, ...]

_FEW = 16  # coordinates that are written out


# --- functions


def batched(f: Function, batch_size: int | None = None) -> Function:
    """Make a function of any number of points out of one that takes a single point, or a fixed number of them.

    Parameters
    ----------
    f : function of an array
        Without `batch_size`, f takes one point, of shape (d,) or (c, h, w), and returns a number or an array. With it,
        f takes exactly `batch_size` points, the first axis counting them, and returns as many values.
    batch_size : int, at least 1, optional
        The last batch is filled up with copies of its last point, whose values are dropped.

    Returns
    -------
    function of an (n, ...) array, returning (n,) or (n, k)

    Raises
    ------
    ValueError
        If `batch_size` is below 1; or, when called, if f returns another number of values.

    Examples
    --------
    >>> import numpy as np
    >>> batched(lambda x: x.max())(np.array([[1.0, 2.0], [4.0, 3.0]]))
    array([2., 4.])
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected at least 1")

    def of_rows(x: Array) -> Array:
        if batch_size is None:
            return np.stack([np.asarray(f(point)) for point in x])
        values = []
        for start in range(0, len(x), batch_size):
            batch = x[start : start + batch_size]
            full = np.concatenate([batch, np.repeat(batch[-1:], batch_size - len(batch), axis=0)])
            raw = np.asarray(f(full))
            raw = raw[None] if raw.shape == () and batch_size == 1 else raw  # a squeezed single value
            if raw.ndim == 0 or len(raw) != batch_size:
                raise ValueError(
                    f"f gave shape {raw.shape} for a batch of {batch_size} points; expected as many values"
                )
            values.append(raw[: len(batch)])
        return np.concatenate(values)

    return of_rows


def as_values(raw: Array, n: int) -> Array:
    """Return what f gave for n points as an (n, k) float64 array."""
    real = raw.dtype.kind in "fiub" or raw.dtype.name in EPSILON
    if raw.ndim < 1 or len(raw) != n or not real or raw.size == 0:
        raise ValueError(
            f"f gave shape {raw.shape}, dtype {raw.dtype}, for {n} points; expected ({n},) or ({n}, k), real; "
            "`batched` adapts a function of a single point"
        )
    return raw.reshape(n, -1).astype(np.float64)


# --- points


def shape_of(d: Shape) -> tuple[int, ...]:
    """Return the shape of one point."""
    shape = d if isinstance(d, tuple) else (d,)
    if not shape or min(shape) < 1:
        raise ValueError(f"d is {d}; expected a positive number of coordinates, or a shape such as (3, 32, 32)")
    return shape


def checked_points(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    """Return pairs of points as two (n, ...) arrays of a floating dtype."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind in "iub" and y.dtype.kind in "iub":
        x, y = x.astype(np.float64), y.astype(np.float64)
    x, y = (p[None] if p.ndim == 1 else p for p in (x, y))
    for name, p in (("x", x), ("y", y)):
        if p.dtype.kind != "f":
            raise ValueError(f"{name} has dtype {p.dtype}; expected a floating dtype, or whole numbers in both x and y")
        if p.ndim < 2 or p.size == 0:
            raise ValueError(f"{name} has shape {p.shape}; expected one point (d,), or points (n, d) or (n, c, h, w)")
        if not np.isfinite(p).all():
            raise ValueError(f"{name} holds NaN or infinity; expected finite entries")
    if x.shape != y.shape or x.dtype != y.dtype or x.dtype.itemsize > 8:
        raise ValueError(
            f"x has shape {x.shape}, dtype {x.dtype} and y {y.shape}, {y.dtype}; expected the same, at most float64"
        )
    if max(float(np.abs(x).max()), float(np.abs(y).max())) > 1e300:
        raise ValueError("x or y has entries above 1e300; expected points whose distance can be computed")
    return x, y


def norms(z: Array) -> Array:
    """Return ‖z‖₂ of every row; scaled by a power of two, so that squares stay in range."""
    z = z.reshape(len(z), -1)
    exponent = np.frexp(np.abs(z).max(axis=1))[1]
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        scaled = np.ldexp(z, -exponent[:, None])
        lengths: Array = np.ldexp(np.sqrt((scaled * scaled).sum(axis=1)), exponent)
    return lengths


def unit(z: Array) -> Array:
    """Return every row of z at unit length."""
    rows: Array = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return rows


class Box(NamedTuple):
    """Where points may lie: low ≤ x ≤ high, (d,) arrays of float64 with numbers that the dtype of the points has."""

    low: Array
    high: Array

    @classmethod
    def of(cls, box: npt.ArrayLike | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> "Box":
        """Return the box of one pair (min, max), or of a pair for each coordinate; without one, the whole space."""
        wide = (-np.inf, np.inf)
        sides = np.asarray(wide if box is None else box, np.float64)
        if sides.shape not in ((2,), (*shape, 2)) or not (sides[..., 0] < sides[..., 1]).all():
            raise ValueError(
                f"box has shape {sides.shape}; expected one pair (min, max), or an array {(*shape, 2)} of a pair for "
                "each coordinate, with min < max"
            )
        low, high = np.broadcast_to(sides, (*shape, 2)).reshape(-1, 2).T
        inner_low, inner_high = low.astype(dtype), high.astype(dtype)
        inner_low = np.where(inner_low < low, np.nextafter(inner_low, np.asarray(np.inf, dtype)), inner_low)
        inner_high = np.where(inner_high > high, np.nextafter(inner_high, np.asarray(-np.inf, dtype)), inner_high)
        return cls(inner_low.astype(np.float64), inner_high.astype(np.float64))

    @property
    def bounded(self) -> Array:
        """Which coordinates have two finite ends."""
        return np.isfinite(self.low) & np.isfinite(self.high)

    def spread(self, radius: float) -> Array:
        """Return half of each side, or `radius` where a side is infinite."""
        half = np.full(self.low.shape, float(radius))
        half[self.bounded] = self.high[self.bounded] / 2 - self.low[self.bounded] / 2
        return half

    def centre(self) -> Array:
        """Return the middle of each side, or the point nearest to 0 where a side is infinite."""
        middle = np.clip(np.zeros(self.low.shape), self.low, self.high)
        middle[self.bounded] = self.high[self.bounded] / 2 + self.low[self.bounded] / 2
        return middle

    def inside(self, x: Array, dtype: npt.DTypeLike) -> Array:
        """Return x in its dtype, each coordinate moved into the box."""
        if np.isneginf(self.low).all() and np.isposinf(self.high).all():
            return x.astype(dtype)
        inner: Array = np.clip(x.astype(dtype), self.low.astype(dtype), self.high.astype(dtype))
        return inner


# --- words


class Pair(NamedTuple):
    """Pairs of points, x and y of shape (n, ...). Large ones are printed as the coordinates that matter."""

    x: Array
    y: Array

    def __repr__(self) -> str:
        if self.x.size <= 2 * _FEW:
            return repr(tuple(self))
        rows = [i for i in range(len(self.x)) if (self.x[i] != self.y[i]).any()]
        shown = [f"pair {i}: " + "; ".join(pair_in_words(self.x[i], self.y[i])) for i in rows[:3]]
        head = f"{len(self.x)} pairs of points of shape {self.x.shape[1:]}, {len(rows)} of them not equal"
        return "<" + "\n  ".join([head, *shown]) + ">"


def pair_in_words(x: Array, y: Array) -> list[str]:
    """Return lines that tell two points: whole if they are small, else the coordinates in which they differ most."""
    if x.size <= _FEW:
        return [f"x = {written(x)}", f"y = {written(y)}"]
    gap = np.abs(x.astype(np.float64) - y).ravel()
    most = np.argsort(-gap, kind="stable")[:8]
    most = np.sort(most[gap[most] > 0.0])
    lines = [f"x and y have shape {x.shape} and differ in {np.count_nonzero(gap)} of {x.size} coordinates"]
    for i in most:
        where = tuple(map(int, np.unravel_index(i, x.shape)))
        lines.append(f"{list(where)}: x = {x[where]}, y = {y[where]}")
    rest = np.delete(np.arange(x.size), most)
    if rest.size == 0:
        return lines
    low, high = (
        float(min(x.ravel()[rest].min(), y.ravel()[rest].min())),
        float(max(x.ravel()[rest].max(), y.ravel()[rest].max())),
    )
    same = "are equal" if not gap[rest].any() else f"differ by at most {gap[rest].max():.3g}"
    values = f"all {low:g}" if low == high else f"between {low:.4g} and {high:.4g}"
    return [*lines, f"the other {rest.size} {same}, {values}"]


def written(x: Array) -> str:
    """Return an array as text, a long one by its ends."""
    x = x if x.size <= 2 * _FEW else x.ravel()
    return np.array2string(
        x, max_line_width=100, threshold=2 * _FEW, separator=", ", floatmode="unique", precision=None
    )
