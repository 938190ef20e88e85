# %% [markdown]
# # Solutions of tutorial 3, power iteration

# %%
import numpy as np

import specnorm_np as sn

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. A single row
#
# One. $\tilde u$ is the number 1 or −1, and $W^T\tilde u$ is the row itself, or its opposite. So $\tilde v$ is the
# row over its length at once, and $\hat\sigma$ is its length, which is the spectral norm of a row.

# %%
w = rng.standard_normal((1, 9))
print("σ̂ after one iteration:", sn.power_iteration(w, np.ones(1)).sigma, "  length:", np.linalg.norm(w))
assert np.isclose(sn.power_iteration(w, np.ones(1)).sigma, np.linalg.norm(w))

# %% [markdown]
# ## 2. One per cent
#
# The error is at most $\frac12\sigma_1\sin^2\varphi \le \frac12\sigma_1\tan^2\varphi$, so $\tan^2\varphi \le 0.02$ is
# enough. The first $\tilde v$ comes from half an iteration, hence the k-th one has
# $\tan\varphi \le r^{2k-1}\tan\theta_0$. This asks for $r^{4k-2}\cdot 100 \le 0.02$, or
# $(4k - 2)\log 0.9 \le \log(2\cdot 10^{-4})$. So $4k - 2 \ge 80.8$, and $k = 21$.

# %%
k = np.ceil((np.log(2e-4) / np.log(0.9) + 2) / 4)
print("iterations:", k, "  by the package:", sn.iterations_needed(accuracy=0.01, r=0.9, tan_angle=10.0))
assert k == 21
assert sn.iterations_needed(accuracy=0.01, r=0.9, tan_angle=10.0) == 21

# %% [markdown]
# ## 3. Two equal singular values
#
# The first two coefficients are multiplied by 1, the third by ¼ in each iteration. What is left of $(3, 4, 5)$ is
# $(3, 4, 0)$, and over its length $(0.6, 0.8, 0)$. $\hat\sigma$ converges to 1. The vector depends on the start, and
# with it the $\tilde u\tilde v^T$ of the gradient.

# %%
u, sigma, v = sn.power_iteration(np.diag([1.0, 1.0, 0.5]), np.array([3.0, 4.0, 5.0]), 60)
print("σ̂ =", round(sigma, 9), "  u =", u.round(9))
assert np.isclose(sigma, 1)
assert np.allclose(u, [0.6, 0.8, 0.0])
