"""What gradient descent from near zero ends at: least norm, order by order, free to truncate."""

from collections.abc import Sequence

import numpy as np

from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.low_dimensional.ensembles import (
    NEAR_ZERO,
    STANDARD,
    Ensemble,
    Job,
    teacher_response,
    train,
)
from remanence.studies.low_dimensional.minimum_norm_claims import (
    bridge_claim,
    norm_claim,
    stair_claim,
)
from remanence.studies.low_dimensional.minimum_norm_figures import (
    bridge_figure,
    norm_figure,
    stair_figure,
)
from remanence.studies.low_dimensional.minimum_norm_measures import (
    Truncation,
    best_balanced_loss,
    truncations,
)
from remanence.studies.low_dimensional.minimum_norm_settings import (
    FULL,
    QUICK,
    MinimumNormSettings,
)
from remanence.systems.generators import (
    Teacher,
    balanced_teacher,
    damped_rotation,
    signed_teacher,
    spread_teacher,
)
from remanence.training import GradientDescent, squared_norm


def run(settings: MinimumNormSettings, progress: AbstractProgress) -> Finding:
    """Train every ensemble and hold the measurements against T9 and the bridge to reduction."""
    s = settings
    teachers = _teachers(s)
    spread = spread_teacher(s.order)
    jobs = [
        Job(
            teacher.system,
            s.norm_length,
            scale,
            s.dimension,
            GradientDescent(0.02),
            s.norm_steps,
            s.seeds,
            seed=s.seed,
        )
        for teacher in teachers
        for scale in s.norm_scales
    ]
    stair = Job(
        spread.system,
        s.stair_length,
        s.stair_scale,
        s.dimension,
        GradientDescent(0.02),
        s.stair_steps,
        s.seeds,
        seed=s.seed,
        records_per_decade=40,
    )
    bridge = [
        Job(
            spread.system,
            s.bridge_length,
            scale,
            s.dimension,
            GradientDescent(0.01),
            s.bridge_steps,
            seeds,
            seed=s.seed,
        )
        for scale, seeds in ((NEAR_ZERO, s.seeds), (STANDARD, s.standard_seeds))
    ]
    trained = train(
        [*jobs, stair, *bridge], on_progress=lambda share: progress.update(0.9 * share, "training")
    )
    count = len(s.norm_scales)
    norms = [trained[i * count : (i + 1) * count] for i in range(len(teachers))]
    staircase, near, standard = trained[-3:]
    target = teacher_response(spread.system, s.stair_length)
    fits = [best_balanced_loss(target, order) for order in range(s.order)]
    progress.update(0.93, "truncating")
    cuts = truncations(near, s.orders), truncations(standard, s.orders)
    return Finding(
        title="The least norm, and what truncation loses",
        text=(
            "Gradient descent keeps A Aᵀ − Aᵀ A + B Bᵀ − Cᵀ C almost constant. Started near zero "
            "it ends where that is nearly zero, and there ‖A‖² + ‖B‖² + ‖C‖² is the least among "
            "all similar systems. On the way it rests at the best fits of order 1, 2, …, and at "
            "the end the states beyond the teacher's order can be cut away for nothing."
        ),
        claims=(
            norm_claim(s, teachers, norms),
            stair_claim(s, staircase, fits[1:]),
            bridge_claim(s, near, standard, cuts),
        ),
        figures=(
            stair_figure(s, staircase, fits, spread),
            norm_figure(s, teachers, norms),
            bridge_figure(s, cuts),
        ),
        tables={
            "norms": _norm_table(teachers, norms),
            "staircase": _stair_table(staircase),
            "truncation": _bridge_table(cuts),
        },
    )


def _teachers(s: MinimumNormSettings) -> list[Teacher]:
    return [
        spread_teacher(s.order),
        balanced_teacher(np.array([0.8, -0.3]), np.array([0.5, 0.2])),
        signed_teacher(np.array([0.9, -0.5]), np.array([0.6, -0.4])),
        damped_rotation(0.9, 1.0),
    ]


def _norm_table(
    teachers: Sequence[Teacher], norms: Sequence[Sequence[Ensemble]]
) -> dict[str, np.ndarray]:
    rows = [
        (t, e, i)
        for t, row in zip(teachers, norms, strict=True)
        for e in row
        for i in range(e.job.seeds)
    ]
    return {
        "teacher": np.array([t.name for t, _, _ in rows]),
        "scale": np.array([e.job.scale for _, e, _ in rows]),
        "seed": np.array([e.job.seed + i for _, e, i in rows]),
        "norm": np.array([e.norm[i] for _, e, i in rows]),
        "minimal_norm": np.array([t.minimal_norm for t, _, _ in rows]),
        "loss": np.array([e.loss[i] for _, e, i in rows]),
        "extrapolation_error": np.array([e.extrapolation[i] for _, e, i in rows]),
        "spectral_radius": np.array([e.spectral_radius[i] for _, e, i in rows]),
        "effective_rank": np.array([e.rank[i] for _, e, i in rows]),
    }


def _stair_table(ensemble: Ensemble) -> dict[str, np.ndarray]:
    steps, losses = ensemble.trajectory.steps, ensemble.trajectory.losses
    norms = squared_norm(ensemble.trajectory.parameters)
    return {
        "seed": np.repeat(ensemble.job.seed + np.arange(len(losses)), steps.size),
        "step": np.tile(steps, len(losses)),
        "loss": losses.ravel(),
        "norm": norms.ravel(),
    }


def _bridge_table(cuts: tuple[Truncation, Truncation]) -> dict[str, np.ndarray]:
    sizes = [cut.bound.size for cut in cuts]
    return {
        "scale": np.repeat([NEAR_ZERO, STANDARD], sizes),
        "student": np.concatenate([np.indices(cut.bound.shape)[0].ravel() for cut in cuts]),
        "order": np.concatenate([np.indices(cut.bound.shape)[1].ravel() for cut in cuts]),
        "error": np.concatenate([cut.error.ravel() for cut in cuts]),
        "bound": np.concatenate([cut.bound.ravel() for cut in cuts]),
    }


MINIMUM_NORM = Part("minimum-norm", run, {"quick": QUICK, "full": FULL}, weight=1.0)
