"""The normaliser whose bound holds, and what it shares with the one of the paper."""

import numpy as np
import pytest
from hypothesis import given
from strategies import planted, rngs

from specnorm_np.bounds.certificates import spectral_norm_bounds
from specnorm_np.bounds.strict import CertifiedSpectralNorm
from specnorm_np.network import he_layers
from specnorm_np.rivals.normalizers import Tracked
from specnorm_np.spectral import power_iteration


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(p=planted(), rng=rngs())
def test_eq8_the_stored_weight_is_within_K_from_the_first_iteration_on(dtype, p, rng):
    normalizer = CertifiedSpectralNorm(K=1.5)
    W = p.W.astype(dtype)
    state = normalizer.start(W, rng=rng)
    for _ in range(3):
        W_bar = normalizer.normalize(W, state)
        assert W_bar.dtype == dtype
        assert spectral_norm_bounds(W_bar)[0] <= 1.5
        state = normalizer.settle(W, state)[1]


@given(p=planted(), rng=rngs())
def test_eq35_the_gradient_is_orthogonal_to_the_weight(p, rng):
    normalizer = CertifiedSpectralNorm(K=0.5)
    state = normalizer.start(p.W, rng=rng)
    dW_bar = rng.standard_normal(p.W.shape)
    dW = normalizer.pullback(dW_bar, p.W, state)[0]
    scale = np.linalg.norm(dW_bar) * np.linalg.norm(p.W) / (state.s / 0.5)
    assert abs(np.vdot(dW, p.W)) <= 1e-13 * p.W.size * scale


def test_zero_stays_zero_and_lets_its_gradient_through():
    normalizer, W = CertifiedSpectralNorm(), np.zeros((3, 2))
    state = normalizer.start(W, rng=np.random.default_rng(0))
    dW_bar = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(normalizer.normalize(W, state), W)
    np.testing.assert_array_equal(normalizer.pullback(dW_bar, W, state)[0], dW_bar)


@pytest.mark.parametrize("kind", [CertifiedSpectralNorm, Tracked])
def test_both_iterate_as_often_as_told_from_the_last_u(kind):
    W = np.random.default_rng(0).standard_normal((6, 5))
    state = kind(n_iter=3).start(W, rng=np.random.default_rng(1))
    after = kind(n_iter=3).settle(W, state)[1]
    expected = power_iteration(W, state.u, 3)
    np.testing.assert_array_equal(after.u, expected.u)
    assert after.sigma == expected.sigma


@pytest.mark.parametrize(("options", "words"), [({"K": -1.0}, "K is -1"), ({"n_iter": 0}, "n_iter is 0")])
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        CertifiedSpectralNorm(**options)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_he_layers_have_the_variance_of_their_slope(slope):
    W, _ = he_layers((400, 400), slope, rng=np.random.default_rng(0))[0]
    assert abs(W.var() * 400 - 2.0 / (1.0 + slope**2)) < 0.03
