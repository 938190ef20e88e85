# %% [markdown]
# # 5. Backpropagation through a discriminator
#
# *Beside the paper: the network (1) of section 2, the gradient (11) of section 2.3, and the losses (15)–(17) of
# section 4 (pages 2, 4 and 6).*
#
# The discriminator of this tutorial has 44 parameters. One with three hidden layers of 128 has 33,537. **How does one
# number, the loss, tell each of them which way to go, at the cost of about two more forward passes?** Libraries for
# automatic differentiation do this out of sight. Here we do it by hand, in some twenty lines, and check every piece
# while we build it.
#
# After this tutorial you can
#
# * write the forward pass of a discriminator, and say what has to be kept for the way back;
# * derive each step of the backward pass with indices, and write it for a whole batch;
# * carry the gradient on to the raw weights, to the input, and check all of it against the loss itself.
#
# Tutorial 0 did this for a single neuron. Here come matrices, and a batch. You need the chain rule, and from tutorial
# 4 the formula that pulls a gradient back from $\bar W$ to W.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREY, ORANGE, show

import specnorm_np as sn
from specnorm_np.testing import check_gradient

# %% [markdown]
# First a picture of what we want. On the left is a tiny discriminator with two inputs, two layers of 3 and 2, and one
# output. Each line is a weight, thick if it is large, blue if it is positive and orange if it is negative. The numbers
# are what the point $(1, -0.5)$ becomes on its way. On the right are the same lines, but now a line says how much **the
# loss** changes with this weight: blue if the loss grows when the weight grows, orange if it falls. **Which of the 14
# weights should move, and which hardly matter?** We have found it by trying, with no idea of a derivation: each weight
# was made a little larger and a little smaller, and the loss computed anew.

# %%
drawn_rng = np.random.default_rng(2)
tiny_widths = (2, 3, 2, 1)
tiny_W = [drawn_rng.standard_normal((tiny_widths[l + 1], tiny_widths[l])) for l in range(3)]
tiny_b = [drawn_rng.standard_normal(d_out) for d_out in tiny_widths[1:]]
tiny_x = np.array([[1.0, -0.5]])  # one point, and it is a real one


def tiny_loss(W):
    """Compute −log D at the point, with D = sigmoid(f)."""
    f, _ = sn.forward(W, tiny_b, tiny_x, slope=0.1)
    return np.log(1 + np.exp(-f[0, 0]))


by_trying, n_passes = [np.zeros_like(W_l) for W_l in tiny_W], 0
for l, slopes in enumerate(by_trying):
    for entry in np.ndindex(slopes.shape):
        for change in (1e-5, -1e-5):
            changed = [W_l.copy() for W_l in tiny_W]
            changed[l][entry] += change
            slopes[entry] += tiny_loss(changed) / (2 * change)
            n_passes += 1
tiny_f, tiny_tape = sn.forward(tiny_W, tiny_b, tiny_x, slope=0.1)
print(f"f = {tiny_f[0, 0]:.2f}, loss = {tiny_loss(tiny_W):.3f}, found with {n_passes} forward passes:")
for l, slopes in enumerate(by_trying, 1):
    print(f"layer {l}: {np.array2string(slopes.round(3), prefix='layer 1: ')}")
assert n_passes == 28
assert np.isclose(by_trying[1].max(), 0.417, atol=5e-4)


def draw_lines(ax, lines, title, in_nodes):
    """Draw the network with a line for each weight. The numbers in the nodes are given layer by layer."""
    places = [[(l, 0.5 * (d - 1) - i) for i in range(d)] for l, d in enumerate(tiny_widths)]
    largest = max(np.abs(A).max() for A in lines)
    for l, A in enumerate(lines):
        for (i, j), value in np.ndenumerate(A):
            ends = np.array([places[l][j], places[l + 1][i]])
            ax.plot(*ends.T, color=BLUE if value > 0 else ORANGE, lw=0.3 + 5 * abs(value) / largest, zorder=1)
    for column, numbers in zip(places, in_nodes, strict=True):
        ax.plot(*np.transpose(column), "o", color="white", mec=GREY, ms=26, zorder=2)
        for place, number in zip(column, numbers, strict=True):
            ax.text(*place, number, ha="center", va="center", fontsize=8, zorder=3)
    ax.set(title=title, xlim=(-0.4, 3.4), ylim=(-1.4, 1.4))
    ax.axis("off")


