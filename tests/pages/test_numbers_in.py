"""Numbers in, numbers out: every public function of arrays, with whole numbers, lists and narrow floats.

What is given either counts as the same numbers in float64, or is refused with the name of the argument. It never gives
a wrong number that looks right.
"""

import inspect
from itertools import product

import numpy as np
import pytest

import specnorm_np as sn

W = np.array([[1.0, 2.0], [-3.0, 0.0], [2.0, 1.0]])  # whole numbers, so that every format holds them exactly
V = np.array([[1.0, -1.0, 2.0]])
U = np.array([1.0, 0.0, 0.0])
B = [np.array([1.0, 0.0, -1.0]), np.array([2.0])]
X = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 1.0], [2.0, 2.0], [-1.0, 1.0]])
F, G = np.array([[-1.0], [0.0], [2.0]]), np.array([[3.0], [-2.0], [0.0]])
BOX = np.array([[-2.0, 2.0], [-2.0, 2.0]])


def rng():
    return np.random.default_rng(0)


CASES = {
    "as_matrix": (lambda w: sn.as_matrix(w), np.arange(8.0).reshape(2, 1, 2, 2)),
    "certified_normalization": (lambda w: sn.certified_normalization(w, 5.0), W),
    "certified_lipschitz": (
        lambda w, v, b, c, box: sn.certified_lipschitz([w, v], [b, c], 0.1, box)[:2],
        *(W, V, *B, BOX),
    ),
    "certify_upper": (lambda w: sn.certify_upper(w, 5.0), W),
    "convergence": (lambda w, u: sn.convergence(w, u, 3), W, U),
    "convolution_norm": (lambda w: sn.convolution_norm(w, (3, 3)), np.arange(8.0).reshape(2, 1, 2, 2)),
    "convolution_upper_bound": (lambda w: sn.convolution_upper_bound(w, (3, 3)), np.arange(8.0).reshape(2, 1, 2, 2)),
    "exact_lipschitz_constant": (
        lambda w, v, b, c, box: sn.exact_lipschitz_constant([w, v], [b, c], 0.1, box).value,
        *(W, V, *B, BOX),
    ),
    "forward": (lambda w, v, b, c, x: sn.forward([w, v], [b, c], x, 0.1)[0], W, V, *B, X),
    "hinge_d": (sn.hinge_d, F, G),
    "interpolate": (lambda x, y: sn.interpolate(x, y, rng=rng()), X, X + 1),
    "lipschitz_lower_bound": (
        lambda w, v, b, c, box: sn.lipschitz_lower_bound([w, v], [b, c], 0.1, box, rng=rng())[0],
        *(W, V, *B, BOX),
    ),
    "lipschitz_upper_bound": (lambda w, v: sn.lipschitz_upper_bound([w, v], 0.1), W, V),
    "mean_g": (sn.mean_g, F),
    "mode_shapes": (lambda x, m: sn.mode_shapes(x, m, 2.0), X, X[:1]),
    "network_of": (lambda w, b, v, c: sn.network_of([(w, b), (v, c)], "relu").W, W, B[0], V, B[1]),
    "non_saturating_g": (sn.non_saturating_g, F),
    "orthonormalized": (sn.orthonormalized, W),
    "points": (lambda x: sn.points(x).x, X),
    "power_iteration": (lambda w, u: sn.power_iteration(w, u, 3), W, U),
    "pullback_of_quotient": (lambda d, w, n: sn.pullback_of_quotient(d, w, 2.0, n), W, W + 1, W - 1),
    "saturating_g": (sn.saturating_g, F),
    "sdp_lipschitz_upper_bound": (lambda w, v: sn.sdp_lipschitz_upper_bound([w, v], 0.1), W, V),
    "sigmoid": (sn.sigmoid, F),
    "softplus": (sn.softplus, F),
    "spectral_norm": (sn.spectral_norm, W),
    "spectral_norm_bounds": (sn.spectral_norm_bounds, W),
    "standard_d": (sn.standard_d, F, G),
    "tighter_lipschitz_upper_bound": (lambda w, v: sn.tighter_lipschitz_upper_bound([w, v], 0.1), W, V),
    "two_sample": (sn.two_sample, X, X + 1),
    "wasserstein_d": (sn.wasserstein_d, F, G),
    "evaluate": (lambda x, y: sn.evaluate(x, sn.ring(), y), X, X + 1),
}
OTHERS = {  # no arrays, or those that only the package makes
    *("checkerboard", "grid", "moons", "ring", "spiral", "load_points", "fit", "perfect_sampler", "fields_of"),
    *("d_step", "g_step", "discriminate", "effective", "generate", "latents", "start", "train"),
    *("he_layers", "orthonormal_layers", "iterations_needed", "linear_decay", "random_direction"),
    *("backward", "backward_to_input"),
}


def test_every_public_function_is_here():
    functions = {name for name in sn.__all__ if inspect.isfunction(getattr(sn, name))}
    assert functions == CASES.keys() | OTHERS


def flat(value):
    """All numbers of a nested result."""
    if isinstance(value, tuple | list):
        return np.concatenate([flat(part) for part in value]) if value else np.empty(0)
    return np.asarray([np.nan] if value is None else value, np.float64).ravel()


GIVEN = {
    "whole numbers": lambda x: x.astype(np.int64),
    "small whole numbers": lambda x: x.astype(np.int8),
    "lists": lambda x: x.tolist(),
    "lists of whole numbers": lambda x: x.astype(int).tolist(),
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "not contiguous": lambda x: np.repeat(x, 2, axis=0)[::2],
}


WHOLE = ("whole numbers", "small whole numbers", "lists of whole numbers")
MATRICES = (
    *(
        "certified_lipschitz",
        "certified_normalization",
        "certify_upper",
        "convergence",
        "exact_lipschitz_constant",
        "lipschitz_lower_bound",
    ),
    *("lipschitz_upper_bound", "network_of", "power_iteration", "sdp_lipschitz_upper_bound", "spectral_norm"),
    *("spectral_norm_bounds", "tighter_lipschitz_upper_bound"),
)
"""A weight of whole numbers is a mistake, so these refuse one."""
REFUSED = {("orthonormalized", "float16"), *product(MATRICES, WHOLE)}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("name", CASES)
def test_numbers_of_every_kind_count_as_what_they_are(name, given):
    function, *arrays = CASES[name]
    expected = flat(function(*arrays))
    if (name, given) in REFUSED:
        with pytest.raises(ValueError, match="expected"):
            function(*map(GIVEN[given], arrays))
        return
    got = flat(function(*map(GIVEN[given], arrays)))
    # A narrow format may be computed in: a sum of a few products is then off by a few of its units.
    unit = {"float16": 2.0**-10, "float32": 2.0**-23}.get(given, 2.0**-52)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(got, expected, rtol=0.0, atol=32 * unit * scale)


@pytest.mark.parametrize("name", CASES)
def test_words_and_objects_are_refused(name):
    function, *arrays = CASES[name]
    for wrong in (lambda x: x.astype(str), lambda x: x.astype(object) * 1j):
        with pytest.raises((ValueError, TypeError)):
            function(*map(wrong, arrays))
