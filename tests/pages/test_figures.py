"""The figures: what each shows is there in small data, kept data draw the same twice, the gallery is true."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from figures import NAMES, benchmark_table, style, teaser
from figures.__main__ import HOME, data_of, gallery, has_data, main, module, read
from specnorm_np.rivals.methods import METHODS
from specnorm_np.toy.metrics import perfect_share

KEPT = [name for name in NAMES if has_data(name, HOME)]


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """Return a function that computes a figure's quick data, once, in this process."""
    cache, known = tmp_path_factory.mktemp("cache"), {}

    def data_of(name):
        if name not in known:
            with ThreadPoolExecutor(1) as executor, np.errstate(all="ignore"):
                known[name] = module(name).compute(quick=True, cache=cache, executor=executor)
        return known[name]

    return data_of


def slope(k, x, at):
    """Return the factor by which x falls in one step of k, between two places."""
    i, j = at
    return (x[j] / x[i]) ** (1.0 / (k[j] - k[i]))


# ---- what each figure shows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True])
def test_power_iteration_converges_as_r_4k_and_r_2k(quick, kept):
    data = read(HOME / "power_iteration.npz") if kept else quick("power_iteration")
    for i, at in ((0, (4, 6)), (1, (8, 20)), (2, (8, 35))):
        r = data["r"][i]
        np.testing.assert_allclose(slope(data["k"], data[f"angle_{i}"], at), r**2, rtol=0.02)
        np.testing.assert_allclose(slope(data["k"], data[f"error_{i}"], at), r**4, rtol=0.04)


