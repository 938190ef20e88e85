# %% [markdown]
# # Solutions of tutorial 8, the rivals

# %%
import numpy as np

import specnorm_np as sn
from specnorm_np.testing import check_gradient

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. The last layer
#
# A single row has one singular value, which is its length. Its Frobenius norm is its length as well. So all three
# divide by the same number. The gradients are the same, too: they differ in $\nabla_WN$, which is $\bar W$ for (26)
# and row by row for (25), and $u_1v_1^T$ for spectral normalisation. Here $u_1v_1^T = \bar W$, since $\bar W$ has
# rank one and the singular value 1.

# %%
W, C = rng.standard_normal((1, 6)), rng.standard_normal((1, 6))
triplet = sn.power_iteration(W, np.ones(1))
methods = [(sn.WeightNorm(), None), (sn.FrobeniusNorm(), None), (sn.SpectralNorm(), triplet)]
W_bars = [normalizer.normalize(W, state) for normalizer, state in methods]
gradients = [normalizer.pullback(C, W, state)[0] for normalizer, state in methods]
print("singular values:", [float(np.linalg.norm(W_bar).round(12)) for W_bar in W_bars])
assert np.allclose(W_bars, W / np.linalg.norm(W))
assert np.allclose(gradients, gradients[0])
assert np.allclose(np.outer(triplet.u, triplet.v), W_bars[0])

# %% [markdown]
# ## 2. A smooth activation
#
# What fails is the sentence that Φ does not depend on the weights. Its diagonal is now $\phi'(a)$ with
# $a = W_1x + b$, so it moves with $W_1$ and with b. Steps 1 to 4 stay as they are, for they hold Φ fixed. Step 5
# fails, since b moves Φ. What is missing is the way from δ back to a. As $\delta_i = \phi'(a_i)(W_2)_i$ and
# $\partial R/\partial\delta = W_1t_0$,
#
# $$\frac{\partial R}{\partial a_i} = (W_1t_0)_i\,(W_2)_i\,\phi''(a_i),$$
#
# and from a it goes on as in every backward pass: $\frac{\partial R}{\partial a}x^T$ is added to the gradient at
# $W_1$, and $\frac{\partial R}{\partial a}$ is the gradient at b. For tanh, $\phi' = 1 - \tanh^2$ and
# $\phi'' = -2\tanh\cdot(1 - \tanh^2)$.


# %%
def penalty_and_gradients(W1, b, W2, x):
    """Compute E(‖∇f‖ − 1)² and its gradients, for tanh."""
    h = np.tanh(x @ W1.T + b)
    slope = 1 - h**2
    delta = slope * W2
    g = delta @ W1
    length = np.linalg.norm(g, axis=1, keepdims=True)
    t0 = 2 * (length - 1) * g / length / len(x)
    ddelta = t0 @ W1.T
    da = ddelta * W2 * (-2 * h * slope)  # the new term
    dW1 = delta.T @ t0 + da.T @ x
    return np.mean((length - 1) ** 2), dW1, da.sum(axis=0), (ddelta * slope).sum(axis=0, keepdims=True)


W1, b, W2, x = (rng.standard_normal(shape) for shape in ((5, 2), (5,), (1, 5), (8, 2)))
R, dW1, db, dW2 = penalty_and_gradients(W1, b, W2, x)
check_gradient(lambda W1: penalty_and_gradients(W1, b, W2, x)[0], W1, dW1)
check_gradient(lambda b: penalty_and_gradients(W1, b, W2, x)[0], b, db)
check_gradient(lambda W2: penalty_and_gradients(W1, b, W2, x)[0], W2, dW2)
print(f"tanh: R = {R:.4f}, and b has a gradient now, of length {np.linalg.norm(db):.4f}")
assert np.linalg.norm(db) > 1e-3

# %% [markdown]
# ## 3. A wide matrix
#
# $W^TW$ is 5 × 5, but its rank is at most 3. So at least two of its eigenvalues are 0, and each of them costs
# $(0 - 1)^2 = 1$. The other three can reach 1. The minimum is therefore $d_i - d_o = 2$, and the three singular
# values are 1 there: the rows are orthonormal, $WW^T = I$. The gradient $4W(W^TW - I)$ is 0 there, although E is not.

# %%
W = 0.3 * rng.standard_normal((3, 5))
for _ in range(500):
    W = W - 0.02 * sn.Orthonormal(lam=1.0).penalty(W, None)[1]
value, gradient = sn.Orthonormal(lam=1.0).penalty(W, None)
print(f"(14) reaches {value:.6f}; singular values {np.linalg.svd(W, compute_uv=False).round(6)}")
assert np.isclose(value, 2)
assert np.allclose(W @ W.T, np.eye(3))
assert np.allclose(gradient, 0, atol=1e-6)
