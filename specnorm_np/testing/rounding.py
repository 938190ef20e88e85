"""What rounding may do to the value of a function: the spacing of the number formats, and a derived bound."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from specnorm_np.network import forward
from specnorm_np.spectral import Array

U = 2.0**-53  # the rounding unit of float64, in which the checks compute

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "tf32": 2.0**-10, "bfloat16": 2.0**-7}


def epsilon(precision: str | float | npt.DTypeLike) -> float:
    """Return the distance of 1 from the next larger number of a format.

    Parameters
    ----------
    precision : name out of `EPSILON`, dtype, or that distance itself

    Raises
    ------
    ValueError
        If it is none of these, or the distance is not between 0 and 1.
    """
    expected = f"expected one of {', '.join(EPSILON)}, or the distance of 1 from the next number, between 0 and 1"
    if isinstance(precision, int | float):
        if not 0.0 < precision < 1.0:
            raise ValueError(f"precision is {precision}; {expected}")
        return float(precision)
    name = getattr(precision, "__name__", None) or str(precision)
    if name in EPSILON:
        return EPSILON[name]
    try:
        return float(np.finfo(precision).eps)
    except (TypeError, ValueError):
        raise ValueError(f"precision is {precision!r}; {expected}") from None


def forward_error_bound(W: Sequence[Array], b: Sequence[Array], slope: float, x: Array) -> Array:
    """Bound ‖f̂(x) − f(x)‖₂ for f̂ the `network.forward` of a leaky ReLU network, in floating point.

    Parameters
    ----------
    W, b : L+1 arrays each
        Effective weights (d_l, d_{l-1}) and biases (d_l,).
    slope : float, at least 0
        Of the leaky ReLU.
    x : (n, d_0) array
        Points.

    Returns
    -------
    (n,) float64 array
        Infinite where the model says nothing.

    Notes
    -----
    Model, with u the rounding unit of the coarsest of the dtypes of W, b and x: a dot product of n terms, in any order,
    errs by at most γ_n|x|ᵀ|y|, γ_n = nu/(1 − nu), plus the smallest normal number for each term in case of underflow.
    For f the function of real numbers with the stored W and b, and the slope as given, errors e_l of the activations
    then obey, entry by entry,

        e_l ≤ L|Wˡ|e_{l-1} + Lγ_{d+1}(|Wˡ||ĥ_{l-1}| + |bˡ|) + 3u|ĥ_l|,    e_0 = 0,    L = max(1, slope),

    d = d_{l-1}, the last term only for activations, where the slope is rounded and multiplied by. Another order of
    summation gives another ĥ; both are within e of h, so |ĥ| here is that of one run plus 2e. The bound is itself
    computed in float64, of non-negative numbers, and enlarged by twice its rounding.
    """
    W, b, x = [np.asarray(W_l) for W_l in W], [np.asarray(b_l) for b_l in b], np.asarray(x)
    info = [np.finfo(array.dtype) for array in (x, *W, *b)]
    u, least = max(float(i.eps) for i in info) / 2, max(float(i.tiny) for i in info)
    if not 0.0 <= slope < np.inf:
        raise ValueError(f"slope is {slope}; expected a number that is at least 0")
    with np.errstate(over="ignore", invalid="ignore"):
        f, cache = forward(W, b, x, slope)
        e: Array = np.zeros(x.shape)
        for l, (W_l, b_l, h) in enumerate(zip(W, b, cache, strict=True)):
            d = W_l.shape[1]
            gamma = (d + 1) * u / (1.0 - (d + 1) * u) if (d + 1) * u < 1.0 else np.inf
            A, c = np.abs(W_l).astype(np.float64).T, np.abs(b_l).astype(np.float64)
            e = e @ A + gamma * ((np.abs(h).astype(np.float64) + 2.0 * e) @ A + c) + 2 * (d + 1) * least
            if l + 1 < len(W):
                e = max(1.0, slope) * e
                e = (e + 3.0 * u * np.abs(cache[l + 1]).astype(np.float64) + least) * (1.0 + 7.0 * u)
            e = e * (1.0 + 2 * (2 * d + 12) * U)
        bound = np.linalg.norm(e, axis=1) * (1.0 + 2 * (e.shape[1] + 4) * U)
    return np.where(np.isfinite(bound) & np.isfinite(f).all(axis=1), bound, np.inf)
