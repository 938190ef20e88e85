"""Can generated and real points be told apart? The nearest-neighbour two-sample test. Not in the paper.

Lopez-Paz & Oquab (Revisiting classifier two-sample tests, ICLR 2017) propose it for GANs, and Xu et al. (An empirical
study on evaluation metrics of generative adversarial networks, 2018) find it the most telling of the sample-based
measures that they try.
"""

import math
from typing import NamedTuple

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.toy.targets import check_points

BLOCK = 100
"""Rows of the matrix of distances that are made at a time: so few that they stay in the cache of the processor."""


class TwoSample(NamedTuple):
    """Shares of points whose nearest other point comes from the same sample, 0 to 1.

    Attributes
    ----------
    accuracy : float
        Over both samples: that of the classifier "as your nearest neighbour". About 0.5 says that the samples cannot be
        told apart in this way, 1 that they are separate.
    real, generated : float
        Over either sample alone. Collapsed or memorised samples show on one side: the real points that nobody imitates
        are near each other, `real` is high; generated points that sit on top of real ones have these as neighbours,
        `generated` is low.
    """

    accuracy: float
    real: float
    generated: float


def two_sample(generated: Array, real: Array) -> TwoSample:
    """Classify every point by its nearest neighbour among all the others (1-NN, leave one out).

    Parameters
    ----------
    generated, real : (n, d) arrays
        Finite, as many of the one as of the other, n >= 1.

    Returns
    -------
    TwoSample

    Raises
    ------
    ValueError
        If an argument is not a finite array of its shape.

    Notes
    -----
    Where several neighbours are equally near, the point counts for the share of them that belongs to its own sample.
    The distances are compared as they come out of differences, not of products, so that equal ones are equal.

    For two samples of one continuous distribution the expected accuracy is (n − 1)/(2n − 1), a little below one half:
    each of the 2n − 1 other points is the nearest one with the same probability. See `expected_accuracy`.
    """
    generated = check_points(generated, "generated")
    real = check_points(real, "real", generated.shape[1])
    n = len(generated)
    if len(real) != n:
        raise ValueError(f"real has {len(real)} points, generated has {n}; expected as many")
    z = np.concatenate((generated, real))
    _, exponent = np.frexp(np.abs(z).max())
    z = np.ldexp(z, -exponent)  # exact, and keeps the squares in range
    same = np.concatenate([_same(z, z - z.mean(axis=0), first) for first in range(0, 2 * n, BLOCK)])
    return TwoSample(float(same.mean()), float(same[n:].mean()), float(same[:n].mean()))


def expected_accuracy(n: int) -> float:
    """Return the expected accuracy for two samples of n points of one distribution, (n − 1)/(2n − 1)."""
    return (n - 1) / (2 * n - 1)


def _same(z: Array, centred: Array, first: int) -> Array:
    """Return, for a block of the points, the share of the nearest neighbours that belong to the point's own sample."""
    block, square = centred[first : first + BLOCK], np.square(centred).sum(axis=1)
    distance = (-2.0 * block) @ centred.T
    distance += square  # all but the |x|² of the row, which is the same for all its entries
    rows = np.arange(len(block))
    distance[rows, first + rows] = np.inf
    # The product is off by d + 2 ulp of its largest value, the centring by an ulp of the largest coordinate, 1. What
    # is so near may be the nearest; of such points the distances are then computed from differences.
    largest, eps = float(square.max()), float(np.finfo(float).eps)
    slack = 8.0 * eps * (z.shape[1] + 2) * (largest + math.sqrt(largest) + eps)
    row, column = np.nonzero(distance <= distance.min(axis=1, keepdims=True) + slack)
    exact = np.square(z[first + row] - z[column]).sum(axis=1)
    nearest = np.full(len(block), np.inf)
    np.minimum.at(nearest, row, exact)
    tied = exact == nearest[row]
    mine = (column < len(z) // 2) == (first + row < len(z) // 2)
    same: Array = np.bincount(row[tied], mine[tied]) / np.bincount(row[tied])
    return same
