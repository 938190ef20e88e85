# %% [markdown]
# # 0. A GAN in one dimension, by hand
#
# *Beside the paper: sections 1 and 2 (pages 1 and 2) and section 4 (page 6), equations (1), (2), (3) and (15).*
#
# Two players move numbers on a line. The *generator* G makes points and wants them to look like real ones. The
# *discriminator* D looks at a point and says how likely it is that the point is real. G learns from what D says. So
# here is the question of this tutorial, and of the paper: **can D be too good for G to learn from it?**
#
# After this tutorial you can
#
# * compute the output of a small discriminator, its objective and all of its gradients with a pencil;
# * let both players move, and say what each of them needs from the other;
# * say in numbers what happens to G if D is too good, and why a bound on the slope of D helps.
#
# You need the chain rule, and the derivatives of exp and log. Every step of a calculation is followed by the line of
# code that does the same. Letters are explained where they first stand; [notation.md](notation.md) has all of them.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn

# %% [markdown]
# ## Two Gaussians on a line
#
# The real points are drawn from a Gaussian with mean 2 and standard deviation ½. Their density is $q(x)$. The
# generator has one number, μ. It takes a random $z \sim N(0, 1)$ and makes
#
# $$G(z) = \mu + \tfrac12 z,$$
#
# which is a point from a Gaussian with mean μ and standard deviation ½. We call such points *fakes*, and their density
# $p(x)$. In the beginning μ = −1. If G learns well, μ becomes 2. In the picture, grey is the density of the real
# points, orange that of the fakes. The arrow is what G should learn.

# %%
mean_real, std = 2.0, 0.5
mu = -1.0
line = np.linspace(-3, 4, 701)  # the part of the line that we draw


def density(x, mean):
    """Compute the density at x of the Gaussian with this mean and the standard deviation ½."""
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * np.sqrt(2 * np.pi))


def draw(ax):
    ax.fill_between(line, density(line, mean_real), color=GREY, alpha=0.5, label="real, q")
    ax.fill_between(line, density(line, mu), color=ORANGE, alpha=0.5, label="fake, p")
    ax.annotate("", (mean_real, 0.4), (mu, 0.4), arrowprops={"arrowstyle": "->", "lw": 1.5})
    ax.set(xlabel="x", ylabel="density", title="G has to move its Gaussian by 3")
    ax.legend(loc="upper center")


print("area under either curve:", [round(float(density(line, mean).sum() * 0.01), 2) for mean in (mean_real, mu)])
assert round(mean_real - mu, 9) == 3
show(draw, "00_a_gan_in_one_dimension_1", panels=1, height=2.4)

# %% [markdown]
# ## A discriminator with three numbers
#
# The smallest network that deserves the name has one neuron. It computes, from a point x,
#
# $$a = w^1x + b, \qquad h = \max(a, 0.1\,a), \qquad f = w^2h. \tag{1}$$
#
# Here $a$ is the *pre-activation*. The function that makes $h$ of it is a *leaky ReLU*: a positive $a$ passes
# unchanged, and of a negative one a tenth passes. The upper numbers count layers; they are no powers. The three
# numbers of D are $w^1$, $b$ and $w^2$. (Equation (1) of the paper has no $b$, "for simplicity"; we keep it.)
#
# The output $f$ may be any number, and we want a probability. The *sigmoid* turns one into the other:
#
# $$D(x) = \mathrm{sigmoid}(f(x)), \qquad \mathrm{sigmoid}(f) = \frac1{1 + e^{-f}}. \tag{2}$$
#
# At $f = 0$ this is ½: D cannot tell. At $f = 2$ it is 0.88, at $f = -2$ it is 0.12.

# %%


def sigmoid(f):
    return 1 / (1 + np.exp(-f))


print("sigmoid(-2), sigmoid(0), sigmoid(2):", sigmoid(np.array([-2.0, 0.0, 2.0])).round(2))
assert np.array_equal(sigmoid(np.array([-2.0, 0.0, 2.0])).round(2), [0.12, 0.5, 0.88])

# %% [markdown]
# ## Forward: from four points to four probabilities
#
# Let $w^1 = 2$, $b = -1$, $w^2 = \frac12$, and take two real points, 1.5 and 2.5, and two fakes, −0.5 and −1.5. (The
# fakes come from $z = 1$ and $z = -1$.) The first real point gives
#
# $$a = 2 \cdot 1.5 - 1 = 2, \qquad h = \max(2, 0.2) = 2, \qquad f = \tfrac12 \cdot 2 = 1, \qquad D = 0.7311.$$
#
# The first fake is on the other side of the bend:
#
# $$a = 2 \cdot (-0.5) - 1 = -2, \qquad h = \max(-2, -0.2) = -0.2, \qquad f = -0.1, \qquad D = 0.4750.$$
#
# Do the other two yourself, and compare with the table that is printed. D leans the right way: it gives the real
# points more than ½ and the fakes less. But it is hardly sure about the fakes.

