# %% [markdown]
# # 4. The gradient
#
# *Beside the paper: section 2.3 (page 4) and Appendix F (pages 24, 25), equations (9)–(12) and (33)–(38).*
#
# After this tutorial you can
#
# * derive the gradient of spectral normalisation and compute it for a 2 × 2 matrix with pencil and paper;
# * say what $\lambda$ does to the singular values, with the right sign;
# * tell apart three gradients that are all called "the" gradient, and say which of them (12) is.

# %%
import io
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np

from specnorm_np import (
    FrobeniusNorm,
    SingularTriplet,
    SpectralNorm,
    WeightNorm,
    orthonormalized,
    power_iteration,
    pullback_of_quotient,
    random_direction,
    spectral_norm,
)
from specnorm_np.testing import check_gradient, numeric_gradient


def show(draw, name):
    """Draw on two axes: a notebook shows the figure, a script keeps it if SPECNORM_FIGURES names a folder."""
    try:
        import matplotlib.figure

        from specnorm_np.runs.picture import STYLE
    except ImportError:
        return print("matplotlib is not installed: the picture is left out")
    with matplotlib.rc_context(STYLE):
        figure, png = matplotlib.figure.Figure(figsize=(7.5, 3.0), layout="constrained"), io.BytesIO()
        draw(*figure.subplots(1, 2))
        figure.savefig(png, dpi=120)
    if folder := os.environ.get("SPECNORM_FIGURES"):
        figure.savefig(os.path.join(folder, name + ".png"), dpi=120)
    figure._repr_png_ = png.getvalue
    return figure


# %% [markdown]
# ## A matrix for pencil and paper
#
# $$W = \begin{pmatrix} 6 & -4 \\ 8 & 3 \end{pmatrix}$$
#
# has columns of length 10 and 5 that are orthogonal. So $\sigma_1 = 10$, $\sigma_2 = 5$, the $v_i$ are the axes, and
#
# $$u_1 = \begin{pmatrix} 0.6 \\ 0.8 \end{pmatrix}, \quad v_1 = \begin{pmatrix} 1 \\ 0 \end{pmatrix}, \quad
# \bar W = \frac W{10} = \begin{pmatrix} 0.6 & -0.4 \\ 0.8 & 0.3 \end{pmatrix}, \quad
# u_1v_1^T = \begin{pmatrix} 0.6 & 0 \\ 0.8 & 0 \end{pmatrix}.$$

# %%
W = np.array([[6.0, -4.0], [8.0, 3.0]])
u1, v1, sigma = np.array([0.6, 0.8]), np.array([1.0, 0.0]), 10.0
W_bar, uv = W / sigma, np.outer(u1, v1)

assert np.allclose(np.linalg.svd(W, compute_uv=False), [10, 5])
assert np.allclose(W @ v1, sigma * u1)
assert np.allclose(W.T @ u1, sigma * v1)

# %% [markdown]
# ## The derivative of σ
#
# $$\sigma = u_1^TWv_1$$
# $$d\sigma = du_1^T\,Wv_1 + u_1^T\,dW\,v_1 + u_1^TW\,dv_1$$
# $$d\sigma = \sigma\,du_1^Tu_1 + u_1^T\,dW\,v_1 + \sigma\,v_1^Tdv_1$$
# $$d\sigma = u_1^T\,dW\,v_1, \qquad\text{that is}\qquad \frac{\partial\sigma}{\partial W_{ij}} = [u_1v_1^T]_{ij},$$
#
# because a unit vector can only turn: $d(u_1^Tu_1) = 0$. The third line needs $Wv_1 = \sigma u_1$ and
# $W^Tu_1 = \sigma v_1$, true singular vectors. Remember that for later.

# %%
assert np.allclose(numeric_gradient(spectral_norm, W), uv, atol=1e-8)

