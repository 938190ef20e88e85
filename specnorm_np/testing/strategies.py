"""Hypothesis strategies that draw weights, networks, and pairs of points for a Lipschitz bound to fail at."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from specnorm_np.network import forward
from specnorm_np.spectral import Array
from specnorm_np.testing.points import Function, unit
from specnorm_np.testing.rounding import forward_error_bound
from specnorm_np.testing.search import jacobian


class PlantedMatrix(NamedTuple):
    """W = U diag(s) Vᵀ, before W was rounded to its dtype.

    Attributes
    ----------
    W : (d_out, d_in) array
    U, V : (d_out, k) and (d_in, k) float64 arrays
        Orthonormal columns.
    s : (k,) float64 array
        Singular values that are not 0, in falling order.
    """

    W: Array
    U: Array
    s: Array
    V: Array


@st.composite
def planted_matrices(
    draw: st.DrawFn,
    d_out: int | None = None,
    d_in: int | None = None,
    *,
    max_d: int = 6,
    rank: int | None = None,
    r: float | tuple[float, float] = (2.0**-10, 1.0),
    sigma: float | tuple[float, float] = (2.0**-10, 2.0**10),
    dtype: npt.DTypeLike = np.float64,
) -> PlantedMatrix:
    """Draw a matrix with its singular value decomposition. It shrinks to a diagonal one of few rows and columns.

    Parameters
    ----------
    d_out, d_in : int, optional
        Shape; 1 to `max_d` by default.
    rank : int, optional
        0 gives the zero matrix. 1 to min(d_out, d_in) by default.
    r : float or (low, high), in (0, 1]
        σ₂/σ₁, if there is a σ₂. 1 gives a repeated σ₁.
    sigma : float or (low, high), positive
        σ₁.
    dtype : floating dtype
        Of W.

    Raises
    ------
    ValueError
        If the rank does not fit, or r or sigma is out of its range.
    """
    d_out = draw(st.integers(1, max_d)) if d_out is None else d_out
    d_in = draw(st.integers(1, max_d)) if d_in is None else d_in
    most = min(d_out, d_in)
    if not 0 <= (most if rank is None else rank) <= most:
        raise ValueError(f"rank is {rank}; expected 0 to {most}, for {d_out} × {d_in}")
    (r_low, r_high), (low, high) = _range(r), _range(sigma)
    if not (0.0 < r_low <= r_high <= 1.0 and 0.0 < low <= high < np.inf):
        raise ValueError(f"r is {r} and sigma is {sigma}; expected r in (0, 1] and sigma positive, low before high")
    k = draw(st.integers(1, most)) if rank is None else rank
    ratios = [1.0, draw(st.floats(r_low, r_high))] if k > 1 else [1.0]
    ratios += draw(
        st.lists(st.floats(min(2.0**-10, r_low), ratios[-1]), min_size=max(k - 2, 0), max_size=max(k - 2, 0))
    )
    s = draw(st.floats(low, high)) * np.array(sorted(ratios, reverse=True)[:k])
    U, V = draw(_orthonormal(d_out, k)), draw(_orthonormal(d_in, k))
    return PlantedMatrix(((U * s) @ V.T).astype(dtype), U, s, V)


AWKWARD = ("zero", "one entry", "ones", "rank one", "repeated", "orthogonal", "tiny", "subnormal", "huge")
"""The kinds of matrix that `weight_matrices` draws beside planted ones; 1×1, 1×n and n×1 are among the shapes."""


@st.composite
def weight_matrices(
    draw: st.DrawFn,
    d_out: int | None = None,
    d_in: int | None = None,
    *,
    max_d: int = 6,
    awkward: Sequence[str] = AWKWARD,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    """Draw a finite matrix: of small integers, with a planted spectrum (`planted_matrices`), or an awkward one.

    Parameters
    ----------
    d_out, d_in, max_d, dtype
        As in `planted_matrices`.
    awkward : sequence of str
        Which of `AWKWARD` may occur. Norms of "tiny" and "huge" matrices are near the ends of the range of `dtype`.
    """
    d_out = draw(_dimensions(max_d)) if d_out is None else d_out
    d_in = draw(_dimensions(max_d)) if d_in is None else d_in
    kind = draw(st.sampled_from(["integers", "planted", *awkward]))
    info, full = np.finfo(dtype), min(d_out, d_in)

    def planted(**arguments: Any) -> Array:
        return draw(planted_matrices(d_out, d_in, **arguments)).W

    if kind == "integers":
        W = np.array(draw(_vector(st.integers(-4, 4), d_out * d_in)), float).reshape(d_out, d_in)
    elif kind == "zero":
        W = np.zeros((d_out, d_in))
    elif kind == "one entry":
        W = np.zeros((d_out, d_in))
        W[draw(st.integers(0, d_out - 1)), draw(st.integers(0, d_in - 1))] = draw(st.sampled_from([1.0, -2.0]))
    elif kind == "ones":
        W = np.ones((d_out, d_in))
    elif kind == "rank one":
        W = planted(rank=1)
    elif kind in ("repeated", "orthogonal"):
        W = planted(rank=full, r=1.0, sigma=2.0) if kind == "repeated" else draw(_orthonormal(max(d_out, d_in), full))
        W = W if W.shape == (d_out, d_in) else W.T
    elif kind in ("tiny", "subnormal"):
        W = planted(sigma=1.0) * float(info.tiny) * (16.0 if kind == "tiny" else 0.5)
    elif kind == "huge":
        W = planted(sigma=1.0) * (float(info.max) / 16.0)
    elif kind == "planted":
        W = planted()
    else:
        raise ValueError(f"awkward has {kind!r}; expected names out of {AWKWARD}")
    with np.errstate(under="ignore"):
        return W.astype(dtype)


class MLP(NamedTuple):
    """A leaky ReLU perceptron, callable on (n, d_0) arrays.

    Attributes
    ----------
    layers : list of (W, b)
        Effective weights (d_l, d_{l-1}) and biases (d_l,), first layer first.
    slope : float
        Of the leaky ReLU.
    """

    layers: list[tuple[Array, Array]]
    slope: float

    def __call__(self, x: Array) -> Array:
        """Compute the values at the rows of x, (n, d_{L+1})."""
        return forward(*self.parameters, x, self.slope)[0]

    @property
    def parameters(self) -> tuple[list[Array], list[Array]]:
        """The weights of all layers, and the biases."""
        return [W for W, _ in self.layers], [b for _, b in self.layers]

    def error(self, x: Array) -> Array:
        """Bound the rounding of a value, for `assert_lipschitz`: see `forward_error_bound`."""
        return forward_error_bound(*self.parameters, self.slope, x)


@st.composite
def mlp_params(
    draw: st.DrawFn,
    d_in: int | None = None,
    d_out: int | None = None,
    *,
    max_width: int = 4,
    max_hidden: int = 2,
    slopes: Sequence[float] = (0.0, 0.1, 0.5, 1.0),
    dtype: npt.DTypeLike = np.float64,
) -> MLP:
    """Draw the parameters of a perceptron, biases not 0 among them: multiples of ½ and others, from -2 to 2.

    Parameters
    ----------
    d_in, d_out : int, optional
        Widths of input and output; 1 to `max_width` by default.
    max_width, max_hidden : int
        Largest width, and largest number, of hidden layers; there may be none.
    slopes : sequence of float
        Slopes of the leaky ReLU to choose from.
    dtype : floating dtype
    """
    width = st.integers(1, max_width)
    widths = [d_in or draw(width), *draw(st.lists(width, max_size=max_hidden)), d_out or draw(width)]
    slope = draw(st.sampled_from(slopes))
    halves = st.integers(-4, 4).map(lambda twice: twice / 2)
    entry = draw(st.sampled_from([halves, st.floats(-2.0, 2.0, width=16)]))
    layers = []
    for n_in, n_out in pairwise(widths):
        # as many entries whatever the width, so that a smaller width leaves the other draws where they are
        full = np.array(draw(_vector(entry, max(n_out, max_width) * (max(n_in, max_width) + 1))))
        block = full.reshape(-1, max(n_in, max_width) + 1)[:n_out, : n_in + 1].astype(dtype)
        layers.append((block[:, 1:].copy(), block[:, 0].copy()))
    return MLP(layers, slope)


@st.composite
def input_pairs(
    draw: st.DrawFn,
    d: int,
    f: Function | None = None,
    *,
    mlp: MLP | None = None,
    directions: npt.ArrayLike | None = None,
    n: int = 1,
    radius: float = 8.0,
    dtype: npt.DTypeLike = np.float64,
) -> tuple[Array, Array]:
    """Draw pairs of points: far and near ones, and those that are likely to refute a bound.

    Parameters
    ----------
    d : int
        Dimension of a point.
    f : function of an (n, d) array, optional
        Adds pairs along the top right singular vector of the Jacobian of f at the point.
    mlp : MLP, optional
        Adds pairs along the top right singular vector of its first layer, and pairs on both sides of a kink, across it.
        If f is not given, the Jacobian is that of `mlp`.
    directions : (m, d) array, optional
        Adds pairs along these vectors.
    n : int
        Number of pairs.
    radius : float
        Largest coordinate of the first point of a pair; one that is moved to a kink may have a larger one.
    dtype : floating dtype
        Of the points: take the one that f computes with.

    Returns
    -------
    x, y : (n, d) arrays
        Row i of x and row i of y are a pair. They shrink to small numbers, and may coincide.
    """
    steep: Any = mlp if f is None else f
    given = [unit(v) for v in np.atleast_2d(np.asarray(directions, np.float64))] if directions is not None else []
    if mlp is not None:
        given.append(np.linalg.svd(mlp.layers[0][0].astype(np.float64))[2][0])
    kinds = ["far", "near"] + ["along"] * bool(given) + ["steepest"] * (steep is not None)
    kinds += ["kink"] * (mlp is not None and len(mlp.layers) > 1)
    point = _vector(st.floats(-radius, radius, allow_subnormal=False), d).map(np.array)
    finest = np.finfo(dtype).nmant // 2
    pairs = []
    for _ in range(n):
        kind, x = draw(st.sampled_from(kinds)), draw(point)
        if kind == "far":
            pairs.append((x, draw(point)))
            continue
        length = 2.0 ** -draw(st.integers(-2, finest))
        if kind == "near":
            v = np.array(draw(_vector(st.floats(-1.0, 1.0, width=16), d)))
        elif kind == "along":
            v = draw(st.sampled_from(given))
        elif kind == "steepest":
            J = jacobian(steep, x.astype(dtype), length)
            v = np.linalg.svd(J, full_matrices=False)[2][0] if np.isfinite(J).all() else np.zeros(d)
        else:
            assert mlp is not None
            l = draw(st.integers(0, len(mlp.layers) - 2))
            x, v = across_kink(mlp, l, draw(st.integers(0, len(mlp.layers[l][1]) - 1)), x)
            x = x - draw(st.sampled_from([0.5, 0.125, 1.0])) * length * v
        pairs.append((x, x + length * v))
    x, y = (np.array(points).astype(dtype) for points in zip(*pairs, strict=True))
    return x, y


def across_kink(mlp: MLP, layer: int, unit: int, x: Array) -> tuple[Array, Array]:
    """Return a point near x where a unit of a hidden layer has its kink, and the unit vector across the kink."""
    v = np.zeros_like(x)
    for _ in range(4):  # Newton's method: exact in one step unless another kink is in between
        h, slopes = x.astype(np.float64), np.eye(len(x))
        for l, (W, b) in enumerate(mlp.layers[: layer + 1]):
            a, slopes = W @ h + b, W @ slopes
            if l < layer:
                gain = np.where(a > 0.0, 1.0, mlp.slope)
                h, slopes = gain * a, gain[:, None] * slopes
        norm = float(np.linalg.norm(slopes[unit]))
        if norm < 1e-6:
            break
        v = slopes[unit] / norm
        step = a[unit] / norm
        if abs(step) > 1e6:
            break
        x = x - step * v
    return x, v


def _range(value: float | tuple[float, float]) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)


def _dimensions(max_d: int) -> st.SearchStrategy[int]:
    """1 more often than chance: one row and one column are special."""
    return st.just(1) | st.integers(1, max_d) | st.integers(1, max_d)


def _vector(entry: st.SearchStrategy[Any], d: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(entry, min_size=d, max_size=d)


@st.composite
def _orthonormal(draw: st.DrawFn, d: int, k: int) -> Array:
    """Draw k orthonormal columns: of a product of two reflections at vectors of small integers, or of none."""
    Q = np.eye(d)
    for _ in range(2):
        w = np.array(draw(_vector(st.integers(-3, 3), d)), float)
        if w.any():
            Q -= np.outer(Q @ w, w) * (2.0 / (w @ w))
    return Q[:, :k]
