"""Batch and layer normalisation of a discriminator's hidden layers, forward and backward by hand. Section 4.1.

They normalise W̄h, before the bias is added, and have no multiplier γ, as in the paper's comparison. `NormalizedMLP` is
the network that has them, a field of `GAN`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from specnorm_np.network import MLP, gains, times
from specnorm_np.spectral import Array


def _standardize(a: Array, axis: int, eps: float) -> tuple[Array, Array]:
    """Return n = s(a − mean a) and s = 1/√(var a + ε), along an axis."""
    if a.shape[axis] < 2:
        what = ("a group of x (such as a batch) has {} rows", "a hidden layer has {} units")[axis].format(a.shape[axis])
        raise ValueError(f"{what}; expected at least 2, for a single number is normalised to 0")
    if not eps > 0.0:
        raise ValueError(f"eps is {eps}; expected a positive number")
    n = a - a.mean(axis, keepdims=True)
    s = 1.0 / np.sqrt(np.square(n).mean(axis, keepdims=True) + eps)
    n *= s
    return n, s


def _pull_standardized(dn: Array, n: Array, s: Array, axis: int) -> Array:
    """Pull ∂V/∂n back to ∂V/∂a = s(∂V/∂n − mean ∂V/∂n − n·mean(n ∂V/∂n)); the mean and s depend on a, too."""
    da: Array = dn - dn.mean(axis, keepdims=True)
    da -= n * (n * dn).mean(axis, keepdims=True)
    da *= s
    return da


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation (Ioffe & Szegedy 2015) in the hidden layers, without γ as in the paper. Section 4.1.

    Over the rows of a group each unit gets mean 0 and variance var/(var + ε); the bias comes after. With the real rows
    for one group and the generated ones for another, the statistics are those of separate passes. f at a point then
    depends on the other points of its group; there is no running mean for use after training.

    Parameters
    ----------
    eps : float, positive
        ε, for units that do not vary. The paper does not state it.
    """

    eps: float = 1e-5

    def normalize(self, a: Array, groups: Sequence[int] | None) -> tuple[Array, list[tuple[Array, Array]]]:
        """Normalise each group by itself; a group of one row is a ValueError."""
        groups = [len(a)] if groups is None else groups
        if sum(groups) != len(a):
            raise ValueError(f"groups is {tuple(groups)}; expected numbers that add up to {len(a)}, the rows of x")
        saved = [_standardize(part, 0, self.eps) for part in np.split(a, np.cumsum(groups)[:-1])]
        return np.concatenate([n for n, _ in saved]), saved

    def pullback(self, dn: Array, saved: list[tuple[Array, Array]]) -> Array:
        """Pull the gradient back, each group by itself."""
        parts = np.split(dn, np.cumsum([len(n) for n, _ in saved])[:-1])
        return np.concatenate([_pull_standardized(part, *ns, 0) for part, ns in zip(parts, saved, strict=True)])


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalisation (Ba et al. 2016) in the hidden layers, without γ as in the paper. Section 4.1.

    Over the units of a layer each row gets mean 0 and variance var/(var + ε); the bias comes after. A single unit would
    be 0 whatever the input: so the output has none, and a hidden layer of one unit is a ValueError.

    Parameters
    ----------
    eps : float, positive
        ε, for rows that do not vary. The paper does not state it.
    """

    eps: float = 1e-5

    def normalize(self, a: Array, groups: Sequence[int] | None) -> tuple[Array, tuple[Array, Array]]:
        """Normalise each row by itself; groups do not matter."""
        n, s = _standardize(a, 1, self.eps)
        return n.copy(), (n, s)

    def pullback(self, dn: Array, saved: tuple[Array, Array]) -> Array:
        """Pull the gradient back, each row by itself."""
        return _pull_standardized(dn, *saved, 1)


class NormalizedCache(NamedTuple):
    """What a backward pass of `NormalizedMLP` needs.

    Attributes
    ----------
    h : list of L+1 arrays, (n, d_l)
        The input of every layer, h_0 = x first.
    saved : list of L
        What the pullback of the normalisation needs, for every hidden layer.
    """

    h: list[Array]
    saved: list[Any]


@dataclass(frozen=True)
class NormalizedMLP(MLP):
    """The network of (1) with its hidden W̄h normalised before the bias is added. Section 4.1.

    Parameters
    ----------
    slope : float in [0, 1]
        Of the leaky ReLU.
    norm : BatchNorm or LayerNorm
    """

    slope: float = 0.1
    norm: BatchNorm | LayerNorm = LayerNorm()

    def forward(self, W_bar: Sequence[Array], b: Sequence[Array], *batches: Array) -> tuple[Array, Any]:
        """Compute f at the rows of all batches; batch normalisation takes the statistics of each apart.

        Raises
        ------
        ValueError
            If a batch has one row (`BatchNorm`), or a hidden layer has one unit (`LayerNorm`).
        """
        h, saved = [np.concatenate(batches)], []
        for W, b_l in zip(W_bar[:-1], b[:-1], strict=True):
            a, for_pullback = self.norm.normalize(h[-1] @ W.T, [len(x) for x in batches])
            saved.append(for_pullback)
            a += b_l
            h.append(np.maximum(a, self.slope * a, out=a))
        return h[-1] @ W_bar[-1].T + b[-1], NormalizedCache(h, saved)

    def backward(self, W_bar: Sequence[Array], cache: Any, df: Array) -> tuple[list[Array], list[Array]]:
        """Take ∂V/∂f back to W̄ and b."""
        pairs, one = self._deltas(W_bar, cache, df), np.ones(len(df), df.dtype)
        dW_bar = [delta.T @ h for (_, delta), h in zip(pairs, cache.h, strict=True)]
        return dW_bar, [one @ da for da, _ in pairs]

    def backward_to_input(self, W_bar: Sequence[Array], cache: Any, df: Array) -> Array:
        """Take ∂V/∂f back to x."""
        return times(self._deltas(W_bar, cache, df)[0][1], W_bar[0])

    def _deltas(self, W_bar: Sequence[Array], cache: Any, df: Array) -> list[tuple[Array, Array]]:
        """Compute ∂V/∂a_l, for b, and δ_l = ∂V/∂(W̄h), for W̄, of every layer, the first one first."""
        pairs = [(df, df)]
        for W, h, saved in zip(W_bar[:0:-1], cache.h[:0:-1], cache.saved[::-1], strict=True):
            da = times(pairs[-1][1], W)
            da *= gains(h, self.slope)
            pairs.append((da, self.norm.pullback(da, saved)))
        return pairs[::-1]
