"""Cells of published models and of their jobs, at their own sizes, through the exact engine.

Outputs and gradients are held against dense density matrices of the unrolled circuit
(`tests/reference.py`), gradients by differences of those. `bausch`, whose outputs are conditional
and whose circuits are long, is held against the closed form of its paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import Adjoint, ExactExecutor, build_cell, gradient, unroll
from qrnn_qiskit.circuit import FAMILIES, Cell
from qrnn_qiskit.spec.compose import load_job
from tests.reference import (
    Array,
    joint_moments,
    reference_joint,
    reference_outputs,
    sixth_order_difference,
)
from tests.unit.circuit.test_bausch_variants import given_outputs

PAPERS = sorted((Path(__file__).parents[2] / "jobs" / "papers").glob("*.toml"))
JOBS = {path.stem: load_job(str(path)).cell for path in PAPERS}
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in FAMILIES.names()},
    "connerty": ("connerty", {"n_io": 2, "n_hidden": 2}),
    **{stem: (cell.name, dict(cell.options)) for stem, cell in JOBS.items() if cell.name},
}
DENSE = [
    # Eight qubits take a minute; the same cell with four is among the others.
    pytest.param(name, marks=pytest.mark.slow) if name.startswith("connerty_l") else name
    for name, (family, _) in CELLS.items()
    if family != "bausch"
]
# Steps until all weights matter, where two are too few.
NUM_STEPS = {"parity2": 3, "duoneural_parity": 3}
DIRECTIONS = 2


def drawn(cell: Cell, steps: int) -> tuple[Array, Array, Array]:
    """Weights, features and what the outputs are multiplied with."""
    random = np.random.default_rng(11)
    weights = random.uniform(-2.0, 2.0, cell.num_weights)
    features = random.uniform(-0.9, 0.9, (1, steps, cell.num_features))
    return weights, features, random.uniform(-1.0, 1.0, (1, steps, cell.num_bits))


@pytest.mark.parametrize("name", DENSE)
def test_outputs_and_gradients(name: str) -> None:
    """Each output, and the loss's slope along random directions of all weights."""
    family, options = CELLS[name]
    cell = build_cell(family, options)
    unrolled = unroll(cell, NUM_STEPS.get(name, 2))
    weights, features, targets = drawn(cell, unrolled.num_steps)
    circuit, names = unrolled.circuit, unrolled.occurrences.names

    def outputs(point: Array) -> Array:
        of = dict(zip(names, unrolled.angle_map.angles(point, features)[0], strict=True))
        values = {p: of[p.name] for p in circuit.parameters}
        if "if_else" not in circuit.count_ops():
            return reference_outputs(circuit, values)
        mean, _ = joint_moments(reference_joint(circuit, values))
        return mean.reshape(unrolled.num_steps, -1)

    angles = unrolled.angle_map.angles(weights, features)
    found = ExactExecutor().forward(unrolled, angles, "z")[0]
    np.testing.assert_allclose(found, outputs(weights), atol=1e-11)
    result = gradient(
        unrolled, weights, features, targets, executor=ExactExecutor(), rule=Adjoint()
    )
    directions = np.random.default_rng(12).normal(size=(DIRECTIONS, weights.size))

    def loss(along: Array) -> float:
        return float(np.mean((outputs(weights + along @ directions) - targets[0]) ** 2))

    expected = sixth_order_difference(loss, np.zeros(DIRECTIONS))
    np.testing.assert_allclose(directions @ result.gradient.mean, expected, atol=1e-9)


def test_conditional_outputs_and_their_gradients() -> None:
    """The network of the Elman XOR job: six qubits, four more that make its neurons."""
    family, options = CELLS["bausch_elman_xor"]
    cell = build_cell(family, options)
    unrolled = unroll(cell, 3)
    random = np.random.default_rng(13)
    weights = random.normal(0.0, 0.3, cell.num_weights)
    targets = random.uniform(-1.0, 1.0, (1, 3, 2))
    bits = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    given = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    features = np.concatenate([bits, given], axis=1)[None]

    def outputs(point: Array) -> Array:
        return given_outputs(point, options, (bits, given))

    raw = ExactExecutor().forward(unrolled, unrolled.angle_map.angles(weights, features), "z")[0]
    np.testing.assert_allclose(raw[:, :-1] / raw[:, -1:], outputs(weights), atol=1e-11)
    result = gradient(
        unrolled, weights, features, targets, executor=ExactExecutor(), rule=Adjoint()
    )
    direction = random.normal(size=weights.size) / np.sqrt(weights.size)

    def loss(along: Array) -> float:
        return float(np.mean((outputs(weights + along * direction) - targets[0]) ** 2))

    expected = sixth_order_difference(loss, np.zeros(1))
    np.testing.assert_allclose(direction @ result.gradient.mean, expected[0], atol=1e-9)
