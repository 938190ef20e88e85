"""Algorithm 1 and training: gradients of whole losses, one power iteration for each update, same bits for one seed.

What a step does is read off its result: with SGD of α = 1, θ − θ' is the gradient. The losses are written out here,
with W̄ = KW/(ũᵀWṽ) for fixed ũ, ṽ. Eqs. (8), (12), (15)-(17), (20)-(23).
"""

import copy
from functools import partial
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import draw_net, near_kink, perceptron, rngs

from specnorm_np import gan as module, normalizers
from specnorm_np.gan import (
    GAN,
    STREAMS,
    Diverged,
    d_step,
    effective,
    g_step,
    generate,
    latents,
    start,
    start_player,
    train,
)
from specnorm_np.losses import HINGE, SATURATING, STANDARD, WASSERSTEIN, Loss
from specnorm_np.network import MLP, Params
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.optim import SGD, TABLE_1, Adam, linear_decay
from specnorm_np.spectral import power_iteration
from specnorm_np.testing.gradcheck import check_gradient

# --- whole losses


def log_sigmoid(f):
    return -np.log(1.0 + np.exp(-f))


# (what D minimises, what G minimises), as printed: −V, −V_D, and G's costs
PRINTED = {
    "standard": (
        STANDARD,
        lambda real, fake: -np.mean(log_sigmoid(real)) - np.mean(log_sigmoid(-fake)),
        lambda fake: -np.mean(log_sigmoid(fake)),
    ),
    "saturating": (
        SATURATING,
        lambda real, fake: -np.mean(log_sigmoid(real)) - np.mean(log_sigmoid(-fake)),
        lambda fake: np.mean(log_sigmoid(-fake)),
    ),
    "hinge": (
        HINGE,
        lambda real, fake: -np.mean(np.minimum(0, -1 + real)) - np.mean(np.minimum(0, -1 - fake)),
        lambda fake: -np.mean(fake),
    ),
    "wasserstein": (WASSERSTEIN, lambda real, fake: np.mean(fake) - np.mean(real), lambda fake: -np.mean(fake)),
}
NORMALIZERS = {"SN": SpectralNorm(), "SN, K = 2": SpectralNorm(n_iter=2, K=2.0), "none": Identity()}
WIDTHS = (2, 5, 4, 1)
every_loss = pytest.mark.parametrize("loss", PRINTED)
every_normalizer = pytest.mark.parametrize("normalizer", NORMALIZERS)


def unpack(vector, widths):
    """Cut θ into W¹, b¹, W², …."""
    W, b, at = [], [], 0
    for d_in, d_out in pairwise(widths):
        W.append(vector[at : at + d_out * d_in].reshape(d_out, d_in))
        b.append(vector[at + d_out * d_in : at + d_out * (d_in + 1)])
        at += d_out * (d_in + 1)
    return W, b


def frozen_d(D, normalizer, widths=WIDTHS, slope=0.1):
    """Return (θ, x) ↦ f and the pre-activations, ũ and ṽ being those of the player D."""

    def f(vector, x):
        W, b = unpack(vector, widths)
        if isinstance(normalizer, SpectralNorm):
            W = [normalizer.K * w / (t.u @ w @ t.v) for w, t in zip(W, D.norms, strict=True)]
        return perceptron(W, b, x, slope)

    return f


def draw_player(widths, normalizer, slope, rng):
    theta = Params.of_layers(draw_net(widths, 1, slope, rng).layers)
    player = start_player(theta, normalizer, SGD(1.0), rng=rng)
    assume(isinstance(normalizer, Identity) or min(t.sigma for t in player.norms) > 0.2)
    return player


def smooth_at(f, a, loss):
    """Assume that no kink, of an activation or of the hinge, is within reach of a difference."""
    assume(not near_kink(a, 2e-3))
    assume(loss != "hinge" or np.abs(np.abs(f) - 1.0).min() > 2e-3)


