"""A job's work in one form for all programs: circuits, rows of angles, shots."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit

Bits: TypeAlias = NDArray[np.bool_]
"""Of one register: `[*shape, S, bits]`, lowest bit first."""
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@final
@dataclass(frozen=True)
class Values:
    """Angles of an item, and arrays that go into its result as they are.

    Attributes:
        angles: `[*shape, A]`, columns in the order of `circuit.parameters`.
        extra: by name.
    """

    angles: NDArray[np.float64]
    extra: Arrays


@final
@dataclass(frozen=True)
class Item:
    """One circuit with its rows.

    Attributes:
        circuit: an ISA circuit on the device's qubits.
        shots: of each row.
        shape: of the rows.
        content: what the rows are made from, for the seed.
        values: makes the rows; twirling draws from the generator.
    """

    circuit: QuantumCircuit
    shots: int
    shape: tuple[int, ...]
    content: Arrays
    values: Callable[[np.random.Generator], Values]

    @property
    def executions(self) -> int:
        """Rows × shots."""
        return int(np.prod(self.shape, dtype=int)) * self.shots


Encode: TypeAlias = Callable[[Sequence[Arrays], datetime, datetime], str]
"""(registers and extra arrays of each item, start, stop) to the text of the result."""


@final
@dataclass(frozen=True)
class Program:
    """The work of one job.

    Attributes:
        items: circuits and rows.
        rep_delay: seconds between executions; None for the device's default.
        encode: writes the results as the client reads them.
        notes: lines for the job's log: what was asked and is not emulated.
    """

    items: tuple[Item, ...]
    rep_delay: float | None
    encode: Encode
    notes: tuple[str, ...] = ()


def content_seed(program: Program, backend: str, seed: int) -> int:
    """Seed of a job: the same work on the same device gives the same shots, in any process.

    Names of circuits, identities of parameter objects and tags are left out: they differ from one
    process to the next.

    Args:
        program: the work.
        backend: the device.
        seed: of the service.
    """
    digest = hashlib.blake2b(f"{seed} {backend}".encode(), digest_size=8)
    for item in program.items:
        lines = "\n".join(circuit_lines(item.circuit))
        digest.update(f"{item.shots} {item.shape}\n{lines}".encode())
        for name, array in sorted(item.content.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return int.from_bytes(digest.digest(), "little") >> 2  # leaves room for the rows' own offsets


def circuit_lines(circuit: QuantumCircuit) -> Iterator[str]:
    """All that matters of a circuit, the same in any process."""
    registers = [(register.name, register.size) for register in circuit.cregs]
    names = [parameter.name for parameter in circuit.parameters]
    yield json.dumps([circuit.num_qubits, circuit.num_clbits, registers, names])
    for entry in circuit.data:
        operation = entry.operation
        qubits = [circuit.find_bit(q).index for q in entry.qubits]
        clbits = [circuit.find_bit(c).index for c in entry.clbits]
        blocks = [p for p in operation.params if isinstance(p, QuantumCircuit)]
        numbers = [str(p) for p in operation.params if not isinstance(p, QuantumCircuit)]
        condition = str(getattr(operation, "condition", None))
        yield json.dumps([operation.name, numbers, qubits, clbits, condition])
        for block in blocks:
            yield from circuit_lines(block)
