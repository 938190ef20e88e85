# %% [markdown]
# # Solutions of tutorial 2, the spectral norm

# %%
import numpy as np

import specnorm_np as sn

# %% [markdown]
# ## 1. A column, and rank one
#
# A matrix with one column c maps a number t to tc, whose length is $|t|\,\|c\|$. So σ is the length of the column.
# And $(uv^T)h = u\,(v^Th)$ has the length $\|u\|\,|v^Th|$, which is largest along v: $\sigma(uv^T) = \|u\|\,\|v\|$.

# %%
c, v = np.array([[2.0], [3.0], [6.0]]), np.array([3.0, 4.0])
print("σ of the column:", sn.spectral_norm(c), "  of uvᵀ:", sn.spectral_norm(c * v))
assert np.isclose(sn.spectral_norm(c), 7)
assert np.isclose(sn.spectral_norm(c * v), 35)

# %% [markdown]
# ## 2. Sums
#
# In general only $\sigma(A + B) \le \sigma(A) + \sigma(B)$ holds. For a unit vector h, $\|(A + B)h\| \le \|Ah\| +
# \|Bh\|$, and each term on the right is at most the norm of its matrix. If B = A, there is equality. If B = −A, the
# left side is 0. And diag(1, 0) + diag(0, 1) = I has the norm 1, while the sum of the two norms is 2.

# %%
A, B = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
print("σ(A + B) =", sn.spectral_norm(A + B), "  σ(A) + σ(B) =", sn.spectral_norm(A) + sn.spectral_norm(B))
assert np.isclose(sn.spectral_norm(A + A), 2)
assert np.isclose(sn.spectral_norm(A + B), 1)

# %% [markdown]
# ## 3. A convolution
#
# It is not: the kernel has the norm 2.449, the convolution 4, which is 1.633 times as much. The matrix of the kernel
# sees each window of three numbers by itself. In the signal the windows overlap. Each number of x stands in three
# windows and is counted three times. Therefore the true norm is at most $\sqrt3$ times that of the kernel, and it is
# never below it. Footnote 3 of the paper takes the norm of the kernel all the same; tutorial 9 derives the two limits
# and says what follows.

# %%
kernel = np.array([[1.0, 2.0, 1.0], [1.0, 0.0, -1.0]])
dense = np.zeros((2, 8, 8))  # [i, t, s]: what x_s contributes to number t of signal i
for t in range(8):
    for k in range(3):
        dense[:, t, (t + k) % 8] = kernel[:, k]  # after the last number comes the first
of_kernel, of_signal = sn.spectral_norm(kernel), sn.spectral_norm(dense.reshape(16, 8))
print(f"σ of the kernel {of_kernel:.3f}, of the convolution {of_signal:.3f}: {of_signal / of_kernel:.3f} times")
assert np.isclose(of_kernel, np.sqrt(6))
assert np.isclose(of_signal, 4)
