"""What the playground's page asks for: training runs side by side, and what is drawn of them, as JSON.

The page runs this module in a worker, by Pyodide, and the tests run it as it is. Everything is computed by the
package's own functions, in double precision, so that both find the same numbers.
"""

import base64
import json
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.gan import Diverged, StepLog
from specnorm_np.runs.config import Config, make_gan
from specnorm_np.spectral import Array, check_count, spectral_norm
from specnorm_np.toy.metrics import evaluate
from specnorm_np.toy.points import Points, points
from specnorm_np.toy.targets import Target, grid, moons, ring, spiral

TARGETS = {
    "ring": ring(8, 1.0, 0.05),
    "grid": grid(5, 1.0, 0.1),
    "moons": moons(0.05),
    "spiral": spiral(1.0, 1.5, 0.05),
}
"""Coarser than the targets of the command, so that the seconds that a visitor has suffice."""
METHODS = ("none", "sn", "wn", "clip", "wgan-gp")
WIDTH, BATCH, AVERAGE = 32, 64, 0.99
SHOWN, TICKS = 500, 33
"""Samples that are drawn and measured, and points along a side of the lattice on which f is computed."""
DRAWN_REACH = 1.1
"""Points are drawn by hand on the square [-1.1, 1.1]². A margin is shown around it."""
ROW, MEASURE = 20, 100
"""Generator updates between two rows of the history, and between two that measure the samples."""


@dataclass(frozen=True)
class Choices:
    """What is chosen for one run.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    K : float
        Lipschitz constant of a layer; only sn has one here.
    d_alpha, g_alpha : float
        Learning rates of D and of G at the start. They fall to 0 in the second half of the run.
    n_dis : int
        Updates of D to one of G.
    """

    method: str = "sn"
    K: float = 4.0
    d_alpha: float = 4e-3
    g_alpha: float = 1e-3
    n_dis: int = 1

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; expected one of {', '.join(METHODS)}")


