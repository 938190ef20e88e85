# %% [markdown]
# # 2. The spectral norm
#
# *Beside the paper: section 2.1, page 3, equations (6)–(8).*
#
# After this tutorial you can
#
# * show that the spectral norm of a matrix is its largest singular value, and the Lipschitz constant of
#   $h \mapsto Wh$;
# * derive the bound (7) of a whole network, and see on paper and on a picture why it is loose;
# * normalise a network with (8), and say what is then true of it and what is not.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import show

from specnorm_np import (
    as_matrix,
    exact_lipschitz_constant,
    he_layers,
    lipschitz_lower_bound,
    lipschitz_upper_bound,
    spectral_norm,
    tighter_lipschitz_upper_bound,
)

QUICK = os.environ.get("SPECNORM_QUICK") == "1"

# %% [markdown]
# ## One matrix
#
# $$\sigma(A) := \max_{h \ne 0} \frac{\|Ah\|_2}{\|h\|_2} = \max_{\|h\|_2 \le 1} \|Ah\|_2 \tag{6}$$
#
# How far can A stretch? Take an A whose answer can be found by hand.
#
# $$A = \begin{pmatrix} 3 & 0 \\ 4 & 5 \end{pmatrix}, \qquad
# A^TA = \begin{pmatrix} 25 & 20 \\ 20 & 25 \end{pmatrix}.$$

# %%
A = np.array([[3.0, 0.0], [4.0, 5.0]])

assert np.array_equal(A.T @ A, [[25, 20], [20, 25]])

# %% [markdown]
# $A^TA$ is symmetric, so it has orthonormal eigenvectors. Here they are the two diagonals, with eigenvalues
# $25 + 20 = 45$ and $25 - 20 = 5$.

# %%
v1, v2 = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)

assert np.allclose(A.T @ A @ v1, 45 * v1)
assert np.allclose(A.T @ A @ v2, 5 * v2)

# %% [markdown]
# Write any h as $c_1v_1 + c_2v_2$. Then $\|h\|^2 = c_1^2 + c_2^2$, and
#
# $$\|Ah\|^2 = h^TA^TAh = 45c_1^2 + 5c_2^2 \le 45\,(c_1^2 + c_2^2) = 45\,\|h\|^2,$$
#
# with equality for $h = v_1$. So $\sigma(A) = \sqrt{45} = 6.708$: the root of the largest eigenvalue of $A^TA$, which
# is the largest singular value. The smallest stretch is $\sqrt5 = 2.236$.

# %%
rng = np.random.default_rng(0)
h = rng.standard_normal((1000, 2))
c1, c2 = h @ v1, h @ v2
stretch = np.linalg.norm(h @ A.T, axis=1) / np.linalg.norm(h, axis=1)  # the quotient in (6), at 1000 points

assert np.allclose(np.sum((h @ A.T) ** 2, axis=1), 45 * c1**2 + 5 * c2**2)
assert np.all(stretch <= spectral_norm(A) * (1 + 1e-12))
assert np.allclose([spectral_norm(A), stretch.max(), stretch.min()], [6.708, 6.708, 2.236], atol=5e-3)

# %% [markdown]
# The unit circle becomes an ellipse with half axes $\sigma_1u_1$ and $\sigma_2u_2$, where $Av_i = \sigma_iu_i$. The
# vectors $u_i$ are orthonormal again, and $A = \sigma_1u_1v_1^T + \sigma_2u_2v_2^T$.

# %%
s1, s2 = np.sqrt(45), np.sqrt(5)
u1, u2 = A @ v1 / s1, A @ v2 / s2

assert np.isclose(u1 @ u2, 0)
assert np.allclose([u1 @ u1, u2 @ u2], 1)
assert np.allclose(A, s1 * np.outer(u1, v1) + s2 * np.outer(u2, v2))

# %% [markdown]
# ## The Lipschitz constant of a layer
#
# The Lipschitz constant is the smallest M with $\|g(h) - g(h')\| \le M\|h - h'\|$. For $g(h) = Ah + b$,
#
# $$\|g(h) - g(h')\| = \|A(h - h')\| \le \sigma(A)\,\|h - h'\|,$$
#
# and equality holds for $h - h' = v_1$: it is $\sigma(A)$ exactly, whatever the bias. The activation
# $a(t) = \max(t, 0.1\,t)$ has slopes 0.1 and 1, so it moves no two points further apart: its constant is 1.

