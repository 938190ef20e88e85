"""PAPER.md is true in both directions."""

import importlib
import inspect
import re
from pathlib import Path

import link_paper
import pytest

import specnorm_np

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "PAPER.md").read_text()
ROWS = {
    int(n): re.findall(r"`([\w.]+)`", code)
    for n, code in re.findall(r"^\| \((\d+)\) \| .*? \| (.*?) \| .* \|$", TEXT, re.M)
}
PACKAGE = Path(specnorm_np.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.stem[0] != "_" and path.parent.name not in ("testing", "command", "runs")
)


def resolve(name):
    """Return the object that PAPER.md calls by this name."""
    module = next(module for module in reversed(MODULES) if name.startswith(f"{module}."))
    found = importlib.import_module(f"specnorm_np.{module}")
    for part in name[len(module) + 1 :].split("."):
        found = getattr(found, part)
    return found


def numbers(text):
    """Return the equation numbers in a text, ranges written out."""
    found = set()
    for first, last in re.findall(r"\((\d+)\)(?:[-–]\((\d+)\))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def summary_numbers(thing):
    """Return the equations that the first paragraph of a docstring names after "Eq." """
    first = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return numbers(first[first.find("q") :]) if re.search(r"\b[Ee]qs?\. ", first) else set()


def public_things():
    """Yield every public function, class and method with its name."""
    for module_name in MODULES:
        module = importlib.import_module(f"specnorm_np.{module_name}")
        for name, thing in vars(module).items():
            if name[0] != "_" and getattr(thing, "__module__", None) == module.__name__ and callable(thing):
                yield f"{module_name}.{name}", thing
                for method, function in vars(thing).items() if inspect.isclass(thing) else ():
                    if method[0] != "_" and inspect.isfunction(function):
                        yield f"{module_name}.{name}.{method}", function


def test_all_38_equations_are_there():
    assert sorted(ROWS) == list(range(1, 39))


@pytest.mark.parametrize("n", sorted(ROWS))
def test_the_code_of_an_equation_exists_and_says_its_number(n):
    assert ROWS[n]
    for name in ROWS[n]:
        thing = resolve(name)
        assert n in numbers(inspect.getdoc(thing) or ""), f"the docstring of {name} does not name ({n})"


@pytest.mark.parametrize("n", sorted(ROWS))
def test_an_equation_has_a_test_named_after_it(n):
    names = [
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    ]
    assert any(f"eq{n}" in name.split("_") for name in names)


def test_every_number_in_a_test_name_is_an_equation():
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    found = {int(n) for name in re.findall(r"def (test_\w+)", text) for n in re.findall(r"eq(\d+)", name)}
    assert found <= set(ROWS)


def test_whoever_claims_an_equation_is_in_the_index():
    for name, thing in public_things():
        module = thing.__module__.removeprefix("specnorm_np.")
        for n in summary_numbers(thing):
            assert any(entry.startswith(f"{module}.") for entry in ROWS[n]), (
                f"{name} implements ({n}), but PAPER.md does not list its module there"
            )


def test_named_things_outside_the_table_exist():
    for name in re.findall(r"`((?:losses|gan|optim|network|normalizers|toy|rivals|bounds)\.[\w.]+)`", TEXT):
        assert resolve(name) is not None


@pytest.mark.parametrize(("page", "up"), link_paper.PAGES.items())
def test_every_link_leads_to_the_line(page, up):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert link_paper.linked(text, up) == text, "run: python docs/link_paper.py"
    assert len(re.findall(r"\]\([./]*specnorm_np/\S+#L\d+\)", text)) >= 8


def test_the_front_door_says_what_it_has():
    """The table of names, the docstring and what type checkers are told agree."""
    source = Path(specnorm_np.__file__).read_text()
    told = set(re.findall(r"(\w+) as \1\b", source))
    assert set(specnorm_np.__all__) == told
    table = specnorm_np.__doc__
    for name in specnorm_np.__all__:
        assert re.search(rf"^    (\w+, )*{name}\b", table, re.M), f"help(specnorm_np) does not list {name}"
        assert getattr(specnorm_np, name) is not None
        assert name in dir(specnorm_np)
    with pytest.raises(AttributeError, match="no attribute 'spectral_nrom'"):
        specnorm_np.spectral_nrom  # noqa: B018
