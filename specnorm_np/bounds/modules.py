"""The weights of other people's networks, for the bounds: what was understood is said, and the rest is refused.

No library is imported here. An object that comes from one is recognised by the name of its module. A bound of another
network than the one at hand would look as good as a right one, so whatever could change what a network computes, and
is not read here, is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from specnorm_np.bounds.activations import NOT_COVERED, SLOPES, plain, reason, slopes_of
from specnorm_np.spectral import Array, check_matrix


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


def network_of(
    module: Any, activation: str | None = None, slope: float | None = None, *, transposed: bool | None = None
) -> Network:
    """Take the weights out of a network, for `sdp_lipschitz_upper_bound(net.W, net.slope)` and the other bounds.

    Parameters
    ----------
    module : object
        A `Sequential` of PyTorch or Keras, an `MLPRegressor` of scikit-learn, an `MLP` of Equinox, or a list of pairs
        (W, b), with W (d_out, d_in) or all of them transposed; b may be None.
    activation : str, optional
        For a list of pairs, or an `MLP` of Equinox whose function has no name that is known here: relu, leakyrelu,
        elu, tanh, sigmoid, softplus, identity.
    slope : float, optional
        Of a leaky ReLU on negative numbers, where the module does not say it.
    transposed : bool, optional
        For a list of pairs: whether each W is (d_in, d_out). Only needed where the shapes fit both ways.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If something in it is not understood, or is not covered by the bounds; the message names it.

    Notes
    -----
    What is assumed: that a class computes what its library says, and that a function computes what its name says.
    Dropout and Flatten are passed over, since in evaluation they change no distance.
    """
    source = type(module).__module__.partition(".")[0]
    if isinstance(module, Sequence) and not isinstance(module, str):
        return _chained(_pairs(module, activation, slope, transposed))
    if source not in READERS:
        raise ValueError(
            f"module is {type(module).__module__}.{type(module).__name__}; expected a Sequential of torch or Keras, an"
            " MLPRegressor of scikit-learn, an MLP of Equinox, or a list of (W, b)"
        )
    expected, read = READERS[source]
    if type(module).__name__ != expected:
        why = reason(type(module).__name__)
        raise ValueError(f"module is a {type(module).__name__}; expected a {expected}, and no other class. {why}")
    if activation is not None and source != "equinox":
        raise ValueError(f"activation is {activation!r}; expected None, for the {expected} says it")
    if transposed is not None:
        raise ValueError(f"transposed is {transposed}; expected None, for the {expected} says it")
    return _chained(list(read(module, activation, slope)))


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
        low, high = slopes_of(activation, slope)
        matrix, vector = _affine(weight, bias, l + 1)
        if W and matrix.shape[1] != len(W[-1]):
            raise ValueError(f"layer {l + 1} takes {matrix.shape[1]} numbers, but layer {l} gives {len(W[-1])}")
        words = [f"layer {l + 1}: {matrix.shape[1]} -> {matrix.shape[0]}"]
        words += ["no bias"] if bias is None else []
        if l < len(layers) - 1 or plain(activation) not in ("identity", "linear"):
            words.append(activation if slope is None else f"{activation} {slope:g}")
        text.append(", ".join(words))
        W.append(factor * matrix)
        b.append(vector)
        factor, least = high, min(least, low / high)
    if plain(layers[-1][2]) not in ("identity", "linear"):  # a last activation is an activation before the identity
        W.append(factor * np.eye(len(W[-1])))
        b.append(np.zeros(len(W[-1])))
    return Network(tuple(W), tuple(b), least, tuple(text))


def _affine(weight: Any, bias: Any, number: int) -> tuple[Array, Array]:
    """Return one layer's matrix and vector in float64, which holds what was stored exactly."""
    matrix = check_matrix(_array(weight), f"the weight of layer {number}")
    if matrix.dtype.itemsize > 8:
        raise ValueError(f"the weight of layer {number} has dtype {matrix.dtype}; expected float64 or narrower")
    vector = np.zeros(len(matrix)) if bias is None else np.asarray(_array(bias), np.float64).ravel()
    if vector.shape != (len(matrix),):
        raise ValueError(f"layer {number} has a bias of {len(vector)} numbers; expected {len(matrix)}")
    if not np.isfinite(vector).all():
        raise ValueError(f"the bias of layer {number} holds NaN or infinity; expected finite entries")
    return matrix.astype(np.float64), vector


def _array(x: Any) -> Array:
    """Return x as an array; the coarse formats that NumPy itself does not have become float64."""
    array: Array = np.asarray(x)
    return array.astype(np.float64) if array.dtype.name.startswith(("bfloat", "float8")) else array


def _pairs(pairs: Sequence[Any], activation: str | None, slope: float | None, transposed: bool | None) -> list[Layer]:
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
    if transposed is not None:
        fits, turned = fits and not transposed, turned and transposed
    if fits and turned and len(weights) > 1:
        raise ValueError(
            "module has weights that fit both ways round; expected transposed=False for (d_out, d_in), or True"
        )
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
        else:
            slopes_of(*what)  # what is no activation at all is to be refused as such
            if waiting is None:
                raise ValueError(f"module has the activation {what[0]} where weights are expected, in front of it")
            yield (*waiting, *what)
            waiting = None
    if waiting is not None:
        yield (*waiting, "identity", None)


