"""The kit with what users have: images, functions of one point, whole numbers, coarse formats, boxes, values of NaN."""

import subprocess
import sys

import numpy as np
import pytest

from specnorm_np.testing import assert_lipschitz, batched, check_gradient, find_lipschitz_violation, jacobian


def failure(*args, **kwargs):
    """Return the text of the assertion that fails."""
    with pytest.raises(AssertionError) as caught:
        assert_lipschitz(*args, **kwargs)
    return str(caught.value)


def flat(x):
    return x.reshape(len(x), -1)


# --- shapes


def test_images_are_points_in_the_norm_of_all_their_entries():
    x, y = np.zeros((2, 3, 4, 4)), np.zeros((2, 3, 4, 4))
    y[1] = 1.0
    assert_lipschitz(lambda p: p, 1.0, x, y)  # values of any shape, too
    assert_lipschitz(lambda p: flat(p).sum(axis=1), np.sqrt(48), x, y)
    assert "1 of 2 pairs, the worst in row 1" in failure(lambda p: flat(p).sum(axis=1), 0.99 * np.sqrt(48), x, y)


def test_a_large_point_is_told_by_the_coordinates_that_differ():
    x = np.zeros((1, 1, 28, 28))
    y = x.copy()
    y[0, 0, 3, 17] = 0.5
    text = failure(lambda p: 2 * flat(p).sum(axis=1), 1.0, x, y)
    for part in (
        "x and y have shape (1, 28, 28) and differ in 1 of 784 coordinates",
        "[0, 3, 17]: x = 0.0, y = 0.5",
        "the other 783 are equal, all 0",
    ):
        assert part in text
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 1, 28, 28))
    text = failure(lambda p: p, 0.5, noise[:1], noise[1:])
    assert "the other 776 differ by at most" in text
    assert len(text) < 1500


def test_the_search_takes_a_shape():
    def f(x):
        assert x.shape[1:] == (2, 3, 3)
        return flat(np.maximum(x, 0.0)).sum(axis=1)

    found = find_lipschitz_violation(f, 0.99 * np.sqrt(18), (2, 3, 3), rng=np.random.default_rng(0))
    assert found.x.shape == (2, 3, 3)
    assert found.ratio == pytest.approx(np.sqrt(18), rel=1e-6)
    np.testing.assert_allclose(jacobian(f, np.ones((2, 3, 3)), 0.1), np.ones((1, 18)), rtol=1e-12)
    with pytest.raises(ValueError, match=r"d is \(2, 0\)"):
        find_lipschitz_violation(f, 1.0, (2, 0), rng=np.random.default_rng(0))


# --- functions of one point, or of a fixed number of points


def test_a_function_of_one_point_is_adapted():
    rows = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(batched(lambda p: p @ p)(rows), (rows**2).sum(axis=1))
    np.testing.assert_array_equal(batched(lambda p: p * [1, 2])(rows), rows * [1, 2])
    assert_lipschitz(batched(lambda p: p.max()), 1.0, rows, rows + 1)
    assert "not 0.4-Lipschitz" in failure(batched(lambda p: p.max()), 0.4, rows, rows + 1)


@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_a_fixed_batch_is_filled_up_and_cut(size):
    rows = np.arange(12.0).reshape(6, 2)

    def f(p):
        assert p.shape == (size, 2)
        values = p.sum(axis=1)
        return values.squeeze() if size == 1 else values  # one value may come as ()

    np.testing.assert_array_equal(batched(f, size)(rows), rows.sum(axis=1))


def test_what_cannot_be_adapted_is_named():
    with pytest.raises(ValueError, match="batch_size is 0"):
        batched(lambda p: p, 0)
    with pytest.raises(ValueError, match=r"f gave shape \(1,\) for a batch of 2 points"):
        batched(lambda p: p.sum(axis=1)[:1], 2)(np.ones((2, 3)))
    with pytest.raises(ValueError, match="`batched` adapts a function of a single point"):
        assert_lipschitz(lambda p: p.sum(), 1.0, [1.0, 2.0], [0.0, 0.0])


def test_whole_numbers_are_points():
    def f(p):
        assert p.dtype == np.float64
        return p.sum(axis=1) / 3

    assert_lipschitz(f, 1.0, [[1, 2]], [[0, 0]])
    assert "x = [255., 255.]" in failure(f, 0.4, np.full((1, 2), 255, np.uint8), np.zeros((1, 2), np.uint8))


# --- words


