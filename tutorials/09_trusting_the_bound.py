# %% [markdown]
# # 9. Trusting the bound
#
# *Beside the paper: section 2, equations (5) and (7), and the footnote on convolutions (page 5).*
#
# Somebody hands you a discriminator and says: "It is spectrally normalised, so it is 1-Lipschitz." **What would you
# have to see before you believe it?** There are four gaps between the sentence and the truth. The norm was
# estimated, and from below. The computer rounds. The product over the layers is not the constant of the network. And
# the norm of a kernel is not the norm of its convolution. This tutorial measures each gap, and closes it where it can.
#
# After this tutorial you can
#
# * say what a power iteration promises, and prove an upper bound of a norm instead;
# * draw the regions on which a small network is affine, and read its exact constant off the picture;
# * choose among three upper bounds of a network, and refute a bound that is too small;
# * say how far the norm of a reshaped kernel is from that of the convolution.
#
# You need tutorial 2 for the spectral norm and tutorial 3 for the power iteration.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, show

import specnorm_np as sn
from specnorm_np.bounds.regions import affine_pieces
from specnorm_np.testing import assert_lipschitz, find_lipschitz_violation

# %% [markdown]
# Here is such a discriminator: layers of 16, 16 and 1, each divided by the $\hat\sigma$ of one power iteration from a
# random start. It is claimed that each layer has the norm 1, so that by (7) the slope of f is 1 at most. In the picture
# are the norms of its layers by the SVD, their product, and the steepest slope of f among 10,000 random points.
# **Is the claim refuted?**

# %%
handed_rng = np.random.default_rng(1)
handed_W, handed_b = [], []
for W_l, _ in sn.he_layers((2, 16, 16, 1), 0.1, rng=handed_rng):
    estimate = sn.power_iteration(W_l, sn.random_direction(len(W_l), rng=handed_rng), 1)
    handed_W.append(W_l / estimate.sigma)
    handed_b.append(handed_rng.standard_normal(len(W_l)))
handed_points = 3 * handed_rng.standard_normal((10_000, 2))
handed_f, handed_tape = sn.forward(handed_W, handed_b, handed_points, 0.1)
gradients = sn.backward_to_input(handed_W, handed_tape, np.ones_like(handed_f), 0.1)
seen = {f"σ of layer {l}": sn.spectral_norm(W_l) for l, W_l in enumerate(handed_W, 1)}
seen["product (7)"] = np.prod(list(seen.values()))
seen["steepest slope found"] = np.linalg.norm(gradients, axis=1).max()
for name, value in seen.items():
    print(f"{name:21} {value:.3f}")
assert np.isclose(seen["product (7)"], 1.467, atol=5e-4)
assert np.isclose(seen["steepest slope found"], 0.219, atol=5e-4)


def draw_claim(ax):
    colors = [GREY] * 3 + [ORANGE, BLUE]
    ax.barh(list(seen)[::-1], list(seen.values())[::-1], color=colors[::-1], height=0.6)
    ax.axvline(1, color="black", lw=1)
    ax.set(title="The line at 1 is what was claimed", xlim=(0, 1.1 * max(seen.values())))


show(draw_claim, "09_trusting_the_bound_1", panels=1, height=2.2)

# %% [markdown]
# Layer 2 has the norm 1.467, and so has the product. **What was claimed of the layers is false, and with it the proof
# that f has a slope of at most 1.** But the steepest slope that we have found is 0.219, far below 1. So the sentence
# itself may still be true: a proof that fails does not refute what it was meant to prove. Nor do 10,000 points prove
# it, since f may be steeper between them. To settle it one needs a bound from above that holds, and it should not be
# far from the truth.
#
# ## What a power iteration promises
#
# Its estimate is $\hat\sigma = \tilde u^TW\tilde v$ with two unit vectors. For any two unit vectors,
#
# $$\tilde u^TW\tilde v \;\le\; \|\tilde u\|\,\|W\tilde v\| \;\le\; \sigma(W).$$
#
# The first step is the inequality of Cauchy and Schwarz, and the second one is the definition of σ(W), both for vectors
# of length 1. So $\hat\sigma$ is a **lower bound**, always, and that is all that is promised. Dividing by something too
# small leaves something too large: $\sigma(W/\hat\sigma) = \sigma(W)/\hat\sigma \ge 1$.
#
# By hand, with $W = \mathrm{diag}(3, 1)$ and $\tilde u = (1, 1)/\sqrt2$. First $W^T\tilde u$ points along (3, 1), so
# $\tilde v = (3, 1)/\sqrt{10}$. Then $W\tilde v = (9, 1)/\sqrt{10}$, and its length is
# $\hat\sigma = \sqrt{82/10} = 2.864$. The true norm is 3. The normalised matrix has the norm $3/2.864 = 1.048$, and
# this is what people call 1-Lipschitz.


# %%
def iterate(W, u):
    """Do one power iteration, and return u, σ̂, v."""
    v = W.T @ u
    v = v / np.linalg.norm(v)  # (18)
    u = W @ v
    u = u / np.linalg.norm(u)  # (18)
    return u, u @ W @ v, v  # (19)


