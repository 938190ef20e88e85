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
# In the picture, the black arrows go forward. Below are the ways back of the gradient: D's step ends at the parameters
# of D (orange), and G's step goes through all of D and ends at the parameters of G (blue).


# %%
def draw(ax):
    places = {"z": 0.0, "G": 1.1, "x′": 2.2, "D": 3.3, "f": 4.4, "loss": 5.5}
    for name, x in places.items():
        box = {"boxstyle": "square,pad=0.6", "fc": "white", "ec": "black"} if name in "GD" else None
        ax.text(x, 1, name, ha="center", va="center", fontsize=12, bbox=box)
    for x in list(places.values())[:-1]:
        ax.annotate("", (x + 0.75, 1), (x + 0.35, 1), arrowprops={"arrowstyle": "->"})
    ways = (
        ("D", ORANGE, 5.4, 0.4, "step of D: changes W and b of D, then its ũ"),
        ("G", BLUE, 5.6, -0.1, "step of G: changes W and b of G only"),
    )
    for player, color, begin, y, text in ways:
        end = places[player]
        ax.annotate("", (end, 0.72), (end, y), arrowprops={"arrowstyle": "->", "color": color, "lw": 1.5})
        ax.plot([end, begin, begin], [y, y, 0.8], color=color, lw=1.5)
        ax.text(5.8, y, text, color="black", va="center")
    ax.set(xlim=(-0.3, 9.4), ylim=(-0.3, 1.5))
    ax.axis("off")


show(draw, "06_the_whole_gan_1", panels=1, height=1.9)

# %% [markdown]
# The rules sound simple, and most of the mistakes at the end break one of them. To keep them, our functions change
# nothing in place. They take what is, and return what will be.
#
# Here are two small networks. The weights are drawn as He et al. (2015) do: from a Gaussian with the variance 2 over
# the number of inputs, which keeps the size of the numbers about the same from one layer with ReLUs to the next.


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
# The first two, 1.081 and 1.555, are above 1, as tutorial 3 has shown: $\hat\sigma$ is a lower bound, and what is
# divided by too small a number stays too large. The last layer has a single row. There one iteration is exact, and
# $\sigma(\bar W)$ is 1. In training the other two heal by themselves, as we shall see.
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
#
# For line 4 we need formula (12) of tutorial 4, with our $\tilde u$, $\tilde v$ and $\hat\sigma$. Let G be the
# gradient at $\bar W$, which is $\hat E[\delta h^T]$. Then
#
# $$\frac{\partial\ell}{\partial W} = \frac1{\hat\sigma}\big(G - \lambda\,\tilde u\tilde v^T\big), \qquad
# \lambda = \langle G, \bar W\rangle = \frac{\langle G, W\rangle}{\hat\sigma}. \tag{12}$$
#
# $\langle A, B\rangle$ is the sum of the products of corresponding entries, `np.sum(A * B)`. The loss $\ell$ is $-V$,
# as in tutorial 5, so $\lambda$ has the other sign than in the paper here; the formula is the same.


# %%
def normalised(D, triplets):
    """Return W̄ and b of every layer."""
    return [W / sigma for (W, _), (_, sigma, _) in zip(D, triplets, strict=True)], [b for _, b in D]


def pull_back(dW_bar, W, triplet):
    """Take the gradient at W̄ back to W."""
    u, sigma, v = triplet
    lam = np.sum(dW_bar * W) / sigma  # ⟨G, W̄⟩
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


# %% [markdown]
# We try one step, on eight real points around $(2, 0)$ and eight fakes around $(0, 0)$. To see what the two halves of
# the step do, we look at the loss three times: before; after the step on W alone, with the old $\tilde u$ and
# $\tilde v$ (`held`); and after the iteration as well.

