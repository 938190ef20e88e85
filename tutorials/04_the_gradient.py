# %% [markdown]
# # 4. The gradient
#
# *Beside the paper: section 2.3 (page 4) and Appendix F (pages 24, 25), equations (9)–(12) and (33)–(38).*
#
# The network computes with $\bar W = W/\sigma(W)$, but the optimiser moves W. So here is the question of this
# tutorial: **if we know how V changes with $\bar W$, how does it change with W?** The answer is one line, (12), and
# it is the heart of the paper. We reach it in four steps, each a little larger than the one before: the length of a
# vector, a layer with one row, a matrix with two rows and two columns, and then any matrix.
#
# After this tutorial you can
#
# * derive the gradient of spectral normalisation, and compute it for a 2 × 2 matrix with a pencil;
# * say what the number λ does to the singular values, with the right sign;
# * tell apart three gradients that are all called "the" gradient, and say which of them (12) is.
#
# You need tutorials 2 and 3: what $\sigma$, $u_1$ and $v_1$ are, and where $\tilde u$ and $\tilde v$ come from.
#
# One word about signs, since many mistakes begin there. **V is the number that is differentiated.** Section 2.3 takes
# it as what D *ascends*. The training code minimises a loss, which is −V. If V changes its sign, then so does every
# gradient below, and a step downhill on −V is the same step as one uphill on V.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn
from specnorm_np.testing import check_gradient, numeric_gradient

# %% [markdown]
# ## First step: the length of a vector
#
# Take a vector $w = (3, 4)$. Its length is $\|w\| = \sqrt{w_1^2 + w_2^2} = 5$. How does the length change if we
# change $w_1$ a little? The chain rule says
#
# $$\frac{\partial\|w\|}{\partial w_1} = \frac{1}{2\sqrt{w_1^2 + w_2^2}}\cdot 2w_1 = \frac{w_1}{\|w\|}.$$
#
# The same holds for $w_2$. So the gradient of the length is
#
# $$\nabla\|w\| = \frac w{\|w\|} = (0.6,\ 0.8).$$
#
# It is the direction of the vector itself, and its length is 1. That makes sense: to make an arrow longer, pull at
# its tip in the direction in which it points. Pull sideways, and it turns but does not grow.
#
# To check such a result we let the computer change each entry a little, up and down, and divide the change of the
# function by that of the entry. `numeric_gradient` does this. It knows nothing of any derivation.

# %%
w = np.array([3.0, 4.0])
length = np.linalg.norm(w)
w_bar = w / length

by_differences = numeric_gradient(np.linalg.norm, w)
print("‖w‖ =", length, "   gradient of the length:", w_bar, "   by differences:", by_differences.round(6))
assert length == 5
assert np.allclose(w_bar, [0.6, 0.8])
assert np.allclose(by_differences, w_bar, atol=1e-8)

# %% [markdown]
# ## A vector divided by its length
#
# Now let $\bar w = w/\|w\| = (0.6, 0.8)$, and let V depend on $\bar w$ alone. Suppose that somebody tells us how:
# $\partial V/\partial\bar w = g = (-1, 2)$. What is $\partial V/\partial w$?
#
# We change w by a small $dw$ and follow what happens. Here $d\bar w$, $d\|w\|$ and $dV$ are the small changes that
# follow from it. By the rule for a quotient,
#
# $$d\bar w = \frac{dw}{\|w\|} - \frac{w}{\|w\|^2}\,d\|w\|.$$
#
# The first part comes from the change of the numerator, the second from that of the denominator. The change of the
# denominator is the sum of what each entry contributes, and we have the derivatives from above:
#
# $$d\|w\| = \frac{\partial\|w\|}{\partial w_1}\,dw_1 + \frac{\partial\|w\|}{\partial w_2}\,dw_2 =
# \langle\bar w, dw\rangle.$$
#
# (The bracket $\langle a, b\rangle = \sum_i a_ib_i$ is the inner product. For two matrices it means the same: multiply
# the entries that correspond, and add up.) We put this in, and write $\bar w$ for $w/\|w\|$:
#
# $$d\bar w = \frac1{\|w\|}\Big(dw - \bar w\,\langle\bar w, dw\rangle\Big).$$
#
# V changes by $dV = \langle g, d\bar w\rangle$. We put $d\bar w$ in, and collect what stands in front of $dw$:
#
# $$dV = \frac1{\|w\|}\Big(\langle g, dw\rangle - \langle g, \bar w\rangle\langle\bar w, dw\rangle\Big)$$
# $$dV = \Big\langle\frac1{\|w\|}\big(g - \langle g, \bar w\rangle\,\bar w\big),\ dw\Big\rangle.$$
#
# What stands on the left of the last bracket is the gradient that we looked for:
#
# $$\frac{\partial V}{\partial w} = \frac1{\|w\|}\Big(g - \lambda\,\bar w\Big), \qquad \lambda = \langle g, \bar
# w\rangle.$$
#
# With our numbers $\lambda = -1 \cdot 0.6 + 2 \cdot 0.8 = 1$, and
# $\frac15\big((-1, 2) - 1\,(0.6, 0.8)\big) = \frac15(-1.6,\ 1.2) = (-0.32,\ 0.24)$.
#
# In the code the gradient $\partial V/\partial w$ is called `dw`, as everywhere in this project. Do not confuse it with
# the small change $dw$ of the formulas. And for V we take $\langle g, \bar w\rangle$, the simplest function whose
# gradient at $\bar w$ is g.

