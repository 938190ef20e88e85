"""σ(W): by SVD, and by power iteration against planted spectra. Eqs. (6), (18)-(22), footnotes 3 and 7."""

import numpy as np
import pytest
from hypothesis import assume, example, given, strategies as st
from strategies import AWKWARD, EPS, plant, planted, rngs, rounding

from specnorm_np.bounds.convolutions import as_matrix
from specnorm_np.spectral import power_iteration, random_direction, spectral_norm


def drift(W, n_iter):
    """Error allowed to the unit vectors after n iterations from a planted start, and to σ̂ relative to itself.

    The first coefficient of that start is at least 0.2 of its length, so that ‖Wᵀu‖ and ‖Wv‖ are at least 0.2 σ₁ from
    the first product on: rounding, relative to σ₁, grows fivefold at most in each of the two products.
    """
    return 10.0 * n_iter * rounding(W)


# --- (6)


@given(p=planted())
def test_eq6_is_the_largest_planted_singular_value(p):
    np.testing.assert_allclose(spectral_norm(p.W), p.s[0], rtol=rounding(p.W))


@given(p=planted(), rng=rngs())
def test_eq6_no_vector_is_stretched_more_and_the_first_right_one_is_stretched_so(p, rng):
    h = rng.standard_normal(p.W.shape[1])
    bound = spectral_norm(p.W) * (1.0 + rounding(p.W))
    assert np.linalg.norm(p.W @ h) <= bound * np.linalg.norm(h)
    np.testing.assert_allclose(np.linalg.norm(p.W @ p.V[:, 0]), spectral_norm(p.W), rtol=rounding(p.W))


@given(p=planted(), rng=rngs(), c=st.floats(-100, 100))
def test_eq6_is_a_norm_that_transposition_keeps(p, rng, c):
    other = rng.standard_normal(p.W.shape)
    slack = rounding(p.W) * (spectral_norm(p.W) + spectral_norm(other))
    assert spectral_norm(p.W + other) <= spectral_norm(p.W) + spectral_norm(other) + slack
    np.testing.assert_allclose(spectral_norm(c * p.W), abs(c) * spectral_norm(p.W), rtol=rounding(p.W))
    np.testing.assert_allclose(spectral_norm(p.W.T), spectral_norm(p.W), rtol=rounding(p.W))


@pytest.mark.parametrize(
    ("W", "sigma"),
    [
        ([[-3.0]], 3.0),
        ([[3.0, 4.0]], 5.0),
        ([[3.0], [4.0]], 5.0),
        (np.diag([1.0, -7.0, 2.0]), 7.0),
        (np.outer([3.0, 4.0], [5.0, 12.0]), 65.0),
        ([[1.0, 1.0], [0.0, 1.0]], (1 + 5**0.5) / 2),
        (np.zeros((2, 3)), 0.0),
    ],
)
def test_eq6_closed_forms(W, sigma):
    assert spectral_norm(W) == pytest.approx(sigma, rel=8 * EPS)


def test_eq6_of_float32_is_computed_in_float64():
    W = np.array([[1.0, 1.0], [0.0, 1.0]], np.float32)
    assert spectral_norm(W) == pytest.approx((1 + 5**0.5) / 2, rel=8 * EPS)
    assert type(spectral_norm(W)) is float


# --- (18)-(22): what k iterations are, in the coordinates of the singular vectors


@given(p=planted(scales=(0.1, 10.0)), n_iter=st.integers(1, 6))
def test_eq18_eq20_eq21_multiply_the_coefficients_by_powers_of_the_spectrum(p, n_iter):
    """From u = U c, k iterations lead to ṽ ∝ V s^(2k-1) c and ũ ∝ U s^(2k) c: ṽ first, then ũ."""
    triplet = power_iteration(p.W, p.u, n_iter)
    r = p.s / p.s[0]  # c[0] ≥ ½ and r[0] = 1: no cancellation
    v, u = p.V @ (r ** (2 * n_iter - 1) * p.c), p.U @ (r ** (2 * n_iter) * p.c)
    atol = drift(p.W, n_iter)
    np.testing.assert_allclose(triplet.v, v / np.linalg.norm(v), rtol=0, atol=atol)
    np.testing.assert_allclose(triplet.u, u / np.linalg.norm(u), rtol=0, atol=atol)


