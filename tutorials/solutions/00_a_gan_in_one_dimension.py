# %% [markdown]
# # Solutions of tutorial 0, a GAN in one dimension
#
# The numbers of the tutorial once more: four points, and what D makes of them.

# %%
import numpy as np

import specnorm_np as sn

x = np.array([1.5, 2.5, -0.5, -1.5])  # two real points, two fakes
a = 2 * x - 1  # with w1 = 2 and b = -1
h = np.maximum(a, 0.1 * a)
slope = np.where(a > 0, 1.0, 0.1)

# %% [markdown]
# ## 1. Where $w^2 = 0$
#
# Then $f = 0$ at every point, so that D is ½ everywhere: it cannot tell. Both means in V are $\log\frac12$, and
# $V = 2\log\frac12 = -1.3863$.
#
# The gradient at f is $(1 - D)/2 = \frac14$ at a real point and $-D/2 = -\frac14$ at a fake. To reach $w^1$ and b it
# has to pass $w^2$, which is 0: their derivatives are 0. That of $w^2$ is
#
# $$\tfrac14(2 + 4) - \tfrac14(-0.2 - 0.4) = 1.65.$$
#
# So in the first step $w^2$ moves alone. After it $w^2$ is not 0 any more, and in the second step all three move.

# %%
V = 2 * np.log(0.5)
df = np.array([0.25, 0.25, -0.25, -0.25])
delta = df * 0.0 * slope
dw1, db, dw2 = np.sum(delta * x), np.sum(delta), np.sum(df * h)
print("V =", V.round(4), " derivatives:", dw1, db, dw2.round(4))
assert round(V, 4) == -1.3863
assert (dw1, db, round(dw2, 4)) == (0, 0, 1.65)

loss, df_real, df_fake = sn.standard_d(np.zeros((2, 1)), np.zeros((2, 1)))
assert np.isclose(-loss, V)
assert np.allclose(-np.concatenate([df_real, df_fake])[:, 0], df)

# %% [markdown]
# ## 2. The hinge loss
#
# With $w^2 = 0.4$ the four values of f are 0.8, 1.6, −0.08 and −0.16. A real point has a say as long as $f < 1$: the
# first one has, the second one has not, since D is sure enough of it. A fake has a say as long as $f > -1$: both have.
# The gradient at f is therefore $\frac12$, 0, $-\frac12$, $-\frac12$, and
#
# $$\frac{\partial V_D}{\partial w^1} = \tfrac12 \cdot 0.4 \cdot 1.5 - \tfrac12 \cdot 0.04 \cdot (-0.5 - 1.5) = 0.34,$$
#
# $$\frac{\partial V_D}{\partial b} = \tfrac12 \cdot 0.4 - \tfrac12 \cdot 0.04 \cdot 2 = 0.16,$$
#
# $$\frac{\partial V_D}{\partial w^2} = \tfrac12 \cdot 2 - \tfrac12 (-0.2 - 0.4) = 1.3.$$

# %%
f = 0.4 * h
_, df_real, df_fake = sn.hinge_d(f[:2, None], f[2:, None])  # the gradient of the loss, which is −V_D
df = -np.concatenate([df_real, df_fake])[:, 0]
delta = df * 0.4 * slope
dw1, db, dw2 = np.sum(delta * x), np.sum(delta), np.sum(df * h)
print("f =", f.round(2), " gradient at f:", df)
print("derivatives:", dw1.round(2), db.round(2), dw2.round(2))
assert np.allclose(f, [0.8, 1.6, -0.08, -0.16])
assert np.array_equal(df, [0.5, 0, -0.5, -0.5])
assert np.allclose([dw1, db, dw2], [0.34, 0.16, 1.3])

# %% [markdown]
# ## 3. Fakes that are wider than the data
#
# With the mean 2 and the standard deviation ½ for the data, −1 and 1 for the fakes,
#
# $$f^*(x) = \log q - \log p = -2(x - 2)^2 + \tfrac12(x + 1)^2 + \log 2.$$
#
# (This time the factors in front of the exponentials do not cancel. A density has a factor of one over its standard
# deviation, and $\log\frac1{1/2} - \log\frac11 = \log 2$.)
#
# Its slope is $-4(x - 2) + (x + 1) = 9 - 3x$. It is 0 at $x = 3$, beyond the data: there D changes its mind, because a
# point so far to the right is more likely a fake than a real one. The slope grows without bound in both directions, so
# no constant serves the whole line.
#
# The gradient of $-\log D$ has the length $(1 - D)\,|f^{*\prime}|$. At $x = -2$ and at $x = -10$ D is 0 as far as
# anybody can see, and the lengths are 15 and 39: the farther away, the stronger the push, where a gentle one would do.

# %%
line = np.array([-2.0, -10.0])
f_star = -2 * (line - 2) ** 2 + 0.5 * (line + 1) ** 2 + np.log(2)
lengths = sn.sigmoid(-f_star) * np.abs(9 - 3 * line)
print("f* =", f_star.round(1), " length of the gradient of -log D:", lengths)
q, p = sn.Mixture(np.array([[2.0]]), 0.5), sn.Mixture(np.array([[-1.0]]), 1.0)
assert np.allclose(f_star, q.log_density(line[:, None]) - p.log_density(line[:, None]))
assert np.allclose((q.grad_log_density(line[:, None]) - p.grad_log_density(line[:, None]))[:, 0], 9 - 3 * line)
assert np.allclose(lengths, [15, 39])
