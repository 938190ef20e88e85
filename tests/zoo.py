"""Wrong variants, each a bug that users of some implementation have met. BUGS.md tells their stories.

A variant has the interface of what it replaces and differs from it by the bug alone. `test_bug_zoo.py` pairs each with
the right implementation and with the property that tells them apart.
"""

import copy

import numpy as np

from specnorm_np.gan import effective, update
from specnorm_np.network import backward, backward_to_input, forward
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.spectral import SingularTriplet, power_iteration, random_direction

# --- normalisers


class SigmaConstant(SpectralNorm):
    def pullback(self, dW_bar, W, triplet):
        return (dW_bar * (self.K / triplet.sigma),)


class VectorsSwapped(SpectralNorm):
    def pullback(self, dW_bar, W, triplet):
        return super().pullback(dW_bar, W, SingularTriplet(triplet.v, triplet.sigma, triplet.u))


class AdvancedBeforePullback(SpectralNorm):
    def pullback(self, dW_bar, W, triplet):
        return super().pullback(dW_bar, W, self.settle(W, triplet)[1])


class Redrawn(SpectralNorm):
    def settle(self, W, triplet):
        return (W,), self.start(W, rng=np.random.default_rng(np.frombuffer(W.tobytes(), np.uint32)))


class TwoIterations(SpectralNorm):
    def settle(self, W, triplet):
        return super().settle(W, super().settle(W, triplet)[1])


class OnWBar(SpectralNorm):
    def settle(self, W, triplet):
        return (W,), super().settle(self.normalize(W, triplet), triplet)[1]


class AveragedVectors(SpectralNorm):
    """The exponential average of all of the state, as for parameters."""

    def settle(self, W, triplet):
        new = super().settle(W, triplet)[1]
        u, v = (0.9 * old + 0.1 * fresh for old, fresh in ((triplet.u, new.u), (triplet.v, new.v)))
        return (W,), SingularTriplet(u, float(u @ W @ v), v)


class AdvancedByReading(SpectralNorm):
    """Its state is a list of one triplet, which `normalize` replaces."""

    def start(self, W, *, rng):
        return [super().start(W, rng=rng)]

    def settle(self, W, state):
        return (W,), copy.copy(state)

    def normalize(self, W, state):
        state[0] = super().settle(W, state[0])[1]
        return super().normalize(W, state[0])

    def pullback(self, dW_bar, W, state):
        return super().pullback(dW_bar, W, state[0])


class BeforeTheFirstIteration(SpectralNorm):
    def start(self, W, *, rng):
        u, v = random_direction(W.shape[0], rng=rng), random_direction(W.shape[1], rng=rng)
        return SingularTriplet(u, float(u @ W @ v), v)


class EpsInTheRoot(SpectralNorm):
    eps = 1e-4

    def _iterate(self, W, u):
        v = W.T @ u / np.sqrt(np.sum((W.T @ u) ** 2) + self.eps)
        u = W @ v / np.sqrt(np.sum((W @ v) ** 2) + self.eps)
        return SingularTriplet(u, float(u @ W @ v), v)

    def start(self, W, *, rng):
        return self._iterate(W, random_direction(W.shape[0], rng=rng))

    def settle(self, W, triplet):
        return (W,), self._iterate(W, triplet.u)


class Unguarded(SpectralNorm):
    """The formulas as printed, at W = 0."""

    def start(self, W, *, rng):
        with np.errstate(invalid="ignore", divide="ignore"):
            v = W.T @ random_direction(W.shape[0], rng=rng)
            v = v / np.linalg.norm(v)
            u = W @ v / np.linalg.norm(W @ v)
        return SingularTriplet(u, float(u @ W @ v), v)

    def normalize(self, W, triplet):
        with np.errstate(invalid="ignore", divide="ignore"):
            return W * (self.K / np.float64(triplet.sigma))


# --- D's effective weights, and a step of D: (gan, D, x_real, x_fake) -> Player


def effective_but_the_last(player, normalizer):
    W_bar, b = effective(player, normalizer)
    return [*W_bar[:-1], player.theta[f"W{len(W_bar)}"]], b


def step(gan, D, x_real, x_fake):
    """The right one, from parts: loss and gradient at one W̄, update, power iteration."""
    W_bar, b = effective(D, gan.normalizer)
    f, cache = forward(W_bar, b, np.concatenate((x_real, x_fake)), gan.d_net.slope)
    _, df_real, df_fake = gan.loss.d(f[: len(x_real)], f[len(x_real) :])
    dW_bar, db = backward(W_bar, cache, np.concatenate((df_real, df_fake)), gan.d_net.slope)
    return update(D, dW_bar, db, gan.normalizer, gan.d_optim, 1.0)


def step_that_stores_W_bar(gan, D, x_real, x_fake):
    after = step(gan, D, x_real, x_fake)
    vector = after.theta.vector.copy()
    theta = after.theta.replace(vector)
    for l, W_bar in enumerate(effective(after, gan.normalizer)[0], 1):
        theta[f"W{l}"][:] = W_bar
    return after._replace(theta=theta)


