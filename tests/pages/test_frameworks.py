"""The updates in PyTorch and JAX that a figure times are the update of this package: the same parameters come out."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from figures.frameworks import LIBRARIES, make_gan
from figures.timing import minima


@pytest.mark.parametrize("sn", [False, True])
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_other_libraries_do_the_same_update(name, sn):
    pytest.importorskip(name)
    gan, x_real = make_gan(16, 8, sn)
    updates = [LIBRARIES[library][1](gan, x_real) for library in ("numpy", name)]
    for _ in range(3):
        ours, theirs = (update() for update in updates)
    moved = 0.0
    for mine, other, first in zip(ours, theirs, LIBRARIES["numpy"][1](gan, x_real)(), strict=True):
        for layer, other_layer, first_layer in zip(mine, other, first, strict=True):
            for a, b, c in zip(layer, other_layer, first_layer, strict=True):
                b = b.detach().numpy() if name == "torch" else np.asarray(b)
                moved = max(moved, np.abs(a - c).max())
                # a step of Adam is alpha = 1e-3 at most; float32 gradients near 0 change it by some percent
                np.testing.assert_allclose(a, b, atol=2e-5)
    assert moved > 1e-3  # what is compared has moved by much more than what is allowed


def test_shortest_times_are_taken_per_round():
    calls = []
    actions = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times = minima(actions, rounds=2, inner=3)
    assert times.shape == (2, 2)
    assert (times >= 0).all()
    assert "".join(calls) == "ab" + 2 * "aaabbb"
