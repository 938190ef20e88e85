"""The checker is itself checked: it accepts right gradients and rejects every kind of wrong one."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import rngs

from specnorm_np.testing.gradcheck import STEP, check_gradient, directional, numeric_gradient

DIRECTIONS = [None, 3]


def smooth(x):
    """A loss with no symmetry, and gradients of order 1."""
    weights = 1.0 + np.arange(x.size).reshape(x.shape)
    return float(np.sum(np.sin(weights * x)) + np.sum(x) ** 2)


def smooth_gradient(x):
    weights = 1.0 + np.arange(x.size).reshape(x.shape)
    return weights * np.cos(weights * x) + 2.0 * np.sum(x)


def check(x, dx, n_directions, **tolerances):
    check_gradient(smooth, x, dx, n_directions=n_directions, rng=np.random.default_rng(0), **tolerances)


@pytest.mark.parametrize("n_directions", DIRECTIONS)
@given(rng=rngs(), shape=st.lists(st.integers(1, 4), min_size=0, max_size=3))
def test_right_gradients_are_accepted_at_any_shape(n_directions, rng, shape):
    x = np.asarray(rng.uniform(-1, 1, shape))
    check(x, smooth_gradient(x), n_directions, rtol=1e-5, atol=1e-5)  # truncation: 64³ h²/6 is 2e-6


def spoil(kind, dx):
    return {
        "0.1 % off": dx * 1.001,
        "one entry 0.1 % off": np.where(np.abs(dx) == np.abs(dx).max(), dx * 1.001, dx),
        "transposed": dx.T.copy(),
        "term missing": dx - dx.mean(),
        "sign flipped": -dx,
        "zero": np.zeros_like(dx),
        "NaN": np.where(np.arange(dx.size).reshape(dx.shape) == 4, np.nan, dx),
        "infinite": np.full_like(dx, np.inf),
        "broadcastable row": dx.mean(axis=0, keepdims=True),
        "broadcastable scalar": np.asarray(dx.mean()),
        "flat": dx.ravel(),
        "float32": dx.astype(np.float32),
    }[kind]


@pytest.mark.parametrize("n_directions", DIRECTIONS)
@pytest.mark.parametrize(
    "kind",
    [
        "0.1 % off",
        "one entry 0.1 % off",
        "transposed",
        "term missing",
        "sign flipped",
        "zero",
        "NaN",
        "infinite",
        "broadcastable row",
        "broadcastable scalar",
        "flat",
        "float32",
    ],
)
@given(rng=rngs())
def test_wrong_gradients_are_rejected(kind, n_directions, rng):
    x = rng.uniform(-1, 1, (3, 3))
    with pytest.raises(AssertionError):
        check(x, spoil(kind, smooth_gradient(x)), n_directions)


def test_a_constant_gradient_of_broadcastable_shape_is_rejected_although_its_values_are_right():
    x = np.linspace(0.0, 1.0, 6).reshape(2, 3)
    check_gradient(np.sum, x, np.ones((2, 3)))
    with pytest.raises(AssertionError, match=r"\(1, 3\)"):
        check_gradient(np.sum, x, np.ones((1, 3)))


def test_the_message_shows_both_values_their_difference_and_the_worst_place():
    x, dx = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[2.0, 4.5], [6.0, 9.0]])
    with pytest.raises(AssertionError, match=r"index \(1, 1\): analytic 9, numeric [78]\S*, difference 1,"):
        check_gradient(lambda x: np.sum(x**2), x, dx)


def test_the_message_of_a_random_direction_counts_it():
    with pytest.raises(AssertionError, match="direction 0: analytic 0, numeric"):
        check_gradient(np.sum, np.ones(3), np.zeros(3), n_directions=1, rng=np.random.default_rng(0))


def test_a_loss_that_is_not_finite_is_never_accepted():
    with pytest.raises(AssertionError, match="nan"):
        check_gradient(lambda x: float("nan"), np.ones(2), np.zeros(2))


@given(rng=rngs(), scale=st.floats(1e-3, 1e3))
def test_a_quadratic_has_no_truncation_error(rng, scale):
    A, x, p = rng.standard_normal((4, 4)), scale * rng.standard_normal(4), rng.standard_normal(4)
    size = max(1.0, scale * np.abs(x / scale).max())
    numeric = directional(lambda x: 0.5 * x @ A @ x, x, p)
    # only rounding is left: 10 operations on terms of at most 16·|A|·size², over a step of STEP·size/|p|
    rounding = 160 * np.abs(A).max() * size * np.linalg.norm(p) * np.finfo(float).eps / STEP
    assert abs(numeric - 0.5 * (A + A.T) @ x @ p) <= rounding


@given(rng=rngs(), factor=st.floats(1e-3, 1e3))
def test_the_directional_derivative_is_linear_in_the_direction(rng, factor):
    x, p = rng.uniform(-1, 1, 3), rng.standard_normal(3)
    np.testing.assert_allclose(directional(smooth, x, factor * p), factor * directional(smooth, x, p), rtol=1e-6)


def test_the_step_follows_the_size_of_x():
    x = np.array([1e8])  # a step of 6e-6 would be lost in the rounding of x², 1
    check_gradient(lambda x: float(x[0] ** 2), x, 2.0 * x)


def test_a_smaller_step_sees_a_finer_scale():
    x, dx = np.array([1e-5]), np.array([np.cos(1.0) * 1e5])
    with pytest.raises(AssertionError):
        check_gradient(lambda x: float(np.sin(1e5 * x[0])), x, dx)
    check_gradient(lambda x: float(np.sin(1e5 * x[0])), x, dx, step=STEP * 1e-5)


def test_numeric_gradient_has_the_shape_of_x_and_leaves_x_alone():
    x = np.ones((2, 1, 3))
    gradient = numeric_gradient(lambda x: float(np.sum(x**3)), x)
    np.testing.assert_allclose(gradient, np.full((2, 1, 3), 3.0), rtol=1e-8)
    np.testing.assert_array_equal(x, np.ones((2, 1, 3)))


@pytest.mark.parametrize(
    "x", [np.ones(2, np.float32), np.ones(2, int), np.array([np.nan]), np.array([np.inf]), np.ones((0, 2)), [1.0]]
)
def test_x_must_be_a_finite_float64_array(x):
    with pytest.raises(ValueError, match="x is"):
        check_gradient(np.sum, x, np.ones(2))
    with pytest.raises(ValueError, match="x is"):
        directional(np.sum, x, np.ones(2))


@pytest.mark.parametrize("direction", [np.zeros(2), np.ones(3), np.ones((2, 1)), np.array([np.nan, 1.0])])
def test_the_direction_must_be_one(direction):
    with pytest.raises(ValueError, match="direction has"):
        directional(np.sum, np.ones(2), direction)


def test_the_other_arguments_are_checked():
    with pytest.raises(ValueError, match="step is 0"):
        directional(np.sum, np.ones(2), np.ones(2), step=0.0)
    with pytest.raises(ValueError, match="n_directions is 0"):
        check_gradient(np.sum, np.ones(2), np.ones(2), n_directions=0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="rng is None"):
        check_gradient(np.sum, np.ones(2), np.ones(2), n_directions=1)