def draw_opening(left, right):
    forward_numbers = [[f"{value:.2f}" for value in h[0]] for h in (*tiny_tape, tiny_f)]
    draw_lines(left, tiny_W, "the weights, and a point on its way", forward_numbers)
    draw_lines(right, by_trying, "how the loss changes with each weight", [[""] * d for d in tiny_widths])


show(draw_opening, "05_backpropagation_1", height=2.8)

# %% [markdown]
# D gives this real point $f = -0.92$, which is a loss of 1.256. The thickest line on the right has the slope 0.417: of
# all weights this one of layer 2 should fall first. The slopes of 0.017 in layer 3 and of −0.024 in layer 1 hardly
# matter. To know it for 14 weights we have needed 28 forward passes. For the 33,537 parameters of the larger network it
# would be 67,074, and this for each update. **One way back gives all of them together**, and at the end of the
# derivation we take it for this very picture.
#
# ## The network
#
# The paper's network (1) multiplies by a matrix, applies the activation, multiplies again, and so on:
#
# $$f(x, \theta) = W^{L+1}a_L\big(W^La_{L-1}(\dots a_1(W^1x)\dots)\big). \tag{1}$$
#
# It leaves the biases out "for simplicity"; we keep them, since the experiments have them. Let us name what comes out
# at each place. The input of layer l is $h_{l-1}$, so that $h_0 = x$. The layer computes
#
# $$a_l = \bar W^lh_{l-1} + b^l, \qquad h_l = \max(a_l,\ 0.1\,a_l).$$
#
# $a_l$ is the *pre-activation* and $h_l$ the *activation*. (The paper writes $a_l$ for the function in between. We
# call the function "the activation", and keep the letter for its argument.) The last layer, $l = L+1$, has no
# activation: its $a$ is f. The network computes with $\bar W$, and for now it does not matter to us where $\bar W$
# comes from.
#
# **A batch is an array with a point in every row.** The paper's h is a column and it writes $\bar Wh$. For a row
# $h^T$ the same product is $h^T\bar W^T$, and so the code says `h @ W.T`. Adding b adds it to every row.
#
# We build a small D: two inputs, layers of 5 and 4, one output. Its biases are random numbers and not zeros, because
# some mistakes cannot be seen if the biases are zero.

# %%
rng = np.random.default_rng(0)
widths = (2, 5, 4, 1)
W_bar = [rng.standard_normal((widths[l + 1], widths[l])) for l in range(3)]
b = [rng.standard_normal(d_out) for d_out in widths[1:]]
x_real, x_fake = rng.standard_normal((6, 2)), rng.standard_normal((6, 2))
x = np.concatenate([x_real, x_fake])  # one batch: six real points, then six fakes

print("layer   W̄        b     parameters")
for l, (W_l, b_l) in enumerate(zip(W_bar, b, strict=True), 1):
    print(f"{l:3}     {W_l.shape}   {b_l.shape}  {W_l.size + b_l.size:6}")
print("together", sum(W_l.size + b_l.size for W_l, b_l in zip(W_bar, b, strict=True)))
assert sum(W_l.size + b_l.size for W_l, b_l in zip(W_bar, b, strict=True)) == 44

# %% [markdown]
# ## Forward, and what to keep
#
# We go through the layers, and put the input of each of them on a list. The list is called the *tape*, because we
# will play it backwards. Why keep the $h_l$, and nothing else? Look ahead: the gradient at $\bar W^l$ will contain
# $h_{l-1}$, and the slope of the activation will be read off the sign of $h_l$. Nothing more will be asked for. The
# $a_l$ themselves are not needed, since $h_l$ has the sign of $a_l$.