@given(p=planted(), n_iter=st.integers(1, 6))
def test_eq19_eq22_sigma_is_the_ratio_of_two_such_norms(p, n_iter):
    r = p.s / p.s[0]
    ratio = np.linalg.norm(r ** (2 * n_iter) * p.c) / np.linalg.norm(r ** (2 * n_iter - 1) * p.c)
    sigma = power_iteration(p.W, p.u, n_iter).sigma
    np.testing.assert_allclose(sigma, p.s[0] * ratio, rtol=drift(p.W, n_iter))


@given(p=planted(), rng=rngs(), n_iter=st.integers(1, 4))
def test_eq19_eq22_sigma_is_uWv_of_unit_vectors(p, rng, n_iter):
    u, sigma, v = power_iteration(p.W, rng.standard_normal(len(p.W)), n_iter)
    np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 1.0, rtol=4 * EPS * (len(u) + len(v)))
    # ‖W‖_F, not σ̂, scales the rounding of uᵀWv, for σ̂ may be small from a bad start
    assert abs(u @ p.W @ v - sigma) <= rounding(p.W) * p.s[0]


@given(p=planted(max_ratio=0.7))
def test_eq18_converges_to_the_svd(p):
    """After 60 iterations r^120 ≤ 0.7^120 = 3e-19 is left of the rest."""
    u, sigma, v = power_iteration(p.W, p.u, 60)
    sign = np.sign(p.c[0])
    tol = drift(p.W, 1) / 0.3  # a vector is determined to rounding/(1 − r); older errors die out as r^2k
    np.testing.assert_allclose(sigma, p.s[0], rtol=tol)
    np.testing.assert_allclose(u, sign * p.U[:, 0], rtol=0, atol=tol)
    np.testing.assert_allclose(v, sign * p.V[:, 0], rtol=0, atol=tol)


@given(rng=rngs(), r=st.floats(0.3, 0.95))
def test_eq18_rates_are_r_to_the_2k_for_the_angle_and_r_to_the_4k_for_sigma(rng, r):
    """Ratios of successive errors, once the tangent of the angle is below 1e-2: small, and far above rounding."""
    p = plant([1.0, r, 0.1 * r], 6, 5, rng)
    assume(abs(p.c[1]) > 0.1)
    tangent = np.linalg.norm(p.c[1:]) / abs(p.c[0])  # it shrinks by r² at least, at every iteration
    k = max(2, int(np.ceil(np.log(1e-2 / tangent) / np.log(r**2))))
    angles, errors = [], []
    for n_iter in (k, k + 1):
        u, sigma, _ = power_iteration(p.W, p.u, n_iter)
        angles.append(np.linalg.norm(u - p.U[:, 0] * (u @ p.U[:, 0])))
        errors.append(1.0 - sigma)
    # corrections: the square of the tangent (1e-4); the third component, whose share falls a hundredfold an iteration;
    # and the rounding of 1 − σ̂, which is 1e-9·(1 − r²) at least
    np.testing.assert_allclose(angles[1] / angles[0], r**2, rtol=1e-3)
    np.testing.assert_allclose(errors[1] / errors[0], r**4, rtol=1e-3)


@given(p=planted(), rng=rngs())
def test_eq22_sigma_never_falls_with_iterations_nor_exceeds_the_norm(p, rng):
    u = rng.standard_normal(len(p.W))
    sigmas = np.array([power_iteration(p.W, u, n_iter).sigma for n_iter in range(1, 12)])
    slack = rounding(p.W) * p.s[0]
    assert (np.diff(sigmas) >= -slack).all()
    assert (sigmas <= p.s[0] + slack).all()
    assert (sigmas >= 0.0).all()


@given(p=planted(), j=st.integers(1, 4), k=st.integers(1, 4))
def test_eq18_recycling_u_is_the_same_as_iterating_on(p, j, k):
    recycled, at_once = power_iteration(p.W, power_iteration(p.W, p.u, j).u, k), power_iteration(p.W, p.u, j + k)
    tol = drift(p.W, j + k)
    np.testing.assert_allclose(recycled.sigma, at_once.sigma, rtol=tol)
    np.testing.assert_allclose(recycled.u, at_once.u, rtol=0, atol=tol)


@given(p=planted(), rng=rngs(), n_iter=st.integers(1, 4))
def test_eq18_signs_carry_over_bit_for_bit(p, rng, n_iter):
    u0 = rng.standard_normal(len(p.W))
    u, sigma, v = power_iteration(p.W, u0, n_iter)
    for W, start, expected in ((p.W, -u0, (-u, sigma, -v)), (-p.W, u0, (u, sigma, -v))):
        for value, other in zip(expected, power_iteration(W, start, n_iter), strict=True):
            np.testing.assert_array_equal(value, other)


