"""Samples of every method at every setting: the paper's Figures 6 and 12 on toy data."""

import numpy as np
from matplotlib.figure import Figure

from figures import settings, style

TITLE = "Samples of every method at every setting"
DATA = "settings"
CAPTION = """
The one thing to see: with spectral normalisation and with orthonormal regularisation all eight modes are there at every
setting, though F scatters the samples; every other method has a setting at which it falls short. The paper's Figures 6
and 12 on toy data: {shown} samples of every run of the figure before on the ring with seed {seed}, which was chosen
before the runs. A cross stands for a run that diverged.
"""


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    return {"shown": str(settings.SHOWN), "seed": str(settings.SHOWN_SEED)}


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw a small panel for every run, methods downwards, settings to the right."""
    methods, columns = data["ring_methods"].tolist(), data["settings"].tolist()
    n, m = len(methods), len(columns)
    figure = style.figure(5.6, 0.66 * n)
    axes = figure.subplots(n, m, sharex=True, sharey=True)
    runs = data["samples"].astype(float).reshape(n, m, -1, 2)
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    for i, name in enumerate(methods):
        for j, setting in enumerate(columns):
            ax, x = axes[i, j], runs[i, j]
            ax.plot(2 * np.cos(angle), 2 * np.sin(angle), "o", color=style.LIGHT, ms=5, mew=0, alpha=0.5)
            if np.isnan(x).any():
                ax.plot([-2, 2], [-2, 2], color=style.RED)
                ax.plot([-2, 2], [2, -2], color=style.RED)
            else:
                ax.plot(*x.T, ".", color=style.BLUE, ms=1.5, mew=0, rasterized=True)
            ax.set(xlim=(-2.9, 2.9), ylim=(-2.9, 2.9), aspect="equal", xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if i == 0:
                ax.set_title(setting, loc="center")
        axes[i, 0].set_ylabel(settings.label(name), rotation=0, ha="right", va="center")
    return figure
