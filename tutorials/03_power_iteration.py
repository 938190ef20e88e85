# %% [markdown]
# # 3. Power iteration
#
# *Beside the paper: section 2.2 (page 3) and Appendix A (pages 14, 15), equations (18)–(22).*
#
# To divide by the spectral norm we have to know it, for every weight and after every update. A singular value
# decomposition would give it, and costs more than the whole update. **Can two products with a vector be enough?**
#
# After this tutorial you can
#
# * derive the power iteration, and say how fast its error falls;
# * say why its σ̂ is never above σ(W), and what follows for $\bar W$;
# * explain why *one* iteration per update is enough in training, and name the cases in which it is not.
#
# You need tutorial 2: singular values, $u_i$ and $v_i$ with $Wv_i = \sigma_iu_i$ and $W^Tu_i = \sigma_iv_i$.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREY, ORANGE, show

import specnorm_np as sn

QUICK = os.environ.get("SPECNORM_QUICK") == "1"
rng = np.random.default_rng(0)

# %% [markdown]
# ## Two lines
#
# Take any vector of length 1, call it $\tilde u$, and do this again and again:
#
# $$\tilde v \leftarrow \frac{W^T\tilde u}{\|W^T\tilde u\|_2}, \qquad
# \tilde u \leftarrow \frac{W\tilde v}{\|W\tilde v\|_2}. \tag{18}$$
#
# Then take the number
#
# $$\hat\sigma = \tilde u^TW\tilde v. \tag{19}$$
#
# That is all. Algorithm 1 writes the two halves of (18) as (20) and (21), and uses (19) in (22). The vector is sent
# through the matrix and back, and its length is set to 1 so that it neither vanishes nor explodes. (The second half
# makes $\hat\sigma = \|W\tilde v\|$, since $\tilde u$ is $W\tilde v$ over its length.)


# %%
def iterate(W, u):
    """Do one power iteration."""
    v = W.T @ u
    v = v / np.linalg.norm(v)  # (20)
    u = W @ v
    u = u / np.linalg.norm(u)  # (21)
    return u, u @ W @ v, v  # σ̂ of (19), (22)


W = rng.standard_normal((5, 7))
u = start = sn.random_direction(5, rng=rng)
print("σ(W) by SVD:", np.linalg.svd(W, compute_uv=False)[0].round(6))
for k in range(1, 31):
    u, sigma, v = iterate(W, u)
    if k in (1, 2, 5, 10, 30):
        print(f"σ̂ after {k:2} iterations: {sigma:.6f}")
    assert np.isclose(sigma, sn.power_iteration(W, start, k).sigma)
assert np.isclose(sigma, sn.spectral_norm(W))

# %% [markdown]
# The last line of the loop says that `sn.power_iteration` does the same.
#
# ## Why it works
#
# Write the start in the directions $u_i$, which are at right angles to each other: $\tilde u = \sum_i c_iu_i$. What
# do the two products do to it? $W^T$ turns each $u_i$ into $\sigma_iv_i$, and W turns each $v_i$ into $\sigma_iu_i$:
#
# $$\tilde u = \textstyle\sum_i c_iu_i$$
# $$W^T\tilde u = \textstyle\sum_i c_i\sigma_iv_i$$
# $$WW^T\tilde u = \textstyle\sum_i c_i\sigma_i^2u_i$$
# $$(WW^T)^k\tilde u = \textstyle\sum_i c_i\sigma_i^{2k}u_i.$$
#
# We have left out the division by the lengths, which changes all coefficients by the same factor. So in each
# iteration the i-th coefficient is multiplied by $\sigma_i^2$. The first one grows most. Compared with it, the second
# one shrinks by $(\sigma_2/\sigma_1)^2$. Let $r = \sigma_2/\sigma_1$. If there are only two, then the ratio of the
# coefficients is the tangent of the angle θ between $\tilde u$ and $u_1$, and
#
# $$\tan\theta_k = r^{2k}\tan\theta_0.$$
#
# With more of them the others shrink even faster, and $\tan\theta_k \le r^{2k}\tan\theta_0$. We build a matrix with
# the singular values 1 and 0.7, so that $r^2 = 0.49$, and look.

# %%
U, _ = np.linalg.qr(rng.standard_normal((6, 2)))
V, _ = np.linalg.qr(rng.standard_normal((5, 2)))
W = (U * [1.0, 0.7]) @ V.T  # 1·u₁v₁ᵀ + 0.7·u₂v₂ᵀ
u, tangents, path = sn.random_direction(6, rng=rng), [], []
for _ in range(8):
    c1, c2 = U.T @ u  # the part of u outside of this plane is gone after one iteration
    tangents.append(abs(c2 / c1))
    path.append([c1, c2])
    u, sigma, v = iterate(W, u)
