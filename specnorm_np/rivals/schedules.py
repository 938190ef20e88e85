"""Learning rates and a K that change during a run. Only the linear decay of the rates (B.3) is in the paper.

A schedule is a function of the progress of a run, which grows from 0 to 1. `GAN.d_rate` and `GAN.g_rate` are schedules.
K belongs to the normaliser, and `ScheduledK` lets it follow a schedule there.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from specnorm_np.spectral import Array, check_count


@dataclass(frozen=True)
class Piecewise:
    """A function of the progress that is linear between given points, and constant before the first and after the last.

    Parameters
    ----------
    points : tuple of (progress, value)
        Progress in [0, 1], rising; values at least 0.

    Raises
    ------
    ValueError
        If there is no point, or one is out of its range or order.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        try:
            table = np.array(self.points, float)
        except (TypeError, ValueError):
            table = np.empty(0)
        if table.ndim != 2 or table.shape[1] != 2 or not len(table):
            raise ValueError(f"points is {self.points!r}; expected pairs (progress, value), one at least")
        progress, value = table.T
        if not ((progress >= 0) & (progress <= 1)).all() or not (np.diff(progress) > 0).all():
            raise ValueError(f"points has the progress {progress.tolist()}; expected rising numbers in [0, 1]")
        if not (np.isfinite(value) & (value >= 0)).all():
            raise ValueError(f"points has the values {value.tolist()}; expected finite numbers, at least 0")

    def __call__(self, progress: float) -> float:
        """Return the value at a share `progress` of the run."""
        return _interpolated(self.points, progress)


@lru_cache(maxsize=8)  # all layers of a step ask for the same value
def _interpolated(points: tuple[tuple[float, float], ...], progress: float) -> float:
    at, values = zip(*points, strict=True)
    return float(np.interp(progress, at, values))


class Dated(NamedTuple):
    """The state of a normaliser, with the number of updates that it has seen and the K that holds at present."""

    norm: Any
    updates: int
    K: float

    @property
    def sigma(self) -> Any:
        """σ̂ of W, if the normaliser keeps it."""
        return getattr(self.norm, "sigma", None)


@dataclass(frozen=True)
class ScheduledK:
    """A normaliser whose K follows a schedule, W̄ = K(progress)·W/σ̂. It is not in the paper, which has K = 1.

    K is part of the state of a layer. So it is saved with a run, and whoever reads W̄ between two updates sees the K of
    that moment.

    Parameters
    ----------
    normalizer : SpectralNorm
        Or another normaliser that has a field K.
    K : Piecewise
        Values above 0.
    updates : int
        Updates of D in the whole run: progress is the share of them that is done.
    """

    normalizer: Any
    K: Piecewise
    updates: int

    def __post_init__(self) -> None:
        check_count("updates", self.updates)
        for _, value in self.K.points:
            if not value > 0:
                raise ValueError(f"K has the value {value}; expected values above 0")

    @property
    def blocks(self) -> tuple[str, ...]:
        """Those of the normaliser."""
        blocks: tuple[str, ...] = self.normalizer.blocks
        return blocks

    def parametrize(self, W: Array) -> tuple[Array, ...]:
        """Do what the normaliser does."""
        w: tuple[Array, ...] = self.normalizer.parametrize(W)
        return w

    def start(self, *w: Array, rng: np.random.Generator) -> Dated:
        """Begin with the first K."""
        K = self.K(0.0)
        return Dated(_at(self.normalizer, K).start(*w, rng=rng), 0, K)

    def normalize(self, *args: Any) -> Array:
        """(*w, state) ↦ W̄ at the present K."""
        *w, state = args
        W_bar: Array = _at(self.normalizer, state.K).normalize(*w, state.norm)
        return W_bar

    def pullback(self, dW_bar: Array, *args: Any) -> tuple[Array, ...]:
        """Pull back at the present K: (35)."""
        *w, state = args
        dw: tuple[Array, ...] = _at(self.normalizer, state.K).pullback(dW_bar, *w, state.norm)
        return dw

    def settle(self, *args: Any) -> tuple[tuple[Array, ...], Dated]:
        """Let the normaliser follow the update, at the next K."""
        *w, state = args
        updates = state.updates + 1
        K = self.K(min(updates / self.updates, 1.0))
        w, norm = _at(self.normalizer, K).settle(*w, state.norm)
        return w, Dated(norm, updates, K)


@lru_cache(maxsize=8)  # all layers of a step have the same K
def _at(normalizer: Any, K: float) -> Any:
    return replace(normalizer, K=K)
