"""The movie of a run, and the window that follows one."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from specnorm_np.command import cli

TINY = ["--steps", "3", "--d-width", "8", "--g-width", "8", "--batch", "8", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_movie_has_a_frame_for_every_evaluation(folder, capsys, d):
    np.save("x.npy", np.random.default_rng(0).standard_normal((60, d)))
    assert cli.run_command(["train", "--data", "x.npy", *TINY, "--out", "a"]) == 0
    assert cli.run_command(["movie", "a", "--fps", "5"]) == 0
    assert "a/movie.gif: 3 frames, up to step 3 of 3" in capsys.readouterr().out
    with Image.open("a/movie.gif") as image:
        assert image.n_frames >= 3
        assert image.width > 300
        frames = []
        for i in range(3):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
    assert len({frame.tobytes() for frame in frames}) == 3
    assert [path.name for path in (folder / "a").iterdir() if "tmp" in path.name] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "a/x.png"], "--out is a/x.png; expected a name that ends in .gif"),
        (["--fps", "0"], "fps is 0; expected a whole number from 1 to 50"),
    ],
)
def test_what_is_no_movie_is_refused(capsys, arguments, message):
    assert cli.run_command(["train", *TINY, "--out", "a"]) == 0
    assert cli.run_command(["movie", "a", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_run_without_snapshots_has_no_movie(folder, capsys):
    assert cli.run_command(["train", *TINY, "--out", "a"]) == 0
    (folder / "a/snapshots.npz").unlink()
    assert cli.run_command(["movie", "a"]) == 2
    assert "a holds no snapshots" in capsys.readouterr().err
    assert not (folder / "a/movie.gif").exists()


def test_without_a_display_watch_says_so_before_a_folder_is_made(folder):
    command = [sys.executable, "-m", "specnorm_np", "train", "--watch", "--steps", "3", "--out", "a"]
    done = subprocess.run(command, capture_output=True, text=True, env={"MPLBACKEND": "agg"}, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("specnorm-np: error: --watch found no display to show a window on")
    assert done.stderr.count("\n") == 1
    assert not (folder / "a").exists()


def test_the_window_shows_each_evaluation_once(monkeypatch):
    """With a canvas that says it has a window, drawn by Agg."""
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from specnorm_np.command.watch import Window
    from specnorm_np.runs import picture, run as runs
    from specnorm_np.runs.config import Config

    pyplot.switch_backend("agg")
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "test")
    monkeypatch.setattr(pyplot, "show", lambda block: None)
    monkeypatch.setattr(pyplot, "pause", lambda seconds: None)
    drawn, draw = [], picture.draw
    monkeypatch.setattr(picture, "draw", lambda run, figure: drawn.append(run.state.step) or draw(run, figure))
    window = Window()
    run = runs.create(Config(steps=10, d_width=8, g_width=8, batch=8, d_depth=1), "a")
    for_closing = iter(range(10))

    def on_step(progress):
        window(progress)
        if next(for_closing) == 6:
            pyplot.close(window.figure)  # a window that is closed stays closed

    runs.train(run, on_step)
    assert drawn == list(range(1, 8))
    assert len(window.figure.axes) >= 4
