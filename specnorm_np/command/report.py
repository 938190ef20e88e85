"""What a finished run has reached: the printed report, and its picture."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from specnorm_np.runs import run as runs
from specnorm_np.runs.storage import write


def draw_picture(run: runs.Run, say: Callable[[str], object]) -> bool:
    """Draw `picture.png` into the folder of a run, and return whether it was drawn.

    A picture that fails costs nothing else: `say` is told why, whatever it was. No display is needed, and the backend
    that MPLBACKEND names, perhaps that of a notebook that is not here, is not asked for.
    """
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # it would fail to import, though only a Figure is drawn
    try:
        from specnorm_np.runs import picture

        figure = picture.draw(run)
        write(run.directory / "picture.png", lambda file: figure.savefig(file, format="png", dpi=120))
    except ModuleNotFoundError as error:
        say(f"no picture.png: {error.name or 'matplotlib'} is not installed (pip install matplotlib)")
    except Exception as error:  # a broken or foreign matplotlib fails in more ways than can be listed
        say(f"no picture.png: {type(error).__name__}: {error}")
    else:
        return True
    return False


def report(run: runs.Run) -> list[str]:
    """Say what a finished run has reached, beside the row of a perfect sampler."""
    summary = runs.read_summary(run.directory)
    columns = [column for column in COLUMNS if _cell(summary, column) is not None]
    rows = [["", *(head for head, _ in columns)]]
    for name, row in (("G", summary), ("perfect sampler", summary["perfect_sampler"])):
        rows.append([name, *(_cell(row, column) or "–" for column in columns)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.append(_explained(summary, run.config.data is not None))
    sigmas = "  ".join(f"{sigma:.4g}" for sigma in summary["sigma_bar"])
    bound = summary["lipschitz_upper"]
    product = f"; product, a Lipschitz bound of D: {bound:.4g}" if bound is not None else ""
    lines.append(f"σ(W̄) of D's layers: {sigmas}{product}")
    return [*lines, *advice(summary), f"{summary['seconds']:.0f} s. All in {run.directory}"]


def _explained(summary: Mapping[str, Any], own: bool) -> str:
    """Say what the table was computed from, and which numbers are good ones."""
    parts = [f"{summary['samples']} samples"]
    if n := summary.get("two_sample_points", 0):
        what = "points held out from training" if own else "real points"
        parts.append(f"1-NN beside {n} {what}, 50% if nothing tells them apart")
    if summary.get("spread_minor") is not None:
        parts.append("offset and spread of a mode in its true std")
    return "; ".join(parts)


def advice(summary: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with the samples of a finished run, if they are far from the target, and what to try."""
    faults, total, told = [], summary["modes_total"], summary.get("two_sample")
    if total is not None and summary["modes"] < total:
        faults.append(
            f"{total - summary['modes']} of {total} modes {'is' if total - summary['modes'] == 1 else 'are'} missing"
        )
    if told is not None and told > FAR:
        faults.append(f"the nearest neighbour tells {told:.0%} of the points apart")
    if not faults:
        return []
    return [f"These samples are far from the target: {' and '.join(faults)}. Try --preset fine, or more --steps."]


FAR = 0.7
"""Two-sample accuracy from which on the report says that the samples are far from the target."""

COLUMNS = (
    ("modes", lambda row: f"{row['modes']:g} of {row['modes_total']}"),
    ("high quality", lambda row: f"{row['high_quality']:.2%}"),
    ("reverse KL", lambda row: "none" if row["reverse_kl"] is None else f"{row['reverse_kl']:.4f}"),
    ("1-NN", lambda row: f"{row['two_sample']:.1%}"),
    ("offset/std", lambda row: f"{row['offset']:.2f}"),
    ("spread/std", lambda row: f"{row['spread_minor']:.2f}–{row['spread_major']:.2f}"),
    ("Fréchet distance", lambda row: f"{row['frechet']:.2g}"),
)
"""Columns of the report. 1-NN is the two-sample accuracy, 50 % if the samples cannot be told apart; offset and spread
are means over the modes, 0 and 1 if every mode lies where it should and is as wide as it should be."""


def _cell(row: Mapping[str, Any], column: tuple[str, Callable[[Mapping[str, Any]], str]]) -> str | None:
    """Write a cell, or None where the run has no such number: an older run, or a target without modes."""
    if column[0] == "reverse KL" and row["modes_total"] is None:
        return None
    try:
        return column[1](row)
    except (KeyError, TypeError):
        return None
