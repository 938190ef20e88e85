"""What a run is asked to be: one flat record of plain values, which JSON can hold, and the objects made of it."""

import difflib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np

from specnorm_np.gan import GAN
from specnorm_np.losses import HINGE, SATURATING, STANDARD, WASSERSTEIN
from specnorm_np.optim import Adam, linear_decay
from specnorm_np.rivals.methods import METHODS, fields_of
from specnorm_np.rivals.schedules import Piecewise, ScheduledK
from specnorm_np.toy.points import Points, load_points
from specnorm_np.toy.targets import TARGETS, Target, spread

FORMAT = 2
Schedule = tuple[tuple[float, float], ...]
LOSSES = {"standard": STANDARD, "saturating": SATURATING, "hinge": HINGE, "wasserstein": WASSERSTEIN}
STEEPNESS = 200.0
"""The default Lipschitz constant of D, times the spread of the data: so much may f change over one spread."""
GENTLE: Schedule = ((0.1, 0.55), (0.4, 1.0))
"""The factor of K by default. A D that begins less steep sees the data as a blurred whole, so that no mode is lost."""
SHAPE = {"steps": 10_000}
GRID = {
    "batch": 256,
    "steps": 25_000,
    "d_alpha": 2e-3,
    "g_alpha": 2e-3,
    "K_schedule": ((0.4, 0.7), (0.7, 1.4)),
    "d_schedule": ((0.6, 1.0), (1.0, 0.0)),
    "g_schedule": ((0.25, 1.0), (0.45, 0.2), (1.0, 0.0)),
}
"""A slow G reaches the outer modes of the grid too late. So it is fast until it has found them, before D gets steep."""
DEFAULTS: dict[str, dict[str, Any]] = {"grid": GRID, "moons": SHAPE, "spiral": SHAPE, "checkerboard": SHAPE}
"""Where the defaults of a target differ from those of `Config`."""
FINE = {"batch": 512, "steps": 25_000, "K_schedule": ((0.1, 0.55), (0.4, 1.6))}
FINE_GRID = {"batch": 512, "K_schedule": ((0.4, 0.7), (0.7, 1.75))}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {"fine": {"grid": FINE_GRID}}
"""By name and target what takes the place of the defaults; other targets, and points of your own, take `FINE`.

A larger batch makes the steps less noisy, so that a steeper D, which sees more detail, does not lose a mode.
"""


