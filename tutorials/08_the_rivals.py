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
# ## One matrix, six ways
#
# Here is one matrix of 64 × 64, and what each method that acts on weights makes of its singular values. How each of
# them works is the subject of this tutorial. For now, look at three things. How high does a curve begin? That is the
# spectral norm. Is the shape that of the grey curve? And how much is left on the right?

# %%
draws = np.random.default_rng(9)
first = sn.orthonormalized(draws.standard_normal((64, 64)))
second = sn.orthonormalized(draws.standard_normal((64, 64)))
planted = 4 * 0.95 ** np.arange(64)  # singular values that fall from 4 to 0.16
W_0 = first @ np.diag(planted) @ second.T
six_ways = {
    "W itself": (W_0, GREY),
    "weight normalisation": (W_0 / np.linalg.norm(W_0, axis=1, keepdims=True), ORANGE),
    "orthonormal": (first @ second.T, PURPLE),  # where its penalty is 0
    "spectral normalisation": (W_0 / np.linalg.norm(W_0, 2), BLUE),
    "clipping at 0.01": (np.clip(W_0, -0.01, 0.01), "black"),
    "Frobenius normalisation": (W_0 / np.linalg.norm(W_0), GREEN),
}


def draw_six(left, right):
    for name, (A, color) in six_ways.items():
        s = np.linalg.svd(A, compute_uv=False)
        left.semilogy(np.arange(1, 65), s, color=color, label=name)
    left.set(xlabel="t", title=r"$\sigma_t$ of the same matrix", ylim=(1e-3, 8))
    right.legend(*left.get_legend_handles_labels(), loc="center left")
    right.axis("off")


norms = {name: np.linalg.norm(A, 2) for name, (A, _) in six_ways.items()}
print("largest singular values:", {name: float(norm.round(2)) for name, norm in norms.items()})
assert np.isclose(norms["W itself"], 4)
assert np.isclose(norms["spectral normalisation"], 1)
assert norms["weight normalisation"] > 1 > norms["clipping at 0.01"] > 0
show(draw_six, "08_the_rivals_1")

# %% [markdown]
# W begins at 4.00. After weight normalisation the spectral norm is 2.44, after spectral normalisation 1.00, after
# Frobenius normalisation 0.31, and after clipping 0.18. Spectral and Frobenius normalisation divide by one number, so
# that their curves are the grey one moved down. The curve called "orthonormal" is where orthonormal regularisation
# draws to: all singular values are 1. (The gradient penalty acts on the function and not on a matrix. It comes last.)
#
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
# All rows have length 1, and yet the largest singular value is 1.55. So a layer with weight normalisation is not
# 1-Lipschitz. How large can its constant be?
#
# ## The sum rule
#
# $\bar W$ has $d_o$ rows, one for each output, and $d_i$ columns. Write down the trace of $\bar W\bar W^T$ in two ways.
# Its i-th diagonal entry is $\bar w_i\cdot\bar w_i = 1$, and there are $d_o$ of them. Its eigenvalues are the
# $\sigma_t(\bar W)^2$, and 0 if there are more of them, and the trace is the sum of the eigenvalues. Hence, with
# $T = \min(d_i, d_o)$,
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
while len(H) < d_o:  # four copies of a Hadamard matrix, one with the other sign, make one of twice the size
    H = np.block([[H, H], [H, -H]])
V = sn.orthonormalized(rng.standard_normal((d_o, d_o)))


def with_spectrum(s):
    """Make a matrix whose rows have length 1 and whose singular values are s."""
    return (H / np.sqrt(d_o)) @ np.diag(s) @ V.T


def equal(number):
    """Share the whole budget equally among the first few singular values."""
    return np.where(np.arange(d_o) < number, np.sqrt(d_o / number), 0.0)


possible = {}
for number in (1, 4, 64):
    possible[f"{number} of 64"] = spectrum(with_spectrum(equal(number)))
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
# gain is 1. Random rows are in between, with a largest singular value of 1.92.
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
show(draw_possible, "08_the_rivals_2")

