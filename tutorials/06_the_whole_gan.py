# %% [markdown]
# # 6. The whole GAN
#
# *Beside the paper: Algorithm 1 (page 15) with (20)–(23), and the losses of section 4 (page 6).*
#
# All parts are on the table: the spectral norm, its power iteration, its gradient, backpropagation. **How do they
# become a training loop, in which order, and what breaks if the order is wrong?** At the end of this tutorial a
# generator has learned a ring of eight Gaussians, with a loop that you have written yourself, and five mistakes that
# many people have made are seen to fail.
#
# After this tutorial you can
#
# * write a step of D with spectral normalisation, a step of G through D, and say what each may change;
# * point at each line of Algorithm 1 in the code, and say why this package enters the loop in the middle;
# * recognise five classic mistakes, and know the test that finds each of them.
#
# You need tutorial 4 for the gradient and tutorial 5 for the backward pass. From here on we use the package's
# `forward` and `backward`, which tutorial 5 has built.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn
from specnorm_np.testing import check_gradient

QUICK = os.environ.get("SPECNORM_QUICK") == "1"
SLOPE = 0.1  # of the leaky ReLU in D

# %% [markdown]
# ## What there is, and who may change it
#
# Two networks. D has raw weights W and biases b, and **for every weight a vector $\tilde u$**, the memory of the
# power iteration. G has weights and biases and nothing else, because the paper does not normalise G. Three rules say
# who may change what.
#
# 1. A step of D changes the W and b of D, and then its $\tilde u$. Nothing else.
# 2. A step of G changes the W and b of G. It looks *through* D, and leaves no trace in it.
# 3. $\tilde u$ moves once in a step of D. It does not move when D is merely looked at.
#
# The rules sound simple, and most of the mistakes at the end break one of them. To keep them, our functions change
# nothing in place. They take what is, and return what will be.


# %%
def random_network(widths, rng):
    """Draw weights as He et al. do, and biases of zero."""
    layers = []
    for l in range(len(widths) - 1):
        W = rng.standard_normal((widths[l + 1], widths[l])) * np.sqrt(2 / widths[l])
        layers.append((W, np.zeros(widths[l + 1])))
    return layers


rng = np.random.default_rng(0)
D = random_network((2, 16, 16, 1), rng)
G = random_network((2, 16, 2), rng)
D = [(W, rng.standard_normal(b.shape)) for W, b in D]  # biases other than 0, behind which a mistake could hide
u = [sn.random_direction(len(W), rng=rng) for W, b in D]
print("D:", [W.shape for W, _ in D], "  u:", [u_l.shape for u_l in u])
print("G:", [W.shape for W, _ in G])
assert [len(u_l) for u_l in u] == [len(W) for W, _ in D]

# %% [markdown]
# ## One power iteration
#
# For every layer, and with its *raw* W:
#
# $$\tilde v \leftarrow \frac{W^T\tilde u}{\|W^T\tilde u\|} \tag{20}$$
# $$\tilde u \leftarrow \frac{W\tilde v}{\|W\tilde v\|} \tag{21}$$
# $$\bar W = \frac W{\hat\sigma}, \qquad \hat\sigma = \tilde u^TW\tilde v \tag{22}$$
#
# We keep $\tilde u$, $\hat\sigma$ and $\tilde v$ together as a triplet, since all three belong to one and the same W.


# %%
def iterate(W, u):
    """Do one power iteration, and return the triplet (u, σ, v) of W."""
    v = W.T @ u
    v /= np.linalg.norm(v)  # (20)
    u = W @ v
    u /= np.linalg.norm(u)  # (21)
    return u, u @ W @ v, v


triplets = [iterate(W, u_l) for (W, _), u_l in zip(D, u, strict=True)]
sigma_bar = [sn.spectral_norm(W / sigma) for (W, _), (_, sigma, _) in zip(D, triplets, strict=True)]
print("σ(W̄) after one iteration from a random start:", np.round(sigma_bar, 3))
assert min(sigma_bar) >= 1 - 1e-12
for (W, _), u_l, (_, sigma, _) in zip(D, u, triplets, strict=True):
    assert np.isclose(sigma, sn.power_iteration(W, u_l).sigma)

