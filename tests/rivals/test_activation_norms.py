"""Batch and layer normalisation in D's hidden layers: what they make of W̄h, and their gradients."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, strategies as st
from problems import NORMALIZERS, d_loss, draw_problem
from strategies import draw_net, near_kink, rngs

from specnorm_np.losses import STANDARD
from specnorm_np.network import MLP
from specnorm_np.normalizers import Identity
from specnorm_np.rivals.activation_norms import BatchNorm, LayerNorm, NormalizedMLP
from specnorm_np.testing.gradcheck import check_gradient, numeric_gradient

both = pytest.mark.parametrize("norm", [BatchNorm(0.1), LayerNorm(0.1)], ids=["bn", "ln"])
WIDTHS = (2, 5, 4, 1)


class Tape(NamedTuple):
    net: MLP
    h: list
    cache: object


def forward(W_bar, b, x, slope, norm=None, groups=None):
    """Run the network with this normalisation, each group of rows as a batch of its own."""
    net = MLP(slope) if norm is None else NormalizedMLP(slope, norm)
    batches = np.split(x, np.cumsum(groups)[:-1]) if groups else [x]
    f, cache = net.forward(W_bar, b, *batches)
    return f, Tape(net, cache.h if norm else cache, cache)


def backward(W_bar, tape, df):
    return tape.net.backward(W_bar, tape.cache, df)


def backward_to_input(W_bar, tape, df):
    return tape.net.backward_to_input(W_bar, tape.cache, df)


def pre_activations(net, norm, groups=None):
    """The normalised W̄h + b of every hidden layer, recomputed layer by layer from h."""
    h = forward(*net, norm, groups)[1].h
    return [norm.normalize(h[l] @ W.T, groups)[0] + b for l, (W, b) in enumerate(net.layers[:-1])]


def away_from_kinks(net, norm, groups=None):
    return not near_kink([*pre_activations(net, norm, groups), None], 2e-3)


def draw_normed(norm, n, slope, rng, groups=None):
    while True:
        net = draw_net(WIDTHS, n, slope, rng)
        if away_from_kinks(net, norm, groups):
            return net


# --- what they make of their input


@given(rng=rngs(), sizes=st.lists(st.integers(2, 6), min_size=1, max_size=3))
def test_batch_norm_gives_every_unit_mean_0_and_variance_1_in_every_group(rng, sizes):
    a = rng.standard_normal((sum(sizes), 4)) * 3.0 + 5.0
    n, _ = BatchNorm(1e-30).normalize(a, sizes)
    for part in np.split(n, np.cumsum(sizes)[:-1]):
        np.testing.assert_allclose(part.mean(axis=0), 0.0, atol=1e-10)
        np.testing.assert_allclose(part.var(axis=0), 1.0, rtol=1e-10)


@given(rng=rngs(), d=st.integers(2, 8))
def test_layer_norm_gives_every_row_mean_0_and_variance_1(rng, d):
    a = rng.standard_normal((3, d)) * 3.0 + 5.0
    n, _ = LayerNorm(1e-30).normalize(a, None)
    np.testing.assert_allclose(n.mean(axis=1), 0.0, atol=1e-10)
    np.testing.assert_allclose(n.var(axis=1), 1.0, rtol=1e-10)


@given(rng=rngs(), eps=st.floats(1e-3, 10.0))
def test_eps_stands_beside_the_variance(rng, eps):
    a = rng.standard_normal((6, 6))
    for norm, axis in ((BatchNorm(eps), 0), (LayerNorm(eps), 1)):
        variance = a.var(axis)
        np.testing.assert_allclose(norm.normalize(a, None)[0].var(axis), variance / (variance + eps), rtol=1e-10)


@both
def test_what_does_not_vary_becomes_0_and_its_gradient_is_finite(norm):
    a = np.full((4, 3), 7.0)
    n, saved = norm.normalize(a, None)
    np.testing.assert_array_equal(n, 0.0)
    dn = np.random.default_rng(0).standard_normal(a.shape)
    axis = 0 if isinstance(norm, BatchNorm) else 1
    expected = (dn - dn.mean(axis, keepdims=True)) / np.sqrt(norm.eps)
    np.testing.assert_allclose(norm.pullback(dn, saved), expected, atol=1e-13)


# --- in the network


def test_batch_norm_of_groups_is_that_of_separate_passes():
    net = draw_net(WIDTHS, 7, 0.1, np.random.default_rng(0))
    df = np.random.default_rng(1).standard_normal((7, 1))
    f, cache = forward(*net, BatchNorm(), (3, 4))
    together = [f, backward_to_input(net.W, cache, df), *backward(net.W, cache, df)[0]]
    apart = []
    for rows in (slice(0, 3), slice(3, 7)):
        f, cache = forward(net.W, net.b, net.x[rows], 0.1, BatchNorm())
        apart.append([f, backward_to_input(net.W, cache, df[rows]), *backward(net.W, cache, df[rows])[0]])
    real, fake = apart
    for i in range(2):
        np.testing.assert_allclose(together[i], np.concatenate([real[i], fake[i]]), atol=1e-13)
    for i in range(2, 5):
        np.testing.assert_allclose(together[i], real[i] + fake[i], atol=1e-13)
    assert np.abs(forward(*net, BatchNorm())[0] - together[0]).max() > 1e-2  # one group of all is something else


def test_layer_norm_treats_every_row_by_itself():
    net = draw_net(WIDTHS, 4, 0.1, np.random.default_rng(0))
    f = forward(*net, LayerNorm(), (1, 3))[0]
    alone = [forward(net.W, net.b, net.x[[i]], 0.1, LayerNorm())[0] for i in range(4)]
    np.testing.assert_allclose(f, np.concatenate(alone), atol=1e-13)


@both
def test_the_scale_of_a_hidden_weight_does_not_matter_but_for_eps(norm):
    norm = type(norm)(1e-12)
    net = draw_net(WIDTHS, 5, 0.1, np.random.default_rng(0))
    scaled = [100.0 * net.W[0], 0.01 * net.W[1], net.W[2]]
    f = forward(*net, norm)[0]
    np.testing.assert_allclose(forward(scaled, net.b, net.x, 0.1, norm)[0], f, atol=1e-6)
    assert np.abs(forward([*net.W[:2], 2.0 * net.W[2]], net.b, net.x, 0.1, norm)[0] - f).max() > 1e-2  # not so the last


@both
def test_the_bias_comes_after_and_moves_the_hidden_units(norm):
    net = draw_net(WIDTHS, 5, 1.0, np.random.default_rng(0))  # slope 1: no kinks, h = a
    axis = 0 if isinstance(norm, BatchNorm) else 1
    means = [h.mean(axis) for h in forward(*net, norm)[1].h[1:]]
    for mean, b in zip(means, net.b[:-1], strict=True):
        np.testing.assert_allclose(mean, b if axis == 0 else b.mean(), atol=1e-13)


# --- gradients


@given(rng=rngs(), sizes=st.lists(st.integers(2, 4), min_size=1, max_size=2), eps=st.sampled_from([0.01, 0.1, 1.0]))
def test_pullback_is_the_gradient(rng, sizes, eps):
    a, dn = rng.standard_normal((2, sum(sizes), 3))
    for norm in (BatchNorm(eps), LayerNorm(eps)):
        da = norm.pullback(dn, norm.normalize(a, sizes)[1])
        # the third derivative is at most of order |dn| s³, s = 1/√eps
        check_gradient(lambda a, norm=norm: np.vdot(dn, norm.normalize(a, sizes)[0]), a, da, atol=1e-8 * eps**-1.5)


@both
@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("name", NORMALIZERS)
def test_gradient_of_the_whole_d_loss_at_every_block(norm, slope, name):
    normalizer, rng = NORMALIZERS[name], np.random.default_rng(0)
    while True:
        theta, states, batch = draw_problem(normalizer, rng, WIDTHS, slope, (4, 3))
        W_bar = [
            normalizer.normalize(*(theta[f"{block}{l}"] for block in normalizer.blocks), state)
            for l, state in enumerate(states, 1)
        ]
        net = draw_net(WIDTHS, 7, slope, rng)._replace(
            W=W_bar, b=[theta[f"b{l}"] for l in (1, 2, 3)], x=np.concatenate(batch)
        )
        if away_from_kinks(net, norm, (4, 3)):
            break

    def loss(vector):
        return d_loss(theta.replace(vector), states, normalizer, batch, slope, STANDARD, NormalizedMLP(slope, norm))[0]

    dtheta = d_loss(theta, states, normalizer, batch, slope, STANDARD, NormalizedMLP(slope, norm))[1]
    check_gradient(loss, theta.vector, dtheta, atol=1e-7)


@both
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_gradient_of_the_g_loss_at_the_generated_points(norm, slope):
    """G's pass through D has generated points only: one group. With batch normalisation each x moves every f."""
    net = draw_normed(norm, 4, slope, np.random.default_rng(0))
    f, cache = forward(*net, norm)
    dx = backward_to_input(net.W, cache, STANDARD.g(f)[1])
    check_gradient(lambda x: STANDARD.g(forward(net.W, net.b, x, slope, norm)[0])[0], net.x, dx, atol=1e-7)
    one = numeric_gradient(lambda x: forward(net.W, net.b, x, slope, norm)[0][0, 0], net.x)
    assert one[1:].any() == isinstance(norm, BatchNorm)


