"""A notebook shows the value of the last expression of a cell, and no other."""

import re
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[2] / "tutorials"
SCRIPTS = sorted(TUTORIALS.rglob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(TUTORIALS)))
def test_a_picture_ends_its_cell_so_that_a_notebook_shows_it(script):
    for cell in script.read_text(encoding="utf-8").split("\n# %%"):
        if shown := re.search(r"^(show|animate)\(.*", cell, re.M):
            assert "\n" not in cell[shown.start() :].strip(), shown[0]
