"""The kit: checks that neither miss a violation nor invent one, strategies that draw what they say.

Oracles are rational arithmetic, the SVD, and functions whose Lipschitz constant is known.
"""

import doctest
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, find, given, settings, strategies as st
from hypothesis.errors import NoSuchExample
from strategies import EPS, rngs

import specnorm_np
from specnorm_np.bounds.lipschitz import lipschitz_upper_bound
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.spectral import spectral_norm
from specnorm_np.testing import (
    AWKWARD,
    MLP,
    assert_lipschitz,
    find_lipschitz_violation,
    forward_error_bound,
    input_pairs,
    jacobian,
    mlp_params,
    planted_matrices,
    weight_matrices,
)
from specnorm_np.testing.strategies import across_kink

dtypes = st.sampled_from([np.float64, np.float32])
finite = st.floats(-1e300, 1e300)


def minimal(strategy, condition):
    """Return what a failing test would report."""
    return find(strategy, condition, settings=settings(max_examples=500, derandomize=True, database=None))


def occurs(strategy, condition):
    """Tell whether a drawn value is so."""
    try:
        find(strategy, condition, settings=settings(max_examples=1000, phases=[Phase.generate], database=None))
    except NoSuchExample:
        return False
    return True


def fails(*args, **kwargs):
    try:
        assert_lipschitz(*args, **kwargs)
    except AssertionError:
        return True
    return False


# --- assert_lipschitz: no false alarm


@given(x=st.lists(finite, min_size=3, max_size=3), y=st.lists(finite, min_size=3, max_size=3), e=st.integers(-500, 500))
def test_the_identity_is_1_lipschitz_for_every_pair_without_any_error_of_f(x, y, e):
    """Both sides are the same number, which the check computes twice; scaling by a power of two is exact."""
    x, y = np.array(x), np.array(y)
    assert_lipschitz(lambda p: p, 1.0, x, y, error=0.0)
    inside = np.abs(np.append(x, y)[np.append(x, y) != 0.0])
    assume(inside.size == 0 or (inside.min() > 1e-150 and inside.max() < 1e150))
    assert_lipschitz(lambda p: np.ldexp(p, e), 2.0**e, x, y, error=0.0)


@given(x=st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12))
def test_the_rounding_of_the_check_is_no_violation(x):
    """The same numbers in another order: the norms are equal, the computed ones are not always."""
    order = [7, 2, 11, 5, 0, 9, 1, 10, 4, 8, 3, 6]
    assert_lipschitz(lambda p: p[:, order], 1.0, np.array(x), np.zeros(12), error=0.0)


@given(data=st.data(), dtype=dtypes)
def test_a_linear_map_keeps_its_certified_norm_under_the_default_allowance(data, dtype):
    """|Wx| of d ≤ 6 terms errs by at most 6u ‖|W||x|‖ ≤ 6√6 u σ‖x‖ < 64ε σ‖x‖: the assumption holds."""
    W = data.draw(weight_matrices(dtype=dtype, awkward=[a for a in AWKWARD if a not in ("huge", "tiny", "subnormal")]))
    pair = data.draw(input_pairs(W.shape[1], lambda x: x @ W.T, n=3, dtype=dtype))
    assert_lipschitz(lambda x: x @ W.T, lipschitz_upper_bound([W], 1.0), *pair)


@given(data=st.data(), dtype=dtypes)
def test_a_perceptron_keeps_its_certified_bound_under_the_derived_allowance(data, dtype):
    mlp = data.draw(mlp_params(dtype=dtype))
    W = mlp.parameters[0]
    pair = data.draw(input_pairs(W[0].shape[1], mlp=mlp, n=2, dtype=dtype))
    assert_lipschitz(mlp, lipschitz_upper_bound(W, mlp.slope), *pair, error=mlp.error)


def test_a_far_and_a_near_pair_have_their_own_allowance():
    """f errs by 1e-9 everywhere: no violation at a distance of 1e-12, whatever else is in the batch."""
    x, y = np.array([[0.0], [0.0]]), np.array([[1e-12], [1e6]])

    def f(p):
        return p + 1e-9 * (p > 0)

    assert_lipschitz(f, 1.0, x, y, error=1e-9)
    assert fails(f, 1.0, x, y, error=1e-10)
    assert fails(f, 1.0, x, y)
    with pytest.raises(AssertionError, match="row 1"):
        assert_lipschitz(lambda p: f(p) * (1 + 1e-9), 1.0, x, y, error=1e-9)


