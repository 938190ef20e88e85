"""The command as a person types it, right and wrong."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from specnorm_np.command import cli, subcommands
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs.threads import THREAD_VARIABLES

TINY = ["--steps", "12", "--batch", "8", "--d-width", "8", "--g-width", "8", "--d-depth", "1", "--g-depth", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    """Run the command in this process; argparse leaves by SystemExit."""
    try:
        return cli.run_command([str(a) for a in arguments])
    except SystemExit as leaving:
        return leaving.code


def test_train_twice_makes_two_folders(folder, capsys):
    assert run("train", *TINY) == 0
    assert run("train", *TINY) == 0
    assert "runs/ring-sn-2" in capsys.readouterr().out
    files = {path.name for path in (folder / "runs/ring-sn-1").iterdir()}
    expected = {
        "config.json",
        "history.csv",
        "summary.json",
        "checkpoint.npz",
        "samples.npy",
        "snapshots.npz",
        "picture.png",
    }
    assert files == expected


def test_report_shows_the_perfect_sampler_and_the_network_constant(folder, capsys):
    assert run("train", *TINY, "--K", "2") == 0
    out = capsys.readouterr().out
    assert "perfect sampler  8 of 8" in out
    assert "K = 2 per layer, 4 for D" in out
    assert "high quality" in out


def test_quiet_says_nothing(folder, capsys):
    assert run("train", *TINY, "--quiet", "--out", "a") == 0
    assert capsys.readouterr().out == ""


def test_progress_is_plain_lines_where_there_is_no_terminal(folder, capsys):
    assert run("train", *TINY, "--out", "a") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("step 12/12"))
    assert "s left" in line
    assert "modes" in line
    assert "\x1b" not in line


def test_a_config_starts_another_run_and_options_win(folder):
    assert run("train", *TINY, "--quiet", "--out", "a", "--K", "1.5", "--loss", "hinge", "--seed", "3") == 0
    assert run("train", "--config", "a/config.json", "--quiet", "--out", "b") == 0
    assert (folder / "a/config.json").read_text() == (folder / "b/config.json").read_text()
    assert (folder / "a/samples.npy").read_bytes() == (folder / "b/samples.npy").read_bytes()
    assert run("train", "--config", "a/config.json", "--quiet", "--out", "c", "--K", "1.25") == 0
    assert json.loads((folder / "c/config.json").read_text())["K"] == 1.25


def test_settings_of_table_1(folder):
    assert run("train", *TINY, "--quiet", "--out", "a", "--setting", "F", "--alpha", "0.002") == 0
    config = json.loads((folder / "a/config.json").read_text())
    assert [config[name] for name in ("d_alpha", "g_alpha", "beta1", "beta2", "n_dis")] == [0.002, 0.002, 0.9, 0.999, 5]


def test_ctrl_c_saves_and_resume_ends_with_the_same_bits(folder, capsys, monkeypatch):
    class Impatient(subcommands.ProgressLine):
        def __call__(self, progress):
            if progress.step == 5:
                signal.raise_signal(signal.SIGINT)

    assert run("train", *TINY, "--quiet", "--out", "whole") == 0
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(subcommands, "ProgressLine", Impatient)
    assert run("train", *TINY, "--out", "parts") == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "specnorm-np resume parts" in capsys.readouterr().out
    monkeypatch.undo()
    assert run("resume", folder / "parts", "--quiet") == 0
    assert (folder / "whole/samples.npy").read_bytes() == (folder / "parts/samples.npy").read_bytes()
    assert run("resume", folder / "parts") == 0
    assert "is finished" in capsys.readouterr().out


def test_sample(folder, capsys):
    assert run("train", *TINY, "--quiet", "--out", "a") == 0
    assert run("sample", "a", "-n", "7", "--out", "x.npy") == 0
    assert run("sample", "a", "-n", "7", "--out", "x.csv") == 0
    x = np.load("x.npy")
    assert x.shape == (7, 2)
    np.testing.assert_array_equal(np.loadtxt("x.csv", delimiter=","), x)
    capsys.readouterr()
    assert run("sample", "a", "-n", "7", "--out", "-") == 0
    np.testing.assert_array_equal(np.loadtxt(capsys.readouterr().out.splitlines(), delimiter=","), x)


def test_lipschitz_brackets_the_constant(folder, capsys):
    assert run("train", *TINY, "--quiet", "--out", "a", "--d-depth", "2") == 0
    assert run("lipschitz", "a") == 0
    out = capsys.readouterr().out
    assert "regions" in out
    report = json.loads((folder / "a/lipschitz.json").read_text())
    assert report["lower_bound"] <= report["exact"] * (1 + 1e-12)
    assert report["exact"] <= report["tighter"] <= report["product"]
    assert all(low <= sigma * (1 + 1e-12) for low, sigma in zip(report["lower"], report["sigma_bar"], strict=True))
    assert all(sigma <= high * (1 + 1e-12) for sigma, high in zip(report["sigma_bar"], report["upper"], strict=True))


def test_lipschitz_in_other_dimensions_has_no_exact_constant(folder, capsys):
    np.save("x.npy", np.random.default_rng(0).standard_normal((20, 3)))
    assert run("train", *TINY, "--quiet", "--data", "x.npy", "--out", "a") == 0
    assert run("lipschitz", "a") == 0
    assert "exact, on the box" not in capsys.readouterr().out


def test_certified_run_has_a_certified_bound(folder):
    assert run("train", *TINY, "--quiet", "--method", "sn-strict", "--K", "0.5", "--out", "a") == 0
    assert run("lipschitz", "a") == 0
    report = json.loads((folder / "a/lipschitz.json").read_text())
    assert max(report["lower"]) <= 0.5
    assert max(report["sigma_bar"]) <= 0.5


def test_methods_are_listed(capsys):
    assert run("train", "--help") == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in METHODS)


@pytest.mark.parametrize("name", ["wgan-gp", "bn", "usv", "wn-gamma+gp"])
def test_other_methods_from_the_command(folder, name):
    assert run("train", *TINY, "--quiet", "--method", name, "--out", "a") == 0
    assert run("resume", "a") == 0
    assert run("lipschitz", "a") == (2 if name == "bn" else 0)


def test_one_own_file(folder):
    (folder / "points.csv").write_text("width,height\n1,2\n3,4\n5,7\n")
    assert run("train", *TINY, "--quiet", "--data", "points.csv") == 0
    assert np.load("runs/points-sn-1/samples.npy").shape == (2500, 2)


def test_without_matplotlib_the_run_works_and_says_what_is_missing(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "specnorm_np.runs.picture", raising=False)
    monkeypatch.delattr("specnorm_np.runs.picture", raising=False)
    assert run("train", *TINY, "--out", "a") == 0
    assert "matplotlib is not installed" in capsys.readouterr().out
    assert not (folder / "a/picture.png").exists()
    assert (folder / "a/summary.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "square"], "square"),
        (["--K", "-1"], "K is -1"),
        (["--K", "nan"], "K is nan"),
        (["--steps", "0"], "steps is 0"),
        (["--data", "nowhere.npy"], "nowhere.npy"),
        (["--data", "ragged.csv"], "ragged.csv"),
        (["--data", "nan.npy"], "x[0, 1] = nan"),
        (["--data", "one.npy"], "1 point"),
        (["--data", "one.npy", "--target", "ring"], "both"),
        (["--out", "full"], "full is not empty"),
        (["--config", "newer.json"], "newer version"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--target", "ring", "--spacing", "2"], "spacing"),
        (["--radius", "-1"], "radius"),
        (["rinng"], "did you mean 'ring'?"),
        (["nowhere.csv"], "'nowhere.csv' is no file"),
        (["xyz"], "expected one of ring, grid"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(folder, capsys, arguments, words):
    (folder / "ragged.csv").write_text("1,2\n3\n")
    (folder / "newer.json").write_text('{"format": 99}')
    np.save("nan.npy", np.array([[0.0, np.nan], [1.0, 2.0]]))
    np.save("one.npy", np.array([[0.0, 1.0]]))
    (folder / "full").mkdir()
    (folder / "full/kept.txt").write_text("kept")
    before = sorted(folder.rglob("*"))
    assert run("train", *TINY, *arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""
    assert printed.err.count("\n") == 1 or printed.err.startswith("usage:")  # argparse shows the usage, too
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resume", "nowhere"], "holds no run"),
        (["sample", "nowhere", "--out", "x.npy"], "holds no run"),
        (["sample", "a", "--out", "x.txt"], ".npy or .csv"),
        (["sample", "a", "--out", "a/config.json"], "exists"),
        (["sample", "a", "-n", "0", "--out", "x.npy"], "-n is 0"),
        (["bench", "--repeats", "0"], "--repeats"),
    ],
)
def test_bad_input_of_other_commands(folder, capsys, arguments, words):
    assert run("train", *TINY, "--quiet", "--out", "a") == 0
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["train"], ["compare"], ["sample"]])
def test_help_can_be_asked_for_as_a_command(capsys, command):
    texts = []
    for arguments in (["help", *command], [*command, "--help"]):
        assert run(*arguments) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].startswith("usage: specnorm-np")


def test_divergence_is_status_3(folder, capsys):
    assert run("train", *TINY, "--quiet", "--out", "a", "--alpha", "1e37", "--steps", "500") == 3
    assert "diverged at step" in capsys.readouterr().err
    assert (folder / "a/checkpoint.npz").exists()


def python(*arguments, **environment):
    """Run Python in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**clean, **environment}).stdout


