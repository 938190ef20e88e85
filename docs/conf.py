"""The documentation as a site: `python -m sphinx -W -c docs . build/site`, after `pip install -e ".[docs]"`.

The pages are the files of the repository themselves, so the source folder is its root. Modules beside this file do the
rest. `site_sources` makes pages of the code and of the tests, since many links lead there. `site_pages` makes those of
the API from the docstrings, and that of the command from its help texts. `site_math` sees to it that formulas are
typeset at build, for which it needs Node. `site_search` lets the search find an equation by its number, and
`site_pictures` describes pictures for whoever does not see them. `site_equations` sets the code beside each equation,
`site_tutorials` folds the solutions, and `site_size` makes files smaller. No page asks another host for anything.
"""

import os
import sys
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # for the tutorials, which are executed
sys.path.insert(0, str(Path(__file__).parent))

import site_equations  # noqa: E402
import site_math  # noqa: E402
import site_pages  # noqa: E402
import site_pictures  # noqa: E402
import site_search  # noqa: E402
import site_size  # noqa: E402
import site_sources  # noqa: E402
import site_tutorials  # noqa: E402

import specnorm_np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
OWN = (site_equations, site_math, site_pages, site_pictures, site_search, site_size, site_sources, site_tutorials)

project, author, release = "specnorm_np", "the specnorm-np developers", specnorm_np.__version__
project_copyright = author
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "numpydoc", "sphinx_copybutton"]
extensions += ["sphinxcontrib.katex"]

templates_path = ["_templates"]
root_doc = "docs/index"
include_patterns = [
    "PAPER.md",
    "BUGS.md",
    "CLAIMS.md",
    "CHANGELOG.md",
    "figures/README.md",
    "tutorials/README.md",
    "tutorials/notation.md",
    "tutorials/[0-9][0-9]_*.py",
    "tutorials/solutions/[0-9][0-9]_*.py",
    "docs/*.md",
    "docs/api/*.rst",
]
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True  # or each line that a cell prints late has a box of its own
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_dmath_double_inline = True  # or $$ right after text is garbled
myst_heading_anchors = 4

numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings give the types, with their shapes
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
add_module_names = False
default_role = "code"
toc_object_entries = False
smartquotes_action = "qe"  # quotes and ellipses, and not dashes: `--help` in a heading is what a reader types

katex_prerender = True
katex_css_path = "katex/katex.min.css"

html_theme = "furo"
html_title = "specnorm_np"
html_favicon = "_static/icon.svg"  # without one, each page asks for one in vain
html_static_path = ["_static", str(ROOT / "build" / "katex" / "static")]
html_css_files = ["site.css"]
html_copy_source = False
suppress_warnings = ["config.cache"]  # a format of notebooks cannot be pickled

linkcode_resolve = site_sources.line_of_object


def setup(app: Any) -> None:
    """Connect what the modules beside this one do."""
    for module in OWN:
        module.setup(app)
