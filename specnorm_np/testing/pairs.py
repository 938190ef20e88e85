"""How a pair of points is made that is likely to refute a bound, out of choices that somebody else makes."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.testing.perceptron import MLP, across_kink
from specnorm_np.testing.points import Box, Function
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
        v = steepest(wanted.steep, box.inside(x, dtype).reshape(wanted.shape), length, box)
    else:
        assert wanted.mlp is not None
        layers = wanted.mlp.layers
        l = source.whole(0, len(layers) - 2)
        x, v = across_kink(wanted.mlp, l, source.whole(0, len(layers[l][1]) - 1), x)
        x = x - source.one_of([0.5, 0.125, 1.0]) * length * v
    if kind in ("along", "steepest") and v.any() and source.one_of(["round", "exact", "exact"]) == "round":
        v = np.round(8.0 * v / np.abs(v).max()) / 8.0
        v[np.argsort(-np.abs(v), kind="stable")[8:]] = 0.0
    x = box.inside(x, dtype)
    ahead, behind = (box.inside(x + sign * length * v, dtype) for sign in (1.0, -1.0))
    farther = np.abs(behind - x).max() > 2.0 * np.abs(ahead - x).max()  # at the edge of the box
    return x, behind if farther else ahead
