# %% [markdown]
# # 2. The spectral norm
#
# *Beside the paper: section 2.1, page 3, equations (6)–(8).*
#
# Tutorial 1 asked for a discriminator whose slope is bounded. A discriminator is a chain of matrices. **How steep can
# a chain of matrices be, and which number of each matrix decides it?**
#
# After this tutorial you can
#
# * draw what a matrix does to a circle, and read its singular values off the picture;
# * show that the spectral norm is the largest of them, and the Lipschitz constant of $h \mapsto Wh + b$;
# * derive the bound (7) for a whole network, say why it is loose, and normalise a network with (8).

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn

QUICK = os.environ.get("SPECNORM_QUICK") == "1"

# %% [markdown]
# ## What a matrix does to a circle
#
# Take a matrix whose answers can be found with a pencil,
#
# $$A = \begin{pmatrix} 3 & 0 \\ 4 & 5 \end{pmatrix}.$$
#
# It maps $(1, 0)$ to $(3, 4)$, which has the length 5, and $(0, 1)$ to $(0, 5)$, which has the length 5 as well. Does
# it make every vector five times as long? Try $(1, 1)$: it becomes $(3, 9)$. Its length was $\sqrt2$ and is
# $\sqrt{90}$ now, a factor of $\sqrt{45} = 6.708$. And $(1, -1)$ becomes $(3, -1)$, a factor of
# $\sqrt{10/2} = 2.236$. So the factor depends on the direction. If we send a whole circle through A, we get an
# ellipse.

# %%
A = np.array([[3.0, 0.0], [4.0, 5.0]])
print("direction   becomes   factor")
for h in ([1, 0], [0, 1], [1, 1], [1, -1]):
    print(f"{h!s:9} {(A @ h).tolist()!s:12} {np.linalg.norm(A @ h) / np.linalg.norm(h):.3f}")
angle = np.linspace(0, 2 * np.pi, 721)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
factors = np.linalg.norm(circle @ A.T, axis=1)
print(f"over the whole circle: from {factors.min():.3f} to {factors.max():.3f}")
assert np.allclose([factors.min(), factors.max()], [2.236, 6.708], atol=5e-4)

# %% [markdown]
# ## Singular values first
#
# Why are $(1, 1)$ and $(1, -1)$ the extreme directions? The squared length of Ah is
#
# $$\|Ah\|^2 = (Ah)^T(Ah) = h^T(A^TA)h, \qquad A^TA = \begin{pmatrix} 25 & 20 \\ 20 & 25 \end{pmatrix}.$$
#
# $A^TA$ is symmetric, and a symmetric matrix has eigenvectors at right angles to each other. Here they are the two
# diagonals, $v_1 = (1, 1)/\sqrt2$ with the eigenvalue $25 + 20 = 45$ and $v_2 = (1, -1)/\sqrt2$ with $25 - 20 = 5$.
# Both have the length 1. Write any h in these directions, $h = c_1v_1 + c_2v_2$. Because of the right angle,
#
# $$\|h\|^2 = c_1^2 + c_2^2.$$
#
# The matrix $A^TA$ multiplies each part by its eigenvalue, and the mixed products drop out again:
#
# $$\|Ah\|^2 = h^T(A^TA)h = (c_1v_1 + c_2v_2)^T(45\,c_1v_1 + 5\,c_2v_2) = 45\,c_1^2 + 5\,c_2^2.$$
#
# This is largest, for a given length of h, if h lies along $v_1$, and smallest along $v_2$. The roots
# $\sigma_1 = \sqrt{45}$ and $\sigma_2 = \sqrt5$ are the *singular values* of A.

# %%
v1, v2 = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)
print("v₁ =", v1.round(3), "  AᵀA v₁ =", (A.T @ A @ v1).round(3), "= 45 v₁")
print("v₂ =", v2.round(3), "  AᵀA v₂ =", (A.T @ A @ v2).round(3), "= 5 v₂")
assert np.allclose(A.T @ A @ v1, 45 * v1)
assert np.allclose(A.T @ A @ v2, 5 * v2)

