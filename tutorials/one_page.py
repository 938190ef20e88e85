"""Spectral normalization for GANs (Miyato et al., ICLR 2018) on one page of plain NumPy.

`python one_page.py` trains on a ring of eight Gaussians and draws what G makes, in ring.png. A number in brackets is an
equation of the paper. Points are rows, so that a layer is h @ W.T + b.
"""

from itertools import pairwise

import numpy as np

unit = lambda x: x / np.linalg.norm(x)
sigmoid = lambda f: np.exp(-np.logaddexp(0, -f))


def iterate(W, u):  # one power iteration, from the u of the last update
    v = unit(W.T @ u)  # (20)
    u = unit(W @ v)  # (21)
    sigma = u @ W @ v  # (22): at most the largest singular value of W
    W_bar = W / sigma  # (22)
    return u, sigma, v, W_bar


def pull_back(dW_bar, u, sigma, v, W_bar):  # the gradient at W, from that at W_bar, with the u and v that made W_bar
    lam = np.sum(dW_bar * W_bar)  # the λ of (12)
    dW = (dW_bar - lam * np.outer(u, v)) / sigma  # (12)
    return dW


def forward(W, b, x, slope):  # f(x), and the input h of every layer
    h = [x]
    for W_l, b_l in zip(W[:-1], b[:-1]):
        a = h[-1] @ W_l.T + b_l
        h.append(np.maximum(a, slope * a))
    return h[-1] @ W[-1].T + b[-1], h  # (1)


def backward(W, h, delta, slope):  # from the gradient at f to those at every W, at every b and at x
    dW, db = [], []
    for W_l, h_l in zip(W[::-1], h[::-1]):
        dW, db = [delta.T @ h_l, *dW], [delta.sum(axis=0), *db]  # the mean of δhᵀ in (11), for δ carries the 1/n
        dx = delta @ W_l
        delta = dx * np.where(h_l > 0, 1, slope)
    return dW, db, dx


class Player:  # D or G: weights, biases, Adam's memory, and the (u, sigma, v, W_bar) of every layer, used in D only
    def __init__(self, widths, rng):  # He's initialisation
        self.W = [rng.normal(0, np.sqrt(2 / n), (m, n)) for n, m in pairwise(widths)]
        self.b = [np.zeros(m) for m in widths[1:]]
        self.norms = [iterate(W, rng.normal(size=len(W))) for W in self.W]
        self.moments, self.t = [(0 * p, 0 * p) for p in self.W + self.b], 0

    def step(self, gradients, alpha, beta1=0.5, beta2=0.9):  # Adam, where (23) has plain descent
        self.t += 1
        for p, g, (m, s) in zip(self.W + self.b, gradients, self.moments):
            m += (1 - beta1) * (g - m)
            s += (1 - beta2) * (g * g - s)
            p -= alpha * (m / (1 - beta1**self.t)) / (np.sqrt(s / (1 - beta2**self.t)) + 1e-8)


def d_step(D, x_real, x_fake, alpha):  # Algorithm 1, entered after the power iteration; D ascends (15)
    W_bar = [norm[3] for norm in D.norms]
    f, h = forward(W_bar, D.b, np.concatenate([x_real, x_fake]), 0.1)
    n = len(x_real)
    df = np.concatenate([-sigmoid(-f[:n]), sigmoid(f[n:])]) / n  # of -log D(x) and of -log(1 - D(G(z)))
    dW_bar, db, _ = backward(W_bar, h, df, 0.1)
    D.step([pull_back(dW, *norm) for dW, norm in zip(dW_bar, D.norms)] + db, alpha)
    D.norms = [iterate(W, norm[0]) for W, norm in zip(D.W, D.norms)]  # the next W_bar, once per update


def g_step(G, D, z, alpha):  # G descends -log D(G(z)), through D's present W_bar
    x_fake, h_G = forward(G.W, G.b, z, 0)
    W_bar = [norm[3] for norm in D.norms]
    f, h = forward(W_bar, D.b, x_fake, 0.1)
    _, _, dx = backward(W_bar, h, -sigmoid(-f) / len(z), 0.1)
    dW, db, _ = backward(G.W, h_G, dx, 0)
    G.step(dW + db, alpha)


def train(D, G, real, latent, steps, alpha=1e-3):  # real() and latent() draw a batch
    for step in range(steps):
        rate = alpha * min(1, 2 * (1 - step / steps))  # from the middle on, the learning rate falls to 0
        d_step(D, real(), forward(G.W, G.b, latent(), 0)[0], rate)
        g_step(G, D, latent(), rate)


if __name__ == "__main__":
    from matplotlib import pyplot as plt

    rng, t = np.random.default_rng(0), np.arange(8) * np.pi / 4
    modes = np.column_stack([np.cos(t), np.sin(t)])
    D, G = Player([2, 64, 64, 64, 1], rng), Player([2, 64, 64, 64, 2], rng)
    ring = lambda: rng.choice(modes, 128) + rng.normal(0, 0.05, (128, 2))
    train(D, G, ring, lambda: rng.normal(size=(128, 2)), steps=3000)
    x, _ = forward(G.W, G.b, rng.normal(size=(2000, 2)), 0)
    near = np.linalg.norm(x[:, None] - modes, axis=2) < 0.15  # three standard deviations
    print(f"share of the points at each mode: {near.mean(axis=0)}, at any: {near.any(axis=1).mean():.1%}")
    plt.plot(*ring().T, "o", *x.T, ".", markersize=3)
    plt.axis("equal")
    plt.savefig("ring.png")
