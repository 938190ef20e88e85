# %% [markdown]
# # 1. Why a Lipschitz constraint
#
# *Beside the paper: section 2, pages 2 and 3, equations (1)–(5).*
#
# After this tutorial you can
#
# * derive the best discriminator for a given generator, (3), and its gradient, (4);
# * say in numbers what that gradient does to G when real and generated points do not overlap;
# * solve the constrained problem (5) by hand for a ring around a point, and say what the constant K trades.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import show

from specnorm_np import (
    GAN,
    MLP,
    Adam,
    Identity,
    Mixture,
    SpectralNorm,
    backward_to_input,
    d_step,
    effective,
    forward,
    lipschitz_upper_bound,
    non_saturating_g,
    ring,
    saturating_g,
    sigmoid,
    softplus,
    standard_d,
    start,
)
from specnorm_np.testing import check_gradient

# %% [markdown]
# ## The network and its link
#
# A discriminator is a network $f$ and a link $\mathcal A$. Equation (1) leaves the biases out; we keep them:
#
# $$f(x) = W^2 a(W^1 x + b^1) + b^2, \qquad a(t) = \max(t, 0.1\,t), \qquad D(x) = \mathcal A(f(x)) \tag{1, 2}$$
#
# Points are the rows of `x`, so $W^1x$ is written `x @ W1.T`.

# %%
rng = np.random.default_rng(0)
W1, b1, W2, b2 = (rng.standard_normal(shape) for shape in ((3, 2), (3,), (1, 3), (1,)))
x = rng.standard_normal((5, 2))
a = x @ W1.T + b1
f = np.maximum(a, 0.1 * a) @ W2.T + b2  # (1)
D = sigmoid(f)  # (2), for the standard loss

assert np.allclose(f, forward([W1, W2], [b1, b2], x, slope=0.1)[0])

# %% [markdown]
# ## The best D for a given G
#
# With the densities $q$ of the data and $p$ of G's points, D maximises
# $V = \int \big(q \log D + p \log(1 - D)\big)\,dx$. The values of D at different x are independent of each other, so
# each can be found by itself:
#
# $$\frac{d}{dD}\big(q \log D + p\log(1-D)\big) = \frac qD - \frac p{1-D} = 0
# \iff q(1-D) = pD \iff D^* = \frac q{q+p}.$$
#
# The second derivative $-q/D^2 - p/(1-D)^2$ is negative: a maximum. Where data are three times as dense as fakes,
# D says 0.75:

# %%
q, p = 3.0, 1.0
D_grid = np.linspace(0.0001, 0.9999, 9999)
D_best = D_grid[np.argmax(q * np.log(D_grid) + p * np.log(1 - D_grid))]

assert np.allclose([D_best, q / (q + p)], 0.75, atol=1e-3)

# %% [markdown]
# Its logit is the log ratio of the densities:
#
# $$f^* = \log\frac{D^*}{1-D^*} = \log\frac{q/(q+p)}{p/(q+p)} = \log q - \log p. \tag{3}$$
#
# Data: eight Gaussians of standard deviation 0.1 on a circle of radius 1. Fakes: one broad Gaussian.

# %%
target, model = ring(8, radius=1.0, std=0.1), Mixture(np.zeros((1, 2)), 0.5)
x = rng.uniform(-1, 1, (200, 2))
f_star = target.log_density(x) - model.log_density(x)  # (3)
q, p = np.exp(target.log_density(x)), np.exp(model.log_density(x))

assert np.allclose(sigmoid(f_star), q / (q + p))
dV = q * sigmoid(-f_star) - p * sigmoid(f_star)  # the derivative of V with respect to f at each x
assert np.all(np.abs(dV) <= 1e-12 * (q + p))

# %% [markdown]
# ## Its gradient
#
# $$\nabla f^* = \nabla\log q - \nabla\log p = \frac{\nabla q}q - \frac{\nabla p}p. \tag{4}$$

# %%
df_star = target.grad_log_density(x) - model.grad_log_density(x)  # (4)

check_gradient(lambda x: np.sum(target.log_density(x) - model.log_density(x)), x, df_star, atol=1e-5)

