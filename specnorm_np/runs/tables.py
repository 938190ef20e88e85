"""What a comparison has found: a tidy row per run, and mean ± standard error over seeds."""

import csv
import dataclasses
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from specnorm_np.optim import TABLE_1
from specnorm_np.runs.compare import ADAM, Result
from specnorm_np.runs.config import Config
from specnorm_np.runs.storage import write_text

METRICS = (
    *("modes", "modes_total", "high_quality", "reverse_kl", "two_sample", "offset", "spread_minor", "spread_major"),
    *("frechet", "lipschitz_upper", "seconds"),
)


def setting_of(config: Config) -> str:
    """Name the row of Table 1 that a config has, or give α of D, α of G, β₁, β₂, n_dis."""
    own = tuple(getattr(config, name) for name in ADAM)
    for name, (adam, n_dis) in TABLE_1.items():
        if own == (adam.alpha, adam.alpha, adam.beta1, adam.beta2, n_dis):
            return name
    return ", ".join(f"{value:g}" for value in own)


def tidy_rows(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Make a row of every run: method, setting, target, seed, the other fields, the metrics, status, failure, key.

    The columns are the same for all; what does not apply is None.
    """
    results = list(results)
    depth = max((len(result.summary["sigma_bar"]) for result in results if result.summary), default=0)
    rows = []
    for result in results:
        fields = dataclasses.asdict(result.config)
        fields["target_options"] = json.dumps(fields["target_options"], sort_keys=True)
        row = {"method": fields["method"], "setting": setting_of(result.config)}
        row |= {name: fields[name] for name in ("target", "seed")} | fields
        summary = result.summary or {}
        row |= {name: summary.get(name) for name in METRICS}
        sigmas = [*summary.get("sigma_bar", ()), *[None] * depth]
        row |= {f"sigma_bar_{l}": sigmas[l - 1] for l in range(1, depth + 1)}
        rows.append({**row, "status": result.status, "failure": result.failure, "key": result.key})
    return rows


def describe(result: Result) -> str:
    """Say in a line what has become of a run."""
    what = f"{result.config.method}, {setting_of(result.config)}, seed {result.config.seed}"
    if result.summary is None:
        return f"{what}: {result.failure or result.status}"
    s = result.summary
    modes = ""
    if s["modes_total"] is not None:
        modes = f"{s['modes']} of {s['modes_total']} modes, high quality {s['high_quality']:.1%}, "
    return f"{what}: {modes}Fréchet {s['frechet']:.2g}, {s['seconds']:.0f} s"


def mean_se(values: Sequence[float]) -> tuple[float, float | None]:
    """Compute the mean and its standard error s/√n, with s² over n − 1; None for a single or an infinite value."""
    if math.inf in values:
        return math.inf, None
    mean = statistics.fmean(values)
    return mean, statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


CELLS = (
    ("modes", "modes", 1.0, ".2f"),
    ("high quality, %", "high_quality", 100.0, ".2f"),
    ("reverse KL", "reverse_kl", 1.0, ".4f"),
    ("1-NN, %", "two_sample", 100.0, ".1f"),
    ("offset/std", "offset", 1.0, ".2f"),
    ("spread, minor", "spread_minor", 1.0, ".2f"),
    ("spread, major", "spread_major", 1.0, ".2f"),
    ("Fréchet distance", "frechet", 1.0, ".4f"),
    ("seconds", "seconds", 1.0, ".1f"),
)
"""Columns of the table: heading, metric, factor, digits."""


def table(results: Iterable[Result]) -> list[str]:
    """Make a table, in Markdown, of mean ± standard error over seeds, a row per method and setting.

    A field of the config that differs otherwise has a column, too. The numbers are over the runs that have finished;
    the column "runs" says how many have not, and why. A reverse KL of ∞ says that in at least one of them no sample was
    of high quality. Each target ends with the row of a perfect sampler.
    """
    results = list(results)
    labels = {result.key: _labels(result.config) for result in results}
    varying = [name for name in next(iter(labels.values()), {}) if len({row[name] for row in labels.values()}) > 1]
    shown = ["method", "setting", *(name for name in varying if name not in ("method", "setting"))]
    groups: dict[tuple[str, ...], list[Result]] = {}
    perfect: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for result in results:
        label = labels[result.key]
        groups.setdefault(tuple(label[name] for name in shown), []).append(result)
        if result.summary is not None:
            of_target = {"method": "perfect sampler", **{name: label[name] for name in TARGET if name in varying}}
            perfect[tuple(of_target.get(name, "") for name in shown)] = result.summary["perfect_sampler"]
    lines = [[*shown, "runs", *(cell[0] for cell in CELLS)]]
    for group, members in groups.items():
        lines.append([*group, _runs(members), *_cells([r.summary for r in members if r.summary is not None])])
    lines += [[*group, "", *_cells([report])] for group, report in perfect.items()]
    return _markdown(lines)


TARGET = ("target", "target_options", "data")


def _labels(config: Config) -> dict[str, str]:
    """Write every field in which a row of the table may differ from another."""
    fields = {name: str(value) for name, value in dataclasses.asdict(config).items() if name not in ("seed", *ADAM)}
    return {"method": config.method, "setting": setting_of(config), **fields}


def _runs(members: Sequence[Result]) -> str:
    """Count the finished runs and what has become of the others."""
    states = [result.status for result in members]
    missing = [name for name in ("diverged", "failed", "unfinished") if name in states]
    counts = ", ".join(f"{states.count(name)} of {len(states)} {name}" for name in missing)
    return counts or str(len(states))


def _cells(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = []
    for _, name, factor, digits in CELLS:
        values = [summary.get(name) for summary in summaries]
        if name == "reverse_kl":  # JSON has no infinity
            values = [math.inf if s["modes_total"] and s[name] is None else s[name] for s in summaries]
        known = [factor * value for value in values if value is not None]
        if not known or len(known) < len(values):
            cells.append("–")
            continue
        mean, se = mean_se(known)
        text = "∞" if mean == math.inf else f"{mean:{digits}}"
        text += f" ± {se:{digits}}" if se is not None else ""
        cells.append(f"{text} of {summaries[0]['modes_total']}" if name == "modes" else text)
    return cells


def _markdown(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    return [rows[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows[1:]]


def save(results: Iterable[Result], directory: Path) -> None:
    """Write `results.csv`, a row per run, and `table.md` into the folder of a comparison.

    Raises
    ------
    ValueError
        If the folder holds something else.
    """
    results, path = list(results), directory / "results.csv"
    ours = path.is_file() and path.read_bytes().startswith(b"method,setting,target,seed,")
    if directory.exists() and not ours and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"{directory} is not empty and holds no comparison; expected a new folder or a comparison's")
    directory.mkdir(parents=True, exist_ok=True)
    rows = tidy_rows(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    write_text(path, text.getvalue())
    write_text(directory / "table.md", "".join(f"{line}\n" for line in table(results)))