ratios = np.divide(tangents[1:], tangents[:-1])
print("tan θ:", np.round(tangents, 4))
print("each over the one before:", ratios.round(4))
assert np.allclose(ratios, 0.49)

# %% [markdown]
# ## The estimate is better than the vectors
#
# How far is $\hat\sigma$ from $\sigma_1$, if $\tilde v$ is still at an angle φ to $v_1$? Write
# $\tilde v = v_1\cos\varphi + v_2\sin\varphi$. Then
# $W\tilde v = \sigma_1\cos\varphi\,u_1 + \sigma_2\sin\varphi\,u_2$, and
#
# $$\hat\sigma^2 = \|W\tilde v\|^2 = \sigma_1^2\cos^2\varphi + \sigma_2^2\sin^2\varphi$$
# $$= \sigma_1^2\big(1 - (1 - r^2)\sin^2\varphi\big).$$
#
# For a small angle, with $\sqrt{1 - t} \approx 1 - t/2$,
#
# $$\sigma_1 - \hat\sigma \approx \tfrac12\,\sigma_1(1 - r^2)\sin^2\varphi.$$
#
# The error goes with the *square* of the angle. The angle falls like $r^{2k}$, so the error falls like $r^{4k}$: each
# iteration gains twice as many digits of $\hat\sigma$ as of the direction.

# %%
sin2 = 1 - (V[:, 0] @ v) ** 2
print(f"σ̂ = {sigma:.9f}, by the formula {np.sqrt(1 - (1 - 0.49) * sin2):.9f}")
assert np.isclose(sigma**2, 1 - (1 - 0.49) * sin2)

U4, _ = np.linalg.qr(rng.standard_normal((6, 4)))
V4, _ = np.linalg.qr(rng.standard_normal((5, 4)))
planted = (U4 * [1.0, 0.7, 0.3, 0.1]) @ V4.T
seen = sn.convergence(planted, sn.random_direction(6, rng=rng), 20)
angle_rate, error_rate = seen.angle[12] / seen.angle[11], seen.error[9] / seen.error[8]
print(f"with four singular values: the angle falls by {angle_rate:.3f}, the error by {error_rate:.3f} per iteration")
assert np.isclose(angle_rate, 0.49, atol=0.005)
assert np.isclose(error_rate, 0.24, atol=0.005)

# %% [markdown]
# ## Never above
#
# For *any* two vectors of length 1, converged or not, Cauchy and Schwarz say that
#
# $$\tilde u^TW\tilde v \le \|\tilde u\|\,\|W\tilde v\| = \|W\tilde v\| \le \sigma(W)\,\|\tilde v\| = \sigma(W).$$
#
# So $\hat\sigma \le \sigma(W)$ always. We divide by a number that is too small, and the normalised matrix has
#
# $$\sigma(\bar W) = \frac{\sigma(W)}{\hat\sigma} \ge 1.$$
#
# The bound of tutorial 2 is approached from the wrong side. By how much do we miss it after a single iteration from a
# random start? Let W be n × n with Gaussian entries, and $M = WW^T$. Then
# $\hat\sigma^2 = \|W\tilde v\|^2 = \tilde u_0^TM^2\tilde u_0\,/\,\tilde u_0^TM\tilde u_0$ with the start
# $\tilde u_0$. For a random vector of length 1 the mean of $\tilde u_i\tilde u_j$ is 1/n if $i = j$ and 0 otherwise,
# so that
#
# $$E\big[\tilde u^TM\tilde u\big] = \sum_{ij}M_{ij}E[\tilde u_i\tilde u_j] = \frac{\mathrm{tr}(M)}n.$$
#
# The same holds for M². Therefore
#
# $$\hat\sigma^2 \approx \frac{\mathrm{tr}(M^2)}{\mathrm{tr}(M)} \approx \frac{2n^3}{n^2} = 2n, \qquad
# \sigma(W) \approx 2\sqrt n, \qquad \frac{\sigma(W)}{\hat\sigma} \approx \sqrt2.$$

# %%
misses = []
for _ in range(20 if QUICK else 200):
    W, u = rng.standard_normal((64, 64)), sn.random_direction(64, rng=rng)
    misses.append([sn.spectral_norm(W) / sn.power_iteration(W, u, k).sigma for k in (1, 10)])
