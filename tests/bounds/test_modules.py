"""Networks of other libraries: those that are installed themselves, and stand-ins of the same shape for all."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from specnorm_np.bounds.activations import reason
from specnorm_np.bounds.lipschitz import lipschitz_upper_bound
from specnorm_np.bounds.modules import network_of
from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound

RNG = np.random.default_rng(0)
W1, b1, W2, b2 = (RNG.standard_normal(shape) for shape in ((4, 3), 4, (2, 4), 2))


def made(library, name, **fields):
    """Make an object of a class that calls itself `library.name`."""
    return type(name, (), {"__module__": library, **fields})()


def tensor(x):
    array = SimpleNamespace(numpy=lambda: x, is_floating_point=lambda: True, double=lambda: array)
    return SimpleNamespace(detach=lambda: SimpleNamespace(cpu=lambda: array))


def torch_sequential(*parts):
    return made("torch.nn.modules.container", "Sequential", __iter__=lambda self: iter(parts))


def torch_linear(W, b, **fields):
    bias = None if b is None else tensor(b)
    return made("torch.nn.modules.linear", "Linear", weight=tensor(W), bias=bias, **fields)


def torch_activation(name, **fields):
    return made("torch.nn.modules.activation", name, **fields)


def keras_dense(W, b, activation):
    weights = [W.T] if b is None else [W.T, b]
    function = SimpleNamespace(__name__=activation) if isinstance(activation, str) else activation
    return made("keras.src.layers", "Dense", get_weights=lambda self: weights, activation=function)


def keras_sequential(*layers, name="Sequential"):
    return made("keras.src.models", name, layers=list(layers))


def keras_layer(name, **fields):
    """A Keras network with this layer between its two linear ones."""
    between = made("keras.src.layers", name, **fields)
    return keras_sequential(keras_dense(W1, b1, "linear"), between, keras_dense(W2, b2, "linear"))


def torch_layer(*between):
    return torch_sequential(torch_linear(W1, b1), *between, torch_linear(W2, b2))


def equinox_mlp(name="relu", last="identity"):
    layers = [made("equinox.nn._linear", "Linear", weight=W, bias=b) for W, b in ((W1, b1), (W2, b2))]
    functions = {"activation": SimpleNamespace(__name__=name), "final_activation": SimpleNamespace(__name__=last)}
    return made("equinox.nn._mlp", "MLP", layers=layers, **functions)


FITTED = {"coefs_": [W1.T, W2.T], "intercepts_": [b1, b2], "activation": "relu", "out_activation_": "identity"}
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
    "keras": lambda: network_of(keras_sequential(keras_dense(W1, b1, "relu"), keras_dense(W2, b2, "linear"))),
    "keras with a layer for the activation": lambda: network_of(
        keras_layer("Activation", activation=SimpleNamespace(__name__="relu"))
    ),
    "keras with a ReLU layer": lambda: network_of(
        keras_layer("ReLU", negative_slope=0.0, threshold=0.0, max_value=6.0)
    ),
    "nested keras": lambda: network_of(
        keras_sequential(keras_sequential(keras_dense(W1, b1, "relu")), keras_dense(W2, b2, "linear"))
    ),
    "sklearn": lambda: network_of(made("sklearn.neural_network", "MLPRegressor", **FITTED)),
    "equinox": lambda: network_of(equinox_mlp()),
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


MODULE_OF_TORCH = torch_layer(torch_activation("ReLU"))


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
        (lambda: network_of(conv()), "Conv2d is not covered: a convolution needs the size of the images"),
        (lambda: network_of([(np.eye(3), None)] * 2, "relu"), "weights that fit both ways round"),
        (lambda: network_of([(W1, b1), (W2, b2)], "relu", transposed=True), "do not make a chain"),
        (lambda: network_of([(W1, b1), (W2, np.full(2, np.nan))], "relu"), "the bias of layer 2 holds NaN"),
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
        (
            lambda: network_of(made("sklearn.neural_network", "MLPClassifier", **FITTED)),
            "module is a MLPClassifier; expected a MLPRegressor",
        ),
        (lambda: network_of(MODULE_OF_TORCH, "relu"), "activation is 'relu'; expected None"),
        (lambda: network_of(MODULE_OF_TORCH, transposed=True), "transposed is True; expected None"),
    ],
)
def test_what_is_not_understood_is_named(module, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        module()


class Custom:
    """A class of the user's own, which may compute anything."""


