# %% [markdown]
# # Solutions of tutorial 1, why a Lipschitz constraint

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. A perfect G
#
# If $p = q$, then $f^* = \log q - \log p = 0$ at every x, and $D^* = \frac12$. Both means in V are $\log\frac12$. So
#
# $$V = \log\tfrac12 + \log\tfrac12 = -\log 4 = -1.3863.$$
#
# $f^*$ is constant, and its gradient is 0. Both pushes are $\frac12 \cdot 0 = 0$. This 0 is welcome, because G has
# nothing left to learn. It is not the 0 of a D that is too sure: there the factor vanished, here the slope.

# %%
x = np.array([[-1.0], [0.3], [2.0]])
data = fakes = sn.Mixture(np.array([[1.0]]), 0.5)
f_star = data.log_density(x) - fakes.log_density(x)
df_star = data.grad_log_density(x) - fakes.grad_log_density(x)
loss, *_ = sn.standard_d(f_star, f_star)
print(f"V = {-loss:.4f}, -log 4 = {-np.log(4):.4f}, gradient of f*: {df_star[:, 0]}")
assert round(-loss, 4) == -1.3863
assert np.array_equal(df_star, np.zeros((3, 1)))

# %% [markdown]
# ## 2. The longest saturating push
#
# The derivative of the sigmoid at t is $\mathrm{sigmoid}(t)\,\mathrm{sigmoid}(-t)$. With $t = -K/2$, the product rule
# gives
#
# $$\frac{d}{dK}\,K\,\mathrm{sigmoid}(-K/2) = \mathrm{sigmoid}(-K/2) -
# \frac K2\,\mathrm{sigmoid}(-K/2)\,\mathrm{sigmoid}(K/2)$$
# $$\phantom{\frac{d}{dK}\,K\,\mathrm{sigmoid}(-K/2)} =
# \mathrm{sigmoid}(-K/2)\,\Big(1 - \frac K2\,\mathrm{sigmoid}(K/2)\Big).$$
#
# The factor in front is never 0. So the bracket has to be. With $t = K/2$ from here on,
#
# $$t\,\frac1{1 + e^{-t}} = 1$$
# $$t = 1 + e^{-t}.$$
#
# This cannot be solved for t by a formula. But one can put a guess into the right side, and get a better one: 1,
# 1.368, 1.255, 1.285, 1.277, … It settles at 1.278. So $K = 2t = 2.557$. There $\mathrm{sigmoid}(K/2) = 1/t$, and the
# push is
#
# $$K\,\mathrm{sigmoid}(-K/2) = 2t\Big(1 - \frac1t\Big) = 2t - 2 = 0.557.$$
#
# A D that is less steep pushes less. A steeper one is too sure, and pushes less as well.

# %%
t, guesses = 1.0, []
for _ in range(30):
    guesses.append(round(float(t), 3))
    t = 1 + np.exp(-t)
print("guesses:", guesses[:5], f"  K = {2 * t:.3f}, push 2t - 2 = {2 * t - 2:.3f}")
assert np.allclose(guesses[:5], [1, 1.368, 1.255, 1.285, 1.277])

K = np.linspace(0.1, 10, 99_001)
push = K * sn.sigmoid(-K / 2)
best = np.argmax(push)
print(f"best of {K.size} values: K = {K[best]:.3f}, push {push[best]:.3f}")
assert np.allclose([K[best], push[best]], [2 * t, 2 * t - 2], atol=1e-3)
assert [round(2 * t, 3), round(2 * t - 2, 3)] == [2.557, 0.557]

# %% [markdown]
# ## 3. A ring around a point
#
# Let $f_0$ be the value at the fakes, and $f_1, \dots, f_8$ those at the eight real points. The loss is a mean of
# eight terms, each of which is the loss of two points at a distance of R:
#
# $$-V = \frac18\sum_i\mathrm{softplus}(-f_i) + \mathrm{softplus}(f_0) =
# \frac18\sum_i\Big(\mathrm{softplus}(-f_i) + \mathrm{softplus}(f_0)\Big).$$
#
# The tutorial has shown that no term is less than $2\,\mathrm{softplus}(-KR/2)$, since the gap is at most KR. So the
# mean is not less, either. And all eight can have this value at once, if $f_0 = -KR/2$ and every $f_i = KR/2$. The
# cone
#
# $$f(x) = K\Big(\|x\| - \frac R2\Big)$$
#
# has these values. It is K-Lipschitz by the triangle inequality, $\big|\|x\| - \|x'\|\big| \le \|x - x'\|$. So it
# solves (5), and its loss is $2\,\mathrm{softplus}(-KR/2)$. Only the product KR occurs in it. (It is not the only
# solution. Only on the eight segments from 0 to the real points are the values of f fixed.)
#
# Its gradient is $K\,x/\|x\|$, of length K, and points away from 0. At 0 itself, at the tip of the cone, there is
# none: all directions are equally good, and so a fake that sits exactly there is not told where to go. As soon as it
# is beside the tip, its push is $K\,\mathrm{sigmoid}(KR/2)$ with the cost that is not saturating.

# %%
rng = np.random.default_rng(0)
losses = {}
for K, R in ((1.0, 1.0), (2.0, 0.5), (1.0, 4.0)):
    points = np.vstack([np.zeros((1, 2)), sn.ring(8, R, 0.01).modes])  # the fake, then the real ones
    cone = K * (np.linalg.norm(points, axis=1) - R / 2)
    losses[K, R], *_ = sn.standard_d(cone[1:], cone[:1])
    print(
        f"K = {K}, R = {R}: loss of the cone {losses[K, R]:.4f}, by the formula {2 * np.logaddexp(0, -K * R / 2):.4f}"
    )
    assert np.isclose(losses[K, R], 2 * np.logaddexp(0, -K * R / 2))

    gaps = K * R * rng.uniform(-1, 1, (10_000, 8))  # at most KR between the fake and each real point
    f_0 = rng.uniform(-3, 3, (10_000, 1))
    others = np.mean(np.logaddexp(0, -(f_0 + gaps)), axis=1) + np.logaddexp(0, f_0[:, 0])
    assert np.all(others >= losses[K, R])
assert np.isclose(losses[1.0, 1.0], losses[2.0, 0.5])


def f(x):
    """Evaluate the cone for K = R = 1."""
    return np.linalg.norm(x, axis=1) - 0.5


x, x_prime = rng.uniform(-2, 2, (2, 10_000, 2))
quotients = np.abs(f(x) - f(x_prime)) / np.linalg.norm(x - x_prime, axis=1)
step = 1e-4 * np.array([[1.0, 0.0], [0.0, 1.0]])
beside, tip = np.array([[0.03, 0.04]]), np.zeros((1, 2))
df_beside, df_tip = ((f(place + step) - f(place - step)) / 2e-4 for place in (beside, tip))
print(f"largest quotient {quotients.max():.4f}; differences beside the tip {df_beside.round(3)}, at the tip {df_tip}")
print(f"push beside the tip {sn.sigmoid(-f(beside)).item():.3f}, in the limit {sn.sigmoid(np.array(0.5)).item():.3f}")
assert quotients.max() <= 1 + 1e-9
assert np.allclose(df_beside, [0.6, 0.8], atol=1e-4)
assert np.array_equal(df_tip, [0, 0])
