"""The generator update of `gan.train` in NumPy, in eager PyTorch and in compiled JAX: the same numbers, timed in turn.

All three start from the same parameters and the same ũ, see the same points and draw the same latents with NumPy. They
do the same n_dis updates of D and one of G, with Adam, float32 and one power iteration an update of D. PyTorch and JAX
differentiate V by themselves, with ũ and ṽ held fixed; NumPy has (12). A test compares the parameters after a few
updates.

PyTorch is used as it comes: tensors, `torch.autograd.grad` and `torch.optim.Adam`. JAX compiles the whole update with
`jax.jit`, the n_dis updates of D as a `scan`. Everything runs in a process of its own that stays on one core, and each
library has one thread. A library that is not installed is left out.
"""

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from figures.timing import minima, stay_on_one_core
from specnorm_np import gan as algorithm
from specnorm_np.command.bench import step_of
from specnorm_np.gan import GAN
from specnorm_np.normalizers import Identity, SpectralNorm
from specnorm_np.optim import TABLE_1
from specnorm_np.runs.pool import process_pool
from specnorm_np.spectral import Array

Update = Callable[[], object]
"""A function that does one more generator update, and returns θ of D and of G as lists of (W, b)."""


def make_gan(width: int, batch: int, sn: bool) -> tuple[GAN, Array]:
    """Make the GAN of the comparison, at setting D, and points that stand for the data."""
    adam, n_dis = TABLE_1["D"]
    gan = GAN(
        d_widths=(2, *[width] * 3, 1), g_widths=(2, *[width] * 2, 2), normalizer=SpectralNorm() if sn else Identity(),
        d_optim=adam, g_optim=adam, n_dis=n_dis, batch=batch, dtype="float32",
    )  # fmt: skip
    return gan, np.random.default_rng(0).standard_normal((batch, 2)).astype(np.float32)


def numpy_update(gan: GAN, x_real: Array) -> Update:
    """Return the update of this package."""
    advance = step_of(gan, lambda n, *, rng: x_real)

    def update() -> Any:
        state, _ = advance()  # type: ignore[misc]
        return [[(W, b) for W, b in player.theta.layers] for player in (state.D, state.G)]

    return update


def torch_forward(weights: Any, biases: Any, h: Any, slope: float) -> Any:
    """Return f, or a generated point, of every row: (1) with biases."""
    from torch.nn.functional import leaky_relu

    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        h = leaky_relu(h @ W.T + b, slope)
    return h @ weights[-1].T + biases[-1]


def torch_iterated(W: Any, u: Any) -> tuple[Any, Any]:
    """Return ũ and ṽ after an iteration."""
    from torch.nn.functional import normalize

    v = normalize(W.T @ u, dim=0)  # (20)
    return normalize(W @ v, dim=0), v  # (21)


def torch_descend(theta: Any, loss: Any, adam: Any) -> None:
    """Step down the loss with Adam, in place."""
    import torch

    for block, gradient in zip(theta, torch.autograd.grad(loss, theta), strict=True):
        block.grad = gradient
    adam.step()


def torch_update(gan: GAN, x_real: Array) -> Update:
    """Return the update in eager PyTorch."""
    import torch
    from torch.nn.functional import softplus

    torch.set_num_threads(1)
    first, sn = algorithm.start(gan, 0), isinstance(gan.normalizer, SpectralNorm)
    theta = [
        [torch.tensor(np.array(w), requires_grad=True) for layer in p.theta.layers for w in layer] for p in first[1:3]
    ]
    D, G = theta
    norms = [(torch.tensor(norm.u), torch.tensor(norm.v)) for norm in first.D.norms] if sn else []
    d_adam, g_adam = (
        torch.optim.Adam(blocks, adam.alpha, (adam.beta1, adam.beta2), adam.eps)
        for blocks, adam in zip(theta, (gan.d_optim, gan.g_optim), strict=True)
    )
    real, rng = torch.tensor(x_real), first.streams["latent"]

    def generated() -> Any:
        return torch_forward(G[::2], G[1::2], torch.from_numpy(algorithm.latents(gan, gan.batch, rng=rng)), 0.0)

    def normalized() -> Any:
        return [W / (u @ (W @ v)) for W, (u, v) in zip(D[::2], norms, strict=True)] if sn else D[::2]

    def update() -> Any:
        for _ in range(gan.n_dis):
            with torch.no_grad():
                fake = generated()
            f = torch_forward(normalized(), D[1::2], torch.cat((real, fake)), gan.d_net.slope)
            torch_descend(D, softplus(-f[: len(real)]).mean() + softplus(f[len(real) :]).mean(), d_adam)
            with torch.no_grad():
                norms[:] = [torch_iterated(W, u) for W, (u, _) in zip(D[::2], norms, strict=False)]
        with torch.no_grad():
            W_bar = normalized()
        b = [b.detach() for b in D[1::2]]
        torch_descend(G, softplus(-torch_forward(W_bar, b, generated(), gan.d_net.slope)).mean(), g_adam)
        return [[(W, b) for W, b in zip(blocks[::2], blocks[1::2], strict=True)] for blocks in theta]

    return update