# %%
w1, b, w2 = 2.0, -1.0, 0.5
z = np.array([1.0, -1.0])
x_real = np.array([1.5, 2.5])
x_fake = mu + std * z
x = np.concatenate([x_real, x_fake])

a = w1 * x + b
h = np.maximum(a, 0.1 * a)
f = w2 * h  # (1)
D = sigmoid(f)  # (2)

print("   x     a     h     f     D")
for row in zip(x, a, h, f, D, strict=True):
    print("{:5.1f} {:5.1f} {:5.1f} {:5.1f} {:7.4f}".format(*row))
assert np.array_equal(x, [1.5, 2.5, -0.5, -1.5])
assert np.allclose(f, [1, 2, -0.1, -0.2])
assert np.array_equal(D.round(4), [0.7311, 0.8808, 0.4750, 0.4502])

# %% [markdown]
# The package has the same network for layers of any width. There $w^1$ and $w^2$ are matrices with one row and one
# column, and the points are the rows of an array with one column. The second bias is 0. Besides f, `forward` returns
# what the way back will need (every a and every h). We call this record the *tape*.

# %%
W_of_package = [np.array([[w1]]), np.array([[w2]])]
b_of_package = [np.array([b]), np.array([0.0])]
f_of_package, tape = sn.forward(W_of_package, b_of_package, x[:, None], slope=0.1)

print("f, by the package:", f_of_package[:, 0])
assert np.allclose(f_of_package[:, 0], f)

# %% [markdown]
# ## The objective: one number says how good D is
#
# D is good if it gives real points a probability near 1 and fakes a probability near 0. We want one number that grows
# with both. A product of probabilities would do, but sums are easier to differentiate, so we take logarithms. And so
# that the number does not depend on how many points there are, we take means:
#
# $$V = \hat E\big[\log D(x)\big] + \hat E\big[\log(1 - D(G(z)))\big]. \tag{15}$$
#
# The hat says that Ê is the mean over the points at hand. The first mean is over real points, the second over fakes.
# Both terms are at most 0, because probabilities are at most 1. So V is 0 if D is always right and sure of it. A D
# that says ½ to everything has $V = \log\frac12 + \log\frac12 = -1.3863$. Ours has
#
# $$V = \tfrac12(\log 0.7311 + \log 0.8808) + \tfrac12(\log 0.5250 + \log 0.5498)$$
# $$\phantom{V} = \tfrac12(-0.3133 - 0.1269) + \tfrac12(-0.6444 - 0.5981) = -0.2201 - 0.6213 = -0.8414.$$
#
# D wants V to be large, and G wants it to be small. That is the whole game.

# %%
D_real, D_fake = D[:2], D[2:]
V = np.mean(np.log(D_real)) + np.mean(np.log(1 - D_fake))  # (15)

print("logarithms:", np.log(D_real).round(4), np.log(1 - D_fake).round(4))
print(f"V = {V:.4f}; a D that says ½ to everything has {2 * np.log(0.5):.4f}")
assert round(V, 4) == -0.8414
assert round(2 * np.log(0.5), 4) == -1.3863

# %% [markdown]
# Most programs minimise. The package does, too: `standard_d` returns the *loss* of D, which is −V.

# %%
loss, *_ = sn.standard_d(f[:2], f[2:])
print(f"the loss of D, by the package: {loss:.4f}")
assert np.isclose(loss, -V)

# %% [markdown]
# ## Backward, first step: the gradient at f
#
# D moves its three numbers so that V grows. For this it has to know how V changes with each of them. We begin at the
# end of the calculation, and go back one step at a time.
#
# The derivative of the sigmoid is needed first.
#
# $$\mathrm{sigmoid}(f) = (1 + e^{-f})^{-1}$$
# $$\frac{dD}{df} = (1 + e^{-f})^{-2}\,e^{-f} = \frac1{1 + e^{-f}} \cdot \frac{e^{-f}}{1 + e^{-f}} = D\,(1 - D).$$
#
# Let n be the number of points of each kind; here $n = 2$. A real point has the term $\frac1n\log D$ in V, and so it
# contributes
#
# $$\frac{\partial V}{\partial f} = \frac1n \cdot \frac1D \cdot D(1 - D) = \frac{1 - D}n,$$
#
# and a fake, whose term is $\frac1n\log(1 - D)$,
#
# $$\frac{\partial V}{\partial f} = \frac1n \cdot \frac{-1}{1 - D} \cdot D(1 - D) = -\frac Dn.$$
#
# Read them as wishes. V grows if f rises at real points and falls at fakes. The wish is weak where D is already right:
# the real point with $D = 0.8808$ asks for 0.0596, the one with $D = 0.7311$ for 0.1345.