# %% [markdown]
# They are above 1, as tutorial 3 has shown: $\hat\sigma$ is a lower bound. In training this heals by itself.
#
# ## The step of D
#
# Algorithm 1 says, for each update and each layer: iterate (20), (21), normalise (22), and step,
#
# $$W \leftarrow W - \alpha\,\nabla_W\,\ell(\bar W). \tag{23}$$
#
# It is a cycle: iterate, normalise, step, iterate, normalise, step, … A cycle can be entered anywhere. We enter it
# after the first iteration and so do *normalise, step, iterate*. The sequence of operations is the same. Why then?
# Because after D's step it is G's turn, and G looks through D. It needs a $\bar W$ that belongs to the *new* W. If
# the iteration comes last, then it is there already, and nobody is tempted to iterate somewhere else.
#
# So this is a step of D, in the order of the lines:
#
# 1. normalise every W with its triplet;
# 2. send real points and fakes through the network, in one batch;
# 3. compute the loss and its gradient at f, and go backward to the $\bar W$;
# 4. pull each gradient back to W, with $\tilde u$ and $\tilde v$ of the same triplet;
# 5. step on the raw W and on b;
# 6. iterate once, for the new W, from the old $\tilde u$.


# %%
def normalised(D, triplets):
    """Return W̄ and b of every layer."""
    return [W / sigma for (W, _), (_, sigma, _) in zip(D, triplets, strict=True)], [b for _, b in D]


def pull_back(dW_bar, W, triplet):
    """Take the gradient at W̄ back to W."""
    u, sigma, v = triplet
    lam = np.sum(dW_bar * W) / sigma
    return (dW_bar - lam * np.outer(u, v)) / sigma  # (12)


def d_loss_and_gradient(D, triplets, x_real, x_fake):
    """Compute the loss of D, and its gradient at every raw W and b."""
    W_bar, b = normalised(D, triplets)  # (22)
    f, tape = sn.forward(W_bar, b, np.concatenate([x_real, x_fake]), SLOPE)
    loss, df_real, df_fake = sn.standard_d(f[: len(x_real)], f[len(x_real) :])
    dW_bar, db = sn.backward(W_bar, tape, np.concatenate([df_real, df_fake]), SLOPE)
    dW = [pull_back(g, W, triplet) for g, (W, _), triplet in zip(dW_bar, D, triplets, strict=True)]
    return loss, list(zip(dW, db, strict=True))


def d_step(D, triplets, x_real, x_fake, alpha):
    """Do one step of D: Algorithm 1, entered after its power iteration."""
    _, gradient = d_loss_and_gradient(D, triplets, x_real, x_fake)
    D = [(W - alpha * dW, b - alpha * db) for (W, b), (dW, db) in zip(D, gradient, strict=True)]  # (23)
    triplets = [iterate(W, u) for (W, _), (u, _, _) in zip(D, triplets, strict=True)]  # (20), (21)
    return D, triplets


x_real, x_fake = rng.standard_normal((8, 2)) + np.array([2, 0]), rng.standard_normal((8, 2))
before, _ = d_loss_and_gradient(D, triplets, x_real, x_fake)
D_new, triplets_new = d_step(D, triplets, x_real, x_fake, alpha=0.1)
held = [(u, u @ W @ v, v) for (W, _), (u, _, v) in zip(D_new, triplets, strict=True)]  # the old u and v
step_alone, _ = d_loss_and_gradient(D_new, held, x_real, x_fake)
after, _ = d_loss_and_gradient(D_new, triplets_new, x_real, x_fake)
print(f"loss of D: before {before:.4f}, after the step on W {step_alone:.4f}, after the iteration as well {after:.4f}")
print("σ̂ with the old u and v:", np.round([s for _, s, _ in held], 3), "  after the iteration:", end=" ")
print(np.round([s for _, s, _ in triplets_new], 3))
assert step_alone < before
assert all(new >= old for (_, new, _), (_, old, _) in zip(triplets_new, held, strict=True))

# %% [markdown]
# The step on W lowers the loss. The iteration then finds a larger $\hat\sigma$, since the old $\tilde u$ came from a
# random start. It makes $\bar W$ smaller, and with it f. This is not the gradient's fault: (12) is the gradient for
# $\tilde u$, $\tilde v$ held fixed. Later in training the iteration finds hardly anything new, and the two agree.
#
# A lower loss is no proof, since many wrong gradients lower it, too. The proof is the check against the
# loss itself, with all parameters in one vector and $\tilde u$, $\tilde v$ held fixed. And the package's own `d_step`
# must do the same step, to the last digits.