@dataclass(frozen=True)
class Settings:
    """What is chosen on the page.

    Parameters
    ----------
    target : str
        One of `TARGETS`, or "drawn".
    drawn : list of (x, y)
        The points of the target "drawn".
    seed : int
    steps : int
        Generator updates of each run.
    runs : list of Choices
        One for each run. All runs have the same data, latents and first G.
    """

    target: str = "ring"
    drawn: list[tuple[float, float]] = field(default_factory=list)
    seed: int = 0
    steps: int = 2000
    runs: list[Choices] = field(default_factory=lambda: [Choices(), Choices("none")])

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Read what the page sends.

        Raises
        ------
        ValueError
            If a field is unknown or its value is not valid.
        """
        given = json.loads(text)
        runs = [Choices(**_known(Choices, run)) for run in given.pop("runs", [])]
        return cls(**_known(cls, given), **({"runs": runs} if runs else {}))

    def make_target(self) -> Target:
        """Return the target.

        Raises
        ------
        ValueError
            If there is none of that name, or too few points have been drawn.
        """
        if self.target == "drawn":
            return points(np.array(self.drawn, float).reshape(-1, 2), "drawn")
        if self.target not in TARGETS:
            raise ValueError(f"target is {self.target!r}; expected one of {', '.join(TARGETS)}, drawn")
        return TARGETS[self.target]

    def config(self, run: Choices) -> Config:
        """Return the config of one of the runs, as the package understands it."""
        own = {f.name: getattr(run, f.name) for f in fields(Choices)}
        widths = {"d_width": WIDTH, "g_width": WIDTH, "batch": BATCH, "average": AVERAGE}
        return Config(**own, **widths, steps=self.steps, seed=self.seed, K_schedule=None, dtype="float64")  # type: ignore[arg-type]


def _known(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    if unknown := given.keys() - {f.name for f in fields(kind)}:
        raise ValueError(f"the settings have the unknown field {min(unknown)!r}")
    return given


class Run:
    """One run: its GAN, its present state, and a history of which `frame` gives away what is new."""

    def __init__(self, config: Config, target: Target):
        self.target = target
        self.gan = make_gan(config, target)
        self.state = algorithm.start(self.gan, config.seed)
        rng = np.random.default_rng([config.seed, 1])  # a stream of its own: looking at a run changes nothing
        self.z = algorithm.latents(self.gan, SHOWN, rng=rng)
        self.real = target.sample(SHOWN, rng=rng)
        reach = 1.35 * (DRAWN_REACH if isinstance(target, Points) else float(np.abs(self.real).max()))
        self.corners = [-reach, -reach, reach, reach]
        ticks = np.linspace(-reach, reach, TICKS)
        self.plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        if isinstance(target, Points):  # which are drawn in units of the page
            self.plane = (self.plane - target.center) / target.scale
        self.stopped = ""
        self.rows: list[dict[str, Any]] = []

    def change(self, config: Config) -> None:
        """Go on with other rates, another K or n_dis. The state stays."""
        self.gan = make_gan(config, self.target)

    def advance(self, n: int) -> None:
        """Do n generator updates; fewer where the run ends, and none after it has diverged."""
        if self.stopped:
            return
        training = algorithm.train(self.gan, self.state, self.target.sample)
        try:
            with np.errstate(all="ignore"):  # divergence is told by values
                for self.state, log in training:
                    if self.state.step % ROW == 0 or self.state.step == self.gan.steps:
                        self.rows.append(self.row(log))
                    n -= 1
                    if n == 0:
                        break
        except (Diverged, ValueError) as error:  # a ValueError: samples or weights that are not finite
            self.stopped = str(error)

    def samples(self) -> Array:
        """Compute G at the latents that are shown, with the average of its parameters."""
        state = self.state
        theta = state.G.theta if state.G_mean is None else state.G_mean
        return algorithm.generate(self.gan, theta, self.z)

    def row(self, log: StepLog) -> dict[str, Any]:
        """Return a row of the history: losses, σ(W̄) and λ of every layer, and now and then how good the samples are."""
        W_bar, _ = algorithm.effective(self.state.D, self.gan.normalizer)
        row: dict[str, Any] = {"step": self.state.step, "d_loss": log.d_loss, "g_loss": log.g_loss, "lam": log.lam}
        row["sigma"] = [spectral_norm(W) for W in W_bar]
        if self.state.step % MEASURE == 0 or self.state.step == self.gan.steps:
            report = evaluate(self.samples(), self.target, self.real, "one-percent")
            names = ("modes", "modes_total", "high_quality", "two_sample", "two_sample_points")
            row |= {name: getattr(report, name) for name in names}
        return row

    def scene(self) -> dict[str, Any]:
        """Return what stays as it is: points of the target, and two corners of what is shown, in units of the page."""
        return {"corners": self.corners, "real": _text(self.target.to_user_units(self.real))}

    def frame(self) -> dict[str, Any]:
        """Return what is to be drawn now, and the rows since the last frame."""
        W_bar, _ = algorithm.effective(self.state.D, self.gan.normalizer)
        rows, self.rows = self.rows, []
        with np.errstate(all="ignore"):
            x = self.target.to_user_units(self.samples())
            f = algorithm.discriminate(self.gan, self.state.D, self.plane)
        spectra = [np.linalg.svd(W, compute_uv=False).tolist() for W in W_bar]
        now = {"step": self.state.step, "stopped": self.stopped, "spectra": spectra, "rows": rows}
        return {**now, "x": _text(x), "f": _text(f)}


def _text(x: Array) -> str:
    """Return the doubles of an array as base64, which is many times as fast as writing their digits."""
    return base64.b64encode(np.ascontiguousarray(x, "<f8").tobytes()).decode()


class Session:
    """All runs that the page shows."""

    def __init__(self, settings: str):
        self.settings = Settings.from_json(settings)
        check_count("steps", self.settings.steps)
        target = self.settings.make_target()
        self.runs = [Run(self.settings.config(run), target) for run in self.settings.runs]

    def change(self, settings: str) -> bool:
        """Take over new settings, and say whether that was possible without a fresh start.

        The rates, K and n_dis can change while a run goes on.
        """
        new = Settings.from_json(settings)
        if _fixed(new) != _fixed(self.settings):
            return False
        for run, choices in zip(self.runs, new.runs, strict=True):
            run.change(new.config(choices))
        self.settings = new
        return True

    def advance(self, n: int) -> bool:
        """Do n generator updates of every run, and say whether there is more to do."""
        for run in self.runs:
            run.advance(n)
        return any(not run.stopped and run.state.step < self.settings.steps for run in self.runs)

    def scene(self) -> str:
        """Return what stays as it is, for every run."""
        return json.dumps([run.scene() for run in self.runs], allow_nan=False)

    def frame(self) -> str:
        """Return what is to be drawn now, for every run."""
        return json.dumps([run.frame() for run in self.runs], allow_nan=False)


def _fixed(settings: Settings) -> tuple[Any, ...]:
    """Return the part of the settings that only a fresh start can change."""
    methods = [run.method for run in settings.runs]
    return settings.target, settings.drawn, settings.seed, settings.steps, methods
