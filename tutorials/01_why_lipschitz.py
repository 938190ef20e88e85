# %% [markdown]
# # 1. Why a Lipschitz constraint
#
# *Beside the paper: section 2, pages 2 and 3, equations (1)–(5).*
#
# The generator G learns from the discriminator D, and from nothing else. So one would think that the best D is the
# best teacher. Tutorial 0 has shown a small game in which it is not. Here we ask why, and what to do about it: **what
# does the best possible D tell G, and how should D be limited so that G can learn from it?**
#
# After this tutorial you can
#
# * derive the best discriminator for a given generator, (3), and its gradient, (4);
# * say in numbers what G gets from it if real and generated points do not overlap;
# * say what a Lipschitz constant is, and find that of a function;
# * solve the constrained problem (5) with a pencil for two points, and say what its constant K decides.
#
# You need the chain rule, the derivatives of exp and log, and what a density is. Tutorial 0 helps, but is not needed.
# Letters are explained where they first stand; [notation.md](notation.md) has all of them.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn

QUICK = os.environ.get("SPECNORM_QUICK") == "1"

# %% [markdown]
# ## A picture first
#
# Real points come from a Gaussian with mean m and standard deviation s. Their density is $q(x)$. G takes random
# numbers z and makes points $G(z)$ of them, the *fakes*. Here they come from a Gaussian with mean 0 and the same s.
# Their density is $p(x)$. We write q and p for what the paper calls $q_{data}$ and $p_G$. D says for every x with
# which probability a point found there is real.
#
# In the picture s is 1, and we pull the two apart: m is 1, then 4, then 8. The blue line is the best D there is. (It
# is derived below. For now, take it as given that it is $q/(q + p)$.)
#
# G wants to move its orange points to where D is larger. So it has to look at D near the orange points, and ask in
# which direction it rises. Is there an answer?


# %%
def density(x, mean, s):
    """Compute the density at x of a Gaussian."""
    return np.exp(-((x - mean) ** 2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))


def best_D(x, m, s):
    """Compute the best D for real points around m and fakes around 0."""
    q, p = density(x, m, s), density(x, 0, s)
    return q / (q + p)


rises = {}
for m in (1, 4, 8):
    rises[m] = (best_D(0.1, m, 1) - best_D(-0.1, m, 1)) / 0.2
    print(f"m = {m}: at the middle of the fakes D is {best_D(0, m, 1):.2g}, and rises by {rises[m]:.2g} per unit of x")
assert f"{rises[1]:.2g}" == "0.23"
assert f"{rises[4]:.2g}" == "0.0014"
assert f"{rises[8]:.2g}" == "1.1e-13"


# %%
def draw(*axes):
    x = np.linspace(-4, 12, 801)
    for ax, m in zip(axes, (1, 4, 8), strict=True):
        ax.fill_between(x, density(x, m, 1), color=GREY, alpha=0.5, label="real, q")
        ax.fill_between(x, density(x, 0, 1), color=ORANGE, alpha=0.5, label="fake, p")
        ax.plot(x, best_D(x, m, 1), color=BLUE, label="the best D")
        ax.set(xlabel="x", ylim=(0, 1.05), title=f"{m} apart")
    axes[0].legend(loc="center right", fontsize=8)


show(draw, "01_why_lipschitz_1", panels=3, height=2.6)

# %% [markdown]
# With the Gaussians 1 apart there is an answer: D rises by 0.23 per unit. At 4 it rises by 0.0014, and at 8 by
# 0.00000000000011. There D is a step. It is right about every point, and flat wherever there are points. The more G
# has to learn, the less it is told.
#
# The rest of this tutorial makes this exact. We need a D first.
#
# ## The network, and its link
#
# A discriminator is a network f, followed by a function 𝒜, the *link*, that makes a probability out of a number.
# The network is a chain: multiply by a matrix, bend, multiply by the next matrix, and so on,
#
# $$f(x, \theta) = W^{L+1}a_L\big(W^L(a_{L-1}(W^{L-1}(\dots a_1(W^1x)\dots)))\big). \tag{1}$$
#
# Here $W^1, \dots, W^{L+1}$ are the matrices, whose numbers are what D learns. All of them together are θ. The upper
# number counts layers and is no power. $a_l$ is the *activation*, the function that bends. We take $\max(t, 0.1\,t)$
# for every number t, the *leaky ReLU*: what is positive passes, and of what is negative a tenth passes. The paper
# leaves out the biases $b^l$, which are added after each matrix, "for simplicity". We keep them.
#
# $$D(x, \theta) = \mathcal A(f(x, \theta)), \qquad \mathcal A(f) = \mathrm{sigmoid}(f) = \frac1{1 + e^{-f}}.\tag{2}$$
#
# With $L = 1$ there are two matrices. Take
#
# $$W^1 = \begin{pmatrix} 2 \\ -1 \end{pmatrix}, \qquad b^1 = \begin{pmatrix} -1 \\ 0 \end{pmatrix}, \qquad
# W^2 = \begin{pmatrix} \tfrac12 & 1 \end{pmatrix}, \qquad b^2 = 0.$$
#
# At $x = 1.5$ we get
#
# $$W^1x + b^1 = \begin{pmatrix} 3 - 1 \\ -1.5 \end{pmatrix} = \begin{pmatrix} 2 \\ -1.5 \end{pmatrix}
# \;\longmapsto\; \begin{pmatrix} 2 \\ -0.15 \end{pmatrix}, \qquad
# f = \tfrac12 \cdot 2 + 1 \cdot (-0.15) = 0.85, \qquad D = 0.7006.$$
#
# In the code, points are the rows of an array, and so $W^1x$ is written `x @ W1.T`.

# %%
W1, b1 = np.array([[2.0], [-1.0]]), np.array([-1.0, 0.0])
W2, b2 = np.array([[0.5, 1.0]]), np.array([0.0])


def sigmoid(f):
    return 1 / (1 + np.exp(-f))


x = np.array([[1.5], [-0.5]])  # two points
a = x @ W1.T + b1
h = np.maximum(a, 0.1 * a)
f = h @ W2.T + b2  # (1)
D = sigmoid(f)  # (2)

print("f at the two points:", f[:, 0].round(4), "  D:", D[:, 0].round(4))
assert np.allclose(f[:, 0], [0.85, 0.4])
assert round(D[0, 0], 4) == 0.7006
f_of_package, _ = sn.forward([W1, W2], [b1, b2], x, slope=0.1)
assert np.allclose(f_of_package, f)

