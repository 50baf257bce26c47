"""Every family: its gradient by every exact way, and no weight without a gradient but the named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import Adjoint, ExactExecutor, ParameterShift, build_cell, gradient, unroll
from qrnn_qiskit.circuit import FAMILIES, UnrolledCircuit
from tests.reference import Array, sixth_order_difference

EXACT = ExactExecutor()

SMALL: dict[str, dict[str, Any]] = {
    "bausch": {"n_hidden": 1, "stages": 0},
    "connerty": {"n_io": 1, "n_hidden": 1},
    "hardware_efficient": {"n_io": 1, "n_hidden": 1, "layers": 1},
    "li_pqrnn": {"n_io": 1, "n_hidden": 1},
    "li_sqrnn": {"n_io": 1, "n_hidden": 1},
    "parity2": {},
    "qru": {"n_hidden": 1, "layers": 1},
    "reupload": {"n_io": 1, "n_hidden": 1, "layers": 1},
    "takaki": {"n_io": 1, "n_hidden": 1, "depth": 1},
    "viqueira_emcz2": {"layers": 1, "reuploads": 1},
    "viqueira_emcz3": {"layers": 1, "reuploads": 1},
}
# At the published sizes; docs/cells.md names the numbers and the families' docstrings the weights.
NUM_DEAD = {"connerty": 16, "li_pqrnn": 3, "li_sqrnn": 3, "parity2": 1, "qru": 3}
NUM_STEPS = {"li_pqrnn": 5, "li_sqrnn": 5, "takaki": 3}


def drawn(unrolled: UnrolledCircuit, sequences: int) -> tuple[Array, Array, Array]:
    """Weights, features (bits for `bausch`, else in [-1, 1]) and targets."""
    random, cell = np.random.default_rng(4), unrolled.cell
    shape = (sequences, unrolled.num_steps)
    features = random.uniform(-0.9, 0.9, (*shape, cell.num_features))
    weights = random.uniform(-2.0, 2.0, cell.num_weights)
    if cell.name == "bausch":
        features, weights = (features > 0).astype(np.float64), 0.3 * weights
    return weights, features, random.uniform(-1.0, 1.0, (*shape, cell.num_bits))


@pytest.mark.parametrize("family", FAMILIES.names())
def test_gradient_identity(family: str) -> None:
    """Per-occurrence shifts = reverse mode = differences of the loss that `forward` gives."""
    unrolled = unroll(build_cell(family, SMALL[family]), 3)
    weights, features, targets = drawn(unrolled, 2)

    def loss(point: Array) -> float:
        raw = EXACT.forward(unrolled, unrolled.angle_map.angles(point, features), "z")
        outputs = raw[:, :, :-1] / raw[:, :, -1:] if unrolled.postselected else raw
        return float(np.mean((outputs - targets) ** 2))

    expected = sixth_order_difference(loss, weights)
    for rule in (ParameterShift(), Adjoint()):
        found = gradient(unrolled, weights, features, targets, executor=EXACT, rule=rule)
        np.testing.assert_allclose(found.gradient.mean, expected, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES.names())
def test_every_weight_has_a_gradient_or_is_documented_as_dead(family: str) -> None:
    """At the published size and a random point, over as many steps as news takes to the output."""
    unrolled = unroll(build_cell(family), NUM_STEPS.get(family, 2))
    weights, features, targets = drawn(unrolled, 1)
    found = gradient(unrolled, weights, features, targets, executor=EXACT, rule=Adjoint())
    silent = np.abs(found.gradient.mean) < 1e-12
    assert np.count_nonzero(silent) == NUM_DEAD.get(family, 0)


def test_survival_falls_from_step_to_step_and_is_reported() -> None:
    """Of an order-1 network with weights near 0: each neuron keeps half of the shots."""
    unrolled = unroll(build_cell("bausch", {"n_hidden": 1, "stages": 0}), 4)
    features = np.zeros((1, 4, 1))
    raw = EXACT.forward(unrolled, unrolled.angle_map.angles(np.zeros(4), features), "z")
    np.testing.assert_allclose(raw[0, :, -1], 0.25 ** np.arange(1, 5), atol=1e-12)
