"""The options that `train` and `compare` have in common, and the configs that they ask for."""

import argparse
import dataclasses
import difflib
import inspect
import os
from pathlib import Path
from typing import Any

from specnorm_np.optim import TABLE_1
from specnorm_np.rivals.methods import METHODS
from specnorm_np.rivals.schedules import Piecewise
from specnorm_np.runs.compare import ADAM, parse_seeds, plan
from specnorm_np.runs.config import GRID, LOSSES, PRESETS, STEEPNESS, Config, from_json, from_options
from specnorm_np.toy.files import DELIMITERS
from specnorm_np.toy.targets import TARGETS

Group = argparse._ArgumentGroup
DEFAULT = Config()
TARGET_OPTIONS = {
    "n_modes": (int, "modes"),
    "n_side": (int, "modes along a side, or fields of the board"),
    "radius": (float, "radius"),
    "spacing": (float, "distance of neighbouring modes"),
    "std": (float, "standard deviation of every mode"),
    "noise": (float, "standard deviation across the curve"),
    "turns": (float, "turns"),
    "width": (float, "side of the board"),
}
"""The options of the targets. Each target has those that its function in `toy.targets` takes."""


def _of_targets(name: str) -> str:
    """Say which targets have an option, and what it is by default."""
    parts = []
    for target, factory in TARGETS.items():
        parameter = inspect.signature(factory).parameters.get(name)
        if parameter is not None:
            parts.append(f"{target} {parameter.default:g}")
    return f"{TARGET_OPTIONS[name][1]} (default: {', '.join(parts)})"


