# %% [markdown]
# # 7. Training, and reading a run
#
# *Beside the paper: section 4.1 with Table 1 and Figures 3 and 9, and the equations (7), (12) and (13).*
#
# Tutorial 6 has written the loop. It runs, the losses wander up and down, and after a while there are points. **How
# do you see what happened inside, how do you tell good points from points that only look good, and which of the many
# numbers of a run do you turn when they are not good?**
#
# After this tutorial you can
#
# * watch the singular values, $\lambda$ and $\sigma(\bar W)$ of every layer through a run, and say what they mean;
# * read Table 1, say what each of its numbers does, and see two of its settings at work with SN and without;
# * name a bad sampler for which all published measures are perfect, and two measures that catch it;
# * read a long run on the grid, where a loss of modes hides behind good samples;
# * choose K for data of another scale, and train on your own points.
#
# The runs are short and the networks small, so that everything takes about a minute on one core. The seeds are
# named. Training amplifies rounding, so that on another machine the same seed gives another run of the same kind.
# Therefore the text quotes the numbers of one machine, and the code asserts what they say with room to spare.
#
# You need tutorial 6 for the loop, and tutorial 4 for $\lambda$.

# %%
import functools
import os
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices are slower on several threads

import numpy as np
from plotting import BLUE, GREEN, GREY, ORANGE, kept_of_figure, show

import specnorm_np as sn

QUICK = os.environ.get("SPECNORM_QUICK") == "1"
N = 500 if QUICK else 2500  # samples that are measured
ring = sn.ring(8, radius=1.0, std=0.05)

# %% [markdown]
# First a question. In the picture, grey are 200 real points of a mode of the ring. The blue points are from two
# samplers that are both wrong: one is half as wide as the mode, the other has the right width and sits one standard
# deviation too far to the right. **Which of the two is a better copy of the grey points?** The measures that papers
# publish say: the left one is better than the real points themselves. Further down we see why.

# %%
sketch = np.random.default_rng(7)
mode = np.array([1.0, 0.0])
grey = mode + ring.std * sketch.standard_normal((200, 2))
blue = mode + ring.std * sketch.standard_normal((200, 2))
angle = np.linspace(0, 2 * np.pi, 100)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)


def draw(left, right):
    for ax, title, x in (
        (left, "half as wide", mode + 0.5 * (blue - mode)),
        (right, "moved by 1 std", blue + np.array([ring.std, 0.0])),
    ):
        ax.plot(*grey.T, ".", color=GREY, ms=4, label="real")
        ax.plot(*x.T, ".", color=BLUE, ms=3, label="generated")
        ax.plot(*(mode + 3 * ring.std * circle).T, "--", color=GREY, lw=0.8, label="3 std")
        ax.set(title=title, xlim=(0.75, 1.45), ylim=(-0.2, 0.2), aspect="equal")
        ax.legend(loc="center right")


inside = [np.linalg.norm(x - mode, axis=1) <= 3 * ring.std for x in (grey, mode + 0.5 * (blue - mode))]
print(
    f"within 3 standard deviations: {inside[0].mean():.1%} of the real points, {inside[1].mean():.1%} of the left ones"
)
assert inside[0].mean() < inside[1].mean() == 1
show(draw, "07_training_and_reading_a_run_1")

# %% [markdown]
# ## What all runs share
#
# `make_gan` says what is fixed in a run. `falling` is the factor on the learning rate: 1 up to half of the run, then
# down to 0 in a straight line. `train` returns 2500 samples of the last G, and the log of every tenth update. `measure`
# measures samples, always against the same real points. As in tutorial 6, a mode counts as found if at least 1 % of
# all samples lie within three standard deviations of it ("one-percent").

# %%
falling = functools.partial(sn.linear_decay, start=0.5)


def make_gan(normalizer, d_alpha, g_alpha, steps, g_scale=1.0):
    """Make a small GAN whose learning rates fall to 0 in the second half of the run."""
    return sn.GAN(
        (2, 64, 64, 64, 1),
        (2, 64, 64, 64, 2),
        normalizer=normalizer,
        d_optim=sn.Adam(d_alpha, beta1=0.5, beta2=0.999),
        g_optim=sn.Adam(g_alpha, beta1=0.5, beta2=0.999),
        d_rate=falling,
        g_rate=falling,
        steps=40 if QUICK else steps,
        g_scale=g_scale,
        dtype="float32",  # about half the time of float64
    )


def train(gan, target, seed):
    """Train, and return samples of the last G, and every tenth log."""
    logs = []
    for state, log in sn.train(gan, sn.start(gan, seed), target.sample):
        if state.step % 10 == 0:
            logs.append(log)
    z = sn.latents(gan, N, rng=np.random.default_rng(1000))
    return sn.generate(gan, state.G.theta, z).astype(float), logs


def measure(x, target):
    """Measure samples, all in the same way and against the same real points."""
    return sn.evaluate(x, target, target.sample(N, rng=np.random.default_rng(2000)), "one-percent")


progress = [falling(share) for share in (0.0, 0.25, 0.5, 0.75, 0.9)]
print("factor on the learning rate after 0, 25, 50, 75 and 90 % of a run:", np.round(progress, 2))
assert np.allclose(progress, [1, 1, 1, 0.5, 0.2])

# %% [markdown]
# ## One run from outside
#
# We train three discriminators on the ring: with spectral normalisation, with weight normalisation, which divides each
# row of W by its own length, and with nothing. All else is the same. Seeds differ, so each is trained with the seeds 0,
# 1 and 2, for 1000 updates. After every tenth update `log` tells us what the step of D saw. We keep the singular values
# of each $\bar W$ and the $\lambda$ of each layer.

