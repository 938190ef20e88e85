"""Comparisons: what is trained, cached, interrupted and tabulated."""

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, strategies as st

from specnorm_np.command import bench, cli, comparison
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs import config, run as runs, tables
from specnorm_np.runs.compare import Result, key, parse_seeds, plan, train_all, train_one
from specnorm_np.runs.config import Config
from specnorm_np.runs.pool import process_pool
from specnorm_np.runs.threads import THREAD_VARIABLES

TINY = {"steps": 12, "batch": 8, "d_width": 8, "g_width": 8, "d_depth": 1, "g_depth": 1}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]


class Serial(Executor):
    """Runs a job at once, in this thread."""

    def submit(self, function, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Never(Executor):
    """Must not get a job."""

    def submit(self, *_):
        raise AssertionError("a run was started")


@pytest.fixture(autouse=True)
def _few_evaluations(monkeypatch):
    monkeypatch.setattr(runs, "EVALUATIONS", 2)


def serial(configs, cache, **options):
    """Train in this thread."""
    return train_all(configs, cache, executor=Serial(), **options)


def bits(folder):
    """Return the samples and the arrays of the checkpoint, but for the time."""
    with np.load(folder / "checkpoint.npz") as file:
        arrays = {name: file[name].tobytes() for name in file.files if name != "seconds"}
    return arrays, (folder / "samples.npy").read_bytes()


# ---- what to train --------------------------------------------------------------------------------------------------


def test_a_plan_is_every_combination_once():
    configs = plan(["sn", "none", "sn"], ["D", "F"], [0, 5, 0], TINY)
    found = [(c.method, tables.setting_of(c), c.seed) for c in configs]
    assert found == [(m, s, seed) for m in ("sn", "none") for s in "DF" for seed in (0, 5)]
    assert {c.steps for c in configs} == {12}


def test_a_setting_of_table_1_wins_and_without_one_the_base_does():
    (c,) = plan(["sn"], ["F"], [0], {"alpha": 0.5, "n_dis": 2})
    assert (c.d_alpha, c.g_alpha, c.beta1, c.beta2, c.n_dis) == (1e-3, 1e-3, 0.9, 0.999, 5)
    (c,) = plan(["sn"], None, [0], {"alpha": 0.5, "n_dis": 2, "seed": 7, "method": "wn"})
    assert (c.d_alpha, c.g_alpha, c.n_dis, c.seed, c.method) == (0.5, 0.5, 2, 0, "sn")
    assert tables.setting_of(c) == "0.5, 0.5, 0.5, 0.999, 2"


def test_the_base_keeps_the_defaults_of_its_target():
    assert plan(["sn"], None, [0], {"target": "grid"})[0] == config.from_options({"target": "grid"})


@pytest.mark.parametrize(
    ("methods", "settings", "seeds", "base", "words"),
    [
        (["magic"], None, [0], {}, "method is 'magic'"),
        (["sn"], ["G"], [0], {}, "setting is 'G'; expected one of A, B, C, D, E, F"),
        (["sn"], None, [-1], {}, "seed is -1"),
        ([], None, [0], {}, "methods is empty"),
        (["sn"], None, [], {}, "seeds is empty"),
        (["sn"], None, [0], {"step": 5}, "unknown field 'step'"),
        (["sn"], None, [0], {"K": -1.0}, "K is -1"),
    ],
)
def test_a_bad_plan(methods, settings, seeds, base, words):
    with pytest.raises(ValueError, match=words):
        plan(methods, settings, seeds, base)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=1, max_size=4))
def test_seeds_are_what_they_say(ranges):
    text = ",".join(f"{first}-{first + more}" if more else str(first) for first, more in ranges)
    assert parse_seeds(text) == [first + i for first, more in ranges for i in range(more + 1)]


@pytest.mark.parametrize("text", ["", ",", "1,", "-1", "2-", "2-0", "1-2-3", "a", "1.5", "²", "0 - 2 3"])
def test_what_are_no_seeds(text):
    with pytest.raises(ValueError, match="seeds is"):
        parse_seeds(text)


def test_equal_configs_have_one_key():
    a = Config(d_alpha=1.0, K=2.0, target_options={"radius": 2.0, "std": 0.1})
    b = Config(d_alpha=1, K=2, target_options={"std": 0.1, "radius": 2})
    assert a == b
    assert key(a) == key(b)