# %% [markdown]
# How many layers there are, and how wide they are, does not matter in what follows. Only one thing does: **f may be
# any number**, and D is made of it.
#
# ## What D wants, written with f
#
# D is good if it gives real points a probability near 1, and fakes one near 0. One number that says how good it is is
#
# $$V = E_{x \sim q}\big[\log D(x)\big] + E_{x \sim p}\big[\log(1 - D(x))\big].$$
#
# $E_{x \sim q}$ is the mean over points x drawn from the density q. Both terms are at most 0, and V is 0 if D is
# always right and sure of it. D *maximises* V.
#
# The network produces f, and not D. So we write V with f. The logarithm of the sigmoid has a simple form:
#
# $$\log D = \log\frac1{1 + e^{-f}}$$
# $$\phantom{\log D} = -\log(1 + e^{-f}).$$
#
# The function $t \mapsto \log(1 + e^t)$ is called *softplus*. So $\log D = -\mathrm{softplus}(-f)$. For the second
# term we need $1 - D$:
#
# $$1 - D = 1 - \frac1{1 + e^{-f}} = \frac{e^{-f}}{1 + e^{-f}} = \frac1{e^f + 1} = \mathrm{sigmoid}(-f).$$
#
# This is the sigmoid again, of $-f$. So $\log(1 - D) = -\mathrm{softplus}(f)$, and the objective is
#
# $$V = -E_{x \sim q}\big[\mathrm{softplus}(-f(x))\big] - E_{x \sim p}\big[\mathrm{softplus}(f(x))\big].$$
#
# We shall need the derivative of softplus, too:
#
# $$\frac{d}{dt}\log(1 + e^t) = \frac{e^t}{1 + e^t} = \frac1{e^{-t} + 1} = \mathrm{sigmoid}(t).$$
#
# There is another reason to write V in this way. If f is −800, then D is so small that the computer calls it 0, and
# its logarithm is −∞. But the softplus of 800 is just 800.


# %%
def softplus(t):
    """Compute log(1 + e^t), without overflow."""
    return np.maximum(t, 0) + np.log1p(np.exp(-np.abs(t)))


step = 1e-6
for t in (-3.0, 0.5, 3.0):
    by_difference = (softplus(t + step) - softplus(t - step)) / (2 * step)
    print(f"t = {t:4}: log D = {np.log(sigmoid(t)):.4f}, -softplus(-t) = {-softplus(-t):.4f};", end=" ")
    print(f"slope of softplus {by_difference:.4f}, sigmoid {sigmoid(t):.4f}")
    assert np.isclose(np.log(sigmoid(t)), -softplus(-t))
    assert np.isclose(np.log(1 - sigmoid(t)), -softplus(t))
    assert np.isclose(by_difference, sigmoid(t), atol=1e-8)
with np.errstate(over="ignore", divide="ignore"):
    print("f = -800: log of the sigmoid", np.log(sigmoid(-800.0)), "  -softplus(800):", -softplus(800.0))
assert softplus(800.0) == 800.0

# The package returns the loss of D, which is -V. Here the two points are a real one and a fake.
loss, *_ = sn.standard_d(f[:1], f[1:])
V = -softplus(-f[0, 0]) - softplus(f[1, 0])
print(f"V = {V:.4f}, the loss of the package {loss:.4f}")
assert np.isclose(loss, -V)

# %% [markdown]
# ## The best D, at one place
#
# Now let D be anything at all. Then its value at one x has no influence on its value at another x, and we can look
# for the best value at each x separately. The means in V are integrals,
#
# $$V = \int \Big({-q(x)}\,\mathrm{softplus}(-f(x)) - p(x)\,\mathrm{softplus}(f(x))\Big)\,dx,$$
#
# and at one x, q and p are just two numbers. So f, at this x, has to maximise
#
# $$v(f) = -q\,\mathrm{softplus}(-f) - p\,\mathrm{softplus}(f).$$
#
# Take the derivative. The two minus signs in the first term cancel:
#
# $$v'(f) = q\,\mathrm{sigmoid}(-f) - p\,\mathrm{sigmoid}(f).$$
#
# Read it as two forces. The real points pull f upwards, the fakes pull it down, and each of them pulls less the more
# it has got its way. At the best f they are equal:
#
# $$q\,\mathrm{sigmoid}(-f) = p\,\mathrm{sigmoid}(f)$$
# $$q\,\frac1{1 + e^f} = p\,\frac1{1 + e^{-f}} = p\,\frac{e^f}{e^f + 1}$$
# $$q = p\,e^f$$
# $$f^* = \log\frac qp = \log q - \log p.$$
#
# And D at this f is
#
# $$D^* = \frac1{1 + e^{-f^*}} = \frac1{1 + p/q} = \frac q{q + p}.$$
#
# It is a maximum and not a minimum, because $v'$ falls as f rises: sigmoid(−f) becomes smaller and sigmoid(f) larger.
# For the same reason there is only one. So we have found the best discriminator for a given G:
#
# $$D_G^*(x) = \frac{q(x)}{q(x) + p(x)} = \mathrm{sigmoid}(f^*(x)), \qquad f^*(x) = \log q(x) - \log p(x). \tag{3}$$
#
# Where real points are three times as dense as fakes, D is ¾ and f is log 3 = 1.0986. We try all f instead.

# %%
q, p = 3.0, 1.0
f_tried = np.linspace(-4, 6, 100_001)
v = -q * softplus(-f_tried) - p * softplus(f_tried)
f_best = f_tried[np.argmax(v)]
print(f"best of 100 001 values: f = {f_best:.4f}; log q - log p = {np.log(q) - np.log(p):.4f}", end="; ")
print(f"D = {sigmoid(f_best):.4f}; q/(q + p) = {q / (q + p):.4f}")
assert np.isclose(f_best, np.log(3), atol=1e-4)
assert np.isclose(sigmoid(f_best), 0.75, atol=1e-4)

# %% [markdown]
# ## A D without any limits, trained
#
# "Its value at one x has no influence on its value at another" is easily said. What is such a D like, if it has to
# learn from points? Let the line be divided into six boxes. Ten real points and ten fakes have fallen into them, and
# D has one number f for each box. It goes uphill by the derivative from above, with q and p replaced by the shares of
# the points:
#
# $$f \leftarrow f + \frac{n_{real}}{10}\,\mathrm{sigmoid}(-f) - \frac{n_{fake}}{10}\,\mathrm{sigmoid}(f).$$

