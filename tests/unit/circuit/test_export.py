"""Cells as OpenQASM 3 text and back; the committed files equal their families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import ECRGate, RXGate, RYGate, UnitaryGate, XGate
from qiskit.quantum_info import random_unitary

from qrnn_qiskit.circuit import FAMILIES, Cell, build_cell, load_cell, to_qasm, unroll
from qrnn_qiskit.circuit.qasm import parse_qasm
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.run.cells import export_cell
from tests.strategies import DrawnCell, cells, postselected_cells
from tests.unit.circuit.test_rewrite import GATES, cell_of, label

CIRCUITS = Path(__file__).parents[3] / "circuits"


def round_trip(cell: Cell, comment: str = "") -> Cell:
    return parse_qasm(to_qasm(cell, comment), name=cell.name, source="exported")


def check_round_trip(cell: Cell) -> None:
    again = round_trip(cell)
    assert again.digest == cell.digest
    assert to_qasm(again) == to_qasm(cell)
    assert again.weight_names == cell.weight_names
    assert again.feature_names == cell.feature_names
    assert again.encodings == cell.encodings
    assert again.num_bits == cell.num_bits
    first, second = unroll(cell, 2), unroll(again, 2)
    assert second.occurrences.generator == first.occurrences.generator
    assert second.occurrences.qubits == first.occurrences.qubits
    random = np.random.default_rng(0)
    point = random.uniform(-0.9, 0.9, cell.num_weights)
    features = random.uniform(-0.9, 0.9, (2, cell.num_features))
    assert second.angle_map.angles(point, features) == pytest.approx(
        first.angle_map.angles(point, features), abs=1e-12
    )


@given(cells(max_steps=1))
def test_random_cells_come_back_the_same(drawn: DrawnCell) -> None:
    check_round_trip(
        Cell.from_circuit(drawn.circuit, weights=drawn.weights, features=drawn.features, name="c")
    )


@given(postselected_cells(max_steps=1))
def test_post_selected_cells_come_back_the_same(drawn: DrawnCell) -> None:
    cell = Cell.from_circuit(
        drawn.circuit,
        weights=drawn.weights,
        features=drawn.features,
        name="c",
        postselected=drawn.postselected,
    )
    check_round_trip(cell)
    assert round_trip(cell).postselected == cell.postselected
    plain = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="c"
    )
    assert plain.digest != cell.digest


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "n_exchange": st.integers(1, 3),
            "n_memory": st.integers(1, 3),
            "layers": st.integers(1, 3),
            "reuploads": st.integers(0, 3),
        },
    )
)
def test_families_come_back_the_same_with_any_options(options: dict[str, Any]) -> None:
    cell = build_cell("viqueira_emcz2", options)
    check_round_trip(cell)
    exchange, memory = options.get("n_exchange", 1), options.get("n_memory", 2)
    reuploads, layers = options.get("reuploads", 3), options.get("layers", 3)
    count = 2 * exchange * reuploads + 2 * (exchange + memory) * layers + exchange
    assert cell.num_weights == count
    assert cell.num_features == cell.num_bits == exchange
    text = export_cell("viqueira_emcz2", options)
    assert parse_qasm(text, name=cell.name, source="exported").digest == cell.digest


def test_parity2_comes_back_the_same() -> None:
    cell = build_cell("parity2")
    again = round_trip(cell)
    assert again.digest == cell.digest
    assert [item.operation.name for item in again.last.data] == ["measure"]


@pytest.mark.parametrize("gate", GATES, ids=label)
def test_every_gate_comes_back_the_same(gate: Any) -> None:
    cell = cell_of(gate)
    assert round_trip(cell).digest == cell.digest


def test_digest_does_not_depend_on_the_order_of_terms() -> None:
    a, b, c = (Parameter(name) for name in "abc")
    pairs = [
        (0.5 * b + 0.5 * c, 0.5 * c + 0.5 * b),
        (a * b * c - a / 3 + 0.1, 0.1 - a / 3 + c * b * a),
        ((a + b) * (c - 1) / b, (1 / b) * (-1 + c) * (b + a)),
        (a.sin() * b + c.exp(), c.exp() + b * a.sin()),
    ]
    for first, second in pairs:
        names = sorted({p.name for p in (first + second + a * b * c).parameters})
        digests = set()
        for angle in (first, second):
            io = QuantumRegister(1, "io")
            circuit = QuantumCircuit(io, ClassicalRegister(1, "readout"), name="c")
            circuit.ry(angle, 0)
            circuit.measure(0, 0)
            parameters = [Parameter(name) for name in names]
            given = {p.name: p for p in circuit.parameters}
            weights = [given.get(p.name, p) for p in parameters]
            digests.add(Cell.from_circuit(circuit, weights=weights, features=[]).digest)
        assert len(digests) == 1


def test_exported_numbers_have_all_their_digits() -> None:
    a = Parameter("a")
    assert "rx(0.3333333333333333*a + 0.1) hidden[0];" in to_qasm(cell_of(RXGate(a / 3 + 0.1)))
    assert "rx(-pi/2*a) hidden[0];" in to_qasm(cell_of(RXGate(-np.pi / 2 * a)))


@pytest.mark.parametrize(
    "gate",
    [
        ECRGate(),
        XGate().control(2, ctrl_state=1, annotated=False),
        UnitaryGate(random_unitary(4, seed=1)),
    ],
    ids=lambda gate: gate.name,
)
def test_constant_gates_outside_the_standard_are_written_out(gate: Any) -> None:
    cell = cell_of(gate)
    assert round_trip(cell).digest == cell.digest
    assert gate.name not in to_qasm(cell)


def test_digest_does_not_depend_on_the_names_of_users_gates() -> None:
    """Qiskit numbers circuits that have no name, differently in every process."""

    def cell() -> Cell:
        inner = QuantumCircuit(1)
        inner.ry(Parameter("a") * 2, 0)
        return cell_of(inner.to_gate())

    assert cell().circuit.data[0].operation.name != cell().circuit.data[0].operation.name
    assert cell().digest == cell().digest
    plain = RYGate(2 * Parameter("a"))
    assert cell().digest == cell_of(plain).digest


def test_digest_sees_names_order_encodings_and_gates() -> None:
    def cell(angle: float = 1.0, order: int = 1, encoding: str = "") -> Cell:
        circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
        a, b, x = Parameter("a"), Parameter("b"), Parameter("x")
        circuit.rx(angle * a + x, 0)
        circuit.ry(b, 0)
        circuit.measure(0, 0)
        return Cell.from_circuit(
            circuit,
            weights=[a, b][::order],
            features=[x],
            encodings={"x": encoding} if encoding else None,
            name="c",
        )

    digests = {c.digest for c in (cell(), cell(2.0), cell(order=-1), cell(encoding="arccos"))}
    assert len(digests) == 4
    assert cell().digest == cell().digest


def test_encodings_and_comments_survive() -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    x, w = Parameter("x_0"), Parameter("w")
    circuit.ry(2 * x + w, 0)
    circuit.measure(0, 0)
    cell = Cell.from_circuit(circuit, weights=[w], features=[x], encodings={"x_0": "arccos"})
    text = to_qasm(cell, "first line\n\nsecond")
    assert text.startswith("// first line\n//\n// second\nOPENQASM 3.0;\n")
    assert "@qrnn.feature arccos\ninput float[64] x_0;" in text
    check_round_trip(cell)


@pytest.mark.parametrize("register", ["bits", "qubit_out", "input_0", "included"])
def test_registers_named_like_keywords_keep_their_measurements(register: str) -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, register))
    circuit.measure(0, 0)
    check_round_trip(Cell.from_circuit(circuit))


@pytest.mark.parametrize("name", ["x", "theta[0]", "a b", "pi", "input", "1a"])
def test_a_name_that_a_file_cannot_hold_is_refused_on_export_only(name: str) -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    circuit.rx(Parameter(name), 0)
    circuit.measure(0, 0)
    cell = Cell.from_circuit(circuit, weights=[name], features=[])
    assert unroll(cell, 2).angle_map.angles(np.array([0.3]), np.zeros((2, 0))).tolist() == [
        0.3,
        0.3,
    ]
    assert len(cell.digest) == 64
    with pytest.raises(CellError) as error:
        to_qasm(cell)
    assert f"{name!r} cannot be the name of an input in OpenQASM 3" in str(error.value)


@pytest.mark.parametrize("name", ["parity2", "viqueira_emcz2"])
def test_committed_files_exist(name: str) -> None:
    assert name in FAMILIES.names()
    assert (CIRCUITS / f"{name}.qasm").is_file()


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(CIRCUITS.glob("*.qasm")) if p.stem in FAMILIES.names()],
    ids=lambda p: p.stem,
)
def test_committed_file_is_what_its_family_emits(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == export_cell(path.stem)
    assert load_cell(path).digest == build_cell(path.stem).digest
