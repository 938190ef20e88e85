"""The semidefinite bound: it holds, it is in order with the others, and its gradient is that of its objective."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import rngs

from specnorm_np.bounds.lipschitz import (
    exact_lipschitz_constant,
    lipschitz_lower_bound,
    lipschitz_upper_bound,
    tighter_lipschitz_upper_bound,
)
from specnorm_np.bounds.sdp import (
    certified,
    largest_eigenvalue,
    minimized,
    objective,
    quasi_newton,
    sdp_lipschitz_upper_bound,
)
from specnorm_np.spectral import spectral_norm
from specnorm_np.testing.gradcheck import check_gradient

slopes = st.sampled_from([0.0, 0.1, 0.5, 0.9])


def draw(rng, *widths):
    return [rng.standard_normal((n, m)) / math.sqrt(m) for m, n in pairwise(widths)]


@given(rngs(), slopes, st.sampled_from([(3, 4, 2), (2, 5, 3, 1), (4, 3, 4, 2, 2)]))
@settings(max_examples=30)
def test_the_gradient_is_that_of_the_objective(rng, slope, widths):
    W = draw(rng, *widths)
    T = [t * rng.uniform(1.0, 2.0, len(t)) for t in minimized(W, slope, 1)[0]]
    splits = np.cumsum([len(t) for t in T])[:-1]
    beta, mu = 5.0 / largest_eigenvalue(W, slope, T), 0.1

    def value(vector):
        return objective(W, slope, np.split(vector, splits), beta, mu)[0]

    check_gradient(value, np.concatenate(T), np.concatenate(objective(W, slope, T, beta, mu)[1]))


@given(rngs(), slopes, st.sampled_from([(2, 6, 1), (2, 5, 4, 1), (2, 4, 4, 4, 1)]))
@settings(max_examples=25, deadline=None)
def test_it_is_between_the_exact_constant_and_the_other_bounds(rng, slope, widths):
    W = draw(rng, *widths)
    b = [rng.standard_normal(len(W_l)) for W_l in W]
    exact = exact_lipschitz_constant(W, b, slope, np.array([[-3.0, 3.0], [-3.0, 3.0]])).value
    bound = sdp_lipschitz_upper_bound(W, slope)
    assert exact * (1.0 - 1e-9) <= bound <= tighter_lipschitz_upper_bound(W, slope) <= lipschitz_upper_bound(W, slope)


def test_it_is_much_tighter_on_a_deeper_network():
    """Random 2-32-32-1: the semidefinite bound, an exact constant below it, and the others above."""
    rng = np.random.default_rng(0)
    W = draw(rng, 2, 32, 32, 1)
    b = [rng.standard_normal(len(W_l)) for W_l in W]
    lower, _ = lipschitz_lower_bound(W, b, 0.1, np.array([[-5.0, 5.0], [-5.0, 5.0]]), rng=rng)
    bound, tighter = sdp_lipschitz_upper_bound(W, 0.1), tighter_lipschitz_upper_bound(W, 0.1)
    assert lower < bound < 0.8 * tighter


@pytest.mark.parametrize("widths", [(2, 10, 30, 20, 2), (8, 5, 3), (1, 4, 1)])
def test_of_weights_that_are_not_negative_it_is_the_norm_of_their_product(widths):
    """Then all units can be on, so that the norm of the product is the exact constant, which the bound reaches."""
    W = [np.abs(W_l) for W_l in draw(np.random.default_rng(1), *widths)]
    product = np.linalg.multi_dot(W[::-1]) if len(W) > 1 else W[0]
    exact = spectral_norm(product)
    bound = sdp_lipschitz_upper_bound(W, 0.0)
    assert exact * (1.0 - 1e-12) <= bound <= exact * (1.0 + 1e-3)


def test_of_a_linear_network_it_is_the_norm_of_the_product():
    W = draw(np.random.default_rng(2), 4, 5, 3)
    assert sdp_lipschitz_upper_bound(W, 1.0) == pytest.approx(spectral_norm(W[1] @ W[0]), rel=1e-9)


@given(rngs(), st.integers(-150, 150), st.integers(-150, 150))
@settings(max_examples=10, deadline=None)
def test_scaling_by_a_power_of_two_scales_it_exactly(rng, first, second):
    W = draw(rng, 3, 4, 2)
    bound = sdp_lipschitz_upper_bound(W, 0.2)
    scaled = sdp_lipschitz_upper_bound([np.ldexp(W[0], first), np.ldexp(W[1], second)], 0.2)
    assert scaled == pytest.approx(math.ldexp(bound, first + second), rel=1e-12)


def test_a_wide_first_layer_costs_no_accuracy():
    """The triangle of its QR factorisation stands for it: as many inputs again that do nothing change nothing."""
    W = draw(np.random.default_rng(3), 5, 5, 2)
    padded = [np.hstack((W[0], np.zeros((5, 7)))), W[1]]
    assert sdp_lipschitz_upper_bound(padded, 0.1) == pytest.approx(sdp_lipschitz_upper_bound(W, 0.1), rel=1e-6)


def test_zero_weights_and_a_single_layer():
    W = draw(np.random.default_rng(4), 3, 4, 2)
    assert sdp_lipschitz_upper_bound([W[0], 0.0 * W[1]], 0.1) == 0.0
    assert sdp_lipschitz_upper_bound([W[0]], 0.1) == lipschitz_upper_bound([W[0]], 0.1)


@given(rngs(), slopes)
@settings(max_examples=20)
def test_a_constant_that_is_too_small_is_never_certified(rng, slope):
    """Whatever the multipliers: below the square of a gradient that occurs, no Q is positive semidefinite."""
    W = draw(rng, 2, 5, 4, 1)
    b = [rng.standard_normal(len(W_l)) for W_l in W]
    lower, _ = lipschitz_lower_bound(W, b, slope, np.array([[-3.0, 3.0], [-3.0, 3.0]]), rng=rng)
    for T in (*minimized(W, slope, 100), [rng.exponential(size=len(W_l)) * 10.0 for W_l in W[:-1]]):
        assert not certified(W, slope, T, (lower * (1.0 - 1e-6)) ** 2)


@given(rngs(), slopes)
@settings(max_examples=20)
def test_the_certificate_agrees_with_the_eigenvalue(rng, slope):
    W = draw(rng, 3, 5, 4, 2)
    T = [t * rng.uniform(1.0, 1.5, len(t)) for t in minimized(W, slope, 1)[0]]
    rho = largest_eigenvalue(W, slope, T)
    assert certified(W, slope, T, rho * (1.0 + 1e-9))
    assert not certified(W, slope, T, rho * (1.0 - 1e-9))


def test_multipliers_of_zero_prove_nothing():
    W = draw(np.random.default_rng(5), 3, 4, 2)
    assert largest_eigenvalue(W, 0.1, [np.zeros(4)]) == math.inf
    assert not certified(W, 0.1, [np.zeros(4)], 1e6)


def test_the_method_finds_the_minimum_of_a_narrow_valley():
    def rosenbrock(x):
        value = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        return value, np.array([-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)])

    np.testing.assert_allclose(quasi_newton(rosenbrock, np.array([-1.2, 1.0]), 200), 1.0, atol=1e-3)


def test_it_steps_less_where_the_function_is_infinite():
    def barrier(x):
        return (float(x[0] - math.log(x[0])), 1 - 1 / x) if x[0] > 0 else (math.inf, x)

    np.testing.assert_allclose(quasi_newton(barrier, np.array([10.0]), 100), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([np.eye(2), np.eye(2)], 1.5), "slope is 1.5"),
        (([np.eye(2), np.eye(3)], 0.1), r"W\[1\] has shape"),
        (([], 0.1), "W is empty"),
        (([np.full((2, 2), np.nan), np.eye(2)], 0.1), r"W\[0\]"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sdp_lipschitz_upper_bound(*arguments)


def test_no_iteration_is_refused():
    with pytest.raises(ValueError, match="iterations is 0"):
        sdp_lipschitz_upper_bound([np.eye(2), np.eye(2)], 0.1, iterations=0)


def test_units_that_hardly_matter_do_not_spoil_the_certificate():
    """Their multipliers may be a million times larger than the others; without scaling nothing could be proven."""
    W = draw(np.random.default_rng(6), 2, 16, 16, 1)
    T = minimized(W, 0.1, 100)[-1]
    rho = largest_eigenvalue(W, 0.1, T)
    W[0] = np.vstack((W[0], np.zeros((1, 2))))
    W[1] = np.hstack((W[1], np.zeros((16, 1))))
    assert certified(W, 0.1, [np.append(T[0], 1e9), T[1]], rho * (1.0 + 1e-8))
