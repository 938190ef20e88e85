"""What the tests draw: matrices with a planted spectrum, networks with random biases, batches; and plain oracles."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

EPS = float(np.finfo(np.float64).eps)


def rngs():
    """Independent generators; a failing example prints its seed."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def orthonormal(d, k, rng):
    """Draw k orthonormal columns in ℝᵈ."""
    return np.linalg.qr(rng.standard_normal((d, k)))[0]


class Planted(NamedTuple):
    """W = U diag(s) Vᵀ with its factors, and a start u = U c with ½ ≤ |c₁| and |c_i| ≤ 1."""

    W: np.ndarray
    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    c: np.ndarray

    @property
    def u(self):
        return self.U @ self.c


def plant(s, d_out, d_in, rng):
    s = np.asarray(s, float)
    U, V = orthonormal(d_out, len(s), rng), orthonormal(d_in, len(s), rng)
    c = rng.uniform(-1, 1, len(s))
    c[0] = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0)
    return Planted(U * s @ V.T, U, s, V, c)


@st.composite
def planted(draw, max_d=7, max_ratio=1.0, scales=(1e-3, 1e3)):
    """Draw a `Planted` of any rank, down to 1; σ₂/σ₁ ≤ max_ratio (at 1 a multiple σ₁ may occur)."""
    d_out, d_in = draw(st.integers(1, max_d)), draw(st.integers(1, max_d))
    rank = draw(st.integers(1, min(d_out, d_in)))
    ratios = draw(st.lists(st.floats(0.0, max_ratio), min_size=rank - 1, max_size=rank - 1))
    s = draw(st.floats(*scales)) * np.array([1.0, *sorted(ratios, reverse=True)])
    return plant(s, d_out, d_in, draw(rngs()))


# Every shape and spectrum that has ever been a special case of an implementation.
AWKWARD = {
    "1x1": np.array([[2.0]]),
    "1x1 negative": np.array([[-0.5]]),
    "1xn": np.array([[1.0, -2.0, 3.0]]),
    "nx1": np.array([[1.0], [-2.0], [3.0]]),
    "rank one": np.outer([1.0, -2.0, 0.5], [3.0, 0.0, 1.0, 1.0]),
    "identity": np.eye(4),
    "repeated": plant([2.0, 2.0, 1.0], 5, 4, np.random.default_rng(0)).W,
    "nearly repeated": plant([2.0, 2.0 - 1e-12, 1.0], 4, 5, np.random.default_rng(1)).W,
    "a row of zeros": np.array([[0.0, 0.0], [1.0, 2.0]]),
    "one entry": np.eye(4)[:, :3] * np.array([0.0, 0.0, 3.0]),
    "tiny": 1e-300 * np.random.default_rng(2).standard_normal((3, 4)),
    "huge": 1e300 * np.random.default_rng(3).standard_normal((3, 4)),
    "subnormal": np.array([[5e-324, 0.0], [5e-324, 5e-324]]),
    "wide range": np.array([[1e200, 1e-200], [1e-300, 1.0]]),
}


def rounding(W):
    """Relative error allowed to a computed ‖Wv‖ or σ(W).

    A product Wv of length d errs by at most d·ε·‖|W||v|‖ ≤ d·ε·‖W‖_F ≤ d·ε·√min(d_out, d_in)·σ, its norm by d_out·ε,
    normalising v by (d_in + 4)·ε; LAPACK's σ is good to a small multiple of max(d_out, d_in)·ε. Four times covers all.
    """
    return 4.0 * sum(W.shape) * np.sqrt(min(W.shape)) * float(np.finfo(W.dtype).eps)


class Net(NamedTuple):
    """Layers of a perceptron, and a batch."""

    W: list
    b: list
    x: np.ndarray
    slope: float

    @property
    def layers(self):
        return list(zip(self.W, self.b, strict=True))


def draw_net(widths, n, slope, rng):
    """Draw weights that keep the size of activations, and biases that are not 0."""
    W = [rng.standard_normal((o, i)) / np.sqrt(i) for i, o in pairwise(widths)]
    b = [rng.uniform(0.1, 0.6, o) * rng.choice([-1.0, 1.0], o) for o in widths[1:]]
    return Net(W, b, rng.standard_normal((n, widths[0])), slope)


@st.composite
def nets(draw, d_out=None, slopes=(0.0, 0.1, 0.7, 1.0)):
    widths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    widths.append(d_out or draw(st.integers(1, 3)))
    return draw_net(widths, draw(st.integers(1, 6)), draw(st.sampled_from(slopes)), draw(rngs()))


def perceptron(W, b, x, slope, offsets=None):
    """The network of (1) written plainly: f, and the pre-activation a of every layer.

    `offsets` are added to the pre-activations: the derivative with respect to them is δ.
    """
    h, a = x, []
    for l in range(len(W)):
        a.append(np.einsum("ij,nj->ni", W[l], h) + b[l] + (0.0 if offsets is None else offsets[l]))
        h = np.where(a[l] > 0.0, a[l], slope * a[l])
    return a[-1], a


def near_kink(a, margin=1e-3):
    """Tell whether a hidden pre-activation is so close to 0 that a difference would step over the kink.

    Steps of 6e-6 in one parameter or input of order 1 move a by less than 1e-3 in networks of this size.
    """
    return any(np.abs(layer).min() < margin for layer in a[:-1])
