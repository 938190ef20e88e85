"""Spectral Normalization for Generative Adversarial Networks (Miyato et al., ICLR 2018), executable in pure NumPy.

    import specnorm_np as sn

offers what follows, in the order of the paper; `help(sn.power_iteration)` says more about each. PAPER.md is the index
by equation number.

The spectral norm (sections 2.1 and 2.2, Appendix A)
    spectral_norm           σ(W) by SVD, the oracle of everything else (6)
    random_direction        a random unit vector, where ũ starts (footnote 7)
    power_iteration         σ̂, ũ and ṽ after a few iterations (18)-(22)
    SingularTriplet         what it returns

Normalisation and its gradient (2.1, 2.3, Appendix F)
    SpectralNorm            W̄ = W/σ̂, and its pullback (8)-(12), (22), (37)
    Identity                no normalisation
    pullback_of_quotient    the gradient of W/N(W) for any N (33)-(35)

The network (2)
    Params                  θ, one vector and its named blocks
    MLP                     the network of (1), as a field of a GAN
    he_layers               random weights and zero biases
    forward                 f(x, θ) (1)
    backward                the gradient at W̄ and b, Ê[δhᵀ] of (11)
    backward_to_input       the gradient at x

The losses (4)
    STANDARD                (15), with −log D for G
    SATURATING              (15) for both players
    HINGE                   (16), (17)
    WASSERSTEIN             the objective of WGAN
    Loss                    a pair of functions, for D and for G
    standard_d              (15), what D minimises
    non_saturating_g        −log D, what G minimises
    saturating_g            log(1 − D)
    hinge_d                 (16)
    mean_g                  (17)
    wasserstein_d           the critic of WGAN
    sigmoid                 the link of (2) and (3)
    softplus                log(1 + eˣ)

Optimisers (Appendix A, Table 1)
    SGD                     (23)
    Adam                    what the paper trains with
    TABLE_1                 the settings A to F
    linear_decay            learning rates that fall to 0 (B.3)

Algorithm 1
    GAN                     what stays fixed during a run
    State                   what changes during a run
    Player                  D or G in training
    start                   the first state
    d_step                  an update of D
    g_step                  an update of G
    train                   all updates, state after state
    effective               W̄ and b of a player
    latents                 z
    generate                G(z)
    discriminate            f(x)
    Diverged                what a step raises when a number is no longer finite

Toy data (4, B.1)
    ring                    Gaussians on a circle
    grid                    Gaussians on a grid
    moons                   two half circles
    spiral                  two arms
    checkerboard            uniform on every second field
    Mixture                 Gaussians of your own, with their density
    points                  points of your own, centred and scaled
    load_points             the same, from a file
    evaluate                modes, high quality, reverse KL, Fréchet distance (24), and the next two
    mode_shapes             where the samples of each mode lie and how far they are spread
    two_sample              whether the nearest neighbour can tell generated points from real ones
    perfect_sampler         the same measures of the target's own samples

Bounds ((5), (7))
    spectral_norm_bounds             σ(W) between two numbers, proven in floating point
    certify_upper                    a proof that σ(W) does not exceed a number
    as_matrix                        a convolution kernel as a matrix (footnote 3)
    convolution_norm                 the norm of the convolution itself, by FFT
    convolution_upper_bound          the same from above, proven in floating point
    Conv2d                           a convolution as a layer of a chain, for (7)
    certified_normalization          a W̄ whose norm is proven to be at most K
    CertifiedSpectralNorm            the normaliser made of it
    convergence                      how far a power iteration is
    iterations_needed                how many iterations an accuracy takes
    lipschitz_upper_bound            the product of the norms (7)
    tighter_lipschitz_upper_bound    a sharper bound
    lipschitz_lower_bound            a gradient found by search
    sdp_lipschitz_upper_bound        the sharpest one (LipSDP-Neuron), in seconds
    network_of, Network              the weights of a network of PyTorch, Keras, scikit-learn, Equinox, for these bounds
    exact_lipschitz_constant         the constant itself, for two inputs
    certified_lipschitz              the constant between two numbers, both proven in floating point

What the paper compares with (3, Appendices D and E)
    METHODS                 all methods by name
    fields_of               the fields of GAN that make a method
    WeightNorm              (25)
    FrobeniusNorm           (26)
    Scaled                  γW̄ (32)
    Tracked                 W̄ = W with the triplet of W, for a penalty on σ(W)
    Clip                    weight clipping (D.2)
    SingularValueClip       singular-value clipping (D.3)
    USV                     W = USVᵀ (28)
    orthonormalized         the nearest step back to orthonormal columns, by QR
    Orthonormal             ‖WᵀW − I‖² (14)
    SpectralNormPenalty     spectral norm regularisation
    GradientPenalty         (29)
    interpolate             where the gradient is penalised (30), (31)
    BatchNorm, LayerNorm    normalised activations
    NormalizedMLP           the network that has them
    orthonormal_layers      the start of the orthonormal method
    Piecewise               a schedule of a learning rate or of K, linear between given points
    ScheduledK              spectral normalisation with a K that follows a schedule

Training in a line
    fit                     a GAN on a toy distribution or on your own points, with its history and samples

`specnorm_np.testing` has the gradient checker and the property tests of a Lipschitz bound, for tests of your own.
`specnorm_np.runs` keeps runs in folders, and `specnorm_np.command` is the command `specnorm-np`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "spectral": "spectral_norm random_direction power_iteration SingularTriplet",
    "normalizers": "SpectralNorm Identity pullback_of_quotient",
    "network": "Params MLP he_layers forward backward backward_to_input",
    "losses": "STANDARD SATURATING HINGE WASSERSTEIN Loss sigmoid softplus standard_d"
    " non_saturating_g saturating_g hinge_d mean_g"
    " wasserstein_d",
    "optim": "SGD Adam TABLE_1 linear_decay",
    "gan": "GAN State Player start d_step g_step train effective latents generate discriminate Diverged",
    "toy.targets": "ring grid moons spiral checkerboard Mixture",
    "toy.points": "points load_points",
    "toy.metrics": "evaluate perfect_sampler mode_shapes",
    "toy.two_sample": "two_sample",
    "bounds.certificates": "spectral_norm_bounds certify_upper certified_normalization convergence iterations_needed",
    "bounds.convolutions": "as_matrix convolution_norm convolution_upper_bound Conv2d",
    "bounds.branch_and_bound": "certified_lipschitz",
    "bounds.modules": "network_of Network",
    "bounds.sdp": "sdp_lipschitz_upper_bound",
    "bounds.strict": "CertifiedSpectralNorm",
    "bounds.lipschitz": "lipschitz_upper_bound tighter_lipschitz_upper_bound lipschitz_lower_bound"
    " exact_lipschitz_constant",
    "rivals.methods": "METHODS fields_of",
    "rivals.normalizers": "WeightNorm FrobeniusNorm Scaled Tracked",
    "rivals.projections": "Clip SingularValueClip USV orthonormalized",
    "rivals.penalties": "Orthonormal SpectralNormPenalty GradientPenalty interpolate orthonormal_layers",
    "rivals.activation_norms": "BatchNorm LayerNorm NormalizedMLP",
    "rivals.schedules": "Piecewise ScheduledK",
    "runs.fit": "fit",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_WINGS = ("testing", "bounds", "toy", "rivals", "runs", "command")

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing the package alone imports no NumPy."""
    if name in _WINGS:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_WINGS])


