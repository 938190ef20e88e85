"""What a finished run has reached: the printed report, and its picture."""

import os
import sys
from collections.abc import Callable

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
    lines = []
    if summary["modes_total"] is not None:
        lines.append(f"{'':17}modes    high quality  reverse KL   Fréchet distance   ({summary['samples']} samples)")
        for name, row in (("G", summary), ("perfect sampler", summary["perfect_sampler"])):
            kl = "none" if row["reverse_kl"] is None else f"{row['reverse_kl']:.4f}"
            modes = f"{row['modes']:g} of {row['modes_total']}"
            lines.append(f"{name:17}{modes:9}{row['high_quality']:11.2%}{kl:>12}{row['frechet']:19.2g}")
    else:
        perfect = summary["perfect_sampler"]["frechet"]
        lines.append(f"Fréchet distance {summary['frechet']:.3g} (a perfect sampler: {perfect:.3g})")
    sigmas = "  ".join(f"{sigma:.4g}" for sigma in summary["sigma_bar"])
    bound = summary["lipschitz_upper"]
    product = f"; product, a Lipschitz bound of D: {bound:.4g}" if bound is not None else ""
    lines.append(f"σ(W̄) of D's layers: {sigmas}{product}")
    return [*lines, f"{summary['seconds']:.0f} s. All in {run.directory}"]