# %%
g = np.array([-1.0, 2.0])
lam = np.sum(g * w_bar)
dw = (g - lam * w_bar) / length


def V_of_vector(w):
    return np.sum(g * w / np.linalg.norm(w))  # ⟨g, w̄⟩


by_differences = numeric_gradient(V_of_vector, w)
print("λ =", lam.round(4), "   ∂V/∂w =", dw.round(4), "   by differences:", by_differences.round(4))
assert np.isclose(lam, 1)
assert np.allclose(dw, [-0.32, 0.24])
assert np.allclose(by_differences, dw, atol=1e-8)

# %% [markdown]
# ## The picture of it
#
# What does $g - \lambda\bar w$ mean? The vector $\bar w$ lives on a circle of radius 1. It cannot leave the circle,
# whatever we do to w. So only that part of g counts which runs *along* the circle, that is along its tangent. The
# part that points outwards, $\lambda\bar w$, asks for something that cannot happen, and is taken away. One says that
# g is *projected* on the tangent.
#
# Two things follow, and both will hold for matrices, too.
#
# * The gradient is at a right angle to w: $3 \cdot (-0.32) + 4 \cdot 0.24 = 0$. This must be so, since a longer w
#   has the same $\bar w$, and therefore the same V.
# * The gradient carries the factor $1/\|w\|$. If w is twice as long, the same step turns it half as much.

# %%
at_twice = numeric_gradient(V_of_vector, 2 * w)
print("⟨∂V/∂w, w⟩ =", abs(np.sum(dw * w)).round(12), "   the gradient at 2w:", at_twice.round(4))
assert np.isclose(np.sum(dw * w), 0)
assert np.allclose(at_twice, dw / 2, atol=1e-8)

# %% [markdown]
# In the picture the black arrow is $\bar w$. The other three are drawn at half their length. Grey and blue add up to
# orange. Only the blue one runs along the tangent, which is dotted.


# %%
def arrow(ax, start, step, color, label, place):
    """Draw an arrow and name it near its tip."""
    ax.annotate("", start + step, start, arrowprops={"arrowstyle": "->", "color": color, "lw": 1.8})
    ax.annotate(label, start + step, place, textcoords="offset points", color=color)


def draw(ax):
    angle = np.linspace(-0.3, 2.2, 200)
    ax.plot(np.cos(angle), np.sin(angle), color=GREY)
    tangent = np.array([-0.8, 0.6])
    ax.plot(*(w_bar + np.outer([-0.8, 1.3], tangent)).T, ":", color=GREY)
    arrow(ax, np.zeros(2), w_bar, "k", r"$\bar w$", (-30, -26))
    arrow(ax, w_bar, 0.5 * g, ORANGE, r"$g$", (4, 2))
    arrow(ax, w_bar, 0.5 * lam * w_bar, GREY, r"$\lambda\bar w$", (4, 2))
    arrow(ax, w_bar, 0.5 * (g - lam * w_bar), BLUE, r"$g - \lambda\bar w$", (-50, -16))
    ax.set(aspect="equal", xlim=(-0.8, 1.6), ylim=(-0.1, 2.0), title="the gradient keeps what runs along the circle")


show(draw, "04_the_gradient_1", panels=1, height=3.4)

# %% [markdown]
# ## Second step: a layer with one row
#
# The last layer of a discriminator has one output. Its weight W has one row, $w^T$. Such a matrix stretches a vector
# h to the number $w^Th$, which is largest if h points along w. So its spectral norm is the length of the row, and
#
# $$\sigma(W) = \|w\|, \qquad u_1 = 1, \qquad v_1 = \bar w, \qquad u_1v_1^T = \bar w^T.$$
#
# For one row the result above is therefore already the gradient of spectral normalisation. Read it once more in the
# letters of the paper: $\frac1\sigma(g - \lambda\,u_1v_1^T)$. This is what (12) will say for every matrix. The
# function `SpectralNorm().pullback` of the package computes it; it is called so because it *pulls back* the gradient
# from $\bar W$ to W. It wants the gradient at $\bar W$, then W, and then the *triplet* $(u_1, \sigma, v_1)$. It returns
# a list with one gradient, since other methods than this one have more than one parameter for a layer.

# %%
W_row, triplet_row = w[None, :], sn.SingularTriplet(u=np.array([1.0]), sigma=5.0, v=w_bar)
(dW_row,) = sn.SpectralNorm().pullback(g[None, :], W_row, triplet_row)

