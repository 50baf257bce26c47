"""State vectors of programs that stay pure, against dense density matrices and the Pauli form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_qiskit.engine import forward
from qrnn_qiskit.engine.forward import Kind, outputs, vectors_for
from qrnn_qiskit.engine.pauli import ptm_of_kraus, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.engine.reverse import value_and_vjp
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.estimate import Array
from tests.unit.engine.dense import Case, Matrix, joint_distribution


def permutation(*targets: int) -> Matrix:
    return np.asarray(np.eye(len(targets))[list(targets)], dtype=np.complex128)


GATES: dict[str, Matrix] = {
    "h": np.array([[1, 1], [1, -1]]) / np.sqrt(2) + 0j,
    "x": np.array([[0, 1], [1, 0]]) + 0j,
    "s": np.diag([1, 1j]),
    "cx": permutation(0, 1, 3, 2),
    "cz": np.diag([1, 1, 1, -1]) + 0j,
    "swap": permutation(0, 2, 1, 3),
    "c-iy": np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]) + 0j,
    "ccx": permutation(0, 1, 2, 3, 4, 5, 7, 6),
}
BITS = 4  # of a step: word, two flags, output


class Builder:
    """Puts a random program together."""

    def __init__(self, seed: int, num_qubits: int, *, real: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.num_qubits = num_qubits
        self.real = real
        self.operations: list[Operation] = []
        self.kraus: dict[int, list[Matrix]] = {}
        self.num_angles = 0
        self.selecting: list[int] = []

    def qubits(self, count: int) -> tuple[int, ...]:
        return tuple(int(q) for q in self.random.permutation(self.num_qubits)[:count])

    def rotate(self) -> None:
        count = int(self.random.integers(1, 4))
        label = "".join(self.random.choice(list("XYZ"), count))
        if self.real and label.count("Y") % 2 == 0:
            label = "Y" + label[1:].replace("Y", "Z")
        self.operations.append(Rotation(label, self.qubits(count), self.num_angles))
        self.num_angles += 1

    def gate(self) -> None:
        names = [name for name in GATES if not (self.real and name == "s")]
        matrix = GATES[self.random.choice(names)]
        self.kraus[len(self.operations)] = [matrix]
        qubits = self.qubits(len(matrix).bit_length() - 1)
        self.operations.append(Channel(ptm_of_unitary(matrix), qubits))

    def select(self, qubit: int, step: int) -> None:
        """Post-select on the word that an angle of 0 or pi stands for."""
        self.operations.append(Rotation("Y", (qubit,), self.num_angles))
        self.selecting.append(self.num_angles)
        self.num_angles += 1
        self.operations += [Measure(qubit, step, 0), Reset(qubit)]


def random_case(
    seed: int, *, real: bool, word: bool, num_qubits: int = 4
) -> tuple[Case, list[int]]:
    """Two steps with post-selected flags; qubit 0 is measured in both, or only in the last one."""
    b = Builder(seed, num_qubits, real=real)
    steps = 2
    for step in range(steps):
        if word and step:
            b.select(0, step)
        for _ in range(12):
            (b.rotate if b.random.random() < 0.6 else b.gate)()
        for flag in (1, 2):
            b.rotate()
            b.operations.append(Measure(int(b.random.integers(1, num_qubits)), step, flag))
        if word or step == steps - 1:
            b.operations.append(Measure(0, step, 3))
    chosen = (0, 1, 2) if word else (1, 2)
    program = Program(num_qubits, steps, BITS, b.num_angles, tuple(b.operations), chosen)
    return Case(program, b.kraus), b.selecting


def raw_probabilities(case: Case, angles: Array) -> Array:
    """`[T, 2^K]` of a step's outputs and of being kept, for one row."""
    program = case.program
    joint = joint_distribution(case, angles)
    size, found = program.num_steps * program.num_bits, []
    for step in range(program.num_steps):
        chosen: list[int | slice] = [slice(None)] * size
        for earlier in range(step + 1):
            for bit in program.postselected:
                chosen[earlier * program.num_bits + bit] = 0
        kept = joint[tuple(chosen)]
        left = [i for i, c in enumerate(chosen) if isinstance(c, slice)]
        places = [step * program.num_bits + bit for bit in program.outputs]
        summed = kept.sum(axis=tuple(i for i, place in enumerate(left) if place not in places))
        # The lowest bit comes first as an axis, and is the least significant of the outcome.
        found.append(summed.transpose(*reversed(range(summed.ndim))).ravel())
    return np.array(found)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """State vectors on any number of qubits."""
    monkeypatch.setattr(forward, "VECTOR_QUBITS", 1)


