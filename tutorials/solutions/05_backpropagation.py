# %% [markdown]
# # Solutions of tutorial 5, backpropagation through a discriminator
#
# A discriminator of the tutorial's size, with the functions of the package.

# %%
import numpy as np

import specnorm_np as sn
from specnorm_np.testing import check_gradient

rng = np.random.default_rng(0)
W = [rng.standard_normal(shape) for shape in ((5, 2), (4, 5), (1, 4))]
b = [rng.standard_normal(d) for d in (5, 4, 1)]
x_real, x_fake = rng.standard_normal((6, 2)), rng.standard_normal((6, 2))

# %% [markdown]
# ## 1. Two passes, or one
#
# The result is the same. Every gradient is a sum over points: `delta.T @ h` adds up $\delta h^T$, and the bias adds
# up δ. A sum over twelve points is the sum over six and the sum over the other six. No point sees another one on its
# way through the network. The one condition is that both passes see the same $\bar W$. (With batch normalisation
# points do see each other, and the result is different.)

# %%
f_real, tape_real = sn.forward(W, b, x_real, slope=0.1)
f_fake, tape_fake = sn.forward(W, b, x_fake, slope=0.1)
_, df_real, df_fake = sn.standard_d(f_real, f_fake)
dW_real, db_real = sn.backward(W, tape_real, df_real, slope=0.1)
dW_fake, db_fake = sn.backward(W, tape_fake, df_fake, slope=0.1)

_, tape = sn.forward(W, b, np.concatenate([x_real, x_fake]), slope=0.1)
dW, db = sn.backward(W, tape, np.concatenate([df_real, df_fake]), slope=0.1)
largest = []
for l in range(3):
    largest.append(np.abs(dW_real[l] + dW_fake[l] - dW[l]).max())
    largest.append(np.abs(db_real[l] + db_fake[l] - db[l]).max())
print("largest difference between two passes and one:", f"{max(largest):.0e}")
assert max(largest) < 1e-14

# %% [markdown]
# ## 2. By hand
#
# Forward: $W^1x = (1 - 2,\ 2 + 2) = (-1, 4)$, so $h = (-0.1, 4)$ and $f = -0.1 - 4 = -4.1$.
#
# Backward, with $\delta = \partial f/\partial f = 1$: $\partial f/\partial W^2 = h^T = (-0.1, 4)$. Then
# $\partial f/\partial h = W^2 = (1, -1)$, and the slopes are 0.1 and 1, so $\delta_1 = (0.1, -1)$. The weights of the
# first layer get $\delta_1x^T = \begin{pmatrix} 0.1 & 0.2 \\ -1 & -2 \end{pmatrix}$, and the input gets
# $\delta_1W^1 = (0.1 \cdot 1 - 1 \cdot 2,\ 0.1 \cdot (-1) - 1 \cdot 1) = (-1.9, -1.1)$.

# %%
W1, W2, x = np.array([[1.0, -1.0], [2.0, 1.0]]), np.array([[1.0, -1.0]]), np.array([[1.0, 2.0]])
zeros = [np.zeros(2), np.zeros(1)]
f, tape = sn.forward([W1, W2], zeros, x, slope=0.1)
(dW1, dW2), _ = sn.backward([W1, W2], tape, np.ones((1, 1)), slope=0.1)
dx = sn.backward_to_input([W1, W2], tape, np.ones((1, 1)), slope=0.1)
print("f =", f.item(), "  ∂f/∂W¹ =", dW1.tolist(), "  ∂f/∂W² =", dW2.tolist(), "  ∂f/∂x =", dx.round(12).tolist())
assert np.isclose(f.item(), -4.1)
assert np.allclose(dW1, [[0.1, 0.2], [-1, -2]])
assert np.allclose(dW2, [[-0.1, 4]])
assert np.allclose(dx, [[-1.9, -1.1]])


def f_at(x):
    f, _ = sn.forward([W1, W2], zeros, x, slope=0.1)
    return f.item()


check_gradient(f_at, x, dx)  # by finite differences, too

# %% [markdown]
# ## 3. One λ for all layers
#
# λ of layer l is the mean of $\delta_l^T(\bar W^lh_{l-1})$. Without a bias $\bar W^lh_{l-1} = a_l$, so at every point
# the number is $\delta_l^Ta_l$. Now go down by one layer. The activation is $h_{l-1} = s\,a_{l-1}$, with the slope s
# of each unit, and $\delta_{l-1} = s\,(\partial V/\partial h_{l-1})$. Therefore
#
# $$\delta_{l-1}^Ta_{l-1} = \sum s\,\frac{\partial V}{\partial h_{l-1}}\,a_{l-1} =
# \sum\frac{\partial V}{\partial h_{l-1}}\,h_{l-1} = (\delta_l\bar W^l)\,h_{l-1} = \delta_l^Ta_l.$$
#
# The first equality moves s from δ to a, and the third is the formula for $\partial V/\partial h$. So the number is
# passed on from layer to layer. At the end it is f times df, summed over the points. With biases
# $a_l = \bar W^lh_{l-1} + b^l$, the first equality of all fails, and the numbers differ.

# %%
for name, biases in (("without biases", [0 * b_l for b_l in b]), ("with biases", b)):
    f, tape = sn.forward(W, biases, np.concatenate([x_real, x_fake]), slope=0.1)
    _, df_real, df_fake = sn.standard_d(f[:6], f[6:])
    df = np.concatenate([df_real, df_fake])
    dW, _ = sn.backward(W, tape, df, slope=0.1)
    lams = np.array([np.sum(G * W_l) for G, W_l in zip(dW, W, strict=True)])
    print(f"{name:15} λ of the layers: {lams.round(4)}")
    assert np.allclose(lams, np.sum(f * df)) == (name == "without biases")
assert np.ptp(lams) > 0.1