def _torch(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    return _merged(_torch_parts(module))


def _torch_parts(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is in a Sequential, those in it unfolded."""
    _check_torch(module)
    for part in module:
        _check_torch(part)
        name = type(part).__name__
        if name == "Sequential":
            yield from _torch_parts(part)
        elif name in ("Linear", "ParametrizedLinear"):
            yield "weights", (_torch_array(part.weight), None if part.bias is None else _torch_array(part.bias))
        elif name not in ("Identity", "Dropout", "Flatten"):
            yield "activation", (name, getattr(part, "negative_slope", getattr(part, "alpha", None)))


def _check_torch(part: Any) -> None:
    """Refuse what computes something else than its class and its weights say."""
    home, name = type(part).__module__, type(part).__name__
    if not home.startswith("torch.nn"):
        raise ValueError(f"module has a {home}.{name}; expected classes of torch.nn only. {reason(name)}")
    if getattr(part, "_forward_hooks", None) or getattr(part, "_forward_pre_hooks", None):
        raise ValueError(
            f"module has a {name} with a hook, which may change what it computes, as the older spectral_norm does;"
            " expected none: remove_spectral_norm and the like write the weights down"
        )
    if getattr(part, "training", False) and name in ("Dropout", "ParametrizedLinear"):
        raise ValueError(
            f"module has a {name} in training, where it changes from call to call; call module.eval() first"
        )
    if name == "Softplus" and not (getattr(part, "beta", 1) > 0 and getattr(part, "threshold", 20) >= 20):
        raise ValueError("module has a Softplus that jumps; expected beta > 0 and the threshold 20 or more")


def _torch_array(x: Any) -> Array:
    x = x.detach().cpu()
    array: Array = (x.double() if x.is_floating_point() else x).numpy()  # NumPy has no bfloat16
    return array


def _keras(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    return _merged(_keras_parts(module, slope))


def _keras_parts(module: Any, slope: float | None) -> Iterator[tuple[str, Any]]:
    for layer in module.layers:
        home, name = type(layer).__module__, type(layer).__name__
        if home.partition(".")[0] not in ("keras", "tensorflow", "tf_keras"):
            raise ValueError(f"module has a {home}.{name}; expected layers of Keras only. {reason(name)}")
        if name == "Sequential":
            yield from _keras_parts(layer, slope)
        elif name == "Dense":
            weights = layer.get_weights()
            if [np.ndim(x) for x in weights] not in ([2], [2, 1]):
                shapes = [np.shape(x) for x in weights]
                raise ValueError(
                    f"module has a Dense with arrays of shapes {shapes}; expected a kernel and a bias only"
                )
            yield "weights", (_array(weights[0]).T, weights[1] if len(weights) == 2 else None)
            if getattr(layer.activation, "__name__", None) != "linear":
                yield "activation", _keras_activation(layer.activation, slope)
        elif name not in ("InputLayer", "Dropout", "Flatten"):
            yield "activation", _keras_activation(layer, slope)


def _keras_activation(what: Any, slope: float | None) -> tuple[str, float | None]:
    """Name an activation, which Keras has as a function and as a layer."""
    name = getattr(what, "__name__", None) or type(what).__name__
    if name == "Activation":
        return _keras_activation(what.activation, slope)
    if hasattr(what, "__name__"):
        return name, slope if plain(name) == "leakyrelu" else None
    if name == "ReLU":
        if what.threshold != 0:
            raise ValueError(f"module has a ReLU with threshold {what.threshold}, where it jumps; expected 0")
        return ("leakyrelu", float(what.negative_slope)) if what.negative_slope else ("relu", None)
    parameter = getattr(what, "negative_slope", getattr(what, "alpha", None))
    return name, float(parameter) if name in ("LeakyReLU", "ELU") and parameter is not None else None


def _sklearn(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    if not hasattr(module, "coefs_"):
        raise ValueError("module is an MLPRegressor without coefs_; expected a fitted MLPRegressor")
    for l, (kernel, bias) in enumerate(zip(module.coefs_, module.intercepts_, strict=True)):
        last = l == len(module.coefs_) - 1
        yield np.asarray(kernel).T, bias, module.out_activation_ if last else module.activation, None


def _equinox(module: Any, activation: str | None, slope: float | None) -> Iterator[Layer]:
    said = _function_name(module.activation)
    known = plain(said) in SLOPES or plain(said) == "leakyrelu" or plain(said) in NOT_COVERED
    if activation is not None and known and plain(said) != plain(activation):
        raise ValueError(f"activation is {activation!r}, but the MLP has {said}")
    between = said if known or activation is None else activation
    last = _function_name(module.final_activation)
    if last == "<lambda>" and module.final_activation.__module__.startswith("equinox."):
        last = "identity"  # the default of Equinox has no other name
    for l, layer in enumerate(module.layers):
        if type(layer).__module__.partition(".")[0] != "equinox" or type(layer).__name__ != "Linear":
            raise ValueError(f"module has a {type(layer).__name__} as layer {l + 1}; expected a Linear of Equinox")
        name = last if l == len(module.layers) - 1 else between
        yield layer.weight, layer.bias, name, slope if plain(name) == "leakyrelu" else None


def _function_name(function: Any) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


READERS = {
    "torch": ("Sequential", _torch),
    "keras": ("Sequential", _keras),
    "tensorflow": ("Sequential", _keras),
    "tf_keras": ("Sequential", _keras),
    "sklearn": ("MLPRegressor", _sklearn),
    "equinox": ("MLP", _equinox),
}
"""For every library the class that is read, and how."""