def step_of_two_weights(gan, D, x_real, x_fake):
    """One power iteration for each forward pass: real and generated points see different W̄."""
    theta = D.theta
    between = D._replace(norms=tuple(gan.normalizer.settle(theta[f"W{l}"], t)[1] for l, t in enumerate(D.norms, 1)))
    f, caches, weights = [], [], []
    for player, x in ((D, x_real), (between, x_fake)):
        W_bar, b = effective(player, gan.normalizer)
        value, cache = forward(W_bar, b, x, gan.d_net.slope)
        f, caches, weights = [*f, value], [*caches, cache], [*weights, W_bar]
    _, *df = gan.loss.d(*f)
    parts = [backward(W_bar, c, d, gan.d_net.slope) for W_bar, c, d in zip(weights, caches, df, strict=True)]
    dW_bar, db = ([p + q for p, q in zip(*pair, strict=True)] for pair in zip(*parts, strict=True))
    return update(between, dW_bar, db, gan.normalizer, gan.d_optim, 1.0)


# --- (12) by hand, of one layer f = W̄h + b: (W, b, triplet, h, delta) -> ∂V/∂W, the mean already being in delta


def layer_gradient(W, b, triplet, h, delta):
    """The right one, with λ as printed, the mean of δᵀW̄h."""
    W_bar = W / triplet.sigma
    lam = np.sum(delta * (h @ W_bar.T))
    return (delta.T @ h - lam * np.outer(triplet.u, triplet.v)) / triplet.sigma


def layer_gradient_with_bias_in_lam(W, b, triplet, h, delta):
    lam = np.sum(delta * (h @ (W / triplet.sigma).T + b))
    return (delta.T @ h - lam * np.outer(triplet.u, triplet.v)) / triplet.sigma


def layer_gradient_with_lam_divided_twice(W, b, triplet, h, delta):
    lam = np.sum(delta * (h @ (W / triplet.sigma).T)) / len(h)
    return (delta.T @ h - lam * np.outer(triplet.u, triplet.v)) / triplet.sigma


# --- a step of G: (gan, G, D, z) -> (Player, loss)


def g_step_around_d(gan, G, D, z):
    """∂V/∂f, (n, 1), broadcast to the shape of the generated points."""
    W_G, b_G = effective(G, Identity())
    x_fake, cache = forward(W_G, b_G, z, gan.g_net.slope)
    f, _ = forward(*effective(D, gan.normalizer), x_fake, gan.d_net.slope)
    loss, df = gan.loss.g(f)
    dW, db = backward(W_G, cache, df * np.ones_like(x_fake), gan.g_net.slope)
    return update(G, dW, db, Identity(), gan.g_optim, 1.0), loss


def g_step_through_d(gan, G, D, z):
    """The right one, from parts."""
    W_G, b_G = effective(G, Identity())
    x_fake, cache = forward(W_G, b_G, z, gan.g_net.slope)
    W_bar, b = effective(D, gan.normalizer)
    f, cache_D = forward(W_bar, b, x_fake, gan.d_net.slope)
    loss, df = gan.loss.g(f)
    dW, db = backward(W_G, cache, backward_to_input(W_bar, cache_D, df, gan.d_net.slope), gan.g_net.slope)
    return update(G, dW, db, Identity(), gan.g_optim, 1.0), loss


# --- targets


def ring_by_linspace():
    angle = np.linspace(0.0, 2.0 * np.pi, 8)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def sample_with_variance_for_std(n, std, *, rng):
    """N(0, std² I) is what is wanted."""
    return rng.multivariate_normal(np.zeros(2), std * np.eye(2), size=n)


# --- functions that are said to be 1-Lipschitz: rng -> (f, d)


def orthogonal(d, rng):
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def linear_by_one_iteration(rng):
    W = rng.standard_normal((12, 12))
    W_bar = W / power_iteration(W, rng.standard_normal(12), 1).sigma
    return (lambda x: x @ W_bar.T), 12


def leaky(slope):
    def make(rng):
        W, M = orthogonal(6, rng), orthogonal(6, rng)
        return (lambda x: np.maximum(x @ W.T, slope * (x @ W.T)) @ M.T), 6

    return make


def residual(share):
    """Return what makes x ↦ share (x + r(x)), r being 1-Lipschitz."""

    def make(rng):
        W, M = orthogonal(6, rng), orthogonal(6, rng)
        return (lambda x: share * (x + np.maximum(x @ W.T, 0.0) @ M.T)), 6

    return make


def pooled(scale):
    """Return what makes x ↦ the sum of r(x), times a scale."""

    def make(rng):
        W = orthogonal(6, rng)
        return (lambda x: scale * np.maximum(x @ W.T, 0.0).sum(axis=1)), 6

    return make


def convolution(norm):
    """Return what makes a circular convolution of 8 numbers, one channel to two, divided by a norm of its kernel."""

    def make(rng):
        kernel = np.abs(rng.standard_normal((2, 3)))
        operator = np.concatenate([sum(k[t] * np.roll(np.eye(8), t, axis=1) for t in range(3)) for k in kernel])
        W_bar = operator / np.linalg.norm(kernel if norm == "kernel" else operator, 2)
        return (lambda x: x @ W_bar.T), 8

    return make