# %% [markdown]
# ## The derivative of W̄, entry by entry
#
# By the rule for quotients, with $E_{ij}$ the matrix that is 1 at (i, j) and 0 elsewhere,
#
# $$\frac{\partial\bar W}{\partial W_{ij}} = \frac1\sigma E_{ij} - \frac{[u_1v_1^T]_{ij}}{\sigma^2}W \tag{9}$$
# $$= \frac1\sigma\big(E_{ij} - [u_1v_1^T]_{ij}\bar W\big). \tag{10}$$
#
# For the entry (1, 1): $\frac1{10}\left(\begin{pmatrix} 1 & 0 \\ 0 & 0 \end{pmatrix} - 0.6\,\bar W\right) =
# \begin{pmatrix} 0.064 & 0.024 \\ -0.048 & -0.018 \end{pmatrix}$. For (1, 2), where $u_1v_1^T$ is 0, it is
# $E_{12}/10$: that entry does not change σ to first order.

# %%
E11, E12 = np.eye(4)[0].reshape(2, 2), np.eye(4)[1].reshape(2, 2)
dW_bar_11 = (E11 - uv[0, 0] * W_bar) / sigma  # (10)
dW_bar_12 = (E12 - uv[0, 1] * W_bar) / sigma  # (10)

assert np.allclose(dW_bar_11, [[0.064, 0.024], [-0.048, -0.018]])
assert np.allclose(dW_bar_12, E12 / 10)
for E, dW_bar in ((E11, dW_bar_11), (E12, dW_bar_12)):
    ahead, behind = W + 1e-5 * E, W - 1e-5 * E
    assert np.allclose((ahead / spectral_norm(ahead) - behind / spectral_norm(behind)) / 2e-5, dW_bar, atol=1e-9)

# %% [markdown]
# ## The gradient of V
#
# A batch of two: inputs $h$ of the layer, and $\delta = \partial V/\partial(\bar Wh)$ behind it, as rows.
#
# $$h = (1, 0),\ (0, 1); \qquad \delta = (2, 6),\ (4, -2); \qquad \nabla_{\bar W}V = \hat E[\delta h^T] =
# \begin{pmatrix} 1 & 2 \\ 3 & -1 \end{pmatrix}.$$
#
# Now sum (10) over the entries of $\bar W$, weighted with $\nabla_{\bar W}V$:
#
# $$\frac{\partial V}{\partial W_{ij}} = \Big\langle \nabla_{\bar W}V, \frac{\partial\bar W}{\partial W_{ij}}\Big\rangle
# = \frac1\sigma\Big([\hat E[\delta h^T]]_{ij} - \langle\hat E[\delta h^T], \bar W\rangle\,[u_1v_1^T]_{ij}\Big)$$
# $$\frac{\partial V}{\partial W} = \frac1\sigma\Big(\hat E[\delta h^T] - \lambda\,u_1v_1^T\Big), \qquad
# \lambda = \hat E[\delta^T(\bar Wh)] = \mathrm{trace}(\hat E[\delta h^T]^T\bar W). \tag{11, 12, 37}$$
#
# By hand: $\lambda = 1 \cdot 0.6 - 2 \cdot 0.4 + 3 \cdot 0.8 - 1 \cdot 0.3 = 1.9$, and
# $\partial V/\partial W = \frac1{10}\begin{pmatrix} 1 - 1.14 & 2 \\ 3 - 1.52 & -1 \end{pmatrix} =
# \begin{pmatrix} -0.014 & 0.2 \\ 0.148 & -0.1 \end{pmatrix}$.

# %%
h, delta = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 6.0], [4.0, -2.0]])
G = delta.T @ h / 2  # Ê[δhᵀ]: the mean over the batch, taken once
lam = np.mean(np.sum(delta * (h @ W_bar.T), axis=1))
dW = (G - lam * uv) / sigma  # (12)

assert np.array_equal(G, [[1, 2], [3, -1]])
assert np.allclose([lam, np.sum(G * W_bar)], 1.9)
assert np.allclose(dW, [[-0.014, 0.2], [0.148, -0.1]])
assert np.allclose(dW, SpectralNorm().pullback(G, W, SingularTriplet(u1, sigma, v1))[0])
check_gradient(lambda W: np.sum(G * W) / spectral_norm(W), W, dW)