def test_the_package_imports_nothing_heavy():
    code = "import sys, specnorm_np; print([m for m in ('numpy', 'matplotlib', 'hypothesis') if m in sys.modules])"
    assert python("-c", code) == "[]\n"
    found = "print([m for m in ('matplotlib', 'hypothesis', 'scipy') if m in sys.modules])"
    assert python("-c", f"import sys, specnorm_np.command.cli; {found}") == "[]\n"


@pytest.mark.parametrize(("environment", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_one_blas_thread_unless_told_otherwise(environment, expected):
    code = (
        "import os, sys; sys.argv = ['specnorm-np', '--version']\n"
        "import specnorm_np.__main__ as m; assert 'numpy' not in sys.modules\n"
        "try: m.main()\nexcept SystemExit: print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    assert python("-c", code, **environment).splitlines()[-1] == expected


def test_python_m(folder):
    assert python("-m", "specnorm_np", "--version").startswith("specnorm-np ")


def test_bench_prints_the_ratio(capsys):
    assert run("bench", "--repeats", "1") == 0
    out = capsys.readouterr().out
    assert "step / products" in out
    assert "(256, 256) @ (256, 256)" in out


def test_a_file_of_points_is_read_as_asked_and_resumed_without_it(folder, capsys):
    x = np.random.default_rng(0).standard_normal((40, 2)) * [1.0, 100.0]
    lines = ["index;a;b;kind"] + [f"{i};{a:.6f};{b:.6f};up".replace(".", ",") for i, (a, b) in enumerate(x.tolist())]
    (folder / "x.csv").write_text("\n".join(lines))
    tiny = ["--d-width", "8", "--g-width", "8", "--batch", "8"]
    assert run("train", "--data", "x.csv", *tiny, "--steps", "4", "--out", "a") == 0
    out, err = capsys.readouterr()
    assert "x.csv: 40 points, columns a, b (header in line 1, semicolon between cells, decimal commas; left out:" in out
    assert "36 points and 4 held out" in out
    assert "1-NN beside 4 points held out from training" in out
    assert "differ by a factor of" in err
    assert run("train", "--data", "x.csv", "--columns", "b", "--standardize", *tiny, "--steps", "4", "--out", "b") == 0
    assert "differ" not in capsys.readouterr().err
    (folder / "x.csv").unlink()
    assert run("resume", "b", "--steps", "6") == 0
    assert run("sample", "b", "-n", "1000", "--out", "s.npy") == 0
    assert np.load("s.npy").shape == (1000, 1)
    assert run("train", "--target", "ring", "--columns", "b") == 2
    assert "columns, delimiter or standardize is given without data" in capsys.readouterr().err
    assert run("compare", "--data", "-", "--seeds", "0") == 2


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["moons", "--noise", "0.2"], {"noise": 0.2}),
        (["--target", "spiral", "--turns", "1.5", "--radius", "2", "--noise", "0.1"], None),
        (["checkerboard", "--n-side", "6", "--width", "4"], {"n_side": 6, "width": 4.0}),
        (["ring"], {}),
    ],
)
def test_a_target_is_named_first_and_has_its_own_options(folder, arguments, options):
    assert run("train", *arguments, *TINY, "--quiet", "--out", "a") == 0
    config = json.loads((folder / "a/config.json").read_text())
    expected = {"turns": 1.5, "radius": 2.0, "noise": 0.1} if options is None else options
    assert config["target_options"] == expected
    assert config["target"] == (arguments[0] if options is not None else "spiral")


def test_a_file_can_be_named_first_too(folder):
    np.save("mine.npy", np.random.default_rng(0).standard_normal((30, 2)))
    assert run("train", "mine.npy", *TINY, "--quiet", "--out", "a") == 0
    assert json.loads((folder / "a/config.json").read_text())["data"] == "mine.npy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["moons", "--std", "0.1"], "target moons has no option std; it has noise"),
        (["rinng"], "'rinng' is neither a target nor a file; did you mean 'ring'?"),
        (["ring", "--target", "grid"], "'ring' is given beside --target or --data; expected one of them"),
        (["--method", "wn", "--K", "5"], "--K has no effect on the method wn"),
        (["--method", "none", "--n-iter", "5"], "--n-iter has no effect on the method none"),
        (["--method", "clip", "--K-schedule", "1:1"], "--K-schedule has no effect on the method clip"),
        (["--data", "x.npy", "--std", "0.1", "--n-modes", "3"], "--n-modes, --std has no effect on points of your own"),
    ],
)
def test_options_without_effect_are_refused(folder, capsys, arguments, message):
    np.save("x.npy", np.eye(3))
    assert run("train", *arguments, *TINY, "--out", "a") == 2
    assert message in capsys.readouterr().err
    assert not (folder / "a").exists()
