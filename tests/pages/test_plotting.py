"""The plotting helper of the tutorials: an animation has all its pictures, and a notebook can show it."""

import base64
import importlib.util
import io
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
SCRIPT = Path(__file__).parents[2] / "tutorials" / "plotting.py"


@pytest.fixture(scope="module")
def plotting():
    spec = importlib.util.spec_from_file_location("plotting", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_animation_has_a_picture_for_each_number_and_the_last_one_stays_longer(plotting, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("SPECNORM_FIGURES", str(tmp_path))
    asked = []

    def draw(k, left, right):
        asked.append(k)
        left.plot([0, k], [0, 1])
        right.plot([0, 1], [k, 0])

    shown = plotting.animate(draw, "moving", frames=3, height=1.0, seconds=0.5)
    assert asked == [0, 1, 2]
    content = (tmp_path / "moving.gif").read_bytes()
    gif, stays = Image.open(io.BytesIO(content)), []
    for k in range(gif.n_frames):
        gif.seek(k)
        stays.append(gif.info["duration"])
    assert stays == [500, 500, 1500]
    assert gif.info["loop"] == 0
    assert base64.b64encode(content).decode() in shown._repr_html_()


def test_a_script_writes_no_picture_without_a_folder(plotting, tmp_path, monkeypatch):
    monkeypatch.delenv("SPECNORM_FIGURES", raising=False)
    monkeypatch.chdir(tmp_path)
    figure = plotting.show(lambda ax: ax.plot([0, 1], [1, 0]), "still", panels=1, height=1.0)
    assert figure._repr_png_()[:4] == b"\x89PNG"
    assert list(tmp_path.iterdir()) == []


def test_the_kept_numbers_of_a_figure_are_read_and_none_is_said_if_there_are_none(plotting):
    kept = plotting.kept_of_figure("teaser")
    assert kept["sn"].shape == (len(kept["frame"]), 500, 2)
    assert plotting.kept_of_figure("no_such_figure") is None