MISREAD = {
    "a graph of Keras, which may share and skip layers": (
        lambda: keras_sequential(keras_dense(W1, b1, "linear"), keras_dense(W2, b2, "linear"), name="Functional"),
        "module is a Functional; expected a Sequential",
    ),
    "an ELU of Keras that is too steep": (lambda: keras_layer("ELU", alpha=2.0), "ELU has alpha = 2.0"),
    "a ReLU of Keras that jumps": (
        lambda: keras_layer("ReLU", negative_slope=0.0, threshold=1.0, max_value=None),
        "ReLU with threshold 1.0, where it jumps",
    ),
    "a ReLU of Keras that is too steep": (
        lambda: keras_layer("ReLU", negative_slope=3.0, threshold=0.0, max_value=None),
        "slope is 3.0; expected a number in [0, 1]",
    ),
    "a leaky ReLU of Keras without a slope": (
        lambda: keras_sequential(keras_dense(W1, b1, "leaky_relu"), keras_dense(W2, b2, "linear")),
        "slope is None",
    ),
    "a function without a name": (
        lambda: keras_sequential(keras_dense(W1, b1, "<lambda>")),
        "<lambda> is not covered: nothing is known here about its slopes",
    ),
    "an adapter beside the kernel": (
        lambda: keras_sequential(
            made("keras.src.layers", "Dense", get_weights=lambda self: [W1.T, W1.T, W1.T], activation=None)
        ),
        "expected a kernel and a bias only",
    ),
    "a layer of one's own in Keras": (lambda: keras_sequential(Custom()), "test_modules.Custom"),
    "a layer of one's own in torch": (lambda: torch_layer(Custom()), "test_modules.Custom"),
    "a quantised layer": (
        lambda: torch_layer(made("torch.ao.nn.quantized.modules.linear", "Linear")),
        "expected classes of torch.nn only",
    ),
    "a weight that a hook computes": (
        lambda: torch_sequential(torch_linear(W1, b1, _forward_pre_hooks={0: print})),
        "Linear with a hook",
    ),
    "a dropout in training": (
        lambda: torch_layer(made("torch.nn", "Dropout", training=True)),
        "call module.eval() first",
    ),
    "a softplus that jumps": (lambda: torch_layer(torch_activation("Softplus", beta=1, threshold=0)), "jumps"),
    "a residual sum": (lambda: keras_layer("Add"), "Add is not covered: a residual sum has two paths"),
    "pooling": (lambda: torch_layer(made("torch.nn", "MaxPool1d")), "pooling is not an activation of single units"),
    "batch normalisation": (lambda: keras_layer("BatchNormalization"), "in evaluation it is an affine map"),
    "layer normalisation": (lambda: torch_layer(made("torch.nn", "LayerNorm")), "divides by a spread"),
    "two activations": (
        lambda: torch_layer(torch_activation("ReLU"), torch_activation("Tanh")),
        "the activation Tanh where weights are expected",
    ),
    "an Equinox network that ends in exp": (lambda: equinox_mlp(last="exp"), "exp is not covered"),
}


@pytest.mark.parametrize("name", MISREAD)
def test_what_would_be_read_as_another_network_is_refused(name):
    """A certified bound of another network is worse than none."""
    module, message = MISREAD[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        network_of(module())


def test_a_name_given_for_an_equinox_network_must_not_contradict_it():
    with pytest.raises(ValueError, match="activation is 'relu', but the MLP has gelu"):
        network_of(equinox_mlp("gelu"), "relu")
    assert network_of(equinox_mlp("<lambda>"), "leaky_relu", 0.3).slope == 0.3  # the user's word
    assert network_of(equinox_mlp("relu", last="sigmoid")).W[2][0, 0] == 0.25


def test_square_weights_are_read_as_the_caller_says():
    A, B = RNG.standard_normal((2, 3, 3))
    np.testing.assert_array_equal(network_of([(A, None), (B, None)], "relu", transposed=False).W, (A, B))
    np.testing.assert_array_equal(network_of([(A, None), (B, None)], "relu", transposed=True).W, (A.T, B.T))


def gelu(a):
    return a * np.vectorize(math.erfc)(-a / math.sqrt(2)) / 2


def silu(a):
    return a / (1 + np.exp(-a))


def selu(a):
    return 1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0)))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gelu", gelu),
        ("silu", silu),
        ("swish", silu),
        ("mish", lambda a: a * np.tanh(np.logaddexp(0, a))),
        ("selu", selu),
    ],
)
def test_the_reason_of_a_refusal_names_the_true_slopes(name, function):
    a = np.linspace(-10, 10, 20_000)  # no point at the kink of SELU
    slopes = np.diff(function(a)) / np.diff(a)
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d+", reason(name))]
    assert numbers[-1] == pytest.approx(slopes.max(), abs=0.005)
    assert slopes.max() > 1.0
    if len(numbers) == 2:
        assert numbers[0] == pytest.approx(slopes.min(), abs=0.005)


