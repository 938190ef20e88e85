"""The search inside a box, with gradients, in very many dimensions, and where steep places are rare."""

import numpy as np
import pytest

from specnorm_np.bounds.lipschitz import exact_lipschitz_constant, lipschitz_upper_bound
from specnorm_np.testing import find_lipschitz_violation, jacobian


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 3])
def test_a_root_is_lipschitz_on_a_box_that_ends_before_0(dtype, d):
    """√x has the slope 5 at .01; a tenth is no number of either dtype, so that ends must be rounded inward."""

    def f(x):
        assert x.min() >= 0.01
        assert x.max() <= 0.1
        assert x.dtype == dtype
        return np.sqrt(x)

    few = {"box": (0.01, 0.1), "dtype": dtype, "n_rounds": 8}
    assert find_lipschitz_violation(f, 5.01, d, **few, rng=np.random.default_rng(0)) is None
    assert find_lipschitz_violation(f, 4.9, d, **few, rng=np.random.default_rng(0)).ratio > 4.9


def test_a_box_may_be_open_and_differ_from_coordinate_to_coordinate():
    sides = np.array([[1.0, np.inf], [-np.inf, np.inf], [100.0, 101.0]])

    def f(x):
        assert (x >= sides[:, 0]).all()
        assert (x <= sides[:, 1]).all()
        return np.log(x[:, 0]) + 2 * np.abs(x[:, 1]) + 2 * np.maximum(x[:, 2] - 100.99, 0.0)

    assert find_lipschitz_violation(f, 3.001, 3, box=sides, rng=np.random.default_rng(0)) is None
    found = find_lipschitz_violation(f, 2.9, 3, box=sides, rng=np.random.default_rng(0))
    assert found.ratio == pytest.approx(3.0, rel=1e-2)
    J = jacobian(f, np.array([1.0, 3.0, 101.0]), 1e-6, box=sides)  # one-sided at two edges
    np.testing.assert_allclose(J, [[1.0, 2.0, 2.0]], rtol=1e-5)


@pytest.mark.parametrize("box", [(1.0, 0.0), (0.0, np.nan), (0.0, 1.0, 2.0), np.zeros((3, 2)), np.ones((2, 3))])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ValueError, match="box has shape"):
        find_lipschitz_violation(lambda x: x, 1.0, 2, box=box, rng=np.random.default_rng(0))


# --- rare steep places


def random_network(seed):
    """A ReLU network on the plane, 2-64-64-1, with its gradient and its constant on the square of side 6."""
    rng = np.random.default_rng(seed)
    W = [rng.standard_normal((o, i)) * np.sqrt(2 / i) for i, o in ((2, 64), (64, 64), (64, 1))]
    b = [0.5 * rng.standard_normal(len(W_l)) for W_l in W]

    def f(x):
        h = np.maximum(x @ W[0].T + b[0], 0.0)
        return (np.maximum(h @ W[1].T + b[1], 0.0) @ W[2].T)[:, 0]

    def jac(x):
        a = x @ W[0].T + b[0]
        c = np.maximum(a, 0.0) @ W[1].T + b[1]
        return (((c > 0) * W[2]) @ W[1] * (a > 0)) @ W[0]

    return f, jac, exact_lipschitz_constant(W, b, 0.0, [(-3, 3)] * 2).value


def test_a_steep_piece_of_a_random_network_is_found_with_and_without_gradients():
    """The constant 1 % too low, in ten networks; the search that compared no gradients found five without a box."""
    found = {"values": 0, "gradients": 0}
    for seed in range(10):
        f, jac, K = random_network(seed)
        for name, more in (("values", {}), ("gradients", {"jac": jac})):
            worst = find_lipschitz_violation(f, 0.99 * K, 2, box=[(-3, 3)] * 2, rng=np.random.default_rng(seed), **more)
            found[name] += worst is not None
            assert worst is None or worst.ratio <= K * (1 + 1e-6)
    assert min(found.values()) >= 6, found


def orthogonal_units(d, rng):
    """Σ relu(qᵢ·x) of eight orthonormal qᵢ: √8 where all are active, one point in 256, else less."""
    Q = np.linalg.qr(rng.standard_normal((d, 8)))[0].T
    return (lambda x: np.maximum(x @ Q.T, 0.0).sum(axis=1)), (lambda x: (x @ Q.T > 0) @ Q)


@pytest.mark.parametrize("d", [10, 100, 400])
def test_eight_units_that_are_rarely_active_together_are_found(d):
    for seed in range(3):
        f = orthogonal_units(d, np.random.default_rng(seed))[0]
        found = find_lipschitz_violation(f, 0.999 * np.sqrt(8), d, rng=np.random.default_rng(seed))
        assert found.ratio == pytest.approx(np.sqrt(8), rel=1e-6)


@pytest.mark.parametrize("with_jac", [False, True])
def test_three_thousand_coordinates_will_do(with_jac):
    f, jac = orthogonal_units(3000, np.random.default_rng(0))
    few = {"n": 64, "n_rounds": 6, "jac": jac if with_jac else None, "rng": np.random.default_rng(0)}
    found = find_lipschitz_violation(f, 1.5, 3000, **few)
    assert 1.5 < found.ratio <= np.sqrt(8) * (1 + 1e-9)


def test_a_wrong_gradient_misguides_and_refutes_nothing():
    W = np.random.default_rng(0).standard_normal((3, 4))
    few = {"n": 64, "n_rounds": 4}
    for jac in (lambda x: 1e6 * np.ones((len(x), 3, 4)), lambda x: np.full((len(x), 3, 4), np.nan)):
        K = lipschitz_upper_bound([W], 1.0)
        assert find_lipschitz_violation(lambda x: x @ W.T, K, 4, jac=jac, **few, rng=np.random.default_rng(0)) is None
    with pytest.raises(ValueError, match=r"jac gave shape \(\d+, 5\)"):
        find_lipschitz_violation(
            lambda x: x @ W.T, 9.0, 4, jac=lambda x: np.ones((len(x), 5)), **few, rng=np.random.default_rng(0)
        )


def test_the_jacobian_of_the_caller_is_used():
    """A constant one that points along a steep direction, of a function whose differences are useless: a staircase."""
    W = np.array([[3.0, 4.0], [0.0, 0.0]])

    def f(x):
        return np.round((x @ W.T) * 4) / 4

    calls = []

    def jac(x):
        calls.append(len(x))
        return np.broadcast_to(W, (len(x), 2, 2))

    error = 0.13 * np.sqrt(2)
    found = find_lipschitz_violation(f, 4.5, 2, jac=jac, error=error, rng=np.random.default_rng(0))
    v = (found.x - found.y) / found.distance
    assert sum(calls) > 1000
    assert abs(v @ [0.6, 0.8]) > 0.99


@pytest.mark.parametrize(("k", "d"), [(3, 40), (40, 3), (50, 50)])
def test_the_norm_of_a_jacobian_of_any_shape_is_found(k, d):
    """Gradients point along the top right singular vector, whether outputs are few, or inputs, or neither."""
    W = np.random.default_rng(0).standard_normal((k, d))
    W[-1] *= 4.0
    few = {"n": 32, "n_rounds": 3, "jac": lambda x: np.broadcast_to(W, (len(x), k, d))}
    found = find_lipschitz_violation(lambda x: x @ W.T, 1.0, d, **few, rng=np.random.default_rng(0))
    assert found.ratio == pytest.approx(np.linalg.norm(W, 2), rel=1e-6)
