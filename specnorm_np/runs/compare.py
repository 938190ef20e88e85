"""Methods × settings × seeds, trained on the same data and latents, on all cores. Section 4, Figures 1 and 2.

Each run is an ordinary run folder under the name of its configuration, `key`: one that is there is only read, one that
was interrupted goes on from its checkpoint. So the same call again continues a comparison, and a larger one trains
only what is new.

    configs = plan(["none", "wn", "sn"], ["D", "F"], range(3), {"target": "ring", "steps": 4000})
    results = train_all(configs, Path("runs/compare"))

The jobs run in any `concurrent.futures.Executor`; without one, in a `process_pool`, whose workers import the calling
script anew: keep its work under `if __name__ == "__main__":`. mpi4py's `MPIPoolExecutor()` is such an executor; all its
workers need to see the folder (and the data file), and it is for whoever starts them to set OPENBLAS_NUM_THREADS=1.
Workers of dask.distributed need no such folder: see `cluster`.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

import numpy as np

from specnorm_np.gan import Diverged
from specnorm_np.optim import TABLE_1
from specnorm_np.runs import run as runs
from specnorm_np.runs.config import Config, from_options, to_json
from specnorm_np.runs.pool import process_pool
from specnorm_np.runs.storage import write_text
from specnorm_np.toy.targets import Target

ADAM = ("d_alpha", "g_alpha", "beta1", "beta2", "n_dis")
"""What a setting of Table 1 sets."""


class Result(NamedTuple):
    """What has become of a run. Without summary and failure it is not finished.

    Attributes
    ----------
    config : Config
    key : str
        Its name in the cache.
    summary : dict or None
        What `runs.finish` has written.
    failure : str or None
        At which step it diverged, or the error that ended it.
    """

    config: Config
    key: str
    summary: dict[str, Any] | None = None
    failure: str | None = None

    @property
    def status(self) -> str:
        """Say "finished", "diverged", "failed" or "unfinished"."""
        if self.failure is not None:
            return "diverged" if self.failure.startswith("diverged at step") else "failed"
        return "unfinished" if self.summary is None else "finished"


# ---- what to train --------------------------------------------------------------------------------------------------


def plan(
    methods: Iterable[str],
    settings: Iterable[str] | None,
    seeds: Iterable[int],
    base: Mapping[str, Any],
    preset: str | None = None,
) -> list[Config]:
    """Make the configs of a comparison, each combination once.

    Parameters
    ----------
    methods : names of `METHODS`
    settings : names of Table 1, or None
        Each sets α, β₁, β₂ and n_dis, whatever `base` says; without any, `base` does.
    seeds : whole numbers
    base : mapping
        The other fields of `Config`; those that it does not have are the defaults of the preset and of the target.
    preset : name of `PRESETS`, optional

    Raises
    ------
    ValueError
        If a name or a value is not valid, or there are no methods or no seeds.
    """
    names, numbers = list(dict.fromkeys(methods)), list(dict.fromkeys(seeds))
    if not names or not numbers:
        raise ValueError(f"{'seeds' if names else 'methods'} is empty; expected at least one")
    rows = [fields_of_setting(setting) for setting in dict.fromkeys(settings or ())]
    return [
        from_options({**base, **row, "method": method, "seed": seed}, preset)
        for method in names
        for row in rows or [{}]
        for seed in numbers
    ]


def fields_of_setting(setting: str) -> dict[str, Any]:
    """Return the fields of `Config` that a row of Table 1 sets, those of `ADAM`.

    Raises
    ------
    ValueError
        If there is no row of that name.
    """
    if setting not in TABLE_1:
        raise ValueError(f"setting is {setting!r}; expected one of {', '.join(TABLE_1)}")
    adam, n_dis = TABLE_1[setting]
    return dict(zip(ADAM, (adam.alpha, adam.alpha, adam.beta1, adam.beta2, n_dis), strict=True))


def parse_seeds(text: str) -> list[int]:
    """Read seeds as the command takes them: "0-2,5" is [0, 1, 2, 5]."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = [first, last] if dash else [first]
        if not all(number.isascii() and number.isdigit() for number in numbers) or int(numbers[0]) > int(numbers[-1]):
            raise ValueError(f"seeds is {text!r}; expected whole numbers and ranges, like 0-2,5")
        seeds += range(int(numbers[0]), int(numbers[-1]) + 1)
    return seeds