# %%
NORMALIZERS = {"SN": sn.SpectralNorm(), "WN": sn.WeightNorm(), "none": sn.Identity()}
SEEDS = (0,) if QUICK else (0, 1, 2)
spectra, lam, samples, reports = {}, {}, {}, {}
for name, normalizer in NORMALIZERS.items():
    for seed in SEEDS:
        run = name, seed
        gan = make_gan(normalizer, d_alpha=1e-3, g_alpha=1e-3, steps=1000)
        samples[run], logs = train(gan, ring, seed)
        spectra[run] = [[np.linalg.svd(W, compute_uv=False) for W in log.W_bar] for log in logs]
        lam[run] = [log.lam for log in logs]
        reports[run] = measure(samples[run], ring)
        print(f"{name:5} seed {seed}: {reports[run].modes} modes of 8, {reports[run].high_quality:.0%} near a mode")
for name in NORMALIZERS:
    of_method = [reports[name, seed] for seed in SEEDS]
    assert QUICK or min(report.modes for report in of_method) >= 6
    assert QUICK or np.median([report.high_quality for report in of_method]) > 0.5

# %% [markdown]
# All of them find eight modes but for one run, which finds seven. The share of the samples near a mode is 79 to 85 %
# with SN, 66 to 81 % with WN and 74 to 82 % with nothing. The ranges overlap, and there are three seeds only. On
# another machine, whose sums are rounded in another order, seed 1 with SN had 48 %, and the others 83 and 85 %. So
# rounding alone makes as much of a difference as the method. **This ring does not show that SN trains better**, and we
# do not say so. It is too easy for that. What is different is inside.
#
# ## Inside, 1: the norm of each layer (Figure 9)
#
# Figure 9 of the paper shows $\sigma(\bar W)$ of each layer during training. With SN it should be 1, and it is a little
# more where the power iteration lags behind. Without SN it is whatever the optimiser makes of it.

# %%
norms = {run: np.array([[s[0] for s in layers] for layers in kept]) for run, kept in spectra.items()}
for (name, seed), sigma in norms.items():
    first, last = sigma[0].prod(), sigma[-1].prod()
    print(f"{name:5} seed {seed}: median of σ(W̄) {np.median(sigma, axis=0).round(2)}", end=", ")
    print(f"product {first:.2f} at update 10, {last:.2f} at the end")
    if name == "SN":
        assert sigma.min() > 1 - 1e-5
        assert np.median(sigma, axis=0).max() < (1.3 if QUICK else 1.06)
    if name == "none":
        assert last > 20 * norms["SN", seed][-1].prod()
        assert QUICK or last > 1.5 * first

# %% [markdown]
# With SN the median of each layer is between 1.00 and 1.03, like the 1 to 1.05 of Figure 9. The product of the four,
# which bounds the Lipschitz constant by (7), is 1.01 or 1.02 at the end.
#
# Without normalisation the product begins at 76 to 91 and ends at 175 to 279. Nothing holds it. With weight
# normalisation it rises from between 21 and 24 to between 25 and 38. So D with SN learns the ring with a slope of about
# 1 at most, while the bound on the slope of D without normalisation is more than a hundred times as large.
#
# ## Inside, 2: all singular values (Figure 3)
#
# One number for each layer is not all. Figure 3 shows the whole spectrum, and the claim of the paper is that weight
# normalisation leads to matrices of low rank, while SN leaves the rank alone. The reason is (13): if all $d_o$ rows
# have length 1, then
#
# $$\sigma_1(\bar W)^2 + \sigma_2(\bar W)^2 + \dots + \sigma_T(\bar W)^2 = d_o. \tag{13}$$
#
# The sum is a fixed budget. A layer that wants one large singular value has to take it from the others. With SN there
# is no budget. The largest is 1, and the others may be as large as they like up to that.
#
# To say it in one number we count the singular values in units of the largest one, $\sum_t \sigma_t^2/\sigma_1^2$.
# This number is called the stable rank. It is 1 if there is one singular value only, and 64 if all 64 are equal.


# %%
def stable_rank(s):
    """Count singular values in units of the largest one."""
    return float(np.sum(s**2) / s[0] ** 2)


squares = [[np.sum(s**2) for s in spectra["WN", 0][at]] for at in (0, -1)]
print("WN: sum of the squares of each layer:", np.round(squares[0], 3), "and at the end", np.round(squares[1], 3))
assert np.allclose(squares, [64, 64, 64, 1], rtol=1e-4)  # (13)
ranks = {run: [stable_rank(kept[at][2]) for at in (0, -1)] for run, kept in spectra.items()}
for (name, seed), (first, last) in ranks.items():
    print(f"{name:5} seed {seed}: stable rank of layer 3: {first:.1f} at update 10, {last:.1f} at the end")
    assert QUICK or (last > first + 3 if name == "SN" else last < first and last < 0.8 * ranks["SN", seed][1])

# %% [markdown]
# The sums are 64 for each hidden layer and 1 for the last one, early and late, as (13) says. At update 10 all nine
# discriminators have a stable rank of 15 to 18 in layer 3. At the end it is **23 to 24 with SN, 7 to 14 with WN, and 6
# to 11 with nothing**. So the claim of the paper is seen here, too: SN makes the layer broader than it was, and the
# other two make it narrower. How narrow it becomes depends on the seed. With seed 0 alone we would have said that
# weight normalisation takes more than half of the rank, and with seed 2 alone, that it takes a fifth.
#
# ## Inside, 3: $\lambda$
#
# $\lambda$ stands in the term of (12) that spectral normalisation adds to the gradient,
# $\lambda = \langle\nabla_{\bar W}V, \bar W\rangle$. What does its sign say? Make the layer larger by a factor
# $1 + s$, with a small s, and leave all else as it is. The effective weight is then $(1 + s)\bar W$. It has moved by
# $s\bar W$, and so V moves by
#
# $$V\big((1 + s)\bar W\big) - V(\bar W) \approx \langle\nabla_{\bar W}V,\ s\bar W\rangle = s\lambda.$$
#
# So $\lambda$ is the slope of V when the layer grows, in parts of its size. **If it is positive, D would gain by making
# the layer larger.** Without SN the optimiser then makes it larger. With SN the term $-\lambda\,\tilde u\tilde v^T$
# takes the wish out of the gradient. We check the sentence on a small D.

