"""The README's table is the one that the kept data make, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from figures import benchmark_table
from figures.__main__ import read

ROOT = Path(__file__).parents[2]


def test_the_table_is_that_of_the_kept_data():
    assert benchmark_table.short_table(read(ROOT / "figures/benchmark_table.npz")) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/in_python.md", "PAPER.md", "BUGS.md", "tutorials/README.md", "figures/README.md"]
)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    for target in targets:
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target
