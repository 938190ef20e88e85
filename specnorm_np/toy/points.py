"""A user's own points as a target: centred, scaled, and read from files."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.toy.targets import check_count, check_points


@dataclass(frozen=True, eq=False)
class Points:
    """A user's own points as a target, made by `points` or `load_points`.

    Parameters
    ----------
    x : (n, d) array
        The points that are trained on, in training units: mean 0 in every coordinate, mean square 1 over all of them.
    center : (d,) array
        Their mean in the user's units.
    scale : float
        The user's units per training unit.
    name : str
    held_out : (m, d) array
        Points that `sample` never draws, for a comparison with what was not trained on; m may be 0.
    """

    x: Array = field(repr=False)
    center: Array
    scale: float
    name: str
    held_out: Array = field(default_factory=lambda: np.empty((0, 0)), repr=False)

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""
        return int(self.x.shape[1])

    def sample(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw n of the points with replacement, (n, d) float64, in training units."""
        drawn: Array = self.x[rng.integers(len(self.x), size=check_count(n, "n"))]
        return drawn

    def to_user_units(self, x: Array) -> Array:
        """Map points (n, d) from training units to those of the data: center + scale x."""
        y: Array = self.center + self.scale * x
        return y


def points(x: Array, name: str = "data") -> Points:
    """Make a target of given points.

    Parameters
    ----------
    x : (n, d) array
        n >= 2 finite points, not all equal. Integers are converted.
    name : str

    Raises
    ------
    ValueError
        If `x` is anything else; a NaN or infinity is reported with its row.

    Notes
    -----
    Of 20 points or more, a tenth, and at most 2,500, are held out from training, always the same ones of n.

    training = (user - center) / scale, where `center` is the mean of the points trained on and `scale` the root
    mean square of user - center over all their coordinates. One number for all coordinates keeps the shape of the data.
    """
    x = check_points(x, "x")
    if len(x) < 2:
        raise ValueError(f"x has {len(x)} point; expected at least 2")
    if (x == x[0]).all():
        raise ValueError(f"x has {len(x)} equal points; expected at least two different ones")
    _, exponent = np.frexp(np.abs(x).max())
    y = np.ldexp(x, -exponent)  # exact, and keeps the squares in range
    train = ~_held_out(y)
    first = y[0].copy()
    y -= first  # a column of equal numbers is exactly 0 from here on
    offset = y[train].mean(axis=0)
    y -= offset
    again = y[train].mean(axis=0)  # what rounding has left of the mean, where it was many times the spread
    y -= again
    mean = first + (offset + again)
    scale = math.sqrt(np.square(y[train]).mean())
    y /= scale
    x, held_out = y[train], y[~train]
    for z in (x, held_out):
        z.flags.writeable = False
    return Points(x, np.ldexp(mean, exponent), float(np.ldexp(scale, exponent)), name, held_out)


def _held_out(x: Array) -> Array:
    """Choose the points that are not trained on, (n,) bool; none of a few, or where only equal points would be left."""
    out = np.zeros(len(x), bool)
    if len(x) >= 20:
        out[np.random.default_rng(0).permutation(len(x))[: min(len(x) // 10, 2500)]] = True
    rest = x[~out]
    return np.zeros(len(x), bool) if (rest == rest[0]).all() else out


def load_points(path: str | Path) -> Points:
    """Read points from a file and make a target of them, named after the file.

    Parameters
    ----------
    path : str or Path
        A `.npy` array, (n, d) or (n,) for d = 1, or a `.csv` of n lines of d numbers, with or without
        a header line.

    Raises
    ------
    ValueError
        If the file cannot be read as such (a CSV's line is named), or `points` refuses the values.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], Array]] = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"path {str(path)!r} has suffix {path.suffix!r}; expected .npy or .csv")
    try:
        return points(readers[path.suffix.lower()](path), path.stem)
    except OSError as error:
        raise ValueError(f"path {str(path)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, MemoryError, csv.Error) as error:
        raise ValueError(f"path {str(path)!r}: {error}") from error


def _read_npy(path: Path) -> Array:
    with path.open("rb") as file:
        x: Array = np.lib.format.read_array(file, allow_pickle=False)
    return x[:, None] if x.ndim == 1 else x


def _read_csv(path: Path) -> Array:
    rows: list[list[float]] = []
    width = 0
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        for cells in filter(None, reader):
            numbers = [number for cell in cells if (number := _number(cell)) is not None]
            line, header = f"line {reader.line_num}", not width and not numbers
            width = width or len(cells)
            if len(cells) != width:
                raise ValueError(f"{line} has {len(cells)} cells; expected {width} as in the first line")
            if not header and len(numbers) < width:
                bad = next(cell for cell in cells if _number(cell) is None)
                raise ValueError(f"{line} has the cell {bad!r}; expected numbers with commas between")
            if not header:
                rows.append(numbers)
    return np.array(rows).reshape(len(rows), width)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
