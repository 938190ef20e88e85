"""What the paper claims and runs can test, the effects that were found, and their verdicts by `protocol.verdict`.

All come from the kept data of other figures. `ledger` writes them into `CLAIMS.md`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from figures import protocol, style
from specnorm_np.spectral import Array

TITLE = "The paper's claims, tested"
DATA = ("settings", "n_dis", "last_width", "reparametrisation", "k_and_scale", "concentration")
DATA += ("training_time",)
CAPTION = """
The one thing to see: of {n} tests {holds} hold, {fails} do not, and {open} are undecided. Every claim of the ledger
`CLAIMS.md` that was tested by runs: the effect, which is positive where the claim says so, and its 95 % bootstrap
interval over seeds, in units of the effect that would matter (the dashed line). The scale is linear from −1 to 1 and
logarithmic beyond.
"""
VERDICTS = {"holds": style.BLUE, "does not hold": style.RED, "undecided here": style.GREY}
MARGIN = 0.05
"""The unit in which margins are drawn, which need only be positive."""
RIVALS = ("none", "wn", "clip", "ortho", "wgan-gp", "gan-gp", "bn", "ln")
"""The methods that the paper compares with over the settings A to F."""


class Claim(NamedTuple):
    """A claim that runs can test.

    Attributes
    ----------
    where : str
        In the paper.
    text : str
        The claim, in words of our own.
    protocol : str
        What was trained, and what the effect is.
    measure : str
        A key of `protocol.MATTERS`.
    differences : function
        From the data to the effect of every seed, positive where the claim says so.
    setting : str
        What is different in the paper.
    """

    where: str
    text: str
    protocol: str
    measure: str
    differences: Callable[[style.Data], Array]
    setting: str = "images, a CNN, Inception score and FID"


# ---- effects --------------------------------------------------------------------------------------------------------


def of_method(data: style.Data, name: str, measure: str = "reverse_kl") -> Array:
    """Return a measure of a method on the ring, (seeds, settings)."""
    found: Array = data[f"settings.ring_{measure}"][:, data["settings.ring_methods"].tolist().index(name)]
    return found


def worst_case(rival: str) -> Callable[[style.Data], Array]:
    """Compare the worst of the six settings: that of the rival less that of SN."""
    return lambda data: of_method(data, rival).max(axis=1) - of_method(data, "sn").max(axis=1)


def best_case(rival: str) -> Callable[[style.Data], Array]:
    """Compare the best of the six settings: that of the rival less that of SN."""
    return lambda data: of_method(data, rival).min(axis=1) - of_method(data, "sn").min(axis=1)


def high_rates(data: style.Data) -> Array:
    """Compare WGAN-GP's mean over D, E, F with that over A, B, C."""
    kl = of_method(data, "wgan-gp")
    difference: Array = kl[:, 3:].mean(axis=1) - kl[:, :3].mean(axis=1)
    return difference


def more_rank(rival: str) -> Callable[[style.Data], Array]:
    """Compare the mean stable rank of the two hidden square matrices: SN's less the rival's, at setting C."""
    at_c = 2
    return lambda data: (of_method(data, "sn", "rank") - of_method(data, rival, "rank"))[:, at_c, 1:3].mean(axis=1)


def below_a_twentieth(data: style.Data) -> Array:
    """Return 1.05 less the largest σ(W̄) of any layer after the first tenth of the run, at setting C."""
    left: Array = 1.05 - of_method(data, "sn", "sigma")[:, 2]
    return left


def hinge_gain(data: style.Data) -> Array:
    """Compare the mean over the settings: the standard loss less the hinge loss."""
    gain: Array = (of_method(data, "sn") - of_method(data, "sn, hinge")).mean(axis=1)
    return gain


def hurt_by_n_dis(name: str) -> Callable[[style.Data], Array]:
    """Compare 20 updates of D with one, at equal updates of G."""

    def differences(data: style.Data) -> Array:
        kl = data["n_dis.reverse_kl"][:, 0, ("sn", "wn", "none").index(name)]
        change: Array = kl[:, -1] - kl[:, 0]
        return change

    return differences