@every_normalizer
@every_loss
@settings(max_examples=12)
@given(rng=rngs(), n=st.integers(1, 4), m=st.integers(1, 4))
def test_eq12_eq15_eq16_eq23_d_descends_its_loss_in_every_parameter(loss, normalizer, rng, n, m):
    pair, d_loss, _ = PRINTED[loss]
    normalizer = NORMALIZERS[normalizer]
    gan = GAN(d_widths=WIDTHS, loss=pair, normalizer=normalizer, d_optim=SGD(1.0))
    D = draw_player(WIDTHS, normalizer, gan.d_net.slope, rng)
    f, x = frozen_d(D, normalizer), rng.standard_normal((n + m, 2))
    smooth_at(*f(D.theta.vector, x), loss)

    def objective(vector):
        value = f(vector, x)[0]
        return float(d_loss(value[:n], value[n:]))

    after, value, *_ = d_step(gan, D, x[:n], x[n:])
    assert value == pytest.approx(objective(D.theta.vector), rel=1e-12)
    check_gradient(objective, D.theta.vector, D.theta.vector - after.theta.vector, atol=1e-7)


@settings(max_examples=20)
@given(rng=rngs())
def test_eq12_at_convergence_d_descends_its_loss_through_the_true_norms(rng):
    normalizer = SpectralNorm(n_iter=100, K=1.5)
    gan = GAN(d_widths=WIDTHS, normalizer=normalizer, d_optim=SGD(1.0))
    D, x = draw_player(WIDTHS, normalizer, gan.d_net.slope, rng), rng.standard_normal((6, 2))
    for W in unpack(D.theta.vector, WIDTHS)[0]:
        s = np.linalg.svd(W, compute_uv=False)
        assume(len(s) == 1 or s[1] < 0.7 * s[0])

    def f(vector):
        W, b = unpack(vector, WIDTHS)
        return perceptron([1.5 * w / np.linalg.norm(w, 2) for w in W], b, x, gan.d_net.slope)

    smooth_at(*f(D.theta.vector), "standard")
    after, *_ = d_step(gan, D, x[:3], x[3:])
    d_loss = PRINTED["standard"][1]
    check_gradient(
        lambda vector: float(d_loss(f(vector)[0][:3], f(vector)[0][3:])),
        D.theta.vector,
        D.theta.vector - after.theta.vector,
        atol=1e-7,
    )


@every_normalizer
@every_loss
@settings(max_examples=12)
@given(rng=rngs(), n=st.integers(1, 5))
def test_eq15_eq17_eq23_g_descends_its_loss_through_d_in_every_parameter(loss, normalizer, rng, n):
    pair, _, g_loss = PRINTED[loss]
    normalizer, g_widths = NORMALIZERS[normalizer], (3, 4, 2)
    gan = GAN(d_widths=WIDTHS, g_widths=g_widths, loss=pair, normalizer=normalizer, g_optim=SGD(1.0))
    D, G = (
        draw_player(WIDTHS, normalizer, gan.d_net.slope, rng),
        draw_player(g_widths, Identity(), gan.g_net.slope, rng),
    )
    f, z = frozen_d(D, normalizer), rng.standard_normal((n, 3))

    def through(vector):
        x, a = perceptron(*unpack(vector, g_widths), z, gan.g_net.slope)
        value, b = f(D.theta.vector, x)
        return value, [*a[:-1], *b]

    smooth_at(*through(G.theta.vector), loss)
    after, value = g_step(gan, G, D, z)
    assert value == pytest.approx(float(g_loss(through(G.theta.vector)[0])), rel=1e-12)
    check_gradient(
        lambda vector: float(g_loss(through(vector)[0])),
        G.theta.vector,
        G.theta.vector - after.theta.vector,
        atol=1e-7,
    )


class Gained:
    """A normaliser of two blocks, W̄ = γ³W, to see that θ gets every gradient where it belongs."""

    blocks: ClassVar[tuple[str, ...]] = ("gamma", "W")

    def start(self, gamma, W, *, rng):
        return 0

    def settle(self, gamma, W, state):
        return (gamma, W), state + 1

    def normalize(self, gamma, W, state):
        return gamma**3 * W

    def pullback(self, dW_bar, gamma, W, state):
        return np.asarray(3 * gamma**2 * np.vdot(dW_bar, W)), gamma**3 * dW_bar