# --- and no violation missed


@given(x=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
def test_an_excess_of_1e_12_is_seen_if_f_has_no_error(x):
    x = np.array(x)
    assume(np.abs(x).max() > 1e-200)
    assert fails(lambda p: p * (1 + 1e-12), 1.0, x, np.zeros(3), error=0.0)
    assert fails(lambda p: p * (1 + 1e-12), 1.0, np.zeros(3), x, error=np.zeros(2))
    # the default assumes 64ε of f(x), K‖x‖: 3e-14
    assert fails(lambda p: p * (1 + 1e-12), 1.0, x, np.zeros(3))


@given(rng=rngs(), n=st.integers(1, 6), k=st.integers(1, 3), data=st.data())
def test_the_one_bad_pair_of_a_batch_is_found_and_named(rng, n, k, data):
    bad = data.draw(st.integers(0, n - 1))
    x, y = rng.standard_normal((n, k)), rng.standard_normal((n, k))
    x[bad, 0], y[bad, 0] = 10.0, 15.0
    y[bad, 1:] = x[bad, 1:]

    def f(p):
        return np.concatenate([np.maximum(p[:, :1], 2 * p[:, :1] - 12), p[:, 1:]], axis=1)  # kink at 12: slope 2 beyond

    with pytest.raises(AssertionError, match=f"1 of {n} pairs, the worst in row {bad}\n"):
        assert_lipschitz(f, 1.0, x, y)


def test_the_message_shows_pair_values_ratio_and_excess():
    with pytest.raises(AssertionError) as caught:
        assert_lipschitz(lambda p: 3 * p.sum(axis=1), 2.0, [1.0, 0.1], [0.0, 0.1], error=0.25)
    for part in ("x = [1. , 0.1]", "y = [0. , 0.1]", "f(x) = [3.3", "/ ‖x - y‖ = 3 with", "K = 2", "0.5, by 0.5"):
        assert part in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_never_accepted(bad):
    """An assertion that compares would pass NaN."""
    for function in (lambda p: p + bad, lambda p: np.where(p > 0.5, bad, 0.0)):
        assert fails(function, 1.0, [[0.0], [1.0]], [[0.0], [2.0]], error=1e9)
        found = find_lipschitz_violation(function, 1.0, 1, rng=np.random.default_rng(0))
        assert found.excess == np.inf


def test_equal_points_with_different_values_are_a_violation():
    assert fails(lambda p: np.arange(2.0), 1e9, [1.0], [1.0])


def test_points_are_passed_in_their_dtype_at_once_and_stay_as_they_are():
    seen = []

    def f(p):
        seen.append(p.copy())
        p += 1.0
        return p

    def error(p):
        seen.append(p)
        return np.zeros(len(p))

    x, y = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    assert_lipschitz(f, 1.0, x, y, error=error)
    assert [p.dtype for p in seen] == [np.float32] * 2
    for p in seen:
        np.testing.assert_array_equal(p, np.concatenate([x, y]))
    assert x.all()
    assert not y.any()


def test_one_row_of_values_and_integers_will_do():
    assert_lipschitz(lambda p: p[:, 0], 1.0, np.ones((2, 3)), np.zeros((2, 3)))
    assert fails(lambda p: 2 * np.sign(p[:, 0]).astype(int), 1.0, np.ones((2, 3)), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"K": -1.0}, "K is -1"),
        ({"K": np.nan}, "K is nan"),
        ({"ulps": -1.0}, "ulps is -1"),
        ({"ulps": 1e16}, "ulps is 1e"),
        ({"error": -1.0}, "error holds"),
        ({"error": np.nan}, "error holds"),
        ({"x": np.ones((2, 3))}, r"x has shape \(2, 3\)"),
        ({"x": np.array([[1, 2]])}, "x has dtype int"),
        ({"x": np.array([[np.nan, 2.0]])}, "x holds NaN"),
        ({"y": np.array([[1e301, 2.0]])}, "above 1e300"),
        ({"x": np.ones((1, 2), np.float32)}, "dtype float32 and y"),
        ({"f": lambda p: p[:1]}, r"f gave shape \(1, 2\), dtype float64, for 2 points"),
        ({"f": lambda p: p + 1j}, "complex128"),
        ({"f": lambda p: p.sum()}, r"f gave shape \(\)"),
    ],
)
def test_bad_arguments_of_the_check_are_named(arguments, message):
    good = {"f": lambda p: p, "K": 1.0, "x": np.ones((1, 2)), "y": np.zeros((1, 2))}
    with pytest.raises(ValueError, match=message):
        assert_lipschitz(**(good | arguments))


