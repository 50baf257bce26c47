"""The form in stretches against the other forms of the engine and dense density matrices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.engine.forward import outputs, steps_for
from qrnn_qiskit.engine.layers import ROWS
from qrnn_qiskit.engine.pauli import ptm_of_unitary
from qrnn_qiskit.engine.plan import MEMORY_LIMIT
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.engine.reverse import value_and_vjp
from qrnn_qiskit.engine.steps import cut
from tests.unit.engine.dense import Case, Matrix, dense_outputs
from tests.unit.engine.test_vectors import GATES


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches on any number of qubits and steps."""
    monkeypatch.setattr(cut, "QUBITS", 1)
    monkeypatch.setattr(cut, "ALIKE", 1)


def random_case(seed: int, *, num_qubits: int, num_steps: int, shared: bool = False) -> Case:
    """The same random gates in every step; one or two qubits measured and reset."""
    random = np.random.default_rng(seed)
    gates: list[tuple[str, tuple[int, ...]]] = []
    for _ in range(10):
        count = int(random.integers(1, min(num_qubits, 3) + 1))
        qubits = tuple(int(q) for q in random.permutation(num_qubits)[:count])
        if random.random() < 0.7:
            gates.append(("".join(random.choice(list("XYZ"), count)), qubits))
        else:
            fitting = [name for name, gate in GATES.items() if len(gate) == 2**count]
            gates.append((str(random.choice(fitting)), qubits))
    measured = tuple(range(1 + seed % 2))
    channels = {
        name: Channel(ptm_of_unitary(GATES[name]), qubits)
        for name, qubits in gates
        if name in GATES
    }
    flip = (0.03, 0.08) if seed % 3 == 0 else (0.0, 0.0)
    operations: list[Operation] = []
    kraus: dict[int, list[Matrix]] = {}
    angle = 0
    for step in range(num_steps):
        for name, qubits in gates:
            if name in GATES:
                kraus[len(operations)] = [GATES[name]]
                same = channels[name].qubits == qubits
                operations.append(channels[name] if same else Channel(channels[name].ptm, qubits))
            else:
                operations.append(Rotation(name, qubits, angle))
                angle += 1
        if shared:
            angle = 0
        for bit, qubit in enumerate(measured):
            operations.append(Measure(qubit, step, bit, flip))
            if step + 1 < num_steps:
                operations.append(Reset(qubit))
    total = sum(name not in GATES for name, _ in gates) * (1 if shared else num_steps)
    program = Program(num_qubits, num_steps, len(measured), max(total, 1), tuple(operations))
    return Case(program, kraus)


@pytest.mark.parametrize("seed", range(8))
def test_outputs_and_slopes_are_those_of_dense_matrices(seed: int, everywhere: None) -> None:
    case = random_case(seed, num_qubits=3, num_steps=2)
    angles = np.random.default_rng(seed).uniform(-3, 3, (2, case.program.num_angles))
    assert steps_for(case.program, "z", 2, MEMORY_LIMIT) is not None
    expected = dense_outputs(case, angles, "z")
    np.testing.assert_allclose(outputs(case.program, angles), expected, rtol=0, atol=1e-12)
    weights = np.random.default_rng(1).normal(size=expected.shape)
    _, slopes = value_and_vjp(case.program, angles, lambda _: weights)
    for column in np.random.default_rng(seed).permutation(case.program.num_angles)[:4]:
        moved = np.repeat(angles[:1], 2, axis=0)
        moved[:, column] += np.pi / 2 * np.array([1.0, -1.0])
        shifted = (dense_outputs(case, moved, "z") * weights[0]).sum(axis=(1, 2))
        assert slopes[0, column] == pytest.approx((shifted[0] - shifted[1]) / 2, abs=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_all_forms_agree(
    seed: int, shared: bool, everywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_case(seed, num_qubits=4, num_steps=9, shared=shared)
    angles = np.random.default_rng(seed).uniform(-3, 3, (5, case.program.num_angles))
    mean, slopes = value_and_vjp(case.program, angles, np.sin)
    monkeypatch.setattr(cut, "QUBITS", 99)
    for rows in (0, 64):
        monkeypatch.setitem(ROWS, 4, rows)
        again, other = value_and_vjp(case.program, angles, np.sin)
        np.testing.assert_allclose(again, mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(other, slopes, rtol=0, atol=1e-12)


def test_what_is_not_cut_this_way_is_left_to_other_forms(everywhere: None) -> None:
    turn = Rotation("XX", (0, 1), 0)
    noise = Channel(np.diag([1.0, 0.9, 0.9, 1.0]), (0,))
    for operations in (
        (turn, noise, Measure(0, 0, 0)),
        (turn, Measure(0, 0, 0), turn, Measure(1, 1, 0)),
        (turn,),
    ):
        assert cut.steps_of(Program(2, 2, 1, 1, operations)) is None
    kept = Program(2, 1, 2, 1, (turn, Measure(0, 0, 0), Measure(1, 0, 1)), (0,))
    assert cut.steps_of(kept) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_thread_is_one_thread() -> None:
    """The engine starts none of its own, and BLAS takes those that it is given."""
    script = (
        "import numpy as np\n"
        "from tests.unit.engine.test_steps import random_case\n"
        "from qrnn_qiskit.engine.reverse import value_and_vjp\n"
        "program = random_case(1, num_qubits=6, num_steps=9).program\n"
        "value_and_vjp(program, np.ones((40, program.num_angles)), np.sin)\n"
        "print([x.split()[1] for x in open('/proc/self/status') if x.startswith('Threads')])\n"
    )
    one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **one},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert found.stdout.strip() == "['1']"
