"""The README's table is the one that the kept data make, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from figures import benchmark_table
from figures.__main__ import read

ROOT = Path(__file__).parents[2]
PAGES = [page for room in (".", "docs", "figures", "tutorials") for page in (ROOT / room).glob("*.md")]


def test_the_table_is_that_of_the_kept_data():
    assert benchmark_table.short_table(read(ROOT / "figures/benchmark_table.npz")) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/in_python.md", "PAPER.md", "BUGS.md", "tutorials/README.md", "figures/README.md"]
)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    for target in targets:
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target


def sentences_made_lists(text):
    """List the lines that follow a sentence and begin as a list or a heading does, so that Markdown tears them off."""
    text = re.sub(r"(?s)\A---\n.*?\n---\n|^```.*?^```", "", text, flags=re.M)
    return re.findall(r"(?m)^\w[^\n|]*\n((?:1[.)]|[-+*]|#{1,6}|>) .*)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_sentence_is_torn_by_a_sign_at_the_start_of_a_line(page):
    assert sentences_made_lists(page.read_text(encoding="utf-8")) == []


def test_a_torn_sentence_is_seen():
    assert sentences_made_lists("the product is\n1. The code divides\n\n1. A list\n") == ["1. The code divides"]
    assert sentences_made_lists("it is\n- x\n\n```\na\n- b\n```\n") == ["- x"]