print("σ =", sn.spectral_norm(W_row), "   pulled back:", dW_row.round(4))
assert np.isclose(sn.spectral_norm(W_row), 5)
assert np.allclose(dW_row, dw)

# %% [markdown]
# ## Third step: what arrives at the layer
#
# So far somebody told us $g = \partial V/\partial\bar w$. In a network it has to be computed, and the paper writes it
# as $\hat E[\delta h^T]$. Where does this come from?
#
# Look at one point of the batch. The layer has the input h. It computes $a = \bar Wh$, or with indices
#
# $$a_i = \sum_j \bar W_{ij}h_j.$$
#
# The entry $\bar W_{ij}$ stands in one of these sums only, the i-th, and there it is multiplied by $h_j$. So
#
# $$\frac{\partial a_i}{\partial\bar W_{ij}} = h_j.$$
#
# V is a mean over the points of the batch. Let $V_{point}$ be what this point contributes to the mean, and
# $\delta_i = \partial V_{point}/\partial a_i$ its derivative by the output of the layer. (Backpropagation, the subject
# of tutorial 5, brings it.) The chain rule gives
#
# $$\frac{\partial V_{point}}{\partial\bar W_{ij}} = \delta_ih_j.$$
#
# All of these numbers together form the matrix $\delta h^T$: a column times a row. The gradient of the mean is the mean
# of these matrices,
#
# $$\nabla_{\bar W}V = \hat E[\delta h^T].$$
#
# Here is a batch of two, with one point a row: $h = (1, 0)$ with $\delta = (2, 6)$, and $h = (0, 1)$ with
# $\delta = (4, -2)$. Then
#
# $$\hat E[\delta h^T] = \frac12\left[\begin{pmatrix} 2 & 0 \\ 6 & 0 \end{pmatrix} +
# \begin{pmatrix} 0 & 4 \\ 0 & -2 \end{pmatrix}\right] = \begin{pmatrix} 1 & 2 \\ 3 & -1 \end{pmatrix}.$$
#
# In code, the sum over the batch is one product, `delta.T @ h`. **A note on 1/n.** Here δ belongs to a single point,
# and we divide by n = 2 at the end. In the rest of the package, and from tutorial 5 on, δ contains the 1/n already,
# because V is a mean. Then the product is the mean, and one must not divide again.

# %%
h = np.array([[1.0, 0.0], [0.0, 1.0]])  # a point a row
delta = np.array([[2.0, 6.0], [4.0, -2.0]])
G = delta.T @ h / len(h)  # Ê[δhᵀ]

print("Ê[δhᵀ] =", G.tolist())
assert np.array_equal(G, [[1, 2], [3, -1]])

# %% [markdown]
# ## Fourth step: a matrix with every number in it
#
# $$W = \begin{pmatrix} 6 & -4 \\ 8 & 3 \end{pmatrix}$$
#
# The columns are $(6, 8)$ and $(-4, 3)$. They have the lengths 10 and 5, and they are at a right angle, since
# $6\cdot(-4) + 8\cdot 3 = 0$. So W maps the two axes, which are at a right angle, to two vectors that are at a right
# angle again. This is what singular vectors do: the $v_i$ are the axes, the $\sigma_i$ are the lengths of the
# columns, and the $u_i$ are the directions of the columns. We can read off
#
# $$\sigma_1 = 10, \quad \sigma_2 = 5, \quad u_1 = \begin{pmatrix} 0.6 \\ 0.8 \end{pmatrix}, \quad
# v_1 = \begin{pmatrix} 1 \\ 0 \end{pmatrix}, \quad u_2 = \begin{pmatrix} -0.8 \\ 0.6 \end{pmatrix}, \quad
# v_2 = \begin{pmatrix} 0 \\ 1 \end{pmatrix},$$
#
# $$\bar W = \frac W{10} = \begin{pmatrix} 0.6 & -0.4 \\ 0.8 & 0.3 \end{pmatrix}, \qquad
# u_1v_1^T = \begin{pmatrix} 0.6 & 0 \\ 0.8 & 0 \end{pmatrix}.$$

# %%
W = np.array([[6.0, -4.0], [8.0, 3.0]])
u1, v1, sigma = np.array([0.6, 0.8]), np.array([1.0, 0.0]), 10.0
u2, v2 = np.array([-0.8, 0.6]), np.array([0.0, 1.0])
W_bar, uv = W / sigma, np.outer(u1, v1)

print("singular values:", np.linalg.svd(W, compute_uv=False))
assert np.allclose(np.linalg.svd(W, compute_uv=False), [10, 5])
assert np.allclose(W @ v1, sigma * u1)
assert np.allclose(W.T @ u1, sigma * v1)

