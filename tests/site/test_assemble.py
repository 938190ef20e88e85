"""The folder of the playground holds all that its pages ask for."""

import importlib.util
import re
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "docs" / "playground"


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("assemble_playground", HERE / "assemble.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("site")
    with pytest.raises(FileNotFoundError, match=r"bash docs/playground/get_wasm\.sh fetches it"):
        module.assemble(folder / "playground", folder / "pyodide")
    assert not (folder / "playground").exists()
    (folder / "pyodide").mkdir()
    (folder / "pyodide" / "pyodide.mjs").touch()
    for _ in range(2):  # a second time, over the first
        module.assemble(folder / "playground", folder / "pyodide")
    return folder / "playground"


def test_every_file_is_taken_along(assembled):
    tools = {"get_wasm.sh", "assemble.py"}
    made = {"icon.svg", "pyodide", "specnorm_np.zip"}
    sources = {path.name for path in HERE.iterdir() if path.is_file()} - tools
    assert {path.name for path in assembled.iterdir()} == sources | made


def test_what_the_pages_ask_for_is_there(assembled):
    asked = set()
    for path in assembled.iterdir():
        if path.suffix in (".html", ".js"):
            text = path.read_text(encoding="utf-8")
            asked |= set(re.findall(r'(?:href|src)="([^"#]+)"', text))
            asked |= set(re.findall(r'from "([^"]+)"', text))
            asked |= set(re.findall(r'(?:fetched|new URL)\("([^"]+)"', text))
    assert asked >= {"style.css", "page.js", "./draw.js", "worker.js", "specnorm_np.zip", "session.py", "ellipse.html"}
    elsewhere = {"../index.html"}  # the site's own front page
    assert {name for name in asked - elsewhere if not (assembled / name).is_file()} == set()


def test_the_archive_holds_the_package(assembled):
    with zipfile.ZipFile(assembled / "specnorm_np.zip") as archive:
        assert set(archive.namelist()) == {p.relative_to(ROOT).as_posix() for p in (ROOT / "specnorm_np").rglob("*.py")}
        gan = archive.read("specnorm_np/gan.py").decode()
    assert gan == (ROOT / "specnorm_np" / "gan.py").read_text(encoding="utf-8")
