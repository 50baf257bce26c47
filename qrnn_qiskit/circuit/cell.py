"""The cell: the circuit of one time step, with the roles of its qubits, bits and parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from qiskit.circuit import (
    ControlFlowOp,
    Delay,
    Gate,
    Instruction,
    Measure,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    Reset,
)

from qrnn_qiskit.angle_map import Tape
from qrnn_qiskit.circuit.expression import ENCODINGS, compile_tape
from qrnn_qiskit.circuit.rewrite import is_parametrized
from qrnn_qiskit.errors import CellError

REGISTERS = ("io", "hidden", "ancilla")


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """One recurrent cell.

    Attributes:
        name: what messages call it.
        circuit: one time step, on quantum registers `io` (inputs written, outputs measured,
            reset), `hidden` (the memory) and, where needed, `ancilla`. Its classical bits, but
            the post-selected ones, are the K outputs of a step, in order.
        weights: trainable parameters (P), in order; the same values at every step.
        features: input parameters of one step (F), in order.
        encodings: for some features, an elementwise encoding such as `arccos`.
        last: operations that only the last step has, after the others; same bits as `circuit`.
        postselected: classical bits of `circuit`, ascending, that must be read 0: a shot is kept
            at step t if those of steps 0 ... t all were.
    """

    name: str
    circuit: QuantumCircuit
    weights: tuple[Parameter, ...]
    features: tuple[Parameter, ...]
    encodings: Mapping[str, str]
    last: QuantumCircuit
    postselected: tuple[int, ...] = ()

    @staticmethod
    def from_circuit(
        circuit: QuantumCircuit,
        *,
        weights: Sequence[Parameter | str] | None = None,
        features: Sequence[Parameter | str] | None = None,
        encodings: Mapping[str, str] | None = None,
        last: QuantumCircuit | None = None,
        name: str | None = None,
        postselected: Sequence[str] | None = None,
    ) -> Cell:
        """A cell from one time step as a `QuantumCircuit`.

        Args:
            circuit: gates, measurements and resets on registers `io`, `hidden`, `ancilla`.
            weights: the trainable parameters in order. They and `features` may instead stand in
                `circuit.metadata` as lists of names under these keys.
            features: the input parameters in order.
            encodings: name of an encoding for some features, by feature name.
            last: operations that only the last step has, on the same registers.
            name: what messages call the cell; `circuit.name` by default.
            postselected: names of the classical registers whose bits are post-selected on 0; may
                instead stand in `circuit.metadata` under this key.

        Raises:
            CellError: saying what makes the circuit unfit, and how to mend it.
        """
        name = name or circuit.name
        metadata = circuit.metadata or {}
        if last is None:
            last = circuit.copy_empty_like()
        roles = _Roles.of(circuit, last, name)
        return Cell(
            name=name,
            circuit=circuit,
            weights=roles.take("weights", weights, metadata),
            features=roles.take("features", features, metadata),
            encodings=dict(encodings or metadata.get("encodings", {})),
            last=last,
            postselected=_bits_of(
                circuit,
                postselected if postselected is not None else metadata.get("postselected", ()),
                name,
            ),
        )._checked()

    def _checked(self) -> Cell:
        _check_registers(self)
        _check_operations(self)
        _check_roles(self)
        return self

    @property
    def weight_names(self) -> tuple[str, ...]:
        return tuple(weight.name for weight in self.weights)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def num_weights(self) -> int:
        return len(self.weights)

    @property
    def num_features(self) -> int:
        return len(self.features)

    @property
    def num_bits(self) -> int:
        """K: output bits of a step, those that are not post-selected."""
        return self.num_clbits - len(self.postselected)

    @property
    def num_clbits(self) -> int:
        """All classical bits of a step."""
        return int(self.circuit.num_clbits)

    def tape(self, expressions: Sequence[ParameterExpression]) -> Tape:
        """Compile angles of this cell's parameters."""
        return compile_tape(expressions, self.weight_names, self.feature_names, self.encodings)

    @property
    def digest(self) -> str:
        """SHA-256 of the cell as OpenQASM 3 text: equal for equal cells, whatever their origin."""
        from qrnn_qiskit.circuit.export import canonical_text

        return hashlib.sha256(canonical_text(self).encode()).hexdigest()


@final
@dataclass(frozen=True, slots=True)
class _Roles:
    """Parameters of a circuit by name, to hand out to roles."""

    by_name: Mapping[str, Parameter]
    cell: str

    @staticmethod
    def of(circuit: QuantumCircuit, last: QuantumCircuit, cell: str) -> _Roles:
        return _Roles({p.name: p for c in (circuit, last) for p in c.parameters}, cell)

    def take(
        self,
        role: str,
        given: Sequence[Parameter | str] | None,
        metadata: Mapping[str, Sequence[str]],
    ) -> tuple[Parameter, ...]:
        chosen = given if given is not None else metadata.get(role)
        if chosen is None:
            if not self.by_name:
                return ()
            raise CellError(
                f"cell {self.cell!r}: say which parameters are {role}: "
                f"Cell.from_circuit(circuit, weights=[...], features=[...]), or lists of names "
                f"in circuit.metadata[{role!r}]; parameters: {', '.join(self.by_name)}"
            )
        # A declared parameter that no gate uses keeps its place in the order.
        return tuple(
            p if isinstance(p, Parameter) else self.by_name.get(p, Parameter(p)) for p in chosen
        )


