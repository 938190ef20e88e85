"""How good samples are: modes, high quality, reverse KL, shape of the modes, Fréchet distance. Appendix B.1, Eq. (24).

The measures of modes are those of VEEGAN (Srivastava et al., 2017) and PacGAN (Lin et al., 2018) for mixtures
of Gaussians. Read them beside the row of a perfect sampler, `perfect_sampler`: in two dimensions its share of
high quality is 98.89 %, so that a higher one means samples too concentrated, and its reverse KL is positive.

A sample is of high quality if it lies within `radius` standard deviations of its nearest mode, and counts for
that mode. So a generator that puts a single point into the middle of every mode is perfect by these measures. The shape
of a mode, `mode_shapes`, and the two-sample accuracy of `two_sample` see what they miss; `docs/measures.md` shows which
measure sees what.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.toy.points import Points
from specnorm_np.toy.targets import Mixture, Target, check_points
from specnorm_np.toy.two_sample import TwoSample, expected_accuracy, two_sample

N_EVAL = 2500
"""Samples that an evaluation takes, as in VEEGAN and PacGAN."""

N_REFERENCE = 10_000
"""Samples of the target that the Fréchet distance is taken to, as in Appendix B.1."""

DEFINITIONS = ("any", "one-percent")
"""Published meanings of a captured mode, see `modes_captured`."""


def nearest_mode(x: Array, modes: Array) -> tuple[Array, Array]:
    """Find the mode nearest to each sample.

    Parameters
    ----------
    x : (n, d) array
        Finite samples.
    modes : (k, d) array

    Returns
    -------
    index : (n,) int array
        Row of `modes`; the first one of equally near ones.
    distance : (n,) float64 array
        Euclidean distance to it; infinite where its square is out of range.

    Raises
    ------
    ValueError
        If an argument is not a finite array of its shape.
    """
    modes = check_points(modes, "modes")
    x = check_points(x, "x", modes.shape[1])
    square = np.zeros((len(modes), len(x)))
    with np.errstate(over="ignore"):
        for x_j, modes_j in zip(x.T, modes.T, strict=True):  # one coordinate at a time: no (k, n, d) array
            difference = x_j - modes_j[:, None]
            square += np.square(difference, out=difference)
    index = square.argmin(axis=0)
    return index, np.sqrt(square[index, np.arange(len(x))])


def high_quality(x: Array, modes: Array, std: float, radius: float = 3.0) -> Array:
    """Tell which samples lie within `radius` standard deviations of their nearest mode.

    Parameters
    ----------
    x : (n, d) array
        Finite samples.
    modes : (k, d) array
    std : float
        Standard deviation of a mode in each coordinate, positive.
    radius : float
        In standard deviations, positive.

    Returns
    -------
    (n,) bool array

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The boundary is included, as in VEEGAN; PacGAN's Mahalanobis distance < 3 leaves it out. For isotropic
    modes the two differ on a set of probability 0.
    """
    return _mark(x, modes, std, radius)[1]


def high_quality_share(x: Array, modes: Array, std: float, radius: float = 3.0) -> float:
    """Return the share of the samples that are of high quality, 0 to 1. The arguments are those of `high_quality`."""
    return float(_mark(x, modes, std, radius)[1].mean())


def modes_captured(x: Array, modes: Array, std: float, definition: str = "any", radius: float = 3.0) -> int:
    """Count the captured modes. The other arguments are those of `high_quality`.

    Parameters
    ----------
    definition : {"any", "one-percent"}
        "any", VEEGAN and PacGAN: a mode is captured if one sample of high quality is nearest to it.
        "one-percent", paired-discriminator: if at least 1 % of all samples are, of high quality and nearest.
        Counts under different definitions do not compare.

    Returns
    -------
    int
        0 to k; 0 if no sample is of high quality.

    Raises
    ------
    ValueError
        If `definition` is not one of `DEFINITIONS`, or another argument is out of its range.
    """
    index, good = _mark(x, modes, std, radius)
    return _captured(np.bincount(index[good], minlength=len(modes)), len(index), definition)


def reverse_kl(x: Array, modes: Array, std: float, samples: str = "high-quality", radius: float = 3.0) -> float:
    """Compute KL(p̂ ‖ uniform), where p̂ is the share of the high-quality samples at each mode.

    Parameters
    ----------
    samples : {"high-quality", "all"}
        Which samples are counted, each for its nearest mode. PacGAN's code counts those of high quality.

    Returns
    -------
    float
        In nats, 0 (equal shares) to log k (one mode); inf if there is no sample to count.

    Raises
    ------
    ValueError
        If `samples` is neither, or another argument is out of its range.

    Notes
    -----
    Σᵢ pᵢ log(k pᵢ) = log k - H(p), with pᵢ the share of mode i. For n samples of a perfect sampler it is
    about (k - 1) / 2n.
    """
    index, good = _mark(x, modes, std, radius)
    if samples not in ("high-quality", "all"):
        raise ValueError(f"samples = {samples!r}; expected 'high-quality' or 'all'")
    counted = index[good] if samples == "high-quality" else index
    return _reverse_kl(np.bincount(counted, minlength=len(modes)))


class Shapes(NamedTuple):
    """What `mode_shapes` finds, in units of the true standard deviation.

    Attributes
    ----------
    offset : (k,) array
        Distance of the mean of a mode's samples from the true mean; 0 is right.
    spread : (k, d) array
        Their standard deviations along their own principal axes, the smallest first; 1 is right.
    """

    offset: Array
    spread: Array


def mode_shapes(x: Array, modes: Array, std: float, radius: float = 5.0) -> Shapes:
    """Measure where the samples of each mode lie and how far they are spread.

    Parameters
    ----------
    x : (n, d) array
        Finite samples. Those within `radius` standard deviations of their nearest mode count for it.
    modes : (k, d) array
    std : float, positive
    radius : float, positive

    Returns
    -------
    Shapes
        NaN for a mode with fewer than d + 2 samples.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A perfect sampler does not reach 0 and 1 with finitely many samples. With m of them at a mode in the plane its
    offset is √(π/2m) in the mean, and of its two standard deviations the smaller is below 1 and the larger above it;
    `perfect_sampler` has the numbers. In the plane the radius of 5 leaves out four samples in a million.
    """
    modes = check_points(modes, "modes")
    x = check_points(x, "x", modes.shape[1])
    index, near = _mark(x, modes, std, radius)
    k, d = modes.shape
    offset, spread = np.full(k, np.nan), np.full((k, d), np.nan)
    for i in range(k):
        z = (x[near & (index == i)] - modes[i]) / std
        if len(z) >= d + 2:
            mu, C = _moments(z)
            offset[i] = np.sqrt(np.square(mu).sum())
            spread[i] = np.sqrt(np.maximum(np.linalg.eigvalsh(C), 0.0))
    return Shapes(offset, spread)


def frechet_distance(x: Array, y: Array) -> float:
    """Fréchet distance of two samples, from their means and covariances. Eq. (24).

    Parameters
    ----------
    x, y : (n, d) and (m, d) arrays
        Finite, n and m at least 2.

    Returns
    -------
    float
        At least 0, in squared units of the data; inf if out of range.

    Raises
    ------
    ValueError
        If an argument is not a finite array of its shape.

    Notes
    -----
    `frechet_gaussian` of the sample means and the unbiased sample covariances (division by n - 1).
    It sees two moments only: a lost mode shows as far as it shifts the mean or the covariance. On a ring of 8
    modes, every second mode alone has the mean and the covariance of all, and so a distance of 0.
    """
    x = check_points(x, "x")
    y = check_points(y, "y", x.shape[1])
    for name, z in (("x", x), ("y", y)):
        if len(z) < 2:
            raise ValueError(f"{name} has {len(z)} sample; expected at least 2 for a covariance")
    # A power of 2 scales exactly; unscaled, the squares of a diverged generator's samples overflow.
    exponent = max(0, int(np.frexp(max(np.abs(x).max(), np.abs(y).max()))[1]))
    mu_x, C_x = _moments(np.ldexp(x, -exponent))
    mu_y, C_y = _moments(np.ldexp(y, -exponent))
    with np.errstate(over="ignore"):
        return float(np.ldexp(frechet_gaussian(mu_x, C_x, mu_y, C_y), 2 * exponent))


def frechet_gaussian(mu1: Array, C1: Array, mu2: Array, C2: Array) -> float:
    """Fréchet distance of two Gaussians. Eq. (24).

    Parameters
    ----------
    mu1, mu2 : (d,) arrays
        Means.
    C1, C2 : (d, d) arrays
        Covariances, symmetric and positive semidefinite; singular ones are allowed.

    Returns
    -------
    float
        At least 0, in squared units of the data.

    Raises
    ------
    ValueError
        If a shape is wrong, a value is not finite, or C1 or C2 is not a covariance.

    Notes
    -----
    F(p₁, p₂) = ‖μ₁ - μ₂‖² + trace(C₁ + C₂ - 2 (C₁C₂)^½), with μ₁, C₁ and μ₂, C₂ the arguments.
    Let Cᵢ = AᵢAᵢᵀ. The eigenvalues of C₁C₂ are the squared singular values of A₁ᵀA₂ = U S Vᵀ, so the trace of
    the root is trace(S), and the trace in F is ‖A₁U - A₂V‖_F²: written so, it is never negative.
    """
    A1, A2 = _factor(C1, "C1"), _factor(C2, "C2")
    for name, mu in (("mu1", mu1), ("mu2", mu2)):
        if np.shape(mu) != (len(A1),) or not np.isfinite(mu).all():
            raise ValueError(f"{name} = {mu!r}; expected {len(A1)} finite numbers")
    if A1.shape != A2.shape:
        raise ValueError(f"C2 has shape {A2.shape}; expected {A1.shape} as C1")
    U, _, Vt = np.linalg.svd(A1.T @ A2)
    return float(np.square(np.subtract(mu1, mu2)).sum() + np.square(A1 @ U - A2 @ Vt.T).sum())  # (24)


class Report(NamedTuple):
    """What `evaluate` finds.

    Attributes
    ----------
    modes : float or None
        Captured modes, whole unless averaged. This and the next three are None for a target without modes.
    modes_total : int or None
        Modes of the target.
    high_quality : float or None
        Share of the samples within 3 standard deviations of a mode, 0 to 1.
    reverse_kl : float or None
        In nats, over the samples of high quality; inf if there is none.
    frechet : float
        Fréchet distance to the reference, (24), in squared training units.
    offset, spread_minor, spread_major : float or None
        Means over the modes of `mode_shapes`: the offset, the smallest and the largest spread. None for a target
        without modes, and if no mode has samples enough.
    two_sample, two_sample_real, two_sample_generated : float or None
        See `TwoSample`; 0.5 is right. None for a user's own points that are too few for some to be held out.
    two_sample_points : int
        Points of either sample that were compared for it.
    """

    modes: float | None
    modes_total: int | None
    high_quality: float | None
    reverse_kl: float | None
    frechet: float
    offset: float | None = None
    spread_minor: float | None = None
    spread_major: float | None = None
    two_sample: float | None = None
    two_sample_real: float | None = None
    two_sample_generated: float | None = None
    two_sample_points: int = 0


def evaluate(x: Array, target: Target, reference: Array, definition: str = "any", n_two_sample: int = N_EVAL) -> Report:
    """Measure samples against a target.

    Parameters
    ----------
    x : (n, d) array
        Finite samples in training units, n >= 2; published tables have n = `N_EVAL`.
    target : Target
        Modes are counted if it is a `Mixture`.
    reference : (m, d) array
        Samples of the target; the paper has m = `N_REFERENCE`.
    definition : str
        What a captured mode is, see `modes_captured`.
    n_two_sample : int
        At most so many of the samples are compared with as many real points, from the reference or, if the target is a
        user's own points, from those that were held out from training.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    x = check_points(x, "x", target.dim)
    frechet = frechet_distance(x, check_points(reference, "reference", target.dim))
    real = target.held_out if isinstance(target, Points) else reference
    n = min(len(x), len(real), n_two_sample)
    told = two_sample(x[:n], real[:n]) if n else TwoSample(None, None, None)  # type: ignore[arg-type]
    if not isinstance(target, Mixture):
        return Report(None, None, None, None, frechet, None, None, None, *told, n)
    index, good = _mark(x, target.modes, target.std, 3.0)
    counts = np.bincount(index[good], minlength=len(target.modes))
    captured, share, kl = _captured(counts, len(x), definition), float(good.mean()), _reverse_kl(counts)
    offset, spread = mode_shapes(x, target.modes, target.std)
    known = ~np.isnan(offset)
    shape = (offset, spread[:, 0], spread[:, -1])
    off, minor, major = [float(values[known].mean()) if known.any() else None for values in shape]
    return Report(captured, len(counts), share, kl, frechet, off, minor, major, *told, n)