@dataclass(frozen=True)
class Config:
    """All choices of a run. The command's help says what each is; `Config()` is what `specnorm-np train` does.

    `GAN()` has the defaults of the paper. Those of a `Config` are what trains the toy targets well, and differ from it
    in what is listed here. None of it is in the paper.

    Parameters
    ----------
    K : float or None
        Lipschitz constant per layer. None chooses it by the spread s of the data, their root mean square coordinate:
        K^(L+1) = 200/s. The paper has 1; its images are bounded by 1, and it does not ask for detail as fine as a mode.
    K_schedule : pairs (progress, factor) or None
        Factor of K during the run, linear in between; None for a constant K.
    d_alpha, g_alpha : float
        Learning rates of D and of G, here ten times apart: two time scales (Heusel et al. 2017).
    d_schedule, g_schedule : pairs (progress, factor) or None
        Factor of either rate during the run, linear in between. None lets it fall linearly to 0 from `decay` on.
    decay : float in [0, 1]
        Share of the run; 1 for rates that do not fall.
    average : float in [0, 1)
        Decay rate of the average of G that samples are drawn from.
    d_last_width : int or None
        Width of D's last hidden layer; None for that of the others.
    g_scale : float or None
        Factor of G's last weights at the start. None takes the spread of the data.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range. It names the field.
    """

    target: str = "ring"
    target_options: dict[str, float] = field(default_factory=dict)
    data: str | None = None
    columns: str | None = None
    delimiter: str | None = None
    standardize: bool = False
    method: str = "sn"
    K: float | None = None
    K_schedule: Schedule | None = GENTLE
    n_iter: int = 1
    loss: str | None = None
    d_alpha: float = 4e-3
    g_alpha: float = 4e-4
    d_schedule: Schedule | None = None
    g_schedule: Schedule | None = None
    beta1: float = 0.5
    beta2: float = 0.999
    n_dis: int = 1
    steps: int = 20_000
    decay: float = 0.5
    batch: int = 192
    d_width: int = 128
    d_depth: int = 3
    d_last_width: int | None = None
    g_width: int = 128
    g_depth: int = 3
    g_scale: float | None = None
    latent: int = 2
    dtype: str = "float32"
    average: float = 0.995
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_iter", "n_dis", "steps", "batch", "d_width", "d_depth", "g_width", "g_depth", "latent"):
            self._check(name, int, 1)
        if self.d_last_width is not None:
            self._check("d_last_width", int, 1)
        self._check("seed", int, 0)
        for name in ("d_alpha", "g_alpha"):
            self._check(name, float, math.ulp(0.0))
        for name in ("K", "g_scale"):
            if getattr(self, name) is not None:
                self._check(name, float, math.ulp(0.0))
        for name in ("K_schedule", "d_schedule", "g_schedule"):
            object.__setattr__(self, name, _as_schedule(name, getattr(self, name)))
        for name, most in (("beta1", 1.0), ("beta2", 1.0), ("average", 1.0), ("decay", math.inf)):
            self._check(name, float, 0.0, below=most)
        for name, choices in (("method", METHODS), ("dtype", ("float32", "float64"))):
            _check_choice(name, getattr(self, name), choices)
        if self.loss is not None:
            _check_choice("loss", self.loss, LOSSES)
        if self.decay > 1.0:
            raise ValueError(f"decay is {self.decay}; expected a share of the run in [0, 1]")
        for name in ("columns", "delimiter"):
            if not isinstance(getattr(self, name), str | None):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected a text")
        if not isinstance(self.standardize, bool):
            raise ValueError(f"standardize is {self.standardize!r}; expected True or False")
        if self.data is None:
            if self.columns or self.delimiter or self.standardize:
                raise ValueError("columns, delimiter or standardize is given without data; they say how to read a file")
            make_target(self)

    def _check(self, name: str, kind: type, least: float, below: float = math.inf) -> None:
        value = getattr(self, name)
        number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if not number or not least <= value < below:
            what = "a whole number" if kind is int else "a finite number"
            limit = f", below {below:g}" if below < math.inf else ""
            least_text = "above 0" if least == math.ulp(0.0) else f"at least {least:g}"
            raise ValueError(f"{name} is {value!r}; expected {what}, {least_text}{limit}")


def _check_choice(name: str, value: Any, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}{hint}")


def _as_schedule(name: str, points: Any) -> Schedule | None:
    if points is None:
        return None
    try:
        return Piecewise(tuple(map(tuple, points))).points
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {points!r}: {error}") from None


def from_options(options: Mapping[str, Any], preset: str | None = None) -> Config:
    """Make a config of the given fields and, for the others, the defaults of the preset and of its target.

    The option `alpha` stands for `d_alpha` and `g_alpha`, where they are not given themselves. A schedule by default
    belongs to the number beside it: with a K of your own K is constant, with rates or a `decay` of your own the rates
    fall linearly, unless you give a schedule, too.
    """
    options = dict(options)
    if "alpha" in options:
        alpha = options.pop("alpha")
        options = {"d_alpha": alpha, "g_alpha": alpha} | options
    unknown = sorted(set(options) - {f.name for f in fields(Config)})
    if unknown:
        raise ValueError(f"the config has the unknown field {unknown[0]!r}")
    target = str(options.get("target")) if options.get("data") is None else ""
    defaults = DEFAULTS.get(target, {})
    if preset is not None:
        _check_choice("preset", preset, PRESETS)
        defaults = defaults | PRESETS[preset].get(target, FINE)
    if "K" in options:
        defaults = defaults | {"K_schedule": None}
    if options.keys() & {"d_alpha", "g_alpha", "decay"}:
        defaults = defaults | {"d_schedule": None, "g_schedule": None}
    return Config(**{**defaults, **options})


def to_json(config: Config) -> str:
    """Write a config, with the format it is in."""
    return json.dumps({"format": FORMAT, **asdict(config)}, indent=2) + "\n"