# %%
n_real = np.array([0, 1, 3, 4, 2, 0])
n_fake = np.array([4, 3, 2, 1, 0, 0])
f_boxes, kept = np.zeros(6), {}
for update in range(1, 10_001):
    f_boxes = f_boxes + n_real / 10 * sigmoid(-f_boxes) - n_fake / 10 * sigmoid(f_boxes)
    if update in (1, 10, 100, 1000, 10_000):
        kept[update] = f_boxes
        print(f"after {update:5} updates, f in the boxes:", *(f"{value:6.2f}" for value in f_boxes))
assert np.allclose(f_boxes[1:4], np.log([1 / 3, 3 / 2, 4 / 1]))  # (3)
assert np.array_equal(kept[100].round(2), [-3.64, -1.10, 0.41, 1.39, 2.91, 0])
assert np.array_equal(f_boxes.round(2), [-8.29, -1.10, 0.41, 1.39, 7.60, 0])

# %% [markdown]
# In the three boxes in which there are both, f has arrived at (3) after 100 updates, and stays:
# $\log\frac13 = -1.10$, $\log\frac32 = 0.41$, $\log 4 = 1.39$. The other three are the interesting ones.
#
# * In the first box there are fakes only. There (3) is $\log 0 = -\infty$, and f is on its way: −3.64, −5.98, −8.29.
#   It falls by about 2.3 each time the number of updates becomes ten times larger, and never comes to rest.
# * In the fifth there are real points only, and f rises likewise.
# * In the last one there is nothing. Nobody has told D what to say there, and f is still 0.
#
# So the difference between neighbouring boxes has no limit but our patience. And this difference is what G learns
# from.
#
# The picture shows v(f) of the last section on the left: the real points pull to the right, the fakes to the left,
# and the dot is where the two are equal. On the right are the six boxes. The bars are the numbers of points, and the
# blue steps are f, the darker the later.


# %%
def draw(left, right):
    left.plot(f_tried, v, color=BLUE)
    left.plot(f_best, v.max(), "o", color=ORANGE)
    left.set(xlabel="f at one place", ylabel="v(f)", title="q = 3, p = 1: the best f is log 3")
    place = np.arange(1, 7)
    right.bar(place - 0.2, n_real, 0.4, color=GREY, label="real points")
    right.bar(place + 0.2, n_fake, 0.4, color=ORANGE, label="fakes")
    for (update, values), shade in zip(kept.items(), (0.2, 0.35, 0.5, 0.75, 1.0), strict=True):
        label = "f after 1, 10, …, 10 000 updates" if update == 10_000 else None
        right.step(np.arange(0.5, 7), [values[0], *values], color=BLUE, alpha=shade, label=label)
    right.axhline(0, color="k", lw=0.6)
    right.set(xlabel="box", ylabel="f, and the number of points", ylim=(-9, 12), title="f where D has no limits")
    right.legend(loc="upper left", fontsize=8)


show(draw, "01_why_lipschitz_2", height=3.2)

# %% [markdown]
# ## The gradient of the best f
#
# What G learns from is the slope of f. So we differentiate (3). The derivative of $\log q(x)$ is, by the chain rule,
# $\frac1{q(x)}$ times the derivative of $q(x)$. The same holds for p, and for points with several coordinates, where
# ∇ collects the derivatives by all of them:
#
# $$\nabla_xf^*(x) = \frac1{q(x)}\nabla_xq(x) - \frac1{p(x)}\nabla_xp(x). \tag{4}$$
#
# In both terms something is divided by a density, which may be as small as you like. The paper says what follows:
# this may be unbounded, or it may not even be possible to compute it. Let us see all that can happen, on the line,
# where the gradient is one number. First for our two Gaussians:
#
# $$\log q(x) = -\frac{(x - m)^2}{2s^2} - \log(s\sqrt{2\pi}), \qquad
# \frac{\nabla q}q = \frac d{dx}\log q(x) = -\frac{x - m}{s^2}.$$
#
# For the fakes the mean is 0 in place of m, so $\nabla p/p$ is $-x/s^2$. The difference of the two is
#
# $$\frac{d}{dx}f^*(x) = -\frac{x - m}{s^2} + \frac x{s^2} = \frac m{s^2}.$$
#
# The x has cancelled. The slope is the same everywhere, and $f^*$ is a straight line. It is 0 where q and p are
# equal, which is halfway, at $m/2$. Therefore
#
# $$f^*(x) = \frac m{s^2}\Big(x - \frac m2\Big), \qquad f^*(0) = -\frac{m^2}{2s^2}.$$

# %%
for m, s in ((1, 1), (4, 1), (1, 0.1)):
    x = m / 2 + s * np.array([-1.0, 0.0, 2.0])
    q, p = density(x, m, s), density(x, 0, s)
    dq = (density(x + step, m, s) - density(x - step, m, s)) / (2 * step)
    dp = (density(x + step, 0, s) - density(x - step, 0, s)) / (2 * step)
    df_star = dq / q - dp / p  # (4)
    print(f"m = {m}, s = {s}: (4) at three points", df_star.round(3), f"  m/s² = {m / s**2:.0f}")
    assert np.allclose(df_star, m / s**2, rtol=1e-5)
    real, fake = sn.Mixture(np.array([[float(m)]]), s), sn.Mixture(np.array([[0.0]]), s)  # the package's Gaussians
    assert np.allclose(real.log_density(x[:, None]) - fake.log_density(x[:, None]), m / s**2 * (x - m / 2))
    assert np.allclose(real.grad_log_density(x[:, None]) - fake.grad_log_density(x[:, None]), m / s**2)

# %% [markdown]
# ## Two kinds of worse
#
# For two Gaussians of one width, (4) is at least a number. It is worse in other cases.
#
# **No bound.** Let both means be 0, with a standard deviation of 1 for q and of 2 for p. They overlap everywhere. Yet
#
# $$\frac{d}{dx}f^*(x) = -\frac x1 + \frac x4 = -\tfrac34x,$$
#
# and this grows without end as x moves away.
#
# **No number.** Let q be 1 between 2 and 3 and 0 elsewhere, and p be 1 between 0 and 1 and 0 elsewhere. Among the
# fakes (3) says $\log 0 - \log 1 = -\infty$, among the real points $+\infty$, and in between $\log 0 - \log 0$, which
# is nothing at all. There is no slope to compute. Look at D instead: it is best if it is 0 on the fakes and 1 on the
# real points. Then V is 0, and better is not possible. But then D is constant on the fakes, and its slope there is 0.
# This is the case that the paper's introduction speaks of: supports that do not overlap, a perfect discriminator, and
# a generator that stops learning. (The *support* of a density is where it is not 0.)

