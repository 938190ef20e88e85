"""The work of `compare`: many runs, what is said of each, and the table."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from specnorm_np.command.interrupts import interruptible
from specnorm_np.command.options import plan_of
from specnorm_np.runs import tables
from specnorm_np.runs.cluster import Cluster
from specnorm_np.runs.compare import Result, key, lookup, train_all
from specnorm_np.runs.config import make_target
from specnorm_np.runs.pool import process_pool
from specnorm_np.toy.metrics import N_EVAL


def compare(options: argparse.Namespace) -> int:
    """Train what is missing, and keep results.csv and table.md up to date, unless that takes a tenth of the time."""
    configs, out = plan_of(options), options.out
    if configs[0].data == "-":
        raise ValueError("--data is -; expected a file, for every run reads it anew")
    target = make_target(configs[0])
    say: Callable[..., None] = (lambda *_, **__: None) if hasattr(options, "quiet") else print
    results = {key(config): Result(config, key(config)) for config in configs}
    there = sum(lookup(result.config, out / name) is not None for name, result in results.items())
    done, began = 0, time.perf_counter()
    save = sparing(lambda: tables.save(results.values(), out))

    def on_result(result: Result) -> None:
        nonlocal done
        results[result.key], done = result, done + 1
        passed, new = time.perf_counter() - began, done - there
        left = f", about {passed / new * (len(results) - done):.0f} s left" if new > 0 else ""
        say(f"{done}/{len(results)}  {tables.describe(result)}  ({passed:.0f} s so far{left})", flush=True)
        if result.status == "failed":
            print(f"specnorm-np: {tables.describe(result)}", file=sys.stderr)
        save()

    with trainer(options) as (train, where), interruptible() as stopped:
        tables.save(results.values(), out)
        say(f"{target.name}: {len(results)} runs of {configs[0].steps} steps into {out}, {there} of them there already")
        if where:
            say(where)
        try:
            train(configs, out, on_result=on_result, stop=stopped)
        finally:
            tables.save(results.values(), out)
    if done < len(results):
        others = "begin anew" if where else "saved"
        print(f"stopped: {done} of {len(results)} runs are done, the others {others}. Go on with the same command.")
        return 130
    for line in tables.table(results.values()):
        say(line)
    say(f"mean ± standard error over seeds, {N_EVAL} samples each. All in {out}")
    return 1 if any(result.status == "failed" for result in results.values()) else 0


@contextmanager
def trainer(options: argparse.Namespace) -> Iterator[tuple[Callable[..., Any], str]]:
    """Yield what trains the runs, on this machine or on a cluster, and what there is to say of the cluster."""
    if getattr(options, "jobs", 1) < 1:
        raise ValueError(f"--jobs is {options.jobs}; expected at least 1")
    if not hasattr(options, "dask"):
        with process_pool(getattr(options, "jobs", None)) as pool:
            yield partial(train_all, executor=pool), ""
    elif hasattr(options, "jobs"):
        raise ValueError(
            "--jobs has no effect with --dask; expected one of them, for each thread of a worker has a run"
        )
    else:
        with Cluster(options.dask) as cluster:
            yield cluster.train, str(cluster)


def sparing(action: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does an action, or nothing where the action would then take a tenth of the time.

    The tables of 10,000 runs take longer to write than the next run takes to arrive.
    """
    free = 0.0

    def act() -> None:
        nonlocal free
        began = time.perf_counter()
        if began >= free:
            action()
            ended = time.perf_counter()
            free = ended + 9.0 * (ended - began)

    return act