# %%
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
# The step on W lowers the loss from 1.3270 to 1.3166. Then the iteration lifts it to 1.3312, above the value before the
# step. Why? It finds a larger $\hat\sigma$, 1.98 in place of 1.74 in the second layer, since the old $\tilde u$ came
# from a random start. It makes $\bar W$ smaller, and with it f. This is not the gradient's fault: (12) is the gradient
# for $\tilde u$, $\tilde v$ held fixed. Later in training the iteration finds hardly anything new, and then the loss
# with the old $\tilde u$, $\tilde v$ and the loss with the new ones agree.
#
# A lower loss is no proof, since many wrong gradients lower it, too. The proof is the check against the
# loss itself, with all parameters in one vector and $\tilde u$, $\tilde v$ held fixed. We lay them out with
# `sn.Params`, as in tutorial 5: `theta.vector` is the vector, `theta.layers` gives back the list of (W, b), and
# `theta.replace(vector)` is the same network with other numbers.

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
print("all", theta.vector.size, "entries of the gradient agree with the loss")

# %% [markdown]
# The package's own `d_step` must do the same step, to the last digits. It is told what stays fixed in a run, a
# `sn.GAN`: the widths of both networks, and the optimisers, here plain steps with $\alpha = 0.1$. And it is told the
# present state of D, a `sn.Player`: the parameters, the triplet of each layer, and the state of the optimiser, which a
# plain step does not have (None). It returns the next Player, and three more things that we do not need now.

# %%
gan = sn.GAN((2, 16, 16, 1), (2, 16, 2), d_optim=sn.SGD(0.1), g_optim=sn.SGD(0.1))
norms = tuple(sn.SingularTriplet(*triplet) for triplet in triplets)
present = sn.Player(theta, norms, None)
player, *_ = sn.d_step(gan, present, x_real, x_fake)
difference = np.abs(player.theta.vector - sn.Params.of_layers(D_new).vector).max()
print(f"largest difference from the package's step: {difference:.0e}")
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
    dW, db = sn.backward(W_G, tape_G, dx_fake, 0.0)
    return loss, list(zip(dW, db, strict=True))


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

generator, _ = sn.g_step(gan, sn.Player(theta_G, (None, None), None), present, z)  # G has no triplets
difference = np.abs(generator.theta.vector - sn.Params.of_layers(G_new).vector).max()
print(f"all {theta_G.vector.size} entries agree with the cost; difference from the package's step: {difference:.0e}")
assert np.allclose(generator.theta.vector, sn.Params.of_layers(G_new).vector)

# %% [markdown]
# ## Five mistakes
#
# Each of these has been made in published code. None of them raises an error by itself, because all the shapes fit.
# We make each of them on purpose, and look at what finds it. `d_loss`, `d_gradient` and `g_loss` are those from above,
# and the check rejects a gradient that does not agree with the loss.


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
# input is gone: the gradient at f of the real points goes back along the tape of the fakes. Both batches have eight
# points, and so no shape complains.


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
mixed = []
for l, (W, _) in enumerate(D):
    dW = pull_back(dW_real[l] + dW_fake[l], W, triplets[l])
    mixed.append((dW, db_real[l] + db_fake[l]))
rejected = is_rejected(d_loss, theta.vector, sn.Params.of_layers(mixed).vector)
print("1. the tape of the real points is lost: rejected", rejected)
assert rejected

# %% [markdown]
# **2. The λ term is missing.** Somebody divides the gradient by $\hat\sigma$ and takes $\hat\sigma$ for a constant.
# The check finds it, and so does the cheap test of tutorial 4: the gradient has to be at a right angle to W.
# (`dW_bar` below is computed as in `d_loss_and_gradient`; we need it again for the third mistake.)

# %%
W_bar, b = normalised(D, triplets)
f, tape = sn.forward(W_bar, b, np.concatenate([x_real, x_fake]), SLOPE)
_, df_real, df_fake = sn.standard_d(f[:8], f[8:])
dW_bar, db = sn.backward(W_bar, tape, np.concatenate([df_real, df_fake]), SLOPE)
without_lam = [(g / sigma, db_l) for g, (_, sigma, _), db_l in zip(dW_bar, triplets, db, strict=True)]
right = [(pull_back(g, W, t), db_l) for g, (W, _), t, db_l in zip(dW_bar, D, triplets, db, strict=True)]

