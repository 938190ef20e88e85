"""The page that people copy: it is one page, it needs NumPy only, and it trains as the package does."""

import ast
import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import specnorm_np as sn

PAGE = Path(__file__).parents[2] / "tutorials" / "one_page.py"
STEPS, SEED = 60, 3
RTOL = 1e-12  # the largest difference seen is 6e-15; the smallest by a mistake below is 0.1


@pytest.fixture
def page():
    """The page as a module of its own, which a test may change."""
    spec = importlib.util.spec_from_file_location("one_page", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def player(page, of):
    """A player of the page that stands where a player of the package stands."""
    W, b = zip(*of.theta.layers, strict=True)
    copy = page.Player([W[0].shape[1], *map(len, W)], np.random.default_rng(0))
    for mine, theirs in zip(copy.W + copy.b, W + b, strict=True):
        mine[...] = theirs
    if of.norms[0] is not None:
        copy.norms = [(t.u, t.sigma, t.v, W_l / t.sigma) for W_l, t in zip(W, of.norms, strict=True)]
    return copy


def worst(copy, of):
    """The largest difference of a block of θ, in units of the largest entry of that block."""
    W, b = zip(*of.theta.layers, strict=True)
    pairs = zip(copy.W + copy.b, W + b, strict=True)
    return max(np.abs(mine - theirs).max() / np.abs(theirs).max() for mine, theirs in pairs)


def differences(page):
    """Train both from one start, on the same points and latents; compare θ of D and of G after every update."""
    adam, target = sn.Adam(1e-3, 0.5, 0.9), sn.ring(8, 1.0, 0.05)
    falls = partial(sn.linear_decay, start=0.5)
    gan = sn.GAN(
        (2, 16, 16, 1), (2, 16, 16, 2), d_optim=adam, g_optim=adam, batch=32, steps=STEPS, d_rate=falls, g_rate=falls
    )
    streams, first = sn.start(gan, SEED).streams, sn.start(gan, SEED)
    D, G = player(page, first.D), player(page, first.G)
    of_package, found = sn.train(gan, first, target.sample), []

    def latent():
        return sn.latents(gan, gan.batch, rng=streams["latent"])

    def real():
        return target.sample(gan.batch, rng=streams["data"])

    def g_step(*args):
        one_step(*args)
        state, _ = next(of_package)
        found.append((worst(D, state.D), worst(G, state.G)))

    one_step, page.g_step = page.g_step, g_step
    page.train(D, G, real, latent, STEPS)
    return np.array(found)


def test_every_theta_is_the_packages(page):
    found = differences(page)
    assert found.shape == (STEPS, 2)
    assert found.max() < RTOL


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("lam = np.sum(dW_bar * W_bar)", "lam = 0.0"),
        ("v = unit(W.T @ u)", "v = unit(W.T @ np.ones(len(u)))"),
        ("dx * np.where(h_l > 0, 1, slope)", "dx * np.where(h_l > 0, 1, 0)"),
        ("s += (1 - beta2) * (g * g - s)", "s += (1 - beta1) * (g * g - s)"),
        ("-sigmoid(-f) / len(z)", "sigmoid(-f) / len(z)"),
        ("    D.norms = [iterate(W, norm[0])", "    D.norms += [iterate(W, norm[0])"),
    ],
)
def test_a_mistake_would_be_seen(page, line, mistake):
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(line) == 1
    exec(compile(text.replace(line, mistake), "one_page", "exec"), page.__dict__)
    assert differences(page).max() > 0.01


def test_it_is_one_page_and_needs_numpy_only():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name
        for node in imports
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [node.names[0].name])
    }
    assert names == {"itertools", "numpy", "matplotlib"}


def test_it_runs_and_draws_its_picture(tmp_path):
    short = PAGE.read_text(encoding="utf-8").replace("steps=3000", "steps=30")
    assert short != PAGE.read_text(encoding="utf-8")
    environment = {**os.environ, "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", short]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("share of the points at each mode: [")
    assert [file.name for file in tmp_path.iterdir()] == ["ring.png"]
