"""The multilayer perceptron: θ, forward, and the two backward passes. Section 2, eq. (1).

A network sees effective weights W̄ and biases b only; it knows nothing of normalisation. Batches are rows, and W has
one row per output as in the paper, so a layer is h ↦ h @ W.T + b. Forward returns what backward needs, and backward is
a pure function of it. Nothing is kept in between, so a forward pass over real points and one over generated points
cannot get into each other's way.

Layers are counted as in the paper: h_0 = x, and W^l takes h_{l-1} to a_l for l = 1, …, L+1. In the backward passes V is
whatever scalar is differentiated. The paper's V is the objective that D ascends; `gan` passes the loss, which is −V.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array, floats


class Params(Mapping[str, Array]):
    """θ: one vector, and a mapping of names to blocks that are views of it. Eq. (1).

    A gradient with respect to θ is the same record over another vector.

    Parameters
    ----------
    vector : (p,) array
        All parameters, in the order of `shapes`.
    shapes : dict of str to shape
        Name and shape of every block. In a network they stand layer by layer: W1, b1, W2, b2, … The bias, whose name
        begins with b, is the last block of its layer; a method may have other blocks than W before it.

    Attributes
    ----------
    vector : (p,) array
    layers : list of lists of arrays
        The blocks of every layer, W¹ and b¹ first. The last block of each is b.
    weights, biases : lists of arrays
        The first and the last block of every layer, for `forward(theta.weights, theta.biases, x, slope)`.

    Raises
    ------
    ValueError
        If the vector has not the length that the shapes add up to.
    """

    def __init__(self, vector: Array, shapes: Mapping[str, tuple[int, ...]]):
        sizes = [math.prod(shape) for shape in shapes.values()]
        if vector.shape != (sum(sizes),):
            raise ValueError(f"vector has shape {vector.shape}; expected ({sum(sizes)},), the sizes of {dict(shapes)}")
        self.shapes = shapes
        ends = accumulate(sizes)
        places = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self._places = list(zip(places, shapes.values(), strict=True))
        lasts = [i + 1 for i, name in enumerate(shapes) if name.startswith("b")]
        self._layers = [slice(start, end) for start, end in pairwise([0, *lasts])]
        self._view(vector)

    def _view(self, vector: Array) -> None:
        self.vector = vector
        self._blocks = [vector[place].reshape(shape) for place, shape in self._places]
        self.layers = [self._blocks[layer] for layer in self._layers]
        self.weights, self.biases = [layer[0] for layer in self.layers], [layer[-1] for layer in self.layers]

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
        other = Params.__new__(Params)
        other.shapes, other._places, other._layers = self.shapes, self._places, self._layers
        other._view(vector)
        return other

    def __getitem__(self, name: str) -> Array:
        return dict(zip(self.shapes, self._blocks, strict=True))[name]

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
    cache : list of L+1 arrays, (n, d_l)
        h_0 = x, h_1, …, h_L, the input of every layer: all that the backward passes need.
    """
    h, W_bar = floats(x), floats(*W_bar)
    for W, b_l in zip(W_bar[:-1], b[:-1], strict=True):
        a = h[-1] @ W.T
        a += b_l
        h.append(np.maximum(a, slope * a, out=a))
    return h[-1] @ W_bar[-1].T + b[-1], h  # (1)


def gains(h: Array, slope: float) -> Array:
    """Return the slope of the activation at every a, out of h = max(a, slope·a).

    These are the diagonals of D in h = Da, a row for each point. h is positive exactly where a is; at a = 0 the slope
    is taken as `slope`.
    """
    gain: Array = (h > 0).astype(h.dtype)
    if slope:
        gain *= 1.0 - slope
        gain += slope
    return gain


def deltas(W_bar: Sequence[Array], cache: Sequence[Array], df: Array, slope: float) -> list[Array]:
    """Compute δ_l = ∂V/∂(W̄^l h_{l-1}), (n, d_l), of every layer l = 1, …, L+1. Below (12).

    δ_{L+1} = ∂V/∂f, and δ_l = D_l (W̄^{l+1})ᵀ δ_{l+1} with the slopes D_l of `gains`. Here δ is a row for each point,
    and so the product is turned round: δ_{l+1} W̄^{l+1}.
    """
    delta = [df]
    for W, h in zip(W_bar[:0:-1], cache[:0:-1], strict=True):
        da = times(delta[-1], W)
        da *= gains(h, slope)
        delta.append(da)
    return delta[::-1]


def times(delta: Array, W: Array) -> Array:
    """Compute δW. With a single output the broadcast product is several times faster than the matrix product."""
    return delta * W if W.shape[0] == 1 else delta @ W


def backward(
    W_bar: Sequence[Array], cache: Sequence[Array], df: Array, slope: float
) -> tuple[list[Array], list[Array]]:
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
        δ_lᵀ h_{l-1}: since (W̄h)_i = Σ_j W̄_ij h_j, the derivative by W̄_ij is δ_i h_j.
    db : L+1 arrays of the shapes of b
        The sum of δ_l over the batch.
    """
    delta, one = deltas(W_bar, cache, df, slope), np.ones(len(df), df.dtype)
    return [d.T @ h for d, h in zip(delta, cache, strict=True)], [one @ d for d in delta]


def backward_to_input(W_bar: Sequence[Array], cache: Sequence[Array], df: Array, slope: float) -> Array:
    """Take ∂V/∂f back to the input x. This is what G's step needs of D, and it is ∇ₓf for df = 1.

    Returns
    -------
    (n, d_0) array
        ∂V/∂x, row by row.
    """
    return times(deltas(W_bar, cache, df, slope)[0], W_bar[0])


@dataclass(frozen=True)
class MLP:
    """The network of (1), with one slope for all of its activations: the three functions above as one field of a GAN.

    A network of another kind is a subclass. What `cache` is, is its own affair.

    Parameters
    ----------
    slope : float in [0, 1]
        0 is the ReLU; Table 3 has 0.1 in D.

    Raises
    ------
    ValueError
        If the slope is outside [0, 1], where the activation is not 1-Lipschitz.
    """

    slope: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.slope <= 1.0:
            raise ValueError(f"slope is {self.slope}; expected a number in [0, 1], to be 1-Lipschitz")

    def forward(self, W_bar: Sequence[Array], b: Sequence[Array], *batches: Array) -> tuple[Array, Any]:
        """Compute f at the rows of all batches. See `forward`."""
        return forward(W_bar, b, np.concatenate(batches) if len(batches) > 1 else batches[0], self.slope)

    def backward(self, W_bar: Sequence[Array], cache: Any, df: Array) -> tuple[list[Array], list[Array]]:
        """Take ∂V/∂f back to W̄ and b. See `backward`."""
        return backward(W_bar, cache, df, self.slope)

    def backward_to_input(self, W_bar: Sequence[Array], cache: Any, df: Array) -> Array:
        """Take ∂V/∂f back to x. See `backward_to_input`."""
        return backward_to_input(W_bar, cache, df, self.slope)
