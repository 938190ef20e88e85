"""BLAS on one thread: the matrices here are small, and several threads slow them down. Imports nothing of NumPy."""

import os

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def pin_threads() -> None:
    """Ask BLAS for one thread, unless the environment says otherwise. It is heard only before NumPy is imported."""
    if not any(variable in os.environ for variable in THREAD_VARIABLES):
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