# %%
x = np.array([1.0, 10.0, 100.0])
narrow_data, wide_fakes = sn.Mixture(np.array([[0.0]]), 1.0), sn.Mixture(np.array([[0.0]]), 2.0)
df_star = (narrow_data.grad_log_density(x[:, None]) - wide_fakes.grad_log_density(x[:, None]))[:, 0]
print("slope of f* at 1, 10, 100:", df_star)
f_star_beside = [np.log(density(x[:2] + dx, 0, 1) / density(x[:2] + dx, 0, 2)) for dx in (-step, step)]
assert np.allclose((f_star_beside[1] - f_star_beside[0]) / (2 * step), df_star[:2])  # by differences
assert np.allclose(df_star, -0.75 * x)

place = np.array([0.25, 0.5, 0.75])  # among the fakes
q, p = np.zeros(3), np.ones(3)
D_perfect = q / (q + p)
with np.errstate(divide="ignore"):
    print("disjoint supports: D among the fakes", D_perfect, "  f* there", np.log(q) - np.log(p))
assert np.array_equal(D_perfect, [0, 0, 0])

# %% [markdown]
# ## What G gets
#
# G moves its points. To know where to, it takes the gradient of its own cost by the position of a fake, through f. It
# has two costs to choose from. The first is the term of V that fakes occur in, which G wants to be small:
#
# $$\log(1 - D(x)) = -\mathrm{softplus}(f(x))$$
# $$\nabla_x\log(1 - D(x)) = -\mathrm{sigmoid}(f(x))\,\nabla_xf(x) = -D(x)\,\nabla_xf(x).$$
#
# The second one is what the experiments of the paper use. It is small, too, if D takes the fake for real:
#
# $$-\log D(x) = \mathrm{softplus}(-f(x))$$
# $$\nabla_x\big({-\log D(x)}\big) = -\mathrm{sigmoid}(-f(x))\,\nabla_xf(x) = -(1 - D(x))\,\nabla_xf(x).$$
#
# G walks against the gradient of its cost, and so both times along $+\nabla f$, uphill. The two differ in the factor
# in front. Let us call the length of the step, before the learning rate, the *push*: $D\,\|\nabla f\|$ with the first
# cost and $(1 - D)\,\|\nabla f\|$ with the second. The first cost is called *saturating*, because the factor D
# vanishes where D is sure that a point is a fake. The second is called *non-saturating*.
#
# For the two Gaussians and the best f we know everything at $x = 0$, the middle of the fakes. First pull them apart,
# as in the picture at the beginning, with $s = 1$. With a pencil for $m = 2$: the slope is 2,
# $f^* = -\frac{4}{2} = -2$, and $D = 0.1192$. The pushes are $0.1192 \cdot 2 = 0.2384$ and $0.8808 \cdot 2 = 1.7616$.


# %%
def pushes(f, slope):
    """Compute the two lengths, D ‖∇f‖ and (1 - D) ‖∇f‖."""
    return np.exp(-softplus(-f)) * slope, np.exp(-softplus(f)) * slope


print("    m    s     slope     f*(0)   saturating  non-saturating")
table = {}
for m, s in ((1, 1.0), (2, 1.0), (4, 1.0), (8, 1.0), (40, 1.0), (1, 0.5), (1, 0.1), (1, 0.01)):
    slope, f_at_0 = m / s**2, -(m**2) / (2 * s**2)
    table[m, s] = pushes(f_at_0, slope)
    print(f"{m:5} {s:4} {slope:9.0f} {f_at_0:9.1f} {table[m, s][0]:12.3g} {table[m, s][1]:15.4f}")
    if (m, s) == (2, 1.0):
        f_star = np.array([f_at_0])
        by_package = [abs(cost(f_star)[1] * slope).item() for cost in (sn.saturating_g, sn.non_saturating_g)]
        assert np.allclose(by_package, table[m, s])
assert np.allclose(table[1, 1.0], [0.378, 0.622], atol=5e-4)
assert np.allclose(table[2, 1.0], [0.2384, 1.7616], atol=5e-5)
assert f"{table[8, 1.0][0]:.3g}" == "1.01e-13"
assert np.allclose([table[8, 1.0][1], table[40, 1.0][1]], [8, 40])
assert table[40, 1.0][0] == table[1, 0.01][0] == 0
assert np.allclose([table[1, 0.1][1], table[1, 0.01][1]], [100, 10_000])

# %% [markdown]
# One apart, G gets 0.378 or 0.622, and either is a fine gradient. Eight apart, it gets $10^{-13}$ or 8. Forty apart,
# the saturating push is 0: not small, but 0, because $e^{-800}$ is less than the smallest number that the computer
# has.
#
# The last three lines of the table leave the distance at 1 and make both Gaussians narrower. What counts is the
# distance *compared with the width*: $f^*(0)$ contains m/s only. But the slope contains another 1/s. At $s = 0.1$ the
# non-saturating push is 100, and at $s = 0.01$ it is 10 000, while the saturating one is 0. G is at a distance of 1
# from where it should be. **It is told either nothing, or to move by 10 000.**
#
# The supports need not be disjoint for this. Two Gaussians overlap everywhere. It is enough that they are far apart,
# compared with their widths. Real data are believed to be like this. In a space of many dimensions they lie near a
# thin surface, and so do the outputs of G, on a surface of their own.
#
# ## G against the best D
#
# A push of 100 might be what G needs, if the learning rate is small. So let G play. It has one number, μ, the mean of
# its fakes, and starts at $\mu = 0$ with the real points at $m = 1$. Before each of G's steps D becomes the best one.
# The distance is now $m - \mu$, which takes the place of m above: the slope is $(m - \mu)/s^2$. With the learning
# rate α and the second cost, G's step at the middle of its fakes is
#
# $$\mu \leftarrow \mu + \alpha\,(1 - D)\,\frac{m - \mu}{s^2}.$$
#
# What does this do to the distance? Subtract both sides from m:
#
# $$m - \mu \;\leftarrow\; (m - \mu) - \alpha\,(1 - D)\,\frac{m - \mu}{s^2}
# = (m - \mu)\Big(1 - (1 - D)\frac\alpha{s^2}\Big).$$
#
# Each step multiplies the distance by a number. Take $s = 0.1$ and $\alpha = 0.1$. Then $\alpha/s^2 = 10$, and
# $1 - D$ is 1 in all digits. So the distance is multiplied by $1 - 10 = -9$. It goes 1, −9, 81, −729.


# %%
def play(s, saturating, K=np.inf, alpha=0.1, steps=60):
    """Let G move against the best f with a slope of at most K, and return the distances m - μ."""
    m, mu = 1.0, 0.0
    distances = [m - mu]
    for _ in range(steps):
        slope = np.clip((m - mu) / s**2, -K, K)
        f_at_mu = slope * (mu - (m + mu) / 2)  # f is 0 halfway
        push = pushes(f_at_mu, slope)[0 if saturating else 1]
        mu = mu + alpha * push
        distances.append(m - mu)
    return np.array(distances)


