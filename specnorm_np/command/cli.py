"""What is typed: the parsers of train, resume, compare, picture, movie, sample, lipschitz, bench; and the exit status.

Exit status 0: done; 1: a run of a comparison failed; 2: bad input, or a file that cannot be read or written; 3: the run
diverged; 130: stopped by Ctrl-C or SIGTERM, everything saved. A reader of the output who leaves changes none of them.
"""

import argparse
import sys
from pathlib import Path
from typing import TypeAlias

from specnorm_np import __version__
from specnorm_np.command import comparison, subcommands
from specnorm_np.command.options import add_options
from specnorm_np.command.output import Parser
from specnorm_np.gan import Diverged
from specnorm_np.rivals.methods import METHODS
from specnorm_np.toy.metrics import N_EVAL


def run_command(arguments: list[str]) -> int:
    """Run one subcommand and return the exit status."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    options = make_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError, OverflowError) as error:
        print(f"specnorm-np: error: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"specnorm-np: error: not enough memory: {error or 'a size is too large'}", file=sys.stderr)
        return 2
    except Diverged as error:
        print(f"specnorm-np: {error}; the last checkpoint is kept", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


# ---- options --------------------------------------------------------------------------------------------------------


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def make_parser() -> argparse.ArgumentParser:
    """Make the parser. An option of `train` that is not given is absent, so that configs and defaults show through."""
    parser = Parser(
        prog="specnorm-np",
        description="Spectral Normalization for GANs (Miyato et al., ICLR 2018) in pure NumPy.",
        epilog="Exit status: 0 done; 1 a run of a comparison failed; 2 bad input, or a file that cannot be read or"
        " written; 3 diverged; 130 stopped, and saved. BLAS runs on one thread unless OPENBLAS_NUM_THREADS says more.",
    )
    parser.add_argument("--version", action="version", version=f"specnorm-np {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_training(commands)
    _add_looking(commands)
    _add_sampling(commands)
    _add_measuring(commands)
    return parser


def _add_training(commands: Commands) -> None:
    methods = "methods:\n" + "\n".join(f"  {name:13}{method.text}" for name, method in METHODS.items())
    train = commands.add_parser(
        "train",
        help="train a GAN into a new folder",
        description="Train a GAN. Without options: a ring of 8 Gaussians with spectral normalisation, a minute or two.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=methods,
    )
    add_options(train)
    train.add_argument("--watch", action="store_true", help="show the picture in a window that follows the run")
    train.set_defaults(run=subcommands.train)

    resume = commands.add_parser("resume", help="go on with a run that was stopped, to the same bits")
    resume.add_argument("directory", metavar="DIR", type=Path)
    resume.add_argument("--steps", type=int, help="another length; what depends on it, as the rates do, follows it")
    resume.add_argument("--quiet", action="store_true", help="print nothing but errors")
    resume.set_defaults(run=subcommands.resume)

    compare = commands.add_parser(
        "compare",
        help="train methods × settings × seeds on all cores, and tabulate them",
        description="Train methods × settings × seeds on the same data and latents. The same command again goes on\n"
        "where it stopped; what is in the folder already is only read.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=methods,
    )
    add_options(compare, several=True)
    compare.set_defaults(run=comparison.compare)


def _add_looking(commands: Commands) -> None:
    drawing = commands.add_parser("picture", help="draw the picture of a run, finished or not")
    drawing.add_argument("directory", metavar="DIR", type=Path)
    drawing.set_defaults(run=subcommands.picture)

    movie = commands.add_parser("movie", help="make a GIF of a run, finished or not: samples over the level lines of D")
    movie.add_argument("directory", metavar="DIR", type=Path)
    movie.add_argument("--out", type=Path, metavar="FILE", help="a .gif file (default movie.gif in the folder)")
    movie.add_argument("--fps", type=int, default=10, help="frames a second (default 10)")
    movie.set_defaults(run=subcommands.movie)


def _add_sampling(commands: Commands) -> None:
    sample = commands.add_parser("sample", help="draw from a trained generator, in the units of the data")
    sample.add_argument("directory", metavar="DIR", type=Path)
    sample.add_argument("-n", type=int, default=N_EVAL, metavar="N", help=f"how many points (default {N_EVAL})")
    sample.add_argument("--seed", type=int, default=0, help="of the latent points (default 0)")
    out = "a .npy or .csv file that is not there, or - for lines of numbers on standard output"
    sample.add_argument("--out", type=Path, required=True, metavar="FILE", help=out)
    sample.set_defaults(run=subcommands.sample)


def _add_measuring(commands: Commands) -> None:
    lipschitz = commands.add_parser(
        "lipschitz",
        help="bracket the Lipschitz constant of a run's discriminator",
        description="σ of every layer, certified; the Lipschitz constant of D: (7), tighter, exact in the plane.",
    )
    lipschitz.add_argument("directory", metavar="DIR", type=Path)
    lipschitz.set_defaults(run=subcommands.lipschitz)

    benchmark = commands.add_parser(
        "bench",
        help="time a training step beside its bare matrix products, and every method",
        description="A training step at three sizes, then one of every method; medians of repeats taken in turn.",
    )
    benchmark.add_argument("--repeats", type=int, default=30, help="of every measurement (default 30)")
    benchmark.set_defaults(run=subcommands.bench)
