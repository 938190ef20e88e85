"""The page "Test the Lipschitz bound of your own network": it runs, and each library's part where that is installed."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import specnorm_np as sn
from specnorm_np.testing import find_lipschitz_violation

PAGE = (Path(__file__).parents[2] / "docs/test_your_own_network.md").read_text()
SNIPPETS = dict(re.findall(r"## ([^\n]+)\n\n```python\n((?!>>>).*?)```", PAGE, re.DOTALL))
NEEDS = {"PyTorch": "torch", "JAX and Equinox": "equinox", "scikit-learn": "sklearn", "Keras": "keras"}


def test_every_library_has_its_part():
    assert SNIPPETS.keys() == NEEDS.keys()


@pytest.mark.parametrize("library", NEEDS)
def test_the_part_of_a_library_runs(library):
    pytest.importorskip(NEEDS[library])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimiser that has not converged, say, is not what is shown
        names = {"np": np, "sn": sn, "find_lipschitz_violation": find_lipschitz_violation}
        exec(SNIPPETS[library], names | {"rng": np.random.default_rng(0)})
