"""The page "The paper, line by line": puts beside each equation the lines of source that `paper_lines` finds for it."""

import paper_lines
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Lines(SphinxDirective):
    """The code of an equation, and the test that proves it with the command that runs it."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def link(self, text: str, path: str, line: int) -> nodes.reference:
        """Return a link to a line of the page of a source file."""
        up = "../" * self.env.docname.count("/")
        code = nodes.literal("", text)
        return nodes.reference("", "", code, refuri=f"{up}source/{path}.html#L-{line}", internal=True)

    def run(self) -> list[nodes.Node]:
        """Return a box with the code and the test."""
        try:
            fence = paper_lines.fence_of(self.arguments[0], "\n".join(self.content))
            found, test = paper_lines.excerpts(fence), paper_lines.proof_of(fence)
        except LookupError as error:
            raise self.error(str(error)) from error
        box = nodes.container(classes=["lines"])
        for piece in found:
            self.env.note_dependency(str(paper_lines.ROOT / piece.path))
            caption = nodes.paragraph("", "", self.link(piece.name, piece.path, piece.first), classes=["where"])
            box += [caption, nodes.literal_block(piece.text, piece.text, language="python")]
        shown = tuple(piece.name for piece in found)
        more = [name for name in paper_lines.names_of().get(fence.number or 0, []) if name not in shown]
        more = [name for name in more if not any(other.startswith(f"{name}.") for other in shown)]
        if more:
            also = nodes.paragraph("", "Also: ", classes=["where"])
            for i, name in enumerate(more):
                path, numbered = paper_lines.lines_of(name)
                also += [nodes.Text(", " if i else ""), self.link(name, path, min(numbered))]
            box += also
        self.env.note_dependency(str(paper_lines.ROOT / test.path))
        proof = nodes.paragraph("", "Proven by ", self.link(test.name, test.path, test.line), classes=["where"])
        command = paper_lines.command_of(fence)
        box += [proof, nodes.literal_block(command, command, language="none")]
        return [box]


def side_by_side(app: object, doctree: nodes.document) -> None:
    """Put the formula and its text into one box and the code into another, which the style sheet sets side by side."""
    for box in list(doctree.findall(lambda node: isinstance(node, nodes.container) and node["classes"] == ["lines"])):
        section = box.parent
        title, *rest = section.children
        text = nodes.container("", *[node for node in rest if node is not box], classes=["says"])
        section.children = []
        section += [title, nodes.container("", text, box, classes=["equation"])]


def setup(app: object) -> None:
    """Connect the above."""
    app.add_directive("lines", Lines)  # type: ignore[attr-defined]
    app.connect("doctree-read", side_by_side)  # type: ignore[attr-defined]