# %% [markdown]
# ## The derivative of σ
#
# For a vector we needed the derivative of its length. For a matrix we need that of its spectral norm. We start from
# $\sigma = u_1^TWv_1$ (which holds because $Wv_1 = \sigma u_1$ and $u_1^Tu_1 = 1$), and remember that $u_1$ and $v_1$
# change, too, if W does. The product rule gives three terms:
#
# $$d\sigma = du_1^T\,Wv_1 + u_1^T\,dW\,v_1 + u_1^TW\,dv_1.$$
#
# $Wv_1 = \sigma u_1$, and $u_1^TW = (W^Tu_1)^T = \sigma v_1^T$. We put both in:
#
# $$d\sigma = \sigma\,du_1^Tu_1 + u_1^T\,dW\,v_1 + \sigma\,v_1^Tdv_1.$$
#
# Now the first and the last term vanish. The vector $u_1$ has the length 1 and keeps it, so $u_1^Tu_1 = 1$ does not
# change. Its derivative is $2\,du_1^Tu_1$, which must be 0: a unit vector can turn, but each small turn is at a right
# angle to it. The same holds for $v_1$. What is left is
#
# $$d\sigma = u_1^T\,dW\,v_1, \qquad\text{that is}\qquad \frac{\partial\sigma}{\partial W_{ij}} = [u_1v_1^T]_{ij}.$$
#
# So the gradient of σ is $u_1v_1^T$, as the gradient of a length was $\bar w$. Note what we used: that $u_1$ and
# $v_1$ are *true* singular vectors. We come back to this.
#
# We also used that they change smoothly, and this needs $\sigma_1 > \sigma_2$. If the two are equal, then there is
# more than one pair of first singular vectors, and σ has a kink, like $|x|$ at 0. Footnote 2 of the paper mentions
# this case, which has probability 0. In diag(1, 1) it happens: add t to the first entry, and σ is $1 + t$ for a
# positive t but stays 1 for a negative one.

# %%
print("numeric gradient of σ:", numeric_gradient(sn.spectral_norm, W).round(6).tolist(), "   u₁v₁ᵀ:", uv.tolist())
equal = [sn.spectral_norm(np.diag([1.0 + t, 1.0])) for t in (-0.1, 0.0, 0.1)]
print("σ of diag(1 + t, 1) at t = −0.1, 0, 0.1:", np.round(equal, 6))
assert np.allclose(numeric_gradient(sn.spectral_norm, W), uv, atol=1e-8)
assert np.allclose(equal, [1, 1, 1.1])

# %% [markdown]
# ## The derivative of W̄, entry by entry
#
# The paper begins by asking how the whole of $\bar W$ changes with a single entry $W_{ij}$. Let $E_{ij}$ be the
# matrix that has a 1 at the place (i, j) and 0 elsewhere. By the rule for a quotient,
#
# $$\frac{\partial\bar W}{\partial W_{ij}} = \frac1\sigma E_{ij} - \frac{1}{\sigma^2}
# \frac{\partial\sigma}{\partial W_{ij}}W = \frac1\sigma E_{ij} - \frac{[u_1v_1^T]_{ij}}{\sigma^2}W \tag{9}$$
#
# and, since $W/\sigma = \bar W$,
#
# $$= \frac1\sigma\Big(E_{ij} - [u_1v_1^T]_{ij}\bar W\Big). \tag{10}$$
#
# Two entries of our matrix, by hand. At (1, 1) stands $[u_1v_1^T]_{11} = 0.6$, so
#
# $$\frac{\partial\bar W}{\partial W_{11}} = \frac1{10}\left(\begin{pmatrix} 1 & 0 \\ 0 & 0 \end{pmatrix} -
# 0.6\begin{pmatrix} 0.6 & -0.4 \\ 0.8 & 0.3 \end{pmatrix}\right) =
# \begin{pmatrix} 0.064 & 0.024 \\ -0.048 & -0.018 \end{pmatrix}.$$
#
# Changing one entry moves all four of $\bar W$, because it changes the σ that all are divided by. At (1, 2),
# $u_1v_1^T$ is 0. This entry does not change σ to first order, and so it moves only itself: $E_{12}/10$.

# %%
E11, E12 = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])
dW_bar_11 = (E11 - uv[0, 0] * W_bar) / sigma  # (10)
dW_bar_12 = (E12 - uv[0, 1] * W_bar) / sigma  # (10)


def normalised(W):
    return W / sn.spectral_norm(W)


print("∂W̄/∂W₁₁ =", dW_bar_11.round(4).tolist())
print("∂W̄/∂W₁₂ =", dW_bar_12.round(4).tolist())
assert np.allclose(dW_bar_11, [[0.064, 0.024], [-0.048, -0.018]])
assert np.allclose(dW_bar_12, E12 / 10)
for E, dW_bar in ((E11, dW_bar_11), (E12, dW_bar_12)):
    assert np.allclose((normalised(W + 1e-5 * E) - normalised(W - 1e-5 * E)) / 2e-5, dW_bar, atol=1e-9)

