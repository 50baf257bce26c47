"""ISA circuits: parameters by name, transpiled once, refusals; and programs made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, Measure, Reset, RZGate, SXGate, XGate
from qiskit.transpiler import Target, generate_preset_pass_manager

from qrnn_qiskit import (
    AerExecutor,
    Cell,
    ExactExecutor,
    IBMExecutor,
    ParameterShift,
    UnrolledCircuit,
    build_cell,
    gradient,
    simple_noise,
    unroll,
)
from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import (
    SAFE_QPY,
    ISACircuit,
    TranspileOptions,
    device_duration,
    isa_from_bytes,
    isa_to_bytes,
    to_isa,
)
from qrnn_qiskit.execution.program import compile_isa

VIQUEIRA = {"layers": 1, "reuploads": 1}


def unrolled(num_steps: int = 12) -> UnrolledCircuit:
    """More than ten steps: names in lexical order are not in the order of time."""
    return unroll(build_cell("viqueira_emcz2", VIQUEIRA), num_steps)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_parameters_are_matched_by_name(level: int) -> None:
    circuit = unrolled()
    names = circuit.occurrences.names
    isa = to_isa(circuit, simple_noise(0, 0, 0).target, TranspileOptions(level))
    angles = np.arange(len(names), dtype=np.float64)[None]
    values = isa.parameter_values(angles)[0]
    assert [names[int(value)] for value in values] == [p.name for p in isa.circuit.parameters]
    assert [p.name for p in isa.circuit.parameters] != sorted(
        (p.name for p in isa.circuit.parameters), key=names.index
    )


@pytest.mark.parametrize(
    ("level", "layout"), [(1, None), (2, None), (1, (37, 45, 46)), (3, (5, 4, 3))]
)
def test_compact_circuit_is_the_same_on_its_own_qubits(
    level: int, layout: tuple[int, ...] | None
) -> None:
    target = fake_device("fake_marrakesh").target
    isa = to_isa(unrolled(2), target, TranspileOptions(level, initial_layout=layout))
    compact = isa.compact
    assert isa.circuit.num_qubits == 156
    assert compact.num_qubits == len(isa.qubits)
    assert list(isa.qubits) == sorted(isa.qubits)
    assert layout is None or set(layout) <= set(isa.qubits)
    assert [p.name for p in compact.parameters] == [p.name for p in isa.circuit.parameters]
    whole = [
        (item.operation.name, [isa.circuit.find_bit(q).index for q in item.qubits])
        for item in isa.circuit.data
    ]
    local = [
        (item.operation.name, [isa.qubits[compact.find_bit(q).index] for q in item.qubits])
        for item in compact.data
    ]
    assert local == whole
    assert isa.two_qubit_gates == isa.circuit.count_ops()["cz"] >= 2 * 2
    assert all(
        target.instruction_supported(item.operation.name, tuple(qubits))
        for item, (_, qubits) in zip(isa.circuit.data, whole, strict=True)
    )


def test_seed_of_the_transpiler_decides_the_layout() -> None:
    target = fake_device("fake_marrakesh").target
    first, again, other = (
        to_isa(unrolled(2), target, TranspileOptions(seed_transpiler=seed)).qubits
        for seed in (0, 0, 11)
    )
    assert first == again
    assert len(other) == len(first)


def test_duration_of_a_device_circuit() -> None:
    target = fake_device("fake_marrakesh").target
    short, long = (
        device_duration(to_isa(unrolled(n), target, TranspileOptions()), target) for n in (1, 3)
    )
    assert short is not None
    assert long is not None
    # A measurement takes 2.58 us there, a reset as long; two more steps have two of each.
    assert 2e-6 < short < 5e-6
    assert 9e-6 < long - short < 15e-6
    ideal = simple_noise(0, 0, 0).target
    assert device_duration(to_isa(unrolled(1), ideal, TranspileOptions()), ideal) is None


def small_target(*extra: Any, num_qubits: int = 5) -> Target:
    target = Target(num_qubits=num_qubits)
    every = {(q,): None for q in range(num_qubits)}
    for operation in (RZGate(Parameter("a")), SXGate(), XGate(), Measure(), *extra):
        target.add_instruction(operation, every)
    pairs = {(q, q + 1): None for q in range(num_qubits - 1)}
    target.add_instruction(CZGate(), pairs)
    return target


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (
            small_target(Reset(), num_qubits=2),
            TranspileOptions(),
            "the circuit has 3 qubits, but the backend only 2: choose a smaller cell",
        ),
        (
            small_target(),
            TranspileOptions(reset="reset"),
            "backend.reset = 'reset': the backend has no reset instruction; 'fresh_qubits' would",
        ),
        (
            simple_noise(0, 0, 0).target,
            TranspileOptions(initial_layout=(0, 1)),
            "backend.initial_layout = [0, 1]: name 3 different physical qubits",
        ),
        (
            simple_noise(0, 0, 0).target,
            TranspileOptions(initial_layout=(0, 1, 1)),
            "backend.initial_layout = [0, 1, 1]: name 3 different physical qubits",
        ),
    ],
)
def test_refusals(target: Target, options: TranspileOptions, message: str) -> None:
    with pytest.raises(BackendError) as error:
        to_isa(unrolled(2), target, options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


EXECUTORS: dict[str, tuple[Callable[[], Executor], int]] = {
    "exact, noise": (lambda: ExactExecutor(simple_noise(0.01, 0.02, 0.03)), 1),
    "exact": (ExactExecutor, 0),
    "aer": (AerExecutor, 1),
    "aer, noise": (lambda: AerExecutor(simple_noise(0.01, 0.02, 0.03)), 1),
    "fake_marrakesh": (lambda: IBMExecutor("fake_marrakesh"), 1),
}


@pytest.mark.parametrize("name", EXECUTORS)
def test_one_transpilation_for_each_circuit_and_backend(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the weights, the data, the number of rows and the shots."""
    make, once = EXECUTORS[name]
    made: list[int] = []

    def counted(**options: Any) -> Any:
        made.append(1)
        return generate_preset_pass_manager(**options)

    monkeypatch.setattr("qrnn_qiskit.execution.isa.generate_preset_pass_manager", counted)
    executor, circuit = make(), unroll(build_cell("parity2"), 2)
    random = np.random.default_rng(0)
    for shots, sequences in ((5, 1), (3, 2), (5, 1)):
        gradient(
            circuit,
            random.uniform(0, 6, 4),
            random.integers(0, 2, (sequences, 2, 1)),
            np.zeros((sequences, 2, 1)),
            executor=executor,
            rule=ParameterShift(),
            shots=shots,
            seed=1,
        )
    assert len(made) == once
    executor.isa(unroll(build_cell("parity2"), 2))
    assert len(made) == 2 * once
    assert executor.isa(circuit) is executor.isa(circuit)


