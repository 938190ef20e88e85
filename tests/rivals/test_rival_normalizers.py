"""The rivals that normalise W: weight and Frobenius normalisation, and γW̄. Eqs. (13), (25)-(27), (32), (36), (38)."""

import numpy as np
import pytest
from hypothesis import assume, example, given, strategies as st
from problems import (
    EPS,
    NORMALIZERS,
    at,
    away_from_kinks,
    awkward,
    d_loss,
    draw_problem,
    every_normalizer,
)
from strategies import AWKWARD, planted, rngs

from specnorm_np.losses import HINGE, STANDARD, WASSERSTEIN
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.rivals.normalizers import FrobeniusNorm, Scaled, Tracked, WeightNorm
from specnorm_np.rivals.projections import USV
from specnorm_np.spectral import SingularTriplet, spectral_norm
from specnorm_np.testing.gradcheck import check_gradient


@pytest.mark.parametrize("loss", [STANDARD, HINGE, WASSERSTEIN], ids=["standard", "hinge", "wasserstein"])
@every_normalizer
@pytest.mark.parametrize("seed", range(3))
def test_eq32_eq36_gradient_of_the_whole_d_loss_at_every_block(normalizer, loss, seed):
    rng = np.random.default_rng(seed)
    slope = (0.1, 0.0, 0.5)[seed]
    theta, states, batch = draw_problem(normalizer, rng, slope=slope)
    while not away_from_kinks(theta, states, normalizer, np.concatenate(batch), slope):
        theta, states, batch = draw_problem(normalizer, rng, slope=slope)

    def value(vector):
        return d_loss(theta.replace(vector), states, normalizer, batch, slope, loss)[0]

    check_gradient(value, theta.vector, d_loss(theta, states, normalizer, batch, slope, loss)[1])


@given(rng=rngs(), name=st.sampled_from(["wn", "fn", "sn-gamma", "fn-gamma", "wn-gamma", "usv"]))
def test_eq36_pullback_of_any_shape(rng, name):
    normalizer = NORMALIZERS[name]
    W, dW_bar = rng.standard_normal((2, *rng.integers(1, 6, 2)))
    w = normalizer.parametrize(W)
    w = tuple(block + rng.standard_normal(block.shape) for block in w)
    state = normalizer.start(*w, rng=rng)
    dw = normalizer.pullback(dW_bar, *w, state)
    for i, gradient in enumerate(dw):

        def value(block, i=i):
            moved = (*w[:i], block, *w[i + 1 :])
            return np.vdot(dW_bar, normalizer.normalize(*moved, at(moved[0], state)))

        size = np.linalg.norm(dW_bar) / min(1.0, np.linalg.norm(w[0], axis=1).min()) ** 3  # third derivatives
        assume(size < 1e4)
        check_gradient(value, w[i], gradient, atol=1e-9 * size)


def test_gradcheck_rejects_a_pullback_that_takes_the_norm_for_constant():
    rng = np.random.default_rng(0)
    W, dW_bar = rng.standard_normal((2, 4, 3))
    with pytest.raises(AssertionError, match="wrong gradient"):
        check_gradient(lambda W: np.vdot(dW_bar, WeightNorm().normalize(W, None)), W, dW_bar / WeightNorm()._N(W))


# --- (13), (25)-(27)


def matrices_without_zero_rows():
    return planted().map(lambda p: p.W).filter(lambda W: np.abs(W).max(axis=1).min() > 0.0)


@given(W=matrices_without_zero_rows())
@example(W=AWKWARD["tiny"])
@example(W=AWKWARD["wide range"])
@example(W=AWKWARD["rank one"])
def test_eq25_rows_have_length_one_and_keep_their_direction(W):
    W_bar = WeightNorm().normalize(W, None)
    np.testing.assert_allclose(np.linalg.norm(W_bar, axis=1), 1.0, rtol=8 * EPS)
    scale = np.abs(W).max(axis=1, keepdims=True)
    along = (W_bar * (W / scale)).sum(axis=1)  # ⟨w̄, w⟩ = ‖w‖, by Cauchy-Schwarz only if they are parallel
    np.testing.assert_allclose(along, np.linalg.norm(W / scale, axis=1), rtol=16 * EPS)