# %%
check_rng = np.random.default_rng(6)
small = sn.he_layers((2, 8, 8, 1), 0.1, rng=check_rng)
weights, biases = [W for W, _ in small], [check_rng.standard_normal(len(W)) for W, _ in small]
points = np.concatenate([ring.sample(20, rng=check_rng), check_rng.standard_normal((20, 2))])  # real ones, then fakes


def V_of(weights):
    """Compute V, which is minus the loss of D."""
    f, _ = sn.forward(weights, biases, points, 0.1)
    return -sn.standard_d(f[:20], f[20:])[0]


f, tape = sn.forward(weights, biases, points, 0.1)
_, df_real, df_fake = sn.standard_d(f[:20], f[20:])
dW, _ = sn.backward(weights, tape, -np.concatenate([df_real, df_fake]), 0.1)  # of V, hence the minus
lam_2 = np.sum(dW[1] * weights[1])
s = 1e-5
grown = V_of([weights[0], (1 + s) * weights[1], weights[2]])
shrunk = V_of([weights[0], (1 - s) * weights[1], weights[2]])
print(f"λ of layer 2: {lam_2:.6f};  slope of V when layer 2 grows: {(grown - shrunk) / (2 * s):.6f}")
assert np.isclose(lam_2, (grown - shrunk) / (2 * s), rtol=1e-6)

# %% [markdown]
# Now the $\lambda$ of our runs. `log.lam` is given in this sign.

