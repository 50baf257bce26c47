"""The influence mask: sound at random angles, and as sharp as its argument promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import Cell, UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.dead_weights import EXACT, NUMERICAL, dead_weights
from tests.strategies import DrawnCell, cells, postselected_cells

Build = Callable[[QuantumCircuit, list[Parameter]], None]


def derivatives(unrolled: UnrolledCircuit, kind: OutputKind = "z", seed: int = 0) -> Array:
    """|d(outputs of step t)/d(angle o)| summed over outputs, `[O, T]`, at random angles."""
    random = np.random.default_rng(seed)
    count = len(unrolled.occurrences)
    angles = random.uniform(-3, 3, count)
    rows = np.repeat(angles[None], 2 * count, axis=0)
    rows[np.arange(count), np.arange(count)] += np.pi / 2
    rows[np.arange(count, 2 * count), np.arange(count)] -= np.pi / 2
    values = ExactExecutor().forward(unrolled, rows, kind)
    slopes: Array = np.abs(values[:count] - values[count:]).sum(axis=2) / 2
    return slopes


def cell_of(
    build: Build,
    count: int,
    *,
    last: Build | None = None,
    registers: tuple[tuple[str, int], ...] = (("io", 1), ("hidden", 1)),
) -> Cell:
    circuit = QuantumCircuit(
        *(QuantumRegister(size, name) for name, size in registers),
        ClassicalRegister(registers[0][1], "readout"),
        name="cell",
    )
    weights = [Parameter(f"w_{i}") for i in range(count)]
    build(circuit, weights)
    circuit.measure(circuit.qregs[0], circuit.cregs[0])
    circuit.reset(circuit.qregs[0])
    tail = circuit.copy_empty_like()
    if last is not None:
        last(tail, weights)
    return Cell.from_circuit(circuit, weights=weights, features=[], last=tail)


@given(cells(max_steps=4))
def test_no_influence_means_no_derivative(drawn: DrawnCell) -> None:
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    unrolled = unroll(cell, drawn.num_steps)
    mask = unrolled.occurrences.influence
    assert np.all(derivatives(unrolled, "z")[~mask] < 1e-12)
    assert np.all(derivatives(unrolled, "probabilities")[~mask] < 1e-12)


@given(postselected_cells(max_steps=4))
def test_no_influence_on_raw_values_means_no_derivative(drawn: DrawnCell) -> None:
    cell = Cell.from_circuit(
        drawn.circuit,
        weights=drawn.weights,
        features=drawn.features,
        name="drawn",
        postselected=drawn.postselected,
    )
    unrolled = unroll(cell, drawn.num_steps)
    mask = unrolled.occurrences.influence
    assert np.all(derivatives(unrolled, "z")[~mask] < 1e-12)
    assert np.all(derivatives(unrolled, "probabilities")[~mask] < 1e-12)


def test_a_post_selected_bit_reaches_later_outputs() -> None:
    """Its qubit is reset, so only the flag carries the rotation's influence on."""
    for postselected in ([], ["flag"]):
        circuit = QuantumCircuit(
            QuantumRegister(2, "io"), ClassicalRegister(1, "flag"), ClassicalRegister(1, "readout")
        )
        w = Parameter("w")
        circuit.ry(w, 0)
        circuit.h(1)
        circuit.measure(0, 0)
        circuit.measure(1, 1)
        circuit.reset([0, 1])
        cell = Cell.from_circuit(circuit, weights=[w], features=[], postselected=postselected)
        mask = unroll(cell, 3).occurrences.influence
        expected = np.triu(np.ones((3, 3), dtype=bool)) if postselected else np.eye(3, dtype=bool)
        assert np.array_equal(mask, expected)


def test_the_same_qubit_measured_twice_in_a_step() -> None:
    """Its mixture is maximal, its state given the first bit is not: the joint outcome feels w."""
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(2, "readout"))
    w = Parameter("w")
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.ry(w, 0)
    circuit.measure(0, 1)
    unrolled = unroll(Cell.from_circuit(circuit, weights=[w], features=[]), 1)
    assert derivatives(unrolled, "probabilities")[0, 0] > 0.1
    assert unrolled.occurrences.influence[0, 0]


@given(cells(max_steps=4))
def test_an_occurrence_does_not_reach_back(drawn: DrawnCell) -> None:
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    occurrences = unroll(cell, drawn.num_steps).occurrences
    earlier = np.arange(drawn.num_steps) < occurrences.step[:, None]
    assert not np.any(occurrences.influence & earlier)


