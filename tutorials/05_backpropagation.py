# %% [markdown]
# # 5. Backpropagation through the whole GAN
# *Beside the paper: (1), section 4 (page 6) with (15)–(17), and Algorithm 1 (page 15) with (20)–(23).*
#
# After this tutorial you can
# * write the forward pass, its tape and the backward pass of a normalised discriminator without autograd;
# * take the generator's gradient through the discriminator, and train a ring of eight Gaussians;
# * check each of them as it is built, and recognise four classic mistakes.

# %%
import os
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import show

from specnorm_np import (
    GAN,
    MLP,
    SGD,
    Adam,
    Params,
    Player,
    d_step,
    evaluate,
    forward,
    g_step,
    generate,
    hinge_d,
    latents,
    linear_decay,
    non_saturating_g,
    power_iteration,
    random_direction,
    ring,
    sigmoid,
    softplus,
    spectral_norm,
    standard_d,
    start,
    train,
)
from specnorm_np.testing import check_gradient

# %% [markdown]
# ## Forward, and the tape
# $h_0 = x$, $a_l = \bar W^lh_{l-1} + b^l$, $h_l = \max(a_l, 0.1\,a_l)$, and f is the last $a_l$. Rows are points. The
# backward pass needs the $h_l$, the tape. The biases are random: at zero biases some mistakes would not show.


# %%
def run(W_bar, b, x):  # returns f and the tape
    tape = [x]
    for W, bias in zip(W_bar[:-1], b[:-1], strict=True):
        a = tape[-1] @ W.T + bias
        tape.append(np.maximum(a, 0.1 * a))
    return tape[-1] @ W_bar[-1].T + b[-1], tape  # (1)


def blocks(theta):  # the weights and the biases in θ
    return tuple([theta[f"{name}{l}"] for l in range(1, len(theta.layers) + 1)] for name in "Wb")


rng = np.random.default_rng(0)
normal, x_real, x_fake = rng.standard_normal, rng.standard_normal((6, 2)), rng.standard_normal((6, 2))
theta = Params.of_layers([(normal((m, n)), normal(m)) for m, n in ((5, 2), (4, 5), (1, 4))])
(W, b), x = blocks(theta), np.concatenate([x_real, x_fake])
f, tape = run(W, b, x)
assert np.allclose(f, forward(W, b, x, slope=0.1)[0])

# %% [markdown]
# ## The loss and its gradient at f
# D maximises (15). We minimise $-V$, with $-\log D = \mathrm{softplus}(-f)$ and $-\log(1 - D) = \mathrm{softplus}(f)$:
# $$-V = \hat E[\mathrm{softplus}(-f(x))] + \hat E[\mathrm{softplus}(f(G(z)))] \tag{15}$$
# Since $\mathrm{softplus}' = \mathrm{sigmoid}$, the gradient is $-\mathrm{sigmoid}(-f)/n$ at real points and
# $\mathrm{sigmoid}(f)/n$ at generated ones. From here on $1/n$ is part of δ, and sums over rows are means.

# %%
loss = softplus(-f[:6]).mean() + softplus(f[6:]).mean()  # (15)
df = np.concatenate([-sigmoid(-f[:6]), sigmoid(f[6:])]) / 6
assert np.isclose(loss, standard_d(f[:6], f[6:])[0])
check_gradient(lambda f: standard_d(f[:6], f[6:])[0], f, df)

# %% [markdown]
# ## Backward
# Write $\delta_l = \partial(-V)/\partial a_l$, as rows; the last one is `df`. Then, layer by layer from the end,
#
# $$\partial(-V)/\partial b^l = \textstyle\sum_{rows}\delta_l, \qquad
# \partial(-V)/\partial\bar W^l = \delta_l^Th_{l-1} \quad (\hat E[\delta h^T]\text{ of (11)}),$$
# $$\partial(-V)/\partial h_{l-1} = \delta_l\bar W^l, \qquad
# \delta_{l-1} = \partial(-V)/\partial h_{l-1} \odot a'(a_{l-1}).$$
#
# h has the sign of a, so the slope can be read off the tape. At $l = 1$ the third is the gradient at x.


# %%
def back(W_bar, tape, df):  # returns the gradient at (W̄, b), laid out as θ, and the one at x
    delta, parts = df, []
    for W, h in zip(reversed(W_bar), reversed(tape), strict=True):
        parts += [delta.sum(axis=0), (delta.T @ h).ravel()]
        dh = delta @ W
        delta = dh * np.where(h > 0, 1.0, 0.1)
    return np.concatenate(parts[::-1]), dh


