"""Examples of any size are drawn from a few numbers, and shrink to what a person can read."""

import re
import time

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from specnorm_np.testing import (
    MLP,
    assert_lipschitz,
    batched,
    find_lipschitz_violation,
    input_pairs,
    mlp_params,
    planted_matrices,
    weight_matrices,
)

few = settings(max_examples=20, derandomize=True, database=None, deadline=None)


def drawn(strategy, check):
    """Check some examples, with every health check on."""
    few(given(strategy)(check))()


def occurs(strategy, condition):
    try:
        find(strategy, condition, settings=settings(few, max_examples=500, phases=[Phase.generate]))
    except NoSuchExample:
        return False
    return True


@pytest.mark.parametrize(
    ("d", "n"), [(64, 1), (784, 3), (3072, 1), (2, 128), (10, 32), ((1, 28, 28), 2), ((3, 96, 96), 1)]
)
def test_points_of_any_size_and_shape_are_drawn(d, n):
    def check(pair):
        for p in pair:
            assert p.shape == (n, *(d if isinstance(d, tuple) else (d,)))
            assert p.dtype == np.float32
            assert np.isfinite(p).all()

    drawn(input_pairs(d, lambda x: x.reshape(len(x), -1)[:, :3], n=n, dtype=np.float32), check)


def test_large_pairs_are_dense_or_sparse_and_far_or_near_or_along():
    def gap(pair):
        return np.abs(pair.x - pair.y).ravel()

    v = np.ones(784) / 28.0
    assert occurs(input_pairs(784), lambda pair: 0 < np.count_nonzero(gap(pair)) < 5)
    assert occurs(input_pairs(784), lambda pair: np.count_nonzero(gap(pair)) == 784)
    assert occurs(input_pairs(784), lambda pair: 0 < gap(pair).max() < 1e-5)
    assert occurs(input_pairs(784, directions=[v]), lambda pair: np.ptp(gap(pair)) < 1e-9 < gap(pair).min())
    assert occurs(input_pairs(784, lambda x: x @ v), lambda pair: np.ptp(gap(pair)) < 1e-9 < gap(pair).min())
    first = MLP([(np.eye(3, 784), np.full(3, 0.5)), (np.ones((1, 3)), np.zeros(1))], 0.0)

    def straddles(pair):
        one, other = (p[0, 0] + 0.5 for p in pair)
        return one * other < 0 and gap(pair).max() < 1e-3

    assert occurs(input_pairs(784, mlp=first), straddles)


@pytest.mark.parametrize("shape", [(64, 64), (128, 128), (10, 784)])
def test_large_matrices_of_every_kind_are_drawn(shape):
    def check(W):
        assert W.shape == shape
        assert np.isfinite(W).all()

    drawn(weight_matrices(*shape), check)
    assert occurs(weight_matrices(*shape, awkward=()), lambda W: (np.round(W) == W).all() and np.count_nonzero(W) > 500)
    assert occurs(planted_matrices(*shape), lambda p: len(p.s) > 5 and len(set(p.s)) > 5)


@few
@given(p=planted_matrices(48, 40, rank=40))
def test_large_planted_matrices_have_their_decomposition(p):
    np.testing.assert_allclose(p.U.T @ p.U, np.eye(40), atol=1e-13)
    np.testing.assert_allclose(np.linalg.svd(p.W, compute_uv=False), p.s, rtol=0, atol=1e-12 * p.s[0])


@pytest.mark.parametrize(("d", "k", "width"), [(2, 1, 64), (784, 10, 128)])
def test_wide_networks_are_drawn(d, k, width):
    def check(mlp):
        assert mlp(np.zeros((4, d))).shape == (4, k)
        assert max(len(b) for _, b in mlp.layers) <= max(width, k)

    strategy = mlp_params(d, k, max_width=width)
    drawn(strategy, check)
    assert occurs(strategy, lambda mlp: np.count_nonzero(mlp.layers[0][0]) > mlp.layers[0][0].size / 2)
    assert occurs(strategy, lambda mlp: len(mlp.layers) > 1 and len(mlp.layers[0][1]) > width / 2)


def refuted(f, K, pairs):
    """Return the text of a failing property test, as pytest shows it, and the seconds that it took."""

    @settings(few, max_examples=100)
    @given(pair=pairs)
    def test(pair):
        assert_lipschitz(f, K, *pair)

    start = time.perf_counter()
    with pytest.raises(AssertionError) as caught:
        test()
    return "\n".join([str(caught.value), *caught.value.__notes__]), time.perf_counter() - start