# %% [markdown]
# Nothing bounds it. Let both distributions be narrow: ring and G's one Gaussian at the centre have the same standard
# deviation $s$. With $w_i(x)$ the probability that x came from mode $m_i$,
#
# $$\nabla\log q = \sum_i w_i \frac{m_i - x}{s^2}, \qquad \nabla \log p = \frac{-x}{s^2}, \qquad
# \nabla f^* = \frac1{s^2}\sum_i w_i m_i,$$
#
# whose length is nearly $1/s^2$ wherever one mode dominates. At the centre itself $f^* = -1/(2s^2)$. So halfway
# between the centre and a mode the slope is 100 for s = 0.1 and 10 000 for s = 0.01, where f* at the centre is −5000.

# %%
for s in (0.1, 0.01):
    narrow, point = ring(8, 1.0, s), Mixture(np.zeros((1, 2)), s)
    halfway, centre = np.array([[0.5, 0.0]]), np.zeros((1, 2))
    slope = np.linalg.norm(narrow.grad_log_density(halfway) - point.grad_log_density(halfway))
    f_centre = (narrow.log_density(centre) - point.log_density(centre)).item()
    print(f"s = {s}: |∇f*| = {slope:.0f}, f*(0) = {f_centre:.0f}")
    assert np.allclose([slope * s**2, f_centre * s**2], [1, -1 / 2], rtol=1e-5)

# %% [markdown]
# ## What G sees of it
#
# G moves its point x along the gradient of its own cost, through f:
#
# $$\nabla \log(1 - D) = -D\,\nabla f \quad\text{(its half of } V),\qquad
# \nabla (-\log D) = -(1 - D)\,\nabla f \quad\text{(the cost used in practice)}.$$
#
# One standard deviation off the centre, at s = 0.01, the first is exactly zero in floating point and the second has
# length 10 000: nothing, or far too much. The supports need not be disjoint for this, only far apart for their
# widths.

# %%
x = np.array([[0.01, 0.0]])
f_star = narrow.log_density(x) - point.log_density(x)
df_star = narrow.grad_log_density(x) - point.grad_log_density(x)
saturating, non_saturating = (np.linalg.norm(loss(f_star)[1] * df_star) for loss in (saturating_g, non_saturating_g))

assert (saturating, round(non_saturating)) == (0.0, 10_000)

# %% [markdown]
# ## The constrained problem, solved by hand
#
# The paper therefore searches only among K-Lipschitz functions, $\arg\max_{\|f\|_{Lip}\le K} V(G, D)$ (5). Take
# $s \to 0$: real points at distance 1 from the fakes at 0. Write $\alpha$ for f at a mode, $\beta$ for f(0). Then
#
# $$\alpha - \beta \le K \cdot 1,$$
# $$-V = \mathrm{softplus}(-\alpha) + \mathrm{softplus}(\beta) \ge 2\,\mathrm{softplus}\big((\beta-\alpha)/2\big)
# \ge 2\,\mathrm{softplus}(-K/2),$$
#
# first because softplus is convex, then because it increases. Equality holds for the cone $f(x) = K(\|x\| - 1/2)$.
# At K = 1 no discriminator gets below 0.948. (With eight modes V averages over them, and each term obeys the same
# bound.) The cone has no gradient at its apex, which is where the fakes sit in the limit. What G sees is the slope K
# just beside it.

# %%
for K in (1.0, 10.0, 100.0):
    f_real = K * (np.linalg.norm(target.modes, axis=1) - 0.5)
    f_fake = np.array([K * (0.0 - 0.5)])
    bound = 2 * softplus(np.array(-K / 2))
    assert np.isclose(standard_d(f_real, f_fake)[0], bound, rtol=1e-12)
    beta = rng.uniform(-2 * K, 2 * K, 10_000)
    alpha = beta + K * rng.uniform(-1, 1, 10_000)  # any pair that K allows
    assert np.all(softplus(-alpha) + softplus(beta) >= bound * (1 - 1e-12))
    pushes = K * sigmoid(np.array([-K / 2, K / 2]))  # D|∇f| and (1 - D)|∇f| at the fakes
    print(f"K = {K:3.0f}: loss {bound:.3g}, G sees {pushes[0]:.3g} (saturating), {pushes[1]:.3g} (non-saturating)")
    if K == 1.0:
        assert np.allclose([bound, *pushes], [0.948, 0.378, 0.622], atol=5e-4)
assert np.allclose(pushes, [0, 100], rtol=1e-9, atol=1e-19)  # at the last K

