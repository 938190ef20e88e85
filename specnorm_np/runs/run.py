"""What a run leaves on disk: config, history, checkpoint, summary; and the loop that writes them.

Loading executes nothing: a checkpoint is an `.npz` of plain arrays, without pickles.
"""

import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.gan import GAN, Diverged, State, StepLog
from specnorm_np.network import MLP
from specnorm_np.runs import snapshots
from specnorm_np.runs.config import Config, from_json, from_options, make_gan, make_target, to_json
from specnorm_np.runs.snapshots import Snapshot
from specnorm_np.runs.storage import flatten, locked, restore, write, write_text
from specnorm_np.spectral import Array, spectral_norm
from specnorm_np.toy.metrics import N_EVAL, N_REFERENCE, Report, evaluate, perfect_sampler
from specnorm_np.toy.points import Points
from specnorm_np.toy.targets import Target

Row = dict[str, float | None]
EVALUATIONS, CHECKPOINTS = 100, 20
"""How many times a run is evaluated and saved, at equal distances."""
N_HISTORY = 500
"""Points of either sample in the two-sample accuracy of the history; the summary has `N_EVAL`, which takes longer."""


class Run(NamedTuple):
    """A run in its folder: what was asked, what stands still, and how far it is."""

    directory: Path
    config: Config
    target: Target
    gan: GAN
    state: State
    seconds: float
    history: list[Row]
    snapshots: list[Snapshot]
    """For a movie, one for each row of the history; none in a comparison."""


class Progress(NamedTuple):
    """What a run reports after every generator update."""

    step: int
    log: StepLog
    row: Row | None
    """The newest row of the history, None before the first."""
    run: Run
    """The run as it stands: `samples(progress.run, …)` draws from the present G."""


# ---- a run ----------------------------------------------------------------------------------------------------------