def rz_before_reset(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.rz(w[1], 0)


def rz_first(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.rz(w[0], 0)
    circuit.ry(w[1], 0)


def rzz_before_measurement(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.rzz(w[1], 0, 1)


def two_io_phase(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.ry(w[0], 1)
    circuit.cp(w[1], 0, 1)


def turned_to_its_own_axis(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.h(0)
    circuit.rx(w[0], 0)
    circuit.ry(w[1], 0)


def never_measured(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.rx(w[1], 1)


def memory_written_after_reading(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.cx(1, 0)
    circuit.ry(w[0], 1)


# The mask of three steps, occurrence by occurrence of one step, as steps that are reached.
SHARP: dict[str, tuple[Build, int, list[list[int]]]] = {
    "an RZ before the reset is dead": (rz_before_reset, 2, [[1, 0, 0], [0, 0, 0]]),
    "an RZ first on |0> is dead": (rz_first, 2, [[0, 0, 0], [1, 0, 0]]),
    "an RZZ before the measurement only turns the hidden qubit": (
        rzz_before_measurement,
        2,
        [[1, 0, 0], [0, 0, 0]],
    ),
    "an X rotation of |+> is dead": (turned_to_its_own_axis, 2, [[0, 0, 0], [1, 0, 0]]),
    "a hidden qubit that nothing reads is dead": (never_measured, 2, [[1, 0, 0], [0, 0, 0]]),
    "memory written after reading acts from the next step on": (
        memory_written_after_reading,
        1,
        [[0, 1, 1]],
    ),
}


@pytest.mark.parametrize("name", SHARP)
def test_first_step_of_chosen_cells(name: str) -> None:
    build, count, expected = SHARP[name]
    unrolled = unroll(cell_of(build, count), 3)
    table = unrolled.occurrences
    first = table.influence[table.step == 0].astype(int).tolist()
    assert first == expected
    # The mask claims no less than what is so.
    reached = derivatives(unrolled)[table.step == 0] > 1e-12
    assert reached.astype(int).tolist() == expected


def test_phases_between_measured_qubits_are_dead() -> None:
    unrolled = unroll(cell_of(two_io_phase, 2, registers=(("io", 2),)), 2)
    table = unrolled.occurrences
    assert not np.any(table.influence[table.gate >= 2])
    assert table.influence[table.gate < 2].tolist() == [[True, False]] * 2 + [[False, True]] * 2


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_parity2_has_one_dead_weight(num_steps: int) -> None:
    unrolled = unroll(build_cell("parity2"), num_steps)
    (dead,) = [d for d in dead_weights(unrolled) if d.proof == EXACT and d.weight == "theta_2"]
    assert dead.weight == "theta_2"
    others = {d.weight for d in dead_weights(unrolled)} - {"theta_2"}
    # An RZ of the memory is live once another step follows it.
    assert others == ({"theta_3"} if num_steps == 1 else set())


def test_parity2_mask() -> None:
    """The memory is read in the last step alone; until then outputs are those of the io qubit."""
    table = unroll(build_cell("parity2"), 3).occurrences
    first = table.influence[table.step == 0].astype(int).tolist()
    #                     RX(pi x)   RY io      RY hidden  RZ io      RZ hidden
    assert first == [[1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("options", [{}, {"n_exchange": 2, "n_memory": 1, "layers": 1}])
def test_viqueira_has_no_dead_weight(options: dict[str, int]) -> None:
    unrolled = unroll(build_cell("viqueira_emcz2", options), 3)
    assert dead_weights(unrolled) == []
    # And the mask is as sharp as can be: what it calls live has a derivative.
    assert np.array_equal(derivatives(unrolled) > 1e-12, unrolled.occurrences.influence)


def cancelled(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.rx(w[1], 0)
    circuit.rx(-w[1], 0)
    circuit.rz(w[2], 0)


def test_kinds_of_proof() -> None:
    """Each RX by itself is live, together they cancel: only numbers can tell."""
    dead = dead_weights(unroll(cell_of(cancelled, 3), 2))
    assert [(d.weight, d.proof) for d in dead] == [("w_2", EXACT), ("w_1", NUMERICAL)]
    assert EXACT.startswith("exact: ")
    assert NUMERICAL.startswith("numerical: ")


def test_weights_that_no_gate_uses_are_dead() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    weight = Parameter("w")
    circuit.ry(weight, 0)
    circuit.measure(0, 0)
    cell = Cell.from_circuit(circuit, weights=[weight, "idle"], features=[])
    assert [(d.weight, d.proof) for d in dead_weights(unroll(cell, 2))] == [("idle", EXACT)]


def test_wide_circuits_get_the_exact_argument_alone() -> None:
    registers = (("io", 1), ("hidden", 6))
    dead = dead_weights(unroll(cell_of(cancelled, 3, registers=registers), 2))
    assert [(d.weight, d.proof) for d in dead] == [("w_2", EXACT)]


def test_weights_of_the_last_step_alone() -> None:
    def last(circuit: QuantumCircuit, w: list[Parameter]) -> None:
        circuit.ry(w[2], 1)
        circuit.cx(1, 0)
        circuit.measure(0, 0)

    unrolled = unroll(cell_of(never_measured, 3, last=last), 3)
    table = unrolled.occurrences
    assert table.influence[-1].tolist() == [False, False, True]
    assert np.array_equal(derivatives(unrolled) > 1e-12, table.influence)
    assert dead_weights(unrolled) == []