# %%
n = 2
df = np.concatenate([(1 - D_real) / n, -D_fake / n])

print("∂V/∂f at the four points:", df.round(4))
assert np.array_equal(df.round(4), [0.1345, 0.0596, -0.2375, -0.2251])
assert np.allclose(np.concatenate(sn.standard_d(f[:2], f[2:])[1:]), -df)  # of the loss, which is -V

# %% [markdown]
# ## Backward, second step: the three numbers of D
#
# Now the chain rule, from $f$ to the left. Since $f = w^2h$,
#
# $$\frac{\partial f}{\partial w^2} = h, \qquad \frac{\partial f}{\partial h} = w^2.$$
#
# The slope of the leaky ReLU is 1 where a is positive, and 0.1 where it is negative. (At $a = 0$ it has a bend and no
# slope. None of our points is there.) The derivative of V by the
# pre-activation is needed so often that it has a letter of its own, δ:
#
# $$\delta = \frac{\partial V}{\partial a} = \frac{\partial V}{\partial f}\cdot w^2 \cdot
# \begin{cases} 1 & a > 0 \\ 0.1 & a < 0. \end{cases}$$
#
# And since $a = w^1x + b$, we have $\partial a/\partial w^1 = x$ and $\partial a/\partial b = 1$. Each of the four
# points contributes to the gradient, and the contributions add up:
#
# $$\frac{\partial V}{\partial w^2} = \sum \frac{\partial V}{\partial f}\,h, \qquad
# \frac{\partial V}{\partial w^1} = \sum \delta\,x, \qquad \frac{\partial V}{\partial b} = \sum\delta.$$
#
# For $w^2$ by hand: $0.1345 \cdot 2 + 0.0596 \cdot 4 + 0.2375 \cdot 0.2 + 0.2251 \cdot 0.4 = 0.6449$.

# %%
slope = np.where(a > 0, 1.0, 0.1)
delta = df * w2 * slope
dw2 = np.sum(df * h)
dw1 = np.sum(delta * x)
db = np.sum(delta)

print("δ at the four points:", delta.round(4))
print(f"∂V/∂w¹ = {dw1:.4f}, ∂V/∂b = {db:.4f}, ∂V/∂w² = {dw2:.4f}")
assert np.array_equal(delta.round(4), [0.0672, 0.0298, -0.0119, -0.0113])
assert [round(d, 4) for d in (dw1, db, dw2)] == [0.1982, 0.0739, 0.6449]

# %% [markdown]
# A gradient that was derived by hand has to be checked by something that knows nothing of the derivation. So we change
# each number a little, in both directions, and see how V changes. Then we compare with the package.


# %%
def D_at(x, D_numbers):
    """Compute D at the points x, from its three numbers (w¹, b, w²)."""
    w1, b, w2 = D_numbers
    a = w1 * x + b
    h = np.maximum(a, 0.1 * a)
    return sigmoid(w2 * h)


def V_of(D_numbers, x_real, x_fake):
    """Compute V, from the three numbers of D and the points."""
    return np.mean(np.log(D_at(x_real, D_numbers))) + np.mean(np.log(1 - D_at(x_fake, D_numbers)))


D_numbers = np.array([w1, b, w2])
step = 1e-5
by_differences = []
for direction in np.eye(3):  # (1, 0, 0) changes w¹ alone, (0, 1, 0) changes b alone, (0, 0, 1) changes w² alone
    V_up = V_of(D_numbers + step * direction, x_real, x_fake)
    V_down = V_of(D_numbers - step * direction, x_real, x_fake)
    by_differences.append((V_up - V_down) / (2 * step))
(dW1, dW2), (db1, _) = sn.backward(W_of_package, tape, df[:, None], slope=0.1)

print("by differences:", np.round(by_differences, 4))
print("by the package:", np.round([dW1.item(), db1.item(), dW2.item()], 4))
assert np.allclose(by_differences, [dw1, db, dw2], atol=1e-9)
assert np.allclose([dW1.item(), db1.item(), dW2.item()], [dw1, db, dw2])

