"""Every bug of BUGS.md is killed by a property that the right implementation has.

A property is a function of an implementation and a generator that raises AssertionError if the implementation has not
got it. Each is applied to the right implementation, on many draws, and to the wrong one.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from strategies import draw_net, near_kink, perceptron, plant, rngs

from specnorm_np.bounds.certificates import certified_normalization
from specnorm_np.gan import GAN, d_step, effective, g_step, start_player
from specnorm_np.losses import Loss
from specnorm_np.network import MLP, Params
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.optim import SGD
from specnorm_np.testing import find_lipschitz_violation
from specnorm_np.testing.gradcheck import check_gradient
from specnorm_np.toy.targets import Mixture, ring

# --- properties of a normaliser


def draw_square(rng, sigma=1.0):
    """A matrix with σ₂/σ₁ = ½, on which power iteration converges at 1/16 an iteration."""
    return plant(sigma * np.array([1.0, 0.5, 0.3]), 4, 4, rng)


def first(normalizer, W, rng):
    """Return the state and its triplet after a start that is not nearly orthogonal to u₁."""
    for _ in range(100):
        state = normalizer.start(W, rng=rng)
        triplet = state[0] if isinstance(state, list) else state
        if abs(triplet.sigma) > 0.2 * np.linalg.norm(W, 2):
            break
    return state, triplet


def gradient_is_that_of_fixed_vectors(normalizer, rng):
    W, C = draw_square(rng).W, rng.standard_normal((4, 4))
    state, (u, _, v) = first(normalizer, W, rng)
    check_gradient(lambda M: float(np.vdot(C, M / (u @ M @ v))), W, normalizer.pullback(C, W, state)[0], atol=1e-6)


def gradient_is_orthogonal_to_the_weight(normalizer, rng):
    W, C = draw_square(rng).W, rng.standard_normal((4, 4))
    dW = normalizer.pullback(C, W, first(normalizer, W, rng)[0])[0]
    assert abs(np.vdot(dW, W)) <= 1e-12 * np.linalg.norm(dW) * np.linalg.norm(W)


def refreshing_a_weight_at_rest_makes_its_norm_one(normalizer, rng):
    W = draw_square(rng, sigma=10.0 ** rng.uniform(-2, 2)).W
    state = first(normalizer, W, rng)[0]
    for _ in range(60):
        state = normalizer.settle(W, state)[1]
    assert np.linalg.norm(normalizer.normalize(W, state), 2) == pytest.approx(1.0, abs=1e-9)


def a_refresh_is_one_iteration_from_the_last_vector(normalizer, rng):
    W, moved = (draw_square(rng).W for _ in range(2))
    state, triplet = first(normalizer, W, rng)
    after = normalizer.settle(moved, state)[1]
    after = after[0] if isinstance(after, list) else after
    expected = moved @ (moved.T @ triplet.u)
    np.testing.assert_allclose(after.u, expected / np.linalg.norm(expected), rtol=0, atol=1e-10)
    assert after.sigma == pytest.approx(after.u @ moved @ after.v, rel=1e-10)


def reading_changes_nothing(normalizer, rng):
    W = draw_square(rng).W
    state = first(normalizer, W, rng)[0]
    np.testing.assert_array_equal(normalizer.normalize(W, state), normalizer.normalize(W, state))


def rank_one_has_norm_one_from_the_start(normalizer, rng):
    W = np.outer(rng.standard_normal(4), rng.standard_normal(3))
    assert np.linalg.norm(normalizer.normalize(W, normalizer.start(W, rng=rng)), 2) == pytest.approx(1.0, abs=1e-9)


def the_scale_of_the_weight_does_not_matter(normalizer, rng):
    W, seed = draw_square(rng).W, int(rng.integers(2**32))
    one, other = (
        normalizer.normalize(scale * W, normalizer.start(scale * W, rng=np.random.default_rng(seed)))
        for scale in (1.0, 2.0**-6)
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)


def vectors_have_length_one_while_the_weight_moves(normalizer, rng):
    W = draw_square(rng).W
    state = first(normalizer, W, rng)[0]
    for _ in range(10):
        W = W + 0.3 * rng.standard_normal((4, 4))
        state = normalizer.settle(W, state)[1]
        u, _, v = state[0] if isinstance(state, list) else state
        np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 1.0, atol=1e-12)


def zero_stays_zero(normalizer, rng):
    W = np.zeros((3, 2))
    np.testing.assert_array_equal(normalizer.normalize(W, normalizer.start(W, rng=rng)), W)


# --- properties of the networks in training

WIDTHS = (2, 5, 4, 1)


def draw_player(widths, normalizer, rng):
    """A player with biases that are not 0, away from kinks and from small σ̂ at the batch that comes with it."""
    while True:
        net = draw_net(widths, 6, 0.1, rng)
        player = start_player(Params.of_layers(net.layers), normalizer, SGD(1.0), rng=rng)
        W_bar, b = effective(player, normalizer)
        sigmas = [triplet.sigma for triplet in player.norms if triplet]
        if min(sigmas, default=1.0) > 0.2 and not near_kink(perceptron(W_bar, b, net.x, 0.1)[1], 5e-3):
            return player, net.x


def every_layer_is_normalised(read, rng):
    normalizer = SpectralNorm(n_iter=200, K=0.5)
    W_bar, _ = read(draw_player(WIDTHS, normalizer, rng)[0], normalizer)
    assert [np.linalg.norm(W, 2) for W in W_bar] == pytest.approx([0.5] * 3, rel=1e-2)


def the_raw_weight_is_what_is_updated(step, rng):
    """Under a loss without gradient θ stays as it is."""
    flat = Loss(lambda real, fake: (0.0, 0.0 * real, 0.0 * fake), lambda fake: (0.0, 0.0 * fake))
    gan = GAN(d_widths=WIDTHS, loss=flat, d_optim=SGD(1.0))
    D, x = draw_player(WIDTHS, gan.normalizer, rng)
    np.testing.assert_array_equal(step(gan, D, x[:3], x[3:]).theta.vector, D.theta.vector)


def softplus(x):
    return np.log1p(np.exp(x))


def d_descends_the_loss_at_one_effective_weight(step, rng):
    gan = GAN(d_widths=WIDTHS, d_optim=SGD(1.0))
    D, x = draw_player(WIDTHS, gan.normalizer, rng)

    def loss(vector):
        theta = D.theta.replace(vector)
        W = [theta[f"W{l}"] / (t.u @ theta[f"W{l}"] @ t.v) for l, t in enumerate(D.norms, 1)]
        f = perceptron(W, [theta[f"b{l}"] for l in (1, 2, 3)], x, gan.d_net.slope)[0]
        return float(softplus(-f[:3]).mean() + softplus(f[3:]).mean())

    vector = D.theta.vector
    check_gradient(loss, vector, vector - step(gan, D, x[:3], x[3:]).theta.vector, rtol=1e-5, atol=1e-6)


def the_gradient_is_that_of_the_loss_of_a_layer_with_bias(gradient, rng):
    W, b, h, delta = (
        draw_square(rng).W,
        rng.standard_normal(4),
        rng.standard_normal((5, 4)),
        rng.standard_normal((5, 4)),
    )
    triplet = first(SpectralNorm(), W, rng)[1]

    def loss(M):
        return float(np.sum(delta / 5 * (h @ (M / (triplet.u @ M @ triplet.v)).T + b)))

    check_gradient(loss, W, gradient(W, b, triplet, h, delta / 5), rtol=1e-5, atol=1e-6)


def g_descends_its_loss_through_d(step, rng):
    gan = GAN(d_widths=WIDTHS, g_widths=(3, 4, 2), d_optim=SGD(1.0), g_optim=SGD(1.0), g_net=MLP(0.1))
    while True:
        D, _ = draw_player(WIDTHS, gan.normalizer, rng)
        G, z = draw_player(gan.g_widths, Identity(), rng)
        W_bar, b = effective(D, gan.normalizer)
        x = perceptron(*effective(G, Identity()), z, 0.1)[0]
        if not near_kink(perceptron(W_bar, b, x, gan.d_net.slope)[1], 5e-3):
            break

    def loss(vector):
        theta = G.theta.replace(vector)
        x = perceptron([theta["W1"], theta["W2"]], [theta["b1"], theta["b2"]], z, gan.g_net.slope)[0]
        return float(softplus(-perceptron(W_bar, b, x, gan.d_net.slope)[0]).mean())

    after = step(gan, G, D, z)[0]
    check_gradient(loss, G.theta.vector, G.theta.vector - after.theta.vector, rtol=1e-5, atol=1e-6)


# --- properties of targets, and of a function


def eight_modes_are_distinct_and_balanced(modes, rng):
    modes = modes()
    assert len(np.unique(np.round(modes, 9), axis=0)) == 8
    np.testing.assert_allclose(modes.mean(axis=0), 0.0, atol=1e-12)


def squares_of_deviations_have_the_mean_std_squared(sample, rng):
    """The mean of 2·10,000 squares, relative standard deviation 0.01: ten of them are allowed."""
    std = 10.0 ** rng.uniform(-2, -0.5)
    assert np.mean(sample(10_000, std, rng=rng) ** 2) == pytest.approx(std**2, rel=0.1)


def no_pair_refutes_a_bound_of_one(make, rng):
    f, d = make(rng)
    violation = find_lipschitz_violation(f, 1.0, d, n=128, n_rounds=2, rng=rng)
    assert violation is None, str(violation)


# --- right ones that are not a function of the package as they stand


def sample_mode(n, std, *, rng):
    return Mixture(np.zeros((1, 2)), std).sample(n, rng=rng)


def certified_linear(rng):
    W = rng.standard_normal((12, 12))
    W_bar, _ = certified_normalization(W, float(np.linalg.norm(W, 2)))
    return (lambda x: x @ W_bar.T), 12


# --- the zoo


class Bug(NamedTuple):
    """A wrong variant, the right implementation, the property that tells, and the regular test that stands guard."""

    wrong: Any
    right: Any
    kill: Any
    test: str


NORMALIZER, GAN_TEST, TARGET = (
    "tests/paper/test_normalizers.py::",
    "tests/paper/test_gan.py::",
    "tests/toy/test_targets.py::",
)
SN = SpectralNorm()
ZOO = {
    "σ taken as constant in the gradient": Bug(
        zoo.SigmaConstant(),
        SN,
        gradient_is_orthogonal_to_the_weight,
        NORMALIZER + "test_eq12_is_orthogonal_to_w_converged_or_not",
    ),
    "u and v swapped": Bug(
        zoo.VectorsSwapped(),
        SN,
        gradient_is_that_of_fixed_vectors,
        NORMALIZER + "test_eq12_eq37_is_exact_for_fixed_u_and_v_after_any_number_of_iterations",
    ),
    "u advanced between forward and backward": Bug(
        zoo.AdvancedBeforePullback(),
        SN,
        gradient_is_that_of_fixed_vectors,
        GAN_TEST + "test_eq12_eq15_eq16_eq23_d_descends_its_loss_in_every_parameter",
    ),
    "u redrawn at each step": Bug(
        zoo.Redrawn(),
        SN,
        a_refresh_is_one_iteration_from_the_last_vector,
        GAN_TEST + "test_eq20_eq21_eq22_a_step_iterates_once_from_the_last_u_on_the_new_raw_weight",
    ),
    "two iterations for each step": Bug(
        zoo.TwoIterations(),
        SN,
        a_refresh_is_one_iteration_from_the_last_vector,
        GAN_TEST + "test_eq20_eq21_nothing_else_iterates",
    ),
    "u advanced by reading the weight": Bug(
        zoo.AdvancedByReading(),
        SN,
        reading_changes_nothing,
        GAN_TEST + "test_eq8_reading_effective_weights_changes_nothing",
    ),
    "evaluated before the first iteration": Bug(
        zoo.BeforeTheFirstIteration(),
        SN,
        rank_one_has_norm_one_from_the_start,
        NORMALIZER + "test_eq20_eq21_start_and_refresh_iterate_on_the_raw_weight",
    ),
    "ε inside the square root": Bug(
        zoo.EpsInTheRoot(),
        SN,
        the_scale_of_the_weight_does_not_matter,
        NORMALIZER + "test_eq8_does_not_see_the_scale_of_w",
    ),
    "0/0 at a zero weight": Bug(
        zoo.Unguarded(),
        SN,
        zero_stays_zero,
        NORMALIZER + "test_zero_stays_zero_and_lets_its_gradient_through",
    ),
    "W̄ iterated in place of W": Bug(
        zoo.OnWBar(),
        SN,
        refreshing_a_weight_at_rest_makes_its_norm_one,
        NORMALIZER + "test_eq20_eq21_start_and_refresh_iterate_on_the_raw_weight",
    ),
    "u and v averaged like parameters": Bug(
        zoo.AveragedVectors(),
        SN,
        vectors_have_length_one_while_the_weight_moves,
        "tests/paper/test_spectral.py::test_eq19_eq22_sigma_is_uWv_of_unit_vectors",
    ),
    "W overwritten by W̄": Bug(
        zoo.step_that_stores_W_bar,
        lambda *args: d_step(*args)[0],
        the_raw_weight_is_what_is_updated,
        GAN_TEST + "test_eq23_the_raw_weight_is_what_is_updated",
    ),
    "real and generated points see different weights": Bug(
        zoo.step_of_two_weights,
        lambda *args: d_step(*args)[0],
        d_descends_the_loss_at_one_effective_weight,
        GAN_TEST + "test_eq22_real_points_fake_points_and_g_see_one_effective_weight",
    ),
    "the last layer forgotten": Bug(
        zoo.effective_but_the_last,
        effective,
        every_layer_is_normalised,
        GAN_TEST + "test_eq8_reading_effective_weights_changes_nothing",
    ),
    "λ with the bias in it": Bug(
        zoo.layer_gradient_with_bias_in_lam,
        zoo.layer_gradient,
        the_gradient_is_that_of_the_loss_of_a_layer_with_bias,
        NORMALIZER + "test_eq11_eq12_lambda_as_a_trace_is_the_mean_of_delta_times_Wh",
    ),
    "λ divided by the batch size twice": Bug(
        zoo.layer_gradient_with_lam_divided_twice,
        zoo.layer_gradient,
        the_gradient_is_that_of_the_loss_of_a_layer_with_bias,
        GAN_TEST + "test_eq12_eq35_lam_is_minus_the_trace_of_our_loss",
    ),
    "G's gradient does not pass through D": Bug(
        zoo.g_step_around_d,
        g_step,
        g_descends_its_loss_through_d,
        GAN_TEST + "test_eq15_eq17_eq23_g_descends_its_loss_through_d_in_every_parameter",
    ),
    "a ring of seven modes": Bug(
        zoo.ring_by_linspace,
        lambda: ring().modes,
        eight_modes_are_distinct_and_balanced,
        TARGET + "test_ring_has_eight_distinct_modes_on_the_unit_circle",
    ),
    "variance taken for standard deviation": Bug(
        zoo.sample_with_variance_for_std,
        sample_mode,
        squares_of_deviations_have_the_mean_std_squared,
        TARGET + "test_samples_have_the_mixture_s_moments",
    ),
    "σ̂ of one iteration taken for a bound": Bug(
        zoo.linear_by_one_iteration,
        certified_linear,
        no_pair_refutes_a_bound_of_one,
        "tests/bounds/test_certificates.py::test_eq8_strictly_normalised_matrix_as_stored_is_within_K",
    ),
    "a slope above 1": Bug(
        zoo.leaky(1.5),
        zoo.leaky(0.2),
        no_pair_refutes_a_bound_of_one,
        "tests/testing/test_checks.py::test_the_search_finds_each_broken_promise",
    ),
    "a residual sum": Bug(
        zoo.residual(1.0),
        zoo.residual(0.5),
        no_pair_refutes_a_bound_of_one,
        "tests/testing/test_checks.py::test_the_search_finds_each_broken_promise",
    ),
    "sum pooling": Bug(
        zoo.pooled(1.0),
        zoo.pooled(6.0**-0.5),
        no_pair_refutes_a_bound_of_one,
        "tests/testing/test_checks.py::test_the_search_finds_each_broken_promise",
    ),
    "the reshaped kernel's norm taken for the convolution's": Bug(
        zoo.convolution("kernel"),
        zoo.convolution("operator"),
        no_pair_refutes_a_bound_of_one,
        "tests/paper/test_spectral.py::test_footnote3_the_convolution_norm_lies_between_sigma_and_sqrt_hw_sigma",
    ),
}
SLOW = (  # one of these counts for several examples: a search, or differences in every parameter
    no_pair_refutes_a_bound_of_one,
    d_descends_the_loss_at_one_effective_weight,
    g_descends_its_loss_through_d,
    every_layer_is_normalised,
)
every_bug = pytest.mark.parametrize("name", ZOO)


def killed(kill, implementation, seed):
    try:
        kill(implementation, np.random.default_rng(seed))
    except AssertionError:
        return True
    return False


@every_bug
def test_the_right_implementation_has_the_property(name):
    bug = ZOO[name]
    share = 4 if bug.kill in SLOW else 1

    @settings(max_examples=settings().max_examples // share)
    @given(rng=rngs())
    def holds(rng):
        bug.kill(bug.right, rng)

    holds()


@every_bug
def test_the_property_kills_the_bug(name):
    """On every one of ten draws: not by luck, and by an assertion, not by an error of another kind."""
    bug = ZOO[name]
    assert [seed for seed in range(10) if not killed(bug.kill, bug.wrong, seed)] == []


@pytest.mark.parametrize(("parts", "whole"), [(zoo.step, d_step), (zoo.g_step_through_d, g_step)])
def test_the_parts_that_variants_are_made_of_are_right(parts, whole):
    """So that a variant is wrong by its bug alone."""
    rng, gan = np.random.default_rng(0), GAN(d_widths=WIDTHS, g_widths=(3, 4, 2), d_optim=SGD(1.0), g_optim=SGD(1.0))
    (D, x), (G, z) = draw_player(WIDTHS, gan.normalizer, rng), draw_player(gan.g_widths, Identity(), rng)
    arguments = (gan, D, x[:3], x[3:]) if parts is zoo.step else (gan, G, D, z)
    one, other = (
        result if hasattr(result, "theta") else result[0] for result in (parts(*arguments), whole(*arguments))
    )
    np.testing.assert_array_equal(one.theta.vector, other.theta.vector)


def test_eps_in_the_square_root_has_the_known_fixed_point():
    """σ/σ̂ = 1/(1 − ε/σ²): 1.0101 at σ = 0.1 and 1.125 at 0.03, for haiku's ε of 1e-4."""
    for sigma in (0.1, 0.03):
        W, normalizer = sigma * np.eye(3), zoo.EpsInTheRoot()
        state = normalizer.start(W, rng=np.random.default_rng(0))
        for _ in range(2000):
            state = normalizer.settle(W, state)[1]
        norm = np.linalg.norm(normalizer.normalize(W, state), 2)
        assert norm == pytest.approx(1.0 / (1.0 - 1e-4 / sigma**2), rel=1e-9)


def test_evaluation_before_the_first_iteration_is_off_by_a_factor_of_ten_at_least():
    norms = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        W, normalizer = rng.standard_normal((128, 128)), zoo.BeforeTheFirstIteration()
        norms.append(np.linalg.norm(normalizer.normalize(W, normalizer.start(W, rng=rng)), 2))
    assert min(norms) > 5
    assert np.median(norms) > 20


# --- the page

ROOT = Path(__file__).parents[2]
PAGE = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in re.findall(r"^\| (?!---|bug).*\|$", (ROOT / "BUGS.md").read_text(), re.M)
]


def test_the_page_lists_the_zoo_in_its_order():
    assert [row[0] for row in PAGE] == list(ZOO)
    assert all(len(row) == 5 and row[1] and row[2] for row in PAGE)


@pytest.mark.parametrize("row", PAGE, ids=lambda row: row[0])
def test_a_row_names_the_property_that_kills_and_a_test_that_exists(row):
    bug = ZOO[row[0]]
    assert re.findall(r"`([^`]+)`", row[3]) == [bug.kill.__name__, bug.test]
    path, name = bug.test.split("::")
    assert f"\ndef {name}(" in (ROOT / path).read_text()
