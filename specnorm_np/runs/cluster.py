"""A comparison on a running cluster of dask.distributed, which is imported only when a `Cluster` is made.

    with Cluster("tcp://head:8786") as cluster:
        results = cluster.train(configs, Path("runs/compare"))

The workers see no folder of this process: a run goes there as its config, with the points if it has any, and comes
back as the text of `config.json`, `history.csv` and `summary.json`. These are then written into the cache here.
Checkpoint and samples stay behind, so such a run can be tabulated but neither drawn nor continued.

A run is done at least once, and kept once. If a worker dies, the scheduler gives the runs that it had to others, which
begin them anew; a run draws its random numbers from its seed alone, so it ends the same. A run over which more workers
have died than the scheduler's `allowed-failures` (3 by default) has failed, so that a run which kills its workers, for
instance by its memory, does not kill all of them.
"""

import asyncio
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from specnorm_np import __version__
from specnorm_np.runs.away import Trained, train_away
from specnorm_np.runs.compare import Result, lookup, train_with
from specnorm_np.runs.config import Config, make_target, to_json
from specnorm_np.runs.storage import locked, write_text

ENDS = {"summary.json", "diverged.txt"}
"""One of these files has a run that has ended, and no other."""


class Cluster:
    """The workers of a cluster. As a context manager it ends the connection and not the cluster.

    Parameters
    ----------
    address : str
        That of the scheduler, like "tcp://host:8786".
    timeout : float
        Seconds to wait for its answer, at first and again if the connection breaks.

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
            with ThreadPoolExecutor(1) as thread:  # in a notebook this thread has a loop of its own
                thread.submit(lambda: asyncio.run(_greet(address, timeout))).result()
            self.client = Client(address, timeout=timeout, set_as_default=False)
        except Exception as error:  # what a foreign server or a mistyped address raises depends on dask's version
            raise ValueError(
                f"no scheduler answers at {address!r} ({error!r});"
                " expected the address that `dask scheduler` prints, like tcp://host:8786"
            ) from None
        self.address = address
        self.executor = self.client.get_executor(pure=False)
        self.event = Event(f"specnorm-stop-{uuid.uuid4().hex}", client=self.client)
        self.points: dict[tuple[Any, ...], Any] = {}

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        log = logging.getLogger("distributed.client")
        log.disabled = self._lost  # the traceback of a reconnection that is given up tells nobody anything
        self.client.close()
        log.disabled = False

    def __str__(self) -> str:
        threads = self.client.nthreads().values()
        hint = "" if threads else "; the runs wait until a worker comes"
        return f"the cluster at {self.address}: workers {len(threads)}, threads {sum(threads)}{hint}"

    def train(
        self,
        configs: Iterable[Config],
        cache: Path,
        *,
        on_result: Callable[[Result], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[Result]:
        """Do what `train_all` does.

        Raises
        ------
        ConnectionError
            If the scheduler is lost, and the jobs with it. What has come back is kept.
        """
        results = train_with(self, configs, cache, on_result=on_result, stop=lambda: stop() or self._lost)
        if not stop() and any(result.status == "unfinished" for result in results):
            raise ConnectionError(
                f"the scheduler at {self.address} is lost; the runs that have come back are kept, the same call goes on"
            )
        return results

    @property
    def _lost(self) -> bool:
        """Whether the connection is broken. The client then drops every job, even if the scheduler comes back."""
        return bool(self.client.status != "running")

    # ---- what `train_with` asks for ----

    def submit(self, config: Config, directory: Path) -> "Future[Any]":
        """Submit the job of a run."""
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
        if not self._lost:
            self.event.set()
            self.executor.shutdown(wait=False)  # one message for all jobs


async def _greet(address: str, timeout: float) -> None:
    """Connect, and let go. `Client` alone would wait without end for a server that says nothing."""
    from distributed import Security
    from distributed.comm import connect

    arguments = Security().get_connection_args("client")
    (await asyncio.wait_for(connect(address, timeout, **arguments), timeout)).abort()


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
    try:
        new.mkdir()
        for name, text in files.items():
            write_text(new / name, text)
        if directory.exists():
            with locked(directory):
                shutil.rmtree(directory)
        new.rename(directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)