# %% [markdown]
# ## The gradient of V
#
# V depends on $W_{ij}$ through all the entries of $\bar W$. The chain rule adds up their contributions, each weighted
# by how much V depends on that entry. This is an inner product of two matrices:
#
# $$\frac{\partial V}{\partial W_{ij}} = \Big\langle\hat E[\delta h^T],\ \frac{\partial\bar W}{\partial
# W_{ij}}\Big\rangle.$$
#
# We put (10) in. The inner product with $E_{ij}$ picks the entry (i, j), and the number $[u_1v_1^T]_{ij}$ moves to
# the front:
#
# $$\frac{\partial V}{\partial W_{ij}} = \frac1\sigma\Big(\big[\hat E[\delta h^T]\big]_{ij} -
# \big\langle\hat E[\delta h^T], \bar W\big\rangle\,[u_1v_1^T]_{ij}\Big).$$
#
# The inner product that is left is a single number, the same for all i and j. It is the λ of the paper. To see it in
# the form in which the paper has it, take one point, where the matrix is $\delta h^T$:
#
# $$\langle\delta h^T, \bar W\rangle = \sum_{ij}\delta_ih_j\bar W_{ij} = \sum_i\delta_i\sum_j\bar W_{ij}h_j =
# \delta^T(\bar Wh),$$
#
# and then the mean over the batch: $\lambda = \hat E[\delta^T(\bar Wh)]$. (Appendix F writes the same number as a
# trace, the sum of the diagonal. For $(A^TB)_{jj} = \sum_iA_{ij}B_{ij}$, and so $\mathrm{trace}(A^TB) =
# \sum_{ij}A_{ij}B_{ij} = \langle A, B\rangle$.) Without the indices we have arrived:
#
# $$\frac{\partial V}{\partial W} = \frac1\sigma\Big(\hat E[\delta h^T] -
# \big(\hat E[\delta^T\bar Wh]\big)\,u_1v_1^T\Big) \tag{11}$$
#
# $$= \frac1\sigma\Big(\hat E[\delta h^T] - \lambda\,u_1v_1^T\Big). \tag{12}$$
#
# By hand: $\lambda = 1 \cdot 0.6 + 2 \cdot (-0.4) + 3 \cdot 0.8 + (-1) \cdot 0.3 = 1.9$, and
#
# $$\frac{\partial V}{\partial W} = \frac1{10}\left(\begin{pmatrix} 1 & 2 \\ 3 & -1 \end{pmatrix} -
# 1.9\begin{pmatrix} 0.6 & 0 \\ 0.8 & 0 \end{pmatrix}\right) =
# \frac1{10}\begin{pmatrix} -0.14 & 2 \\ 1.48 & -1 \end{pmatrix} =
# \begin{pmatrix} -0.014 & 0.2 \\ 0.148 & -0.1 \end{pmatrix}.$$

# %%
a = h @ W_bar.T  # W̄h for each point
per_point = np.sum(delta * a, axis=1)  # δᵀ(W̄h)
lam = np.mean(per_point)
dW = (G - lam * uv) / sigma  # (12)

print("δᵀ(W̄h) for the two points:", per_point.round(4), "   their mean λ =", lam.round(4))
print("λ as ⟨Ê[δhᵀ], W̄⟩:", np.sum(G * W_bar).round(4))
print("∂V/∂W =", dW.round(4).tolist())
assert np.allclose([lam, np.sum(G * W_bar)], 1.9)
assert np.allclose(dW, [[-0.014, 0.2], [0.148, -0.1]])

# %% [markdown]
# Now the check. We need a V whose gradient at $\bar W$ is $\hat E[\delta h^T]$, and take again the simplest,
# $\langle\hat E[\delta h^T], \bar W\rangle$. The function `check_gradient` differentiates it numerically by each entry
# of W, and raises an error if one differs from what we have derived. The package's function gives the same, too.


# %%
def V_of(W):
    return np.sum(G * normalised(W))


check_gradient(V_of, W, dW)
triplet = sn.SingularTriplet(u1, sigma, v1)
(dW_of_package,) = sn.SpectralNorm().pullback(G, W, triplet)
print("by differences:", numeric_gradient(V_of, W).round(4).tolist())
print("by the package:", dW_of_package.round(4).tolist())
assert np.allclose(dW_of_package, dW)

