"""A perceptron with its error of rounding, and where its kinks are: what the strategies draw."""

from typing import NamedTuple

import numpy as np

from specnorm_np.network import forward
from specnorm_np.spectral import Array
from specnorm_np.testing.rounding import forward_error_bound


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

    def __repr__(self) -> str:
        if sum(W.size for W, _ in self.layers) <= 64:
            return f"MLP(layers={self.layers!r}, slope={self.slope!r})"
        widths = [self.layers[0][0].shape[1], *(len(b) for _, b in self.layers)]
        return f"<MLP {'-'.join(map(str, widths))}, slope {self.slope}>"

    def error(self, x: Array) -> Array:
        """Bound the rounding of a value, for `assert_lipschitz`: see `forward_error_bound`."""
        return forward_error_bound(*self.parameters, self.slope, x)


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