# %% [markdown]
# ## D moves
#
# D takes a step uphill: each number moves in the direction of its derivative. The length of the step is set by the
# *learning rate* α. With α = 0.3,
#
# $$w^1 = 2 + 0.3 \cdot 0.1982 = 2.0595, \quad b = -1 + 0.3 \cdot 0.0739 = -0.9778, \quad
# w^2 = 0.5 + 0.3 \cdot 0.6449 = 0.6935,$$
#
# and V rises from −0.8414 to −0.7250.

# %%
alpha = 0.3
next_numbers = D_numbers + alpha * np.array([dw1, db, dw2])
V_next = V_of(next_numbers, x_real, x_fake)

print("w¹, b, w² =", next_numbers.round(4), f" V = {V_next:.4f}")
assert np.array_equal(next_numbers.round(4), [2.0595, -0.9778, 0.6935])
assert round(V_next, 4) == -0.7250

# %% [markdown]
# ## G moves, and for this it needs D
#
# G wants its points to look real to D. There are two ways of saying so. It can *minimise* the part of V that it has an
# influence on, $\hat E[\log(1 - D(G(z)))]$. Or it can minimise
#
# $$-\hat E\big[\log D(G(z))\big].$$
#
# Both fall as D at the fakes rises. The paper, like most, takes the second one (it has no number there); we shall soon
# see why. Its derivative by $f$ is, with $dD/df = D(1 - D)$ again,
#
# $$\frac{\partial}{\partial f}\Big({-\frac1n}\log D\Big) = -\frac1n \cdot \frac1D \cdot D(1 - D) = -\frac{1 - D}n.$$
#
# But G does not own f. It owns μ, which moves the point $x = \mu + \frac12z$, and the point is what goes through D. So
# the chain rule leads back through all of D: from f to h, to a, to x, and to μ.
#
# $$\frac{\partial f}{\partial x} = w^2 \cdot \mathrm{slope} \cdot w^1 = \tfrac12 \cdot 0.1 \cdot 2 = 0.1,
# \qquad \frac{\partial x}{\partial \mu} = 1$$
# $$\frac{\partial}{\partial\mu}\Big({-\hat E[\log D]}\Big) = \sum -\frac{1 - D}n \cdot \frac{\partial f}{\partial x}
# = -\tfrac12(0.5250 + 0.5498) \cdot 0.1 = -0.0537.$$
#
# G goes downhill, with the same α: $\mu - \alpha \cdot (-0.0537) = -1 + 0.0161 = -0.9839$: to the right, where the
# real points are. Look at what has told it so. It is $\partial f/\partial x$, **the slope of D at the fakes**. G never
# sees a real point.

# %%
df_dx = w2 * slope[2:] * w1
dmu = np.sum(-(1 - D_fake) / n * df_dx)

print("∂f/∂x at the fakes:", df_dx, f" derivative by μ: {dmu:.4f},  next μ: {mu - alpha * dmu:.4f}")
assert np.allclose(df_dx, 0.1)
assert round(dmu, 4) == -0.0537
assert round(mu - alpha * dmu, 4) == -0.9839

_, df_of_package = sn.non_saturating_g(f[2:, None])
_, tape_fake = sn.forward(W_of_package, b_of_package, x_fake[:, None], slope=0.1)
dx = sn.backward_to_input(W_of_package, tape_fake, df_of_package, slope=0.1)
assert np.isclose(np.sum(dx), dmu)  # by the package

# %% [markdown]
# ## Both move, in turn
#
# Now the game itself: D takes a step, then G takes one, and so on, each time with 64 fresh real points and 64 fresh
# fakes. The function below is the calculation from above, without anything new. It returns the gradient of V for D and
# the two possible gradients for G.


# %%
def gradients(D_numbers, x_real, x_fake):
    """Compute the gradient of V by (w¹, b, w²), and by μ those of log(1 - D) and of -log D."""
    w1, b, w2 = D_numbers
    n = len(x_real)
    x = np.concatenate([x_real, x_fake])
    a = w1 * x + b
    h = np.maximum(a, 0.1 * a)
    D = sigmoid(w2 * h)  # (1), (2)
    D_real, D_fake = D[:n], D[n:]
    df = np.concatenate([(1 - D_real) / n, -D_fake / n])
    slope = np.where(a > 0, 1.0, 0.1)
    delta = df * w2 * slope
    dV = np.array([np.sum(delta * x), np.sum(delta), np.sum(df * h)])

    df_dx = (w2 * slope * w1)[n:]
    saturating = np.mean(-D_fake * df_dx)
    non_saturating = np.mean(-(1 - D_fake) * df_dx)
    return dV, saturating, non_saturating