def angles_of(case: Case, selecting: list[int], rows: int, seed: int = 1) -> Array:
    random = np.random.default_rng(seed)
    angles = random.uniform(-3.0, 3.0, (rows, case.program.num_angles))
    angles[:, selecting] = np.pi * random.integers(0, 2, (rows, len(selecting)))
    return angles


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("word", [False, True])
@pytest.mark.parametrize("real", [False, True])
def test_outputs_and_slopes_are_those_of_dense_matrices(
    seed: int, word: bool, real: bool, everywhere: None
) -> None:
    case, selecting = random_case(seed, real=real, word=word, num_qubits=3)
    angles = angles_of(case, selecting, 1)
    vectors = vectors_for(case.program, angles)
    assert vectors is not None
    assert vectors.real or not real
    reference = raw_probabilities(case, angles[0])
    found = outputs(case.program, angles, kind="probabilities")[0]
    np.testing.assert_allclose(found[:, :-1], reference, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[:, -1], reference.sum(axis=1), rtol=0, atol=1e-12)
    weights = np.random.default_rng(2).normal(size=reference.shape)
    cotangent = np.concatenate([weights, np.zeros((len(weights), 1))], axis=1)[None]
    _, slopes = value_and_vjp(case.program, angles, lambda _: cotangent, "probabilities")
    for column in np.random.default_rng(seed).permutation(case.program.num_angles)[:6]:
        shifted = []
        for sign in (1, -1):
            moved = angles[0].copy()
            moved[column] += sign * np.pi / 2
            shifted.append(float((weights * raw_probabilities(case, moved)).sum()))
        assert slopes[0, column] == pytest.approx((shifted[0] - shifted[1]) / 2, abs=1e-12)