@given(W=matrices_without_zero_rows())
@example(W=AWKWARD["repeated"])
def test_eq13_eq27_squares_of_the_singular_values_add_up_to_d_out(W):
    s = np.linalg.svd(WeightNorm().normalize(W, None), compute_uv=False)
    np.testing.assert_allclose(np.square(s).sum(), W.shape[0], rtol=64 * EPS)


@pytest.mark.parametrize(("d_out", "d_in"), [(1, 1), (5, 3), (3, 5), (16, 16)])
def test_eq27_the_largest_gain_is_the_root_of_d_out_at_rank_one(d_out, d_in):
    W = np.outer(np.arange(1.0, d_out + 1), np.arange(1.0, d_in + 1))
    assert spectral_norm(WeightNorm().normalize(W, None)) == pytest.approx(np.sqrt(d_out), rel=64 * EPS)


@awkward
def test_eq26_frobenius_norm_is_one_and_so_is_the_sum_of_squared_singular_values(W):
    with np.errstate(over="ignore"):  # of squares, which `normalized` then avoids
        W_bar = FrobeniusNorm().normalize(W, None)
    s = np.linalg.svd(W_bar, compute_uv=False)
    np.testing.assert_allclose(np.square(s).sum(), 1.0, rtol=64 * EPS)
    scale = np.abs(W).max()
    rest = (W / scale) * np.abs(W_bar).max() - W_bar  # W̄ is a multiple of W
    assert np.abs(rest).max() <= 8 * EPS


def test_zero_weights_and_rows_stay_and_let_their_gradient_pass():
    W, dW_bar = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[1.0, -2.0], [0.5, 0.7]])
    np.testing.assert_allclose(WeightNorm().normalize(W, None), [[0.0, 0.0], [0.6, 0.8]], rtol=4 * EPS)
    dW = WeightNorm().pullback(dW_bar, W, None)[0]
    np.testing.assert_array_equal(dW[0], dW_bar[0])
    assert abs(dW[1] @ W[1]) <= 16 * EPS  # the other row's gradient is orthogonal to it
    assert dW[1, 0] != 0.0
    zero = np.zeros((2, 2))
    np.testing.assert_array_equal(FrobeniusNorm().normalize(zero, None), zero)
    np.testing.assert_array_equal(FrobeniusNorm().pullback(dW_bar, zero, None)[0], dW_bar)


@given(W=matrices_without_zero_rows(), rng=rngs(), c=st.sampled_from([0.5, 4.0, -2.0]))
def test_eq36_scaling_a_row_or_the_matrix_changes_nothing(W, rng, c):
    dW_bar = rng.standard_normal(W.shape)
    rows = np.einsum("ij,ij->i", WeightNorm().pullback(dW_bar, W, None)[0], W)
    whole = np.vdot(FrobeniusNorm().pullback(dW_bar, W, None)[0], W)
    bound = 64 * EPS * np.abs(dW_bar).sum()
    assert np.abs(rows).max() <= bound
    assert abs(whole) <= bound
    for normalizer in (WeightNorm(), FrobeniusNorm()):
        before = normalizer.normalize(W, None)
        np.testing.assert_allclose(normalizer.normalize(c * W, None), np.sign(c) * before, atol=8 * EPS)


# --- (38)


@given(p=planted(max_ratio=0.8), k=st.sampled_from([-2.5, -1.0, 0.7, 3.0]))
def test_eq38_stationary_where_the_gradient_at_W_bar_is_a_multiple_of_the_gradient_of_N(p, k):
    """N = ‖·‖_F has ∇N = W/‖W‖_F, N = σ has ∇N = u₁v₁ᵀ: both known from the planted factors."""
    assume(len(p.s) > 1)
    grad_F = p.U * (p.s / np.linalg.norm(p.s)) @ p.V.T
    grad_sigma = np.outer(p.U[:, 0], p.V[:, 0])
    triplet = SingularTriplet(p.U[:, 0], p.s[0], p.V[:, 0])
    tolerance = 64 * EPS * abs(k) / np.linalg.norm(p.s)
    assert np.abs(FrobeniusNorm().pullback(k * grad_F, p.W, None)[0]).max() <= 8 * tolerance
    assert np.abs(SpectralNorm().pullback(k * grad_sigma, p.W, triplet)[0]).max() <= 8 * tolerance