# %%
def forward(W_bar, b, x):
    """Compute f at every row of x. Return it with the tape: the input of every layer."""
    tape, h = [x], x
    for W_l, b_l in zip(W_bar[:-1], b[:-1], strict=True):
        a = h @ W_l.T + b_l
        h = np.maximum(a, 0.1 * a)
        tape.append(h)
    f = h @ W_bar[-1].T + b[-1]  # (1)
    return f, tape


f, tape = forward(W_bar, b, x)
print("on the tape:", [h.shape for h in tape], "   f:", f.shape)
print("f at the first real point and at the first fake:", f[0, 0].round(4), f[6, 0].round(4))
assert [h.shape for h in tape] == [(12, 2), (12, 5), (12, 4)]
assert np.allclose(f, sn.forward(W_bar, b, x, slope=0.1)[0])

# %% [markdown]
# `sn.forward` of the package computes the same, as the last line checks.
#
# ## The loss, and the gradient at f
#
# We have f at every point. Now we want to know how good D is, and how that changes with f. D ascends the objective of a
# GAN,
#
# $$V = \hat E\big[\log D(x)\big] + \hat E\big[\log(1 - D(G(z)))\big], \qquad D = \mathrm{sigmoid}(f). \tag{15}$$
#
# Programs descend, and so **from here on what we differentiate is the loss −V.** Two facts make it short. Let
# $\mathrm{softplus}(t) = \log(1 + e^t)$. Then
#
# $$-\log D = -\log\frac1{1 + e^{-f}} = \log(1 + e^{-f}) = \mathrm{softplus}(-f),$$
# $$-\log(1 - D) = -\log\frac{e^{-f}}{1 + e^{-f}} = -\log\frac1{e^f + 1} = \mathrm{softplus}(f),$$
#
# and the derivative of softplus is the sigmoid, $\frac{e^t}{1 + e^t} = \frac1{1 + e^{-t}}$. So
#
# $$-V = \hat E\big[\mathrm{softplus}(-f(x))\big] + \hat E\big[\mathrm{softplus}(f(G(z)))\big],$$
#
# and by the chain rule, with n points of either kind,
#
# $$\frac{\partial(-V)}{\partial f} = -\frac{\mathrm{sigmoid}(-f)}n \text{ at a real point}, \qquad
# +\frac{\mathrm{sigmoid}(f)}n \text{ at a fake}.$$
#
# A real point wants its f to grow, which is why its sign is negative in a loss. A fake wants it to fall. **The 1/n of
# the mean is inside of these numbers now, and stays inside.** From here on the sum over a batch is already a mean.


# %%
def softplus(t):
    return np.log1p(np.exp(t))


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


n = 6
f_real, f_fake = f[:n], f[n:]
loss = np.mean(softplus(-f_real)) + np.mean(softplus(f_fake))  # (15)
df = np.concatenate([-sigmoid(-f_real) / n, sigmoid(f_fake) / n])

print(f"loss {loss:.4f}")
print("df at the real points:", df[:n, 0].round(3))
print("df at the fakes:      ", df[n:, 0].round(3))
loss_of_package, df_real, df_fake = sn.standard_d(f_real, f_fake)
assert np.isclose(loss, loss_of_package)
assert np.allclose(df, np.concatenate([df_real, df_fake]))

# %% [markdown]
# ## How we check
#
# Before we go on, we need somebody who says whether a gradient is right. The definition of a derivative does. Change
# one number t by a small ε, look how the loss $\ell(t)$ changes, and divide:
#
# $$\frac{\partial\ell}{\partial t} \approx \frac{\ell(t + \varepsilon) - \ell(t - \varepsilon)}{2\varepsilon}.$$
#
# This costs two forward passes for *every parameter*, which is why nobody trains in this way. As a judge it is
# perfect. It does not know any formula of ours, only the loss. `check_gradient` of the package does it for every
# entry of an array, and raises an `AssertionError` that names the entries that are wrong. It is given a function, the
# array at which to differentiate, and the gradient that we claim.