games = {
    "s = 1, non-saturating": play(1.0, False, steps=5),
    "s = 0.1, non-saturating": play(0.1, False, steps=5),
    "s = 0.1, saturating": play(0.1, True, steps=5),
}
for name, distances in games.items():
    print(f"{name:24}", *(f"{distance:9.3f}" for distance in distances))
assert np.allclose(games["s = 0.1, non-saturating"], [1, -9, 81, -729, 6561, -59049])
assert np.allclose(games["s = 0.1, saturating"], 1)
assert np.allclose(games["s = 1, non-saturating"][[1, 5]], [0.938, 0.735], atol=5e-4)

# %% [markdown]
# At $s = 1$ the distance goes down, as it should: 1.000, 0.938, and 0.735 after five steps. At $s = 0.1$ the very
# same rule throws G away, farther each time, or does not move it at all.
#
# Would a smaller learning rate help? The factor $1 - \alpha/s^2$ is between −1 and 1 if α is less than $2s^2$, which
# is 0.02 here and 0.0002 at $s = 0.01$. So there is an α for every s. But G would have to know how narrow the data
# are, in every direction, and to change α as its own points become narrower. What we would like is a push that does
# not depend on s.
#
# ## How steep may a function be: the Lipschitz constant
#
# Both troubles come from f being too steep. A steep f pushes too hard. And a steep f takes values far from 0, so that
# D is too sure, and the other cost pushes too little. So we put a limit on how steep f may be. Here is the notion for
# it.
#
# Take two points x and x′, and divide how much f changes by how far they are apart. The *Lipschitz constant* of f is
# the smallest M which this quotient never exceeds:
#
# $$\frac{\|f(x) - f(x')\|}{\|x - x'\|} \le M \quad\text{for all } x \ne x', \qquad \|f\|_{Lip} := \text{the smallest
# such } M.$$
#
# If f has a constant of at most K, we say that f is *K-Lipschitz*. Some examples on the line, to be done with a
# pencil before you look at what is printed:
#
# * $3x + 2$ changes by 3 times the distance, always. The constant is 3, and the 2 has no say.
# * $|x|$ has the slopes 1 and −1. The constant is 1. The kink does no harm: a function need not have a derivative
#   everywhere to be Lipschitz.
# * $\sin(2x)$ has the slope $2\cos(2x)$, which is at most 2.
# * sigmoid has the slope $D(1 - D)$, which is largest at $D = \frac12$: ¼.
# * $x^2$ has the slope 2x. On the whole line there is no constant. Between −3 and 3 it is 6.
#
# On the line there is a rule behind this: **the constant is the largest absolute slope.** The change of f between x′
# and x is the mean slope between them times the distance, and a mean is not larger than the largest. And two points
# close to each other, where the slope is largest, have a quotient as near to it as you like.

# %%
rng = np.random.default_rng(0)
x, x_prime = rng.uniform(-3, 3, (2, 100_000))
examples = {
    "3x + 2": (lambda x: 3 * x + 2, 3),
    "|x|": (np.abs, 1),
    "sin 2x": (lambda x: np.sin(2 * x), 2),
    "sigmoid": (sigmoid, 0.25),
    "x² on [-3, 3]": (np.square, 6),
}
for name, (function, constant) in examples.items():
    quotients = np.abs(function(x) - function(x_prime)) / np.abs(x - x_prime)
    print(f"{name:14} constant {constant:4}, largest quotient of 100 000 pairs {quotients.max():.4f}")
    assert 0.98 * constant < quotients.max() <= constant * (1 + 1e-6)

# %% [markdown]
# With several coordinates the slope depends on the direction. Take $f(x) = 3x_1 + 4x_2$. Going along $x_1$ it rises
# by 3 per unit, along $x_2$ by 4, and along (3, 4)/5 by $(9 + 16)/5 = 5$. This is the length of the gradient (3, 4),
# and no direction has more. In general, walk straight from x′ to x. Let e be the direction, of length 1. At each
# point of the way f rises by $\nabla f^Te$ per unit, and
#
# $$|\nabla f^Te| \le \|\nabla f\|\,\|e\| = \|\nabla f\|$$
#
# by the inequality of Cauchy and Schwarz. There is equality if e points along the gradient. As on the line, the
# change of f is the mean of what it rises per unit, times the distance. So the rule becomes: **the Lipschitz constant
# is the largest length of the gradient.**

# %%
gradient = np.array([3.0, 4.0])
for direction in ([1, 0], [0, 1], [0.6, 0.8], [0.8, -0.6]):
    print(f"along {direction!s:12} f rises by {gradient @ direction:.2f} per unit")
directions = rng.standard_normal((1000, 2))
directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
steepest = (directions @ gradient).max()
print(f"steepest of 1000 directions: {steepest:.4f}; length of the gradient: {np.linalg.norm(gradient):.4f}")
assert gradient @ [0.6, 0.8] == np.linalg.norm(gradient) == 5
assert 4.99 < steepest <= 5

# %% [markdown]
# There is a picture of it. Choose a point of the graph of f, and draw the two lines with the slopes K and −K through
# it. If f is K-Lipschitz, the graph stays between them, in the white sectors to the left and to the right, whichever
# point was chosen. The graph of sin 2x does so for K = 2. For K = 1 it runs into the grey.

# %%
x, x_0 = np.linspace(-3, 3, 601), 0.2
inside = {K: np.abs(np.sin(2 * x) - np.sin(2 * x_0)) <= K * np.abs(x - x_0) + 1e-12 for K in (2, 1)}
for K, points in inside.items():
    print(f"K = {K}: {points.sum()} of {x.size} points of the graph are in the sectors")
assert inside[2].all()
assert not inside[1].all()


# %%
def draw(*axes):
    for ax, K in zip(axes, (2, 1), strict=True):
        up, down = (np.sin(2 * x_0) + sign * K * np.abs(x - x_0) for sign in (1, -1))
        ax.fill_between(x, up, 10, color=GREY, alpha=0.3, lw=0)
        ax.fill_between(x, down, -10, color=GREY, alpha=0.3, lw=0)
        ax.plot(x, np.sin(2 * x), color=BLUE)
        ax.plot(x[~inside[K]], np.sin(2 * x[~inside[K]]), ".", color=ORANGE, ms=4)
        ax.plot(x_0, np.sin(2 * x_0), "o", color="k", ms=4)
        verb = "stays in" if inside[K].all() else "leaves"
        ax.set(xlabel="x", ylim=(-2.5, 2.5), title=f"K = {K}: sin 2x {verb} the sectors")


