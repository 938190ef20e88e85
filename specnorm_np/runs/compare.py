"""Methods × settings × seeds, trained on the same data and latents, on all cores. Section 4, Figures 1 and 2.

Each run is an ordinary run folder under the name of its configuration, `key`: one that is there is only read, one that
was interrupted goes on from its checkpoint. So the same call again continues a comparison, and a larger one trains
only what is new.

    configs = plan(["none", "wn", "sn"], ["D", "F"], range(3), {"target": "ring", "steps": 4000})
    results = train_all(configs, Path("runs/compare"))

The jobs run in any `concurrent.futures.Executor`; without one, in a `process_pool`, whose workers import the calling
script anew: keep its work under `if __name__ == "__main__":`. dask.distributed's `Client(...).get_executor()` and
mpi4py's `MPIPoolExecutor()` are such executors; all their workers need to see the folder (and the data file), and it is
for whoever starts them to set OPENBLAS_NUM_THREADS=1.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from specnorm_np.gan import Diverged
from specnorm_np.optim import TABLE_1
from specnorm_np.runs import run as runs
from specnorm_np.runs.config import Config, from_options, to_json
from specnorm_np.runs.storage import write_text
from specnorm_np.runs.threads import THREAD_VARIABLES

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
    rows: list[dict[str, Any]] = []
    for setting in dict.fromkeys(settings or ()):
        if setting not in TABLE_1:
            raise ValueError(f"setting is {setting!r}; expected one of {', '.join(TABLE_1)}")
        adam, n_dis = TABLE_1[setting]
        rows.append(dict(zip(ADAM, (adam.alpha, adam.alpha, adam.beta1, adam.beta2, n_dis), strict=True)))
    return [
        from_options({**base, **row, "method": method, "seed": seed}, preset)
        for method in names
        for row in rows or [{}]
        for seed in numbers
    ]


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
    wanted = {key(config): config for config in configs}
    results = {name: Result(config, name) for name, config in wanted.items()}
    pending: dict[Future[Result], str] = {}

    def collect(seconds: float) -> None:
        for future in wait(pending, seconds, FIRST_COMPLETED).done:
            tell(_outcome(future, results[pending.pop(future)]))

    def tell(result: Result) -> None:
        results[result.key] = result
        if result.status != "unfinished":
            on_result(result)

    cache.mkdir(parents=True, exist_ok=True)
    stop_file = cache.absolute() / f".stop-{uuid.uuid4().hex}"
    try:
        for name, config in wanted.items():
            if stop():
                break
            known = lookup(config, cache / name)
            try:
                if known is None:
                    pending[executor.submit(train_one, config, str(cache.absolute() / name), str(stop_file))] = name
            except BrokenExecutor as error:
                known = results[name]._replace(failure=_text(error))
            if known is not None:
                tell(known)
            collect(0.0)
        while pending and not stop():
            collect(0.1)
    finally:
        if pending:
            stop_file.touch()
            wait(pending)  # a job that starts now ends at once; dask would take `cancel` for a running one, too
            stop_file.unlink()
    for future, name in pending.items():
        tell(_outcome(future, results[name]))
    return list(results.values())


def _outcome(future: "Future[Result]", unfinished: Result) -> Result:
    if future.cancelled():
        return unfinished
    error = future.exception()
    return future.result() if error is None else unfinished._replace(failure=_text(error))


def _text(error: BaseException) -> str:
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
    folder = Path(directory)
    unfinished = Result(config, folder.name)
    if os.path.exists(stop_file):
        return unfinished
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is told by its values
            runs.train(_open(config, folder), stop=lambda: os.path.exists(stop_file), keep_snapshots=False)
    except Diverged as error:
        write_text(folder / "diverged.txt", f"{error}\n")
        return unfinished._replace(failure=str(error))
    except Exception as error:  # as text, since not every exception survives the way back
        return unfinished._replace(failure=_text(error))
    return lookup(config, folder) or unfinished


def _open(config: Config, folder: Path) -> runs.Run:
    """Load a run. A new one is made beside its place and moved there, so that a folder with its name is whole."""
    if not (folder / "checkpoint.npz").exists():
        new = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        runs.create(config, new).directory.rename(folder)
    return runs.load(folder)


# ---- workers --------------------------------------------------------------------------------------------------------


class _Pool(ProcessPoolExecutor):
    """A process pool whose `submit`, which starts the workers, lets them inherit what suits them.

    One BLAS thread, unless the environment says otherwise, and no SIGINT: Ctrl-C in a terminal goes to all processes,
    and a worker would die of it, even while it is still importing NumPy.
    """

    def submit(self, *arguments: Any, **options: Any) -> Any:
        """Submit a job."""
        new = () if any(name in os.environ for name in THREAD_VARIABLES) else THREAD_VARIABLES
        os.environ.update(dict.fromkeys(new, "1"))
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*arguments, **options)
        finally:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name in new:
                del os.environ[name]


def process_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """Make a pool of processes, one per core unless said otherwise, with one BLAS thread each.

    The workers leave Ctrl-C to this process and end when it does.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; expected at least 1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _Pool(workers or cores, multiprocessing.get_context("spawn"), _start_worker)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody reads the result any more; the checkpoint stays