@given(p=planted(), rng=rngs(), n_iter=st.integers(1, 4))
def test_eq18_rotations_carry_over(p, rng, n_iter):
    P, Q = (np.linalg.qr(rng.standard_normal((d, d)))[0] for d in p.W.shape)
    u, sigma, v = power_iteration(p.W, p.u, n_iter)
    other = power_iteration(P @ p.W @ Q.T, P @ p.u, n_iter)
    atol = drift(p.W, n_iter)
    np.testing.assert_allclose(other.u, P @ u, rtol=0, atol=atol)
    np.testing.assert_allclose(other.v, Q @ v, rtol=0, atol=atol)
    np.testing.assert_allclose(other.sigma, sigma, rtol=atol)


@given(p=planted(), exponent=st.integers(-1000, 1000), length=st.integers(-1000, 1000))
@example(p=plant([1.0, 0.5], 2, 2, np.random.default_rng(0)), exponent=1010, length=-1060)
@example(p=plant([1.0, 0.5], 2, 2, np.random.default_rng(0)), exponent=-200, length=-1000)
@example(p=plant([1.0, 0.5], 2, 2, np.random.default_rng(0)), exponent=200, length=1000)
def test_eq18_scale_of_w_and_length_of_u_carry_over(p, exponent, length):
    """Scaling by powers of two loses nothing unless an entry leaves the normal range."""
    assume(np.abs(np.ldexp(p.W[p.W != 0.0], exponent)).min() > 1e-290)
    u, sigma, v = power_iteration(p.W, p.u, 2)
    other = power_iteration(np.ldexp(p.W, exponent), np.ldexp(p.u, length), 2)
    tol = drift(p.W, 2) + 10.0 * 2.0 ** (-1074 - length)  # a start of subnormal length has lost digits
    np.testing.assert_allclose(other.u, u, rtol=0, atol=tol)
    np.testing.assert_allclose(other.v, v, rtol=0, atol=tol)
    np.testing.assert_allclose(other.sigma, np.ldexp(sigma, exponent), rtol=tol)


@given(p=planted(max_ratio=0.7), rng=rngs())
def test_eq18_a_warm_start_recovers_after_a_perturbation(p, rng):
    """One iteration from the old u leaves at most σ sin²θ, θ the angle that u₁ has turned by.

    For v = Wᵀu/‖Wᵀu‖ and so σ̂ = ‖Wv‖ ≥ uᵀWv = ‖Wᵀu‖ ≥ σ cos θ ≥ σ(1 − sin²θ), and Wedin's theorem bounds
    sin θ by ‖E‖/(σ₁(W + E) − σ₂(W)).
    """
    u = power_iteration(p.W, p.u, 60).u
    E = rng.standard_normal(p.W.shape)
    E *= 1e-2 * p.s[0] / np.linalg.norm(E, 2)
    sigma = np.linalg.norm(p.W + E, 2)
    sine = np.linalg.norm(E, 2) / (sigma - (p.s[1] if len(p.s) > 1 else 0.0))
    warm = power_iteration(p.W + E, u, 1).sigma
    assert sigma * (1.0 - sine**2 - rounding(p.W)) <= warm <= sigma * (1.0 + rounding(p.W))
    np.testing.assert_allclose(power_iteration(p.W + E, u, 60).sigma, sigma, rtol=rounding(p.W))


@given(rng=rngs(), d=st.integers(1, 9), rows=st.booleans())
def test_eq18_one_row_one_column_and_rank_one_need_one_iteration(rng, d, rows):
    x, y = rng.standard_normal(d), rng.standard_normal(4)
    for W, sigma in (
        (x[None] if rows else x[:, None], np.linalg.norm(x)),
        (np.outer(x, y), np.linalg.norm(x) * np.linalg.norm(y)),
    ):
        start = np.where(rng.random(len(W)) < 0.5, 1.0, 2.0) * np.sign(W[:, 0])  # not orthogonal to the column
        np.testing.assert_allclose(power_iteration(W, start, 1).sigma, sigma, rtol=rounding(W))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_matrices_give_unit_vectors_and_the_norm(name):
    W = AWKWARD[name]
    u, sigma, v = power_iteration(W, random_direction(len(W), rng=np.random.default_rng(5)), 200)
    np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 1.0, rtol=rounding(W))
    scale = np.abs(W).max()  # LAPACK itself on numbers of order 1; a subnormal σ is rounded to a multiple of 5e-324
    expected = scale * np.linalg.norm(W / scale, 2)
    unresolved = 5e-13 if name == "nearly repeated" else 0.0  # 1 − σ₂/σ₁: no iteration can tell the two apart
    np.testing.assert_allclose(sigma, expected, rtol=rounding(W) + unresolved, atol=5e-324)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("where", ["tiny", "small", "one", "large", "huge"])