# %%
h_prime, b = rng.standard_normal((1000, 2)), rng.standard_normal(2)
distance = np.linalg.norm(h - h_prime, axis=1)
after_A = np.linalg.norm((h @ A.T + b) - (h_prime @ A.T + b), axis=1)
after_a = np.linalg.norm(np.maximum(h, 0.1 * h) - np.maximum(h_prime, 0.1 * h_prime), axis=1)

assert np.all(after_A <= s1 * distance * (1 + 1e-12))
assert np.all(after_a <= distance * (1 + 1e-12))

# %% [markdown]
# ## A composition
#
# $$\|g_2(g_1(h)) - g_2(g_1(h'))\| \le \|g_2\|_{Lip}\|g_1(h) - g_1(h')\| \le \|g_2\|_{Lip}\|g_1\|_{Lip}\|h - h'\|.$$
#
# Apply this to $f$ layer by layer; every activation contributes a factor of 1, every matrix its spectral norm:
#
# $$\|f\|_{Lip} \le \prod_{l=1}^{L+1}\|h \mapsto W^lh\|_{Lip} = \prod_{l=1}^{L+1}\sigma(W^l) \tag{7}$$

# %%
rng = np.random.default_rng(1)
W, b = zip(*he_layers((2, 16, 16, 1), slope=0.1, rng=rng), strict=True)
b = [rng.standard_normal(b_l.shape) for b_l in b]
product = np.prod([spectral_norm(W_l) for W_l in W])  # (7)

assert np.isclose(product, lipschitz_upper_bound(W, slope=0.1), rtol=1e-9)

# %% [markdown]
# ## Why the product is loose
#
# The first inequality is an equality if $g_1(h) - g_1(h')$ lies where $g_2$ stretches most, the second one if
# $h - h'$ lies where $g_1$ stretches most. Both hold at once only if the direction *into* which $g_1$ stretches most
# is the direction that $g_2$ stretches most. For matrices
# $B = \sum_i \tau_i p_iq_i^T$ and $A = \sum_j \sigma_j u_jv_j^T$,
#
# $$BA = \sum_{i,j} \tau_i\sigma_j\,(q_i^Tu_j)\;p_iv_j^T,$$
#
# so $\sigma(BA)$ depends on the angles between the inputs $q_i$ of one and the outputs $u_j$ of the other. Let B
# stretch $u_2$ by $\sigma_1$ and $u_1$ by $\sigma_2$, back to $v_2$ and $v_1$: then $BA = \sigma_1\sigma_2I = 15\,I$,
# while (7) says 45. If B stretches $u_1$ most, (7) is exact.

# %%
against = s1 * np.outer(v2, u2) + s2 * np.outer(v1, u1)  # q_1 = u2: the two do not meet
along = s1 * np.outer(v1, u1) + s2 * np.outer(v2, u2)  # q_1 = u1

assert np.allclose(against @ A, 15 * np.eye(2))
assert np.isclose(spectral_norm(against) * spectral_norm(A), 45)
assert np.isclose(spectral_norm(along @ A), 45)

# %% [markdown]
# Activations take more: where a unit is off, its direction shrinks to a tenth. The constant of a network of two
# inputs can be computed exactly on a box, where f is affine on polygons whose gradients can be listed. For the
# network above,
#
# largest gradient found ≤ exact constant ≤ norms of products of layers ≤ product of norms,
#
# and the product is more than five times the exact constant: 11.61 against 2.19.

# %%
box = [(-6.0, 6.0), (-6.0, 6.0)]
exact = exact_lipschitz_constant(W, b, 0.1, box)
lower, _ = lipschitz_lower_bound(W, b, 0.1, box, n_samples=500 if QUICK else 4096, rng=rng)
tighter = tighter_lipschitz_upper_bound(W, slope=0.1)
print(f"found {lower:.2f} ≤ exact {exact.value:.2f} ({exact.n_regions} pieces) ≤ {tighter:.2f} ≤ product {product:.2f}")

assert lower <= exact.value * (1 + 1e-9)
assert exact.value <= tighter <= product * (1 + 1e-9)
assert [round(product, 2), round(exact.value, 2)] == [11.61, 2.19]