def test_every_field_and_the_format_are_in_the_key(monkeypatch, tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    other = {"target": "grid", "target_options": {"std": 0.1}, "data": str(tmp_path / "x.csv"), "method": "wn"}
    other |= {"loss": "hinge", "dtype": "float64", "K": 3.0, "g_scale": 2.0, "d_last_width": 7}
    other |= {"columns": "1", "delimiter": "comma", "standardize": True}
    other |= {f"{name}_schedule": ((0.5, 1.0), (1.0, 0.5)) for name in ("K", "d", "g")}
    configs = [Config()]
    for field in dataclasses.fields(Config):
        old = getattr(Config(), field.name)
        new = other[field.name] if field.name in other else old + 1 if isinstance(old, int) else old / 2
        reading = {"data": other["data"]} if field.name in ("columns", "delimiter", "standardize") else {}
        configs.append(Config(**reading, **{field.name: new}))
    keys = {key(c) for c in configs}
    assert len(keys) == len(configs)
    monkeypatch.setattr(config, "FORMAT", 99)
    assert key(Config()) not in keys


def test_a_run_from_before_the_last_width_keeps_its_name():
    assert key(Config()) == "c30c54d61e27"


def test_the_points_of_a_file_are_in_the_key(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,2\n3,4\n")
    first = key(Config(data=str(path)))
    path.write_text("1,2\n3,5\n")
    assert key(Config(data=str(path))) != first


# ---- training -------------------------------------------------------------------------------------------------------


def test_methods_see_the_same_data_and_latents(tmp_path):
    results = serial(plan(["none", "wn", "gan-gp"], ["D"], [3], TINY), tmp_path)
    streams = []
    for result in results:
        with np.load(tmp_path / result.key / "checkpoint.npz") as file:
            streams.append([str(file[f"state.streams.{name}"]) for name in ("data", "latent")])
    assert streams[0] == streams[1] == streams[2]


def test_the_order_and_the_company_of_a_run_change_nothing(tmp_path):
    configs = plan(["none", "sn"], None, [0, 1], TINY)
    serial(configs, tmp_path / "a")
    results = serial([configs[3], configs[0], configs[3]], tmp_path / "b")
    assert [r.config for r in results] == [configs[3], configs[0]]
    for result in results:
        assert bits(tmp_path / "a" / result.key) == bits(tmp_path / "b" / result.key)


def test_a_finished_run_is_only_read(tmp_path):
    configs = plan(["none", "sn"], None, [0], TINY)
    first = serial(configs, tmp_path)
    assert [r.status for r in first] == ["finished", "finished"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    seen = []
    assert train_all(configs, tmp_path, executor=Never(), on_result=seen.append) == first == seen
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    (c,) = plan(["sn"], ["D"], [0], TINY)
    serial([c], tmp_path / "whole")
    stop_file, train = tmp_path / "stop", runs.train

    def touching(run, **options):
        return train(run, lambda progress: progress.step == 5 and stop_file.touch(), **options)

    (tmp_path / "parts").mkdir()
    monkeypatch.setattr(runs, "train", touching)
    assert train_one(c, str(tmp_path / "parts" / key(c)), str(stop_file)).status == "unfinished"
    assert runs.load(tmp_path / "parts" / key(c)).state.step == 5
    monkeypatch.setattr(runs, "train", train)
    serial([c], tmp_path / "parts")
    assert bits(tmp_path / "whole" / key(c)) == bits(tmp_path / "parts" / key(c))


def test_stop_ends_the_running_and_the_waiting_jobs(tmp_path):
    configs = plan(["none", "sn"], None, [0], {**TINY, "steps": 10**5})
    began = tmp_path / key(configs[0]) / "checkpoint.npz"
    with ThreadPoolExecutor(1) as executor:
        results = train_all(configs, tmp_path, executor=executor, stop=began.exists)
    assert [r.status for r in results] == ["unfinished", "unfinished"]
    assert runs.load(began.parent).state.step > 0
    assert [path.name for path in tmp_path.iterdir()] == [began.parent.name]


def test_an_exception_here_saves_what_runs(tmp_path):
    short, long = Config(**TINY), Config(**{**TINY, "steps": 10**5})

    def interrupt(_):
        while not (tmp_path / key(long) / "checkpoint.npz").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyboardInterrupt):
        train_all([short, long], tmp_path, executor=executor, on_result=interrupt)
    assert runs.load(tmp_path / key(long)).state.step > 0
    assert not list(tmp_path.glob(".stop*"))


def test_a_failing_run_is_recorded_and_the_others_go_on(tmp_path, monkeypatch):
    configs, train = plan(["none", "wn", "sn"], None, [0], TINY), runs.train

    def failing(run, **options):
        if run.config.method == "wn":
            raise MemoryError("no\nmemory")
        return train(run, **options)

    monkeypatch.setattr(runs, "train", failing)
    results = serial(configs, tmp_path)
    assert [r.status for r in results] == ["finished", "failed", "finished"]
    assert results[1].failure == "MemoryError: no memory"
    monkeypatch.setattr(runs, "train", train)
    assert [r.status for r in serial(configs, tmp_path)] == ["finished"] * 3


def test_a_diverged_run_is_recorded_with_its_step_and_not_tried_again(tmp_path):
    configs = plan(["none"], None, [0], {**TINY, "alpha": 1e37, "steps": 500})
    first = serial(configs, tmp_path)
    assert first[0].status == "diverged"
    assert first[0].failure.startswith("diverged at step ")
    assert train_all(configs, tmp_path, executor=Never()) == first


def test_a_damaged_run_fails_alone_and_a_damaged_summary_is_written_anew(tmp_path):
    configs = plan(["none", "sn"], None, [0], TINY)
    first = serial(configs, tmp_path)
    for result in first:
        (tmp_path / result.key / "summary.json").write_text("{")
    (tmp_path / first[0].key / "checkpoint.npz").write_bytes(b"PK")
    second = serial(configs, tmp_path)
    assert second[0].status == "failed"
    assert "checkpoint.npz" in second[0].failure
    assert second[1] == first[1]


@pytest.mark.parametrize("late", [False, True])
def test_a_broken_executor_is_told_for_every_run(tmp_path, late):
    class Broken(Serial):
        def submit(self, *_):
            def die():
                raise BrokenExecutor("a worker died")

            return super().submit(die) if late else die()

    results = train_all(plan(["none", "sn"], None, [0], TINY), tmp_path, executor=Broken())
    assert [r.failure for r in results] == ["BrokenExecutor: a worker died"] * 2


def test_processes_give_the_same_bits_on_one_blas_thread_each(tmp_path, monkeypatch):
    configs = plan(["none", "sn"], ["D"], [0], TINY)
    serial(configs, tmp_path / "here")
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    with process_pool(2) as pool:
        results = train_all(configs, tmp_path / "there", executor=pool)
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
    assert dict(os.environ) == before
    assert [r.status for r in results] == ["finished", "finished"]
    for result in results:
        here, there = bits(tmp_path / "here" / result.key), bits(tmp_path / "there" / result.key)
        assert here == there


# ---- what came out --------------------------------------------------------------------------------------------------


def finished(c, modes, share, kl, frechet, total=8):
    """Make a result as a finished run leaves it."""
    perfect = {"modes": 8.0, "modes_total": total, "high_quality": 0.9889, "reverse_kl": 0.0014, "frechet": 1e-4}
    if total is None:
        perfect = dict.fromkeys(perfect) | {"frechet": 1e-4}
    summary = {"modes": modes, "modes_total": total, "high_quality": share, "reverse_kl": kl, "frechet": frechet}
    summary |= {"steps": c.steps, "seconds": 10.0, "lipschitz_upper": 2.0, "sigma_bar": [1.0, 2.0]}
    return Result(c, key(c), {**summary, "perfect_sampler": perfect})


def cells(line):
    """Split a row of the table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_by_hand():
    sn, none = plan(["sn"], ["D"], range(3), {}), plan(["none"], ["D"], range(3), {})
    results = [
        finished(sn[0], 6, 0.90, 0.1, 0.5),
        finished(sn[1], 8, 0.94, 0.3, 0.1),
        finished(sn[2], 7, 0.92, 0.2, 0.3),
        Result(none[0], key(none[0]), failure="diverged at step 7: a parameter is NaN or infinite"),
        finished(none[1], 0, 0.0, None, 4.0),
        Result(none[2], key(none[2]), failure="diverged at step 9: a parameter is NaN or infinite"),
    ]
    head, rule, *rows = tables.table(results)
    names = ["method", "setting", "runs", "modes", "high quality, %", "reverse KL"]
    assert cells(head)[:6] == names
    assert cells(head)[6:] == ["1-NN, %", "offset/std", "spread, minor", "spread, major", "Fréchet distance", "seconds"]
    older = ["–"] * 4  # what a run of an older version does not have
    assert set(rule) == {"|", "-"}
    # s/√n: s = 1 mode, 2 %, 0.1, 0.2 and n = 3
    sn_row = [
        "sn",
        "D",
        "3",
        "7.00 ± 0.58 of 8",
        "92.00 ± 1.15",
        "0.2000 ± 0.0577",
        *older,
        "0.3000 ± 0.1155",
        "10.0 ± 0.0",
    ]
    none_row = ["none", "D", "2 of 3 diverged", "0.00 of 8", "0.00", "∞", *older, "4.0000", "10.0"]
    perfect = ["perfect sampler", "", "", "8.00 of 8", "98.89", "0.0014", *older, "0.0001", "–"]
    assert [cells(row) for row in rows] == [sn_row, none_row, perfect]


def test_what_is_missing_is_counted():
    configs = plan(["sn"], ["D"], range(4), {})
    failures = ["diverged at step 1: x", "OSError: disk full", None]
    results = [Result(c, key(c), failure=failure) for c, failure in zip(configs, failures, strict=False)]
    row = cells(tables.table([*results, finished(configs[3], 8, 0.9, 0.1, 0.2)])[2])
    assert row[2] == "1 of 4 diverged, 1 of 4 failed, 1 of 4 unfinished"
    assert cells(tables.table(results)[2])[3:] == ["–"] * 9


def test_what_differs_otherwise_has_a_column_and_every_target_its_perfect_sampler():
    configs = [Config(K=1.0), Config(K=2.0), Config(target="moons")]
    results = [finished(c, 8, 0.9, 0.1, 0.2) for c in configs[:2]] + [finished(configs[2], None, None, None, 0.2, None)]
    head, _, *rows = map(cells, tables.table(results))
    assert head[:4] == ["method", "setting", "target", "K"]
    assert [row[:4] for row in rows[:3]] == [
        ["sn", "0.004, 0.0004, 0.5, 0.999, 1", c.target, str(c.K)] for c in configs
    ]
    assert rows[2][5:8] == ["–", "–", "–"]
    assert [row[0:3] for row in rows[3:]] == [["perfect sampler", "", "ring"], ["perfect sampler", "", "moons"]]


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6))
def test_standard_error(values):
    mean, se = tables.mean_se(values)
    assert math.isclose(mean, np.mean(values), rel_tol=1e-12, abs_tol=1e-9)
    assert math.isclose(se, np.std(values, ddof=1) / np.sqrt(len(values)), rel_tol=1e-9, abs_tol=1e-9)
    assert tables.mean_se([*values, math.inf]) == (math.inf, None)
    assert tables.mean_se(values[:1]) == (values[0], None)


def test_the_csv_has_a_tidy_row_for_every_run(tmp_path):
    results = serial(plan(["none", "sn"], ["D"], [0, 4], TINY), tmp_path / "cache")
    results.append(Result(Config(), "abc", failure='diverged at step 3: "a", b'))
    tables.save(results, tmp_path / "out")
    with (tmp_path / "out/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["seed"]) for row in rows[:4]] == [
        ("none", "0"),
        ("none", "4"),
        ("sn", "0"),
        ("sn", "4"),
    ]
    for row, result in zip(rows[:4], results, strict=False):
        assert float(row["frechet"]) == result.summary["frechet"]
        assert [float(row["sigma_bar_1"]), float(row["sigma_bar_2"])] == result.summary["sigma_bar"]
        assert (row["setting"], row["status"], row["failure"], row["steps"]) == ("D", "finished", "", "12")
    assert (rows[4]["failure"], rows[4]["frechet"]) == ('diverged at step 3: "a", b', "")
    assert (tmp_path / "out/table.md").read_text().splitlines() == tables.table(results)


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "results.csv").write_text("my,thesis\n")
    with pytest.raises(ValueError, match="holds no comparison"):
        tables.save([Result(Config(), "abc")], tmp_path)
    assert (tmp_path / "results.csv").read_text() == "my,thesis\n"


# ---- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder and in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparison, "process_pool", lambda jobs: Serial())
    return tmp_path


def command(*arguments):
    try:
        return cli.run_command(["compare", *OPTIONS, *arguments])
    except SystemExit as leaving:
        return leaving.code


def test_the_command_trains_tabulates_and_reads_what_is_there(folder, capsys):
    assert command("--methods", "none, sn", "--settings", "D,F", "--seeds", "0-1,5") == 0
    out = capsys.readouterr().out
    assert "ring: 12 runs of 12 steps into runs/compare, 0 of them there already" in out
    assert "12/12  sn, F, seed 5: " in out
    assert "s left" in out
    table = (folder / "runs/compare/table.md").read_text()
    assert table in out
    assert len((folder / "runs/compare/results.csv").read_text().splitlines()) == 13
    assert command("--methods", "none,sn,wn", "--seeds", "5") == 0
    assert "3 runs of 12 steps into runs/compare, 2 of them there already" in capsys.readouterr().out


def test_the_defaults(folder, capsys):
    assert command("--quiet") == 0
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader((folder / "runs/compare/results.csv").read_text().splitlines()))
    assert [(r["method"], r["setting"], r["seed"]) for r in rows] == [
        (m, "D", s) for m in ("none", "wn", "sn") for s in "012"
    ]


def test_adam_of_its_own_or_of_a_file(folder):
    assert command("--quiet", "--methods=sn", "--seeds=0", "--alpha=0.25", "--out=a") == 0
    assert 'sn,"0.25, 0.25, 0.5, 0.999, 1",' in (folder / "a/results.csv").read_text()
    (path,) = (folder / "a").glob("*/config.json")
    assert command("--quiet", "--methods=wn", "--seeds=0", f"--config={path}", "--out=b") == 0
    assert 'wn,"0.25, 0.25, 0.5, 0.999, 1",' in (folder / "b/results.csv").read_text()
    assert command("--quiet", "--methods=wn", "--seeds=0", f"--config={path}", "--out=c", "--settings=E") == 0
    assert "wn,E," in (folder / "c/results.csv").read_text()


def test_status_of_diverged_and_failed_runs(folder, capsys, monkeypatch):
    assert command("--methods=none", "--seeds=0", "--alpha=1e37", "--steps=500") == 0
    assert "1 of 1 diverged" in capsys.readouterr().out
    monkeypatch.setattr(runs, "train", lambda *_, **__: 1 / 0)
    assert command("--quiet", "--methods=none", "--seeds=1") == 1
    assert capsys.readouterr().err == "specnorm-np: none, D, seed 1: ZeroDivisionError: division by zero\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "none,magic"], "method is 'magic'"),
        (["--settings", "D,G"], "setting is 'G'"),
        (["--settings", "D", "--n-dis", "2"], "both --settings and --n-dis"),
        (["--seeds", "2-0"], "seeds is '2-0'"),
        (["--K", "-1"], "K is -1"),
        (["--data", "nowhere.npy"], "nowhere.npy"),
        (["--data", "ragged.csv"], "ragged.csv"),
        (["--out", "full"], "full is not empty"),
        (["--jobs", "0"], "0"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(folder, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr(comparison, "process_pool", process_pool)
    (folder / "ragged.csv").write_text("1,2\n3\n")
    (folder / "full").mkdir()
    (folder / "full/kept.txt").write_text("kept")
    before = sorted(folder.rglob("*"))
    assert command(*arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert sorted(folder.rglob("*")) == before


def test_the_tables_of_many_runs_take_a_tenth_of_the_time(monkeypatch):
    now, done = [100.0], []

    def action():
        done.append(now[0])
        now[0] += 2.0

    monkeypatch.setattr(comparison.time, "perf_counter", lambda: now[0])
    act = comparison.sparing(action)
    for now[0] in (100.0, 103.0, 119.0, 120.0, 121.0):
        act()
    assert done == [100.0, 120.0]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
def test_ctrl_c_in_a_terminal_saves_and_says_how_to_go_on(tmp_path):
    arguments = ["-m", "specnorm_np", "compare", *OPTIONS, "--steps=10000000", "--seeds=0", "--jobs=1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, *arguments], cwd=tmp_path, start_new_session=True, **pipes) as process:
        deadline = time.monotonic() + 60.0
        while not list(tmp_path.glob("runs/compare/*/checkpoint.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert out.endswith("stopped: 0 of 3 runs are done, the others saved. Go on with the same command.\n")
    assert "Traceback" not in out
    (path,) = tmp_path.glob("runs/compare/*/checkpoint.npz")
    runs.load(path.parent)
    assert json.loads((path.parent / "config.json").read_text())["method"] == "none"


def test_bench_has_a_row_for_every_method():
    rows = [line.split() for line in list(bench.report_methods(1, (4, 4)))[2:]]
    assert [row[0] for row in rows] == list(METHODS)
    assert all(float(row[1]) > 0.0 for row in rows)
    assert rows[0][2] == "1.00x"
