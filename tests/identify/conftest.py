"""Recordings whose dynamics are known: what `fit` must find in them."""

import numpy as np
import pytest

from remanence.files import Recording


def coloured(rng, length, channels, decay):
    """AR(1) input of unit variance: the colour of real recordings."""
    noise = rng.normal(size=(length, channels))
    x = np.empty_like(noise)
    x[0] = noise[0]
    for t in range(1, length):
        x[t] = decay * x[t - 1] + np.sqrt(1 - decay**2) * noise[t]
    return x


def run_system(A, B, C, inputs):
    """h_t = A h_{t-1} + B x_t, y_t = C h_t, by the plain loop."""
    h = np.zeros(A.shape[0])
    outputs = []
    for x in inputs:
        h = A @ h + B @ x
        outputs.append(C @ h)
    return np.array(outputs)


@pytest.fixture
def known_system():
    """Order 2, time constants 9.5 and 1.95 steps, two inputs, one output."""
    A = np.diag([0.9, -0.6])
    B = np.array([[0.5, 0.1], [0.2, -0.4]])
    C = np.array([[1.0, 1.0]])
    return A, B, C


@pytest.fixture
def recording(rng, known_system):
    """1,500 noisy steps of the known system in physical units, driven by coloured inputs."""
    inputs = coloured(rng, 1500, 2, 0.8)
    clean = run_system(*known_system, inputs)
    outputs = clean + 0.05 * clean.std() * rng.normal(size=clean.shape)
    return Recording(
        inputs=(7.0 + 3.0 * inputs,),
        outputs=(-40.0 + 12.0 * outputs,),
        input_names=("sun", "wind"),
        output_names=("heat",),
        sequence_names=("a",),
        step=0.5,
        step_unit="h",
    )
