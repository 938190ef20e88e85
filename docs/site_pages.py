"""Pages that are made of what is written elsewhere: the API of docstrings, that of the command of its help texts."""

import functools
import importlib
import inspect
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import specnorm_np
import specnorm_np.testing
from specnorm_np.command import cli

API = Path(__file__).resolve().parent / "api"
Section = tuple[str, list[tuple[list[str], str]]]

FRONT = """\
API
===

``import specnorm_np as sn`` offers these names, in the order of the paper.

"""


def sections(table: str) -> list[Section]:
    """Read the table of a docstring: titles at the margin, and under each the names with what they are.

    Returns
    -------
    list of (title, rows)
        A row is (names, text).
    """
    found: list[Section] = []
    for block in table.split("\n\n"):
        title, *lines = block.strip("\n").splitlines()
        rows = [re.fullmatch(r"    ([\w, ]*?\w)  +(\S.*)", line) for line in lines]
        if rows and all(rows) and not title.startswith(" "):
            found.append((title, [(row[1].split(", "), row[2]) for row in rows if row]))
    return found


def entry(module: str, name: str, text: str) -> str:
    """Return the directive that documents a name."""
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing):
        return f".. autoclass:: {module}.{name}\n   :members:\n\n"
    if inspect.isfunction(thing):
        return f".. autofunction:: {module}.{name}\n\n"
    text = text[0].upper() + text[1:]
    text = text.replace("(", "\\(", 1) if text[0] == "(" else text  # a number in brackets would begin a list
    return f".. py:data:: {name}\n   :module: {module}\n\n   {text}.\n\n"


def page(title: str, rows: list[tuple[list[str], str]], home: dict[str, str], package: str) -> str:
    """Return a page of the API: the rows of its table as links, then each name."""
    title = re.sub(r" \((\(.*\))\)$", r": \1", title)  # "Bounds ((5), (7))"
    text = f"{title}\n{'=' * len(title)}\n\n"
    for names, what in rows:
        links = ", ".join(f":py:obj:`{name} <{package}.{home[name]}.{name}>`" for name in names)
        text += f"* {links}: {what}\n"
    return text + "\n" + "".join(entry(f"{package}.{home[n]}", n, what) for names, what in rows for n in names)


def kit() -> Section:
    """Return the table of `specnorm_np.testing`, each name with the first line of its docstring."""
    rows = []
    for name in specnorm_np.testing.__all__:
        thing = getattr(specnorm_np.testing, name)
        first = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").removesuffix(".")
        plain = inspect.isclass(thing) or inspect.isfunction(thing)
        rows.append(([name], first if plain else "matrices at the edges of what is legal"))
    return "For tests of your own: specnorm_np.testing", rows


def write_api(app: Any) -> None:
    """Write the pages of the API into docs/api, where git ignores them; what has not changed is left alone."""
    API.mkdir(exist_ok=True)
    table = sections(specnorm_np.__doc__ or "")
    listed = {name for _, rows in table for names, _ in rows for name in names}
    if missing := set(specnorm_np.__all__) - listed:
        raise ValueError(f"the table in specnorm_np/__init__.py lacks {sorted(missing)}")
    pages = {}
    for title, rows in table:
        slug = re.sub(r"\W+", "-", title.partition(" (")[0].lower()).strip("-")
        pages[slug] = page(title, rows, specnorm_np._MODULE_OF, "specnorm_np")
    pages["testing"] = page(*kit(), specnorm_np.testing._MODULE_OF, "specnorm_np.testing")
    tree = ".. toctree::\n   :maxdepth: 1\n\n" + "".join(f"   {slug}\n" for slug in pages)
    pages["index"] = FRONT + tree
    for path in API.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    for slug, text in pages.items():
        path = API / f"{slug}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


@functools.cache
def help_texts() -> dict[str, str]:
    """Return the help of the command, and that of each subcommand, by what is typed.

    They are asked for before autodoc sees the package, since it puts another default into the signatures that it reads.
    """
    os.environ |= {"COLUMNS": "88", "NO_COLOR": "1"}
    parser = cli.make_parser()
    subparsers = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    texts = {f"specnorm-np {name}": sub.format_help() for name, sub in subparsers.items()}
    return {"specnorm-np": parser.format_help(), **texts}


class CommandHelp(SphinxDirective):
    """The help texts of the command, a section for each subcommand."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        for source in Path(cli.__file__).parent.glob("*.py"):
            self.env.note_dependency(str(source))
        found: list[nodes.Node] = []
        for name, text in help_texts().items():
            block = nodes.literal_block("", text, language="none")
            title = nodes.title("", f"{name} --help")
            found.append(nodes.section("", title, block, ids=[name.replace(" ", "-")]))
        return found


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape in docstrings the bars, which are absolute values, and the stars of argument lists."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[i] = re.sub(r"(?<!\\)(\||(?:(?<=\()|(?<=, ))\*(?=\w|, ))", r"\\\1", line)


def skip(app: Any, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave the fields of named tuples and dataclasses to the section "Attributes" of the docstring."""
    return True if type(obj).__name__ in ("_tuplegetter", "member_descriptor") else None


def setup(app: Any) -> None:
    """Connect the above."""
    app.add_directive("command-help", CommandHelp)
    app.connect("builder-inited", write_api)
    help_texts()
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-skip-member", skip)