def d_loss(vector, triplets=None, loss=standard_d):  # -V at W̄ = W or, given triplets, at W̄ = W/(uᵀWv)
    W, b = blocks(theta.replace(vector))
    if triplets is not None:
        W = [W_l / (t.u @ W_l @ t.v) for W_l, t in zip(W, triplets, strict=True)]  # (22), u and v held fixed
    f, _ = run(W, b, x)
    return loss(f[:6], f[6:])[0]


dtheta, _ = back(W, tape, df)
check_gradient(d_loss, theta.vector, dtheta)

# %% [markdown]
# ## D's step
# Normalise (22), go forward and backward with $\bar W$, pull the gradient back to W with (12), step on W (23), and
# then iterate (20), (21) once, from the old u, for the new W. That is the loop of Algorithm 1, entered after the power
# iteration. Nothing else moves u: D(real) and D(fake) see one $\bar W$. Here u and v are far from converged.

# %%
triplets = tuple(power_iteration(W_l, random_direction(len(W_l), rng=rng)) for W_l in W)
W_bar = [W_l / t.sigma for W_l, t in zip(W, triplets, strict=True)]  # (22)
f_bar, tape_bar = run(W_bar, b, x)
dW_bar, db = blocks(theta.replace(back(W_bar, tape_bar, np.concatenate(standard_d(f_bar[:6], f_bar[6:])[1:]))[0]))


def pulled_back(triplets, with_lam=1.0):
    lam = [with_lam * np.sum(G * W_l) for G, W_l in zip(dW_bar, W_bar, strict=True)]
    dW = [(G - l * np.outer(t.u, t.v)) / t.sigma for G, l, t in zip(dW_bar, lam, triplets, strict=True)]  # (12)
    return Params.of_layers(list(zip(dW, db, strict=True))).vector


normalised_loss = partial(d_loss, triplets=triplets)
check_gradient(normalised_loss, theta.vector, pulled_back(triplets))
gan = GAN((2, 5, 4, 1), (3, 4, 2), d_optim=SGD(0.1), g_optim=SGD(0.1), g_net=MLP(0.1))
D_next, *_ = d_step(gan, Player(theta, triplets, None), x_real, x_fake)
assert np.allclose(D_next.theta.vector, theta.vector - 0.1 * pulled_back(triplets))  # (23)
for W_l, t, t_next in zip(blocks(D_next.theta)[0], triplets, D_next.norms, strict=True):
    assert np.isclose(t_next.sigma, power_iteration(W_l, t.u).sigma)  # (20)-(22)

# %% [markdown]
# ## G's step, through D
# G minimises $-\hat E[\log D(G(z))]$, which has no number in the paper (with the hinge loss, $-\hat E[D(G(z))]$ (17)).
# By the chain rule: the gradient at f, then through D to its input, then through G to its θ. D's θ gets nothing.

# %%
theta_G, z = Params.of_layers([(normal((m, n)), normal(m)) for m, n in ((4, 3), (2, 4))]), normal((6, 3))


def g_loss(vector):  # as a function of G's θ
    return non_saturating_g(run(W_bar, b, run(*blocks(theta_G.replace(vector)), z)[0])[0])[0]


x_of_z, tape_G = run(*blocks(theta_G), z)
f_of_z, tape_D = run(W_bar, b, x_of_z)
_, dx = back(W_bar, tape_D, non_saturating_g(f_of_z)[1])
dtheta_G, _ = back(blocks(theta_G)[0], tape_G, dx)
check_gradient(g_loss, theta_G.vector, dtheta_G)
G_next = g_step(gan, Player(theta_G, (None, None), None), Player(theta, triplets, None), z)[0]
assert np.allclose(G_next.theta.vector, theta_G.vector - 0.1 * dtheta_G)

# %% [markdown]
# ## Four mistakes, and the check that finds them
# None of them raises an error by itself, for every shape fits. The oracle rejects all four.


# %%
def rejected(loss, x, dx):
    try:
        check_gradient(loss, x, dx)
    except AssertionError:
        return True


class Caching:  # a layer object, as many libraries have them
    def forward(self, x):
        self.f, self.tape = run(W, b, x)
        return self.f


