"""The lines of source that are an equation, for the page `line_by_line.md`, which names them and holds no code.

Under each equation that page has a fence, which GitHub shows as it is and the site replaces by what it names:

    ```{lines} 35
    normalizers.pullback_of_quotient: alpha = … # (35)
    test: paper/test_normalizers.py::test_eq33_eq34_eq35_hold_for_any_differentiable_N
    ```

A name may be followed by the beginning and the end of a piece, of which each is the first line that holds that text, or
by one text for one line. A name alone stands for the lines that carry the number in a comment, as `# (35)`; if none
does, for all of the function but its docstring. Without a name the fence means those that PAPER.md has in the row of
the equation. So there is one map of equations to code, and a text that is gone from the code is an error.
"""

import ast
import inspect
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import link_paper

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "line_by_line.md"
FENCE = re.compile(r"^```\{lines\} (.+)\n((?:(?!```).*\n)*)```$", re.M)


class Excerpt(NamedTuple):
    """Some lines of a function or a class, with its name, its file and the number of the first of them."""

    name: str
    path: str
    first: int
    text: str


class Proof(NamedTuple):
    """A test function, its file below the root, and its line."""

    name: str
    path: str
    line: int


class Fence(NamedTuple):
    """What stands under an equation: its number, or a line of Algorithm 1; the pieces of code; the test."""

    what: str
    pieces: list[str]
    test: str

    @property
    def number(self) -> int | None:
        """The number of the equation, if what is shown is one."""
        return int(self.what) if self.what.isdigit() else None


@cache
def names_of() -> dict[int, list[str]]:
    """Return the names in each row of PAPER.md's table of equations."""
    text = (ROOT / "PAPER.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \((\d+)\) \| .*? \| (.*?) \| .* \|$", text, re.M)
    return {int(number): re.findall(r"`([\w.]+)`", code) for number, code in rows}


def fence_of(what: str, content: str) -> Fence:
    """Read a fence."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    tests = [line.removeprefix("test: ") for line in lines if line.startswith("test: ")]
    if len(tests) != 1:
        raise LookupError(f"the lines of {what} name {len(tests)} tests; expected one")
    return Fence(what, [line for line in lines if not line.startswith("test: ")], tests[0])


def lines_of(name: str) -> tuple[str, dict[int, str]]:
    """Return the file of a function or a class, and its lines by their numbers, without docstrings."""
    module, thing = link_paper.resolve(name)
    thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
    source, first = inspect.getsourcelines(thing)
    text: Any = textwrap.dedent("".join(source))
    numbered = dict(enumerate(text.splitlines(), first))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            doc = node.body[0]
            for line in range(doc.lineno, (doc.end_lineno or doc.lineno) + 1):
                numbered.pop(first + line - 1)
    return Path(str(module.__file__)).resolve().relative_to(ROOT).as_posix(), numbered


def body_of(numbered: dict[int, str]) -> list[int]:
    """Return the lines of a function below its signature."""
    head = next(line for line, text in numbered.items() if re.search(r":( *#.*)?$", text))
    full = [line for line in numbered if line > head and numbered[line].strip()]
    return [line for line in numbered if full[0] <= line <= full[-1]]


def excerpt(piece: str, number: int | None) -> Excerpt:
    """Return the lines that a piece of a fence names.

    Raises
    ------
    LookupError
        If a name or a text is not there, or if the lines are no whole statements.
    """
    name, _, between = piece.partition(": ")
    path, numbered = lines_of(name)
    if between:
        begin, _, end = between.partition(" … ")
        start = next((line for line, text in numbered.items() if begin in text), None)
        stop = next((line for line, text in numbered.items() if (end or begin) in text and line >= (start or 0)), None)
        if start is None or stop is None:
            raise LookupError(f"{name} has no piece {between!r}")
        chosen = [line for line in numbered if start <= line <= stop]
    else:
        mark = re.compile(rf"#.*\({number}\)")
        chosen = [line for line, text in numbered.items() if mark.search(text)] or body_of(numbered)
    runs = [[chosen[0]]]
    for line in chosen[1:]:
        runs[-1].append(line) if line == runs[-1][-1] + 1 else runs.append([line])
    texts = [textwrap.dedent("\n".join(numbered[line] for line in run)).strip("\n") for run in runs]
    try:
        ast.parse("\n".join(texts))
    except SyntaxError:
        raise LookupError(f"the piece {piece!r} is no whole statements: {texts}") from None
    return Excerpt(name, path, chosen[0], "\n...\n".join(texts))


def excerpts(fence: Fence) -> list[Excerpt]:
    """Return the pieces of code of a fence."""
    pieces = fence.pieces or names_of()[int(fence.what)]
    return [excerpt(piece, fence.number) for piece in pieces]


def proof_of(fence: Fence) -> Proof:
    """Return the test that a fence names. One that is not there is a LookupError."""
    file, _, name = fence.test.partition("::")
    path = ROOT / "tests" / file
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line, text in enumerate(lines, 1):
        if text.startswith(f"def {name}("):
            return Proof(name, f"tests/{file}", line)
    raise LookupError(f"the lines of {fence.what} name the test {fence.test}, which is not there")


def command_of(fence: Fence) -> str:
    """Return what runs the tests of an equation, or the one test of a line without a number."""
    test = proof_of(fence)
    return f"python -m pytest {f'tests -k eq{fence.what}_' if fence.number else f'{test.path} -k {test.name}'}"
