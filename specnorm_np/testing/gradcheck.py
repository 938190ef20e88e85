"""The oracle: central differences of a scalar function, against which a gradient derived by hand is checked.

It knows nothing of networks: a loss is any function of one array, and θ is one vector.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
ScalarFunction: TypeAlias = Callable[[Array], float]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)  # 6.1e-6


def directional(loss: ScalarFunction, x: Array, direction: Array, step: float = STEP) -> float:
    """Compute the derivative of `loss` at `x` along `direction` by a central difference.

    Parameters
    ----------
    loss : function (array) -> float
        Called twice, each time with a new array of the shape of x.
    x : float64 array
        Where.
    direction : array of the shape of x, not 0
        It need not have unit length; the result is linear in it.
    step : float, positive
        Relative step. Take a smaller one for a loss that bends on a scale far below max(1, |x|).

    Returns
    -------
    float
        (loss(x + tp) − loss(x − tp)) / 2t, p being `direction` and t = step·max(1, |x|)/‖p‖₂, where |x| is the
        largest entry of x that moves.

    Raises
    ------
    ValueError
        If x is not a finite float64 array or is empty, or the direction is 0, not finite or of another shape, or
        the step is not positive.

    Notes
    -----
    With h = t‖p‖ and ε = 2.2e-16: truncation costs h²/6 times the third derivative along p/‖p‖, rounding of the loss
    ε|loss|/h, rounding of x ± tp at most ε·max(1, |x|)/h times the gradient. The default step, ε^(1/3), balances the
    three: for a loss whose value and derivatives are of order 1, and |x| ≤ 1, each is below 4e-11. A loss of size s
    needs an absolute tolerance of s·4e-11 at least. Across a kink the result means nothing.
    """
    _check_variable(x)
    direction = np.asarray(direction, np.float64)
    length = float(np.linalg.norm(direction))
    if direction.shape != x.shape or not 0.0 < length < np.inf:
        raise ValueError(
            f"direction has shape {direction.shape} and length {length}; expected shape {x.shape}, length not 0"
        )
    if not step > 0.0:
        raise ValueError(f"step is {step}; expected a positive number")
    t = step * max(1.0, float(np.abs(x[direction != 0.0]).max())) / length
    return (float(loss(x + t * direction)) - float(loss(x - t * direction))) / (2.0 * t)


def numeric_gradient(loss: ScalarFunction, x: Array, step: float = STEP) -> Array:
    """Compute the gradient of `loss` at `x` entry by entry, by 2·x.size evaluations.

    Parameters
    ----------
    loss, x, step
        As in `directional`.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        As `directional`.
    """
    gradient = np.empty_like(x)
    for index, direction in _entries(x.shape):
        gradient[index] = directional(loss, x, direction, step)
    return gradient


def check_gradient(
    loss: ScalarFunction,
    x: Array,
    dx: Array,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    step: float = STEP,
    n_directions: int | None = None,
    rng: np.random.Generator | None = None,
) -> None:
    """Raise AssertionError unless `dx` is the gradient of `loss` at `x`.

    Parameters
    ----------
    loss, x, step
        As in `directional`.
    dx : array
        The gradient to be checked. It must have exactly the shape and the dtype of x: one that would merely
        broadcast is rejected.
    rtol, atol : float
        Analytic value a and numeric value d may differ by atol + rtol·max(|a|, |d|). The notes of `directional` tell
        what `atol` a loss of a given size needs; a relative tolerance alone fails where the gradient is 0.
    n_directions : int or None
        None compares every entry, by 2·x.size evaluations. A number compares ⟨dx, p⟩ along that many random unit
        directions p, by two evaluations for each: cheap for large θ; a random direction overlooks an error of a
        gradient with probability 0, but a small error in few entries may drown in the tolerance.
    rng : Generator or None
        Needed if `n_directions` is given.

    Raises
    ------
    AssertionError
        With the analytic and the numeric value, their difference and its place, at the worst place.
    ValueError
        As `directional`; or if `n_directions` is below 1, or is given without `rng`.
    """
    __tracebackhide__ = True
    _check_variable(x)
    dx = np.asarray(dx)
    if dx.shape != x.shape or dx.dtype != x.dtype:
        raise AssertionError(f"dx has shape {dx.shape}, dtype {dx.dtype}; x has shape {x.shape}, dtype {x.dtype}")
    if not np.isfinite(dx).all():
        raise AssertionError(f"dx is not finite at index {tuple(map(int, np.argwhere(~np.isfinite(dx))[0]))}")
    worst, report = 0.0, ""
    for where, direction in _places(x.shape, n_directions, rng):
        analytic, numeric = float(np.vdot(dx, direction)), directional(loss, x, direction, step)
        difference, tolerance = abs(analytic - numeric), atol + rtol * max(abs(analytic), abs(numeric))
        if not difference <= tolerance:
            excess = difference / tolerance if tolerance > 0.0 and np.isfinite(difference) else np.inf
            if excess > worst:
                worst = excess
                report = f"{where}: analytic {analytic:.12g}, numeric {numeric:.12g}, "
                report += f"difference {difference:.3g}, allowed {tolerance:.3g}"
    if report:
        raise AssertionError(f"wrong gradient, worst at {report}")


def _check_variable(x: Array) -> None:
    if not isinstance(x, np.ndarray) or x.dtype != np.float64 or x.size == 0 or not np.isfinite(x).all():
        what = f"of shape {x.shape}, dtype {x.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise ValueError(f"x is {what}; expected a finite float64 array with at least one entry")


def _entries(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    for index in np.ndindex(*shape):
        direction = np.zeros(shape)
        direction[index] = 1.0
        yield index, direction


def _places(shape: tuple[int, ...], n: int | None, rng: np.random.Generator | None) -> Iterator[tuple[str, Array]]:
    if n is None:
        for index, direction in _entries(shape):
            yield f"index {index}", direction
        return
    if n < 1 or rng is None:
        raise ValueError(f"n_directions is {n} and rng is {rng}; expected at least 1, and a Generator")
    for k in range(n):
        direction = rng.standard_normal(shape)
        yield f"direction {k}", direction / np.linalg.norm(direction)
