"""Cells from OpenQASM 3 files: roles, order, gates of the prelude, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import CRYGate
from qiskit.quantum_info import Operator

from qrnn_qiskit.circuit import Cell, load_cell, unroll
from qrnn_qiskit.circuit.qasm import parse_qasm
from qrnn_qiskit.circuit.standard import standard_gate_names
from qrnn_qiskit.errors import CellError

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
INPUTS = "@qrnn.feature\ninput float[64] x_0;\n@qrnn.weight\ninput float[64] theta_0;\n"
REGISTERS = "qubit[1] io;\nqubit[1] hidden;\nbit[1] readout;\n"
READOUT = "readout[0] = measure io[0];\nreset io[0];\n"
LINE = 10  # of `body` in `program`


def program(body: str, *, head: str = HEAD, inputs: str = INPUTS, readout: str = READOUT) -> str:
    return f"{head}{inputs}{REGISTERS}{body}\n{readout}"


def parse(text: str) -> Cell:
    return parse_qasm(text, name="cell", source="cell.qasm")


def angles(cell: Cell, weights: list[float], features: list[float]) -> list[float]:
    """All angles of one step."""
    found = unroll(cell, 1).angle_map.angles(np.array(weights), np.array([features]))
    return [float(angle) for angle in found]


def operator(cell: Cell, weights: list[float]) -> Operator:
    circuit = cell.circuit.assign_parameters(dict(zip(cell.weights, weights, strict=True)))
    return Operator.from_circuit(without_readout(circuit))


def without_readout(circuit: QuantumCircuit) -> QuantumCircuit:
    gates = circuit.copy_empty_like()
    gates.remove_final_measurements()
    for item in circuit.data:
        if item.operation.name not in ("measure", "reset"):
            gates.append(item.operation, [circuit.find_bit(q).index for q in item.qubits])
    return gates


def test_roles_names_and_registers() -> None:
    cell = parse(program("ry(x_0) io[0];\ncrx(theta_0) io[0], hidden[0];"))
    assert cell.weight_names == ("theta_0",)
    assert cell.feature_names == ("x_0",)
    assert [(r.name, r.size) for r in cell.circuit.qregs] == [("io", 1), ("hidden", 1)]
    assert cell.num_bits == 1
    assert cell.name == "cell"
    assert not cell.last.data


def test_weights_and_features_keep_the_order_of_their_declarations() -> None:
    """Qiskit sorts names: theta_0, theta_10, theta_2. Unused declarations keep their place."""
    names = ["theta_0", "theta_2", "theta_10", "alpha", "theta_1"]
    inputs = "".join(f"@qrnn.weight\ninput float[64] {name};\n" for name in names)
    inputs += "@qrnn.feature\ninput float[64] z_9;\n@qrnn.feature arctan\ninput angle[32] b_1;\n"
    body = "rx(theta_10) io[0];\nry(theta_0) io[0];\nrx(alpha*b_1 - z_9) io[0];\nrz(theta_1) io[0];"
    cell = parse(program(body, inputs=inputs))
    assert cell.weight_names == tuple(names)
    assert cell.feature_names == ("z_9", "b_1")
    assert angles(cell, [1.0, 2.0, 3.0, 4.0, 5.0], [0.5, -2.0]) == pytest.approx(
        [3.0, 1.0, 4.0 * np.arctan(-2.0) - 0.5, 5.0]
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("-theta_0", -0.7),
        ("2*theta_0", 1.4),
        ("theta_0*x_0", 0.28),
        ("theta_0*x_0 + theta_0", 0.98),
        ("theta_0/x_0 - 1", 0.75),
        ("-(theta_0 - x_0)*-2 + pi/4", 0.6 + np.pi / 4),
        ("theta_0 + 0x1F", 31.7),
        ("1e-1*theta_0 + tau", 0.07 + 2 * np.pi),
    ],
)
def test_expressions_of_angles(expression: str, value: float) -> None:
    cell = parse(program(f"ry({expression}) hidden[0];"))
    assert angles(cell, [0.7], [0.4]) == pytest.approx([value])


@pytest.mark.parametrize(
    ("encoding", "value"),
    [("", 0.4), ("arccos", np.arccos(0.4)), ("arcsin", np.arcsin(0.4)), ("tanh", np.tanh(0.4))],
)
def test_encodings(encoding: str, value: float) -> None:
    inputs = INPUTS.replace("@qrnn.feature", f"@qrnn.feature {encoding}")
    cell = parse(program("ry(2*x_0 - theta_0) io[0];", inputs=inputs))
    assert cell.encodings == ({"x_0": encoding} if encoding else {})
    assert angles(cell, [0.7], [0.4]) == pytest.approx([2 * value - 0.7])


@pytest.mark.parametrize("name", ["rxx", "ryy", "rzz", "rzx"])
def test_gates_that_stdgates_lacks_need_no_definition(name: str) -> None:
    cell = parse(program(f"{name}(theta_0) io[0], hidden[0];"))
    expected = QuantumCircuit(2)
    getattr(expected, name)(0.9, 0, 1)
    assert operator(cell, [0.9]).equiv(Operator(expected), atol=1e-12)
    assert unroll(cell, 1).occurrences.generator == (name[1:].upper(),)


def test_gates_of_the_prelude_inside_a_gate() -> None:
    cell = parse(program("gate g(a) p, q { rzz(a) p, q; }\ng(-theta_0) io[0], hidden[0];"))
    assert unroll(cell, 1).occurrences.generator == ("ZZ",)
    assert angles(cell, [0.9], [0.0]) == [-0.9]


def test_a_defined_gate_is_judged_by_its_matrix_not_by_its_name() -> None:
    """An rxx defined as something else is expanded; the standard one is one rotation."""
    same = "gate rxx(a) p, q { h p; h q; cx p, q; rz(a) q; cx p, q; h p; h q; }\n"
    other = "gate rxx(a) p, q { rz(a) p; ry(2*a) q; }\n"
    use = "rxx(theta_0) hidden[0], io[0];"
    assert unroll(parse(program(same + use)), 1).occurrences.generator == ("XX",)
    expanded = unroll(parse(program(other + use)), 1).occurrences
    assert dict(zip(expanded.generator, expanded.qubits, strict=True)) == {"Z": (1,), "Y": (0,)}


def test_users_gates_nest() -> None:
    body = (
        "gate g(a, b) q { rx(a - 3*b) q; h q; }\n"
        "gate f(a) p, q { g(2*a, a/2) q; cx p, q; }\n"
        "g(x_0, theta_0) io[0];\nf(theta_0) io[0], hidden[0];"
    )
    cell = parse(program(body))
    assert unroll(cell, 1).occurrences.qubits == ((0,), (1,))
    assert angles(cell, [0.7], [0.4]) == pytest.approx([0.4 - 2.1, 1.4 - 1.05])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("inv @ ry(theta_0) io[0];", [-0.7]),
        ("pow(2) @ ry(theta_0) io[0];", [1.4]),
        ("ctrl @ ry(theta_0) io[0], hidden[0];", [0.35, -0.35]),
    ],
)
def test_modifiers(statement: str, expected: list[float]) -> None:
    assert angles(parse(program(statement)), [0.7], [0.4]) == pytest.approx(expected)


def test_open_control() -> None:
    expected = QuantumCircuit(2)
    expected.append(CRYGate(0.9, ctrl_state=0), [0, 1])
    cell = parse(program("negctrl @ ry(theta_0) io[0], hidden[0];"))
    assert operator(cell, [0.9]).equiv(Operator(expected), atol=1e-12)


def test_last_step_statements_are_kept_apart() -> None:
    tail = (
        "@qrnn.last_step\nrx(theta_0*x_0)\n  hidden[0]; h hidden[0];\n"
        "@qrnn.last_step\nrzz(theta_0) io[0], hidden[0];\n"
        "@qrnn.last_step readout\nreadout[0] = measure hidden[0];\n"
    )
    cell = parse(program("ry(x_0) io[0];", readout=READOUT + tail))
    assert [item.operation.name for item in cell.circuit.data] == ["ry", "measure", "reset", "h"]
    assert [item.operation.name for item in cell.last.data] == ["rx", "rzz", "measure"]
    assert angles(cell, [0.7], [0.4]) == pytest.approx([0.4, 0.28, 0.7])


def test_post_selected_registers() -> None:
    text = program("ry(theta_0) io[0];\nflag[1] = measure hidden[0];\nflag[0] = measure io[0];")
    text = text.replace("bit[1] readout;", "bit[1] readout;\n@qrnn.postselect\nbit[2] flag;")
    cell = parse(text)
    assert cell.postselected == (1, 2)
    assert (cell.num_bits, cell.num_clbits) == (1, 3)
    assert parse(text.replace("@qrnn.postselect\n", "")).postselected == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "@qrnn.postselect\nry(theta_0) io[0];",
            "cell.qasm:10: @qrnn.postselect stands on the line",
        ),
        ("@qrnn.postselect 1\nbit[1] flag;", "cell.qasm:10: @qrnn.postselect takes no argument"),
        (
            "@qrnn.postselect\nbit[1] flag;",
            "cell.qasm: cell 'cell': classical bit 1 is never measured",
        ),
    ],
)
def test_wrong_post_selection(wrong: str, message: str) -> None:
    with pytest.raises(CellError) as error:
        parse(program(wrong))
    assert message in str(error.value)


def test_a_cell_of_post_selected_bits_alone_has_no_output() -> None:
    text = program("ry(theta_0) io[0];").replace(
        "bit[1] readout", "@qrnn.postselect\nbit[1] readout"
    )
    with pytest.raises(CellError, match="all classical bits are post-selected"):
        parse(text)


def test_a_weight_that_only_the_last_step_uses() -> None:
    inputs = INPUTS + "@qrnn.weight\ninput float[64] theta_10;\n"
    inputs += "@qrnn.weight\ninput float[64] theta_2;\n"
    tail = "@qrnn.last_step\nry(theta_2) hidden[0];\n"
    cell = parse(program("rx(theta_10) io[0];", inputs=inputs, readout=READOUT + tail))
    assert cell.weight_names == ("theta_0", "theta_10", "theta_2")
    assert angles(cell, [1.0, 2.0, 3.0], [0.0]) == [2.0, 3.0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: '// include "stdgates.inc";\n/* OPENQASM 3 cell */\n' + text,
        lambda text: text.replace("OPENQASM 3.0;\n", ""),
        lambda text: text.replace("theta_0", "θ_0"),
        lambda text: text.replace(HEAD, HEAD.replace("\n", " ") + "\n"),
    ],
)
def test_ways_of_writing(change: object) -> None:
    assert callable(change)
    text = program("rzz(theta_0) io[0], hidden[0];\n@qrnn.last_step\nh hidden[0];")
    cell = parse(change(text))
    assert [item.operation.name for item in cell.last.data] == ["h"]
    assert angles(cell, [0.7], [0.4]) == [0.7]


def test_load_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.qasm"
    path.write_text(program("ry(x_0*theta_0) io[0];"), encoding="utf-8-sig")
    assert load_cell(path).name == "mine"
    assert load_cell(str(path)).weight_names == ("theta_0",)
    with pytest.raises(CellError, match="roles are written in the file as @qrnn.weight"):
        load_cell(path, weights=["theta_0"])


REFUSED_BODIES = {
    "if (readout[0]) x hidden[0];": "if is not supported in a cell: a gate conditioned",
    "for int i in [0:1] { x io[0]; }": "for is not supported: write the gates out",
    "while (true) { x io[0]; }": "while is not supported: write the gates out",
    "switch (1) { case 1 { x io[0]; } }": "switch is not supported: use controlled gates",
    "def f(qubit q) { x q; }": "def is not supported: define a gate instead",
    "extern f(int) -> int;": "extern is not supported",
    "const float a = 1;": "const is not supported: write the number",
    "box { x io[0]; }": "box is not supported: write its gates directly",
    "pragma foo\nx io[0];": "pragmas are not supported: remove the line",
    "let a = io[0];": "let is not supported: name the qubits directly",
    "readout[0] = 1;": "assignments to bits are not supported: measure into the bit",
    "defcal x $0 { }": "defcal is not supported",
    "end;": "end is not supported",
    "int i = 3;": "declarations of type 'int' are not supported: write the number",
    "output bit b;": "output is not supported: declare bit[1] b and measure",
    "x $0;": "physical qubits such as $0 are not supported: use io[0]",
    "ry(theta_0) io[3];": "io[3] does not exist: io has 1 element(s), counted from 0",
    "ry(theta_1) io[0];": "'theta_1' is not declared: declare an input (@qrnn.weight",
    "ry(theta_0) io[0]\nx io[0];": "not valid OpenQASM 3: unexpected 'x'",
    "rq(theta_0) io[0];": "gate 'rq' is not defined: define it in this file, gate rq(a) q",
    "ry(sin(theta_0)) io[0];": "expressions of angles may use + - * / only; an elementwise",
    "ry(theta_0**2) io[0];": "expressions of angles may use + - * / only",
    "rxx(theta_0) io[0], io[0];": "this statement cannot be built ('duplicate bit arguments')",
    "crx(theta_0, x_0) io[0], hidden[0];": "check its gate, the number of its angles",
    "ry(1/0) io[0];": "this statement cannot be built",
    "gate g(theta_0, x_0) q { rx(theta_0 - x_0) q; } g(x_0, theta_0) io[0];": (
        "give the angles of a gate definition names that no input has"
    ),
    "measure io[0];": "a measurement needs a bit: readout[0] = measure io[0];",
    "qubit[1] y;": "'y' is the name of a gate and cannot name anything else: rename it",
    "bit[1] u1;": "'u1' is the name of a gate",
    "qubit[1] io;": "this statement cannot be built ('register name \"io\" already exists')",
    "gate ry(a) q { rx(a) q; }": "'ry' is declared twice, or is the name of a gate or constant",
    "@qrnn.typo\nx io[0];": "@qrnn.typo is unknown; known: @qrnn.weight, @qrnn.feature",
    "@qrnn.weight\nx io[0];": "@qrnn.weight stands on the line before an input declaration",
    "@qrnn.last_step\nqubit[1] ancilla;": "@qrnn.last_step stands on the line before a gate",
}


@pytest.mark.parametrize("body", REFUSED_BODIES)
def test_refused_statement_names_its_line_and_says_what_to_write(body: str) -> None:
    with pytest.raises(CellError) as error:
        parse(program(body))
    shown = str(error.value)
    assert REFUSED_BODIES[body] in shown
    line = LINE + 1 if body.startswith("ry(theta_0) io[0]\n") else LINE
    first, second = f"cell.qasm:{line}: ", f"cell.qasm:{line + 1}: "
    assert shown.startswith((first, second) if body.startswith("@") else first)
    assert "\n" not in shown


REFUSED_INPUTS = {
    "input float[64] a;": (5, "input 'a' has no annotation: put @qrnn.weight or @qrnn.feature"),
    "@qrnn.weight\n@qrnn.feature\ninput float[64] a;": (5, "'a' has @qrnn.weight, @qrnn.feature"),
    "@qrnn.weight 3\ninput float[64] a;": (5, "@qrnn.weight takes no argument, but has '3'"),
    "@qrnn.feature 0\ninput float[64] a;": (5, "takes the name of an encoding (arccos, arcsin"),
    "@qrnn.weight\ninput int a;": (5, "input 'a' must be a scalar float or angle: write one line"),
    "@qrnn.weight\ninput array[float[64], 2] a;": (5, "must be a scalar float or angle"),
    "@qrnn.weight\ninput float[64] x;": (5, "'x' is the name of a gate and cannot name anything"),
    "@qrnn.weight\ninput float[64] theta_0;": (5, "'theta_0' is declared twice"),
    "@qrnn.weight\ninput float[64] pi;": (5, "'pi' is declared twice, or is the name of a gate"),
}


@pytest.mark.parametrize("declaration", REFUSED_INPUTS)
def test_refused_input_names_its_line_and_says_what_to_write(declaration: str) -> None:
    first = "@qrnn.weight\ninput float[64] theta_0;\n"
    with pytest.raises(CellError) as error:
        parse(program("h io[0];", inputs=f"{first}{declaration}\n"))
    line, text = REFUSED_INPUTS[declaration]
    shown = str(error.value)
    assert text in shown
    assert shown.startswith(tuple(f"cell.qasm:{number}: " for number in range(line, line + 3)))
    assert "\n" not in shown


@pytest.mark.parametrize("name", sorted(standard_gate_names() - {"U", "gphase"}))
def test_every_gate_name_is_refused_as_an_identifier(name: str) -> None:
    with pytest.raises(CellError, match=f"'{name}' is the name of a gate") as error:
        parse(program("h io[0];", inputs=f"@qrnn.weight\ninput float[64] {name};\n"))
    assert f"rename it, for example to {name}_0" in str(error.value)


REFUSED_FILES = {
    "": "cell.qasm is empty",
    "// nothing\n/* here */\n": "cell.qasm is empty",
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];': "cell.qasm:1: OPENQASM 2.0: cells are",
    'OPENQASM 3.0;\ninclude "qelib1.inc";\n': 'cell.qasm:2: include "qelib1.inc" is not supported',
    program("rzz(theta_0) io[0], hidden[0];", head="OPENQASM 3.0;\n"): 'add include "stdgates.inc"',
    program("h io[0];").replace(" io", " data"): "register 'data' has no role; use io",
    program("h io[0];").replace("[1] io", " io").replace("io[0]", "io"): "declare qubit[1] io",
    program("h io[0];", readout="reset io[0];"): "measures nothing, so it has no output: add",
    program("h io[0];").replace("bit[1] readout", "bit[2] readout"): "bit 1 is never measured",
    program("h io[0]", readout=""): "the file ends in the middle of a statement; is a ; or }",
}


@pytest.mark.parametrize("text", REFUSED_FILES)
def test_refused_file(text: str) -> None:
    with pytest.raises(CellError) as error:
        parse(text)
    assert REFUSED_FILES[text] in str(error.value)
    assert str(error.value).startswith("cell.qasm")
    assert "\n" not in str(error.value)


def test_refused_path(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="cannot read the cell .*nowhere.qasm: No such file"):
        load_cell(tmp_path / "nowhere.qasm")
    binary = tmp_path / "binary.qasm"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CellError, match="binary.qasm is not UTF-8 text"):
        load_cell(binary)


def test_the_same_cell_from_a_file_and_from_a_circuit() -> None:
    io, hidden = QuantumRegister(1, "io"), QuantumRegister(1, "hidden")
    circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"))
    theta, x = Parameter("theta_0"), Parameter("x_0")
    circuit.ry(x, io)
    circuit.rzz(2 * theta, io, hidden)
    circuit.measure(io, 0)
    circuit.reset(io)
    built = load_cell(circuit, weights=[theta], features=["x_0"], name="other")
    loaded = parse(program("ry(x_0) io[0];\nrzz(2*theta_0) io[0], hidden[0];"))
    assert built.digest == loaded.digest
    assert parse(program("ry(x_0) io[0];\nrzz(-theta_0) io[0], hidden[0];")).digest != built.digest
