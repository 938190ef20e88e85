"""The job of a run on a worker of dask.distributed. It sees no folder of ours: it takes values and returns values.

At its head this module imports nothing that imports NumPy, so that the job can still ask BLAS for one thread.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from specnorm_np import __version__
from specnorm_np.runs.threads import pin_threads

if TYPE_CHECKING:
    from specnorm_np.toy.targets import Target

FILES = ("config.json", "history.csv", "summary.json", "diverged.txt")
"""What comes back of a run, as far as it is there."""
PAUSE = 5.0
"""Seconds between two questions of a job to the scheduler whether it is to stop."""


class Trained(NamedTuple):
    """What a job returns: the text of `FILES`, and the error that ended it, if one did."""

    files: dict[str, str]
    failure: str | None


def train_away(config: str, target: "Target | None", stop_name: str, version: str) -> Trained:
    """Train a run on a worker, in a folder that is there only as long as this lasts.

    Parameters
    ----------
    config : str
        As `to_json` writes it.
    target : Target or None
        The user's points; None for the target that the config names.
    stop_name : str
        The `distributed.Event` that tells the jobs to stop.
    version : str
        That of the package where the comparison is made.
    """
    pin_threads()
    from distributed import get_worker

    from specnorm_np.runs.compare import train_in
    from specnorm_np.runs.config import from_json, from_options

    if version != __version__:
        return Trained({}, f"the worker has specnorm_np {__version__}; expected {version}, as where compare was called")
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
        folder = Path(scratch, "run")
        result = train_in(from_options(from_json(config)), folder, _told_to_stop(stop_name), target)
        there = [name for name in FILES if (folder / name).is_file()]
        files = {name: (folder / name).read_bytes().decode() for name in there}
    return Trained(files, result.failure if result.status == "failed" else None)


def _told_to_stop(name: str) -> Callable[[], bool]:
    """Return a function that says whether the event is set, and asks for that only every `PAUSE` seconds."""
    from distributed import Event

    event, asked = Event(name), time.monotonic()

    def told() -> bool:
        nonlocal asked
        if time.monotonic() < asked + PAUSE:
            return False
        asked = time.monotonic()
        return bool(event.is_set())

    return told
