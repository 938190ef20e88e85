# %% [markdown]
# # 8. The rivals
#
# *Beside the paper: section 3 with (13) and (14), Appendix D with (25)–(31), Appendix E with (32).*
#
# Spectral normalisation is not the only way to keep a discriminator tame. The paper compares it with weight
# normalisation, Frobenius normalisation, clipping, orthonormal regularisation and the gradient penalty. **What does
# each of them do to the singular values of a layer, and what does each cost?** One of them, the gradient penalty,
# needs the gradient of a gradient. It is derived here by hand, and it turns out to be short.
#
# After this tutorial you can
#
# * derive the sum rule of weight normalisation, and say which spectra it allows;
# * derive the gradient of each method, and check it;
# * write the double backward pass of the gradient penalty in a few lines;
# * read the spectrum of a trained layer, and say what was measured and what was not.
#
# You need tutorial 4 for the gradient of $W/N(W)$, tutorial 5 for the backward pass, and tutorial 6 for training.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn
from specnorm_np.testing import check_gradient

QUICK = os.environ.get("SPECNORM_QUICK") == "1"
PURPLE = "#CC79A7"
rng = np.random.default_rng(0)

# %% [markdown]
# ## Weight normalisation
#
# Weight normalisation divides each row $w_i$ of W by its own length. (The paper leaves out the factor $\gamma_i$ that
# it usually comes with.)
#
# $$\bar W_{WN} := [\bar w_1^T, \dots, \bar w_{d_o}^T]^T, \qquad \bar w_i := \frac{w_i}{\|w_i\|_2} \tag{25}$$
#
# It is cheap, as it needs no singular vectors. And it looks harmless, as each unit of the layer then has a weight
# vector of length 1.


# %%
def spectrum(W):
    """Return the singular values of W, the largest first."""
    return np.linalg.svd(W, compute_uv=False)


def weight_norm(W):
    """Divide every row by its length."""
    return W / np.linalg.norm(W, axis=1, keepdims=True)  # (25)


W = rng.standard_normal((4, 3))
W_bar = weight_norm(W)
print("lengths of the rows:", np.linalg.norm(W_bar, axis=1).round(3), "  singular values:", spectrum(W_bar).round(3))
assert np.allclose(W_bar, sn.WeightNorm().normalize(W, None))
assert np.allclose(np.linalg.norm(W_bar, axis=1), 1)
assert spectrum(W_bar)[0] > 1

# %% [markdown]
# All rows have length 1, and yet the largest singular value is above 1. So a layer with weight normalisation is not
# 1-Lipschitz. How large can its constant be?
#
# ## The sum rule
#
# Write down the trace of $\bar W\bar W^T$ in two ways. Its i-th diagonal entry is $\bar w_i\cdot\bar w_i = 1$, and
# there are $d_o$ of them. Its eigenvalues are the $\sigma_t(\bar W)^2$, and the trace is the sum of the eigenvalues.
# Hence, with $T = \min(d_i, d_o)$,
#
# $$\sigma_1(\bar W_{WN})^2 + \sigma_2(\bar W_{WN})^2 + \dots + \sigma_T(\bar W_{WN})^2
#   = \mathrm{tr}(\bar W_{WN}\bar W_{WN}^T) = d_o. \tag{13}$$
#
# The paper has it twice: Appendix D prints it again as (27).

# %%
total = np.sum(spectrum(W_bar) ** 2)
print(f"sum of the squares: {total:.12f}, rows: {len(W)}")
assert np.isclose(total, 4)  # (13), (27)

# %% [markdown]
# So the singular values share a fixed budget: their squares sum to $d_o$. If one takes more, the others get less.
#
# Is there any further rule? No. Take *any* $s_1, \dots, s_{64}$ whose squares sum to 64. Let H be the Hadamard
# matrix of size 64. Its entries are ±1 and its columns are at right angles, so that $U = H/8$ is orthogonal. Let V be
# orthogonal as well. Then the i-th row of $U\,\mathrm{diag}(s)\,V^T$ has the squared length
# $\sum_t U_{it}^2 s_t^2 = \frac1{64}\sum_t s_t^2 = 1$. So it is a matrix of weight normalisation, and its singular
# values are the $s_t$. (64 is convenient here. For another number of rows the Schur–Horn theorem says the same.)

