"""A pool of processes for training runs: one BLAS thread each, deaf to Ctrl-C, gone when their parent is."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from specnorm_np.runs.threads import THREAD_VARIABLES


class _Pool(ProcessPoolExecutor):
    """A process pool whose `submit`, which starts the workers, lets them inherit what suits them.

    One BLAS thread, unless the environment says otherwise, and no SIGINT: Ctrl-C in a terminal goes to all processes,
    and a worker would die of it, even while it is still importing NumPy.
    """

    def submit(self, *arguments: Any, **options: Any) -> Any:
        """Submit a job."""
        new = () if any(name in os.environ for name in THREAD_VARIABLES) else THREAD_VARIABLES
        os.environ.update(dict.fromkeys(new, "1"))
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*arguments, **options)
        finally:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name in new:
                del os.environ[name]


def process_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """Make a pool of processes, one per core unless said otherwise, with one BLAS thread each.

    The workers leave Ctrl-C to this process and end when it does.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; expected at least 1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _Pool(workers or cores, multiprocessing.get_context("spawn"), _start_worker)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody reads the result any more; the checkpoint stays