# %% [markdown]
# ## What λ does
#
# The first term of (12), $\hat E[\delta h^T]/\sigma$, is what a layer without normalisation would get, up to the
# factor $1/\sigma$. The second term is the price of the division. What does it change?
#
# W is a sum of two components, $10\,u_1v_1^T + 5\,u_2v_2^T$. A step along $\partial V/\partial W$ changes the first
# of these singular values in proportion to $\langle\partial V/\partial W, u_1v_1^T\rangle$, since $u_1v_1^T$ is the
# gradient of $\sigma_1$. In the same way $u_2v_2^T$ belongs to $\sigma_2$. With our numbers:
#
# | | along $u_1v_1^T$ | along $u_2v_2^T$ |
# |---|---|---|
# | the first term alone | 0.30 | −0.22 |
# | both terms, (12) | 0.11 | −0.22 |
#
# λ is 1.9 and positive. The growth of the first singular value is reduced from 0.30 to 0.11, which is by
# $\lambda/\sigma = 0.19$. Nothing else is touched. The paper reads this as a penalty on the first component whose
# strength is set by the data: λ is positive if δ and $\bar Wh$ agree in direction, that is, if V would grow by making
# the output of the layer larger as it is. If λ is negative, then the second term *adds* to the growth.
#
# And as for the vector, W cannot be made longer in this way:
#
# $$\langle\partial V/\partial W, W\rangle = 6\cdot(-0.014) + (-4)\cdot 0.2 + 8\cdot 0.148 + 3\cdot(-0.1) = 0.$$
#
# Without the λ term it would be
# $\langle\hat E[\delta h^T]/\sigma, W\rangle = \langle\hat E[\delta h^T], \bar W\rangle$, which is λ itself, 1.9.

# %%
first_term = G / sigma
uv_2 = np.outer(u2, v2)
of_first_term = np.array([np.sum(first_term * uv), np.sum(first_term * uv_2)])
of_both = np.array([np.sum(dW * uv), np.sum(dW * uv_2)])

print("along u₁v₁ᵀ and u₂v₂ᵀ: first term", of_first_term.round(4), "  both terms", of_both.round(4))
print("⟨∂V/∂W, W⟩ =", abs(np.sum(dW * W)).round(12), "   without λ:", np.sum(first_term * W).round(4))
assert np.allclose([of_first_term, of_both], [[0.3, -0.22], [0.11, -0.22]])
assert np.isclose(np.sum(dW * W), 0)
assert np.isclose(np.sum(first_term * W), 1.9)


def draw(ax):
    places = np.arange(2)
    bars = [
        ax.bar(places - 0.2, of_first_term, 0.4, color=ORANGE, label="first term alone"),
        ax.bar(places + 0.2, of_both, 0.4, color=BLUE, label="both terms, (12)"),
    ]
    for pair in bars:
        ax.bar_label(pair, fmt="%.2f", padding=2)
    ax.axhline(0, color="k", lw=0.8)
    ax.set(xticks=places, xticklabels=("along $u_1v_1^T$", "along $u_2v_2^T$"), ylim=(-0.3, 0.37))
    ax.set(title="λ acts on the first direction alone")
    ax.legend()


show(draw, "04_the_gradient_2", panels=1)

# %% [markdown]
# And the sign: with the loss −V the matrix that arrives is $-\hat E[\delta h^T]$. Then λ is −1.9, the gradient has
# the other sign, and since we go downhill the step is the same.

# %%
(descent,) = sn.SpectralNorm().pullback(-G, W, triplet)
print("uphill on V:  ", (W + 0.1 * dW).round(4).tolist())
print("downhill on −V:", (W - 0.1 * descent).round(4).tolist())
assert np.allclose(W - 0.1 * descent, W + 0.1 * dW)

# %% [markdown]
# ## Any norm
#
# Of σ this derivation used only that it is a number with a gradient. Appendix F divides W by any number N(W),
# $\bar W = W/N(W)$, and repeats the two steps of the vector. First the quotient rule,
#
# $$d\bar W = \frac{dW}N - \frac{W}{N^2}\langle\nabla_WN, dW\rangle,$$
#
# then the inner product with $\nabla_{\bar W}V$, in which we write $W/N = \bar W$:
#
# $$dV = \langle\nabla_{\bar W}V, d\bar W\rangle = \frac1N\langle\nabla_{\bar W}V, dW\rangle -
# \frac1N\langle\nabla_{\bar W}V, \bar W\rangle\langle\nabla_WN, dW\rangle.$$
#
# What stands in front of $dW$ is the gradient. The paper writes it three times:
#
# $$\frac{\partial V}{\partial W} = \frac1N\Big(\frac{\partial V}{\partial\bar W} -
# \mathrm{trace}\Big(\big(\tfrac{\partial V}{\partial\bar W}\big)^T\bar W\Big)\frac{\partial N}{\partial W}\Big)
# \tag{33}$$
#
# $$= \frac1N\Big(\nabla_{\bar W}V - \mathrm{trace}\big((\nabla_{\bar W}V)^T\bar W\big)\,\nabla_WN\Big) \tag{34}$$
#
# $$= \alpha\,\big(\nabla_{\bar W}V - \lambda\,\nabla_WN\big). \tag{35}$$
#
# The α here is $1/N$, a slip of notation: it has nothing to do with the learning rate α. Two choices of N are in the
# paper. The Frobenius norm $\|W\|_F = \sqrt{\sum W_{ij}^2}$ is the length of the matrix, if one thinks of it as one
# long vector. So its gradient is $W/\|W\|_F = \bar W$, and
#
# $$\frac{\partial V}{\partial W} = \frac1{\|W\|_F}\Big(\hat E[\delta h^T] -
# \mathrm{trace}\big(\hat E[\delta h^T]^T\bar W\big)\,\bar W\Big). \tag{36}$$
#
# The spectral norm has $\nabla N = u_1v_1^T$, which gives (12) once more:
#
# $$\frac{\partial V}{\partial W} = \frac1{\sigma(W)}\Big(\hat E[\delta h^T] -
# \mathrm{trace}\big(\hat E[\delta h^T]^T\bar W\big)\,u_1v_1^T\Big). \tag{37}$$
#
# Compare the two. In (36) the second term holds back *all* of $\bar W$. In (37) it holds back one direction, the
# first, and leaves the others free. This is the paper's argument for why its normalisation does not force the
# singular values to concentrate.

