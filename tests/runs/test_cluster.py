"""Comparisons on a cluster: a scheduler and two workers in processes of their own, which share no folder with us."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from specnorm_np.command import cli
from specnorm_np.runs import cluster as clusters, run as runs
from specnorm_np.runs.away import Trained, train_away
from specnorm_np.runs.cluster import Cluster, keep
from specnorm_np.runs.compare import key, plan, train_all
from specnorm_np.runs.config import Config

LIMIT = 3600.0
TINY = {"steps": 12, "batch": 8, "d_width": 8, "g_width": 8, "d_depth": 1, "g_depth": 1}
LONG = {**TINY, "steps": 10**7}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]

try:
    import distributed
except ImportError:
    distributed = None
needs_dask = pytest.mark.skipif(distributed is None, reason="dask.distributed is not installed (extra dask)")


@pytest.fixture(scope="module")
def local():
    """Start two workers with a thread each, and end them."""
    if distributed is None:
        pytest.skip("dask.distributed is not installed (extra dask)")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options, memory_limit=0) as started:
        yield started


def number_of_runs(dask_worker):
    """Count the runs that a worker is at, those included that are cancelled and have not noticed yet."""
    return sum(task.state in ("executing", "cancelled", "resumed") for task in dask_worker.state.tasks.values())


def deaths_over_runs(dask_scheduler):
    """Count how often a run was lost with its worker."""
    return dask_scheduler.task_prefixes["train_away"].suspicious


def wait_for(what):
    """Wait until something is so. The limit says nothing of speed: it ends a test that has hung."""
    deadline = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.05)


def came_out(cache, name):
    """Return summary and history of a run, but for the time that it took."""
    summary = json.loads((cache / name / "summary.json").read_text())
    summary.pop("seconds")
    return summary, (cache / name / "history.csv").read_bytes()


# ---- with a cluster -------------------------------------------------------------------------------------------------


def test_a_killed_worker_has_its_run_done_again_to_the_same_bits(local, tmp_path):
    configs = plan(["none", "sn"], ["D"], [0], {**TINY, "steps": 60})
    with ThreadPoolExecutor(1) as thread:
        here = train_all(configs, tmp_path / "here", executor=thread)
    seen = []
    with Cluster(local.scheduler_address) as cluster, ThreadPoolExecutor(1) as thread:
        job = thread.submit(cluster.train, configs, tmp_path / "there", on_result=seen.append)
        wait_for(lambda: any(cluster.client.run(number_of_runs).values()))
        busy = next(address for address, n in cluster.client.run(number_of_runs).items() if n)
        os.kill(cluster.client.run(os.getpid)[busy], signal.SIGKILL)
        there = job.result(LIMIT)
        assert busy not in cluster.client.nthreads()
        assert cluster.client.run_on_scheduler(deaths_over_runs) >= 1  # 2 if it held the other run, too
    assert [result.status for result in there] == ["finished"] * 2
    assert {result.key for result in seen} == {key(config) for config in configs}
    assert len(seen) == 2
    for result in here:
        assert came_out(tmp_path / "here", result.key) == came_out(tmp_path / "there", result.key)
        assert runs.read_config(tmp_path / "there" / result.key / "config.json") == result.config
    assert [path.name for path in (tmp_path / "there").glob(".*")] == []


def test_the_command_on_a_cluster_and_then_here_from_the_cache(local, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).standard_normal((40, 2)))
    arguments = ["compare", *OPTIONS, "--methods=sn", "--seeds=0-1", "--data=x.npy"]
    assert cli.run_command([*arguments, f"--dask={local.scheduler_address}"]) == 0
    out = capsys.readouterr().out
    assert f"the cluster at {local.scheduler_address}: workers " in out  # the killed one may not be back yet
    told = re.findall(r"(\d)/2  sn, D, seed (\d): ", out)
    assert [number for number, _ in told] == ["1", "2"]
    assert {seed for _, seed in told} == {"0", "1"}  # whichever comes back first
    assert cli.run_command([*arguments, "--jobs=1"]) == 0
    assert "2 runs of 12 steps into runs/compare, 2 of them there already" in capsys.readouterr().out
    for path in (tmp_path / "runs/compare").glob("*/history.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        assert rows[-1]["step"] == "12"


def test_ctrl_c_keeps_what_is_done_and_frees_the_workers(local, tmp_path):
    short, long = plan(["sn"], None, [0], TINY), plan(["sn", "none"], None, [0], LONG)
    done = []
    with Cluster(local.scheduler_address) as cluster:
        results = cluster.train([*short, *long], tmp_path, on_result=done.append, stop=lambda: bool(done))
        assert [result.status for result in results] == ["finished", "unfinished", "unfinished"]
        assert [path.name for path in tmp_path.iterdir()] == [key(short[0])]
        wait_for(lambda: not any(cluster.client.run(number_of_runs).values()))
    with Cluster(local.scheduler_address) as cluster:
        assert cluster.train(short, tmp_path) == results[:1]


@needs_dask
def test_a_lost_scheduler_is_told_and_the_table_is_there(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    nobody = {"n_workers": 0, "dashboard_address": ":0"}

    def lose(local):
        wait_for(lambda: local.scheduler.tasks)
        local.close()

    with distributed.LocalCluster(**nobody) as local, ThreadPoolExecutor(1) as thread:
        losing = thread.submit(lose, local)
        assert (
            cli.run_command(["compare", *OPTIONS, "--seeds=0-1", "--methods=sn", f"--dask={local.scheduler_address}"])
            == 2
        )
        losing.result()
    out, error = capsys.readouterr()
    assert "workers 0, threads 0; the runs wait until a worker comes" in out
    assert f"specnorm-np: error: the scheduler at {local.scheduler_address} is lost" in error
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs/compare/results.csv").read_text())))
    assert [row["status"] for row in rows] == ["unfinished"] * 2


def test_a_run_that_diverges_or_fails_on_a_worker_is_told(local, tmp_path):
    (bad,) = plan(["none"], None, [0], {**TINY, "alpha": 1e37, "steps": 500})
    with Cluster(local.scheduler_address) as cluster:
        (first,) = cluster.train([bad], tmp_path)
        (again,) = cluster.train([bad], tmp_path)
    assert first.status == "diverged"
    assert first == again == train_all([bad], tmp_path)[0]


def test_another_version_on_the_worker_is_told(local, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "__version__", "0.0.0")
    with Cluster(local.scheduler_address) as cluster:
        (result,) = cluster.train([Config(**TINY)], tmp_path)
    assert result.status == "failed"
    assert "expected 0.0.0" in result.failure
    assert list(tmp_path.iterdir()) == []


def test_a_worker_has_one_blas_thread(local):
    with Cluster(local.scheduler_address) as cluster:
        assert cluster.executor.submit(os.getenv, "OPENBLAS_NUM_THREADS").result(LIMIT) == "1"


@needs_dask
@pytest.mark.parametrize("kind", ["closed", "mute", "nonsense"])
def test_nobody_answers(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Cluster.__init__, "__defaults__", (1.0,))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = {"closed": "tcp://127.0.0.1:1", "mute": f"tcp://127.0.0.1:{server.getsockname()[1]}"}
        address = address.get(kind, "no address")
        assert cli.run_command(["compare", *OPTIONS, "--dask", address]) == 2
    error = capsys.readouterr().err
    assert f"no scheduler answers at '{address}'" in error
    assert list(tmp_path.iterdir()) == []


@needs_dask
def test_ctrl_c_ends_the_wait_for_an_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not hear Ctrl-C
    ended = threading.Event()

    def interrupt(server):
        connection, _ = server.accept()
        with connection:  # open until the command has ended, or it might end for the connection's sake
            os.kill(os.getpid(), signal.SIGINT)
            ended.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        interrupting = thread.submit(interrupt, server)
        try:
            code = cli.run_command(["compare", *OPTIONS, f"--dask=tcp://127.0.0.1:{server.getsockname()[1]}"])
        finally:
            ended.set()
            signal.signal(signal.SIGINT, before)
        interrupting.result()
    assert code == 130
    assert list(tmp_path.iterdir()) == []


def test_what_a_stopped_job_returns_is_not_kept(tmp_path):
    unfinished = Trained({"config.json": "{}", "history.csv": ""}, None)
    result = Cluster.take(None, unfinished, Config(**TINY), tmp_path / "abc")
    assert result.status == "unfinished"
    assert list(tmp_path.iterdir()) == []


# ---- without --------------------------------------------------------------------------------------------------------


def test_a_missing_extra_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.run_command(["compare", *OPTIONS, "--dask", "tcp://127.0.0.1:1"]) == 2
    error = capsys.readouterr().err
    assert "pip install 'specnorm-np[dask]'" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_jobs_and_dask_exclude_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run_command(["compare", *OPTIONS, "--dask", "tcp://127.0.0.1:1", "--jobs", "2"]) == 2
    assert "--jobs has no effect with --dask" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_comes_back_replaces_an_unfinished_run_but_no_running_one(tmp_path):
    directory = tmp_path / "abc"
    runs.create(Config(**TINY), directory)
    with runs.locked(directory), pytest.raises(ValueError, match="trained by another process"):
        keep({"summary.json": "{}"}, directory)
    assert (directory / "checkpoint.npz").exists()
    keep({"summary.json": "{}"}, directory)
    assert [path.name for path in tmp_path.rglob("*")] == ["abc", "summary.json"]


def test_the_head_of_a_job_imports_no_numpy():
    code = f"import sys, {train_away.__module__}; print([m for m in ('numpy', 'distributed') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