M = W @ W.T
mean = np.mean(misses, axis=0)
print(f"tr(M²)/tr(M) = {np.trace(M @ M) / np.trace(M):.0f}, 2n = 128")
print(f"σ(W̄) in the mean: {mean[0]:.2f} after one iteration, {mean[1]:.2f} after ten")
assert np.min(misses) >= 1 - 1e-12
assert abs(np.trace(M @ M) / np.trace(M) - 128) < 13
assert 1.35 < mean[0] < 1.45
assert mean[1] < 1.1

# %% [markdown]
# ## The warm start
#
# Forty per cent too much is a lot. But in training we do not start anew. From one update to the next W changes a
# little, and $\tilde u$ is kept. So the iterations of all updates add up, and $\tilde u$ runs after the slowly moving
# $u_1$. The paper says that one iteration per update is then enough. We record it on a real discriminator: the ring,
# with layers of 64. $\tilde u$ is kept, as in Algorithm 1. Beside it we compute, for the same weights, what one
# iteration from a *new* random vector would have given.

# %%
steps = 60 if QUICK else 400
gan = sn.GAN((2, 64, 64, 64, 1), (2, 64, 64, 2), d_optim=sn.Adam(1e-3, 0.5, 0.9), steps=steps, batch=64)
kept, anew = [], []
for state, _ in sn.train(gan, sn.start(gan, seed=0), sn.ring(std=0.05).sample):
    W, triplet = state.D.theta.weights[1], state.D.norms[1]  # the second layer, 64 × 64
    kept.append(sn.spectral_norm(W) / triplet.sigma)
    anew.append(sn.spectral_norm(W) / sn.power_iteration(W, sn.random_direction(64, rng=rng)).sigma)
kept, anew = np.array(kept), np.array(anew)
print(f"σ(W̄) of the second layer: first update {kept[0]:.2f}, median from update 20 on {np.median(kept[20:]):.3f}")
print(f"with a new u in each update: median {np.median(anew):.2f}")
assert kept.min() >= 1 - 1e-12
assert np.median(kept[20:]) < 1.1
assert np.median(anew) > 1.2

# %% [markdown]
# The kept $\tilde u$ is much better than the new one, at the same price. In the picture the curve of the kept one is
# not flat: when the second singular value overtakes the first, $\tilde u$ has to turn, and for a few updates
# $\hat\sigma$ lags behind.
#
# ## What goes wrong
#
# **A start at a right angle to $u_1$.** If $c_1 = 0$, it stays 0. From $e_2$ the matrix diag(3, 1, ½) gives
# $\hat\sigma = 1$ for ever, and everything looks converged: $W\tilde v = \hat\sigma\tilde u$ and
# $W^T\tilde u = \hat\sigma\tilde v$ hold exactly. So a small residual proves that *a* singular value was found, and
# not which one. A random start has this property with probability 0, and for a matrix that is not diagonal, rounding
# alone supplies a $c_1$ of about $10^{-16}$. It is multiplied by 9 in each iteration.

# %%
u, sigma, v = np.array([0.0, 1.0, 0.0]), 0.0, None
for _ in range(1000):
    u, sigma, v = iterate(np.diag([3.0, 1.0, 0.5]), u)
U3, _ = np.linalg.qr(rng.standard_normal((6, 3)))
V3, _ = np.linalg.qr(rng.standard_normal((5, 3)))
rotated = (U3 * [3.0, 1.0, 0.5]) @ V3.T
escaped = [sn.power_iteration(rotated, U3[:, 1], k).sigma for k in (5, 40)]
print("from e₂, 1000 iterations:", sigma, "  not diagonal, from u₂, 5 and 40 iterations:", np.round(escaped, 4))
assert sigma == 1.0
assert np.allclose(escaped, [1, 3])

