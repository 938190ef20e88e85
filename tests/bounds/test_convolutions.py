"""The norm of a convolution, against its dense matrix. Footnote 3."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from specnorm_np.bounds.convolutions import as_matrix, convolution_norm


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
    assert np.linalg.norm(matrix, 2) <= convolution_norm(W, (side, side)) * (1 + 1e-12)


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