W_hand = np.diag([3.0, 1.0])
_, sigma_hat, _ = iterate(W_hand, np.array([1.0, 1.0]) / np.sqrt(2))
print(f"σ̂ = {sigma_hat:.3f}, σ(W/σ̂) = {sn.spectral_norm(W_hand / sigma_hat):.3f}")
assert np.isclose(sigma_hat, np.sqrt(8.2))
assert np.isclose(sn.spectral_norm(W_hand / sigma_hat), 1.048, atol=5e-4)

# %% [markdown]
# **Can you see from the iteration itself that it has arrived?** No. Start the same matrix almost at the wrong
# singular vector, $\tilde u = (10^{-9}, 1)$. Each iteration multiplies the first coordinate by 9, compared with the
# second. So it takes about ten iterations before the first one counts, since $9^{10}$ is $3.5 \cdot 10^9$. Meanwhile we
# watch $\hat\sigma$, and the residual $\|W^T\tilde u - \hat\sigma\tilde v\|$. The residual is 0 for a pair of singular
# vectors, since these satisfy $W^Tu = \sigma v$. So it is the usual test of convergence.

# %%
u, history = np.array([1e-9, 1.0]), []
for _ in range(14):
    u, sigma_hat, v = iterate(W_hand, u)
    history.append([sigma_hat, np.linalg.norm(W_hand.T @ u - sigma_hat * v)])
history = np.array(history)
for k in (1, 4, 7, 9, 10, 11, 14):
    print(f"after {k:2} iterations: σ̂ = {history[k - 1, 0]:.6f}, residual {history[k - 1, 1]:.0e}")
assert np.allclose(history[:4, 0], 1, atol=5e-7)
assert 1.5e-5 < history[3, 1] < 2.5e-5
assert np.isclose(history[13, 0], 3, atol=5e-7)


def draw(left, right):
    k = np.arange(1, 15)
    left.axhline(3, color=GREY)
    left.plot(k, history[:, 0], "o-", color=BLUE, ms=4)
    left.text(1, 2.85, "σ(W)", color="black", va="top")
    left.set(title=r"$\hat\sigma$ seems to have arrived at 1", xlabel="iterations", ylim=(0, 3.3))
    right.semilogy(k, history[:, 1], "o-", color=ORANGE, ms=4)
    right.set(title=r"the residual, $\|W^T\tilde u - \hat\sigma\tilde v\|$", xlabel="iterations")


show(draw, "09_trusting_the_bound_2")

# %% [markdown]
# After four iterations $\hat\sigma$ stands at 1.000000, and the residual is 2e-05. It looks finished, and is wrong by a
# factor of 3. Only after 14 iterations $\hat\sigma$ is 3.000000. **A small residual proves that *a* singular value is
# near. It does not say which one.** Only a bound from above can tell that it is the largest.
#
# A random start is not so unlucky. For square Gaussian matrices tutorial 3 found $\sigma(W/\hat\sigma)$ near 1.4 after
# one iteration. In training, where $\tilde u$ is kept, $\hat\sigma$ was too low by less than 10 %. That is good enough
# to train with. It is not a bound.
#
# ## A bound from above, proven
#
# What does it take to *prove* $\sigma(W) \le c$? By definition it says $\|Wx\|^2 \le c^2\|x\|^2$ for all x, or
#
# $$x^T(c^2I - W^TW)\,x \ge 0 \quad\text{for all } x.$$
#
# A symmetric matrix with this property is called positive semidefinite. $c^2I - W^TW$ has it if it can be written as
# $LL^T$, since then the left side is $x^TLL^Tx = \|L^Tx\|^2$, a square. The *Cholesky factorisation* of a symmetric
# matrix finds such an L, of triangular form, or fails if there is none. For $W = \mathrm{diag}(3, 1)$ the matrix is
# $\mathrm{diag}(c^2 - 9,\ c^2 - 1)$. For $c = 3.1$ this is diag(0.61, 8.61), and L has the roots of the two numbers.
# For $c = 2.9$ it is diag(−0.59, 7.41), and −0.59 has no root.
#
# A computer does not find L exactly. That does no harm. We look at what is left over,
#
# $$R = c^2I - W^TW - LL^T.$$
#
# Solve this for $W^TW$, and multiply by x from both sides:
#
# $$\|Wx\|^2 = x^TW^TWx = c^2\|x\|^2 - \|L^Tx\|^2 - x^TRx \;\le\; c^2\|x\|^2 + \|R\|\,\|x\|^2.$$
#
# The last step leaves out $-\|L^Tx\|^2$, which is not positive, and uses $|x^TRx| \le \|R\|\,\|x\|^2$. Hence
#
# $$\sigma(W)^2 \le c^2 + \|R\|.$$
#
# This is true whatever L is. A bad L only makes R large.


# %%
def upper_bound(W, c):
    """Bound σ(W) from above, given a guess c; None if c is too small."""
    M = c**2 * np.eye(W.shape[1]) - W.T @ W
    try:
        L = np.linalg.cholesky(M)
    except np.linalg.LinAlgError:
        return None
    return np.sqrt(c**2 + np.linalg.norm(M - L @ L.T))  # the Frobenius norm is at least the spectral norm