rejected = is_rejected(d_loss, theta.vector, sn.Params.of_layers(without_lam).vector)
products_right = [np.sum(dW * W) for (dW, _), (W, _) in zip(right, D, strict=True)]
products_without = [np.sum(dW * W) for (dW, _), (W, _) in zip(without_lam, D, strict=True)]
print("2. λ is missing: rejected", rejected)
print("   ⟨∂ℓ/∂W, W⟩ of the three layers, with λ ", " ".join(f"{product:8.5f}" for product in np.abs(products_right)))
print("                                  without ", " ".join(f"{product:8.5f}" for product in products_without))
assert rejected
assert np.allclose(products_right, 0, atol=1e-12)

# %% [markdown]
# **3. $\tilde u$ moves between the forward and the backward pass.** This happens if reading $\bar W$ iterates. The
# backward pass then uses another $\tilde u$ than the forward pass did, and the result is the gradient of nothing.

# %%
moved = [iterate(W, u) for (W, _), (u, _, _) in zip(D, triplets, strict=True)]
with_moved = [(pull_back(g, W, t), db_l) for g, (W, _), t, db_l in zip(dW_bar, D, moved, db, strict=True)]
rejected = is_rejected(d_loss, theta.vector, sn.Params.of_layers(with_moved).vector)
print("3. u has moved: rejected", rejected)
assert rejected

# %% [markdown]
# **4. The step overwrites W by $\bar W$.** It seems tidy: normalise, and keep the result. But now there is no raw W
# any more, and (23) is another algorithm: a projection after every step. No gradient is wrong here, and so the check
# does not find this mistake. What finds it is a look at $\sigma(W)$ of the raw W before and after a step. In our loop
# it hardly changes. If W is overwritten, it falls to about 1 at once, and the next gradient, which contains the factor
# $1/\hat\sigma$, is another.

# %%
W_raw = [W for W, _ in D_new]
W_overwritten = [W / sigma for (W, _), (_, sigma, _) in zip(D_new, triplets_new, strict=True)]
for name, weights in (
    ("4. σ of the raw W before the step:", [W for W, _ in D]),
    ("   after the step:                ", W_raw),
    ("   if W is overwritten:           ", W_overwritten),
):
    print(name, np.round([sn.spectral_norm(W) for W in weights], 3))
assert all(
    np.isclose(sn.spectral_norm(W), sn.spectral_norm(old), rtol=0.01) for W, (old, _) in zip(W_raw, D, strict=True)
)
assert all(sn.spectral_norm(W) > 1.7 for W in W_raw)
assert all(sn.spectral_norm(W) < 1.4 for W in W_overwritten)

# %% [markdown]
# The last line is 1.009, 1.369 and 1.000, and not 1 three times, because one iteration has not found all of
# $\sigma(W)$.
#
# **5. D is left out of G's gradient.** The gradient at f has the shape (8, 1), the points have (8, 2). NumPy
# multiplies the two without a word: each coordinate gets the same number, as if $\nabla f$ were (1, 1) everywhere.

# %%
x_of_z, tape_G = sn.forward([W for W, _ in G], [b for _, b in G], z, 0.0)
f_of_z, _ = sn.forward(*normalised(D, triplets), x_of_z, SLOPE)
_, df = sn.non_saturating_g(f_of_z)
through_nothing = df * np.ones(2)
dW, db = sn.backward([W for W, _ in G], tape_G, through_nothing, 0.0)
wrong = list(zip(dW, db, strict=True))
rejected = is_rejected(g_loss, theta_G.vector, sn.Params.of_layers(wrong).vector)
print("5. G without D's ∇f: rejected", rejected)
assert rejected

