"""Ctrl-C as a question that a long job asks, so that it stops where it can be saved."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, and the SIGTERM of a batch system, be asked for; only a second one ends the process at once."""
    stopped: list[int] = []

    def on_interrupt(number: int, _: object) -> None:
        stopped.append(number)
        signal.signal(number, before[number])  # a second one does not wait for the step

    signals = (int(signal.SIGINT), int(signal.SIGTERM))
    before = {number: signal.signal(number, on_interrupt) for number in signals}
    try:
        yield lambda: bool(stopped)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