# %%
d_o = 64
H = np.ones((1, 1))
while len(H) < d_o:
    H = np.block([[H, H], [H, -H]])
V = sn.orthonormalized(rng.standard_normal((d_o, d_o)))


def with_spectrum(s):
    """Make a matrix whose rows have length 1 and whose singular values are s."""
    return (H / np.sqrt(d_o)) * s @ V.T


def equal(number):
    """Share the whole budget equally among the first few singular values."""
    return np.where(np.arange(d_o) < number, np.sqrt(d_o / number), 0.0)


possible = {f"{number} of 64": spectrum(with_spectrum(equal(number))) for number in (1, 4, 64)}
possible["random rows"] = spectrum(weight_norm(rng.standard_normal((d_o, d_o))))
for name, s in possible.items():
    print(f"{name:12} largest {s[0]:.2f}   sum of squares {np.sum(s**2):.2f}")
for number in (1, 4, 64):
    W_bar = with_spectrum(equal(number))
    assert np.allclose(np.linalg.norm(W_bar, axis=1), 1)
    assert np.allclose(spectrum(W_bar), equal(number), atol=1e-10)
assert np.isclose(possible["1 of 64"][0], np.sqrt(d_o))
assert 1.7 < possible["random rows"][0] < 2.1

# %% [markdown]
# The largest gain of all is $\sqrt{d_o} = 8$. It takes the whole budget, and then every other singular value is 0:
# all rows are the same up to the sign, and the layer has rank one. If all directions are to pass equally, then the
# gain is 1. Random rows are in between, with a largest singular value of about 2.
#
# This is the paper's objection in section 3. D wants to tell real from generated points, so it wants a large
# $\|\bar Wh\|$ for the h that matter. Under weight normalisation it gets that by giving up features. Under spectral
# normalisation the largest gain is 1 whatever the others are, so that keeping all features costs nothing.
#
# One number tells how concentrated a spectrum is: the *stable rank* $\sum_t\sigma_t^2/\sigma_1^2$. It is 1 if one
# direction has everything, and 64 if all 64 are equally strong.


# %%
def stable_rank(s):
    """Say how many directions are as strong as the first, by the sum of squares."""
    return np.sum(s**2) / s[0] ** 2


def draw_possible(left, right):
    t = np.arange(1, d_o + 1)
    for (name, s), color in zip(possible.items(), (ORANGE, GREEN, BLUE, GREY), strict=True):
        left.plot(t, s, color=color, label=name)
        right.plot(t, s / s[0], color=color)
    left.set(title="weight normalisation", xlabel="t", ylabel=r"$\sigma_t(\bar W)$")
    left.legend()
    right.set(title="spectral normalisation of the same", xlabel="t", ylim=(-0.05, 1.1))


rank_of = {name: stable_rank(s) for name, s in possible.items()}
print("stable ranks:", {name: float(rank.round(1)) for name, rank in rank_of.items()})
assert np.allclose(list(rank_of.values())[:3], [1, 4, 64])
assert 15 < rank_of["random rows"] < 20
show(draw_possible, "08_the_rivals_1")

# %% [markdown]
# The left picture has four spectra with the same budget. The right one has the same four matrices, but divided by
# $\sigma_1$, as spectral normalisation does. There each curve begins at 1, and how it goes on is free.
#
# ## Frobenius normalisation, and both gradients
#
# Frobenius normalisation divides the whole matrix by one number.
#
# $$\bar W_{FN} := W/\|W\|_F \tag{26}$$
#
# As $\|\bar W\|_F^2 = \sum_t\sigma_t^2$, the budget is 1 here. Up to the factor $\sqrt{d_o}$ it is the budget of (13),
# and the objection is the same. The layer is 1-Lipschitz, but if all 64 directions are equally strong, then each has
# a gain of only 1/8.
#
# The gradient is (35) of tutorial 4 with $N = \|W\|_F$ and $\nabla_WN = \bar W$:
# $\nabla_W V = (\nabla_{\bar W}V - \mathrm{tr}((\nabla_{\bar W}V)^T\bar W)\,\bar W)/\|W\|_F$. It takes away all
# of the gradient that points along $\bar W$. For weight normalisation, each row is a matrix of one row with a norm of
# its own, and so the same formula holds row by row.


