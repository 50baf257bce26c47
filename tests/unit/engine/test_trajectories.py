"""Trajectories, one shot at a time, against joint distributions from dense density matrices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qrnn_qiskit.engine import sample as sample_module
from qrnn_qiskit.engine.pauli import ptm_of_kraus
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.engine.sample import sample, suits_sampling, way_of
from qrnn_qiskit.engine.trajectories import blocks
from qrnn_qiskit.engine.trajectories import sample as trajectories
from qrnn_qiskit.engine.trajectories.kraus import unravelled
from qrnn_qiskit.errors import BackendError, CellError
from tests.reference import amplitude_damping, depolarizing
from tests.unit.engine.dense import (
    PAULI,
    Case,
    Matrix,
    cases,
    joint_distribution,
    kron,
    random_angles,
    random_channel,
    rotation,
)
from tests.unit.engine.test_forward import noisy_program
from tests.unit.engine.test_sample import records

FALSE_ALARM = 1e-6
SHOTS = 60_000
ANGLES = np.linspace(0.5, 1.3, 6)[None]


@contextmanager
def narrow_blocks(qubits: int) -> Iterator[None]:
    """Blocks of fewer qubits, so that small programs have many and their axes change places."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_QUBITS", qubits)
        yield


@pytest.mark.statistical
@given(cases(), st.integers(0, 2**32), st.integers(1, 3))
def test_every_record_comes_as_often_as_it_should(case: Case, seed: int, qubits: int) -> None:
    """Exact binomial tails of each record. False alarms: 1e-8 an example, 1e-6 in 100 of them."""
    shots, alarm = 2000, 1e-8
    angles = random_angles(case.program, 2, seed)
    with narrow_blocks(qubits):
        bits = sample(case.program, angles, shots, seed, way="trajectories")
    for row in range(2):
        joint = np.clip(joint_distribution(case, angles[row]).ravel(), 0.0, 1.0)
        joint[joint < 1e-13] = 0.0
        counts = np.bincount(records(bits[row]), minlength=joint.size)
        tail = np.minimum(
            stats.binom.cdf(counts, shots, joint), stats.binom.sf(counts - 1, shots, joint)
        )
        assert tail.min() > alarm / (4 * joint.size)


def phase_damping(rate: float) -> list[Matrix]:
    return [np.sqrt(1 - rate) * PAULI["I"], np.sqrt(rate) * PAULI["Z"]]


def turned(kraus: list[Matrix], gate: Matrix) -> list[Matrix]:
    """The errors after a gate."""
    return [np.asarray(k @ gate, dtype=np.complex128) for k in kraus]


def both(first: list[Matrix], second: list[Matrix]) -> list[Matrix]:
    """Two channels on two qubits, side by side."""
    return [kron(a, b) for a in first for b in second]


CX = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=np.complex128)
# Kraus operators, and whether the state must be looked at to draw one.
CHANNELS: dict[str, tuple[list[Matrix], bool]] = {
    "depolarizing, one qubit": (depolarizing(0.2, 1), False),
    "depolarizing, two qubits": (depolarizing(0.3, 2), False),
    "depolarizing after a gate": (turned(depolarizing(0.2, 2), CX), False),
    "bit flips": ([np.sqrt(0.8) * PAULI["I"], np.sqrt(0.2) * PAULI["X"]], False),
    "dephasing": (phase_damping(0.3), False),
    "complete dephasing": (phase_damping(0.5), False),
    "rotations at random": (
        [np.sqrt(0.6) * rotation("X", 0.3), np.sqrt(0.4) * rotation("Y", 1.2)],
        False,
    ),
    "over-rotation": ([rotation("ZX", 0.4)], False),
    "amplitude damping": (amplitude_damping(0.4), True),
    "relaxation": (
        [a @ b for a in amplitude_damping(0.3) for b in phase_damping(0.1)],
        True,
    ),
    "relaxation of two qubits": (both(amplitude_damping(0.3), amplitude_damping(0.1)), True),
    "a state replaced": (amplitude_damping(1.0), True),
}


