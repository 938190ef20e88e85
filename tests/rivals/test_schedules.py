"""Schedules of the rates and of K. Not in the paper, but for the linear decay."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import rngs

from specnorm_np.bounds.strict import CertifiedSpectralNorm
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.rivals.schedules import Piecewise, ScheduledK
from specnorm_np.spectral import spectral_norm
from specnorm_np.testing.gradcheck import check_gradient


@pytest.mark.parametrize(
    ("progress", "value"), [(0.0, 2.0), (0.25, 2.0), (0.375, 1.25), (0.5, 0.5), (0.75, 2.25), (1.0, 4.0)]
)
def test_a_piecewise_schedule_is_linear_between_its_points(progress, value):
    assert Piecewise(((0.25, 2.0), (0.5, 0.5), (1.0, 4.0)))(progress) == value


@pytest.mark.parametrize(
    "points",
    [(), ((0.5,),), ((0.5, 1.0), (0.5, 2.0)), ((-0.1, 1.0),), ((1.1, 1.0),), ((0.5, -1.0),), ((0.5, np.nan),), "x", 3],
)
def test_what_is_no_schedule_is_refused(points):
    with pytest.raises(ValueError, match="points"):
        Piecewise(points)


def test_a_K_of_zero_is_refused():
    with pytest.raises(ValueError, match="K has the value 0"):
        ScheduledK(SpectralNorm(), Piecewise(((0.0, 1.0), (1.0, 0.0))), updates=4)


@pytest.mark.parametrize(("inner", "share"), [(SpectralNorm(50), 1.0), (CertifiedSpectralNorm(50), 1 / 1.01)])
def test_the_norm_of_the_effective_weight_follows_the_schedule(inner, share):
    rng = np.random.default_rng(0)
    normalizer = ScheduledK(inner, Piecewise(((0.0, 1.0), (0.5, 3.0))), updates=4)
    W = rng.standard_normal((4, 3))
    state, seen = normalizer.start(W, rng=rng), []
    for _ in range(6):
        (W,), state = normalizer.settle(W, state)
        seen.append(spectral_norm(normalizer.normalize(W, state)))
    assert seen == pytest.approx(share * np.array([2.0, 3.0, 3.0, 3.0, 3.0, 3.0]))


@given(rng=rngs(), updates=st.integers(0, 5))
def test_the_pullback_is_that_of_the_present_K(rng, updates):
    """For ũ and ṽ held fixed, the gradient of ⟨dW̄, W̄(W)⟩."""
    normalizer = ScheduledK(SpectralNorm(3), Piecewise(((0.0, 0.5), (1.0, 2.5))), updates=4)
    W, dW_bar = rng.standard_normal((2, 4, 3))
    state = normalizer.start(W, rng=rng)
    for _ in range(updates):
        (W,), state = normalizer.settle(W, state)
    assert pytest.approx(0.5 + 2.0 * min(updates / 4, 1.0)) == state.K

    def V(W):
        triplet = state.norm._replace(sigma=float(state.norm.u @ W @ state.norm.v))
        return float(np.vdot(dW_bar, normalizer.normalize(W, state._replace(norm=triplet))))

    check_gradient(V, W, *normalizer.pullback(dW_bar, W, state))