# %%
def weight_norm_pullback(dW_bar, W):
    """Take the gradient at W̄ back to W, row by row."""
    length = np.linalg.norm(W, axis=1, keepdims=True)
    W_bar = W / length
    return (dW_bar - np.sum(dW_bar * W_bar, axis=1, keepdims=True) * W_bar) / length


def frobenius_pullback(dW_bar, W):
    """Take the gradient at W̄ back to W, all at once."""
    length = np.linalg.norm(W)
    W_bar = W / length
    return (dW_bar - np.sum(dW_bar * W_bar) * W_bar) / length


C = rng.standard_normal(W.shape)  # V = ⟨C, W̄⟩ + ‖W̄W̄ᵀ‖²/4 is a V that is not linear


def V_of(W_bar):
    return np.sum(C * W_bar) + np.sum((W_bar @ W_bar.T) ** 2) / 4


def dV_of(W_bar):
    return C + W_bar @ W_bar.T @ W_bar


W_WN, W_FN = weight_norm(W), W / np.linalg.norm(W)  # (25), (26)
check_gradient(lambda W: V_of(weight_norm(W)), W, weight_norm_pullback(dV_of(W_WN), W))
check_gradient(lambda W: V_of(W / np.linalg.norm(W)), W, frobenius_pullback(dV_of(W_FN), W))
print("Frobenius: sum of the squares", np.sum(spectrum(W_FN) ** 2).round(12))
assert np.isclose(np.sum(spectrum(W_FN) ** 2), 1)
assert np.allclose(weight_norm_pullback(C, W), *sn.WeightNorm().pullback(C, W, None))
assert np.allclose(frobenius_pullback(C, W), *sn.FrobeniusNorm().pullback(C, W, None))
assert np.isclose(spectrum(with_spectrum(equal(64)) / 8)[0], 1 / 8)

# %% [markdown]
# ## Clipping
#
# Weight clipping cuts every entry to $[-c, c]$ after each step; the paper takes c = 0.01. How large can σ be then?
# As $\sigma(W)\le\|W\|_F\le c\sqrt{d_od_i}$, it is at most 0.64 for a layer of 64 × 64. The first ≤ is an equality only
# if W has rank one, the second only if all entries are ±c. So it is again a matrix of rank one that gets the most.

# %%
c = 0.01
s, s_other = np.sign(rng.standard_normal((2, 64)))
rank_one, random_signs = c * np.outer(s, s_other), c * np.sign(rng.standard_normal((64, 64)))
for name, A in (("rank one", rank_one), ("random signs", random_signs)):
    sigma = spectrum(A)
    print(f"{name:12} σ = {sigma[0]:.3f}   through three such layers {sigma[0] ** 3:.4f}")
assert np.isclose(spectrum(rank_one)[0], 0.64)
assert 0.14 < spectrum(random_signs)[0] < 0.18
assert np.allclose([spectrum(A)[0] ** 3 for A in (rank_one, random_signs)], [0.262, 0.004], atol=5e-4)
assert np.array_equal(sn.Clip(c).project(random_signs * 5)[0], random_signs)