def by_hand(
    build: Callable[[QuantumCircuit, list[Parameter]], None],
) -> tuple[UnrolledCircuit, ISACircuit]:
    """An unrolled RX, RY, and instead of what a transpiler makes of it a circuit by hand."""
    cell_circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    weights = [Parameter("v"), Parameter("w")]
    cell_circuit.rx(weights[0], 0)
    cell_circuit.ry(weights[1], 0)
    cell_circuit.measure(0, 0)
    made = unroll(Cell.from_circuit(cell_circuit, weights=weights, features=[], name="hand"), 1)
    parameters = [Parameter(name) for name in made.occurrences.names]
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "step_0"))
    build(circuit, parameters)
    order = {name: i for i, name in enumerate(made.occurrences.names)}
    columns = np.array([order[p.name] for p in circuit.parameters], dtype=np.intp)
    return made, ISACircuit(circuit, columns, (0,))


def test_sums_of_angles_are_read_with_offsets_and_factors() -> None:
    def merged(circuit: QuantumCircuit, a: list[Parameter]) -> None:
        circuit.sx(0)
        circuit.rz(a[1] - 2 * a[0] + 0.25, 0)
        circuit.rz(0.5, 0)
        circuit.barrier()
        circuit.delay(10, 0)
        circuit.measure(0, 0)

    made, isa = by_hand(merged)
    compiled = compile_isa(made, isa, None)
    assert compiled.angles(np.array([[0.1, 0.7], [1.0, 0.0]])) == pytest.approx(
        np.array([[0.75], [-1.75]])
    )
    assert compiled.pull_back(np.array([[3.0]]), 2).tolist() == [[-6.0, 3.0]]


