"""Parts of a circuit that have nothing to do with one another, such as tiles side by side."""

from __future__ import annotations

from typing import Any, TypeAlias

from qiskit.circuit import CircuitInstruction, QuantumCircuit

Bit: TypeAlias = Any  # a Qubit or a Clbit


def components(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """Circuits that together do what one circuit does; itself alone if it is in one piece.

    Each acts on the qubits of the whole and has some of its classical registers. Idle qubits are
    left out; a barrier ties nothing together, and is left out of circuits in several pieces.
    """
    data = [item for item in circuit.data if item.operation.name != "barrier"]
    groups = _groups(circuit, data)
    numbers = {root: i for i, root in enumerate(dict.fromkeys(groups.values()))}
    used = dict.fromkeys(numbers[groups[item.qubits[0]]] for item in data if item.qubits)
    if len(used) < 2:
        return [circuit]
    found = []
    for number in used:
        part = QuantumCircuit(*circuit.qregs, name=circuit.name)
        part.add_bits([q for q in circuit.qubits if q not in set(part.qubits)])
        for register in circuit.cregs:
            if register.size and numbers[groups[register[0]]] == number:
                part.add_register(register)
        part.add_bits(
            [
                bit
                for bit in circuit.clbits
                if numbers.get(groups[bit]) == number and bit not in set(part.clbits)
            ]
        )
        for item in data:
            if item.qubits and numbers[groups[item.qubits[0]]] == number:
                part.append(item)
        found.append(part)
    return found


def _groups(circuit: QuantumCircuit, data: list[CircuitInstruction]) -> dict[Bit, Bit]:
    """One bit of its group for each bit: those that an instruction or a register joins."""
    parent: dict[Bit, Bit] = {bit: bit for bit in (*circuit.qubits, *circuit.clbits)}

    def root(bit: Bit) -> Bit:
        while parent[bit] is not bit:
            parent[bit] = parent[parent[bit]]
            bit = parent[bit]
        return bit

    def join(bits: list[Bit]) -> None:
        for bit in bits[1:]:
            parent[root(bit)] = root(bits[0])

    for register in circuit.cregs:
        join(list(register))
    for item in data:
        join([*item.qubits, *item.clbits])
    return {bit: root(bit) for bit in parent}