# %% [markdown]
# ## The loop
#
# Now we train. The target is a ring of eight Gaussians with radius 1 and standard deviation 0.05. D has three hidden
# layers of 64, G has three as well. Two things are new, and both are short.
#
# **Adam** instead of plain steps. It divides each entry of the gradient by a running estimate of its size. What
# matters here is that it works on the raw W, exactly where (23) has its α. The package's `Adam` does it on one
# vector. `adam.start` makes its first running estimates (the *moments*), all zero. `adam.step` takes the parameters,
# the gradient and the moments, and returns the next parameters and the next moments. Its last argument, `rate`, is a
# factor on $\alpha$. Tutorial 7 says what the numbers $\beta_1$ and $\beta_2$ do.
#
# **Batches**: 128 fresh real points and 128 fresh fakes for D, and 128 latent points for G, in each update. We take
# $n_{dis} = 1$, one step of D for each step of G. (Table 1 has $n_{dis} = 1$ and $n_{dis} = 5$.) In the second half of
# the run the learning rate falls to 0, so that the points come to rest.
#
# The loop itself is what you have written above. At the end, `sn.evaluate` measures 2500 points of G. It counts a
# point as *high quality* if it lies within three standard deviations of a mode, and it counts the modes that have got
# enough of such points, here at least 1 % of all points ("one-percent").

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
# All eight modes, and 86 % of the points near one of them, with a loop of some twenty lines. (Training amplifies the
# rounding of a machine, so on yours the numbers may be a little different.) The layers 2 and 3 have square matrices,
# which is where a single power iteration has something to miss. Their $\sigma(\bar W)$ begins at 1.33 and 1.10, comes
# down from this random start, and then stays a little above 1, with the median 1.021, though only one iteration is
# done for each update. Tutorial 3 has said why: W moves little in one step, and $\tilde u$ remembers.
#
# In the picture, the curves of the layers 1 and 4 lie on or near the grey line at 1. Layer 4 has a single row, and
# layer 1 has two columns, so that there is no third direction in which to go astray.


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


show(draw, "06_the_whole_gan_2", height=3.4)

# %% [markdown]
# ## The same in one call
#
# The package's `train` is this loop, with the state as a value of its own: `start` makes the first state, and `train`
# yields one state after the other, with a log of what the step saw. Its functions are named as ours are.

# %%
gan = sn.GAN((2, 64, 64, 64, 1), (2, 64, 64, 64, 2), d_optim=adam, g_optim=adam, steps=20)
for state, log in sn.train(gan, sn.start(gan, seed=0), target.sample):
    if state.step % 10 == 0:
        print(f"update {state.step}: loss of D {log.d_loss:.3f}, cost of G {log.g_loss:.3f}, σ̂ of the layers", end=" ")
        print(np.round([norm.sigma for norm in state.D.norms], 3))
        assert abs(log.d_loss - 2 * np.log(2)) < 0.1
        assert abs(log.g_loss - np.log(2)) < 0.1

# %% [markdown]
# After so few updates D knows next to nothing. If f is 0 everywhere, then the loss of D is
# $2\,\mathrm{softplus}(0) = 2\log2 = 1.386$, and the cost of G is $\log2 = 0.693$. The printed losses are close to
# these: 1.385 and 0.702, then 1.394 and 0.686.
#
# ## What was learnt
#
# 1. A step of D is: normalise, forward, backward, pull back, step on the raw W, and one power iteration for the new
#    W.
# 2. A step of G goes through D down to D's input and from there through G. It changes nothing in D.
# 3. All of the classic mistakes have the right shapes. The check against the loss finds those in a gradient, which
#    are four of the five. That W is overwritten it does not find: the order of the steps has to be right by
#    construction.
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
# 1. *(Think.)* In which order does Algorithm 1 do its operations for three updates of D, and in which order does our
#    loop do them, from the line that makes the first triplets on? Write both down as a string of the letters I
#    (iterate), N (normalise), S (step) and compare.
# 2. *(Code.)* Let D take five steps for each step of G, as setting D of Table 1 does. How many power iterations are
#    done for each layer in 10 updates of G? Check it by counting, in the loop above or in the package's `train`. (In
#    the package, `n_dis=5` is a field of `sn.GAN`; a `sn.SpectralNorm` iterates once in its method `start`, and once
#    each time that its method `settle` is called.)
# 3. *(Code.)* Replace the loss by the hinge loss of tutorial 5: (16) for D, which is `sn.hinge_d`, and (17) for G,
#    which is `sn.mean_g`. Which lines change? Check both gradients against the loss.
