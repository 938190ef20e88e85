"""What λ does: SN trained with its whole gradient (12), and with σ taken for a constant. Section 2.3."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from figures.training import stable_rank
from specnorm_np import gan as algorithm
from specnorm_np.normalizers import SpectralNorm
from specnorm_np.runs.compare import key
from specnorm_np.runs.config import Config, make_gan, make_target
from specnorm_np.runs.run import reference
from specnorm_np.runs.storage import write
from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import N_EVAL, evaluate

TITLE = "What λ does"
CAPTION = """
The one thing to see: {lesson} Section 2.3 of the paper reads λ in (12) as a penalty that keeps W̄ from concentrating on
its first singular direction. Here D is trained with the whole gradient (12), and with (12) without its second term, as
if σ were a constant; the ring at setting C, seeds {seeds}. (a) The stable rank Σσ²/σ₁² of the two hidden square
matrices of D in training, mean and range over the seeds. (b) The reverse KL at the end, a dot a run.
"""
VARIANTS = ("with λ", "without λ")
SEEDS, POINTS = 3, 40
HIDDEN = (1, 2)
"""The indices of the layers with a square matrix. Another's rank is at most two."""


@dataclass(frozen=True)
class WithoutLambda(SpectralNorm):
    """Spectral normalisation whose gradient takes σ̂ for a constant: (12) without λu₁v₁ᵀ. Wrong, and the point here."""

    def pullback(self, dW_bar: Array, W: Array, state: Any) -> tuple[Array]:
        """Divide by N only."""
        return (dW_bar / self._N(state),)


def configs(quick: bool) -> list[Config]:
    """List the runs, which both variants share."""
    small = protocol.SMALL if quick else {}
    return [protocol.at("C", method="sn", seed=seed, **small) for seed in range(2 if quick else SEEDS)]


def compute(quick: bool = False, cache: Path = Path("runs"), executor: Executor | None = None) -> style.Data:
    """Train both variants, and arrange by seed and variant."""
    chosen = configs(quick)
    jobs = [(config, variant, str(cache)) for config in chosen for variant in VARIANTS]
    run: Callable[..., Any] = executor.map if executor else map
    records = list(run(record, *zip(*jobs, strict=True)))
    shape = (len(chosen), len(VARIANTS))
    data = {name: np.array([r[name] for r in records]) for name in ("rank", "reverse_kl")}
    data = {name: values.reshape(*shape, *values.shape[1:]) for name, values in data.items()}
    return {**data, "step": records[0]["step"], "seeds": np.array([config.seed for config in chosen])}


def record(config: Config, variant: str, cache: str) -> dict[str, Array]:
    """Train a variant, or read what it has given before."""
    path = Path(cache) / "figures" / f"{key(config)}-{VARIANTS.index(variant)}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = _train(config, variant)
        write(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _train(config: Config, variant: str) -> dict[str, Array]:
    target = make_target(config)
    gan = make_gan(config, target)
    if variant == VARIANTS[1]:
        gan = replace(gan, normalizer=WithoutLambda(config.n_iter, config.K or 1.0))
    first = state = algorithm.start(gan, config.seed)
    every = max(config.steps // POINTS, 1)
    steps, ranks = [0], [_ranks(gan, state)]
    for state, _ in algorithm.train(gan, first, target.sample):
        if state.step % every == 0:
            steps.append(state.step)
            ranks.append(_ranks(gan, state))
    theta = state.G.theta if state.G_mean is None else state.G_mean
    z = algorithm.latents(gan, N_EVAL, rng=np.random.default_rng([config.seed, state.step]))
    report = evaluate(algorithm.generate(gan, theta, z).astype(float), target, reference(target))
    kl = protocol.at_most_one_mode(report.reverse_kl)
    return {"step": np.array(steps), "rank": np.array(ranks), "reverse_kl": np.array(kl)}


def _ranks(gan: algorithm.GAN, state: algorithm.State) -> list[float]:
    W_bar, _ = algorithm.effective(state.D, gan.normalizer)
    return [float(stable_rank(np.linalg.svd(W_bar[l].astype(float), compute_uv=False))) for l in HIDDEN]


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    last = data["rank"][:, :, -1].mean(axis=(0, 2))
    lesson = f"at the end the stable rank is {last[0]:.1f} with λ and {last[1]:.1f} without, in the mean."
    return {"seeds": ", ".join(map(str, data["seeds"])), "lesson": lesson}


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw the stable ranks in training, and the reverse KL at the end."""
    figure = style.figure(7.2, 3.0)
    ranks, kl = figure.subplots(1, 2, width_ratios=(2, 1))
    for i, (name, color) in enumerate(zip(VARIANTS, (style.BLUE, style.ORANGE), strict=True)):
        for l, line in zip(HIDDEN, ("-", "--"), strict=True):
            curves = data["rank"][:, i, :, l - 1]
            ranks.fill_between(data["step"], curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.2, lw=0)
            ranks.plot(data["step"], curves.mean(axis=0), line, color=color, label=f"{name}, layer {l + 1}")
        kl.plot(np.full(len(data["seeds"]), i), data["reverse_kl"][:, i], "o", color=color, ms=4)
    ranks.set(xlabel="generator updates", ylabel="stable rank", ylim=(0, None))
    ranks.legend()
    kl.set(xlim=(-0.5, 1.5), ylabel="reverse KL", ylim=(0, None))
    kl.set_xticks((0, 1), VARIANTS)
    style.letter((ranks, kl))
    return figure