def add_options(train: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options of `train`, or, for several runs, those of `compare`."""
    _add_what(train.add_argument_group("what to learn"))
    how = train.add_argument_group("how")
    _add_methods(how, several)
    _add_training(how)
    _add_sizes(train.add_argument_group("networks"))
    _add_files(train.add_argument_group("files"), several)


def _add_what(what: Group) -> None:
    what.add_argument("what", nargs="?", metavar="TARGET", help="the same as --target TARGET or --data FILE")
    what.add_argument("--target", choices=TARGETS, help=f"a distribution in the plane (default {DEFAULT.target})")
    for name, (kind, _) in TARGET_OPTIONS.items():
        what.add_argument(f"--{name.replace('_', '-')}", type=kind, help=_of_targets(name))
    what.add_argument("--data", metavar="FILE", help="your own points instead: a table of n lines of d numbers, any d")
    what.add_argument("--columns", metavar="NAMES", help="names or numbers (from 1) of the columns with the points")
    what.add_argument("--delimiter", choices=DELIMITERS, help="what stands between the cells (default: found)")
    what.add_argument("--standardize", action="store_true", help="divide each column by its own standard deviation")


def _add_methods(how: Group, several: bool) -> None:
    if several:
        how.add_argument("--methods", default="none,wn,sn", metavar="NAMES", help="see below (default none,wn,sn)")
        how.add_argument("--settings", metavar="NAMES", help="Adam and n_dis of Table 1, A to F (default D)")
        how.add_argument("--seeds", default="0-2", help="whole numbers and ranges, like 0-2,5 (default 0-2)")
    else:
        how.add_argument("--method", choices=METHODS, metavar="NAME", help=f"see below (default {DEFAULT.method})")
        how.add_argument("--setting", choices=TABLE_1, help="Adam and n_dis of a row of the paper's Table 1")
        how.add_argument("--seed", type=int, help=f"(default {DEFAULT.seed})")


def _add_training(how: Group) -> None:
    d = DEFAULT
    how.add_argument("--preset", choices=PRESETS, help="fine: takes minutes, and comes closer to the target")
    how.add_argument(
        "--K",
        type=float,
        help=f"Lipschitz constant per layer (default: D's, K^(L+1), is {STEEPNESS:g} over the spread of the data)",
    )
    how.add_argument("--K-schedule", type=_schedule, metavar="P:F,P:F", help="factor F of K at a share P of the run")
    how.add_argument("--n-iter", type=int, help=f"power iterations per update (default {d.n_iter})")
    how.add_argument("--loss", choices=LOSSES, help="(default: standard, with -log D for G; wasserstein for wgan-gp)")
    how.add_argument("--alpha", "--lr", type=float, help="learning rate of Adam, for D and G alike")
    how.add_argument("--d-alpha", type=float, help=f"learning rate of D (default {d.d_alpha:g})")
    how.add_argument("--g-alpha", type=float, help=f"learning rate of G (default {d.g_alpha:g})")
    how.add_argument("--beta1", type=float, help=f"of Adam (default {d.beta1:g})")
    how.add_argument("--beta2", type=float, help=f"of Adam (default {d.beta2:g})")
    how.add_argument("--n-dis", type=int, help=f"updates of D to one of G (default {d.n_dis})")
    steps = f"generator updates (default {d.steps}; 25000 on the grid, 10000 on the other shapes)"
    how.add_argument("--steps", type=int, help=steps)
    how.add_argument("--decay", type=float, help=f"share of the run after which the rates fall (default {d.decay:g})")
    for name in ("d", "g"):
        text = f"instead: factor F of the rate of {name.upper()} at a share P of the run, linear in between"
        how.add_argument(f"--{name}-schedule", type=_schedule, metavar="P:F,P:F", help=text)
    batch = f"real and generated points in a step of D (default {d.batch}; {GRID['batch']} on the grid)"
    how.add_argument("--batch", "--batch-size", type=int, help=batch)
    how.add_argument("--average", type=float, help=f"decay of the average of G, 0 for none (default {d.average:g})")


def _add_sizes(size: Group) -> None:
    for name in ("d", "g"):
        size.add_argument(f"--{name}-width", type=int, help=f"of the hidden layers of {name.upper()} (default 128)")
        size.add_argument(f"--{name}-depth", type=int, help=f"number of hidden layers of {name.upper()} (default 3)")
    size.add_argument("--d-last-width", type=int, help="of the last hidden layer of D (default that of the others)")
    scale = "factor of G's last weights at the start (default: the spread of the data)"
    size.add_argument("--g-scale", type=float, help=scale)
    size.add_argument("--latent", type=int, help=f"dimension of z (default {DEFAULT.latent})")
    size.add_argument("--dtype", choices=("float32", "float64"), help=f"(default {DEFAULT.dtype})")


def _add_files(files: Group, several: bool) -> None:
    files.add_argument("--config", type=Path, metavar="FILE", help="start from the config.json of another run")
    if several:
        out = Path("runs/compare")
        files.add_argument("--out", type=Path, default=out, metavar="DIR", help=f"of the comparison (default {out})")
        files.add_argument("--jobs", type=int, metavar="N", help="runs at a time (default one per core)")
        cluster = "train on the cluster of this dask.distributed scheduler, like tcp://host:8786 (extra dask)"
        files.add_argument("--dask", metavar="ADDRESS", help=cluster)
    else:
        files.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default the next free one in runs/)")
    files.add_argument("--quiet", action="store_true", help="print nothing but errors")


def fields_of(options: argparse.Namespace) -> dict[str, Any]:
    """Collect the fields of `Config` that are given: by the file, then by the setting, then by the options."""
    given = dict(vars(options))
    fields: dict[str, Any] = {}
    if "config" in given:
        try:
            fields = from_json(given["config"].read_text())
        except OSError as error:
            raise ValueError(f"{given['config']} cannot be read: {error.strerror}") from None
        except (UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{given['config']} cannot be used: {error}") from None
    if "what" in given:
        if {"target", "data"} & given.keys():
            raise ValueError(f"{given['what']!r} is given beside --target or --data; expected one of them")
        given["target" if given["what"] in TARGETS else "data"] = _checked(given["what"])
    if "target" in given and "data" in given:
        raise ValueError("both --target and --data are given; expected one of them")
    if "target" in given:
        fields |= {"data": None, "target_options": {}, "columns": None, "delimiter": None, "standardize": False}
    if "setting" in given:
        adam, n_dis = TABLE_1[given["setting"]]
        fields |= dict(zip(ADAM, (adam.alpha, adam.alpha, adam.beta1, adam.beta2, n_dis), strict=True))
    target_options = {name: given[name] for name in TARGET_OPTIONS if name in given}
    if target_options and fields.get("data", given.get("data")) is not None:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in target_options)
        raise ValueError(f"{names} has no effect on points of your own; expected it with a target only")
    if target_options:
        fields["target_options"] = {**fields.get("target_options", {}), **target_options}
    if "alpha" in given:
        fields |= {"d_alpha": given["alpha"], "g_alpha": given["alpha"]}
    own = {field.name for field in dataclasses.fields(Config)}
    return {**fields, **{name: value for name, value in given.items() if name in own}}


def _checked(what: str) -> str:
    """Refuse what is neither a target nor a file, and say what was probably meant."""
    if what in TARGETS or what == "-" or os.path.exists(what):
        return what
    near = difflib.get_close_matches(what, TARGETS, 1)
    if os.sep in what or Path(what).suffix:
        raise ValueError(f"{what!r} is no file")
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(TARGETS)}, or a file of points"
    raise ValueError(f"{what!r} is neither a target nor a file; {hint}")


def _schedule(text: str) -> tuple[tuple[float, float], ...]:
    """Read a schedule as it is typed: "0.5:1,1:0"."""
    try:
        points = tuple(tuple(map(float, point.split(":"))) for point in text.split(","))
        return Piecewise(points).points  # type: ignore[arg-type]
    except ValueError as error:
        message = f"{text!r} is no schedule; expected one like 0.5:1,1:0 ({error})"
        raise argparse.ArgumentTypeError(message) from None


def config_of(options: argparse.Namespace) -> Config:
    """Make the config of `train`."""
    config = from_options(fields_of(options), getattr(options, "preset", None))
    fields = METHODS[config.method].fields
    for name, other in (("K", fields(2.0, 1)), ("K_schedule", fields(2.0, 1)), ("n_iter", fields(1.0, 2))):
        if hasattr(options, name) and other == fields(1.0, 1):
            text = name.replace("_", "-")
            raise ValueError(f"--{text} has no effect on the method {config.method}; expected it with another one")
    return config


def plan_of(options: argparse.Namespace) -> list[Config]:
    """Make the configs of `compare`. Without `--settings` it is D, unless something else is said about Adam."""
    adam = [name for name in ("alpha", *ADAM) if hasattr(options, name)]
    settings = getattr(options, "settings", None)
    if settings is not None and adam:
        raise ValueError(f"both --settings and --{adam[0].replace('_', '-')} are given; expected one of them")
    if settings is None and not adam and not hasattr(options, "config"):
        settings = "D"
    names = [name.strip() for name in options.methods.split(",")]
    rows = None if settings is None else [name.strip() for name in settings.split(",")]
    return plan(names, rows, parse_seeds(options.seeds), fields_of(options), getattr(options, "preset", None))
