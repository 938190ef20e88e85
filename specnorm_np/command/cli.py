"""The subcommands: train, resume, picture, movie, sample, compare, lipschitz, bench.

Exit status 0: done; 1: a run of a comparison failed; 2: bad input, or a file that cannot be read or written; 3: the run
diverged; 130: stopped by Ctrl-C or SIGTERM, everything saved. A reader of the output who leaves changes none of them.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from specnorm_np import __version__
from specnorm_np.command import bench
from specnorm_np.command.options import add_options, config_of, plan_of
from specnorm_np.command.output import Parser
from specnorm_np.command.progress import ProgressLine
from specnorm_np.command.report import draw_picture, report
from specnorm_np.command.watch import Window
from specnorm_np.gan import Diverged
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs import reports, run as runs, tables
from specnorm_np.runs.compare import Result, key, lookup, process_pool, train_all
from specnorm_np.runs.config import make_target, title
from specnorm_np.runs.storage import write, write_text
from specnorm_np.toy.metrics import N_EVAL
from specnorm_np.toy.points import Points, scale_note


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
    train.set_defaults(run=_train)

    resume = commands.add_parser("resume", help="go on with a run that was stopped, to the same bits")
    resume.add_argument("directory", metavar="DIR", type=Path)
    resume.add_argument("--steps", type=int, help="another length; what depends on it, as the rates do, follows it")
    resume.add_argument("--quiet", action="store_true", help="print nothing but errors")
    resume.set_defaults(run=_resume)

    comparison = commands.add_parser(
        "compare",
        help="train methods × settings × seeds on all cores, and tabulate them",
        description="Train methods × settings × seeds on the same data and latents. The same command again goes on\n"
        "where it stopped; what is in the folder already is only read.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=methods,
    )
    add_options(comparison, several=True)
    comparison.set_defaults(run=_compare)


def _add_looking(commands: Commands) -> None:
    drawing = commands.add_parser("picture", help="draw the picture of a run, finished or not")
    drawing.add_argument("directory", metavar="DIR", type=Path)
    drawing.set_defaults(run=_picture)

    movie = commands.add_parser("movie", help="make a GIF of a run, finished or not: samples over the level lines of D")
    movie.add_argument("directory", metavar="DIR", type=Path)
    movie.add_argument("--out", type=Path, metavar="FILE", help="a .gif file (default movie.gif in the folder)")
    movie.add_argument("--fps", type=int, default=10, help="frames a second (default 10)")
    movie.set_defaults(run=_movie)


def _add_sampling(commands: Commands) -> None:
    sample = commands.add_parser("sample", help="draw from a trained generator, in the units of the data")
    sample.add_argument("directory", metavar="DIR", type=Path)
    sample.add_argument("-n", type=int, default=N_EVAL, metavar="N", help=f"how many points (default {N_EVAL})")
    sample.add_argument("--seed", type=int, default=0, help="of the latent points (default 0)")
    out = "a .npy or .csv file that is not there, or - for lines of numbers on standard output"
    sample.add_argument("--out", type=Path, required=True, metavar="FILE", help=out)
    sample.set_defaults(run=_sample)


def _add_measuring(commands: Commands) -> None:
    lipschitz = commands.add_parser(
        "lipschitz",
        help="bracket the Lipschitz constant of a run's discriminator",
        description="σ of every layer, certified; the Lipschitz constant of D: (7), tighter, exact in the plane.",
    )
    lipschitz.add_argument("directory", metavar="DIR", type=Path)
    lipschitz.set_defaults(run=_lipschitz)

    benchmark = commands.add_parser(
        "bench",
        help="time a training step beside its bare matrix products, and every method",
        description="A training step at three sizes, then one of every method; medians of repeats taken in turn.",
    )
    benchmark.add_argument("--repeats", type=int, default=30, help="of every measurement (default 30)")
    benchmark.set_defaults(run=_bench)


# ---- subcommands ----------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    config = config_of(options)
    window = Window() if hasattr(options, "watch") else None  # before a folder is made
    run = runs.create(config, getattr(options, "out", None))
    return _go(run, getattr(options, "quiet", False), window)


def _resume(options: argparse.Namespace) -> int:
    run = runs.load(options.directory)
    if options.steps is not None and options.steps != run.gan.steps:
        run = runs.lengthened(run, options.steps)
    if run.state.step == run.gan.steps and (run.directory / "summary.json").exists():
        print(f"{run.directory} is finished: {run.gan.steps} steps. To lengthen it, say --steps.")
        if not (run.directory / "picture.png").exists() and draw_picture(run, print):
            print(f"The picture was missing; it is drawn now: {run.directory / 'picture.png'}")
        return 0
    return _go(run, options.quiet)


def _sample(options: argparse.Namespace) -> int:
    if options.n < 1:
        raise ValueError(f"-n is {options.n}; expected at least 1")
    to_output = str(options.out) == "-"
    if not to_output and options.out.exists():
        raise ValueError(f"{options.out} exists; expected a new file")
    run = runs.load(options.directory)
    x = run.target.to_user_units(runs.samples(run, options.n, rng=np.random.default_rng(options.seed)))
    if to_output:
        for row in x:
            print(",".join(f"{number:.17g}" for number in row))
        return 0
    if options.out.suffix == ".npy":
        write(options.out, lambda file: np.save(file, x, allow_pickle=False))
    elif options.out.suffix == ".csv":
        write(options.out, lambda file: np.savetxt(file, x, delimiter=",", fmt="%.17g"))
    else:
        raise ValueError(f"--out is {options.out}; expected a name that ends in .npy or .csv, or -")
    print(f"{options.n} samples in {options.out}")
    return 0


def _lipschitz(options: argparse.Namespace) -> int:
    run = runs.load(options.directory)
    living = sys.stderr.isatty()

    def progress(done: float, total: float) -> None:
        if living:
            print(f"\r\x1b[Kexact constant: {done / total:.0%} of the box", end="", file=sys.stderr, flush=True)

    report = reports.lipschitz_report(run, progress)
    if living:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(f"{title(run.config, run.target)}, step {run.state.step} of {run.gan.steps}")
    for line in reports.lines(report):
        print(line)
    write_text(run.directory / "lipschitz.json", json.dumps(report, indent=2) + "\n")
    return 0


def _picture(options: argparse.Namespace) -> int:
    run = runs.load(options.directory)
    if not draw_picture(run, lambda text: print(f"specnorm-np: error: {text}", file=sys.stderr)):
        return 2
    print(f"{run.directory / 'picture.png'}: step {run.state.step} of {run.gan.steps}")
    return 0


def _movie(options: argparse.Namespace) -> int:
    run = runs.load(options.directory)
    out = run.directory / "movie.gif" if options.out is None else options.out
    if out.suffix != ".gif":
        raise ValueError(f"--out is {out}; expected a name that ends in .gif")
    try:
        from specnorm_np.runs import movie
    except ImportError as error:
        raise ValueError(f"a movie needs matplotlib, which cannot be imported: {error}") from None
    print(f"{out}: {movie.draw(run, out, options.fps)} frames, up to step {run.state.step} of {run.gan.steps}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    if options.repeats < 1:
        raise ValueError(f"--repeats is {options.repeats}; expected at least 1")
    for line in bench.report(options.repeats):
        print(line, flush=True)
    return 0


def _compare(options: argparse.Namespace) -> int:
    """Train what is missing, and keep results.csv and table.md up to date after every run."""
    configs, out = plan_of(options), options.out
    if configs[0].data == "-":
        raise ValueError("--data is -; expected a file, for every run reads it anew")
    target = make_target(configs[0])
    say: Callable[..., None] = (lambda *_, **__: None) if hasattr(options, "quiet") else print
    results = {key(config): Result(config, key(config)) for config in configs}
    there = sum(lookup(result.config, out / name) is not None for name, result in results.items())
    done, began = 0, time.perf_counter()

    def on_result(result: Result) -> None:
        nonlocal done
        results[result.key], done = result, done + 1
        passed, new = time.perf_counter() - began, done - there
        left = f", about {passed / new * (len(results) - done):.0f} s left" if new > 0 else ""
        say(f"{done}/{len(results)}  {tables.describe(result)}  ({passed:.0f} s so far{left})", flush=True)
        if result.status == "failed":
            print(f"specnorm-np: {tables.describe(result)}", file=sys.stderr)
        tables.save(results.values(), out)

    with interruptible() as stopped, process_pool(getattr(options, "jobs", None)) as pool:
        tables.save(results.values(), out)
        say(f"{target.name}: {len(results)} runs of {configs[0].steps} steps into {out}, {there} of them there already")
        train_all(configs, out, executor=pool, on_result=on_result, stop=stopped)
    if done < len(results):
        print(f"stopped: {done} of {len(results)} runs are done, the others saved. Go on with the same command.")
        return 130
    for line in tables.table(results.values()):
        say(line)
    say(f"mean ± standard error over seeds, {N_EVAL} samples each. All in {out}")
    return 1 if any(result.status == "failed" for result in results.values()) else 0


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


def _go(run: runs.Run, quiet: bool, window: Window | None = None) -> int:
    """Train with progress, stop after the step on Ctrl-C, and report."""
    say = (lambda *_: None) if quiet else print
    if isinstance(run.target, Points) and not quiet:
        if run.target.note:
            say(f"{run.config.data}: {run.target.note}")
        if (scales := scale_note(run.target)) is not None:
            print(f"specnorm-np: {scales}", file=sys.stderr)
    say(f"{title(run.config, run.target)}: {run.gan.steps} steps into {run.directory}")
    progress = None if quiet else ProgressLine(run.gan.steps, run.state.step)
    followers = [follower for follower in (progress, window) if follower is not None]

    def on_step(now: runs.Progress) -> None:
        for follower in followers:
            follower(now)

    try:
        with interruptible() as stopped, np.errstate(all="ignore"):  # divergence is told by values
            run = runs.train(run, on_step, stopped)
    finally:
        if progress:
            progress.close()
    if run.state.step < run.gan.steps:
        print(f"stopped after step {run.state.step}, saved. Go on with: specnorm-np resume {run.directory}")
        return 130
    for line in report(run):
        say(line)
    draw_picture(run, say)
    return 0
