import math
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from specnorm_np.toy.points import load_points, points
from specnorm_np.toy.targets import TARGETS, Mixture, Target, grid, moons, ring, spiral

seeds = st.integers(0, 2**32 - 1)


def mixture(seed, k=3, d=2):
    rng = np.random.default_rng(seed)
    return Mixture(rng.normal(size=(k, d)), float(rng.uniform(0.2, 1.0)))


# Mixtures


@given(seeds, st.integers(1, 4), st.integers(1, 2))
def test_density_integrates_to_one(seed, k, d):
    q = mixture(seed, k, d)
    h = 0.25 * q.std  # the trapezoidal sum of a Gaussian is off by about 2 exp(-2 (pi std / h)^2), here 1e-137
    side = np.arange(np.abs(q.modes).max() + 9.0 * q.std, step=h)
    side = np.concatenate([-side[:0:-1], side])
    x = np.stack(np.meshgrid(*[side] * d, indexing="ij"), axis=-1).reshape(-1, d)
    assert math.isclose(np.exp(q.log_density(x)).sum() * h**d, 1.0, rel_tol=1e-12)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_ring_and_grid_integrate_to_one(name):
    q = TARGETS[name](std=0.1)
    side = np.arange(-5.0, 5.0, 0.025)
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    assert math.isclose(np.exp(q.log_density(x)).sum() * 0.025**2, 1.0, rel_tol=1e-12)


def test_eq3_optimal_discriminator_is_the_sigmoid_of_the_log_ratio():
    q, p = mixture(0), mixture(1)
    x = np.random.default_rng(2).normal(size=(200, 2))

    def density(m):  # textbook form, no logarithms
        square = ((x[:, None] - m.modes) ** 2).sum(axis=2)
        return np.exp(-square / (2 * m.std**2)).mean(axis=1) / (2 * np.pi * m.std**2)

    f = q.log_density(x) - p.log_density(x)
    np.testing.assert_allclose(1 / (1 + np.exp(-f)), density(q) / (density(q) + density(p)), rtol=1e-12)


@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_eq4_gradient_is_that_of_the_log_density(seed, k, d):
    q = mixture(seed, k, d)
    x = np.random.default_rng(seed + 1).normal(size=(5, d))
    h = 1e-4 * q.std
    for j in range(d):
        e = h * np.eye(d)[j]
        central = (q.log_density(x + e) - q.log_density(x - e)) / (2 * h)
        # Truncation h^2/6 |f'''|, |f'''| <= r^3 / std^6, r the diameter of the modes; ten roundings over h.
        r = 2 * np.abs(q.modes).max() * math.sqrt(d) + q.std
        atol = h**2 * r**3 / q.std**6 + 10 * 2.3e-16 * (10 + np.abs(q.log_density(x)).max()) / h
        assert np.abs(q.grad_log_density(x)[:, j] - central).max() <= atol


@given(seeds, st.floats(1.0, 12.0))
def test_eq4_far_away_only_the_farthest_out_mode_counts(seed, decades):
    q = ring()
    rng = np.random.default_rng(seed)
    i = int(rng.integers(8))
    x = 10.0**decades * q.modes[[i]]  # the logit of mode i leads by at least 10 * 0.29 / 1e-4
    expected = (q.modes[[i]] - x) / q.std**2
    np.testing.assert_allclose(q.grad_log_density(x), expected, rtol=1e-15 * 8)


def test_eq4_midway_between_two_modes_stays_midway_far_away():
    q = Mixture(np.array([[-1.0, 0.0], [1.0, 0.0]]), 0.01)
    x = np.array([[0.0, 10.0**e] for e in range(0, 100, 10)])
    np.testing.assert_array_equal(q.grad_log_density(x)[:, 0], 0.0)
    # 1e-9 off the middle line, 1e10 away: the logit is 2e-9 / 1e-4, which no difference of squares can see.
    off = q.grad_log_density(np.array([[1e-9, 1e10]]))[0, 0] * 1e-4
    assert math.isclose(off, math.tanh(1e-5), rel_tol=2e-4)


def test_log_density_far_away_where_the_density_is_zero():
    q = Mixture(np.array([[1.0, 0.0]]), 0.5, "one")
    x = np.array([[1.0, 1e150]])
    assert math.isclose(q.log_density(x)[0], -2e300, rel_tol=1e-15)
    assert q.log_density(np.array([[1.0, 1e200]]))[0] == -math.inf


