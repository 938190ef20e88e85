"""The perceptron against plain loops and differences, and its Lipschitz bound. Eqs. (1), (5), (7), (11)."""

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import EPS, draw_net, near_kink, nets, perceptron, rngs, rounding

from specnorm_np.network import Params, backward, backward_to_input, forward, he_layers
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.testing.gradcheck import check_gradient


def loss_of(df):
    """V = ⟨df, f⟩, whose gradient at f is df."""
    return lambda f: float(np.vdot(df, f))


def gradients(net, df):
    _, cache = forward(net.W, net.b, net.x, net.slope)
    return (*backward(net.W, cache, df, net.slope), backward_to_input(net.W, cache, df, net.slope))


# --- (1)


@given(net=nets())
def test_eq1_forward_is_the_composition_point_by_point(net):
    f, _ = forward(net.W, net.b, net.x, net.slope)
    assert f.shape == (len(net.x), len(net.b[-1]))
    for x, row in zip(net.x, f, strict=True):
        h = list(x)
        for l, (W, b) in enumerate(net.layers):
            a = [sum(w * y for w, y in zip(weights, h, strict=True)) + bias for weights, bias in zip(W, b, strict=True)]
            h = a if l == len(net.W) - 1 else [y if y > 0 else net.slope * y for y in a]
        np.testing.assert_allclose(row, h, rtol=1e-13, atol=1e-13)


@given(net=nets(slopes=(0.0, 0.1, 1.0)), c=st.floats(0.1, 10.0))
def test_eq1_without_biases_is_positively_homogeneous(net, c):
    zeros = [0.0 * b for b in net.b]
    f, _ = forward(net.W, zeros, net.x, net.slope)
    np.testing.assert_allclose(forward(net.W, zeros, c * net.x, net.slope)[0], c * f, rtol=1e-12, atol=1e-13 * c)


def test_eq1_by_hand():
    W, b = [np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([[2.0, 3.0]])], [np.array([1.0, 0.5]), np.array([-1.0])]
    x = np.array([[1.0, 1.0], [-2.0, -1.0]])  # a is (2, −0.5) and (−1, 1.5)
    np.testing.assert_allclose(forward(W, b, x, 0.1)[0], [[4 - 0.15 - 1], [-0.2 + 4.5 - 1]], rtol=4 * EPS)
    np.testing.assert_allclose(forward(W, b, x, 0.0)[0], [[4 - 1], [4.5 - 1]], rtol=4 * EPS)


# --- backward


@given(net=nets(), rng=rngs())
def test_eq11_backward_is_the_derivative_by_every_weight_and_bias(net, rng):
    f, a = perceptron(net.W, net.b, net.x, net.slope)
    assume(not near_kink(a))
    df = rng.standard_normal(f.shape)
    dW, db, _ = gradients(net, df)
    for l in range(len(net.W)):

        def loss(block, l=l, which=0):
            W, b = list(net.W), list(net.b)
            (W, b)[which][l] = block
            return loss_of(df)(perceptron(W, b, net.x, net.slope)[0])

        check_gradient(loss, net.W[l], dW[l])
        check_gradient(lambda b, l=l, loss=loss: loss(b, l, 1), net.b[l], db[l])


@given(net=nets(), rng=rngs())
def test_backward_to_input_is_the_derivative_by_the_input(net, rng):
    f, a = perceptron(net.W, net.b, net.x, net.slope)
    assume(not near_kink(a))
    df = rng.standard_normal(f.shape)
    dx = gradients(net, df)[2]
    check_gradient(lambda x: loss_of(df)(perceptron(net.W, net.b, x, net.slope)[0]), net.x, dx)


