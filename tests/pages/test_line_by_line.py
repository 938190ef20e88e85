"""The page "The paper, line by line" has each equation and each line of Algorithm 1, with code, test and tutorial."""

import re
from pathlib import Path

import paper_lines
import pytest

ROOT = Path(__file__).parents[2]
PAGE = paper_lines.PAGE.read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### (.+)\n((?:(?!##).*\n)*)", PAGE, re.M)
FENCES = [paper_lines.fence_of(*found) for found in paper_lines.FENCE.findall(PAGE)]
WHOLE = [
    paper_lines.fence_of(*found) for found in paper_lines.FENCE.findall((ROOT / "docs/algorithm_1.md").read_text())
]
NUMBERED = [fence for fence in FENCES if fence.number]


def test_all_is_there_in_the_order_of_the_paper():
    algorithm = ["Algorithm 1, the start", "Algorithm 1, the loop"]
    numbers = [str(number) for number in range(1, 39)]
    assert [fence.what for fence in FENCES] == [*numbers[:19], *algorithm, *numbers[19:]]


def slug(heading):
    """Return the anchor that GitHub and the site give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace(" ", "-"))


def headings(path):
    """Return the headings of a tutorial by their anchors."""
    found = re.findall(r"^# #+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {slug(heading): heading for heading in found}


def test_every_section_has_one_formula_one_fence_and_a_sentence():
    assert len(SECTIONS) == len(FENCES)
    for (title, text), fence in zip(SECTIONS, FENCES, strict=True):
        assert title.startswith(f"({fence.what}) " if fence.number else fence.what), title
        formulas = re.findall(r"^\$\$(.+?)\$\$$", text, re.M | re.S)
        assert [bool(formula.strip()) for formula in formulas] == [True], title
        prose = re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.S)
        assert re.search(r"^[A-Z].*\.$", prose.strip().split("\n\n")[0], re.S), title


@pytest.mark.parametrize("fence", FENCES, ids=[fence.what for fence in FENCES])
def test_the_code_and_the_test_of_a_section_are_there(fence):
    for found in paper_lines.excerpts(fence):
        lines = (ROOT / found.path).read_text(encoding="utf-8").splitlines()
        assert lines[found.first - 1].strip() == found.text.splitlines()[0].strip()
        assert len(found.text.splitlines()) <= 14, f"{found.name} is shown with too many lines"
    assert paper_lines.proof_of(fence).line


def test_the_whole_of_algorithm_1_is_there():
    (fence,) = WHOLE
    code = "\n".join(found.text for found in paper_lines.excerpts(fence))
    for mark in ("(1)", "(12)", "(20)", "(21)", "(23)"):
        assert re.search(rf"#.*{re.escape(mark)}", code), mark
    assert paper_lines.proof_of(fence).line


@pytest.mark.parametrize("fence", NUMBERED, ids=[fence.what for fence in NUMBERED])
def test_an_equation_shows_what_paper_md_names_and_a_test_of_its_number(fence):
    names = paper_lines.names_of()[fence.number]
    for found in paper_lines.excerpts(fence):
        inside = any(found.name == name or found.name.startswith(f"{name}.") for name in names)
        assert inside or found.name in HELPERS, f"PAPER.md does not name {found.name} at ({fence.number})"
    assert any(found.name.startswith(tuple(names)) for found in paper_lines.excerpts(fence))
    assert f"eq{fence.number}" in paper_lines.proof_of(fence).name.split("_")


HELPERS = {"losses.softplus", "normalizers.pullback_of_quotient", "spectral.power_iteration"}  # what the code calls


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title.split(" ")[0] for title, _ in SECTIONS])
def test_a_section_leads_to_a_tutorial_that_is_there(title, text):
    links = re.findall(r"\[([^\[\]]+)\]\(\.\./(tutorials/\d\d_\w+\.py)#([^)]+)\)", text)
    assert links, title
    for words, path, anchor in links:
        assert headings(ROOT / path).get(anchor) == words, path


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("spectral.no_such_name\n", "no_such_name"),
        ("spectral.spectral_norm: not there\n", "has no piece"),
        ("spectral.power_iteration: for _ in … if length\n", "no whole statements"),
    ],
)
def test_a_piece_that_is_gone_is_an_error(content, complaint):
    fence = paper_lines.fence_of("18", content + "test: paper/test_spectral.py::test_eq18_converges_to_the_svd\n")
    with pytest.raises((LookupError, AttributeError), match=complaint):
        paper_lines.excerpts(fence)


@pytest.mark.parametrize("test", ["", "test: paper/test_spectral.py::test_eq18_none\n", "test: none.py::test_eq18\n"])
def test_a_test_that_is_gone_is_an_error(test):
    with pytest.raises(LookupError, match="test"):
        paper_lines.proof_of(paper_lines.fence_of("18", test))


def test_a_name_alone_means_the_marked_lines_and_else_the_body():
    marked = paper_lines.excerpt("spectral.power_iteration", 20)
    assert marked.text == "v, length = normalized(W.T @ u)  # (20)"
    whole = paper_lines.excerpt("losses.sigmoid", 3)
    assert whole.text.splitlines() == ["(x,) = floats(x)", "return np.exp(-softplus(-x))"]