@both
def test_gradient_with_a_zero_row_and_dead_units(norm):
    net = draw_normed(norm, 4, 0.0, np.random.default_rng(1))
    net.W[0][0], net.b[1][1] = 0.0, -50.0
    assert away_from_kinks(net._replace(b=[net.b[0] + 0.2 * np.sign(net.b[0]), *net.b[1:]]), norm)
    net = net._replace(b=[net.b[0] + 0.2 * np.sign(net.b[0]), *net.b[1:]])
    f, cache = forward(*net, norm)
    df = np.random.default_rng(2).standard_normal(f.shape)
    dW, db = backward(net.W, cache, df)
    for l in range(3):

        def value(W, l=l):
            return np.vdot(df, forward([*net.W[:l], W, *net.W[l + 1 :]], net.b, net.x, 0.0, norm)[0])

        def value_of_b(b, l=l):
            return np.vdot(df, forward(net.W, [*net.b[:l], b, *net.b[l + 1 :]], net.x, 0.0, norm)[0])

        check_gradient(value, net.W[l], dW[l], atol=1e-7)
        check_gradient(value_of_b, net.b[l], db[l], atol=1e-7)


# --- errors, dtype


@pytest.mark.parametrize("groups", [(1, 3), (3, 1), (4, 0)])
def test_batch_norm_refuses_a_group_of_one_row(groups):
    net = draw_net(WIDTHS, 4, 0.1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"a group of x \(such as a batch\) has [01] rows; expected at least 2"):
        forward(*net, BatchNorm(), groups)


