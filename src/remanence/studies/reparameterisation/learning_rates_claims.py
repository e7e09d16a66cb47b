"""The claims on learning rates, from the sweeps."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.reparameterisation.learning_rates_digits import DigitSweep
from remanence.studies.reparameterisation.learning_rates_kernels import (
    DIRECT,
    STUDENTS,
    UNFAIR,
    Sweep,
)
from remanence.studies.reparameterisation.learning_rates_settings import (
    BEST_LEAST,
    CHANCE,
    DIGIT_FACTOR,
    DIGIT_RATE,
    DIRECT_BELOW,
    EXPONENTIAL_AT,
    FAIR_LOSS,
    LEARNT,
    POLE,
    PUBLISHED_DIGITS,
    RATIO_MOST,
    RATIO_RATES,
    STUCK,
    LearningRateSettings,
)
from remanence.studies.reparameterisation.sources import DERIVED, PUBLISHED_CODE, figure
from remanence.studies.wording import listed

SAME_ORDER = "the order of " + figure("table 2")


def sweep_claims(s: LearningRateSettings, found: Sweep) -> tuple[Claim, ...]:
    """F4a to F4d."""
    return (
        order_claim(s, found),
        ratio_claim(s, found),
        start_claim(s, found),
        extensions_claim(s, found),
    )


def order_claim(s: LearningRateSettings, found: Sweep) -> Claim:
    """F4a."""
    names = (DIRECT, "exponential", "softplus", "best")
    usable = {name: found.usable(name, LEARNT) for name in names}
    next_rate = dict(zip(s.rates, s.rates[1:], strict=False))
    met = (
        # A map that learns at no rate has 0, which is no largest rate.
        min(usable.values()) > 0
        and usable[DIRECT] < DIRECT_BELOW
        and usable["best"] >= BEST_LEAST
        and all(
            usable[name] <= EXPONENTIAL_AT < next_rate.get(usable[name], np.inf)
            for name in ("exponential", "softplus")
        )
    )
    return Claim(
        id="F4a",
        statement=(
            "The largest usable learning rate grows from the direct map to exponential and "
            "softplus to best, everybody starting from the same stable function."
        ),
        source=f"{DERIVED}; {SAME_ORDER}",
        expected=(
            f"largest rate at which every seed ends below {100 * LEARNT:g} % of the kernel's "
            f"power: 0 < direct < {DIRECT_BELOW:g}, exponential and softplus {EXPONENTIAL_AT:g}, "
            f"best ≥ {BEST_LEAST:g}"
        ),
        measured=(
            ", ".join(f"{name} {rate:g}" for name, rate in usable.items())
            + f"; {s.steps} steps of Adam, {s.seeds} seeds"
        ),
        verdict=verdict(met),
        note=(
            f"The three rates were known beforehand; the share of {100 * LEARNT:g} % was chosen "
            "after a prototype. 0 stands for a map that learns at no rate. A loss is compared at "
            "the end of a run. Where a run ends at "
            f"{found.power - 1:.3g} all of its memory is gone and one delta at lag 0 is left. In "
            "float64 the direct map rarely ends in NaN; it ends above the share, or at 1e300."
        ),
    )


def ratio_claim(s: LearningRateSettings, found: Sweep) -> Claim:
    """F4b."""
    low = np.array(s.rates) <= RATIO_RATES
    told = {}
    for name in (DIRECT, "exponential", "softplus", "best"):
        rows = found.of(found.ratios, name)[low].max(axis=1)
        told[name] = rows
    worst = float(told["best"].max())
    every = found.of(found.ratios, "best")
    seeds = every[low]
    with_poles = float(found.of(found.all_ratios, "exponential")[low].max())
    return Claim(
        id="F4b",
        statement=(
            "At small learning rates the best map keeps the gradient over the weight small at "
            "every step."
        ),
        source=f"{DERIVED}; {figure('figure 3')}, not re-run",
        expected=(
            f"max |g|/|w| over all steps, weights and seeds ≤ {RATIO_MOST:g} for best, at rates "
            f"≤ {RATIO_RATES:g}"
        ),
        measured=", ".join(
            f"{name} {rows.min():.2g} … {rows.max():.2g}" for name, rows in told.items()
        )
        + f" (least to greatest of the rates; {s.seeds} seeds)",
        verdict=verdict(worst <= RATIO_MOST),
        note=(
            f"Weights below {POLE:g} are left out for exponential and softplus, whose w = 0 is "
            f"the rate −1 or −ln 2: with them exponential has {with_poles:.2g}. For best the "
            f"median over seeds and the rates judged is {np.median(seeds):.2g}, and "
            f"{int((seeds > RATIO_MOST).sum())} of {seeds.size} runs exceed {RATIO_MOST:g}. The "
            f"greatest of each rate, {listed(s.rates, 'g')}, is "
            f"{listed(every.max(axis=1), '.3g')}: what is 2a|w| in theory is the scale, up to a "
            "factor of the readouts and of the kernel's error. The start draws that factor and a "
            "large rate enlarges it: no bound on the ratio that is measured."
        ),
    )


def start_claim(s: LearningRateSettings, found: Sweep) -> Claim:
    """F4c."""
    fair = found.usable(DIRECT, LEARNT)
    losses = found.of(found.losses, UNFAIR)
    return Claim(
        id="F4c",
        statement=(
            "In kernel regression the direct map fails at every learning rate from Re λ = +0.5, "
            "where the released code starts, and learns from a stable start."
        ),
        source=f"{DERIVED}; {PUBLISHED_CODE}",
        expected=(
            "from +0.5 no run at any rate ends below the kernel's power; from −0.01 … −0.9 some "
            f"rate brings every seed below {100 * LEARNT:g} % of it"
        ),
        measured=(
            f"from +0.5 at least {losses.min():.2g} (power {found.power:.3g}); from the fair "
            f"start usable up to {fair:g}"
        ),
        verdict=verdict(bool((losses > found.power).all()) and fair > 0),
        note=(
            "Measured in this regression alone, whose fair start is λ = −0.01 … −0.9. That the "
            "published direct map, on sequential MNIST, fails because of its start is not shown "
            "by it; F5b tries that task from −½, smaller than published, in the full preset. "
            "Losses beyond 3e38 are finite here, in float64, and would not be in float32."
        ),
    )


def extensions_claim(s: LearningRateSettings, found: Sweep) -> Claim:
    """F4d."""
    usable = {student.name: found.usable(student.name, LEARNT) for student in STUDENTS[4:]}
    finest = {
        name: float(np.median(found.of(found.losses, name), axis=1).min())
        for name in ("best", "mean-square best", "exponential", "best, normalised")
    }
    met = usable["exponential, normalised"] > found.usable("exponential", LEARNT) > 0
    return Claim(
        id="F4d",
        statement=(
            "Normalised readouts let the exponential map use larger learning rates; what the best "
            "map gains is not its alone."
        ),
        source=f"{DERIVED}: an extension",
        expected="exponential map: a larger usable rate with c = |λ| ĉ than without",
        measured=(
            f"exponential {found.usable('exponential', LEARNT):g}; "
            + ", ".join(f"{name} {rate:g}" for name, rate in usable.items())
        ),
        verdict=verdict(met),
        note=(
            "Criterion chosen after a prototype. Least median loss of any rate: "
            + ", ".join(f"{name} {loss:.1e}" for name, loss in finest.items())
            + "."
        ),
    )


def digit_claims(s: LearningRateSettings, found: DigitSweep) -> tuple[Claim, ...]:
    """F5a, F5b."""
    row = list(found.rates).index(DIGIT_RATE)
    at = {name: float(found.of(name)[row]) for name in found.students}
    best = np.nan_to_num(at["best"], nan=np.inf)
    others = [np.nan_to_num(at[name], nan=np.inf) for name in ("softplus", "exponential")]
    _, softplus, exponential, published = PUBLISHED_DIGITS[DIGIT_RATE]
    set_up = (
        f"{found.images} images of {s.digit_side}×{s.digit_side}, {found.steps} steps of "
        f"{s.digit_batch}, width {s.digit_width}, {s.digit_seeds} run(s) per rate"
    )
    fair = np.nan_to_num(found.of(DIRECT), nan=np.inf)
    unfair = np.nan_to_num(found.of(UNFAIR), nan=np.inf)
    return (
        Claim(
            id="F5a",
            statement=(
                f"On sequential MNIST at learning rate {DIGIT_RATE:g} the best map still trains "
                "where softplus and exponential do not."
            ),
            source=figure("table 2"),
            expected=(
                f"test loss of best smaller than both others by {DIGIT_FACTOR:g}× (published "
                f"{published:.3g} against {softplus:.3g} and {exponential:.3g})"
            ),
            measured=", ".join(f"{name} {loss:.3g}" for name, loss in at.items()) + f"; {set_up}",
            verdict=verdict(bool(np.isfinite(best)) and DIGIT_FACTOR * best <= min(others)),
            note=(
                "Published: 60,000 images of 28×28, width and state 64, 10 epochs of batches of "
                "128. The published means have standard deviations of 1.7 and 1.6 over three "
                "runs, as if one of the three had failed."
            ),
        ),
        Claim(
            id="F5b",
            statement=(
                "From Re λ = −½ the direct map learns at some rate; from the released code's +½ "
                "at none."
            ),
            source=f"{DERIVED}; {PUBLISHED_CODE}",
            expected=(
                f"least loss from −½ ≤ {FAIR_LOSS:g}; from +½ NaN or above ln 10 − {STUCK:g} at "
                "every rate"
            ),
            measured=f"from −½ {_told(fair)}; from +½ {_told(unfair)}; {set_up}",
            verdict=verdict(bool(fair.min() <= FAIR_LOSS and (unfair > CHANCE - STUCK).all())),
            note=(
                "The size of the images was chosen after a prototype. At 14×14 the unfair start "
                "does learn, at 5e-2 to a loss of 1.11 in 1600 steps: a kernel that grows as "
                "e^{Δt/2} with steps Δ ≤ 0.1 gains 4 decades in 196 steps and 17 in 784."
            ),
        ),
    )


def _told(losses: np.ndarray) -> str:
    return ", ".join("NaN" if np.isinf(loss) else f"{loss:.3g}" for loss in losses)
