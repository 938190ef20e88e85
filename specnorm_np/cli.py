"""The subcommands and what they print: train, resume, sample, lipschitz, bench.

Exit status 0: done; 2: bad input; 3: the run diverged; 130: stopped by Ctrl-C, everything saved.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from specnorm_np import __version__, bench, reports, runs
from specnorm_np.config import LOSSES, Config, from_json, from_options, title
from specnorm_np.gan import Diverged
from specnorm_np.methods import METHODS
from specnorm_np.metrics import N_EVAL
from specnorm_np.optim import TABLE_1
from specnorm_np.storage import write, write_text
from specnorm_np.targets import TARGETS

TARGET_OPTIONS = {"n_modes": int, "n_side": int, "radius": float, "spacing": float, "std": float}


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

    train = commands.add_parser(
        "train",
        help="train a GAN into a new folder",
        description="Train a GAN. Without options: a ring of 8 Gaussians with spectral normalisation, about a minute.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="methods:\n" + "\n".join(f"  {name:13}{method.text}" for name, method in METHODS.items()),
    )
    _add_train_options(train)
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

    lipschitz = commands.add_parser(
        "lipschitz",
        help="bracket the Lipschitz constant of a run's discriminator",
        description="σ of every layer, certified; the Lipschitz constant of D: (7), tighter, exact in the plane.",
    )
    lipschitz.add_argument("directory", metavar="DIR", type=Path)
    lipschitz.set_defaults(run=_lipschitz)

    benchmark = commands.add_parser(
        "bench",
        help="time a training step beside its bare matrix products",
        description="Milliseconds per training step at three sizes, medians of repeats taken in turn.",
    )
    benchmark.add_argument("--repeats", type=int, default=30, help="of every measurement (default 30)")
    benchmark.set_defaults(run=_bench)
    return parser


def _add_train_options(train: argparse.ArgumentParser) -> None:
    d = Config()
    what = train.add_argument_group("what to learn")
    what.add_argument("--target", choices=TARGETS, help=f"a distribution in the plane (default {d.target})")
    what.add_argument("--n-modes", type=int, help="modes of the ring (default 8)")
    what.add_argument("--radius", type=float, help="radius of the ring (default 1) or the spiral")
    what.add_argument("--n-side", type=int, help="modes along a side of the grid (default 5), or fields of the board")
    what.add_argument("--spacing", type=float, help="of the grid (default 2)")
    what.add_argument("--std", type=float, help="of every mode (default 0.01 on the ring, 0.05 on the grid)")
    what.add_argument("--data", metavar="FILE", help="your own points instead: .npy or .csv, (n, d), any d")
    how = train.add_argument_group("how")
    how.add_argument("--method", choices=METHODS, metavar="NAME", help=f"see below (default {d.method})")
    how.add_argument("--K", type=float, help="Lipschitz constant per layer (default 1; 2 on the grid); D's is K^(L+1)")
    how.add_argument("--n-iter", type=int, help=f"power iterations per update (default {d.n_iter})")
    how.add_argument("--loss", choices=LOSSES, help="(default: standard, with -log D for G; wasserstein for wgan-gp)")
    how.add_argument("--setting", choices=TABLE_1, help="Adam and n_dis of a row of the paper's Table 1")
    how.add_argument("--alpha", type=float, help=f"learning rate of Adam (default {d.alpha:g}; 0.001 on the grid)")
    how.add_argument("--beta1", type=float, help=f"of Adam (default {d.beta1:g})")
    how.add_argument("--beta2", type=float, help=f"of Adam (default {d.beta2:g})")
    how.add_argument("--n-dis", type=int, help=f"updates of D to one of G (default {d.n_dis})")
    how.add_argument("--steps", type=int, help=f"generator updates (default {d.steps}; 25000 on the grid)")
    how.add_argument("--decay", type=float, help="share of the run after which alpha falls linearly to 0 (default 0.5)")
    how.add_argument(
        "--batch", type=int, help=f"real and generated points in a step of D (default {d.batch}; 256 on the grid)"
    )
    how.add_argument("--average", type=float, help=f"decay of the average of G, 0 for none (default {d.average:g})")
    how.add_argument("--seed", type=int, help=f"(default {d.seed})")
    size = train.add_argument_group("networks")
    for name in ("d", "g"):
        size.add_argument(f"--{name}-width", type=int, help=f"of the hidden layers of {name.upper()} (default 128)")
        size.add_argument(f"--{name}-depth", type=int, help=f"number of hidden layers of {name.upper()} (default 3)")
    size.add_argument("--latent", type=int, help=f"dimension of z (default {d.latent})")
    size.add_argument("--dtype", choices=("float32", "float64"), help=f"(default {d.dtype})")
    files = train.add_argument_group("files")
    files.add_argument("--config", type=Path, metavar="FILE", help="start from the config.json of another run")
    files.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default the next free one under runs/)")
    files.add_argument("--quiet", action="store_true", help="print nothing but errors")


def config_of(options: argparse.Namespace) -> Config:
    """Make the config of `train`: the file's fields, then the setting's, then the options'."""
    given = dict(vars(options))
    fields: dict[str, Any] = {}
    if "config" in given:
        try:
            fields = from_json(given["config"].read_text())
        except (UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{given['config']} cannot be used: {error}") from None
    if "target" in given and "data" in given:
        raise ValueError("both --target and --data are given; expected one of them")
    if "target" in given:
        fields |= {"data": None, "target_options": {}}
    if "setting" in given:
        adam, n_dis = TABLE_1[given["setting"]]
        fields |= {"alpha": adam.alpha, "beta1": adam.beta1, "beta2": adam.beta2, "n_dis": n_dis}
    target_options = {name: given[name] for name in TARGET_OPTIONS if name in given}
    if target_options:
        fields["target_options"] = {**fields.get("target_options", {}), **target_options}
    other = {"run", "config", "out", "quiet", "setting", *TARGET_OPTIONS}
    return from_options({**fields, **{name: value for name, value in given.items() if name not in other}})


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


def _go(run: runs.Run, quiet: bool) -> int:
    """Train with progress, stop after the step on Ctrl-C, and report."""
    say = (lambda *_: None) if quiet else print
    say(f"{title(run.config, run.target)}: {run.gan.steps} steps into {run.directory}")
    stopped: list[int] = []

    def on_interrupt(number: int, _: object) -> None:
        stopped.append(number)
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C does not wait for the step

    before = signal.signal(signal.SIGINT, on_interrupt)
    progress = None if quiet else ProgressLine(run.gan.steps, run.state.step)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is told by its values
            run = runs.train(run, progress or (lambda _: None), lambda: bool(stopped))
    finally:
        signal.signal(signal.SIGINT, before)
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
        from specnorm_np import picture
    except ImportError:
        say("no picture.png: matplotlib is not installed (pip install 'specnorm-np[figures]')")
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