def not_hurt_by_n_dis(data: style.Data) -> Array:
    """Return what matters less SN's loss from 20 updates of D."""
    return protocol.MATTERS["reverse_kl"] - hurt_by_n_dis("sn")(data)


def hurt_by_width(data: style.Data) -> Array:
    """Compare 512 last units with 64: what orthonormal regularisation loses less what SN loses."""
    kl, widths = data["last_width.reverse_kl"], data["last_width.widths"].tolist()
    change = kl[:, :, -1] - kl[:, :, widths.index(64)]
    loss: Array = change[:, 1] - change[:, 0]
    return loss


def within_gp(better: str, than: str, supply: int, measure: str = "reverse_kl") -> Callable[[style.Data], Array]:
    """Compare two variants of WGAN-GP, on fresh (0) or finite (1) data."""

    def differences(data: style.Data) -> Array:
        names, values = data["reparametrisation.variants"].tolist(), data[f"reparametrisation.{measure}"][:, supply]
        gain: Array = values[:, names.index(than)] - values[:, names.index(better)]
        return gain

    return differences


def concentration(data: style.Data) -> Array:
    """Compare the mean stable rank at the end: with λ less without."""
    last = data["concentration.rank"][:, :, -1].mean(axis=2)
    difference: Array = last[:, 0] - last[:, 1]
    return difference


def needs_no_tuning(data: style.Data) -> Array:
    """Return what matters, less what the worst of K = 1/2, 1, 2 loses against the best K, on the data as they are."""
    kl, u = data["k_and_scale.reverse_kl"][:, 0, :-1], data["k_and_scale.u"]
    near = kl[:, (u >= 0.5) & (u <= 2.0)]
    left: Array = protocol.MATTERS["reverse_kl"] - (near.max(axis=1) - kl.min(axis=1))
    return left


LOSS = "its reverse KL less SN's, ring"
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            "4.1, Figures 1, 2",
            f"SN is robust over the settings A to F: against {style.LABELS[rival]}",
            f"worst of the six settings: {LOSS}",
            "reverse_kl",
            worst_case(rival),
        )
        for rival in RIVALS
    ),
    Claim(
        "4.1", "WGAN-GP fails at high rates and momenta (D, E, F)",
        "its mean reverse KL over D, E, F less that over A, B, C, ring", "reverse_kl", high_rates,
    ),
    Claim(
        "4.1", "orthonormal regularisation is slightly better than SN at its best",
        "best of the six settings: SN's reverse KL less its, ring", "reverse_kl",
        lambda data: -best_case("ortho")(data),
    ),
    Claim(
        "4.1", "the best of weight normalisation is worse than that of SN",
        f"best of the six settings: {LOSS}", "reverse_kl", best_case("wn"),
    ),
    Claim(
        "3, 4.1.1, Figure 3", "SN uses more ranks than weight normalisation",
        "mean stable rank of D's hidden matrices at setting C: SN's less WN's", "stable rank", more_rank("wn"),
    ),
    Claim(
        "3, 4.1.1, Figure 3", "SN uses more ranks than weight clipping",
        "mean stable rank of D's hidden matrices at setting C: SN's less clipping's", "stable rank", more_rank("clip"),
    ),
    Claim(
        "4.1, C.1, Figure 9", "σ(W̄) stays between 1 and 1.05",
        "1.05 less the largest σ(W̄) of any layer after a tenth of the run, setting C", "margin", below_a_twentieth,
        "seven layers, of which the paper exempts two early on",
    ),
    Claim(
        "4.1", "the hinge loss is better than (15)",
        "mean over the six settings: SN's reverse KL less SN's with the hinge loss, ring", "reverse_kl", hinge_gain,
    ),
    Claim(
        "C.3, Figure 11", "more updates of D per update of G hurt weight normalisation",
        "WN's reverse KL at n_dis = 20 less that at 1, setting D, equal updates of G", "reverse_kl",
        hurt_by_n_dis("wn"),
    ),
    Claim(
        "C.3, Figure 11", "more updates of D per update of G do not hurt SN",
        "0.1 less (SN's reverse KL at n_dis = 20 less that at 1), setting D, equal updates of G", "margin",
        not_hurt_by_n_dis,
    ),
    Claim(
        "4.1.2, Figure 4", "a wide last layer hurts orthonormal regularisation and not SN",
        "what 512 last units cost against 64: its reverse KL less SN's, setting C", "reverse_kl", hurt_by_width,
        "the last convolution of an image model",
    ),
    Claim(
        "E.1, Table 7", "Frobenius normalisation with γ collapses inside WGAN-GP",
        "its reverse KL less that of WGAN-GP alone, setting D, fresh data", "reverse_kl",
        within_gp("wgan-gp", "fn-gamma+gp", 0),
    ),
    Claim(
        "E.1, Tables 7, 8", "reparametrising by γ·SN helps WGAN-GP",
        "WGAN-GP's reverse KL less that with γ·SN, setting D, fresh data", "reverse_kl",
        within_gp("sn-gamma+gp", "wgan-gp", 0),
    ),
    Claim(
        "E.1, Figure 15", "reparametrising by γ·SN helps WGAN-GP on finite data",
        "the same on 300 points, measured against new ones", "reverse_kl", within_gp("sn-gamma+gp", "wgan-gp", 1),
    ),
    Claim(
        "E.1, Figure 15", "with γ·SN the critic overfits less",
        "how much higher it rates its training points than new ones, in std: WGAN-GP's less γ·SN's", "overfitting",
        within_gp("sn-gamma+gp", "wgan-gp", 1, "overfitting"),
    ),
    Claim(
        "2.3", "λ keeps W̄ from concentrating on one direction",
        "mean stable rank of D's hidden matrices at the end: with λ less without, setting C", "stable rank",
        concentration, "the paper trains no D without λ",
    ),
    Claim(
        "abstract, 1", "K needs no intensive tuning",
        "0.1 less what the worst of K = ½, 1, 2 loses against the best of six, in reverse KL, setting C", "margin",
        needs_no_tuning, "the paper uses K = 1 alone",
    ),
)  # fmt: skip