# %% [markdown]
# The left picture has four spectra with the same budget. The right one has the same four matrices, but divided by
# $\sigma_1$, as spectral normalisation does. There each curve begins at 1, and how it goes on is free. The stable ranks
# are 1, 4, 64, and 17.4 for random rows.
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
# The gradient is (35) of tutorial 4 with $N = \|W\|_F$. There $\nabla_WN = W/\|W\|_F = \bar W$, as the derivative of a
# length is the vector divided by its length. So
#
# $$\nabla_WV = \frac1{\|W\|_F}\Big(\nabla_{\bar W}V - \langle\nabla_{\bar W}V, \bar W\rangle\,\bar W\Big).$$
#
# It takes away all of the gradient that points along $\bar W$. For weight normalisation, each row is a matrix of one
# row with a norm of its own. So the same formula holds row by row. With $g_i$ for the i-th row of $\nabla_{\bar W}V$,
#
# $$\nabla_{w_i}V = \frac1{\|w_i\|}\Big(g_i - (g_i\cdot\bar w_i)\,\bar w_i\Big).$$
#
# To check both, we need some V. A linear one, $\langle C, \bar W\rangle$ with a random matrix C, would be too easy.
# We add $\frac14\|\bar W\bar W^T\|_F^2$. Its gradient is $\bar W\bar W^T\bar W$: if $\bar W$ moves by a small Δ, then
# $A = \bar W\bar W^T$ moves by $\Delta\bar W^T + \bar W\Delta^T$, and $\frac14\|A\|_F^2$ moves by
# $\frac12\langle A, \Delta\bar W^T + \bar W\Delta^T\rangle = \langle A, \Delta\bar W^T\rangle = \langle A\bar W,
# \Delta\rangle$, because A is symmetric.


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


C = rng.standard_normal(W.shape)


def V_of(W_bar):
    return np.sum(C * W_bar) + np.sum((W_bar @ W_bar.T) ** 2) / 4


def dV_of(W_bar):
    return C + W_bar @ W_bar.T @ W_bar


def frobenius_norm(W):
    """Divide the whole matrix by the root of its sum of squares."""
    return W / np.linalg.norm(W)  # (26)


def V_with_weight_norm(W):
    return V_of(weight_norm(W))


def V_with_frobenius_norm(W):
    return V_of(frobenius_norm(W))


W_WN, W_FN = weight_norm(W), frobenius_norm(W)
dW_WN = weight_norm_pullback(dV_of(W_WN), W)
dW_FN = frobenius_pullback(dV_of(W_FN), W)
check_gradient(V_with_weight_norm, W, dW_WN)
check_gradient(V_with_frobenius_norm, W, dW_FN)
print("both gradients agree with V;  Frobenius: sum of the squares", np.sum(spectrum(W_FN) ** 2).round(12))
assert np.isclose(np.sum(spectrum(W_FN) ** 2), 1)
assert np.allclose(weight_norm_pullback(C, W), *sn.WeightNorm().pullback(C, W, None))
assert np.allclose(frobenius_pullback(C, W), *sn.FrobeniusNorm().pullback(C, W, None))
assert np.isclose(spectrum(with_spectrum(equal(64)) / 8)[0], 1 / 8)

# %% [markdown]
# ## Clipping
#
# Weight clipping cuts every entry to $[-c, c]$ after each step; the paper takes c = 0.01. How large can σ be then?
# As $\sigma(W)\le\|W\|_F\le c\sqrt{d_od_i}$, it is at most 0.64 for a layer of 64 × 64. The first ≤ holds because
# $\sigma_1^2$ is one term of the sum $\|W\|_F^2 = \sum_t\sigma_t^2$. It is an equality only if W has rank one, and the
# second only if all entries are ±c. So it is again a matrix of rank one that gets the most. Below, `signs` and
# `other_signs` are vectors of ±1, and $c$ times their outer product is such a matrix.

# %%
c = 0.01
signs, other_signs = np.sign(rng.standard_normal((2, 64)))
rank_one, random_signs = c * np.outer(signs, other_signs), c * np.sign(rng.standard_normal((64, 64)))
for name, A in (("rank one", rank_one), ("random signs", random_signs)):
    sigma = spectrum(A)
    print(f"{name:12} σ = {sigma[0]:.3f}   through three such layers {sigma[0] ** 3:.4f}")
