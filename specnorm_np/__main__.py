"""The command: `specnorm-np`, also `python -m specnorm_np`."""

import os
import sys

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def main() -> int:
    """Pin BLAS to one thread unless the environment says otherwise, then run the command.

    The matrices here are small, and several threads slow them down. BLAS reads the variables when NumPy is first
    imported, which the package itself therefore does not do.
    """
    if not any(variable in os.environ for variable in THREAD_VARIABLES):
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        from specnorm_np.cli import run_command

        return run_command(sys.argv[1:])
    except KeyboardInterrupt:  # before anything has begun
        return 130


if __name__ == "__main__":
    sys.exit(main())