# %%
def loss_at(f):
    """Compute the loss −V from f at the six real points and the six fakes."""
    loss, _, _ = sn.standard_d(f[:n], f[n:])
    return loss


check_gradient(loss_at, f, df)
print("df agrees with the loss at all", f.size, "points")

# %% [markdown]
# ## Backward through one layer
#
# Now the way back. For layer l write
#
# $$\delta_l = \frac{\partial(-V)}{\partial a_l},$$
#
# with a row for every point. For the last layer $a$ is f, so $\delta_{L+1}$ is `df`. Suppose that we have $\delta_l$.
# Three things are asked for: the gradients at the bias, at the weight, and at the input of the layer. All three follow
# from $a_{l,i} = \sum_j\bar W_{ij}h_j + b_i$, at one point of the batch.
#
# **The bias.** $b_i$ is added to $a_i$ and to nothing else, so $\partial a_i/\partial b_i = 1$. Every point of the
# batch contributes, and the contributions add up:
#
# $$\frac{\partial(-V)}{\partial b^l} = \sum_{\text{points}}\delta_l.$$
#
# **The weight.** $\bar W_{ij}$ is multiplied by $h_j$ and added to $a_i$, so
# $\partial a_i/\partial\bar W_{ij} = h_j$, and a point contributes $\delta_ih_j$. This is the $\delta h^T$ of the
# paper. Summed over the points it is $\delta_l^Th_{l-1}$ for arrays of rows:
#
# $$\frac{\partial(-V)}{\partial\bar W^l} = \sum_{\text{points}}\delta_ih_j = \delta_l^Th_{l-1} \quad
# (\text{which is } \hat E[\delta h^T], \text{ as }\delta\text{ contains the } 1/n).$$
#
# **The input.** $h_j$ is multiplied by $\bar W_{ij}$ and added to $a_i$, for every i. So it is heard in all outputs:
#
# $$\frac{\partial(-V)}{\partial h_{l-1,j}} = \sum_i\delta_i\bar W_{ij}, \qquad\text{for rows}\qquad
# \frac{\partial(-V)}{\partial h_{l-1}} = \delta_l\bar W^l.$$
#
# No transpose here! Going forward we multiply by $\bar W^T$, going back by $\bar W$. We try it on the last layer.

# %%
delta = df
h = tape[-1]
db_last = delta.sum(axis=0)
dW_last = delta.T @ h
dh_last = delta @ W_bar[-1]
print("shapes:", db_last.shape, dW_last.shape, dh_last.shape, "   ∂(−V)/∂b =", db_last.round(4))


def loss_from_b(b_last):
    return loss_at(h @ W_bar[-1].T + b_last)


def loss_from_W(W_last):
    return loss_at(h @ W_last.T + b[-1])


def loss_from_h(h):
    return loss_at(h @ W_bar[-1].T + b[-1])


check_gradient(loss_from_b, b[-1], db_last)
check_gradient(loss_from_W, W_bar[-1], dW_last)
check_gradient(loss_from_h, h, dh_last)
print("all three agree with the loss")
assert dW_last.shape == W_bar[-1].shape
assert dh_last.shape == h.shape

# %% [markdown]
# A gradient always has the shape of what it belongs to. This alone catches many mistakes, but not all: with a square
# matrix, a transposed gradient has the right shape, too.
#
# ## Backward through the activation
#
# From h back to a: $h = \max(a, 0.1\,a)$ has the slope 1 where $a > 0$ and the slope 0.1 where $a < 0$. Each entry
# goes its own way, so the gradient is multiplied by these slopes, entry by entry:
#
# $$\delta_{l-1} = \frac{\partial(-V)}{\partial h_{l-1}} \odot \text{slope}(a_{l-1}).$$
#
# h has the sign of a, so the tape tells us which slope it is. (At $a = 0$ there is a kink, and no derivative. The
# package takes 0.1 there. For random numbers it does not happen.)

# %%
slopes = np.where(tape[-1] > 0, 1.0, 0.1)
delta_2 = dh_last * slopes


def loss_from_a(a):
    return loss_from_h(np.maximum(a, 0.1 * a))


