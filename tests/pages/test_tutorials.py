"""The tutorials run, are notebooks, and use the public API only. What they claim they assert themselves."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tutorials"
TUTORIALS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("[0-9][0-9]_*.py"))
EQUATIONS = {
    "00_a_gan_in_one_dimension": [*range(1, 4), 15],
    "01_why_lipschitz": range(1, 6),
    "02_the_spectral_norm": range(6, 9),
    "03_power_iteration": range(18, 23),
    "04_the_gradient": [*range(9, 13), *range(33, 39)],
    "05_backpropagation": [1, 11, *range(15, 18)],
    "06_the_whole_gan": range(20, 24),
    "07_training_and_reading_a_run": [7, 12, 13],
    "08_the_rivals": [13, 14, *range(25, 33)],
    "09_trusting_the_bound": [5, 7],
    "10_in_pytorch_and_jax": range(18, 23),
}
MOVING = {"03_power_iteration": ["03_power_iteration_3.gif"]}
every_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)


def cells(path):
    """Return (kind, text) of every cell of a percent-format script."""
    parts = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.M)
    assert parts[0] == "", "something stands before the first cell"
    return [(kind.strip() or "code", text) for kind, text in zip(parts[1::2], parts[2::2], strict=True)]


def run(path, cwd, **environment):
    """Run a tutorial in quick mode, in its own interpreter, and return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SPECNORM_")}
    clean |= {"SPECNORM_QUICK": "1", "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-W", "error::RuntimeWarning", str(path)]
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text):
    """Return the equation numbers in a text, ranges written out."""
    found = set()
    for group in re.findall(r"\(([\d–, ()]+)\)|\\tag\{([\d–, ]+)\}", text):
        for first, last in re.findall(r"(\d+)\)?(?:–\(?(\d+))?", "".join(group)):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_all_are_listed_here():
    assert [path.stem for path in TUTORIALS] == sorted(EQUATIONS)


def test_each_has_a_file_of_solutions():
    assert [path.name for path in SOLUTIONS] == [path.name for path in TUTORIALS]


@every_tutorial
def test_it_runs_and_writes_its_picture_and_nothing_else(path, tmp_path):
    here, pictures = tmp_path / "here", tmp_path / "pictures"
    here.mkdir()
    pictures.mkdir()
    run(path, here, SPECNORM_FIGURES=str(pictures))
    drawn = list(pictures.iterdir())
    assert drawn
    assert all(re.fullmatch(rf"{path.stem}(_\d)?\.(png|gif)", file.name) for file in drawn)
    begins = {".png": b"\x89PNG", ".gif": b"GIF8"}
    assert all(file.read_bytes()[:4] == begins[file.suffix] for file in drawn)
    moving = [file.name for file in drawn if file.suffix == ".gif"]
    assert moving == MOVING.get(path.stem, [])
    assert all((pictures / name).stat().st_size < 300_000 for name in moving)
    assert list(here.iterdir()) == []


def test_without_matplotlib_the_picture_is_left_out_and_said_so(tmp_path):
    stub = tmp_path / "stub" / "matplotlib"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise ImportError('not here')")
    before = sorted(tmp_path.rglob("*"))
    path = os.pathsep.join(filter(None, [str(stub.parent), os.environ.get("PYTHONPATH")]))
    assert "matplotlib is not installed" in run(FOLDER / "04_the_gradient.py", tmp_path, PYTHONPATH=path)
    assert sorted(tmp_path.rglob("*")) == before


def test_without_the_kept_samples_the_section_on_the_grid_trains_for_a_moment(tmp_path):
    (tmp_path / "tutorials").mkdir()  # there is no folder `figures` beside it
    (tmp_path / "tutorials" / "plotting.py").write_bytes((FOLDER / "plotting.py").read_bytes())
    needed = ("import functools", "def make_gan", "def short_runs", "def draw_grid")
    code = [text for kind, text in cells(FOLDER / "07_training_and_reading_a_run.py") if kind == "code"]
    chosen = [text for text in code if any(word in text for word in needed)]
    assert len(chosen) == len(needed)
    script = tmp_path / "tutorials" / "grid_only.py"
    script.write_text("\n".join(chosen), encoding="utf-8")
    lines = [line for line in run(script, tmp_path).splitlines() if "modes of 25" in line]
    assert lines[-1].startswith("sn    update     40: ")


