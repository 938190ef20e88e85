"""The movie of a run: its snapshots, one after the other. Needs matplotlib, and Pillow, which comes with it."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from specnorm_np.runs import run as runs
from specnorm_np.runs.picture import BLUE, GREY, ORANGE, STYLE
from specnorm_np.runs.snapshots import TICKS, Snapshot, lattice
from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import N_EVAL


def draw(run: runs.Run, path: Path, fps: int = 10) -> int:
    """Write the movie of a run as a GIF, and return the number of its frames.

    Parameters
    ----------
    run : Run
        With snapshots.
    path : Path
        Moved into place when it is whole.
    fps : int, 1 to 50
        Frames a second; the last frame stays for two seconds.

    Raises
    ------
    ValueError
        If the run has no snapshots, or `fps` is out of its range.
    """
    if not run.snapshots:
        raise ValueError(f"{run.directory} holds no snapshots: it is older than they are, or was never evaluated")
    if not 1 <= fps <= 50:
        raise ValueError(f"fps is {fps}; expected a whole number from 1 to 50")
    real = runs.reference(run.target)[:1000]
    rows = {row["step"]: row for row in run.history}
    temporary = path.with_name(f".{path.stem}.tmp.gif")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.4), dpi=90)
        FigureCanvasAgg(figure)
        ax, writer = figure.add_axes((0.13, 0.11, 0.84, 0.82)), PillowWriter(fps=fps)
        try:
            with writer.saving(figure, str(temporary), dpi=90):
                for snapshot in [*run.snapshots, *[run.snapshots[-1]] * (2 * fps)]:
                    ax.clear()
                    draw_frame(ax, run, snapshot, real)
                    ax.set_title(words(rows.get(snapshot.step), snapshot.step), fontsize=8.5)
                    writer.grab_frame()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return len(run.snapshots)


def draw_frame(ax: Axes, run: runs.Run, snapshot: Snapshot, real: Array) -> None:
    """Draw the samples of a snapshot over the target and, in the plane, over level lines of f."""
    if run.target.dim == 1:
        edges = np.histogram_bin_edges(run.target.to_user_units(real)[:, 0], 40).tolist()
        ax.hist(run.target.to_user_units(real)[:, 0], edges, density=True, color=GREY, alpha=0.6)
        ax.hist(run.target.to_user_units(snapshot.x)[:, 0], edges, density=True, color=BLUE, histtype="step")
        return
    if run.target.dim == 2:
        plane = lattice(runs.reference(run.target)[:N_EVAL], TICKS)
        shown = run.target.to_user_units(plane.reshape(-1, 2)).reshape(plane.shape)
        extent = (shown[0, 0, 0], shown[0, -1, 0], shown[0, 0, 1], shown[-1, 0, 1])
        ax.imshow(snapshot.f, origin="lower", extent=extent, cmap="Greys", alpha=0.5, interpolation="bilinear")
        ax.contour(shown[..., 0], shown[..., 1], snapshot.f, 12, colors="white", linewidths=0.5)
    ax.plot(*run.target.to_user_units(real)[:, :2].T, ".", color=ORANGE, ms=3, alpha=0.6, mew=0)
    ax.plot(*run.target.to_user_units(snapshot.x)[:, :2].T, ".", color=BLUE, ms=4, mew=0)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    if run.target.dim == 2:
        ax.set(xlim=extent[:2], ylim=extent[2:])


def words(row: runs.Row | None, step: int) -> str:
    """Say in a line how far a run was, and how good its samples were."""
    parts = [f"update {step}"]
    if row is not None and row["modes"] is not None:
        parts.append(f"{row['modes']:g} modes, {row['high_quality']:.0%} of high quality")
    if row is not None and row.get("two_sample") is not None:
        parts.append(f"1-NN {row['two_sample']:.0%}")
    return ", ".join(parts)
