"""Claims S10d to S10h and E2, from the measured moments, gains and Jacobians of gates."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.gates_frozen import Frozen, Gains
from remanence.studies.sensitivity.gates_measures import BOTH, Gated, Jacobian
from remanence.studies.sensitivity.gates_settings import (
    FROZEN_ERROR,
    GAIN_ERROR,
    GAIN_LAW_ERROR,
    GAIN_LIMIT_ERROR,
    GATED_FACTOR,
    LAYER_ERROR,
    NOTEBOOK_SHORTFALL,
    NOTEBOOK_SLACK,
    OFF_DIAGONAL,
    OFF_DIAGONAL_SHARE,
    STANDARD_ERRORS,
    GateSettings,
)
from remanence.studies.sensitivity.sources import PAPER, figure
from remanence.studies.wording import listed

_LRU_LAW = 0.7131


def frozen_claim(f: Frozen, s: GateSettings) -> Claim:
    """S10d."""
    errors = np.stack([f.power / f.power_theory, f.sensitivity / f.sensitivity_theory]) - 1
    own = np.stack([f.power_error / f.power_theory, f.sensitivity_error / f.sensitivity_theory])
    worst = float(np.max(np.abs(errors)))
    return Claim(
        id="S10d",
        statement=(
            "A GRU with frozen gates has the closed-form E h² and E(∂h/∂b)², bounded for every "
            "forget time."
        ),
        source=f"{PAPER}, section 5; derived",
        expected=f"Monte Carlo within {FROZEN_ERROR:.0%} of theory for both moments, each T",
        measured=(
            f"T = {listed(f.forget_times, '.4g')}: E h² off by {listed(errors[0], '+.2%')}, "
            f"E(∂h/∂b)² by {listed(errors[1], '+.2%')}; standard errors up to {own.max():.2%} "
            f"({s.chains} chains of {s.steps} steps at the longest T)"
        ),
        verdict=verdict(worst <= FROZEN_ERROR),
    )


def notebook_claim(f: Frozen) -> Claim:
    """E2."""
    ours = (f.sensitivity_theory - f.sensitivity) / f.sensitivity_error
    relative = f.sensitivity_theory / f.sensitivity - 1
    theirs = 1 - f.notebook_theory / f.sensitivity
    same = f.notebook_measured / f.notebook_theory - 1
    met = (
        np.max(np.abs(ours)) <= STANDARD_ERRORS
        and np.max(np.abs(relative)) <= FROZEN_ERROR
        and abs(theirs[0] - NOTEBOOK_SHORTFALL) <= NOTEBOOK_SLACK
    )
    return Claim(
        id="E2",
        statement=(
            "The published notebook for this figure predicts E[(h + ∂h/∂λ)²] σ'² where "
            "E(∂h/∂b)² = E(∂h/∂λ)² σ'² is measured; the two agree only for long memories."
        ),
        source=f"the authors' notebook of {figure(15)}; derived",
        expected=(
            f"our prediction within {STANDARD_ERRORS:g} standard errors and {FROZEN_ERROR:.0%} of "
            f"Monte Carlo at every T; theirs {NOTEBOOK_SHORTFALL:.0%} ± {NOTEBOOK_SLACK:.0%} too "
            f"small at T = {f.forget_times[0]:g}"
        ),
        measured=(
            f"T = {listed(f.forget_times, '.4g')}: ours off by {listed(relative, '+.2%')} "
            f"({listed(ours, '+.1f')} standard errors), theirs too small by "
            f"{listed(theirs, '.1%')}; the same chains give E[(h + ∂h/∂λ)²] σ'² within "
            f"{np.max(np.abs(same)):.1%} of their formula"
        ),
        verdict=verdict(met),
    )


def gated_claim(cases: Sequence[Gated], s: GateSettings) -> Claim:
    """S10e."""
    judged = [case for case in cases if case.regime == BOTH]
    ratios = np.stack([case.ratios for case in judged])
    errors = np.stack([case.ratio_errors for case in judged])
    place = np.unravel_index(np.argmax(np.abs(np.log(ratios))), ratios.shape)
    quantity = ("E h²", "E(∂h/∂b)²")[place[1]]
    worst = (
        f"farthest from 1: ×{ratios[place]:.3f} ± {errors[place]:.3f} (standard error over GRUs; "
        f"{judged[place[0]].candidate} candidate, {quantity}, T about "
        f"{judged[place[0]].forget_times[place[2]]:.2g})"
    )
    spans = "; ".join(
        f"{case.candidate} candidate E h² {_span(case.ratios[0])}, E(∂h/∂b)² "
        f"{_span(case.ratios[1])}"
        for case in judged
    )
    return Claim(
        id="S10e",
        statement=(
            "The theory of frozen gates predicts a GRU whose gates see inputs and states, with "
            "linear candidate n = W x as published and with the full one."
        ),
        source=figure(15),
        expected=(
            f"measured over predicted between 1/{GATED_FACTOR:g} and {GATED_FACTOR:g} for E h² "
            "and E(∂h/∂b)² in every range of forget times, for both candidates"
        ),
        measured=(
            f"{spans}; {worst}; at step {s.length}, over {_starts(s)} GRUs of {s.state} units "
            f"(derivatives: {min(s.units, s.state)} of each) in {s.bins} ranges of T "
            f"up to {s.longest:g}"
        ),
        verdict=verdict(ratios.max() <= GATED_FACTOR and ratios.min() >= 1 / GATED_FACTOR),
        note=(
            "With a linear candidate, gates that see inputs raise both moments; the tanh of the "
            "full candidate, which the theory takes to be linear, lowers them. The shortest range "
            "is borderline: a first full run with the derivatives of 16 units a GRU measured "
            "×0.47 there, which fails, and was run again with 64 to lower the sampling error. The "
            "verdict for that range is to be read with its standard error."
        ),
    )


def gain_claim(g: Gains) -> Claim:
    """S10f."""
    error = max(
        np.max(np.abs(g.gate / g.gate_theory - 1)), np.max(np.abs(g.lru / g.lru_theory - 1))
    )
    limit = abs(g.gate[-1] - 2 / math.e)
    law = g.lru[-1] / (_LRU_LAW * math.sqrt(2 / g.gaps[-1])) - 1
    return Claim(
        id="S10f",
        statement=(
            "For every bounded input a gate's sensitivity is bounded, by 2/e as the memory grows; "
            "the LRU's is not: its worst-case gain grows as 0.7131 √(2/ε)."
        ),
        source="derived",
        expected=(
            f"gains reached by explicit inputs of ±1 within {GAIN_ERROR:g} (relative) of theory; "
            f"at the smallest ε = 1 − λ the gate's within {GAIN_LIMIT_ERROR:g} of 2/e, the LRU's "
            f"within {GAIN_LAW_ERROR:.0%} of its law"
        ),
        measured=(
            f"{len(g.gaps)} values of ε from {g.gaps[0]:g} to {g.gaps[-1]:g}: largest error "
            f"{error:.1e}; at ε = {g.gaps[-1]:g} the gate's gain is {g.gate[-1]:.5f} "
            f"(2/e = {2 / math.e:.5f}), the LRU's {g.lru[-1]:.2f}, {law:+.2%} off its law"
        ),
        verdict=verdict(
            error <= GAIN_ERROR and limit <= GAIN_LIMIT_ERROR and abs(law) <= GAIN_LAW_ERROR
        ),
    )


def jacobian_claim(jacobians: Sequence[Jacobian], s: GateSettings) -> Claim:
    """S10g."""
    judged = [one for one in jacobians if one.gain in OFF_DIAGONAL]
    met = all(np.max(one.quantile) <= OFF_DIAGONAL[one.gain] for one in judged)
    found = "; ".join(
        f"σ_h = {one.gain:g}: {OFF_DIAGONAL_SHARE:.0%} below {one.quantile.max():.3f}, median "
        f"{one.median.max():.4f}, largest {one.largest.max():.2f}"
        for one in judged
    )
    return Claim(
        id="S10g",
        statement=(
            "The Jacobian ∂h_δ/∂h_0 of a GRU at initialisation is nearly diagonal: its "
            "off-diagonal entries stay small beside the gates' on the diagonal."
        ),
        source=figure(14),
        expected=(
            f"{OFF_DIAGONAL_SHARE:.0%} of off-diagonal entries at most "
            + " and ".join(f"{size:g} at σ_h = {gain:g}" for gain, size in OFF_DIAGONAL.items())
            + " in absolute value, at every delay"
        ),
        measured=(
            f"{found} (each the largest over delays {s.delays[0]} to {s.delays[-1]}); median of "
            f"the diagonal at δ = {s.delays[0]} "
            f"{np.median(jacobians[-1].diagonal[0]):.2f} or more; one GRU of "
            f"{s.jacobian_state} units, T up to {s.jacobian_longest:g}"
        ),
        verdict=verdict(met),
        note=(
            "Bounds as read off the published figure, which shows entries and names no statistic; "
            "that 99 % of the entries are held to them is our choice. A first prototype, with "
            "input matrices of variance 1/inputs and a warmed-up state, missed them (.050, .31); "
            "the published variance 2/inputs and a state of zero are measured here."
        ),
    )


def layer_claim(errors: Mapping[str, float]) -> Claim:
    """S10h."""
    worst = max(errors.values())
    return Claim(
        id="S10h",
        statement=(
            "With frozen gates the GRU, and the LSTM with chrono initialisation b_i = −b_f (for "
            "which i = 1 − f exactly), are the scalar recurrence h_t = λ h_{t−1} + (1 − λ) n_t: "
            "the same moments hold."
        ),
        source="derived; the initialisation of Tallec & Ollivier, ICLR 2018",
        expected=(
            f"states and forward-mode derivatives by the bias of the library's layers within "
            f"{LAYER_ERROR:g} of the scalar recurrence, relative to the largest; |i + f − 1| as "
            "small"
        ),
        measured="; ".join(f"{name} {value:.1e}" for name, value in errors.items()),
        verdict=verdict(worst <= LAYER_ERROR),
    )


def _span(values: np.ndarray) -> str:
    return f"×{values.min():.2f} to ×{values.max():.2f}"


def _starts(s: GateSettings) -> int:
    return s.batch * math.ceil(s.starts / s.batch)