@given(rng=rngs())
def test_eq23_a_normaliser_may_have_blocks_of_its_own(rng):
    net, gan = draw_net((2, 3, 1), 5, 0.1, rng), GAN(normalizer=Gained(), d_optim=SGD(1.0))
    assume(not near_kink(perceptron(net.W, net.b, net.x, 0.1)[1], 5e-3))
    blocks = {}
    for l, (W, b) in enumerate(net.layers, 1):
        blocks |= {f"gamma{l}": np.asarray(1.0), f"W{l}": W, f"b{l}": b}
    theta = Params.of_blocks(blocks)

    def objective(vector):
        p = theta.replace(vector)
        W = [p["gamma1"] ** 3 * p["W1"], p["gamma2"] ** 3 * p["W2"]]
        f = perceptron(W, [p["b1"], p["b2"]], net.x, 0.1)[0]
        return float(PRINTED["standard"][1](f[:2], f[2:]))

    D = start_player(theta, gan.normalizer, gan.d_optim, rng=rng)
    after, *_ = d_step(gan, D, net.x[:2], net.x[2:])
    assert after.norms == (1, 1)
    check_gradient(objective, theta.vector, theta.vector - after.theta.vector, atol=1e-7)


# --- Algorithm 1: one power iteration for each update, and nowhere else


def small(**fields):
    return GAN(**{"d_widths": (2, 8, 6, 1), "g_widths": (3, 7, 2), "batch": 8, "steps": 5, **fields})


def sample(n, *, rng):
    return rng.standard_normal((n, 2)) + np.array([2.0, 0.0])


def run(gan, seed=0, state=None):
    """Train to the end; keep a copy of every state, for drawing advances the streams in place."""
    history = train(gan, start(gan, seed) if state is None else state, sample)
    return [(copy.deepcopy(state), log) for state, log in history]


def bits(state):
    """All that two equal states must agree in, to the bit."""
    players = [
        (p.theta.vector.tobytes(), [(n.u.tobytes(), n.sigma, n.v.tobytes()) for n in p.norms if n is not None])
        for p in (state.D, state.G)
    ]
    moments = [(p.moments.m.tobytes(), p.moments.v.tobytes(), p.moments.t) for p in (state.D, state.G)]
    mean = None if state.G_mean is None else state.G_mean.vector.tobytes()
    return state.step, players, moments, mean, {name: s.bit_generator.state for name, s in state.streams.items()}


def same_triplets(one, other):
    return all(
        a.sigma == b.sigma and (a.u == b.u).all() and (a.v == b.v).all() for a, b in zip(one, other, strict=True)
    )


@given(seed=st.integers(0, 99), n_iter=st.integers(1, 3))
@settings(max_examples=10)
def test_eq20_eq21_eq22_a_step_iterates_once_from_the_last_u_on_the_new_raw_weight(seed, n_iter):
    gan = small(normalizer=SpectralNorm(n_iter=n_iter, K=3.0))
    state = start(gan, seed)
    D = state.D
    rng = np.random.default_rng(seed)
    after, *_ = d_step(gan, D, sample(8, rng=rng), sample(8, rng=rng))
    W = [after.theta[f"W{l}"] for l in (1, 2, 3)]
    assert not any((w == D.theta[f"W{l}"]).all() for l, w in enumerate(W, 1))
    expected = [power_iteration(w, t.u, n_iter) for w, t in zip(W, D.norms, strict=True)]
    assert same_triplets(after.norms, expected)