dV, _, dmu_again = gradients([w1, b, w2], x_real, x_fake)
print("again:", dV.round(4), round(dmu_again, 4))
assert np.allclose([*dV, dmu_again], [dw1, db, dw2, dmu])


# %% [markdown]
# The function `play` is the game. It has three switches, which stay off in the first game and are explained when we
# need them: D may take some steps before the game begins (`head_start`), its numbers may have a limit (`largest`), and
# G may use the other cost (`saturating`).


# %%
def play(steps=1500, head_start=0, largest=np.inf, saturating=False):
    """Let D and G move in turn. Return μ, w¹, b and w² at the beginning of the game and after every update of G."""
    rng = np.random.default_rng(0)
    D_numbers, mu = np.array([2.0, -1.0, 0.5]), -1.0
    history = []
    for update in range(-head_start, steps):  # before update 0, D moves alone
        if update == 0:
            history.append((mu, *D_numbers))
        x_real = mean_real + std * rng.standard_normal(64)
        x_fake = mu + std * rng.standard_normal(64)
        dV, _, _ = gradients(D_numbers, x_real, x_fake)
        w1, b, w2 = D_numbers + alpha * dV  # uphill
        D_numbers = np.array([np.clip(w1, -largest, largest), b, np.clip(w2, -largest, largest)])
        if update >= 0:
            x_fake = mu + std * rng.standard_normal(64)
            # the two gradients of G do not depend on x_real
            _, dmu_saturating, dmu_non_saturating = gradients(D_numbers, x_real, x_fake)
            mu = mu - alpha * (dmu_saturating if saturating else dmu_non_saturating)  # downhill
            history.append((mu, *D_numbers))
    return np.array(history)


game = play()
for update in (0, 20, 50, 200, 500, 1000, 1500):
    print("update {:4}: μ = {:5.2f}, w¹ = {:5.2f}, b = {:5.2f}, w² = {:5.2f}".format(update, *game[update]))
assert np.allclose(game[[20, 50, 200, 500, 1000, 1500], 0], [0.31, 2.19, 2.89, 2.28, 2.00, 1.99], atol=0.005)

# %% [markdown]
# Follow μ in the printed lines. After 20 updates it has come from −1 to 0.31, after 50 it is at 2.19, a little too
# far. Then it goes on to 2.89 although 2 was right, because the numbers of D lag behind: D still remembers that points
# further to the right are more real. Only when D has turned round ($w^1$ has become negative) does μ come back. At
# update 1000 it is 2.00. By then $w^2$ is 0.00, so that D says ½ to every point. G has won, and D has nothing left to
# say.
#
# In the picture on the right, D is drawn at five moments; the darker the line, the later. The orange point on a line
# is at the mean of the fakes, and the number beside it is the update. The slope of D there is what G learns from. It
# is small at all five points, although the line may be steep elsewhere: the fakes lie on the flat side of the bend.


# %%
def draw(left, right):
    left.axhline(mean_real, color=GREY)
    left.plot(game[:, 0], color=ORANGE)
    left.set(xlabel="update", ylabel="μ", title="G's number: it overshoots, and returns")
    for update, shade in ((0, 0.25), (20, 0.4), (50, 0.6), (200, 0.8), (1000, 1.0)):
        mu, *D_numbers = game[update]
        D_at_mu = D_at(mu, D_numbers)
        right.plot(line, D_at(line, D_numbers), color=BLUE, alpha=shade)
        right.plot(mu, D_at_mu, "o", color=ORANGE)
        offset = -14 if update in (50, 200) else 7  # below the point or above it, so that no two numbers meet
        right.annotate(str(update), (mu, D_at_mu), (0, offset), textcoords="offset points", ha="center", fontsize=8)
    right.set(xlabel="x", ylabel="D(x)", ylim=(0, 1), title="D, and the mean of the fakes, at five updates")


show(draw, "00_a_gan_in_one_dimension_2")

