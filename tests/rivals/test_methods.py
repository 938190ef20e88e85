"""Every method by name: the gradient that its D step descends, and what its step leaves true of the weights."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from specnorm_np.bounds.strict import CertifiedTriplet
from specnorm_np.gan import GAN, Player, d_step, effective, g_step, start, start_player, train
from specnorm_np.losses import HINGE
from specnorm_np.network import Params
from specnorm_np.normalizers import Identity, SpectralNorm, parametrized
from specnorm_np.optim import SGD, Adam
from specnorm_np.rivals.activation_norms import BatchNorm, NormalizedMLP
from specnorm_np.rivals.methods import METHODS, fields_of
from specnorm_np.rivals.penalties import GradientPenalty, Orthonormal
from specnorm_np.spectral import SingularTriplet, spectral_norm
from specnorm_np.testing.gradcheck import check_gradient
from specnorm_np.toy.targets import ring

K = 1.5


class Unsettled:
    """The same normaliser, except that nothing follows an update: a step shows the gradient, without a projection."""

    def __init__(self, normalizer):
        self.normalizer = normalizer

    def __getattr__(self, name):
        return getattr(self.normalizer, name)

    def settle(self, *w_and_state):
        *w, state = w_and_state
        return tuple(w), state


def gan_of(name, **changes):
    fields = {"d_widths": (2, 5, 4, 1), "g_widths": (3, 4, 2), "d_optim": SGD(1.0), "g_optim": SGD(1.0), **changes}
    return GAN(**{**fields_of(name, K), **fields})


def drawn_player(gan, rng):
    """Return a D with random biases (and γ), so that no term of the gradient is hidden by a zero."""
    widths = gan.d_widths
    layers = [
        (0.8 * rng.standard_normal((d_out, d_in)), 0.5 * rng.standard_normal(d_out)) for d_in, d_out in pairwise(widths)
    ]
    theta = parametrized(layers, gan.normalizer)
    blocks = {
        name: block * (1.0 + 0.3 * rng.random(block.shape)) if "gamma" in name else block
        for name, block in theta.items()
    }
    return start_player(Params.of_blocks(blocks), gan.normalizer, gan.d_optim, rng=rng)


def held(norm, W):
    """Return a state for a nearby W with ũ, ṽ and c = s/σ̂ held, as the pullback holds them."""
    if isinstance(norm, SingularTriplet):
        return norm._replace(sigma=float(norm.u @ W @ norm.v))
    if isinstance(norm, CertifiedTriplet):
        sigma = float(norm.u @ W @ norm.v)
        s = norm.s * sigma / norm.sigma
        return norm._replace(sigma=sigma, s=s, W_bar=K / s * W)
    return norm


def loss_of_d(gan, D, vector, x_real, x_fake):
    """Return the whole loss of D at another θ, penalties included."""
    theta = D.theta.replace(vector)
    norms = tuple(held(norm, theta[f"W{l}"]) if norm else norm for l, norm in enumerate(D.norms, 1))
    return d_step(gan, Player(theta, norms, None), x_real, x_fake, 1e-30, rng=np.random.default_rng(5))[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_eq23_d_descends_its_whole_loss_in_every_block(name, seed):
    rng = np.random.default_rng(seed)
    gan = gan_of(name)
    D = drawn_player(gan, rng)
    x_real, x_fake = rng.standard_normal((6, 2)), rng.standard_normal((6, 2)) + 0.5
    free = dataclasses.replace(gan, normalizer=Unsettled(gan.normalizer))
    after, *_ = d_step(free, D, x_real, x_fake, rng=np.random.default_rng(5))
    dtheta = D.theta.vector - after.theta.vector
    check_gradient(lambda v: loss_of_d(free, D, v, x_real, x_fake), D.theta.vector, dtheta, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_eq23_g_descends_its_whole_loss_through_d(name):
    rng = np.random.default_rng(1)
    gan = gan_of(name)
    D = drawn_player(gan, rng)
    layers = [(rng.standard_normal(s), rng.standard_normal(s[0])) for s in ((4, 3), (2, 4))]
    G = start_player(Params.of_layers(layers), Identity(), gan.g_optim, rng=rng)
    z = rng.standard_normal((7, 3))
    after, _ = g_step(gan, G, D, z)

    def loss(vector):
        return g_step(gan, G._replace(theta=G.theta.replace(vector)), D, z)[1]

    check_gradient(loss, G.theta.vector, G.theta.vector - after.theta.vector, rtol=1e-6, atol=1e-7)


def run(name, dtype="float64", **changes):
    """Train a little and return the GAN and its last state."""
    adam = Adam(1e-2, 0.5, 0.9)
    gan = gan_of(name, **{"steps": 15, "batch": 8, "dtype": dtype, "d_optim": adam, "g_optim": adam, **changes})
    *_, (state, _) = train(gan, start(gan, 0), ring().sample)
    return gan, state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_in_its_dtype(name, dtype):
    _, state = run(name, dtype)
    for player in (state.D, state.G):
        assert player.theta.vector.dtype == player.moments.m.dtype == dtype
        assert np.isfinite(player.theta.vector).all()


PROPERTIES = {
    "sn-strict": lambda W: spectral_norm(W) <= K,
    "wn": lambda W: np.allclose(np.linalg.norm(W, axis=1), 1.0),
    "fn": lambda W: np.isclose(np.linalg.norm(W), 1.0),
    "clip": lambda W: np.abs(W).max() <= 0.01,
    "svclip": lambda W: spectral_norm(W) <= K * (1 + 1e-12),
    "usv": lambda W: np.isclose(spectral_norm(W), K),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_what_a_method_keeps_true_at_every_step(name):
    adam = Adam(1e-2, 0.5, 0.9)
    gan = gan_of(name, steps=10, batch=8, d_optim=adam, g_optim=adam)
    for state, _ in train(gan, start(gan, 0), ring().sample):
        assert all(PROPERTIES[name](W) for W in effective(state.D, gan.normalizer)[0])


def test_penalties_pull_where_they_say():
    _, plain = run("none")
    _, ortho = run("ortho", penalties=(Orthonormal(10.0),))
    defects = [np.abs(p.D.theta["W2"] @ p.D.theta["W2"].T - np.eye(4)).max() for p in (plain, ortho)]
    assert defects[1] < 0.5 * defects[0]


def test_methods_share_the_first_weights_and_all_data():
    states = {name: start(gan_of(name), 3) for name in METHODS}
    for name, state in states.items():
        np.testing.assert_array_equal(state.G.theta.vector, states["none"].G.theta.vector)
        if name not in ("clip", "svclip", "usv", "ortho"):
            np.testing.assert_array_equal(state.D.theta["W2"], states["none"].D.theta["W2"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d_widths": (3, 4, 1)}, "d_widths"),
        ({"d_widths": (2, 4, 2)}, "d_widths"),
        ({"n_dis": 0}, "n_dis"),
        ({"batch": 0}, "batch"),
        ({"average": 1.0}, "average"),
    ],
)
def test_combinations_that_cannot_be(changes, words):
    with pytest.raises(ValueError, match=words):
        GAN(**changes)


def test_batch_of_one_is_refused_by_batch_normalisation_alone():
    with pytest.raises(ValueError, match="row"):
        run("bn", batch=1)
    run("ln", batch=1)


def test_a_gradient_penalty_needs_a_plain_network():
    gan = gan_of("gan-gp", d_net=NormalizedMLP(0.1, BatchNorm()))
    D = drawn_player(gan, np.random.default_rng(0))
    with pytest.raises(ValueError, match="d_net"):
        d_step(gan, D, np.zeros((2, 2)), np.ones((2, 2)), rng=np.random.default_rng(0))


def test_a_gradient_penalty_without_its_stream():
    gan = gan_of("gan-gp")
    D = drawn_player(gan, np.random.default_rng(0))
    with pytest.raises(ValueError, match="rng"):
        d_step(gan, D, np.zeros((2, 2)), np.ones((2, 2)))


def test_a_method_of_ones_own():
    gan = GAN(loss=HINGE, normalizer=SpectralNorm(), penalties=(GradientPenalty(1.0),), steps=2, batch=4)
    assert len(list(train(gan, start(gan, 0), ring().sample))) == 2


def test_the_table_says_what_it_is():
    for name, method in METHODS.items():
        assert "\n" not in method.text
        assert set(fields_of(name)) <= {field.name for field in dataclasses.fields(GAN)}