@given(p=planted(scales=(1.0, 2.0)))
def test_sigma_is_right_over_the_whole_range(where, dtype, p):
    info = np.finfo(dtype)
    scale = {"tiny": 16 * info.tiny, "small": info.tiny**0.5, "one": 1, "large": info.max**0.5, "huge": info.max / 4}
    factor = dtype(scale[where])
    W = (p.W / p.s[0]).astype(dtype) * factor
    triplet = power_iteration(W, p.u, 3)
    of_order_one = power_iteration(W.astype(float) / float(factor), p.u, 3)
    np.testing.assert_allclose(triplet.sigma / float(factor), of_order_one.sigma, rtol=drift(W, 3))
    np.testing.assert_allclose(triplet.u, of_order_one.u, rtol=0, atol=drift(W, 3))
    assert triplet.u.dtype == triplet.v.dtype == dtype
    assert type(triplet.sigma) is float


@given(p=planted(scales=(1.0, 1.0)), exponent=st.integers(1, 50))
def test_sigma_of_subnormal_entries_is_right_to_their_last_bit(p, exponent):
    W = np.ldexp(np.rint(np.ldexp(p.W, exponent)), -1074)  # whole multiples of the smallest number
    assume(W.any())
    exact = np.ldexp(W, 1074)
    sigma = power_iteration(W, p.u, 3).sigma
    expected = power_iteration(exact, p.u, 3).sigma
    assert abs(np.ldexp(sigma, 1074) - expected) <= 0.5 + drift(W, 3) * expected


# --- what the paper leaves open


@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 5)), rng=rngs(), n_iter=st.integers(1, 3))
def test_zero_gives_sigma_zero_and_unit_vectors(shape, rng, n_iter):
    u, sigma, v = power_iteration(np.zeros(shape), rng.standard_normal(shape[0]), n_iter)
    assert sigma == 0.0
    assert type(sigma) is float
    np.testing.assert_allclose([u @ u, v @ v], 1.0, rtol=8 * EPS)


@pytest.mark.parametrize("n_iter", [1, 2, 5])
def test_a_start_in_the_null_space_restarts_at_the_row_of_the_largest_entry(n_iter):
    u, sigma, v = power_iteration(np.diag([1.0, 3.0, 0.0]), [0.0, 0.0, 1.0], n_iter)
    assert sigma == 3.0
    np.testing.assert_array_equal(u, [0, 1, 0])
    np.testing.assert_array_equal(v, [0, 1, 0])


@given(rng=rngs(), rank=st.integers(1, 3))
def test_sigma_is_zero_for_zero_only(rng, rank):
    """Starts orthogonal to every column, exactly: in the coordinates of rows that are zero."""
    W = np.vstack([np.zeros((2, 5)), rng.standard_normal((rank, 5))])
    for u in ([1.0, -2.0, *[0.0] * rank], np.zeros(2 + rank)):
        triplet = power_iteration(W, u)
        assert triplet.sigma >= np.abs(W).max() * (1.0 - rounding(W))
        np.testing.assert_allclose([triplet.u @ triplet.u, triplet.v @ triplet.v], 1.0, rtol=rounding(W))


def test_a_start_orthogonal_to_the_first_vector_stays_so():
    u, sigma, _ = power_iteration(np.diag([3.0, 1.0, 0.5]), [0.0, 1.0, 0.0], 100)
    assert sigma == 1.0
    np.testing.assert_array_equal(u, [0, 1, 0])


def test_arguments_are_left_alone():
    W, u = np.arange(6.0).reshape(2, 3) * 1e-300, np.array([2.0, 5.0])
    power_iteration(W, u, 3)
    np.testing.assert_array_equal(W, np.arange(6.0).reshape(2, 3) * 1e-300)
    np.testing.assert_array_equal(u, [2.0, 5.0])


# --- footnote 7: the start


@given(d=st.integers(1, 50), rng=rngs(), dtype=st.sampled_from([np.float32, np.float64]))
def test_random_direction_is_a_unit_vector(d, rng, dtype):
    u = random_direction(d, dtype=dtype, rng=rng)
    assert u.shape == (d,)
    assert u.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(u.astype(float)), 1.0, rtol=4 * np.finfo(dtype).eps)