def test_a_wrong_formula_stops_the_tutorial(tmp_path):
    text = (FOLDER / "04_the_gradient.py").read_text(encoding="utf-8")
    wrong = text.replace("(G - lam * uv) / sigma  # (12)", "G / sigma  # (12)")
    assert wrong != text
    copy = tmp_path / "wrong.py"
    copy.write_text(wrong, encoding="utf-8")
    beside = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))  # `plotting` stands there
    with pytest.raises(AssertionError, match=r"assert np\.allclose"):
        run(copy, tmp_path, PYTHONPATH=beside)


@every_tutorial
def test_it_is_a_notebook(path):
    kinds = [kind for kind, _ in cells(path)]
    assert kinds[0] == "[markdown]"
    assert kinds[-1] == "[markdown]"
    assert set(kinds) == {"[markdown]", "code"}
    for kind, text in cells(path):
        if kind == "code":
            assert ast.parse(text).body, "a code cell without code"
        else:
            assert all(line == "#" or line.startswith("# ") for line in text.strip().splitlines())
            assert text.count("$$") % 2 == 0
            assert text.replace("$$", "").count("$") % 2 == 0


@every_tutorial
def test_it_is_of_the_agreed_size_and_shape(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 120
    first, *_, exercises = (text for _, text in cells(path))
    solutions = (FOLDER / "solutions" / path.name).read_text(encoding="utf-8")
    assert re.match(rf"# # {int(path.name[:2])}\. ", first)
    assert "Beside the paper" in first
    assert "you can" in first
    assert "# ## Traps" in exercises
    tail = exercises[exercises.index("# ## Exercises") :]
    assert re.findall(r"^# (\d)\. ", tail, re.M) == ["1", "2", "3"]
    assert re.findall(r"^# ## (\d)\. ", solutions, re.M) == ["1", "2", "3"]


@every_tutorial
def test_every_section_is_checked(path):
    """Between two headings something is asserted; so is each of the three solutions."""
    checked, heading = True, ""
    for kind, text in cells(path)[1:]:
        if text.startswith("# ## What was learnt"):
            break
        if kind == "[markdown]" and text.startswith("# ## "):
            assert checked, f"nothing is checked under {heading}"
            checked, heading = False, text.splitlines()[0]
        checked = checked or (kind == "code" and re.search(r"assert |check_gradient\(", text) is not None)
    assert checked
    solutions = (FOLDER / "solutions" / path.name).read_text(encoding="utf-8")
    for solution in re.split(r"^# ## \d\. ", solutions, flags=re.M)[1:]:
        assert re.search(r"^assert |^check_gradient\(", solution, re.M)


@every_tutorial
def test_it_covers_its_equations_and_invents_none(path):
    first, rest = cells(path)[0][1], "\n".join(text for _, text in cells(path)[1:])
    assert numbers(first) == set(EQUATIONS[path.stem])
    assert set(EQUATIONS[path.stem]) <= numbers(rest)


@every_tutorial
def test_it_uses_the_public_api_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules, private = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
            private += [name for name in (*node.module.split("."), *(a.name for a in node.names)) if name[0] == "_"]
        elif isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr[0] == "_":
            private.append(node.attr)
    assert set(private) <= {"_repr_png_"}  # the notebook's own hook
    standard = {"dataclasses", "functools", "importlib", "io", "os", "tempfile"}
    assert modules <= standard | {"numpy", "matplotlib", "plotting", "specnorm_np"}


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solutions_run(path, tmp_path):
    assert path.stem in EQUATIONS
    assert run(path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_readme_lists_them_in_order():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \d+ \| \[.*?\]\((\w+\.py)\)", text, re.M) == [path.name for path in TUTORIALS]