# %% [markdown]
# Random signs have all entries at the limit, too, and yet their σ is about 0.16, a quarter of what rank one gets.
# Through three layers the factors are 0.26 and 0.004. So clipping, too, leaves most room at rank one.
#
# What clipping cuts is entries, though singular values are what matters. One can cut those instead, by an SVD after
# each step. Or one can keep W in the form
#
# $$W := USV^T, \qquad U^TU = I, \quad V^TV = I, \quad \max_i S_{ii} = K. \tag{28}$$
#
# The paper mentions both in D.3. An SVD in each step is dear. And for (28) the trouble is the constraint: the set of
# all U with $U^TU = I$ is curved, so that a straight step leaves it, and one has to return to it each time.

# %%
usv = sn.USV(K=1.0)
U, S, V_28 = usv.parametrize(rng.standard_normal((6, 4)))
U_step = U - 0.1 * rng.standard_normal(U.shape)
U_back, *_ = usv.project(U_step, S, V_28)
off = [np.linalg.norm(A.T @ A - np.eye(4)) for A in (U, U_step, U_back)]
print("‖UᵀU − I‖ before a step, after it, and after the return: {:.0e}, {:.2f}, {:.0e}".format(*off))
assert np.isclose(spectrum(usv.normalize(U, S, V_28, None))[0], 1.0)  # (28)
assert off[1] > 0.1
assert max(off[0], off[2]) < 1e-14

# %% [markdown]
# ## Orthonormal regularisation
#
# Orthonormal regularisation adds a term to the loss of D, for each layer:
#
# $$R = \|W^TW - I\|_F^2. \tag{14}$$
#
# Its gradient: let $E = W^TW - I$. If W moves by dW, then E moves by $dW^TW + W^TdW$, and
#
# $$dR = 2\langle E,\ dW^TW + W^TdW\rangle = 4\langle E,\ W^TdW\rangle = 4\langle WE,\ dW\rangle.$$
#
# The second step holds because E is symmetric, so that both terms are the same number. The third moves $W^T$ to the
# other side of the inner product. Hence $\nabla_WR = 4W(W^TW - I)$.
#
# In singular values, $R = \sum_t(\sigma_t^2 - 1)^2$ for a W that is not wide. So each singular value is drawn to 1,
# the small ones as well as the large ones. Spectral normalisation divides all by the largest, and keeps their ratios.


# %%
def orthonormal(W):
    """Compute the penalty and its gradient."""
    E = W.T @ W - np.eye(W.shape[1])
    return np.sum(E**2), 4 * W @ E  # (14)


U4, V4 = sn.orthonormalized(rng.standard_normal((6, 4))), sn.orthonormalized(rng.standard_normal((4, 4)))
W = U4 * [2.0, 1.0, 0.5, 0.1] @ V4.T
value, gradient = orthonormal(W)
check_gradient(lambda W: orthonormal(W)[0], W, gradient)
assert np.isclose(value, np.sum((spectrum(W) ** 2 - 1) ** 2))
assert np.allclose(gradient, sn.Orthonormal(lam=1.0).penalty(W, None)[1])

W_14 = W
for _ in range(200):
    W_14 = W_14 - 0.02 * orthonormal(W_14)[1]
print("before:                      ", spectrum(W).round(3))
print("200 steps down (14):         ", spectrum(W_14).round(3))
print("spectral normalisation of W: ", spectrum(W / spectrum(W)[0]).round(3))
assert np.allclose(spectrum(W_14), 1, atol=1e-3)
assert np.allclose(spectrum(W / spectrum(W)[0]), [1, 0.5, 0.25, 0.05])

# %% [markdown]
# The paper's objection is that the spectrum says which features matter how much, and that (14) destroys this. It also
# reports that this method got worse when the last convolution was made wider (figure 4). We do not repeat that here.
#
# ## The gradient penalty
#
# The gradient penalty does not look at weights at all. It looks at the function, and asks for gradients of length 1:
#
# $$\lambda\,E_{\hat x}\big[(\|\nabla_{\hat x}D(\hat x)\|_2 - 1)^2\big] \tag{29}$$
# $$\hat x := \epsilon x + (1-\epsilon)\tilde x \tag{30}$$
# $$\text{where } \epsilon\sim U[0, 1],\ x\sim p_{data},\ \tilde x = G(z),\ z\sim p_z. \tag{31}$$
#
# So it looks only at points between a real one and a fake. In its usual company, the Wasserstein loss, D is f itself,
# and we write f. This λ is 10 in the paper. It is not the λ of (12).


