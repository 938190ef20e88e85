"""How a pair of points is made that is likely to refute a bound, out of choices that somebody else makes."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.testing.perceptron import MLP, across_kink
from specnorm_np.testing.points import Box, Function, unit
from specnorm_np.testing.search import steepest


class Source(Protocol):
    """Who makes the choices: hypothesis, which shrinks them, or a generator."""

    def one_of(self, options: Sequence[Any]) -> Any:
        """Choose an option; earlier ones are simpler."""

    def whole(self, low: int, high: int) -> int:
        """Choose a whole number from low to high."""

    def vector(self, low: Array, high: Array, width: Any = 64) -> Array:
        """Choose a point of a box; `width` bits are enough for a coordinate."""


class Wanted(NamedTuple):
    """What `input_pairs` was asked for."""

    shape: tuple[int, ...]
    box: Box
    dtype: np.dtype[Any]
    eps: float
    radius: float
    kinds: list[str]
    given: list[Array]
    steep: Function | None
    mlp: MLP | None


class Seeded(NamedTuple):
    """The same choices, made by a generator."""

    rng: np.random.Generator

    def one_of(self, options: Sequence[Any]) -> Any:
        """Choose an option."""
        return options[int(self.rng.integers(len(options)))]

    def whole(self, low: int, high: int) -> int:
        """Choose a whole number."""
        return int(self.rng.integers(low, high + 1))

    def vector(self, low: Array, high: Array, width: Any = 64) -> Array:
        """Choose a point of a box."""
        return self.rng.uniform(low, high)


def make_pair(source: Source, wanted: Wanted) -> tuple[Array, Array]:
    """Make a pair of flat points of the wanted dtype, inside of the box."""
    box, dtype, d = wanted.box, wanted.dtype, wanted.box.low.size
    low = np.where(np.isneginf(box.low), np.minimum(-wanted.radius, box.high - wanted.radius), box.low)
    high = np.where(np.isposinf(box.high), np.maximum(wanted.radius, box.low + wanted.radius), box.high)
    kind, x = source.one_of(wanted.kinds), source.vector(low, high)
    if kind == "far":
        return box.inside(x, dtype), box.inside(source.vector(low, high), dtype)
    reach = 2.0 ** np.floor(np.log2(box.spread(1.0).max()))
    length = reach * 2.0 ** -source.whole(-2, int(-np.log2(wanted.eps)) // 2)
    if kind == "near":
        v = source.vector(np.full(d, -1.0), np.ones(d), width=16)
    elif kind == "along":
        v = source.one_of(wanted.given)
    elif kind == "steepest":
        assert wanted.steep is not None
        # its mirror images are as simple as x; where a Jacobian is cheap, the steepest of the four has better chances
        images = [x, -x, x[::-1], -x[::-1]] if 1 < d <= 64 else [x]
        inside = [box.inside(image, dtype) for image in images]
        slopes = [steepest(wanted.steep, image.reshape(wanted.shape), length, box) for image in inside]
        best = int(np.argmax([np.linalg.norm(slope) for slope in slopes]))
        x, v = inside[best], unit(slopes[best]) if slopes[best].any() else slopes[best]
    else:
        assert wanted.mlp is not None
        layers = wanted.mlp.layers
        l = source.whole(0, len(layers) - 2)
        x, v = across_kink(wanted.mlp, l, source.whole(0, len(layers[l][1]) - 1), x)
        x = x - source.one_of([0.5, 0.125, 1.0]) * length * v
    if kind in ("along", "steepest") and v.any():
        v = _round(v, source.one_of([1e-4, 0.0, 0.0]))
    x = box.inside(x, dtype)
    ahead, behind = (box.inside(x + sign * length * v, dtype) for sign in (1.0, -1.0))
    farther = np.abs(behind - x).max() > 2.0 * np.abs(ahead - x).max()  # at the edge of the box
    return x, behind if farther else ahead


def _round(v: Array, loss: float) -> Array:
    """Return a vector of short fractions, of length near 1, with a cosine of 1 − loss or more with v; else v."""
    for parts in (8.0, 64.0, 512.0):
        short: Array = np.round(parts * v / np.abs(v).max()) / parts
        if unit(short) @ unit(v) > 1.0 - loss:
            return short * 2.0 ** round(-float(np.log2(np.linalg.norm(short))))
    return v