# %% [markdown]
# Where does A send these two directions? $Av_i$ has the length $\sigma_i$, so that
#
# $$u_i = Av_i/\sigma_i$$
#
# has the length 1. And $u_1$ and $u_2$ are at a right angle, too, because
#
# $$(Av_1)^T(Av_2) = v_1^T(A^TA)v_2 = 5\,v_1^Tv_2 = 0.$$
#
# So the singular values are the half axes of the ellipse, and $u_1$ and $u_2$ are their directions.
#
# With these vectors the whole matrix can be written down:
#
# $$A = \sigma_1u_1v_1^T + \sigma_2u_2v_2^T.$$
#
# To see this, let both sides act on $v_1$. On the right $v_1^Tv_1 = 1$ and $v_2^Tv_1 = 0$, and what remains is
# $\sigma_1u_1$, which is $Av_1$. The same holds for $v_2$, and any h is made of these two. Read from the right, the
# formula says what every matrix does. It looks how much of h lies along each $v_i$, multiplies by $\sigma_i$, and puts
# the result along $u_i$. One calls the $v_i$ the *right singular vectors* and the $u_i$ the *left* ones, after the side
# on which they stand.

# %%
s1, s2 = np.sqrt(45), np.sqrt(5)
u1, u2 = A @ v1 / s1, A @ v2 / s2
sum_of_two = s1 * np.outer(u1, v1) + s2 * np.outer(u2, v2)  # np.outer(u, v) is u vᵀ
print("u₁ =", u1.round(3), "  u₂ =", u2.round(3), "  u₁ᵀu₂ =", abs(u1 @ u2).round(12))
print("σ₁u₁v₁ᵀ + σ₂u₂v₂ᵀ =", sum_of_two.round(12).tolist())
assert np.isclose(u1 @ u2, 0)
assert np.allclose(sum_of_two, A)

# %% [markdown]
# In the picture, orange is $v_1$ and what becomes of it, and green is $v_2$ and what becomes of it. The circle on the
# left has the radius 1.


# %%
def draw(left, right):
    left.plot(*circle.T, color=GREY)
    right.plot(*(circle @ A.T).T, color=BLUE)
    for name, v, size, u, color in (("1", v1, s1, u1, ORANGE), ("2", v2, s2, u2, GREEN)):
        for ax, (x, y), text in ((left, v, f"$v_{name}$"), (right, size * u, rf"$\sigma_{name}u_{name}$")):
            ax.plot([0, x], [0, y], color=color, lw=2)
            ax.annotate(text, (x, y), (5, 4 if y > 0 else -10), textcoords="offset points")
    left.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), title="a circle of vectors h")
    right.set(aspect="equal", xlim=(-8, 8), ylim=(-8, 8), title="Ah: an ellipse")


show(draw, "02_the_spectral_norm_1", height=3.4)

# %% [markdown]
# ## Then the largest
#
# The *spectral norm* is the largest factor by which a matrix stretches any vector:
#
# $$\sigma(A) := \max_{h \ne 0} \frac{\|Ah\|_2}{\|h\|_2} = \max_{\|h\|_2 \le 1} \|Ah\|_2. \tag{6}$$
#
# The two forms are the same, since a longer h makes Ah longer by the same factor. We have just computed it: the
# largest singular value, $\sigma(A) = \sigma_1 = 6.708$. In the picture it is the longer half axis.

# %%
print("by the package:", round(sn.spectral_norm(A), 3), "  singular values by NumPy:", end=" ")
print(np.linalg.svd(A, compute_uv=False).round(3))
assert np.isclose(sn.spectral_norm(A), s1)

