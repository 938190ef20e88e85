"""The weights of other people's networks, for the bounds: what was understood is said, and the rest is refused.

No library is imported here. An object that comes from one is recognised by the name of its module.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from specnorm_np.spectral import Array, check_matrix

SLOPES = {
    "identity": (1.0, 1.0),
    "linear": (1.0, 1.0),
    "relu": (0.0, 1.0),
    "tanh": (0.0, 1.0),
    "softplus": (0.0, 1.0),
    "elu": (0.0, 1.0),
    "sigmoid": (0.0, 0.25),
    "logistic": (0.0, 0.25),
}
"""The smallest and the largest slope of an activation, by name. `leakyrelu` has the smaller one as a number."""

REFUSED = "residual sums, pooling, convolutions, batch and layer normalisation, attention, GELU, SiLU, Mish, SELU"
"""What no bound here covers: sums of paths, other operations, and activations with a slope below 0 or above 1."""


@dataclass(frozen=True)
class Network:
    """A chain of affine maps with activations between, as the bounds take it. Printing it says what was understood.

    Parameters
    ----------
    W : tuple of (d_l, d_{l-1}) float64 arrays
        The weights, the first layer first. Where the slopes of an activation reach less than 1, as those of a sigmoid,
        the factor is in the next W.
    b : tuple of (d_l,) float64 arrays
    slope : float in [0, 1]
        The slopes of all activations lie in [slope, 1].
    text : tuple of str
        A line for each layer.
    """

    W: tuple[Array, ...]
    b: tuple[Array, ...]
    slope: float
    text: tuple[str, ...]

    def __str__(self) -> str:
        """Say what was understood, layer by layer."""
        return "\n".join((*self.text, f"every slope of the activations is in [{self.slope:g}, 1]"))


def network_of(module: Any, activation: str | None = None, slope: float | None = None) -> Network:
    """Take the weights out of a network, for `sdp_lipschitz_upper_bound(net.W, net.slope)` and the other bounds.

    Parameters
    ----------
    module : object
        A `Sequential` of PyTorch or Keras, an `MLPRegressor` of scikit-learn, an `MLP` of Equinox, or a list of pairs
        (W, b), with W (d_out, d_in) or all of them transposed; b may be None.
    activation : str, optional
        For a list of pairs, or where the module does not say: relu, leakyrelu, elu, tanh, sigmoid, softplus, identity.
    slope : float, optional
        Of a leaky ReLU on negative numbers.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If something in it is not understood, or is not covered by the bounds; the message names it.
    """
    source = type(module).__module__.partition(".")[0]
    readers = {"torch": _torch, "keras": _keras, "tensorflow": _keras, "sklearn": _sklearn, "equinox": _equinox}
    if isinstance(module, Sequence) and not isinstance(module, str):
        layers = _pairs(module, activation, slope)
    elif source in readers:
        layers = list(readers[source](module, activation, slope))
    else:
        raise ValueError(
            f"module is {type(module).__module__}.{type(module).__name__}; expected a Sequential of torch or Keras, an"
            " MLPRegressor of scikit-learn, an MLP of Equinox, or a list of (W, b)"
        )
    return _chained(layers)


Layer = tuple[Any, Any, str, float | None]
"""(W, b, the activation behind it, the slope of that)."""


def _chained(layers: Sequence[Layer]) -> Network:
    """Check that the layers fit, and put factors of the activations into the next W."""
    if not layers:
        raise ValueError("module has no layer with weights; expected at least one")
    W: list[Array] = []
    b: list[Array] = []
    text, least, factor = [], 1.0, 1.0
    for l, (weight, bias, activation, slope) in enumerate(layers):
        matrix = check_matrix(np.asarray(weight), f"the weight of layer {l + 1}").astype(np.float64)
        if W and matrix.shape[1] != len(W[-1]):
            raise ValueError(f"layer {l + 1} takes {matrix.shape[1]} numbers, but layer {l} gives {len(W[-1])}")
        vector = np.zeros(len(matrix)) if bias is None else np.asarray(bias, np.float64).ravel()
        if vector.shape != (len(matrix),):
            raise ValueError(f"layer {l + 1} has a bias of {len(vector)} numbers; expected {len(matrix)}")
        last = l == len(layers) - 1
        low, high = _slopes(activation, slope)
        words = [f"layer {l + 1}: {matrix.shape[1]} -> {matrix.shape[0]}"]
        words += ["no bias"] if bias is None else []
        if not last or activation not in ("identity", "linear"):
            words.append(activation if slope is None else f"{activation} {slope:g}")
        text.append(", ".join(words))
        W.append(factor * matrix)
        b.append(vector)
        factor = high
        if not last or low < 1.0 or high < 1.0:
            least = min(least, low / high)
    if layers[-1][2] not in ("identity", "linear"):  # a last activation is an activation before the identity
        W.append(factor * np.eye(len(W[-1])))
        b.append(np.zeros(len(W[-1])))
    return Network(tuple(W), tuple(b), least, tuple(text))


def _slopes(activation: str, slope: float | None) -> tuple[float, float]:
    name = activation.lower().replace("_", "")
    if name == "leakyrelu":
        if slope is None or not 0.0 <= slope <= 1.0:
            raise ValueError(f"slope is {slope}; expected a number in [0, 1] for a leaky ReLU")
        return slope, 1.0
    if name == "elu" and slope is not None and not 0.0 <= slope <= 1.0:
        raise ValueError(f"ELU has alpha = {slope}; expected one in [0, 1], above it the slope exceeds 1")
    if name not in SLOPES:
        raise ValueError(
            f"activation is {activation!r}; expected one of {', '.join(SLOPES)}, leakyrelu. Not covered: {REFUSED}"
        )
    return SLOPES[name]


def _pairs(pairs: Sequence[Any], activation: str | None, slope: float | None) -> list[Layer]:
    """Read a list of (W, b), with W either way round."""
    if len(pairs) == 0:
        return []
    try:
        weights = [np.asarray(W) for W, _ in pairs]
    except (TypeError, ValueError):
        raise ValueError("module is a list; expected pairs (W, b), with b None where there is none") from None
    if any(W.ndim != 2 for W in weights):
        raise ValueError(f"module has weights of shapes {[W.shape for W in weights]}; expected matrices")
    fits = all(W.shape[1] == V.shape[0] for V, W in pairwise(weights))
    turned = all(W.shape[0] == V.shape[1] for V, W in pairwise(weights))
    biases = [b for _, b in pairs]
    fits &= all(b is None or np.size(b) == len(W) for W, b in zip(weights, biases, strict=True))
    turned &= all(b is None or np.size(b) == W.shape[1] for W, b in zip(weights, biases, strict=True))
    if not fits and not turned:
        raise ValueError(f"module has weights of shapes {[W.shape for W in weights]}, which do not make a chain")
    if len(weights) > 1 and activation is None:
        raise ValueError("activation is None; expected the one between the layers, for the list does not say it")
    behind = [activation or "identity"] * (len(weights) - 1) + ["identity"]
    return [(W if fits else W.T, b, a, slope) for W, b, a in zip(weights, biases, behind, strict=True)]


def _merged(parts: Iterator[tuple[str, Any]]) -> Iterator[Layer]:
    """Join each ("weights", (W, b)) with the ("activation", (name, slope)) that follows it."""
    waiting: tuple[Any, Any] | None = None
    for kind, what in parts:
        if kind == "weights":
            if waiting is not None:
                yield (*waiting, "identity", None)
            waiting = what
        elif waiting is None:
            raise ValueError(f"module begins with the activation {what[0]}; expected weights before it")
        else:
            yield (*waiting, *what)
            waiting = None
    if waiting is not None:
        yield (*waiting, "identity", None)


def _torch(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    def parts(module: Any) -> Iterator[tuple[str, Any]]:
        for part in module:
            name = type(part).__name__
            if name == "Sequential":
                yield from parts(part)
            elif name in ("Linear", "ParametrizedLinear"):
                bias = None if part.bias is None else part.bias.detach().cpu().numpy()
                yield "weights", (part.weight.detach().cpu().numpy(), bias)
            elif name not in ("Identity", "Dropout", "Flatten"):  # in evaluation these do nothing to the norm
                yield "activation", (name, getattr(part, "negative_slope", getattr(part, "alpha", None)))

    if type(module).__name__ != "Sequential":
        raise ValueError(f"module is a {type(module).__name__}; expected a Sequential. Not covered: {REFUSED}")
    return _merged(parts(module))


def _keras(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    def parts() -> Iterator[tuple[str, Any]]:
        for layer in module.layers:
            name = type(layer).__name__
            if name == "Dense":
                kernel, *bias = layer.get_weights()
                yield "weights", (np.asarray(kernel).T, bias[0] if bias else None)
                if layer.activation.__name__ != "linear":
                    yield "activation", (layer.activation.__name__, getattr(layer.activation, "negative_slope", None))
            elif name not in ("InputLayer", "Dropout", "Flatten"):
                yield "activation", (name, getattr(layer, "negative_slope", None))

    return _merged(parts())


def _sklearn(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    if not hasattr(module, "coefs_"):
        raise ValueError(f"module is a {type(module).__name__} without coefs_; expected a fitted MLPRegressor")
    for l, (kernel, bias) in enumerate(zip(module.coefs_, module.intercepts_, strict=True)):
        last = l == len(module.coefs_) - 1
        yield np.asarray(kernel).T, bias, module.out_activation_ if last else module.activation, None


def _equinox(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    if type(module).__name__ != "MLP":
        raise ValueError(f"module is a {type(module).__name__}; expected an MLP. Not covered: {REFUSED}")
    name = activation or getattr(module.activation, "__name__", None)
    if name is None:
        raise ValueError("activation is None; expected its name, for the module does not say it")
    for l, layer in enumerate(module.layers):
        yield layer.weight, layer.bias, "identity" if l == len(module.layers) - 1 else name, slope
