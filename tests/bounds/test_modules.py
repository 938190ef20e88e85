"""Networks of other libraries: those that are installed themselves, and stand-ins of the same shape for all."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from specnorm_np.bounds.lipschitz import lipschitz_upper_bound
from specnorm_np.bounds.modules import network_of
from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound

RNG = np.random.default_rng(0)
W1, b1, W2, b2 = (RNG.standard_normal(shape) for shape in ((4, 3), 4, (2, 4), 2))


def made(library, name, **fields):
    """Make an object of a class that calls itself `library.name`."""
    return type(name, (), {"__module__": library, **fields})()


def tensor(x):
    array = SimpleNamespace(numpy=lambda: x)
    return SimpleNamespace(detach=lambda: SimpleNamespace(cpu=lambda: array))


def torch_sequential(*parts):
    return made("torch.nn.modules.container", "Sequential", __iter__=lambda self: iter(parts))


def torch_linear(W, b):
    bias = None if b is None else tensor(b)
    return made("torch.nn.modules.linear", "Linear", weight=tensor(W), bias=bias)


def torch_activation(name, **fields):
    return made("torch.nn.modules.activation", name, **fields)


def keras_dense(W, b, activation):
    weights = [W.T] if b is None else [W.T, b]
    return made(
        "keras.src.layers", "Dense", get_weights=lambda self: weights, activation=SimpleNamespace(__name__=activation)
    )


FITTED = {"coefs_": [W1.T, W2.T], "intercepts_": [b1, b2], "activation": "relu", "out_activation_": "identity"}
EQUINOX = {
    "layers": [SimpleNamespace(weight=W, bias=b) for W, b in ((W1, b1), (W2, b2))],
    "activation": SimpleNamespace(__name__="relu"),
}
MODULES = {
    "list": lambda: network_of([(W1, b1), (W2, b2)], "relu"),
    "transposed list": lambda: network_of([(W1.T, b1), (W2.T, b2)], "relu"),
    "list of lists": lambda: network_of([(W1.tolist(), b1.tolist()), (W2.tolist(), b2.tolist())], "relu"),
    "torch": lambda: network_of(torch_sequential(torch_linear(W1, b1), torch_activation("ReLU"), torch_linear(W2, b2))),
    "nested torch": lambda: network_of(
        torch_sequential(
            made("torch.nn", "Flatten"),
            torch_sequential(torch_linear(W1, b1), torch_activation("ReLU")),
            made("torch.nn", "Dropout"),
            torch_linear(W2, b2),
        )
    ),
    "keras": lambda: network_of(
        made("keras.src.models", "Sequential", layers=[keras_dense(W1, b1, "relu"), keras_dense(W2, b2, "linear")])
    ),
    "sklearn": lambda: network_of(made("sklearn.neural_network", "MLPRegressor", **FITTED)),
    "equinox": lambda: network_of(made("equinox.nn", "MLP", **EQUINOX)),
}


@pytest.mark.parametrize("name", MODULES)
def test_each_kind_of_module_is_the_same_network(name):
    network = MODULES[name]()
    for got, expected in zip((*network.W, *network.b), (W1, W2, b1, b2), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert network.slope == 0.0
    assert str(network).splitlines() == [
        "layer 1: 3 -> 4, relu" if "torch" not in name else "layer 1: 3 -> 4, ReLU",
        "layer 2: 4 -> 2",
        "every slope of the activations is in [0, 1]",
    ]


@pytest.mark.parametrize(
    ("activation", "slope", "function", "low", "factor"),
    [
        ("leaky_relu", 0.2, lambda a: np.where(a > 0, a, 0.2 * a), 0.2, 1.0),
        ("tanh", None, np.tanh, 0.0, 1.0),
        ("sigmoid", None, lambda a: 1 / (1 + np.exp(-a)), 0.0, 0.25),
        ("softplus", None, lambda a: np.logaddexp(0, a), 0.0, 1.0),
        ("elu", None, lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))), 0.0, 1.0),
        ("identity", None, lambda a: a, 1.0, 1.0),
    ],
)
def test_the_slopes_of_an_activation_are_those_of_the_function(activation, slope, function, low, factor):
    """And the bound holds for the function itself, on pairs close together and far apart."""
    network = network_of([(W1, b1), (W2, b2)], activation, slope)
    a = np.linspace(-20, 20, 400_001)
    slopes = np.diff(function(a)) / np.diff(a)
    assert low - 1e-9 <= slopes.min()
    assert slopes.max() <= factor + 1e-9
    assert slopes.max() >= factor - 1e-3  # or the bound would be needlessly loose
    assert network.slope == low / factor
    np.testing.assert_allclose(network.W[1], factor * W2)

    def f(x):
        return function(x @ W1.T + b1) @ W2.T + b2

    bound = sdp_lipschitz_upper_bound(network.W, network.slope)
    assert bound <= lipschitz_upper_bound(network.W, network.slope)
    x, y = np.random.default_rng(1).standard_normal((2, 5000, 3))
    for other in (y, x + 1e-3 * y):
        ratio = np.linalg.norm(f(x) - f(other), axis=1) / np.linalg.norm(x - other, axis=1)
        assert ratio.max() <= bound * (1 + 1e-9)


def test_an_activation_at_the_end_is_a_layer_of_its_own():
    network = network_of(torch_sequential(torch_linear(W1, None), torch_activation("Sigmoid")))
    np.testing.assert_array_equal(network.W[0], W1)
    np.testing.assert_array_equal(network.W[1], 0.25 * np.eye(4))
    assert str(network).splitlines()[0] == "layer 1: 3 -> 4, no bias, Sigmoid"


def conv():
    return torch_sequential(made("torch.nn", "Conv2d"))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: network_of(object()), "expected a Sequential of torch or Keras"),
        (lambda: network_of([W1, W2]), "expected pairs (W, b)"),
        (lambda: network_of([(W1, b1), (W2, b2)]), "activation is None"),
        (lambda: network_of([(W1, b1), (W1, b1)], "relu"), "do not make a chain"),
        (lambda: network_of([(W1, b1), (W2, b2)], "gelu"), "activation is 'gelu'; expected one of identity"),
        (lambda: network_of([(W1, b1), (W2, b2)], "leakyrelu"), "slope is None; expected a number in [0, 1]"),
        (lambda: network_of([]), "no layer with weights"),
        (lambda: network_of(conv()), "begins with the activation Conv2d"),
        (
            lambda: network_of(torch_sequential(torch_linear(W1, b1), torch_activation("SiLU"), torch_linear(W2, b2))),
            "activation is 'SiLU'",
        ),
        (
            lambda: network_of(torch_sequential(torch_linear(W1, b1), torch_activation("ELU", alpha=2.0))),
            "ELU has alpha = 2.0",
        ),
        (lambda: network_of(made("torch.nn", "Transformer")), "module is a Transformer; expected a Sequential"),
        (lambda: network_of(made("sklearn.neural_network", "MLPRegressor")), "expected a fitted MLPRegressor"),
    ],
)
def test_what_is_not_understood_is_named(module, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        module()


def test_a_real_regressor_of_scikit_learn():
    neural_network = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    for activation in ("relu", "tanh", "logistic", "identity"):
        model = neural_network.MLPRegressor(
            hidden_layer_sizes=(8, 6), activation=activation, max_iter=30, random_state=0
        ).fit(x, x[:, 0] ** 2)
        network = network_of(model)
        bound = sdp_lipschitz_upper_bound(network.W, network.slope)
        other = x + 1e-3 * rng.standard_normal(x.shape)
        ratio = np.abs(model.predict(x) - model.predict(other)) / np.linalg.norm(x - other, axis=1)
        assert ratio.max() <= bound * (1 + 1e-9)


def test_a_real_sequential_of_torch():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LeakyReLU(0.1), torch.nn.Linear(4, 2, bias=False))
    network = network_of(module)
    x = torch.randn(10, 3)
    expected = module(x).detach().numpy()
    a = x.numpy() @ network.W[0].T + network.b[0]
    np.testing.assert_allclose(
        np.where(a > 0, a, 0.1 * a) @ network.W[1].T + network.b[1], expected, rtol=1e-5, atol=1e-6
    )
    assert network.slope == pytest.approx(0.1)