# %% [markdown]
# ## The Lipschitz constant of a layer
#
# The Lipschitz constant of a function g is the smallest M with $\|g(h) - g(h')\| \le M\|h - h'\|$ for all h and h′.
# It is written $\|g\|_{Lip}$.
# For a layer $g(h) = Ah + b$ the bias drops out of the difference,
#
# $$\|g(h) - g(h')\| = \|A(h - h')\| \le \sigma(A)\,\|h - h'\|,$$
#
# and for $h - h' = v_1$ there is equality. So the constant of a layer is $\sigma(A)$ exactly.
#
# The activation $\max(t, 0.1\,t)$ has slopes of 0.1 and 1. It moves no two numbers further apart. Of a vector it takes
# each entry by itself, so no entry of the difference becomes larger, and neither does its length. Two positive numbers
# keep their distance. So the constant is 1. (This is footnote 1 of the paper, which needs it for (7).)

# %%
rng = np.random.default_rng(0)
h, h_prime, bias = rng.standard_normal((1000, 2)), rng.standard_normal((1000, 2)), rng.standard_normal(2)
distance = np.linalg.norm(h - h_prime, axis=1)  # one for each pair; the vectors are the rows


def layer(h):
    return h @ A.T + bias


def activation(h):
    return np.maximum(h, 0.1 * h)


of_layer = np.linalg.norm(layer(h) - layer(h_prime), axis=1) / distance
of_activation = np.linalg.norm(activation(h) - activation(h_prime), axis=1) / distance
print(f"largest ratio of 1000 pairs: layer {of_layer.max():.3f}, activation {of_activation.max():.3f}")
assert of_layer.max() <= s1 * (1 + 1e-12)
assert of_activation.max() <= 1 + 1e-12

# %% [markdown]
# ## A chain
#
# Now two functions, one after the other. First use the constant of the outer one, then that of the inner one:
#
# $$\|g_2(g_1(h)) - g_2(g_1(h'))\| \le \|g_2\|_{Lip}\,\|g_1(h) - g_1(h')\|$$
# $$\phantom{\|g_2(g_1(h)) - g_2(g_1(h'))\|} \le \|g_2\|_{Lip}\,\|g_1\|_{Lip}\,\|h - h'\|.$$
#
# Constants multiply. Now let f be a network with the matrices $W^1, \dots, W^{L+1}$ and an activation after each of
# them but the last. The input of layer l is $h_{l-1}$. Every activation contributes a factor of 1, and every matrix its
# spectral norm:
#
# $$\|f\|_{Lip} \le \prod_{l=1}^{L+1}\|h_{l-1} \mapsto W^lh_{l-1}\|_{Lip} = \prod_{l=1}^{L+1}\sigma(W^l). \tag{7}$$
#
# This is the whole argument of section 2.1. It turns a question about a function into one number per matrix.

# %%
rng = np.random.default_rng(1)
layers = sn.he_layers((2, 16, 16, 1), slope=0.1, rng=rng)  # random matrices: 2 inputs, twice 16 units, 1 output
W = [W_l for W_l, _ in layers]
b = [rng.standard_normal(b_l.shape) for _, b_l in layers]
norms = [sn.spectral_norm(W_l) for W_l in W]
product = np.prod(norms)  # (7)
print("σ(Wˡ):", np.round(norms, 3), "  product:", round(product, 2))
assert np.isclose(product, sn.lipschitz_upper_bound(W, slope=0.1), rtol=1e-9)