# %% [markdown]
# ## What λ does
#
# Scaling W changes nothing, so the gradient must be orthogonal to W: $-0.084 - 0.8 + 1.184 - 0.3 = 0$. Without the
# λ term it is not: $\langle\hat E[\delta h^T]/\sigma, W\rangle = \lambda = 1.9$.
#
# V is what D *ascends*. A small step changes σ in proportion to $\langle\partial V/\partial W, u_1v_1^T\rangle$, which
# without λ is $3/10 = 0.3$ and with it 0.11. A positive λ, $\delta$ and $\bar Wh$ agreeing in direction, takes growth
# away from the first component; it acts as a penalty whose strength the data set. A negative λ adds to it. With a
# loss $\ell = -V$ to *descend*, $\delta$ and λ change their signs, and the step is the same.

# %%
assert np.allclose(dW * W, [[-0.084, -0.8], [1.184, -0.3]])
assert np.isclose(np.sum(dW * W), 0)
assert np.isclose(np.sum(G / sigma * W), 1.9)
assert np.allclose([np.sum(G / sigma * uv), np.sum(dW * uv)], [0.3, 0.11])
descent = SpectralNorm().pullback(-G, W, SingularTriplet(u1, sigma, v1))[0]
assert np.allclose(W - 0.1 * descent, W + 0.1 * dW)

# %% [markdown]
# ## Any norm
#
# Appendix F: let $\bar W = W/N(W)$ for a scalar N. The same two steps, with $\alpha := 1/N$ (not Adam's),
#
# $$d\bar W = \frac{dW}N - \frac{W}{N^2}\langle\nabla_WN, dW\rangle$$
# $$\langle\nabla_{\bar W}V, d\bar W\rangle =
# \Big\langle\tfrac1N\nabla_{\bar W}V - \tfrac1N\langle\nabla_{\bar W}V, \bar W\rangle\nabla_WN, dW\Big\rangle$$
# $$\frac{\partial V}{\partial W} = \alpha\,(\nabla_{\bar W}V - \lambda\nabla_WN), \qquad
# \lambda := \mathrm{trace}((\nabla_{\bar W}V)^T\bar W). \tag{33–35}$$
#
# $N = \sigma$, $\nabla N = u_1v_1^T$ is (37) above. $N = \|W\|_F$ has $\nabla N = \bar W$ and gives (36): there the
# penalty acts on all of $\bar W$, in (37) on one direction only. The gradient vanishes where
# $\nabla_{\bar W}V = k\nabla_WN$ (38), since then $\lambda = k\langle\nabla N, W\rangle/N = k$ for any norm.

# %%
N = np.linalg.norm(W)
dW_F = pullback_of_quotient(G, W, N, W / N)  # (36)

assert np.allclose(dW_F, FrobeniusNorm().pullback(G, W, None)[0])
check_gradient(lambda W: np.sum(G * W) / np.linalg.norm(W), W, dW_F)
assert np.allclose(pullback_of_quotient(G, W, sigma, uv), dW)  # (37)
assert np.allclose(pullback_of_quotient(7 * uv, W, sigma, uv), 0)  # (38)

# %% [markdown]
# ## Three gradients
#
# In training $u, v$ come from one iteration and are not singular vectors. Then three functions of W compete:
#
# 1. $u, v$ held fixed: $W/(u^TWv)$;
# 2. differentiated through the k iterations that made $u, v$ from a fixed start;
# 3. the true $W/\sigma(W)$.
#
# (12) is the exact gradient of the first after *any* number of iterations. From the other two its difference falls like
# $r^{2k}$; with $\sigma_2 = 0.7\sigma_1$ as below, from above 1 % after one iteration to below 1e-4 after 20.