@given(net=nets(d_out=1), rng=rngs())
def test_one_output_takes_the_same_gradients_as_the_matrix_product(net, rng):
    """A second output that nobody looks at turns the broadcast product into a matrix product."""
    df = rng.standard_normal((len(net.x), 1))
    wide = net._replace(
        W=[*net.W[:-1], np.vstack([net.W[-1], rng.standard_normal(net.W[-1].shape)])], b=[*net.b[:-1], np.ones(2)]
    )
    dW, db, dx = gradients(net, df)
    dW_wide, db_wide, dx_wide = gradients(wide, np.hstack([df, 0.0 * df]))
    dW_wide[-1], db_wide[-1] = dW_wide[-1][:1], db_wide[-1][:1]
    for one, other in zip([*dW, *db, dx], [*dW_wide, *db_wide, dx_wide], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@given(net=nets(d_out=1), rng=rngs(), n=st.integers(1, 5))
def test_one_pass_over_real_and_fake_points_equals_two(net, rng, n):
    fake = net._replace(x=rng.standard_normal((n, net.x.shape[1])))
    both = net._replace(x=np.concatenate([net.x, fake.x]))
    df, df_fake = rng.standard_normal((len(net.x), 1)), rng.standard_normal((n, 1))
    dW, db, dx = gradients(net, df)
    dW_fake, db_fake, dx_fake = gradients(fake, df_fake)
    dW_both, db_both, dx_both = gradients(both, np.concatenate([df, df_fake]))
    for one, other, joint in zip([*dW, *db], [*dW_fake, *db_fake], [*dW_both, *db_both], strict=True):
        np.testing.assert_allclose(joint, one + other, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx_both, np.concatenate([dx, dx_fake]), rtol=1e-12, atol=1e-13)


@given(net=nets(d_out=1), rng=rngs())
def test_two_passes_do_not_get_into_each_others_way(net, rng):
    """Forward over A, forward over B, and only then backward over A."""
    df = rng.standard_normal((len(net.x), 1))
    expected = gradients(net, df)
    _, cache = forward(net.W, net.b, net.x, net.slope)
    forward(net.W, net.b, rng.standard_normal(net.x.shape), net.slope)
    for _ in range(2):  # and backward can be repeated
        dW, db = backward(net.W, cache, df, net.slope)
        for one, other in zip([*dW, *db], [*expected[0], *expected[1]], strict=True):
            np.testing.assert_array_equal(one, other)


@given(net=nets(), rng=rngs())
def test_gradients_have_exactly_the_shapes_of_their_variables(net, rng):
    dW, db, dx = gradients(net, rng.standard_normal((len(net.x), len(net.b[-1]))))
    for gradient, variable in zip([*dW, *db, dx], [*net.W, *net.b, net.x], strict=True):
        assert gradient.shape == variable.shape


@given(net=nets(), rng=rngs())
def test_arguments_are_left_alone(net, rng):
    df = rng.standard_normal((len(net.x), len(net.b[-1])))
    arrays = [*net.W, *net.b, net.x, df]
    copies = [array.copy() for array in arrays]
    gradients(net, df)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@given(net=nets(), rng=rngs())
def test_float32_stays_float32(net, rng):
    narrow = net._replace(
        W=[W.astype(np.float32) for W in net.W],
        b=[b.astype(np.float32) for b in net.b],
        x=net.x.astype(np.float32),
    )
    f, _ = forward(narrow.W, narrow.b, narrow.x, narrow.slope)
    assert f.dtype == np.float32
    dW, db, dx = gradients(narrow, rng.standard_normal(f.shape).astype(np.float32))
    assert {array.dtype for array in [*dW, *db, dx]} == {np.dtype(np.float32)}


@pytest.mark.parametrize("slope", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("d_out", [1, 2])
def test_at_a_kink_the_slope_is_the_left_one(slope, d_out):
    W, b, x = [np.eye(2), np.ones((d_out, 2))], [np.array([0.0, 1.0]), np.zeros(d_out)], np.zeros((1, 2))
    _, cache = forward(W, b, x, slope)
    np.testing.assert_array_equal(backward_to_input(W, cache, np.ones((1, d_out)), slope), [[slope * d_out, d_out]])


# --- (5), (7)


def forward_error(net):
    """Bound how far a computed f(x) may be from the exact one, in norm, row by row.

    Let e be the error in h_{l-1} and σ = σ(W). In exact arithmetic it becomes at most σe in a, and the activation does
    not enlarge it. Computing a = Wh + b, d terms and a bias, in any order, adds at most (d + 1)ε(|W||h| + |b|) entry by
    entry, so at most (d + 1)ε(‖W‖_F ‖h‖ + ‖b‖) in norm; multiplying by the slope costs one ε more. Here h is the
    computed one; the second-order difference is covered by ε being twice the rounding unit.
    """
    _, a = perceptron(net.W, net.b, net.x, net.slope)
    h = [net.x, *(np.where(layer > 0.0, layer, net.slope * layer) for layer in a[:-1])]
    e = np.zeros(len(net.x))
    for W, b, inputs in zip(net.W, net.b, h, strict=True):
        size = np.linalg.norm(W) * np.linalg.norm(inputs, axis=1) + np.linalg.norm(b)
        e = np.linalg.norm(W, 2) * (1.0 + rounding(W)) * e + (W.shape[1] + 2) * EPS * size
    return e


def assert_lipschitz(net, M):
    """|f(x) − f(x')| ≤ M ‖x − x'‖ for every two rows of the batch; the derived rounding term and nothing else."""
    f, _ = forward(net.W, net.b, net.x, net.slope)
    e = forward_error(net)
    for i in range(len(f)):
        rise, run = np.linalg.norm(f - f[i], axis=1), np.linalg.norm(net.x - net.x[i], axis=1)
        slack = e + e[i] + 4 * EPS * rise + len(net.x[0]) * EPS * M * run
        assert (rise <= M * run * (1.0 + sum(rounding(W) for W in net.W)) + slack).all()


def with_close_pairs(net, rng):
    """Add, to every point, points near and far in the direction of steepest ascent there and in random ones."""
    _, cache = forward(net.W, net.b, net.x, net.slope)
    ascent = backward_to_input(net.W, cache, np.ones((len(net.x), len(net.b[-1]))), net.slope)
    directions = [
        p / (np.abs(p).max() or 1.0) * np.abs(net.x).max() for p in (ascent, rng.standard_normal(ascent.shape))
    ]
    return net._replace(x=np.concatenate([net.x, *(net.x + t * p for p in directions for t in (1e-6, 1e-2, 10.0))]))


@given(net=nets(), rng=rngs(), scale=st.sampled_from([1e-100, 1e-3, 1.0, 1e3, 1e100]))
def test_eq7_no_slope_exceeds_the_product_of_the_norms(net, rng, scale):
    net = net._replace(W=[net.W[0] * scale, *net.W[1:]], x=net.x / scale)
    assert_lipschitz(with_close_pairs(net, rng), np.prod([np.linalg.norm(W, 2) for W in net.W]))


@given(rng=rngs(), K=st.floats(0.3, 3.0), n_layers=st.integers(1, 4), slope=st.sampled_from([0.0, 0.1, 1.0]))
def test_eq5_eq7_converged_spectral_normalisation_gives_the_power_of_K(rng, K, n_layers, slope):
    """σ(W̄) = K in each of L+1 layers, and so K^(L+1) for f; the excess over K is measured by SVD and allowed."""
    net = draw_net([3] * n_layers + [1], 6, slope, rng)
    normalizer = SpectralNorm(n_iter=300, K=K)
    W_bar = [normalizer.normalize(W, normalizer.start(W, rng=rng)) for W in net.W]
    norms = [np.linalg.norm(W, 2) for W in W_bar]
    assume(max(norms) <= K * (1.0 + 1e-9))  # all but nearly multiple σ₁
    assert_lipschitz(with_close_pairs(net._replace(W=W_bar), rng), (K * (1.0 + 1e-9)) ** n_layers)


def test_eq7_is_sharp_for_aligned_linear_layers():
    """With slope 1 and first singular vectors that fit together the bound is attained: it is not vacuous."""
    rng = np.random.default_rng(0)
    Q = [np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(4)]
    s = np.array([2.0, 1.0, 0.5, 0.1])
    W = [Q[l + 1] * s @ Q[l].T for l in range(3)]
    x = np.array([np.zeros(4), Q[0][:, 0]])
    f, _ = forward(W, [np.ones(4)] * 3, x, 1.0)
    np.testing.assert_allclose(np.linalg.norm(f[1] - f[0]), 8.0, rtol=1e-14)


# --- θ


@given(net=nets())
def test_theta_holds_the_layers_and_its_blocks_are_views(net):
    theta = Params.of_layers(net.layers)
    assert list(theta) == [f"{name}{l}" for l in range(1, len(net.W) + 1) for name in "Wb"]
    assert len(theta) == 2 * len(net.W)
    for l, (W, b) in enumerate(net.layers, 1):
        np.testing.assert_array_equal(theta[f"W{l}"], W)
        np.testing.assert_array_equal(theta[f"b{l}"], b)
        assert np.shares_memory(theta[f"W{l}"], theta.vector)
    assert theta.vector.size == sum(array.size for array in [*net.W, *net.b])
    assert not np.shares_memory(theta.vector, net.W[0])


@given(net=nets(), rng=rngs())
def test_replace_keeps_the_layout_and_the_old_vector(net, rng):
    theta = Params.of_layers(net.layers)
    old = {name: block.copy() for name, block in theta.items()}  # blocks have been looked at before
    vector = rng.standard_normal(theta.vector.shape)
    other = theta.replace(vector)
    np.testing.assert_array_equal(np.concatenate([other[name].ravel() for name in other]), vector)
    assert [other[name].shape for name in other] == [theta[name].shape for name in theta]
    for name, block in old.items():
        np.testing.assert_array_equal(theta[name], block)


def test_blocks_may_have_any_shape_and_name():
    theta = Params.of_blocks({"gamma": np.float64(3.0), "W": np.arange(6.0).reshape(1, 2, 3)})
    assert theta["gamma"].shape == ()
    assert theta["W"].shape == (1, 2, 3)
    np.testing.assert_array_equal(theta.vector, [3, 0, 1, 2, 3, 4, 5])
    assert repr(theta) == "Params(gamma[], W[1, 2, 3])"


def test_a_list_becomes_a_vector_and_gives_its_weights_and_biases_back():
    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((3, 2)), rng.standard_normal(3)), (rng.standard_normal((1, 3)), np.ones(1))]
    theta = Params.of_layers(layers)
    for (W, b), W_back, b_back in zip(layers, theta.weights, theta.biases, strict=True):
        np.testing.assert_array_equal(W_back, W)
        np.testing.assert_array_equal(b_back, b)
    theta.vector[0] = 7.0
    assert theta.weights[0][0, 0] == 7.0  # views
    np.testing.assert_array_equal(theta.replace(2 * theta.vector).weights[0], 2 * theta.weights[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Params(np.ones(3), {"W": (2, 2)}), r"vector has shape \(3,\); expected \(4,\)"),
        (lambda: Params(np.ones((4, 1)), {"W": (2, 2)}), "vector has shape"),
        (lambda: Params.of_blocks({"W": np.ones((2, 2))}).replace(np.ones(5)), r"vector has shape \(5,\)"),
        (lambda: Params.of_blocks({}), "blocks have dtypes"),
        (lambda: Params.of_blocks({"W": np.ones(2, int)}), "blocks have dtypes"),
        (lambda: Params.of_blocks({"W": np.ones(2), "b": np.ones(2, np.float32)}), "float32.*float64"),
        (lambda: Params.of_blocks({"W": np.ones(2), "b": np.array([np.nan])}), "block b holds NaN"),
        (lambda: Params.of_blocks({"W": np.array([np.inf])}), "block W holds NaN or inf"),
        (lambda: Params.of_layers([(np.ones(2), np.ones(2))]), "layer 1 has W"),
        (lambda: Params.of_layers([(np.ones((2, 3)), np.ones(3))]), "layer 1 has W"),
        (lambda: Params.of_layers([(np.ones((2, 3)), np.ones((2, 1)))]), "layer 1 has W"),
        (lambda: Params.of_layers([(np.ones((2, 3)), np.ones(2)), (np.ones((1, 3)), np.ones(1))]), "layer 2 has W"),
        (lambda: he_layers([3], rng=np.random.default_rng(0)), r"widths is \(3,\)"),
        (lambda: he_layers([3, 0, 1], rng=np.random.default_rng(0)), "widths is"),
    ],
)
def test_a_bad_layout_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- initialisation


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.5, 1.0])
def test_he_weights_keep_the_mean_square_of_activations(slope):
    """E h² = 1 in, E h² = 1 out, for the variance is 2/((1 + slope²) d_in); five standard errors are allowed."""
    rng = np.random.default_rng(0)
    [(W, b)] = he_layers([300, 400], slope, rng=rng)
    h, a = rng.standard_normal((200, 300)), None
    a = h @ W.T + b
    outputs = np.where(a > 0, a, slope * a)
    np.testing.assert_allclose((outputs**2).mean(), 1.0, rtol=0.05)
    np.testing.assert_allclose(W.var(), 2 / ((1 + slope**2) * 300), rtol=5 * np.sqrt(2 / W.size))
    np.testing.assert_allclose(W.mean(), 0.0, rtol=0, atol=5 * W.std() / np.sqrt(W.size))
    np.testing.assert_array_equal(b, np.zeros(400))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_he_layers_chain_in_one_dtype_and_take_only_the_generator(dtype):
    one, other = (he_layers((2, 5, 3), 0.1, dtype=dtype, rng=np.random.default_rng(4)) for _ in range(2))
    assert [W.shape for W, _ in one] == [(5, 2), (3, 5)]
    assert {array.dtype for layer in one for array in layer} == {np.dtype(dtype)}
    np.testing.assert_array_equal(Params.of_layers(one).vector, Params.of_layers(other).vector)


def test_he_layers_are_those_of_relu_by_default():
    default, relu = (he_layers((3, 4), *slope, rng=np.random.default_rng(0)) for slope in ((), (0.0,)))
    np.testing.assert_array_equal(default[0][0], relu[0][0])