@pytest.mark.filterwarnings("ignore")  # of the library itself
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


def test_real_networks_of_torch_that_are_read_or_refused():
    torch = pytest.importorskip("torch")
    nn, x = torch.nn, torch.randn(10, 3, dtype=torch.float64)
    normed = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)).double()
    with pytest.raises(ValueError, match=r"call module\.eval"):
        network_of(nn.Sequential(normed))
    module = nn.Sequential(nn.Dropout(), nn.Sequential(normed, nn.Sigmoid()), nn.Linear(4, 2).double()).eval()
    network = network_of(module)
    h = 4 / (1 + np.exp(-(x.numpy() @ network.W[0].T + network.b[0])))
    np.testing.assert_allclose(h @ network.W[1].T + network.b[1], module(x).detach().numpy(), rtol=1e-12, atol=1e-12)
    coarse = nn.Linear(3, 4).bfloat16()
    np.testing.assert_array_equal(network_of(nn.Sequential(coarse)).W[0], coarse.weight.detach().double().numpy())
    with pytest.raises(ValueError, match="Linear with a hook"):
        network_of(nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 4))).eval())
    for part in (nn.BatchNorm1d(4), nn.GELU(), nn.PReLU(), nn.ELU(alpha=2.0), nn.Softmax(1), nn.MaxPool1d(2)):
        with pytest.raises(ValueError, match=r"not covered|ELU has alpha"):
            network_of(nn.Sequential(nn.Linear(3, 4), part, nn.Linear(4, 2)).eval())


@pytest.mark.filterwarnings("ignore")  # of the library itself
def test_real_networks_of_keras():
    keras = pytest.importorskip("keras")
    L = keras.layers
    layers = [L.Input((3,)), L.Dense(4, "tanh"), L.Dropout(0.5), L.Dense(4), L.LeakyReLU(0.3), L.Dense(2)]
    module = keras.Sequential(layers)
    network, x = network_of(module), RNG.standard_normal((10, 3)).astype(np.float32)
    h = np.tanh(x @ network.W[0].T + network.b[0])
    a = h @ network.W[1].T + network.b[1]
    expected = np.where(a > 0, a, 0.3 * a) @ network.W[2].T + network.b[2]
    np.testing.assert_allclose(module.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    assert network.slope == 0.0
    inputs = keras.Input((4,))
    dense = L.Dense(4)
    shared = keras.Model(inputs, L.Add()([inputs, dense(dense(inputs))]))
    for refused in (
        shared,
        keras.Sequential([L.Input((4,)), L.Dense(4), L.ReLU(threshold=1.0)]),
        keras.Sequential([L.Input((4,)), L.Dense(4), L.ELU(2.0)]),
        keras.Sequential([L.Input((4,)), L.Dense(4, "gelu")]),
        keras.Sequential([L.Input((4,)), L.Dense(4), L.BatchNormalization()]),
    ):
        with pytest.raises(ValueError, match="expected"):
            network_of(refused)


@pytest.mark.filterwarnings("ignore")  # of the library itself
def test_real_networks_of_equinox():
    equinox, jax = pytest.importorskip("equinox"), pytest.importorskip("jax")
    key = jax.random.PRNGKey(0)

    def mlp(**functions):
        return equinox.nn.MLP(3, 2, 4, 2, key=key, **functions)

    module, x = mlp(activation=jax.nn.softplus), RNG.standard_normal((10, 3)).astype(np.float32)
    network = network_of(module)
    h = x
    for W, b in zip(network.W[:-1], network.b[:-1], strict=True):
        h = np.logaddexp(0.0, h @ W.T + b)
    expected = np.asarray(jax.vmap(module)(x))
    np.testing.assert_allclose(h @ network.W[-1].T + network.b[-1], expected, rtol=1e-4, atol=1e-5)
    assert network_of(mlp(activation=jax.nn.leaky_relu), slope=0.01).slope == 0.01
    for refused in (mlp(activation=jax.nn.gelu), mlp(final_activation=jax.numpy.exp), mlp(activation=lambda a: 2 * a)):
        with pytest.raises(ValueError, match="is not covered"):
            network_of(refused)
