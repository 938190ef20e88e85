"""The methods of the paper by name: each a combination of a loss, a normaliser, a projection and penalties.

A combination of your own is a `GAN` with these same fields.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from specnorm_np.activation_norms import BatchNorm, LayerNorm
from specnorm_np.losses import STANDARD, WASSERSTEIN
from specnorm_np.normalizers import (
    CertifiedSpectralNorm,
    FrobeniusNorm,
    Identity,
    Scaled,
    SpectralNorm,
    Tracked,
    WeightNorm,
)
from specnorm_np.regularizers import (
    USV,
    Clip,
    GradientPenalty,
    Orthonormal,
    SingularValueClip,
    SpectralNormPenalty,
)


class Method(NamedTuple):
    """A method by name.

    Attributes
    ----------
    text : str
        One line, with the place in the paper.
    bounded : bool
        Whether every layer is kept at σ(W̄) ≤ K (or, for power iteration, near it).
    fields : function (K, n_iter) -> dict
        Fields of `GAN`.
    """

    text: str
    bounded: bool
    fields: Callable[[float, int], dict[str, Any]]


def _usv(K: float, n_iter: int) -> dict[str, Any]:
    return {"normalizer": USV(K), "projection": USV(K)}


METHODS = {
    "none": Method("no normalisation", False, lambda K, n: {"normalizer": Identity()}),
    "sn": Method("spectral normalisation, (8)", True, lambda K, n: {"normalizer": SpectralNorm(n, K)}),
    "sn-strict": Method(
        "spectral normalisation, certified: σ(W̄) ≤ K as stored (not in the paper)",
        True,
        lambda K, n: {"normalizer": CertifiedSpectralNorm(n, K)},
    ),
    "wn": Method("weight normalisation without γ, (25)", False, lambda K, n: {"normalizer": WeightNorm()}),
    "fn": Method("Frobenius normalisation, (26)", False, lambda K, n: {"normalizer": FrobeniusNorm()}),
    "clip": Method(
        "weight clipping at 0.01, D.2", False, lambda K, n: {"normalizer": Identity(), "projection": Clip()}
    ),
    "svclip": Method(
        "singular-value clipping at K, D.3",
        True,
        lambda K, n: {"normalizer": Identity(), "projection": SingularValueClip(K)},
    ),
    "usv": Method("W = USVᵀ with max S = K, (28)", True, _usv),
    "ortho": Method(
        "orthonormal regularisation, (14), from an orthonormal start",
        False,
        lambda K, n: {"normalizer": Identity(), "weight_penalty": Orthonormal(), "orthonormal": True},
    ),
    "wgan-gp": Method(
        "Wasserstein loss and gradient penalty, (29)",
        False,
        lambda K, n: {"normalizer": Identity(), "gradient_penalty": GradientPenalty(), "loss": WASSERSTEIN},
    ),
    "gan-gp": Method(
        "standard loss and gradient penalty of f, (15), (29)",
        False,
        lambda K, n: {"normalizer": Identity(), "gradient_penalty": GradientPenalty()},
    ),
    "snreg": Method(
        "spectral norm regularisation (Yoshida & Miyato 2017)",
        False,
        lambda K, n: {"normalizer": Tracked(n), "weight_penalty": SpectralNormPenalty()},
    ),
    "bn": Method(
        "batch normalisation in D, without γ",
        False,
        lambda K, n: {"normalizer": Identity(), "activation_norm": BatchNorm()},
    ),
    "ln": Method(
        "layer normalisation in D, without γ",
        False,
        lambda K, n: {"normalizer": Identity(), "activation_norm": LayerNorm()},
    ),
    "sn+gp": Method(
        "sn and the gradient penalty, D.4",
        True,
        lambda K, n: {"normalizer": SpectralNorm(n, K), "gradient_penalty": GradientPenalty()},
    ),
    "sn-gamma+gp": Method(
        "γ·W̄ of sn in WGAN-GP, (32), E.1",
        False,
        lambda K, n: {
            "normalizer": Scaled(SpectralNorm(n, K)),
            "gradient_penalty": GradientPenalty(),
            "loss": WASSERSTEIN,
        },
    ),
    "wn-gamma+gp": Method(
        "γ·W̄ of wn in WGAN-GP, footnote 8, E.1",
        False,
        lambda K, n: {
            "normalizer": Scaled(WeightNorm(), per_row=True),
            "gradient_penalty": GradientPenalty(),
            "loss": WASSERSTEIN,
        },
    ),
}


def fields_of(name: str, K: float = 1.0, n_iter: int = 1) -> dict[str, Any]:
    """Return the fields of `GAN` that make a method; its loss is the standard one, unless the method has its own."""
    return {"loss": STANDARD, **METHODS[name].fields(K, n_iter)}
