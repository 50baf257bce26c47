"""Which angle of a cell's gate each Pauli rotation comes from, and the frequencies of that angle.

`unroll` makes a CRX(a) two rotations by ±a/2, each with a parameter of its own. A rule that shifts
the gate itself has to move both at once and needs the gate's frequencies, here 1/2 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import Gate, Operation, Parameter, ParameterExpression
from qiskit.quantum_info import Operator

from qrnn_qiskit.circuit.rewrite import Rotation, is_parametrized, pauli_rotations

_TOLERANCE: Final = 1e-9
_LARGEST_DENOMINATOR: Final = 24
_GENERIC: Final = 0.7390851332151607  # value of a gate's other angles, in rad


@final
@dataclass(frozen=True, slots=True)
class GateAngle:
    """Where a rotation's angle comes from.

    Attributes:
        number: which angle of the gate it is.
        factor: d(rotation's angle) / d(gate angle).
        frequencies: of outcomes' probabilities in the gate angle, ascending, in 1/rad.
    """

    number: int
    factor: float
    frequencies: tuple[float, ...]


def standard_gates(gate: Operation) -> Iterator[tuple[Operation, tuple[int, ...]]]:
    """The gates of Qiskit's standard library that a gate is made of, with its qubits they act on.

    A standard gate comes out whole; a gate defined by users is opened, what has no parameters is
    not.
    """
    definition = getattr(gate, "definition", None)
    if not is_parametrized(gate) or _is_standard(gate) or definition is None:
        yield gate, tuple(range(gate.num_qubits))
        return
    for item in definition.data:
        outer = [definition.find_bit(q).index for q in item.qubits]
        for inner, qubits in standard_gates(item.operation):
            yield inner, tuple(outer[q] for q in qubits)


def gate_angles(gate: Operation, cell: str) -> list[GateAngle]:
    """The origin of each rotation of `pauli_rotations(gate)`, in order.

    Where a rotation's angle is not a rational multiple of one of the gate's angles plus a
    constant, each rotation counts as a gate of its own.

    Raises:
        CellError: as `pauli_rotations`.
    """
    count = sum(isinstance(piece, Rotation) for piece in pauli_rotations(gate, cell))
    found = _of_standard(gate, cell) if count > 1 and _is_standard(gate) else None
    return [GateAngle(i, 1.0, (1.0,)) for i in range(count)] if found is None else found


def _is_standard(gate: Operation) -> bool:
    # Gates with any number of controls take that number as an argument, too: those are opened.
    if not isinstance(gate, Gate) or gate.name in ("mcphase", "mcu1"):
        return False
    module: str = gate.base_class.__module__
    return module.startswith("qiskit.circuit.library.standard_gates.")


def _of_standard(gate: Any, cell: str) -> list[GateAngle] | None:
    symbols = [
        Parameter(f"angle_{i}") if isinstance(angle, ParameterExpression) else angle
        for i, angle in enumerate(gate.params)
    ]
    slopes: list[tuple[int, Fraction]] = []
    for piece in pauli_rotations(_with_angles(gate, symbols), cell):
        if not isinstance(piece, Rotation):
            continue
        symbol = _only(piece.angle)
        slope = None if symbol is None else piece.angle.gradient(symbol)
        if slope is None or isinstance(slope, ParameterExpression):
            return None
        factor = Fraction(float(slope)).limit_denominator(_LARGEST_DENOMINATOR)
        if not factor or abs(float(factor) - slope) > _TOLERANCE:
            return None
        slopes.append((symbols.index(symbol), factor))
    frequencies = {
        number: _frequencies(gate, number, [f for other, f in slopes if other == number])
        for number in {number for number, _ in slopes}
    }
    return [GateAngle(number, float(f), frequencies[number]) for number, f in slopes]


def _only(angle: ParameterExpression) -> Parameter | None:
    """The parameter of an expression, None if it has several."""
    return next(iter(angle.parameters)) if len(angle.parameters) == 1 else None


def _frequencies(gate: Any, number: int, factors: list[Fraction]) -> tuple[float, ...]:
    """Frequencies of U ⊗ U* in one angle: at most the sum of |factors|, in multiples of their gcd.

    The discrete Fourier transform over a period tells which of them are there.
    """
    common = lcm(*(f.denominator for f in factors))
    unit = gcd(*(int(f * common) for f in factors)) / common
    highest = round(float(sum(abs(f) for f in factors)) / unit)
    points = 2 * highest + 1
    values = [
        angle if not isinstance(angle, ParameterExpression) else _GENERIC + i
        for i, angle in enumerate(gate.params)
    ]
    unitaries = []
    for x in 2 * np.pi / unit * np.arange(points) / points:
        values[number] = x
        unitaries.append(Operator(_with_angles(gate, values)).data)
    matrices = np.array(unitaries)
    spectrum = np.fft.fft(np.einsum("xij,xkl->xikjl", matrices, matrices.conj()), axis=0) / points
    sizes = np.abs(spectrum).max(axis=(1, 2, 3, 4))
    return tuple(unit * k for k in range(1, highest + 1) if sizes[k] > _TOLERANCE)


def _with_angles(gate: Any, angles: list[Any]) -> Gate:
    control = {"ctrl_state": gate.ctrl_state} if hasattr(gate, "ctrl_state") else {}
    made: Gate = gate.base_class(*angles, **control)
    return made
