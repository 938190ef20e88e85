"""The Lipschitz constant: upper bounds, the exact value on a box, lower bounds. Eqs. (5), (7)."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings, strategies as st

from specnorm_np.bounds import lipschitz, regions
from specnorm_np.bounds.lipschitz import (
    exact_lipschitz_constant,
    lipschitz_lower_bound,
    lipschitz_upper_bound,
    tighter_lipschitz_upper_bound,
)
from specnorm_np.network import backward_to_input, forward

U = 2.0**-53
BOX = ((-2.0, 1.5), (-1.0, 2.0))
slopes = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])
seeds = st.integers(0, 2**32 - 1)
hidden = st.lists(st.integers(1, 6), max_size=3)


def draw(widths, seed, bias=0.5):
    rng = np.random.default_rng(seed)
    W = [rng.standard_normal((o, i)) for i, o in itertools.pairwise(widths)]
    return W, [bias * rng.standard_normal(o) for o in widths[1:]]


def gradients(W, b, slope, x):
    f, h = forward(W, b, x, slope)
    return backward_to_input(W, h, np.ones_like(f), slope)


def activations(W, b, slope, x):
    on = []
    for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
        a = x @ W_l.T + b_l
        on.append(a > 0)
        x = np.where(a > 0, a, slope * a)
    return np.hstack(on)


def rounding(W):
    """What the rounding of a gradient may amount to, twice."""
    n = sum(W_l.shape[1] + 3 for W_l in W)
    return 2 * n * U * math.prod(float(np.linalg.norm(W_l)) for W_l in W)


def grid(box, n):
    (x_min, x_max), (y_min, y_max) = box
    return np.stack(np.meshgrid(np.linspace(x_min, x_max, n), np.linspace(y_min, y_max, n)), -1).reshape(-1, 2)


# --- the bounds from above


@given(hidden, st.integers(1, 3), seeds, slopes)
def test_eq7_the_bound_is_the_product_of_spectral_norms(widths, d_out, seed, slope):
    W, _ = draw([2, *widths, d_out], seed)
    product = math.prod(float(np.linalg.svd(W_l)[1][0]) for W_l in W)
    assert lipschitz_upper_bound(W, slope) == pytest.approx(product, rel=1e-12)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=8))
def test_eq7_the_bound_is_not_below_the_exact_product(entries):
    W = [np.diag([x, x / 2]) for x in entries]
    assert Fraction(lipschitz_upper_bound(W, 0.0)) >= math.prod(map(Fraction, entries))


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=8))
def test_sums_and_products_are_rounded_up(numbers):
    product, total = lipschitz.times_up(*numbers), 0.0
    for x in numbers:
        total = lipschitz.plus_up(total, x)
    assert Fraction(product) >= math.prod(map(Fraction, numbers))
    assert Fraction(total) >= sum(map(Fraction, numbers))


def exact_product(W):
    product = [[Fraction(x) for x in row] for row in W[0]]
    for W_l in W[1:]:
        product = [[sum(Fraction(w) * p for w, p in zip(row, col, strict=True)) for col in zip(*product, strict=True)]
                   for row in W_l]  # fmt: skip
    return product


@given(hidden, seeds)
def test_with_slope_1_the_tighter_bound_is_the_constant_rounded_up(widths, seed):
    W, _ = draw([3, *widths, 1], seed)
    square = sum(x * x for x in exact_product(W)[0])  # in rational arithmetic
    bound = Fraction(tighter_lipschitz_upper_bound(W, 1.0))
    assert square <= bound**2 <= (square + Fraction(rounding(W)) ** 2) * (1 + Fraction(1, 10**11)) ** 2


@pytest.mark.parametrize("n_last", [0, 1, 2])
def test_the_tighter_bound_covers_what_cancellation_hides_in_a_computed_product(n_last):
    a, b = 1 + 2.0**-30, 1 - 2.0**-30  # a b - 1 = -2⁻⁶⁰ is computed as 0, in one order of summation at least
    W = [np.array([[a], [1], [1], [a]]), np.array([[b, -1, 0, 0], [0, 0, -1, b]]), *[np.eye(2)] * n_last]
    assert Fraction(tighter_lipschitz_upper_bound(W, 1.0)) ** 2 >= sum(row[0] ** 2 for row in exact_product(W))


@given(hidden, st.integers(1, 3), seeds, slopes)
def test_the_tighter_bound_is_the_expansion_over_all_choices_of_mean_and_deviation(widths, d_out, seed, slope):
    W, _ = draw([2, *widths, d_out], seed)
    c, r, total = (1 + slope) / 2, (1 - slope) / 2, 0.0
    for choice in itertools.product((False, True), repeat=len(widths)):
        term, block = 1.0, W[0]
        for W_l, deviates in zip(W[1:], choice, strict=True):
            term *= r * np.linalg.norm(block, 2) if deviates else c
            block = W_l if deviates else W_l @ block
        total += term * np.linalg.norm(block, 2)
    assert tighter_lipschitz_upper_bound(W, slope) == pytest.approx(total, rel=1e-10, abs=rounding(W))


@given(hidden, st.integers(1, 4), st.integers(1, 3), seeds, st.floats(0, 1))
def test_no_diagonal_with_entries_in_the_slopes_range_exceeds_the_tighter_bound(widths, d_in, d_out, seed, slope):
    W, _ = draw([d_in, *widths, d_out], seed)
    rng = np.random.default_rng(seed)
    J = W[0]
    for W_l in W[1:]:
        J = W_l @ (rng.choice([slope, 1.0], len(J))[:, None] * J)
    assert np.linalg.norm(J, 2) <= tighter_lipschitz_upper_bound(W, slope) + rounding(W)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e100, 1e200])
def test_the_upper_bounds_keep_their_order_at_the_edges_of_the_range(scale):
    W = [scale * W_l for W_l in draw([2, 4, 3, 1], 0)[0]]
    lower = 1.0 if scale > 1 else 0.0
    assert lower < tighter_lipschitz_upper_bound(W, 0.1) <= lipschitz_upper_bound(W, 0.1)


def test_a_zero_layer_bounds_the_network_by_zero():
    W = [np.ones((3, 2)), np.zeros((1, 3))]
    assert tighter_lipschitz_upper_bound(W, 0.0) == lipschitz_upper_bound(W, 0.0) == 0.0


# --- all of them


@given(hidden, seeds, slopes, st.sampled_from([0.0, 0.5]))
def test_lower_exact_tighter_upper_come_in_this_order(widths, seed, slope, bias):
    W, b = draw([2, *widths, 1], seed, bias)
    rng = np.random.default_rng(seed)
    lower, _ = lipschitz_lower_bound(W, b, slope, BOX, n_samples=200, n_steps=20, n_climbers=8, rng=rng)
    exact = exact_lipschitz_constant(W, b, slope, BOX).value
    tighter, upper = tighter_lipschitz_upper_bound(W, slope), lipschitz_upper_bound(W, slope)
    assert lower <= exact + rounding(W)
    assert exact <= tighter + rounding(W)
    assert tighter <= upper


# --- the exact value


@given(hidden, seeds, slopes)
def test_eq5_no_difference_quotient_exceeds_the_constant(widths, seed, slope):
    W, b = draw([2, *widths, 1], seed)
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(*np.transpose(BOX), (2, 500, 2))
    y[250:] = np.clip(x[250:] + 1e-3 * rng.standard_normal((250, 2)), *np.transpose(BOX))
    M = exact_lipschitz_constant(W, b, slope, BOX).value
    change = np.abs(forward(W, b, x, slope)[0] - forward(W, b, y, slope)[0])[:, 0]
    allowance = regions.rounding_allowances(W, b, np.full(2, 2.0))[-1][0]
    assert (change <= M * np.linalg.norm(x - y, axis=1) * (1 + 1e-12) + 2 * allowance).all()


@given(st.integers(1, 4), seeds, slopes)
def test_a_network_of_non_negative_weights_attains_the_norm_of_the_product(depth, seed, slope):
    W, b = draw([2, *[5] * depth, 1], seed)
    W = [np.abs(W_l) for W_l in W]
    exact = exact_lipschitz_constant(W, b, slope, ((-1e4, 1e4), (-1e4, 1e4)))
    product = np.linalg.multi_dot(W[::-1]) if depth else W[0]
    assert exact.value == pytest.approx(np.linalg.norm(product, 2), rel=1e-9)


def enumerated(W, b, slope, box):
    """All regions of a network, as {activations: gradient}: every pattern whose half planes enclose a point."""
    (x_min, x_max), (y_min, y_max) = box
    sides = np.array([[1, 0, -x_min], [-1, 0, x_max], [0, 1, -y_min], [0, -1, y_max]])
    found = {}
    for pattern in itertools.product((False, True), repeat=sum(len(b_l) for b_l in b[:-1])):
        h, lines, left = np.eye(3)[:2], [sides], list(pattern)
        for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
            a = W_l @ h + np.outer(b_l, [0, 0, 1])
            on, left = np.array(left[: len(b_l)]), left[len(b_l) :]
            lines.append(np.where(on, 1, -1)[:, None] * a)
            h = np.where(on, 1, slope)[:, None] * a
        half_planes = np.vstack(lines)
        half_planes = half_planes[np.any(half_planes != 0, axis=1)]  # behind units that are off
        corners = np.cross(half_planes[:, None], half_planes[None]).reshape(-1, 3)
        corners = corners[np.abs(corners[:, 2]) > 1e-9] / corners[np.abs(corners[:, 2]) > 1e-9][:, 2:]
        corners = corners[(corners @ half_planes.T > -1e-8).all(axis=1)]
        if len(corners) and (corners.mean(axis=0) @ half_planes.T > 1e-6).all():
            found[pattern] = (W[-1] @ h)[0, :2]
    return found


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(0, 3), seeds, st.sampled_from([0.1, 0.5]))
@example(4, 3, 0, 0.1)
def test_every_region_is_found_that_enumerating_all_patterns_finds(d_1, d_2, seed, slope):
    W, b = draw([2, d_1, d_2, 1] if d_2 else [2, d_1, 1], seed)
    found = enumerated(W, b, slope, BOX)
    exact = exact_lipschitz_constant(W, b, slope, BOX)
    largest = max(float(np.linalg.norm(g)) for g in found.values())
    assert exact.value == pytest.approx(largest, rel=1e-12, abs=rounding(W))
    assert exact.n_regions == len(found)


@settings(max_examples=20)
@given(seeds)
def test_a_relu_network_agrees_with_the_enumeration(seed):
    W, b = draw([2, 4, 3, 1], seed)
    largest = max(float(np.linalg.norm(g)) for g in enumerated(W, b, 0.0, BOX).values())
    assert exact_lipschitz_constant(W, b, 0.0, BOX).value == pytest.approx(largest, rel=1e-12, abs=rounding(W))


@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("width", [8, 24])
def test_a_fine_grid_finds_no_larger_gradient_and_the_same_one(width, slope):
    W, b = draw([2, width, width, 1], 3)
    sizes = np.linalg.norm(gradients(W, b, slope, grid(BOX, 400)), axis=1)
    assert exact_lipschitz_constant(W, b, slope, BOX).value == pytest.approx(sizes.max(), abs=rounding(W))


@given(hidden, seeds, slopes)
def test_the_value_is_the_gradient_at_x(widths, seed, slope):
    W, b = draw([2, *widths, 1], seed)
    exact = exact_lipschitz_constant(W, b, slope, BOX)
    assert (np.transpose(BOX)[0] < exact.x).all()
    assert (exact.x < np.transpose(BOX)[1]).all()
    assert np.linalg.norm(gradients(W, b, slope, exact.x[None])) == pytest.approx(exact.value, abs=rounding(W))


@given(hidden, seeds, slopes, st.sampled_from([0.0, 0.5]), st.sampled_from([1, 7, 256]))
def test_the_regions_cover_the_box_once(widths, seed, slope, bias, block):
    W, b = draw([2, *widths, 1], seed, bias)
    pieces = list(regions.affine_pieces(W, b, slope, np.array(BOX), block))
    assert sum(p.area.sum() for p in pieces) == pytest.approx(3.5 * 3.0, rel=1e-12)
    assert all((p.area > 0).all() for p in pieces)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), seeds)
def test_no_region_is_found_twice_and_each_has_its_own_gradient(widths, seed):
    W, b = draw([2, *widths, 1], seed)
    pieces = list(regions.affine_pieces(W, b, 0.3, np.array(BOX)))
    center, gradient = np.vstack([p.center for p in pieces]), np.vstack([p.gradient for p in pieces])
    assert len(np.unique(activations(W, b, 0.3, center), axis=0)) == len(center)
    np.testing.assert_allclose(gradient, gradients(W, b, 0.3, center), rtol=0, atol=rounding(W))


@given(st.integers(1, 40), seeds)
def test_lines_through_one_point_leave_no_slivers(n, seed):
    W = [np.random.default_rng(seed).standard_normal((n, 2)), np.ones((1, n))]
    angles = np.sort(np.arctan2(W[0][:, 1], W[0][:, 0]) % np.pi)
    assume(np.diff(angles, append=angles[0] + np.pi).min() > 1e-6)
    assert exact_lipschitz_constant(W, [np.zeros(n), np.zeros(1)], 0.1, ((-1, 1), (-1, 1))).n_regions == 2 * n


@given(seeds, st.integers(2, 8), st.floats(0.1, 10))
def test_coincident_kinks_cut_once(seed, copies, factor):
    W, b = draw([2, 1], seed, 0.1)
    assume(abs(b[0][0]) < (1.0 - 1e-6) * np.abs(W[0]).sum())  # or the kink passes the box by
    scales = factor * (-1.0) ** np.arange(copies) * np.arange(1, copies + 1)
    W, b = [scales[:, None] * W[0], np.ones((1, copies))], [scales * b[0], np.zeros(1)]
    assert exact_lipschitz_constant(W, b, 0.0, ((-1, 1), (-1, 1))).n_regions == 2


def test_kinks_along_the_edges_of_the_box_do_not_cut_it():
    W = [np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]), np.ones((1, 4))]
    b = [np.array([1.0, 1.0, 3.0, 2.0]), np.zeros(1)]
    assert exact_lipschitz_constant(W, b, 0.0, ((-1, 1), (-1, 1))).n_regions == 1


@given(hidden, seeds)
def test_with_slope_1_the_network_is_linear(widths, seed):
    W, b = draw([2, *widths, 1], seed)
    exact = exact_lipschitz_constant(W, b, 1.0, BOX)
    product = math.sqrt(sum(x * x for x in exact_product(W)[0]))
    assert exact.n_regions == 1
    assert exact.value == pytest.approx(product, abs=rounding(W))


def test_the_constant_is_that_of_the_box():
    W, b = [np.array([[3.0, 4.0]]), np.array([[1.0]])], [np.array([-10.0]), np.zeros(1)]
    assert exact_lipschitz_constant(W, b, 0.0, ((-1, 1), (-1, 1)))[::2] == (0.0, 1)
    assert exact_lipschitz_constant(W, b, 0.0, ((-2, 2), (-2, 2)))[::2] == (5.0, 2)


def test_progress_counts_area_up_to_that_of_the_box():
    calls = []
    W, b = draw([2, 20, 20, 1], 0)
    exact_lipschitz_constant(W, b, 0.1, BOX, progress=lambda done, total: calls.append((done, total)))
    done, total = np.transpose(calls)
    assert len(calls) > 1
    assert (np.diff(done) > 0).all()
    assert (total == 10.5).all()
    assert done[-1] == pytest.approx(10.5, rel=1e-12)


def test_float32_weights_are_taken_as_stored():
    W, b = draw([2, 6, 6, 1], 1)
    W, b = [W_l.astype(np.float32) for W_l in W], [b_l.astype(np.float32) for b_l in b]
    W_64, b_64 = [W_l.astype(np.float64) for W_l in W], [b_l.astype(np.float64) for b_l in b]
    assert exact_lipschitz_constant(W, b, 0.1, BOX)[::2] == exact_lipschitz_constant(W_64, b_64, 0.1, BOX)[::2]
    assert tighter_lipschitz_upper_bound(W, 0.1) == tighter_lipschitz_upper_bound(W_64, 0.1)
    assert lipschitz_upper_bound(W, 0.1) == lipschitz_upper_bound(W_64, 0.1)


# --- from below


@given(hidden, st.integers(1, 5), seeds, slopes)
def test_the_lower_bound_is_the_gradient_at_its_point_of_the_box(widths, d_in, seed, slope):
    W, b = draw([d_in, *widths, 1], seed)
    rng = np.random.default_rng(seed)
    box = [(-1.0, 1.0 + i) for i in range(d_in)]
    value, x = lipschitz_lower_bound(W, b, slope, box, n_samples=50, n_steps=10, n_climbers=4, rng=rng)
    assert (np.transpose(box)[0] <= x).all()
    assert (x <= np.transpose(box)[1]).all()
    assert np.linalg.norm(gradients(W, b, slope, x[None])) == pytest.approx(value, abs=rounding(W))
    assert value <= tighter_lipschitz_upper_bound(W, slope) + rounding(W)


@pytest.mark.parametrize("seed", range(5))
def test_the_search_reaches_the_exact_constant_of_a_small_network(seed):
    W, b = draw([2, 8, 8, 1], seed)
    value, _ = lipschitz_lower_bound(W, b, 0.1, BOX, rng=np.random.default_rng(seed))
    assert value == pytest.approx(exact_lipschitz_constant(W, b, 0.1, BOX).value, rel=1e-9)


def test_ascent_finds_more_than_its_start():
    W, b = draw([10, 64, 64, 1], 0)
    start, _ = lipschitz_lower_bound(W, b, 0.0, n_steps=0, rng=np.random.default_rng(0))
    end, _ = lipschitz_lower_bound(W, b, 0.0, n_steps=200, rng=np.random.default_rng(0))
    assert end > 1.02 * start


def test_without_a_box_the_search_passes_all_kinks_of_the_first_layer():
    W, b = [np.array([[3.0, 4.0]]), np.array([[1.0]])], [np.array([-1e6]), np.zeros(1)]
    assert lipschitz_lower_bound(W, b, 0.0, rng=np.random.default_rng(0))[0] == 5.0


def test_a_kink_is_no_gradient():
    # On x >= 0, f = 0.5 x - 0.5 x = 0. At x = 0, where clipped points are, the formula gives 0.5 (0.5 - 1) for ∇f.
    W, b = [np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.5, 1.0]])], [np.zeros(2), np.zeros(1)]
    box = ((0.0, 1.0), (0.0, 1.0))
    assert lipschitz_lower_bound(W, b, 0.5, box, rng=np.random.default_rng(0))[0] == 0.0
    assert exact_lipschitz_constant(W, b, 0.5, box).value == 0.0


def test_units_behind_a_dead_layer_do_not_make_a_point_uncertain():
    W, b = draw([2, 3, 4, 1], 0)
    b[0], b[1] = np.full(3, -100.0), np.zeros(4)
    value, x = lipschitz_lower_bound(W, b, 0.0, BOX, rng=np.random.default_rng(0))
    sizes = lipschitz.certain_gradient_norms(W, b, 0.0, x[None], regions.rounding_allowances(W, b, np.full(2, 2.0)))
    assert value == sizes[0] == 0.0


# --- input that is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slope": 1.5}, "slope is 1.5"),
        ({"slope": -0.1}, "slope is -0.1"),
        ({"slope": math.nan}, "slope is nan"),
        ({"W": []}, "W is empty"),
        ({"W": [np.ones((3, 2)), np.ones((1, 4))]}, r"W\[1\] has shape \(1, 4\)"),
        ({"W": [np.ones((3, 2)), np.full((1, 3), np.nan)]}, r"W\[1\] holds NaN"),
        ({"W": [np.ones((3, 2), int), np.ones((1, 3))]}, r"W\[0\] has dtype int64"),
        ({"W": [np.ones((3, 2)), np.ones((2, 3))]}, r"W\[1\] has shape \(2, 3\); expected one row"),
        ({"W": [np.ones((3, 4)), np.ones((1, 3))]}, r"W\[0\] has shape \(3, 4\); expected \(d_1, 2\)"),
        ({"b": [np.zeros(3)]}, "b has 1 arrays"),
        ({"b": [np.zeros(2), np.zeros(1)]}, r"b\[0\] has shape \(2,\)"),
        ({"b": [np.zeros(3), np.zeros(1, int)]}, r"b\[1\] has shape \(1,\), dtype int64"),
        ({"b": [np.full(3, np.inf), np.zeros(1)]}, r"b\[0\] holds NaN or infinity"),
        ({"W": [np.full((3, 2), 1e200), np.full((1, 3), 1e200)]}, "overflow"),
        ({"box": ((0, 1),)}, "box is"),
        ({"box": ((1, 0), (0, 1))}, "box is"),
        ({"box": ((0, math.inf), (0, 1))}, "box is"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"W": [np.ones((3, 2)), np.ones((1, 3))], "b": [np.zeros(3), np.zeros(1)], "slope": 0.1, "box": BOX}
    arguments = good | change
    with pytest.raises(ValueError, match=message):
        exact_lipschitz_constant(**arguments)
    if not {"b", "box"} & change.keys() and not any(s in message for s in ("one row", "d_1, 2", "overflow")):
        for bound in (lipschitz_upper_bound, tighter_lipschitz_upper_bound):
            with pytest.raises(ValueError, match=message):
                bound(arguments["W"], arguments["slope"])


@pytest.mark.parametrize("name", ["n_samples", "n_steps", "n_climbers"])
def test_a_count_that_is_too_small_is_named(name):
    W, b = draw([2, 3, 1], 0)
    with pytest.raises(ValueError, match=f"{name} is -1"):
        lipschitz_lower_bound(W, b, 0.1, **{name: -1}, rng=np.random.default_rng(0))