# %%
def between(x_real, x_fake, rng):
    """Draw a point on the line between each real point and its fake."""
    epsilon = rng.random((len(x_real), 1))  # (31)
    return epsilon * x_real + (1 - epsilon) * x_fake  # (30)


x_real, x_fake = rng.standard_normal((8, 2)) + np.array([2, 0]), rng.standard_normal((8, 2))
x_hat = between(x_real, x_fake, np.random.default_rng(5))
share = np.sum((x_hat - x_fake) * (x_real - x_fake), axis=1) / np.sum((x_real - x_fake) ** 2, axis=1)
print("ε:", share.round(2))
assert np.all((share >= 0) & (share <= 1))
assert np.array_equal(x_hat, sn.interpolate(x_real, x_fake, rng=np.random.default_rng(5)))

# %% [markdown]
# ## The gradient of a gradient
#
# A step of D now needs $\partial R/\partial W$ for an R that contains $\nabla_xf$. Libraries call this the double
# backward pass. Take the smallest network that shows everything, one point x, and vectors as columns:
#
# $$a = W_1x + b, \qquad h = \phi(a), \qquad f = W_2h,$$
#
# where φ is a leaky ReLU. Let Φ be the diagonal matrix of its slopes at a. Here is all that is computed, drawn as a
# graph: f, its backward pass down to x, the penalty, and the pass that we are about to derive.
#
# ```
# x ----W1, b----> a ----phi----> h ----W2----> f        forward
#
# g <---W1^T--- delta <---Phi--- W2^T <-------- 1        backward:  delta = Phi W2^T,  g = W1^T delta
# |
# +---> R = (|g| - 1)^2                                  the penalty
#
# t0 ----W1----> W1 t0 ----Phi----> t1                   backward through the second line
# ```
#
# Look at the second line by itself. It is a network, too! Its input is the constant 1, its weights are $W_2^T$ and
# $W_1^T$, its output is g, and R is a loss at that output. And *Φ does not depend on the weights*: a slope of the
# leaky ReLU is 1 or 0.1, and it does not change when W moves a little. (Only at a kink it does, and a point almost
# never lies on one.) So the second line is linear in each weight, and we go backward through it, step by step.
#
# 1. At the output: $R = (\|g\| - 1)^2$ has the gradient $t_0 = 2(\|g\| - 1)\,g/\|g\|$ at g.
# 2. $g = W_1^T\delta$. In entries, $g_j = \sum_i\delta_i(W_1)_{ij}$. So the gradient at $(W_1)_{ij}$ is
#    $\delta_i(t_0)_j$, which is an outer product: $\partial R/\partial W_1 = \delta\,t_0^T$.
# 3. From g down to δ: $\partial R/\partial\delta_i = \sum_j(W_1)_{ij}(t_0)_j$, which is $W_1t_0$.
# 4. $\delta = \Phi W_2^T$. So $\partial R/\partial W_2^T = \Phi W_1t_0 =: t_1$, and $\partial R/\partial W_2 = t_1^T$.
# 5. The bias b appears in Φ only, so that $\partial R/\partial b = 0$.
#
# The fourth line of the graph is steps 3 and 4. It multiplies by $W_1$ and by Φ, as the forward pass does. The
# backward pass of a backward pass runs forward.


# %%
def penalty_and_gradient(W1, b, W2, x):
    """Compute E(‖∇f‖ − 1)² and its gradient at W1 and W2; the rows of x are points."""
    slope = np.where(x @ W1.T + b > 0, 1.0, 0.1)  # the diagonal of Φ, a row for each point
    delta = slope * W2
    g = delta @ W1  # ∇f
    length = np.linalg.norm(g, axis=1, keepdims=True)
    t0 = 2 * (length - 1) * g / length / len(x)  # step 1; the mean divides by the number of points
    t1 = (t0 @ W1.T) * slope  # steps 3 and 4
    return np.mean((length - 1) ** 2), delta.T @ t0, t1.sum(axis=0, keepdims=True)  # (29), step 2, step 4