print("c = 3.1:", upper_bound(W_hand, 3.1), "  c = 2.9:", upper_bound(W_hand, 2.9))
assert np.isclose(upper_bound(W_hand, 3.1), 3.1)
assert upper_bound(W_hand, 2.9) is None

# %% [markdown]
# One thing is missing. $W^TW$, $LL^T$ and the sums are rounded as well, and the rounding of a matrix product has a
# known bound. `sn.spectral_norm_bounds` adds it, and rounds the result up. It returns two numbers with σ(W) between
# them, for the matrix as it is stored. How far are they apart?

# %%
rng = np.random.default_rng(0)
W_square = rng.standard_normal((64, 64))
lower, upper = sn.spectral_norm_bounds(W_square)
print(f"σ(W) is between {lower:.13f} and {upper:.13f}: apart by {(upper - lower) / lower:.0e}")
assert lower <= sn.spectral_norm(W_square) <= upper
assert (upper - lower) / lower < 1e-12

# %% [markdown]
# Twelve digits agree, and the rest is proven. **Is that pedantry, when an SVD gives 15 digits?** The SVD is not wrong
# by much, but it is wrong to both sides. The simplest matrix shows it: a single row w, whose norm is its length. Divide
# it by its length, as computed. Is the result longer than 1? We can decide this without any rounding, because every
# float is a whole number times a power of two, and Python computes with whole numbers exactly. (A float of 53 binary
# digits, times $2^{100}$, is a whole number if the float is not smaller than $2^{-47}$. Ours are not.)
#
# `sn.certified_normalization` is made for this. It takes W and an estimate of its norm, and returns a $\bar W$ whose
# norm is proven to be at most 1, and the number that it has divided by. How it does that stands below.


# %%
def is_longer_than_1(w):
    """Decide exactly whether the sum of the squares exceeds 1."""
    return sum(int(float(w_i) * 2.0**100) ** 2 for w_i in w) > 2**200


rows = rng.standard_normal((1000, 8))
plain, certified = 0, 0  # how many are longer than 1
for w in rows:
    length = np.linalg.norm(w)
    plain += is_longer_than_1(w / length)
    w_bar, _ = sn.certified_normalization(w[None], length, margin=0.0)  # w[None] is the matrix with the row w
    certified += is_longer_than_1(w_bar[0])
print("longer than 1, divided by the computed length:", plain, "of 1000")
print("longer than 1, by certified_normalization:    ", certified, "of 1000")
assert 400 < plain < 600
assert certified == 0

# %% [markdown]
# 486 of 1000 are, by a last digit. So a test that demands $\sigma(\bar W) \le 1$ of an SVD fails about half of the
# time.
#
# `sn.certified_normalization` takes any $\hat\sigma$, divides by $(1 + 0.01)\,\hat\sigma$, and has `sn.certify_upper`
# prove the result. (With `margin=0.0` above we have left out the 1 %.) If the proof fails, because $\hat\sigma$ was too
# low, it computes a better divisor. Here it is for a $\hat\sigma$ after one iteration and for a good one. s is the
# divisor.

# %%
sigma = sn.spectral_norm(W_square)
_, one_iteration, _ = iterate(W_square, sn.random_direction(64, rng=rng))
for name, sigma_hat in (("one iteration", one_iteration), ("SVD", sigma)):
    W_bar, s = sn.certified_normalization(W_square, sigma_hat)
    print(f"{name:14} σ(W/σ̂) ≤ 1 proven: {sn.certify_upper(W_square / sigma_hat, 1.0)!s:6}", end="")
    print(f"certified: {sn.certify_upper(W_bar, 1.0)}, σ(W̄) = {sn.spectral_norm(W_bar):.4f}, s/σ = {s / sigma:.4f}")
    assert not sn.certify_upper(W_square / sigma_hat, 1.0)
    assert sn.certify_upper(W_bar, 1.0)
    assert np.isclose(s / sigma, 1.0 if name == "one iteration" else 1.01)