# %%
theta = sn.Params.of_layers(D)


def d_loss(vector):
    """Compute the loss of D as a function of its raw parameters, u and v held fixed."""
    layers = theta.replace(vector).layers
    fixed = [(u, u @ W @ v, v) for (W, _), (u, _, v) in zip(layers, triplets, strict=True)]
    W_bar, b = normalised(layers, fixed)
    f, _ = sn.forward(W_bar, b, np.concatenate([x_real, x_fake]), SLOPE)
    return sn.standard_d(f[:8], f[8:])[0]


_, gradient = d_loss_and_gradient(D, triplets, x_real, x_fake)
d_gradient = sn.Params.of_layers(gradient).vector
check_gradient(d_loss, theta.vector, d_gradient)

gan = sn.GAN((2, 16, 16, 1), (2, 16, 2), d_optim=sn.SGD(0.1), g_optim=sn.SGD(0.1))
norms = tuple(sn.SingularTriplet(*triplet) for triplet in triplets)
player, *_ = sn.d_step(gan, sn.Player(theta, norms, None), x_real, x_fake)
difference = np.abs(player.theta.vector - sn.Params.of_layers(D_new).vector).max()
print(f"{theta.vector.size} gradients checked; difference from the package's step: {difference:.0e}")
assert difference < 1e-14
assert np.allclose([norm.sigma for norm in player.norms], [sigma for _, sigma, _ in triplets_new])

# %% [markdown]
# ## The step of G, through D
#
# G wants D to take its points for real ones. Its cost is
# $-\hat E[\log D(G(z))] = \hat E[\mathrm{softplus}(-f(G(z)))]$, which the paper uses in its experiments without
# giving it a number. (The G of (15) would descend $\hat E[\log(1 - D(G(z)))]$. Tutorial 0 has shown why nobody does:
# where D is sure, its gradient is nearly 0.)
#
# The chain has three links, and we have all of them:
#
# $$z \xrightarrow{\ G\ } x' \xrightarrow{\ D\ } f \longrightarrow \text{cost}.$$
#
# Backward: the gradient at f; through D down to its *input* x′, which is the dx of tutorial 5; and from there through
# G to its parameters. D's own parameters would get gradients on the way, but nobody asks for them, so they are not
# even computed: `backward_to_input` leaves them out.


# %%
def g_loss_and_gradient(G, D, triplets, z):
    """Compute the cost of G, and its gradient at every W and b of G."""
    W_G, b_G = [W for W, _ in G], [b for _, b in G]
    x_fake, tape_G = sn.forward(W_G, b_G, z, 0.0)  # the activations of G are ReLUs
    W_bar, b = normalised(D, triplets)
    f, tape_D = sn.forward(W_bar, b, x_fake, SLOPE)
    loss, df = sn.non_saturating_g(f)
    dx_fake = sn.backward_to_input(W_bar, tape_D, df, SLOPE)
    return loss, list(zip(*sn.backward(W_G, tape_G, dx_fake, 0.0), strict=True))


def g_step(G, D, triplets, z, alpha):
    """Do one step of G. D and its triplets stay as they are."""
    _, gradient = g_loss_and_gradient(G, D, triplets, z)
    return [(W - alpha * dW, b - alpha * db) for (W, b), (dW, db) in zip(G, gradient, strict=True)]


G = [(W, rng.standard_normal(b.shape)) for W, b in G]  # biases other than 0, for the check
theta_G, z = sn.Params.of_layers(G), rng.standard_normal((8, 2))


def g_loss(vector):
    """Compute the cost of G as a function of its parameters."""
    return g_loss_and_gradient(theta_G.replace(vector).layers, D, triplets, z)[0]


loss, gradient = g_loss_and_gradient(G, D, triplets, z)
g_gradient = sn.Params.of_layers(gradient).vector
G_new = g_step(G, D, triplets, z, alpha=0.1)
print(f"cost of G before the step {loss:.4f}, after it {g_loss(sn.Params.of_layers(G_new).vector):.4f}")
check_gradient(g_loss, theta_G.vector, g_gradient)
assert g_loss(sn.Params.of_layers(G_new).vector) < loss