assert np.isclose(spectrum(rank_one)[0], 0.64)
assert 0.14 < spectrum(random_signs)[0] < 0.18
assert np.allclose([spectrum(A)[0] ** 3 for A in (rank_one, random_signs)], [0.262, 0.004], atol=5e-4)
assert np.array_equal(sn.Clip(c).project(random_signs * 5)[0], random_signs)

# %% [markdown]
# Random signs have all entries at the limit, too, and yet their σ is 0.158, a quarter of what rank one gets.
# Through three layers the factors are 0.2621 and 0.0039. So clipping, too, leaves most room at rank one.
#
# What clipping cuts is entries, though singular values are what matters. One can cut those instead, by an SVD after
# each step. Or one can keep W in the form
#
# $$W := USV^T, \qquad U^TU = I, \quad V^TV = I, \quad \max_i S_{ii} = K. \tag{28}$$
#
# U and V have columns of length 1 at right angles to each other, and S is diagonal. The paper mentions both in D.3. An
# SVD in each step is dear. And for (28) the trouble is the constraint: the set of all U with $U^TU = I$ is curved, so
# that a straight step leaves it, and one has to return to it each time. We watch it with `sn.USV`: `parametrize` draws
# U, S and V for a W, we take a step from U in a random direction, and `project` returns to the nearest U that is
# allowed.

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
# A step of length 0.1 for each entry has taken U away from the constraint by 0.63.
#
# ## Orthonormal regularisation
#
# Orthonormal regularisation adds a term to the loss of D, for each layer:
#
# $$R = \|W^TW - I\|_F^2. \tag{14}$$
#
# Its gradient: let $E = W^TW - I$, so that $R = \|E\|_F^2$. If W moves by a small Δ, then E moves by
# $\Delta^TW + W^T\Delta$ (the term $\Delta^T\Delta$ is too small to count), and R moves by
#
# $$2\langle E,\ \Delta^TW + W^T\Delta\rangle = 4\langle E,\ W^T\Delta\rangle = 4\langle WE,\ \Delta\rangle.$$
#
# The first equality holds because E is symmetric, so that both terms are the same number. The second moves $W^T$ to the
# other side of the inner product. Hence $\nabla_WR = 4W(W^TW - I)$.
#
# If W is not wide, the eigenvalues of $W^TW$ are the $\sigma_t^2$, those of E are the $\sigma_t^2 - 1$, and the squares
# of these sum to $R = \sum_t(\sigma_t^2 - 1)^2$. So each singular value is drawn to 1, the small ones as well as the
# large ones. Spectral normalisation divides all by the largest, and keeps their ratios. We try both on a W with the
# singular values 2, 1, 0.5 and 0.1. There, by hand, $R = 9 + 0 + 0.5625 + 0.9801 = 10.5426$.


# %%
def orthonormal(W):
    """Compute the penalty and its gradient."""
    E = W.T @ W - np.eye(W.shape[1])
    return np.sum(E**2), 4 * W @ E  # (14)


def orthonormal_value(W):
    return orthonormal(W)[0]


U4, V4 = sn.orthonormalized(rng.standard_normal((6, 4))), sn.orthonormalized(rng.standard_normal((4, 4)))
W = U4 @ np.diag([2.0, 1.0, 0.5, 0.1]) @ V4.T
value, gradient = orthonormal(W)
print(f"R = {value:.4f}, and its gradient agrees with it")
check_gradient(orthonormal_value, W, gradient)
assert np.isclose(value, 10.5426)
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
#
# Below, a function draws such points. From each point that it has drawn we compute its ε back, as the share of the way
# from the fake to the real point.


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
# where φ is a leaky ReLU. (The number of the layer stands below here, since $W_2^T$ will be wanted.) Let Φ be the
# diagonal matrix of the slopes of φ at a.
#
# The backward pass of tutorial 5, begun with 1 at f, gives $\nabla_xf$. From f to h: $\partial f/\partial h = W_2^T$.
# From h to a: $\delta = \Phi W_2^T$. From a to x: $g = W_1^T\delta$. This g is $\nabla_xf$, and
# $R = (\|g\| - 1)^2$ is the penalty at the point x, without its factor λ.
#
# Here is all that is computed, drawn as a graph: f, its backward pass down to x, the penalty, and the pass that we are
# about to derive.
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
# 1. At the output: $R = (\|g\| - 1)^2$ has the gradient $t_0 = 2(\|g\| - 1)\,g/\|g\|$ at g, by the chain rule and the
#    derivative of a length.
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
    """Compute E(‖∇f‖ − 1)² and its gradient at W1 and W2. Rows of x, and so of δ, g, t₀ and t₁, are points."""
    slope = np.where(x @ W1.T + b > 0, 1.0, 0.1)  # the diagonal of Φ, a row for each point
    delta = slope * W2
    g = delta @ W1  # ∇f
    length = np.linalg.norm(g, axis=1, keepdims=True)
    t0 = 2 * (length - 1) * g / length / len(x)  # step 1; the mean divides by the number of points
    dW1 = delta.T @ t0  # step 2, summed over the points
    t1 = (t0 @ W1.T) * slope  # steps 3 and 4
    dW2 = t1.sum(axis=0, keepdims=True)  # step 4, summed over the points
    R = np.mean((length - 1) ** 2)  # (29) without λ
    return R, dW1, dW2


