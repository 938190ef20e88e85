"""The nearest-neighbour two-sample test."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from specnorm_np.toy.two_sample import BLOCK, expected_accuracy, two_sample

seeds = st.integers(0, 2**32 - 1)


def by_loops(generated, real):
    """The definition, point by point."""
    z, n, same = np.concatenate((generated, real)), len(real), []
    for i in range(2 * n):
        distance = [np.inf if j == i else ((z[i] - z[j]) ** 2).sum() for j in range(2 * n)]
        nearest = [j for j in range(2 * n) if distance[j] == min(distance)]
        same.append(np.mean([(j < n) == (i < n) for j in nearest]))
    return np.mean(same), np.mean(same[n:]), np.mean(same[:n])


@given(seeds, st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_it_is_its_definition(seed, n, d, lattice):
    """On a lattice many neighbours are equally near, and some points coincide."""
    rng = np.random.default_rng(seed)
    draw = (lambda: rng.integers(0, 3, (n, d)).astype(float)) if lattice else (lambda: rng.normal(size=(n, d)))
    x, y = draw(), draw()
    assert two_sample(x, y) == pytest.approx(by_loops(x, y), abs=1e-14)


@given(seeds, st.integers(-300, 300))
def test_neither_the_unit_nor_the_order_of_the_points_matters(seed, exponent):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 30, 2))
    expected = two_sample(x, y)
    assert two_sample(np.ldexp(x, exponent), np.ldexp(y, exponent)) == expected
    assert two_sample(x[::-1], rng.permutation(y)) == expected
    accuracy, real, generated = two_sample(y, x)
    assert (accuracy, generated, real) == expected


def test_more_points_than_a_block_are_the_same_as_all_at_once():
    rng = np.random.default_rng(0)
    n = BLOCK // 2 + 13
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2), loc=0.3)
    assert two_sample(x, y) == pytest.approx(by_loops(x, y), abs=1e-14)


def test_two_halves_of_one_sample_cannot_be_told_apart():
    """The mean of 200 draws is (n − 1)/(2n − 1) within four of its standard errors."""
    n, rng = 50, np.random.default_rng(0)
    accuracy = [two_sample(*rng.normal(size=(2, n, 2))).accuracy for _ in range(200)]
    error = np.std(accuracy, ddof=1) / np.sqrt(200)
    assert abs(np.mean(accuracy) - expected_accuracy(n)) < 4 * error < 0.02


def test_separate_samples_are_told_apart_and_equal_ones_are_not():
    x = np.random.default_rng(0).normal(size=(40, 3))
    assert two_sample(x, x + 100.0) == (1.0, 1.0, 1.0)
    assert two_sample(x, x) == (0.0, 0.0, 0.0)
    assert two_sample(0.0 * x, 0.0 * x).accuracy == pytest.approx(expected_accuracy(40))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), "real has 4 points, generated has 3"),
        (np.zeros((3, 2)), np.zeros((3, 1)), "real"),
        (np.zeros(3), np.zeros((3, 1)), "generated"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "generated"),
    ],
)
def test_what_cannot_be_compared_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        two_sample(x, y)