def from_json(text: str) -> dict[str, Any]:
    """Read the fields of a config that `to_json` has written, for `from_options`.

    Raises
    ------
    ValueError
        If it is not JSON, not such an object, or of a newer format.
    """
    try:
        fields_ = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(fields_, dict) or not isinstance(fields_.get("format"), int):
        raise ValueError("it is not a config: it has no format number")
    version = fields_.pop("format")
    if version == 1:  # in which K and the rates had no schedules
        fields_ = {"K_schedule": None, "d_schedule": None, "g_schedule": None, **fields_}
    if version > FORMAT:
        raise ValueError(f"it has format {version}, from a newer version of specnorm-np; this one reads up to {FORMAT}")
    return fields_


def make_target(config: Config) -> Target:
    """Make the target that a config names, or read the points that it has for data.

    Raises
    ------
    ValueError
        If there is none of that name, or it does not take one of the options; if the data cannot be used.
    """
    if config.data is not None:
        options = {"columns": config.columns, "delimiter": config.delimiter, "standardize": config.standardize}
        return load_points(config.data, **options)  # type: ignore[arg-type]
    _check_choice("target", config.target, TARGETS)
    factory = TARGETS[config.target]
    known = inspect.signature(factory).parameters
    for name, value in config.target_options.items():
        if isinstance(value, bool):
            raise ValueError(f"{name} is {value}; expected a number")
        if name not in known:
            raise ValueError(f"target {config.target} has no option {name}; it has {', '.join(known)}")
    return factory(**config.target_options)


def make_gan(config: Config, target: Target) -> GAN:
    """Make the GAN that a config asks for, with D and G as wide as the target's points."""
    K = per_layer_K(config, target)
    fields = fields_of(config.method, K, config.n_iter)
    if config.K_schedule is not None and METHODS[config.method].bounded:
        schedule = Piecewise(tuple((progress, K * factor) for progress, factor in config.K_schedule))
        fields["normalizer"] = ScheduledK(fields["normalizer"], schedule, config.steps * config.n_dis)
    if config.loss is not None:
        fields["loss"] = LOSSES[config.loss]
    return GAN(
        **fields,
        d_widths=(target.dim, *[config.d_width] * (config.d_depth - 1), config.d_last_width or config.d_width, 1),
        g_widths=(config.latent, *[config.g_width] * config.g_depth, target.dim),
        d_optim=Adam(config.d_alpha, config.beta1, config.beta2),
        g_optim=Adam(config.g_alpha, config.beta1, config.beta2),
        n_dis=config.n_dis,
        batch=config.batch,
        steps=config.steps,
        d_rate=_rate(config.d_schedule, config.decay),
        g_rate=_rate(config.g_schedule, config.decay),
        average=config.average,
        g_scale=spread(target) if config.g_scale is None else config.g_scale,
        dtype=config.dtype,
    )


def per_layer_K(config: Config, target: Target) -> float:
    """Return K of a layer of D: the one that is asked for, or the one that suits the spread of the data."""
    return (STEEPNESS / spread(target)) ** (1.0 / (config.d_depth + 1)) if config.K is None else config.K


def _rate(schedule: Schedule | None, decay: float) -> Callable[[float], float]:
    return partial(linear_decay, start=decay) if schedule is None else Piecewise(schedule)


def title(config: Config, target: Target) -> str:
    """Say in a line what is trained, with the Lipschitz constant that the network is normalised to."""
    if isinstance(target, Points):
        scale = "its own scale in each coordinate" if np.ndim(target.scale) else f"{target.scale:.6g}"
        kept = f"{len(target.x)} points and {len(target.held_out)} held out"
        what = f"{target.name} ({kept}, d = {target.dim}, divided by {scale})"
    else:
        what = target.name
    method, lipschitz = METHODS[config.method], ""
    if method.bounded:
        with np.errstate(over="ignore"):
            K = np.float64(per_layer_K(config, target))
            bound = float(K ** (config.d_depth + 1))
        lipschitz = f", K = {K:.4g} per layer, {bound:.4g} for D"
    return f"{what}, {method.text}{lipschitz}"
