"""Output never ends a command, and a mistyped one is told in a line what was probably meant."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from specnorm_np.command import cli, report, subcommands
from specnorm_np.command.options import plan_of
from specnorm_np.command.output import whole_number
from specnorm_np.command.progress import fitted
from specnorm_np.runs.storage import locked

TINY = ["--steps", "20", "--d-width", "8", "--g-width", "8", "--batch", "8"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments, **more):
    environment = {**os.environ, "MPLBACKEND": "Agg", **more}
    return subprocess.run(
        [sys.executable, "-m", "specnorm_np", *arguments], capture_output=True, env=environment, timeout=120
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk", "cp437"])
def test_characters_that_the_stream_lacks_are_replaced(folder, encoding):
    for arguments in (["--help"], ["train", "--help"], ["compare", "--help"], ["lipschitz", "--help"]):
        done = command(*arguments, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
    done = command("train", *TINY, "--out", "r", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"perfect sampler" in done.stdout


def test_a_reader_who_leaves_changes_nothing(folder):
    shell = f"{sys.executable} -m specnorm_np train {' '.join(TINY)} --out p; echo status $? >&2"
    done = subprocess.run(["bash", "-c", f"({shell}) | head -n 1"], capture_output=True, text=True, timeout=120)
    assert done.stderr == "status 0\n"
    assert (folder / "p/summary.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_sigterm_saves_like_ctrl_c(folder):
    arguments = [sys.executable, "-m", "specnorm_np", "train", "--out", "r", "--steps", "100000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "saved. Go on with: specnorm-np resume r" in out


def test_the_progress_line_fits_the_terminal():
    parts = ["step 10/20000", "300/s", "66 s left", "modes 8", "high quality 97.1%", "D 1.234  G 0.812"]
    for columns in range(2, 120):
        assert len(fitted(parts, columns)) < columns
    assert fitted(parts, 120) == "  ".join(parts)
    assert fitted(parts, 30) == "step 10/20000  300/s"


@pytest.mark.parametrize("error", [RuntimeError("broken"), ImportError("built for another NumPy"), AttributeError("x")])
def test_a_picture_that_fails_costs_the_picture_only(folder, capsys, monkeypatch, error):
    from specnorm_np.runs import picture

    def draw(run):
        raise error

    monkeypatch.setattr(picture, "draw", draw)
    assert cli.run_command(["train", *TINY, "--out", "r"]) == 0
    out = capsys.readouterr().out
    assert f"no picture.png: {type(error).__name__}: {error}" in out
    assert "perfect sampler" in out
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert cli.run_command(["resume", "r"]) == 0
    assert (folder / "r/picture.png").exists()


def test_a_foreign_backend_does_not_matter(folder):
    done = command("train", *TINY, "--out", "m", MPLBACKEND="module://no_such_backend")
    assert done.returncode == 0
    assert b"no picture" not in done.stdout
    assert (folder / "m/picture.png").exists()


def test_picture_draws_an_unfinished_run(folder, capsys):
    assert cli.run_command(["train", *TINY, "--out", "r"]) == 0
    (folder / "r/picture.png").unlink()
    assert cli.run_command(["picture", "r"]) == 0
    assert (folder / "r/picture.png").exists()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["trian"], "train"),
        (["train", "--taget", "ring"], "--target"),
        (["train", "--method", "SN"], "sn"),
        (["compare", "--method", "sn"], "--methods"),
        (["train", "--method", "wgangp"], "wgan-gp"),
        (["train", "--setting", "d"], "D"),
        (["train", "--target", "rings"], "ring"),
    ],
)
def test_a_mistyped_name_gets_a_suggestion_in_one_line(capsys, arguments, meant):
    with pytest.raises(SystemExit) as stop:
        cli.run_command(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert f"(did you mean {meant}?)" in error
    assert "--help" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--steps", "ten"], "argument --steps: 'ten' is not a whole number"),
        (["compare", "--d-last-width", "16,32"], "argument --d-last-width: '16,32' is not a whole number"),
        (["train", "--K", "one"], "argument --K: 'one' is not a number"),
        (["train", "ring", "--dask=local"], "unrecognized arguments: --dask=local; see"),
    ],
)
def test_what_cannot_be_read_is_said_without_names_of_types_or_far_guesses(capsys, arguments, message):
    with pytest.raises(SystemExit):
        cli.run_command(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "rign"], "'rign' is neither a target nor a file; did you mean 'ring'?"),
        (["compare", "--methods", "sn,snn"], "fn-gamma+gp (did you mean sn?)"),
        (["compare", "--jobs", "0"], "--jobs is 0; expected at least 1"),
        (["train", "--config", "none.json"], "none.json cannot be read: No such file or directory"),
        (["train", "--out", "file.csv"], "file.csv is a file; expected a new folder"),
        (["train", "--data", "file.csv"], "there are no points; expected lines of numbers below the header"),
        (["train", "--d-last-width", "0"], "d_last_width is 0; expected a whole number, at least 1"),
    ],
)
def test_a_wrong_value_is_told_in_a_line(folder, capsys, arguments, message):
    (folder / "file.csv").write_text("x,y\n")
    assert cli.run_command(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["file.csv"]


def test_compare_takes_its_target_as_train_does(folder):
    options = cli.make_parser().parse_args(["compare", "grid", "--methods", "sn", "--seeds", "0"])
    assert [config.target for config in plan_of(options)] == ["grid"]


def test_numbers_as_people_write_them(folder, capsys):
    assert cli.run_command(["train", *TINY[2:], "--steps", "2e1", "--out", "a", "--lr", "1e-3", "--quiet"]) == 0
    assert cli.run_command(["train", *TINY, "--K", "-1e-3", "--out", "b"]) == 2
    assert "K is -0.001; expected a finite number, above 0" in capsys.readouterr().err
    assert whole_number("1e4") == 10_000
    with pytest.raises(ValueError, match=r"1\.5 is not a whole number"):
        whole_number("1.5")


def test_numbers_that_are_too_large(folder, capsys):
    assert cli.run_command(["train", *TINY, "--K", "1e80", "--out", "k", "--quiet"]) == 3
    assert "diverged at step 1" in capsys.readouterr().err
    assert cli.run_command(["train", "--d-width", "3000000", "--out", "w"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("specnorm-np: error: not enough memory")
    assert not (folder / "w").exists()


def test_what_d_refuses_is_refused_before_a_folder_is_made(folder, capsys):
    assert cli.run_command(["train", "--method", "bn", "--batch", "1", "--out", "r"]) == 2
    assert not (folder / "r").exists()
    assert cli.run_command(["train", "--method", "bn", *TINY, "--out", "r", "--quiet"]) == 0


@pytest.mark.parametrize("method", ["sn", "wn", "clip", "usv"])
def test_divergence_is_called_divergence_whoever_meets_it_first(folder, capsys, method):
    assert cli.run_command(["train", "--method", method, *TINY, "--alpha", "1e30", "--out", "r", "--quiet"]) == 3
    assert "diverged at step" in capsys.readouterr().err


def test_a_constant_column_costs_no_later_command(folder, capsys):
    x = np.column_stack([np.random.default_rng(0).standard_normal(300), np.full(300, 0.1)])
    np.savetxt("c.csv", x, delimiter=",")
    assert cli.run_command(["train", "--data", "c.csv", *TINY, "--out", "r", "--quiet"]) == 0
    assert cli.run_command(["lipschitz", "r"]) == 0
    assert "exact, on the box" in capsys.readouterr().out


def test_the_report_is_printed_before_a_file_fails(folder, capsys, monkeypatch):
    assert cli.run_command(["train", *TINY, "--out", "r", "--quiet"]) == 0

    def write_text(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(subcommands, "write_text", write_text)
    assert cli.run_command(["lipschitz", "r"]) == 2
    out, error = capsys.readouterr()
    assert "exact, on the box" in out
    assert "lipschitz.json" in error


def test_the_report_module_draws_for_whoever_asks(folder):
    assert callable(report.draw_picture)


def test_a_run_can_be_lengthened_and_goes_on_from_where_it_is(folder, capsys):
    options = [*TINY, "--decay", "1", "--K", "1", "--quiet"]
    assert cli.run_command(["train", *options, "--out", "short"]) == 0
    assert cli.run_command(["train", *options, "--steps", "30", "--out", "long"]) == 0
    assert cli.run_command(["resume", "short", "--steps", "30", "--quiet"]) == 0
    one, other = (np.load(f"{name}/samples.npy") for name in ("short", "long"))
    np.testing.assert_array_equal(one, other)  # without a decay the rates do not depend on the length
    assert cli.run_command(["resume", "short", "--steps", "10"]) == 2
    assert "steps is 10; expected more than the 30" in capsys.readouterr().err
    assert cli.run_command(["resume", "short"]) == 0
    assert "finished: 30 steps" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_two_processes_cannot_train_one_run(folder, capsys):
    assert cli.run_command(["train", *TINY, "--out", "r", "--quiet"]) == 0
    with locked(folder / "r"):
        assert cli.run_command(["resume", "r", "--steps", "40", "--quiet"]) == 2
        assert "r is being trained by another process" in capsys.readouterr().err
    assert cli.run_command(["resume", "r", "--quiet"]) == 0