# %% [markdown]
# The first divisor was found anew: s/σ is 1.0000. The second is 1.0100, with the 1 % on top, and was proven at once.
# `certify_upper` says True only if it has a proof. False means "no proof". It says so for $W/\sigma$ as well, whose
# norm is within rounding of 1.
#
# ## The product is loose, by hand
#
# Now whole networks. The paper asks for
#
# $$\|f\|_{Lip} \le K, \tag{5}$$
#
# and gets it from the product over the layers,
#
# $$\|f\|_{Lip} \le \prod_{l=1}^{L+1}\sigma(W^l). \tag{7}$$
#
# How much is lost? Take the smallest network that bends, $f(x) = \mathrm{ReLU}(x) + \mathrm{ReLU}(-x) = |x|$. Its
# constant is 1. Its matrices are $W^1 = (1, -1)^T$ and $W^2 = (1, 1)$, and each has the norm $\sqrt2$. So (7) says 2.
#
# (The upper numbers count layers; they are no powers.)
#
# The reason can be seen: the direction that $W^2$ likes is (1, 1), and $W^1$ never sends anything there. A ReLU has the
# slope 0 or 1, which is $\frac12(1 \pm 1)$. So the slopes of a layer are a diagonal matrix $\frac12(I + S)$, where S is
# diagonal with signs ±1, so that $\sigma(S) = 1$. The gradient of f is the product of the three,
#
# $$W^2\,\tfrac12(I + S)\,W^1 = \tfrac12W^2W^1 + \tfrac12W^2SW^1.$$
#
# The norm of a sum is at most the sum of the norms, and the norm of a product at most the product of the norms:
#
# $$\|W^2\,\tfrac12(I + S)\,W^1\| \;\le\; \tfrac12\,\sigma(W^2W^1) + \tfrac12\,\sigma(W^2)\,\sigma(S)\,\sigma(W^1).$$
#
# Here $W^2W^1 = 1 - 1 = 0$, so that the right side is $\frac12\cdot0 + \frac12\cdot\sqrt2\cdot\sqrt2 = 1$.
#
# One half of the bound sees the two layers together. That is the idea of `sn.tighter_lipschitz_upper_bound`, and for
# |x| it is exact.

# %%
W_abs = [np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0]])]
together = sn.spectral_norm(W_abs[1] @ W_abs[0])
apart = sn.spectral_norm(W_abs[1]) * sn.spectral_norm(W_abs[0])
by_hand = 0.5 * together + 0.5 * apart
print(f"|x|: product (7) {sn.lipschitz_upper_bound(W_abs, 0.0):.3f}, with half of it taken together {by_hand:.3f}")
assert np.isclose(sn.lipschitz_upper_bound(W_abs, 0.0), 2)
assert np.isclose(by_hand, 1)
assert np.isclose(sn.tighter_lipschitz_upper_bound(W_abs, 0.0), 1)

# %% [markdown]
# ## The exact constant, region by region
#
# For two inputs we can do better than bounds. A ReLU network is affine where no unit changes its sign. The first
# layer's units change sign along straight lines, so they cut the plane into polygons. On each polygon the second layer
# is affine, and its units cut again. On the final polygons f itself is affine, with one gradient each.
#
# Go from one point of the box to another along the straight line between them, which stays in the box. On each piece
# of the way f changes by at most $\|\nabla f\|$ times the length of the piece. So no quotient is larger than the
# largest $\|\nabla f\|$. And two points in the steepest polygon, one behind the other along its gradient, have exactly
# this quotient. So **the constant on the box is the largest $\|\nabla f\|$ of its polygons**.
#
# The first function divides one convex polygon along the line $x\cdot n + d = 0$, where n is the normal of the line. At
# each vertex it computes the value $t = x\cdot n + d$, whose sign says on which side the vertex lies. The part on one
# side has the vertices with $t \ge 0$. Where t changes its sign between two neighbouring vertices, from $t_1$ at $x_1$
# to $t_2$ at $x_2$, the line crosses the edge at the share $t_1/(t_1 - t_2)$ of the way. This point belongs to the part
# as well. The other part is found in the same way from −t. (A line that touches the polygon, up to $10^{-9}$, does not
# cut it.) We try it on a square of side 1, and the line $x_1 = 0.25$.


# %%
def cut(polygon, normal, offset):
    """Divide a polygon, (n, 2), along the line x·normal + offset = 0; return one part or two."""
    value = polygon @ normal + offset
    if value.min() > -1e-9 or value.max() < 1e-9:
        return [polygon]
    parts = []
    for t in (value, -value):
        part = []
        for i in range(len(polygon)):
            j = (i + 1) % len(polygon)  # the next vertex; after the last one comes the first
            if t[i] >= 0:
                part.append(polygon[i])
            if t[i] * t[j] < 0:
                part.append(polygon[i] + t[i] / (t[i] - t[j]) * (polygon[j] - polygon[i]))
        parts.append(np.array(part))
    return parts


square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
for part in cut(square, np.array([1.0, 0.0]), -0.25):
    print("part with the vertices", part.tolist())
assert len(cut(square, np.array([1.0, 0.0]), -0.25)) == 2
assert len(cut(square, np.array([1.0, 0.0]), 1.0)) == 1

# %% [markdown]
# The second function goes through the layers. On each polygon the input of the present layer is an affine function of
# x, $Ax + c$; in the beginning it is x itself, with $A = I$ and $c = 0$. The pre-activations are then
# $W^l(Ax + c) + b^l$, which is affine again. The polygon is cut along the line on which each of them is 0. On each of
# the parts we look at the centre which units are on. Those that are off become 0, and with them their rows of A and c.
# After the last hidden layer, the gradient of f on a polygon is $W^{L+1}A$.


