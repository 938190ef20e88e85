# %% [markdown]
# # Solutions of tutorial 9, trusting the bound

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. The sum of absolute values
#
# $W^1$ holds $I$ above $-I$, so $\|W^1x\|^2 = 2\|x\|^2$ and $\sigma(W^1) = \sqrt2$. $W^2$ is a row of 2d ones, of
# length $\sqrt{2d}$. So (7) says $2\sqrt d$. The gradient of f is a vector of ±1, of length $\sqrt d$, which is the
# constant.
#
# $W^2W^1 = 0$, for each 1 meets its −1. So half of the bound vanishes, and what is left is
# $\frac12\cdot0 + \frac12\cdot2\sqrt d = \sqrt d$. It is exact for every d.

# %%
for d in (1, 2, 9):
    W = [np.vstack([np.eye(d), -np.eye(d)]), np.ones((1, 2 * d))]
    product, tighter = sn.lipschitz_upper_bound(W, 0.0), sn.tighter_lipschitz_upper_bound(W, 0.0)
    print(f"d = {d}: product {product:.3f}, tighter {tighter:.3f}, exact {np.sqrt(d):.3f}")
    assert np.allclose([product, tighter], [2 * np.sqrt(d), np.sqrt(d)])
in_the_plane = [np.vstack([np.eye(2), -np.eye(2)]), np.ones((1, 4))]
exact = sn.exact_lipschitz_constant(in_the_plane, [np.zeros(4), np.zeros(1)], 0.0, [(-1.0, 1.0), (-1.0, 1.0)])
assert np.isclose(exact.value, np.sqrt(2))
assert exact.n_regions == 4  # the quadrants

# %% [markdown]
# ## 2. A network with a proof
#
# `certified_normalization` takes the bad σ̂ as a first guess. Where the result has no proof, it computes a better
# divisor. So every $\bar W$ has a norm of at most 1, proven, and the product is at most 1 as well. Is it also *printed*
# as at most 1? `lipschitz_upper_bound` rounds up, and may say a last digit more. So we ask for a norm of at most
# $1 - 10^{-9}$ in each layer, and leave room for the rounding.
#
# With the plain σ̂ the product is 2.530, where the owner of the network believes in 1. With the certified ones it is
# 0.990. Two layers got a new divisor. The last one has a single row, for which one iteration is exact, so its σ̂ was
# accepted with the 1 % on top. The network uses 12 % of its allowance: its constant on the box is 0.122.

# %%
rng = np.random.default_rng(0)
W = [W_l for W_l, _ in sn.he_layers((2, 16, 16, 1), 0.0, rng=rng)]
b = [rng.standard_normal(len(W_l)) for W_l in W]
sigma_hat, plain, W_bar = [], [], []
for W_l in W:
    triplet = sn.power_iteration(W_l, sn.random_direction(len(W_l), rng=rng))
    certified, _ = sn.certified_normalization(W_l, triplet.sigma, K=1 - 1e-9)
    sigma_hat.append(triplet.sigma)
    plain.append(W_l / triplet.sigma)
    W_bar.append(certified)
box = [(-20.0, 20.0), (-20.0, 20.0)]
used = sn.exact_lipschitz_constant(W_bar, b, 0.0, box).value
print(f"product (7) of W/σ̂: {sn.lipschitz_upper_bound(plain, 0.0):.3f}")
print(f"product (7) of the certified W̄: {sn.lipschitz_upper_bound(W_bar, 0.0):.9f}; the constant is {used:.3f}")
assert np.isclose(sn.lipschitz_upper_bound(plain, 0.0), 2.530, atol=5e-4)
assert np.isclose(sn.lipschitz_upper_bound(W_bar, 0.0), 0.990, atol=5e-4)
assert np.isclose(sigma_hat[-1], np.linalg.norm(W[-1]))
assert all(sn.certify_upper(W_l, 1.0) for W_l in W_bar)
assert np.isclose(used, 0.122, atol=5e-4)

# %% [markdown]
# ## 3. Zeros around the image
#
# An image with zeros around it is an image on a larger torus, of which some pixels happen to be 0, and of whose output
# some pixels are thrown away. Both can only make the norm smaller. So it is *below* the circular norm, which is 1. It
# rises towards 1 with the size of the image, because the border counts for less and less: 0.762, 0.921, 0.977. So
# `convolution_norm` with `padding="zeros"`, which says 1, is an upper bound here, and not the norm itself.


# %%
def dense_with_zeros(kernel, n):
    """Write the convolution with a border of zeros as a matrix, (n², n²)."""
    columns = []
    for pixel in np.eye(n * n):
        image = np.pad(pixel.reshape(n, n), 1)
        parts = [kernel[i, j] * image[i : i + n, j : j + n] for i in range(3) for j in range(3)]
        columns.append(sum(parts).ravel())
    return np.array(columns).T


average = np.ones((3, 3)) / 9
norms = [sn.spectral_norm(dense_with_zeros(average, n)) for n in (4, 8, 16)]
bounds = [sn.convolution_norm(average[None, None], (n, n), padding="zeros") for n in (4, 8, 16)]
print("with zeros:", np.round(norms, 3), "  circular: 1,  bound of the package:", np.round(bounds, 3))
assert np.allclose(norms, [0.762, 0.921, 0.977], atol=5e-4)
assert all(norm <= bound * (1 + 1e-12) for norm, bound in zip(norms, bounds, strict=True))