W1, b, W2 = rng.standard_normal((5, 2)), rng.standard_normal(5), rng.standard_normal((1, 5))
R, dW1, dW2 = penalty_and_gradient(W1, b, W2, x_hat)


def R_at_W1(W1):
    return penalty_and_gradient(W1, b, W2, x_hat)[0]


def R_at_W2(W2):
    return penalty_and_gradient(W1, b, W2, x_hat)[0]


def R_at_b(b):
    return penalty_and_gradient(W1, b, W2, x_hat)[0]


check_gradient(R_at_W1, W1, dW1)
check_gradient(R_at_W2, W2, dW2)
check_gradient(R_at_b, b, np.zeros(5))  # step 5

R_sn, (dW1_sn, dW2_sn) = sn.GradientPenalty(lam=1.0).penalty([W1, W2], [b, np.zeros(1)], x_hat, 0.1)
print(f"R = {R:.6f}, by the package {R_sn:.6f}; both gradients are checked")
assert np.isclose(R, R_sn)
assert np.allclose(dW1, dW1_sn)
assert np.allclose(dW2, dW2_sn)

# %% [markdown]
# For more layers the fourth line goes on in the same way: $t_l = \Phi_lW^lt_{l-1}$ and
# $\partial R/\partial W^l = \delta_lt_{l-1}^T$. The package's `GradientPenalty` is that loop.
#
# And the cost: one more forward and one more backward pass for $\hat x$, and the run through the fourth line, all of
# them with the whole batch. The power iteration needs two products of a matrix with a *vector* per layer, whatever the
# size of the batch.
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
# $\nabla_{\bar W}V = \gamma\nabla_{\tilde W}V$ goes back to W by (12). We check both with
# $V = \langle C, \tilde W\rangle$, whose gradient at $\tilde W$ is C, and with a triplet that has converged.

# %%
W, gamma, C = rng.standard_normal((4, 3)), np.array([2.5]), rng.standard_normal((4, 3))
triplet = sn.power_iteration(W, sn.random_direction(4, rng=rng), 200)
W_tilde = gamma * W / triplet.sigma  # (32)
W_bar = W / triplet.sigma
dgamma = np.array([np.sum(C * W_bar)])
G = gamma * C  # the gradient at W̄
lam = np.sum(G * W_bar)
dW = (G - lam * np.outer(triplet.u, triplet.v)) / triplet.sigma  # (12)
print(f"σ(W̃) = {sn.spectral_norm(W_tilde):.6f} at γ = {gamma[0]}, ∂V/∂γ = {dgamma[0]:.4f}")


def V_at_gamma(gamma):
    return np.sum(C * gamma * W_bar)


def V_at_W(W):
    return np.sum(C * gamma * W / sn.spectral_norm(W))


check_gradient(V_at_gamma, gamma, dgamma)
check_gradient(V_at_W, W, dW)
dW_sn, dgamma_sn = sn.Scaled(sn.SpectralNorm()).pullback(C, W, gamma, triplet)
assert np.isclose(sn.spectral_norm(W_tilde), 2.5)
assert np.allclose(dgamma, dgamma_sn)
assert np.allclose(dW, dW_sn)