def test_batch_norm_refuses_a_batch_of_one():
    net = draw_net(WIDTHS, 1, 0.1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"a group of x \(such as a batch\) has 1 rows"):
        forward(*net, BatchNorm())


def test_groups_must_add_up():
    net = draw_net(WIDTHS, 5, 0.1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"groups is \(2, 2\); expected numbers that add up to 5"):
        BatchNorm().normalize(net.x, (2, 2))


def test_layer_norm_refuses_a_hidden_layer_of_one_unit_but_not_an_output_of_one():
    net = draw_net((2, 1, 1), 3, 0.1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="a hidden layer has 1 units; expected at least 2"):
        forward(*net, LayerNorm())
    assert forward(*draw_net((2, 3, 1), 1, 0.1, np.random.default_rng(0)), LayerNorm())[0].any()


@pytest.mark.parametrize("eps", [0.0, -1.0, np.nan])
@both
def test_eps_must_be_positive(norm, eps):
    with pytest.raises(ValueError, match="eps is"):
        forward(*draw_net(WIDTHS, 4, 0.1, np.random.default_rng(0)), type(norm)(eps))


@both
def test_float32_stays_float32(norm):
    net = draw_net(WIDTHS, 4, 0.1, np.random.default_rng(0))
    W, b, x = ([w.astype(np.float32) for w in net.W], [b.astype(np.float32) for b in net.b], net.x.astype(np.float32))
    for slope in (0.0, 0.1):
        f, cache = forward(W, b, x, slope, norm, (2, 2))
        dW_bar, db = backward(W, cache, f)
        arrays = [f, *cache.h, backward_to_input(W, cache, f), *dW_bar, *db]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_without_a_norm_nothing_is_saved_for_one():
    _, cache = forward(*draw_net(WIDTHS, 4, 0.1, np.random.default_rng(0)))
    assert cache.cache is cache.h
    assert Identity().normalize(cache.h[0], None) is cache.h[0]
