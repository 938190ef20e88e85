"""Property tests of a Lipschitz bound, for any function of (n, d) arrays, or of images (n, c, h, w).

Which library computes the function does not matter: the kit sees points and values only. It has strategies that draw
weights, networks and pairs of points (they need hypothesis); `assert_lipschitz`, which says whether pairs of points
refute a bound; and `find_lipschitz_violation`, which looks for such a pair. Neither proves a bound: that is what
`specnorm_np.bounds` is for. Row i of the result must depend on row i of the argument alone, which rules out batch
normalisation; `batched` adapts a function of a single point, or of a fixed number of points. `check_gradient` is
another tool: it compares a gradient with central differences, the oracle of all gradients of this package.

Random pairs refute a claim that is wrong in many places, such as the norm of a linear map, and hardly one that is wrong
in few: for random ReLU networks on the plane, 2-64-64-1, a hundred drawn pairs refuted a constant that was 10 % too low
in 1 of 6, and one that was 1 % too low in none, where the search refuted 10 of 10 and 9 of 10. What neither finds is a
steep ball of radius ¼ in ten dimensions, which no value outside of the ball hints at.

Two things surprise. A function that compiles at its first call makes hypothesis complain of its deadline, hence
`@settings(deadline=None)` below. And rounding may pass for steepness. The checks allow for the rounding of the dtypes
that they see. If the function computes in a coarser format, say so by `precision`; if large numbers cancel in it, such
as the biases of f(x) − f(x₀) near x₀, say by `error` how wrong a value may be.

Examples
--------
A function of NumPy, 2-Lipschitz in the l2 norm, and one that claims to be:

>>> import numpy as np
>>> from hypothesis import given, settings
>>> from specnorm_np.testing import assert_lipschitz, find_lipschitz_violation, input_pairs
>>> def f(x):
...     return np.abs(2.0 * x - 1.0).max(axis=1)
>>> @settings(deadline=None)
... @given(pair=input_pairs(3, f))
... def test_f_is_2_lipschitz(pair):
...     assert_lipschitz(f, 2.0, *pair)
>>> test_f_is_2_lipschitz()
>>> worst = find_lipschitz_violation(lambda x: np.abs(2.0 * x - 1.0).sum(axis=1), 2.0, 3, rng=np.random.default_rng(0))
>>> round(worst.ratio, 3)  # the sum is 2√3-Lipschitz
3.464

A module of torch takes and gives arrays through two lines, and points in the dtype that it computes with::

    net = torch.nn.Sequential(spectral_norm(torch.nn.Linear(2, 64)), torch.nn.ReLU(),
                              spectral_norm(torch.nn.Linear(64, 1))).eval()

    def f(x):
        with torch.no_grad():
            return net(torch.from_numpy(x)).numpy()

    @settings(deadline=None)
    @given(pair=input_pairs(2, f, dtype=np.float32))
    def test_the_discriminator_keeps_its_bound(pair):
        assert_lipschitz(f, 1.0, *pair)

    print(find_lipschitz_violation(f, 1.0, 2, dtype=np.float32, rng=np.random.default_rng(0)))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "gradcheck": "check_gradient numeric_gradient directional",
    "checks": "assert_lipschitz LipschitzViolation",
    "search": "find_lipschitz_violation jacobian",
    "rounding": "forward_error_bound",
    "points": "batched",
    "perceptron": "MLP",
    "strategies": "planted_matrices PlantedMatrix weight_matrices AWKWARD mlp_params input_pairs",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: only the strategies need hypothesis."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ModuleNotFoundError(f"{name} needs hypothesis, which is not installed: pip install hypothesis") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if TYPE_CHECKING:
    from specnorm_np.testing.checks import (
        LipschitzViolation as LipschitzViolation,
        assert_lipschitz as assert_lipschitz,
    )
    from specnorm_np.testing.gradcheck import (
        check_gradient as check_gradient,
        directional as directional,
        numeric_gradient as numeric_gradient,
    )
    from specnorm_np.testing.perceptron import MLP as MLP
    from specnorm_np.testing.points import batched as batched
    from specnorm_np.testing.rounding import forward_error_bound as forward_error_bound
    from specnorm_np.testing.search import (
        find_lipschitz_violation as find_lipschitz_violation,
        jacobian as jacobian,
    )
    from specnorm_np.testing.strategies import (
        AWKWARD as AWKWARD,
        PlantedMatrix as PlantedMatrix,
        input_pairs as input_pairs,
        mlp_params as mlp_params,
        planted_matrices as planted_matrices,
        weight_matrices as weight_matrices,
    )