W1, b, W2 = rng.standard_normal((5, 2)), rng.standard_normal(5), rng.standard_normal((1, 5))
R, dW1, dW2 = penalty_and_gradient(W1, b, W2, x_hat)
check_gradient(lambda W1: penalty_and_gradient(W1, b, W2, x_hat)[0], W1, dW1)
check_gradient(lambda W2: penalty_and_gradient(W1, b, W2, x_hat)[0], W2, dW2)
check_gradient(lambda b: penalty_and_gradient(W1, b, W2, x_hat)[0], b, np.zeros(5))  # step 5

R_sn, (dW1_sn, dW2_sn) = sn.GradientPenalty(lam=1.0).penalty([W1, W2], [b, np.zeros(1)], x_hat, 0.1)
print(f"R = {R:.6f}, by the package {R_sn:.6f}; both gradients are checked")
assert np.isclose(R, R_sn)
assert np.allclose(dW1, dW1_sn)
assert np.allclose(dW2, dW2_sn)

# %% [markdown]
# For more layers the fourth line goes on in the same way: $t_l = \Phi_lW^lt_{l-1}$ and
# $\partial R/\partial W^l = \delta_lt_{l-1}^T$. The package's `GradientPenalty` is that loop.
#
# And the cost: one more forward and one more backward pass for $\hat x$, and the run through the fourth line. The
# power iteration needs two products of a matrix with a *vector* per layer, whatever the batch.
#
# ## Reparametrisation
#
# The penalty and spectral normalisation can work together. Appendix E gives each layer a learned scalar γ:
#
# $$\tilde W := \gamma\bar W_{SN}. \tag{32}$$
#
# Now the spectral norm is γ and free to grow, so the network is not 1-Lipschitz any more, and the penalty has to keep
# it in check. Both gradients are one line each. Since $\tilde W$ is linear in γ,
# $\partial V/\partial\gamma = \langle\nabla_{\tilde W}V, \bar W\rangle$. And
# $\nabla_{\bar W}V = \gamma\nabla_{\tilde W}V$ goes back to W by (12).

# %%
W, gamma, C = rng.standard_normal((4, 3)), np.array([2.5]), rng.standard_normal((4, 3))
triplet = sn.power_iteration(W, sn.random_direction(4, rng=rng), 200)
W_tilde = gamma * W / triplet.sigma  # (32)
dgamma = np.sum(C * W / triplet.sigma).reshape(1)  # the gradient of V = ⟨C, W̃⟩
print(f"σ(W̃) = {sn.spectral_norm(W_tilde):.6f} at γ = {gamma[0]}, ∂V/∂γ = {dgamma[0]:.4f}")
check_gradient(lambda gamma: np.sum(C * gamma * W / triplet.sigma), gamma, dgamma)
dW_sn, dgamma_sn = sn.Scaled(sn.SpectralNorm()).pullback(C, W, gamma, triplet)
assert np.isclose(sn.spectral_norm(W_tilde), 2.5)
assert np.allclose(dgamma, dgamma_sn)
check_gradient(lambda W: np.sum(C * gamma * W / sn.spectral_norm(W)), W, dW_sn)

# %% [markdown]
# ## Four trained discriminators
#
# So much for what the methods allow. What do they do? We train four GANs on the ring of tutorial 6, each with two
# seeds: no normalisation, weight normalisation, spectral normalisation, and WGAN-GP, which is the Wasserstein loss
# with the gradient penalty. All have three hidden layers of 64 in D and in G, Adam with α = 0.001, batches of
# 64, and one step of D for each step of G. Then we look at $\bar W$ of the two layers of 64 × 64, l = 2 and l = 3,
# and at the length of $\nabla f$, both at points $\hat x$ and on a lattice in the box $[-2, 2]^2$.

