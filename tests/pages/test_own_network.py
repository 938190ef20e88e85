"""The page "Test the Lipschitz bound of your own network": it runs, and each library's part where that is installed."""

import doctest
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs/test_your_own_network.md").read_text()
SNIPPETS = dict(re.findall(r"## ([^\n]+)\n(?:\n[^#`\n][^\n]*)*\n*```python\n((?!>>>).*?)```", PAGE, re.DOTALL))
NEEDS = {"PyTorch": "torch", "JAX and Equinox": "equinox", "Keras": "keras", "scikit-learn": "sklearn"}


def test_every_library_has_its_part():
    assert list(SNIPPETS) == list(NEEDS)


@pytest.fixture(scope="module")
def names_of_the_page():
    """What the parts in NumPy, which stand first, have defined; another test compares what they print."""
    names = {}
    for example in doctest.DocTestParser().get_examples(PAGE):
        exec(compile(example.source, "the page", "single"), names)
    return names


@pytest.mark.parametrize("library", NEEDS)
def test_the_part_of_a_library_runs(library, names_of_the_page):
    pytest.importorskip(NEEDS[library])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimiser that has not converged, say, is not what is shown
        names_of_the_page["rng"] = np.random.default_rng(0)  # so that the order of the tests does not matter
        exec(SNIPPETS[library], names_of_the_page)