def test_log_density_at_the_modes_of_a_narrow_mixture():
    q = ring(std=1e-6)
    peak = -math.log(8) - math.log(2 * math.pi * 1e-12)
    np.testing.assert_allclose(q.log_density(q.modes), peak, rtol=1e-15 * 4)


@given(seeds)
def test_log_density_of_one_gaussian_is_its_closed_form(seed):
    q = mixture(seed, k=1, d=3)
    x = np.random.default_rng(seed).normal(size=(4, 3))
    z = (x - q.modes) / q.std
    closed = -0.5 * (z**2).sum(axis=1) - 3 * math.log(q.std) - 1.5 * math.log(2 * math.pi)
    np.testing.assert_allclose(q.log_density(x), closed, rtol=1e-13, atol=1e-13)


@given(seeds)
def test_density_moves_with_its_modes(seed):
    q, shift = mixture(seed), np.array([3.0, -7.0])
    x = np.random.default_rng(seed).normal(size=(6, 2))
    moved = Mixture(q.modes + shift, q.std)
    # x + shift is rounded by 7 eps, which the gradient of at most |x - m| / std^2 < 10 / 0.04 magnifies.
    np.testing.assert_allclose(moved.log_density(x + shift), q.log_density(x), rtol=1e-13, atol=7 * 2.3e-16 * 500)


def test_samples_have_the_mixture_s_moments():
    q = ring(n_modes=5, radius=2.0, std=0.3)
    x = q.sample(100_000, rng=np.random.default_rng(0))
    index = np.argmin(((x[:, None] - q.modes) ** 2).sum(axis=2), axis=1)
    np.testing.assert_allclose(np.bincount(index) / 1e5, 0.2, atol=5 * math.sqrt(0.16 / 1e5))
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=5 * math.sqrt(2.09 / 1e5))
    # Coordinate variance: radius^2 / 2 + std^2, of estimates with standard deviation below 2.5 / sqrt(n).
    np.testing.assert_allclose(x.var(axis=0), 2.0 + 0.09, atol=5 * 2.5 / math.sqrt(1e5))


def test_expected_score_is_zero_under_the_mixture():
    q = mixture(3)
    x = q.sample(100_000, rng=np.random.default_rng(4))
    score = q.grad_log_density(x)
    assert (np.abs(score.mean(axis=0)) < 5 * score.std(axis=0) / math.sqrt(len(x))).all()


def test_ring_has_eight_distinct_modes_on_the_unit_circle():
    q = ring()
    gaps = np.linalg.norm(q.modes[:, None] - q.modes, axis=2)[~np.eye(8, dtype=bool)]
    np.testing.assert_allclose(np.linalg.norm(q.modes, axis=1), 1.0, rtol=1e-15)
    assert math.isclose(gaps.min(), 2 * math.sin(math.pi / 8), rel_tol=1e-14)
    assert q.std == 0.01


def test_published_linspace_ring_has_seven_modes_and_is_refused():
    angle = np.linspace(0, 2 * np.pi, 8)
    published = np.column_stack([np.cos(angle), np.sin(angle)])
    assert len(np.unique(published.round(12) + 0.0, axis=0)) == 7
    assert len(np.unique(ring().modes.round(12) + 0.0, axis=0)) == 8
    with pytest.raises(ValueError, match="modes 0 and 7 coincide"):
        Mixture(published, 0.01)


def test_grid_is_that_of_veegan():
    expected = {(x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)}
    assert {tuple(mode) for mode in grid().modes.tolist()} == expected
    assert grid().std == 0.05


def test_mixture_is_immutable():
    modes = np.zeros((1, 2))
    q = Mixture(modes, 1.0)
    modes[0] = 9.0
    assert not q.modes.any()
    with pytest.raises(ValueError, match="read-only"):
        q.modes[0] = 9.0


@pytest.mark.parametrize(
    ("modes", "std", "match"),
    [
        (np.zeros(2), 1.0, r"modes has shape \(2,\)"),
        (np.zeros((0, 2)), 1.0, "modes has shape"),
        (np.array([[0.0, np.nan]]), 1.0, r"modes\[0, 1\] = nan"),
        (np.zeros((1, 2)), 0.0, "std = 0.0"),
        (np.zeros((1, 2)), math.nan, "std = nan"),
        (np.zeros((1, 2)), math.inf, "std = inf"),
        (np.zeros((2, 2)), 1.0, "modes 0 and 1 coincide"),
    ],
)
def test_bad_mixtures(modes, std, match):
    with pytest.raises(ValueError, match=match):
        Mixture(modes, std)


