"""The methods of the paper by name: each a combination of a loss, a normaliser, penalties and a network.

A combination of your own is a `GAN` with these same fields.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from specnorm_np.bounds.strict import CertifiedSpectralNorm
from specnorm_np.losses import STANDARD, WASSERSTEIN
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.rivals.activation_norms import BatchNorm, LayerNorm, NormalizedMLP
from specnorm_np.rivals.normalizers import FrobeniusNorm, Scaled, Tracked, WeightNorm
from specnorm_np.rivals.penalties import GradientPenalty, Orthonormal, SpectralNormPenalty, orthonormal_layers
from specnorm_np.rivals.projections import USV, Clip, SingularValueClip


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
    "clip": Method("weight clipping at 0.01, D.2", False, lambda K, n: {"normalizer": Clip()}),
    "svclip": Method(
        "singular-value clipping at K, D.3",
        True,
        lambda K, n: {"normalizer": SingularValueClip(K)},
    ),
    "usv": Method("W = USVᵀ with max S = K, (28)", True, lambda K, n: {"normalizer": USV(K)}),
    "ortho": Method(
        "orthonormal regularisation, (14), from an orthonormal start",
        False,
        lambda K, n: {"normalizer": Identity(), "penalties": (Orthonormal(),), "d_start": orthonormal_layers},
    ),
    "wgan-gp": Method(
        "Wasserstein loss and gradient penalty, (29)",
        False,
        lambda K, n: {"normalizer": Identity(), "penalties": (GradientPenalty(),), "loss": WASSERSTEIN},
    ),
    "gan-gp": Method(
        "standard loss and gradient penalty of f, (15), (29)",
        False,
        lambda K, n: {"normalizer": Identity(), "penalties": (GradientPenalty(),)},
    ),
    "snreg": Method(
        "spectral norm regularisation (Yoshida & Miyato 2017)",
        False,
        lambda K, n: {"normalizer": Tracked(n), "penalties": (SpectralNormPenalty(),)},
    ),
    "bn": Method(
        "batch normalisation in D, without γ",
        False,
        lambda K, n: {"normalizer": Identity(), "d_net": NormalizedMLP(0.1, BatchNorm())},
    ),
    "ln": Method(
        "layer normalisation in D, without γ",
        False,
        lambda K, n: {"normalizer": Identity(), "d_net": NormalizedMLP(0.1, LayerNorm())},
    ),
    "sn+gp": Method(
        "sn and the gradient penalty, D.4",
        True,
        lambda K, n: {"normalizer": SpectralNorm(n, K), "penalties": (GradientPenalty(),)},
    ),
    "sn-gamma+gp": Method(
        "γ·W̄ of sn in WGAN-GP, (32), E.1",
        False,
        lambda K, n: {
            "normalizer": Scaled(SpectralNorm(n, K)),
            "penalties": (GradientPenalty(),),
            "loss": WASSERSTEIN,
        },
    ),
    "wn-gamma+gp": Method(
        "γ·W̄ of wn in WGAN-GP, footnote 8, E.1",
        False,
        lambda K, n: {
            "normalizer": Scaled(WeightNorm(), per_row=True),
            "penalties": (GradientPenalty(),),
            "loss": WASSERSTEIN,
        },
    ),
    "fn-gamma+gp": Method(
        "γ·W̄ of fn in WGAN-GP, Table 7",
        False,
        lambda K, n: {
            "normalizer": Scaled(FrobeniusNorm()),
            "penalties": (GradientPenalty(),),
            "loss": WASSERSTEIN,
        },
    ),
}


def fields_of(name: str, K: float = 1.0, n_iter: int = 1) -> dict[str, Any]:
    """Return the fields of `GAN` that make a method; its loss is the standard one, unless the method has its own."""
    return {"loss": STANDARD, **METHODS[name].fields(K, n_iter)}
