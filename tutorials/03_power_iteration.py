# %% [markdown]
# # 3. Power iteration
#
# *Beside the paper: section 2.2 (page 3) and Appendix A (page 15), equations (18)–(22).*
#
# After this tutorial you can
#
# * derive power iteration and its two rates, and predict how many iterations an accuracy takes;
# * show that its $\hat\sigma$ is a lower bound of $\sigma(W)$, so that $\sigma(\bar W) \ge 1$ and never less;
# * explain why one iteration per update is enough in training, and recognise four ways in which it goes wrong.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import show

from specnorm_np import (
    convergence,
    iterations_needed,
    orthonormalized,
    power_iteration,
    random_direction,
    spectral_norm,
)

QUICK = os.environ.get("SPECNORM_QUICK") == "1"

# %% [markdown]
# ## The iteration
#
# An SVD at every update costs too much. Appendix A keeps a unit vector $\tilde u$ for every layer and repeats
#
# $$\tilde v \leftarrow W^T\tilde u / \|W^T\tilde u\|, \quad \tilde u \leftarrow W\tilde v / \|W\tilde v\|, \tag{18}$$
# $$\sigma(W) \approx \hat\sigma = \tilde u^TW\tilde v. \tag{19}$$
#
# Algorithm 1 has the same as (20), (21), (22). First v, then u; v has the length of a row of W, u that of a column.


# %%
def iterate(W, u):
    """Do one iteration."""
    v = W.T @ u / np.linalg.norm(W.T @ u)  # (20)
    u = W @ v / np.linalg.norm(W @ v)  # (21)
    return u, u @ W @ v, v  # (22)


rng = np.random.default_rng(0)
W = rng.standard_normal((5, 7))
start = random_direction(5, rng=rng)  # uniform on the sphere
u, sigma, v = iterate(W, start)

assert all(np.allclose(mine, theirs) for mine, theirs in zip((u, sigma, v), power_iteration(W, start), strict=True))
assert np.isclose(sigma, np.linalg.norm(W @ v))  # since u was just set to Wv/‖Wv‖

# %% [markdown]
# ## Why it converges
#
# Take the singular vectors, $Wv_i = \sigma_iu_i$ and $W^Tu_i = \sigma_iv_i$, and write the start in them. Each line
# is the line above, multiplied by a matrix; the lengths can wait until the end.
#
# $$u = \textstyle\sum_i c_iu_i$$
# $$W^Tu = \textstyle\sum_i c_i\sigma_iv_i$$
# $$WW^Tu = \textstyle\sum_i c_i\sigma_i^2u_i$$
# $$(WW^T)^ku = \textstyle\sum_i c_i\sigma_i^{2k}u_i$$
#
# With $r = \sigma_2/\sigma_1$, the second coefficient relative to the first, which is the tangent of the angle to
# $u_1$ if only two are left, shrinks by $r^2$ in each iteration: $\tan\theta_k = r^{2k}\tan\theta_0$.
# With more of them left the others shrink faster, and $\tan\theta_k \le r^{2k}\tan\theta_0$.
#
# We plant a matrix with $\sigma_1 = 1$, $\sigma_2 = 0.7$, so $r^2 = 0.49$.

# %%
U, V = orthonormalized(rng.standard_normal((6, 2))), orthonormalized(rng.standard_normal((5, 2)))
W = (U * [1.0, 0.7]) @ V.T  # σ₁u₁v₁ᵀ + σ₂u₂v₂ᵀ
u, tangents = random_direction(6, rng=rng), []
for _ in range(8):
    tangents.append(abs((U[:, 1] @ u) / (U[:, 0] @ u)))
    u, sigma, v = iterate(W, u)

assert np.allclose(np.divide(tangents[1:], tangents[:-1]), 0.49)

# %% [markdown]
# The estimate is better than the vectors. For $\tilde v = v_1\cos\theta + v_2\sin\theta$,
#
# $$\hat\sigma^2 = \|W\tilde v\|^2 = \sigma_1^2\cos^2\theta + \sigma_2^2\sin^2\theta$$
# $$\hat\sigma^2 = \sigma_1^2\,\big(1 - (1 - r^2)\sin^2\theta\big)$$
# $$\sigma_1 - \hat\sigma \approx \tfrac12\sigma_1(1 - r^2)\sin^2\theta,$$
#
# so the error shrinks by $r^4 = 0.24$: it gains twice as many digits as the angle. With a third and a fourth singular
# value the same rates hold in the end, for almost every start.