# %% [markdown]
# **Two equal singular values.** If $\sigma_1 = \sigma_2$, then $r = 1$ and $\tilde u$ does not converge to one
# direction. It keeps the mixture with which it began. $\hat\sigma$ is right all the same.
#
# **A zero.** If $W = 0$, or if $W^T\tilde u = 0$, then (20) divides by 0. The package leaves $W = 0$ as it is, with
# $\hat\sigma = 0$, and begins anew from the largest row if only $W^T\tilde u$ is 0.
#
# **An ε in the lengths**, $x/(\|x\| + \varepsilon)$, which many programs have against the zero. Then $\tilde u$ and
# $\tilde v$ are shorter than 1, and $\hat\sigma$ is too small even if the directions have converged. Take the worst
# case $\sigma(W) = \varepsilon$. From a $\tilde u$ of length 1, $W^T\tilde u$ has the length ε, so $\tilde v$ has
# $\varepsilon/(\varepsilon + \varepsilon) = \frac12$. $W\tilde v$ has $\frac12\varepsilon$, so $\tilde u$ has
# $\frac{1/2}{1/2 + 1} = \frac13$. Together $\hat\sigma = \frac13\cdot\frac12\,\sigma$, and $\sigma(\bar W) = 6$.

# %%
equal = sn.power_iteration(np.diag([1.0, 1.0, 0.5]), np.array([0.6, 0.0, 0.8]), 60)
zero = sn.power_iteration(np.zeros((3, 2)), np.array([1.0, 0.0, 0.0]))
small, eps = 1e-12 * planted, 1e-12
u = np.linalg.svd(small)[0][:, 0]  # converged already
v = small.T @ u / (np.linalg.norm(small.T @ u) + eps)
u = small @ v / (np.linalg.norm(small @ v) + eps)
print("equal: σ̂ =", round(equal.sigma, 6), "  zero: σ̂ =", zero.sigma, "  with ε: σ(W̄) =", end=" ")
print(round(sn.spectral_norm(small) / (u @ small @ v), 6))
assert np.isclose(equal.sigma, 1)
assert zero.sigma == 0
assert np.isclose(sn.spectral_norm(small) / (u @ small @ v), 6)


# %%
def draw(left, middle, right):
    circle = np.linspace(0, 2 * np.pi, 200)
    left.plot(np.cos(circle), np.sin(circle), color=GREY, lw=0.8)
    for k, (c1, c2) in enumerate(path[:5]):
        c1, c2 = np.array([c1, c2]) / np.hypot(c1, c2)
        left.annotate("", (c1, c2), (0, 0), arrowprops={"arrowstyle": "->", "color": BLUE, "alpha": 0.3 + 0.15 * k})
        left.annotate(str(k), (1.08 * c1, 1.08 * c2), ha="center", va="center", fontsize=8)
    left.set(aspect="equal", xlabel="along $u_1$", ylabel="along $u_2$", title="u turns to $u_1$")
    k = np.arange(1, 21)
    middle.semilogy(k, seen.angle, color=BLUE, label="angle to $v_1$")
    middle.semilogy(k, np.maximum(seen.error, 1e-17), color=ORANGE, label="$\\sigma - \\hat\\sigma$")
    middle.set(xlabel="iteration k", ylim=(1e-17, 9), title="r = 0.7")
    middle.legend()
    right.plot(anew, color=ORANGE, lw=0.8, label="a new u")
    right.plot(kept, color=BLUE, label="u kept")
    right.set(xlabel="update", ylim=(0.95, 2), title="$\\sigma(\\bar W^2)$ in training")
    right.legend(loc="upper right")


show(draw, "03_power_iteration", panels=3)

# %% [markdown]
# ## What was learnt
#
# 1. Each iteration multiplies the i-th coefficient by $\sigma_i^2$. The angle falls like $r^{2k}$, the error of
#    $\hat\sigma$ like $r^{4k}$.
# 2. $\hat\sigma$ is a lower bound. So $\sigma(\bar W)$ is at least 1, and equal to 1 at convergence only.
# 3. In training $\tilde u$ is kept, and one iteration per update is enough to stay near 1.
#
# ## Traps
#
# * $\tilde u$ is part of the model's state: it is kept between updates, and saved with the weights.
# * Iterate on W and never overwrite it by $\bar W$. The optimiser owns W.
# * A $\sigma(\bar W)$ below 1 in a plot means that the new W was divided by the old $\hat\sigma$. Say which is
#   plotted.
# * Small errors of the layers multiply. Eight layers at 1.05 allow $1.05^8 = 1.48$ for the network.
#
# ## Exercises
#
# The solutions are in [solutions/03_power_iteration.py](solutions/03_power_iteration.py).
#
# 1. *(Pencil.)* How many iterations does a matrix with a single row need?
# 2. *(Pencil.)* How many iterations make the error at most 1 %, if $r = 0.9$ and the start has $\tan\theta_0 = 10$?
# 3. *(Pencil, then code.)* To what do $\hat\sigma$ and $\tilde u$ converge for diag(1, 1, ½) from $(3, 4, 5)$?