# %%
rng = np.random.default_rng(0)
U, V = orthonormalized(rng.standard_normal((5, 4))), orthonormalized(rng.standard_normal((7, 4)))
W_5x7, G_5x7 = (U * [1.0, 0.7, 0.4, 0.2]) @ V.T, rng.standard_normal((5, 7))
start, iterations, differences = random_direction(5, rng=rng), (1, 2, 3, 5, 10, 20), []
for k in iterations:
    triplet = power_iteration(W_5x7, start, k)
    dW_5x7 = SpectralNorm().pullback(G_5x7, W_5x7, triplet)[0]  # (12)
    frozen = numeric_gradient(lambda W, t=triplet: np.sum(G_5x7 * W) / (t.u @ W @ t.v), W_5x7)
    through = numeric_gradient(lambda W, k=k: np.sum(G_5x7 * W) / power_iteration(W, start, k).sigma, W_5x7)
    true = numeric_gradient(lambda W: np.sum(G_5x7 * W) / spectral_norm(W), W_5x7)
    differences.append([np.linalg.norm(dW_5x7 - other) / np.linalg.norm(other) for other in (frozen, through, true)])
    print(f"k = {k:2}: frozen, through, true:", *(f"{difference:.0e}" for difference in differences[-1]))
    assert abs(np.sum(dW_5x7 * W_5x7)) < 1e-12 * np.linalg.norm(dW_5x7)  # orthogonal at every k

differences = np.array(differences)
assert np.all(differences[:, 0] < 1e-7)
assert np.all(differences[0, 1:] > 0.01)
assert np.all(differences[-1, 1:] < 1e-4)


# %%
def draw(left, right):
    """Draw the parts of the step along the two singular directions, and the three differences."""
    second = np.outer([-0.8, 0.6], [0.0, 1.0])
    for shift, step, label, color in ((-0.2, G / sigma, "λ dropped", "#E69F00"), (0.2, dW, "(12)", "#0072B2")):
        left.bar(np.arange(2) + shift, [np.sum(step * uv), np.sum(step * second)], 0.4, color=color, label=label)
    left.axhline(0, color="k", lw=0.8)
    left.set(xticks=(0, 1), xticklabels=("$u_1v_1^T$", "$u_2v_2^T$"), title="the 2 × 2 gradient along ...")
    left.legend()
    styles = {"u, v frozen": "#0072B2", "through k iterations": "#E69F00", "true": "#009E73"}
    for values, (label, color) in zip(differences.T, styles.items(), strict=True):
        right.semilogy(iterations, values, "o-", ms=3, color=color, label=label)
    right.set(xlabel="iterations k", title="relative difference of (12) from ...")
    right.legend()


show(draw, "04_the_gradient")

# %% [markdown]
# ## Traps
#
# * σ depends on W; u, v are treated as constants, σ is not. Cheap test: $\langle\partial V/\partial W, W\rangle = 0$.
# * The backward pass takes the very u, v of the forward pass. If u advances in between, (12) is no gradient.
# * If the loss is a mean, δ carries the 1/n already: do not divide again. λ uses $\bar Wh$ without the bias.
#
# ## Exercises
#
# 1. What does W receive from $\nabla_{\bar W}V = \bar W$? Find λ by hand.
# 2. Can $\|W\|_F$ fall under plain gradient steps? By how much does it change in one of size α?
# 3. Weight normalisation divides every row by its length, (25). Is its gradient of the form (35)?

# %%
# 1. λ = ‖W̄‖_F² = 1.25: (W̄ - 1.25 u₁v₁ᵀ)/10. The first component loses 0.025, the second gains 0.05.
assert np.allclose((W_bar - 1.25 * uv) / 10, SpectralNorm().pullback(W_bar, W, SingularTriplet(u1, sigma, v1))[0])
assert np.allclose(np.column_stack([u1, [-0.8, 0.6]]).T @ (W_bar - 1.25 * uv) / 10, np.diag([-0.025, 0.05]))
# 2. No: the step g is orthogonal to W, so ‖W - αg‖² = ‖W‖² + α²‖g‖².
assert np.isclose(np.sum((W - 0.1 * dW) ** 2), np.sum(W**2) + 0.01 * np.sum(dW**2))
# 3. Not with one N for the matrix, but row by row with (36).
rows = [pullback_of_quotient(g, w, np.linalg.norm(w), w / np.linalg.norm(w)) for g, w in zip(G, W, strict=True)]
assert np.allclose(rows, WeightNorm().pullback(G, W, None)[0])
