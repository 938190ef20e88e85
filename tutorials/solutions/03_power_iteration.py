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
# With two singular values we have the formula $\hat\sigma^2 = \sigma_1^2(1 - (1 - r^2)\sin^2\varphi)$. It asks for
#
# $$1 - 0.19\,\sin^2\varphi \ge 0.99^2$$
# $$\sin^2\varphi \le 0.0199/0.19 = 0.1047$$
# $$\tan^2\varphi = \frac{\sin^2\varphi}{1 - \sin^2\varphi} \le 0.1170$$
# $$\tan\varphi \le 0.3420.$$
#
# The k-th $\tilde v$ has $\tan\varphi = r^{2k-1}\tan\theta_0$. So $0.9^{2k-1} \le 0.0342$, which means
# $2k - 1 \ge \log 0.0342/\log 0.9 = 32.04$, and $k = 17$.
#
# If only r is known, then $\cos\varphi \ge 0.99$ is enough, which is $\tan\varphi \le 0.1425$. Now
# $\tan\varphi \le r^{2k-1}\tan\theta_0$, and $2k - 1 \ge \log 0.01425/\log 0.9 = 40.35$ gives $k = 21$. The package has
# a function for the second question.

# %%
for k in (16, 17):
    W = np.diag([1.0, 0.9])
    _, sigma, _ = sn.power_iteration(W, np.array([1.0, 10.0]) / np.sqrt(101), k)
    print(f"two singular values, {k} iterations: σ̂ = {sigma:.4f}")
    assert (sigma >= 0.99) == (k == 17)

enough = sn.iterations_needed(accuracy=0.01, r=0.9, tan_angle=10.0)
print("only r is known, by the package:", enough)
assert enough == 21 == np.ceil((np.log(np.tan(np.arccos(0.99)) / 10) / np.log(0.9) + 1) / 2)

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