# %%
steps, seeds, names = (40 if QUICK else 1000), (0, 1), ("none", "wn", "sn", "wgan-gp")
target, adam = sn.ring(8, radius=1.0, std=0.05), sn.Adam(1e-3, beta1=0.5, beta2=0.9)
side = np.linspace(-2, 2, 81)
box = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def train(name, seed):
    """Train a GAN, and return its spectra, its lengths of ∇f, and its report."""
    widths = {"d_widths": (2, 64, 64, 64, 1), "g_widths": (2, 64, 64, 64, 2)}
    gan = sn.GAN(**widths, d_optim=adam, g_optim=adam, batch=64, steps=steps, **sn.fields_of(name))
    *_, (state, _) = sn.train(gan, sn.start(gan, seed=seed), target.sample)  # the last state of the run
    rng = np.random.default_rng(1)
    W_bar, b = sn.effective(state.D, gan.normalizer)
    points, real = sn.generate(gan, state.G.theta, sn.latents(gan, 2500, rng=rng)), target.sample(2500, rng=rng)

    def lengths(x):
        f, tape = sn.forward(W_bar, b, x, 0.1)
        return np.linalg.norm(sn.backward_to_input(W_bar, tape, np.ones_like(f), 0.1), axis=1)

    report = sn.evaluate(points, target, real, "one-percent")
    return [spectrum(W) for W in W_bar], lengths(between(real, points, rng)), lengths(box), report


runs = {(name, seed): train(name, seed) for name in names for seed in seeds}
print("method  seed   σ₁ of l = 2, 3   stable rank   ‖∇f‖ at x̂: median   largest in the box   modes  within 3 std")
for (name, seed), (spectra, at_x_hat, in_box, report) in runs.items():
    two = spectra[1:3]
    print(
        f"{name:8} {seed}   {two[0][0]:6.2f} {two[1][0]:6.2f}  {stable_rank(two[0]):7.1f} {stable_rank(two[1]):5.1f}"
        f"{np.median(at_x_hat):16.2f} {in_box.max():19.2f} {report.modes:13} {report.high_quality:11.0%}"
    )
at_start = [spectrum(W) for W, _ in sn.he_layers((2, 64, 64, 64, 1), 0.1, rng=np.random.default_rng(0))]
print("stable ranks of random weights, for comparison:", np.round([stable_rank(s) for s in at_start[1:3]], 1))
ranks = {run: [stable_rank(s) for s in spectra[1:3]] for run, (spectra, *_) in runs.items()}
for seed in seeds:
    assert np.allclose([np.sum(s**2) for s in runs["wn", seed][0]], [64, 64, 64, 1])  # (13)
    assert max(s[0] for s in runs["sn", seed][0]) < (1.5 if QUICK else 1.15)
    assert runs["sn", seed][2].max() < 0.5

# %% [markdown]
# What was measured, with these settings, these two seeds, and nothing beyond:
#
# * **The spectra.** Random weights have a stable rank between 15 and 19. After training, both layers of SN are above
#   19. Without normalisation, and with weight normalisation, l = 3 is below 8: few directions do most of the work. The
#   two layers of WGAN-GP are above that, but below those of SN. So SN's spectra are the broadest, in both layers. The
#   paper's figure 3 has the same order for WN and SN, in larger networks and on images.
# * **The slopes.** Without normalisation, f is steeper than 10 somewhere in the box. Weight normalisation
#   does not bound it by 1 either: we find more than 3. With SN it stays below 0.5, though 1 is allowed: the product
#   of the norms (7) is only a bound. WGAN-GP has a median between 0.85 and 1.1 at the $\hat x$, as (29) wants it. But
#   a penalty is no bound: in the box we find more than 1.3.
# * **The samples.** None, WN and SN find at least seven of the eight modes. WGAN-GP has fewer points near a mode than
#   SN in both seeds, and with seed 1 nearly none. This is no ranking, as no setting was tuned for any of them. WGAN-GP
#   in particular is commonly given five steps of D for each step of G, and has one here.

