"""The subcommands and what they print: train, resume, sample, compare, lipschitz, bench.

Exit status 0: done; 1: a run of a comparison failed; 2: bad input; 3: the run diverged; 130: stopped by Ctrl-C,
everything saved.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from specnorm_np import __version__
from specnorm_np.command import bench
from specnorm_np.command.options import add_options, config_of, plan_of
from specnorm_np.gan import Diverged
from specnorm_np.rivals.methods import METHODS
from specnorm_np.runs import reports, run as runs, tables
from specnorm_np.runs.compare import Result, key, lookup, process_pool, train_all
from specnorm_np.runs.config import make_target, title
from specnorm_np.runs.storage import write, write_text
from specnorm_np.toy.metrics import N_EVAL
from specnorm_np.toy.points import load_points


def run_command(arguments: list[str]) -> int:
    """Run one subcommand and return the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # the reader of our output has gone
        return 0
    except (ValueError, OSError) as error:
        print(f"specnorm-np: error: {error}", file=sys.stderr)
        return 2
    except Diverged as error:
        print(f"specnorm-np: {error}; the last checkpoint is kept", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


# ---- options --------------------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """Make the parser. An option of `train` that is not given is absent, so that configs and defaults show through."""
    parser = argparse.ArgumentParser(
        prog="specnorm-np",
        description="Spectral Normalization for GANs (Miyato et al., ICLR 2018) in pure NumPy.",
        epilog="BLAS runs on one thread unless OPENBLAS_NUM_THREADS (or its like) says otherwise.",
    )
    parser.add_argument("--version", action="version", version=f"specnorm-np {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    methods = "methods:\n" + "\n".join(f"  {name:13}{method.text}" for name, method in METHODS.items())

    train = commands.add_parser(
        "train",
        help="train a GAN into a new folder",
        description="Train a GAN. Without options: a ring of 8 Gaussians with spectral normalisation, about a minute.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=methods,
    )
    add_options(train)
    train.set_defaults(run=_train)

    resume = commands.add_parser("resume", help="go on with a run that was stopped, to the same bits")
    resume.add_argument("directory", metavar="DIR", type=Path)
    resume.add_argument("--quiet", action="store_true", help="print nothing but errors")
    resume.set_defaults(run=_resume)

    sample = commands.add_parser("sample", help="draw from a trained generator, in the units of the data")
    sample.add_argument("directory", metavar="DIR", type=Path)
    sample.add_argument("-n", type=int, default=N_EVAL, metavar="N", help=f"how many points (default {N_EVAL})")
    sample.add_argument("--seed", type=int, default=0, help="of the latent points (default 0)")
    sample.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .npy or .csv file that is not there")
    sample.set_defaults(run=_sample)

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
    return parser


# ---- subcommands ----------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    run = runs.create(config_of(options), getattr(options, "out", None))
    return _go(run, getattr(options, "quiet", False))


def _resume(options: argparse.Namespace) -> int:
    run = runs.load(options.directory)
    if run.state.step == run.gan.steps and (run.directory / "summary.json").exists():
        print(f"{run.directory} is finished: {run.gan.steps} steps. Nothing to do.")
        return 0
    return _go(run, options.quiet)


def _sample(options: argparse.Namespace) -> int:
    if options.n < 1:
        raise ValueError(f"-n is {options.n}; expected at least 1")
    if options.out.exists():
        raise ValueError(f"{options.out} exists; expected a new file")
    run = runs.load(options.directory)
    x = run.target.to_user_units(runs.samples(run, options.n, rng=np.random.default_rng(options.seed)))
    if options.out.suffix == ".npy":
        write(options.out, lambda file: np.save(file, x, allow_pickle=False))
    elif options.out.suffix == ".csv":
        write(options.out, lambda file: np.savetxt(file, x, delimiter=",", fmt="%.17g"))
    else:
        raise ValueError(f"--out is {options.out}; expected a name that ends in .npy or .csv")
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
    write_text(run.directory / "lipschitz.json", json.dumps(report, indent=2) + "\n")
    print(f"{title(run.config, run.target)}, step {run.state.step} of {run.gan.steps}")
    for line in reports.lines(report):
        print(line)
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
    target = make_target(configs[0]) if configs[0].data is None else load_points(configs[0].data)
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
    """Let Ctrl-C be asked for instead of being raised. A second one is raised."""
    stopped: list[int] = []

    def on_interrupt(number: int, _: object) -> None:
        stopped.append(number)
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C does not wait for the step

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield lambda: bool(stopped)
    finally:
        signal.signal(signal.SIGINT, before)


def _go(run: runs.Run, quiet: bool) -> int:
    """Train with progress, stop after the step on Ctrl-C, and report."""
    say = (lambda *_: None) if quiet else print
    say(f"{title(run.config, run.target)}: {run.gan.steps} steps into {run.directory}")
    progress = None if quiet else ProgressLine(run.gan.steps, run.state.step)
    try:
        with interruptible() as stopped, np.errstate(over="ignore", invalid="ignore"):  # divergence is told by values
            run = runs.train(run, progress or (lambda _: None), stopped)
    finally:
        if progress:
            progress.close()
    if run.state.step < run.gan.steps:
        print(f"stopped after step {run.state.step}, saved. Go on with: specnorm-np resume {run.directory}")
        return 130
    _picture(run, say)
    for line in report(run):
        say(line)
    return 0


def _picture(run: runs.Run, say: Callable[..., None]) -> None:
    try:
        from specnorm_np.runs import picture
    except ImportError:
        say("no picture.png: matplotlib is not installed (pip install matplotlib)")
        return
    write(run.directory / "picture.png", lambda file: picture.draw(run).savefig(file, format="png", dpi=120))


def report(run: runs.Run) -> list[str]:
    """Say what a finished run has reached, beside the row of a perfect sampler."""
    summary = runs.read_summary(run.directory)
    lines = []
    if summary["modes_total"] is not None:
        lines.append(f"{'':17}modes    high quality  reverse KL   Fréchet distance   ({summary['samples']} samples)")
        for name, row in (("G", summary), ("perfect sampler", summary["perfect_sampler"])):
            kl = "none" if row["reverse_kl"] is None else f"{row['reverse_kl']:.4f}"
            modes = f"{row['modes']:g} of {row['modes_total']}"
            lines.append(f"{name:17}{modes:9}{row['high_quality']:11.2%}{kl:>12}{row['frechet']:19.2g}")
    else:
        perfect = summary["perfect_sampler"]["frechet"]
        lines.append(f"Fréchet distance {summary['frechet']:.3g} (a perfect sampler: {perfect:.3g})")
    sigmas = "  ".join(f"{sigma:.4g}" for sigma in summary["sigma_bar"])
    bound = summary["lipschitz_upper"]
    product = f"; product, a Lipschitz bound of D: {bound:.4g}" if bound is not None else ""
    lines.append(f"σ(W̄) of D's layers: {sigmas}{product}")
    return [*lines, f"{summary['seconds']:.0f} s. All in {run.directory}"]


class ProgressLine:
    """Prints step, rate, time left and the newest metrics: one living line on a terminal, plain lines elsewhere."""

    def __init__(self, steps: int, first: int):
        self.steps, self.first, self.began = steps, first, time.perf_counter()
        self.living = sys.stdout.isatty()
        self.next = self.began + (0.2 if self.living else 10.0)

    def __call__(self, progress: runs.Progress) -> None:
        """Print if it is time to."""
        now = time.perf_counter()
        if now < self.next and progress.step < self.steps:
            return
        self.next = now + (0.2 if self.living else 10.0)
        rate = (progress.step - self.first) / (now - self.began)
        left = (self.steps - progress.step) / rate
        text = f"step {progress.step}/{self.steps}  {rate:.0f}/s  {left:.0f} s left  {_metrics(progress.row)}"
        print(f"\r\x1b[K{text}" if self.living else text, end="" if self.living else "\n", flush=True)

    def close(self) -> None:
        """End the living line."""
        if self.living:
            print()


def _metrics(row: runs.Row | None) -> str:
    if row is None:
        return ""
    parts = [f"D {row['d_loss']:.3f}  G {row['g_loss']:.3f}"]
    if row["modes"] is not None:
        parts.append(
            f"modes {row['modes']:g}  high quality {row['high_quality']:.1%}  reverse KL {row['reverse_kl']:.4f}"
        )
    return "  ".join([*parts, f"Fréchet {row['frechet']:.2g}"])