show(draw, "01_why_lipschitz_3", height=2.8)

# %% [markdown]
# ## What the limit does, before any calculation
#
# The paper searches for the best D only among the K-Lipschitz functions f:
#
# $$\arg\max_{\|f\|_{Lip} \le K} V(G, D). \tag{5}$$
#
# Note that the limit is put on f, which comes before the sigmoid, and not on D. Two things follow at once, without
# solving (5), for every such f.
#
# 1. **No push is larger than K.** D and $1 - D$ are at most 1, and $\|\nabla f\| \le K$. So the second cost cannot
#    throw G away. The distance that it goes in a step is at most αK, whatever the widths of the densities are.
# 2. **D cannot be too sure of both.** Between a fake and a real point at a distance of m, f rises by at most Km. If
#    $Km = 1$, then f cannot be −5 at the fake and 5 at the real point. It can be $-\frac12$ and $\frac12$.
#
# ## The constrained problem, with a pencil
#
# Let us now solve (5). Two Gaussians with $s \to 0$ are two points: the fake is at 0, the real one is at 1. This was
# the hopeless case, in which (4) has no bound. Only two values of f matter, $f_{fake} = f(0)$ and $f_{real} = f(1)$.
# We minimise
#
# $$-V = \mathrm{softplus}(-f_{real}) + \mathrm{softplus}(f_{fake}).$$
#
# Write g for the gap, $g = f_{real} - f_{fake}$. Being K-Lipschitz means $|g| \le K \cdot 1$. Two questions are left:
# given the gap, where should $f_{fake}$ be? And how large should the gap be?
#
# *Given the gap*, put $f_{real} = f_{fake} + g$, and differentiate by $f_{fake}$. The derivative of softplus is the
# sigmoid:
#
# $$-V = \mathrm{softplus}(-f_{fake} - g) + \mathrm{softplus}(f_{fake})$$
# $$\frac{\partial(-V)}{\partial f_{fake}} = -\mathrm{sigmoid}(-f_{fake} - g) + \mathrm{sigmoid}(f_{fake}) = 0.$$
#
# The sigmoid rises everywhere, so it has the same value twice only at the same number:
#
# $$f_{fake} = -f_{fake} - g$$
# $$f_{fake} = -\frac g2, \qquad f_{real} = \frac g2.$$
#
# D is as sure about the one as about the other. The derivative goes from negative to positive there, so it is a
# minimum. *Now the gap.* With these values
#
# $$-V = 2\,\mathrm{softplus}(-g/2),$$
#
# which falls as g rises. So the gap should be as large as it may be, $g = K$. The smallest loss is
#
# $$-V = 2\,\mathrm{softplus}(-K/2),$$
#
# and it is reached by $f_{fake} = -K/2$, $f_{real} = K/2$. Between the two points f has to be the straight line
# $K(x - \frac12)$, for it needs all of its slope to get up there. To the left and to the right of them nothing is at
# stake, and the line may go on. For K = 1 the loss is 0.948.

# %%
K = 1.0
smallest = 2 * softplus(-K / 2)
f_fake = rng.uniform(-3, 3, 100_000)
f_real = f_fake + K * rng.uniform(-1, 1, 100_000)  # any pair that K allows
losses = softplus(-f_real) + softplus(f_fake)
best = losses.argmin()
print(f"smallest loss by (5): {smallest:.4f}; best of 100 000 allowed pairs: {losses[best]:.4f}", end=" ")
print(f"at f_fake = {f_fake[best]:.2f}, f_real = {f_real[best]:.2f}")
assert round(smallest, 3) == 0.948
assert np.all(losses >= smallest * (1 - 1e-12))
assert np.allclose([f_fake[best], f_real[best]], [-0.5, 0.5], atol=0.1)
assert np.isclose(sn.standard_d(np.array([0.5]), np.array([-0.5]))[0], smallest)

# %% [markdown]
# And what does G get? The slope at the fake is K, and $D = \mathrm{sigmoid}(-K/2)$. So the pushes are
#
# $$K\,\mathrm{sigmoid}(-K/2) \quad\text{and}\quad K\,\mathrm{sigmoid}(K/2).$$
#
# For K = 1 they are 0.378 and 0.622. These are the numbers from the first line of the table above, where the
# Gaussians were wide and near each other. **The limit makes two points look to G like two broad clouds.**
#
# ## What K decides
#
# With a large K we must come back to the hopeless case. Let us see from where on the pushes are bad.

# %%
print("    K     loss  saturating  non-saturating")
for K in (0.1, 1.0, 2.5, 10.0, 100.0):
    loss, (saturating, non_saturating) = 2 * softplus(-K / 2), pushes(-K / 2, K)
    print(f"{K:5} {loss:8.3g} {saturating:11.3g} {non_saturating:15.4g}")
    if K == 1:
        assert np.allclose([loss, saturating, non_saturating], [0.948, 0.378, 0.622], atol=5e-4)
    if K == 10:
        assert np.allclose([saturating, non_saturating], [0.0669, 9.933], rtol=5e-4)
assert np.allclose([saturating, non_saturating], [1.93e-20, 100], rtol=1e-3, atol=0)

# %% [markdown]
# At K = 10 the pushes are 0.0669 and 9.933, at K = 100 they are $2 \cdot 10^{-20}$ and 100. On the other side, at
# K = 0.1, D hardly knows anything, and both pushes are about 0.05. So K trades the sharpness of D for the gradient of
# G. The paper takes K = 1, and reports that this worked without any tuning.
#
# But K has to be seen beside the scale of the data. If the two points are at a distance of m, then the gap is at most
# Km, and Km stands in the loss where K stands above. Whoever divides the data by 2 has divided K by 2. Tutorial 7
# shows how to choose K for data of another scale.


# %%
def draw(left, right):
    x = np.linspace(-0.25, 1.25, 50)
    for K, color in ((0.5, GREEN), (1, BLUE), (2.5, ORANGE), (10, GREY)):
        left.plot(x, K * (x - 0.5), color=color, label=f"K = {K}")
    left.plot(0, -2.6, "s", color=ORANGE)
    left.plot(1, -2.6, "s", color="k")
    left.annotate("fake", (0, -2.6), (6, 5), textcoords="offset points", fontsize=8)
    left.annotate("real", (1, -2.6), (-24, 5), textcoords="offset points", fontsize=8)
    left.set(xlabel="x", ylabel="f", ylim=(-3, 3), title="the best f of (5), for two points")
    left.legend(loc="upper left", fontsize=8)
    K = np.geomspace(0.1, 100, 200)
    saturating, non_saturating = pushes(-K / 2, K)
    right.loglog(K, saturating, color=BLUE, label="saturating")
    right.loglog(K, non_saturating, color=ORANGE, label="non-saturating")
    right.axvline(1, color=GREY, ls=":")
    right.set(xlabel="K", ylim=(1e-4, 200), title="the push that G gets from it")
    right.legend(loc="upper left")