# --- forward_error_bound


def exact(mlp, x):
    """Compute the network at one point in rational arithmetic."""
    h = [Fraction(float(value)) for value in x]
    for l, (W, b) in enumerate(mlp.layers):
        a = [
            sum((Fraction(float(w)) * value for w, value in zip(row, h, strict=True)), Fraction(float(bias)))
            for row, bias in zip(W, b, strict=True)
        ]
        h = a if l + 1 == len(mlp.layers) else [max(value, Fraction(mlp.slope) * value) for value in a]
    return h


def error_share(mlp, x):
    """Return (‖f̂ − f‖ / bound)² of each row, the numerator in rational arithmetic; 0/0 is 0."""
    shares = []
    for point, value, bound in zip(x, mlp(x), mlp.error(x), strict=True):
        square = sum((Fraction(float(v)) - e) ** 2 for v, e in zip(value, exact(mlp, point), strict=True))
        shares.append(float(square / Fraction(float(bound)) ** 2) if bound else float(square > 0))
    return shares


@given(data=st.data(), dtype=st.sampled_from([np.float64, np.float32, np.float16]), rng=rngs())
def test_the_error_bound_of_a_perceptron_holds_exactly(data, dtype, rng):
    mlp = data.draw(mlp_params(dtype=dtype, slopes=(0.0, 0.1, 0.9, 1.0, 3.0)))
    d = mlp.layers[0][0].shape[1]
    drawn = data.draw(input_pairs(d, mlp=mlp, dtype=dtype))[0]
    assert max(error_share(mlp, np.concatenate([drawn, rng.standard_normal((3, d)).astype(dtype)]))) <= 1.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_error_bound_is_not_much_larger_than_errors_are(dtype):
    """The worst of some thousand errors is above a fiftieth of its bound."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(100):
        layers = [(rng.standard_normal((1, 2)).astype(dtype), rng.standard_normal(1).astype(dtype)) for _ in range(1)]
        worst = max(worst, *error_share(MLP(layers, 0.1), rng.standard_normal((10, 2)).astype(dtype)))
    assert worst > (1 / 50) ** 2


def test_the_error_bound_covers_other_orders_of_summation():
    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((d, 40)) * 10.0 ** rng.uniform(-3, 3, 40), rng.standard_normal(d)) for d in (40, 3)]
    mlp, x = MLP(layers, 0.1), rng.standard_normal((5, 40))
    order = rng.permutation(40)
    other = MLP([(layers[0][0][:, order], layers[0][1]), layers[1]], 0.1)(x[:, order])
    assert np.linalg.norm(other - mlp(x), axis=1).max() > 0.0
    assert (np.linalg.norm(other - mlp(x), axis=1) <= 2 * mlp.error(x)).all()


@pytest.mark.parametrize("slope", [0.0, 1000.0])
def test_the_error_bound_follows_an_error_through_the_layers(slope):
    """The first layer cancels, 10⁸ − 10⁸ + 1.3, and the second multiplies what is left: its own rounding is small."""
    W = [np.array([[1e8, 1.0, -1e8]]), np.array([[50.0]])]
    mlp = MLP([(W[0], np.zeros(1)), (W[1], np.zeros(1))], slope)
    x = np.array([[1.1, 1.3 + k / 7, 1.1] for k in range(50)])
    shares = error_share(mlp, x)
    assert 1e-4 < max(shares) <= 1.0


def test_the_error_bound_is_infinite_beyond_the_model_and_refuses_a_negative_slope():
    W = [np.full((1, 3), 1e4, np.float16)]
    assert forward_error_bound(W, [np.zeros(1, np.float16)], 0.0, np.full((1, 3), 10.0, np.float16)) == np.inf
    wide = [np.ones((1, 3000), np.float16)]
    assert forward_error_bound(wide, [np.zeros(1, np.float16)], 0.0, np.zeros((1, 3000), np.float16)) == np.inf
    with pytest.raises(ValueError, match="slope is -1"):
        forward_error_bound([np.eye(1)], [np.zeros(1)], -1, np.ones((1, 1)))


# --- find_lipschitz_violation


@given(W=weight_matrices(awkward=[a for a in AWKWARD if a not in ("huge", "tiny", "subnormal")]), rng=rngs())
@settings(max_examples=max(settings().max_examples // 4, 10))
def test_the_search_finds_the_norm_of_a_linear_map_and_not_more(W, rng):
    sigma = spectral_norm(W)
    few = {"n": 64, "n_rounds": 4, "rng": rng}
    assert find_lipschitz_violation(lambda x: x @ W.T, lipschitz_upper_bound([W], 1.0), W.shape[1], **few) is None
    if sigma > 0:
        found = find_lipschitz_violation(lambda x: x @ W.T, 0.999 * sigma, W.shape[1], **few)
        assert found.ratio == pytest.approx(sigma, rel=1e-6)
        assert found.ratio == pytest.approx(
            np.linalg.norm(W @ (found.x - found.y)) / np.linalg.norm(found.x - found.y), rel=1e-6
        )
        assert found.excess == pytest.approx((found.ratio - found.K) * found.distance - found.allowance, rel=1e-6)


def test_the_search_climbs_to_what_random_pairs_miss():
    """A ridge of slope 3 that is 0.1 wide, in 20 dimensions, beside slope 1."""
    w = np.ones(20) / np.sqrt(20)

    def f(x):
        return (x @ w) + 2 * np.clip(x @ w - 0.2, 0.0, 0.1)

    blind = find_lipschitz_violation(f, 1.0, 20, n=8, n_rounds=0, rng=np.random.default_rng(0))
    found = find_lipschitz_violation(f, 1.0, 20, n=8, rng=np.random.default_rng(0))
    assert found.ratio == pytest.approx(3.0, rel=1e-6)
    assert blind is None or blind.ratio < 2.0


def test_the_search_sees_what_is_steep_on_a_fine_scale_only():
    """A triangle wave of period 0.001 and slope 2, on top of slope 1: nothing to see between far points."""

    def f(x):
        return x[:, 0] + 0.001 * np.abs(2 * (1000 * x[:, 0] % 1.0) - 1)

    for rounds in (0, 4):
        found = find_lipschitz_violation(f, 1.5, 1, n_rounds=rounds, rng=np.random.default_rng(0))
        assert found.ratio == pytest.approx(3.0, rel=1e-6)
        assert found.distance < 0.001


def test_the_search_keeps_to_its_generator_and_its_dtype():
    def f(x):
        assert x.dtype == np.float32
        return np.abs(x).sum(axis=1)

    one, other = (find_lipschitz_violation(f, 1.0, 2, dtype=np.float32, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.x, other.x)
    assert one.x.dtype == np.float32
    assert one.ratio == pytest.approx(np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("arguments", [{"d": 0}, {"n": 0}, {"n_rounds": -1}, {"radius": 0.0}])
def test_bad_arguments_of_the_search_are_named(arguments):
    with pytest.raises(ValueError, match="d, n, n_rounds, radius are"):
        find_lipschitz_violation(**({"f": lambda x: x, "K": 1.0, "d": 2} | arguments), rng=np.random.default_rng(0))


@given(W=weight_matrices(max_d=4, awkward=()), rng=rngs(), step=st.sampled_from([1e-3, 0.5]))
def test_the_jacobian_of_a_linear_map_is_its_matrix(W, rng, step):
    x = rng.standard_normal(W.shape[1])
    J = jacobian(lambda p: p @ W.T, x, step)
    np.testing.assert_allclose(J, W, rtol=0, atol=1e3 * EPS * np.linalg.norm(W) * (1 + np.linalg.norm(x)) / step)


# --- the five bugs that a bound of 1 does not survive, in a plain function each


def orthogonal(d, rng):
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def one_iteration(rng):
    W = rng.standard_normal((16, 16))
    normalizer = SpectralNorm(n_iter=1)
    W_bar = normalizer.normalize(W, normalizer.start(W, rng=rng))
    return lambda x: x @ W_bar.T


def eps_in_the_square_root(rng):
    W = 0.03 * orthogonal(16, rng)
    u = rng.standard_normal(16)
    for _ in range(200):
        v = W.T @ u / np.sqrt(np.sum((W.T @ u) ** 2) + 1e-4)
        u = W @ v / np.sqrt(np.sum((W @ v) ** 2) + 1e-4)
    return lambda x: x @ (W / (u @ W @ v)).T


def slope_above_one(rng):
    W, M = orthogonal(16, rng), orthogonal(16, rng)
    return lambda x: np.maximum(x @ W.T, 1.5 * (x @ W.T)) @ M.T


def residual_sum(rng):
    W, M = orthogonal(16, rng), orthogonal(16, rng)
    return lambda x: x + np.maximum(x @ W.T, 0.0) @ M.T


def sum_pooling(rng):
    W = orthogonal(16, rng)
    return lambda x: np.maximum(x @ W.T, 0.0).sum(axis=1)


BROKEN = [one_iteration, eps_in_the_square_root, slope_above_one, residual_sum, sum_pooling]


@pytest.mark.parametrize("make", BROKEN)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_each_broken_promise(make, seed):
    rng = np.random.default_rng(seed)
    assert find_lipschitz_violation(make(rng), 1.0, 16, rng=rng).ratio > 1.1


@pytest.mark.parametrize("make", BROKEN)
def test_drawn_pairs_find_each_broken_promise(make):
    f = make(np.random.default_rng(0))
    assert occurs(input_pairs(16, f, n=4), lambda pair: fails(f, 1.0, *pair))


def test_the_right_versions_survive_both():
    rng = np.random.default_rng(0)
    W, M = orthogonal(16, rng), orthogonal(16, rng)
    rights = [
        lambda x: x @ W.T,
        lambda x: np.maximum(x @ W.T, 0.2 * (x @ W.T)) @ M.T,
        lambda x: 0.5 * x + 0.5 * np.maximum(x @ W.T, 0.0) @ M.T,
        lambda x: np.maximum(x @ W.T, 0.0).sum(axis=1) / 4.0,
    ]
    for f in rights:
        assert find_lipschitz_violation(f, 1.0, 16, rng=rng) is None
        for dtype in (np.float64, np.float32):

            @settings(max_examples=settings().max_examples // 5)
            @given(pair=input_pairs(16, f, n=2, dtype=dtype))
            def check(f, pair):
                assert_lipschitz(f, 1.0, *pair)

            check(f)


# --- strategies


@given(data=st.data(), dtype=dtypes)
def test_planted_matrices_have_their_decomposition(data, dtype):
    p = data.draw(planted_matrices(dtype=dtype))
    assert p.W.dtype == dtype
    k = len(p.s)
    np.testing.assert_allclose(p.U.T @ p.U, np.eye(k), atol=50 * EPS)
    np.testing.assert_allclose(p.V.T @ p.V, np.eye(k), atol=50 * EPS)
    s = np.linalg.svd(p.W.astype(float), compute_uv=False)
    atol = 50 * float(np.finfo(dtype).eps) * p.s[0]
    np.testing.assert_allclose(s, np.append(p.s, np.zeros(len(s) - k)), rtol=0, atol=atol)


@given(data=st.data(), r=st.sampled_from([1.0, 0.5, (0.2, 0.3)]), rank=st.integers(2, 3))
def test_planted_matrices_have_the_wanted_shape_rank_ratio_and_norm(data, r, rank):
    p = data.draw(planted_matrices(4, 3, rank=rank, r=r, sigma=(2.0, 3.0)))
    low, high = r if isinstance(r, tuple) else (r, r)
    assert p.W.shape == (4, 3)
    assert len(p.s) == np.linalg.matrix_rank(p.W, tol=1e-9) == rank
    assert low * (1 - EPS) <= p.s[1] / p.s[0] <= high * (1 + EPS)
    assert 2.0 <= p.s[0] <= 3.0
    assert (np.diff(p.s) <= 0).all()


@given(p=planted_matrices(2, 5, rank=0))
def test_rank_0_is_zero(p):
    assert not p.W.any()
    assert p.s.shape == (0,)


@pytest.mark.parametrize("arguments", [{"rank": 3}, {"rank": -1}, {"r": 0.0}, {"r": 1.5}, {"sigma": 0.0}])
def test_a_spectrum_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        minimal(planted_matrices(2, 2, **arguments), lambda p: True)


LOOKS = {
    "zero": lambda W: not W.any(),
    "one entry": lambda W: np.count_nonzero(W) == 1,
    "ones": lambda W: (W == 1).all(),
    "rank one": lambda W: np.linalg.matrix_rank(W) == 1,
    "repeated": lambda W: np.ptp(np.linalg.svd(W, compute_uv=False)[:2]) < 1e-12 and W.any(),
    "orthogonal": lambda W: np.abs(W).max() <= 1.0 and np.allclose(W.T @ W, np.eye(3)),  # a huge one would overflow
    "tiny": lambda W: 0 < np.abs(W).max() < 1e-300,
    "subnormal": lambda W: 0 < np.abs(W).max() < np.finfo(float).tiny,
    "huge": lambda W: np.abs(W).max() > 1e300,
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_awkward_matrices_occur(kind):
    assert occurs(weight_matrices(3, 3), LOOKS[kind])


@given(W=weight_matrices(awkward=()))
def test_without_awkward_ones_norms_are_moderate(W):
    assert np.linalg.norm(W, 2) == 0.0 or 2.0**-11 < np.linalg.norm(W, 2) < 2.0**11


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (4, 4)])
def test_awkward_shapes_occur(shape):
    assert occurs(weight_matrices(max_d=4), lambda W: W.shape == shape)


@given(data=st.data(), dtype=st.sampled_from([np.float64, np.float32, np.float16]))
def test_weights_and_networks_are_finite_of_their_dtype_and_shape(data, dtype):
    W = data.draw(weight_matrices(2, dtype=dtype))
    assert (W.dtype, len(W)) == (dtype, 2)
    assert np.isfinite(W).all()
    mlp = data.draw(mlp_params(3, 1, dtype=dtype))
    assert mlp(np.zeros((4, 3), dtype)).shape == (4, 1)
    assert mlp(np.zeros((4, 3), dtype)).dtype == dtype


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'weird'"):
        minimal(weight_matrices(awkward=["weird"]), lambda W: np.isnan(W).any())


@given(data=st.data(), dtype=dtypes, n=st.integers(1, 3))
def test_pairs_are_finite_of_their_dtype_and_shape(data, dtype, n):
    mlp = data.draw(mlp_params(2, dtype=dtype))
    x, y = data.draw(input_pairs(2, mlp=mlp, directions=[[1.0, 2.0]], n=n, dtype=dtype))
    for p in (x, y):
        assert p.shape == (n, 2)
        assert p.dtype == dtype
        assert np.isfinite(p).all()


ONE_KINK = MLP([(np.array([[3.0, 4.0], [0.0, 0.5]]), np.array([-1.0, 0.0])), (np.ones((1, 2)), np.zeros(1))], 0.0)


def along(v, condition=lambda t: True):
    def is_along(pair):
        step = pair[1][0] - pair[0][0]
        length = np.linalg.norm(step)
        return 1e-6 < length < 1.0 and abs(abs(step @ v) - length) < 1e-9 * length and condition(length)

    return is_along


def test_pairs_are_far_near_along_directions_and_across_kinks():
    assert occurs(input_pairs(2), lambda pair: np.linalg.norm(pair[0] - pair[1]) > 10)
    assert occurs(input_pairs(2), lambda pair: 0 < np.linalg.norm(pair[0] - pair[1]) < 1e-6)
    given_direction = np.array([0.6, -0.8])
    assert occurs(input_pairs(2, directions=[5 * given_direction]), along(given_direction))
    first = np.linalg.svd(ONE_KINK.layers[0][0])[2][0]
    assert occurs(input_pairs(2, mlp=ONE_KINK), along(first, lambda t: t < 0.01))
    steep = np.array([1.0, 2.0]) / np.sqrt(5)
    A = np.array([steep, [-0.2, 0.1]])
    assert occurs(input_pairs(2, lambda x: x @ A.T), along(steep, lambda t: t < 0.01))

    def straddles(pair):
        a, c = (ONE_KINK.layers[0][0] @ p[0] + ONE_KINK.layers[0][1] for p in pair)
        return a[0] * c[0] < 0 and np.linalg.norm(pair[0] - pair[1]) < 1e-3

    assert occurs(input_pairs(2, mlp=ONE_KINK), straddles)


def test_a_kink_is_found_through_a_leaky_unit():
    """a₂ = ½(x − 3) + 2 left of 3, so the kink is at −1."""
    layers = [(np.eye(1), np.array([-3.0])), (np.eye(1), np.array([2.0])), (np.eye(1), np.zeros(1))]
    x, v = across_kink(MLP(layers, 0.5), 1, 0, np.array([1.0]))
    assert (x, v) == (-1.0, 1.0)


@given(data=st.data())
def test_a_kink_is_found_in_any_hidden_layer(data):
    mlp = data.draw(mlp_params(3, slopes=(0.5, 1.0)))
    assume(len(mlp.layers) > 1)
    l = data.draw(st.integers(0, len(mlp.layers) - 2))
    x, v = across_kink(mlp, l, 0, np.ones(3))
    pre = MLP(mlp.layers[: l + 1], mlp.slope)
    sides = pre(np.array([x - 1e-3 * v, x, x + 1e-3 * v]))[:, 0]
    if np.linalg.norm(v) > 0 and abs(sides[1]) < 1e-9:  # 0 where nothing depends on x; Newton may cycle between kinks
        assert sides[0] < 0 < sides[2]
    elif l == 0:
        assert not v.any()


def test_counterexamples_are_small_and_readable():
    np.testing.assert_array_equal(minimal(weight_matrices(), lambda W: spectral_norm(W) > 0.5), [[1.0]])
    np.testing.assert_array_equal(minimal(weight_matrices(2, 2), lambda W: np.linalg.norm(W) > 3), [[0, 0], [0, 4]])
    np.testing.assert_array_equal(
        minimal(planted_matrices(3, 3, rank=2, sigma=(1.0, 2.0)), lambda p: True).U, np.eye(3)[:, :2]
    )
    x, y = minimal(input_pairs(2), lambda pair: fails(lambda p: 2 * p, 1.0, *pair))
    assert set(np.append(x, y)) <= {-1.0, 0.0, 1.0}
    mlp = minimal(
        mlp_params(2, 1, max_width=2, max_hidden=1), lambda mlp: len(mlp.layers) == 2 and mlp(np.ones((1, 2)))[0, 0] > 1
    )
    assert mlp.slope == 0.0
    entries = np.concatenate([array.ravel() for layer in mlp.layers for array in layer])
    assert np.count_nonzero(entries) <= 3
    np.testing.assert_array_equal(2 * entries, np.round(2 * entries))


# --- the module


def test_the_examples_of_the_docstring_run():
    assert doctest.testmod(specnorm_np.testing).failed == 0


def test_no_other_module_needs_hypothesis():
    found = 0
    for path in Path(specnorm_np.__file__).parent.rglob("*.py"):
        needs = re.search(r"^\s*(from|import) .*(hypothesis|specnorm_np\.testing\.strategies)", path.read_text(), re.M)
        assert not needs or path.parts[-2] == "testing", path
        found += bool(needs)
    assert found == 2  # the strategies, and the names that `specnorm_np.testing` has for type checkers


@pytest.mark.parametrize("bias", [1.0, 100.0])
def test_the_rounding_of_a_bias_is_no_violation(bias):
    """Neither f(x) = (x + c) − c, nor a network minus its value at 0, is refuted at a bound that is 1 % loose."""
    assert find_lipschitz_violation(lambda x: (x + bias) - bias, 1.01, 1, rng=np.random.default_rng(0)) is None
    for seed in range(5):
        rng = np.random.default_rng(seed)
        W, b = rng.standard_normal((16, 2)), bias * rng.standard_normal(16)
        w = rng.standard_normal(16)

        def f(x, W=W, b=b, w=w):
            return np.maximum(x @ W.T + b, 0.0) @ w - np.maximum(b, 0.0) @ w

        K = 1.01 * lipschitz_upper_bound([W, w[None]], 0.0)
        assert find_lipschitz_violation(f, K, 2, rng=rng) is None
    steep = find_lipschitz_violation(lambda x: (2.0 * x + bias) - bias, 1.01, 1, rng=np.random.default_rng(0))
    assert steep is not None
    assert steep.ratio == pytest.approx(2.0, rel=1e-4)