@pytest.mark.parametrize("n_dis", [1, 3])
def test_eq20_eq21_nothing_else_iterates(monkeypatch, n_dis):
    calls = []

    def counted(W, u, n_iter=1):
        calls.append(n_iter)
        return power_iteration(W, u, n_iter)

    monkeypatch.setattr(normalizers, "power_iteration", counted)
    gan = small(n_dis=n_dis)
    first = start(gan, 0)
    assert calls == [1] * 3
    for state, log in train(gan, first, sample):  # reading costs nothing
        effective(state.D, gan.normalizer)
        assert len(log.lam) == 3
    assert calls == [1] * 3 * (1 + n_dis * gan.steps)


def test_eq8_reading_effective_weights_changes_nothing():
    gan = small()
    state = start(gan, 0)
    before = bits(state)
    W_bar, b = effective(state.D, gan.normalizer)
    for one, other in zip(W_bar, effective(state.D, gan.normalizer)[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert bits(state) == before
    for l, (w, bias) in enumerate(zip(W_bar, b, strict=True), 1):
        np.testing.assert_allclose(w, state.D.theta[f"W{l}"] / state.D.norms[l - 1].sigma, rtol=1e-15)
        np.testing.assert_array_equal(bias, state.D.theta[f"b{l}"])


def test_eq22_real_points_fake_points_and_g_see_one_effective_weight():
    """Record every pass through D: between two updates of D all have the same W̄, bit for bit."""
    seen = []

    class Recorded(MLP):
        def forward(self, W_bar, b, *batches):
            seen.append([w.copy() for w in W_bar])
            return super().forward(W_bar, b, *batches)

    logs = [log for _, log in run(small(d_net=Recorded(0.1)))]
    # one pass in each step of D, for real and generated points at once, and one in each step of G
    assert len(seen) == 2 * 5
    for k, log in enumerate(logs):
        for one, other in zip(seen[2 * k], log.W_bar, strict=True):
            np.testing.assert_array_equal(one, other)
    for k in range(4):
        for after_d, before_d in zip(seen[2 * k + 1], seen[2 * k + 2], strict=True):
            np.testing.assert_array_equal(after_d, before_d)
        assert not (seen[2 * k][0] == seen[2 * k + 1][0]).all()


def test_eq23_the_raw_weight_is_what_is_updated():
    """A loss without gradient leaves θ alone, and it is not replaced by W̄; the iteration goes on all the same."""
    flat = Loss(lambda real, fake: (0.0, 0.0 * real, 0.0 * fake), lambda fake: (0.0, 0.0 * fake))
    gan = small(loss=flat, d_optim=SGD(1.0))
    state = start(gan, 0)
    rng = np.random.default_rng(0)
    after, *_ = d_step(gan, state.D, sample(8, rng=rng), sample(8, rng=rng))
    np.testing.assert_array_equal(after.theta.vector, state.D.theta.vector)
    assert not same_triplets(after.norms, state.D.norms)
    assert all(new.sigma >= old.sigma * (1 - 1e-14) for new, old in zip(after.norms, state.D.norms, strict=True))


def test_steps_leave_their_arguments_alone():
    gan = small()
    state = start(gan, 0)
    before, rng = bits(state), np.random.default_rng(0)
    x, y, z = sample(8, rng=rng), sample(8, rng=rng), rng.standard_normal((8, 3))
    copies = x.copy(), y.copy(), z.copy()
    one = d_step(gan, state.D, x, y)[0], g_step(gan, state.G, state.D, z)[0]
    other = d_step(gan, state.D, x, y)[0], g_step(gan, state.G, state.D, z)[0]
    assert bits(state) == before
    for player, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(player.theta.vector, again.theta.vector)
    for array, kept in zip((x, y, z), copies, strict=True):
        np.testing.assert_array_equal(array, kept)


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_eq12_eq35_lam_is_minus_the_trace_of_our_loss(seed):
    """V is −loss: λ of (12) is d/dt V at W̄ ↦ (1 + t)W̄ in one layer, by differences."""
    gan = small(steps=1)
    state = start(gan, seed)
    D, b = state.D, effective(state.D, gan.normalizer)[1]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((10, 2)) * 2
    _, loss, W_bar, dW_bar = d_step(gan, D, x[:4], x[4:])
    lam = module.StepLog(loss, 0.0, W_bar, dW_bar).lam
    smooth_at(*perceptron(W_bar, b, x, gan.d_net.slope), "standard")

    def V(t):
        f = perceptron([(1 + s) * w for s, w in zip(t, W_bar, strict=True)], b, x, gan.d_net.slope)[0]
        return -float(PRINTED["standard"][1](f[:4], f[4:]))

    check_gradient(V, np.zeros(3), np.array(lam))
    assert lam == [-float(np.vdot(d, w)) for d, w in zip(dW_bar, W_bar, strict=True)]


def test_a_zero_last_layer_learns():
    gan = small()
    D = start(gan, 0).D
    vector = D.theta.vector.copy()
    vector[-7:] = 0.0  # W³ and b³
    D = start_player(D.theta.replace(vector), gan.normalizer, gan.d_optim, rng=np.random.default_rng(0))
    assert D.norms[-1].sigma == 0.0
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(200):
        D, loss, *_ = d_step(gan, D, sample(32, rng=rng), -sample(32, rng=rng))
        losses.append(loss)
    assert D.norms[-1].sigma > 0.0
    assert losses[0] == pytest.approx(2 * np.log(2), rel=1e-14)
    assert np.mean(losses[-20:]) < 0.8 * losses[0]


# --- training


@pytest.mark.parametrize("n_dis", [1, 2, 5])
def test_n_dis_updates_of_d_to_one_of_g_each_on_fresh_points(n_dis):
    gan, drawn = small(n_dis=n_dis), []

    def recorded(n, *, rng):
        drawn.append(sample(n, rng=rng))
        return drawn[-1]

    for k, (state, _) in enumerate(train(gan, start(gan, 0), recorded), 1):
        assert (state.step, state.D.moments.t, state.G.moments.t) == (k, k * n_dis, k)
    assert k == gan.steps
    assert len(np.unique(np.concatenate(drawn), axis=0)) == n_dis * gan.steps * gan.batch


def test_every_pass_gets_fresh_generated_points(monkeypatch):
    drawn = []

    def recorded(gan, n, *, rng):
        drawn.append(latents(gan, n, rng=rng))
        return drawn[-1]

    monkeypatch.setattr(module, "latents", recorded)
    gan = small(n_dis=2)
    run(gan)
    assert len(drawn) == 3 * gan.steps  # two for D and one for G
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 3 * gan.steps * gan.batch


def test_d_sees_the_points_of_the_present_g(monkeypatch):
    """Replay: step k of D gets G(z) at the parameters that step k − 1 of G left."""
    gan, seen, real = small(), [], module.d_step

    def recorded(gan, D, x_real, x_fake, *rest, **more):
        seen.append(x_fake.copy())
        return real(gan, D, x_real, x_fake, *rest, **more)

    monkeypatch.setattr(module, "d_step", recorded)
    first = start(gan, 3)
    theta, stream = first.G.theta, copy.deepcopy(first.streams["latent"])
    for k, (state, _) in enumerate(train(gan, first, sample)):
        np.testing.assert_array_equal(seen[k], generate(gan, theta, latents(gan, 8, rng=stream)))
        latents(gan, 8, rng=stream)  # G's own
        theta = state.G.theta


def test_one_seed_gives_the_same_bits_and_another_does_not():
    one, other, third = (run(small(average=0.9), seed)[-1][0] for seed in (1, 1, 2))
    assert bits(one) == bits(other)
    assert (one.D.theta.vector != third.D.theta.vector).all()
    assert (one.G.theta.vector != third.G.theta.vector).any()


def test_methods_at_one_seed_share_the_data_the_latents_and_the_first_g_and_d():
    gans = [
        small(),
        small(normalizer=Identity()),
        small(normalizer=SpectralNorm(n_iter=4, K=2.0), loss=HINGE, d_widths=(2, 4, 1)),
    ]
    starts = [start(gan, 7) for gan in gans]
    ends = [run(gan, 7)[-1][0] for gan in gans]
    for other in (1, 2):
        np.testing.assert_array_equal(starts[0].G.theta.vector, starts[other].G.theta.vector)
        for name in ("data", "latent", "interpolation"):
            for states in (starts, ends):
                one = states[0].streams[name].bit_generator.state
                assert one == states[other].streams[name].bit_generator.state
    np.testing.assert_array_equal(starts[0].D.theta.vector, starts[1].D.theta.vector)
    assert (ends[0].D.theta.vector != ends[1].D.theta.vector).any()


def test_the_streams_are_independent_of_each_other():
    streams = start(small(), 0).streams
    assert set(streams) == set(STREAMS)
    assert len({stream.bit_generator.state["state"]["state"] for stream in streams.values()}) == len(STREAMS)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_run_goes_on_to_the_same_bits_from_any_state(at):
    falls = partial(linear_decay, start=0.4)
    gan = small(n_dis=2, average=0.9, d_rate=falls, g_rate=falls)
    whole = run(gan, 5)
    middle = copy.deepcopy(start(gan, 5) if at == 0 else whole[at - 1][0])
    rest = run(gan, state=middle)
    assert [state.step for state, _ in rest] == list(range(at + 1, 6))
    assert bits(rest[-1][0]) == bits(whole[-1][0])
    assert rest[-1][1].d_loss == whole[-1][1].d_loss


def test_a_finished_run_yields_nothing_more():
    gan = small()
    assert run(gan, state=run(gan)[-1][0]) == []


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.999])
def test_the_average_of_g_is_exponential_and_forgets_its_random_start(rate):
    gan = small(average=rate)
    first = start(gan, 0)
    np.testing.assert_array_equal(first.G_mean.vector, first.G.theta.vector)
    thetas = []
    for state, _ in run(gan):
        thetas.append(state.G.theta.vector)
        k = len(thetas)
        decays = [min(rate, i / (i + 9)) for i in range(k)]  # in closed form, newest last
        weights = [(1 - decays[i]) * np.prod(decays[i + 1 :]) for i in range(k)]
        assert sum(weights) == pytest.approx(1.0, rel=1e-14)  # so that none is left for θ_0
        total = sum(w * v for w, v in zip(weights, thetas, strict=True))
        np.testing.assert_allclose(state.G_mean.vector, total, rtol=1e-13, atol=1e-15)