# %%
def regions(W, b, box):
    """Return (polygon, gradient) for every region of the box on which the ReLU network is affine."""
    (left, right), (low, high) = box
    corners = np.array([[left, low], [right, low], [right, high], [left, high]])
    pieces = [(corners, np.eye(2), np.zeros(2))]  # on each polygon the layer's input is A x + c
    for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
        finer = []
        for polygon, A, c in pieces:
            A, c = W_l @ A, W_l @ c + b_l  # now the pre-activations
            parts = [polygon]
            for normal, offset in zip(A, c, strict=True):  # one unit after the other
                uncut, parts = parts, []
                for part in uncut:
                    parts += cut(part, normal, offset)
            for part in parts:
                on = A @ part.mean(axis=0) + c > 0
                finer.append((part, on[:, None] * A, on * c))  # the rows of the units that are off become 0
        pieces = finer
    return [(polygon, (W[-1] @ A)[0]) for polygon, A, _ in pieces]


rng = np.random.default_rng(3)
W = [W_l for W_l, _ in sn.he_layers((2, 8, 8, 1), slope=0.0, rng=rng)]
b = [0.5 * rng.standard_normal(len(W_l)) for W_l in W]
box = [(-2.0, 2.0), (-2.0, 2.0)]
pieces = regions(W, b, box)
steepness = np.array([np.linalg.norm(gradient) for _, gradient in pieces])
print(f"{len(pieces)} regions; ‖∇f‖ from {steepness.min():.3f} to {steepness.max():.3f}")
assert len(pieces) == 117
assert np.isclose(steepness.max(), 3.642, atol=5e-4)

# %% [markdown]
# The box has 117 regions, and the constant on it is 3.642. The package does the same in `sn.exact_lipschitz_constant`,
# with care for rounding at the kinks. It goes through `affine_pieces`, which yields the gradient, a centre and the area
# of every region. The areas have to add up to that of the box, 16; otherwise a region has been lost.

# %%
exact = sn.exact_lipschitz_constant(W, b, 0.0, box)
blocks = list(affine_pieces(W, b, 0.0, np.array(box)))
area = np.concatenate([block.area for block in blocks])
gradient = np.concatenate([block.gradient for block in blocks])
print(f"package: {exact.n_regions} regions, constant {exact.value:.3f}, areas sum to {area.sum():.6f}")
steep = np.linalg.norm(gradient, axis=1) > 0.9 * exact.value
print(f"steeper than 90 % of the constant: {steep.sum()} regions, {area[steep].sum() / area.sum():.2%} of the area")
assert exact.n_regions == len(pieces)
assert np.isclose(exact.value, steepness.max())
assert np.isclose(area.sum(), 16)
assert steep.sum() == 8
assert np.isclose(area[steep].sum() / 16, 0.0605, atol=5e-5)
assert np.allclose(np.sort(np.linalg.norm(gradient, axis=1)), np.sort(steepness))

# %% [markdown]
# What is steeper than 90 % of the constant lies on eight regions of 117, on 6.05 % of the area. If you look at a few
# points only, you see something flatter.
#
# ## Three bounds from above
#
# With more than two inputs there are too many regions to go through. Then one needs bounds. They hold for all x, so we
# compare them with the exact constant on a box 50 times as wide, which has the regions further out as well.
#
# * The **product** (7).
# * The **tighter** bound, which takes products of neighbouring layers together as we did for |x|. With three matrices
#   there are two layers of slopes, $\frac12(I + S)$ each, and so four terms with the factor ¼:
#   $\frac14\big(\sigma(W^3W^2W^1) + \sigma(W^3W^2)\sigma(W^1) + \sigma(W^3)\sigma(W^2W^1) +
#   \sigma(W^3)\sigma(W^2)\sigma(W^1)\big)$. It needs the norms of six matrices in place of three.
# * The **SDP** bound (LipSDP). It uses that every unit has *some* slope between 0 and 1, and puts a weight on each
#   unit. The best weights solve a semidefinite program. It costs seconds for wide layers, and is the sharpest.
#
# From below there are pairs of points and gradients: the best of 1000 random pairs, and a search that goes uphill.


# %%
def f(x):
    """Evaluate the network."""
    return sn.forward(W, b, x, 0.0)[0]


norm = sn.spectral_norm
W1, W2, W3 = W
four_terms = [norm(W3 @ W2 @ W1), norm(W3 @ W2) * norm(W1), norm(W3) * norm(W2 @ W1), norm(W3) * norm(W2) * norm(W1)]
print(
    f"tighter bound by hand: {sum(four_terms) / 4:.3f}, by the package: {sn.tighter_lipschitz_upper_bound(W, 0.0):.3f}"
)
assert np.isclose(sum(four_terms) / 4, sn.tighter_lipschitz_upper_bound(W, 0.0))

x, y = rng.uniform(-2, 2, (2, 1000, 2))
quotients = np.linalg.norm(f(x) - f(y), axis=1) / np.linalg.norm(x - y, axis=1)
wide = sn.exact_lipschitz_constant(W, b, 0.0, [(-100.0, 100.0), (-100.0, 100.0)])
table = {
    "best of 1000 random pairs in the box": quotients.max(),
    "search for a steep gradient in the box": sn.lipschitz_lower_bound(W, b, 0.0, box, n_samples=500, rng=rng)[0],
    "exact constant on the box": exact.value,
    "exact constant, 50 times as wide": wide.value,
    "SDP bound": sn.sdp_lipschitz_upper_bound(W, 0.0),
    "tighter bound": sn.tighter_lipschitz_upper_bound(W, 0.0),
    "product (7)": sn.lipschitz_upper_bound(W, 0.0),
}
for name, value in table.items():
    print(f"{name:40} {value:7.3f}   {value / wide.value:5.2f} × exact")
