from __future__ import annotations

import numpy as np
import pytest

from qrnn_qiskit.engine.pauli import ptm_of_kraus, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.engine.simplify import Dephase, Outcome, simplify
from qrnn_qiskit.errors import CellError, DataError
from tests.unit.engine.dense import random_kraus, rotation


def program(*operations: Operation, num_qubits: int = 2) -> Program:
    return Program(num_qubits, 2, 1, 2, operations)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rotation("XA", (0, 1), 0), "'XA' is not a Pauli label"),
        (lambda: Rotation("", (), 0), "'' is not a Pauli label"),
        (lambda: Rotation("XX", (0,), 0), "2 letters, but acts on qubits \\(0,\\)"),
        (lambda: Channel(np.eye(4)[:2], (0,)), "a PTM has shape \\(2, 4\\): it must be square"),
        (lambda: Channel(np.eye(4), (0, 1)), "does not fit qubits \\(0, 1\\)"),
        (lambda: Channel(0.9 * np.eye(4), (0,)), "does not preserve the trace"),
        (lambda: Measure(0, 0, 0, (0.1, 1.5)), "probabilities lie in \\[0, 1\\]"),
        (lambda: program(Rotation("X", (2,), 0)), "must be distinct and lie in 0 ... 1"),
        (lambda: program(Rotation("XX", (0, 0), 0)), "must be distinct and lie in 0 ... 1"),
        (lambda: program(Reset(-1)), "must be distinct and lie in 0 ... 1"),
        (lambda: program(Rotation("X", (0,), 2)), "reads angle 2, but the program has 2 angles"),
        (lambda: program(Measure(0, 2, 0)), "bit 0 of step 2, but the program has 2 steps of 1"),
        (lambda: program(Measure(0, 0, 1)), "bit 1 of step 0, but the program has 2 steps of 1"),
    ],
)
def test_what_cannot_run_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(CellError, match=message):
        make()


def test_angles_are_checked() -> None:
    with pytest.raises(DataError, match="angles have shape \\(3, 1\\), but the program needs"):
        program().checked(np.zeros((3, 1)))
    with pytest.raises(DataError, match="NaN or infinity"):
        program().checked(np.array([[0.0, np.nan]]))


def test_what_cannot_matter_is_left_out() -> None:
    simple = simplify(
        program(
            Rotation("IZ", (1, 0), 0),
            Rotation("II", (0, 1), 0),
            Measure(0, 0, 0, (0.1, 0.2)),
            Measure(1, 1, 0),
            Reset(0),
            Measure(1, 0, 0),
            Rotation("X", (1,), 1),
        )
    )
    assert simple == (
        Rotation("Z", (0,), 0),
        Reset(0),
        Outcome(1, 1, 0, (0.0, 0.0), reset=False),
        Outcome(1, 0, 0, (0.0, 0.0), reset=False),
    )


def test_an_overwritten_bit_still_dephases() -> None:
    simple = simplify(program(Measure(0, 0, 0), Rotation("X", (0,), 0), Measure(0, 0, 0)))
    assert simple[0] == Dephase(0)


def test_letters_follow_their_qubits() -> None:
    turned = simplify(program(Rotation("XZ", (1, 0), 0), Measure(0, 0, 0)))[0]
    assert turned == Rotation("ZX", (0, 1), 0)


def test_successive_channels_become_one() -> None:
    rng = np.random.default_rng(3)
    one, two = ptm_of_kraus(random_kraus(rng, 1, 2)), ptm_of_unitary(rotation("XZ", 0.4))
    simple = simplify(
        program(
            Channel(one, (1,)),
            Rotation("X", (0,), 0),
            Channel(one, (1,)),
            Channel(two, (2, 1)),
            Channel(one, (2,)),
            Measure(1, 0, 0),
            num_qubits=3,
        )
    )
    assert [type(operation).__name__ for operation in simple] == ["Channel", "Rotation", "Outcome"]
    fused = simple[0]
    assert isinstance(fused, Channel)
    assert fused.qubits == (2, 1)
    expected = np.kron(one, np.eye(4)) @ two @ np.kron(np.eye(4), one @ one)
    np.testing.assert_allclose(fused.ptm, expected, atol=1e-14)
