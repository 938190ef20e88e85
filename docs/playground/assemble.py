"""Put the playground together: `python docs/playground/assemble.py`, after `bash docs/playground/get_wasm.sh`.

It goes into build/site/playground, beside the site: the pages, the package as an archive, and Python for the browser.
"""

import shutil
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = ("index.html", "ellipse.html", "style.css", "guard.js", "page.js", "settings.js", "draw.js", "ellipse.js")
PAGES += ("paint.js", "pencil.js", "worker.js", "python.js", "session.py")


def write_package(path: Path) -> None:
    """Write the package's sources into an archive, the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted((ROOT / "specnorm_np").rglob("*.py")):
            entry = zipfile.ZipInfo(source.relative_to(ROOT).as_posix())
            archive.writestr(entry, source.read_bytes(), zipfile.ZIP_DEFLATED)


def assemble(out: Path, pyodide: Path) -> None:
    """Write all files of the playground into a folder, which is emptied first.

    Raises
    ------
    FileNotFoundError
        If Python for the browser has not been fetched.
    """
    if not (pyodide / "pyodide.mjs").is_file():
        raise FileNotFoundError(f"{pyodide} holds no pyodide.mjs; bash docs/playground/get_wasm.sh fetches it")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in PAGES:
        shutil.copy(HERE / name, out / name)
    shutil.copy(HERE.parent / "_static" / "icon.svg", out / "icon.svg")
    shutil.copytree(pyodide, out / "pyodide", ignore=shutil.ignore_patterns("done-*"))
    write_package(out / "specnorm_np.zip")


if __name__ == "__main__":
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    assemble(site / "playground", ROOT / "build" / "pyodide")
