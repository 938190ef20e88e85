"""The pictures of the tutorials: how they look, where they go, and the numbers that are kept with others."""

import base64
import io
import os

import numpy as np

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
    drawn = _figure(draw, panels, height, dpi=120)
    if drawn is None:
        return None
    figure, png = drawn
    _keep(png, name + ".png")
    figure._repr_png_ = lambda: png
    return figure


def animate(draw, name, frames, panels=2, height=3.0, seconds=0.8):
    """Let `draw` fill a row of axes again and again, and show the pictures one after the other, without an end.

    Parameters
    ----------
    draw : function
        It is given the number of the picture, 0, 1, …, frames − 1, and then the axes, one argument each.
    name : str
        Name of the file, without the ending.
    frames : int
        Number of pictures.
    panels : int
        Number of axes.
    height : float
        Of the figure, in inches; it is 7.5 wide.
    seconds : float
        How long a picture stays; the last one stays three times as long.

    Returns
    -------
    Animation, or None if matplotlib is not installed
    """
    pictures = []
    for k in range(frames):
        drawn = _figure(lambda *axes, k=k: draw(k, *axes), panels, height, dpi=80)
        if drawn is None:
            return None
        pictures.append(_few_colors(drawn[1]))
    gif, stays = io.BytesIO(), [int(1000 * seconds)] * (frames - 1) + [int(3000 * seconds)]
    pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:], duration=stays, loop=0)
    _keep(gif.getvalue(), name + ".gif")
    return Animation(gif.getvalue())


def kept_of_figure(name):
    """Return the arrays that are kept with a figure, by name, or None if the folder `figures` is not there."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "figures", name + ".npz")
    if not os.path.exists(path):
        return None
    with np.load(path) as arrays:
        return dict(arrays)


class Animation:
    """A moving picture that a notebook shows."""

    def __init__(self, gif):
        self.gif = gif

    def _repr_html_(self):
        return f'<img alt="animation" src="data:image/gif;base64,{base64.b64encode(self.gif).decode()}">'


def _figure(draw, panels, height, dpi):
    """Return the figure with its bytes as PNG, or None with a word if matplotlib is not installed."""
    try:
        import matplotlib.figure

        from specnorm_np.runs.picture import STYLE
    except ImportError:
        return print("matplotlib is not installed: the picture is left out")
    with matplotlib.rc_context(STYLE):
        figure, png = matplotlib.figure.Figure(figsize=(7.5, height), layout="constrained"), io.BytesIO()
        draw(*figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(png, dpi=dpi)
    return figure, png.getvalue()


def _few_colors(png):
    """Return the picture with 64 colours, which keeps the file of an animation small."""
    from PIL import Image  # matplotlib needs it, so that it is there

    return Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)


def _keep(content, name):
    """Write a picture into the folder that SPECNORM_FIGURES names, if it names one."""
    if folder := os.environ.get("SPECNORM_FIGURES"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
