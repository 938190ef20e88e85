"""Bounds of σ(W) against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from specnorm_np.bounds.certificates import (
    _upper,
    certified_normalization,
    certify_upper,
    convergence,
    iterations_needed,
    spectral_norm_bounds,
)
from specnorm_np.spectral import random_direction, spectral_norm

EPS = 2.0**-52
SEEDS = range(3000)


def compare(c, W):
    """Sign of c − σ(W), exactly: that of the least eigenvalue of c² I − WᵀW, by elimination in fractions."""
    if c == math.inf:
        return 1
    rows = [[Fraction(float(x)) for x in row] for row in (W if W.shape[0] < W.shape[1] else W.T)]
    S = [[-sum(map(Fraction.__mul__, x, y)) for y in rows] for x in rows]
    for i in range(len(S)):
        S[i][i] += Fraction(float(c)) ** 2
    sign = 1
    while S:
        pivot, *rest = S[0]
        if pivot < 0 or (pivot == 0 and any(rest)):
            return -1
        if pivot == 0:
            sign = 0
            S = [row[1:] for row in S[1:]]
        else:
            S = [[x - row[0] * y / pivot for x, y in zip(row[1:], rest, strict=True)] for row in S[1:]]
    return sign


def gaussian(rng, shape):
    return rng.standard_normal(shape)


def gaussian32(rng, shape):
    return rng.standard_normal(shape).astype(np.float32)


def wide_range(rng, shape):
    return rng.standard_normal(shape) * 10.0 ** rng.uniform(-300, 300, shape)


def subnormal(rng, shape):
    return rng.integers(-9, 10, shape) * 5e-324


def subnormal32(rng, shape):
    return (rng.integers(-9, 10, shape) * 1.4e-45).astype(np.float32)


def beside_subnormal(rng, shape):
    return np.where(rng.random(shape) < 0.5, rng.standard_normal(shape), 5e-324)


def rank_one(rng, shape):
    return np.outer(rng.integers(1, 2**26, shape[0]), rng.integers(-(2**26), 2**26, shape[1])) * 1.0


def orthogonal(rng, shape):
    n = max(shape)
    return np.linalg.qr(rng.standard_normal((n, n)))[0][: shape[0], : shape[1]]


def repeated(rng, shape):
    a, b = rng.integers(1, 2**20, 2)
    return np.kron(np.eye((shape[0] + 1) // 2), [[a, -b], [b, a]]) * 1.0


def nearly_repeated(rng, shape):
    U, V = orthogonal(rng, (shape[0],) * 2), orthogonal(rng, (shape[1],) * 2)
    sigma = 1.0 + rng.integers(0, 4, min(shape)) * EPS
    return (U[:, : min(shape)] * sigma) @ V[: min(shape)]


def with_zeros(rng, shape):
    return rng.standard_normal(shape) * (rng.random(shape) < 0.3)


def near_overflow(rng, shape):
    return rng.choice([-1.7e308, 1e308, 1.0], shape)


FAMILIES = (
    gaussian, gaussian32, wide_range, subnormal, subnormal32, beside_subnormal, rank_one, orthogonal, repeated,
    nearly_repeated, with_zeros, near_overflow,
)  # fmt: skip


def drawn(seed, families=FAMILIES):
    rng = np.random.default_rng(seed)
    return families[seed % len(families)](rng, tuple(rng.integers(1, 6, 2)))


def finite(dtype):
    width = np.dtype(dtype).itemsize * 8
    return arrays(dtype, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.floats(
        allow_nan=False, allow_infinity=False, width=width))  # fmt: skip


any_matrix = finite(np.float64) | finite(np.float32)


def gram_iteration(W, n_iter=10):
    """The upper bound of Delattre et al. (2023), as they compute it: without outward rounding."""
    G, log_scale = W.astype(np.float64), 0.0
    for _ in range(n_iter):
        norm = np.linalg.norm(G)
        log_scale = 2 * (log_scale + np.log(norm))
        G = (G / norm).T @ (G / norm)
    return np.linalg.norm(G) ** 2.0**-n_iter * np.exp(log_scale * 2.0**-n_iter)


def planted(sigma, rng):
    n = len(sigma)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return (U * sigma) @ V.T, U, V


# The judge of everything below.


@pytest.mark.parametrize(
    ("W", "sigma"),
    [([[3, -4], [4, 3]], 5.0), ([[3, 4]], 5.0), ([[2, 2], [1, 1], [0, 0]], None), ([[0, 0]], 0.0),
     ([[3, 0, 0], [0, 1, 0], [0, 0, 3]], 3.0), ([[1, 1], [1, 1]], 2.0)],
)  # fmt: skip
def test_comparison_is_exact_to_the_last_bit(W, sigma):
    W = np.array(W, float)
    if sigma is None:  # √10 is irrational: no float equals it
        below, above = math.sqrt(10.0), np.nextafter(math.sqrt(10.0), 4.0)
        assert (compare(below, W), compare(above, W)) == ((-1, 1) if below**2 < 10 else (1, 1))
        return
    assert compare(sigma, W) == 0
    assert compare(np.nextafter(sigma, 9), W) == 1
    assert sigma == 0.0 or compare(np.nextafter(sigma, 0), W) == -1


def test_judge_rejects_gram_iteration_without_outward_rounding():
    rejected = sum(compare(gram_iteration(W), W) < 0 for W in (drawn(s, (gaussian,)) for s in range(300)))
    assert rejected > 60


def test_judge_rejects_the_rounded_svd_as_either_bound():
    signs = [compare(spectral_norm(W), W) for W in (drawn(s, (gaussian,)) for s in range(100))]
    assert min(signs) < 0 < max(signs)


# Bounds.


@pytest.mark.parametrize("family", range(len(FAMILIES)), ids=[f.__name__ for f in FAMILIES])
def test_bounds_hold_exactly(family):
    for seed in SEEDS[family :: len(FAMILIES)]:
        W = drawn(seed)
        lower, upper = spectral_norm_bounds(W)
        assert compare(upper, W) >= 0, seed
        assert compare(lower, W) <= 0, seed


@given(any_matrix)
def test_bounds_hold_for_any_finite_matrix(W):
    lower, upper = spectral_norm_bounds(W)
    assert compare(lower, W) <= 0 <= compare(upper, W)


@pytest.mark.parametrize("size", [64, 256])
def test_bounds_enclose_the_norm_of_hadamard_matrices(size):
    H = np.ones((1, 1))
    while len(H) < size:
        H = np.kron(H, [[1.0, 1.0], [1.0, -1.0]])
    for W, sigma in ((H, math.sqrt(size)), (np.kron(H[:32, :32] * 1e-200, np.ones((1, 2))), 8e-200)):
        lower, upper = spectral_norm_bounds(W)
        assert lower <= sigma <= upper
        assert not certify_upper(W, np.nextafter(sigma, 0) * (1 - EPS))
    assert math.sqrt(size).is_integer()


@pytest.mark.parametrize("family", [gaussian, gaussian32, orthogonal, rank_one], ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(2, 2), (64, 64), (40, 300), (512, 512), (1, 512), (512, 1)])
def test_width_is_rounding_only(family, shape):
    lower, upper = spectral_norm_bounds(family(np.random.default_rng(0), shape))
    assert upper - lower <= (0.6 * shape[0] * shape[1] + 16 * sum(shape)) * EPS / 2 * upper <= 1e-10 * upper


def test_bounds_of_zero_are_zero():
    assert spectral_norm_bounds(np.zeros((3, 2))) == (0.0, 0.0)


@pytest.mark.parametrize("w", [5e-324, 0.1, -1e300])
def test_lower_bound_of_one_entry_is_the_entry(w):
    assert spectral_norm_bounds(np.array([[w]]))[0] == abs(w)


def test_bounds_do_not_depend_on_the_power_of_two():
    W = gaussian(np.random.default_rng(1), (6, 4))
    lower, upper = spectral_norm_bounds(W)
    for e in (-900, 900):
        assert spectral_norm_bounds(np.ldexp(W, e)) == (math.ldexp(lower, e), math.ldexp(upper, e))


def test_bounds_beyond_the_largest_float():
    lower, upper = spectral_norm_bounds(np.full((5, 5), 1.7e308))
    assert lower == np.finfo(float).max
    assert upper == math.inf


@pytest.mark.parametrize("factor", [0.0, 0.9, 1.1, 3.0])
def test_upper_bound_holds_whatever_the_cholesky_factor(monkeypatch, factor):
    cholesky = np.linalg.cholesky
    monkeypatch.setattr(np.linalg, "cholesky", lambda M: factor * cholesky(M))
    for seed in range(100):
        W = drawn(seed, (gaussian, orthogonal, rank_one))
        assert compare(_upper(W.T @ W, 5, 0.5 * spectral_norm(W) ** 2 + np.trace(W.T @ W)), W) >= 0


def test_no_certificate_from_a_factor_that_is_not_one(monkeypatch):
    for L in (0.0, math.nan):
        monkeypatch.setattr(np.linalg, "cholesky", lambda M, L=L: np.full_like(M, L))
        W = gaussian(np.random.default_rng(0), (20, 20))
        assert not certify_upper(W, 1.2 * spectral_norm(W))
        lower, upper = spectral_norm_bounds(W)
        assert lower <= spectral_norm(W) <= upper < math.inf


def test_rounding_of_long_dot_products_is_covered(monkeypatch):
    W = np.full((2**14, 1), 2.0**-27.6)  # squares that vanish beside 1
    W[:64] = 1.0
    G = W.T @ W
    assert compare(math.sqrt(G.item()) * (1 + 4 * EPS), W) < 0  # a few units in the last place do not do
    assert compare(spectral_norm_bounds(W)[1], W) >= 0
    monkeypatch.setattr(np.linalg, "cholesky", np.zeros_like)  # L = 0 is exact where c² is the computed σ²
    assert compare(_upper(G, len(W), G.item()), W) >= 0


# The test of one bound.


def test_certificate_is_never_given_below_the_norm():
    for seed in SEEDS[::3]:
        W = drawn(seed)
        with np.errstate(over="ignore"):
            sigma = float(min(spectral_norm(W), np.finfo(float).max))
        for bound in sigma * (1 + EPS * np.array([-8, -1, 0, 1, 8])):
            assert not (certify_upper(W, bound) and compare(bound, W) < 0), (seed, bound)


@given(any_matrix, st.floats(0, allow_infinity=False, allow_nan=False))
def test_certificate_is_true_only_if_the_bound_holds(W, bound):
    assert not certify_upper(W, bound) or compare(bound, W) >= 0


@pytest.mark.parametrize("family", [gaussian, gaussian32, wide_range, orthogonal, repeated, rank_one, with_zeros])
def test_certificate_is_given_just_above_the_norm(family):
    for shape in ((1, 5), (4, 1), (5, 3), (60, 60)):
        W = family(np.random.default_rng(2), shape)
        assert certify_upper(W, spectral_norm_bounds(W)[1] * (1 + (1.1 * W.size + 18 * min(W.shape) + 20) * EPS))


def test_certificate_of_a_large_matrix_is_refused_just_below_the_norm():
    W = gaussian(np.random.default_rng(3), (128, 128))
    lower, upper = spectral_norm_bounds(W)
    assert not certify_upper(W, np.nextafter(lower, 0))
    assert certify_upper(W, upper * 1.0001)


@pytest.mark.parametrize("bound", [0.0, 1e-320, 1.0, math.inf])
def test_certificate_of_zero_and_by_infinity(bound):
    assert certify_upper(np.zeros((2, 3)), bound)
    assert certify_upper(np.eye(2), bound) == (bound == math.inf)


# Strict normalisation.


@pytest.mark.parametrize("low", [0.0, 1e-3, 0.05, 0.4])
def test_eq8_strictly_normalised_matrix_as_stored_is_within_K(low):
    for seed in SEEDS[::8]:
        W, K = drawn(seed), (1.0, 0.3, 7.0)[seed % 3]
        sigma_hat = min(spectral_norm_bounds(W)[0], 1e308) * (1 - low)
        W_bar, _ = certified_normalization(W, sigma_hat, K)
        assert W_bar.dtype == W.dtype
        assert compare(K, W_bar) >= 0, seed


@given(any_matrix, st.floats(0, 1e300), st.floats(2.0**-120, 2.0**120))
def test_eq8_strict_normalisation_whatever_the_estimate(W, sigma_hat, K):
    assert compare(K, certified_normalization(W, sigma_hat, K)[0]) >= 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("low", [0.0, 1e-3, 9e-3, 0.011, 0.05, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (30, 20), (128, 128)])
def test_eq8_strict_normalisation_is_tight(dtype, low, shape):
    W = gaussian(np.random.default_rng(4), shape).astype(dtype)
    sigma = spectral_norm(W)
    W_bar, s = certified_normalization(W, sigma * (1 - low), 2.0)
    wanted = 1.01 * (1 - low) if low < 0.01 else 1.0
    rounding = 4 * np.finfo(dtype).eps + 4 * W.size * EPS
    assert abs(s / sigma - wanted) <= rounding
    assert np.allclose(W_bar, 2.0 * W.astype(float) / s, rtol=np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_eq8_storing_does_not_push_the_strictly_normalised_matrix_over(dtype):
    for seed in range(100):
        W = drawn(seed, (gaussian, orthogonal)).astype(dtype)
        W_bar, s = certified_normalization(W, spectral_norm(W), margin=1e-12)
        assert compare(1.0, W_bar) >= 0, seed
        assert s <= spectral_norm(W) * (1 + 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-300, 1e300, 1.7e308])
def test_eq8_strict_normalisation_at_the_ends_of_the_range(scale):
    for sigma_hat in (0.0, scale):
        W_bar, _ = certified_normalization(np.full((2, 2), scale), sigma_hat)
        assert compare(1.0, W_bar) >= 0
        assert np.abs(W_bar - 0.5).max() < 0.5 * 1e-13


def test_eq8_strict_normalisation_leaves_zero_alone():
    W_bar, s = certified_normalization(np.zeros((2, 3), np.float32), 0.0)
    assert s == 1.0
    assert not W_bar.any()
    assert W_bar.dtype == np.float32


# Convergence of power iteration.


def test_orthogonal_start_has_no_residual_and_the_wrong_singular_value():
    W = np.diag([3.0, 1.0, 0.5])
    seen = convergence(W, np.array([0.0, 1.0, 0.0]), 50)
    assert (seen.sigma == 1.0).all()
    assert not seen.residual_u.any()
    assert not seen.residual_v.any()
    assert math.isnan(seen.r)
    assert spectral_norm_bounds(W)[0] > 1.0  # the bound tells what the residual cannot


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_a_singular_value_lies_within_the_residual(seed, m, n):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((m, n))
    seen = convergence(W, random_direction(m, rng=rng), 5)
    values = np.append(np.linalg.svd(W, compute_uv=False), [0.0] * (m != n))
    distance = np.abs(values[:, None] - seen.sigma).min(axis=0)
    rounding = 4 * (m + n) * EPS * np.linalg.norm(W)
    assert (distance <= np.hypot(seen.residual_u, seen.residual_v) / math.sqrt(2) + rounding).all()
    assert (seen.residual_u <= rounding).all()


@pytest.mark.parametrize("r", [0.3, 0.7, 0.9])
def test_error_shrinks_as_r_to_the_4k_and_angle_as_r_to_the_2k(r):
    W, U, _ = planted([2.0, 2.0 * r, 0.2, 0.1], np.random.default_rng(5))
    seen = convergence(W, U @ [1.0, 1e-2, 1e-4, 1e-4], 3)
    assert seen.error[1:] / seen.error[:-1] == pytest.approx(r**4, rel=1e-3)
    assert seen.angle[1:] / seen.angle[:-1] == pytest.approx(r**2, rel=1e-3)


@pytest.mark.parametrize("r", [0.3, 0.7, 0.9])
def test_residuals_alone_predict_ratio_error_and_angle(r):
    W, U, _ = planted([2.0, 2.0 * r, 0.2, 0.1], np.random.default_rng(6))
    seen = convergence(W, U @ [1.0, 1e-2, 1e-4, 1e-4], 3)
    assert seen.r == pytest.approx(r, rel=1e-3)
    assert seen.predicted_error == pytest.approx(seen.error, rel=1e-2)
    assert seen.predicted_angle == pytest.approx(seen.angle, rel=1e-2)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.sampled_from([1e-1, 1e-3, 1e-8]))
def test_iterations_needed_are_enough(seed, r, accuracy):
    rng = np.random.default_rng(seed)
    W, U, _ = planted([1.0, r, r * rng.random(), 0.0], rng)
    u = random_direction(4, rng=rng)
    cos = abs(U[:, 0] @ u)
    k = iterations_needed(accuracy, r, math.sqrt(1 - cos**2) / cos)
    assert 1 - convergence(W, u, k).sigma[-1] <= accuracy + 16 * EPS


@pytest.mark.parametrize("accuracy", [1e-3, 1e-6, 1e-10])
def test_iterations_needed_are_one_too_many_at_most(accuracy):
    k = iterations_needed(accuracy, 0.5, 10.0)
    seen = convergence(np.diag([1.0, 0.5]), [1.0, 10.0], k)
    assert 1 - seen.sigma[k - 3] > accuracy


def test_no_angle_or_rank_one_needs_one_iteration():
    assert iterations_needed(1e-9, 0.9, 0.0) == iterations_needed(1e-9, 0.0, 1e9) == 1


def test_settled_at_once_leaves_the_ratio_unknown():
    seen = convergence(np.outer([1.0, 2.0], [2.0, 1.0]), [1.0, 1.0], 4)
    assert math.isnan(seen.r)
    assert abs(seen.error).max() <= 8 * EPS * 5


# Bad input.


@pytest.mark.parametrize(
    "W", [np.ones(3), np.ones((0, 2)), np.array([[np.nan]]), np.array([[np.inf]]), np.ones((2, 2), int)]
)
def test_what_is_no_finite_matrix_is_refused(W):
    for call in (spectral_norm_bounds, lambda W: certify_upper(W, 1.0), lambda W: certified_normalization(W, 1.0)):
        with pytest.raises(ValueError, match=r"^W "):
            call(W)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is float64 here")
def test_wider_than_float64_is_refused():
    with pytest.raises(ValueError, match=r"^W has dtype"):
        spectral_norm_bounds(np.eye(2, dtype=np.longdouble))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: certify_upper(np.eye(2), -1.0), "bound"),
        (lambda: certify_upper(np.eye(2), math.nan), "bound"),
        (lambda: certified_normalization(np.eye(2), -1.0), "sigma_hat"),
        (lambda: certified_normalization(np.eye(2), math.nan), "sigma_hat"),
        (lambda: certified_normalization(np.eye(2), 1.0, 0.0), "K"),
        (lambda: certified_normalization(np.eye(2, dtype=np.float32), 1.0, 1e39), "K"),
        (lambda: certified_normalization(np.eye(2), 1.0, margin=-0.1), "margin"),
        (lambda: convergence(np.zeros((2, 2)), [1.0, 0.0], 3), "W"),
        (lambda: convergence(np.eye(2), [1.0, 0.0], 0), "n_iter"),
        (lambda: convergence(np.eye(2), [1.0], 3), "u"),
        (lambda: iterations_needed(0.0, 0.5, 1.0), "accuracy"),
        (lambda: iterations_needed(0.1, 1.0, 1.0), "r"),
        (lambda: iterations_needed(0.1, 0.5, math.inf), "tan_angle"),
    ],
)
def test_bad_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()