@pytest.mark.parametrize("x", [np.zeros(2), np.zeros((3, 3)), np.zeros((0, 2)), np.full((1, 2), np.inf)])
def test_bad_points_of_a_density(x):
    for method in (ring().log_density, ring().grad_log_density):
        with pytest.raises(ValueError, match=r"^x"):
            method(x)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ring(n_modes=0), "n_modes = 0"),
        (lambda: ring(n_modes=2.5), "n_modes = 2.5"),
        (lambda: ring(radius=-1.0), "radius"),
        (lambda: grid(n_side=0), "n_side"),
        (lambda: grid(spacing=math.nan), "spacing"),
        (lambda: moons(noise=-0.1), "noise"),
        (lambda: spiral(turns=0.0), "turns"),
        (lambda: TARGETS["checkerboard"](width=0.0), "width"),
    ],
)
def test_bad_parameters_of_a_target(make, match):
    with pytest.raises(ValueError, match=match):
        make()


# What every target has


def every_target():
    data = points(np.random.default_rng(0).normal(size=(50, 2)), "mine")
    return [pytest.param(make(), id=name) for name, make in TARGETS.items()] + [pytest.param(data, id="points")]


@pytest.mark.parametrize("target", every_target())
def test_target_interface(target: Target):
    x = target.sample(7, rng=np.random.default_rng(0))
    assert x.shape == (7, target.dim)
    assert x.dtype == np.float64
    assert target.to_user_units(x).shape == x.shape
    assert isinstance(target.name, str)
    np.testing.assert_array_equal(x, target.sample(7, rng=np.random.default_rng(0)))
    np.testing.assert_array_equal(x, pickle.loads(pickle.dumps(target)).sample(7, rng=np.random.default_rng(0)))
    x += 1.0  # a sample is the caller's: the next one is untouched
    np.testing.assert_array_equal(x - 1.0, target.sample(7, rng=np.random.default_rng(0)) + 1.0 - 1.0)


@pytest.mark.parametrize("target", every_target())
@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_bad_sample_size(target, n):
    with pytest.raises(ValueError, match="n = "):
        target.sample(n, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("name", "rms"), [("moons", 0.71), ("spiral", 0.75), ("checkerboard", 0.87)])
def test_scale_of_the_shapes(name, rms):
    x = TARGETS[name]().sample(100_000, rng=np.random.default_rng(0))
    assert abs(math.sqrt(np.square(x).mean()) - rms) < 0.01


@pytest.mark.parametrize("make", [ring, grid, *(TARGETS[name] for name in ("moons", "spiral", "checkerboard"))])
def test_factories_have_their_name_in_the_table(make):
    assert TARGETS[make().name] is make


def test_moons_without_noise_lie_on_two_half_circles():
    x = moons(noise=0.0).sample(1000, rng=np.random.default_rng(0))
    upper = np.abs(np.linalg.norm(x - [-0.5, -0.25], axis=1) - 1.0) < 1e-12
    lower = np.abs(np.linalg.norm(x - [0.5, 0.25], axis=1) - 1.0) < 1e-12
    assert (upper | lower).all()
    assert (x[upper & ~lower, 1] >= -0.25).all()
    assert (x[lower & ~upper, 1] <= 0.25).all()
    assert 400 < upper.sum() < 600


def test_spiral_without_noise_has_the_radius_of_its_angle():
    x = spiral(turns=2.0, radius=1.5, noise=0.0).sample(1000, rng=np.random.default_rng(0))
    r = np.linalg.norm(x, axis=1)
    angle = 2 * np.pi * 2.0 * r / 1.5
    np.testing.assert_allclose(x, r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), atol=1e-12)
    assert 1.45 < r.max() <= 1.5


@pytest.mark.parametrize("n_side", [1, 2, 3, 4])
def test_checkerboard_fills_every_second_square_evenly(n_side):
    x = TARGETS["checkerboard"](n_side=n_side, width=2.0).sample(20_000, rng=np.random.default_rng(0))
    assert np.abs(x).max() <= 1.0
    cell = np.minimum(((x + 1.0) / (2.0 / n_side)).astype(int), n_side - 1)
    assert (cell.sum(axis=1) % 2 == 0).all()
    counts = np.bincount(cell[:, 0] * n_side + cell[:, 1])
    counts = counts[counts > 0]
    assert len(counts) == (n_side**2 + 1) // 2
    mean = 20_000 / len(counts)
    assert (np.abs(counts - mean) < 5 * math.sqrt(mean)).all()