# %%
print("stable ranks:", {f"{name} {seed}": np.round(two, 1).tolist() for (name, seed), two in ranks.items()})
assert all(15 < stable_rank(s) < 19 for s in at_start[1:3])
for seed in seeds if not QUICK else ():
    assert min(ranks["sn", seed]) > 19
    assert max(ranks["none", seed][1], ranks["wn", seed][1]) < 8
    assert max(ranks["none", seed][1], ranks["wn", seed][1]) < min(ranks["wgan-gp", seed])
    assert max(max(ranks[name, seed]) for name in ("none", "wn", "wgan-gp")) < min(ranks["sn", seed])
    assert runs["none", seed][2].max() > 10
    assert runs["wn", seed][2].max() > 3
    assert 0.85 < np.median(runs["wgan-gp", seed][1]) < 1.1
    assert runs["wgan-gp", seed][2].max() > 1.3
    assert min(runs[name, seed][3].modes for name in ("none", "wn", "sn")) >= 7
    assert runs["wgan-gp", seed][3].high_quality < (runs["sn", seed][3].high_quality if seed == 0 else 0.1)
    assert runs["sn", seed][3].high_quality > 0.2


def draw_trained(*axes):
    for l, ax in enumerate(axes, start=2):
        for name, color in zip(names, (GREY, ORANGE, BLUE, GREEN), strict=True):
            for seed, style in zip(seeds, ("-", "--"), strict=True):
                s = runs[name, seed][0][l - 1]
                ax.plot(np.arange(1, 65), s / s[0], style, color=color, label=name if seed == 0 else None)
        ax.plot(np.arange(1, 65), at_start[l - 1] / at_start[l - 1][0], ":", color=PURPLE, label="random")
        ax.set(title=rf"$\sigma_t/\sigma_1$ after {steps} updates, l = {l}", xlabel="t")
    axes[0].legend()


show(draw_trained, "08_the_rivals_2")

# %% [markdown]
# Each curve begins at 1, as it is divided by its $\sigma_1$. The solid lines are seed 0, the dashed ones seed 1. A
# curve that falls steeply at once is a layer in which one or a few directions dominate.
#
# ## What was learnt
#
# 1. Weight and Frobenius normalisation give the singular values a budget, and clipping a largest sum of squares. In
#    all three the largest gain is had at rank one. Spectral normalisation bounds the largest and nothing else.
# 2. Orthonormal regularisation draws every singular value to 1, and so takes away what their ratios say.
# 3. The gradient penalty is a loss at the output of D's own backward pass. That pass is linear in each weight, and
#    its backward pass runs forward: $\partial R/\partial W^l = \delta_lt_{l-1}^T$.
# 4. The penalty looks at points between real and generated ones. It draws the slopes there to 1, and bounds none.
#
# ## Traps
#
# * (25) normalises rows. To normalise columns is another method, and its sum rule has $d_i$.
# * ε is one number for each pair of points. One for each coordinate gives points that are on no line between the two.
# * $\|g\|$ has no gradient at g = 0, and $g/\|g\|$ is then 0/0. The package takes 0 there.
# * The λ of (29) is a setting. The λ of (12) is computed. They share nothing but the letter.
# * With batch normalisation in D, f at one point depends on the others. Then $\nabla_{\hat x}f$ is not what (29) means.
#
# ## Exercises
#
# The solutions are in [solutions/08_the_rivals.py](solutions/08_the_rivals.py).
#
# 1. *(Think.)* The last layer of D is a single row. What do (25), (26) and $W/\sigma(W)$ make of it, and how do the
#    three gradients differ?
# 2. *(Code.)* Let φ be tanh. Which step of the derivation fails? Add what is missing to the gradients at $W_1$ and b,
#    and check all three.
# 3. *(Code.)* (14) asks for $W^TW = I$. Descend it from a wide matrix, 3 × 5. Which value does it reach, what are the
#    singular values there, and why is it not 0?