show(draw, "01_why_lipschitz_4", height=3.2)

# %% [markdown]
# ## G against the best D with a limit
#
# Now the game from above once more, with $s = 0.1$ and the same learning rate. Before each of G's steps D becomes the
# best line $f(x) = wx + c$ whose slope w is at most $K = 1$. Its slope is that of $f^*$, which is a line itself, or K
# if $f^*$ is steeper. It crosses 0 halfway between the two means.

# %%
limited, limited_saturating = play(0.1, False, K=1.0), play(0.1, True, K=1.0)
narrower = play(0.01, False, K=1.0)
print("step                        ", *(f"{step:7}" for step in (0, 1, 2, 5, 10, 15, 20, 59, 60)))
for name, distances in (
    ("s = 0.1, non-saturating", limited),
    ("s = 0.1, saturating", limited_saturating),
    ("s = 0.01, non-saturating", narrower),
):
    print(f"distance, {name:24}", *(f"{distances[step]:6.3f} " for step in (0, 1, 2, 5, 10, 15, 20, 59, 60)))
assert np.allclose(limited[[1, 5, 10]], [0.938, 0.696, 0.410], atol=5e-4)
assert np.allclose(limited_saturating[[1, 10]], [0.962, 0.602], atol=5e-4)
assert np.allclose(limited[:10], narrower[:10])
assert np.abs(limited[20:]).max() < 0.05
assert np.all(np.abs(np.diff(limited)) <= 0.1 * 1.0)

# %% [markdown]
# With either cost the distance goes down steadily. And where s is ten times smaller, at 0.01, it goes down in the
# very same way. It needs no knowledge of the widths. At the end G does not come to rest. It jumps to and fro across
# the middle of the real points, each time by about αK/2 = 0.05. The reason is that the slope of f stays at K until
# the distance is smaller than $Ks^2 = 0.01$. A learning rate that goes down in time takes care of that.
#
# ## A small f, trained by hand
#
# So far D was the best one, by decree. Now it has to learn. Its f shall be the smallest there is, $f(x) = wx + c$
# with two numbers. The points are a hundred real ones around 1 and a hundred fakes around 0, with $s = 0.1$. They are
# drawn in pairs, one on either side of the mean, so that their means are 1 and 0 exactly. The derivatives follow from
# the one of softplus, as for one place above:
#
# $$\frac{\partial V}{\partial w} = \hat E_{real}\big[\mathrm{sigmoid}(-f(x))\,x\big] -
# \hat E_{fake}\big[\mathrm{sigmoid}(f(x))\,x\big],$$
# $$\frac{\partial V}{\partial c} = \hat E_{real}\big[\mathrm{sigmoid}(-f(x))\big] -
# \hat E_{fake}\big[\mathrm{sigmoid}(f(x))\big].$$
#
# Ê is the mean over the points at hand. The first step can be done with a pencil. At $w = c = 0$ all sigmoids are ½.
# So the derivatives are $\frac12 \cdot 1 - \frac12 \cdot 0 = \frac12$ and $\frac12 - \frac12 = 0$. With a learning
# rate of 1, w becomes ½, and c stays 0.
#
# We train twice. The second time w is set back to 1 whenever it has become larger: this is a limit of K = 1 on the
# slope.

# %%
rng = np.random.default_rng(0)
s = 0.1
half = s * rng.standard_normal((2, 50))
x_real, x_fake = (mean + np.concatenate([h, -h]) for mean, h in zip((1, 0), half, strict=True))


def train_line(K, updates):
    """Train f(x) = wx + c with |w| ≤ K by gradient ascent, and return (w, c, loss, pushes) after some updates."""
    w, c, records = 0.0, 0.0, {}
    for update in range(1, updates + 1):
        f_real, f_fake = w * x_real + c, w * x_fake + c
        dw = np.mean(sigmoid(-f_real) * x_real) - np.mean(sigmoid(f_fake) * x_fake)
        dc = np.mean(sigmoid(-f_real)) - np.mean(sigmoid(f_fake))
        w, c = np.clip(w + dw, -K, K), c + dc
        if update in (1, 10, 100, 1000, 10_000):
            loss = np.mean(softplus(-w * x_real - c)) + np.mean(softplus(w * x_fake + c))
            records[update] = [w, c, loss, *(push.mean() for push in pushes(w * x_fake + c, w))]
    return records


lines = {"no limit": train_line(np.inf, 10_000), "|w| ≤ 1": train_line(1.0, 10_000)}
for name, records in lines.items():
    print(f"{name:8}  update      w      c    loss  saturating  non-saturating")
    for update, record in records.items():
        print("{:16} {:6.2f} {:6.2f} {:7.4f} {:11.4f} {:15.4f}".format(update, *record))
assert np.allclose(lines["no limit"][1][:2], [0.5, 0])
assert np.allclose([lines["no limit"][update][0] for update in (100, 1000, 10_000)], [7.35, 12.58, 18.22], atol=5e-3)
assert np.allclose(lines["no limit"][10_000][2:], [0.0009, 0.0092, 18.2123], atol=5e-5)
assert np.allclose(lines["|w| ≤ 1"][10_000], [1, -0.5, 0.950, 0.378, 0.622], atol=5e-4)
assert np.allclose(lines["|w| ≤ 1"][100], lines["|w| ≤ 1"][10_000])

# %% [markdown]
# Without a limit w is 7.35 after 100 updates, 12.58 after 1000, 18.22 after 10 000. It climbs for as long as we
# train, and the two pushes part: at the end they are 0.0092 and 18.2. So how well G learns would depend on how long
# D has been trained, and somebody would have to watch that D does not become too good.
#
# With the limit, everything is over after 100 updates: $w = 1$, $c = -0.50$, a loss of 0.950 and pushes of 0.378 and
# 0.622. These are the numbers from the pencil, up to the width of the Gaussians. And they stay. **D may be trained as
# long as one likes.**
#
# ## The same for a network
#
# In a network there is no w that could be set back to 1. Its slope comes from many matrices together. The method of
# the paper, *spectral normalisation*, divides each of them by its own Lipschitz constant. Then no layer makes a
# distance larger, and the whole chain does not, either. What the constant of a matrix is, and how one gets it, is the
# subject of tutorials 2 and 3. Here we use it without asking, to see whether a network does what the line did: three
# matrices, 32 units in each hidden layer, Adam, and 64 fresh points of either kind for each update.