# Points


@given(seeds, st.integers(2, 20), st.integers(1, 4), st.floats(-200.0, 200.0))
def test_points_are_standardised_and_come_back(seed, n, d, decades):
    x = 10.0**decades * np.random.default_rng(seed).normal(size=(n, d), loc=1.0)
    target = points(x)
    # The mean of n numbers up to m is rounded by n eps m, in training units n eps m / scale.
    m = np.abs(x).max()
    np.testing.assert_allclose(target.x.mean(axis=0), 0.0, atol=n * 2.3e-16 * (1 + m / target.scale))
    assert math.isclose(np.square(target.x).mean(), 1.0, rel_tol=1e-13)
    trained = target.to_user_units(target.x)
    out = target.to_user_units(target.held_out) if len(target.held_out) else np.empty((0, d))
    assert len(out) == (n // 10 if n >= 20 else 0)
    both = np.concatenate((trained, out))
    for axis in range(d):  # every point comes back once, trained on or held out
        np.testing.assert_allclose(np.sort(both[:, axis]), np.sort(x[:, axis]), rtol=1e-13, atol=1e-14 * m)


def test_points_that_are_held_out_are_never_drawn():
    target = points(np.arange(100.0)[:, None])
    assert target.held_out.shape == (10, 1)
    drawn = target.sample(10_000, rng=np.random.default_rng(0))
    assert not np.isin(target.held_out, drawn).any()
    assert len(np.unique(drawn)) == 90
    np.testing.assert_array_equal(points(np.arange(100.0)[:, None]).held_out, target.held_out)


def test_nothing_is_held_out_where_only_equal_points_would_be_left():
    x = np.zeros((20, 1))
    for i in range(20):
        y = x.copy()
        y[i] = 1.0
        assert points(y).scale > 0.0


@given(seeds, st.floats(0.1, 10.0), st.floats(-10.0, 10.0))
def test_points_in_training_units_do_not_depend_on_the_user_s_units(seed, unit, origin):
    x = np.random.default_rng(seed).normal(size=(10, 2))
    # origin + unit x is rounded by eps (|origin| + unit |x|), 1e-15 (10 + 40) / (0.1 * 0.3) in training units
    np.testing.assert_allclose(points(origin + unit * x).x, points(x).x, atol=2e-12)


def test_points_keep_their_shape_under_one_scale():
    target = points(np.array([[0.0, 0.0], [10.0, 1.0], [0.0, 1.0], [10.0, 0.0]]))
    assert np.isclose(np.ptp(target.x[:, 0]) / np.ptp(target.x[:, 1]), 10.0)
    np.testing.assert_allclose(target.center, [5.0, 0.5])
    assert math.isclose(target.scale, math.sqrt((25 + 0.25) / 2))


def test_samples_of_points_are_points_drawn_evenly():
    target = points(np.arange(10.0)[:, None])
    x = target.sample(10_000, rng=np.random.default_rng(0))
    values, counts = np.unique(x, return_counts=True)
    np.testing.assert_array_equal(values, target.x[:, 0])
    assert (np.abs(counts - 1000) < 5 * math.sqrt(1000)).all()


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.zeros(3), r"x has shape \(3,\)"),
        (np.zeros((0, 2)), r"x has shape \(0, 2\)"),
        (np.zeros((3, 0)), r"x has shape \(3, 0\)"),
        (np.zeros((1, 2)), "x has 1 point"),
        (np.full((3, 2), 0.1), "x has 3 equal points"),
        (np.array([[0.0, 1.0], [2.0, np.nan], [np.inf, 0.0]]), r"x\[1, 1\] = nan"),
        (np.array([[1j], [2.0]]), "x has dtype complex128"),
        (np.array([["a"], ["b"]]), "x has dtype <U1"),
        (np.array([[1], [None]]), "x has dtype object"),
        (np.array([[True], [False]]), "x has dtype bool"),
    ],
)
def test_bad_points(x, match):
    with pytest.raises(ValueError, match=match):
        points(x)


# Files

DATA = np.array([[0.5, -1.25], [3.0, 1e-3], [-7.0, 2.0]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8])
def test_npy_is_read(tmp_path, dtype):
    x = np.abs(DATA).astype(dtype)
    np.save(tmp_path / "mine.npy", x)
    target = load_points(tmp_path / "mine.npy")
    assert target.name == "mine"
    np.testing.assert_array_equal(target.x, points(x.astype(np.float64)).x)


