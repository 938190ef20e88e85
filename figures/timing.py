"""Times of short actions on a machine that does other things, too."""

import os
import time
from collections.abc import Callable, Mapping

import numpy as np

from specnorm_np.spectral import Array


def minima(actions: Mapping[str, Callable[[], object]], rounds: int, inner: int) -> Array:
    """Time actions in turn, and return the shortest time of each action in each round.

    It is the processor's time, of all threads of this process, so that the time in which other programs run is not
    counted. They still empty the caches, which can only make an action slower. The shortest of several times is
    therefore the one that says most about the action.

    Parameters
    ----------
    actions : mapping of str to function
    rounds : int
        How often all of the actions get their turn.
    inner : int
        How often an action is timed in a turn, alone.

    Returns
    -------
    (len(actions), rounds) array
        Seconds for one call.
    """
    for action in actions.values():
        action()  # the first call draws networks, and compiles
    times = np.empty((len(actions), rounds, inner))
    for i in range(rounds):
        for row, action in zip(times, actions.values(), strict=True):
            for j in range(inner):
                began = time.process_time()
                action()
                row[i, j] = time.process_time() - began
    return times.min(axis=2)


def stay_on_one_core() -> None:
    """Keep this process, and the threads that it starts from now on, on one core, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
