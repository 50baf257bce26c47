"""Parametrized gates as products of Pauli rotations.

Every rotation exp(-i a P / 2) has one frequency, so the two-term parameter-shift rule is exact for
it whatever surrounds it. Factors such as 1/2 go into the angle, hence into the angle map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

from qiskit.circuit import Gate, Operation, ParameterExpression
from qiskit.circuit.library import RXGate, RXXGate, RYGate, RYYGate, RZGate, RZXGate, RZZGate

from qrnn_qiskit.errors import CellError

Angle = Any  # a ParameterExpression or a number


@final
@dataclass(frozen=True, slots=True)
class Rotation:
    """exp(-i angle P / 2), its Pauli label's i-th letter acting on the gate's `qubits[i]`."""

    generator: str
    qubits: tuple[int, ...]
    angle: Angle


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """An operation without parameters, on qubits of the gate that it came from."""

    operation: Operation
    qubits: tuple[int, ...]


Piece = Rotation | Constant


def is_parametrized(operation: Operation) -> bool:
    """Whether some angle of a gate depends on a parameter."""
    return any(
        isinstance(angle, ParameterExpression) and angle.parameters
        for angle in getattr(operation, "params", ())
    )


def _controlled(axis: str) -> Callable[[Gate], list[Piece]]:
    # C-R_P(a) = R_P(a/2) on the target · exp(-i b Z P / 2) with b = -a/2 (control on 1) or a/2.
    def rewrite(gate: Any) -> list[Piece]:
        (angle,) = gate.params
        sign = -1 if gate.ctrl_state == 1 else 1
        return [
            Rotation(axis, (1,), angle / 2),
            Rotation("Z" + axis, (0, 1), sign * angle / 2),
        ]

    return rewrite


def _controlled_phase(gate: Any) -> list[Piece]:
    # CP(a) = RZ(a/2) RZ(a/2) RZZ(-a/2) up to a global phase; a control on 0 flips Z of the control.
    (angle,) = gate.params
    sign = 1 if gate.ctrl_state == 1 else -1
    return [
        Rotation("Z", (0,), sign * angle / 2),
        Rotation("Z", (1,), angle / 2),
        Rotation("ZZ", (0, 1), -sign * angle / 2),
    ]


def _u(gate: Gate) -> list[Piece]:
    # U(a, b, c) = RZ(b) RY(a) RZ(c) up to a global phase.
    theta, phi, lam = gate.params
    return [Rotation("Z", (0,), lam), Rotation("Y", (0,), theta), Rotation("Z", (0,), phi)]


def _u2(gate: Gate) -> list[Piece]:
    phi, lam = gate.params
    half_turn = Constant(RYGate(1.5707963267948966), (0,))
    return [Rotation("Z", (0,), lam), half_turn, Rotation("Z", (0,), phi)]


def _r(gate: Gate) -> list[Piece]:
    # R(a, b): rotation by a about cos(b) X + sin(b) Y.
    theta, phi = gate.params
    return [Rotation("Z", (0,), -phi), Rotation("X", (0,), theta), Rotation("Z", (0,), phi)]


def _plain(generator: str) -> Callable[[Gate], list[Piece]]:
    qubits = tuple(range(len(generator)))
    return lambda gate: [Rotation(generator, qubits, gate.params[0])]


_RULES: dict[str, Callable[[Any], list[Piece]]] = {
    "rx": _plain("X"),
    "ry": _plain("Y"),
    "rz": _plain("Z"),
    "p": _plain("Z"),
    "u1": _plain("Z"),
    "rxx": _plain("XX"),
    "ryy": _plain("YY"),
    "rzz": _plain("ZZ"),
    "rzx": _plain("ZX"),
    "crx": _controlled("X"),
    "cry": _controlled("Y"),
    "crz": _controlled("Z"),
    "cp": _controlled_phase,
    "cu1": _controlled_phase,
    "u": _u,
    "u3": _u,
    "u2": _u2,
    "r": _r,
}


def pauli_rotations(gate: Operation, cell: str) -> Iterator[Piece]:
    """The Pauli rotations and constant gates that a parametrized gate equals, up to a phase.

    Raises:
        CellError: for a gate with neither a rule here nor a definition in Qiskit.
    """
    # Gates defined by users may carry a standard name, hence the check of the class's module.
    # An open control is part of a gate's name in Qiskit (crx_o0).
    base = gate.base_class if isinstance(gate, Gate) else type(gate)
    name = gate.name.partition("_o")[0] if getattr(gate, "ctrl_state", None) == 0 else gate.name
    if name in _RULES and base.__module__.startswith("qiskit.circuit.library"):
        for piece in _RULES[name](gate):
            yield _settled(piece)
        return
    definition = getattr(gate, "definition", None)
    if definition is None:
        raise CellError(
            f"cell {cell!r}: gate {gate.name!r} has parameters, but no rewriting into Pauli "
            "rotations is known for it, so no exact shift rule: write it with rx, ry, rz, p, u, "
            "rxx, ryy, rzz, rzx, crx, cry, crz, cp, or give it a definition by such gates"
        )
    for item in definition.data:
        qubits = tuple(definition.find_bit(q).index for q in item.qubits)
        if not is_parametrized(item.operation):
            yield Constant(item.operation, qubits)
            continue
        for piece in pauli_rotations(item.operation, cell):
            inner = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Rotation):
                yield Rotation(piece.generator, inner, piece.angle)
            else:
                yield Constant(piece.operation, inner)


def _settled(piece: Piece) -> Piece:
    """A rotation by a plain number is a constant gate."""
    if isinstance(piece, Constant):
        return piece
    if isinstance(piece.angle, ParameterExpression) and piece.angle.parameters:
        return piece
    return Constant(rotation_gate(piece.generator)(float(piece.angle)), piece.qubits)


def rotation_gate(generator: str) -> type[Gate]:
    """Qiskit's gate for a Pauli rotation, its qubits in the order of the label.

    `"ZY"` has none; `unroll` turns it into `"ZX"` by a change of basis.
    """
    gates: dict[str, type[Gate]] = {
        "X": RXGate,
        "Y": RYGate,
        "Z": RZGate,
        "XX": RXXGate,
        "YY": RYYGate,
        "ZZ": RZZGate,
        "ZX": RZXGate,
    }
    return gates[generator]
