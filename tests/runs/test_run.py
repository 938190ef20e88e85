"""A run's folder: whole files, exact resume, and every damaged or foreign file refused in a line."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from specnorm_np import gan as algorithm
from specnorm_np.runs import run as runs
from specnorm_np.runs.config import STEEPNESS, Config, from_json, from_options, make_gan, make_target, to_json
from specnorm_np.runs.snapshots import TICKS, lattice
from specnorm_np.runs.storage import flatten, restore, write
from specnorm_np.toy.metrics import N_EVAL

TINY = Config(steps=20, batch=8, d_width=8, d_depth=2, g_width=8, g_depth=2)


def stop_after(step):
    """Return `on_step` and `stop` that end a run after a step."""
    seen = []
    return lambda progress: seen.append(progress.step), lambda: seen[-1] == step


def checkpoint(directory):
    """Return the arrays of a checkpoint that have to be equal bit for bit."""
    with np.load(directory / "checkpoint.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "seconds"}


def same_bits(a, b):
    """Tell whether two dicts of arrays are equal to the bit."""
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)


@pytest.mark.parametrize("method", ["sn", "none"])
@pytest.mark.parametrize("stop", [1, 7, 13, 19])
def test_resumed_run_ends_with_the_same_bits(tmp_path, stop, method):
    config = dataclasses.replace(TINY, method=method, n_dis=2)
    whole = runs.train(runs.create(config, tmp_path / "whole"))
    runs.train(runs.create(config, tmp_path / "parts"), *stop_after(stop))
    resumed = runs.train(runs.load(tmp_path / "parts"))
    assert resumed.state.step == whole.state.step == 20
    assert same_bits(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))
    assert (tmp_path / "whole/history.csv").read_text() == (tmp_path / "parts/history.csv").read_text()
    assert (tmp_path / "whole/samples.npy").read_bytes() == (tmp_path / "parts/samples.npy").read_bytes()


def test_resume_cuts_the_history_back_to_the_checkpoint(tmp_path):
    runs.train(runs.create(TINY, tmp_path / "run"), *stop_after(5))
    rows = (tmp_path / "run/history.csv").read_text().splitlines()
    later = rows[-1].replace("5,", "9,", 1)
    (tmp_path / "run/history.csv").write_text("\n".join([*rows, later]) + "\n")
    assert [row["step"] for row in runs.load(tmp_path / "run").history] == [1, 2, 3, 4, 5]


def test_the_stored_triplet_is_not_iterated_on_load(tmp_path):
    run = runs.train(runs.create(TINY, tmp_path / "run"), *stop_after(3))
    loaded = runs.load(tmp_path / "run")
    assert same_bits(dict(flatten(run.state, "s")), dict(flatten(loaded.state, "s")))
    assert isinstance(loaded.state.D.norms[0].sigma, float)


def test_two_seeds_differ_and_one_seed_repeats(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        runs.train(runs.create(dataclasses.replace(TINY, seed=seed), tmp_path / name))
    a, b, c = (checkpoint(tmp_path / name) for name in "abc")
    assert same_bits(a, b)
    assert not same_bits(a, c)


def test_how_often_a_run_is_evaluated_changes_nothing(tmp_path, monkeypatch):
    runs.train(runs.create(TINY, tmp_path / "often"))
    monkeypatch.setattr(runs, "EVALUATIONS", 1)
    runs.train(runs.create(TINY, tmp_path / "once"))
    assert same_bits(checkpoint(tmp_path / "often"), checkpoint(tmp_path / "once"))
    assert (tmp_path / "often/samples.npy").read_bytes() == (tmp_path / "once/samples.npy").read_bytes()


def test_history_has_losses_metrics_and_every_layer(tmp_path):
    run = runs.train(runs.create(TINY, tmp_path / "run"))
    rows = runs.read_history(tmp_path / "run/history.csv")
    assert rows == run.history
    per_layer = {f"{name}_{l}" for name in ("sigma_hat", "lambda", "sigma_bar") for l in (1, 2, 3)}
    assert per_layer | {"step", "d_loss", "g_loss", "modes", "high_quality", "reverse_kl", "frechet"} | {
        *("two_sample", "offset", "spread_minor", "spread_major")
    } == set(rows[0])
    assert all(row["sigma_bar_2"] >= 1.0 - 1e-5 for row in rows)


def test_summary_has_the_promised_keys(tmp_path):
    runs.train(runs.create(TINY, tmp_path / "run"))
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    promised = ["steps", "seconds", "modes", "modes_total", "high_quality", "reverse_kl", "frechet", "sigma_bar"]
    assert set(promised) <= set(summary)
    assert summary["steps"] == 20
    assert len(summary["sigma_bar"]) == 3
    assert 0.98 < summary["perfect_sampler"]["high_quality"] < 1.0
    assert summary["perfect_sampler"]["two_sample"] == 2499 / 4999
    assert 0.0 < summary["perfect_sampler_error"]["offset"] < 0.01 < summary["perfect_sampler"]["offset"]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_own_points_of_any_dimension_come_back_in_their_units(tmp_path, d):
    x = 1e4 + 300.0 * np.random.default_rng(0).standard_normal((50, d))
    np.save(tmp_path / "x.npy", x)
    config = from_options({**dataclasses.asdict(TINY), "data": str(tmp_path / "x.npy")})
    runs.train(runs.create(config, tmp_path / "run"))
    (tmp_path / "x.npy").unlink()  # the run does not need it any more
    run = runs.load(tmp_path / "run")
    drawn = np.load(tmp_path / "run/samples.npy")
    assert drawn.shape == (2500, d)
    assert run.history[-1]["modes"] is None
    assert np.abs(drawn - 1e4).max() < 1e4


def test_a_given_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        runs.create(TINY, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_next_free_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [runs.create(TINY).directory.as_posix() for _ in range(2)]
    assert names == ["runs/ring-sn-1", "runs/ring-sn-2"]


def damage(directory, how):
    """Make a checkpoint unusable."""
    path = directory / "checkpoint.npz"
    with np.load(path) as file:
        arrays = dict(file)
    if how == "gone":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    elif how == "noise":
        path.write_bytes(b"PK not an archive")
    elif how == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}))
    elif how == "other width":
        runs.train(runs.create(dataclasses.replace(TINY, d_width=9), directory / "other"), *stop_after(1))
        path.write_bytes((directory / "other/checkpoint.npz").read_bytes())
    elif how == "missing array":
        np.savez(path, **{name: array for name, array in arrays.items() if "sigma" not in name})
    elif how == "wrong shape":
        np.savez(path, **{**arrays, "state.G.theta": arrays["state.G.theta"][1:]})
    elif how == "object array":
        np.savez(path, **{**arrays, "state.G.theta": np.array([{}], dtype=object)})
    elif how == "foreign":
        np.savez(path, x=np.zeros(3))


@pytest.mark.parametrize(
    "how",
    ["gone", "truncated", "noise", "pickle", "other width", "missing array", "wrong shape", "object array", "foreign"],
)
def test_damaged_or_foreign_checkpoint(tmp_path, how):
    runs.train(runs.create(TINY, tmp_path / "run"), *stop_after(2))
    damage(tmp_path / "run", how)
    with pytest.raises(ValueError, match=r"checkpoint\.npz"):
        runs.load(tmp_path / "run")


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def broken(file):
        file.write(b"ne")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        write(path, broken)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_divergence_names_the_step_and_keeps_the_last_checkpoint(tmp_path):
    run = runs.create(dataclasses.replace(TINY, d_alpha=1e37, g_alpha=1e37, steps=2000), tmp_path / "run")
    with pytest.raises(algorithm.Diverged, match=r"step \d+"), np.errstate(all="ignore"):
        runs.train(run)
    assert np.isfinite(runs.load(tmp_path / "run").state.G.theta.vector).all()


# ---- config ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**6), st.floats(1e-3, 10), st.sampled_from(["sn", "none"]), st.sampled_from(["grid", "moons"]))
def test_config_survives_json(steps, K, method, target):
    config = from_options({"steps": steps, "K": K, "method": method, "target": target})
    assert from_options(from_json(to_json(config))) == config


def test_the_grid_has_its_own_defaults_unless_told_otherwise():
    assert from_options({"target": "grid"}).batch == 256
    assert from_options({"target": "grid", "batch": 16}).batch == 16
    assert from_options({}) == Config()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("K", -1.0),
        ("K", 0.0),
        ("K", float("nan")),
        ("K", float("inf")),
        ("K", "1"),
        ("steps", 0),
        ("steps", 1.5),
        ("steps", True),
        ("d_alpha", 0),
        ("beta1", 1.0),
        ("average", -0.1),
        ("decay", 1.5),
        ("batch", 0),
        ("seed", -1),
        ("target", "square"),
        ("method", "magic"),
        ("loss", "mse"),
        ("dtype", "float16"),
        ("d_depth", 0),
        ("d_last_width", 0),
        ("latent", 0),
        ("no_such_field", 1),
        ("target_options", {"spacing": 2.0}),
        ("target_options", {"std": -1.0}),
    ],
)
def test_bad_config_names_the_field(field, value):
    with pytest.raises(ValueError, match=field if field != "target_options" else "spacing|std"):
        from_options({field: value})


@pytest.mark.parametrize("text", ["", "{", "[]", '"format"', '{"K": 1.0}', '{"format": "1"}'])
def test_what_is_not_a_config(text):
    with pytest.raises(ValueError, match="it is not"):
        from_json(text)


def test_a_config_of_a_newer_version():
    with pytest.raises(ValueError, match="newer version"):
        from_json('{"format": 99}')


def test_alpha_stands_for_both_rates_where_they_are_not_given():
    config = from_options({"alpha": 0.5, "g_alpha": 0.25})
    assert (config.d_alpha, config.g_alpha) == (0.5, 0.25)
    with pytest.raises(ValueError, match="d_alpha is -1"):
        from_options({"alpha": -1})


def test_a_schedule_by_default_belongs_to_the_number_beside_it():
    grid = from_options({"target": "grid"})
    assert None not in (grid.K_schedule, grid.d_schedule, grid.g_schedule)
    own = from_options({"target": "grid", "K": 1.0})
    assert (own.K_schedule, own.d_schedule) == (None, grid.d_schedule)
    for option in ("alpha", "g_alpha", "decay"):
        own = from_options({"target": "grid", option: 0.5})
        assert (own.K_schedule, own.d_schedule, own.g_schedule) == (grid.K_schedule, None, None)
    own = from_options({"target": "grid", "K": 1.0, "K_schedule": [[0, 2]], "alpha": 1.0, "d_schedule": [[0, 1]]})
    assert (own.K_schedule, own.d_schedule, own.g_schedule) == (((0, 2),), ((0, 1),), None)


def test_a_preset_gives_way_to_what_is_given():
    assert from_options({}, "fine").batch > from_options({}).batch
    assert from_options({"batch": 7}, "fine").batch == 7
    with pytest.raises(ValueError, match="preset is 'course'; expected one of fine"):
        from_options({}, "course")


def test_a_config_from_before_the_schedules_has_none():
    fields = from_json('{"format": 1, "alpha": 0.0015, "K": 1.0, "g_scale": 1.0, "average": 0.999}')
    config = from_options(fields)
    assert (config.d_alpha, config.g_alpha, config.K, config.g_scale, config.average) == (0.0015, 0.0015, 1, 1, 0.999)
    assert config.K_schedule is config.d_schedule is config.g_schedule is None


@pytest.mark.parametrize("name", ["K_schedule", "d_schedule", "g_schedule"])
@pytest.mark.parametrize("points", [[], [[0.5]], [[0.5, 1], [0.5, 2]], [[0, -1]], [[2, 1]], "no", 3])
def test_a_schedule_that_is_none_is_refused_by_name(name, points):
    with pytest.raises(ValueError, match=name):
        Config(**{name: points})


def test_K_and_the_start_of_g_follow_the_spread_of_the_data():
    """Data ten times as large have a D of a tenth of the steepness, and a G that begins ten times as wide."""
    gans = []
    for radius, std in ((1.0, 0.01), (10.0, 0.1)):
        config = Config(target_options={"radius": radius, "std": std}, d_depth=2, K_schedule=None)
        gans.append(make_gan(config, make_target(config)))
    small, large = gans
    assert pytest.approx(small.normalizer.K**3 / 10) == large.normalizer.K**3
    assert large.g_scale == pytest.approx(10 * small.g_scale)
    assert small.normalizer.K**3 * small.g_scale == pytest.approx(STEEPNESS)


def test_a_run_whose_K_changes_goes_on_to_the_same_bits(tmp_path):
    schedule = ((0.2, 0.5), (0.8, 2.0))
    config = dataclasses.replace(TINY, K=1.5, K_schedule=schedule, n_dis=2, steps=10)
    whole = runs.train(runs.create(config, tmp_path / "whole"))
    runs.train(runs.create(config, tmp_path / "part"), stop=iter([False, False, False, True]).__next__)
    half = runs.load(tmp_path / "part")
    assert pytest.approx(1.5 * (0.5 + 1.5 * (0.4 - 0.2) / 0.6)) == half.state.D.norms[0].K
    rest = runs.train(half)
    assert [norm.K for norm in rest.state.D.norms] == [3.0] * 3
    np.testing.assert_array_equal(rest.state.D.theta.vector, whole.state.D.theta.vector)
    np.testing.assert_array_equal(rest.state.G.theta.vector, whole.state.G.theta.vector)


def test_networks_are_as_asked():
    config = Config(target="grid", d_width=5, d_depth=1, g_width=6, g_depth=2, latent=3, decay=0.25, steps=100)
    gan = make_gan(config, make_target(config))
    assert gan.d_widths == (2, 5, 1)
    assert make_gan(dataclasses.replace(config, d_depth=3, d_last_width=9), make_target(config)).d_widths == (
        2,
        5,
        5,
        9,
        1,
    )
    assert gan.g_widths == (3, 6, 6, 2)
    assert [gan.d_rate(p) for p in (0.0, 0.25, 0.625)] == [gan.g_rate(p) for p in (0.0, 0.25, 0.625)] == [1.0, 1.0, 0.5]


def test_restore_refuses_another_layout():
    state = algorithm.start(make_gan(TINY, make_target(TINY)), 0)
    arrays = dict(flatten(state, "s"))
    del arrays["s.D.norms.0.norm.u"]
    with pytest.raises(ValueError, match=r"s\.D\.norms\.0\.norm\.u"):
        restore(state, "s", arrays)


def test_snapshots_are_kept_for_a_movie_and_go_on_with_the_run(tmp_path):
    config = dataclasses.replace(TINY, steps=20)
    whole = runs.train(runs.create(config, tmp_path / "whole"))
    runs.train(runs.create(config, tmp_path / "part"), stop=iter([False] * 6 + [True]).__next__)
    rest = runs.train(runs.load(tmp_path / "part"))
    for run in (whole, rest, runs.load(tmp_path / "part")):
        assert [shot.step for shot in run.snapshots] == [row["step"] for row in run.history] == list(range(1, 21))
    for one, other in zip(whole.snapshots, rest.snapshots, strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.f, other.f)
    last = whole.snapshots[-1]
    real = runs.reference(whole.target)[:N_EVAL]
    plane = lattice(real, TICKS)
    assert (plane.reshape(-1, 2).min(axis=0) < real.min(axis=0)).all()
    f = algorithm.discriminate(whole.gan, whole.state.D, plane[3, 5][None].astype(whole.gan.dtype))
    assert last.f[3, 5] == pytest.approx(f.item(), rel=1e-5)
    np.testing.assert_allclose(last.x, runs.evaluation(whole)[0][: len(last.x)], rtol=1e-6)


def test_a_run_outside_the_plane_keeps_samples_only_and_a_comparison_nothing(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((50, 3)))
    config = dataclasses.replace(TINY, data=str(tmp_path / "x.npy"), steps=2)
    run = runs.train(runs.create(config, tmp_path / "run"))
    assert [(shot.x.shape[1], shot.f.shape) for shot in run.snapshots] == [(3, (0, 0))] * 2
    bare = runs.train(runs.create(TINY, tmp_path / "bare"), keep_snapshots=False)
    assert bare.snapshots == []
    assert not (tmp_path / "bare/snapshots.npz").exists()


def test_damaged_snapshots_are_named(tmp_path):
    runs.train(runs.create(TINY, tmp_path / "run"))
    (tmp_path / "run/snapshots.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"snapshots\.npz cannot be read"):
        runs.load(tmp_path / "run")