generator, _ = sn.g_step(gan, sn.Player(theta_G, (None, None), None), sn.Player(theta, norms, None), z)
assert np.allclose(generator.theta.vector, sn.Params.of_layers(G_new).vector)

# %% [markdown]
# ## Five mistakes
#
# Each of these has been made in published code. None of them raises an error by itself, because all the shapes fit.
# We make each of them on purpose, and look at what finds it.


# %%
def is_rejected(function, at, gradient):
    """Say whether the check against the loss rejects a gradient."""
    try:
        check_gradient(function, at, gradient)
    except AssertionError:
        return True
    return False


assert not is_rejected(d_loss, theta.vector, d_gradient)

# %% [markdown]
# **1. The layer remembers its input, and sees two batches.** In many libraries a layer is an object that keeps its
# input for the backward pass. D sees the real points, then the fakes, and then goes backward for both. The first
# input is gone.


# %%
class Layered:
    """A network that keeps its own tape, and so only the last one."""

    def forward(self, x):
        f, self.tape = sn.forward(*normalised(D, triplets), x, SLOPE)
        return f

    def backward(self, df):
        W_bar, _ = normalised(D, triplets)
        return sn.backward(W_bar, self.tape, df, SLOPE)


net = Layered()
f_real, f_fake = net.forward(x_real), net.forward(x_fake)
_, df_real, df_fake = sn.standard_d(f_real, f_fake)
(dW_real, db_real), (dW_fake, db_fake) = net.backward(df_real), net.backward(df_fake)
mixed = [
    (pull_back(one + other, W, triplet), b_one + b_other)
    for one, other, b_one, b_other, (W, _), triplet in zip(dW_real, dW_fake, db_real, db_fake, D, triplets, strict=True)
]
print(
    "1. the tape of the real points is lost: rejected",
    is_rejected(d_loss, theta.vector, sn.Params.of_layers(mixed).vector),
)
assert is_rejected(d_loss, theta.vector, sn.Params.of_layers(mixed).vector)

# %% [markdown]
# **2. The λ term is missing.** Somebody divides the gradient by $\hat\sigma$ and takes $\hat\sigma$ for a constant.
# The check finds it, and so does the cheap test of tutorial 4: the gradient has to be at a right angle to W.

# %%
W_bar, b = normalised(D, triplets)
f, tape = sn.forward(W_bar, b, np.concatenate([x_real, x_fake]), SLOPE)
dW_bar, db = sn.backward(W_bar, tape, np.concatenate(sn.standard_d(f[:8], f[8:])[1:]), SLOPE)
without_lam = [(g / sigma, db_l) for g, (_, sigma, _), db_l in zip(dW_bar, triplets, db, strict=True)]
right = [(pull_back(g, W, t), db_l) for g, (W, _), t, db_l in zip(dW_bar, D, triplets, db, strict=True)]

print("2. λ is missing: rejected", is_rejected(d_loss, theta.vector, sn.Params.of_layers(without_lam).vector))
for name, layers in (("with λ", right), ("without", without_lam)):
    print(
        f"   ⟨∂ℓ/∂W, W⟩ {name:8}", [float(np.sum(dW * W).round(5)) for (dW, _), (W, _) in zip(layers, D, strict=True)]
    )
assert is_rejected(d_loss, theta.vector, sn.Params.of_layers(without_lam).vector)
assert np.allclose([np.sum(dW * W) for (dW, _), (W, _) in zip(right, D, strict=True)], 0, atol=1e-12)

# %% [markdown]
# **3. $\tilde u$ moves between the forward and the backward pass.** This happens if reading $\bar W$ iterates. The
# backward pass then uses another $\tilde u$ than the forward pass did, and the result is the gradient of nothing.

# %%
moved = [iterate(W, u) for (W, _), (u, _, _) in zip(D, triplets, strict=True)]
with_moved = [(pull_back(g, W, t), db_l) for g, (W, _), t, db_l in zip(dW_bar, D, moved, db, strict=True)]
print("3. u has moved: rejected", is_rejected(d_loss, theta.vector, sn.Params.of_layers(with_moved).vector))
assert is_rejected(d_loss, theta.vector, sn.Params.of_layers(with_moved).vector)