# %% [markdown]
# ## Why the product is loose
#
# (7) is a bound, and not the constant. Look at the two inequalities that it was made of. The second one is an equality
# if $h - h'$ lies along the direction that $g_1$ stretches most. The first one is an equality if $g_1(h) - g_1(h')$
# lies along the direction that $g_2$ stretches most. Both hold at once only if the direction *into* which $g_1$
# stretches most is the direction that $g_2$ stretches most. Nobody arranges this.
#
# With our A we can arrange either. Let B stretch $u_2$ by $\sigma_1$ and $u_1$ by $\sigma_2$ only:
#
# $$B = \sigma_2v_1u_1^T + \sigma_1v_2u_2^T.$$
#
# Then what A stretches much, B stretches little. In the product, $u_1^Tu_1 = u_2^Tu_2 = 1$ and $u_1^Tu_2 = 0$:
#
# $$BA = (\sigma_2v_1u_1^T + \sigma_1v_2u_2^T)(\sigma_1u_1v_1^T + \sigma_2u_2v_2^T)$$
# $$\phantom{BA} = \sigma_2\sigma_1\,v_1v_1^T + \sigma_1\sigma_2\,v_2v_2^T$$
# $$\phantom{BA} = \sqrt5\sqrt{45}\,(v_1v_1^T + v_2v_2^T) = 15\,I.$$
#
# (The bracket is I, because it leaves $v_1$ and $v_2$ as they are.) So the constant of the chain is 15. The product (7)
# says $6.708^2 = 45$. If B stretches $u_1$ most, by $\sigma_1$, and $u_2$ by $\sigma_2$, then the constant is 45.

# %%
against = s2 * np.outer(v1, u1) + s1 * np.outer(v2, u2)
along = s1 * np.outer(v1, u1) + s2 * np.outer(v2, u2)
for name, B in (("against", against), ("along", along)):
    of_chain = sn.spectral_norm(B @ A)
    product_of_norms = sn.spectral_norm(B) * sn.spectral_norm(A)
    print(f"{name:8} σ(BA) = {of_chain:.1f}, σ(B)σ(A) = {product_of_norms:.1f}")
assert np.allclose(against @ A, 15 * np.eye(2))
assert np.isclose(sn.spectral_norm(along @ A), 45)

# %% [markdown]
# In the picture a circle of radius 1 has gone through A and then through B. Blue is the B that works against A, orange
# the one that works along with it. The dotted circle has the radius 45 of (7). Only orange touches it.


# %%
def draw(ax):
    for name, B, color in (("B against A", against, BLUE), ("B along with A", along, ORANGE)):
        ax.plot(*(circle @ A.T @ B.T).T, color=color, label=name)
    ax.plot(*(45 * circle).T, ":", color=GREY, label="the bound (7)")
    ax.set(aspect="equal", title="BA: the angles decide")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))


show(draw, "02_the_spectral_norm_2", panels=1)

# %% [markdown]
# Activations loosen the bound further. An inactive unit (one whose pre-activation is negative) passes only a tenth of
# the signal, and the bound counts it as if it passed all.
#
# By how much do we miss the constant? If the network has two inputs, the constant can be computed exactly, on a box.
# Each unit changes from active to inactive along a line in the plane (a bent one, if it is of the second layer). These
# lines cut the box into polygons. On one polygon no unit changes, so that f is a plane there, with one slope. The
# steepest of these slopes is the constant. We also print two numbers next to it. One is the steepest slope at some
# random points, which is a lower bound. The other is a sharper upper bound. It takes norms of products of neighbouring
# matrices, where (7) takes the product of their norms, and so it sees some of the angles. Tutorial 9 derives both.

# %%
box = [(-6.0, 6.0), (-6.0, 6.0)]
exact = sn.exact_lipschitz_constant(W, b, 0.1, box)
lower, _ = sn.lipschitz_lower_bound(W, b, 0.1, box, n_samples=500 if QUICK else 4096, rng=rng)
tighter = sn.tighter_lipschitz_upper_bound(W, slope=0.1)
print(f"steepest slope found     {lower:6.2f}")
print(f"exact, from {exact.n_regions} polygons {exact.value:6.2f}")
print(f"norms of products        {tighter:6.2f}")
print(f"product of norms (7)     {product:6.2f}, which is {product / exact.value:.1f} times the exact constant")
assert lower <= exact.value * (1 + 1e-9)
assert exact.value <= tighter <= product * (1 + 1e-9)
assert [round(exact.value, 2), round(tighter, 2), round(product, 2)] == [2.19, 6.58, 11.61]
assert [exact.n_regions, round(product / exact.value, 1)] == [364, 5.3]


