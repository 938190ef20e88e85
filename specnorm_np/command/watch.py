"""The window that follows a run."""

from typing import Any

from specnorm_np.runs import run as runs


class Window:
    """Shows the picture of a run in a window, drawn anew after every evaluation.

    Raises
    ------
    ValueError
        If there is no display for a window, or no matplotlib.
    """

    def __init__(self) -> None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ValueError(f"--watch needs matplotlib, which cannot be imported: {error}") from None
        try:
            self.figure: Any = pyplot.figure(figsize=(12.4, 7.2), layout="constrained")
        except Exception as error:  # what a toolkit raises without a display depends on the toolkit
            raise ValueError(f"--watch found no display to show a window on: {error}") from None
        self.pyplot, self.shown = pyplot, -1.0
        if self.figure.canvas.required_interactive_framework is None:
            raise ValueError(
                f"--watch found no display to show a window on (matplotlib draws with {pyplot.get_backend()}). Without"
                " it, `specnorm-np picture DIR` draws a run that is in training, from its last checkpoint"
            )

    def __call__(self, progress: runs.Progress) -> None:
        """Draw, if there is a new evaluation. A window that was closed stays closed, and the run goes on."""
        step = None if progress.row is None else progress.row["step"]
        if step is None or step == self.shown or not self.pyplot.fignum_exists(self.figure.number):
            return
        from specnorm_np.runs import picture

        self.shown = step
        self.figure.clear()
        picture.draw(progress.run, self.figure)
        self.figure.suptitle(f"generator update {progress.step} of {progress.run.gan.steps}")
        self.pyplot.show(block=False)
        self.pyplot.pause(0.001)