def channel_case(kraus: list[Matrix], *, dropped: int | None = None) -> Case:
    """The channel in every step of an entangling program, blocks of two qubits on three."""
    k = len(kraus[0]).bit_length() - 1
    operations: list[Operation] = []
    places = dict[int, list[Matrix]]()
    for step in range(3):
        operations += [Rotation("Y", (q,), q) for q in range(3)]
        operations += [Rotation("ZX", (0, 2), 3), Rotation("XY", (1, 2), 4)]
        if dropped != step:
            places[len(operations)] = kraus
            operations.append(Channel(ptm_of_kraus(kraus), (2, 0)[:k]))
        # What the channel does to phases must be seen.
        operations += [Rotation("Y", (2,), 0), Rotation("X", (0,), 5)]
        operations += [Measure(0, step, 0), Reset(0)]
        operations.append(Measure(2, step, 1, (0.02, 0.05)))
    return Case(Program(3, 3, 2, 6, tuple(operations)), places)


def similarity(bits: np.ndarray, joint: np.ndarray) -> float:
    """p-value of a chi-square over all records, those below 20 expected pooled."""
    counts = np.bincount(records(bits), minlength=joint.size)
    expected = len(bits) * joint.ravel() / joint.sum()
    rare = expected < 20
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], max(expected[rare].sum(), 1e-9))
    return float(stats.chisquare(counts, expected * len(bits) / expected.sum()).pvalue)


@pytest.mark.statistical
@pytest.mark.parametrize("name", CHANNELS)
def test_every_kind_of_channel(name: str, seed: int) -> None:
    """False alarms: 1e-6 for each kind."""
    kraus, looked_at = CHANNELS[name]
    case = channel_case(kraus)
    channel = next(op for op in case.program.operations if isinstance(op, Channel))
    assert (unravelled(channel).chances is None) == looked_at
    with narrow_blocks(2):
        bits = sample(case.program, ANGLES, SHOTS, seed, way="trajectories")[0]
    assert similarity(bits, joint_distribution(case, ANGLES[0])) > FALSE_ALARM


@pytest.mark.statistical
def test_a_channel_left_out_once_is_noticed(seed: int) -> None:
    """Power of the comparison above, for each of these channels."""
    for name in CHANNELS:
        kraus, _ = CHANNELS[name]
        program = channel_case(kraus, dropped=1).program
        bits = sample(program, ANGLES, SHOTS, seed, way="trajectories")[0]
        assert similarity(bits, joint_distribution(channel_case(kraus), ANGLES[0])) < FALSE_ALARM


@pytest.mark.statistical
def test_single_precision(seed: int) -> None:
    """The same distribution: off by 1e-6, where shot noise is 2e-3. False alarms: 1e-6."""
    case = channel_case(CHANNELS["relaxation of two qubits"][0])
    bits = sample(case.program, ANGLES, SHOTS, seed, single=True, way="trajectories")[0]
    assert similarity(bits, joint_distribution(case, ANGLES[0])) > FALSE_ALARM