# %% [markdown]
# ## The best D there is
#
# In this game D had no time to become good: G moved as often as D did. Suppose that G waits, and that D may be any
# function at all and not just one neuron. How good can it get?
#
# With infinitely many points the two means of (15) become integrals over the densities,
#
# $$V = \int \Big(q(x)\log D(x) + p(x)\log(1 - D(x))\Big)\,dx.$$
#
# If D may be any function, then its value at one x has no influence on its value at another. So we can look for the
# best value at each x separately. There q and p are just two numbers. The derivative of $q\log D + p\log(1 - D)$ by D
# has to be zero:
#
# $$\frac qD - \frac p{1 - D} = 0$$
# $$q\,(1 - D) = p\,D$$
# $$q = (q + p)\,D$$
# $$D^* = \frac q{q + p}.$$
#
# (The star marks the best one. It is a maximum and not a minimum, because the second derivative,
# $-q/D^2 - p/(1 - D)^2$, is negative.)
#
# What is the f behind it? Let us solve $D = 1/(1 + e^{-f})$ for f:
#
# $$1 + e^{-f} = \frac1D$$
# $$e^{-f} = \frac1D - 1 = \frac{1 - D}D$$
# $$f = \log\frac D{1 - D}.$$
#
# For the best D we have $D^* = q/(q + p)$ and $1 - D^* = p/(q + p)$. Their quotient is $q/p$, and so
#
# $$f^*(x) = \log q(x) - \log p(x). \tag{3}$$
#
# For our two Gaussians, with means 2 and −1 and a standard deviation of s, the factors in front of the exponentials
# are the same and cancel. What is left is
#
# $$f^*(x) = -\frac{(x - 2)^2}{2s^2} + \frac{(x + 1)^2}{2s^2}$$
# $$\phantom{f^*(x)} = \frac{-x^2 + 4x - 4 + x^2 + 2x + 1}{2s^2}$$
# $$\phantom{f^*(x)} = \frac{6x - 3}{2s^2} = \frac3{s^2}\Big(x - \tfrac12\Big).$$
#
# The squares cancel, too. It is a straight line, it crosses 0 halfway between the means, and its slope is $3/s^2$.
# With $s = \frac12$ the slope is 12, and at the mean of the fakes $f^*(-1) = -18$.

# %%
f_star = np.log(density(line, mean_real)) - np.log(density(line, -1.0))  # (3)
slopes = np.diff(f_star) / np.diff(line)

print(f"slope of f*: from {slopes.min():.4f} to {slopes.max():.4f}; f*(-1) = {np.interp(-1.0, line, f_star):.4f}")
assert np.allclose(f_star, 3 / std**2 * (line - 0.5))
assert np.allclose(slopes, 12)

# %% [markdown]
# ## What G gets from it
#
# G has two costs to choose from, and we have both derivatives already. For one fake at $x = -1$ they are
#
# $$\frac{\partial}{\partial x}\log(1 - D) = -D\,\frac{\partial f}{\partial x}, \qquad
# \frac{\partial}{\partial x}(-\log D) = -(1 - D)\,\frac{\partial f}{\partial x}.$$
#
# The first contains the factor D, which is almost 0 if D knows that the point is a fake. One says that this cost
# *saturates*. That is why it is hardly ever used. The second contains $1 - D$, which is almost 1, and so G gets the
# whole slope of f. But how large is this?

# %%
print("   s   slope of f*    f*(-1)    D ∂f/∂x   (1 - D) ∂f/∂x")
for s in (0.5, 0.25, 0.1):
    slope_star, f_at_fake = 3 / s**2, 3 / s**2 * (-1 - 0.5)
    D_at_fake = sigmoid(f_at_fake)
    pushes = D_at_fake * slope_star, (1 - D_at_fake) * slope_star
    print(f"{s:5} {slope_star:10.0f} {f_at_fake:11.0f} {pushes[0]:12.1e} {pushes[1]:10.0f}")
    if s == 0.5:
        assert f"{pushes[0]:.1e}" == "1.8e-07"
        assert round(pushes[1]) == 12
assert f"{pushes[0]:.0e}" == "1e-193"  # at the last s
assert round(pushes[1]) == 300

# %% [markdown]
# With one cost G gets 0.00000018, with the other 12. If the Gaussians are narrower, it gets worse: at $s = 0.1$ it is
# $10^{-193}$ or 300. And G is 3 away from where it should be. With a learning rate of 0.3, one step is far too short,
# or 90 long.
#
# So yes, D can be too good. The best D is sure that the fakes are fake, and the length of the gradient says nothing
# about how far G has to go. The narrower the two Gaussians are, compared with their distance, the worse this becomes.
#
# ## Too good, played
#
# Our neuron is not the best D there is, but it can become rather good. Let it take 1000 steps before G takes its
# first: this is the switch `head_start`. Its V rises from −0.84 to −0.02, which is nearly 0. Its slope on the steep
# side, $|w^1w^2|$, rises from 1 to 39.3.