@pytest.mark.parametrize("kept", [False, True])
def test_cold_start_is_poor_and_warm_start_is_good(quick, kept):
    data = read(HOME / "cold_and_warm_start.npz") if kept else quick("cold_and_warm_start")
    assert 1.3 < data["cold_64"][1, 0] < 1.55
    assert (np.diff(data["cold_64"][1]) < 0).all()
    warm = data["warm"]
    assert warm.min() > 1 - 1e-6  # float32 weights, SVD in float64
    assert warm[:, 0].min() > 1.1
    assert np.median(warm[:, data["step"] > data["step"][-1] // 2]) < 1.1


def test_kept_warm_start_has_a_second_peak_and_stays_below_a_cold_start():
    data = read(HOME / "cold_and_warm_start.npz")
    warm, step = data["warm"], data["step"]
    second = warm[:, (step >= 20) & (step <= 400)].max(axis=1)
    late = warm[:, step > step[-1] // 2].max(axis=1)
    assert (late < second).all()
    assert (second < warm[:, 0]).all()
    assert late.max() < data["cold_64"][1, 1]  # the mean of two iterations from a random start


def test_gradient_through_the_iterations_converges_twice_as_fast_as_the_frozen_one(quick):
    data = quick("three_gradients")
    r, at = float(data["r"]), (4, 7)
    assert data["frozen"][0] > 0.05
    np.testing.assert_allclose(slope(data["k"], data["frozen"], at), r**2, rtol=0.15)
    assert slope(data["k"], data["through"], at) < 0.75 * r**2
    assert data["through"][7] < 0.5 * data["frozen"][7]
    assert data["along"].max() < 1e-14


def test_optimal_discriminator_blows_up_and_vanishes_where_the_lipschitz_one_does_neither(quick):
    data = quick("optimal_discriminator")
    at_model = np.abs(data["t"] - data["model_radius"]).argmin()
    assert data["star_slope"][at_model] > 100
    assert data["star_slope"][-1] > data["star_slope"][at_model]
    assert data["star_saturating"][at_model] < 1e-10
    assert data["star_used"][at_model] > 100
    assert data["sn_slope"].max() <= data["sigma_bar"].prod() * (1 + 1e-6)
    assert 0.05 < data["sn_saturating"][at_model] < 0.5
    assert 0.05 < data["sn_used"][at_model] < 1.0


def test_only_sn_has_a_gain_that_does_not_depend_on_the_rank(quick):
    data = quick("possible_spectra")
    d = len(data["index"])
    np.testing.assert_allclose(data["sn_gain"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(data["wn_gain"] ** 2 * data["wn_rank"], d, rtol=1e-12)  # (13), (27)
    np.testing.assert_allclose(data["fn_gain"] ** 2 * data["fn_rank"], 1.0, rtol=1e-12)
    assert (data["clip_gain"] ** 2 * data["clip_rank"] <= (data["c"] * d) ** 2 * (1 + 1e-12)).all()
    np.testing.assert_allclose(data["wn"].sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("kept", [False, True])
def test_sn_keeps_the_broadest_spectrum_and_clipping_the_narrowest(quick, kept):
    data = read(HOME / "spectra.npz") if kept and "spectra" in KEPT else quick("spectra")
    final = {name: data[f"{name}_rank"][1, -1] for name in ("clip", "wn", "none", "sn")}
    assert final["clip"] < min(final["wn"], final["none"])
    assert final["sn"] > max(final["wn"], final["none"])


@pytest.mark.parametrize("kept", [False, True])
def test_sigma_bar_stays_near_one_from_above_and_bounds_are_in_order(quick, kept):
    data = read(HOME / "sigma_in_training.npz") if kept and "sigma_in_training" in KEPT else quick("sigma_in_training")
    assert data["sigma"].min() > 1 - 1e-6
    late = data["sigma"][:, :, data["step"] > data["step"][-1] // 2]
    assert late.max() < 1.1
    if kept:
        after = data["sigma"][:, :, data["step"] > data["step"][-1] // 10]
        assert after.max() < 1.075
        assert (data["exact"] < 0.6 * data["product"]).all()
        assert (data["lower"] > 0.99 * data["exact"]).all()
    rounding = 1 + 1e-12  # exact and lower are computed gradients, not rounded outward
    assert (data["lower"] <= data["exact"] * rounding).all()
    assert (data["exact"] <= data["tighter"] * rounding).all()
    assert (data["tighter"] <= data["product"]).all()


@pytest.mark.parametrize("kept", [False, True])
def test_lambda_is_mostly_positive_and_begins_the_same_in_all_layers(quick, kept):
    data = (
        read(HOME / "lambda_in_training.npz") if kept and "lambda_in_training" in KEPT else quick("lambda_in_training")
    )
    assert data["positive"] > 0.8
    first = data["raw_lam"][:, 0]  # biases are still zero
    np.testing.assert_allclose(first, first[:, :1] * np.ones(first.shape[1]), rtol=1e-3)


def test_kept_lambda_differs_between_layers_early_and_acts_on_more_than_a_random_direction():
    data = read(HOME / "lambda_in_training.npz")
    means = data["lam"][1]
    early = np.abs(data["step"] - 0.1 * data["step"][-1]).argmin()
    assert means[early].max() > 1.5 * means[early].min()
    assert means[-1].max() < 1.2 * means[-1].min()
    assert (data["mean_along"] > data["random"]).all()
    assert data["mean_along"][1:3].max() < 0.05
    assert data["mean_along"][3] > 0.1


def test_every_method_is_timed_and_the_gradient_penalty_costs_more_than_nothing(quick):
    data = quick("training_time")
    t = module("training_time").shortest(data)
    assert set(t) == set(METHODS)
    assert 0 < t["none"] < t["wgan-gp"]


def test_fidelity_is_measured_at_every_K_and_time_scale(quick):
    data = quick("fidelity")
    assert data["two_sample"].shape == (2, len(data["K"]), len(data["seeds"]))
    assert (data["two_sample"] >= 0.4).all()


def test_kept_fidelity_is_better_at_two_time_scales_for_every_K_and_modes_widen_with_K():
    data = read(HOME / "fidelity.npz")
    one, two = data["two_sample"]
    assert (two.max(axis=1) < one.min(axis=1)).all()
    narrow_one, narrow_two = data["spread_minor"].mean(axis=2)
    assert (narrow_two > narrow_one + 0.1).all()
    assert (np.diff(narrow_two) > 0).all()
    assert data["high_quality"][0, 0].mean() > data["high_quality"][1, 0].mean()
    assert (data["modes"][0] == 8).all()


def test_table_has_the_published_rows_ours_and_the_ceiling(quick):
    data = quick("benchmark_table")
    rows = benchmark_table.rows(data)
    assert [source for _, source, _ in rows[5:]] == ["VEEGAN"] * 4 + ["PacGAN"] * 5
    assert rows[4][0] == "*perfect sampler*"
    assert all(rows[4][2])
    assert (rows[4][2][1], rows[4][2][3]) == ("98.89", "50.0")
    text = benchmark_table.table(data)
    lines = text.splitlines()
    assert {line.count("|") for line in lines if line.startswith("|")} == {13}
    assert "99.3" in lines[7]
    assert "6.3 ± 0.5" in lines[11]


def test_teaser_compares_the_same_data_and_latents(quick):
    data = quick("teaser")
    np.testing.assert_array_equal(data["none"][0], data["sn"][0])  # one G, one z, before the first update
    assert not np.array_equal(data["none"][-1], data["sn"][-1])


@pytest.mark.skipif("benchmark_table" not in KEPT, reason="not computed yet")
def test_kept_table_has_all_modes_on_every_seed_and_no_more_quality_than_a_perfect_sampler():
    data = read(HOME / "benchmark_table.npz")
    for target in benchmark_table.TARGETS:
        assert (data[f"{target}_sn_modes_runs"] == data[f"{target}_total"]).all()
        assert data[f"{target}_sn_high_quality"][0] < perfect_share()


def test_kept_table_is_most_even_with_sn_on_the_grid_and_with_wgan_gp_on_the_ring():
    data = read(HOME / "benchmark_table.npz")
    ring, grid = (
        {
            name: float(cells[column].partition(" ± ")[0])
            for name, _, cells in benchmark_table.rows(data)
            if cells[column]
        }
        for column in benchmark_table.KL
    )
    perfect = {"*perfect sampler*"}
    assert all(grid["**SN**"] < 0.5 * grid[name] for name in set(grid) - perfect - {"**SN**"})
    assert ring["WGAN-GP"] < ring["**SN**"] < min(ring[name] for name in set(ring) - perfect - {"**SN**", "WGAN-GP"})


@pytest.mark.skipif("teaser" not in KEPT, reason="not computed yet")
def test_kept_teaser_shows_collapse_without_and_all_modes_with_sn():
    data = read(HOME / "teaser.npz")
    assert (data["none_modes"] < data["sn_modes"]).all()
    assert (data["sn_modes"] == 25).all()
    assert data["none_slope"] > data["sn_slope"]


def test_kept_run_finds_all_modes_and_follows_K():
    data = read(HOME / "ring.npz")
    assert data["end"][0] == 8
    ratio = data["sigma"] / data["K"][:, None]
    assert ratio.min() > 1 - 1e-5  # float32
    assert ratio[0].max() > 1.2  # a cold start
    assert ratio[data["step"] > 0.1 * data["steps"]].max() < 1.1


# ---- drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEPT)
def test_kept_data_draw_the_same_bytes_twice(tmp_path, name):
    data = data_of(name, HOME)
    for stem in ("first", "second"):
        style.save(module(name).draw(data), tmp_path / stem, dpi=50)
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()


def test_animation_is_the_same_twice(tmp_path, quick):
    data = dict(quick("teaser"))
    data |= {"frame": data["frame"][:2], "none": data["none"][:2], "sn": data["sn"][:2]}
    for name in ("first.gif", "second.gif"):
        teaser.animate(data, tmp_path / name)
    assert (tmp_path / "first.gif").read_bytes() == (tmp_path / "second.gif").read_bytes()


def test_every_method_has_its_own_look():
    assert set(style.METHODS) == set(style.LABELS) == set(METHODS)
    assert len({look[:2] for look in style.METHODS.values()}) == len(METHODS)


# ---- the folder ------------------------------------------------------------------------------------------------------


def test_gallery_is_up_to_date():
    assert (HOME / "README.md").read_text() == gallery(HOME)


@pytest.mark.parametrize("name", KEPT)
def test_caption_begins_with_the_one_thing_to_see(name):
    assert module(name).CAPTION.strip().startswith("The one thing to see: ")


def test_files_are_small():
    kept = [path for path in HOME.iterdir() if path.suffix in (".png", ".svg", ".npz", ".gif")]
    assert sum(path.stat().st_size for path in kept) < 10e6
    assert all(path.stat().st_size < 3e6 for path in kept)


def test_command_draws_computes_and_refuses(tmp_path, capsys):
    assert main(["no-such-figure"]) == 2
    assert "there is no figure 'no-such-figure'; expected some of teaser, ring" in capsys.readouterr().err
    assert main(["setings"]) == 2
    assert "there is no figure 'setings'; did you mean settings?" in capsys.readouterr().err
    assert main(["--recompute", "settings", "--jobs", "0"]) == 2
    assert "--jobs is 0; expected at least 1" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["ring", "--out", str(tmp_path / "file")]) == 2
    assert "error: " in capsys.readouterr().err
    assert main(["possible_spectra", "--quick", "--cache", str(tmp_path), "--jobs", "1"]) == 0
    made = {path.name for path in (tmp_path / "figures-quick").iterdir()}
    assert made == {"README.md", *(f"possible_spectra{suffix}" for suffix in (".npz", ".png", ".svg"))}
