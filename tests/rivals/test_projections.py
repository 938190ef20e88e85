"""Clipping, and W = USVᵀ. Eq. (28), D.2, D.3."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import AWKWARD, planted, rngs

from specnorm_np.rivals.projections import USV, Clip, SingularValueClip
from specnorm_np.spectral import spectral_norm

EPS = float(np.finfo(np.float64).eps)


def matrices():
    return planted().map(lambda p: p.W)


@given(W=matrices(), c=st.floats(1e-3, 10.0))
def test_clip_leaves_every_entry_within_c_and_small_ones_alone(W, c):
    (clipped,) = Clip(c).project(W)
    assert np.abs(clipped).max() <= c
    small = np.abs(W) <= c
    np.testing.assert_array_equal(clipped[small], W[small])
    np.testing.assert_array_equal(np.sign(clipped), np.sign(W))


@given(rng=rngs(), d_out=st.integers(1, 12), d_in=st.integers(1, 12))
def test_clip_allows_a_gain_of_c_root_d_out_d_in_at_rank_one_and_no_more(rng, d_out, d_in):
    c, clip = 0.01, Clip()
    signs = np.outer(rng.choice([-1.0, 1.0], d_out), rng.choice([-1.0, 1.0], d_in))
    bound = c * np.sqrt(d_out * d_in)
    assert spectral_norm(clip.project(5.0 * signs)[0]) == pytest.approx(bound, rel=64 * EPS)
    (other,) = clip.project(0.01 * rng.standard_normal((d_out, d_in)))
    assert spectral_norm(other) <= bound * (1 + 64 * EPS)


@given(p=planted(), K=st.floats(1e-3, 1e3))
def test_singular_value_clip_keeps_the_vectors_and_clips_the_values(p, K):
    (W,) = SingularValueClip(K).project(p.W)
    expected = p.U * np.minimum(p.s, K) @ p.V.T
    assert spectral_norm(W) <= K * (1 + 64 * EPS)
    np.testing.assert_allclose(W, expected, atol=256 * EPS * p.s[0])


def test_singular_value_clip_returns_an_allowed_matrix_as_it_is():
    W = 0.5 * AWKWARD["identity"]
    assert SingularValueClip(1.0).project(W)[0] is W


@given(p=planted(), K=st.floats(0.1, 10.0), rng=rngs())
def test_eq28_factors_are_orthonormal_and_the_largest_singular_value_is_K(p, K, rng):
    usv = USV(K)
    start = usv.parametrize(p.W)
    stepped = tuple(block + 0.3 * rng.standard_normal(block.shape) for block in start)
    for U, S, V in (start, usv.project(*stepped)):
        eye = np.eye(len(S))
        np.testing.assert_allclose(U.T @ U, eye, atol=64 * EPS)
        np.testing.assert_allclose(V.T @ V, eye, atol=64 * EPS)
        assert np.abs(S).max() == K
        assert spectral_norm(usv.normalize(U, S, V, None)) == pytest.approx(K, rel=128 * EPS)


@given(p=planted(), K=st.floats(0.1, 10.0))
def test_eq28_represents_W_scaled_to_sigma_K(p, K):
    usv = USV(K)
    W = usv.normalize(*usv.parametrize(p.W), None)
    np.testing.assert_allclose(W, (K / p.s[0]) * p.W, atol=256 * EPS * K)


def test_eq28_a_zero_matrix_gets_one_singular_value_K():
    U, S, V = USV(2.0).parametrize(np.zeros((3, 2)))
    np.testing.assert_array_equal(np.sort(np.abs(S)), [0.0, 2.0])
    np.testing.assert_array_equal(np.linalg.svd(USV(2.0).normalize(U, S, V, None), compute_uv=False), [2.0, 0.0])


@given(rng=rngs(), K=st.floats(0.1, 10.0))
def test_eq28_S_goes_to_the_nearest_allowed_one(rng, K):
    """No allowed S' drawn at random is nearer, for S that reach K somewhere and for S that do not."""
    S = K * rng.uniform(-1.0, 1.0, 4) * rng.choice([0.5, 2.0])
    nearest = USV(K).project(np.eye(4), S, np.eye(4))[1]
    for _ in range(20):
        other = rng.uniform(-K, K, 4)
        other[rng.integers(4)] = rng.choice([-K, K])
        assert np.linalg.norm(S - nearest) <= np.linalg.norm(S - other)


@given(rng=rngs())
def test_eq28_projection_is_idempotent_and_continuous_in_the_factors(rng):
    U, S, V = (block + 0.1 * rng.standard_normal(block.shape) for block in USV().parametrize(np.eye(4, 3)))
    once = USV().project(U, S, V)
    for a, b in zip(once, USV().project(*once), strict=True):
        np.testing.assert_allclose(a, b, atol=64 * EPS)
    tiny = 1e-9 * rng.standard_normal(U.shape)
    assert np.abs(USV().project(U + tiny, S, V)[0] - once[0]).max() < 1e-7


@pytest.mark.parametrize("alpha", [1e-1, 1e-2, 1e-3])
def test_eq28_a_step_leaves_the_set_and_the_projection_returns(alpha):
    """D.3's "not a simple task": the gradient as it comes is not tangent, so that even its first order leaves."""
    rng = np.random.default_rng(0)
    usv = USV()
    U, S, V = usv.parametrize(rng.standard_normal((5, 4)))
    dU, dS, dV = usv.pullback(rng.standard_normal((5, 4)), U, S, V, None)
    stepped = (U - alpha * dU, S - alpha * dS, V - alpha * dV)
    assert np.abs(stepped[0].T @ stepped[0] - np.eye(4)).max() > 0.5 * alpha
    U, S, V = usv.project(*stepped)
    assert np.abs(U.T @ U - np.eye(4)).max() < 64 * EPS
    assert np.abs(S).max() == 1.0