# %% [markdown]
# ## Normalisation
#
# $$\bar W_{SN}(W) := W/\sigma(W), \tag{8}$$
#
# so $\sigma(\bar W_{SN}) = 1$, since $\sigma(cA) = |c|\,\sigma(A)$. (The paper writes the aim as "$\sigma(W) = 1$";
# it is $\bar W$ that is meant.) With all layers normalised, the last one too, (7) says $\|f\|_{Lip} \le 1$. That is a
# bound, no promise of sharpness: on the box, this network's constant is below 0.5. With K·W̄ in each of the three
# layers, the bound is K³.

# %%
W_bar = [W_l / spectral_norm(W_l) for W_l in W]  # (8)
normalised = exact_lipschitz_constant(W_bar, b, 0.1, box).value
print(f"normalised: exact {normalised:.3f}, bound {lipschitz_upper_bound(W_bar, slope=0.1):.3f}")

assert np.allclose([spectral_norm(W_l) for W_l in W_bar], 1)
assert normalised < 0.5
assert np.isclose(lipschitz_upper_bound([2 * W_l for W_l in W_bar], slope=0.1), 2**3)

# %%
circle = np.column_stack([np.cos(t := np.linspace(0, 2 * np.pi, 400)), np.sin(t)])


def draw(first, second, third):
    """Draw the circle, its image under A, and the image of that under two matrices of the same norm."""
    axes = ((first, circle, "h, ‖h‖ = 1", 1), (second, circle @ A.T, "Ah, and the circle of radius σ(A)", s1))
    for ax, points, title, radius in (*axes, (third, circle @ (along @ A).T, "BA h: aligned (blue), not (orange)", 45)):
        ax.plot(*(radius * circle).T, ":", color="#9A9A9A")
        ax.plot(*points.T, color="#0072B2")
        ax.set_aspect("equal")
        ax.set_title(title, fontsize=8)
    third.plot(*(circle @ (against @ A).T).T, color="#E69F00")
    for ax, ends, label in ((first, (v1, v2), "v"), (second, (s1 * u1, s2 * u2), "\\sigma_{0}u")):
        for i, end in enumerate(ends, 1):
            ax.plot([0, end[0]], [0, end[1]], "k")
            ax.annotate(f"${label.format(i)}_{i}$", end, (3, 3), textcoords="offset points")


show(draw, "02_the_spectral_norm", panels=3, height=2.9)

# %% [markdown]
# ## Traps
#
# * A slope above 1 would make the activation expand: (7) needs a factor of that slope for every activation.
# * For a convolution, the paper takes the norm of the kernel reshaped to $d_{out} \times (d_{in}hw)$ (`as_matrix`).
#   It is not the norm of the convolution, and the ratio of the two depends on the weights. See the last exercise.
# * A residual block $x + r(x)$ is bounded by $1 + \|r\|_{Lip}$, not by $\|r\|_{Lip}$; and a sum of n values is a
#   layer of norm $\sqrt n$. So the paper's ResNets are outside the bound as it is printed.
#
# ## Exercises
#
# 1. What is $\sigma$ of one row w, and of $W = cs{s'}^T$ with s, s' vectors of ±1, of lengths 4 and 9?
# 2. Between which multiples of $\sigma(W)$ does $\|W\|_F$ lie, for rank r? Test a matrix at either end.
# 3. A 3 × 3 kernel of ones, one channel to one, with circular padding: what is its reshaped norm, what its true one?

# %%
# 1. ‖w‖, at h = w/‖w‖; and c·√(4·9) = 6c, at h = s'/3.
w, s = rng.standard_normal((1, 7)), np.ones((4, 1))
assert np.isclose(spectral_norm(w), np.linalg.norm(w))
assert np.isclose(spectral_norm(0.01 * s @ np.ones((1, 9))), 0.06)
# 2. ‖W‖_F² = Σσ_t², so σ ≤ ‖W‖_F ≤ √r σ: rank one at the left end, equal singular values at the right.
assert np.isclose(np.linalg.norm(w), spectral_norm(w))
assert np.isclose(np.linalg.norm(np.eye(5)), np.sqrt(5) * spectral_norm(np.eye(5)))
# 3. The reshaped kernel is a row of nine ones: norm 3. A constant image, of 8 × 8 ones, becomes nines: norm at least
#    9.
kernel, image = np.ones((1, 1, 3, 3)), np.ones((8, 8))
convolved = sum(np.roll(image, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
assert np.isclose(spectral_norm(as_matrix(kernel)), 3)
assert np.isclose(np.linalg.norm(convolved) / np.linalg.norm(image), 9)
