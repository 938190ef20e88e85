"""The page on measures: each fault is seen by the measures in bold, and the page is what its script writes."""

import importlib.util
from pathlib import Path

import pytest

from specnorm_np.toy.metrics import perfect_sampler
from specnorm_np.toy.targets import ring

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("measures", ROOT / "docs/measures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LIMITS = {  # from what is a fault: well outside of what a perfect sampler has by chance
    "modes": lambda value, perfect: value < perfect,
    "high_quality": lambda value, perfect: value < perfect - 0.02,
    "reverse_kl": lambda value, perfect: value > 20 * perfect,
    "frechet": lambda value, perfect: value > 20 * perfect,
    "two_sample": lambda value, perfect: value > perfect + 0.02,
    "two_sample_generated": lambda value, perfect: value > 0.9,
    "offset": lambda value, perfect: value > 5 * perfect,
    "spread_minor": lambda value, perfect: abs(value - perfect) > 0.2,
    "spread_major": lambda value, perfect: abs(value - perfect) > 0.2,
}


def test_each_fault_is_seen_by_the_measures_in_bold_and_a_sampler_without_one_by_none(script):
    perfect = perfect_sampler(ring(), repeats=20, rng=script.np.random.default_rng(0)).mean
    (_, sound, _), *faulty = script.reports(ring())
    assert not any(seen(getattr(sound, name), getattr(perfect, name)) for name, seen in LIMITS.items())
    for what, report, measures in faulty:
        for name in measures:
            assert LIMITS[name](getattr(report, name), getattr(perfect, name)), (what, name, getattr(report, name))


def test_what_the_published_measures_miss(script):
    """Modes, high quality and reverse KL find nothing wrong with a sampler that repeats the centres of the modes."""
    report = {what: report for what, report, _ in script.reports(ring())}["each mode a point"]
    assert (report.modes, report.high_quality) == (8, 1.0)
    assert report.reverse_kl < 0.003
    assert report.two_sample > 0.99


def test_the_page_is_what_the_script_writes(script):
    assert script.page() == (ROOT / "docs/measures.md").read_text(), "run: python docs/measures.py"
