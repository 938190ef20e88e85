"""Count how often random pairs, property tests and the search refute a bound that is too small.

The page `docs/test_your_own_network.md` quotes what is printed. It takes two minutes.

python docs/detection.py
"""

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, given, seed as of_seed, settings

import specnorm_np as sn
from specnorm_np.spectral import Array
from specnorm_np.testing import assert_lipschitz, find_lipschitz_violation, input_pairs

Function = Callable[[Array], Array]


def plane(seed: int) -> tuple[Function, float]:
    """Return a random ReLU network 2-64-64-1 and its Lipschitz constant on [−4, 4]²."""
    rng = np.random.default_rng(seed)
    W = [rng.standard_normal(shape) * np.sqrt(2 / shape[1]) for shape in ((64, 2), (64, 64), (1, 64))]
    b = [0.5 * rng.standard_normal(len(w)) for w in W]
    K = sn.exact_lipschitz_constant(W, b, 0.0, ((-4, 4), (-4, 4))).value
    return lambda x: sn.forward(W, b, x, 0.0)[0], K


def orthogonal(d: int) -> Callable[[int], tuple[Function, float]]:
    """Make functions: the sum of eight ReLUs along orthogonal directions, whose constant is √8."""

    def make(seed: int) -> tuple[Function, float]:
        Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, 8)))
        return lambda x: np.maximum(x @ Q, 0).sum(axis=1, keepdims=True), np.sqrt(8)

    return make


def ball(seed: int) -> tuple[Function, float]:
    """Return a function of ten coordinates that has the slope 1 in a ball of radius ¼ away from 0, and 0 elsewhere."""
    centre = np.eye(10)[seed % 10]
    return lambda x: np.maximum(0, 0.25 - np.linalg.norm(x - centre, axis=1, keepdims=True)), 1.0


def pairs_refute(f: Function, K: float, d: int, rng: np.random.Generator) -> bool:
    """Try a hundred pairs of points from a standard normal distribution."""
    x, y = rng.standard_normal((2, 100, d))
    return bool((np.linalg.norm(f(x) - f(y), axis=1) > K * np.linalg.norm(x - y, axis=1)).any())


def property_refutes(f: Function, K: float, d: int, seed: int) -> bool:
    """Run a property test of a hundred pairs, which hypothesis and `input_pairs` choose."""

    @of_seed(seed)
    @settings(deadline=None, database=None, max_examples=100, suppress_health_check=list(HealthCheck))
    @given(pair=input_pairs(d, f))
    def holds(pair: tuple[Array, Array]) -> None:
        assert_lipschitz(f, K, *pair)

    try:
        holds()
    except AssertionError:
        return True
    return False


if __name__ == "__main__":
    for name, make, d, n in (
        ("random ReLU network 2-64-64-1", plane, 2, 20),
        ("eight orthogonal ReLUs", orthogonal(100), 100, 10),
        ("eight orthogonal ReLUs", orthogonal(784), 784, 5),
        ("steep in a small ball", ball, 10, 10),
    ):
        for part in (0.9, 0.99):
            found = {"random pairs": 0, "property test": 0, "search": 0}
            for seed in range(n):
                f, K = make(seed)
                found["random pairs"] += pairs_refute(f, part * K, d, np.random.default_rng(seed))
                found["property test"] += property_refutes(f, part * K, d, seed)
                hit = find_lipschitz_violation(f, part * K, d, rng=np.random.default_rng(seed))
                found["search"] += hit is not None
            print(f"{name}, {d} inputs, {part} of the constant: {found} of {n}", flush=True)
