# %% [markdown]
# # Solutions of tutorial 4, the gradient
#
# The matrix of the tutorial once more: its singular values are 10 and 5.

# %%
import numpy as np

import specnorm_np as sn
from specnorm_np.testing import check_gradient

W = np.array([[6.0, -4.0], [8.0, 3.0]])
sigma, uv, second = 10.0, np.array([[0.6, 0.0], [0.8, 0.0]]), np.array([[0.0, -0.8], [0.0, 0.6]])
W_bar, G = W / sigma, np.array([[1.0, 2.0], [3.0, -1.0]])

# %% [markdown]
# ## 1. The gradient of a V that likes W̄ as it is
#
# λ is the inner product of $\bar W$ with itself, $0.36 + 0.16 + 0.64 + 0.09 = 1.25$. That is
# $\sigma_1(\bar W)^2 + \sigma_2(\bar W)^2 = 1 + \frac14$. Written with the singular vectors, $\bar W = u_1v_1^T +
# \frac12u_2v_2^T$, so
#
# $$\frac{\partial V}{\partial W} = \frac1{10}\Big(u_1v_1^T + \tfrac12u_2v_2^T - 1.25\,u_1v_1^T\Big) =
# -0.025\,u_1v_1^T + 0.05\,u_2v_2^T.$$
#
# Written out, $\lambda u_1v_1^T$ has the entries 0.75 and 1 in its first column, and
#
# $$\frac{\partial V}{\partial W} = \frac1{10}\begin{pmatrix} 0.6 - 0.75 & -0.4 \\ 0.8 - 1 & 0.3 \end{pmatrix} =
# \begin{pmatrix} -0.015 & -0.04 \\ -0.02 & 0.03 \end{pmatrix}.$$
#
# The first singular value falls and the second one grows. V would like a longer $\bar W$; since the first direction
# is fixed to the length 1, all that is left is to let the second one catch up.

# %%
lam = np.sum(W_bar * W_bar)
dW = (W_bar - lam * uv) / sigma
print("∂V/∂W =", dW.round(4).tolist())
print("λ =", lam.round(4), "  along u₁v₁ᵀ and u₂v₂ᵀ:", np.sum(dW * uv).round(4), np.sum(dW * second).round(4))
assert np.isclose(lam, 1.25)
assert np.allclose(dW, [[-0.015, -0.04], [-0.02, 0.03]])
assert np.allclose([np.sum(dW * uv), np.sum(dW * second)], [-0.025, 0.05])
assert np.allclose(np.linalg.svd(W + 0.1 * dW, compute_uv=False), [10 - 0.0025, 5 + 0.005])

# %% [markdown]
# ## 2. The length of W
#
# It cannot. The step g is at a right angle to W, so by Pythagoras
#
# $$\|W + \alpha g\|_F^2 = \|W\|_F^2 + 2\alpha\langle g, W\rangle + \alpha^2\|g\|_F^2 = \|W\|_F^2 +
# \alpha^2\|g\|_F^2,$$
#
# which is never less than before. So W grows a little in every step, and since the gradient has the factor 1/σ, the
# same learning rate then turns it less. (With Adam, whose step is no multiple of the gradient, this does not hold.)

# %%
(g,) = sn.SpectralNorm().pullback(G, W, sn.SingularTriplet(np.array([0.6, 0.8]), sigma, np.array([1.0, 0.0])))
grown = np.sum((W + 0.1 * g) ** 2) - np.sum(W**2)
print(f"‖W‖² has grown by {grown:.6f}; α²‖g‖² = {0.01 * np.sum(g**2):.6f}")
assert np.isclose(grown, 0.01 * np.sum(g**2))
assert grown > 0

# %% [markdown]
# ## 3. Weight normalisation
#
# It is not of the form (35) with one N for the whole matrix, since each row has a number of its own. But every row is
# a vector that is divided by its length, and this was the first step of the tutorial. For the rows $w_i$ of W and
# $g_i$ of $\nabla_{\bar W}V$,
#
# $$\frac{\partial V}{\partial w_i} = \frac1{\|w_i\|}\Big(g_i - \langle g_i, \bar w_i\rangle\,\bar w_i\Big).$$
#
# That is (36), row by row, with a λ for each of them.

# %%
lengths = np.linalg.norm(W, axis=1, keepdims=True)
rows = W / lengths
lams = np.sum(G * rows, axis=1, keepdims=True)  # one for each row
dW_rows = (G - lams * rows) / lengths


def V_of(W):
    return np.sum(G * W / np.linalg.norm(W, axis=1, keepdims=True))


print("∂V/∂W =", dW_rows.round(4).tolist())
assert np.allclose(dW_rows, sn.WeightNorm().pullback(G, W, None)[0])
check_gradient(V_of, W, dW_rows)  # by finite differences