@given(p=planted(max_ratio=0.8), rng=rngs())
def test_eq38_nowhere_else(p, rng):
    """The pullback of a gradient keeps all of its part that is orthogonal to ∇N, over N."""
    dW_bar = rng.standard_normal(p.W.shape)
    triplet = SingularTriplet(p.U[:, 0], p.s[0], p.V[:, 0])
    for normalizer, state, N, grad_N in (
        (FrobeniusNorm(), None, np.linalg.norm(p.s), p.W / np.linalg.norm(p.s)),
        (SpectralNorm(), triplet, p.s[0], np.outer(triplet.u, triplet.v)),
    ):
        dW = normalizer.pullback(dW_bar, p.W, state)[0]
        across = dW_bar - np.vdot(dW_bar, grad_N) * grad_N
        kept = dW - np.vdot(dW, grad_N) * grad_N
        np.testing.assert_allclose(kept * N, across, atol=1e-12)


# --- (32)


@given(rng=rngs(), gamma=st.floats(-3.0, 3.0))
def test_eq32_gamma_times_W_bar(rng, gamma):
    W = rng.standard_normal((3, 4))
    normalizer = Scaled(SpectralNorm())
    state = normalizer.start(W, np.array([1.0]), rng=rng)
    s = np.linalg.svd(W, compute_uv=False)
    W_tilde = normalizer.normalize(W, np.array([gamma]), state)
    expected = abs(gamma) * s / state.sigma
    np.testing.assert_allclose(np.linalg.svd(W_tilde, compute_uv=False), expected, atol=64 * EPS)


def test_eq32_starts_at_W_bar_with_one_gamma_or_one_for_each_row():
    W = np.arange(1.0, 7.0).reshape(2, 3)
    for normalizer, shape in ((Scaled(FrobeniusNorm()), (1,)), (Scaled(WeightNorm(), per_row=True), (2, 1))):
        W_block, gamma = normalizer.parametrize(W)
        assert gamma.shape == shape
        inner = normalizer.normalizer.normalize(W, None)
        np.testing.assert_array_equal(normalizer.normalize(W_block, gamma, None), inner)
    rows = np.linalg.norm(normalizer.normalize(W, np.array([[2.0], [-3.0]]), None), axis=1)
    np.testing.assert_allclose(rows, [2.0, 3.0], rtol=8 * EPS)


def test_eq32_needs_a_normalizer_of_W_alone():
    with pytest.raises(ValueError, match=r"blocks \('U', 'S', 'V'\)"):
        Scaled(USV())


# --- the protocol


@every_normalizer
def test_blocks_of_a_fresh_W_have_names_and_come_back_as_one_W_bar(normalizer):
    W = np.random.default_rng(0).standard_normal((3, 5))
    w = normalizer.parametrize(W)
    assert len(w) == len(normalizer.blocks)
    state = normalizer.start(*w, rng=np.random.default_rng(1))
    assert normalizer.normalize(*w, state).shape == W.shape


def test_tracked_leaves_W_alone_and_follows_it():
    rng = np.random.default_rng(0)
    W, dW_bar = rng.standard_normal((2, 4, 3))
    normalizer = Tracked(2)
    triplet = normalizer.start(W, rng=rng)
    assert normalizer.normalize(W, triplet) is W
    assert normalizer.pullback(dW_bar, W, triplet)[0] is dW_bar
    for _ in range(60):
        triplet = normalizer.settle(W, triplet)[1]
    assert triplet.sigma == pytest.approx(spectral_norm(W), rel=1e-12)
    with pytest.raises(ValueError, match="n_iter"):
        Tracked(0).start(W, rng=rng)


@every_normalizer
def test_float32_stays_float32(normalizer):
    rng = np.random.default_rng(0)
    W, dW_bar = rng.standard_normal((2, 4, 3)).astype(np.float32)
    w = normalizer.parametrize(W)
    state = normalizer.settle(*w, normalizer.start(*w, rng=rng))[1]
    dw = normalizer.pullback(dW_bar, *w, state)
    arrays = (*w, normalizer.normalize(*w, state), *dw)
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@every_normalizer
def test_arguments_are_not_changed(normalizer):
    rng = np.random.default_rng(0)
    W, dW_bar = rng.standard_normal((2, 4, 3))
    W.flags.writeable = dW_bar.flags.writeable = False
    w = normalizer.parametrize(W)
    for block in w:
        block.flags.writeable = False
    state = normalizer.settle(*w, normalizer.start(*w, rng=rng))[1]
    normalizer.normalize(*w, state)
    normalizer.pullback(dW_bar, *w, state)