# %%
N = np.linalg.norm(W)
W_bar_F = W / N
lam_F = np.sum(G * W_bar_F)  # the trace
dW_F = (G - lam_F * W_bar_F) / N  # (36)
without_lam, with_lam = np.sum(G / N * uv_2), np.sum(dW_F * uv_2)


def V_of_F(W):
    return np.sum(G * W / np.linalg.norm(W))


print(f"‖W‖_F = {N:.4f};   (36) =", dW_F.round(4).tolist())
print("along u₂v₂ᵀ: first term alone", without_lam.round(4), "  (36):", with_lam.round(4))
check_gradient(V_of_F, W, dW_F)
assert np.isclose(N, np.sqrt(125))
assert [without_lam.round(4), with_lam.round(4)] == [-0.1968, -0.2648]
(dW_F_of_package,) = sn.FrobeniusNorm().pullback(G, W, None)
assert np.allclose(dW_F, dW_F_of_package)

# %% [markdown]
# Under (36) the second component does change: −0.1968 becomes −0.2648. The package has one function for all norms,
# `pullback_of_quotient`, which takes N and its gradient.
#
# When does the gradient vanish? By (35), if $\nabla_{\bar W}V$ is a multiple of $\nabla_WN$:
#
# $$\nabla_{\bar W}V = k\,\nabla_WN. \tag{38}$$
#
# For then $\lambda = k\langle\nabla_WN, \bar W\rangle$, and we need this inner product. If W is multiplied by a number
# $t > 0$, every norm is multiplied by it, too: $N(tW) = t\,N(W)$. Differentiate both sides by t, and set $t = 1$:
#
# $$\langle\nabla_WN, W\rangle = N$$
# $$\langle\nabla_WN, \bar W\rangle = 1.$$
#
# Therefore $\lambda = k$, and the two terms of (35) cancel. At such a point all that the data ask for is a W with a
# larger N, which the division does not let them have.

# %%
print("(37), by quotient:", sn.pullback_of_quotient(G, W, sigma, uv).round(4).tolist())
print("(38), k = 7:      ", sn.pullback_of_quotient(7 * uv, W, sigma, uv).round(12).tolist())
assert np.allclose(sn.pullback_of_quotient(G, W, N, W / N), dW_F)  # (36)
assert np.allclose(sn.pullback_of_quotient(G, W, sigma, uv), dW)  # (37)
assert np.allclose(sn.pullback_of_quotient(7 * uv, W, sigma, uv), 0)  # (38)

# %% [markdown]
# ## Three gradients
#
# In training we do not have $u_1$ and $v_1$. We have $\tilde u$ and $\tilde v$ from one power iteration, and divide
# by $\hat\sigma = \tilde u^TW\tilde v$. Now "the gradient of $W/\hat\sigma$" can mean three things:
#
# 1. **frozen**: $\tilde u$ and $\tilde v$ are held fixed, and only the W between them is differentiated;
# 2. **through**: $\tilde u$ and $\tilde v$ are functions of W as well, for the iterations have computed them from W,
#    and one differentiates through these iterations;
# 3. **true**: the gradient of $W/\sigma(W)$, the quantity that we really want.
#
# (12), with $\tilde u$ and $\tilde v$ in it, is *exactly* the first, after any number of iterations, even one. Look
# at the derivation: for fixed vectors $d(\tilde u^TW\tilde v) = \tilde u^T\,dW\,\tilde v$ holds without any
# condition. It is the other two only in the limit, because there the terms with $du$ and $dv$ vanish for true
# singular vectors only.
#
# The paper, and this package with it, takes the first. We compare (12) with all three on a 5 × 7 matrix with
# $\sigma_2/\sigma_1 = r = 0.7$. The differences to the second and the third fall like $r^{2k} = 0.49^k$.

