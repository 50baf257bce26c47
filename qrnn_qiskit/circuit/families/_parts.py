"""What several families share: types of options, and weights numbered as they are used."""

from __future__ import annotations

from typing import Annotated, final

from pydantic import Field
from qiskit.circuit import Parameter, QuantumCircuit, Qubit

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]


@final
class Weights(list[Parameter]):
    """The weights of a cell, `theta_0`, `theta_1`, … in the order of their making."""

    def new(self) -> Parameter:
        """The next weight."""
        self.append(Parameter(f"theta_{len(self)}"))
        return self[-1]


def rotate(circuit: QuantumCircuit, qubit: Qubit, axes: str, weights: Weights) -> None:
    """Rotations of a qubit about `axes` in order of time, such as `"xzx"`, a new weight each."""
    for axis in axes:
        getattr(circuit, f"r{axis}")(weights.new(), qubit)


def interleaved(io: list[Qubit], hidden: list[Qubit]) -> list[Qubit]:
    """Both kinds in turn along a line, `hidden` first; what is left over of one comes last."""
    common = min(len(io), len(hidden))
    line = [qubit for pair in zip(hidden, io, strict=False) for qubit in pair]
    return [*line, *hidden[common:], *io[common:]]