# %%
def draw(ax):
    names = ["steepest slope found", "exact constant", "norms of products", "product of norms (7)"]
    bars = ax.barh(names, [lower, exact.value, tighter, product], color=[GREEN, ORANGE, BLUE, GREY])
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.invert_yaxis()
    ax.set(title="How steep is one network? Four answers")


show(draw, "02_the_spectral_norm_3", panels=1, height=2.0)

# %% [markdown]
# The product is 5.3 times the exact constant. So a network whose matrices are normalised to a product of 1 may be much
# less steep than 1. This is the price of the simple bound.
#
# ## Normalisation
#
# If every matrix is divided by its spectral norm,
#
# $$\bar W_{SN}(W) := W/\sigma(W), \tag{8}$$
#
# then $\sigma(\bar W_{SN}) = 1$, every factor in (7) is 1, and $\|f\|_{Lip} \le 1$, whatever the weights are. All
# singular values are divided by the same number, so the shape of the ellipse stays, and only its size changes.
#
# But the constant of f need not be 1 now. It is *at most* 1. For our network, on the same box, it is 0.198.

# %%
W_bar = [W_l / sn.spectral_norm(W_l) for W_l in W]  # (8)
normalised = sn.exact_lipschitz_constant(W_bar, b, 0.1, box).value
print("σ(W̄ˡ):", np.round([sn.spectral_norm(W_l) for W_l in W_bar], 12), "  exact constant of f:", round(normalised, 3))
assert np.allclose([sn.spectral_norm(W_l) for W_l in W_bar], 1)
assert np.isclose(sn.lipschitz_upper_bound(W_bar, slope=0.1), 1, rtol=1e-9)
assert round(normalised, 3) == 0.198

# %% [markdown]
# ## What was learnt
#
# 1. A matrix turns a circle into an ellipse. The half axes are the singular values, and the largest is the spectral
#    norm.
# 2. The spectral norm is the Lipschitz constant of a layer. Along a chain the constants multiply, (7).
# 3. The product is a bound that is rarely reached, since the directions of neighbouring layers do not fit.
#
# ## Traps
#
# * The Frobenius norm $\sqrt{\sum A_{ij}^2}$ is no spectral norm. It is the root of the sum of *all* $\sigma_i^2$.
#   It is larger, unless only one of them is not 0.
# * An activation with a slope above 1 breaks (7): its constant is not 1, and has to be counted as a factor.
# * The bias does not matter for (7). But it decides where the kinks lie, and so for the exact constant on a box.
#
# ## Exercises
#
# The solutions are in [solutions/02_the_spectral_norm.py](solutions/02_the_spectral_norm.py).
#
# 1. *(Pencil.)* What is σ of a matrix with a single column c? And of $uv^T$, where u and v are any two vectors, of
#    whatever length?
# 2. *(Pencil.)* Is $\sigma(A + B) = \sigma(A) + \sigma(B)$? Find two matrices for which it is, and two for which it is
#    not.
# 3. *(Code.)* A convolution turns a signal x of 8 numbers into two signals of 8 numbers each. For this it has a kernel
#    of two rows, $k = \begin{pmatrix} 1 & 2 & 1 \\ 1 & 0 & -1 \end{pmatrix}$. Number t of signal i is $k_{i1}x_t +
#    k_{i2}x_{t+1} + k_{i3}x_{t+2}$, and after the last number of x comes the first again. The convolution is linear, so
#    it has a matrix of the shape 16 × 8. Build it. Is its spectral norm that of the 2 × 3 matrix k? What is the
#    quotient?
