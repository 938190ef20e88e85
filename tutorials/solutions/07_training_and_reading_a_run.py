# %% [markdown]
# # Solutions of tutorial 7, training and reading a run

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. The budget of weight normalisation
#
# The squares of the singular values sum to $d_o$, the number of rows, by (13). The largest of T squares is at least
# their mean, $d_o/T$, and at most their sum, $d_o$. So
#
# $$\sqrt{d_o/T} \le \sigma(\bar W) \le \sqrt{d_o}, \qquad T = \min(d_i, d_o).$$
#
# For the (64, 2) matrix, T is 2, and $\sigma(\bar W^1)$ is between $\sqrt{32} = 5.66$ and 8. The two sides are close,
# and matrices that are drawn at random are near the lower one. This is why the runs had 5.8 to 6.3. For the (64, 64)
# matrix, T is 64, and $\sigma(\bar W)$ is between 1, where all singular values are equal, and 8, where there is only
# one. So a broad spectrum has to be a low one.

# %%
rng = np.random.default_rng(0)


def norm_after(W):
    """Compute the spectral norm of W after its rows have been divided by their lengths."""
    return sn.spectral_norm(W / np.linalg.norm(W, axis=1, keepdims=True))


for d_i in (2, 64):
    low, high = np.sqrt(64 / min(64, d_i)), 8.0
    sigma = [norm_after(rng.standard_normal((64, d_i))) for _ in range(100)]
    broad = norm_after(np.tile(np.eye(d_i), (64 // d_i, 1)))  # the rows lie along the axes, equally many along each
    narrow = norm_after(np.outer(rng.standard_normal(64), rng.standard_normal(d_i)))  # rank one
    print(
        f"(64, {d_i}): between {low:.2f} and {high:.2f}; drawn at random {min(sigma):.2f} to {max(sigma):.2f}", end=", "
    )
    print(f"rows along the axes {broad:.2f}, rank one {narrow:.2f}")
    assert low < min(sigma) <= max(sigma) < high
    assert np.isclose(broad, low)
    assert np.isclose(narrow, high)
assert np.isclose(np.sqrt(32), 5.66, atol=0.005)

# %% [markdown]
# ## 2. The sampler that remembers
#
# Against points that were held out it looks perfect, because what it hands out *are* real points. Against the training
# points its 1-NN is 0 %: the nearest neighbour of each copy is its original, which has the other label, and the other
# way round. So a number far *below* 50 % catches it, and only against the training points. To be safe one needs both:
# the held-out points to measure how good the samples are, and the training points to see whether they are copies.

# %%
ring = sn.ring(8, radius=1.0, std=0.05)
trained_on, held_out = ring.sample(1000, rng=rng), ring.sample(1000, rng=rng)
handed_out = rng.permutation(trained_on)
against = {
    name: sn.two_sample(handed_out, x).accuracy for name, x in (("training", trained_on), ("held-out", held_out))
}
print({name: f"{accuracy:.1%}" for name, accuracy in against.items()})
assert against["training"] == 0.0
assert abs(against["held-out"] - 0.5) < 0.06

# %% [markdown]
# ## 3. K for a spread of 50 and three layers
#
# $K^3 = 200/50 = 4$, so K is the third root of 4, 1.59. Over one spread, 50, f can change by $4 \cdot 50 = 200$. With
# data of spread 1 the rule gives $K^3 = 200$, which is 50 times as much. To compute at 50x what the other network
# computes at x, we go through the layers: K is smaller by $c = 50^{1/3}$ in each of them, so the numbers inside are
# larger by $50/c^l$ behind layer l, and the bias of layer l has to have this factor, too. Behind layer 3 the factor is
# $50/c^3 = 1$.

# %%
K_50, K_1 = (200 / 50) ** (1 / 3), 200 ** (1 / 3)
layers = sn.he_layers((2, 32, 32, 1), 0.1, rng=rng)
unit = [W / sn.spectral_norm(W) for W, _ in layers]
b = [rng.standard_normal(len(W)) for W in unit]
bound = sn.lipschitz_upper_bound([K_50 * W for W in unit], 0.1)
print(f"K = {K_50:.2f} for a spread of 50, {K_1:.2f} for 1; over one spread f changes by at most {50 * bound:.1f}")
assert np.isclose(K_50, 1.59, atol=0.005)
assert np.isclose(50 * bound, 200)

x = rng.standard_normal((100, 2))
c = 50 ** (1 / 3)
W_1, W_50 = [K_1 * W for W in unit], [K_50 * W for W in unit]
b_50 = [b_l * 50 / c**l for l, b_l in enumerate(b, 1)]
f_1, _ = sn.forward(W_1, b, x, 0.1)
f_50, _ = sn.forward(W_50, b_50, 50 * x, 0.1)
print(f"largest |f| {np.abs(f_1).max():.1f}, largest difference {np.abs(f_1 - f_50).max():.0e}")
assert np.allclose(f_1, f_50, rtol=1e-10, atol=1e-10)