# %% [markdown]
# ## Four trained discriminators
#
# So much for what the methods allow. What do they do? We train four GANs on the ring of tutorial 6, each with two
# seeds: no normalisation, weight normalisation, spectral normalisation, and WGAN-GP, which is the Wasserstein loss
# with the gradient penalty. All have three hidden layers of 64 in D and in G, Adam with α = 0.001, batches of
# 64, and one step of D for each step of G. Then we look at $\bar W$ of the two layers of 64 × 64, l = 2 and l = 3,
# and at the length of $\nabla f$, both at points $\hat x$ and on a lattice in the box $[-2, 2]^2$.
#
# In the package a method is a set of fields of `sn.GAN`, and `sn.fields_of(name)` returns them. `sn.effective` returns
# the $\bar W$ and b of a player, `sn.latents` draws z, and `sn.generate` computes G(z).

# %%
steps, seeds, names = (40 if QUICK else 1000), (0, 1), ("none", "wn", "sn", "wgan-gp")
target, adam = sn.ring(8, radius=1.0, std=0.05), sn.Adam(1e-3, beta1=0.5, beta2=0.9)
side = np.linspace(-2, 2, 81)
box = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def lengths_of_gradient(W_bar, b, x):
    """Compute ‖∇f‖ at every row of x."""
    f, tape = sn.forward(W_bar, b, x, 0.1)
    g = sn.backward_to_input(W_bar, tape, np.ones_like(f), 0.1)
    return np.linalg.norm(g, axis=1)


def train(name, seed):
    """Train a GAN, and return its spectra, its lengths of ∇f, and its report."""
    d_widths, g_widths = (2, 64, 64, 64, 1), (2, 64, 64, 64, 2)
    gan = sn.GAN(d_widths, g_widths, d_optim=adam, g_optim=adam, batch=64, steps=steps, **sn.fields_of(name))
    for state, _ in sn.train(gan, sn.start(gan, seed=seed), target.sample):
        last = state
    rng = np.random.default_rng(1)
    W_bar, b = sn.effective(last.D, gan.normalizer)
    points = sn.generate(gan, last.G.theta, sn.latents(gan, 2500, rng=rng))
    real = target.sample(2500, rng=rng)
    report = sn.evaluate(points, target, real, "one-percent")
    at_x_hat = lengths_of_gradient(W_bar, b, between(real, points, rng))
    return [spectrum(W) for W in W_bar], at_x_hat, lengths_of_gradient(W_bar, b, box), report


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
# What was measured on one machine, with these settings, these two seeds, and nothing beyond (on another machine the
# numbers will be a little different, and the assertions below leave room for it):
#
# * **The spectra.** Random weights have the stable ranks 16.0 and 16.3. After training, the two layers of SN have 21.5
#   to 22.7. In l = 3 there are 4.9 and 3.9 without normalisation, and 2.9 and 4.1 with weight normalisation: few
#   directions do most of the work. WGAN-GP has 13.7 and 10.6 there. In l = 2 the other three have 9.7 to 17.1. So SN's
#   spectra are the broadest, in both layers. The paper's figure 3 has the same order for WN and SN, in larger networks
#   and on images.
# * **The slopes.** Without normalisation, f has a slope of 19.59 and 15.37 somewhere in the box. Weight normalisation
#   does not bound it by 1 either: we find 5.08 and 4.21. With SN it is 0.23 and 0.25 at most, though 1 is allowed: the
#   product of the norms (7) is only a bound. WGAN-GP has a median of 1.00 and 0.98 at the $\hat x$, as (29) wants it.
#   But a penalty is no bound: in the box we find 2.61 and 1.85.
# * **The samples.** None, WN and SN find seven or eight of the eight modes. WGAN-GP has fewer points near a mode than
#   SN in both seeds, 13 % against 80 %, and 0 % against 49 %. This is no ranking, as no setting was tuned for any of
#   them. WGAN-GP in particular is commonly given five steps of D for each step of G, and has one here.

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


show(draw_trained, "08_the_rivals_3")

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
# 2. *(Pencil, then code.)* Let φ be tanh. Which sentence of the derivation fails, and which of the steps? Add what is
#    missing to the gradients at $W_1$ and b, and check all three.
# 3. *(Code.)* (14) asks for $W^TW = I$. Descend it from a wide matrix, 3 × 5, with entries of a size of about 0.3 and
#    steps of 0.02 times the gradient. Which value does it reach, what are the singular values there, and why is it not
#    0?
