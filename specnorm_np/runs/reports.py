"""What can be said of a run's discriminator as a Lipschitz function: the numbers of `specnorm-np lipschitz`."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.bounds.certificates import spectral_norm_bounds
from specnorm_np.bounds.lipschitz import (
    exact_lipschitz_constant,
    lipschitz_lower_bound,
    lipschitz_upper_bound,
    tighter_lipschitz_upper_bound,
)
from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound
from specnorm_np.network import MLP
from specnorm_np.runs import run as runs
from specnorm_np.spectral import Array, spectral_norm

MARGIN = 1.5


def box_around(run: runs.Run) -> Array:
    """Return the box in which D is looked at, (d, 2): that of the target's points, 1.5 times as wide."""
    x = runs.reference(run.target)
    low, high = x.min(axis=0), x.max(axis=0)
    center, half = (low + high) / 2, (high - low) / 2
    half = MARGIN * np.maximum(half, 1e-3 * (half.max() or 1.0))  # a coordinate that does not vary still gets a side
    return np.stack([center - half, center + half], axis=1)


def lipschitz_report(run: runs.Run, progress: Callable[[float, float], object] | None = None) -> dict[str, Any]:
    """Bracket the Lipschitz constant of f, layer by layer and as a whole, in training units.

    Parameters
    ----------
    run : Run
    progress : function (done, total), optional
        Called while the exact constant is computed.

    Returns
    -------
    dict
        `sigma_hat` (None without power iteration), `sigma_bar`, `lower`, `upper`: lists over layers; `product`, the
        bound (7); `tighter`; `semidefinite`; `exact` and `regions` where D's input is a plane, else None;
        `lower_bound`, `at`, `box`.

    Raises
    ------
    ValueError
        If D normalises activations: the effective weights alone then do not make f.
    """
    if type(run.gan.d_net) is not MLP:
        raise ValueError(
            f"{run.directory} normalises activations ({run.config.method}); the bounds are for weights alone"
        )
    W_bar, b = algorithm.effective(run.state.D, run.gan.normalizer)
    slope, box = run.gan.d_net.slope, box_around(run)
    bounds = [spectral_norm_bounds(W) for W in W_bar]
    lower, at = lipschitz_lower_bound(W_bar, b, slope, box, rng=np.random.default_rng(run.config.seed))
    exact = exact_lipschitz_constant(W_bar, b, slope, box, progress=progress) if run.target.dim == 2 else None
    return {
        "sigma_hat": runs.sigma_hat(run),
        "sigma_bar": [spectral_norm(W) for W in W_bar],
        "lower": [bound[0] for bound in bounds],
        "upper": [bound[1] for bound in bounds],
        "product": lipschitz_upper_bound(W_bar, slope),
        "tighter": tighter_lipschitz_upper_bound(W_bar, slope),
        "semidefinite": sdp_lipschitz_upper_bound(W_bar, slope),
        "exact": None if exact is None else exact.value,
        "regions": None if exact is None else exact.n_regions,
        "lower_bound": lower,
        "at": at.tolist(),
        "box": box.tolist(),
    }


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the report as a person reads it."""
    yield "layer   σ̂(W)          σ(W̄) by SVD    certified: σ(W̄) is in"
    rows = zip(report["sigma_hat"], report["sigma_bar"], report["lower"], report["upper"], strict=True)
    for l, (sigma_hat, sigma, lower, upper) in enumerate(rows, 1):
        shown = "–" if sigma_hat is None else f"{sigma_hat:.6f}"
        yield f"{l:5}   {shown:13} {sigma:<14.9f} [{lower:.13g}, {upper:.13g}]"
    yield ""
    box = " × ".join(f"[{low:.3g}, {high:.3g}]" for low, high in report["box"])
    yield f"Lipschitz constant of f, in training units; on the box {box}:"
    largest = report["exact"] or report["lower_bound"]
    named = [
        ("product of the certified σ(W̄), (7), everywhere", report["product"], ""),
        ("tighter upper bound (Combettes & Pesquet), everywhere", report["tighter"], ""),
        ("semidefinite upper bound (LipSDP-Neuron), everywhere", report.get("semidefinite"), ""),
        ("exact, on the box", report["exact"], f"   {report['regions']} regions"),
        ("lower bound: a gradient found on the box", report["lower_bound"], ""),
    ]
    for name, value, more in named:
        if value is not None:
            ratio = f"{value / largest:8.3f} ×" if largest > 0.0 else ""
            yield f"  {name:54}{value:14.9g}{ratio}{more}"
    yield f"  (× the {'exact one' if report['exact'] else 'lower bound'})"
