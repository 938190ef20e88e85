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
# You need tutorial 2: the singular values $\sigma_i$ of a matrix W, and the directions $u_i$ and $v_i$. There we had
# $W = \sum_i\sigma_iu_iv_i^T$, and therefore $W^T = \sum_i\sigma_iv_iu_i^T$. So
#
# $$Wv_i = \sigma_iu_i, \qquad W^Tu_i = \sigma_iv_i.$$

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREY, ORANGE, animate, show

import specnorm_np as sn

QUICK = os.environ.get("SPECNORM_QUICK") == "1"
rng = np.random.default_rng(0)

# %% [markdown]
# First a picture of the question. A matrix of 2 × 2 turns the circle of all vectors of length 1 into an ellipse, and
# $\sigma(W)$ is half of its longest axis. To find it by trying, we would send many vectors through W. Here we send
# five. The first one, marked 0, was picked at random. Each of the others was made from the one before it by two
# products, with W and with $W^T$. **Look at the lengths on the right.** How many tries did it take to find the longest?

# %%
W_plane = np.array([[2.0, 1.0], [0.0, 1.5]])
tries = [np.array([-0.6, 0.8])]
for _ in range(5):  # five vectors are drawn here, and all six further down
    there_and_back = W_plane.T @ (W_plane @ tries[-1])
    tries.append(there_and_back / np.linalg.norm(there_and_back))
lengths = np.array([np.linalg.norm(W_plane @ v) for v in tries])
_, sigmas_plane, V_plane = np.linalg.svd(W_plane)
v1 = V_plane[0] * np.sign(V_plane[0] @ tries[-1])  # of v₁ and −v₁, the one to which the tries turn
beside = 0.98 * v1 - 0.2 * np.array([-v1[1], v1[0]])  # where the name of the line is written

turn = np.linspace(0, 2 * np.pi, 200)
circle = np.stack([np.cos(turn), np.sin(turn)])