net = Caching()  # 1. forward on real, forward on fake, then both backward: the first tape is gone
df_real, df_fake = standard_d(net.forward(x_real), net.forward(x_fake))[1:]
assert rejected(d_loss, theta.vector, back(W, net.tape, df_real)[0] + back(W, net.tape, df_fake)[0])
without_D = df_fake * np.ones(2)  # 2. D is missing in G's gradient: (6, 1) broadcasts to the (6, 2) of x
assert rejected(g_loss, theta_G.vector, back(blocks(theta_G)[0], tape_G, without_D)[0])
assert rejected(normalised_loss, theta.vector, pulled_back(triplets, with_lam=0.0))  # 3. λ dropped
later = [power_iteration(W_l, t.u) for W_l, t in zip(W, triplets, strict=True)]
assert rejected(normalised_loss, theta.vector, pulled_back(later))  # 4. u advanced between the passes

# %% [markdown]
# ## The ring
# The same steps, from the package, with Adam: networks of width 64, batches of 128, K = 1, 1500 updates, the last
# half with a falling learning rate. G finds all eight modes, each with at least 1 % of its points; more than 60 % of
# them are within three standard deviations of a mode. $\sigma(\bar W)$, by SVD, starts above 1.1; its median over the
# 64 × 64 layers is below 1.1 from update 100 on. One run shows that the steps are right, nothing about other methods.

# %%
steps = 120 if os.environ.get("SPECNORM_QUICK") == "1" else 1500
target, adam, sigmas = ring(8, radius=1.0, std=0.05), Adam(1e-3, 0.5, 0.9), []
falls = partial(linear_decay, start=0.5)
gan = GAN((2, 64, 64, 64, 1), (2, 64, 64, 64, 2), d_optim=adam, g_optim=adam, steps=steps, d_rate=falls, g_rate=falls)
for state, log in train(gan, start(gan, seed=0), target.sample):
    if state.step % 10 == 1:
        sigmas.append([spectral_norm(W_l) for W_l in log.W_bar])
points = generate(gan, state.G.theta, latents(gan, 2500, rng=rng))
report, hidden = evaluate(points, target, target.sample(2500, rng=rng), "one-percent"), np.array(sigmas)[10:, 1:3]
print(f"{report.modes} modes, {report.high_quality:.0%} of the points near one, median σ(W̄) {np.median(hidden):.3f}")
assert steps < 1500 or (report.modes == 8 and report.high_quality > 0.6)
assert np.median(hidden) < 1.1 < max(sigmas[0])


# %%
def draw(left, right):
    left.plot(*target.sample(1000, rng=rng).T, ".", color="#9A9A9A", ms=4, label="target")
    left.plot(*points[:1000].T, ".", color="#0072B2", ms=2, label="G(z)")
    left.set_aspect("equal", adjustable="datalim")
    left.legend(loc="center")
    for l, color in enumerate(("#0072B2", "#D55E00", "#009E73", "#CC79A7")):
        right.plot(np.arange(1, steps, 10), np.array(sigmas)[:, l], color=color, label=f"l = {l + 1}")
    right.set(xlabel="update", title="$\\sigma(\\bar W^l)$ through training")
    right.legend()


show(draw, "05_backpropagation", height=3.4)

# %% [markdown]
# ## Traps
# * If every forward call iterates, D(real), D(fake) and G's pass see three different $\bar W$.
# * (15) alone gives G a cost that saturates; the experiments use $-\log D$. The hinge (17) has no margin for G.
#
# ## Exercises
# 1. Show that separate passes over real and generated points give the same gradient as one pass over both.
# 2. Replace (15) by the hinge loss (16). What changes in the backward pass? Check it.
# 3. Without biases, $\lambda = \hat E[\delta^T\bar Wh]$ is the same in every layer. Why?

# %%
# 1. The gradient is a sum over rows, as long as both passes see the same W̄.
separate = back(W, run(W, b, x_real)[1], df_real)[0] + back(W, run(W, b, x_fake)[1], df_fake)[0]
assert np.allclose(separate, dtheta)
# 2. Only df: 0 beyond the margins, else ∓1/n.
dtheta_hinge, _ = back(W, tape, np.concatenate(hinge_d(f[:6], f[6:])[1:]))
check_gradient(partial(d_loss, loss=hinge_d), theta.vector, dtheta_hinge)
# 3. a'(a)·a = h for a leaky ReLU. So δ_{l-1}·a_{l-1} = ∂V/∂h_{l-1}·h_{l-1} = δ_l·(W̄h): the same number, passed on.
_, tape = run(W, [0 * b_l for b_l in b], x)
lams = [np.sum(G * W_l) for G, W_l in zip(blocks(theta.replace(back(W, tape, df)[0]))[0], W, strict=True)]
assert np.allclose(lams, lams[0])
