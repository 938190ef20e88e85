"""What a run keeps for a movie: at every evaluation, some samples of G and the values of f on a lattice."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.gan import GAN, State
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array

SHOWN, TICKS = 400, 48
"""Samples, and lattice points along a side, of a snapshot: about 12 kB."""


class Snapshot(NamedTuple):
    """A moment of a run.

    Attributes
    ----------
    step : int
        Generator updates done.
    x : (n, d) float32 array
        Samples of G, in training units.
    f : (m, m) float32 array
        D before its link on the `lattice`, row by row from below; (0, 0) where the points are not in a plane.
    """

    step: int
    x: Array
    f: Array


def lattice(real: Array, ticks: int) -> Array:
    """Return a square lattice around points of a plane, (ticks, ticks, 2), in training units.

    Parameters
    ----------
    real : (n, 2) array
        Points of the target; the square is 1.35 times as wide as they reach.
    ticks : int
        Lattice points along a side.
    """
    center = real.mean(axis=0)
    side = np.linspace(-1.0, 1.0, ticks) * 1.35 * np.abs(real - center).max()
    return np.stack(np.meshgrid(side + center[0], side + center[1]), axis=-1)


def take(gan: GAN, state: State, x: Array, real: Array) -> Snapshot:
    """Take a snapshot, with the first of the samples x, and f around points of the target."""
    f = np.empty((0, 0))
    if real.shape[1] == 2:
        plane = lattice(real, TICKS)
        f = algorithm.discriminate(gan, state.D, plane.reshape(-1, 2).astype(gan.dtype)).reshape(TICKS, TICKS)
    return Snapshot(state.step, x[:SHOWN].astype(np.float32), f.astype(np.float32))


def save(path: Path, snapshots: Sequence[Snapshot]) -> None:
    """Write snapshots into one file."""
    steps, x, f = zip(*snapshots, strict=True)
    arrays = {"step": np.array(steps), "x": np.array(x), "f": np.array(f)}
    write(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load(path: Path) -> list[Snapshot]:
    """Read the snapshots of a run back; an older run, or one of a comparison, has none.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [
                Snapshot(int(step), x, f) for step, x, f in zip(*(arrays[n] for n in Snapshot._fields), strict=True)
            ]
    except Exception as error:  # a damaged archive fails in more ways than NumPy documents
        raise ValueError(f"{path} cannot be read: {error}") from None