def draw_arrows(left, right, last):
    """Draw the tries up to the last one on the circle, and where W takes them."""
    for ax, A, axis in ((left, np.eye(2), "$v_1$"), (right, W_plane, r"$\sigma_1u_1$")):
        ax.plot(*(A @ circle), color=GREY, lw=0.8)
        ax.plot(*np.stack([-A @ v1, A @ v1], axis=1), "--", color=GREY, lw=1)
        ax.text(*(1.25 * A @ beside), axis, ha="center", va="center")
        for k, v in enumerate(tries[: last + 1]):
            color, tip = ORANGE if k == last else BLUE, A @ v
            arrow = {"arrowstyle": "->", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", tip, (0, 0), arrowprops=arrow)
            ax.text(*(tip * (1 + 0.14 / np.linalg.norm(tip))), str(k), color=color, ha="center", va="center")
        ax.set(aspect="equal")
    left.set(title="vectors of length 1", xlim=(-1.5, 1.5), ylim=(-1.25, 1.25))
    right.set(title="what W makes of them", xlim=(-3, 3), ylim=(-2.5, 2.5))


print("lengths of what W makes of the five:", lengths[:5].round(3))
print("σ(W) by SVD:", sigmas_plane[0].round(3))
assert np.allclose(lengths[:5], [1.265, 1.308, 1.653, 2.230, 2.366], atol=5e-4)
assert np.isclose(sigmas_plane[0], 2.379, atol=5e-4)
show(lambda left, right: draw_arrows(left, right, last=4), "03_power_iteration_1", height=3.2)

# %% [markdown]
# The first vector is nearly the worst that there is, with a length of 1.265. The fifth has 2.366, where the longest of
# all has 2.379. We never looked for it. The two products alone have turned the vectors towards it, and this tutorial
# says why.
#
# ## Two lines
#
# Take any vector of length 1 that has as many entries as W has rows. Call it $\tilde u$, and do this again and again:
#
# $$\tilde v \leftarrow \frac{W^T\tilde u}{\|W^T\tilde u\|_2}, \qquad
# \tilde u \leftarrow \frac{W\tilde v}{\|W\tilde v\|_2}. \tag{18}$$
#
# Then take the number
#
# $$\hat\sigma = \tilde u^TW\tilde v. \tag{19}$$
#
# That is all. Algorithm 1 writes the two halves of (18) as (20) and (21), and uses (19) in (22). The vector is sent
# through the matrix and back, and its length is set to 1 so that it neither vanishes nor explodes. The hat and the
# tildes (the paper's σ has no hat) say that these are estimates, while σ, u and v without them are the true ones.
#
# The second half of (18) makes $\tilde u$ the vector $W\tilde v$ over its length, so that (19) is this length:
#
# $$\hat\sigma = \frac{(W\tilde v)^T(W\tilde v)}{\|W\tilde v\|} = \|W\tilde v\|.$$


# %%
def iterate(W, u):
    """Do one power iteration. Return ũ, σ̂ and ṽ."""
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
# one shrinks by $(\sigma_2/\sigma_1)^2$. Let $r = \sigma_2/\sigma_1$.
#
# Suppose that there are only two. Then $\tilde u$ lies in a plane, with $c_1$ along $u_1$ and $c_2$ at a right angle to
# it. So $|c_2|/|c_1|$ is the tangent of the angle θ between $\tilde u$ and $u_1$. After k iterations it is
#
# $$\tan\theta_k = r^{2k}\tan\theta_0.$$
#
# With more of them the others shrink even faster, and $\tan\theta_k \le r^{2k}\tan\theta_0$. (The vector $\tilde v$ of
# the k-th iteration has had one product less. For its angle φ to $v_1$ the exponent is $2k - 1$.) We build a matrix
# with the singular values 1 and 0.7, so that $r^2 = 0.49$, and look.

# %%
U, _ = np.linalg.qr(rng.standard_normal((6, 2)))
V, _ = np.linalg.qr(rng.standard_normal((5, 2)))
W = (U * [1.0, 0.7]) @ V.T  # 1·u₁v₁ᵀ + 0.7·u₂v₂ᵀ; the columns of U are u₁ and u₂, those of V are v₁ and v₂
u = sn.random_direction(6, rng=rng)
tangents, path = [], []
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
# In the picture are the first directions of $\tilde u$. The number at an arrow counts the iterations. This start was
# an unlucky one, almost at a right angle to $u_1$: its tangent is 11.9. But each iteration brings $\tilde u$ nearer.


# %%
def draw(ax):
    angle = np.linspace(-np.pi / 2, 0, 200)
    ax.plot(np.cos(angle), np.sin(angle), color=GREY, lw=0.8)
    for k, (c1, c2) in enumerate(path):
        x, y = np.array([abs(c1), -abs(c2)]) / np.hypot(c1, c2)  # mirrored into this quarter, if need be
        ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": BLUE, "alpha": 0.3 + 0.1 * k})
        ax.annotate(str(k), (1.07 * x, 1.07 * y), ha="center", va="center", fontsize=9)
    ax.set(aspect="equal", xlabel="along $u_1$", ylabel="along $u_2$", title="ũ turns to $u_1$")
    ax.set(xlim=(-0.05, 1.15), ylim=(-1.15, 0.05))


show(draw, "03_power_iteration_2", panels=1, height=3.6)

# %% [markdown]
# The same can be seen with $\tilde v$, which turns to $v_1$. In between two $\tilde v$ there are two products again,
# and so $\tan\varphi_k = r^{2k}\tan\varphi_0$ holds for its angle φ to $v_1$. Here is the matrix of the first picture
# once more, with six vectors, one after the other. On the circle $\tilde v$ turns, and on the ellipse $W\tilde v$
# becomes longer, until both lie on the dashed lines. Its length is $\|W\tilde v\| = \hat\sigma$, as derived above.

# %%
ratio = (sigmas_plane[1] / sigmas_plane[0]) ** 2
angles = np.arccos(np.abs(np.array(tries) @ v1))
print(f"r² = {ratio:.3f};  tan φ over the one before:", (np.tan(angles[1:]) / np.tan(angles[:-1])).round(3))
for k, (phi, length) in enumerate(zip(angles, lengths, strict=True)):
    print(f"{k} iterations: φ = {np.degrees(phi):4.1f}°, length {length:.3f}")
assert np.allclose(np.tan(angles), ratio ** np.arange(6) * np.tan(angles[0]))


def draw_step(k, left, right):
    """Draw the circle and the ellipse after k iterations."""
    draw_arrows(left, right, last=k)
    left.set(title=f"k = {k}: φ = {np.degrees(angles[k]):.1f}°")
    right.set(title=rf"$\|W\tilde v\|$ = {lengths[k]:.3f}")


animate(draw_step, "03_power_iteration_3", frames=6, height=3.0)

# %% [markdown]
# In the first two iterations nothing much seems to happen: φ goes from 87.2° to 80.1° and 58.0°. The tangent has fallen
# by the same factor, 0.281, as it does in each of the others. But the tangent of such an angle is large, and it has a
# long way to go. At the end φ is 2.0°, and the length is 2.378, where the SVD has 2.379.

# %% [markdown]
# ## The estimate is better than the vectors
#
# How far is $\hat\sigma$ from $\sigma_1$, if $\tilde v$ is still at an angle φ to $v_1$? Let there be two singular
# values again, and write $\tilde v = v_1\cos\varphi + v_2\sin\varphi$. Then
# $W\tilde v = \sigma_1\cos\varphi\,u_1 + \sigma_2\sin\varphi\,u_2$, and
#
# $$\hat\sigma^2 = \|W\tilde v\|^2 = \sigma_1^2\cos^2\varphi + \sigma_2^2\sin^2\varphi$$
# $$\phantom{\hat\sigma^2} = \sigma_1^2\big(\cos^2\varphi + r^2\sin^2\varphi\big)$$
# $$\phantom{\hat\sigma^2} = \sigma_1^2\big(1 - (1 - r^2)\sin^2\varphi\big).$$
#
# Now take the root. For a small angle, with $\sqrt{1 - t} \approx 1 - t/2$,
#
# $$\hat\sigma \approx \sigma_1 - \tfrac12\,\sigma_1(1 - r^2)\sin^2\varphi.$$
#
# The error $\sigma_1 - \hat\sigma$ goes with the *square* of the angle. The angle falls like $r^{2k}$, so the error
# falls like $r^{4k}$: each iteration gains twice as many digits of $\hat\sigma$ as of the direction.

# %%
sin2 = 1 - (V[:, 0] @ v) ** 2  # sin²φ, since the product of two unit vectors is the cosine
print(f"σ̂ = {sigma:.9f}, by the formula {np.sqrt(1 - (1 - 0.49) * sin2):.9f}")
assert np.isclose(sigma**2, 1 - (1 - 0.49) * sin2)

# %% [markdown]
# Does it hold with more than two? Here is a matrix with the singular values 1, 0.7, 0.3 and 0.1. The function
# `sn.convergence` does 20 iterations, and notes after each of them the angle of $\tilde v$ and the error of
# $\hat\sigma$, which it knows from the SVD. In the beginning the third and the fourth value play a part. Later only
# the second one is left, and both curves fall as if it were alone.

# %%
U4, _ = np.linalg.qr(rng.standard_normal((6, 4)))
V4, _ = np.linalg.qr(rng.standard_normal((5, 4)))
planted = (U4 * [1.0, 0.7, 0.3, 0.1]) @ V4.T
seen = sn.convergence(planted, sn.random_direction(6, rng=rng), 20)
angle_rate = seen.angle[12] / seen.angle[11]
error_rate = seen.error[9] / seen.error[8]  # a little earlier, since later it is no larger than rounding
print(f"with four singular values: the angle falls by {angle_rate:.3f}, the error by {error_rate:.3f} per iteration")
assert np.isclose(angle_rate, 0.49, atol=0.005)
assert np.isclose(error_rate, 0.24, atol=0.005)


# %%
def draw(ax):
    k = np.arange(1, 21)
    ax.semilogy(k, seen.angle, color=BLUE)
    ax.semilogy(k, np.maximum(seen.error, 1e-17), color=ORANGE)
    ax.annotate("angle of ṽ to $v_1$", (12, seen.angle[11]), (4, 6), textcoords="offset points", color=BLUE)
    ax.annotate("σ − σ̂", (12, seen.error[11]), (4, 6), textcoords="offset points", color=ORANGE)
    ax.set(xlabel="iteration", xticks=range(0, 21, 5), ylim=(1e-17, 9), title="The error gains twice the digits")


show(draw, "03_power_iteration_4", panels=1)

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
# random start?
#
# Let W be n × n with Gaussian entries of mean 0 and variance 1, and $M = WW^T$. Let $\tilde u_0$ be the start, and n
# large. The vector $\tilde v$ is $W^T\tilde u_0$ over its length, and so
#
# $$\hat\sigma^2 = \|W\tilde v\|^2 = \frac{\|WW^T\tilde u_0\|^2}{\|W^T\tilde u_0\|^2}
# = \frac{\tilde u_0^TM^2\tilde u_0}{\tilde u_0^TM\tilde u_0}.$$
#
# What are the two in the mean? Let $t_i$ be the entries of a random vector of length 1, all directions being equally
# likely. If $i \ne j$, then $t_it_j$ is as often positive as negative, and its mean is 0. The $t_i^2$ add up to 1 and
# none is preferred, so that each has the mean 1/n. Therefore, with tr for the sum of the diagonal,
#
# $$E\big[\tilde u_0^TM\tilde u_0\big] = \sum_{ij}M_{ij}E[t_it_j] = \frac1n\sum_iM_{ii} = \frac{\mathrm{tr}(M)}n,$$
#
# and in the same way $\mathrm{tr}(M^2)/n$ for the numerator. Now count. $M_{ii}$ is the squared length of a row of W,
# about n, and there are n of them:
#
# $$\mathrm{tr}(M) \approx n^2.$$
#
# $\mathrm{tr}(M^2)$ is the sum of all $M_{ij}^2$. The n on the diagonal are about $n^2$ each. The other $n^2 - n$ are
# squares of sums of n products of independent numbers, and each of these squares has the mean n:
#
# $$\mathrm{tr}(M^2) \approx n \cdot n^2 + n^2 \cdot n = 2n^3.$$
#
# For large n both are near their means, and $\hat\sigma^2 \approx 2n^3/n^2 = 2n$. On the other side it is known (we
# do not derive it) that $\sigma(W) \approx 2\sqrt n$. Together
#
# $$\frac{\sigma(W)}{\hat\sigma} \approx \frac{2\sqrt n}{\sqrt{2n}} = \sqrt2 = 1.41.$$

# %%
after_one, after_ten = [], []
for _ in range(200):
    W, u = rng.standard_normal((64, 64)), sn.random_direction(64, rng=rng)
    sigma = sn.spectral_norm(W)
    after_one.append(sigma / sn.power_iteration(W, u, 1).sigma)
    after_ten.append(sigma / sn.power_iteration(W, u, 10).sigma)
M = W @ W.T
print(f"tr(M)/n² = {np.trace(M) / 64**2:.2f}, tr(M²)/(2n³) = {np.trace(M @ M) / (2 * 64**3):.2f}, of the last matrix")
print(f"σ(W̄) in the mean: {np.mean(after_one):.2f} after one iteration, {np.mean(after_ten):.2f} after ten")
print(f"the smallest of all: {min(after_one + after_ten):.4f}")
assert min(after_one + after_ten) >= 1 - 1e-12
assert [round(np.mean(after_one), 2), round(np.mean(after_ten), 2)] == [1.39, 1.03]

# %% [markdown]
# ## The warm start
#
# After one iteration from a random start $\sigma(\bar W)$ is 39 per cent too large. That is a lot. But in training we
# do not start anew. From one update to the next W changes a little, and $\tilde u$ is kept. So the iterations of all
# updates add up, and $\tilde u$ runs after the slowly moving $u_1$. The paper says that one iteration per update is
# then enough.
#
# We record it in a real training. The data are points of a ring of eight small Gaussians in the plane. D has layers of
# 64 units, and we look at its second matrix, which is 64 × 64. `sn.train` keeps $\tilde u$ as in Algorithm 1: one
# iteration after each update. Beside it we compute, for the same weights, what one iteration from a *new* random
# vector would have given. And we note three numbers from the SVD: $r = \sigma_2/\sigma_1$, $\sigma_5/\sigma_1$, and
# the cosine of the angle between $\tilde u$ and $u_1$. (How such a run is set up is told in tutorials 6 and 7.)

# %%
steps = 60 if QUICK else 400
gan = sn.GAN((2, 64, 64, 64, 1), (2, 64, 64, 2), d_optim=sn.Adam(1e-3, 0.5, 0.9), steps=steps, batch=64)
first_state = sn.start(gan, seed=0)
kept, anew, r, fifth, cosine = [], [], [], [], []


def note(state):
    """Note how good the estimate for the second layer of D is in this state."""
    W, triplet = state.D.theta.weights[1], state.D.norms[1]  # the triplet holds ũ, σ̂ and ṽ
    U, sigmas, _ = np.linalg.svd(W)
    kept.append(sigmas[0] / triplet.sigma)
    anew.append(sigmas[0] / sn.power_iteration(W, sn.random_direction(64, rng=rng)).sigma)
    r.append(sigmas[1] / sigmas[0])
    fifth.append(sigmas[4] / sigmas[0])
    cosine.append(abs(U[:, 0] @ triplet.u))


note(first_state)
for state, _ in sn.train(gan, first_state, sn.ring(std=0.05).sample):
    note(state)
print(f"σ(W̄), ũ kept: at the start {kept[0]:.2f}, after one update {kept[1]:.2f}", end="")
print(f", median from update 20 on {np.median(kept[20:]):.2f}, largest {max(kept[20:]):.2f}")
print(f"with a new ũ at each update: median {np.median(anew):.2f}")
print(f"medians of σ₂/σ₁, σ₅/σ₁ and the cosine: {np.median(r[20:]):.2f}, {np.median(fifth[20:]):.2f}", end="")
print(f" and {np.median(cosine[20:]):.2f}")
assert min(kept) >= 1 - 1e-12
assert [round(kept[0], 2), round(kept[1], 2)] == [1.35, 1.11]
assert np.median(kept[20:]) < 1.1
assert np.median(anew) > 1.2

# %% [markdown]
# At the start W and $\tilde u$ are random, and $\sigma(\bar W)$ is 1.35. One update and one iteration later it is
# 1.11, and from then on its median is 1.06. With a new $\tilde u$ at each update the median is 1.31, at the same
# price.
#
# The last line is a surprise. The median of the cosine is 0.39, which is an angle of 67°. So $\tilde u$ seldom
# points along $u_1$! The two numbers before it say why this does little harm. The second singular value is only 3 per
# cent below the first, and the fifth 9 per cent. Then r is near 1, and one iteration per update is too few to separate
# them. But whatever mixture of such directions $\tilde u$ is, $\hat\sigma$ lies between their singular values, and
# these are not far apart.
#
# It does harm when one singular value grows away from the others. In the picture this happens before update 268. There
# $\sigma_2/\sigma_1$ falls from 0.97 to 0.89, and $\tilde u$ has almost no part along the $u_1$ that grows. For some
# updates $\hat\sigma$ lags behind, and $\sigma(\bar W)$ rises to 1.19. Then $\tilde u$ has turned, and since there is a
# gap now, the estimate is very good: 1.00.

# %%
if not QUICK:
    print("update  σ(W̄)   σ₂/σ₁  cosine")
    for update in (241, 256, 263, 268, 275, 286):
        print(f"{update:6} {kept[update]:6.2f} {r[update]:7.2f} {cosine[update]:7.2f}")
    assert [round(np.median(values[20:]), 2) for values in (kept, r, fifth, cosine)] == [1.06, 0.97, 0.91, 0.39]
    assert round(np.median(anew), 2) == 1.31
    assert round(np.degrees(np.arccos(np.median(cosine[20:])))) == 67
    assert [round(r[update], 2) for update in (241, 268)] == [0.97, 0.89]
    assert [round(max(kept[20:]), 2), int(np.argmax(kept[20:])) + 20, round(kept[286], 2)] == [1.19, 268, 1.00]
    assert cosine[263] < 0.01


# %%
def draw(left, right):
    left.plot(anew, color=ORANGE, lw=0.8, label="a new ũ at each update")
    left.plot(kept, color=BLUE, label="ũ kept")
    left.axhline(1, color=GREY, lw=0.8)
    left.set(xlabel="update", ylim=(0.95, 1.8), title="σ(W̄) of the second layer")
    left.legend(loc="upper right")
    right.plot(r, color=GREY, label="σ₂/σ₁")
    right.plot(cosine, color=BLUE, lw=0.8, label="cosine of the angle of ũ to $u_1$")
    right.set(xlabel="update", ylim=(0, 1.35), title="Why: the first two are nearly equal")
    right.legend(loc="upper right")


show(draw, "03_power_iteration_5")

# %% [markdown]
# ## What goes wrong
#
# **A start at a right angle to $u_1$.** If $c_1 = 0$, it stays 0. Take the matrix diag(3, 1, ½), whose singular values
# stand on its diagonal, and start from $(0, 1, 0)$. Then $\hat\sigma = 1$ for ever, and everything looks converged:
# $W\tilde v = \hat\sigma\tilde u$ and $W^T\tilde u = \hat\sigma\tilde v$ hold exactly. So if these two equations hold,
# *a* singular value was found, but nobody knows which one.
#
# A random start has this property with probability 0. And if the matrix is not diagonal, rounding alone supplies a
# $c_1$ of about $10^{-16}$. In each iteration it is multiplied, compared with $c_2$, by $(3/1)^2 = 9$. After 5
# iterations nothing is to be seen of it. After 40 it has won.

# %%
u = np.array([0.0, 1.0, 0.0])
for _ in range(1000):
    u, sigma, v = iterate(np.diag([3.0, 1.0, 0.5]), u)
print("diagonal, after 1000 iterations: σ̂ =", sigma)
assert sigma == 1.0

U3, _ = np.linalg.qr(rng.standard_normal((6, 3)))
V3, _ = np.linalg.qr(rng.standard_normal((5, 3)))
rotated = (U3 * [3.0, 1.0, 0.5]) @ V3.T  # the same singular values, other directions
escaped = [sn.power_iteration(rotated, U3[:, 1], k).sigma for k in (5, 40)]
print("not diagonal, from u₂, after 5 and 40 iterations: σ̂ =", np.round(escaped, 4))
assert np.allclose(escaped, [1, 3])

# %% [markdown]
# **Two equal singular values.** If $\sigma_1 = \sigma_2$, then $r = 1$ and $\tilde u$ does not converge to one
# direction. It keeps the mixture with which it began. $\hat\sigma$ is right all the same.
#
# **A zero.** If $W = 0$, or if $W^T\tilde u = 0$ for another reason, then (20) divides by 0. The package leaves $W = 0$
# as it is, with $\hat\sigma = 0$. If $W^T\tilde u = 0$ but W is not, it begins anew, with the longest row of W as
# $\tilde v$.

# %%
equal = sn.power_iteration(np.diag([1.0, 1.0, 0.5]), np.array([0.6, 0.0, 0.8]), 60)
zero = sn.power_iteration(np.zeros((3, 2)), np.array([1.0, 0.0, 0.0]))
unlucky = sn.power_iteration(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([1.0, 0.0]))
print("two equal values: σ̂ =", round(equal.sigma, 6), " W = 0: σ̂ =", zero.sigma, " Wᵀũ = 0: σ̂ =", unlucky.sigma)
assert np.isclose(equal.sigma, 1)
assert zero.sigma == 0
assert np.isclose(unlucky.sigma, 5)

# %% [markdown]
# **An ε in the lengths.** Many programs divide by $\|x\| + \varepsilon$ instead of $\|x\|$, because of the zero. Then
# $\tilde u$ and $\tilde v$ are shorter than 1, and $\hat\sigma$ is too small even if the directions have converged.
# Usually ε is so small that nobody sees it. But take a matrix that is small, too, with $\sigma(W) = \varepsilon$, and
# let $\tilde u = u_1$:
#
# $$\|W^T\tilde u\| = \varepsilon, \qquad \|\tilde v\| = \frac\varepsilon{\varepsilon + \varepsilon} = \tfrac12$$
# $$\|W\tilde v\| = \tfrac12\varepsilon, \qquad
# \|\tilde u\| = \frac{\varepsilon/2}{\varepsilon/2 + \varepsilon} = \tfrac13$$
# $$\hat\sigma = \tilde u^TW\tilde v = \tfrac13 \cdot \tfrac12 \cdot \sigma(W), \qquad \sigma(\bar W) = 6.$$
#
# If W is still smaller, it becomes worse. A matrix with $\sigma(W) = \varepsilon/10$ gets a $\sigma(\bar W)$ of 1221.

# %%
eps = 1e-12
sigma_bar = []
for size in (1.0, 0.1):
    W = size * eps * planted
    u = np.linalg.svd(W)[0][:, 0]  # converged already
    v = W.T @ u / (np.linalg.norm(W.T @ u) + eps)
    u = W @ v / (np.linalg.norm(W @ v) + eps)
    sigma_bar.append(sn.spectral_norm(W) / (u @ W @ v))
    print(f"with ε, σ(W) = {size} ε: σ(W̄) = {sigma_bar[-1]:.2f}")
assert np.allclose(sigma_bar, [6, 1221])

# %% [markdown]
# ## What was learnt
#
# 1. Each iteration multiplies the i-th coefficient by $\sigma_i^2$. The angle falls like $r^{2k}$, the error of
#    $\hat\sigma$ like $r^{4k}$.
# 2. $\hat\sigma$ is a lower bound. So $\sigma(\bar W)$ is at least 1, and equal to 1 at convergence only.
# 3. In training $\tilde u$ is kept, and one iteration per update is enough to keep $\sigma(\bar W)$ near 1. It need
#    not be enough to find $u_1$.
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
# 1. *(Pencil.)* How many iterations does a matrix with a single row need until $\hat\sigma = \sigma(W)$ exactly?
# 2. *(Pencil.)* W has two singular values with $r = 0.9$, and the start has $\tan\theta_0 = 10$. After how many
#    iterations is $\hat\sigma$ at most 1 % below $\sigma(W)$? And how many are surely enough, if W has more singular
#    values and only r is known? (Then all that is known of $\hat\sigma = \|W\tilde v\|$ is that it is at least
#    $\sigma_1\cos\varphi$.)
# 3. *(Pencil, then code.)* To what do $\hat\sigma$ and $\tilde u$ converge for diag(1, 1, ½), if $\tilde u$ begins
#    along $(3, 4, 5)$?