def test_refused_isa_circuits() -> None:
    def product(circuit: QuantumCircuit, a: list[Parameter]) -> None:
        circuit.rz(a[0] * a[1], 0)
        circuit.measure(0, 0)

    made, isa = by_hand(product)
    with pytest.raises(BackendError, match="which is not linear in the circuit's parameters"):
        compile_isa(made, isa, None)

    def looping(circuit: QuantumCircuit, a: list[Parameter]) -> None:
        with circuit.for_loop(range(2)):
            circuit.x(0)
        circuit.measure(0, 0)

    made, isa = by_hand(looping)
    with pytest.raises(BackendError, match="'for_loop', which hardware does not run"):
        compile_isa(made, isa, None)


def test_qubits_of_a_branch_are_placed_together() -> None:
    """Qiskit's layout does not look into branches: alone it would swap across the device."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(2, "hidden"), ClassicalRegister(1, "readout")
    )
    w = Parameter("w")
    circuit.h(0)
    circuit.rxx(w, 1, 2)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.rzz(w, 0, 1)
    with circuit.if_test((0, 0)) as otherwise:
        circuit.t(0)
    with otherwise:
        circuit.cx(0, 2)
    made = unroll(Cell.from_circuit(circuit, weights=[w], features=[]), 2)
    isa = to_isa(made, fake_device("fake_marrakesh").target, TranspileOptions())
    assert len(isa.qubits) <= 5
    assert isa.compact.num_qubits == len(isa.qubits)
    assert isa.compact.count_ops()["if_else"] == 4


def test_a_reset_by_hand_in_an_isa_circuit() -> None:
    """Measure into a bit of no step, then X if it is 1: the same as a reset."""

    def build(by_hand: bool) -> Callable[[QuantumCircuit, list[Parameter]], None]:
        def add(circuit: QuantumCircuit, a: list[Parameter]) -> None:
            circuit.rx(a[0], 0)
            if by_hand:
                circuit.add_register(ClassicalRegister(1, "scratch"))
                circuit.measure(0, 1)
                with circuit.if_test((circuit.clbits[1], 1)):
                    circuit.x(0)
            else:
                circuit.reset(0)
            circuit.ry(a[1], 0)
            circuit.measure(0, 0)

        return add

    angles = np.array([[0.7, 1.9]])
    for flag in (False, True):
        made, isa = by_hand(build(flag))
        compiled = compile_isa(made, isa, None)
        value = engine_outputs(compiled.program, compiled.angles(angles))
        assert value[0, 0, 0] == pytest.approx(np.cos(1.9), abs=1e-12)


def test_a_kept_circuit_is_read_in_safe_formats_only() -> None:
    def rotated(circuit: QuantumCircuit, a: list[Parameter]) -> None:
        circuit.rz(a[0], 0)
        circuit.measure(0, 0)

    made, isa = by_hand(rotated)
    kept = isa_to_bytes(isa)
    assert isa_from_bytes(made, kept).circuit == isa.circuit
    for old in (kept[:6] + bytes([SAFE_QPY - 1]) + kept[7:], b"", b"\x80\x04" + kept):
        with pytest.raises(BackendError, match="is not in QPY format 13 or later"):
            isa_from_bytes(made, old)
    with pytest.raises(BackendError, match="cannot be read"):
        isa_from_bytes(made, kept[:40])