a_2 = tape[1] @ W_bar[1].T + b[1]  # once more, only to check
check_gradient(loss_from_a, a_2, delta_2)
print(f"δ₂ agrees with the loss; at {np.mean(tape[-1] > 0):.0%} of its entries the slope is 1")

# %% [markdown]
# ## The whole way back
#
# Now δ has arrived one layer below, where the same three formulas hold. So the backward pass is a loop over the
# layers, from the last to the first, with the tape played backwards. At the end the third formula gives the gradient
# at $h_0 = x$, the input itself. D has no use for it. G will: it is the only thing that G ever learns from D.


# %%
def backward(W_bar, tape, df):
    """Return the gradients at every W̄ and b, first layer first, and the one at x."""
    dW_bar, db, delta = [], [], df
    for l in reversed(range(len(W_bar))):
        dW_bar.insert(0, delta.T @ tape[l])  # Ê[δhᵀ]
        db.insert(0, delta.sum(axis=0))
        dh = delta @ W_bar[l]
        delta = dh * np.where(tape[l] > 0, 1.0, 0.1)  # not used any more after the first layer
    return dW_bar, db, dh


dW_bar, db, dx = backward(W_bar, tape, df)
dW_of_package, db_of_package = sn.backward(W_bar, tape, df, slope=0.1)
print("layer  length of ∂(−V)/∂W̄   of ∂(−V)/∂b")
for l in range(3):
    print(f"{l + 1:3}    {np.linalg.norm(dW_bar[l]):14.4f} {np.linalg.norm(db[l]):14.4f}")
    assert np.allclose(dW_bar[l], dW_of_package[l])
    assert np.allclose(db[l], db_of_package[l])

# %% [markdown]
# It agrees with the package. Now the promise of the first picture: we go back through the tiny network once. At its one
# real point the loss is $\mathrm{softplus}(-f)$, so that `df` is $-(1 - D)$.

# %%
tiny_df = -(1 - sn.sigmoid(tiny_f))
from_one_pass, _, _ = backward(tiny_W, tiny_tape, tiny_df)
errors = [np.abs(one - tried).max() for one, tried in zip(from_one_pass, by_trying, strict=True)]
print(f"one way back and {n_passes} forward passes differ by {max(errors):.0e} at most")
assert max(errors) < 1e-8

# %% [markdown]
# All 14 slopes are there, after one forward pass and one way back. The backward pass also agrees with the package, as
# we have seen. But two programs can share a mistake, so the loss itself has the last word. We put all
# 44 parameters into one vector. This is how the paper thinks of θ, and how the package keeps it: `Params` holds one
# vector, and its blocks $W^1, b^1, \dots$ are views of it. Then "the gradient" is a vector, too, and one call checks
# everything.

# %%
theta = sn.Params.of_layers(list(zip(W_bar, b, strict=True)))


def d_loss(vector, loss=sn.standard_d):
    """Compute the loss of D as a function of all its parameters."""
    changed = theta.replace(vector)  # the same layout over another vector
    f, _ = forward(changed.weights, changed.biases, x)
    loss_of_f, _, _ = loss(f[:n], f[n:])
    return loss_of_f


def as_vector(dW, db):
    """Lay gradients out like θ."""
    return sn.Params.of_layers(list(zip(dW, db, strict=True))).vector


def loss_from_x(x):
    f, _ = forward(W_bar, b, x)
    return loss_at(f)


check_gradient(d_loss, theta.vector, as_vector(dW_bar, db))
check_gradient(loss_from_x, x, dx)
print("all", theta.vector.size, "parameters and all", x.size, "coordinates of the points agree with the loss")
assert theta.vector.size == 44

# %% [markdown]
# ## What G gets, and how exact the judge is
#
# If we begin the way back with ones at the fakes in the place of `df`, then what arrives at the input is $\nabla_xf$ at
# the fakes. This is what tells G where to go.
#
# And since the gradients are known now, we can look at the judge himself. How small should ε be? We take one weight,
# $\bar W^1_{11}$, and compare two kinds of differences with its derivative: the *central* one from above, and the
# *one-sided* $(\ell(t + \varepsilon) - \ell(t))/\varepsilon$.


