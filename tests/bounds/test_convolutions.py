"""The norm of a convolution, against its dense matrix. Footnote 3."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from specnorm_np.bounds.certificates import spectral_norm_bounds
from specnorm_np.bounds.convolutions import Conv2d, _transforms, as_matrix, convolution_norm, convolution_upper_bound
from specnorm_np.bounds.lipschitz import lipschitz_upper_bound, tighter_lipschitz_upper_bound
from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound


def dense(W, size, padding, stride=1):
    """The matrix of the convolution, column by column, by its definition."""
    (d_out, d_in, h, w), (H, V) = W.shape, size
    columns = []
    for e in np.eye(d_in * H * V):
        x = e.reshape(d_in, H, V)
        if padding == "circular":
            x = np.pad(x, ((0, 0), (0, h - 1), (0, w - 1)), mode="wrap")
        else:
            x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        rows, cols = x.shape[1] - h + 1, x.shape[2] - w + 1
        y = np.zeros((d_out, rows, cols))
        for i in range(h):
            for j in range(w):
                y += np.einsum("oc,cab->oab", W[:, :, i, j], x[:, i : i + rows, j : j + cols])
        columns.append(y[:, ::stride, ::stride].ravel())
    return np.array(columns).T


kernels = st.tuples(*[st.integers(1, 3)] * 4)


@given(st.integers(0, 2**32 - 1), kernels, st.integers(3, 5), st.integers(3, 5))
@settings(max_examples=25, deadline=None)
def test_with_circular_padding_it_is_the_norm_of_the_whole_matrix(seed, shape, height, width):
    W = np.random.default_rng(seed).standard_normal(shape)
    exact = np.linalg.norm(dense(W, (height, width), "circular"), 2)
    assert convolution_norm(W, (height, width), "circular") == pytest.approx(exact, rel=1e-12)


@given(st.integers(0, 2**32 - 1), kernels, st.integers(3, 5), st.integers(0, 2), st.integers(1, 2))
@settings(max_examples=25, deadline=None)
def test_with_zeros_it_is_a_bound_for_every_padding_and_stride(seed, shape, side, padding, stride):
    W = np.random.default_rng(seed).standard_normal(shape)
    matrix = dense(W, (side, side), padding, stride)
    bounds = [convolution_norm(W, (side, side), p) for p in (padding, "zeros")]
    assert np.linalg.norm(matrix, 2) <= min(bounds) * (1 + 1e-12)


def test_the_bound_with_zeros_is_near_the_norm_on_larger_images():
    W = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    exact = np.linalg.norm(dense(W, (12, 12), 1), 2)
    assert exact <= convolution_norm(W, (12, 12)) <= 1.05 * exact


def test_footnote_3_the_reshaped_matrix_has_another_norm():
    """Between the norm of the convolution over √(hw) and that norm itself; both ends occur."""
    W = np.ones((1, 1, 3, 3))
    assert convolution_norm(W, (6, 6), "circular") == pytest.approx(3 * np.linalg.norm(as_matrix(W), 2))
    W = np.zeros((1, 1, 3, 3))
    W[0, 0, 1, 1] = 2.0
    assert convolution_norm(W, (6, 6), "circular") == pytest.approx(np.linalg.norm(as_matrix(W), 2))


@given(st.integers(0, 2**32 - 1), kernels, st.integers(3, 5), st.sampled_from(["circular", 0, 1, 2]))
@settings(max_examples=40, deadline=None)
def test_the_certified_bound_is_above_the_norm_and_close_to_the_computed_one(seed, shape, side, padding):
    """Compared with a certified lower bound, so that no tolerance is needed."""
    W = np.random.default_rng(seed).standard_normal(shape)
    upper = convolution_upper_bound(W, (side, side), padding)
    lower = spectral_norm_bounds(dense(W, (side, side), padding))[0]
    assert lower <= upper
    computed = convolution_norm(W, (side, side), padding)
    assert computed < upper < computed * (1 + 1e-10)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300])
def test_the_certified_bound_holds_at_every_scale(scale):
    W = scale * np.random.default_rng(0).uniform(-1, 1, (2, 3, 3, 2))
    lower = spectral_norm_bounds(dense(W, (4, 4), "circular"))[0]
    assert lower <= convolution_upper_bound(W, (4, 4), "circular") <= lower * (1 + 1e-10) + 5e-324


def test_the_certified_bound_of_zero_and_of_what_is_beyond_the_largest_float():
    assert convolution_upper_bound(np.zeros((1, 2, 3, 3)), (4, 4)) == 0.0
    assert convolution_upper_bound(np.full((1, 1, 2, 2), 1e308), (4, 4), "circular") == np.inf


def test_the_certified_bound_needs_no_gap_between_singular_values():
    """A shift, and an isotropic kernel: all σ are 1, and rounding must be covered exactly there."""
    W = np.zeros((3, 3, 3, 3))
    W[range(3), range(3), 0, 2] = 1.0
    assert 1.0 <= convolution_upper_bound(W, (8, 8), "circular") <= 1.0 + 1e-11


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs a format finer than float64")
def test_the_computed_transforms_are_off_by_less_than_is_allowed_for():
    W = np.random.default_rng(0).standard_normal((4, 3, 3, 5))
    torus = (30, 23)
    F, allowed = _transforms(W, torus)
    pi = 4 * np.arctan(np.longdouble(1))
    k, l, i, j = np.meshgrid(*map(np.arange, (30, 12, 3, 5)), indexing="ij")
    angle = -2 * pi * ((k * i % 30) / np.longdouble(30) + (l * j % 23) / np.longdouble(23))
    exact = np.einsum("klij,ocij->kloc", np.cos(angle), W) + 1j * np.einsum("klij,ocij->kloc", np.sin(angle), W)
    error = np.linalg.norm((F - exact.reshape(F.shape)).astype(complex), axis=(1, 2)).max()
    assert error <= allowed
    assert allowed <= 1e-12  # and is no excuse for a mistake


def test_the_zeros_of_both_sides_are_the_same_ones_on_the_torus():
    W = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    for padding, side in ((0, 4), (1, 5), (2, 6), (9, 6), ("zeros", 6)):
        assert convolution_norm(W, (4, 4), padding) == convolution_norm(W, (side, side), "circular")


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (1, 1), (1, 2), (2, 3), ("circular", 1), ("circular", 2)])
def test_a_convolution_has_the_shape_of_its_matrix(padding, stride):
    W = np.random.default_rng(0).standard_normal((2, 3, 3, 2))
    layer = Conv2d(W, (5, 6), padding, stride)
    matrix = dense(W, (5, 6), padding, stride)
    assert layer.shape == matrix.shape
    assert spectral_norm_bounds(matrix)[0] <= layer.norm_upper()


def test_a_chain_with_convolutions_has_the_bound_of_its_matrices_and_not_of_the_reshaped_kernels():
    rng = np.random.default_rng(0)
    layers = [Conv2d(np.ones((1, 1, 3, 3)), (6, 6), "circular"), Conv2d(rng.standard_normal((2, 1, 2, 2)), (6, 6))]
    W = rng.standard_normal((1, 50))
    bound = lipschitz_upper_bound([*layers, W], 0.0)
    matrices = [dense(layers[0].W, (6, 6), "circular"), dense(layers[1].W, (6, 6), 0), W]
    assert lipschitz_upper_bound(matrices, 0.0) * (1 - 1e-12) <= bound <= 1.1 * lipschitz_upper_bound(matrices, 0.0)
    reshaped = np.prod([np.linalg.norm(as_matrix(A), 2) for A in (layers[0].W, layers[1].W, W)])
    x, y = rng.standard_normal(36) + 100, 100 * np.ones(36)

    def f(x):
        for A in matrices[:-1]:
            x = np.maximum(A @ x, 0.0)
        return W @ x

    assert np.linalg.norm(f(x) - f(y)) <= bound * np.linalg.norm(x - y)
    assert bound > 2.9 * reshaped  # the first layer alone is √(hw) = 3 times above it


@pytest.mark.parametrize("bound", [tighter_lipschitz_upper_bound, sdp_lipschitz_upper_bound])
def test_a_bound_that_takes_no_convolution_says_so(bound):
    with pytest.raises(ValueError, match=r"W\[0\] is a Conv2d; expected a matrix"):
        bound([Conv2d(np.ones((1, 1, 3, 3)), (4, 4))], 0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(np.ones((2, 2)), (4, 4)), "W has shape"),
        (lambda: Conv2d(np.ones((1, 1, 3, 3)), (2, 2)), "expected room for the kernel"),
        (lambda: Conv2d(np.ones((1, 1, 3, 3)), (4, 4), "zeros"), "expected how many"),
        (lambda: Conv2d(np.ones((1, 1, 3, 3)), (4, 4), -1), "padding is -1"),
        (lambda: Conv2d(np.ones((1, 1, 3, 3)), (4, 4), 1, 0), "stride is 0"),
        (lambda: lipschitz_upper_bound([Conv2d(np.ones((1, 1, 3, 3)), (4, 4)), np.ones((1, 5))], 0.0), "4 columns"),
        (lambda: convolution_upper_bound(np.ones((1, 1, 2, 2), np.longdouble), (4, 4)), "expected float64 or narrower"),
    ],
)
def test_what_is_no_layer_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 2)), (4, 4)), "W has shape"),
        ((np.ones((1, 1, 3, 3)), (2, 4), "circular"), "expected at least"),
        ((np.ones((1, 1, 3, 3)), (4, 0)), "size has 0"),
        ((np.ones((1, 1, 3, 3)), (4, 4), "reflect"), "padding is 'reflect'"),
        ((np.full((1, 1, 3, 3), np.nan), (4, 4)), "expected a finite kernel"),
    ],
)
def test_what_is_no_convolution_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        convolution_norm(*arguments)
