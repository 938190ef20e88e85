"""The module behind the playground, run natively; test_playground.py runs it in a browser."""

import base64
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import specnorm_np as sn

ROOT = Path(__file__).resolve().parents[2]


def load():
    path = ROOT / "docs" / "playground" / "session.py"
    spec = importlib.util.spec_from_file_location("playground_session", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


session = load()


def doubles(text):
    return np.frombuffer(base64.b64decode(text), "<f8")


def make(**settings):
    return session.Session(json.dumps(settings))


def rows_after(made, pieces, look=False):
    rows = [[] for _ in made.runs]
    for n in pieces:
        made.advance(n)
        if look:
            for own, frame in zip(rows, json.loads(made.frame()), strict=True):
                own += frame["rows"]
    for own, run in zip(rows, made.runs, strict=True):
        own += run.rows
    return rows


def test_how_a_run_is_cut_into_pieces_and_looked_at_changes_nothing():
    whole = rows_after(make(), [120])
    assert rows_after(make(), [7, 50, 1, 62], look=True) == whole
    assert [row["step"] for row in whole[0]] == [20, 40, 60, 80, 100, 120]
    assert ["two_sample" in row for row in whole[0]] == [False, False, False, False, True, False]


def test_a_run_is_the_package_s_own_training():
    made = make(runs=[{"method": "sn", "K": 2.0, "d_alpha": 3e-3, "g_alpha": 7e-4, "n_dis": 2}], seed=5, steps=40)
    gan = sn.GAN(
        d_widths=(2, 32, 32, 32, 1),
        g_widths=(2, 32, 32, 32, 2),
        normalizer=sn.SpectralNorm(1, 2.0),
        d_optim=sn.Adam(3e-3, 0.5, 0.999),
        g_optim=sn.Adam(7e-4, 0.5, 0.999),
        n_dis=2,
        batch=64,
        steps=40,
        d_rate=lambda progress: sn.linear_decay(progress, 0.5),
        g_rate=lambda progress: sn.linear_decay(progress, 0.5),
        average=0.99,
        g_scale=made.runs[0].gan.g_scale,
    )
    *_, (state, log) = sn.train(gan, sn.start(gan, 5), sn.ring(8, 1.0, 0.05).sample)
    assert not made.advance(100)
    run = made.runs[0]
    np.testing.assert_array_equal(run.state.G.theta.vector, state.G.theta.vector)
    assert run.rows[-1]["lam"] == log.lam
    assert run.rows[-1]["sigma"] == [sn.spectral_norm(W) for W in sn.effective(state.D, gan.normalizer)[0]]
    np.testing.assert_array_equal(run.samples(), sn.generate(gan, state.G_mean, run.z))


def test_the_runs_share_data_latents_and_the_first_generator():
    made = make(runs=[{"method": m} for m in session.METHODS])
    scenes, frames = json.loads(made.scene()), json.loads(made.frame())
    for scene, frame in zip(scenes, frames, strict=True):
        assert scene == scenes[0]
        assert frame["x"] == frames[0]["x"]
    np.testing.assert_array_equal(doubles(frames[0]["x"]), made.runs[0].samples().ravel())


@pytest.mark.parametrize("target", [*session.TARGETS, "drawn"])
def test_f_is_computed_on_a_lattice_row_by_row_from_below(target):
    made = make(target=target, drawn=[[0.5, 0.1], [0.1, -0.9], [-0.4, 0.3]], runs=[{}])
    made.advance(20)
    run = made.runs[0]
    (scene,), (frame,) = json.loads(made.scene()), json.loads(made.frame())
    x0, y0, x1, y1 = scene["corners"]
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]])
    if target == "drawn":
        corners = (corners - run.target.center) / run.target.scale
    f = doubles(frame["f"]).reshape(session.TICKS, session.TICKS)
    expected = sn.discriminate(run.gan, run.state.D, corners).ravel()
    np.testing.assert_allclose([f[0, 0], f[0, -1], f[-1, 0], f[-1, -1]], expected, rtol=1e-12, atol=1e-12)
    real = doubles(scene["real"]).reshape(-1, 2)
    assert (real > [x0, y0]).all()
    assert (real < [x1, y1]).all()


