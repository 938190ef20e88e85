# %% [markdown]
# # Solutions of tutorial 1, why a Lipschitz constraint

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. A perfect G
#
# If $p = q$, then $D^* = q/(q + p) = \frac12$ everywhere, and $V = \log\frac12 + \log\frac12 = -\log 4 = -1.386$.

# %%
loss, *_ = sn.standard_d(np.zeros(9), np.zeros(9))
print("V =", round(-loss, 4), "  -log 4 =", round(-np.log(4), 4))
assert np.allclose([-loss, -np.log(4)], -1.386, atol=5e-4)

# %% [markdown]
# ## 2. The longest saturating gradient
#
# It has the length $K\,\mathrm{sigmoid}(-K/2)$. Its derivative is $\mathrm{sigmoid}(-K/2)\big(1 - \frac K2\,
# \mathrm{sigmoid}(K/2)\big)$, which is 0 where $\frac K2\,\mathrm{sigmoid}(K/2) =
# 1$. This is at K =
# 2.56, and the length there is 0.557. A D that is less steep pushes less; one that is steeper is too sure, and pushes
# less as well.

# %%
K = np.linspace(0.1, 10, 99_001)
length = K * sn.sigmoid(-K / 2)
best = np.argmax(length)
print(f"longest at K = {K[best]:.2f}: {length[best]:.3f}")
assert np.allclose([K[best], length[best]], [2.56, 0.557], atol=5e-3)

# %% [markdown]
# ## 3. Two Gaussians with one centre
#
# With deviations 1 and 2, (4) is $-x + x/4 = -\frac34x$. Its length grows without end, so $f^*$ is not Lipschitz for
# any K, although the two densities overlap everywhere.

# %%
data, fakes = sn.Mixture(np.zeros((1, 2)), 1.0), sn.Mixture(np.zeros((1, 2)), 2.0)
x = np.array([[1.0, 2.0], [100.0, 200.0]])
df_star = data.grad_log_density(x) - fakes.grad_log_density(x)
print("∇f* at the two points:", df_star.tolist())
assert np.allclose(df_star, -0.75 * x)