# %%
def loss_at_change(change):
    """Compute the loss with one weight of the first layer changed."""
    vector = theta.vector.copy()
    vector[0] += change
    return d_loss(vector)


sizes = np.logspace(-13, -1, 49)
central = np.array([(loss_at_change(size) - loss_at_change(-size)) / (2 * size) for size in sizes])
one_sided = np.array([(loss_at_change(size) - loss_at_change(0)) / size for size in sizes])
exact = dW_bar[0][0, 0]
print(f"the derivative: {exact:.12f}")
print("     ε     error, central     one-sided")
for at in (12, 24, 32, 40):
    print(f"{sizes[at]:8.0e} {abs(central[at] - exact):14.0e} {abs(one_sided[at] - exact):14.0e}")

_, _, df_dx = backward(W_bar, tape, np.concatenate([np.zeros((n, 1)), np.ones((n, 1))]))
slopes_at_fakes = np.linalg.norm(df_dx[n:], axis=1)
print("length of ∇f at the fakes:", slopes_at_fakes.round(2))
assert abs(central[32] - exact) < 1e-10
assert abs(one_sided[32] - exact) > 1e-7
assert np.allclose(slopes_at_fakes, [0.72, 0.08, 0.08, 1.55, 2.21, 0.14], atol=0.005)


def draw(left, right):
    left.loglog(sizes, np.abs(one_sided - exact), color=ORANGE, label="one-sided")
    left.loglog(sizes, np.abs(central - exact), color=BLUE, label="central")
    left.set(xlabel="ε", title="Error of a finite difference", ylim=(1e-13, 1))
    left.legend(loc="upper center")
    ticks = np.linspace(-3, 3, 41)
    lattice = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    values, _ = forward(W_bar, b, lattice)
    right.contourf(ticks, ticks, values.reshape(41, 41), 12, cmap="Greys_r", alpha=0.35)
    right.plot(*x_real.T, "s", color="k", ms=5, mfc="white", label="real")
    right.plot(*x_fake.T, "o", color=ORANGE, label="fake")
    right.quiver(*x_fake.T, *df_dx[n:].T, color=BLUE, angles="xy", width=0.008, zorder=3)
    right.set(title="f (bright is high), and ∇f at the fakes", aspect="equal")
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))


show(draw, "05_backpropagation_2", height=3.4)

# %% [markdown]
# On the left of the picture, follow the curves from right to left. Above $\varepsilon = 4 \cdot 10^{-4}$ both errors
# are large, because so large a change pushes a unit over the kink of its activation. Below it the error of the central
# difference falls like ε², that of the one-sided like ε only. Near $\varepsilon = 10^{-5}$ the central one has an
# error of $10^{-11}$, so that ten digits are right, while the one-sided has $8 \cdot 10^{-7}$. With a still smaller ε
# both become worse. The difference of two nearly equal losses then consists of rounding only.
#
# On the right, f is bright where it is high, and an arrow is $\nabla f$ at a fake. Where f is steep, the fakes hear
# which way to go. The longest arrow is 2.21. At the two fakes with 0.08 one hardly sees it, since f is nearly flat
# there.
#
# ## Does the judge find mistakes?
#
# A check that accepts everything is worth nothing. So we give it four wrong gradients. Each has the right shape, and
# nothing else complains about it. One is divided by n a second time. One comes from a backward pass that forgets the
# slopes of the activations. One has zeros for the biases. And one is right but for a tenth of a per cent.

# %%


def is_rejected(gradient, function=d_loss, at=theta.vector):
    """Say whether the check rejects a gradient."""
    try:
        check_gradient(function, at, gradient)
    except AssertionError:
        return True
    return False


def backward_without_slopes(W_bar, tape, df):
    dW_bar, db, delta = [], [], df
    for l in reversed(range(len(W_bar))):
        dW_bar.insert(0, delta.T @ tape[l])
        db.insert(0, delta.sum(axis=0))
        delta = delta @ W_bar[l]  # the slopes are forgotten
    return dW_bar, db


