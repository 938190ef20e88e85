"""What a training step costs: beside the bare matrix products that it cannot do without, and by method."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from specnorm_np import gan as algorithm
from specnorm_np.gan import GAN
from specnorm_np.normalizers import Identity
from specnorm_np.rivals.methods import METHODS, fields_of
from specnorm_np.runs.pool import process_pool
from specnorm_np.spectral import Array

SIZES = ((64, 64), (128, 128), (256, 256))
"""Widths of the three hidden layers of both networks, and batches."""

METHODS_SIZE = (128, 128)
"""Width and batch at which the methods are compared."""


def products(gan: GAN) -> list[tuple[int, int, int]]:
    """List the matrix products (n, d) @ (d, m) of a step at n_dis = 1, as (n, d, m).

    D's step: G forward, D forward on twice the batch, D's gradients δᵀh and its deltas δW. G's step: G and D forward,
    D's deltas down to the input, G's gradients and deltas. A product with a width of 1 on either side is left out where
    a broadcast product does its work.
    """
    n, D, G = gan.batch, gan.d_widths, gan.g_widths

    def forward(n: int, widths: tuple[int, ...]) -> list[tuple[int, int, int]]:
        return [(n, widths[l], widths[l + 1]) for l in range(len(widths) - 1)]

    def gradients(n: int, widths: tuple[int, ...]) -> list[tuple[int, int, int]]:
        return [(widths[l + 1], n, widths[l]) for l in range(len(widths) - 1)]

    def deltas(n: int, widths: tuple[int, ...], last: int) -> list[tuple[int, int, int]]:
        return [(n, widths[l + 1], widths[l]) for l in range(last, len(widths) - 1) if widths[l + 1] > 1]

    d_step = forward(n, G) + forward(2 * n, D) + gradients(2 * n, D) + deltas(2 * n, D, 1)
    return d_step + forward(n, G) + forward(n, D) + deltas(n, D, 0) + gradients(n, G) + deltas(n, G, 1)


def medians(actions: dict[str, Callable[[], object]], repeats: int, inner: int = 20) -> dict[str, float]:
    """Time actions in turn, so that a slow moment of the machine hits them all; seconds for one call of each."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            began = time.perf_counter()
            for _ in range(inner):
                action()
            times[name].append((time.perf_counter() - began) / inner)
    return {name: statistics.median(values) for name, values in times.items()}


def step_of(gan: GAN, sample_real: Callable[..., Array]) -> Callable[[], object]:
    """Return a function that goes on with training by one generator update at every call."""
    endless = dataclasses.replace(gan, steps=10**9)
    states = algorithm.train(endless, algorithm.start(endless, 0), sample_real)
    return lambda: next(states)


def bare(gan: GAN, *, rng: np.random.Generator) -> Callable[[], object]:
    """Return a function that does the matrix products of a step and nothing else."""
    pairs = []
    for n, d, m in products(gan):
        left, right = rng.standard_normal((n, d)), rng.standard_normal((d, m))
        pairs.append((left.astype(gan.dtype), right.astype(gan.dtype)))
    return lambda: [left @ right for left, right in pairs]


def _gan(width: int, batch: int, **fields: Any) -> tuple[GAN, Callable[..., Array]]:
    """Make a GAN in the plane, and data that cost nothing to draw."""
    hidden, real = (width,) * 3, np.random.default_rng(0).standard_normal((batch, 2)).astype(np.float32)
    d_widths, g_widths = (2, *hidden, 1), (2, *hidden, 2)
    gan = GAN(d_widths=d_widths, g_widths=g_widths, batch=batch, average=0.999, dtype="float32", **fields)
    return gan, lambda n, *, rng: real


def measure_size(width: int, batch: int, repeats: int) -> dict[str, float]:
    """Time a step with and without spectral normalisation, and its bare products; milliseconds for one of each."""
    gan, sample_real = _gan(width, batch)
    actions = {
        "sn": step_of(gan, sample_real),
        "none": step_of(dataclasses.replace(gan, normalizer=Identity()), sample_real),
        "products": bare(gan, rng=np.random.default_rng(0)),
    }
    return {name: 1e3 * seconds for name, seconds in medians(actions, repeats).items()}


def report(repeats: int) -> Iterator[str]:
    """Measure the three sizes, then the methods, and yield the lines of the report."""
    yield "Three hidden layers in D and in G, float32, n_dis = 1; medians of repeats in turn, ms per generator update."
    yield ""
    yield "width  batch    step   no SN   SN adds   products   step / products"
    for width, batch in SIZES:
        with process_pool(1) as pool:  # a process of its own: what one size leaves in the memory disturbs the next
            t = pool.submit(measure_size, width, batch, repeats).result()
        yield (
            f"{width:5}{batch:7}{t['sn']:8.3f}{t['none']:8.3f}{t['sn'] / t['none'] - 1.0:10.1%}"
            f"{t['products']:11.3f}{t['sn'] / t['products']:18.2f}"
        )
    yield ""
    yield f"The products at width {width}, batch {batch}, as (n, d) @ (d, m), how often:"
    shapes = products(_gan(width, batch)[0])
    for shape in dict.fromkeys(shapes):
        n, d, m = shape
        yield f"  ({n}, {d}) @ ({d}, {m})  {shapes.count(shape)}x"
    yield ""
    yield from report_methods(repeats)


def report_methods(repeats: int, size: tuple[int, int] = METHODS_SIZE) -> Iterator[str]:
    """Measure a generator update of every method, half as often, and yield a line of each. Figure 10."""
    width, batch = size
    yield f"Every method at width {width}, batch {batch}, n_dis = 5: s per 100 generator updates, and beside none's."
    yield ""
    actions = {name: step_of(*_gan(width, batch, n_dis=5, **fields_of(name))) for name in METHODS}
    for action in actions.values():
        action()  # the first one draws the networks
    times = medians(actions, (repeats + 1) // 2, inner=1)
    for name, seconds in times.items():
        yield f"  {name:13}{100.0 * seconds:7.2f}{seconds / times['none']:7.2f}x   {METHODS[name].text}"