if TYPE_CHECKING:
    from specnorm_np.bounds.branch_and_bound import certified_lipschitz as certified_lipschitz
    from specnorm_np.bounds.certificates import (
        certified_normalization as certified_normalization,
        certify_upper as certify_upper,
        convergence as convergence,
        iterations_needed as iterations_needed,
        spectral_norm_bounds as spectral_norm_bounds,
    )
    from specnorm_np.bounds.convolutions import (
        Conv2d as Conv2d,
        as_matrix as as_matrix,
        convolution_norm as convolution_norm,
        convolution_upper_bound as convolution_upper_bound,
    )
    from specnorm_np.bounds.lipschitz import (
        exact_lipschitz_constant as exact_lipschitz_constant,
        lipschitz_lower_bound as lipschitz_lower_bound,
        lipschitz_upper_bound as lipschitz_upper_bound,
        tighter_lipschitz_upper_bound as tighter_lipschitz_upper_bound,
    )
    from specnorm_np.bounds.modules import Network as Network, network_of as network_of
    from specnorm_np.bounds.sdp import sdp_lipschitz_upper_bound as sdp_lipschitz_upper_bound
    from specnorm_np.bounds.strict import CertifiedSpectralNorm as CertifiedSpectralNorm
    from specnorm_np.gan import (
        GAN as GAN,
        Diverged as Diverged,
        Player as Player,
        State as State,
        d_step as d_step,
        discriminate as discriminate,
        effective as effective,
        g_step as g_step,
        generate as generate,
        latents as latents,
        start as start,
        train as train,
    )
    from specnorm_np.losses import (
        HINGE as HINGE,
        SATURATING as SATURATING,
        STANDARD as STANDARD,
        WASSERSTEIN as WASSERSTEIN,
        Loss as Loss,
        hinge_d as hinge_d,
        mean_g as mean_g,
        non_saturating_g as non_saturating_g,
        saturating_g as saturating_g,
        sigmoid as sigmoid,
        softplus as softplus,
        standard_d as standard_d,
        wasserstein_d as wasserstein_d,
    )
    from specnorm_np.network import (
        MLP as MLP,
        Params as Params,
        backward as backward,
        backward_to_input as backward_to_input,
        forward as forward,
        he_layers as he_layers,
    )
    from specnorm_np.normalizers import (
        Identity as Identity,
        SpectralNorm as SpectralNorm,
        pullback_of_quotient as pullback_of_quotient,
    )
    from specnorm_np.optim import SGD as SGD, TABLE_1 as TABLE_1, Adam as Adam, linear_decay as linear_decay
    from specnorm_np.rivals.activation_norms import (
        BatchNorm as BatchNorm,
        LayerNorm as LayerNorm,
        NormalizedMLP as NormalizedMLP,
    )
    from specnorm_np.rivals.methods import METHODS as METHODS, fields_of as fields_of
    from specnorm_np.rivals.normalizers import (
        FrobeniusNorm as FrobeniusNorm,
        Scaled as Scaled,
        Tracked as Tracked,
        WeightNorm as WeightNorm,
    )
    from specnorm_np.rivals.penalties import (
        GradientPenalty as GradientPenalty,
        Orthonormal as Orthonormal,
        SpectralNormPenalty as SpectralNormPenalty,
        interpolate as interpolate,
        orthonormal_layers as orthonormal_layers,
    )
    from specnorm_np.rivals.projections import (
        USV as USV,
        Clip as Clip,
        SingularValueClip as SingularValueClip,
        orthonormalized as orthonormalized,
    )
    from specnorm_np.rivals.schedules import Piecewise as Piecewise, ScheduledK as ScheduledK
    from specnorm_np.runs.fit import fit as fit
    from specnorm_np.spectral import (
        SingularTriplet as SingularTriplet,
        power_iteration as power_iteration,
        random_direction as random_direction,
        spectral_norm as spectral_norm,
    )
    from specnorm_np.toy.metrics import (
        evaluate as evaluate,
        mode_shapes as mode_shapes,
        perfect_sampler as perfect_sampler,
    )
    from specnorm_np.toy.points import load_points as load_points, points as points
    from specnorm_np.toy.targets import (
        Mixture as Mixture,
        checkerboard as checkerboard,
        grid as grid,
        moons as moons,
        ring as ring,
        spiral as spiral,
    )
    from specnorm_np.toy.two_sample import two_sample as two_sample
