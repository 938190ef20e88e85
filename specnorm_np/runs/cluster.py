"""A comparison on a running cluster of dask.distributed. It needs `distributed`, which is imported only here and there.

    with Cluster("tcp://head:8786") as cluster:
        results = train_with(cluster, configs, Path("runs/compare"))

The workers see no folder of this process: a run goes there as its config, with the points if it has any, and comes
back as the text of `config.json`, `history.csv` and `summary.json`. These are then written into the cache here.
Checkpoint and samples stay behind, so such a run can be tabulated but neither drawn nor continued.

A run is done at least once, and kept once. If a worker dies, the scheduler gives the runs that it had to others, which
begin them anew; a run draws its random numbers from its seed alone, so it ends the same. A run over which more workers
have died than the scheduler's `allowed-failures` (3 by default) has failed, so that a run which kills its workers, for
instance by its memory, does not kill all of them.
"""

import os
import shutil
import uuid
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from specnorm_np import __version__
from specnorm_np.runs.away import Trained, train_away
from specnorm_np.runs.compare import Result, lookup
from specnorm_np.runs.config import Config, make_target, to_json
from specnorm_np.runs.storage import locked, write_text

ENDS = {"summary.json", "diverged.txt"}
"""One of these files has a run that has ended, and no other."""


class Cluster:
    """The workers of a cluster, for `train_with`. As a context manager it ends the connection and not the cluster.

    Parameters
    ----------
    address : str
        That of the scheduler, like "tcp://host:8786".
    timeout : float
        Seconds to wait for its answer.

    Raises
    ------
    ValueError
        If `distributed` cannot be imported, or no scheduler answers at the address.
    """

    def __init__(self, address: str, timeout: float = 10.0):
        try:
            from distributed import Client, Event
        except ImportError as error:
            raise ValueError(
                f"dask.distributed is needed, and cannot be imported: {error} (pip install 'specnorm-np[dask]')"
            ) from None
        try:
            self.client = Client(address, timeout=timeout, set_as_default=False)
        except Exception as error:  # what a foreign server or a mistyped address raises depends on dask's version
            raise ValueError(
                f"no scheduler answers at {address!r} ({type(error).__name__}: {error});"
                " expected the address that `dask scheduler` prints, like tcp://host:8786"
            ) from None
        self.address = address
        self.executor = self.client.get_executor(pure=False)
        self.event = Event(f"specnorm-stop-{uuid.uuid4().hex}", client=self.client)
        self.points: dict[tuple[Any, ...], Any] = {}

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def __str__(self) -> str:
        threads = self.client.nthreads().values()
        return f"the cluster at {self.address}: workers {len(threads)}, threads {sum(threads)}"

    def submit(self, config: Config, directory: Path) -> "Future[Any]":
        """Submit the job of a run.

        Raises
        ------
        ConnectionError
            If the scheduler has gone.
        """
        if self.lost:
            raise ConnectionError(f"the scheduler at {self.address} has gone; what has come back is kept")
        points = None if config.data is None else self._points(config)
        job: Future[Any] = self.executor.submit(train_away, to_json(config), points, self.event.name, __version__)
        return job

    def _points(self, config: Config) -> Any:
        """Read the user's points, once, and return them as a task, which the scheduler repeats if they are lost."""
        name = (config.data, config.columns, config.delimiter, config.standardize)
        if name not in self.points:
            self.points[name] = self.client.submit(_itself, make_target(config), pure=False)
        return self.points[name]

    def take(self, value: Trained, config: Config, directory: Path) -> Result:
        """Keep a run that has come back, and make its result."""
        files, failure = value
        if ENDS & files.keys():
            keep(files, directory)
        return lookup(config, directory) or Result(config, directory.name, failure=failure)

    def stop(self, jobs: "Collection[Future[Any]]") -> None:
        """Give up the jobs that are not done, and take no new ones. Those that run end within seconds, for nothing."""
        if self.lost:
            return
        self.event.set()
        self.executor.shutdown(wait=False)  # one message for all jobs

    @property
    def lost(self) -> bool:
        """Whether the scheduler has gone, and with it every job."""
        return bool(self.client.status != "running")


def _itself(value: Any) -> Any:
    return value


def keep(files: dict[str, str], directory: Path) -> None:
    """Write a run that has come back into its folder, whole or not at all.

    A run that stands there unfinished, from a comparison on this machine, is replaced.

    Raises
    ------
    ValueError
        If another process is training it.
    """
    new = directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name, text in files.items():
        write_text(new / name, text)
    if directory.exists():
        with locked(directory):
            shutil.rmtree(directory)
    new.rename(directory)