# %% [markdown]
# **4. The step overwrites W by $\bar W$.** It seems tidy: normalise, and keep the result. But now there is no raw W
# any more, and (23) is another algorithm: a projection after every step. The difference shows in one step. In our
# loop W keeps its size; here it becomes 1 at once, and the next gradient, which contains the factor $1/\hat\sigma$,
# is another.

# %%
W_raw = [W for W, _ in D_new]
W_overwritten = [W / sigma for (W, _), (_, sigma, _) in zip(D_new, triplets_new, strict=True)]
print("4. σ of the raw W after the step:", [float(round(sn.spectral_norm(W), 3)) for W in W_raw])
print("   if W is overwritten:          ", [float(round(sn.spectral_norm(W), 3)) for W in W_overwritten])
assert all(sn.spectral_norm(W) > 1.7 for W in W_raw)
assert all(sn.spectral_norm(W) < 1.4 for W in W_overwritten)

# %% [markdown]
# **5. D is left out of G's gradient.** The gradient at f has the shape (8, 1), the points have (8, 2). NumPy
# multiplies the two without a word: each coordinate gets the same number, as if $\nabla f$ were (1, 1) everywhere.

# %%
x_of_z, tape_G = sn.forward([W for W, _ in G], [b for _, b in G], z, 0.0)
f_of_z, _ = sn.forward(*normalised(D, triplets), x_of_z, SLOPE)
_, df = sn.non_saturating_g(f_of_z)
through_nothing = df * np.ones(2)
wrong = list(zip(*sn.backward([W for W, _ in G], tape_G, through_nothing, 0.0), strict=True))
print("5. G without D's ∇f: rejected", is_rejected(g_loss, theta_G.vector, sn.Params.of_layers(wrong).vector))
assert is_rejected(g_loss, theta_G.vector, sn.Params.of_layers(wrong).vector)

# %% [markdown]
# ## The loop
#
# Now we train. The target is a ring of eight Gaussians with radius 1 and standard deviation 0.05. D has three hidden
# layers of 64, G has three as well. Two things are new, and both are short.
#
# **Adam** instead of plain steps. It divides each entry of the gradient by a running estimate of its size. What
# matters here is that it works on the raw W, exactly where (23) has its α. The package's `Adam` does it on one
# vector.
#
# **Batches**: 128 fresh real points and 128 fresh fakes for D, and 128 latent points for G, in each update. We take
# $n_{dis} = 1$, one step of D for each step of G, and let the learning rate fall in the second half. (Table 1 has
# both; tutorial 7 says more about settings.)
#
# The loop itself is what you have written above.

# %%
steps = 120 if QUICK else 1500
target = sn.ring(8, radius=1.0, std=0.05)
adam = sn.Adam(1e-3, beta1=0.5, beta2=0.9)
rng = np.random.default_rng(0)
D, G = random_network((2, 64, 64, 64, 1), rng), random_network((2, 64, 64, 64, 2), rng)
triplets = [iterate(W, sn.random_direction(len(W), rng=rng)) for W, _ in D]
theta_D, theta_G = sn.Params.of_layers(D), sn.Params.of_layers(G)
moments_D, moments_G = adam.start(theta_D.vector), adam.start(theta_G.vector)
sigma_bar, losses = [], []

for step in range(steps):
    rate = min(1.0, 2 * (1 - step / steps))
    # the step of D
    x_fake = sn.forward(theta_G.weights, theta_G.biases, rng.standard_normal((128, 2)), 0.0)[0]
    loss, gradient = d_loss_and_gradient(theta_D.layers, triplets, target.sample(128, rng=rng), x_fake)
    vector, moments_D = adam.step(theta_D.vector, sn.Params.of_layers(gradient).vector, moments_D, rate)  # (23)
    theta_D = theta_D.replace(vector)
    triplets = [iterate(W, u) for W, (u, _, _) in zip(theta_D.weights, triplets, strict=True)]  # (20), (21)
    # the step of G
    z = rng.standard_normal((128, 2))
    g_cost, gradient = g_loss_and_gradient(theta_G.layers, theta_D.layers, triplets, z)
    vector, moments_G = adam.step(theta_G.vector, sn.Params.of_layers(gradient).vector, moments_G, rate)
    theta_G = theta_G.replace(vector)
    losses.append([loss, g_cost])
    if step % 10 == 0:
        W_bar, _ = normalised(theta_D.layers, triplets)
        sigma_bar.append([sn.spectral_norm(W) for W in W_bar])

