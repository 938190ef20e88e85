"""Let the search of the site find an equation by its number: "(12)" leads to where the equation stands.

The search of Sphinx skips words that are numbers, but it looks into the index. So each section whose title begins with
a number in brackets, and each row of a table whose first cell is one, gets an entry there.
"""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

NUMBER = re.compile(r"\(\d+\)")


class Numbers(SphinxTransform):
    """Put the numbers of equations into the index."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Add the entries of one document."""
        for number, place in list(self.places()):
            if not place["ids"]:
                place["ids"].append(f"eq-{number[1:-1]}")
            entry = ("single", number, place["ids"][0], "", None)
            place.insert(1, addnodes.index(entries=[entry]))  # after a title, or after the text of a cell

    def places(self) -> Iterator[tuple[str, nodes.Element]]:
        """Yield each number and the element that has to be led to."""
        for section in self.document.findall(nodes.section):
            if found := NUMBER.match(section[0].astext()):
                yield found[0], section
        for row in self.document.findall(nodes.row):
            first = row[0]
            if NUMBER.fullmatch(first.astext()) and first.children:
                yield first.astext(), first[0]


def setup(app: Any) -> None:
    """Connect the above."""
    app.add_transform(Numbers)