right = as_vector(dW_bar, db)
wrong = {
    "divided by n twice": right / n,
    "slopes forgotten": as_vector(*backward_without_slopes(W_bar, tape, df)),
    "bias forgotten": as_vector(dW_bar, [0 * db_l for db_l in db]),
    "0.1 % too long": 1.001 * right,
}
for name, gradient in wrong.items():
    print(f"{name:20} rejected: {is_rejected(gradient)}")
    assert is_rejected(gradient)
assert not is_rejected(right)

# %% [markdown]
# ## Another loss
#
# Where did the loss enter? Only at the very end, in `df`. Everything else is the network. So another loss needs
# another `df` and nothing more. The hinge loss of the paper, in its signs for ascent, is
#
# $$V_D = \hat E\big[\min(0, -1 + f(x))\big] + \hat E\big[\min(0, -1 - f(G(z)))\big], \tag{16}$$
#
# and G descends
#
# $$V_G = -\hat E\big[f(G(z))\big]. \tag{17}$$
#
# (The paper writes D for f here; for the hinge loss the link is the identity.) The derivative of the loss $-V_D$ at a
# real point is −1/n as long as $f < 1$, and 0 beyond: a real point that has passed the margin has no say. At a fake
# it is +1/n as long as $f > -1$. Of our points 4 of the 6 real ones have a say, and 5 of the 6 fakes. For G the
# derivative is −1/n at every fake, wherever it is: (17) has no margin.

# %%
df_hinge = np.concatenate([np.where(f_real < 1, -1 / n, 0), np.where(f_fake > -1, 1 / n, 0)])  # (16)
dW_hinge, db_hinge, _ = backward(W_bar, tape, df_hinge)

print("have a say:", int(np.sum(f_real < 1)), "of 6 real points and", int(np.sum(f_fake > -1)), "of 6 fakes")


def hinge_loss(vector):
    return d_loss(vector, sn.hinge_d)


check_gradient(hinge_loss, theta.vector, as_vector(dW_hinge, db_hinge))
_, df_real, df_fake = sn.hinge_d(f_real, f_fake)
assert np.allclose(df_hinge, np.concatenate([df_real, df_fake]))
_, df_of_G = sn.mean_g(f_fake)
assert np.allclose(df_of_G, -1 / n)  # (17)
assert [int(np.sum(f_real < 1)), int(np.sum(f_fake > -1))] == [4, 5]

# %% [markdown]
# ## From W̄ to W
#
# The optimiser owns W, not $\bar W$. With spectral normalisation $\bar W^l = W^l/\hat\sigma_l$ in every layer, and
# the last step of the way back is that of tutorial 4, layer by layer:
#
# $$\frac{\partial V}{\partial W} = \frac1{\hat\sigma}\Big(\hat E[\delta h^T] -
# \big(\hat E[\delta^T\bar Wh]\big)\,\tilde u\tilde v^T\Big). \tag{11}$$
#
# With the loss −V in the place of V, δ and with it everything else changes its sign. We do it with a raw network of
# the same shape, whose $\tilde u$ and $\tilde v$ come from a single power iteration, so that they are far from the
# singular vectors. It is then the exact gradient of the loss with $\tilde u$ and $\tilde v$ held fixed. The biases are
# not normalised, and their gradients stay as they are.

# %%
W = [2.0 * W_l for W_l in W_bar]  # raw weights
triplets = [sn.power_iteration(W_l, sn.random_direction(len(W_l), rng=rng)) for W_l in W]


def normalised(W):
    """Divide every weight by uᵀWv, with the present u and v."""
    return [W_l / (t.u @ W_l @ t.v) for W_l, t in zip(W, triplets, strict=True)]


f_sn, tape_sn = forward(normalised(W), b, x)
_, df_real, df_fake = sn.standard_d(f_sn[:n], f_sn[n:])
df_sn = np.concatenate([df_real, df_fake])
dW_bar_sn, db_sn, _ = backward(normalised(W), tape_sn, df_sn)