class Ceiling(NamedTuple):
    """How a perfect sampler is measured: the expected report, and the standard error of each number in it, 0 if exact.

    Numbers that have a formula are exact: all modes are found, but for a chance below 10⁻¹⁴ for 25 modes; the share of
    high quality and the reverse KL of modes far apart in the plane, to first order in 1/n; the two-sample accuracy. The
    others are means of simulated evaluations.
    """

    mean: Report
    error: Report


def perfect_sampler(target: Target, n: int = N_EVAL, *, repeats: int = 100, rng: np.random.Generator) -> Ceiling:
    """Measure the target's own samples, for the row that a generator's is read beside.

    Parameters
    ----------
    target : Target
    n : int
        Samples, as many as the generator is measured with: all but the share of high quality depend on it.
    repeats : int
        Evaluations that are averaged, at least 1.

    Returns
    -------
    Ceiling

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    if repeats < 2:
        raise ValueError(f"repeats = {repeats}; expected an integer >= 2")
    reference = target.sample(N_REFERENCE, rng=rng)
    reports = [evaluate(target.sample(n, rng=rng), target, reference, n_two_sample=0) for _ in range(repeats)]
    mean, error = {}, {}
    for name, values in zip(Report._fields, zip(*reports, strict=True), strict=True):
        if None not in values:
            mean[name] = float(np.mean(values))
            error[name] = float(np.std(values, ddof=1)) / math.sqrt(repeats)
    exact: dict[str, float | int] = {}
    if isinstance(target, Mixture):
        exact["modes_total"] = k = len(target.modes)
        if target.dim == 2 and _far_apart(target):
            share = perfect_share()
            exact |= {"modes": float(k), "high_quality": share, "reverse_kl": (k - 1) / (2 * n * share)}
    compared = min(n, len(target.held_out)) if isinstance(target, Points) else n
    exact["two_sample_points"] = compared
    if compared:
        exact |= dict.fromkeys(("two_sample", "two_sample_real", "two_sample_generated"), expected_accuracy(compared))
    missing = dict.fromkeys(Report._fields)
    none = dict.fromkeys(exact, 0.0)
    return Ceiling(Report(**{**missing, **mean, **exact}), Report(**{**missing, **error, **none}))  # type: ignore[arg-type]


def _far_apart(target: Mixture) -> bool:
    """Say whether no sample of one mode is ever counted for another."""
    gaps = [np.square(target.modes[i + 1 :] - mode).sum(axis=1).min() for i, mode in enumerate(target.modes[:-1])]
    return math.sqrt(min(gaps, default=math.inf)) > 20.0 * target.std


def perfect_share(radius: float = 3.0) -> float:
    """High-quality share of a perfect sampler in two dimensions, modes far apart: 1 - exp(-radius² / 2)."""
    return -math.expm1(-0.5 * radius * radius)


def _mark(x: Array, modes: Array, std: float, radius: float) -> tuple[Array, Array]:
    """Return the nearest mode of every sample, and whether the sample is of high quality."""
    for name, value in (("std", std), ("radius", radius)):
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} = {value!r}; expected a positive number")
    index, distance = nearest_mode(x, modes)
    return index, distance <= radius * std


def _captured(counts: Array, n: int, definition: str) -> int:
    if definition not in DEFINITIONS:
        raise ValueError(f"definition = {definition!r}; expected one of {', '.join(map(repr, DEFINITIONS))}")
    return int(np.count_nonzero(counts > 0 if definition == "any" else 100 * counts >= n))


def _reverse_kl(counts: Array) -> float:
    if not counts.any():
        return math.inf
    p = counts[counts > 0] / counts.sum()
    return float(max(0.0, (p * np.log(p * len(counts))).sum()))


def _moments(x: Array) -> tuple[Array, Array]:
    mu = x.mean(axis=0)
    centered = x - mu
    return mu, centered.T @ centered / (len(x) - 1)


def _factor(C: Array, name: str) -> Array:
    """Return A with A Aᵀ = C; asymmetry and negativity of 1e-6, as in float32, are passed over."""
    C = check_points(C, name)
    if C.shape[0] != C.shape[1]:
        raise ValueError(f"{name} has shape {C.shape}; expected (d, d)")
    slack = 1e-6 * np.abs(C).max()
    if np.abs(C - C.T).max() > slack:
        raise ValueError(f"{name} is not symmetric; expected a covariance")
    eigenvalues, Q = np.linalg.eigh((C + C.T) / 2)
    if eigenvalues[0] < -slack:
        raise ValueError(f"{name} has the eigenvalue {eigenvalues[0]:.3g}; expected a covariance")
    factor: Array = Q * np.sqrt(np.maximum(eigenvalues, 0.0))
    return factor