def test_a_large_counterexample_shrinks_in_seconds_to_the_coordinate_that_matters():
    def f(x):
        return 3 * x[:, 17]

    text, seconds = refuted(f, 1.0, input_pairs(784, f))
    assert "[17]: x = 0.0, y = -1.0" in text or "[17]: x = 0.0, y = 1.0" in text
    assert "the other 783 are equal, all 0" in text
    assert len(text) < 2000
    assert seconds < 10  # it took 50


def test_a_large_counterexample_along_a_gradient_is_short():
    W = np.random.default_rng(0).standard_normal((5, 784))
    text, seconds = refuted(lambda x: x @ W.T, 0.9 * np.linalg.norm(W, 2), input_pairs(784, lambda x: x @ W.T))
    assert re.search(r"differ in 7\d\d of 784 coordinates", text)
    assert len(text) < 4000
    assert seconds < 10


def test_a_steep_direction_shrinks_to_round_numbers():
    w = np.array([3.0, 0.1, 0.2])
    x, y = find(
        input_pairs(3, lambda x: x @ w),
        lambda pair: abs((pair.x - pair.y)[0] @ w) > 2.99 * np.linalg.norm(pair.x - pair.y),
        settings=settings(few, max_examples=500),
    )
    np.testing.assert_array_equal(np.abs(x - y)[0] / np.abs(x - y).max(), [1.0, 2 / 64, 4 / 64])


def test_small_pairs_and_networks_are_printed_whole():
    pair = find(input_pairs(2), lambda pair: True, settings=few)
    assert repr(pair) == "(array([[0., 0.]]), array([[0., 0.]]))"
    mlp = MLP([(np.eye(2), np.zeros(2))], 0.5)
    assert repr(mlp).startswith("MLP(layers=[(array([[1., 0.]")
    assert repr(MLP([(np.ones((30, 30)), np.zeros(30)), (np.ones((1, 30)), np.zeros(1))], 0.5)) == (
        "<MLP 30-30-1, slope 0.5>"
    )


# --- boxes, precision, functions of one point


@pytest.mark.parametrize("d", [2, 100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pairs_stay_in_their_box_and_reach_its_ends(d, dtype):
    def f(x):
        assert x.min() >= 0.1
        assert x.max() <= 0.3
        return np.sqrt(x - 0.1)

    def check(pair):
        f(np.concatenate(pair))

    drawn(input_pairs(d, f, box=(0.1, 0.3), dtype=dtype, n=2), check)
    assert occurs(input_pairs(d, f, box=(0.1, 0.3)), lambda pair: np.ptp(pair) > 0.1)
    near = input_pairs(d, f, box=(0.1, 0.3), dtype=dtype)
    assert occurs(near, lambda pair: 0.0 < np.abs(pair[0] - pair[1]).max() < 1e-3)


def test_a_box_has_sides_of_its_own_and_open_ends():
    sides = np.array([[5.0, np.inf], [-np.inf, -20.0], [0.0, 1e-3]])

    def check(pair):
        for p in pair:
            assert (p >= sides[:, 0]).all()
            assert (p <= sides[:, 1]).all()

    drawn(input_pairs(3, lambda x: x, box=sides, n=3), check)
    assert occurs(input_pairs(3, box=sides), lambda pair: (pair[0] != pair[1]).all())
    with pytest.raises(ValueError, match="box has shape"):
        find(input_pairs(2, box=[[1.0, 0.0], [0.0, 1.0]]), lambda pair: True, settings=few)


@pytest.mark.parametrize(
    ("dtype", "precision", "nearest"), [(np.float32, None, 2.0**-11), (np.float32, "bfloat16", 2.0**-3)]
)
def test_pairs_are_no_nearer_than_the_precision_allows(dtype, precision, nearest):
    """Lengths end at √ε."""
    lengths = []
    v = np.array([0.6, -0.8])

    def check(pair):
        gap = (pair.y - pair.x)[0].astype(np.float64)
        length = float(np.linalg.norm(gap))
        if length > 0.0 and np.linalg.norm(gap - length * v) < 0.01 * length:
            lengths.append(length)

    strategy = input_pairs(2, directions=[v], dtype=dtype, precision=precision)
    settings(few, max_examples=300)(given(strategy)(check))()
    assert 0.95 * nearest < min(lengths) < 8.0 * nearest


def test_functions_of_one_point_serve_everywhere():
    f = batched(lambda x: np.abs(x).max())
    drawn(input_pairs((2, 3), f), lambda pair: assert_lipschitz(f, 1.0, *pair))
    few_pairs = {"n": 16, "n_rounds": 2}
    assert find_lipschitz_violation(f, 1.0, (2, 3), **few_pairs, rng=np.random.default_rng(0)) is None
    assert find_lipschitz_violation(f, 0.9, (2, 3), **few_pairs, rng=np.random.default_rng(0)) is not None