# %%
first_numbers = play(steps=1, head_start=1000)[0, 1:]
rng = np.random.default_rng(1)
x_real, x_fake = mean_real + std * rng.standard_normal(2000), -1 + std * rng.standard_normal(2000)
V_before = V_of(np.array([2, -1, 0.5]), x_real, x_fake)
V_after = V_of(first_numbers, x_real, x_fake)
steepest = abs(first_numbers[0] * first_numbers[2])
print(f"V: {V_before:.2f}, after 1000 steps {V_after:.2f}; steepest slope: 1.00, after 1000 steps {steepest:.1f}")
assert [round(V_before, 2), round(V_after, 2), round(steepest, 1)] == [-0.84, -0.02, 39.3]

# %% [markdown]
# Now G may move, too. We play twice, once with each of its two costs.

# %%
thrown = play(head_start=1000)
stuck = play(head_start=1000, saturating=True)

print("update          ", *(f"{update:6}" for update in (0, 1, 20, 50, 300, 1000)))
for name, run in (("-log D", thrown), ("log(1 - D)", stuck)):
    print(f"μ with {name:10}", *(f"{run[update, 0]:6.2f}" for update in (0, 1, 20, 50, 300, 1000)))
assert np.allclose(thrown[[1, 20, 50, 300, 1000], 0], [0.17, 4.44, 5.68, 2.79, 2.01], atol=0.005)
assert np.allclose(stuck[[1, 20, 50, 300, 1000], 0], [-0.99, -0.77, 3.60, 3.81, 2.02], atol=0.005)

# %% [markdown]
# With −log D the very first step goes from −1 to 0.17, and after 50 updates μ is at 5.68. G has been thrown across the
# real points and far beyond them: the distance to 2 is larger than it was in the beginning. With log(1 − D) nothing
# happens at first, since after 20 updates μ is still −0.77. Then it, too, shoots past the goal, to 3.60 and further.
#
# Both come back in the end, for this is a small game: one number against three. Nothing promises this in a large one.
#
# ## A bound on the slope
#
# What made D harmful was its slope. So let us not allow it to be steep. The slope of f is $w^2 \cdot 1 \cdot w^1$ or
# $w^2 \cdot 0.1 \cdot w^1$. If neither $|w^1|$ nor $|w^2|$ exceeds 1, then the slope of f is never above 1. In other
# words,
#
# $$|f(x) - f(x')| \le 1 \cdot |x - x'|$$
#
# for all points x and x′: on the way from x to x′ f rises or falls by no more than 1 for each unit of the way. A
# function like this is called *1-Lipschitz*. Here the simplest means will do: after every
# step of D, a number that is above 1 is set to 1, and one that is below −1 to −1. Then we play as before, with and
# without the 1000 steps in advance.

# %%
calm, calm_again = play(largest=1.0), play(head_start=1000, largest=1.0)

print("update           ", *(f"{update:6}" for update in (0, 1, 20, 50, 100, 200, 500, 1500)))
for name, run in (("none", calm), ("1000 steps", calm_again)):
    print(f"μ, ahead: {name:10}", *(f"{run[update, 0]:5.2f} " for update in (0, 1, 20, 50, 100, 200, 500, 1500)))
print("farthest μ:", calm[:, 0].max().round(2), calm_again[:, 0].max().round(2))
print("steepest slope:", np.abs(calm_again[:, 1] * calm_again[:, 3]).max())
first_arrivals = [int(np.argmax(run[:, 0] >= 2)) for run in (game, calm, calm_again)]
print("update at which μ first reaches 2: no bound", first_arrivals[0], "; bound", first_arrivals[1:])
assert np.allclose(calm[[1, 50, 500, 1500], 0], [-0.99, 0.75, 1.96, 1.84], atol=0.005)
assert np.allclose(calm_again[[1, 50, 500, 1500], 0], [-0.98, 1.71, 1.96, 2.14], atol=0.005)
assert np.allclose([calm[:, 0].max(), calm_again[:, 0].max()], 2.47, atol=0.005)
assert np.abs(calm_again[:, 1] * calm_again[:, 3]).max() <= 1
assert first_arrivals == [42, 69, 57]

# %% [markdown]
# The 1000 steps do no harm any more. The first step of G is short in both runs, to −0.99 and to −0.98, and neither
# ever gets beyond 2.47. D cannot become too good, because what it may become has a limit that does not depend on how
# long it is trained. There is a price. G first reaches 2 at update 69, or at update 57 if D is ahead. In the first
# game, without a bound and without a head start, it did so at update 42. And at update 1500 it still swings about the
# goal: it is at 1.84 in one run and at 2.14 in the other.
#
# On the left of the picture is f when G begins to move. The fakes lie on the orange strip and the real points on the
# grey one. Without the bound, f is steep on the orange strip and far below 0. With it, f is almost flat there. On the
# right is what each of them does to μ.


