import math

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from specnorm_np.toy.metrics import (
    DEFINITIONS,
    N_EVAL,
    Report,
    evaluate,
    frechet_distance,
    frechet_gaussian,
    high_quality,
    high_quality_share,
    mode_shapes,
    modes_captured,
    nearest_mode,
    perfect_sampler,
    perfect_share,
    reverse_kl,
)
from specnorm_np.toy.points import points
from specnorm_np.toy.targets import TARGETS, Mixture, grid, ring
from specnorm_np.toy.two_sample import expected_accuracy, two_sample

seeds = st.integers(0, 2**32 - 1)
NONE = np.full((4, 2), 100.0)  # samples far from every mode of ring() and grid()


def rotation(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def covariance(rng, d, rank=None):
    A = rng.normal(size=(d, rank or d))
    return A @ A.T


# Modes


@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_nearest_mode_is_no_farther_than_any(seed, k, d):
    rng = np.random.default_rng(seed)
    x, modes = rng.normal(size=(10, d)), rng.normal(size=(k, d))
    index, distance = nearest_mode(x, modes)
    for i in range(10):
        assert math.isclose(distance[i], math.dist(x[i], modes[index[i]]), rel_tol=1e-14)
        assert all(distance[i] <= math.dist(x[i], mode) * (1 + 1e-14) for mode in modes)


def test_high_quality_includes_the_boundary():
    x = np.array([[1.5, 0.0], [np.nextafter(1.5, 2.0), 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(high_quality(x, np.zeros((1, 2)), 0.5), [True, False, True])
    np.testing.assert_array_equal(high_quality(x, np.zeros((1, 2)), 0.5, radius=4.0), True)


def test_measures_of_a_sample_counted_by_hand():
    modes = np.array([[0.0], [10.0], [20.0], [30.0]])
    x = np.array([[0.0], [0.1], [-0.1], [10.0], [14.0], [26.0], [31.0], [33.5]])  # counts 3, 1, 0, 1 of 8
    assert high_quality_share(x, modes, 1.0) == 5 / 8
    assert modes_captured(x, modes, 1.0) == 3
    # Entropy of (3, 1, 1) / 5 and, over all samples, of (3, 2, 0, 3) / 8.
    H = -(0.6 * math.log(0.6) + 0.4 * math.log(0.2))
    assert math.isclose(reverse_kl(x, modes, 1.0), math.log(4) - H, rel_tol=1e-14)
    H = -(0.75 * math.log(3 / 8) + 0.25 * math.log(2 / 8))
    assert math.isclose(reverse_kl(x, modes, 1.0, samples="all"), math.log(4) - H, rel_tol=1e-14)


def test_one_percent_counts_of_all_samples():
    modes = np.array([[0.0, 0.0], [10.0, 0.0]])
    x = np.repeat(modes, [198, 2], axis=0)
    assert modes_captured(x, modes, 0.1, "one-percent") == 2  # exactly 1 %
    x = np.concatenate([x, [[5.0, 5.0]]])  # one bad sample more, and 2 of 201 are less
    assert modes_captured(x, modes, 0.1, "one-percent") == 1
    assert modes_captured(x, modes, 0.1, "any") == 2


def test_perfect_seven_mode_sampler_does_not_score_eight():
    angle = np.linspace(0, 2 * np.pi, 8)[:-1]  # the distinct modes of the published ring
    seven = Mixture(np.column_stack([np.cos(angle), np.sin(angle)]), 0.01)
    x = seven.sample(N_EVAL, rng=np.random.default_rng(0))
    assert modes_captured(x, seven.modes, 0.01) == 7
    assert modes_captured(x, ring().modes, 0.01) < 8


@given(st.integers(1, 30), st.integers(1, 5))
def test_reverse_kl_is_zero_for_equal_counts_and_log_k_for_one_mode(k, repeat):
    modes = np.arange(float(k))[:, None]
    assert reverse_kl(np.repeat(modes, repeat, axis=0), modes, 0.1) <= 1e-15 * k
    assert math.isclose(reverse_kl(modes[[0] * repeat], modes, 0.1), math.log(k), rel_tol=1e-15, abs_tol=1e-15)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=8))
def test_reverse_kl_is_between_zero_and_log_k(counts):
    assume(any(counts))
    modes = np.arange(float(len(counts)))[:, None]
    kl = reverse_kl(np.repeat(modes, counts, axis=0), modes, 0.1)
    assert 0.0 <= kl <= math.log(len(counts)) * (1 + 1e-15)
    assert (kl < 1e-12) == (len(set(counts)) == 1)


def test_no_high_quality_sample():
    q = ring()
    assert modes_captured(NONE, q.modes, q.std) == 0
    assert modes_captured(NONE, q.modes, q.std, "one-percent") == 0
    assert high_quality_share(NONE, q.modes, q.std) == 0.0
    assert reverse_kl(NONE, q.modes, q.std) == math.inf
    assert math.isclose(reverse_kl(NONE, q.modes, q.std, samples="all"), math.log(8))


@given(seeds, st.floats(-math.pi, math.pi), st.floats(-10.0, 10.0))
def test_measures_are_invariant_under_motions(seed, angle, shift):
    rng = np.random.default_rng(seed)
    q = ring(std=0.3)
    x, y = q.sample(60, rng=rng), q.sample(50, rng=rng)
    x[:5] *= 3.0
    Q = rotation(angle)
    margin = np.abs(nearest_mode(x, q.modes)[1] - 0.9)
    gaps = np.sort(np.linalg.norm(x[:, None] - q.modes, axis=2), axis=1)
    assume(margin.min() > 1e-9)
    assume((gaps[:, 1] - gaps[:, 0]).min() > 1e-9)
    a = evaluate(x, q, y)
    b = evaluate(x @ Q.T + shift, Mixture(q.modes @ Q.T + shift, q.std), y @ Q.T + shift)
    assert a[:3] == b[:3]
    assert math.isclose(a.reverse_kl, b.reverse_kl, rel_tol=1e-12, abs_tol=1e-14)
    # Coordinates up to 14 are rounded by 14 eps, and enter F multiplied by at most their spread, about 2.
    assert math.isclose(a.frechet, b.frechet, rel_tol=1e-9, abs_tol=1e-12)


@given(seeds)
def test_measures_do_not_depend_on_the_order_of_samples(seed):
    rng = np.random.default_rng(seed)
    q = grid()
    x, y = q.sample(100, rng=rng), q.sample(100, rng=rng)
    x[:10] += 0.5
    a, b = evaluate(x, q, y), evaluate(rng.permutation(x), q, rng.permutation(y))
    assert a[:4] == b[:4]
    assert math.isclose(a.frechet, b.frechet, rel_tol=1e-11, abs_tol=1e-12)


@given(seeds, st.integers(0, 7))
def test_measures_of_modes_do_not_depend_on_the_order_of_modes(seed, roll):
    q = ring()
    x = q.sample(100, rng=np.random.default_rng(seed))
    modes = np.roll(q.modes, roll, axis=0)
    assert modes_captured(x, modes, q.std) == modes_captured(x, q.modes, q.std)
    assert math.isclose(reverse_kl(x, modes, q.std), reverse_kl(x, q.modes, q.std), rel_tol=1e-12)


# Fréchet distance


@given(seeds, st.integers(1, 6))
def test_eq24_diagonal_gaussians(seed, d):
    rng = np.random.default_rng(seed)
    mu1, mu2 = rng.normal(size=(2, d))
    s1, s2 = rng.uniform(0.0, 3.0, size=(2, d))
    expected = ((mu1 - mu2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    got = frechet_gaussian(mu1, np.diag(s1**2), mu2, np.diag(s2**2))
    assert math.isclose(got, expected, rel_tol=1e-12, abs_tol=1e-13)


@given(seeds, st.integers(1, 5))
def test_eq24_as_printed_by_the_roots_of_the_eigenvalues_of_the_product(seed, d):
    rng = np.random.default_rng(seed)
    C1, C2 = covariance(rng, d), covariance(rng, d)
    mu1, mu2 = rng.normal(size=(2, d))
    root = np.sqrt(np.maximum(np.linalg.eigvals(C1 @ C2).real, 0.0)).sum()
    expected = ((mu1 - mu2) ** 2).sum() + np.trace(C1 + C2) - 2 * root
    # An eigenvalue of C1 C2 is off by about eps |C1| |C2| times its condition, its root by at most the root.
    atol = 2 * d * math.sqrt(1e-14 * np.trace(C1) * np.trace(C2))
    assert math.isclose(frechet_gaussian(mu1, C1, mu2, C2), expected, rel_tol=1e-9, abs_tol=atol)


@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_eq24_is_zero_only_for_equal_gaussians_and_symmetric(seed, d, rank):
    rng = np.random.default_rng(seed)
    C1, C2 = covariance(rng, d, min(rank, d)), covariance(rng, d)
    mu1, mu2 = rng.normal(size=(2, d))
    there, back = frechet_gaussian(mu1, C1, mu2, C2), frechet_gaussian(mu2, C2, mu1, C1)
    assert there >= ((mu1 - mu2) ** 2).sum() > 0
    # A factor of a singular covariance is off by sqrt(eps |C|) in its null space, and F by products of it.
    assert math.isclose(there, back, rel_tol=1e-7)
    assert 0.0 <= frechet_gaussian(mu1, C1, mu1, C1) <= 1e-14 * np.trace(C1) * d


def test_eq24_singular_covariances():
    zero, e1, e2 = np.zeros((2, 2)), np.diag([4.0, 0.0]), np.diag([0.0, 9.0])
    mu = np.zeros(2)
    assert frechet_gaussian(mu, zero, mu, zero) == 0.0
    assert math.isclose(frechet_gaussian(mu, e1, mu, zero), 4.0)
    assert math.isclose(frechet_gaussian(mu, e1, mu, e2), 13.0)


@given(seeds, st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_eq24_of_a_sample_scaled_and_shifted_is_closed_form(seed, scale, shift):
    x = np.random.default_rng(seed).normal(size=(30, 3))
    mu = x.mean(axis=0)
    expected = (((scale - 1) * mu + shift) ** 2).sum() + (scale - 1) ** 2 * x.var(axis=0, ddof=1).sum()
    assert math.isclose(frechet_distance(x, scale * x + shift), expected, rel_tol=1e-10, abs_tol=1e-12)


def test_eq24_one_dimensional_samples():
    x, y = (
        np.array([[0.0], [2.0]]),
        np.array([[10.0], [16.0]]),
    )  # means 1 and 13, standard deviations √2 and 3√2
    assert math.isclose(frechet_distance(x, y), 144.0 + 8.0, rel_tol=1e-14)


def test_eq24_is_blind_to_every_second_mode_of_a_ring():
    q, rng = ring(), np.random.default_rng(0)
    half = Mixture(q.modes[::2], q.std)
    reference = q.sample(100_000, rng=rng)
    half_lost = evaluate(half.sample(100_000, rng=rng), q, reference)
    one_lost = evaluate(Mixture(q.modes[1:], q.std).sample(100_000, rng=rng), q, reference)
    assert half_lost.modes == 4
    assert half_lost.frechet < 1e-4
    assert 0.02 < one_lost.frechet < 0.03  # a mean shifted by 1/7: 1/49 and a little


def test_frechet_distance_of_huge_samples():
    x = np.array([[0.0, 1e150], [1e150, 0.0], [0.0, 0.0]])
    assert math.isclose(frechet_distance(x, -x), frechet_distance(x * 1e-150, -x * 1e-150) * 1e300, rel_tol=1e-12)
    assert frechet_distance(1e50 * x, x) == math.inf


# Report


def test_report_agrees_with_the_single_measures():
    q, rng = ring(std=0.1), np.random.default_rng(0)
    x, y = 1.1 * q.sample(500, rng=rng), q.sample(1000, rng=rng)
    shapes = mode_shapes(x, q.modes, q.std)
    expected = (
        modes_captured(x, q.modes, q.std),
        8,
        high_quality_share(x, q.modes, q.std),
        reverse_kl(x, q.modes, q.std),
        frechet_distance(x, y),
        *(shapes.offset.mean(), shapes.spread[:, 0].mean(), shapes.spread[:, 1].mean()),
        *two_sample(x, y[:500]),
        500,
    )
    assert evaluate(x, q, y) == Report(*expected)
    assert evaluate(x, q, y, n_two_sample=100)[-4:] == (*two_sample(x[:100], y[:100]), 100)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_report_passes_the_definition_on(definition):
    q = grid()
    x = np.repeat(q.modes[:2], [199, 1], axis=0)
    assert evaluate(x, q, x, definition).modes == modes_captured(x, q.modes, q.std, definition)
    assert modes_captured(x, q.modes, q.std, definition) == {"any": 2, "one-percent": 1}[definition]


def test_targets_without_modes_have_a_frechet_distance_and_a_two_sample_accuracy():
    rng = np.random.default_rng(0)
    for target, n in ((TARGETS["moons"](), 50), (points(rng.normal(size=(40, 3))), 4), (points(np.eye(3)), 0)):
        report = evaluate(target.sample(50, rng=rng), target, target.sample(50, rng=rng))
        ceiling = perfect_sampler(target, 50, repeats=2, rng=rng)
        for one in (report, ceiling.mean):
            assert one[:4] == (None, None, None, None)
            assert one.offset is one.spread_minor is one.spread_major is None
            assert one.frechet > 0.0
            assert one.two_sample_points == n
            assert (one.two_sample is None) == (n == 0)
        assert ceiling.mean.two_sample == (expected_accuracy(n) if n else None)


def test_points_of_a_user_are_compared_with_those_held_out():
    target = points(np.random.default_rng(0).normal(size=(200, 2)))
    report = evaluate(target.held_out, target, target.sample(50, rng=np.random.default_rng(1)))
    assert report.two_sample_points == 20
    assert report.two_sample == 0.0  # every point has its own copy in the other sample for a neighbour


def test_report_of_a_sampler_that_has_diverged_within_float32():
    x = np.array([[3e38, 0.0], [-3e38, 1.0]], dtype=np.float32)
    report = evaluate(x, ring(), ring().sample(10, rng=np.random.default_rng(0)))
    assert report[:4] == (0, 8, 0.0, math.inf)
    assert math.isfinite(report.frechet)


def test_perfect_share_is_98_89_percent_and_the_integral_of_the_density():
    assert round(100 * perfect_share(), 2) == 98.89
    r = (np.arange(3000) + 0.5) / 1000  # midpoint rule for r exp(-r^2 / 2) on [0, 3]
    assert math.isclose(perfect_share(), (r * np.exp(-(r**2) / 2)).sum() / 1000, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("make", "kl", "kl_95"), [(ring, 0.0014, 0.0029), (grid, 0.0048, 0.0072)], ids=["ring", "grid"]
)
def test_ceilings_of_a_perfect_sampler(make, kl, kl_95):
    q, rng = make(), np.random.default_rng(0)
    k = len(q.modes)
    report, error = perfect_sampler(q, repeats=200, rng=rng)
    assert (report.modes, report.modes_total, report.high_quality) == (k, k, perfect_share())
    assert report.two_sample == expected_accuracy(N_EVAL)
    assert (error.modes, error.high_quality, error.reverse_kl, error.two_sample) == (0.0, 0.0, 0.0, 0.0)
    assert error.frechet > 0.0
    reports = [evaluate(q.sample(N_EVAL, rng=rng), q, q.modes, n_two_sample=0) for _ in range(200)]
    share, kl_mean = (np.mean([getattr(one, name) for one in reports]) for name in ("high_quality", "reverse_kl"))
    assert abs(share - perfect_share()) < 5 * math.sqrt(perfect_share() * 0.0111 / (200 * N_EVAL))
    # 2 n KL is close to chi-square with k - 1 degrees of freedom: mean k - 1, variance 2 (k - 1).
    n = N_EVAL * perfect_share()
    assert report.reverse_kl == (k - 1) / (2 * n)
    assert abs(kl_mean - (k - 1) / (2 * n)) < 4 * math.sqrt(2 * (k - 1) / 200) / (2 * n)
    # The mean of m points in the plane is off by √(π/2m) std; with m itself binomial, to first order the same.
    m = N_EVAL / k
    assert abs(report.offset - math.sqrt(math.pi / (2 * m))) < 4 * error.offset + 1.0 / m
    assert 1 - 2 / math.sqrt(m) < report.spread_minor < 1 < report.spread_major < 1 + 2 / math.sqrt(m)
    assert abs(report.reverse_kl - kl) < 4 * math.sqrt(2 * (k - 1) / 200) / (2 * n) + 0.5e-4
    below = [reverse_kl(q.sample(N_EVAL, rng=rng), q.modes, q.std) <= kl_95 for _ in range(200)]
    assert abs(np.mean(below) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 200)


def test_perfect_sampler_beats_a_sampler_that_misses_a_mode():
    q, rng = ring(), np.random.default_rng(0)
    x = Mixture(q.modes[1:], q.std).sample(N_EVAL, rng=rng)
    report, perfect = evaluate(x, q, q.sample(10_000, rng=rng)), perfect_sampler(q, rng=rng).mean
    assert report.modes == 7
    assert report.reverse_kl > math.log(8 / 7) - 1e-12 > 10 * perfect.reverse_kl
    assert report.frechet > 10 * perfect.frechet


# Shape of the modes


@given(st.integers(0, 2**32 - 1))
def test_the_shape_of_one_mode_by_hand(seed):
    """Samples that are μ + A·(±1, ±1)/…, so that their mean and covariance are known exactly."""
    rng = np.random.default_rng(seed)
    modes = np.array([[0.0, 0.0], [50.0, 0.0]])
    mean, axes, angle = rng.uniform(-1, 1, 2), np.sort(rng.uniform(0.2, 1.2, 2)), rng.uniform(0, math.pi)
    Q = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * math.sqrt(3 / 4)  # unit covariance, with n − 1 = 3
    x = 2.0 * (mean + signs * axes @ Q.T)
    shapes = mode_shapes(x, modes, std=2.0)
    assert shapes.offset[0] == pytest.approx(math.hypot(*mean))
    assert shapes.spread[0] == pytest.approx(axes)
    assert np.isnan(shapes.offset[1])
    assert np.isnan(shapes.spread[1]).all()


def test_samples_between_the_modes_do_not_count_for_their_shape():
    q, rng = ring(), np.random.default_rng(0)
    x = q.sample(1000, rng=rng)
    between = rng.normal(size=(500, 2), scale=0.1)
    for one, other in zip(
        mode_shapes(x, q.modes, q.std), mode_shapes(np.vstack((x, between)), q.modes, q.std), strict=True
    ):
        np.testing.assert_array_equal(one, other)


# Bad input

BAD = [
    (np.array([[0.0, np.nan]]), r"^x\[0, 1\] = nan"),
    (np.array([[0.0, 1.0], [np.inf, 0.0]]), r"^x\[1, 0\] = inf"),
    (np.zeros((3, 3)), r"^x has shape \(3, 3\)"),
    (np.zeros(2), r"^x has shape \(2,\)"),
    (np.zeros((0, 2)), r"^x has shape \(0, 2\)"),
    (np.zeros((2, 2), dtype=complex), "^x has dtype"),
]


@pytest.mark.parametrize(("x", "match"), BAD)
def test_bad_samples(x, match):
    q = ring()
    for measure in (high_quality, high_quality_share, modes_captured, reverse_kl):
        with pytest.raises(ValueError, match=match):
            measure(x, q.modes, q.std)
    with pytest.raises(ValueError, match=match):
        nearest_mode(x, q.modes)
    with pytest.raises(ValueError, match=match):
        evaluate(x, q, NONE)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: nearest_mode(NONE, np.full((1, 2), np.nan)), r"^modes\[0, 0\] = nan"),
        (lambda: high_quality(NONE, ring().modes, 0.0), "^std = 0.0"),
        (lambda: high_quality(NONE, ring().modes, 0.1, radius=math.nan), "^radius = nan"),
        (
            lambda: modes_captured(NONE, ring().modes, 0.1, "some"),
            "^definition = 'some'.*'any', 'one-percent'",
        ),
        (lambda: evaluate(NONE, ring(), NONE, "some"), "^definition = 'some'"),
        (lambda: reverse_kl(NONE, ring().modes, 0.1, "some"), "^samples = 'some'.*'high-quality' or 'all'"),
        (lambda: evaluate(NONE, ring(), np.full((4, 2), np.inf)), r"^reference\[0, 0\] = inf"),
        (lambda: evaluate(NONE, ring(), np.zeros((4, 3))), r"^reference has shape \(4, 3\)"),
        (lambda: frechet_distance(NONE, np.zeros((4, 3))), r"^y has shape \(4, 3\)"),
        (lambda: frechet_distance(NONE[:1], NONE), "^x has 1 sample"),
        (lambda: frechet_distance(NONE, NONE[:1]), "^y has 1 sample"),
        (lambda: perfect_sampler(ring(), repeats=1, rng=np.random.default_rng(0)), "^repeats = 1"),
        (lambda: perfect_sampler(ring(), 0, rng=np.random.default_rng(0)), "^n = 0"),
        (lambda: frechet_gaussian(np.zeros(3), np.eye(2), np.zeros(2), np.eye(2)), "^mu1"),
        (lambda: frechet_gaussian(np.zeros(2), np.eye(2), np.array([0.0, np.nan]), np.eye(2)), "^mu2"),
        (lambda: frechet_gaussian(np.zeros(2), np.eye(2), np.zeros(2), np.eye(3)), "^C2 has shape"),
        (lambda: frechet_gaussian(np.zeros(2), np.ones((2, 3)), np.zeros(2), np.eye(2)), "^C1 has shape"),
        (
            lambda: frechet_gaussian(np.zeros(2), np.eye(2), np.zeros(2), np.triu(np.ones((2, 2)))),
            "^C2 is not sym",
        ),
        (
            lambda: frechet_gaussian(np.zeros(2), -np.eye(2), np.zeros(2), np.eye(2)),
            "^C1 has the eigenvalue -1",
        ),
    ],
)
def test_bad_arguments(call, match):
    with pytest.raises(ValueError, match=match):
        call()