# %%
rng = np.random.default_rng(0)
U, _ = np.linalg.qr(rng.standard_normal((5, 4)))
V, _ = np.linalg.qr(rng.standard_normal((7, 4)))
W_5x7 = (U * [1.0, 0.7, 0.4, 0.2]) @ V.T  # its singular values are 1, 0.7, 0.4 and 0.2
G_5x7 = rng.standard_normal((5, 7))
start = sn.random_direction(5, rng=rng)

iterations = (1, 2, 3, 5, 10, 20)
differences = []
print(" k    frozen  through     true    ⟨∂V/∂W, W⟩")
for k in iterations:
    triplet = sn.power_iteration(W_5x7, start, k)
    (dW_5x7,) = sn.SpectralNorm().pullback(G_5x7, W_5x7, triplet)  # (12)

    def frozen(W, triplet=triplet):
        return np.sum(G_5x7 * W) / (triplet.u @ W @ triplet.v)

    def through(W, k=k):
        return np.sum(G_5x7 * W) / sn.power_iteration(W, start, k).sigma

    def true(W):
        return np.sum(G_5x7 * W) / sn.spectral_norm(W)

    gradients = [numeric_gradient(function, W_5x7) for function in (frozen, through, true)]
    differences.append([np.linalg.norm(dW_5x7 - other) / np.linalg.norm(other) for other in gradients])
    along_W = np.sum(dW_5x7 * W_5x7)
    print(f"{k:2}  ", *(f"{difference:8.0e}" for difference in differences[-1]), f"   {along_W:9.0e}")
    assert abs(along_W) < 1e-12 * np.linalg.norm(dW_5x7)

differences = np.array(differences)
assert np.all(differences[:, 0] < 1e-7)
assert np.all((differences[0, 1:] > 0.25) & (differences[0, 1:] < 0.45))
assert np.all(differences[-1, 1:] < 1e-6)

# %% [markdown]
# The first column is the rounding of the finite differences and nothing else. In the other two, (12) is off by 30 to
# 40 per cent after one iteration from a random start, and agrees to six digits after twenty. The last column says that
# (12) is at a right angle to W in every case. This makes a cheap test for any implementation: compute $\langle\partial
# V/\partial W, W\rangle$. If it is not 0, the λ term is missing or wrong. In the picture, *through* and *true* are
# hardly to be told apart from the second iteration on.


# %%
def draw(ax):
    ax.semilogy(iterations, differences[:, 2], "o-", color=GREEN)
    ax.semilogy(iterations, differences[:, 1], "s--", ms=3, color=ORANGE)
    ax.semilogy(iterations, differences[:, 0], "o-", color=BLUE)
    ax.annotate("true", (1, differences[0, 2]), (8, 0), textcoords="offset points", color=GREEN)
    ax.annotate("through", (1, differences[0, 1]), (-4, -16), textcoords="offset points", color=ORANGE)
    ax.annotate("frozen (rounding)", (10, differences[4, 0]), (0, 6), textcoords="offset points", color=BLUE)
    ax.set(xlabel="iterations", xticks=iterations, ylim=(1e-12, 5), title="Relative difference of (12) from each")


show(draw, "04_the_gradient_3", panels=1)

# %% [markdown]
# ## What was learnt
#
# 1. Dividing by a norm takes away from a gradient what it cannot use, and divides the rest by the norm: (12), (35).
# 2. λ is the inner product of the gradient at $\bar W$ with $\bar W$. If it is positive, it holds back the growth of
#    the first singular value, and of no other.
# 3. (12) is exact for $\tilde u$, $\tilde v$ held fixed, after any number of iterations. It is the gradient of
#    $W/\sigma(W)$ at convergence only.
#
# ## Traps
#
# * $\tilde u$ and $\tilde v$ are treated as constants, but $\hat\sigma$ is not: it depends on W through the W between
#   them. Whoever treats $\hat\sigma$ as a constant loses the λ term.
# * The backward pass takes the very $\tilde u$ and $\tilde v$ of the forward pass. If they move on in between, (12)
#   is the gradient of nothing.
# * If the loss is a mean, δ contains the 1/n already: do not divide again.
# * λ contains $\bar Wh$ *without* the bias. The bias is not normalised, and does not stand in (11).
#
# ## Exercises
#
# The solutions are in [solutions/04_the_gradient.py](solutions/04_the_gradient.py).
#
# 1. *(Pencil.)* Let $\nabla_{\bar W}V = \bar W$ for the 2 × 2 matrix above. Find λ and ∂V/∂W. Which singular value
#    grows in a small step uphill on V, and which one falls?
# 2. *(Pencil.)* Can $\|W\|_F$ become smaller by plain gradient steps $W + \alpha\,\partial V/\partial W$ with (12)? By
#    how much does $\|W\|_F^2$ change in one step with the learning rate α?
# 3. *(Pencil, then code.)* Weight normalisation (25) divides every *row* of W by its own length. Is its gradient of
#    the form (35)? Write it with what you know from the first two steps of this tutorial. Compute it for W and
#    $\hat E[\delta h^T]$ from above, and check it by finite differences.
