"""List the figures and draw them from kept data, or compute the data anew."""

import argparse
import difflib
import importlib
import os
import sys
import time
from pathlib import Path
from types import ModuleType

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before NumPy is imported: the matrices are small, the processes many

import numpy as np  # noqa: E402

from figures import NAMES  # noqa: E402
from specnorm_np.command.output import Parser  # noqa: E402
from specnorm_np.runs.pool import process_pool  # noqa: E402
from specnorm_np.runs.storage import write, write_text  # noqa: E402

HOME = Path(__file__).parent


def module(name: str) -> ModuleType:
    """Import a figure's module."""
    return importlib.import_module(f"figures.{name}")


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a figure's kept data."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def recompute(name: str, home: Path, cache: Path, quick: bool, jobs: int) -> None:
    """Compute a figure's data anew and keep them. Training runs that are in the cache are not repeated."""
    with process_pool(jobs) as executor:
        data = module(name).compute(quick=quick, cache=cache, executor=executor)
    write(home / f"{name}.npz", lambda file: np.savez_compressed(file, **data))


def sources(name: str) -> tuple[str, ...]:
    """Return the figures whose data a figure shows: itself, or those that it names."""
    named = getattr(module(name), "DATA", name)
    return named if isinstance(named, tuple) else (named,)


def has_data(name: str, home: Path) -> bool:
    """Say whether the data of a figure are kept."""
    return all((home / f"{source}.npz").exists() for source in sources(name))


def data_of(name: str, home: Path) -> dict[str, np.ndarray]:
    """Read the data that a figure shows. Of several sources each names its own: "settings.ring_modes"."""
    if not isinstance(getattr(module(name), "DATA", name), tuple):
        return read(home / f"{sources(name)[0]}.npz")
    kept = {source: read(home / f"{source}.npz") for source in sources(name)}
    return {f"{source}.{key}": array for source, data in kept.items() for key, array in data.items()}


def draw(name: str, home: Path) -> None:
    """Draw a figure from its kept data into .png and .svg (and .gif, if it moves), and write its table, if any."""
    from figures import style

    figure, data = module(name), data_of(name, home)
    style.save(figure.draw(data), home / name)
    if hasattr(figure, "table_csv"):
        write_text(home / f"{name}.csv", figure.table_csv(data))
    if hasattr(figure, "animate"):
        figure.animate(data, home / f"{name}.gif")


def gallery(home: Path) -> str:
    """Return the text of the gallery: every figure whose data are kept, with its caption."""
    parts = [
        "# Figures\n\nDrawn by `python -m figures` from the data beside them; `python -m figures --recompute NAME` "
        "computes the data anew.\nThis page is generated: its captions stand in the scripts, their numbers come from "
        "the data."
    ]
    for name in NAMES:
        if has_data(name, home):
            figure, data = module(name), data_of(name, home)
            caption = " ".join(figure.CAPTION.format(**figure.facts(data)).split())
            moving = f"\n\n![{figure.TITLE}, moving]({name}.gif)" if hasattr(figure, "animate") else ""
            kept = " · ".join(f"[data]({source}.npz)" for source in sources(name))
            links = f"[SVG]({name}.svg) · {kept} · [script]({name}.py)"
            table = f"\n\n{figure.table(data)}" if hasattr(figure, "table") else ""
            parts.append(f"## {figure.TITLE}\n\n![{figure.TITLE}]({name}.png){moving}\n\n{caption}{table}\n\n{links}")
    return "\n\n".join(parts) + "\n"


def make_parser() -> argparse.ArgumentParser:
    """Make the parser."""
    parser = Parser(prog="python -m figures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"(default all of them) {', '.join(NAMES)}")
    parser.add_argument("--recompute", action="store_true", help="compute the data anew first")
    parser.add_argument("--quick", action="store_true", help="small, into runs/figures-quick: to see that it works")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default all cores)")
    parser.add_argument("--out", type=Path, help="where data and pictures are (default this folder)")
    parser.add_argument("--cache", type=Path, default=Path("runs"), help="where training runs are kept (default runs)")
    return parser


def main(arguments: list[str]) -> int:
    """Run the command."""
    options = make_parser().parse_args(arguments)
    try:
        make(options)
    except (ValueError, OSError) as error:
        print(f"python -m figures: error: {error}", file=sys.stderr)
        return 2
    return 0


def make(options: argparse.Namespace) -> None:
    """Make the figures that are asked for, and the pages that show them."""
    for name in options.names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected some of {', '.join(NAMES)}"
            raise ValueError(f"there is no figure {name!r}; {hint}")
    if options.jobs < 1:
        raise ValueError(f"--jobs is {options.jobs}; expected at least 1")
    home = options.out or (options.cache / "figures-quick" if options.quick else HOME)
    home.mkdir(parents=True, exist_ok=True)
    for name in options.names or NAMES:
        began = time.perf_counter()
        if (options.recompute or options.quick) and hasattr(module(name), "compute"):
            recompute(name, home, options.cache, options.quick, options.jobs)
        if not has_data(name, home):
            print(f"{name:22} no data yet: python -m figures --recompute {' '.join(sources(name))}")
            continue
        draw(name, home)
        print(f"{name:22} {module(name).TITLE} ({time.perf_counter() - began:.1f} s)", flush=True)
    write_text(home / "README.md", gallery(home))
    if home == HOME and has_data("claims", home):
        write_text(home.parent / "CLAIMS.md", module("ledger").ledger(data_of("claims", home)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