# %%
sin2 = 1 - (V[:, 0] @ v) ** 2
assert np.isclose(sigma**2, 1 - (1 - 0.49) * sin2)
assert np.isclose(1 - sigma, 0.5 * (1 - 0.49) * sin2, rtol=1e-3)

U, V = orthonormalized(rng.standard_normal((6, 4))), orthonormalized(rng.standard_normal((5, 4)))
planted = (U * [1.0, 0.7, 0.3, 0.1]) @ V.T
seen = convergence(planted, random_direction(6, rng=rng), 20)

assert np.isclose(seen.angle[12] / seen.angle[11], 0.49, atol=0.005)
assert np.isclose(seen.error[9] / seen.error[8], 0.24, atol=0.005)

# %% [markdown]
# ## A lower bound
#
# For *any* unit vectors u and v, by Cauchy and Schwarz and by (6),
#
# $$u^TWv \le \|u\|\,\|Wv\| = \|Wv\| \le \sigma(W)\,\|v\| = \sigma(W).$$
#
# So $\hat\sigma \le \sigma(W)$, and the normalised matrix has $\sigma(W/\hat\sigma) = \sigma(W)/\hat\sigma \ge 1$.
# The bound of tutorial 2 is approached from above. How far above, after one iteration from a random start? For a
# square Gaussian matrix of size n, write $M = WW^T$. Then $\hat\sigma^2 = \|Mu\|^2/\|W^Tu\|^2 = u^TM^2u\,/\,u^TMu$.
# For a random unit vector the mean of $u^TMu = \sum_{ij}u_iM_{ij}u_j$ is $\mathrm{tr}(M)/n$, because the mean of
# $u_iu_j$ is 1/n for $i = j$ and 0 otherwise. The same holds for M². So $\hat\sigma^2$ is close to
#
# $$\frac{\mathrm{tr}\big((WW^T)^2\big)}{\mathrm{tr}(WW^T)} \approx \frac{2n^3}{n^2} = 2n, \qquad \sigma(W) \approx
# 2\sqrt n, \qquad \frac{\sigma(W)}{\hat\sigma} \approx \sqrt2 = 1.41.$$
#
# At n = 64 the average is between 1.3 and 1.5, and after ten iterations below 1.1.

# %%
ratios = []
for _ in range(20 if QUICK else 200):
    W, u = rng.standard_normal((64, 64)), random_direction(64, rng=rng)
    ratios.append([spectral_norm(W) / power_iteration(W, u, k).sigma for k in (1, 10)])
    M = W @ W.T
    assert np.isclose(np.trace(M @ M) / np.trace(M), 2 * 64, rtol=0.1)
print("mean σ(W/σ̂) after 1 and 10 iterations:", np.mean(ratios, axis=0).round(3))

assert np.min(ratios) >= 1 - 1e-12
assert 1.3 < np.mean(ratios, axis=0)[0] < 1.5
assert np.mean(ratios, axis=0)[1] < 1.1

# %% [markdown]
# ## The warm start
#
# Training changes W a little at each update. If $\tilde u$ is kept, the iterations add up. Here every entry moves by
# 1 % of its typical size per update, with one iteration each. From update 20 on, the kept u gives a
# $\sigma(\bar W)$ below 1.1; a u that is drawn anew each time stays where it began, near 1.4.

# %%
W, kept, warm, redrawn = rng.standard_normal((64, 64)), random_direction(64, rng=rng), [], []
for _ in range(60 if QUICK else 300):
    kept, sigma, _ = power_iteration(W, kept)
    warm.append(spectral_norm(W) / sigma)
    redrawn.append(spectral_norm(W) / power_iteration(W, random_direction(64, rng=rng)).sigma)
    W = W + 0.01 * rng.standard_normal((64, 64))

assert warm[0] > 1.1
assert max(warm[20:]) < 1.1
assert 1.3 < np.mean(redrawn) < 1.5

# %% [markdown]
# ## What goes wrong
#
# **A start orthogonal to $u_1$.** If $c_1 = 0$, it stays 0: from $e_2$, diag(3, 1, ½) gives $\hat\sigma = 1$ for
# ever, with $W\tilde v = \hat\sigma\tilde u$ and $W^T\tilde u = \hat\sigma\tilde v$ exactly. A small residual proves
# that a singular value was found, and not which one. The probability of such a start is zero, and on a matrix that is
# not diagonal rounding supplies a $c_1 \approx 10^{-16}$, which grows ninefold in each iteration: 40 iterations are
# enough.