# %%
real, fake = sn.Mixture(np.array([[1.0]]), s), sn.Mixture(np.array([[0.0]]), s)
grid = np.linspace(-0.5, 1.5, 401)[:, None]
last = 100 if QUICK else 1000


def train_network(normalizer):
    """Train a network D alone; return (loss, steepest slope, pushes) and f on the grid, after some updates."""
    gan = sn.GAN((1, 32, 32, 1), (2, 8, 1), normalizer=normalizer, d_optim=sn.Adam(1e-3, 0.5, 0.9), d_net=sn.MLP(0.1))
    D, rng, records, curves = sn.start(gan, seed=0).D, np.random.default_rng(0), {}, {}
    for update in range(1, last + 1):
        D, loss, *_ = sn.d_step(gan, D, real.sample(64, rng=rng), fake.sample(64, rng=rng))
        if update in (10, 100, 1000):
            W_bar, b = sn.effective(D, normalizer)
            f_grid, _ = sn.forward(W_bar, b, grid, slope=0.1)
            f_fake, tape = sn.forward(W_bar, b, x_fake[:, None], slope=0.1)
            df = sn.backward_to_input(W_bar, tape, np.ones_like(f_fake), slope=0.1)  # the slope at every fake
            steepest = np.abs(np.diff(f_grid[:, 0]) / np.diff(grid[:, 0])).max()
            records[update] = [loss, steepest, *(push.mean() for push in pushes(f_fake, np.abs(df)))]
            curves[update] = f_grid[:, 0]
    return records, curves


networks = {"no limit": train_network(sn.Identity()), "SN": train_network(sn.SpectralNorm())}
for name, (records, _) in networks.items():
    print(f"{name:8}  update      loss   steepest  saturating  non-saturating")
    for update, record in records.items():
        print("{:16} {:9.2g} {:10.3g} {:11.2g} {:15.3g}".format(update, *record))
assert networks["no limit"][0][100][1] > 5
assert networks["SN"][0][100][1] < 1.1
if not QUICK:
    free, normalised = networks["no limit"][0][1000], networks["SN"][0][1000]
    assert free[0] < 1e-7
    assert 70 < free[1] < 90
    assert free[2] < 1e-5
    assert 20 < free[3] < 32
    assert np.allclose(normalised, [0.95, 1.0, 0.38, 0.62], atol=0.02)

# %% [markdown]
# It does. After 1000 updates the free network has a loss of about $10^{-9}$, a slope of about 80 at its steepest, and
# pushes of about $10^{-7}$ and 26. The normalised one has a loss of 0.95, a slope of 1.0, and pushes of 0.38 and
# 0.62. Nobody has told it the solution of (5), and it has found the line $x - \frac12$ between the two clouds.
#
# The picture has both games side by side. On the left G moves against the best D: the distance should go down to 0.
# On the right D is trained alone, and the darker a line is, the later it was drawn. The coloured bands are where the
# fakes (orange) and the real points (grey) are.


# %%
def draw(left, right):
    left.axhline(0, color=GREY)
    left.plot(play(0.1, False, steps=1), "o-", color=ORANGE, label="no limit, non-saturating")
    left.annotate("to −9, 81, −729, …", (0.5, -0.4), fontsize=8)
    left.plot(play(0.1, True, steps=40), color=GREEN, label="no limit, saturating")
    left.plot(limited[:41], color=BLUE, label="limit, non-saturating")
    left.plot(limited_saturating[:41], "--", color=BLUE, label="limit, saturating")
    left.set(xlabel="step of G", ylabel="distance to the real points", ylim=(-0.6, 2.2))
    left.set(title="G against the best D, s = 0.1")
    left.legend(fontsize=8, loc="upper right")
    right.axvspan(-2 * s, 2 * s, color=ORANGE, alpha=0.15, lw=0)
    right.axvspan(1 - 2 * s, 1 + 2 * s, color=GREY, alpha=0.25, lw=0)
    for name, color in (("no limit", ORANGE), ("SN", BLUE)):
        for (update, curve), shade in zip(networks[name][1].items(), (0.3, 0.55, 1.0), strict=False):
            right.plot(grid, curve, color=color, alpha=shade, label=name if update == last else None)
    right.plot(grid, grid - 0.5, "k:", label="best by (5), K = 1")
    right.set(xlabel="x", ylabel="f(x)", ylim=(-8, 10), title="networks after 10, 100 and 1000 updates")
    right.legend(fontsize=8)


show(draw, "01_why_lipschitz_5", height=3.3)

# %% [markdown]
# ## What was learnt
#
# 1. The best discriminator has $f^* = \log q - \log p$, (3). Nothing bounds its gradient, (4).
# 2. Where data and fakes lie far apart for their widths, G gets from it a push of 0 or of 10 000, depending on its
#    cost.
# 3. Among K-Lipschitz functions, (5), the best f rises by K from the fakes to the data. For K = 1 and a distance of 1
#    it pushes G by 0.38 or 0.62, however narrow the data are and however long D is trained.
#
# ## Traps
#
# * The constraint is on f and not on D. D has a constant of at most K/4, because the sigmoid has one of ¼.
# * "1-Lipschitz" is a statement about all pairs of points. A penalty on the gradient at some points (the rival in
#   tutorial 8) says nothing about the other points. A limit on the weights holds everywhere.
# * K means nothing without the scale of the data: only K times the distance counts.
# * A large gradient of f is not a large gradient for G, and a small one of D is not a small one. What counts is
#   $D\,\|\nabla f\|$ or $(1 - D)\,\|\nabla f\|$. The gradient of D itself is $D(1 - D)\,\nabla f$, which is neither.
#
# ## Exercises
#
# The solutions are in [solutions/01_why_lipschitz.py](solutions/01_why_lipschitz.py).
#
# 1. *(Pencil.)* Let G be perfect, $p = q$. What are $f^*$ and $D^*$, how large is V, and what are the two pushes?
# 2. *(Pencil, then code.)* Which K gives G the longest saturating push in the problem of two points, and how long is
#    it? Begin with the derivative of $K\,\mathrm{sigmoid}(-K/2)$ by K.
# 3. *(Pencil, then code.)* Now in the plane: all fakes are at 0, and the real points are eight points on a circle of
#    radius R around it. Solve (5). What does the graph of the best f look like, what is its loss, and what is its
#    gradient at the fakes?
