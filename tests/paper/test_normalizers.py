"""Spectral normalisation and its pullback. Eqs. (8)-(12), (18)-(22), (33)-(38).

The oracles are differences of W ↦ ⟨C, W̄(W)⟩, with W̄ written out here: for fixed ũ, ṽ, W̄ = KW/(ũᵀWṽ); for the true
norm, W̄ = KW/σ(W) with NumPy's 2-norm.
"""

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import AWKWARD, EPS, near_kink, nets, perceptron, plant, planted, rngs, rounding

from specnorm_np.network import backward, forward
from specnorm_np.normalizers import Identity, SpectralNorm, pullback_of_quotient
from specnorm_np.spectral import SingularTriplet, power_iteration, random_direction
from specnorm_np.testing.gradcheck import check_gradient, numeric_gradient

Ks = st.sampled_from([1.0, 0.3, 2.5])


def frozen(C, K, triplet):
    """W ↦ ⟨C, W̄⟩ for fixed ũ, ṽ."""
    u, _, v = triplet
    return lambda W: float(np.vdot(C, K * W / (u @ W @ v)))


def true(C, K):
    """W ↦ ⟨C, W̄⟩ for the true norm."""
    return lambda W: float(np.vdot(C, K * W / np.linalg.norm(W, 2)))


def of_order_one(max_ratio=0.7, max_d=7):
    """σ = 1, so that the default step and tolerances of the checker fit."""
    return planted(max_ratio=max_ratio, max_d=max_d, scales=(1.0, 1.0))


# --- (8)


@given(p=planted(max_ratio=0.7), K=Ks)
def test_eq8_makes_the_norm_K_and_keeps_the_direction(p, K):
    normalizer = SpectralNorm(n_iter=60, K=K)
    W_bar = normalizer.normalize(p.W, power_iteration(p.W, p.u, 60))
    tol = 4 * rounding(p.W)
    np.testing.assert_allclose(np.linalg.norm(W_bar, 2), K, rtol=tol)
    np.testing.assert_allclose(W_bar, p.W * (K / p.s[0]), rtol=tol, atol=tol * K)


@given(p=planted(), rng=rngs(), K=Ks, n_iter=st.integers(1, 5))
def test_eq8_eq22_the_norm_is_approached_from_above(p, rng, K, n_iter):
    """σ̂ ≤ σ, so σ(W̄) ≥ K: after any number of iterations, up to rounding; and it falls as they go on."""
    u = random_direction(len(p.W), rng=rng)
    norms = [
        np.linalg.norm(SpectralNorm(n, K).normalize(p.W, power_iteration(p.W, u, n)), 2) for n in (n_iter, n_iter + 1)
    ]
    assert min(norms) >= K * (1.0 - 2 * rounding(p.W))
    assert norms[1] <= norms[0] * (1.0 + 2 * rounding(p.W))


def test_eq22_one_iteration_from_a_random_start_gives_about_1_4():
    rng, norms = np.random.default_rng(0), []
    for _ in range(30):
        W = rng.standard_normal((128, 128))
        norms.append(np.linalg.norm(SpectralNorm().normalize(W, SpectralNorm().start(W, rng=rng)), 2))
    assert 1.3 < np.mean(norms) < 1.5
    assert min(norms) > 1.1


@given(p=planted(), c=st.floats(1e-3, 1e3), K=Ks)
def test_eq8_does_not_see_the_scale_of_w(p, c, K):
    one, other = (SpectralNorm(K=K).normalize(W, power_iteration(W, p.u, 2)) for W in (p.W, c * p.W))
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * K)


@pytest.mark.parametrize("name", [name for name in AWKWARD if name not in ("subnormal", "nearly repeated")])
@pytest.mark.parametrize("K", [1.0, 2.5])
def test_eq8_awkward_matrices(name, K):
    W = AWKWARD[name]
    normalizer = SpectralNorm(n_iter=200, K=K)
    W_bar = normalizer.normalize(W, normalizer.start(W, rng=np.random.default_rng(0)))
    np.testing.assert_allclose(np.linalg.norm(W_bar, 2), K, rtol=4 * rounding(W))


# --- the state: Algorithm 1