@pytest.mark.parametrize("kind", ["z", "probabilities"])
@pytest.mark.parametrize("seed", range(6))
def test_both_forms_agree(
    kind: Kind, seed: int, everywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, selecting = random_case(seed, real=seed % 2 == 0, word=seed % 3 == 0)
    angles = angles_of(case, selecting, 5)
    assert vectors_for(case.program, angles) is not None
    mine = outputs(case.program, angles, kind=kind)
    weights = np.random.default_rng(3).normal(size=mine.shape)
    _, slopes = value_and_vjp(case.program, angles, lambda y: weights * y, kind)
    monkeypatch.setattr(forward, "VECTOR_QUBITS", 99)
    np.testing.assert_allclose(
        outputs(case.program, angles, kind=kind), mine, rtol=1e-10, atol=1e-13
    )
    _, expected = value_and_vjp(case.program, angles, lambda y: weights * y, kind)
    np.testing.assert_allclose(slopes, expected, rtol=1e-10, atol=1e-13)


def test_memory_changes_nothing_but_rounding(everywhere: None) -> None:
    case, selecting = random_case(3, real=True, word=True)
    angles = angles_of(case, selecting, 9)
    weights = np.random.default_rng(3).normal(size=outputs(case.program, angles).shape)
    mean, slopes = value_and_vjp(case.program, angles, lambda y: weights * y)
    for limit in (100_000, 40_000):
        less, little = value_and_vjp(
            case.program, angles, lambda y: weights * y, memory_limit=limit
        )
        np.testing.assert_allclose(less, mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(little, slopes, rtol=1e-12, atol=1e-15)
    with pytest.raises(BackendError, match="memory limit"):
        value_and_vjp(case.program, angles, lambda y: y, memory_limit=2_000)


def ladder(num_steps: int) -> Program:
    """Post-selection of a qubit that is hardly ever 0, step after step."""
    operations: list[Operation] = []
    for step in range(num_steps):
        operations += [
            Rotation("Y", (1,), 0),
            Rotation("YZ", (1, 0), 1),
            Rotation("Y", (0,), 2),
            Measure(1, step, 0),
            Reset(1),
        ]
        if step == num_steps - 1:
            operations.append(Measure(0, step, 1))
    return Program(2, num_steps, 2, 3, tuple(operations), (0,))


def test_what_is_kept_of_a_long_sequence_does_not_underflow(everywhere: None) -> None:
    program = ladder(400)
    angles = np.array([[3.0, 0.05, 0.1]])
    raw = outputs(program, angles)
    assert 0.0 < raw[0, -1, 1] < 1e-140  # in truth about 1e-900
    ratio = raw[0, -1, 0] / raw[0, -1, 1]
    # One step, given that it is kept: diag(cos(1.5 +- 0.025)) on qubit 0, then the rotation.
    turn = np.array([[np.cos(0.05), -np.sin(0.05)], [np.sin(0.05), np.cos(0.05)]])

    def expected(angle: float) -> float:
        half = (angle + 0.05 * np.array([1.0, -1.0])) / 2
        state = np.array([1.0, 0.0])
        for _ in range(400):
            state = turn @ (np.cos(half) * state)
            state /= np.linalg.norm(state)
        return float(state[0] ** 2 - state[1] ** 2)

    assert ratio == pytest.approx(expected(3.0), abs=1e-10)

    def by_raw(y: Array) -> Array:
        slope = np.zeros_like(y)
        slope[0, -1] = 1 / y[0, -1, 1], -y[0, -1, 0] / y[0, -1, 1] / y[0, -1, 1]
        return slope

    _, slopes = value_and_vjp(program, angles, by_raw)
    step = 1e-5
    numeric = (expected(3.0 + step) - expected(3.0 - step)) / (2 * step)
    assert slopes[0, 0] == pytest.approx(numeric, rel=1e-6)


NOISE = Channel(ptm_of_kraus([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * np.diag([1.0, -1.0])]), (0,))
PAIR = (Rotation("X", (0,), 0), Rotation("XX", (0, 1), 1))


@pytest.mark.parametrize(
    "operations",
    [
        (*PAIR, NOISE, Measure(0, 0, 0)),
        (*PAIR, Reset(0), Rotation("YX", (0, 1), 1), Measure(1, 0, 0)),
        (*PAIR, Measure(0, 0, 0), Rotation("YX", (0, 1), 1), Measure(1, 1, 0)),
        (*PAIR, Measure(0, 0, 0, (0.1, 0.0))),
    ],
    ids=["noise", "reset", "measured and used", "readout error"],
)
def test_mixed_states_are_left_to_density_matrices(
    operations: tuple[Operation, ...], everywhere: None
) -> None:
    program = Program(2, 2, 1, 2, operations)
    assert vectors_for(program, np.zeros((1, 2))) is None


def test_an_angle_that_selects_must_be_a_multiple_of_pi(everywhere: None) -> None:
    case, selecting = random_case(0, real=True, word=True)
    angles = angles_of(case, selecting, 2)
    assert vectors_for(case.program, angles) is not None
    angles[1, selecting[0]] += 0.1
    assert vectors_for(case.program, angles) is None


def test_a_cotangent_of_another_shape_is_refused(everywhere: None) -> None:
    case, selecting = random_case(0, real=True, word=True)
    with pytest.raises(DataError, match="cotangent"):
        value_and_vjp(case.program, angles_of(case, selecting, 2), lambda y: y[:1])


def test_few_qubits_are_left_to_layers() -> None:
    case, selecting = random_case(0, real=True, word=True, num_qubits=3)
    angles: NDArray[np.float64] = angles_of(case, selecting, 2)
    assert vectors_for(case.program, angles) is None