def test_nan_is_called_nan():
    text = failure(lambda p: np.where(p > 0, np.nan, 0.0), 1.0, [-1.0, -2.0], [-1.0, 1.0])
    assert "f(y) is NaN; 1 of its 2 entries, where a Lipschitz function has finite values" in text
    assert "allowance" not in text
    assert "f(x) is infinite, where" in failure(lambda p: np.where(p > 0, np.inf, 0.0), 1.0, [1.0], [-1.0])


def test_pytest_shows_the_call_and_not_the_inside_of_the_check():
    for check in (
        lambda: assert_lipschitz(lambda p: p, 0.5, [1.0], [0.0]),
        lambda: check_gradient(lambda p: float(p.sum()), np.ones(2), np.zeros(2)),
    ):
        with pytest.raises(AssertionError) as caught:
            check()
        assert caught.value.__traceback__.tb_next.tb_next.tb_frame.f_locals["__tracebackhide__"] is True


def test_only_the_strategies_need_hypothesis():
    code = """
import sys
sys.modules["hypothesis"] = None
import numpy as np
from specnorm_np.testing import assert_lipschitz, batched, check_gradient, find_lipschitz_violation
assert_lipschitz(lambda p: p, 1.0, [1.0], [0.0])
assert find_lipschitz_violation(lambda p: p, 0.5, 2, rng=np.random.default_rng(0)).ratio > 0.9
try:
    from specnorm_np.testing import input_pairs
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "input_pairs needs hypothesis, which is not installed: pip install hypothesis\n"


# --- coarse formats


def bfloat16(x):
    """Round float32 to 8 significant bits, to nearest."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def coarse_network(rng, gain=1.0):
    """A network of orthogonal matrices that keeps its activations in bfloat16, and returns float32."""
    W = [np.linalg.qr(rng.standard_normal((8, 8)))[0].astype(np.float32) for _ in range(3)]

    def f(x):
        h = bfloat16(x)
        for l, W_l in enumerate(W):
            h = bfloat16(h @ bfloat16(W_l).T)
            h = h if l == 2 else np.maximum(h, 0.0)
        return np.float32(gain) * h

    return f


def test_the_rounding_of_a_coarse_format_is_no_violation_if_it_is_named():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        f = coarse_network(rng)
        assert find_lipschitz_violation(f, 1.0, 8, dtype=np.float32, precision="bfloat16", rng=rng) is None
    found = find_lipschitz_violation(coarse_network(rng, 2.0), 1.0, 8, dtype=np.float32, precision="bfloat16", rng=rng)
    assert found.ratio > 1.2


def test_a_violation_that_rounding_would_explain_comes_with_a_hint():
    f = coarse_network(np.random.default_rng(0))
    found = find_lipschitz_violation(f, 1.0, 8, dtype=np.float32, rng=np.random.default_rng(0))
    assert found.ratio > 2.0
    assert "would explain this. If f computes in tf32 or bfloat16 inside, say so by `precision`" in str(found)
    text = failure(f, 1.0, found.x, found.y)
    assert "bfloat16" in text
    assert "precision" not in failure(f, 1.0, found.x, found.y, error=0.0)  # the caller has said how f rounds
    assert_lipschitz(f, 1.0, found.x, found.y, precision="bfloat16")
    assert "precision" not in failure(lambda p: 1.02 * p, 1.0, [1.0, 2.0], [1.5, 2.5])  # far points
    assert "precision" not in failure(lambda p: 2 * p, 1.0, [1e-9, 2.0], [1e-9, 2.5])


@pytest.mark.parametrize(
    ("precision", "eps"), [("float32", 2.0**-23), (np.float16, 2.0**-10), ("tf32", 2.0**-10), (2.0**-7, 2.0**-7)]
)
def test_a_precision_is_a_name_a_dtype_or_a_spacing(precision, eps):
    """f errs by q relatively: allowed up to p = 64ε, and no more than 1/16, of each value and of each point."""

    def f(q):
        return lambda p: p * np.where(p > 1.5, 1.0 + q, 1.0)

    p = min(64 * eps, 1 / 16)
    assert_lipschitz(f(0.9 * p), 1.0, [2.0], [1.0], precision=precision)
    failure(f(8.0 * p), 1.0, [2.0], [1.0], precision=precision)
    failure(f(0.9 * p), 1.0, [2.0], [1.0], precision=precision, ulps=0.1 * p / eps)


@pytest.mark.parametrize("precision", ["fp8", 0.0, 1.0, -1.0, np.int32])
def test_an_unknown_precision_is_refused(precision):
    with pytest.raises(ValueError, match="precision is"):
        assert_lipschitz(lambda p: p, 1.0, [2.0], [1.0], precision=precision)