numbers = list(table.values())
assert np.all(np.diff(numbers) > -1e-9)  # each is at most the next, up to rounding
assert np.allclose([numbers[0], *numbers[3:]], [2.138, 3.973, 5.283, 9.533, 16.121], atol=5e-4)
assert np.allclose(np.array(numbers[-3:]) / wide.value, [1.33, 2.40, 4.06], atol=5e-3)

# %% [markdown]
# The product says 16.121, and the network has 3.973: **(7) is 4.06 times too large here**. The tighter bound is 2.40
# times too large, the SDP bound 1.33 times. And the best of 1000 random pairs shows 0.54 of the constant. If nobody
# told you the exact value, you would know from the pairs and the SDP bound that it lies between 2.138 and 5.283. The
# search for a steep gradient, with 500 starts, found all of the constant on the box.
#
# What does it mean for spectral normalisation? We divide each matrix by its norm, so that (7) says 1, and look again.

# %%
W_bar = [sn.certified_normalization(W_l, sn.spectral_norm(W_l))[0] for W_l in W]
flat = sn.exact_lipschitz_constant(W_bar, b, 0.0, [(-100.0, 100.0), (-100.0, 100.0)]).value
print(f"normalised: product (7) {sn.lipschitz_upper_bound(W_bar, 0.0):.3f}, exact constant {flat:.3f}")
assert sn.lipschitz_upper_bound(W_bar, 0.0) <= 1
assert np.isclose(flat, 0.279, atol=5e-4)

# %% [markdown]
# The product is 0.971, three times the 1 % of caution in `certified_normalization`. The constant is 0.279. So this D is
# far flatter than it is allowed to be.


# %%
def draw(left, right):
    from matplotlib.collections import PolyCollection

    corners = [polygon for polygon, _ in pieces]
    polygons = PolyCollection(corners, array=steepness, cmap="viridis", edgecolor="white", lw=0.4)
    left.add_collection(polygons)
    left.plot(*exact.x, "o", color="white", mec="black", ms=6)
    left.set(xlim=box[0], ylim=box[1], aspect="equal", title=f"‖∇f‖ on {len(pieces)} regions; steepest at the dot")
    left.figure.colorbar(polygons, ax=left, shrink=0.8)
    order = np.argsort(-np.linalg.norm(gradient, axis=1))
    slopes, share = np.linalg.norm(gradient, axis=1)[order], np.cumsum(area[order]) / area.sum()
    right.step(slopes, share, color=BLUE, where="post")
    lines = zip(list(table)[3:], ("exact", "SDP", "tighter", "(7)"), (ORANGE, GREEN, "#CC79A7", GREY), strict=True)
    for row, (name, label, color) in enumerate(lines):
        right.axvline(table[name], color=color)
        right.text(table[name] + 0.2, 0.92 - 0.1 * row, label, color=color)
    right.set(xlabel="t", ylim=(0, 1), xlim=(0, 18), title="share of the box where ‖∇f‖ ≥ t")


show(draw, "09_trusting_the_bound_3", height=3.3)

# %% [markdown]
# On the left each polygon has one colour, since it has one gradient. Two narrow bands are steep. On the right one sees
# how far the bounds are from what the network does in most places of the box. "Exact" there is that of the wide box.
#
# ## Testing what one cannot read
#
# All of this needs the weights. What if the function is a black box, or somebody else's layer? Then one can look for
# two points that break the claim. One such pair **refutes** it. To find none **proves nothing**.
#
# `assert_lipschitz` checks given pairs. It allows for rounding, and raises an AssertionError with the worst pair.
# Suppose somebody claims that our network is 3-Lipschitz on the box, which is false. The 1000 random pairs are content,
# for the best of them shows 2.138. A claim of 2 is refuted by them.


# %%
def is_refuted(claim, x, y):
    """Say whether some pairs of points refute the claim that f is claim-Lipschitz."""
    try:
        assert_lipschitz(f, claim, x, y)
    except AssertionError as refuted:
        print(str(refuted).splitlines()[0])
        return True
    return False


assert is_refuted(2.0, x, y)
assert not is_refuted(3.0, x, y)

# %% [markdown]
# `find_lipschitz_violation` looks harder. It begins with pairs at many scales and goes uphill from the steepest, along
# the largest singular vector of the Jacobian. It returns the pair it has found, or None.

# %%
found = find_lipschitz_violation(f, 3.0, 2, box=box, rng=np.random.default_rng(0))
assert found is not None
print(found)
for share in (0.99, 0.9999, 1.0001):
    violation = find_lipschitz_violation(f, share * exact.value, 2, box=box, rng=np.random.default_rng(0))
    print(f"claimed {share:.4f} of the exact constant:", "nothing found" if violation is None else "refuted")
    assert (violation is not None) == (share < 1)
