"""The table of letters: its shapes are those of a training step, its equations exist, and its names are in the code."""

import re
from pathlib import Path

import numpy as np
import pytest

import specnorm_np as sn

TEXT = (Path(__file__).parents[2] / "tutorials" / "notation.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
SHAPES = {
    name: row[3] for row in ROWS if len(row) == 5 and row[3].startswith("(") for name in re.findall(r"`(\w+)`", row[1])
}


@pytest.fixture(scope="module")
def arrays():
    """What the letters stand for in the second of three layers, and the numbers in their shapes."""
    rng, widths = np.random.default_rng(0), (2, 5, 4, 1)
    gan = sn.GAN(widths, (3, 6, 2), batch=7)
    state = sn.start(gan, 0)
    theta = state.D.theta
    W_bar, b = sn.effective(state.D, gan.normalizer)
    z = sn.latents(gan, 7, rng=rng)
    x_real, x_fake = sn.ring().sample(7, rng=rng), sn.generate(gan, state.G.theta, z)
    f, cache = sn.forward(W_bar, b, x_real, 0.1)
    # The δ of a middle layer is the gradient at its bias, point by point.
    delta = np.concatenate(
        [sn.backward(W_bar, [h[i : i + 1] for h in cache], f[:1], 0.1)[1][1][None] for i in range(7)]
    )
    dW_bar = sn.backward(W_bar, cache, f, 0.1)[0][1]
    triplet = state.D.norms[1]
    (dW,) = gan.normalizer.pullback(dW_bar, theta["W2"], triplet)
    found = {
        "x": x_real, "x_real": x_real, "x_fake": x_fake, "z": z, "theta": theta.vector, "W": theta["W2"], "b": b[1],
        "W_bar": W_bar[1], "h": cache[1], "a": cache[1] @ W_bar[1].T + b[1], "f": f, "u": triplet.u, "v": triplet.v,
        "delta": delta, "dW_bar": dW_bar, "dW": dW, "E": np.eye(20)[0].reshape(4, 5),
        "gamma": sn.Scaled(sn.SpectralNorm()).parametrize(theta["W2"])[1],
    }  # fmt: skip
    return found, {"n": 7, "d_0": 2, "d_z": 3, "d_{l-1}": 5, "d_l": 4, "p": theta.vector.size, "1": 1}


@pytest.mark.parametrize("name", SHAPES)
def test_its_shapes_are_those_of_the_code(name, arrays):
    found, sizes = arrays
    assert found[name].shape == tuple(sizes[size] for size in SHAPES[name].strip("()").rstrip(",").split(", "))


def test_all_letters_with_a_shape_are_there(arrays):
    assert set(SHAPES) == set(arrays[0])


def test_its_equations_exist():
    numbers = [int(number) for number in re.findall(r"\((\d+)\)", TEXT)]
    assert set(numbers) <= set(range(1, 39))
    assert len(numbers) > 30


def test_the_two_sides_of_a_formula_are_closed():
    assert all(line.count("$") % 2 == 0 for line in TEXT.splitlines())


@pytest.mark.parametrize("name", ["hinge_d", "mean_g", "standard_d", "non_saturating_g", "GradientPenalty"])
def test_the_names_of_the_code_are_public(name):
    assert f"`{name}" in TEXT
    assert name in sn.__all__


def test_what_it_says_of_signs_holds():
    f_real, f_fake = np.array([0.3, -2.0, 1.5]), np.array([-0.4, 0.8, -1.7])
    V = np.mean(np.log(sn.sigmoid(f_real))) + np.mean(np.log(1 - sn.sigmoid(f_fake)))  # (15)
    V_D = np.mean(np.minimum(0, -1 + f_real)) + np.mean(np.minimum(0, -1 - f_fake))  # (16)
    assert np.isclose(sn.standard_d(f_real, f_fake)[0], -V)
    assert np.isclose(sn.hinge_d(f_real, f_fake)[0], -V_D)
    assert np.isclose(sn.mean_g(f_fake)[0], -np.mean(f_fake))  # (17), V_G itself
    assert np.isclose(sn.non_saturating_g(f_fake)[0], -np.mean(np.log(sn.sigmoid(f_fake))))
