"""Target distributions: Gaussian mixtures with a density, 2-D shapes without one, and a user's own points.

Every target offers what `Target` lists. A mixture also has the density that the optimal discriminator of
Eqs. (3) and (4) is made of, and the modes that the measures of `metrics` count.

With K = 1 the values of f at two points differ by at most their distance, so K means something only relative
to the scale of the data, which `spread` measures. The ring (0.71) and the grid (2.83) are as published, the other
shapes lie between 0.7 and 0.9, and a user's points are brought to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from specnorm_np.spectral import Array


class Target(Protocol):
    """What a training run needs of a target: `Mixture`, `Shape` and `Points` are targets."""

    @property
    def name(self) -> str:
        """Short name, for labels and files."""

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""

    def sample(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw n points, (n, dim) float64, in training units."""

    def to_user_units(self, x: Array) -> Array:
        """Map points (n, dim) from training units to those of the user's data."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equal-weight mixture of isotropic Gaussians: q(x) = (1/k) Σᵢ N(x; modesᵢ, std² I).

    Parameters
    ----------
    modes : (k, d) array
        The means, distinct. Kept as a read-only float64 copy.
    std : float
        Standard deviation of every Gaussian in every coordinate, positive (not a variance).
    name : str

    Raises
    ------
    ValueError
        If `modes` is not a finite (k, d) array, `std` is not a positive number, or two modes coincide (within
        1e-6 std): the angles `linspace(0, 2π, 8)` of published code make seven modes, one of double weight.
    """

    modes: Array = field(repr=False)
    std: float
    name: str = "mixture"

    def __post_init__(self) -> None:
        modes = np.array(check_points(self.modes, "modes"))
        modes.flags.writeable = False
        object.__setattr__(self, "modes", modes)
        object.__setattr__(self, "std", _positive(self.std, "std"))
        for i in range(len(modes) - 1):
            gap = np.abs(modes[i + 1 :] - modes[i]).max(axis=1)
            if gap.min() <= 1e-6 * self.std:
                raise ValueError(f"modes {i} and {i + 1 + int(gap.argmin())} coincide; expected distinct modes")

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""
        return int(self.modes.shape[1])

    def sample(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw n points, (n, d) float64."""
        which = rng.integers(len(self.modes), size=check_count(n, "n"))
        x: Array = rng.standard_normal((n, self.dim))
        x *= self.std
        x += self.modes[which]
        return x

    def to_user_units(self, x: Array) -> Array:
        """Return `x`, for training units are the user's units here."""
        return x

    def log_density(self, x: Array) -> Array:
        """Compute log q(x); f* of the optimal D is the difference of two such terms. Eq. (3).

        Parameters
        ----------
        x : (n, d) array
            Finite points.

        Returns
        -------
        (n,) float64 array
            log q(x), also where q(x) itself is 0 in floating point; -inf only where log q(x) is out of range.

        Raises
        ------
        ValueError
            If `x` is not a finite (n, d) array with the d of the modes.

        Notes
        -----
        With j a mode near x and sᵢ = (‖x - mⱼ‖² - ‖x - mᵢ‖²) / 2 std²,
        log q(x) = -‖x - mⱼ‖² / 2 std² + log Σᵢ exp(sᵢ) - log k - d log(std √(2π)).
        sᵢ is linear in x and computed so: far away, a difference of squares would drown in their rounding.
        """
        x = check_points(x, "x", self.dim)
        with np.errstate(over="ignore", invalid="ignore"):
            e, s = self._relative_log_weights(x)
            top = s.max(axis=1)
            log_sum = top + np.log(np.exp(s - top[:, None]).sum(axis=1))
            constant = math.log(len(self.modes)) + self.dim * math.log(self.std * math.sqrt(2.0 * math.pi))
            log_q: Array = log_sum - 0.5 * np.square(e / self.std).sum(axis=1) - constant
        return np.where(np.isnan(log_q), -np.inf, log_q)  # NaN is ∞ − ∞, where x is at the end of the range

    def grad_log_density(self, x: Array) -> Array:
        """Compute ∇q(x) / q(x) = ∇ log q(x); ∇f* is the difference of two such terms. Eq. (4).

        Parameters
        ----------
        x : (n, d) array
            Finite points.

        Returns
        -------
        (n, d) float64 array
            Also where q(x) is 0 in floating point. Unbounded: it grows like ‖x‖ / std².

        Raises
        ------
        ValueError
            If `x` is not a finite (n, d) array with the d of the modes.

        Notes
        -----
        ∇ log q(x) = Σᵢ wᵢ (mᵢ - x) / std², where wᵢ is the probability of mode mᵢ given x.
        """
        x = check_points(x, "x", self.dim)
        _, s = self._relative_log_weights(x)
        w = np.exp(s - s.max(axis=1, keepdims=True))
        w /= w.sum(axis=1, keepdims=True)
        dx: Array = (w @ self.modes - x) / self.std / self.std
        return dx

    def _relative_log_weights(self, x: Array) -> tuple[Array, Array]:
        """Return x - mⱼ, (n, d), for a mode mⱼ near x, and log(wᵢ / wⱼ), (n, k)."""
        center = self.modes.mean(axis=0)
        m = self.modes - center
        j = ((x - center) @ m.T - 0.5 * np.square(m).sum(axis=1)).argmax(axis=1)
        half_square = 0.5 * np.square(m[:, None] - m).sum(axis=2)
        e = x - self.modes[j]
        s = e @ m.T
        s -= np.take_along_axis(s, j[:, None], axis=1)
        s -= half_square[j]
        return e, s / self.std / self.std


def ring(n_modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """Gaussians evenly spaced on a circle; by default the ring of VEEGAN at PacGAN's radius and std.

    Parameters
    ----------
    n_modes : int
        At least 1.
    radius, std : float
        Positive. The difficulty depends on std / radius.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the modes coincide.
    """
    angle = 2.0 * np.pi * np.arange(check_count(n_modes, "n_modes")) / n_modes
    modes = _positive(radius, "radius") * np.column_stack([np.cos(angle), np.sin(angle)])
    return Mixture(modes, std, "ring")


def grid(n_side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """Gaussians on a square grid about 0; by default the 25 of VEEGAN and PacGAN, at {-4, -2, 0, 2, 4}².

    Parameters
    ----------
    n_side : int
        Modes along a side, at least 1.
    spacing, std : float
        Positive.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the modes coincide.
    """
    along = _positive(spacing, "spacing") * (np.arange(check_count(n_side, "n_side")) - (n_side - 1) / 2)
    x, y = np.meshgrid(along, along, indexing="ij")
    return Mixture(np.column_stack([x.ravel(), y.ravel()]), std, "grid")


@dataclass(frozen=True, eq=False)
class Shape:
    """A 2-D shape that can be drawn from; it has neither a density nor modes.

    Parameters
    ----------
    name : str
    draw : callable
        `draw(n, rng)` returns n points, (n, 2) float64.
    """

    name: str
    draw: Callable[[int, np.random.Generator], Array] = field(repr=False)

    @property
    def dim(self) -> int:
        """Number of coordinates of a point: 2."""
        return 2

    def sample(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw n points, (n, 2) float64."""
        return self.draw(check_count(n, "n"), rng)

    def to_user_units(self, x: Array) -> Array:
        """Return `x`, for training units are the user's units here."""
        return x


def moons(noise: float = 0.05) -> Shape:
    """Two interleaved half circles of radius 1, centred, with Gaussian noise of std `noise` >= 0."""
    return Shape("moons", partial(_draw_moons, noise=_nonnegative(noise, "noise")))


def _draw_moons(n: int, rng: np.random.Generator, noise: float) -> Array:
    angle = np.pi * rng.random(n)
    sign = 2.0 * rng.integers(2, size=n) - 1.0
    curve = np.column_stack([sign * (np.cos(angle) - 0.5), sign * (np.sin(angle) - 0.25)])
    return _blur(curve, noise, rng)


def spiral(turns: float = 2.0, radius: float = 1.5, noise: float = 0.03) -> Shape:
    """One arm from 0 out to `radius` in `turns` turns, nearly uniform along the arm; noise as in `moons`."""
    turns, radius = _positive(turns, "turns"), _positive(radius, "radius")
    return Shape("spiral", partial(_draw_spiral, turns=turns, radius=radius, noise=_nonnegative(noise, "noise")))


def _draw_spiral(n: int, rng: np.random.Generator, turns: float, radius: float, noise: float) -> Array:
    t = np.sqrt(rng.random(n))  # nearly uniform along the arm, whose length grows like t²
    angle = 2.0 * np.pi * turns * t
    curve = radius * t[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _blur(curve, noise, rng)


def _blur(x: Array, noise: float, rng: np.random.Generator) -> Array:
    x += noise * rng.standard_normal(x.shape)
    return x


def checkerboard(n_side: int = 4, width: float = 3.0) -> Shape:
    """Uniform on every second square of a board of `n_side`² squares, `width` wide, centred at 0."""
    n_side, width = check_count(n_side, "n_side"), _positive(width, "width")
    return Shape("checkerboard", partial(_draw_checkerboard, n_side=n_side, width=width))


def _draw_checkerboard(n: int, rng: np.random.Generator, n_side: int, width: float) -> Array:
    square = 2 * rng.integers((n_side * n_side + 1) // 2, size=n)  # every second square, row by row
    row, column = np.divmod(square, n_side)
    if n_side % 2 == 0:
        column += row % 2  # rows of even length start alternately
    x: Array = (np.column_stack([column, row]) + rng.random((n, 2))) * (width / n_side) - width / 2
    return x


TARGETS: dict[str, Callable[..., Mixture | Shape]] = {
    "ring": ring,
    "grid": grid,
    "moons": moons,
    "spiral": spiral,
    "checkerboard": checkerboard,
}


def spread(target: Target) -> float:
    """Measure the spread of a target: the root mean square, over all coordinates, of its points less their mean.

    Parameters
    ----------
    target : Target

    Returns
    -------
    float
        In training units; of 10,000 points, always the same ones.
    """
    x = target.sample(10_000, rng=np.random.default_rng(0))
    return float(np.sqrt(x.var(axis=0).mean()))


def check_points(x: Any, name: str, dim: int | None = None) -> Array:
    """Return `x` as a float64 array (n, d), n and d >= 1, or raise a ValueError that begins with `name`.

    Parameters
    ----------
    x : array-like
        Real numbers; floats of any width and integers are converted to float64.
    name : str
        Name of the argument, for the message.
    dim : int, optional
        The d that is required.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {x.dtype}; expected real numbers")
    if x.ndim != 2 or x.size == 0 or (dim is not None and x.shape[1] != dim):
        raise ValueError(f"{name} has shape {x.shape}; expected (n, {'d' if dim is None else dim}), not empty")
    finite = np.isfinite(x)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(f"{name}[{row}, {column}] = {x[row, column]} (rows count from 0); expected finite numbers")
    y: Array = x.astype(np.float64, copy=False)
    return y


def check_count(n: int, name: str) -> int:
    """Return n if it is a whole number of at least 1, else raise a ValueError that names the argument."""
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"{name} = {n!r}; expected an integer >= 1")
    return int(n)


def _positive(value: float, name: str) -> float:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} = {value!r}; expected a positive number")
    return float(value)


def _nonnegative(value: float, name: str) -> float:
    if not 0.0 <= value < math.inf:
        raise ValueError(f"{name} = {value!r}; expected a number >= 0")
    return float(value)