def test_one_dimensional_npy_is_a_column(tmp_path):
    np.save(tmp_path / "line.npy", np.arange(4.0))
    assert load_points(str(tmp_path / "line.npy")).x.shape == (4, 1)


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1.25\n3.0,1e-3\n-7,2\n",
        "x,y\n0.5,-1.25\n3.0,1e-3\n-7,2\n",
        "\ufeff0.5,-1.25\n3.0,1e-3\n-7,2\n",
        '"x","y"\r\n0.5, -1.25\r\n"3.0",1e-3\r\n\r\n-7,2',
    ],
    ids=["plain", "header", "byte order mark", "spreadsheet"],
)
def test_csv_is_read(tmp_path, text):
    path = tmp_path / "mine.CSV"
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(load_points(path).x, points(DATA).x)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "shape"),
        ("x,y\n", "shape"),
        ("1,2\n", "1 point"),
        ("1,2\n1,2\n", "2 equal points"),
        ("1,2\n3\n", "line 2 has 1 cells; expected 2"),
        ("x,y\n1,2\n3,4,5\n", "line 3 has 3 cells; expected 2"),
        ("x,y\n1,2,3\n", "line 2 has 3 cells; expected 2"),
        ("1,2\n\n3,four\n", "line 3 has the cell 'four'"),
        ("1,two\n3,4\n", "line 1 has the cell 'two'"),
        ("1,2\n3,\n", "line 2 has the cell ''"),
        ("1,2\n3,1_0\n", "line 2 has the cell '1_0'"),
        ("x,y\n1,2\na,b\n3,4\n", "line 3 has the cell 'a'"),
        ("1,2\n3,nan\n", r"x\[1, 1\] = nan"),
        ("1,2\n-inf,3\n", r"x\[1, 0\] = -inf"),
    ],
)
def test_bad_csv(tmp_path, text, match):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=match) as error:
        load_points(path)
    assert "bad.csv" in str(error.value)


def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(ValueError, match=r"bad\.csv"):
        load_points(path)


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_missing_files_and_directories(tmp_path, suffix):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load_points(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        load_points(tmp_path / f"folder{suffix}")


def test_unknown_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"has suffix '\.xlsx'; expected \.npy, \.npz, \.csv"):
        load_points(tmp_path / "data.xlsx")


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04"])
def test_npy_that_is_not_one(tmp_path, content):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.npy"):
        load_points(path)


def test_npy_cut_short(tmp_path):
    path = tmp_path / "cut.npy"
    np.save(path, DATA)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"cut\.npy"):
        load_points(path)


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.array([[1.0], [None]], dtype=object), "Object arrays cannot be loaded"),
        (np.array([[1j], [2.0]]), "dtype complex128"),
        (np.array(["a", "b"]), "dtype <U1"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array([0.0, np.nan]), r"x\[1, 0\] = nan"),
    ],
)
def test_bad_npy(tmp_path, x, match):
    np.save(tmp_path / "bad.npy", x, allow_pickle=True)
    with pytest.raises(ValueError, match=match):
        load_points(tmp_path / "bad.npy")


@pytest.mark.parametrize("constant", [0.1, 0.2, 0.3, 1 / 3, 0.7, 1.1, 3.3, 0.001, -0.7, 1234567.89, 0.0, 5.0])
def test_a_constant_column_is_exactly_constant_after_centring(constant):
    x = np.column_stack([np.random.default_rng(0).standard_normal(300), np.full(300, constant)])
    target = points(x)
    assert not target.x[:, 1].any()
    np.testing.assert_array_equal(target.to_user_units(target.x)[:, 1], constant)


@pytest.mark.parametrize("offset", [1e9, 1e12, 1e14])
def test_the_mean_is_0_however_far_away_the_points_are(offset):
    x = offset + np.random.default_rng(0).standard_normal((500, 2))
    assert np.abs(points(x).x.mean(axis=0)).max() <= 1e-15


def test_modes_that_coincide_are_refused_however_narrow():
    with pytest.raises(ValueError, match="coincide"):
        Mixture(np.zeros((2, 2)), 1e-320)


@pytest.mark.parametrize("x", [1e304, 1.7e308, -1.7e308])
def test_the_density_at_the_end_of_the_range_is_minus_infinity(x):
    assert ring().log_density(np.array([[x, 0.0], [x, x]])).tolist() == [-math.inf, -math.inf]
