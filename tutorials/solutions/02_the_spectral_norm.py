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
# In general only $\sigma(A + B) \le \sigma(A) + \sigma(B)$ holds, as for all norms. With B = A there is equality.
# With B = −A the left side is 0. And diag(1, 0) + diag(0, 1) = I has the norm 1, where the sum is 2.

# %%
A, B = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
print("σ(A + B) =", sn.spectral_norm(A + B), "  σ(A) + σ(B) =", sn.spectral_norm(A) + sn.spectral_norm(B))
assert np.isclose(sn.spectral_norm(A + A), 2)
assert np.isclose(sn.spectral_norm(A + B), 1)

# %% [markdown]
# ## 3. A convolution
#
# It is not. The matrix of the kernel sees each window of three numbers by itself. In the signal the windows overlap,
# and their outputs add up to more. With three numbers in a window the true norm is between 1 and $\sqrt3$ times as
# large. Footnote 3 of the paper reshapes the kernel all the same; tutorial 9 says what follows.

# %%
kernel = np.array([[1.0, 2.0, 1.0], [1.0, 0.0, -1.0]])
dense = np.zeros((2, 8, 8))
for place in range(8):
    for k in range(3):
        dense[:, place, (place + k) % 8] = kernel[:, k]
of_kernel, of_signal = sn.spectral_norm(kernel), sn.spectral_norm(dense.reshape(16, 8))
print(f"σ of the kernel {of_kernel:.3f}, of the convolution {of_signal:.3f}: {of_signal / of_kernel:.3f} times")
assert of_kernel < of_signal <= np.sqrt(3) * of_kernel * (1 + 1e-12)
assert np.isclose(of_signal, 4)