def key(config: Config) -> str:
    """Name a config: 12 digits of the hash of its JSON, format included, and of the bytes of its data file, if any.

    A `d_last_width` of None is left out, as it was before there was such a field, so that older runs keep their names.
    """
    fields = json.loads(to_json(config), parse_float=lambda text: int(x) if (x := float(text)).is_integer() else x)
    if fields["d_last_width"] is None:
        del fields["d_last_width"]
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    if config.data is not None:
        digest.update(Path(config.data).read_bytes())
    return digest.hexdigest()[:12]


# ---- training -------------------------------------------------------------------------------------------------------


def train_all(
    configs: Iterable[Config],
    cache: Path,
    *,
    executor: Executor | None = None,
    on_result: Callable[[Result], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """Train what is not in the cache yet. A run that fails does not stop the others.

    Parameters
    ----------
    configs : iterable of Config
        For instance from `plan`; equal ones are one run.
    cache : Path
        The folder that has a folder `key(config)` for every run.
    executor : Executor, optional
        Where the runs are trained; by default a `process_pool()`.
    on_result : function
        Called here with every run that has finished, diverged or failed.
    stop : function
        Asked here about ten times a second; once it is true, running jobs stop after their step and are saved.

    Returns
    -------
    list of Result
        One for each run, in the order of `configs`. A run that diverged is not tried again by a later call, unless
        `diverged.txt` in its folder is deleted; one that failed in another way (a full disk, say) is.

    Notes
    -----
    Ctrl-C and any other exception here also stop and save the running jobs before they go on upwards.
    """
    if executor is None:
        with process_pool() as pool:
            return train_all(configs, cache, executor=pool, on_result=on_result, stop=stop)
    return train_with(SharedFolder(executor, cache), configs, cache, on_result=on_result, stop=stop)


class Workers(Protocol):
    """Those who train the runs of a comparison, as `train_with` asks them to."""

    def submit(self, config: Config, directory: Path) -> "Future[Any]":
        """Begin a job, whose run is to be kept in `directory`."""

    def take(self, value: Any, config: Config, directory: Path) -> Result:
        """Make the result of what a job has returned."""

    def stop(self, jobs: "Collection[Future[Any]]") -> None:
        """Tell the jobs to stop. Those that are not done on return are given up."""


class SharedFolder:
    """Workers that see the cache: each job writes its run there, and a file in it tells all of them to stop."""

    def __init__(self, executor: Executor, cache: Path):
        self.executor, self.stop_file = executor, cache.absolute() / f".stop-{uuid.uuid4().hex}"

    def submit(self, config: Config, directory: Path) -> "Future[Any]":
        """Submit the job to the executor."""
        return self.executor.submit(train_one, config, str(directory.absolute()), str(self.stop_file))

    def take(self, value: Result, config: Config, directory: Path) -> Result:
        """Return the result as it is, for the run is in its place."""
        return value

    def stop(self, jobs: "Collection[Future[Any]]") -> None:
        """Wait until every job has stopped after its step, and saved its run. Jobs that start now end at once."""
        self.stop_file.touch()
        wait(jobs)  # without `cancel`, which dask would take for a running job, too
        self.stop_file.unlink()


def train_with(
    workers: Workers,
    configs: Iterable[Config],
    cache: Path,
    *,
    on_result: Callable[[Result], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """Do what `train_all` does with workers of another kind."""
    jobs = _Jobs(workers, {key(config): config for config in configs}, cache, on_result)
    cache.mkdir(parents=True, exist_ok=True)
    try:
        for name in jobs.results:
            if stop():
                break
            jobs.begin(name)
            jobs.collect(0.0)
        while jobs.pending and not stop():
            jobs.collect(0.1)
    finally:
        if jobs.pending:
            workers.stop(jobs.pending)
    for future in list(jobs.pending):
        jobs.tell(jobs.outcome(future))
    return list(jobs.results.values())


class _Jobs:
    """The runs of a comparison by their names, and the jobs that are not done yet."""

    def __init__(
        self, workers: Workers, wanted: Mapping[str, Config], cache: Path, on_result: Callable[[Result], None]
    ):
        self.workers, self.cache, self.on_result = workers, cache, on_result
        self.results = {name: Result(config, name) for name, config in wanted.items()}
        self.pending: dict[Future[Any], str] = {}
        self.done: SimpleQueue[Future[Any]] = SimpleQueue()  # `wait` would look at every pending job each time

    def begin(self, name: str) -> None:
        """Read a run, or submit its job."""
        config, directory = self.results[name].config, self.cache / name
        known = lookup(config, directory)
        if known is None:
            try:
                future = self.workers.submit(config, directory)
            except BrokenExecutor as error:
                known = self.results[name]._replace(failure=text_of(error))
            else:
                self.pending[future] = name
                future.add_done_callback(self.done.put)
        if known is not None:
            self.tell(known)

    def collect(self, seconds: float) -> None:
        """Wait so long for a job that is done, and tell what has become of its run."""
        try:
            future = self.done.get(timeout=seconds)
        except Empty:
            return
        self.tell(self.outcome(future))

    def outcome(self, future: "Future[Any]") -> Result:
        """Say what has become of the run of a job, which is pending no more."""
        unfinished = self.results[self.pending.pop(future)]
        if future.cancelled() or not future.done():
            return unfinished
        try:
            return self.workers.take(future.result(), unfinished.config, self.cache / unfinished.key)
        except Exception as error:
            return unfinished._replace(failure=text_of(error))

    def tell(self, result: Result) -> None:
        """Keep a result, and pass on one that is final."""
        self.results[result.key] = result
        if result.status != "unfinished":
            self.on_result(result)


def text_of(error: BaseException) -> str:
    """Write an error in a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def lookup(config: Config, directory: Path) -> Result | None:
    """Read a run that has finished or diverged; None if there is none."""
    try:
        if (directory / "diverged.txt").is_file():
            return Result(config, directory.name, failure=(directory / "diverged.txt").read_text().strip())
        summary = runs.read_summary(directory)
    except (OSError, ValueError):
        return None
    return Result(config, directory.name, summary) if summary.get("steps") == config.steps else None


def train_one(config: Config, directory: str, stop_file: str) -> Result:
    """Do the job of one run: go on with it, or begin it, until it ends or `stop_file` is there."""
    return train_in(config, Path(directory), lambda: os.path.exists(stop_file))


def train_in(config: Config, folder: Path, stop: Callable[[], bool], target: Target | None = None) -> Result:
    """Do the job of one run in its folder, until it ends or `stop` says so; `target` is that of `runs.create`."""
    unfinished = Result(config, folder.name)
    if stop():
        return unfinished
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is told by its values
            runs.train(_open(config, folder, target), stop=stop, keep_snapshots=False)
    except Diverged as error:
        write_text(folder / "diverged.txt", f"{error}\n")
        return unfinished._replace(failure=str(error))
    except Exception as error:  # as text, since not every exception survives the way back
        return unfinished._replace(failure=text_of(error))
    return lookup(config, folder) or unfinished


def _open(config: Config, folder: Path, target: Target | None) -> runs.Run:
    """Load a run. A new one is made beside its place and moved there, so that a folder with its name is whole."""
    if not (folder / "checkpoint.npz").exists():
        new = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        runs.create(config, new, target=target).directory.rename(folder)
    return runs.load(folder)