def test_without_an_average_there_is_none_and_it_does_not_touch_the_run():
    plain, averaged = run(small())[-1][0], run(small(average=0.9))[-1][0]
    assert plain.G_mean is None
    np.testing.assert_array_equal(plain.G.theta.vector, averaged.G.theta.vector)


class Recorder:
    """SGD that remembers the rates it was given."""

    def __init__(self):
        self.rates = []

    def start(self, theta):
        return None

    def step(self, theta, dtheta, state, rate):
        self.rates.append(rate)
        return theta - 1e-3 * rate * dtheta, None


def test_each_learning_rate_follows_its_own_schedule():
    d_optim, g_optim = Recorder(), Recorder()
    g_rate = partial(linear_decay, start=0.4)
    run(small(d_rate=lambda progress: 2.0 + progress, g_rate=g_rate, n_dis=2, d_optim=d_optim, g_optim=g_optim))
    assert g_optim.rates == pytest.approx([1, 1, 1, 2 / 3, 1 / 3])
    assert d_optim.rates == pytest.approx([2.0, 2.0, 2.2, 2.2, 2.4, 2.4, 2.6, 2.6, 2.8, 2.8])
    constant = Recorder()
    run(small(g_optim=constant))
    assert constant.rates == [1.0] * 5


# --- divergence