@given(p=planted(), seed=st.integers(0, 99), n_iter=st.integers(1, 3))
def test_eq20_eq21_start_and_refresh_iterate_on_the_raw_weight(p, seed, n_iter):
    normalizer = SpectralNorm(n_iter=n_iter, K=2.0)
    u = random_direction(len(p.W), rng=np.random.default_rng(seed))
    triplet = normalizer.start(p.W, rng=np.random.default_rng(seed))
    for one, other in zip(triplet, power_iteration(p.W, u, n_iter), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(
        normalizer.settle(2 * p.W, triplet)[1], power_iteration(2 * p.W, triplet.u, n_iter), strict=True
    ):
        np.testing.assert_array_equal(one, other)


# --- (9), (10)


@given(p=of_order_one(max_d=4), K=Ks)
def test_eq9_eq10_the_jacobian_at_convergence(p, K):
    """Column (i, j) of ∂W̄/∂W by differences of W/σ(W); its row (k, l) is the pullback of E_kl."""
    triplet = power_iteration(p.W, p.u, 60)
    for index in np.ndindex(*p.W.shape):
        E = np.zeros(p.W.shape)
        E[index] = 1.0
        check_gradient(true(E, K), p.W, SpectralNorm(K=K).pullback(E, p.W, triplet)[0], atol=1e-7)


@given(p=of_order_one(), rng=rngs(), K=Ks)
def test_eq12_eq37_is_the_gradient_through_the_true_norm_at_convergence(p, rng, K):
    C = rng.standard_normal(p.W.shape)
    triplet = power_iteration(p.W, p.u, 60)
    # the third derivative of σ at a gap of 0.3 is of order 1/0.3² per unit of C: 36/6·11·(6e-6)² = 2e-9
    check_gradient(true(C, K), p.W, SpectralNorm(n_iter=60, K=K).pullback(C, p.W, triplet)[0], atol=1e-7)


# --- (11), (12)


@given(p=of_order_one(max_ratio=1.0), rng=rngs(), K=Ks, n_iter=st.integers(1, 4))
def test_eq12_eq37_is_exact_for_fixed_u_and_v_after_any_number_of_iterations(p, rng, K, n_iter):
    C = rng.standard_normal(p.W.shape)
    triplet = power_iteration(p.W, p.u, n_iter)
    check_gradient(frozen(C, K, triplet), p.W, SpectralNorm(n_iter, K).pullback(C, p.W, triplet)[0], atol=1e-7)


def test_eq12_is_not_the_gradient_through_the_true_norm_before_convergence():
    rng = np.random.default_rng(0)
    W, C, u = rng.standard_normal((5, 7)), rng.standard_normal((5, 7)), random_direction(5, rng=rng)
    exact = numeric_gradient(true(C, 1.0), W)
    errors = []
    for n_iter in (1, 5, 200):
        dW = SpectralNorm(n_iter).pullback(C, W, power_iteration(W, u, n_iter))[0]
        errors.append(np.linalg.norm(dW - exact) / np.linalg.norm(exact))
    assert errors[0] > 0.1
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-7


@given(p=planted(), rng=rngs(), K=Ks, n_iter=st.integers(1, 60))
def test_eq12_is_orthogonal_to_w_converged_or_not(p, rng, K, n_iter):
    """Scaling W changes nothing. Rounding is relative to the two terms that cancel."""
    C = rng.standard_normal(p.W.shape)
    triplet = power_iteration(p.W, p.u, n_iter)
    dW = SpectralNorm(n_iter, K).pullback(C, p.W, triplet)[0]
    size = K / triplet.sigma * np.linalg.norm(C) * np.linalg.norm(p.W) ** 2 / triplet.sigma
    assert abs(np.vdot(dW, p.W)) <= 16 * p.W.size * EPS * size


@given(net=nets(), rng=rngs(), K=Ks)
def test_eq11_eq12_lambda_as_a_trace_is_the_mean_of_delta_times_Wh(net, rng, K):
    """With δ from differences by offsets of the pre-activations, and h from a plain forward pass: no backward pass.

    With W̄ = KW/σ̂ the gradient is (K/σ̂)(Ê[δhᵀ] − (λ/K) ũṽᵀ).
    """
    triplets = [power_iteration(W, random_direction(len(W), rng=rng), 2) for W in net.W]
    assume(min(t.sigma for t in triplets) > 0.1)
    normalizer = SpectralNorm(K=K)
    W_bar = [normalizer.normalize(W, t) for W, t in zip(net.W, triplets, strict=True)]
    f, a = perceptron(W_bar, net.b, net.x, net.slope)
    assume(not near_kink(a))
    df = rng.standard_normal(f.shape) / len(f)
    _, cache = forward(W_bar, net.b, net.x, net.slope)
    dW_bar, _ = backward(W_bar, cache, df, net.slope)
    h = net.x
    for l, (W, triplet) in enumerate(zip(net.W, triplets, strict=True)):

        def V(offset, l=l):
            offsets = [offset if k == l else 0.0 for k in range(len(W_bar))]
            return float(np.vdot(df, perceptron(W_bar, net.b, net.x, net.slope, offsets)[0]))

        delta = numeric_gradient(V, np.zeros(a[l].shape))
        mean_of_outer = sum(np.outer(d, x) for d, x in zip(delta, h, strict=True))  # 1/n is in δ
        lam = sum(d @ (W_bar[l] @ x) for d, x in zip(delta, h, strict=True))
        expected = K / triplet.sigma * (mean_of_outer - lam / K * np.outer(triplet.u, triplet.v))
        dW = normalizer.pullback(dW_bar[l], W, triplet)[0]
        np.testing.assert_allclose(dW_bar[l], mean_of_outer, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(dW, expected, rtol=1e-6, atol=1e-6 * K / triplet.sigma)
        h = np.where(a[l] > 0, a[l], net.slope * a[l])


# --- (33)-(38)


QUOTIENTS = {
    "Frobenius": (np.linalg.norm, lambda W: W / np.linalg.norm(W)),
    "largest column sum": (
        lambda W: np.linalg.norm(W, 1),
        lambda W: np.sign(W) * (np.arange(W.shape[1]) == np.abs(W).sum(axis=0).argmax()),
    ),
    "not homogeneous": (lambda W: 1.0 + float(np.sum(np.sin(W) ** 2)), lambda W: np.sin(2 * W)),
}


@pytest.mark.parametrize("name", QUOTIENTS)
@given(rng=rngs(), shape=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_eq33_eq34_eq35_hold_for_any_differentiable_N(name, rng, shape):
    N, dN = QUOTIENTS[name]
    W, C = rng.uniform(0.2, 1.0, shape) * rng.choice([-1.0, 1.0], shape), rng.standard_normal(shape)
    sums = np.sort(np.abs(W).sum(axis=0))
    assume(name != "largest column sum" or len(sums) == 1 or sums[-1] - sums[-2] > 1e-3)
    dW = pullback_of_quotient(C, W, N(W), dN(W))
    check_gradient(lambda W: float(np.vdot(C, W / N(W))), W, dW, atol=1e-7)


@given(rng=rngs(), shape=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_eq36_frobenius_projects_out_the_direction_of_w(rng, shape):
    """(36) is the projection of ∇V/‖W‖_F onto the complement of W."""
    W, C = rng.standard_normal(shape), rng.standard_normal(shape)
    norm = np.linalg.norm(W)
    w = W.ravel() / norm
    projector = np.eye(W.size) - np.outer(w, w)
    dW = pullback_of_quotient(C, W, norm, W / norm)
    np.testing.assert_allclose(
        dW.ravel(), projector @ C.ravel() / norm, rtol=1e-10, atol=1e-14 * np.linalg.norm(C) / norm
    )


# not so small that its products with W fall below the smallest float, where errors are no longer relative ones
multiples = st.floats(-100, 100).filter(lambda k: abs(k) > 1e-290)


@given(p=planted(), k=multiples, K=Ks, n_iter=st.integers(1, 60))
def test_eq38_the_gradient_vanishes_along_the_derivative_of_the_norm(p, k, K, n_iter):
    triplet = power_iteration(p.W, p.u, n_iter)
    dW = SpectralNorm(n_iter, K).pullback(k * np.outer(triplet.u, triplet.v), p.W, triplet)[0]
    # kuvᵀ − λ/K·uvᵀ, λ = K·k·uᵀWv/σ̂: what is left is the rounding of uᵀWv
    assert np.abs(dW).max() <= abs(k) * K / triplet.sigma * 4 * rounding(p.W) * p.s[0] / triplet.sigma


@given(p=planted(), k=multiples)
def test_eq38_holds_for_the_frobenius_norm(p, k):
    norm = np.linalg.norm(p.W)
    dN = p.W / norm
    np.testing.assert_allclose(
        pullback_of_quotient(k * dN, p.W, norm, dN), 0.0, rtol=0, atol=abs(k) / norm * 4 * p.W.size * EPS
    )


def test_eq38_nothing_else_vanishes():
    p = plant([1.0, 0.5], 3, 4, np.random.default_rng(0))
    triplet = power_iteration(p.W, p.u, 60)
    other = np.outer(p.U[:, 1], p.V[:, 1])
    dW = SpectralNorm().pullback(other, p.W, triplet)[0]
    np.testing.assert_allclose(np.linalg.norm(dW - other), 0.5, rtol=1e-12)  # λ = ⟨u₂v₂ᵀ, W⟩ = σ₂


# --- K, zero, dtype, purity


@given(p=planted(), rng=rngs(), K=st.floats(0.1, 10.0))
def test_K_scales_the_effective_weight_and_the_gradient(p, rng, K):
    C, triplet = rng.standard_normal(p.W.shape), power_iteration(p.W, p.u, 2)
    one, other = SpectralNorm(), SpectralNorm(K=K)
    W_bar, dW = one.normalize(p.W, triplet), one.pullback(C, p.W, triplet)[0]
    np.testing.assert_allclose(other.normalize(p.W, triplet), K * W_bar, rtol=8 * EPS)
    size = K * np.abs(dW).max() + K / triplet.sigma * np.linalg.norm(C) * np.linalg.norm(W_bar)
    np.testing.assert_allclose(other.pullback(C, p.W, triplet)[0], K * dW, rtol=0, atol=8 * p.W.size * EPS * size)


@pytest.mark.parametrize("K", [1.0, 2.5])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 2)])
def test_zero_stays_zero_and_lets_its_gradient_through(shape, K):
    rng = np.random.default_rng(0)
    W, C, normalizer = np.zeros(shape), rng.standard_normal(shape), SpectralNorm(K=K)
    triplet = normalizer.start(W, rng=rng)
    np.testing.assert_array_equal(normalizer.normalize(W, triplet), W)
    np.testing.assert_array_equal(normalizer.pullback(C, W, triplet)[0], C)
    assert normalizer.settle(C, normalizer.settle(W, triplet)[1])[1].sigma > 0.0


@given(p=planted(), rng=rngs())
def test_float32_stays_float32(p, rng):
    W, C = p.W.astype(np.float32), rng.standard_normal(p.W.shape).astype(np.float32)
    normalizer = SpectralNorm(K=2.0)
    triplet = normalizer.settle(W, normalizer.start(W, rng=rng))[1]
    arrays = [triplet.u, triplet.v, normalizer.normalize(W, triplet), normalizer.pullback(C, W, triplet)[0]]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert type(triplet.sigma) is float


@given(p=planted(), rng=rngs())
def test_arguments_are_left_alone(p, rng):
    C, triplet = rng.standard_normal(p.W.shape), power_iteration(p.W, p.u, 1)
    copies = [array.copy() for array in (p.W, C, triplet.u, triplet.v)]
    normalizer = SpectralNorm()
    normalizer.normalize(p.W, triplet)
    normalizer.pullback(C, p.W, triplet)[0]
    normalizer.settle(p.W, triplet)[1]
    for array, copy in zip((p.W, C, triplet.u, triplet.v), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@given(p=planted(), rng=rngs())
def test_identity_does_nothing(p, rng):
    C, identity = rng.standard_normal(p.W.shape), Identity()
    state = identity.settle(p.W, identity.start(p.W, rng=rng))[1]
    np.testing.assert_array_equal(identity.normalize(p.W, state), p.W)
    np.testing.assert_array_equal(identity.pullback(C, p.W, state)[0], C)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_iter": 0}, "n_iter is 0"),
        ({"n_iter": -3}, "n_iter is -3"),
        *[({"K": K}, f"K is {K}") for K in (0.0, -1.0, float("inf"), float("nan"))],
    ],
)
def test_a_bad_hyperparameter_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralNorm(**arguments)


def test_a_normaliser_is_a_value():
    assert SpectralNorm(2, 3.0) == SpectralNorm(n_iter=2, K=3.0)
    assert SpectralNorm.blocks == Identity.blocks == ("W",)
    assert SingularTriplet._fields == ("u", "sigma", "v")