class Row(NamedTuple):
    """A claim with what was found."""

    claim: Claim
    effect: protocol.Effect
    verdict: str


def judge(data: style.Data) -> list[Row]:
    """Compute the effect of every claim, and its verdict."""
    rows = []
    for claim in CLAIMS:
        found = protocol.effect(claim.differences(data))
        rows.append(Row(claim, found, protocol.verdict(found, protocol.MATTERS[claim.measure])))
    return rows


def facts(data: style.Data) -> dict[str, str]:
    """State what the caption says in numbers."""
    verdicts = [row.verdict for row in judge(data)]
    counts = [str(verdicts.count(name)) for name in VERDICTS]
    return dict(zip(("holds", "fails", "open"), counts, strict=True)) | {"n": str(len(verdicts))}


@style.styled
def draw(data: style.Data) -> Figure:
    """Draw every effect with its interval, in units of what matters."""
    rows = judge(data)
    figure = style.figure(7.6, 0.26 * len(rows) + 0.9)
    ax = figure.subplots()
    place = np.arange(len(rows))[::-1]
    for y, (claim, found, verdict) in zip(place, rows, strict=True):
        unit = protocol.MATTERS[claim.measure] or MARGIN
        color = VERDICTS[verdict]
        ax.plot([found.low / unit, found.high / unit], [y, y], color=color, lw=2)
        ax.plot(found.mean / unit, y, "o", color=color, ms=4.5)
    ax.axvline(0.0, color=style.INK, lw=0.8)
    ax.axvline(1.0, color=style.INK, lw=0.8, ls="--")
    ax.set_xscale("symlog", linthresh=1.0)
    ax.set_xticks((-10, -1, 0, 1, 10), ("−10", "−1", "0", "1", "10"))
    ax.set(ylim=(-0.7, len(rows) - 0.3), xlabel="effect, in units of what would matter")
    ax.set_yticks(place, [row.claim.text for row in rows])
    ax.tick_params(axis="y", length=0, labelsize=7.5)
    for name, color in VERDICTS.items():
        ax.plot([], [], "o-", color=color, lw=2, ms=4.5, label=name)
    ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=3)
    return figure