assert np.isclose(found.ratio, exact.value)

# %% [markdown]
# It refutes 3 with a pair of ratio 3.642, and it refutes a claim that is too small by 0.01 %. (In a plane. The more
# dimensions, the harder it is.)
#
# **A function of one's own.** Any function will do that takes the rows of an array. Take the span of a vector,
# $g(x) = \max_i x_i - \min_i x_i$. A maximum is 1-Lipschitz, so is a minimum, and so the span seems to be. But move the
# largest entry up and the smallest one down, each by $1/\sqrt2$. Then x has moved by 1, and g by $\sqrt2 = 1.414$.


# %%
def span(x):
    return x.max(axis=1) - x.min(axis=1)


found = find_lipschitz_violation(span, 1.0, 5, rng=np.random.default_rng(0))
print(f"the span is not 1-Lipschitz: ratio {found.ratio:.4f}")
assert np.isclose(found.ratio, np.sqrt(2))
assert find_lipschitz_violation(span, np.sqrt(2), 5, rng=np.random.default_rng(0)) is None

# %% [markdown]
# **And here is what no search finds.** A function of ten variables is 0 everywhere, except for a spike with a radius of
# 0.1 around one point. Its constant is 10. Nothing outside of the spike tells where it is.


# %%
def spike(x):
    return np.maximum(0, 1 - 10 * np.linalg.norm(x - 0.5, axis=1))


missed = find_lipschitz_violation(spike, 1.0, 10, rng=np.random.default_rng(0))
print("the spike, claimed to be 1-Lipschitz:", "nothing found" if missed is None else "refuted")
assert missed is None
center, beside = np.full((1, 10), 0.5), np.full((1, 10), 0.5)
beside[0, 0] += 0.05
assert np.allclose((spike(center) - spike(beside)) / 0.05, 10)

# %% [markdown]
# In a test suite one lets hypothesis draw the pairs: far ones, near ones, and some along the steepest direction of f.
# If one of them breaks the claim, it looks for a simpler pair that does. This needs `pip install hypothesis`:
#
# ```python
# @given(pair=input_pairs(2, f))  # from hypothesis import given; from specnorm_np.testing import input_pairs
# def test_f_keeps_its_bound(pair):
#     assert_lipschitz(f, 4.0, *pair)
# ```
#
# ## Convolutions: another norm
#
# The paper reshapes a kernel of shape $(d_{out}, d_{in}, h, w)$ to a matrix $d_{out} \times (d_{in}hw)$, and
# normalises that (`sn.as_matrix`). A footnote says that the norm of the convolution differs from it only by a
# constant that is known beforehand. We look how far, and whether it is known.
#
# A convolution is a linear map of images to images, so it *is* a matrix, a big one: for images of 8 × 8 it is 64 × 64.
# Column k is what the convolution does to the image whose pixel k is 1 and all others 0. (The image goes on at the
# other side, which is called circular padding.)


# %%
def convolve(image, kernel):
    """Convolve an (n, n) image with a 3 × 3 kernel, with circular padding."""
    return sum(kernel[i, j] * np.roll(image, (i - 1, j - 1), (0, 1)) for i in range(3) for j in range(3))


def dense(kernel, n=8):
    """Write the convolution as a matrix, (n², n²)."""
    return np.array([convolve(pixel.reshape(n, n), kernel).ravel() for pixel in np.eye(n * n)]).T


kernels = {
    "one pixel": np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "edges (Sobel)": np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]),
    "average": np.ones((3, 3)) / 9,
}
ratios = {}
for name, kernel in kernels.items():
    with_channels = kernel[None, None]  # one channel in, one out: (1, 1, 3, 3)
    reshaped = sn.spectral_norm(sn.as_matrix(with_channels))
    operator = sn.spectral_norm(dense(kernel))
    package = sn.convolution_norm(with_channels, (8, 8), padding="circular")
    ratios[name] = operator / reshaped
    print(f"{name:14} reshaped {reshaped:.3f}, operator {operator:.3f}, by FFT {package:.3f}, ratio {ratios[name]:.3f}")
    assert np.isclose(package, operator)
    assert np.isclose(reshaped, np.linalg.norm(kernel))
    assert np.isclose(operator, np.abs(np.fft.fft2(kernel, (8, 8))).max())
assert np.allclose(list(ratios.values()), [1, 8 / np.sqrt(12), 3])

