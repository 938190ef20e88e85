"""The objectives against closed forms, differences and their limits. Eqs. (2), (15)-(17)."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import EPS, rngs

from specnorm_np.losses import (
    HINGE,
    SATURATING,
    STANDARD,
    WASSERSTEIN,
    hinge_d,
    mean_g,
    non_saturating_g,
    saturating_g,
    sigmoid,
    softplus,
    standard_d,
    wasserstein_d,
)
from specnorm_np.testing.gradcheck import check_gradient

D_LOSSES = [standard_d, hinge_d, wasserstein_d]
G_LOSSES = [non_saturating_g, saturating_g, mean_g]
LOSSES = {"standard": STANDARD, "saturating": SATURATING, "hinge": HINGE, "wasserstein": WASSERSTEIN}


def column(*values, dtype=np.float64):
    return np.array(values, dtype)[:, None]


def logits(rng, n):
    """Draw f of both signs, no two alike, none within 1e-3 of the kinks ±1 of the hinge."""
    f = rng.uniform(-4, 4, (n, 1))
    return np.where(np.abs(np.abs(f) - 1.0) < 1e-3, f + 0.01, f)


sizes = st.integers(1, 6)


# --- the link (2)


@given(x=st.floats(-700, 700))
def test_eq2_sigmoid_is_the_logistic_function(x):
    exact = 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))
    # the exponent softplus(−x) is up to 700 and carries its relative error as an absolute one
    assert sigmoid(np.array([x]))[0] == pytest.approx(exact, rel=4 * EPS * (1 + abs(x)))


@given(x=st.floats(-700, 700), y=st.floats(-700, 700))
def test_eq2_sigmoid_is_increasing_between_0_and_1_and_symmetric(x, y):
    s, t = sigmoid(np.array([x, y]))
    assert 0.0 <= s <= 1.0
    assert (x <= y) <= (s <= t)
    assert s + sigmoid(np.array([-x]))[0] == pytest.approx(1.0, rel=4 * EPS)


@given(x=st.floats(-700, 30))
def test_eq2_log_sigmoid_is_minus_softplus(x):
    assert math.log(sigmoid(np.array([x]))[0]) == pytest.approx(-softplus(np.array([-x]))[0], rel=1e-12, abs=4 * EPS)


@given(x=st.floats(-1e300, 1e300))
def test_softplus_lies_between_its_asymptotes(x):
    value = softplus(np.array([x]))[0]
    assert max(x, 0.0) <= value <= max(x, 0.0) + math.log(2.0) * (1 + EPS)
    assert value - softplus(np.array([-x]))[0] == pytest.approx(x, rel=4 * EPS, abs=4 * EPS)


# --- (15)


@given(rng=rngs(), n=sizes, m=sizes)
def test_eq15_is_minus_the_expected_log_likelihood(rng, n, m):
    f_real, f_fake = logits(rng, n), logits(rng, m)
    D_real, D_fake = 1 / (1 + np.exp(-f_real)), 1 / (1 + np.exp(-f_fake))
    V = np.mean(np.log(D_real)) + np.mean(np.log(1 - D_fake))
    assert standard_d(f_real, f_fake)[0] == pytest.approx(-V, rel=1e-12)
    assert saturating_g(f_fake)[0] == pytest.approx(np.mean(np.log(1 - D_fake)), rel=1e-12)
    assert non_saturating_g(f_fake)[0] == pytest.approx(-np.mean(np.log(D_fake)), rel=1e-12)


def test_eq15_at_chance_is_twice_log_2():
    loss, df_real, df_fake = standard_d(np.zeros((3, 1)), np.zeros((5, 1)))
    assert loss == pytest.approx(2 * math.log(2), rel=4 * EPS)
    np.testing.assert_allclose(df_real, -0.5 / 3, rtol=4 * EPS)
    np.testing.assert_allclose(df_fake, 0.5 / 5, rtol=4 * EPS)


@given(rng=rngs(), n=sizes)
def test_eq15_is_never_below_zero_and_falls_as_d_gets_better(rng, n):
    f_real, f_fake, better = logits(rng, n), logits(rng, n), rng.uniform(0.1, 3)
    assert 0.0 < standard_d(f_real + better, f_fake - better)[0] < standard_d(f_real, f_fake)[0]


# --- (16), (17)


def test_eq16_by_hand():
    loss, df_real, df_fake = hinge_d(column(2.0, 0.5, -1.0, 1.0), column(-3.0, 0.0))
    assert loss == (0 + 0.5 + 2 + 0) / 4 + (0 + 1) / 2
    np.testing.assert_array_equal(df_real, column(0, -0.25, -0.25, 0))
    np.testing.assert_array_equal(df_fake, column(0, 0.5))


@given(rng=rngs(), n=sizes, m=sizes)
def test_eq16_vanishes_exactly_when_every_margin_is_kept(rng, n, m):
    f_real, f_fake = logits(rng, n), logits(rng, m)
    kept = bool((f_real >= 1).all() and (f_fake <= -1).all())
    loss, df_real, df_fake = hinge_d(f_real, f_fake)
    assert (loss == 0.0) == kept
    assert loss >= 0.0
    outside = np.abs(f_real) + np.abs(f_fake[:1]) + 1
    loss, df_real, df_fake = hinge_d(outside, -outside)
    assert loss == 0.0
    assert not df_real.any()
    assert not df_fake.any()


def test_eq16_takes_the_zero_side_of_its_kinks():
    _, df_real, df_fake = hinge_d(column(1.0), column(-1.0))
    assert df_real == df_fake == 0.0


@given(rng=rngs(), n=sizes)
def test_eq17_is_minus_the_mean(rng, n):
    f = logits(rng, n)
    loss, df = mean_g(f)
    assert loss == pytest.approx(-sum(f[:, 0]) / n, rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(df, -1.0 / n, rtol=EPS)


@given(rng=rngs(), n=sizes, m=sizes, c=st.floats(-10, 10))
def test_wasserstein_is_a_difference_of_means_that_a_shift_does_not_change(rng, n, m, c):
    f_real, f_fake = logits(rng, n), logits(rng, m)
    loss = wasserstein_d(f_real, f_fake)[0]
    assert loss == pytest.approx(sum(f_fake[:, 0]) / m - sum(f_real[:, 0]) / n, rel=1e-12, abs=1e-13)
    assert wasserstein_d(f_real + c, f_fake + c)[0] == pytest.approx(loss, rel=1e-12, abs=1e-13)


# --- gradients, of all


@pytest.mark.parametrize("d", D_LOSSES)
@given(rng=rngs(), n=sizes, m=sizes)
def test_eq15_eq16_gradients_of_d(d, rng, n, m):
    f_real, f_fake = logits(rng, n), logits(rng, m)
    _, df_real, df_fake = d(f_real, f_fake)
    check_gradient(lambda f: d(f, f_fake)[0], f_real, df_real)
    check_gradient(lambda f: d(f_real, f)[0], f_fake, df_fake)


@pytest.mark.parametrize("g", G_LOSSES)
@given(rng=rngs(), n=sizes)
def test_eq15_eq17_gradients_of_g(g, rng, n):
    f = logits(rng, n)
    check_gradient(lambda f: g(f)[0], f, g(f)[1])


@pytest.mark.parametrize("d", D_LOSSES)
@given(rng=rngs(), n=sizes, m=sizes)
def test_swapping_and_negating_real_and_fake_changes_nothing(d, rng, n, m):
    f_real, f_fake = logits(rng, n), logits(rng, m)
    loss, df_real, df_fake = d(f_real, f_fake)
    swapped, d_first, d_second = d(-f_fake, -f_real)
    assert swapped == pytest.approx(loss, rel=1e-13, abs=1e-14)
    np.testing.assert_allclose(d_first, -df_fake, rtol=1e-13)
    np.testing.assert_allclose(d_second, -df_real, rtol=1e-13)


@pytest.mark.parametrize("d", D_LOSSES)
@given(rng=rngs(), n=sizes, m=sizes)
def test_losses_are_means(d, rng, n, m):
    """Every point twice: the same loss, half the gradient."""
    f_real, f_fake = logits(rng, n), logits(rng, m)
    loss, df_real, _ = d(f_real, f_fake)
    doubled, df_doubled, _ = d(np.concatenate([f_real, f_real]), f_fake)
    assert doubled == pytest.approx(loss, rel=1e-13, abs=1e-14)
    np.testing.assert_allclose(df_doubled[:n], df_real / 2, rtol=1e-13)


@given(rng=rngs(), n=sizes)
def test_d_and_the_saturating_g_play_for_the_same_value(rng, n):
    """G's half of (15) is minus D's term of the generated points; the non-saturating cost pushes the same way."""
    f = logits(rng, n)
    df_d = standard_d(f, f)[2]
    np.testing.assert_allclose(saturating_g(f)[1], -df_d, rtol=1e-13)
    assert (np.sign(saturating_g(f)[1]) == np.sign(non_saturating_g(f)[1])).all()


def test_the_saturating_cost_stops_where_d_is_sure_and_the_other_does_not():
    f = column(-40.0)
    assert abs(saturating_g(f)[1][0, 0]) < 1e-17
    assert non_saturating_g(f)[1][0, 0] == pytest.approx(-1.0)


# --- the ends of the range; a warning would be an error


@pytest.mark.parametrize(("dtype", "big"), [(np.float32, 1e4), (np.float64, 1e4), (np.float64, 1e30)])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1), (0, 0)])
def test_extreme_logits(dtype, big, signs):
    f_real, f_fake = column(signs[0] * big, dtype=dtype), column(signs[1] * big, dtype=dtype)
    tol = 4 * float(np.finfo(dtype).eps)
    # from afar softplus and relu are the same; at 0 they are log 2 with slope ½, and 1 with slope 1
    wrong, at_zero = (max(0.0, -signs[0] * big), max(0.0, signs[1] * big)), signs == (0, 0)
    slopes = [float(w > 0.0) for w in wrong]
    for d, loss, df in [
        (standard_d, sum(wrong) + at_zero * 2 * math.log(2), [s + at_zero / 2 for s in slopes]),
        (hinge_d, sum(w + 1.0 for w in wrong if w > 0.0) + at_zero * 2, [s + at_zero for s in slopes]),
        (wasserstein_d, (signs[1] - signs[0]) * big, [1.0, 1.0]),
    ]:
        value, df_real, df_fake = d(f_real, f_fake)
        assert value == pytest.approx(loss, rel=tol)
        np.testing.assert_allclose([df_real[0, 0], df_fake[0, 0]], [-df[0], df[1]], rtol=tol)


@pytest.mark.parametrize(("dtype", "big"), [(np.float32, 1e4), (np.float64, 1e4), (np.float64, 1e30)])
def test_extreme_logits_of_g(dtype, big):
    up, down, tol = column(big, dtype=dtype), column(-big, dtype=dtype), 4 * float(np.finfo(dtype).eps)
    for g, f, loss, slope in [
        (non_saturating_g, up, 0.0, 0.0),
        (non_saturating_g, down, big, -1.0),
        (saturating_g, up, -big, -1.0),
        (saturating_g, down, 0.0, 0.0),
        (mean_g, up, -big, -1.0),
        (mean_g, down, big, -1.0),
    ]:
        value, df = g(f)
        assert value == pytest.approx(loss, rel=tol)
        np.testing.assert_allclose(df, slope, rtol=tol)


# --- types


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_keep_dtype_and_shape_and_losses_are_floats(name, dtype):
    rng = np.random.default_rng(0)
    f_real, f_fake = rng.standard_normal((3, 1)).astype(dtype), rng.standard_normal((5, 1)).astype(dtype)
    copies = f_real.copy(), f_fake.copy()
    d_loss, df_real, df_fake = LOSSES[name].d(f_real, f_fake)
    g_loss, df = LOSSES[name].g(f_fake)
    assert type(d_loss) is type(g_loss) is float
    assert [array.shape for array in (df_real, df_fake, df)] == [(3, 1), (5, 1), (5, 1)]
    assert {array.dtype for array in (df_real, df_fake, df)} == {np.dtype(dtype)}
    np.testing.assert_array_equal(f_real, copies[0])
    np.testing.assert_array_equal(f_fake, copies[1])


@pytest.mark.parametrize("x", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_softplus_and_sigmoid_keep_float32(x):
    assert softplus(np.array([x], np.float32)).dtype == sigmoid(np.array([x], np.float32)).dtype == np.float32


def test_the_four_losses_pair_the_functions_as_the_paper_does():
    assert (STANDARD.d, STANDARD.g) == (standard_d, non_saturating_g)
    assert (SATURATING.d, SATURATING.g) == (standard_d, saturating_g)
    assert (HINGE.d, HINGE.g) == (hinge_d, mean_g)
    assert (WASSERSTEIN.d, WASSERSTEIN.g) == (wasserstein_d, mean_g)


@given(rng=rngs(), n=sizes)
def test_eq3_the_best_d_of_the_standard_loss_is_the_log_ratio(rng, n):
    """On points that are real with weight q and generated with weight p, d loss/df vanishes at f = log q − log p."""
    copies_real, copies_fake = rng.integers(1, 6, n), rng.integers(1, 6, n)
    q, p = copies_real / copies_real.sum(), copies_fake / copies_fake.sum()
    f = np.log(q) - np.log(p)
    _, df_real, df_fake = standard_d(np.repeat(f, copies_real)[:, None], np.repeat(f, copies_fake)[:, None])
    owner_real, owner_fake = np.repeat(np.arange(n), copies_real), np.repeat(np.arange(n), copies_fake)
    total = np.bincount(owner_real, df_real[:, 0], n) + np.bincount(owner_fake, df_fake[:, 0], n)
    np.testing.assert_allclose(total, 0.0, rtol=0, atol=1e-14)


def test_eq16_a_loss_of_zero_has_no_sign():
    loss, *_ = hinge_d(np.array([[2.0], [1.0]]), np.array([[-1.5]]))
    assert loss == 0.0
    assert not np.signbit(loss)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.bool_, list])
def test_whole_numbers_are_taken_as_they_are(dtype):
    """The right values are those of the same numbers as float64."""
    real, fake = np.array([[1.0], [0.0], [0.0], [1.0]]), np.array([[0.0], [1.0], [1.0]])
    given = (real.tolist(), fake.tolist()) if dtype is list else (real.astype(dtype), fake.astype(dtype))
    for loss in (STANDARD, SATURATING, HINGE, WASSERSTEIN):
        for found, expected in zip(loss.d(*given), loss.d(real, fake), strict=True):
            np.testing.assert_array_equal(found, expected)
        for found, expected in zip(loss.g(given[1]), loss.g(fake), strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(softplus(given[0]), softplus(real))


def test_sigmoid_of_whole_numbers():
    expected = [0.2689414213699951, 0.5, 0.7310585786300049, 0.8807970779778823]
    np.testing.assert_allclose(sigmoid(np.array([-1, 0, 1, 2])), expected, rtol=1e-15)
    assert sigmoid(0.0) == sigmoid(0) == 0.5
    np.testing.assert_allclose(sigmoid(np.array([1], np.uint8)), [0.7310585786300049], rtol=1e-15)


def test_the_hinge_gradient_has_no_negative_zero_where_a_margin_is_kept():
    _, df_real, df_fake = HINGE.d(np.array([[2.0], [0.0]]), np.array([[-2.0], [0.0]]))
    assert df_real.tolist() == [[0.0], [-0.5]]
    assert df_fake.tolist() == [[0.0], [0.5]]
    assert not np.signbit(df_real[0])
    assert not np.signbit(df_fake[0])