# %%
for run in lam:
    positive = np.mean(np.array(lam[run]) > 0, axis=0)
    late = np.mean(lam[run][-len(lam[run]) // 3 :], axis=0)
    if run[0] == "SN":
        print(f"seed {run[1]}: λ > 0 in {positive.round(2)} of the updates, mean in the last third {late.round(4)}")
        assert QUICK or (positive.min() > 0.5 and positive[-1] > 0.8)
        assert QUICK or (late.min() > 0 and late.max() < 3 * late.min())
        assert np.isfinite(lam[run]).all()

# %% [markdown]
# We print it for SN. In each seed and layer $\lambda$ is positive in more than 60 % of the updates, and in the last
# layer in more than 90 %. D would like to have larger layers, and the normalisation keeps it from that. The means of
# the four layers differ by a factor of two at most. This is no accident: with leaky ReLUs and without biases, it would
# not matter which of the layers is made larger, since f would grow by the same factor (exercise 3 of tutorial 5). Only
# the biases make a difference.
#
# Do not compare the size of $\lambda$ between methods. It grows with f, and f grows with the layers. Compare its sign.
#
# In the picture, the product (7) is on the left. The singular values of layer 3 are on the right, in units of the
# largest, with t as their number. There is a curve for each seed.


# %%
def draw(left, right):
    for (name, seed), sigma in norms.items():
        color, label = dict(zip(NORMALIZERS, (BLUE, ORANGE, GREEN), strict=True))[name], name if seed == 0 else None
        left.plot(10 * np.arange(1, len(sigma) + 1), sigma.prod(axis=1), color=color, label=label)
        s = spectra[name, seed][-1][2]
        right.plot(np.arange(1, 65), s / s[0], color=color, label=label)
    left.set(xlabel="update", title=r"product of $\sigma(\bar W^l)$ over the layers, (7)", yscale="log")
    right.set(xlabel="t", title=r"$\sigma_t/\sigma_1$ of $\bar W^3$ at the end")
    right.legend()


show(draw, "07_training_and_reading_a_run_2")

# %% [markdown]
# ## The settings of Table 1
#
# A run has four numbers that everybody turns, and Table 1 lists six choices of them.

# %%
print("     α       β1   β2     n_dis")
for name, (adam, n_dis) in sn.TABLE_1.items():
    print(f"{name}    {adam.alpha:<7g} {adam.beta1:<4g} {adam.beta2:<6g} {n_dis}")
assert list(sn.TABLE_1) == list("ABCDEF")
assert sum(n_dis == 5 for _, n_dis in sn.TABLE_1.values()) == 4

# %% [markdown]
# A, B and C are taken from earlier papers: Gulrajani et al., Warde-Farley and Bengio, Radford et al. D, E and F are the
# paper's own, and meant to be hard: rates five to ten times as large, and in F much momentum. Figures 1 and 2 compare
# the methods in all six, and their point is that SN gets along with all of them. What do the numbers do?
#
# * $\alpha$ is a *length*. Adam divides the gradient by its usual size, so the first step moves each entry of W by
#   $\alpha$, whether the gradient is large or small.
# * $\beta_1$ is a memory. If the gradient changes its sign, Adam goes on in the old direction for a while, and the
#   larger $\beta_1$ is, the longer. In a game in which the other player has just moved, an old direction may be wrong.
# * $\beta_2$ is the memory for the size of the gradient. Each step keeps the share $\beta_2$ of the estimate, and so it
#   reaches back some $1/(1-\beta_2)$ steps: ten with 0.9, a thousand with 0.999.
# * $n_{dis}$ is how often D moves before G does. The cost grows with it, since each step of D is a forward and a
#   backward pass.
#
# The first two can be seen with one parameter. For the first, we look how far it moves in its first step, with a tiny
# gradient and with a huge one. For the second, we give it the gradient +1 for 100 steps, then −1, and count the steps
# in which Adam still goes the old way.


# %%
def first_step(adam, gradient):
    """Say how far Adam moves a parameter in its first step."""
    start = np.zeros(1)
    end, _ = adam.step(start, np.array([gradient]), adam.start(start))
    return abs(end[0])


def steps_in_the_old_direction(adam):
    """Count the steps after the gradient has changed its sign until Adam turns around."""
    theta, moments = np.zeros(1), adam.start(np.zeros(1))
    for _ in range(100):
        theta, moments = adam.step(theta, np.array([1.0]), moments)
    for count in range(100):
        new, moments = adam.step(theta, np.array([-1.0]), moments)
        if new[0] > theta[0]:
            return count
        theta = new
    raise AssertionError("Adam has not turned around")


turns = {}
for name, (adam, _) in sn.TABLE_1.items():
    first = [first_step(adam, gradient) for gradient in (1e-3, 1e3)]
    turns[name] = steps_in_the_old_direction(adam)
    print(f"{name}: first step {first[0]:.2g} or {first[1]:.2g}, goes on for {turns[name]} steps")
    assert np.allclose(first, adam.alpha, rtol=1e-4)
assert [turns[name] for name in "ABCDE"] == [1] * 5
assert turns["F"] == 6

# %% [markdown]
# The first step is $\alpha$ for a gradient of 0.001 as well as for one of 1000. With $\beta_1 = 0.5$ Adam goes the old
# way for one more step. With the 0.9 of setting F it does so for six.
#
# ## Two of the settings at work
#
# Now we train at setting C, which is a mild one, and at setting E, which has ten times the rate and five updates of D
# for one of G. Each is done with SN and without. As in the paper K is 1 and the rates do not fall. With so flat a D
# the points must not be too close to each other, so that this ring has the radius 2. The networks are smaller than
# those above, and all four runs have the seed 0. We note the product (7) at the beginning and at the end, what D's step
# saw as its loss, and the measures of the samples.

# %%
wide_ring = sn.ring(8, radius=2.0, std=0.05)
at_work, bounds = {}, {}
for setting, steps in (("C", 1000), ("E", 600)):
    adam, n_dis = sn.TABLE_1[setting]
    for name in ("SN", "none"):
        gan = sn.GAN(
            (2, 32, 32, 32, 1),
            (2, 32, 32, 2),
            normalizer=NORMALIZERS[name],
            d_optim=adam,
            g_optim=adam,
            n_dis=n_dis,
            steps=20 if QUICK else steps,
            batch=64,
            dtype="float32",
        )
        products = []
        for state, log in sn.train(gan, sn.start(gan, 0), wide_ring.sample):
            if state.step in (1, gan.steps):
                products.append(np.prod([sn.spectral_norm(W) for W in log.W_bar]))
        z = sn.latents(gan, N, rng=np.random.default_rng(1000))
        x = sn.generate(gan, state.G.theta, z).astype(float)
        at_work[setting, name], bounds[setting, name] = x, products
        r = measure(x, wide_ring)
        print(f"{setting}, {name:5} {r.modes} modes of 8, {r.high_quality:4.0%} high quality", end="")
        print(f", product (7): {products[0]:.2f} at update 1, {products[1]:.2f} at the end")
for setting in "CE":
    assert bounds[setting, "SN"][1] < 1.6
    assert bounds[setting, "none"][1] > 20 * bounds[setting, "SN"][1]
growth = {setting: bounds[setting, "none"][1] / bounds[setting, "none"][0] for setting in "CE"}
print("without SN the product has grown by the factor", {name: f"{factor:.1f}" for name, factor in growth.items()})
assert QUICK or growth["E"] > 3 * growth["C"]


# %%
def draw_settings(*axes):
    for ax, ((setting, name), x) in zip(axes, at_work.items(), strict=True):
        ax.plot(*wide_ring.modes.T, "o", color=GREY, ms=8, mfc="none", label="modes")
        ax.plot(*x[:600].T, ".", color=BLUE, ms=2, label="generated")
        product = bounds[setting, name][1]
        ax.set(title=f"{setting}, {name}\n(7) at the end: {product:.1f}", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ax.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))


show(draw_settings, "07_training_and_reading_a_run_3", panels=4, height=2.4)

# %% [markdown]
# * **C is slow.** After 1000 updates of G it has found no mode, neither with SN nor without, and 1 and 2 % of the
#   samples are near one. At E, 600 updates of G are enough for 7 modes with SN and for 5 without.
# * **Nothing holds the product without SN.** At the mild setting it grows by a factor of 1.1, from 64.77 to 71.60. At E
#   it grows by 9.8, from 64.97 to 636.35. With SN it ends at 1.00 and 1.09, whatever the rate is. (It begins at 2.27
#   and 1.28, since one power iteration from a random start is too few. Tutorial 3 tells more about it.)
# * **At E the two fail in different ways.** The samples with SN have spread over the whole ring, but only 14 % of them
#   are near a mode. Without SN 34 % are, and some modes are left empty. One number does not say which is better.
#
# Four short runs with one seed show what the numbers of Table 1 do. They do not show which method gets along with
# them. For this, the figure "Methods over the settings A to F" in [figures/README.md](../figures/README.md) trains many
# methods at all six settings, on the ring and on the grid, with several seeds and longer runs.
# [figures/settings.py](../figures/settings.py) makes it.
#
# ## The published measures, and what they miss
#
# Tables of GANs on the ring and the grid give three numbers. **Modes**: how many of them have samples. **High
# quality**: the share of the samples within three standard deviations of a mode. **Reverse KL**: how uneven the modes
# are filled. If the i-th of k modes has the share $p_i$ of the samples of high quality, it is
# $\sum_ip_i\log(p_i/\frac1k)$, which is 0 if all shares are equal.
#
# We test the measures as one tests a program: with inputs for which we know the answer. The first of these samplers is
# right, since it draws from the target itself. Each of the others is wrong on purpose. `centre` is, for each sample,
# the mode that is nearest to it.

# %%
rng = np.random.default_rng(0)
right = ring.sample(N, rng=rng)
distances = np.linalg.norm(right[:, None] - ring.modes, axis=2)  # of every sample to every mode
centre = ring.modes[distances.argmin(axis=1)]
shift = ring.std * np.array([1.0, 0.0])
line = centre + ring.std * rng.standard_normal((N, 1)) * np.array([1.0, 0.0])
samplers = {
    "nothing is wrong": right,
    "each mode a point": centre,
    "each mode half as wide": centre + 0.5 * (right - centre),
    "each mode a line": line,
    "each mode moved by 1 std": right + shift,
    "every second mode lost": sn.Mixture(ring.modes[::2], ring.std).sample(N, rng=rng),
    "50 points again and again": ring.sample(50, rng=rng)[rng.integers(50, size=N)],
}
published = {name: measure(x, ring) for name, x in samplers.items()}
for name, report in published.items():
    print(f"{name:27}{report.modes} modes, {report.high_quality:6.1%} high quality, rKL {report.reverse_kl:.3f}")
assert [report.modes for report in published.values()][:6] == [8, 8, 8, 8, 8, 4]
for name in ("each mode a point", "each mode half as wide", "each mode a line"):
    assert published[name].high_quality >= published["nothing is wrong"].high_quality
assert published["each mode a point"].high_quality == 1.0

# %% [markdown]
# Read the rows of the modes that are points, half as wide, or lines. They have all eight modes and a reverse KL near
# 0, and their high quality is 100.0 %, 100.0 % and 99.8 %. The right sampler has 99.2 %. **By the published
# measures, the wrong ones are better than the right one.** High quality asks whether samples are near a mode. It does
# not ask whether they are spread out around it, and so it rewards those who are not. Samples that sit in the wrong
# place by a whole standard deviation still have 95.4 %. The three measures are good for what they were made for: the
# lost modes show at once, in 4 modes and a reverse KL of 0.694. (Four modes with a quarter each would have
# $4\cdot\frac14\log(\frac14/\frac18) = \log2 = 0.693$.)
#
# Two measures see more.
#
# **1-NN.** Mix as many real points as generated ones, and give every point the label of its nearest neighbour among
# the others. If nobody can tell the two apart, the label is right half of the time, 50 %. If they are separate, it is
# always right. `sn.two_sample` does this.
#
# **The shape of a mode.** `sn.mode_shapes` takes the samples of each mode, and measures in units of the true standard
# deviation how far their mean is from the mode (the offset, 0 is right), and how wide they are along their narrowest
# and their widest axis (the spread, 1 is right). We print the means over the modes.

# %%
real = ring.sample(N, rng=np.random.default_rng(2000))
told, offset, spread = {}, {}, {}
for name, x in samplers.items():
    told[name] = sn.two_sample(x, real).accuracy
    shapes = sn.mode_shapes(x, ring.modes, ring.std)
    offset[name], spread[name] = np.nanmean(shapes.offset), np.nanmean(shapes.spread, axis=0)
    print(f"{name:27}1-NN {told[name]:6.1%}, offset {offset[name]:.2f}, spread {spread[name].round(2)}")
assert abs(told["nothing is wrong"] - 0.5) < 0.05
assert told["each mode a point"] > 0.95
assert told["each mode a line"] > 0.8
assert told["50 points again and again"] > 0.9
assert published["50 points again and again"].high_quality > 0.9
assert all(told[name] > told["nothing is wrong"] + 0.05 for name in list(samplers)[1:])
assert spread["each mode half as wide"].max() < 0.6
assert spread["each mode a line"][0] < 1e-6 < 0.8 < spread["each mode a line"][1]
assert 0.8 < offset["each mode moved by 1 std"] < 1.2

# %% [markdown]
# The right sampler has 49.7 %. Each of the others is caught: the points with 99.8 %, the lines with 95.1 %, and even
# the modes of half the width with 64.2 %. The shape says *what* is wrong. The lines have a spread of 0 along one axis
# and of 1.02 along the other, and the moved modes have an offset of 1.01. On the other hand, the shape of a mode does
# not see that every second mode is lost, and the 1-NN of 67.2 % does not say that it is the modes. So one reads all
# of them together. Where 50 points are repeated again and again, each copy has another copy for its nearest neighbour:
# 98.8 %. [docs/measures.md](../docs/measures.md) has more faults, and all measures.
#
# This answers the question of the first picture. Both copies are wrong, and by 1-NN the left one a little more: 64.2 %
# for the half as wide modes, 59.8 % for the moved ones. High quality prefers the left one by 100.0 % to 95.4 %.
#
# Now look back at the runs at the top. With seed 0 their high quality was 67 to 79 %. What does 1-NN say?

# %%
again = {run: sn.two_sample(x, real).accuracy for run, x in samples.items() if run[1] == 0}
print({name: f"{accuracy:.0%}" for (name, _), accuracy in again.items()})
assert min(again.values()) > 0.6

# %% [markdown]
# 73 % (SN), 75 % (WN) and 71 % (none). They have eight modes, and are still far from samples that cannot be told apart
# from real ones. The runs were short.
#
# The picture shows two of the eight modes for three of the samplers. The second and the third are perfect by the
# published measures.


# %%
def draw(*axes):
    for ax, name in zip(axes, ("nothing is wrong", "each mode a point", "each mode a line"), strict=True):
        ax.plot(*real.T, ".", color=GREY, ms=2)
        ax.plot(*samplers[name].T, ".", color=BLUE, ms=2)
        ax.set(title=f"{name}\n1-NN {told[name]:.1%}", xlim=(0.4, 1.3), ylim=(-0.3, 0.95))
        ax.set_aspect("equal")
    axes[0].legend(["real", "generated"], loc="lower left", markerscale=3)


show(draw, "07_training_and_reading_a_run_4", panels=3)

# %% [markdown]
# ## The grid: a long run, and what its measures hide
#
# The ring has few modes, and a short run finds them. The other usual target is the grid, 25 Gaussians in five rows of
# five. There the modes in the middle have neighbours on all sides, and a run takes long. So we do not train here. We
# read the samples of two runs of 25,000 updates that are kept with the picture of the README: one with SN and one
# without normalisation, at the same networks, data and seed. Their settings are the defaults of the package, which were
# tuned for SN. At 61 times in each run, 500 samples of G were kept. (If you have the tutorials without the folder
# `figures`, the cell trains both for a moment instead. Then the numbers are others.)
#
# Before you look at the numbers: which of the measures from above should show that a run has lost modes?


# %%
def short_runs():
    """Train on the grid for a moment, and return samples as they are kept in `teaser.npz`."""
    found = {}
    for name, normalizer in (("sn", sn.SpectralNorm(K=4.0)), ("none", sn.Identity())):
        gan = make_gan(normalizer, 1e-3, 1e-3, 200, g_scale=3.0)
        z, found[name] = sn.latents(gan, 500, rng=np.random.default_rng(1000)), []
        for state, _ in sn.train(gan, sn.start(gan, 0), grid.sample):
            if state.step % 10 == 0:
                found[name].append(sn.generate(gan, state.G.theta, z))
    return {"frame": 10 * np.arange(1, len(found["sn"]) + 1), **found}


grid = sn.grid()
kept = kept_of_figure("teaser")
long_runs = kept or short_runs()
some = np.unique(np.linspace(0, len(long_runs["frame"]) - 1, 21).astype(int))  # every third time
updates = long_runs["frame"][some]
real_grid = grid.sample(500, rng=np.random.default_rng(2000))
curves = {}
for name in ("none", "sn"):
    curves[name] = [sn.evaluate(long_runs[name][k].astype(float), grid, real_grid, "one-percent") for k in some]
    for at in (1, 2, 5, 10, 20):
        r = curves[name][min(at, len(some) - 1)]
        print(f"{name:5} update {updates[min(at, len(some) - 1)]:6}: {r.modes:2} modes of 25", end="")
        print(f", {r.high_quality:4.0%} high quality, reverse KL {r.reverse_kl:.2f}, 1-NN {r.two_sample:.0%}")
last = {name: curves[name][-1] for name in curves}
if kept:
    assert last["sn"].modes == 25 > last["none"].modes + 5
    assert abs(last["sn"].high_quality - last["none"].high_quality) < 0.05
    assert last["none"].reverse_kl > 5 * last["sn"].reverse_kl
    assert 0.6 < last["sn"].two_sample < last["none"].two_sample


# %%
def draw_grid(left, middle, right):
    for name, color in (("none", GREEN), ("sn", BLUE)):
        left.plot(updates / 1000, [r.modes for r in curves[name]], color=color, label=name)
        left.plot(updates / 1000, [25 * r.high_quality for r in curves[name]], ":", color=color)
    left.set(xlabel="1000 updates", ylim=(0, 26), title="modes (solid), and 25 times\nthe share near a mode (dotted)")
    left.legend(loc="lower right")
    for ax, name, color in ((middle, "none", GREEN), (right, "sn", BLUE)):
        ax.plot(*grid.modes.T, "o", color=GREY, ms=8, mfc="none")
        ax.plot(*long_runs[name][-1].T, ".", color=color, ms=2)
        ax.set(title=f"{name}, at the end\n{last[name].modes} of 25 modes", xlim=(-5.5, 5.5), ylim=(-5.5, 5.5))
        ax.set(aspect="equal", xticks=(-4, 0, 4), yticks=(-4, 0, 4))


show(draw_grid, "07_training_and_reading_a_run_5", panels=3, height=2.9)

# %% [markdown]
# The number of modes shows it, and so does the reverse KL: 16 modes of 25 and 0.49 without normalisation, 25 modes and
# 0.04 with SN. **High quality does not show it**, as it is 93 and 95 %. The samples that are there look equally good.
# 1-NN sees that something is wrong, with 72 against 66 %, but it does not say what. And it finds the samples with SN
# too easy to tell apart, too: nobody should read "25 of 25" as "done".
#
# Now read the curves from left to right. At update 2500 the run with SN has 16 modes and the other has 3. At update
# 6250 they have 24 and 15. From then on the run without normalisation gains a single mode, while its high quality
# rises from 78 to 93 %. So a run that still improves by one measure may have come to its end by another one.
#
# These are two runs at settings that were tuned for SN, so they do not show that nothing else can help the other run.
# And 500 samples are few. A mode counts as found here if it has 5 of them.
#
# ## Two time scales
#
# D and G need not have the same rate. Heusel et al. (2017) give D the larger one, so that it is near its best answer
# when G asks. A single run says little here, since seeds differ. So we train three times for each choice, on 1000
# updates, with K = 4 for each layer (the next section says why): one rate of 4e-4, one rate of 4e-3, and a rate of
# 4e-3 for D with 4e-4 for G.

# %%
CHOICES = {"one rate, 4e-4": (4e-4, 4e-4), "one rate, 4e-3": (4e-3, 4e-3), "4e-3 for D, 4e-4 for G": (4e-3, 4e-4)}
scales = {}
for name, (d_alpha, g_alpha) in CHOICES.items():
    gan = make_gan(sn.SpectralNorm(K=4.0), d_alpha, g_alpha, 1000)
    scales[name] = []
    for seed in SEEDS:
        x, _ = train(gan, ring, seed)
        r = measure(x, ring)
        scales[name].append(r)
        print(
            f"{name:23} seed {seed}: {r.modes} modes, {r.high_quality:.0%} high quality, 1-NN {r.two_sample:.1%}",
            end="",
        )
        print("" if r.offset is None else f", spread {r.spread_minor:.2f} to {r.spread_major:.2f}")
one, two = scales["one rate, 4e-3"], scales["4e-3 for D, 4e-4 for G"]
assert QUICK or np.mean([r.high_quality for r in one]) > np.mean([r.high_quality for r in two]) + 0.05
assert QUICK or np.mean([r.spread_minor for r in one]) < np.mean([r.spread_minor for r in two]) - 0.05
assert QUICK or abs(np.mean([r.two_sample for r in one]) - np.mean([r.two_sample for r in two])) < 0.05
assert all(r.modes_total == 8 for runs in scales.values() for r in runs)

# %% [markdown]
# What can be read from these nine runs?
#
# * At one rate of 4e-4, seed 0 has failed: 6 modes and 34 %. With the faster D the same seed has 8 modes and 68 %. The
#   other two seeds are no better for it: 70 and 78 % become 73 and 73 %, and one of them has lost a mode.
# * One rate of 4e-3 has the highest quality, 88 to 92 %. In 1000 updates, a G with a tenth of the rate does not get as
#   far. **So two time scales are no gift on a run as short as this one.**
# * But look at the spread. The narrow axis of the modes is 0.65 to 0.73 of the right width at one rate of 4e-3, and
#   0.90 to 0.94 with two time scales. High quality rewards the narrow ones, as we have just seen. By 1-NN the two are
#   equal: 69.7 to 71.8 %, and 70.2 to 70.8 %.
#
# By which measure is one of them better, then? This question has to be answered before the runs, and not after. Runs
# that are ten times as long, on a ring with narrower modes, are compared in
# [figures/fidelity.py](../figures/fidelity.py). Its caption says that two time scales win by 1-NN there, while high
# quality says the opposite. The package's own defaults have two time scales and 20,000 updates.
#
# ## Data of another scale
#
# A D with spectral normalisation can change its answer over a distance r by no more than $K^{L+1}r$, by (7). So K
# has a meaning only beside the scale of the data. The images of the paper are bounded by 1, and K = 1 serves them.
# Multiply the data by 10, and the same K allows ten times as much. To have the same game, $K^{L+1}$ has to be divided
# by 10.
#
# For one network this is exact. We divide $K^{L+1}$ by 10, which divides each $\bar W$ by $c = 10^{1/4}$ where there
# are four layers. Follow the numbers through the layers:
#
# * The input is 10 times as large as before.
# * Behind layer 1 the factor is $10/c$, and behind layer l it is $10/c^l$. The leaky ReLU lets a positive factor pass:
#   $\max(ta,\ 0.1\,ta) = t\max(a,\ 0.1\,a)$ for $t > 0$.
# * For this, the bias of layer l has to have the factor $10/c^l$ as well, since it is added to such numbers.
# * Behind layer 4 the factor is $10/c^4 = 1$. Nothing is left of the 10, and f is what it was.

# %%
rng = np.random.default_rng(3)
W_bar, b = [], []
he = sn.he_layers((2, 64, 64, 64, 1), 0.1, rng=rng)
for W, _ in he:
    W_bar.append(4.0 * W / sn.spectral_norm(W))  # K = 4
    b.append(rng.standard_normal(len(W)))
x = ring.sample(200, rng=rng)
c = 10 ** (1 / 4)
W_scaled = [W / c for W in W_bar]
b_scaled = [b_l * 10 / c**l for l, b_l in enumerate(b, 1)]
f, _ = sn.forward(W_bar, b, x, 0.1)
f_scaled, _ = sn.forward(W_scaled, b_scaled, 10 * x, 0.1)
f_kept, _ = sn.forward(W_bar, b, 10 * x, 0.1)
print(
    f"largest |f|: {np.abs(f).max():.1f}; at 10 times the data with K/10^(1/4): {np.abs(f_scaled).max():.1f}", end="; "
)
print(f"with the old K: {np.abs(f_kept).max():.1f}")
print(f"largest difference of the first two: {np.abs(f - f_scaled).max():.0e}")
assert np.allclose(f, f_scaled, rtol=1e-10, atol=1e-10)
assert np.abs(f_kept).max() > 4 * np.abs(f).max()

# %% [markdown]
# In training it is not exact, because Adam moves weights and biases by steps of length $\alpha$, whatever the scale of
# the data. But it is close enough to see. We train on the ring with K = 4, on ten times the ring with the old K, and on
# ten times the ring with the new one, $4/10^{1/4} = 2.25$. `g_scale` lets G begin with samples that are as spread out
# as the data. To compare the three, the samples are divided by the radius of their ring before they are measured and
# drawn.

# %%
big = sn.ring(8, radius=10.0, std=0.5)
pictures, found = {}, {}
for name, target, radius, K, g_scale in (
    ("ring, K = 4", ring, 1.0, 4.0, 0.7),
    ("10 × ring, K = 4", big, 10.0, 4.0, 7.0),
    ("10 × ring, K = 2.25", big, 10.0, 4.0 / c, 7.0),
):
    gan = make_gan(sn.SpectralNorm(K=K), 1e-3, 1e-3, 1000, g_scale)
    x, _ = train(gan, target, 0)
    pictures[name] = x / radius
    found[name] = measure(pictures[name], ring)
    print(f"{name:20} {found[name].modes} modes, {found[name].high_quality:.0%} high quality")
for name in ("ring, K = 4", "10 × ring, K = 2.25"):
    assert QUICK or (found[name].modes == 8 and found[name].high_quality > 0.5)
assert QUICK or found["10 × ring, K = 4"].high_quality < 0.4

# %% [markdown]
# On ten times the ring, the old K finds 6 modes with 16 % of high quality. With K divided by $10^{1/4}$ there are 8
# modes again, and 68 %. The ring itself has 87 %. (This is one seed. But the step from 16 to 68 % is larger than any
# between two seeds above.) What is still missing is not a matter of K, since D can be the same function. It may be that
# the steps of Adam are not ten times as long, while the weights of G's last layer are ten times as large; we have not
# tested it. If the data are brought to spread 1 first, the question does not come up.
#
# The package chooses $K^{L+1} = 200/s$ where s is the *spread* of the data, the root mean square of their coordinates.
# For the ring we compute it below: s is 0.71, and this is K = 4.1 with four layers. A D with $K^{L+1} = 1$ could hardly
# tell two points from each other that are a standard deviation of a mode, 0.05, apart: f would differ by 0.05 at most.
#
# The picture shows the samples. With the old K many of the blue points lie outside of the frame.

# %%
spread_of_ring = np.sqrt(np.mean(ring.sample(10_000, rng=rng) ** 2))
print(f"spread of the ring: {spread_of_ring:.2f}; K for four layers: {(200 / spread_of_ring) ** (1 / 4):.2f}")
assert np.isclose(spread_of_ring, 0.71, atol=0.005)
assert np.isclose((200 / spread_of_ring) ** (1 / 4), 4.1, atol=0.01)


def draw(*axes):
    for ax, (name, x) in zip(axes, pictures.items(), strict=True):
        ax.plot(*real[:1000].T, ".", color=GREY, ms=3)
        ax.plot(*x[:1000].T, ".", color=BLUE, ms=2)
        ax.set(title=name, xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        ax.set_aspect("equal")
    axes[0].legend(["real", "generated"], loc="center", markerscale=3)


show(draw, "07_training_and_reading_a_run_6", panels=3)

# %% [markdown]
# ## Your own points
#
# All of this is done for you by `sn.fit`. It brings the points to zero mean and spread 1, chooses K by the rule
# above, holds a tenth of the points out, trains with two time scales and an average of G, measures against the points
# held out, and gives samples in your units. Two lines are enough:
#
# ```python
# fitted = sn.fit(points)
# x = fitted.sample(2000)
# ```
#
# The run is then kept in the next free folder in `runs/`. Here the points are an ellipse far from the origin, the run
# is short, and its folder is a temporary one.

# %%
rng = np.random.default_rng(5)
angle = rng.uniform(0, 2 * np.pi, 2000)
points = np.stack([30 + 4 * np.cos(angle), -5 + 2 * np.sin(angle)], axis=1) + 0.1 * rng.standard_normal((2000, 2))
with tempfile.TemporaryDirectory() as folder:
    fitted = sn.fit(
        points, out=os.path.join(folder, "run"), steps=40 if QUICK else 1200, d_width=64, g_width=64, progress=False
    )
    summary = fitted.summary
x = fitted.sample(2000, seed=1)
print("points: mean", points.mean(axis=0).round(2), "std", points.std(axis=0).round(2))
print("samples: mean", x.mean(axis=0).round(2), "std", x.std(axis=0).round(2))
print(f"1-NN against the {summary['two_sample_points']} points held out: {summary['two_sample']:.1%}")
print(f"bound (7) on the slope of D at the end, in units of spread 1: {summary['lipschitz_upper']:.0f}")
assert x.shape == points.shape
assert summary["two_sample_points"] == 200
assert 195 < summary["lipschitz_upper"] < 260
assert np.abs(x.mean(axis=0) - points.mean(axis=0)).max() < 3.0
assert QUICK or np.abs(x.mean(axis=0) - points.mean(axis=0)).max() < 0.5
assert QUICK or np.abs(x.std(axis=0) - points.std(axis=0)).max() < 0.5
assert QUICK or summary["two_sample"] < 0.7

# %% [markdown]
# The samples have the mean and the standard deviation of the points, up to a tenth, and they are in the units of the
# points. The 1-NN against points that the run has never seen is 50.7 %, at seed 0, the default. With 200 of them, this
# test cannot tell the two apart. And the bound (7) on D's slope is 200. This is the $K^{L+1}$ of the rule for data of
# spread 1, which is what `fit` has made of the points before D saw them.
#
# ## What was learnt
#
# 1. $\sigma(\bar W)$ says whether the normalisation works, the spectrum says what it leaves of the layer, and the sign
#    of $\lambda$ says what D would do without it. On the ring SN made layer 3 broader, to a stable rank of 23 or 24,
#    and weight normalisation made it narrower, to 7 to 14.
# 2. Modes, high quality and reverse KL are perfect for a sampler of eight points. 1-NN and the shape of the modes are
#    not. On the grid high quality is 93 % for a run that has 16 modes of 25.
# 3. K has a meaning beside the scale of the data only. Data times c need $K^{L+1}$ divided by c.
#
# ## Traps
#
# * A high quality above that of the data themselves is bad news. A perfect sampler has 98.9 % in the plane, since a
#   Gaussian in two dimensions lies within r standard deviations with the probability $1 - e^{-r^2/2}$, here with r = 3.
# * One seed is an anecdote. At one rate of 4e-4, our three seeds had 34, 70 and 78 %.
# * The losses do not say how good the samples are. D's loss is measured against a G that moves, and G's against D.
# * 1-NN must be taken against points that were not trained on. Exercise 2 shows what happens otherwise.
# * A faster D with the same G is not only "two time scales". It is also more movement of D. Compare with both rates.
#
# ## Exercises
#
# The solutions are in [solutions/07_training_and_reading_a_run.py](solutions/07_training_and_reading_a_run.py).
#
# 1. *(Think.)* With weight normalisation, the median of $\sigma(\bar W^1)$ of the (64, 2) matrix was 5.8 to 6.3 in all
#    three runs. Use (13) to say between which two numbers it must be, whatever the training does. And for a (64, 64)
#    matrix?
# 2. *(Code.)* A sampler hands out its training points, each once. What is its 1-NN against the training points, and
#    what is it against points that were held out? Which of the two catches it?
# 3. *(Code.)* Your data have a spread of 50, and D has three weight matrices instead of four. Which K does the rule
#    $K^{L+1} = 200/s$ give for them? Check with `sn.lipschitz_upper_bound` (it is the product in (7)) that f can then
#    change by at most 200 over a distance of one spread. Then build two networks, one with this K and one with the K of
#    the rule for data of spread 1, whose weights differ by a factor only. Choose the biases so that the first network
#    computes at 50x what the second one computes at x, and check it.
