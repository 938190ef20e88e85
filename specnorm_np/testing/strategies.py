"""Hypothesis strategies that draw weights, networks, and pairs of points for a Lipschitz bound to fail at."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from specnorm_np.spectral import Array
from specnorm_np.testing.checks import Precision
from specnorm_np.testing.pairs import Seeded, Wanted, make_pair
from specnorm_np.testing.perceptron import MLP, across_kink as across_kink
from specnorm_np.testing.points import Box, Function, Pair, Shape, shape_of, unit, written
from specnorm_np.testing.rounding import epsilon

_FEW = 32  # numbers that are drawn one by one
_seeds = st.integers(1, 2**32 - 1)
_seed_or_0 = st.just(0) | _seeds | _seeds | _seeds | _seeds


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

    def __repr__(self) -> str:
        if self.W.size > 64:
            return f"<PlantedMatrix of shape {self.W.shape}, s = {written(self.s)}>"
        return f"PlantedMatrix(W={self.W!r}, U={self.U!r}, s={self.s!r}, V={self.V!r})"


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
    least, largest = min(2.0**-10, r_low), ratios[-1]
    others = _vector(st.floats(least, largest), max(k - 2, 0), lambda rng, m: rng.uniform(least, largest, m), largest)
    ratios += draw(others).tolist()
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
        entry, fill = _whole(-4, 4)
        W = draw(_vector(entry, d_out * d_in, fill)).reshape(d_out, d_in)
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

    def fill(rng: np.random.Generator, m: int) -> Array:
        return rng.integers(-4, 5, m) / 2

    entry = draw(st.sampled_from([halves, st.floats(-2.0, 2.0, width=16)]))
    layers = []
    for n_in, n_out in pairwise(widths):
        # as many entries whatever the width, so that a smaller width leaves the other draws where they are
        full = draw(_vector(entry, max(n_out, max_width) * (max(n_in, max_width) + 1), fill))
        block = full.reshape(-1, max(n_in, max_width) + 1)[:n_out, : n_in + 1].astype(dtype)
        layers.append((block[:, 1:].copy(), block[:, 0].copy()))
    return MLP(layers, slope)


@st.composite
def input_pairs(
    draw: st.DrawFn,
    d: Shape,
    f: Function | None = None,
    *,
    mlp: MLP | None = None,
    directions: npt.ArrayLike | None = None,
    n: int = 1,
    radius: float = 8.0,
    dtype: npt.DTypeLike = np.float64,
    box: npt.ArrayLike | None = None,
    precision: Precision = None,
) -> Pair:
    """Draw pairs of points: far and near ones, and those that are likely to refute a bound.

    Parameters
    ----------
    d : int or tuple of int
        Dimension of a point, or its shape, such as (3, 32, 32). Beyond 32 coordinates a few are drawn, and the others
        are 0 or come from a drawn seed.
    f : function of an (n, d) array, or (n, *d), optional
        Adds pairs along the top right singular vector of the Jacobian of f at the point, as it is or in round numbers.
    mlp : MLP, optional
        Adds pairs along the top right singular vector of its first layer, and pairs on both sides of a kink, across it.
        If f is not given, the Jacobian is that of `mlp`.
    directions : (m, d) array, or (m, *d), optional
        Adds pairs along these vectors.
    n : int
        Number of pairs. Of very many, the first are drawn, and the others come from a drawn seed.
    radius : float
        Largest coordinate of the first point of a pair; one that is moved to a kink may have a larger one.
    dtype : floating dtype
        Of the points: take the one that f computes with.
    box : pair (min, max), or array of shape (d, 2) or (*d, 2), optional
        Where the bound is claimed: both points of a pair lie in it. `radius` counts where an end is infinite.
    precision : as in `assert_lipschitz`, optional
        No pair along a direction or across a kink is nearer than the root of the spacing of this format.

    Returns
    -------
    x, y : (n, d) arrays, or (n, *d)
        Row i of x and row i of y are a pair. They shrink to small numbers, and may coincide.
    """
    shape = shape_of(d)
    size = int(np.prod(shape))
    sides = Box.of(box, shape, dtype)
    steep: Any = mlp if f is None else f
    given = [unit(v) for v in np.asarray(directions, np.float64).reshape(-1, size)] if directions is not None else []
    if mlp is not None:
        given.append(np.linalg.svd(mlp.layers[0][0].astype(np.float64), full_matrices=False)[2][0])
    kinds = ["far", "near"] + ["along"] * bool(given) + ["steepest"] * (steep is not None)
    kinds += ["kink"] * (mlp is not None and len(mlp.layers) > 1)
    eps = max(epsilon(dtype), epsilon(dtype if precision is None else precision))
    wanted = Wanted(shape, sides, np.dtype(dtype), eps, radius, kinds, given, steep, mlp)
    n_drawn = min(n, max(2, 64 // min(size, _FEW)))
    pairs = [make_pair(_Drawn(draw), wanted) for _ in range(n_drawn)]
    if n > n_drawn:
        seed = draw(_seed_or_0)
        source = Seeded(np.random.default_rng(seed))
        zero = sides.inside(np.zeros(size), dtype)
        pairs += [make_pair(source, wanted) if seed else (zero, zero) for _ in range(n - n_drawn)]
    x, y = (np.array(points).reshape(n, *shape) for points in zip(*pairs, strict=True))
    return Pair(x, y)


class _Drawn(NamedTuple):
    """Choices that hypothesis makes, and shrinks."""

    draw: st.DrawFn

    def one_of(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def vector(self, low: Array, high: Array, width: Any = 64) -> Array:
        """Draw a point of a box."""
        same = bool((low == low[0]).all() and (high == high[0]).all())
        entry = st.floats(float(low.min()), float(high.max()), allow_subnormal=False, width=width)
        if same or len(low) > _FEW:
            inside: Array = np.clip(
                self.draw(_vector(entry, len(low), lambda rng, d: rng.uniform(low, high))), low, high
            )
            return inside
        return np.array(
            [self.draw(st.floats(float(a), float(b), allow_subnormal=False)) for a, b in zip(low, high, strict=True)]
        )


def _range(value: float | tuple[float, float]) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)


def _dimensions(max_d: int) -> st.SearchStrategy[int]:
    """1 more often than chance: one row and one column are special."""
    return st.just(1) | st.integers(1, max_d) | st.integers(1, max_d)


@st.composite
def _vector(
    draw: st.DrawFn,
    entry: st.SearchStrategy[Any],
    d: int,
    fill: Callable[[np.random.Generator, int], Array],
    rest: float = 0.0,
) -> Array:
    """Draw d numbers: each for itself if they are few, else some of them, and the others from a drawn seed or equal."""
    if d <= _FEW:
        return np.array(draw(st.lists(entry, min_size=d, max_size=d)), float)
    seed = draw(_seed_or_0)
    v = np.asarray(fill(np.random.default_rng(seed), d), float) if seed else np.full(d, rest)
    for i, value in draw(st.lists(st.tuples(st.integers(0, d - 1), entry), max_size=4)):
        v[i] = value
    return v


def _whole(low: int, high: int) -> tuple[st.SearchStrategy[int], Callable[[np.random.Generator, int], Array]]:
    """Whole numbers, drawn and from a generator."""
    return st.integers(low, high), lambda rng, d: rng.integers(low, high + 1, d)


@st.composite
def _orthonormal(draw: st.DrawFn, d: int, k: int) -> Array:
    """Draw k orthonormal columns: of a product of two reflections at vectors of small integers, or of none."""
    Q = np.eye(d)
    for _ in range(2):
        entry, fill = _whole(-3, 3)
        w = draw(_vector(entry, d, fill))
        if w.any():
            Q -= np.outer(Q @ w, w) * (2.0 / (w @ w))
    return Q[:, :k]
