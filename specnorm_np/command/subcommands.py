"""The work of the subcommands, but for `compare`: each takes what was typed and returns the exit status."""

import argparse
import json
import sys

import numpy as np

from specnorm_np.command import bench as timing
from specnorm_np.command.interrupts import interruptible
from specnorm_np.command.options import config_of
from specnorm_np.command.progress import ProgressLine
from specnorm_np.command.report import draw_picture, report
from specnorm_np.command.watch import Window
from specnorm_np.runs import reports, run as runs
from specnorm_np.runs.config import title
from specnorm_np.runs.storage import write, write_text
from specnorm_np.toy.points import Points, scale_note


def train(options: argparse.Namespace) -> int:
    """Train a new run."""
    config = config_of(options)
    window = Window() if hasattr(options, "watch") else None  # before a folder is made
    run = runs.create(config, getattr(options, "out", None))
    return _go(run, getattr(options, "quiet", False), window)


def resume(options: argparse.Namespace) -> int:
    """Go on with a run, perhaps to another length."""
    run = runs.load(options.directory)
    if options.steps is not None and options.steps != run.gan.steps:
        run = runs.lengthened(run, options.steps)
    if run.state.step == run.gan.steps and (run.directory / "summary.json").exists():
        print(f"{run.directory} is finished: {run.gan.steps} steps. To lengthen it, say --steps.")
        if not (run.directory / "picture.png").exists() and draw_picture(run, print):
            print(f"The picture was missing; it is drawn now: {run.directory / 'picture.png'}")
        return 0
    return _go(run, options.quiet)


def sample(options: argparse.Namespace) -> int:
    """Write samples of a trained generator, in the units of the data."""
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


def lipschitz(options: argparse.Namespace) -> int:
    """Bracket the Lipschitz constant of a run's discriminator."""
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


def picture(options: argparse.Namespace) -> int:
    """Draw the picture of a run."""
    run = runs.load(options.directory)
    if not draw_picture(run, lambda text: print(f"specnorm-np: error: {text}", file=sys.stderr)):
        return 2
    print(f"{run.directory / 'picture.png'}: step {run.state.step} of {run.gan.steps}")
    return 0


def movie(options: argparse.Namespace) -> int:
    """Make a GIF of a run."""
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


def bench(options: argparse.Namespace) -> int:
    """Time a training step."""
    if options.repeats < 1:
        raise ValueError(f"--repeats is {options.repeats}; expected at least 1")
    for line in timing.report(options.repeats):
        print(line, flush=True)
    return 0


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
