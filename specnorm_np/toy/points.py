"""A user's own points as a target: centred, scaled, and read from files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.toy.files import read_table
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
    scale : float or (d,) array
        The user's units per training unit; one number, unless the columns were standardised.
    name : str
    held_out : (m, d) array
        Points that `sample` never draws, for a comparison with what was not trained on; m may be 0.
    note : str
        What was read from a file, in a line.
    """

    x: Array = field(repr=False)
    center: Array
    scale: float | Array
    name: str
    held_out: Array = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    note: str = ""

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


def points(x: Array, name: str = "data", *, standardize: bool = False) -> Points:
    """Make a target of given points.

    Parameters
    ----------
    x : (n, d) array
        n >= 2 finite points, not all equal. Integers are converted.
    name : str
    standardize : bool
        Divide every coordinate by its own standard deviation (a constant one by 1). Then D is K-Lipschitz in the norm
        of the divided coordinates, and no longer in a multiple of the norm of the data.

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
    scale: float | Array = math.sqrt(np.square(y[train]).mean())
    if standardize:
        own = np.sqrt(np.square(y[train]).mean(axis=0))
        scale = np.where(own > 0.0, own, 1.0)
    y /= scale
    x, held_out = y[train], y[~train]
    for z in (x, held_out):
        z.flags.writeable = False
    scale = np.ldexp(scale, exponent)
    return Points(x, np.ldexp(mean, exponent), scale if standardize else float(scale), name, held_out)


def _held_out(x: Array) -> Array:
    """Choose the points that are not trained on, (n,) bool; none of a few, or where only equal points would be left."""
    out = np.zeros(len(x), bool)
    if len(x) >= 20:
        out[np.random.default_rng(0).permutation(len(x))[: min(len(x) // 10, 2500)]] = True
    rest = x[~out]
    return np.zeros(len(x), bool) if (rest == rest[0]).all() else out


def load_points(
    path: str | Path, *, columns: str | None = None, delimiter: str | None = None, standardize: bool = False
) -> Points:
    """Read points from a file and make a target of them, named after the file.

    Parameters
    ----------
    path : str or Path
        An array `.npy` or `.npz`, or a text, see `files.read_table`; "-" for the standard input.
    columns : str, optional
        Names or numbers, counted from 1, of the columns that are the coordinates.
    delimiter : {"comma", "semicolon", "tab", "blank"}, optional
        Found by itself if not given.
    standardize : bool
        See `points`.

    Raises
    ------
    ValueError
        If the file cannot be read as such (a text's line is named), or `points` refuses the values.
    """
    x, note = read_table(path, columns=columns, delimiter=delimiter)
    name = "standard-input" if str(path) == "-" else Path(path).name.split(".")[0]
    try:
        made = points(x, name, standardize=standardize)
    except ValueError as error:
        raise ValueError(f"path {str(path)!r}: {error}") from error
    return replace(made, note=note)


def scale_note(target: Points) -> str | None:
    """Say that the columns of a target have very different scales, if they have."""
    spreads = target.x.std(axis=0) * target.scale
    spreads = spreads[spreads > 0.0]
    ratio = float(spreads.max() / spreads.min())
    if np.ndim(target.scale) or ratio < 10.0:
        return None
    return (
        f"the standard deviations of the columns differ by a factor of {ratio:.3g}; D sees little of the small ones."
        " --standardize divides each column by its own"
    )