def create(config: Config, directory: str | Path | None = None, *, target: Target | None = None) -> Run:
    """Make the folder of a new run, with its config and a first checkpoint in it.

    Parameters
    ----------
    config : Config
    directory : str, Path or None
        A folder that is new or empty; None for the next free one under `runs/`.
    target : Target, optional
        In the place of the one that the config names.

    Raises
    ------
    ValueError
        If the folder holds something already, the data cannot be read, or D cannot take a batch (batch normalisation
        needs two rows). Then no folder is made.
    """
    if target is None:
        target = make_target(config)
    directory = _next_free(f"{target.name}-{config.method}") if directory is None else Path(directory)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{directory} is a file; expected a new folder")
    if directory.exists() and any(directory.iterdir()):
        raise ValueError(f"{directory} is not empty; expected a new folder (use resume to go on with a run)")
    gan = make_gan(config, target)
    run = Run(directory, config, target, gan, algorithm.start(gan, config.seed), 0.0, [], [])
    x = target.sample(gan.batch, rng=np.random.default_rng(0)).astype(gan.dtype)
    with np.errstate(all="ignore"):
        gan.d_net.forward(*algorithm.effective(run.state.D, gan.normalizer), x, x)  # what D refuses, it refuses before
    directory.mkdir(parents=True, exist_ok=True)
    if isinstance(target, Points):
        arrays = {"x": target.x, "center": target.center, "scale": np.array(target.scale), "held_out": target.held_out}
        write(directory / "data.npz", lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    write_text(directory / "config.json", to_json(config))
    save(run)
    return run


def lengthened(run: Run, steps: int) -> Run:
    """Give a run, finished or not, another length, on disk too. Schedules that depend on the length follow the new one.

    Raises
    ------
    ValueError
        If the run has gone further than that already.
    """
    if steps <= run.state.step:
        raise ValueError(f"steps is {steps}; expected more than the {run.state.step} that {run.directory} has done")
    config = replace(run.config, steps=steps)
    write_text(run.directory / "config.json", to_json(config))
    return run._replace(config=config, gan=make_gan(config, run.target))


def _next_free(name: str) -> Path:
    number = 1
    while (directory := Path("runs", f"{name}-{number}")).exists():
        number += 1
    return directory


def save(run: Run) -> None:
    """Write history, snapshots and checkpoint: the state itself, triplets and random streams included."""
    _save_history(run.directory / "history.csv", run.history)
    if run.snapshots:
        snapshots.save(run.directory / "snapshots.npz", run.snapshots)
    arrays = dict(flatten(run.state, "state"))
    arrays |= {"config": np.array(to_json(run.config)), "seconds": np.array(run.seconds)}
    write(run.directory / "checkpoint.npz", lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load(directory: str | Path) -> Run:
    """Read a run back as its last checkpoint left it. Nothing is iterated.

    Raises
    ------
    ValueError
        If the folder holds no run, or a damaged or foreign checkpoint, or a config of a newer version.
    """
    directory = Path(directory)
    if not (directory / "config.json").is_file():
        raise ValueError(f"{directory} holds no run: there is no config.json")
    config = read_config(directory / "config.json")
    path = directory / "checkpoint.npz"
    arrays = _read_npz(path)
    try:
        if replace(from_options(from_json(str(arrays["config"]))), steps=config.steps) != config:
            raise ValueError("its config is not that of config.json")
        target = make_target(config) if config.data is None else _stored_points(directory / "data.npz", config.data)
        gan = make_gan(config, target)
        state = restore(algorithm.start(gan, config.seed), "state", arrays)
        seconds = float(arrays["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint of this run: {error}") from None
    history = [row for row in read_history(directory / "history.csv") if (row["step"] or 0) <= state.step]
    shown = [shot for shot in snapshots.load(directory / "snapshots.npz") if shot.step <= state.step]
    return Run(directory, config, target, gan, state, seconds, history, shown)


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # a damaged archive fails in more ways than NumPy documents
        raise ValueError(f"{path} cannot be read: {error}") from None


def _stored_points(path: Path, origin: str) -> Points:
    arrays = _read_npz(path)
    held_out = arrays.get("held_out", np.empty((0, 0)))  # older runs have trained on all points
    scale = arrays["scale"] if arrays["scale"].ndim else float(arrays["scale"])
    return Points(arrays["x"], arrays["center"], scale, Path(origin).stem, held_out)


def read_config(path: Path) -> Config:
    """Read a config file.

    Raises
    ------
    ValueError
        If it is not a config, or one of a newer version.
    """
    try:
        return from_options(from_json(path.read_text()))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None


def _save_history(path: Path, history: list[Row]) -> None:
    def line(row: Row) -> list[str]:
        return ["" if value is None else repr(value) for value in row.values()]

    lines = [list(history[0]), *map(line, history)] if history else []
    write_text(path, "".join(",".join(cells) + "\n" for cells in lines))


def read_history(path: Path) -> list[Row]:
    """Read `history.csv`, one dict a row; an empty cell is None. A run that was never evaluated has no row."""
    with path.open(newline="") as file:
        return [
            {name: (int(cell) if cell.isdigit() else float(cell)) if cell else None for name, cell in row.items()}
            for row in csv.DictReader(file)
        ]


# ---- training -------------------------------------------------------------------------------------------------------


def train(
    run: Run,
    on_step: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    keep_snapshots: bool = True,
) -> Run:
    """Train a run up to its last step, or until `stop` says so, and save it.

    Parameters
    ----------
    run : Run
        From `create` or `load`.
    on_step : function
        Called after every generator update.
    stop : function
        Asked after every generator update.
    keep_snapshots : bool
        Whether to keep a snapshot at every evaluation, for a movie: about a megabyte for the whole run.

    Returns
    -------
    Run
        As it stands. If `run.state.step == run.gan.steps` it is finished, with `summary.json` and `samples.npy`.

    Raises
    ------
    Diverged
        If the run did. The last checkpoint stays, and the history up to there.
    ValueError
        If another process is training this run.
    """
    with locked(run.directory):
        return _train(run, on_step, stop, keep_snapshots)


def _train(run: Run, on_step: Callable[[Progress], None], stop: Callable[[], bool], keep_snapshots: bool) -> Run:
    began = time.perf_counter() - run.seconds
    every, keep = max(run.gan.steps // EVALUATIONS, 1), max(run.gan.steps // CHECKPOINTS, 1)
    row = run.history[-1] if run.history else None
    for state, log in algorithm.train(run.gan, run.state, run.target.sample):
        last = state.step == run.gan.steps
        run = run._replace(state=state, seconds=time.perf_counter() - began)
        if state.step % every == 0 or last:
            x, report = evaluation(run, N_HISTORY)
            row = row_of(run, log, report)
            run.history.append(row)
            if keep_snapshots:
                run.snapshots.append(snapshots.take(run.gan, state, x, reference(run.target)[:N_EVAL]))
        on_step(Progress(state.step, log, row, run))
        stopping = stop()
        if state.step % keep == 0 or last or stopping:
            save(run)
        if stopping:
            break
    if run.state.step == run.gan.steps:
        finish(run)
    return run


def samples(run: Run, n: int, *, rng: np.random.Generator) -> Array:
    """Draw from the trained G (from the average of its parameters if there is one), in training units."""
    theta = run.state.G.theta if run.state.G_mean is None else run.state.G_mean
    x = algorithm.generate(run.gan, theta, algorithm.latents(run.gan, n, rng=rng)).astype(np.float64)
    if not np.isfinite(x).all():
        raise Diverged(f"diverged at step {run.state.step}: a sample of G is NaN or infinite")
    return x


def evaluation(run: Run, n_two_sample: int = N_EVAL) -> tuple[Array, Report]:
    """Draw and measure `N_EVAL` samples. The stream depends on seed and step alone: evaluating changes nothing."""
    x = samples(run, N_EVAL, rng=np.random.default_rng([run.config.seed, run.state.step]))
    return x, evaluate(x, run.target, reference(run.target), n_two_sample=n_two_sample)


def reference(target: Target) -> Array:
    """Draw the points of the target that the Fréchet distance is taken to, always the same."""
    return target.sample(N_REFERENCE, rng=np.random.default_rng(0))


def sigma_bar(run: Run) -> list[float]:
    """Compute σ(W̄) of every layer of D exactly, by SVD."""
    return [spectral_norm(W) for W in algorithm.effective(run.state.D, run.gan.normalizer)[0]]


def sigma_hat(run: Run) -> list[float | None]:
    """Return σ̂ of every layer of D, None where no power iteration is run."""
    return [getattr(norm, "sigma", None) for norm in run.state.D.norms]


def row_of(run: Run, log: StepLog, report: Report) -> Row:
    """Make a row of the history: losses, metrics, and σ̂, λ and exact σ(W̄) of every layer."""
    row: Row = {"step": run.state.step, "d_loss": log.d_loss, "g_loss": log.g_loss}
    row |= {"modes": report.modes, "high_quality": report.high_quality, "reverse_kl": report.reverse_kl}
    row["frechet"] = report.frechet
    row |= {name: getattr(report, name) for name in ("two_sample", "offset", "spread_minor", "spread_major")}
    for name, values in (("sigma_hat", sigma_hat(run)), ("lambda", log.lam), ("sigma_bar", sigma_bar(run))):
        row |= {f"{name}_{l}": value for l, value in enumerate(values, 1)}
    return row


def finish(run: Run) -> dict[str, Any]:
    """Write `summary.json` and `samples.npy` (in the user's units) of a run as it stands, and return the summary."""
    x, report = evaluation(run)
    perfect, error = perfect_sampler(run.target, rng=np.random.default_rng(0))
    sigmas = sigma_bar(run)
    summary = {
        "steps": run.state.step,
        "seconds": round(run.seconds, 2),
        **report._asdict(),
        "sigma_bar": sigmas,
        "lipschitz_upper": float(np.prod(sigmas)) if type(run.gan.d_net) is MLP else None,
        "perfect_sampler": perfect._asdict(),
        "perfect_sampler_error": error._asdict(),
        "samples": len(x),
    }
    if report.reverse_kl == math.inf:
        summary["reverse_kl"] = None  # no sample of high quality; JSON has no infinity
    write(run.directory / "samples.npy", lambda file: np.save(file, run.target.to_user_units(x), allow_pickle=False))
    write_text(run.directory / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def read_summary(directory: Path) -> dict[str, Any]:
    """Read what `finish` has written."""
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return summary