sigma_bar = np.array(sigma_bar)
points = sn.forward(theta_G.weights, theta_G.biases, rng.standard_normal((2500, 2)), 0.0)[0]
report = sn.evaluate(points, target, target.sample(2500, rng=rng), "one-percent")
print(f"{steps} updates: {report.modes} of 8 modes, {report.high_quality:.0%} of the points within 3 std of a mode")
print(
    "σ(W̄) of the hidden layers: first",
    sigma_bar[0, 1:3].round(2),
    "  median later",
    np.median(sigma_bar[10:, 1:3]).round(3),
)
assert QUICK or report.modes == 8
assert QUICK or report.high_quality > 0.5
assert sigma_bar[0, 1:3].min() > 1.05
assert QUICK or np.median(sigma_bar[10:, 1:3]) < 1.1

# %% [markdown]
# All eight modes, with a loop of some twenty lines. And $\sigma(\bar W)$ of the hidden layers, which is what the
# single power iteration is responsible for, comes down from its random start and then stays a little above 1, though
# only one iteration is done for each update. Tutorial 3 has said why: W moves little in one step, and $\tilde u$
# remembers.


# %%
def draw(left, right):
    left.plot(*target.sample(1000, rng=rng).T, ".", color=GREY, ms=4, label="target")
    left.plot(*points[:1000].T, ".", color=BLUE, ms=2, label="G(z)")
    left.set(title=f"after {steps} updates")
    left.set_aspect("equal", adjustable="datalim")
    left.legend(loc="center")
    for l, color in enumerate((BLUE, ORANGE, GREEN, "#CC79A7")):
        right.plot(np.arange(0, steps, 10), sigma_bar[:, l], color=color, label=f"l = {l + 1}")
    right.axhline(1.0, color=GREY, lw=0.8)
    right.set(xlabel="update", title=r"$\sigma(\bar W^l)$ through training")
    right.legend()


show(draw, "06_the_whole_gan", height=3.4)

# %% [markdown]
# ## The same in one call
#
# The package's `train` is this loop, with the state as a value of its own: `start` makes the first state, and `train`
# yields one state after the other. Its functions are named as ours are.

# %%
gan = sn.GAN((2, 64, 64, 64, 1), (2, 64, 64, 64, 2), d_optim=adam, g_optim=adam, steps=20)
for state, log in sn.train(gan, sn.start(gan, seed=0), target.sample):
    if state.step % 10 == 0:
        print(f"update {state.step}: loss of D {log.d_loss:.3f}, cost of G {log.g_loss:.3f}, σ̂ of the layers", end=" ")
        print(np.round([norm.sigma for norm in state.D.norms], 3))
        assert np.isfinite(log.d_loss + log.g_loss)

# %% [markdown]
# ## What was learnt
#
# 1. A step of D is: normalise, forward, backward, pull back, step on the raw W, and one power iteration for the new
#    W.
# 2. A step of G goes through D down to D's input and from there through G. It changes nothing in D.
# 3. All of the classic mistakes have the right shapes. The check against the loss finds those in a gradient; the
#    order of the steps has to be right by construction.
#
# ## Traps
#
# * If every look at $\bar W$ iterates, then D(real), D(fake) and G's pass see three different networks. They should
#   see one, and G's pass the one after D's update.
# * $\tilde u$ is part of the state of a run. Save it with the weights, or the run goes on differently after a pause.
# * The optimiser steps on W. $\bar W$ is computed anew each time, and thrown away.
# * The last layer, with its single row, is normalised as well. Algorithm 1 writes $l = 1..L$, but (1) has $L + 1$
#   matrices, and the bound (7) needs them all.
#
# ## Exercises
#
# The solutions are in [solutions/06_the_whole_gan.py](solutions/06_the_whole_gan.py).
#
# 1. *(Think.)* In which order does Algorithm 1 do its operations for three updates, and in which order does our loop
#    do them? Write both down as a string of the letters I (iterate), N (normalise), S (step) and compare.
# 2. *(Code.)* Let D take five steps for each step of G, as settings A and D–F of Table 1 do. How many power
#    iterations are done in 10 updates of G? Check it by counting.
# 3. *(Code.)* Replace the loss by the hinge loss, (16) for D and (17) for G. Which lines change? Check both gradients
#    against the loss.
