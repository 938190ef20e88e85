"""What a run is asked to be: one flat record of plain values, which JSON can hold, and the objects made of it."""

import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from specnorm_np.gan import GAN
from specnorm_np.losses import HINGE, SATURATING, STANDARD, WASSERSTEIN
from specnorm_np.optim import Adam
from specnorm_np.rivals.methods import METHODS, fields_of
from specnorm_np.toy.points import Points
from specnorm_np.toy.targets import TARGETS, Target

FORMAT = 1
LOSSES = {"standard": STANDARD, "saturating": SATURATING, "hinge": HINGE, "wasserstein": WASSERSTEIN}
DEFAULTS = {"grid": {"K": 2.0, "alpha": 2e-3, "decay": 0.3, "batch": 256, "steps": 25_000, "g_scale": 3.0}}
"""Where the defaults of a target differ from those of `Config`."""


@dataclass(frozen=True)
class Config:
    """All choices of a run. The command's help says what each is; `Config()` is what `specnorm-np train` does.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range. It names the field.
    """

    target: str = "ring"
    target_options: dict[str, float] = field(default_factory=dict)
    data: str | None = None
    method: str = "sn"
    K: float = 1.0
    n_iter: int = 1
    loss: str | None = None
    alpha: float = 1.5e-3
    beta1: float = 0.5
    beta2: float = 0.999
    n_dis: int = 1
    steps: int = 20_000
    decay: float = 0.5
    batch: int = 128
    d_width: int = 128
    d_depth: int = 3
    g_width: int = 128
    g_depth: int = 3
    g_scale: float = 1.0
    latent: int = 2
    dtype: str = "float32"
    average: float = 0.999
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_iter", "n_dis", "steps", "batch", "d_width", "d_depth", "g_width", "g_depth", "latent"):
            self._check(name, int, 1)
        self._check("seed", int, 0)
        for name in ("K", "alpha", "g_scale"):
            self._check(name, float, math.ulp(0.0))
        for name, most in (("beta1", 1.0), ("beta2", 1.0), ("average", 1.0), ("decay", math.inf)):
            self._check(name, float, 0.0, below=most)
        for name, choices in (("method", METHODS), ("dtype", ("float32", "float64"))):
            _check_choice(name, getattr(self, name), choices)
        if self.loss is not None:
            _check_choice("loss", self.loss, LOSSES)
        if self.decay > 1.0:
            raise ValueError(f"decay is {self.decay}; expected a share of the run in [0, 1]")
        if self.data is None:
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
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")


def from_options(options: Mapping[str, Any]) -> Config:
    """Make a config of the given fields and, for the others, the defaults of its target."""
    unknown = sorted(set(options) - {f.name for f in fields(Config)})
    if unknown:
        raise ValueError(f"the config has the unknown field {unknown[0]!r}")
    defaults = DEFAULTS.get(str(options.get("target")), {}) if options.get("data") is None else {}
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
    if version > FORMAT:
        raise ValueError(f"it has format {version}, from a newer version of specnorm-np; this one reads up to {FORMAT}")
    return fields_


def make_target(config: Config) -> Target:
    """Make the target that a config without `data` names.

    Raises
    ------
    ValueError
        If there is none of that name, or it does not take one of the options.
    """
    _check_choice("target", config.target, TARGETS)
    factory = TARGETS[config.target]
    known = inspect.signature(factory).parameters
    for name in config.target_options:
        if name not in known:
            raise ValueError(f"target {config.target} has no option {name}; it has {', '.join(known)}")
    return factory(**config.target_options)


def make_gan(config: Config, target: Target) -> GAN:
    """Make the GAN that a config asks for, with D and G as wide as the target's points."""
    adam = Adam(config.alpha, config.beta1, config.beta2)
    fields = fields_of(config.method, config.K, config.n_iter)
    if config.loss is not None:
        fields["loss"] = LOSSES[config.loss]
    return GAN(
        **fields,
        d_widths=(target.dim, *[config.d_width] * config.d_depth, 1),
        g_widths=(config.latent, *[config.g_width] * config.g_depth, target.dim),
        d_optim=adam,
        g_optim=adam,
        n_dis=config.n_dis,
        batch=config.batch,
        steps=config.steps,
        decay_from=round(config.decay * config.steps) if config.decay < 1.0 else None,
        average=config.average,
        g_scale=config.g_scale,
        dtype=config.dtype,
    )


def title(config: Config, target: Target) -> str:
    """Say in a line what is trained, with the Lipschitz constant that the network is normalised to."""
    if isinstance(target, Points):
        what = f"{target.name} ({len(target.x)} points, d = {target.dim}, divided by {target.scale:.6g})"
    else:
        what = target.name
    method, lipschitz = METHODS[config.method], ""
    if method.bounded:
        with np.errstate(over="ignore"):
            bound = float(np.float64(config.K) ** (config.d_depth + 1))
        lipschitz = f", K = {config.K:g} per layer, {bound:g} for D"
    return f"{what}, {method.text}{lipschitz}"
