# %% [markdown]
# # Solutions of tutorial 6, the whole GAN

# %%
from dataclasses import replace

import numpy as np

import specnorm_np as sn
from specnorm_np.testing import check_gradient

# %% [markdown]
# ## 1. The order
#
# Algorithm 1 does I N S I N S I N S. Our loop has one I before it begins, and then N S I three times. Written one
# after the other it is I N S I N S I N S I. The two strings are the same, but for the I at the end, which prepares
# the next update. G's passes look at a normalised D in between, after each I.

# %%
algorithm_1, loop = "INS" * 3, "I" + "NSI" * 3
print("Algorithm 1:", algorithm_1, "  our loop:", loop)
assert loop == algorithm_1 + "I"

# %% [markdown]
# ## 2. Five steps of D
#
# One iteration belongs to one step of D. So there are 5 · 10 = 50 of them for each layer, and one at the start. In the
# loop of the tutorial you would add 1 to a counter in `iterate`. Here we count in the package's `train`. The class
# `Counting` is a `SpectralNorm` that also counts: `start` iterates once, when the run begins, and `settle` once, after
# a step. G's steps are not counted, because they call neither of the two.

# %%
counts = {"start": 0, "settle": 0}


class Counting(sn.SpectralNorm):
    def start(self, W, *, rng):
        counts["start"] += 1
        return super().start(W, rng=rng)

    def settle(self, W, triplet):
        counts["settle"] += 1
        return super().settle(W, triplet)


gan = sn.GAN((2, 16, 16, 1), (2, 16, 2), normalizer=Counting(), n_dis=5, steps=10, batch=32)
for _ in sn.train(gan, sn.start(gan, seed=0), sn.ring().sample):
    pass
layers = 3
print("iterations of each layer:", counts["start"] // layers, "at the start and", counts["settle"] // layers, "after")
assert counts == {"start": layers, "settle": 50 * layers}

# %% [markdown]
# ## 3. The hinge loss
#
# Two lines change: the one that computes the loss of D and its gradient at f, and the one that does it for G. The
# network, the normalisation and the order stay. In the tutorial's code these are `sn.standard_d`, which becomes
# `sn.hinge_d`, and `sn.non_saturating_g`, which becomes `sn.mean_g`. In the package it is one field of `GAN`.
#
# To check, we write both losses down once more, from (16) and (17), and let `check_gradient` differentiate them. The
# gradient is read off the step: `SGD(0.1)` moves θ by −0.1 times the gradient, so the gradient is (θ before − θ
# after) / 0.1.

# %%
rng = np.random.default_rng(0)
gan = replace(gan, normalizer=sn.SpectralNorm(), loss=sn.HINGE, d_optim=sn.SGD(0.1), g_optim=sn.SGD(0.1))
D, G = (
    sn.Params.of_layers([(W, rng.standard_normal(b.shape)) for W, b in sn.he_layers(widths, 0.1, rng=rng)])
    for widths in ((2, 16, 16, 1), (2, 16, 2))
)
triplets = tuple(sn.power_iteration(W, sn.random_direction(len(W), rng=rng)) for W in D.weights)
x_real, x_fake, z = (
    rng.standard_normal((8, 2)) + np.array([2, 0]),
    rng.standard_normal((8, 2)),
    rng.standard_normal((8, 2)),
)


def f_of(theta, x):
    """Compute f with the raw parameters, u and v held fixed."""
    W_bar = [W / (t.u @ W @ t.v) for W, t in zip(theta.weights, triplets, strict=True)]
    return sn.forward(W_bar, theta.biases, x, 0.1)[0]


def d_loss(vector):
    theta = D.replace(vector)
    return np.mean(np.maximum(0, 1 - f_of(theta, x_real))) + np.mean(np.maximum(0, 1 + f_of(theta, x_fake)))  # (16)


def g_loss(vector):
    theta = G.replace(vector)
    return -np.mean(f_of(D, sn.forward(theta.weights, theta.biases, z, 0.0)[0]))  # (17)


player, *_ = sn.d_step(gan, sn.Player(D, triplets, None), x_real, x_fake)
generator, _ = sn.g_step(gan, sn.Player(G, (None, None), None), sn.Player(D, triplets, None), z)
check_gradient(d_loss, D.vector, (D.vector - player.theta.vector) / 0.1)
check_gradient(g_loss, G.vector, (G.vector - generator.theta.vector) / 0.1)
print("hinge: both gradients agree with the losses")
assert d_loss(player.theta.vector) < d_loss(D.vector)