def test_singular_values_are_those_of_the_method():
    made = make(runs=[{"method": "sn", "K": 2.0}, {"method": "clip"}, {"method": "wn"}, {"method": "none"}])
    made.advance(20)
    sn_, clip, wn, none = (frame["spectra"] for frame in json.loads(made.frame()))
    assert all(s[0] >= 2.0 * (1 - 1e-12) for s in sn_)
    widths = [(32, 2), (32, 32), (32, 32), (1, 32)]
    assert all(s[0] <= 0.01 * np.sqrt(m * n) * (1 + 1e-12) for s, (m, n) in zip(clip, widths, strict=True))
    np.testing.assert_allclose([np.square(s).sum() for s in wn], [m for m, _ in widths], rtol=1e-12)  # (27)
    assert [len(s) for s in none] == [2, 32, 32, 1]


def test_rates_K_and_n_dis_change_while_a_run_goes_on():
    made = make(runs=[{"method": "sn", "K": 4.0}])
    made.advance(30)
    before = made.runs[0].state
    assert made.change(json.dumps({"runs": [{"method": "sn", "K": 1.5, "d_alpha": 1e-4, "n_dis": 3}]}))
    run = made.runs[0]
    assert run.state is before
    assert (run.gan.d_optim.alpha, run.gan.n_dis) == (1e-4, 3)
    (frame,) = json.loads(made.frame())
    np.testing.assert_allclose(frame["spectra"][0][0], 1.5, rtol=0.1)  # one power iteration is not exact
    made.advance(1)
    assert run.state.step == 31
    moved = np.abs(run.state.D.theta.vector - before.D.theta.vector).max()
    assert 0.0 < moved < 3 * 1e-4 * 10


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"target": "moons"}, {"steps": 50}, {"runs": [{"method": "wn"}]}, {"runs": [{}, {}]}]
)
def test_what_else_changes_asks_for_a_fresh_start(other):
    made = make(runs=[{}])
    assert not made.change(json.dumps({"runs": [{}], **other}))
    assert made.settings == session.Settings.from_json('{"runs": [{}]}')


def test_a_run_that_diverges_says_so_and_the_other_one_goes_on():
    made = make(runs=[{"method": "none", "d_alpha": 1e300}, {}], steps=60)
    assert made.advance(40)
    bad, good = json.loads(made.frame())
    assert "diverged at step" in bad["stopped"]
    assert (good["stopped"], good["step"]) == ("", 40)
    assert not made.advance(40)
    assert made.runs[1].state.step == 60


def test_the_settings_that_the_page_starts_with_find_all_modes():
    made = make(runs=[{}])
    assert not made.advance(made.settings.steps)
    last = made.runs[0].rows[-1]
    assert last["modes"] == 8
    assert last["two_sample"] < 0.75


def test_the_last_row_is_measured():
    made = make(steps=30, target="moons", runs=[{}])
    assert not made.advance(30)
    last = made.runs[0].rows[-1]
    assert (last["step"], last["modes"], last["two_sample_points"]) == (30, None, session.SHOWN)
    assert 0.5 < last["two_sample"] <= 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "torus"}, "target is 'torus'; expected one of ring"),
        ({"runs": [{"method": "magic"}]}, "method is 'magic'; expected one of none"),
        ({"speed": 2}, "unknown field 'speed'"),
        ({"runs": [{"speed": 2}]}, "unknown field 'speed'"),
        ({"target": "drawn", "drawn": []}, "x has shape"),
        ({"target": "drawn", "drawn": [[0.1, 0.2]]}, "x has 1 point"),
        ({"runs": [{"K": 0}]}, "K is 0"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