# %% [markdown]
# K trades the discriminator's sharpness for G's gradient: 0.378 and 0.622 at K = 1; below 1e-19 and 100 at K = 100.
# The unconstrained case is the end of that road.
#
# ## The same with trained networks
#
# G's points stay at the centre, D trains 300 updates: once without normalisation, once with every weight matrix
# divided by (an estimate of) its spectral norm, which tutorials 2 and 3 explain. Without, the loss falls below 1e-4,
# the saturating gradient below 1e-4, and $\prod\sigma(W^l)$, a bound of the Lipschitz constant, is above 300. With
# it, the gradient is between 0.1 and 0.4, and the bound below 1.4. The loss stays above the 0.948 of the cone,
# between 1.05 and 1.25: the network uses a part only of what the bound allows. Tutorial 2 shows why.

# %%
trained = {}
for name, normalizer in (("none", Identity()), ("SN", SpectralNorm())):
    gan = GAN((2, 64, 64, 64, 1), (2, 8, 2), normalizer=normalizer, d_optim=Adam(1e-3, 0.5, 0.9), d_net=MLP(0.1))
    D, rng = start(gan, seed=0).D, np.random.default_rng(0)
    for _ in range(300):
        D, loss, W_bar, _ = d_step(gan, D, narrow.sample(64, rng=rng), point.sample(64, rng=rng))
    trained[name] = W_bar, b = effective(D, normalizer)
    f_fake, cache = forward(W_bar, b, point.sample(200, rng=rng), slope=0.1)
    df = np.linalg.norm(backward_to_input(W_bar, cache, np.ones_like(f_fake), slope=0.1), axis=1)
    push, product = np.median(sigmoid(f_fake)[:, 0] * df), lipschitz_upper_bound(W_bar, slope=0.1)
    print(f"{name}: loss {loss:.2g}, D|∇f| at the fakes {push:.2g}, product of the norms {product:.3g}")
    low, high = ((0, 0, 300), (1e-4, 1e-4, np.inf)) if name == "none" else ((1.05, 0.1, 0.999), (1.25, 0.4, 1.4))
    assert all(np.greater((loss, push, product), low) & np.less((loss, push, product), high))


# %%
def draw(left, right):
    """Draw f along a ray through a mode, and what G sees against K."""
    r = np.linspace(0, 1.3, 400)
    x = np.column_stack([r, 0 * r])
    left.plot(r, narrow.log_density(x) - point.log_density(x), "k", label="$f^*$ (3), s = 0.01")
    left.plot(r, r - 0.5, "k:", label="cone, K = 1")
    for (name, (W, b)), color in zip(trained.items(), ("#E69F00", "#0072B2"), strict=True):
        left.plot(r, forward(W, b, x, 0.1)[0], color=color, label=f"trained, {name}")
    left.set(xlabel="distance from the fakes", ylabel="f", yscale="symlog", title="f from the fakes to a mode")
    left.legend()
    K = np.geomspace(0.1, 100, 200)
    right.loglog(K, K * sigmoid(-K / 2), color="#0072B2", label="saturating, $K\\,D$")
    right.loglog(K, K * sigmoid(K / 2), color="#E69F00", label="non-saturating, $K(1-D)$")
    right.set(xlabel="K", ylim=(1e-4, 200), title="length of the gradient that G sees")
    right.legend()


show(draw, "01_why_lipschitz")

# %% [markdown]
# ## What was learnt
#
# 1. The best discriminator has $f^* = \log q - \log p$, and nothing bounds its gradient.
# 2. Where data and fakes do not overlap, G gets from it a gradient of 0 or of 10 000, depending on the cost that it
#    takes.
# 3. Among K-Lipschitz functions the best one is a cone. Its slope is K, and G gets a gradient that it can use.
#
# ## Traps
#
# * The constraint is on f, not on D: the sigmoid contributes a factor of at most 1/4 to D's own constant.
# * The scale of the data sets what K means. $|f(x) - f(y)| \le K\|x - y\|$: halve the data and K = 1 acts like K =
#   1/2.
# * A constraint on weights is global; a penalty on gradients acts where its points lie.
#
# ## Exercises
#
# The solutions are in [solutions/01_why_lipschitz.py](solutions/01_why_lipschitz.py).
#
# 1. What is V when G is perfect, $p = q$?
# 2. Which K gives G the longest saturating gradient in the cone problem, and how long is it?
# 3. Data and fakes are both centred Gaussians, of deviations 1 and 2. Is f* Lipschitz for any K?
