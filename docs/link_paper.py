"""Make every name in PAPER.md a link to the line where it is defined, and list the tests of every equation there.

    python docs/link_paper.py

The page on a method of one's own has such links, too. A test compares both pages with what this script makes of them,
so the links cannot drift away from the code.
"""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "specnorm_np"
MODULES = sorted(
    (
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if path.stem[0] != "_"
    ),
    key=len,
)
NAME = re.compile(r"\[?`((?:\w+\.)+\w+)`\]?(?:\((?:\.\./)?(?:specnorm_np|tests)/[^)]*\))?")
PAGES = {"PAPER.md": "", "docs/add_a_method.md": "../"}  # and how each gets to the root


def resolve(name: str) -> tuple[ModuleType, Any]:
    """Return the module of a dotted name, and the object that it names. A wrong name is a LookupError."""
    for module_name in reversed(MODULES):
        if name.startswith(f"{module_name}."):
            module = importlib.import_module(f"specnorm_np.{module_name}")
            found: Any = module
            for part in name[len(module_name) + 1 :].split("."):
                found = getattr(found, part)
            return module, found
    raise LookupError(f"PAPER.md names {name}, and no module of that name is there")


def line_of(module: ModuleType, thing: Any, name: str) -> int:
    """Return the line where a class, a function or a constant of a module is defined, counted from 1."""
    thing = thing.fget if isinstance(thing, property) else inspect.unwrap(thing) if callable(thing) else thing
    if inspect.isclass(thing) or inspect.isfunction(thing):
        lines, first = inspect.getsourcelines(thing)
        return first + next(i for i, line in enumerate(lines) if line.lstrip().startswith(("def ", "class ")))
    text = inspect.getsource(module)
    return 1 + text[: re.search(rf"^{name.split('.')[-1]}\b", text, re.M).start()].count("\n")  # type: ignore[union-attr]


def link(name: str, up: str = "") -> str:
    """Return the Markdown link of a name, for a page that gets to the root by `up`."""
    module, thing = resolve(name)
    path = Path(str(module.__file__)).resolve().relative_to(ROOT)
    return f"[`{name}`]({up}{path.as_posix()}#L{line_of(module, thing, name)})"


def tests_of(equation: int) -> str:
    """Return links to the files that test an equation, each at its first such test."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            name = re.match(r"\s*def (test_\w+)", line)
            if name and f"eq{equation}" in name.group(1).split("_"):
                where = path.relative_to(ROOT)
                found.append(f"[{'/'.join(where.parts[1:])[:-3]}]({where.as_posix()}#L{number})")
                break
    return ", ".join(found)


def linked(text: str, up: str = "") -> str:
    """Return a page with all its links as they should be."""

    def row(match: re.Match[str]) -> str:
        return f"| ({match[1]}) | {match[2]} | {match[3]} | {tests_of(int(match[1]))} |"

    text = re.sub(r"^\| \((\d+)\) \| (.*?) \| (.*?) \|(?: .* \|)?$", row, text, flags=re.M)
    known = tuple(f"{module}." for module in MODULES)
    return NAME.sub(lambda match: link(match[1], up) if match[1].startswith(known) else match[0], text)


if __name__ == "__main__":
    for name, up in PAGES.items():
        page = ROOT / name
        page.write_text(linked(page.read_text(encoding="utf-8"), up), encoding="utf-8")
