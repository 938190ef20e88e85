"""The multilayer perceptron: θ, forward, and the two backward passes. Section 2, eqs. (1), (2).

A network sees effective weights W̄ and biases b only; it knows nothing of normalisation. Batches are rows, and W has
one row per output as in the paper, so a layer is h ↦ h @ W.T + b. Forward returns what backward needs, and backward is
a pure function of it: nothing is kept in between, so a forward pass over real points and one over generated points
cannot get into each other's way.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array


class Params(Mapping[str, Array]):
    """θ: one vector, and a mapping of names to blocks that are views of it. Eq. (1).

    A gradient with respect to θ is the same record over another vector.

    Parameters
    ----------
    vector : (p,) array
        All parameters, in the order of `shapes`.
    shapes : dict of str to shape
        Name and shape of every block: W1, b1, W2, … for a plain network.

    Raises
    ------
    ValueError
        If the vector has not the length that the shapes add up to.
    """

    def __init__(self, vector: Array, shapes: Mapping[str, tuple[int, ...]]):
        self.vector, self.shapes = vector, shapes
        expected = sum(math.prod(shape) for shape in shapes.values())
        if vector.shape != (expected,):
            raise ValueError(f"vector has shape {vector.shape}; expected ({expected},), the sizes of {dict(shapes)}")

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
        return Params(vector, self.shapes)

    @cached_property
    def _blocks(self) -> dict[str, Array]:
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()])[:-1]
        pieces = np.split(self.vector, ends)
        return {name: piece.reshape(shape) for piece, (name, shape) in zip(pieces, self.shapes.items(), strict=True)}

    def __getitem__(self, name: str) -> Array:
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
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths is {tuple(widths)}; expected at least an input and an output, each at least 1")
    gain = 2.0 / (1.0 + slope**2)
    return [
        ((rng.standard_normal((d_out, d_in)) * math.sqrt(gain / d_in)).astype(dtype), np.zeros(d_out, dtype))
        for d_in, d_out in pairwise(widths)
    ]


def forward(W_bar: Sequence[Array], b: Sequence[Array], x: Array, slope: float) -> tuple[Array, list[Array]]:
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

    Returns
    -------
    f : (n, d_{L+1}) array
        Before the link 𝒜 of (2).
    h : list of L+1 arrays, (n, d_l)
        The inputs of every layer, h_0 = x among them: all that a backward pass needs.
    """
    h = [x]
    for W, bias in zip(W_bar[:-1], b[:-1], strict=True):
        a = h[-1] @ W.T
        a += bias
        h.append(np.maximum(a, slope * a if slope else 0.0, out=a))
    return h[-1] @ W_bar[-1].T + b[-1], h  # (1)


def _deltas(W_bar: Sequence[Array], h: Sequence[Array], df: Array, slope: float) -> Iterator[tuple[int, Array]]:
    """Yield l and δ_l = ∂V/∂a_l, (n, d_l), from the last layer, l = L, to the first, l = 0.

    max(a, slope·a) is positive exactly where a is, so h tells the slope at a; at a = 0 it is taken as `slope`.
    """
    delta = df
    for l in reversed(range(len(W_bar))):
        yield l, delta
        if l:
            gain = h[l] > 0 if slope == 0.0 else np.maximum(h[l] > 0, slope, dtype=h[l].dtype)
            delta = _times(delta, W_bar[l])
            delta *= gain


def _times(delta: Array, W: Array) -> Array:
    """Compute δW. With a single output the broadcast product is several times faster than the matrix product."""
    return delta * W if W.shape[0] == 1 else delta @ W


def backward(W_bar: Sequence[Array], h: Sequence[Array], df: Array, slope: float) -> tuple[list[Array], list[Array]]:
    """Take ∂V/∂f back to the effective weights and the biases. The Ê[δhᵀ] of (11).

    Parameters
    ----------
    W_bar, h, slope
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
    for l, delta in _deltas(W_bar, h, df, slope):
        dW_bar.append(delta.T @ h[l])
        db.append(delta.sum(axis=0))
    return dW_bar[::-1], db[::-1]


def backward_to_input(W_bar: Sequence[Array], h: Sequence[Array], df: Array, slope: float) -> Array:
    """Take ∂V/∂f back to the input x: what G's step needs of D, and ∇ₓf for df = 1.

    Returns
    -------
    (n, d_0) array
        ∂V/∂x, row by row.
    """
    *_, (_, delta) = _deltas(W_bar, h, df, slope)
    return _times(delta, W_bar[0])
