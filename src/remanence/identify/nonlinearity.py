"""Where a linear model is not enough: curvature left in the residual."""

import itertools

import numpy as np
from jaxtyping import Float

_FOLDS = 20
_RIDGE = 1e-6


def curvature_share(
    inputs: Float[np.ndarray, "time inputs"],
    simulated: Float[np.ndarray, "time outputs"],
    measured: Float[np.ndarray, "time outputs"],
) -> float:
    """Share of the residual's variance that squares and products explain, cross-validated.

    The residual `measured − simulated` is regressed on the current inputs and simulated outputs,
    once with linear terms alone and once with their squares, cubes of the outputs and pairwise
    products, over twenty contiguous folds. Returned is `1 − E_curved / E_linear` of the held-out
    errors, at least 0: it is about 0 for a linear system however noisy, and large where a
    saturation or a level-dependent gain shapes what the model misses.
    """
    residual = measured - simulated
    base = np.concatenate([np.ones((len(inputs), 1)), inputs, simulated], axis=1)
    columns = [inputs[:, i] for i in range(inputs.shape[1])]
    columns += [simulated[:, o] for o in range(simulated.shape[1])]
    products = [columns[i] * columns[j] for i in range(len(columns)) for j in range(i + 1)]
    cubes = [column**3 for column in columns[inputs.shape[1] :]]
    curved = np.concatenate([base, np.stack([*products, *cubes], axis=1)], axis=1)
    errors = [_held_out_error(features, residual) for features in (base, curved)]
    return max(0.0, 1.0 - errors[1] / errors[0]) if errors[0] > 0 else 0.0


def _held_out_error(features: np.ndarray, target: np.ndarray) -> float:
    deviation = features.std(axis=0)
    scaled = features / np.where(deviation > 0, deviation, 1.0)
    edges = np.linspace(0, len(target), _FOLDS + 1).astype(int)
    total = 0.0
    for start, stop in itertools.pairwise(edges):
        keep = np.ones(len(target), bool)
        keep[start:stop] = False
        inside = scaled[keep]
        gram = inside.T @ inside
        gram[np.diag_indices_from(gram)] += _RIDGE * len(inside)
        weights = np.linalg.solve(gram, inside.T @ target[keep])
        total += float(np.sum((target[start:stop] - scaled[start:stop] @ weights) ** 2))
    return total