def test_bits_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on the rows beside them, nor on how many shots are asked for."""
    program = noisy_program(num_steps=12)  # more than one block of random numbers
    angles = random_angles(program, 6, 3)
    whole = sample(program, angles, 100, 7, way="trajectories")
    assert np.any(whole[0] != whole[1])
    alone = sample(program, angles[4:], 100, 7, first_row=4, way="trajectories")
    np.testing.assert_array_equal(alone, whole[4:])
    fewer = sample(program, angles, [3, 0, 40, 100, 1, 7], 7, way="trajectories")
    np.testing.assert_array_equal(fewer[3:43], whole[2, :40])
    np.testing.assert_array_equal(fewer[-7:], whole[5, :7])
    tight = sample(program, angles, 100, 7, memory_limit=2**17, way="trajectories")
    np.testing.assert_array_equal(tight, whole)
    monkeypatch.setattr(trajectories, "_COMPONENTS", 2**9)
    np.testing.assert_array_equal(sample(program, angles, 100, 7, way="trajectories"), whole)


@given(st.sampled_from("udk"), st.integers(1, 2), st.integers(0, 2**32))
def test_operators_are_those_of_the_channel(kind: str, k: int, seed: int) -> None:
    channel = Channel(
        ptm_of_kraus(random_channel(np.random.default_rng(seed), kind, k)), tuple(range(k))
    )
    kraus = unravelled(channel)
    np.testing.assert_allclose(ptm_of_kraus(list(kraus.operators)), channel.ptm, atol=1e-10)
    np.testing.assert_allclose(kraus.effects.sum(axis=0), np.eye(2**k), atol=1e-10)
    assert kraus.unitary == (kind == "u")


def test_a_long_time_between_measurements() -> None:
    """The likeliest history of 1200 errors has a probability of 1e-350."""
    noise = Channel(ptm_of_kraus(depolarizing(0.55, 1)), (0,))
    damping = Channel(ptm_of_kraus(amplitude_damping(0.1)), (0,))
    turn = Rotation("X", (0,), 0)
    operations = (*(noise, turn, damping, turn) * 600, Measure(0, 0, 0))
    bits = sample(Program(1, 1, 1, 1, operations), np.array([[1.0]]), 100, 1, way="trajectories")
    assert 20 < bits.sum() < 80


def test_impossible_records_never_come() -> None:
    """A flipped, then certain bit; one that nobody measures is 0."""
    x = Channel(ptm_of_kraus([PAULI["X"]]), (0,))
    certain = Program(1, 2, 2, 0, (x, Measure(0, 0, 0), Measure(0, 1, 0, (0.0, 1.0))))
    bits = sample(certain, np.empty((2, 0)), 3, 1, way="trajectories")
    assert bits[:, :, 0, 0].all()
    assert bits.sum() == 6


def test_no_rows_no_shots() -> None:
    program = noisy_program()
    none = np.empty((0, program.num_angles))
    assert sample(program, none, 5, 1, way="trajectories").shape == (0, 5, 3, 1)
    assert sample(program, random_angles(program, 2, 1), 0, 1, way="trajectories").size == 0


def test_what_cannot_be_followed_is_refused() -> None:
    """Transposition keeps trace and positivity, but is no channel beside other qubits."""
    transposed = Channel(np.diag([1.0, 1.0, -1.0, 1.0]), (0,))
    program = Program(1, 1, 1, 0, (transposed, Measure(0, 0, 0)))
    with pytest.raises(CellError, match="not completely positive"):
        sample(program, np.empty((1, 0)), 5, 1, way="trajectories")
    with pytest.raises(BackendError, match="one trajectory of 3 qubits takes"):
        sample(
            noisy_program(num_qubits=3),
            random_angles(noisy_program(num_qubits=3), 1, 1),
            5,
            1,
            memory_limit=100,
            way="trajectories",
        )


def test_the_way_is_a_matter_of_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of noise: a state vector may be wider than a density matrix. And of bits to share."""

    def noisy() -> Program:
        return noisy_program(num_qubits=3)

    def pure(bits: int) -> Program:
        turn = Rotation("XYZ", (0, 1, 2), 0)
        measured = [Measure(1, 0, k) for k in range(bits)]
        return Program(3, 1, bits, 1, (turn, *measured))

    monkeypatch.setattr(sample_module, "MIXED_QUBITS", 3)
    assert way_of(noisy()) == "histories"
    monkeypatch.setattr(sample_module, "MIXED_QUBITS", 2)
    assert way_of(noisy()) == "trajectories"
    monkeypatch.setattr(sample_module, "PURE_QUBITS", 2)
    assert (way_of(pure(10)), way_of(pure(11))) == ("histories", "trajectories")
    monkeypatch.setattr(sample_module, "PURE_QUBITS_FEW_BITS", 2)
    program, angles = pure(1), np.array([[0.7]])
    np.testing.assert_array_equal(
        sample(program, angles, 9, 3), sample(program, angles, 9, 3, way="trajectories")
    )
    monkeypatch.setattr(sample_module, "WIDEST", 2)
    assert not suits_sampling(program)