# %%
diagonal = np.diag([3.0, 1.0, 0.5])
u, sigma, v = power_iteration(diagonal, np.array([0.0, 1.0, 0.0]), 1000)
assert sigma == 1.0
assert np.array_equal(diagonal.T @ u, sigma * v)

U, V = orthonormalized(rng.standard_normal((6, 3))), orthonormalized(rng.standard_normal((5, 3)))
W = (U * [3.0, 1.0, 0.5]) @ V.T
assert np.isclose(power_iteration(W, U[:, 1], 5).sigma, 1.0)
assert np.isclose(power_iteration(W, U[:, 1], 40).sigma, 3.0)

# %% [markdown]
# **A u that is drawn anew** in every update: seen above, 1.4 per layer. **Accepting a little per layer**: eight
# layers at 1.05 allow $1.05^8 = 1.48$ for the network.
#
# **An ε in the norms**, $x/(\|x\| + \varepsilon)$. Then u and v are shorter than 1, and $\hat\sigma$ is too small
# even when the direction has converged. Let $\sigma(W) = \varepsilon$: v has length ½, so $Wv$ has ½σ, u has
# $\frac{1/2}{1/2 + 1} = \frac13$, and $\hat\sigma = \frac13 \cdot \frac12\sigma$: $\sigma(\bar W) = 6$, and not 1.

# %%
eps = 1e-12
W = planted * eps
u = U_1 = np.linalg.svd(W)[0][:, 0]  # converged
v = W.T @ u / (np.linalg.norm(W.T @ u) + eps)
u = W @ v / (np.linalg.norm(W @ v) + eps)

assert np.isclose(spectral_norm(W) / (u @ W @ v), 6)
assert np.isclose(spectral_norm(W) / power_iteration(W, U_1).sigma, 1)
assert np.isclose(1.05**8, 1.48, atol=0.005)


# %%
def draw(left, right):
    """Draw the two rates, and the warm start beside the redrawn one."""
    k = np.arange(1, 21)
    left.semilogy(k, seen.angle, color="#0072B2", label="sine of the angle to $v_1$")
    left.semilogy(k, np.maximum(seen.error, 1e-17), color="#E69F00", label="$\\sigma - \\hat\\sigma$")
    left.semilogy(k, seen.angle[8] * 0.49 ** (k - 9.0), "k:", lw=0.8, label="$r^{2k}$ and $r^{4k}$")
    left.semilogy(k, seen.error[8] * 0.49 ** (2 * k - 18.0), "k:", lw=0.8)
    left.set(xlabel="iteration k", ylim=(1e-17, 9), title="r = 0.7")
    left.legend()
    right.plot(redrawn, color="#E69F00", label="u redrawn in each update")
    right.plot(warm, color="#0072B2", label="u kept")
    right.set(xlabel="update", ylabel="$\\sigma(\\bar W)$", ylim=(0.95, 2), title="one iteration per update")
    right.legend(loc="upper right")


show(draw, "03_power_iteration")

# %% [markdown]
# ## Traps
#
# * u is part of the model's state: it is kept between updates and saved with the weights.
# * Iterate on W and never overwrite it by $\bar W$. The optimiser owns W.
# * $\sigma(\bar W)$ below 1 in a plot means that the new W was divided by the old $\hat\sigma$. Say which is plotted.
#
# ## Exercises
#
# 1. How many iterations does a matrix of one row need?
# 2. How many give an error below 1 %, if r = 0.9 and the start has $\tan\theta_0 = 10$?
# 3. What do $\hat\sigma$ and u converge to for diag(1, 1, ½)?

# %%
# 1. One: v is the row over its length at once, so σ̂ is its length.
w = rng.standard_normal((1, 9))
assert np.isclose(power_iteration(w, np.ones(1)).sigma, spectral_norm(w))
# 2. ½ tan²θ ≤ 0.01 is enough, and the k-th v has tanθ ≤ r^(2k-1)·10: r^(4k-2) ≤ 2e-4, k = 21.
assert iterations_needed(accuracy=0.01, r=0.9, tan_angle=10.0) == 21
# 3. σ̂ to 1, u to the start's projection on the first two axes: it depends on the start, and uvᵀ in (9) with it.
u, sigma, v = power_iteration(np.diag([1.0, 1.0, 0.5]), np.array([3.0, 4.0, 5.0]), 60)
assert np.isclose(sigma, 1)
assert np.allclose(u, [0.6, 0.8, 0.0])
