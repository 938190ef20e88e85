"""The experiments and the ledger: the rule of a verdict, measures of failed runs, and a page that its data make."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from figures import claims, concentration, ledger, protocol
from figures.__main__ import HOME, data_of, has_data, module, read
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.optim import TABLE_1
from specnorm_np.runs.compare import Result, key
from specnorm_np.runs.tables import setting_of

EXPERIMENTS = ("settings", "n_dis", "last_width", "reparametrisation", "k_and_scale", "concentration")
NEEDS_DATA = pytest.mark.skipif(not has_data("claims", HOME), reason="not computed yet")

# ---- the rule -------------------------------------------------------------------------------------------------------


def test_effect_is_the_mean_with_the_interval_of_a_normal_distribution_for_many_seeds():
    x = np.random.default_rng(1).normal(2.0, 3.0, 400)
    found = protocol.effect(x)
    half = 1.96 * x.std() / np.sqrt(400)
    assert found.mean == pytest.approx(x.mean())
    assert found.low == pytest.approx(x.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(x.mean() + half, abs=0.1 * half)
    assert found.seeds == 400


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.5, 0.6, 0.7], "holds"),
        ([-0.5, -0.6, -0.7], "does not hold"),
        ([0.01, 0.02, 0.03], "does not hold"),  # it is there, and too small to matter
        ([0.9, 0.8, -0.9], "undecided here"),  # the interval has 0 in it, and reaches above what matters
        ([0.02, 0.02, 0.2, 0.15, 0.05], "undecided here"),  # above 0, the mean too small, the interval not
        ([0.5, 0.6], "undecided here"),  # two seeds
    ],
)
def test_verdicts(differences, expected):
    assert protocol.verdict(protocol.effect(differences), 0.1) == expected


# ---- the measures ---------------------------------------------------------------------------------------------------


def test_a_run_that_has_learnt_nothing_counts_as_one_mode():
    config = protocol.at("C")
    diverged = Result(config, key(config), failure="diverged at step 3")
    nothing = Result(config, key(config), {"reverse_kl": None, "modes": 0, "two_sample": 1.0})
    assert protocol.reverse_kl(diverged) == protocol.reverse_kl(nothing) == pytest.approx(np.log(8))
    assert protocol.two_sample(diverged) == 1.0
    assert protocol.modes(diverged) == 0.0
    on_grid = protocol.at("C", "grid")
    assert protocol.reverse_kl(Result(on_grid, "", failure="diverged at step 3")) == pytest.approx(np.log(25))
    good = Result(config, key(config), {"reverse_kl": 0.25, "modes": 8, "two_sample": 0.6})
    assert (protocol.reverse_kl(good), protocol.modes(good), protocol.two_sample(good)) == (0.25, 8.0, 0.6)


@pytest.mark.parametrize(("distances", "late"), [((9, 4, 3, 1.9), True), ((9, 4, 3, 2.1), False), ((1, 4, 9, 1), True)])
def test_a_run_is_on_its_way_if_it_has_halved_its_distance_since_half_time(tmp_path, distances, late):
    result = Result(protocol.at("C"), "a", {})
    folder = tmp_path / "compare" / "a"
    folder.mkdir(parents=True)
    rows = "".join(f"{step},{distance}\n" for step, distance in enumerate(distances, 1))
    (folder / "history.csv").write_text(f"step,frechet\n{rows}")
    assert protocol.halved_late(result, tmp_path) is late
    assert not protocol.halved_late(result._replace(summary=None, failure="diverged at step 3"), tmp_path)


@pytest.mark.parametrize("setting", TABLE_1)
def test_configs_are_those_of_table_1(setting):
    assert setting_of(protocol.at(setting)) == setting
    assert protocol.at(setting).K_schedule is None


# ---- the experiments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_run_and_draw(tmp_path, name):
    with ThreadPoolExecutor(1) as executor, np.errstate(all="ignore"):
        data = module(name).compute(quick=True, cache=tmp_path, executor=executor)
    values = data["reverse_kl" if name != "settings" else "ring_reverse_kl"]
    assert np.isfinite(values).all()
    assert len(data["seeds" if name != "settings" else "ring_seeds"]) == 2
    module(name).CAPTION.format(**module(name).facts(data))
    module(name).draw(data)


def test_equal_updates_of_D_are_equal():
    configs = module("n_dis").configs(quick=False)
    assert {c.steps * c.n_dis for c in configs if c.steps != protocol.STEPS["D"]} == {5 * protocol.STEPS["D"]}


def test_without_lambda_is_12_without_its_second_term():
    rng = np.random.default_rng(0)
    W, dW_bar = rng.standard_normal((2, 5, 4))
    whole, without = SpectralNorm(1, 2.0), concentration.WithoutLambda(1, 2.0)
    state = whole.start(W, rng=rng)
    u, sigma, v = state
    lam = float(np.vdot(dW_bar, whole.normalize(W, state)))
    expected = without.pullback(dW_bar, W, state)[0] - lam / (sigma / 2.0) * np.outer(u, v) / 2.0
    np.testing.assert_allclose(whole.pullback(dW_bar, W, state)[0], expected, rtol=1e-12)
    np.testing.assert_array_equal(without.normalize(W, state), whole.normalize(W, state))


# ---- what the figures say of the kept runs --------------------------------------------------------------------------


def test_kept_sn_has_all_modes_at_every_n_dis_and_weight_normalisation_gets_worse():
    kl = read(HOME / "n_dis.npz")["reverse_kl"].mean(axis=0)  # budget, method, n_dis
    sn, wn = kl[:, 0], kl[:, 1]
    assert sn.max() < protocol.MATTERS["reverse_kl"]
    assert (wn[:, -1] > 3 * wn[:, 0]).all()


def test_kept_rank_grows_with_lambda_and_falls_without():
    rank = read(HOME / "concentration.npz")["rank"]  # seed, variant, step, layer
    assert (rank[:, 0, -1] > rank[:, 0, 0] + 5).all()
    assert (rank[:, 1, -1] < rank[:, 1, 0] - 5).all()


def test_kept_K_is_free_below_two_and_falls_with_the_scale():
    data = read(HOME / "k_and_scale.npz")
    kl, u = data["reverse_kl"].mean(axis=0)[:, :-1], data["u"]
    matters = protocol.MATTERS["reverse_kl"]
    assert (kl[0, u <= 2] < kl[0].min() + matters).all()
    assert (kl[0, u > 2] > kl[0].min() + matters).all()
    assert (kl[1:, u <= 1] < matters).all()  # the same u is another K where the data are larger or smaller


def test_kept_width_matters_little_but_for_one_run():
    data = read(HOME / "last_width.npz")
    failed = data["reverse_kl"] > module("last_width").FAILED
    assert failed.sum() == 1
    assert data["reverse_kl"][~failed].max() < 0.25


def test_kept_reparametrisations_do_not_improve_on_wgan_gp():
    kl = read(HOME / "reparametrisation.npz")["reverse_kl"].mean(axis=0)
    assert (kl[:, 1:] > kl[:, :1]).all()


@NEEDS_DATA
def test_kept_sn_is_good_at_every_setting_as_only_orthonormal_regularisation_is():
    data = read(HOME / "settings.npz")
    worst = dict(zip(data["ring_methods"].tolist(), data["ring_reverse_kl"].mean(axis=0).max(axis=1), strict=True))
    good = {name for name, kl in worst.items() if kl < 0.15}
    assert good == {"sn", "sn-strict", "ortho"}


# ---- the ledger -----------------------------------------------------------------------------------------------------


def test_what_needs_no_runs_is_as_the_mathematics_say():
    rank, gain, hinge, _ = ledger._settled()
    assert rank[2].endswith("1.000, 1.000, 1.000, 1.000")
    assert gain[2].split(": ")[1].startswith("8.00, ")
    assert all(float(value) < 7.0 for value in gain[2].split(": ")[1].split(", ")[1:])
    assert "to 1e-15" in hinge[2]


@NEEDS_DATA
def test_ledger_is_up_to_date():
    assert (HOME.parent / "CLAIMS.md").read_text() == ledger.ledger(data_of("claims", HOME))


@NEEDS_DATA
def test_every_claim_has_at_least_three_seeds_and_a_finite_effect():
    for row in claims.judge(data_of("claims", HOME)):
        assert row.effect.seeds >= 3, row.claim.text
        assert np.isfinite(row.effect[:3]).all(), row.claim.text
        assert row.effect.low <= row.effect.mean <= row.effect.high