class BreaksAt(Recorder):
    """An optimiser that returns NaN at its k-th step."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def step(self, theta, dtheta, state, rate):
        theta, state = super().step(theta, dtheta, state, rate)
        return (theta * np.nan if len(self.rates) == self.k else theta), state


@pytest.mark.parametrize(("field", "n_dis", "k"), [("d_optim", 1, 3), ("g_optim", 1, 3), ("d_optim", 2, 6)])
def test_a_run_that_diverges_names_the_step_and_has_yielded_all_before(field, n_dis, k):
    gan = small(n_dis=n_dis, **{field: BreaksAt(k)})
    good = []
    with pytest.raises(Diverged, match="diverged at step 3: a parameter is NaN or infinite"):
        good.extend(state for state, _ in train(gan, start(gan, 0), sample))
    assert [state.step for state in good] == [1, 2]
    assert np.isfinite(good[-1].D.theta.vector).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("player", ["d", "g"])
def test_a_loss_that_is_not_finite_is_divergence(player, bad):
    loss = Loss(
        lambda real, fake: (bad if player == "d" else 0.0, 0.0 * real, 0.0 * fake),
        lambda fake: (bad if player == "g" else 0.0, 0.0 * fake),
    )
    with pytest.raises(Diverged, match=f"diverged at step 1: the losses are .*{bad:g}"):
        run(small(loss=loss))


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("alpha", [1e30, 1e300, 1e308])
def test_an_absurd_learning_rate_diverges_and_says_when(normalizer, alpha):
    gan = small(normalizer=NORMALIZERS[normalizer], d_optim=SGD(alpha), g_optim=SGD(alpha), loss=WASSERSTEIN, steps=50)
    with np.errstate(all="ignore"), pytest.raises(Diverged, match=r"diverged at step \d+: "):
        run(gan)


# --- types, defaults


@every_loss
@every_normalizer
@pytest.mark.parametrize("optim", [Adam(), SGD(0.01)], ids=["Adam", "SGD"])
def test_float32_stays_float32_throughout(loss, normalizer, optim):
    gan = small(
        dtype="float32",
        loss=PRINTED[loss][0],
        normalizer=NORMALIZERS[normalizer],
        d_optim=optim,
        g_optim=optim,
        average=0.9,
        steps=2,
    )
    state, log = run(gan)[-1]
    arrays = [state.D.theta.vector, state.G.theta.vector, state.G_mean.vector, *log.W_bar, *log.dW_bar]
    for player in (state.D, state.G):
        arrays += [] if player.moments is None else player.moments[:2]
        for norm in player.norms:
            arrays += [] if norm is None else [norm.u, norm.v]
            assert norm is None or type(norm.sigma) is float
    arrays.append(generate(gan, state.G.theta, latents(gan, 4, rng=np.random.default_rng(0))))
    assert {array.dtype for array in arrays} == {np.dtype("float32")}
    assert type(log.d_loss) is type(log.g_loss) is float


def test_the_default_is_setting_c_with_everything_normalised_but_g():
    gan = GAN()
    assert (gan.d_optim, gan.g_optim, gan.n_dis) == (TABLE_1["C"].adam, TABLE_1["C"].adam, TABLE_1["C"].n_dis)
    state = start(gan, 0)
    assert len(state.D.norms) == len(gan.d_widths) - 1
    assert all(norm.sigma > 0.0 for norm in state.D.norms)
    assert state.G.norms == (None,) * (len(gan.g_widths) - 1)
    assert [gan.d_rate(step / 5) for step in range(5)] == [gan.g_rate(step / 5) for step in range(5)] == [1.0] * 5


def test_latents_are_standard_normal():
    gan = small(g_widths=(5, 2))
    z = latents(gan, 4000, rng=np.random.default_rng(0))
    assert z.shape == (4000, 5)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, rtol=0, atol=5 / np.sqrt(4000))
    np.testing.assert_allclose(np.cov(z.T), np.eye(5), rtol=0, atol=5 * np.sqrt(2 / 4000))


@given(rng=rngs())
def test_eq1_generate_is_the_perceptron_of_g(rng):
    gan = small()
    net = draw_net(gan.g_widths, 6, gan.g_net.slope, rng)
    expected = perceptron(net.W, net.b, net.x, gan.g_net.slope)[0]
    np.testing.assert_allclose(generate(gan, Params.of_layers(net.layers), net.x), expected, rtol=1e-13, atol=1e-13)
