# %% [markdown]
# # Solutions of tutorial 10, in PyTorch and JAX

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. Counting iterations
#
# Each update of D has two passes, and the update of G has one. That is 5 · 2 + 1 = 11 accesses, and as many
# iterations. The paper does 5. With real and fake points in one batch it is 5 + 1 = 6. The pass of G iterates
# for the new W, and the next update of D iterates for the same W once more.


# %%
class Counting:
    """A weight that counts how often it is read in training mode, where each read iterates once."""

    iterations = 0

    @property
    def weight(self):
        self.iterations += 1
        return np.eye(2)


def updates(D, one_batch):
    """Read W̄ as five updates of D and one of G do, and say how many iterations that took."""
    x_real, x_fake, z = np.ones((3, 2)), np.zeros((3, 2)), np.ones((3, 2))
    for _ in range(5):
        batches = [np.concatenate([x_real, x_fake])] if one_batch else [x_real, x_fake]
        for batch in batches:
            _ = batch @ D.weight.T
    _ = z @ D.weight.T
    return D.iterations


two_passes, one_pass = updates(Counting(), False), updates(Counting(), True)
print(f"two passes: {two_passes} iterations, one batch: {one_pass}, the paper: 5")
assert (two_passes, one_pass) == (11, 6)

# %% [markdown]
# ## 2. ε inside the root
#
# Let s be $\sigma(W)$, and let both vectors point the way of the first singular vectors. The vector $W\tilde v$ of a
# unit $\tilde v$ has the length s, and becomes one of length $a = s/\sqrt{s^2 + \varepsilon}$. But $\tilde v$ is not of
# unit length either. Let a and c be the lengths of $\tilde u$ and $\tilde v$ at rest:
#
# $$a = \frac{sc}{\sqrt{s^2c^2 + \varepsilon}}, \qquad c = \frac{sa}{\sqrt{s^2a^2 + \varepsilon}}.$$
#
# Both equations have the same form, so a = c, and then $s^2a^2 + \varepsilon = s^2$. So $a^2 = 1 - \varepsilon/s^2$.
# With $\hat\sigma = s\,a\,c = s\,a^2$ we get
#
# $$\sigma(\bar W) = \frac1{1 - \varepsilon/s^2}.$$
#
# For s = 0.03 and ε = 1e-4 this is 1/(1 − 1/9) = 1.125. Unlike the maximum, this ε is felt by every weight. For
# $s^2 \le \varepsilon$ there is no such a but 0: the vectors die away, and $\bar W$ grows without a limit.

# %%
rng = np.random.default_rng(0)
W = rng.standard_normal((6, 4))
W *= 0.03 / sn.spectral_norm(W)


def inside(x, eps=1e-4):
    """Divide by the root of the squared length plus ε."""
    return x / np.sqrt(x @ x + eps)


v = sn.random_direction(4, rng=rng)
for _ in range(3000):
    u = inside(W @ v)
    v = inside(W.T @ u)
sigma_bar = sn.spectral_norm(W / (u @ W @ v))
print(f"σ(W̄) = {sigma_bar:.4f}, by the formula {1 / (1 - 1e-4 / 0.03**2):.4f}")
assert np.isclose(sigma_bar, 1.125)

# %% [markdown]
# ## 3. A weight of zero
#
# Two conditions are enough. The iteration is left out if $W\tilde v$ is 0, so that the old vectors are kept. And W is
# divided by $\hat\sigma$ only if that is not 0. There is a second case: $W\tilde v = 0$ although W is not 0, which
# needs a $\tilde v$ at a right angle to every row. The package then begins again at the largest row.


# %%
class Mended:
    """A weight that iterates when it is read, and survives being 0."""

    def __init__(self, W, v):
        self.raw, self.v, self.u = W, v, sn.random_direction(len(W), rng=np.random.default_rng(1))

    @property
    def weight(self):
        image = self.raw @ self.v
        if image.any():
            self.u = image / np.linalg.norm(image)
            back = self.raw.T @ self.u
            self.v = back / np.linalg.norm(back)
        sigma = self.u @ self.raw @ self.v
        return self.raw / sigma if sigma else self.raw


start = sn.random_direction(4, rng=rng)
mended = Mended(0 * W, start)
at_zero = mended.weight
mended.raw = W
expected = W / sn.power_iteration(W.T, start).sigma  # one iteration from the same start, in the order of the libraries
later = mended.weight
print("at W = 0:", np.abs(at_zero).max(), "  when W is back, as if nothing had been:", np.allclose(later, expected))
assert not at_zero.any()
assert np.allclose(later, expected)
