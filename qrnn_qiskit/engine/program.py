"""What the engine runs: a list of operations on qubits, angles left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.engine.pauli import num_qubits_of
from qrnn_qiskit.errors import CellError, DataError
from qrnn_qiskit.estimate import Array

# A channel off by more changes the sum of all probabilities visibly over a few hundred steps.
_TRACE_TOLERANCE = 1e-8


@final
@dataclass(frozen=True, slots=True)
class Rotation:
    """exp(-i angle P / 2), its angle given for each row.

    Attributes:
        generator: Pauli label of P, such as `"ZZ"`; letter i acts on `qubits[i]`.
        qubits: distinct qubits, one for each letter.
        angle: column of the angle array `[R, A]`.
    """

    generator: str
    qubits: tuple[int, ...]
    angle: int

    def __post_init__(self) -> None:
        if not self.generator or set(self.generator) - set("IXYZ"):
            raise CellError(
                f"generator {self.generator!r} is not a Pauli label: letters I, X, Y and Z"
            )
        if len(self.generator) != len(self.qubits):
            raise CellError(
                f"generator {self.generator!r} has {len(self.generator)} letters, "
                f"but acts on qubits {self.qubits}"
            )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """A constant gate, noise, or both, as a Pauli transfer matrix `[4^k, 4^k]`.

    Attributes:
        ptm: the matrix; factor i of its index acts on `qubits[i]`, the first most significant.
        qubits: k distinct qubits.
    """

    ptm: Array
    qubits: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.ptm.ndim != 2 or self.ptm.shape[0] != self.ptm.shape[1]:
            raise CellError(f"a PTM has shape {self.ptm.shape}: it must be square")
        if num_qubits_of(self.ptm.shape[0], 4, "a PTM") != len(self.qubits):
            raise CellError(
                f"a PTM of shape {self.ptm.shape} does not fit qubits {self.qubits}: "
                "4^k rows for k qubits"
            )
        first = np.zeros(self.ptm.shape[0])
        first[0] = 1.0
        if not np.allclose(self.ptm[0], first, rtol=0.0, atol=_TRACE_TOLERANCE):
            raise CellError(
                f"a channel on qubits {self.qubits} does not preserve the trace: "
                "the first row of its PTM must be 1, 0, 0, ..."
            )


@final
@dataclass(frozen=True, slots=True)
class Measure:
    """Measurement of a qubit in the Z basis into bit `bit` of step `step`.

    A bit that is measured again keeps its later value; one that is never measured is 0.

    Attributes:
        qubit: the qubit, which is projected.
        step: 0-based time step of the bit.
        bit: bit within the step, 0-based.
        flip: readout error: probability of reading 1 in state 0, and of reading 0 in state 1.
    """

    qubit: int
    step: int
    bit: int
    flip: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not all(0.0 <= p <= 1.0 for p in self.flip):
            raise CellError(f"readout error {self.flip}: probabilities lie in [0, 1]")


@final
@dataclass(frozen=True, slots=True)
class Reset:
    """The qubit is discarded and replaced by one in state 0."""

    qubit: int


Operation = Rotation | Channel | Measure | Reset


@final
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Program:
    """A circuit for the engine, starting from all qubits in state 0.

    What is compiled from a program is kept with the object: build it once and run it often.

    Attributes:
        num_qubits: number of qubits.
        num_steps: T.
        num_bits: bits of a step.
        num_angles: A, columns of the angle array; a column may serve several rotations.
        operations: in order of time.
        postselected: bits of a step, ascending, that must be read 0: a shot is kept at step t if
            those of steps 0 ... t all were; the other bits of a step are its K outputs. Their
            last measurements then come step by step, within a step first the post-selected ones.
    """

    num_qubits: int
    num_steps: int
    num_bits: int
    num_angles: int
    operations: tuple[Operation, ...]
    postselected: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._check_order()
        for operation in self.operations:
            if isinstance(operation, Rotation | Channel):
                self._check_qubits(operation.qubits)
            else:
                self._check_qubits((operation.qubit,))
            if isinstance(operation, Rotation) and not 0 <= operation.angle < self.num_angles:
                raise CellError(
                    f"a rotation reads angle {operation.angle}, "
                    f"but the program has {self.num_angles} angles"
                )
            if isinstance(operation, Measure) and not (
                0 <= operation.step < self.num_steps and 0 <= operation.bit < self.num_bits
            ):
                raise CellError(
                    f"a measurement writes bit {operation.bit} of step {operation.step}, but the "
                    f"program has {self.num_steps} steps of {self.num_bits} bits"
                )

    @property
    def outputs(self) -> tuple[int, ...]:
        """The K output bits of a step: those that are not post-selected."""
        return tuple(bit for bit in range(self.num_bits) if bit not in self.postselected)

    def _check_order(self) -> None:
        if not self.postselected:
            return
        last = {
            (operation.step, operation.bit): i
            for i, operation in enumerate(self.operations)
            if isinstance(operation, Measure)
        }
        places = sorted(last, key=lambda place: last[place])
        order = [(step, bit not in self.postselected) for step, bit in places]
        if order != sorted(order):
            raise CellError(
                "with post-selection, bits are measured step by step, and the post-selected bits "
                "of a step before its outputs"
            )

    def _check_qubits(self, qubits: Iterable[int]) -> None:
        qubits = tuple(qubits)
        if len(set(qubits)) < len(qubits) or any(not 0 <= q < self.num_qubits for q in qubits):
            raise CellError(
                f"an operation acts on qubits {qubits}: they must be distinct and lie in "
                f"0 ... {self.num_qubits - 1}"
            )

    def checked(self, angles: Array) -> Array:
        """The angles as float64 `[R, A]`.

        Raises:
            DataError: on a wrong shape, or where an angle is not a finite number.
        """
        angles = np.asarray(angles, dtype=np.float64)
        if angles.ndim != 2 or angles.shape[1] != self.num_angles:
            raise DataError(
                f"angles have shape {angles.shape}, but the program needs [R, A={self.num_angles}]"
            )
        if not np.all(np.isfinite(angles)):
            raise DataError("angles hold NaN or infinity")
        return angles