# %%
def draw(left, right):
    for (w1, b, w2), color, label in (
        (first_numbers, ORANGE, "no bound"),
        (calm_again[0, 1:], BLUE, "slope at most 1"),
    ):
        a = w1 * line + b
        left.plot(line, w2 * np.maximum(a, 0.1 * a), color=color, label=label)
    left.plot(line, f_star, "k:", label="the best, (3)")
    left.axvspan(-2, 0, color=ORANGE, alpha=0.12, lw=0)
    left.axvspan(1, 3, color=GREY, alpha=0.2, lw=0)
    left.set(xlabel="x", ylabel="f(x)", ylim=(-30, 40), title="f after 1000 steps of D alone")
    left.legend()
    right.axhline(mean_real, color=GREY)
    right.plot(thrown[:400, 0], color=ORANGE, label="no bound, −log D")
    right.plot(stuck[:400, 0], color=GREEN, label="no bound, log(1 − D)")
    right.plot(calm_again[:400, 0], color=BLUE, label="slope at most 1, −log D")
    right.set(xlabel="update", ylabel="μ", title="G after D had 1000 steps ahead")
    right.legend()


show(draw, "00_a_gan_in_one_dimension_3")

# %% [markdown]
# ## What the paper does instead
#
# Cutting off numbers one by one is crude. In a network the numbers stand in matrices, and there is a better way to
# limit how steep a matrix is: divide it by the largest factor by which it stretches any vector. This factor is called
# its *spectral norm*, σ(W). Afterwards the matrix stretches no vector by more than 1, and the proportions between its
# numbers stay as they were. Tutorial 2 is about σ, tutorial 3 about how to get it cheaply, and tutorial 4 about its
# gradient.
#
# Why did we not do this here? A single number stretches everything by $|w|$. Divided by its norm it is 1 or −1,
# whatever it was, and there is nothing left for it to learn. A matrix has one norm but many numbers.

# %%
for number in (0.3, -7.0):
    sigma = sn.spectral_norm(np.array([[number]]))
    print(f"w = {number:4}: σ = {sigma}, w/σ = {number / sigma}")
    assert number / sigma == np.sign(number)

# %% [markdown]
# ## What was learnt
#
# 1. D climbs V. G learns only through the slope of D at the fakes, which the chain rule carries back to G.
# 2. The best D is $q/(q + p)$, with $f^* = \log q - \log p$. If the two do not overlap, G gets from it 0 or far too
#    much.
# 3. A bound on the slope of f holds however long D is trained. Then G gets a gradient that it can use.
#
# ## Traps
#
# * The bound is on the slope of f and not on that of D. The sigmoid flattens D on top of it, by ¼ or less.
# * V and the loss have opposite signs. D ascends V or descends −V; whoever mixes the two up trains D to be wrong.
# * If the loss is a mean, each point's gradient contains 1/n already. Do not divide a second time.
# * The gradient of G passes through D, but the numbers of D stay as they are during G's step.
#
# ## Exercises
#
# The solutions are in [solutions/00_a_gan_in_one_dimension.py](solutions/00_a_gan_in_one_dimension.py).
#
# 1. *(Pencil.)* Let $w^2 = 0$, and $w^1$, b and the four points as above. What are V and its three derivatives? Which
#    of the three numbers of D will move in its first step, and which in its second?
# 2. *(Pencil.)* The hinge loss (16) puts $V_D = \hat E[\min(0, -1 + f(x))] + \hat E[\min(0, -1 - f(G(z)))]$ in the
#    place of V, and has no sigmoid. Take $w^1 = 2$, $b = -1$, $w^2 = 0.4$ and the four points as above. Which of the
#    points have a say in D's next step, that is, at which of them is the derivative of $V_D$ by f not 0? Compute the
#    derivatives of $V_D$ by the three numbers of D.
# 3. *(Pencil, then code.)* Let the fakes have the standard deviation 1 instead of ½, and the mean −1 as before; the
#    real points stay as they are. Compute $f^*$. Where is its slope 0, and is there a bound for its slope on the whole
#    line? How long is the derivative of −log D by x, for D = sigmoid(f*), at $x = -2$ and at $x = -10$? Check $f^*$
#    and its slope in code, against the two densities.