dW, without_lam, lams = [], [], []
for G, W_l, t in zip(dW_bar_sn, W, triplets, strict=True):
    sigma = t.u @ W_l @ t.v
    lam = np.sum(G * W_l / sigma)  # Ê[δᵀW̄h], where G is Ê[δhᵀ]
    dW.append((G - lam * np.outer(t.u, t.v)) / sigma)  # (11)
    without_lam.append(G / sigma)
    lams.append(lam)

raw = sn.Params.of_layers(list(zip(W, b, strict=True)))


def d_loss_of_raw(vector):
    """Compute the loss of D as a function of the raw parameters, u and v held fixed."""
    changed = raw.replace(vector)
    f, _ = forward(normalised(changed.weights), changed.biases, x)
    return loss_at(f)


print("λ of the layers, in the sign of the loss:", np.round(lams, 4))
print("without λ, rejected:", is_rejected(as_vector(without_lam, db_sn), d_loss_of_raw, raw.vector))
check_gradient(d_loss_of_raw, raw.vector, as_vector(dW, db_sn))
assert is_rejected(as_vector(without_lam, db_sn), d_loss_of_raw, raw.vector)

# %% [markdown]
# That is a discriminator with spectral normalisation, trained without any library: forward, backward, (11).
#
# ## What it costs
#
# Count the products with large matrices. Forward there is one for each layer. Backward there are two, one for $\bar W$
# and one for h. So a gradient at *all* parameters costs three times what the loss costs, and it does not matter how
# many parameters there are. Finite differences would cost two losses for each of them: 88 forward passes here, 67,074
# for three hidden layers of 128. This is the whole secret of backpropagation. Everything is computed once, and used by
# all.

# %%
parameters_128 = sum(d_in * d_out + d_out for d_in, d_out in ((2, 128), (128, 128), (128, 128), (128, 1)))
print("forward passes by differences:", 2 * theta.vector.size, "here,", 2 * parameters_128, "at width 128")
assert 2 * theta.vector.size == 88
assert (parameters_128, 2 * parameters_128) == (33_537, 67_074)

# %% [markdown]
# ## What was learnt
#
# 1. The forward pass keeps the input of every layer. The backward pass needs nothing else.
# 2. A layer takes δ and gives three things: $\delta^Th$ for $\bar W$, the sum of δ for b, $\delta\bar W$ for its
#    input.
# 3. The loss enters by `df` only, the normalisation by (11) only. Each can be exchanged without touching the other.
#
# ## Traps
#
# * A layer that keeps its own input in itself, as an object, loses the one of the real points when it sees the fakes.
#   Return the tape, and give it back.
# * (6, 1) and (6, 2) can be multiplied in NumPy without an error. A gradient of a broadcastable wrong shape is a
#   common mistake; compare shapes first.
# * Check at random biases. With all biases 0, a wrong sign in `db` does not show in f.
# * A finite difference across a kink of the activation is no derivative. If one entry of a large network disagrees by
#   itself, look for a pre-activation near 0.
#
# ## Exercises
#
# The solutions are in [solutions/05_backpropagation.py](solutions/05_backpropagation.py).
#
# 1. *(Code.)* Take the real points and the fakes in two forward passes with a tape each, go back over each tape with
#    its own part of `df`, and add the gradients. Is the result the same as that of one pass over both? Why?
# 2. *(Pencil.)* Let $f = W^2\max(W^1x,\ 0.1\,W^1x)$ with $W^1 = \begin{pmatrix} 1 & -1 \\ 2 & 1 \end{pmatrix}$,
#    $W^2 = (1, -1)$, $x = (1, 2)$ and no biases. Compute f, and the gradients of f itself (not of a loss) at $W^1$,
#    $W^2$ and x. Check them by `sn.backward`.
# 3. *(Pencil, then code.)* If there are no biases, $\lambda = \hat E[\delta^T\bar Wh]$ is the same number in every
#    layer. Why? Begin with how the activation of a layer follows from its pre-activation. Then print λ of every layer
#    of a network without biases.
