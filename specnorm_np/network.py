"""The multilayer perceptron: θ, forward, and the two backward passes. Section 2, eqs. (1), (2).

A network sees effective weights W̄ and biases b only; it knows nothing of normalisation. Batches are rows, and W has
one row per output as in the paper, so a layer is h ↦ h @ W.T + b. Forward returns what backward needs, and backward is
a pure function of it: nothing is kept in between, so a forward pass over real points and one over generated points
cannot get into each other's way. Batch and layer normalisation, two of the paper's rivals, act on W̄h between W̄ and b.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from specnorm_np.activation_norms import BatchNorm, LayerNorm
from specnorm_np.spectral import Array


class Params(Mapping[str, Array]):
    """θ: one vector, and a mapping of names to blocks that are views of it. Eq. (1).

    A gradient with respect to θ is the same record over another vector.

    Parameters
    ----------
    vector : (p,) array
        All parameters, in the order of `shapes`.
    shapes : dict of str to shape
        Name and shape of every block: W1, b1, W2, … for a plain network. `depth` counts the layers, by their biases.

    Raises
    ------
    ValueError
        If the vector has not the length that the shapes add up to.
    """

    def __init__(self, vector: Array, shapes: Mapping[str, tuple[int, ...]]):
        sizes = [math.prod(shape) for shape in shapes.values()]
        if vector.shape != (sum(sizes),):
            raise ValueError(f"vector has shape {vector.shape}; expected ({sum(sizes)},), the sizes of {dict(shapes)}")
        self.vector, self.shapes = vector, shapes
        ends = list(accumulate(sizes))
        self._blocks: dict[str, Array] | None = None
        self.depth = sum(name.startswith("b") for name in shapes)
        self._slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    @classmethod
    def of_blocks(cls, blocks: Mapping[str, npt.ArrayLike]) -> "Params":
        """Copy named arrays into one vector.

        Raises
        ------
        ValueError
            If there is none, they are not of one floating dtype, or one is not finite.
        """
        arrays = {name: np.asarray(block) for name, block in blocks.items()}
        dtypes = {str(array.dtype) for array in arrays.values()}
        if len(dtypes) != 1 or not np.issubdtype(dtypes.copy().pop(), np.floating):
            raise ValueError(f"blocks have dtypes {sorted(dtypes)}; expected one floating dtype for all")
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"block {name} holds NaN or infinity; expected finite entries")
        vector = np.concatenate([array.ravel() for array in arrays.values()])
        return cls(vector, {name: array.shape for name, array in arrays.items()})

    @classmethod
    def of_layers(cls, layers: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> "Params":
        """Copy a list of (W, b), one for each layer, into θ = {W1, b1, W2, b2, …}.

        Raises
        ------
        ValueError
            As `of_blocks`; or if the shapes do not chain, W of layer l being (d_l, d_{l-1}) and b (d_l,).
        """
        blocks: dict[str, Array] = {}
        width = None
        for l, (W, b) in enumerate(layers, 1):
            W, b = np.asarray(W), np.asarray(b)
            if W.ndim != 2 or b.shape != W.shape[:1] or (width is not None and W.shape[1] != width):
                raise ValueError(
                    f"layer {l} has W of shape {W.shape} and b of shape {b.shape}; "
                    f"expected (d_{l}, {'d_0' if width is None else width}) and (d_{l},)"
                )
            blocks[f"W{l}"], blocks[f"b{l}"], width = W, b, W.shape[0]
        return cls.of_blocks(blocks)

    def replace(self, vector: Array) -> "Params":
        """Return the same layout over another vector."""
        if vector.shape != self.vector.shape:
            raise ValueError(f"vector has shape {vector.shape}; expected {self.vector.shape}")
        other = copy(self)
        other.vector, other._blocks = vector, None
        return other

    def __getitem__(self, name: str) -> Array:
        if self._blocks is None:
            pieces = zip(self._slices, self.shapes.items(), strict=True)
            self._blocks = {name: self.vector[piece].reshape(shape) for piece, (name, shape) in pieces}
        return self._blocks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __repr__(self) -> str:
        return f"Params({', '.join(f'{name}{list(shape)}' for name, shape in self.shapes.items())})"


def he_layers(
    widths: Sequence[int], slope: float = 0.0, *, dtype: npt.DTypeLike = np.float64, rng: np.random.Generator
) -> list[tuple[Array, Array]]:
    """Draw Gaussian weights that keep the size of activations (He et al. 2015), and zero biases.

    The paper does not state its initialisation.

    Parameters
    ----------
    widths : sequence of int
        d_0, …, d_{L+1}: the input, the hidden layers, the output.
    slope : float in [0, 1]
        Slope of the leaky ReLU.

    Returns
    -------
    list of (W, b)
        W of layer l is (d_l, d_{l-1}) with variance 2/((1 + slope²) d_{l-1}).

    Raises
    ------
    ValueError
        If there are fewer than two widths, or one is below 1.
    """
    _check_widths(widths)
    gain = 2.0 / (1.0 + slope**2)
    return [
        ((rng.standard_normal((d_out, d_in)) * math.sqrt(gain / d_in)).astype(dtype), np.zeros(d_out, dtype))
        for d_in, d_out in pairwise(widths)
    ]


def orthonormal_layers(
    widths: Sequence[int], *, dtype: npt.DTypeLike = np.float64, rng: np.random.Generator
) -> list[tuple[Array, Array]]:
    """Draw orthonormal weights, uniformly (Haar), and zero biases, where orthonormal D starts. Section 4.1.

    WᵀW = I, or WWᵀ = I if W is wide: a minimum of (14) in both cases.

    Raises
    ------
    ValueError
        As `he_layers`.
    """
    _check_widths(widths)
    layers = []
    for d_in, d_out in pairwise(widths):
        Q = orthonormalized(rng.standard_normal((max(d_in, d_out), min(d_in, d_out))))
        layers.append(((Q if d_out >= d_in else Q.T).astype(dtype), np.zeros(d_out, dtype)))
    return layers


def orthonormalized(A: Array) -> Array:
    """Return the Q of A = QR with R_ii ≥ 0, (m, k) for an (m, k) array A with m ≥ k.

    The signs make it unique and continuous where A has full rank, and uniform for a Gaussian A.
    """
    Q, R = np.linalg.qr(A)
    Q[:, np.diag(R) < 0.0] *= -1.0
    return Q


def _check_widths(widths: Sequence[int]) -> None:
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths is {tuple(widths)}; expected at least an input and an output, each at least 1")


class Cache(NamedTuple):
    """What a backward pass needs of a forward pass.

    Attributes
    ----------
    h : list of L+1 arrays, (n, d_l)
        The inputs of every layer, h_0 = x among them.
    norm : BatchNorm, LayerNorm or None
    saved : list
        What the pullback of `norm` needs, for every hidden layer.
    """

    h: list[Array]
    norm: BatchNorm | LayerNorm | None = None
    saved: Sequence[Any] = ()


def forward(
    W_bar: Sequence[Array],
    b: Sequence[Array],
    x: Array,
    slope: float,
    norm: BatchNorm | LayerNorm | None = None,
    groups: Sequence[int] | None = None,
) -> tuple[Array, Cache]:
    """Compute f(x, θ). Eq. (1).

    Parameters
    ----------
    W_bar : L+1 arrays, (d_l, d_{l-1})
        Effective weights.
    b : L+1 arrays, (d_l,)
        Biases, which (1) omits for simplicity.
    x : (n, d_0) array
        A batch.
    slope : float in [0, 1]
        The activations are max(a, slope·a): ReLU at 0, leaky ReLU in between; above 1 they would not be 1-Lipschitz.
    norm : BatchNorm or LayerNorm, optional
        Normalisation of W̄h in the hidden layers.
    groups : sequence of int, optional
        How many consecutive rows of x batch normalisation takes each of its statistics from; all by default.

    Returns
    -------
    f : (n, d_{L+1}) array
        Before the link 𝒜 of (2).
    cache : Cache
        For the backward passes.

    Raises
    ------
    ValueError
        If a group has one row, the groups do not add up (`BatchNorm`), or a hidden layer has one unit (`LayerNorm`).
    """
    h, saved = [x], []
    for W, bias in zip(W_bar[:-1], b[:-1], strict=True):
        a = h[-1] @ W.T
        if norm is not None:
            a, for_pullback = norm.normalize(a, groups)
            saved.append(for_pullback)
        a += bias
        h.append(np.maximum(a, slope * a, out=a))
    return h[-1] @ W_bar[-1].T + b[-1], Cache(h, norm, saved)  # (1)


def gains(h: Array, slope: float) -> Array:
    """Return the slope of the activation at every a, out of h = max(a, slope·a): the diagonal of D in h = Da.

    h is positive exactly where a is; at a = 0 the slope is taken as `slope`.
    """
    gain: Array = (h > 0).astype(h.dtype)
    if slope:
        gain *= 1.0 - slope
        gain += slope
    return gain


def deltas(W_bar: Sequence[Array], cache: Cache, df: Array, slope: float) -> Iterator[tuple[int, Array, Array]]:
    """Yield l, ∂V/∂a_l and δ_l = ∂V/∂(W̄h), both (n, d_l), from the last layer, l = L, to the first, l = 0.

    They are one array unless the activations are normalised: a = W̄h + b without.
    """
    h, norm, saved = cache
    da = delta = df
    for l in reversed(range(len(W_bar))):
        yield l, da, delta
        if l:
            da = _times(delta, W_bar[l])
            da *= gains(h[l], slope)
            delta = da if norm is None else norm.pullback(da, saved[l - 1])


def _times(delta: Array, W: Array) -> Array:
    """Compute δW. With a single output the broadcast product is several times faster than the matrix product."""
    return delta * W if W.shape[0] == 1 else delta @ W


def backward(W_bar: Sequence[Array], cache: Cache, df: Array, slope: float) -> tuple[list[Array], list[Array]]:
    """Take ∂V/∂f back to the effective weights and the biases. The Ê[δhᵀ] of (11).

    Parameters
    ----------
    W_bar, cache, slope
        Of the forward pass.
    df : (n, d_{L+1}) array
        ∂V/∂f. It carries the 1/n of the mean, so the sum over the batch is the mean Ê.

    Returns
    -------
    dW_bar : L+1 arrays of the shapes of W_bar
        δ_lᵀ h_{l-1}.
    db : L+1 arrays of the shapes of b
    """
    dW_bar, db = [], []
    one = np.ones(len(df), df.dtype)
    for l, da, delta in deltas(W_bar, cache, df, slope):
        dW_bar.append(delta.T @ cache.h[l])
        db.append(one @ da)
    return dW_bar[::-1], db[::-1]


def backward_to_input(W_bar: Sequence[Array], cache: Cache, df: Array, slope: float) -> Array:
    """Take ∂V/∂f back to the input x: what G's step needs of D, and ∇ₓf for df = 1.

    Returns
    -------
    (n, d_0) array
        ∂V/∂x, row by row.
    """
    *_, (_, _, delta) = deltas(W_bar, cache, df, slope)
    return _times(delta, W_bar[0])
