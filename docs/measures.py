"""Write `docs/measures.md`: which measure sees which fault of a sampler. A test compares.

python docs/measures.py
"""

from pathlib import Path

import numpy as np

from specnorm_np.spectral import Array
from specnorm_np.toy.metrics import N_EVAL, N_REFERENCE, Report, evaluate, perfect_sampler
from specnorm_np.toy.targets import Mixture, ring

TEXT = """\
# How good are the samples? What each measure sees, and what it misses

Published tables of GANs on the ring and the grid give three numbers: how many **modes** are found, the share of the
samples that are of **high quality** (within 3 standard deviations of a mode), and the **reverse KL** of the modes'
shares. They are easy to satisfy. A sampler that repeats the centre of every mode, and nothing else, is perfect by all
three. So this package measures two things more.

- **1-NN**, the two-sample accuracy. Take as many real points as generated ones. Give every point the label of its
  nearest neighbour among all the others, and count how often that is right. If the samples cannot be told apart it is
  right half of the time: 50 %. If they are separate it is always right: 100 %. It is also given for the real and for
  the generated points alone. (Lopez-Paz & Oquab 2017, Xu et al. 2018.)
- **The shape of a mode**: how far the mean of its samples is from the true mean (*offset*, 0 is right), and their
  standard deviation along the axis in which they are narrowest and widest (*spread*, 1 is right), in units of the
  true standard deviation, as means over the modes. A sample counts for its nearest mode if it is within 5 standard
  deviations of it.

The table makes faults on purpose. Each row is a sampler of the ring of 8 modes with one thing wrong; the numbers that
give it away are in bold. {n} samples each, seed 0.

{table}

Read the columns downwards. Samples that are too concentrated *raise* the high quality, which a perfect sampler has at
98.89 % only. The Fréchet distance compares means and covariances of the whole, so a lost mode shows in it only as far
as it moves these: without every second mode, both stay as they are. 1-NN moves with every fault, but not by much where
the fault is one of weights: a lost mode of eight costs three points, and the reverse KL shows it better. So no single
number is enough.

The two sides of 1-NN help with copies. Where a few points are repeated again and again, each copy has another copy for
its nearest neighbour, so the generated side is at 100 %. A sampler that hands out its training points, each once, is
harder to catch: against points that were not trained on it looks perfect, for its points *are* real ones. Against the
training points themselves its 1-NN falls to 0 %, since the nearest neighbour of each copy is its original. This is why
a user's own points are divided before training, and the two-sample accuracy is taken against the part held out.

A perfect sampler does not score 0 and 1 exactly, because the samples are finitely many. Its row is exact where there is
a formula: high quality 1 − exp(−9/2), reverse KL (k − 1)/2n for n samples on k modes, 1-NN (n − 1)/(2n − 1). The other
numbers are means of 100 simulated evaluations.

This page is written by `python docs/measures.py`.
"""


def faults(target: Mixture) -> list[tuple[str, Array, tuple[str, ...]]]:
    """List samplers with one fault each: what is wrong, the samples, and the measures that should see it."""
    rng = np.random.default_rng(0)
    x = target.sample(N_EVAL, rng=rng)
    index = np.square(x[:, None] - target.modes).sum(axis=2).argmin(axis=1)
    centre, std, k = target.modes[index], target.std, len(target.modes)
    lost = Mixture(target.modes[1:], std).sample(N_EVAL, rng=rng)
    half = Mixture(target.modes[::2], std).sample(N_EVAL, rng=rng)
    share = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    uneven = target.modes[rng.choice(k, N_EVAL, p=share)] + std * rng.standard_normal((N_EVAL, 2))
    line = centre + std * rng.standard_normal((N_EVAL, 1)) * np.array([1.0, 0.1])
    between = x.copy()
    between[: N_EVAL // 10] = rng.uniform(-1, 1, (N_EVAL // 10, 2))
    memorised = target.sample(50, rng=rng)[rng.integers(50, size=N_EVAL)]
    return [
        ("nothing", x, ()),
        ("each mode a point", centre, ("two_sample", "spread_minor", "spread_major")),
        ("each mode 0.3 times as wide", centre + 0.3 * (x - centre), ("two_sample", "spread_minor", "spread_major")),
        ("each mode 1.5 times as wide", centre + 1.5 * (x - centre), ("high_quality", "spread_minor", "spread_major")),
        ("each mode a thin line", line, ("two_sample", "spread_minor")),
        ("each mode moved by one std", x + std * np.array([1.0, 0.0]), ("two_sample", "offset")),
        ("one mode lost", lost, ("modes", "reverse_kl", "frechet", "two_sample")),
        ("every second mode lost", half, ("modes", "reverse_kl", "two_sample")),
        ("modes of unequal weight", uneven, ("reverse_kl", "frechet")),
        ("a tenth anywhere in between", between, ("high_quality", "two_sample")),
        ("50 points, again and again", memorised, ("two_sample", "two_sample_generated")),
    ]


COLUMNS = (
    ("modes", "modes", "{:g}"),
    ("high quality", "high_quality", "{:.1%}"),
    ("reverse KL", "reverse_kl", "{:.4f}"),
    ("Fréchet", "frechet", "{:.5f}"),
    ("1-NN", "two_sample", "{:.1%}"),
    ("real", "two_sample_real", "{:.1%}"),
    ("generated", "two_sample_generated", "{:.1%}"),
    ("offset", "offset", "{:.2f}"),
    ("spread, minor", "spread_minor", "{:.2f}"),
    ("major", "spread_major", "{:.2f}"),
)


def reports(target: Mixture) -> list[tuple[str, Report, tuple[str, ...]]]:
    """Measure every sampler of `faults`."""
    reference = target.sample(N_REFERENCE, rng=np.random.default_rng(1))
    return [(name, evaluate(x, target, reference), seen) for name, x, seen in faults(target)]


def table(target: Mixture) -> str:
    """Return the table in Markdown, with the row of a perfect sampler."""
    lines = [["what is wrong", *(head for head, *_ in COLUMNS)], ["---"] * (1 + len(COLUMNS))]
    perfect = perfect_sampler(target, rng=np.random.default_rng(0)).mean
    for name, report, seen in [*reports(target), ("*a perfect sampler, expected*", perfect, ())]:
        cells = []
        for _, measure, look in COLUMNS:
            text = look.format(getattr(report, measure))
            cells.append(f"**{text}**" if measure in seen else text)
        lines.append([name, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page() -> str:
    """Return the page."""
    return TEXT.format(n=f"{N_EVAL:,}", table=table(ring()))


if __name__ == "__main__":
    Path(__file__).with_name("measures.md").write_text(page())
