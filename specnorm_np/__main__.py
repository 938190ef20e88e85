"""The command: `specnorm-np`, also `python -m specnorm_np`."""

import sys

from specnorm_np.command.output import harmless_output
from specnorm_np.runs.threads import pin_threads


def main() -> int:
    """Pin BLAS to one thread unless the environment says otherwise, then run the command.

    BLAS reads the variables when NumPy is first imported, which is why the command is imported here and not above.
    """
    pin_threads()
    harmless_output()
    try:
        from specnorm_np.command.cli import run_command

        return run_command(sys.argv[1:])
    except KeyboardInterrupt:  # before anything has begun
        return 130


if __name__ == "__main__":
    sys.exit(main())
