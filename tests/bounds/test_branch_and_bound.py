"""The certified bracket of a Lipschitz constant: it holds everywhere it was tried, and is narrow in the plane."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from specnorm_np.bounds.branch_and_bound import ENUMERATED, certified_lipschitz
from specnorm_np.bounds.lipschitz import exact_lipschitz_constant, tighter_lipschitz_upper_bound
from specnorm_np.bounds.patterns import patterns_near
from specnorm_np.bounds.regions import affine_pieces, rounding_allowances
from specnorm_np.network import backward_to_input, forward

BOX = ((-2.0, 1.5), (-1.0, 2.0))
slopes = st.sampled_from([0.0, 0.1, 0.5, 1.0])
seeds = st.integers(0, 2**32 - 1)
hidden = st.lists(st.integers(1, 7), min_size=1, max_size=3)


def draw(widths, seed, bias=0.5):
    rng = np.random.default_rng(seed)
    W = [rng.standard_normal((o, i)) for i, o in itertools.pairwise(widths)]
    return W, [bias * rng.standard_normal(o) for o in widths[1:]]


def gradient_norms(W, b, slope, x):
    f, tape = forward(W, b, x, slope)
    return np.linalg.norm(backward_to_input(W, tape, np.ones_like(f), slope), axis=1)


def inside(box, n, rng):
    low, high = np.transpose(box)
    return low + (high - low) * rng.uniform(size=(n, len(low)))


@given(hidden, seeds, slopes)
def test_in_the_plane_the_bracket_holds_the_exact_constant(widths, seed, slope):
    W, b = draw([2, *widths, 1], seed)
    found, exact = certified_lipschitz(W, b, slope, BOX), exact_lipschitz_constant(W, b, slope, BOX).value
    assert found.lower <= exact <= found.upper
    assert found.lower >= exact * (1 - 1e-9) - 1e-12
    assert found.upper <= max(tighter_lipschitz_upper_bound(W, slope), found.lower)
    assert gradient_norms(W, b, slope, inside(BOX, 500, np.random.default_rng(seed))).max() <= found.upper
    assert found.reached == (found.upper <= 1.01 * found.lower)


@pytest.mark.parametrize("widths", [(2, 16, 1), (2, 24, 24, 1), (2, 12, 12, 12, 1)])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_in_the_plane_the_bracket_is_narrow(widths, slope):
    W, b = draw(widths, 5)
    found = certified_lipschitz(W, b, slope, BOX)
    assert found.reached
    assert found.upper <= found.lower * (1 + 1e-8)
    assert gradient_norms(W, b, slope, found.x[None])[0] >= found.lower


@given(hidden, seeds, slopes)
def test_everywhere_the_bracket_holds_what_is_found_far_away(widths, seed, slope):
    W, b = draw([2, *widths, 1], seed)
    found, rng = certified_lipschitz(W, b, slope), np.random.default_rng(seed)
    far = rng.standard_normal((500, 2)) * 10.0 ** rng.uniform(-3, 9, (500, 1))
    assert gradient_norms(W, b, slope, far).max() <= found.upper * (1 + 1e-12)
    assert found.lower <= found.upper
    wide = exact_lipschitz_constant(W, b, slope, ((-1e3, 1e3), (-1e3, 1e3)))
    assert found.upper >= wide.value * (1 - 1e-9)
    assert found.lower >= wide.value * (1 - 1e-6) - 1e-9


def test_a_region_between_parallel_kinks_that_no_box_around_0_holds_is_found():
    """f is steep where x is between 10⁶ and 10⁶ + 1, and nowhere else."""
    W = [np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[3.0, -3.0]])]
    b = [np.array([-1e6, -1e6 - 1]), np.zeros(1)]
    found = certified_lipschitz(W, b, 0.0)
    assert found.lower <= 3 <= found.upper
    assert found.reached
    assert 1e6 < found.x[0] < 1e6 + 1
    assert certified_lipschitz(W, b, 0.0, BOX).upper < 1e-12


def test_one_input_by_hand():
    """f = relu(x) + 2 relu(x − 1) − 4 relu(x − 2) has the slopes 0, 1, 3 and −1."""
    W, b = [np.ones((3, 1)), np.array([[1.0, 2.0, -4.0]])], [np.array([0.0, -1.0, -2.0]), np.zeros(1)]
    for box, slope in ((None, 3), ([(-1, 0.5)], 1), ([(2.5, 9)], 1), ([(0.5, 1.5)], 3)):
        found = certified_lipschitz(W, b, 0.0, box)
        assert found.lower <= slope <= found.upper
        assert found.reached
        assert found.x.shape == (1,)


@settings(max_examples=15)
@given(st.integers(3, 5), hidden, seeds, st.sampled_from([0.0, 0.1, 1.0]))
def test_with_more_inputs_the_bracket_holds_what_sampling_finds(d, widths, seed, slope):
    W, b = draw([d, *widths, 1], seed)
    box = [(-1.0, 1.0)] * d
    found = certified_lipschitz(W, b, slope, box, budget=0.3)
    assert gradient_norms(W, b, slope, inside(box, 2000, np.random.default_rng(seed))).max() <= found.upper
    assert found.lower <= found.upper <= tighter_lipschitz_upper_bound(W, slope) * (1 + 1e-12)
    if found.lower:
        assert gradient_norms(W, b, slope, found.x[None])[0] >= found.lower


def test_with_three_inputs_a_small_network_is_closed():
    W, b = draw([3, 6, 4, 1], 1)
    found = certified_lipschitz(W, b, 0.1, [(-1, 1)] * 3)
    assert found.reached
    assert found.upper <= 1.01 * found.lower


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=2), seeds, st.sampled_from([0.0, 0.1]))
def test_the_patterns_near_the_polygons_are_those_of_all_points(widths, seed, slope):
    """Random points, and points beside every vertex, on either side of the kinks that meet there."""
    W, b = draw([2, *widths, 1], seed)
    tau, rng = rounding_allowances(W, b, np.array([2.0, 2.0])), np.random.default_rng(seed)
    patterns, points = set(), [inside(BOX, 2000, rng)]
    for pieces in affine_pieces(W, b, slope, np.array(BOX)):
        near = pieces.vertices[:, None] + 1e-13 * rng.standard_normal((len(pieces.vertices), 8, 2))
        points.append(np.clip(near.reshape(-1, 2), *np.transpose(BOX)))
        for low, high in patterns_near(W, b, slope, pieces.vertices, pieces.size, tau, 20):
            assert low is high
            patterns |= {row.tobytes() for row in np.concatenate(low, axis=1)}
    h, found = np.concatenate(points), []
    for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
        a = h @ W_l.T + b_l
        found.append(np.where(a > 0, 1.0, slope))
        h = a * found[-1]
    assert {row.tobytes() for row in np.concatenate(found, axis=1)} <= patterns


@pytest.mark.parametrize("width", [1e-15, 1e-16, 1e-30])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_region_too_thin_to_be_walked_is_bounded_all_the_same(width, depth):
    """f is steep, with the slope 3, on a strip that rounding hides from the exact constant."""
    W = [np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[3.0, -3.0]])]
    b = [np.array([0.0, -width]), np.zeros(1)]
    if depth == 2:  # x + 10 first, where all of the box is on the steep side
        W = [np.array([[1.0, 0.0]]), np.ones((2, 1)), W[1]]
        b = [np.array([10.0]), np.array([-10.0, -10.0 - width]), b[1]]
    box = ((-1.0, 1.0), (-1.0, 1.0))
    assert exact_lipschitz_constant(W, b, 0.0, box).value < 1e-12
    found = certified_lipschitz(W, b, 0.0, box)
    assert found.lower <= 3 <= found.upper


def test_more_kinks_through_a_point_than_can_be_enumerated_are_bounded():
    W, b = draw([2, ENUMERATED + 8, 1], 0)
    b = [np.zeros_like(b_l) for b_l in b]
    found, exact = certified_lipschitz(W, b, 0.1, BOX), exact_lipschitz_constant(W, b, 0.1, BOX).value
    assert found.lower <= exact <= found.upper <= tighter_lipschitz_upper_bound(W, 0.1)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("scale", [1e-90, 1e-60, 1e60, 1e90])
def test_at_the_ends_of_the_range_the_bracket_still_holds(d, scale):
    """f is multiplied by scale², and so is its constant."""
    W, b = draw([d, 5, 1], 4)
    box = [(-1.0, 1.0)] * d
    one = certified_lipschitz(W, b, 0.1, box)
    scaled = certified_lipschitz([scale * W_l for W_l in W], [scale * b[0], scale**2 * b[1]], 0.1, box)
    assert scaled.lower <= one.upper * scale**2 * (1 + 1e-9)
    assert scaled.upper >= one.lower * scale**2 * (1 - 1e-9)


def test_degenerate_networks():
    zero = certified_lipschitz([np.zeros((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)], 0.1, BOX)
    assert zero.lower == 0.0
    assert zero.upper < 1e-200
    linear = certified_lipschitz([np.array([[3.0, 4.0]])], [np.zeros(1)], 0.1, BOX)
    assert linear.lower <= 5 <= linear.upper
    assert linear.reached
    twice = [np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, -1.0]])]  # one kink, two units that cancel
    assert certified_lipschitz(twice, [np.zeros(2), np.zeros(1)], 0.0, BOX).lower < 1e-12
    dead = [np.array([[1.0, 0.0]]), np.array([[5.0]])]
    assert certified_lipschitz(dead, [np.array([-100.0]), np.zeros(1)], 0.0, BOX).upper < 1e-12


@pytest.mark.parametrize("d", [2, 3])
def test_what_is_proven_in_no_time_holds_and_an_interrupt_returns_it(d):
    W, b = draw([d, 20, 20, 1], 2)
    box = [(-1, 1)] * d
    early = certified_lipschitz(W, b, 0.1, box, budget=1e-9)
    late = certified_lipschitz(W, b, 0.1, box, budget=2.0)
    assert early.lower <= late.upper
    assert late.lower <= late.upper <= early.upper

    def interrupt(lower, upper):
        raise KeyboardInterrupt

    stopped = certified_lipschitz(W, b, 0.1, box, progress=interrupt)
    assert stopped.lower <= late.upper
    assert late.lower <= stopped.upper


def test_progress_only_tightens():
    W, b = draw([3, 8, 8, 1], 3)
    seen = []
    certified_lipschitz(W, b, 0.1, [(-1, 1)] * 3, budget=1.0, progress=lambda *bracket: seen.append(bracket))
    lower, upper = np.transpose(seen)
    assert (np.diff(lower) >= 0).all()
    assert (np.diff(upper) <= 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box": None}, "box is None; expected 3 pairs"),
        ({"box": [(0, 1)]}, "expected 3 finite pairs"),
        ({"gap": 0.0}, "gap is 0.0; expected a finite positive number"),
        ({"budget": np.inf}, "budget is inf"),
        ({"slope": 2.0}, "slope is 2.0"),
        ({"b": [np.zeros(4)]}, "b has 1 arrays"),
    ],
)
def test_bad_input_is_named(arguments, message):
    W, b = draw([3, 4, 1], 0)
    with pytest.raises(ValueError, match=message):
        certified_lipschitz(**({"W": W, "b": b, "slope": 0.1, "box": [(0, 1)] * 3} | arguments))