def test_random_direction_is_isotropic():
    """E u = 0 and E uuᵀ = I/d; the variance of u_i u_j is at most 2/(d(d+2)), and 5 standard errors are allowed."""
    d, n, rng = 5, 4000, np.random.default_rng(0)
    u = np.array([random_direction(d, rng=rng) for _ in range(n)])
    np.testing.assert_allclose(u.mean(axis=0), 0.0, rtol=0, atol=5 / np.sqrt(d * n))
    np.testing.assert_allclose(u.T @ u / n, np.eye(d) / d, rtol=0, atol=5 * np.sqrt(2 / (d * (d + 2)) / n))
    fourth = 3.0 / (d * (d + 2))  # of the sphere, as against the Gaussian's or the cube's
    np.testing.assert_allclose((u**4).mean(), fourth, rtol=0.05)


def test_random_direction_takes_only_the_generator():
    draws = [random_direction(4, rng=np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*draws)


# --- Section 4 and footnote 3: convolutions


@given(rng=rngs(), shape=st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_as_matrix_has_one_row_for_each_output(rng, shape):
    W = rng.standard_normal(shape)
    matrix = as_matrix(W)
    assert matrix.shape == (shape[0], np.prod(shape[1:]))
    assert np.shares_memory(matrix, W)
    for row, kernel in zip(matrix, W, strict=True):
        np.testing.assert_array_equal(row, kernel.ravel())


@given(rng=rngs(), d_out=st.integers(1, 3), d_in=st.integers(1, 3), h=st.integers(1, 3), w=st.integers(1, 3))
def test_footnote3_the_convolution_norm_lies_between_sigma_and_sqrt_hw_sigma(rng, d_out, d_in, h, w):
    """With circular padding the Fourier transform splits the convolution into one matrix for each frequency."""
    W = rng.standard_normal((d_out, d_in, h, w))
    frequencies = np.fft.fft2(W, (6, 6)).reshape(d_out, d_in, -1).transpose(2, 0, 1)
    true = np.linalg.norm(frequencies, 2, axis=(1, 2)).max()
    sigma = spectral_norm(as_matrix(W))
    assert sigma * (1.0 - 1e-12) <= true <= np.sqrt(h * w) * sigma * (1.0 + 1e-12)


@pytest.mark.parametrize("W", [np.ones(3), np.float64(1.0), np.ones((0, 2)), np.ones((2, 0, 3, 3))])
def test_as_matrix_rejects(W):
    with pytest.raises(ValueError, match="W has shape"):
        as_matrix(W)


# --- bad input


BAD = [
    (np.ones(3), "W has shape"),
    (np.ones((2, 2, 2)), "W has shape"),
    (np.ones((0, 2)), "W has shape"),
    (np.ones((2, 0)), "W has shape"),
    (np.ones((2, 2), int), "W has dtype int"),
    (np.ones((2, 2), bool), "W has dtype bool"),
    (np.ones((2, 2), complex), "W has dtype complex"),
    (np.array([[1.0, np.nan], [1.0, 1.0]]), "W holds NaN"),
    (np.array([[1.0, 1.0], [-np.inf, 1.0]]), "W holds NaN"),
    (np.array([[1.0, 1.0], [1.0, np.inf]]), "W holds NaN"),
]


@pytest.mark.parametrize(("W", "message"), BAD)
def test_a_bad_matrix_is_named(W, message):
    with pytest.raises(ValueError, match=message):
        spectral_norm(W)
    with pytest.raises(ValueError, match=message):
        power_iteration(W, np.ones(len(W)))


@pytest.mark.parametrize(
    ("u", "n_iter", "message"),
    [
        (np.ones(3), 1, r"u has shape \(3,\); expected \(2,\)"),
        (np.ones((2, 1)), 1, "u has shape"),
        (np.float64(1.0), 1, "u has shape"),
        (np.array([1.0, np.nan]), 1, "u holds NaN"),
        (np.array([np.inf, 1.0]), 1, "u holds NaN"),
        (np.ones(2), 0, "n_iter is 0"),
        (np.ones(2), -1, "n_iter is -1"),
    ],
)
def test_a_bad_start_is_named(u, n_iter, message):
    with pytest.raises(ValueError, match=message):
        power_iteration(np.ones((2, 3)), u, n_iter)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zero_keeps_its_dtype(dtype):
    u, sigma, v = power_iteration(np.zeros((3, 2), dtype), np.ones(3, dtype))
    assert u.dtype == v.dtype == dtype
    assert sigma == 0.0


def test_no_direction_in_no_dimension():
    with pytest.raises(ValueError, match="d is 0"):
        random_direction(0, rng=np.random.default_rng(0))
