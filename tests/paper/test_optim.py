"""SGD and Adam against the published algorithms, step by step; Table 1. Eq. (23)."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import EPS, rngs

from specnorm_np.optim import SGD, TABLE_1, Adam, linear_decay

OPTIMIZERS = [SGD(0.1), Adam(), Adam(1e-3, 0.0, 0.9)]


def kingma_and_ba(theta, gradients, alpha, beta1, beta2, eps):
    """Algorithm 1 of Kingma & Ba (2015) for one number, with both corrected moments written out."""
    m = v = 0.0
    path = []
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - alpha * m_hat / (math.sqrt(v_hat) + eps)
        path.append(theta)
    return path


def test_two_steps_of_adam_by_hand():
    """With β₁ = ½, β₂ = ¾ and gradients 4, −8, the means are m = 2, −3 and v = 4, 19.

    m̂ = 2/½ = 4 and v̂ = 4/¼ = 16, then m̂ = −3/¾ = −4 and v̂ = 19/(7/16) = 304/7.
    """
    adam = Adam(alpha=0.1, beta1=0.5, beta2=0.75, eps=1.0)
    theta, moments = adam.step(np.array([1.0]), np.array([4.0]), adam.start(np.array([1.0])))
    assert theta[0] == pytest.approx(1.0 - 0.1 * 4 / (4 + 1), rel=4 * EPS)
    assert (moments.m[0], moments.v[0], moments.t) == (2.0, 4.0, 1)
    theta, moments = adam.step(theta, np.array([-8.0]), moments)
    assert theta[0] == pytest.approx(0.92 + 0.1 * 4 / (math.sqrt(304 / 7) + 1), rel=4 * EPS)
    assert (moments.m[0], moments.v[0], moments.t) == (-3.0, 19.0, 2)


@pytest.mark.parametrize("eps", [1e-8, 0.1])
@given(
    rng=rngs(),
    n_steps=st.integers(1, 20),
    betas=st.sampled_from([(0.5, 0.9), (0.5, 0.999), (0.9, 0.999), (0.0, 0.9), (0.0, 0.0)]),
)
def test_adam_follows_kingma_and_ba(eps, rng, n_steps, betas):
    adam = Adam(0.01, *betas, eps)
    theta, gradients = rng.standard_normal(3), rng.standard_normal((n_steps, 3))
    expected = [kingma_and_ba(theta[i], gradients[:, i], 0.01, *betas, eps) for i in range(3)]
    moments = adam.start(theta)
    for t in range(n_steps):
        theta, moments = adam.step(theta, gradients[t], moments)
        np.testing.assert_allclose(theta, [path[t] for path in expected], rtol=1e-13, atol=1e-13)
    assert moments.t == n_steps


@given(rng=rngs(), scale=st.floats(1e-3, 1e3))
def test_the_first_step_of_adam_has_size_alpha_whatever_the_scale(rng, scale):
    theta, g = rng.standard_normal(4), scale * (rng.uniform(0.1, 1.0, 4) * rng.choice([-1, 1], 4))
    adam = Adam()
    moved = theta - adam.step(theta, g, adam.start(theta))[0]
    # ε relative to |g| ≥ 1e-4, and the rounding of θ relative to α = 2e-4
    np.testing.assert_allclose(moved, 2e-4 * np.sign(g), rtol=1e-8 / 1e-4 + 8 * EPS / 2e-4)


def test_adam_does_not_move_at_a_zero_gradient():
    theta, adam = np.array([1.0, -2.0]), Adam()
    new, moments = adam.step(theta, np.zeros(2), adam.start(theta))
    np.testing.assert_array_equal(new, theta)
    np.testing.assert_array_equal([moments.m, moments.v], np.zeros((2, 2)))


@given(rng=rngs(), alpha=st.floats(1e-4, 10.0))
def test_eq23_sgd_moves_against_the_gradient(rng, alpha):
    theta, g = rng.standard_normal(4), rng.standard_normal(4)
    new, state = SGD(alpha).step(theta, g, SGD(alpha).start(theta))
    assert state is None
    for i in range(4):
        assert new[i] == pytest.approx(theta[i] - alpha * g[i], rel=4 * EPS, abs=4 * EPS * (1 + alpha * 4))


@given(rng=rngs(), alpha=st.floats(0.01, 0.9))
def test_eq23_descends_a_quadratic_at_the_known_rate(rng, alpha):
    """On ‖θ‖²/2 every step multiplies θ by 1 − α."""
    theta = rng.standard_normal(3)
    start = theta
    for _ in range(5):
        theta, _ = SGD(alpha).step(theta, theta, None)
    np.testing.assert_allclose(theta, (1 - alpha) ** 5 * start, rtol=1e-11)


@pytest.mark.parametrize("make", [SGD, Adam])
@given(rng=rngs(), rate=st.floats(0.0, 1.0))
def test_the_rate_multiplies_alpha(make, rng, rate):
    theta, g = rng.standard_normal(3), rng.standard_normal(3)
    new, _ = make(0.3).step(theta, g, make().start(theta), rate)
    full, _ = make(0.3).step(theta, g, make().start(theta), 1.0)
    np.testing.assert_allclose(new - theta, rate * (full - theta), rtol=1e-12, atol=16 * EPS)


@pytest.mark.parametrize("optim", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_arguments_are_left_alone(optim, dtype):
    rng = np.random.default_rng(0)
    theta, g = rng.standard_normal(3).astype(dtype), rng.standard_normal(3).astype(dtype)
    state = optim.start(theta)
    arrays = [theta, g, *([] if state is None else state[:2])]
    copies = [array.copy() for array in arrays]
    new, new_state = optim.step(theta, g, state, 0.7)
    assert {array.dtype for array in [new, *([] if new_state is None else new_state[:2])]} == {np.dtype(dtype)}
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    again, _ = optim.step(theta, g, state, 0.7)
    np.testing.assert_array_equal(again, new)


def test_table_1():
    """α, β₁, β₂ and n_dis, row by row as printed."""
    printed = {
        "A": (0.0001, 0.5, 0.9, 5),
        "B": (0.0001, 0.5, 0.999, 1),
        "C": (0.0002, 0.5, 0.999, 1),
        "D": (0.001, 0.5, 0.9, 5),
        "E": (0.001, 0.5, 0.999, 5),
        "F": (0.001, 0.9, 0.999, 5),
    }
    rows = {name: (s.adam.alpha, s.adam.beta1, s.adam.beta2, s.n_dis) for name, s in TABLE_1.items()}
    assert rows == printed
    assert {s.adam.eps for s in TABLE_1.values()} == {1e-8}


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.0, 1.0), (0.5, 1.0), (0.75, 1.0), (0.8125, 0.75), (0.875, 0.5), (0.9375, 0.25), (1.0, 0.0)],
)
def test_linear_decay_of_b3(progress, factor):
    assert linear_decay(progress, 0.75) == factor  # all of these are exact in binary


@given(start=st.floats(0.0, 1.0), steps=st.integers(2, 1000))
def test_linear_decay_never_rises_and_is_positive_before_the_end(start, steps):
    factors = [linear_decay(step / steps, start) for step in range(steps)]
    assert (np.diff(factors) <= 0.0).all()
    assert 0.0 < factors[-1] <= factors[0] == 1.0


def test_without_a_start_the_rate_does_not_decay():
    assert [linear_decay(step / 7) for step in range(7)] == [1.0] * 7


NOT_POSITIVE = [0.0, -1.0, math.inf, math.nan]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *[(lambda a=a: SGD(a), f"alpha is {a}") for a in NOT_POSITIVE],
        *[(lambda a=a: Adam(alpha=a), f"alpha is {a}") for a in NOT_POSITIVE],
        *[(lambda a=a: Adam(eps=a), f"eps is {a}") for a in NOT_POSITIVE],
        *[(lambda a=a: Adam(beta1=a), f"beta1 is {a}") for a in (1.0, -0.1, math.nan)],
        *[(lambda a=a: Adam(beta2=a), f"beta2 is {a}") for a in (1.0, -0.1, math.nan)],
    ],
)
def test_a_bad_hyperparameter_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
