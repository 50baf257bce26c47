"""The influence mask under noise: sound on what runs, and no blunter than noise makes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_qiskit import (
    AerExecutor,
    Cell,
    ExactExecutor,
    IBMExecutor,
    Noise,
    UnrolledCircuit,
    build_cell,
    named_device_noise,
    simple_noise,
    unroll,
)
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.spec.noise import NoiseSpec
from tests.strategies import DrawnCell, cells

NOISES: dict[str, Callable[[], Noise | None]] = {
    "simple": lambda: simple_noise(0.03, 0.06, 0.04),
    "fake_marrakesh": lambda: named_device_noise("fake_marrakesh", idle=False),
    "fake_boston": lambda: named_device_noise("fake_boston"),
    "over-rotated": lambda: make_noise(
        NoiseSpec(preset="bad", over_rotation=0.3, measurement_dephasing=0.1)
    ),
}


def derivatives(unrolled: UnrolledCircuit, executor: ExactExecutor) -> Array:
    """|d(outputs of step t)/d(angle o)| summed over bits, `[O, T]`, at random angles."""
    count = len(unrolled.occurrences)
    rows = np.repeat(np.random.default_rng(0).uniform(-3, 3, (1, count)), 2 * count, axis=0)
    shifts = np.pi / 2 * np.eye(count)
    rows += np.concatenate([shifts, -shifts])
    values = executor.forward(unrolled, rows, "z")
    slopes: Array = np.abs(values[:count] - values[count:]).sum(axis=2) / 2
    return slopes


@pytest.mark.parametrize("name", NOISES)
@settings(max_examples=settings().max_examples // 2)
@given(drawn=cells(max_steps=3), level=st.integers(0, 3))
def test_no_influence_means_no_derivative(name: str, drawn: DrawnCell, level: int) -> None:
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    unrolled = unroll(cell, drawn.num_steps)
    executor = ExactExecutor(NOISES[name](), TranspileOptions(level))
    mask = executor.occurrences(unrolled).influence
    assert np.all(derivatives(unrolled, executor)[~mask] < 1e-12)
    # On a device, routing may swap a qubit that is ahead, in the next step, with one that is not.
    if name == "simple":
        earlier = np.arange(drawn.num_steps) < unrolled.occurrences.step[:, None]
        assert not np.any(mask & earlier)


@pytest.mark.parametrize("noise", [simple_noise(0.03, 0.06, 0.04), None])
@pytest.mark.parametrize("family", ["parity2", "viqueira_emcz2"])
def test_families_keep_their_sharp_masks(family: str, noise: Noise | None) -> None:
    """All-to-all CZ gates and no cancellations to undo: noise reaches nothing more."""
    unrolled = unroll(build_cell(family), 3)
    ideal = unrolled.occurrences
    table = ExactExecutor(noise).occurrences(unrolled)
    assert np.array_equal(table.influence, ideal.influence)
    assert (table.names, table.generator, table.qubits) == (
        ideal.names,
        ideal.generator,
        ideal.qubits,
    )


def test_ideal_executors_use_the_circuits_own_table() -> None:
    unrolled = unroll(build_cell("parity2"), 3)
    assert ExactExecutor().occurrences(unrolled) is unrolled.occurrences
    assert AerExecutor().occurrences(unrolled) is unrolled.occurrences


def test_every_executor_of_a_device_has_the_same_table() -> None:
    unrolled = unroll(build_cell("viqueira_emcz2", {"layers": 1}), 2)
    noise = named_device_noise("fake_marrakesh", idle=False)
    executors = (ExactExecutor(noise), AerExecutor(noise), IBMExecutor("fake_marrakesh"))
    first, *others = (executor.occurrences(unrolled).influence for executor in executors)
    assert all(np.array_equal(first, other) for other in others)
    assert executors[0].occurrences(unrolled) is executors[0].occurrences(unrolled)


def test_deleted_parameters_influence_nothing() -> None:
    unrolled = unroll(build_cell("parity2"), 3)
    executor = ExactExecutor(simple_noise(0.03, 0.06, 0.04), TranspileOptions(2))
    deleted = set(range(len(unrolled.occurrences))) - set(executor.isa(unrolled).columns.tolist())
    assert deleted
    mask = executor.occurrences(unrolled).influence
    assert mask.any()
    assert not mask[sorted(deleted)].any()