def jax_forward(layers: Any, h: Any, slope: float) -> Any:
    """Return f, or a generated point, of every row: (1) with biases."""
    import jax

    for W, b in layers[:-1]:
        h = jax.nn.leaky_relu(h @ W.T + b, slope)
    return h @ layers[-1][0].T + layers[-1][1]


def jax_iterated(W: Any, u: Any) -> tuple[Any, Any]:
    """Return ũ and ṽ after an iteration."""
    import jax.numpy as jnp

    v = W.T @ u
    v = v / jnp.linalg.norm(v)  # (20)
    u = W @ v
    return u / jnp.linalg.norm(u), v  # (21)


def jax_descend(theta: Any, gradient: Any, moments: Any, adam: Any) -> tuple[Any, Any]:
    """Return θ and the moments after a step of Adam."""
    import jax
    import jax.numpy as jnp

    m, v, t = moments
    t = t + 1
    m = jax.tree.map(lambda m, g: adam.beta1 * m + (1 - adam.beta1) * g, m, gradient)
    v = jax.tree.map(lambda v, g: adam.beta2 * v + (1 - adam.beta2) * g * g, v, gradient)
    one, two = 1 - adam.beta1**t, 1 - adam.beta2**t
    theta = jax.tree.map(lambda w, m, v: w - adam.alpha * (m / one) / (jnp.sqrt(v / two) + adam.eps), theta, m, v)
    return theta, (m, v, t)


def jax_update(gan: GAN, x_real: Array) -> Update:
    """Return the update in JAX, compiled as a whole."""
    import jax
    import jax.numpy as jnp

    first, sn = algorithm.start(gan, 0), isinstance(gan.normalizer, SpectralNorm)
    D, G = ([tuple(map(jnp.asarray, layer)) for layer in player.theta.layers] for player in first[1:3])
    norms = [(jnp.asarray(norm.u), jnp.asarray(norm.v)) for norm in first.D.norms] if sn else []
    real, rng, slope = jnp.asarray(x_real), first.streams["latent"], gan.d_net.slope

    def normalized(D: Any, norms: Any) -> Any:
        return [(W / (u @ (W @ v)), b) for (W, b), (u, v) in zip(D, norms, strict=True)] if sn else D

    def d_loss(D: Any, norms: Any, fake: Any) -> Any:
        f = jax_forward(normalized(D, norms), jnp.concatenate((real, fake)), slope)
        return jax.nn.softplus(-f[: len(real)]).mean() + jax.nn.softplus(f[len(real) :]).mean()

    def g_loss(G: Any, W_bar: Any, z: Any) -> Any:
        return jax.nn.softplus(-jax_forward(W_bar, jax_forward(G, z, 0.0), slope)).mean()

    def d_update(carry: Any, z: Any) -> Any:
        D, norms, moments, G = carry
        gradient = jax.grad(d_loss)(D, norms, jax_forward(G, z, 0.0))
        D, moments = jax_descend(D, gradient, moments, gan.d_optim)
        norms = [jax_iterated(W, u) for (W, _), (u, _) in zip(D, norms, strict=False)]
        return (D, norms, moments, G), None

    @jax.jit
    def whole(D: Any, norms: Any, d_moments: Any, G: Any, g_moments: Any, z: Any) -> Any:
        (D, norms, d_moments, G), _ = jax.lax.scan(d_update, (D, norms, d_moments, G), z[:-1])
        gradient = jax.grad(g_loss)(G, normalized(D, norms), z[-1])
        G, g_moments = jax_descend(G, gradient, g_moments, gan.g_optim)
        return D, norms, d_moments, G, g_moments

    zero, start = (lambda theta: jax.tree.map(jnp.zeros_like, theta)), jnp.zeros(())
    state = (D, norms, (zero(D), zero(D), start), G, (zero(G), zero(G), start))

    def update() -> Any:
        nonlocal state
        z = np.stack([algorithm.latents(gan, gan.batch, rng=rng) for _ in range(gan.n_dis + 1)])
        state = jax.block_until_ready(whole(*state, z))
        return [state[0], state[3]]

    return update


LIBRARIES: dict[str, tuple[str, Callable[[GAN, Array], Update]]] = {
    "numpy": ("NumPy", numpy_update),
    "torch": ("PyTorch, eager", torch_update),
    "jax": ("JAX, compiled", jax_update),
}
"""Every library by the name of its module: how it is called in a picture, and its update."""


def measure(width: int, batch: int, rounds: int, inner: int) -> dict[str, Array]:
    """Time the updates of all libraries that are installed, without and with SN; run it in a process of its own.

    Returns
    -------
    dict of arrays
        `library` and `version` (n,), and `library_seconds` (n, 2, rounds), without and with SN.
    """
    stay_on_one_core()
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    names = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    actions = {
        f"{name} {sn}": LIBRARIES[name][1](*make_gan(width, batch, sn)) for name in names for sn in (False, True)
    }
    versions = [importlib.import_module(name).__version__ for name in names]
    seconds = minima(actions, rounds, inner).reshape(len(names), 2, rounds)
    return {"library": np.array(names), "version": np.array(versions), "library_seconds": seconds}


def measured_alone(width: int, batch: int, rounds: int, inner: int) -> dict[str, Array]:
    """Measure in a process of its own, in which no library has started threads yet."""
    with process_pool(1) as pool:
        return pool.submit(measure, width, batch, rounds, inner).result()
