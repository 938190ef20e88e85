"""The pictures of the tutorials: how they look, and where they go."""

import io
import os

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#9A9A9A"


def show(draw, name, panels=2, height=3.0):
    """Let `draw` fill a row of axes. A notebook shows the figure; a script keeps it if SPECNORM_FIGURES names a folder.

    Parameters
    ----------
    draw : function
        It is given the axes, one argument each.
    name : str
        Name of the file, without the ending.
    panels : int
        Number of axes.
    height : float
        Of the figure, in inches; it is 7.5 wide.

    Returns
    -------
    Figure, or None if matplotlib is not installed
    """
    try:
        import matplotlib.figure

        from specnorm_np.runs.picture import STYLE
    except ImportError:
        return print("matplotlib is not installed: the picture is left out")
    with matplotlib.rc_context(STYLE):
        figure, png = matplotlib.figure.Figure(figsize=(7.5, height), layout="constrained"), io.BytesIO()
        draw(*figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(png, dpi=120)
    if folder := os.environ.get("SPECNORM_FIGURES"):
        with open(os.path.join(folder, name + ".png"), "wb") as file:
            file.write(png.getvalue())
    figure._repr_png_ = png.getvalue
    return figure
