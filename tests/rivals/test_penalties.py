"""Clipping, USVᵀ, orthonormal and spectral norm regularisation, the gradient penalty. Eqs. (14), (28)-(31), D.2-D.4."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from problems import NORMALIZERS, away_from_kinks, d_loss, draw_problem
from strategies import draw_net, near_kink, perceptron, planted, rngs

from specnorm_np.losses import STANDARD, WASSERSTEIN
from specnorm_np.network import backward_to_input, forward
from specnorm_np.normalizers import Identity
from specnorm_np.rivals.normalizers import Tracked
from specnorm_np.rivals.penalties import (
    GradientPenalty,
    Orthonormal,
    SpectralNormPenalty,
    interpolate,
    orthonormal_layers,
)
from specnorm_np.rivals.projections import USV, Clip, SingularValueClip, orthonormalized
from specnorm_np.spectral import SingularTriplet, spectral_norm
from specnorm_np.testing.gradcheck import check_gradient, directional

EPS = float(np.finfo(np.float64).eps)


def matrices():
    return planted().map(lambda p: p.W)


def problem(name, slope=0.1, seed=0, **shape):
    rng, normalizer = np.random.default_rng(seed), NORMALIZERS[name]
    theta, states, batch = draw_problem(normalizer, rng, slope=slope, **shape)
    while not away_from_kinks(theta, states, normalizer, np.concatenate(batch), slope):
        theta, states, batch = draw_problem(normalizer, rng, slope=slope, **shape)
    return theta, states, normalizer, batch, slope


# --- projections, D.2, D.3


@pytest.mark.parametrize("make", [Clip, SingularValueClip, USV, Orthonormal, SpectralNormPenalty, GradientPenalty])
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_hyper_parameters_are_positive(make, value):
    with pytest.raises(ValueError, match="expected a positive finite number"):
        make(value)


# --- (14)


@given(p=planted(scales=(0.1, 3.0)))
def test_eq14_is_the_distance_of_the_squared_singular_values_from_one(p):
    value, _ = Orthonormal(0.3).penalty(p.W, None)
    missing = p.W.shape[1] - len(p.s)  # W has d_in eigenvalues of WᵀW, those that are not planted are 0
    expected = 0.3 * (np.square(np.square(p.s) - 1.0).sum() + missing)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(W=planted(scales=(0.1, 3.0)).map(lambda p: p.W))
def test_eq14_gradient(W):
    _, dW = Orthonormal(0.3).penalty(W, None)
    check_gradient(lambda W: Orthonormal(0.3).penalty(W, None)[0], W, dW, atol=1e-7)


@given(rng=rngs(), widths=st.lists(st.integers(1, 7), min_size=2, max_size=5))
def test_eq14_minimum_is_at_orthonormal_layers_and_0_or_d_in_minus_d_out(rng, widths):
    for (d_in, d_out), (W, b) in zip(pairwise(widths), orthonormal_layers(widths, rng=rng), strict=True):
        assert W.shape == (d_out, d_in)
        assert not b.any()
        product = W.T @ W if d_out >= d_in else W @ W.T
        np.testing.assert_allclose(product, np.eye(min(d_in, d_out)), atol=64 * EPS)
        lowest, dW = Orthonormal(1.0).penalty(W, None)
        assert lowest == pytest.approx(max(0, d_in - d_out), abs=1e-12)
        assert np.abs(dW).max() < 1e-12
        assert Orthonormal(1.0).penalty(rng.standard_normal(W.shape), None)[0] >= lowest - 1e-12


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (1, 5)])
def test_eq14_descent_makes_all_singular_values_one(shape):
    W = np.random.default_rng(0).standard_normal(shape)
    for _ in range(2000):
        W = W - 0.02 * Orthonormal(1.0).penalty(W, None)[1]
    np.testing.assert_allclose(np.linalg.svd(W, compute_uv=False), 1.0, atol=1e-9)


def test_orthonormal_layers_are_drawn_without_a_preferred_sign():
    """Each entry of a 2 × 2 W has mean 0 and variance 1/2; QR alone would give the first one a negative mean."""
    rng = np.random.default_rng(0)
    W = np.array([orthonormal_layers((2, 2), rng=rng)[0][0] for _ in range(2000)])
    assert np.abs(W.mean(axis=0)).max() < 5 * np.sqrt(0.5 / 2000)
    assert np.abs(W[:, 0, 0]).max() > 0.9


@given(rng=rngs())
def test_orthonormalized_is_a_positive_triangular_factor_away(rng):
    A = rng.standard_normal((5, 3))
    R = orthonormalized(A).T @ A
    np.testing.assert_allclose(np.tril(R, -1), 0.0, atol=1e-13)
    assert (np.diag(R) > 0.0).all()


def test_orthonormal_layers_check_their_widths():
    with pytest.raises(ValueError, match="widths"):
        orthonormal_layers((3,), rng=np.random.default_rng(0))


# --- spectral norm regularisation


@given(p=planted(max_ratio=0.9), rng=rngs())
def test_spectral_norm_penalty_has_the_gradient_of_lam_half_sigma_squared(p, rng):
    u, v = p.U[:, 0], p.V[:, 0]
    W = p.W / p.s[0]
    value, dW = SpectralNormPenalty(0.3).penalty(W, SingularTriplet(u, 1.0, v))
    assert value == pytest.approx(0.15)
    check_gradient(lambda W: 0.15 * (u @ W @ v) ** 2, W, dW)
    if len(p.s) == 1 or p.s[1] < 0.9 * p.s[0]:  # at convergence, where σ₁ is single, it is that of λ/2 σ(W)²
        direction = rng.standard_normal(W.shape)
        numeric = directional(lambda W: 0.15 * spectral_norm(W) ** 2, W, direction)
        assert np.vdot(dW, direction) == pytest.approx(numeric, rel=1e-6, abs=1e-7)


def test_spectral_norm_penalty_needs_a_triplet():
    with pytest.raises(ValueError, match="expected the triplet of W"):
        SpectralNormPenalty().penalty(np.eye(2), None)


# --- penalties in the whole loss


@pytest.mark.parametrize("name", ["none", "sn", "wn", "tracked"])
def test_eq14_in_the_whole_loss(name):
    theta, states, normalizer, batch, slope = problem(name)

    def extra(W_bar, b, theta, states):
        parts = [Orthonormal(0.3).penalty(theta[f"W{l}"], None) for l in (1, 2, 3)]
        return sum(value for value, _ in parts), None, {f"W{l}": dW for l, (_, dW) in enumerate(parts, 1)}

    def loss(vector):
        return d_loss(theta.replace(vector), states, normalizer, batch, slope, extra=extra)[0]

    check_gradient(loss, theta.vector, d_loss(theta, states, normalizer, batch, slope, extra=extra)[1], atol=1e-7)


@pytest.mark.parametrize("name", ["tracked", "sn", "sn-gamma"])
def test_spectral_norm_penalty_in_the_whole_loss(name):
    theta, states, normalizer, batch, slope = problem(name)

    def extra(W_bar, b, theta, states):
        parts = [SpectralNormPenalty(0.7).penalty(theta[f"W{l}"], state) for l, state in enumerate(states, 1)]
        return sum(value for value, _ in parts), None, {f"W{l}": dW for l, (_, dW) in enumerate(parts, 1)}

    def loss(vector):
        return d_loss(theta.replace(vector), states, normalizer, batch, slope, extra=extra)[0]

    check_gradient(loss, theta.vector, d_loss(theta, states, normalizer, batch, slope, extra=extra)[1])


@pytest.mark.parametrize("loss", [WASSERSTEIN, STANDARD], ids=["wgan-gp", "gan-gp"])
@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("name", NORMALIZERS)
def test_eq29_in_the_whole_loss_at_every_block(name, slope, loss):
    """x̂ on the segments between the points; R and its gradient join at W̄, before the pullback."""
    seed = 0
    while True:
        theta, states, normalizer, batch, _ = problem(name, slope, seed, n=(3, 3))
        x_hat = interpolate(*batch, rng=np.random.default_rng(1))
        if away_from_kinks(theta, states, normalizer, x_hat, slope):
            break
        seed += 1

    def extra(W_bar, b, theta, states):
        return *GradientPenalty().penalty(W_bar, b, x_hat, slope), {}

    def value(vector):
        return d_loss(theta.replace(vector), states, normalizer, batch, slope, loss, extra=extra)[0]

    dtheta = d_loss(theta, states, normalizer, batch, slope, loss, extra=extra)[1]
    size = max(1.0, np.abs(dtheta).max())
    check_gradient(value, theta.vector, dtheta, atol=1e-7 * size)


# --- (29)


@st.composite
def critics(draw, max_widths=4):
    """Networks with one output and a batch, away from kinks; some with rows of zeros, dead units, one point."""
    widths = [*draw(st.lists(st.integers(1, 5), min_size=1, max_size=max_widths)), 1]
    rng = draw(rngs())
    n, slope = draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 0.1, 0.7, 1.0]))
    zero_row, dead_unit = draw(st.booleans()), draw(st.booleans())
    while True:
        net = draw_net(widths, n, slope, rng)
        if zero_row:
            net.W[0][0] = 0.0
        if dead_unit:
            net.b[0][-1] = -50.0
        if not near_kink(perceptron(net.W, net.b, net.x, slope)[1], 1e-2):
            return net


def gradients_by_differences(W, b, x, slope, step=1e-3):
    """∇f at every point from f alone; exact up to rounding, for f is linear within the step."""
    g = np.empty_like(x)
    for i in range(x.shape[1]):
        e = step * np.eye(x.shape[1])[i]
        g[:, i] = (perceptron(W, b, x + e, slope)[0] - perceptron(W, b, x - e, slope)[0])[:, 0] / (2.0 * step)
    return g


def penalty_by_differences(W, b, x, slope, lam=10.0):
    length = np.linalg.norm(gradients_by_differences(W, b, x, slope), axis=1)
    return lam * float(np.square(length - 1.0).mean())


@given(net=critics())
def test_eq29_value_is_that_of_differences_of_f(net):
    value, _ = GradientPenalty().penalty(*net)
    assert value == pytest.approx(penalty_by_differences(*net), rel=1e-9, abs=1e-9)


@given(net=critics(3))
def test_eq29_gradient_is_that_of_differences_of_differences_of_f(net):
    """Rounding of the inner difference, some 1e-11 in R, is divided by the outer step, within which f has no kink.

    The step is 2e-5: longer than the default for the rounding, and short beside ‖∇f‖, where the length of ∇f bends.
    """
    lengths = np.linalg.norm(gradients_by_differences(*net), axis=1)
    assume(((lengths > 0.02) | (lengths == 0.0)).all())
    _, dW = GradientPenalty().penalty(*net)
    for l, W in enumerate(net.W):

        def R(W, l=l):
            return penalty_by_differences([*net.W[:l], W, *net.W[l + 1 :]], *net[1:])

        size = max(1.0, np.abs(dW[l]).max())
        check_gradient(R, W, dW[l], atol=1e-5 * size, step=2e-5)


@given(net=critics())
def test_eq29_gradient_at_every_weight(net):
    value, dW = GradientPenalty(3.0).penalty(*net)
    for l, W in enumerate(net.W):

        def R(W, l=l):
            return GradientPenalty(3.0).penalty([*net.W[:l], W, *net.W[l + 1 :]], *net[1:])[0]

        check_gradient(R, W, dW[l], atol=1e-8 * max(1.0, value, np.abs(dW[l]).max()))


@given(net=critics(), rng=rngs())
def test_eq29_biases_do_not_matter_within_a_linear_region(net, rng):
    value, _ = GradientPenalty().penalty(*net)
    moved = [b + 1e-6 * rng.standard_normal(b.shape) for b in net.b]
    assert GradientPenalty().penalty(net.W, moved, net.x, net.slope)[0] == value


@given(rng=rngs(), n=st.integers(1, 5))
def test_eq29_of_a_linear_f_in_closed_form(rng, n):
    w = rng.standard_normal((1, 3))
    value, (dw,) = GradientPenalty(10.0).penalty([w], [np.array([0.3])], rng.standard_normal((n, 3)), 0.1)
    length = np.linalg.norm(w)
    assert value == pytest.approx(10.0 * (length - 1.0) ** 2, abs=1e-13)
    np.testing.assert_allclose(dw, 20.0 * (length - 1.0) * w / length, atol=1e-12)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_eq29_where_the_gradient_of_f_is_zero_it_is_lam_and_stays(slope):
    W, b, x = [np.zeros((3, 2)), np.zeros((1, 3))], [np.ones(3), np.ones(1)], np.ones((4, 2))
    value, dW = GradientPenalty(7.0).penalty(W, b, x, slope)
    assert value == 7.0
    assert [d.any() for d in dW] == [False, False]


def test_eq29_is_lowest_where_f_has_slope_one_everywhere():
    x = np.random.default_rng(0).standard_normal((5, 2))
    value, (dw,) = GradientPenalty().penalty([np.array([[0.6, -0.8]])], [np.zeros(1)], x, 0.1)
    assert value <= 1e-30
    assert np.abs(dw).max() <= 1e-14


def test_eq29_needs_a_number_for_f():
    with pytest.raises(ValueError, match="W_bar has 2 outputs; expected 1"):
        GradientPenalty().penalty([np.eye(2)], [np.zeros(2)], np.ones((3, 2)), 0.1)


@given(net=critics())
def test_eq29_gradient_of_f_by_differences_is_backward_to_input(net):
    f, cache = forward(*net)
    g = backward_to_input(net.W, cache, np.ones_like(f), net.slope)
    np.testing.assert_allclose(g, gradients_by_differences(*net), atol=1e-10)


# --- (30), (31)


@given(rng=rngs(), n=st.integers(1, 8))
def test_eq30_lies_between_each_pair_of_points(rng, n):
    x_real, x_fake = rng.standard_normal((2, n, 3))
    x_hat = interpolate(x_real, x_fake, rng=rng)
    along = ((x_hat - x_fake) / (x_real - x_fake))[:, :1]  # ε, the same in every coordinate
    np.testing.assert_allclose(x_hat, along * x_real + (1 - along) * x_fake, atol=1e-10)
    assert along.min() >= 0.0
    assert along.max() <= 1.0


def test_eq31_epsilon_is_uniform_and_drawn_for_each_row():
    n = 10_000
    x_real, x_fake = np.ones((n, 1)), np.zeros((n, 1))
    epsilon = np.sort(interpolate(x_real, x_fake, rng=np.random.default_rng(0))[:, 0])
    distance = np.abs(epsilon - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / np.sqrt(n)  # Kolmogorov-Smirnov: exceeded with probability 0.001


def test_eq30_needs_as_many_real_as_generated_points():
    with pytest.raises(ValueError, match=r"x_real has shape \(3, 2\) and x_fake \(4, 2\)"):
        interpolate(np.ones((3, 2)), np.ones((4, 2)), rng=np.random.default_rng(0))


# --- dtype, purity


def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((4, 3)).astype(np.float32)
    triplet = Tracked().start(W, rng=rng)
    x_hat = interpolate(*rng.standard_normal((2, 5, 3)).astype(np.float32), rng=rng)
    net = [W, W[:1, :1] * np.ones((1, 4), np.float32)], [W[:, 0], W[0, :1]], x_hat
    arrays = [
        x_hat,
        *Clip().project(W),
        *SingularValueClip(0.5).project(W),
        *USV().project(*USV().parametrize(W)),
        Orthonormal().penalty(W, None)[1],
        SpectralNormPenalty().penalty(W, triplet)[1],
        *GradientPenalty().penalty(*net, 0.0)[1],
        *GradientPenalty().penalty(*net, 0.1)[1],
        *(W for W, _ in orthonormal_layers((3, 2, 1), dtype=np.float32, rng=rng)),
    ]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_arguments_are_not_changed():
    net = draw_net((2, 3, 1), 4, 0.1, np.random.default_rng(0))
    for array in (*net.W, *net.b, net.x):
        array.flags.writeable = False
    W = net.W[0]
    blocks = USV().parametrize(W)
    for block in blocks:
        block.flags.writeable = False
    USV().project(*blocks)
    Clip().project(W)
    SingularValueClip(0.1).project(W)
    Orthonormal().penalty(W, None)
    GradientPenalty().penalty(*net)
    assert isinstance(Identity().normalize(W, None), np.ndarray)
