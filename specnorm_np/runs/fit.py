"""Training from Python in a line."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from specnorm_np.runs import run as runs
from specnorm_np.runs.config import from_options, make_target
from specnorm_np.spectral import Array
from specnorm_np.toy.points import points
from specnorm_np.toy.targets import TARGETS


class Fitted(NamedTuple):
    """A trained run.

    Attributes
    ----------
    run : runs.run.Run
        All of it: config, target, GAN, state, and the folder that it is in.
    """

    run: runs.Run

    @property
    def history(self) -> dict[str, Array]:
        """The history as arrays by name, one entry for each evaluation; NaN where there is no value."""
        rows = self.run.history
        return {name: np.array([row[name] for row in rows], float) for name in (rows[0] if rows else ())}

    @property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` says: the measures of the samples, and those of a perfect sampler."""
        return runs.read_summary(self.run.directory)

    def sample(self, n: int, *, seed: int = 0) -> Array:
        """Draw n samples, (n, d), in the units of the data."""
        return self.run.target.to_user_units(runs.samples(self.run, n, rng=np.random.default_rng(seed)))


def fit(
    data: str | Path | npt.ArrayLike = "ring",
    *,
    out: str | Path | None = None,
    progress: bool = True,
    on_step: Callable[[runs.Progress], object] | None = None,
    **fields: Any,
) -> Fitted:
    """Train a GAN on a toy distribution or on points of your own, as `specnorm-np train` does.

    Parameters
    ----------
    data : str, Path or (n, d) array
        The name of a target (ring, grid, moons, spiral, checkerboard), a file of points, or points.
    out : str or Path, optional
        A new folder for the run; by default the next free one in `runs/`.
    progress : bool
        Whether to print a line that follows the run. It works in a notebook, too.
    on_step : function, optional
        Called after every generator update with a `Progress`: the step, the newest row of the history, and the run as
        it stands, for instance for a picture of `runs.samples(progress.run, 500, rng=rng)`.
    **fields
        Fields of `Config`: method, K, alpha, steps, seed, …

    Returns
    -------
    Fitted
        With `sample`, `history` and `summary`.

    Raises
    ------
    ValueError
        If a field or a value is not valid, the data cannot be used, or the folder holds something.
    Diverged
        If the run did. The last checkpoint is kept.
    """
    if isinstance(data, str) and data in TARGETS:
        config = from_options({"target": data, **fields})
        target = make_target(config)
    elif isinstance(data, str | Path):
        config = from_options({"data": str(data), **fields})
        target = make_target(config)
    else:
        config = from_options({"data": "points", **fields})
        target = points(np.asarray(data), standardize=config.standardize)
    run = runs.create(config, out, target=target)
    line = _Line(run.gan.steps) if progress else None

    def follow(now: runs.Progress) -> None:
        if line is not None:
            line(now)
        if on_step is not None:
            on_step(now)

    with np.errstate(all="ignore"):  # divergence is told by values
        return Fitted(runs.train(run, follow))


class _Line:
    """A line that is written over itself twice a second, which terminals and notebooks both show."""

    def __init__(self, steps: int):
        self.steps, self.next = steps, time.perf_counter()

    def __call__(self, progress: runs.Progress) -> None:
        now = time.perf_counter()
        if now < self.next and progress.step < self.steps:
            return
        self.next = now + 0.5
        row = progress.row
        measure = "" if row is None else f"  Fréchet distance {row['frechet']:.2g}"
        end = "\n" if progress.step == self.steps else ""
        print(f"\rstep {progress.step} of {self.steps}{measure:30}", end=end, file=sys.stderr, flush=True)
