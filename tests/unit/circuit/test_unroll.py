"""The unrolled circuit: parameters, registers, resets, barriers and the last step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter

from qrnn_qiskit.circuit import Cell, UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.circuit.qasm import parse_qasm
from qrnn_qiskit.errors import CellError
from tests.reference import Array, reference_outputs, repeat_cell
from tests.strategies import DrawnCell, cells

A, B, X = Parameter("a"), Parameter("b"), Parameter("x")


def cell_of(
    build: Callable[[QuantumCircuit], None],
    *,
    last: Callable[[QuantumCircuit], None] | None = None,
    registers: tuple[tuple[str, int], ...] = (("io", 1), ("hidden", 1)),
    bits: int = 1,
    features: list[Parameter] | None = None,
) -> Cell:
    circuit = QuantumCircuit(
        *(QuantumRegister(size, name) for name, size in registers),
        ClassicalRegister(bits, "readout"),
        name="cell",
    )
    build(circuit)
    tail = circuit.copy_empty_like()
    if last is not None:
        last(tail)
    features = features or []
    used = {*circuit.parameters, *tail.parameters}
    weights = [p for p in (A, B, X) if p in used and p not in features]
    return Cell.from_circuit(circuit, weights=weights, features=features, last=tail)


def names(circuit: QuantumCircuit) -> list[str]:
    """Operations with their qubits, such as `rx 0`, measurements with their bit."""
    shown = []
    for item in circuit.data:
        qubits = " ".join(str(circuit.find_bit(q).index) for q in item.qubits)
        bits = "".join(
            f" {location[0].name}[{location[1]}]"
            for c in item.clbits
            for location in circuit.find_bit(c).registers
        )
        shown.append(f"{item.operation.name} {qubits}{bits}")
    return shown


def outputs(unrolled: UnrolledCircuit, weights: list[float], features: Array) -> Array:
    """The reference on the unrolled circuit, `[T, K]`."""
    angles = unrolled.angle_map.angles(np.array(weights), features)
    of = dict(zip(unrolled.occurrences.names, angles, strict=True))
    circuit = unrolled.circuit
    return reference_outputs(circuit, {p: of[p.name] for p in circuit.parameters})


def simple(circuit: QuantumCircuit) -> None:
    circuit.ry(X, 0)
    circuit.crx(A, 0, 1)
    circuit.h(1)
    circuit.rz(0.3, 0)
    circuit.measure(0, 0)
    circuit.reset(0)


def test_every_operation_of_two_steps() -> None:
    unrolled = unroll(cell_of(simple, features=[X]), 2)
    step = ["ry 0", "rx 1", "rzx 0 1", "h 1", "rz 0"]
    assert names(unrolled.circuit) == [
        *step,
        "measure 0 step_0[0]",
        "reset 0",
        *step,
        "measure 0 step_1[0]",
    ]
    assert unrolled.circuit.name == "cell_2"
    assert [r.name for r in unrolled.circuit.qregs] == ["io", "hidden"]


def test_one_parameter_for_each_occurrence() -> None:
    unrolled = unroll(cell_of(simple, features=[X]), 3)
    table = unrolled.occurrences
    assert len(table) == 9 == unrolled.angle_map.num_occurrences
    assert table.names == tuple(f"a_{t}_{g}" for t in range(3) for g in range(3))
    assert all(name.isidentifier() for name in table.names)
    assert table.step.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table.gate.tolist() == [0, 1, 2] * 3
    assert table.generator == ("Y", "X", "ZX") * 3
    assert table.qubits == ((0,), (1,), (0, 1)) * 3
    assert table.num_steps == 3
    in_circuit = [
        item.operation.params[0].name
        for item in unrolled.circuit.data
        if item.operation.name in ("ry", "rx", "rzx")
    ]
    assert in_circuit == list(table.names)


def test_constant_gates_stay_constant() -> None:
    unrolled = unroll(cell_of(simple, features=[X]), 2)
    (first, second) = [i.operation for i in unrolled.circuit.data if i.operation.name == "rz"]
    assert first.params == second.params == [0.3]
    assert all(name.startswith("a_") for name in (p.name for p in unrolled.circuit.parameters))


def test_more_than_ten_steps_and_gates_keep_their_order() -> None:
    """Qiskit sorts parameters by name; the table and the angle map do not."""

    def many(circuit: QuantumCircuit) -> None:
        for i in range(12):
            circuit.rx((i + 1) * A, 0)
        circuit.measure(0, 0)

    unrolled = unroll(cell_of(many), 11)
    angles = unrolled.angle_map.angles(np.array([0.5]), np.zeros((11, 0)))
    assert angles.tolist() == [0.5 * (i + 1) for i in range(12)] * 11
    assert unrolled.occurrences.names[12 * 10 + 11] == "a_10_11"


def test_one_register_for_each_step() -> None:
    def both(circuit: QuantumCircuit) -> None:
        circuit.rx(A, 0)
        circuit.measure([0, 1], [1, 0])

    unrolled = unroll(cell_of(both, registers=(("io", 2),), bits=2), 3)
    assert [(r.name, r.size) for r in unrolled.circuit.cregs] == [
        (f"step_{t}", 2) for t in range(3)
    ]
    assert unrolled.num_bits == 2
    assert [n for n in names(unrolled.circuit) if n.startswith("measure")][2:4] == [
        "measure 0 step_1[1]",
        "measure 1 step_1[0]",
    ]


def test_io_and_ancilla_are_reset_between_steps_even_if_the_cell_forgets() -> None:
    def forgetful(circuit: QuantumCircuit) -> None:
        circuit.cx(0, 2)
        circuit.rx(A, 1)
        circuit.measure(0, 0)

    registers = (("io", 1), ("hidden", 1), ("ancilla", 1))
    unrolled = unroll(cell_of(forgetful, registers=registers), 2)
    step = ["cx 0 2", "rx 1"]
    assert names(unrolled.circuit) == [
        *step,
        "measure 0 step_0[0]",
        "reset 0",
        "reset 2",
        *step,
        "measure 0 step_1[0]",
    ]


def test_a_reset_that_is_there_is_not_repeated() -> None:
    def early(circuit: QuantumCircuit) -> None:
        circuit.rx(A, 2)
        circuit.reset(2)
        circuit.measure(0, 0)
        circuit.reset(0)
        circuit.barrier()

    registers = (("io", 1), ("hidden", 1), ("ancilla", 1))
    unrolled = unroll(cell_of(early, registers=registers), 2)
    assert unrolled.circuit.count_ops()["reset"] == 2


def test_a_reset_in_the_middle_does_not_count() -> None:
    def middle(circuit: QuantumCircuit) -> None:
        circuit.reset(0)
        circuit.rx(A, 0)
        circuit.measure(0, 0)

    shown = names(unroll(cell_of(middle), 2).circuit)
    step = ["reset 0", "rx 0"]
    assert shown == [*step, "measure 0 step_0[0]", "reset 0", *step, "measure 0 step_1[0]"]


def test_barriers_stand_only_where_the_user_put_them() -> None:
    def fenced(circuit: QuantumCircuit) -> None:
        circuit.rx(A, 0)
        circuit.barrier(0, 1)
        circuit.rx(B, 1)
        circuit.measure(0, 0)
        circuit.reset(0)
        circuit.barrier()

    shown = names(unroll(cell_of(fenced), 2).circuit)
    step = ["rx 0", "barrier 0 1", "rx 1"]
    assert shown == [
        *step,
        "measure 0 step_0[0]",
        "reset 0",
        "barrier 0 1",
        *step,
        "measure 0 step_1[0]",
    ]
    assert "barrier" not in unroll(cell_of(simple, features=[X]), 3).circuit.count_ops()


def test_operations_of_the_last_step_come_once_and_last() -> None:
    def last(circuit: QuantumCircuit) -> None:
        circuit.ry(B * X, 1)
        circuit.measure(1, 0)

    unrolled = unroll(cell_of(simple, last=last, features=[X]), 2)
    step = ["ry 0", "rx 1", "rzx 0 1", "h 1", "rz 0"]
    # The io qubit's own bit is measured again, so nobody reads its measurement.
    assert names(unrolled.circuit) == [
        *step,
        "measure 0 step_0[0]",
        "reset 0",
        *step,
        "ry 1",
        "measure 1 step_1[0]",
    ]
    assert unrolled.occurrences.step.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert unrolled.occurrences.gate.tolist() == [0, 1, 2, 0, 1, 2, 3]
    angles = unrolled.angle_map.angles(np.array([0.2, 0.5]), np.array([[0.3], [0.4]]))
    assert angles == pytest.approx([0.3, 0.1, -0.1, 0.4, 0.1, -0.1, 0.2])


def test_io_is_reset_before_the_operations_of_the_last_step() -> None:
    def last(circuit: QuantumCircuit) -> None:
        circuit.cx(1, 0)
        circuit.measure(0, 0)

    def body(circuit: QuantumCircuit) -> None:
        circuit.rx(A, 1)
        circuit.measure(0, 0)

    unrolled = unroll(cell_of(body, last=last), 1)
    assert names(unrolled.circuit) == ["rx 1", "reset 0", "cx 1 0", "measure 0 step_0[0]"]
    assert outputs(unrolled, [0.8], np.zeros((1, 0))) == pytest.approx(np.cos(0.8))


def test_a_measurement_that_nobody_reads_still_dephases() -> None:
    """Its bit is measured again in the last step, but its qubit is used before: it must stay."""

    def body(circuit: QuantumCircuit) -> None:
        circuit.rx(A, 0)
        circuit.h(1)
        circuit.measure(1, 0)

    def last(circuit: QuantumCircuit) -> None:
        circuit.h(1)
        circuit.measure(1, 0)

    unrolled = unroll(cell_of(body, last=last), 1)
    assert names(unrolled.circuit)[-4:-2] == ["h 1", "measure 1 step_0[0]"]
    assert outputs(unrolled, [0.8], np.zeros((1, 0))) == pytest.approx(0.0)


def test_a_bit_measured_twice_in_every_step() -> None:
    def body(circuit: QuantumCircuit) -> None:
        circuit.ry(A, 1)
        circuit.measure(1, 0)
        circuit.cx(1, 0)
        circuit.measure(0, 0)
        circuit.ry(A, 1)

    unrolled = unroll(cell_of(body), 2)
    angle = 0.8
    first = np.cos(angle)
    # The dephased hidden qubit is turned by 2 a between its measurements.
    second = first * np.cos(2 * angle)
    expected = outputs(unrolled, [angle], np.zeros((2, 0)))
    assert expected[:, 0] == pytest.approx([first, second])


def test_parity2_reads_its_memory_in_the_last_step_alone() -> None:
    unrolled = unroll(build_cell("parity2"), 3)
    measured = [name for name in names(unrolled.circuit) if name.startswith("measure")]
    assert measured == ["measure 0 step_0[0]", "measure 0 step_1[0]", "measure 1 step_2[0]"]
    assert unrolled.circuit.count_ops()["reset"] == 2
    # With theta = 0 it computes the parity of its bits.
    bits = np.array([[1.0], [1.0], [1.0]])
    assert outputs(unrolled, [0.0] * 4, bits)[-1, 0] == pytest.approx(-1)
    assert outputs(unrolled, [0.0] * 4, np.array([[1.0], [0.0], [1.0]]))[-1, 0] == pytest.approx(1)


@given(cells(max_steps=4))
def test_unrolled_circuit_equals_the_repeated_cell(drawn: DrawnCell) -> None:
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    unrolled = unroll(cell, drawn.num_steps)
    random = np.random.default_rng(0)
    weights = random.uniform(-3, 3, cell.num_weights)
    features = random.uniform(-1, 1, (drawn.num_steps, cell.num_features))
    steps = [dict(zip(cell.features, step, strict=True)) for step in features]
    values = dict(zip(cell.weights, weights, strict=True))
    expected = reference_outputs(repeat_cell(drawn.circuit, values, steps), {})
    assert outputs(unrolled, weights.tolist(), features) == pytest.approx(expected, abs=1e-12)


def test_file_and_circuit_unroll_alike() -> None:
    cell = build_cell("viqueira_emcz2")
    from qrnn_qiskit.circuit import to_qasm

    again = parse_qasm(to_qasm(cell), name=cell.name, source="exported")
    assert names(unroll(again, 3).circuit) == names(unroll(cell, 3).circuit)


def test_refusals() -> None:
    with pytest.raises(CellError, match="num_steps = 0: a sequence has at least one step"):
        unroll(cell_of(simple, features=[X]), 0)

    def opaque(circuit: QuantumCircuit) -> None:
        circuit.append(Gate("mystery", 1, [A]), [0])
        circuit.measure(0, 0)

    with pytest.raises(CellError, match="cell 'cell': gate 'mystery' has parameters"):
        unroll(cell_of(opaque), 2)