# %% [markdown]
# The ratio is 1.000 for one pixel, 2.309 for the edges, 3.000 for the average. All three can be seen by hand. With one
# channel the reshaped norm is the length of the nine numbers.
#
# * *One pixel.* The image stays what it is, so both norms are 1.
# * *The average.* The length is $\sqrt{9}/9 = 1/3$. But a constant image passes through unchanged, so the operator norm
#   is 1.
# * *The edges.* The length is $\sqrt{12} = 3.464$. An image whose columns go like 0, 1, 0, −1 is stretched by 2 in the
#   difference of two columns, and by 1 + 2 + 1 in the sum of three rows. That makes 8.
#
# **Why is it never less than 1, and never more than 3?** An output pixel is Wp, where W is the reshaped kernel and p
# the patch of the image under it, written as a vector.
#
# * *At least 1.* Take an image that is 0 but for one patch, and let this patch be the first right singular vector of W.
#   The image has the length 1, and one output pixel alone has the length σ(W).
# * *At most $\sqrt{hw}$.* Let x be the image and y the output. Each pixel of x lies in hw patches, so that
#   $\sum\|p\|^2 = hw\,\|x\|^2$, summed over all patches. Hence
#   $\|y\|^2 = \sum\|Wp\|^2 \le \sigma(W)^2\sum\|p\|^2 = \sigma(W)^2\,hw\,\|x\|^2$.
#
# Where it lies between 1 and $\sqrt{hw}$ depends on the weights. So it is *not* known beforehand, and it changes.
#
# The line with `fft2` is the quick way: a sine wave that is convolved remains a sine wave, so the Fourier transform
# makes the big matrix diagonal, and the norm is the largest entry. With several channels it leaves one
# $d_{out} \times d_{in}$ matrix for each frequency. This is what `sn.convolution_norm` does. We draw random kernels.

# %%
rng = np.random.default_rng(0)
random_ratios = {}
for channels in (1, 16):
    random_ratios[channels] = []
    for kernel in rng.standard_normal((200, channels, channels, 3, 3)):
        reshaped = sn.spectral_norm(sn.as_matrix(kernel))
        random_ratios[channels].append(sn.convolution_norm(kernel, (8, 8), "circular") / reshaped)
    low, middle, high = np.quantile(random_ratios[channels], [0, 0.5, 1])
    print(
        f"{channels:2} channels: ratio {low:.2f} to {high:.2f}, median {middle:.2f}, to the 7th power {middle**7:.0f}"
    )
    assert 1 <= low <= high <= 3
assert np.allclose([np.median(random_ratios[1]), np.median(random_ratios[16])], [1.78, 1.57], atol=5e-3)
assert round(np.median(random_ratios[16]) ** 7) == 23

# %% [markdown]
# So a layer whose reshaped kernel has the norm 1 stretches by 1.78 in the median if it has one channel and is random,
# by 1.57 if it has 16, and by 3 at worst. The product over seven layers of 16 channels is then about 23, where (7) with
# the reshaped norms says 1. The method still works, because what training needs is that the norms cannot run away.
# But "D is 1-Lipschitz" is no longer proven. For a proof, give `sn.Conv2d` layers to `sn.lipschitz_upper_bound`, which
# counts them with the norm of the convolution.

# %%
layer = sn.Conv2d(kernels["average"][None, None], (8, 8), padding="circular")
print(f"(7) for the average as a convolution: {sn.lipschitz_upper_bound([layer], 0.0):.3f}")
assert np.isclose(sn.lipschitz_upper_bound([layer], 0.0), 1)

# %% [markdown]
# ## What was learnt
#
# 1. Power iteration gives a lower bound of σ, so $W/\hat\sigma$ has a norm of at least 1. A small residual does not say
#    that it has converged to the largest one.
# 2. An upper bound needs a proof, and a Cholesky factor with its remainder is one.
# 3. (7) holds, and was 4.06 times too large for a small network; the SDP bound was 1.33 times too large.
# 4. A pair of points refutes a claim. No number of pairs proves one.
# 5. The norm of a reshaped 3 × 3 kernel is between the operator norm and a third of it.
#
# ## Traps
#
# * A test of $\sigma(W/\hat\sigma) \le 1$ demands what a power iteration does not promise. Test from the other side.
# * A constant on a box says nothing about the outside. Ours grew from 3.642 to 3.973 on a wider box.
# * With batch normalisation a row of the output depends on the other rows of the batch. No bound here covers that.
# * A residual block $x + r(x)$ has the bound $1 + \|r\|_{Lip}$, whatever is normalised inside.
#
# ## Exercises
#
# The solutions are in [solutions/09_trusting_the_bound.py](solutions/09_trusting_the_bound.py).
#
# 1. *(Think.)* The function $f(x) = |x_1| + \dots + |x_d|$ is a network with 2d units, like |x| above. What are its
#    constant, the bound (7), and the bound with half of it taken together?
# 2. *(Code.)* Draw a random network 2–16–16–1 with ReLUs and biases from N(0, 1), and make a σ̂ of *one* power
#    iteration from a random start for each layer. What does (7) say of the network with $W/\hat\sigma$? Now use
#    `sn.certified_normalization`, so that the product of (7) is proven to be at most 1. How large is the exact constant
#    of the result on $[-20, 20]^2$, in parts of the 1 that is allowed?
# 3. *(Code.)* Pad the image with zeros instead, as most networks do. Build the dense matrix of the average kernel for
#    images of 4 × 4, 8 × 8 and 16 × 16. Is its norm above or below the circular one, and where does it go when the
#    image grows?
