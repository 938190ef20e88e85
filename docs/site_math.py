"""Fetch the style sheet and the fonts of KaTeX, with which the site typesets mathematics at build.

The renderer comes with sphinxcontrib-katex; the style sheet does not. It must be of the same version: with another one,
indices come out full size and clipped, and nothing says so. Both need Node and npm at build, and nobody at reading.
"""

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError
from sphinxcontrib.katex import KaTeXServer, katex_version

WORK = Path(__file__).resolve().parents[1] / "build" / "katex"
STATIC = WORK / "static" / "katex"


def fetch(app: Any, config: Any) -> None:
    """Put the style sheet and the fonts of the renderer's version into the static files, unless they are there."""
    stamp = STATIC / "version.txt"
    if stamp.exists() and stamp.read_text() == katex_version:
        return
    if not (shutil.which("node") and shutil.which("npm")):
        raise ExtensionError("the mathematics is typeset by KaTeX at build, which needs node and npm on the path")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(WORK), f"katex@{katex_version}"]
    subprocess.run(command, check=True)
    dist = WORK / "node_modules" / "katex" / "dist"
    (STATIC / "fonts").mkdir(parents=True)
    css = (dist / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)  # the first, woff2, is read everywhere
    (STATIC / "katex.min.css").write_text(css, encoding="utf-8")
    for font in (dist / "fonts").glob("*.woff2"):
        shutil.copy(font, STATIC / "fonts")
    stamp.write_text(katex_version)


def start_server(rundir: Path, timeout: float) -> tuple[Any, socket.socket]:
    """Start the renderer and connect to it, trying again: on a busy machine its socket exists before it listens.

    The extension's own function tries once, fails, and leaves the renderer running.
    """
    path = rundir / "katex.sock"
    command = KaTeXServer.build_command(socket=path)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=rundir)
    end = time.monotonic() + max(timeout, 30)
    while time.monotonic() < end:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            return process, connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.01)
    process.kill()
    raise KaTeXServer.timeout_error(timeout)


def setup(app: Any) -> None:
    """Fetch before the static files are collected, and start the renderer patiently."""
    KaTeXServer.start_server_process = start_server
    app.connect("config-inited", fetch)