def _bits_of(circuit: QuantumCircuit, registers: Sequence[str], cell: str) -> tuple[int, ...]:
    known = {register.name: register for register in circuit.cregs}
    for name in registers:
        if name not in known:
            raise CellError(
                f"cell {cell!r}: postselected names {name!r}, which is no classical register; "
                f"there are {', '.join(known) or 'none'}"
            )
    return tuple(sorted({circuit.find_bit(bit).index for n in registers for bit in known[n]}))


def _check_registers(cell: Cell) -> None:
    for register in cell.circuit.qregs:
        if register.name not in REGISTERS:
            raise CellError(
                f"cell {cell.name!r}: quantum register {register.name!r} has no role; "
                "use io (measured), hidden (memory) and, where needed, ancilla"
            )
    names = [register.name for register in cell.circuit.qregs]
    if "io" not in names:
        raise CellError(
            f"cell {cell.name!r}: there is no quantum register io; inputs are written to it and "
            "outputs measured from it: declare qubit[1] io"
        )
    in_registers = sum(register.size for register in cell.circuit.qregs)
    if in_registers != cell.circuit.num_qubits:
        raise CellError(
            f"cell {cell.name!r}: {cell.circuit.num_qubits - in_registers} qubit(s) are in no "
            "register; declare them as qubit[1] io or qubit[1] hidden"
        )
    if cell.last.qubits != cell.circuit.qubits or cell.last.clbits != cell.circuit.clbits:
        raise CellError(
            f"cell {cell.name!r}: the operations of the last step must use the cell's own registers"
        )


def _check_operations(cell: Cell) -> None:
    measured = set()
    for item in [*cell.circuit.data, *cell.last.data]:
        operation = item.operation
        if isinstance(operation, ControlFlowOp):
            raise CellError(
                f"cell {cell.name!r}: {operation.name!r} is not supported in a cell; a gate "
                "conditioned on a measured bit equals the same gate controlled by the qubit, "
                "placed before its measurement: write cx io[0], hidden[0] instead of "
                "if (readout[0]) x hidden[0]"
            )
        if isinstance(operation, Measure):
            measured.update(item.clbits)
        elif (
            isinstance(operation, Instruction)
            and not isinstance(operation, Gate | Reset | Delay)
            and operation.name != "barrier"
        ):
            raise CellError(
                f"cell {cell.name!r}: {operation.name!r} is not supported in a cell; use gates, "
                "measure, reset, barrier and delay"
            )
        elif (
            isinstance(operation, Gate)
            and operation.definition is None
            and not hasattr(operation, "__array__")
            and not is_parametrized(operation)
        ):
            raise CellError(
                f"cell {cell.name!r}: gate {operation.name!r} has neither a definition nor a "
                "matrix: give it a definition by known gates"
            )
    if not measured:
        raise CellError(
            f"cell {cell.name!r} measures nothing, so it has no output: add "
            "bit[1] readout; and readout[0] = measure io[0]; (then reset io[0];)"
        )
    if not cell.num_bits:
        raise CellError(
            f"cell {cell.name!r}: all classical bits are post-selected, so it has no output: "
            "measure an output into a register of its own"
        )
    unmeasured = [b for b in cell.circuit.clbits if b not in measured]
    if unmeasured:
        index = cell.circuit.find_bit(unmeasured[0]).index
        raise CellError(
            f"cell {cell.name!r}: classical bit {index} is never measured: remove it or measure "
            "a qubit into it"
        )


def _check_roles(cell: Cell) -> None:
    names = [*cell.weight_names, *cell.feature_names]
    for name in names:
        if names.count(name) > 1:
            raise CellError(f"cell {cell.name!r}: {name!r} is named twice as weight or feature")
    for circuit in (cell.circuit, cell.last):
        for parameter in circuit.parameters:
            if parameter.name not in names:
                raise CellError(
                    f"cell {cell.name!r}: parameter {parameter.name!r} is neither a weight nor a "
                    "feature: name it in weights=[...] or features=[...]"
                )
    for name, encoding in cell.encodings.items():
        if name not in cell.feature_names:
            raise CellError(f"cell {cell.name!r}: encoding of {name!r}, which is not a feature")
        if encoding not in ENCODINGS:
            raise CellError(
                f"cell {cell.name!r}: encoding {encoding!r} of {name!r} is unknown; "
                f"known: {', '.join(ENCODINGS)}"
            )
