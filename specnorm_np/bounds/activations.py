"""Activations by name: the slopes that each one has, and why the others are refused."""

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

NOT_COVERED = {
    "gelu": "its slope goes from -0.13 to 1.13",
    "silu": "its slope goes from -0.1 to 1.1",
    "swish": "its slope goes from -0.1 to 1.1",
    "mish": "its slope goes from -0.11 to 1.09",
    "selu": "its slope reaches 1.76",
    "softmax": "each of its outputs depends on all units, and the bounds need activations of single units",
    "prelu": "its slopes are trained, one for each unit perhaps, and are not read here",
    "batchnorm": "it is not read here; in evaluation it is an affine map, which can be put into the weights",
    "layernorm": "it divides by a spread that may be as small as one likes",
    "norm": "normalisation of activations is not bounded here",
    "conv": "a convolution needs the size of the images; `Conv2d` holds both and enters `lipschitz_upper_bound`",
    "pad": "padding belongs to convolutions, and is not read here",
    "pool": "pooling is not an activation of single units",
    "attention": "attention has no Lipschitz constant on the whole space",
    "transformer": "attention has no Lipschitz constant on the whole space",
    "add": "a residual sum has two paths, and only chains are bounded here",
    "concatenate": "it joins two paths, and only chains are bounded here",
    "lstm": "a recurrent layer is not a chain of affine maps and activations",
    "gru": "a recurrent layer is not a chain of affine maps and activations",
}
"""What no network may contain that is read here, by a part of its name, and why. The first part that fits counts."""


def plain(name: str) -> str:
    """Return the name in small letters without underscores, as the tables have it."""
    return name.lower().replace("_", "")


def slopes_of(activation: str, slope: float | None = None) -> tuple[float, float]:
    """Return the smallest and the largest slope of an activation.

    Parameters
    ----------
    activation : str
        identity, relu, leakyrelu, elu, tanh, sigmoid, softplus; underscores and capital letters do not matter.
    slope : float, optional
        Of a leaky ReLU on negative numbers, or the α of an ELU; each in [0, 1].

    Returns
    -------
    low, high : float
        Both in [0, 1].

    Raises
    ------
    ValueError
        If the activation is not one of these, with the reason, or its parameter is out of range or missing.
    """
    name = plain(activation)
    if name == "leakyrelu":
        if slope is None or not 0.0 <= slope <= 1.0:
            raise ValueError(f"slope is {slope}; expected a number in [0, 1] for a leaky ReLU")
        return slope, 1.0
    if name == "elu" and slope is not None and not 0.0 <= slope <= 1.0:
        raise ValueError(f"ELU has alpha = {slope}; expected one in [0, 1], above it the slope exceeds 1")
    if name not in SLOPES:
        raise ValueError(
            f"activation is {activation!r}; expected one of {', '.join(SLOPES)}, leakyrelu. {reason(activation)}"
        )
    return SLOPES[name]


def reason(name: str) -> str:
    """Say in a sentence why something is refused."""
    known = plain(name)
    exact = [NOT_COVERED[known]] if known in NOT_COVERED else []
    fitting = exact + [why for part, why in NOT_COVERED.items() if part in known]  # BatchNormalization has batchnorm
    return f"{name} is not covered: {fitting[0] if fitting else 'nothing is known here about its slopes'}"
