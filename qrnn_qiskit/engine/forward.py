"""Exact outputs of a program for a batch of rows.

Axes: R rows, A angles, T steps, K output values per step.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from qrnn_qiskit.engine.layers import layered_of, suit
from qrnn_qiskit.engine.plan import MEMORY_LIMIT, TooMuchMemory, chunks, halves, padded
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.steps.chain import Chain
from qrnn_qiskit.engine.steps.cut import Steps, steps_of
from qrnn_qiskit.engine.steps.cut import suit as suit_steps
from qrnn_qiskit.engine.sweep import Sweep
from qrnn_qiskit.engine.tape import Tape, tape_of
from qrnn_qiskit.engine.vectors.evaluate import pure_outputs, vectors_of
from qrnn_qiskit.engine.vectors.lower import Lowered
from qrnn_qiskit.engine.workspace import Workspace
from qrnn_qiskit.estimate import Array

Kind = Literal["z", "probabilities"]
FLOAT = 8
# Least number of qubits at which state vectors are used where they can be.
VECTOR_QUBITS = 4


def outputs(
    program: Program, angles: Array, *, kind: Kind = "z", memory_limit: int = MEMORY_LIMIT
) -> Array:
    """Expectation values of the recorded bits, readout errors included.

    Args:
        program: the circuit.
        angles: `[R, A]` in rad.
        kind: `"z"` for <Z> = P(0) - P(1) of each output bit, `[R, T, K]`; `"probabilities"` for
            the joint distribution of the output bits of each step, `[R, T, 2^K]`, bit k of weight
            2^k. With post-selection these are raw values, one more for each step: the expectation
            of the output times kept, then the probability of kept.
        memory_limit: bytes to stay within (64 MiB and more are best); rows are worked on in
            chunks, which leaves every bit of the result as it is, unless they are so small that
            a block of 8 rows does not fit.

    Raises:
        DataError: where the angles do not fit the program or are not finite.
        BackendError: where the memory limit is too small for one row.
    """
    angles = program.checked(angles)
    vectors = vectors_for(program, angles)
    if vectors is not None:
        return pure_outputs(program, vectors, angles, outcome_weights(program, kind), memory_limit)
    tape = tape_for(program, kind)
    rows = angles.shape[0]
    steps = steps_for(program, kind, rows, memory_limit)
    if steps is not None:
        return finished(program, tape, Chain(steps, angles).forward(tape.start), kind)
    records = np.empty((tape.start.size, rows))
    if in_layers(program, kind, rows, memory_limit):
        layered = layered_of(program)
        with layered.pool.borrow(Sweep, padded(rows), lambda n: Sweep(layered, n)) as sweep:
            sweep.load(angles)
            records = sweep.forward(tape.start)[:, :rows]
        return finished(program, tape, records, kind)
    try:
        planned = forward_chunks(tape, rows, memory_limit)
    except TooMuchMemory:
        if rows == 1:
            raise
        parts = [angles[part] for part in halves(rows)]
        return np.concatenate(
            [outputs(program, part, kind=kind, memory_limit=memory_limit) for part in parts]
        )
    for chunk in planned:
        part = angles[chunk]
        size = padded_part(rows, part)
        noted = np.repeat(tape.start[:, None], size, axis=1)
        with tape.pool.borrow(Workspace, size, lambda n: Workspace(tape, n)) as space:
            space.load(part)
            space.start()
            space.forward(tape.entries, noted)
        records[:, chunk] = noted[:, : part.shape[0]]
    return finished(program, tape, records, kind)


def vectors_for(program: Program, angles: Array) -> Lowered | None:
    """The form for state vectors, where the state stays pure and they are worth it."""
    return vectors_of(program, angles) if program.num_qubits >= VECTOR_QUBITS else None


def steps_for(program: Program, kind: Kind, rows: int, memory_limit: int) -> Steps | None:
    """The form in stretches, where it is the fastest for so many rows."""
    if joint(program, kind) or not suit_steps(program, rows, memory_limit):
        return None
    return steps_of(program)


def outcome_weights(program: Program, kind: Kind) -> Array:
    """`[2^K, K']` what each output is for each outcome of a step's output bits."""
    num_bits = len(program.outputs)
    outcomes = np.arange(2**num_bits)
    signs = 1.0 - 2.0 * ((outcomes[:, None] >> np.arange(num_bits)) & 1)
    weights = np.asarray(signs, dtype=np.float64)
    if kind == "probabilities":
        weights = np.eye(2**num_bits)
    if program.postselected:
        weights = np.concatenate([weights, np.ones((2**num_bits, 1))], axis=1)
    return weights


def in_layers(program: Program, kind: Kind, rows: int, memory_limit: int) -> bool:
    """Whether to work in layers; joint probabilities are worked out gate by gate."""
    return not joint(program, kind) and suit(program, rows, memory_limit)


def joint(program: Program, kind: Kind) -> bool:
    """Whether outputs are joint probabilities; those of one bit follow from its mean."""
    return kind == "probabilities" and len(program.outputs) > 1


def tape_for(program: Program, kind: Kind) -> Tape:
    """The tape whose records give the outputs."""
    return tape_of(program, joint=joint(program, kind))


def padded_part(rows: int, part: Array) -> int:
    """Rows of the arrays for a part of all rows; a single row stands alone only if it is all."""
    return 1 if rows == 1 else padded(max(part.shape[0], 2))


def state_bytes(tape: Tape) -> int:
    """Bytes of one row's state at its widest."""
    return FLOAT * max(tape.leads) << 2 * tape.num_qubits


def forward_chunks(tape: Tape, rows: int, memory_limit: int) -> list[slice]:
    """Rows to propagate at a time."""
    state = state_bytes(tape)
    per_row = 4 * state + FLOAT * (5 * tape.num_angles + 2 * tape.start.size)
    return chunks(
        rows, state, per_row, memory_limit, f"a density matrix of {tape.num_qubits} qubits"
    )


def finished(program: Program, tape: Tape, records: Array, kind: Kind) -> Array:
    """Outputs `[R, T, K']` from records `[slots, R]`."""
    width = len(records) // program.num_steps
    values = np.ascontiguousarray(records.T).reshape(-1, program.num_steps, width)
    trace = values[..., -1:] if program.postselected else np.ones(1)
    if joint(program, kind):
        if program.postselected:
            values = np.concatenate([values, values.sum(axis=2, keepdims=True)], axis=2)
        return values
    offset, scale = (a.reshape(values.shape[1:]) for a in (tape.offset, tape.scale))
    values = offset * trace + scale * values
    if kind == "probabilities":
        z, after = values[..., :1], values[..., 1:]
        values = np.concatenate([(trace + z) / 2.0, (trace - z) / 2.0, after], axis=2)
    return values


def pulled_back(program: Program, tape: Tape, cotangent: Array, kind: Kind) -> Array:
    """dL/d(records) `[slots, R]` from dL/d(outputs) `[R, T, K']`."""
    rows, steps = cotangent.shape[:2]
    if joint(program, kind):
        slopes = cotangent[..., :-1] + cotangent[..., -1:] if program.postselected else cotangent
        return np.ascontiguousarray(slopes.reshape(rows, tape.start.size).T)
    by_trace = np.zeros((rows, steps))
    if kind == "probabilities":
        zero, one, after = np.split(cotangent, [1, 2], axis=2)
        by_trace += ((zero + one) / 2.0)[..., 0]
        cotangent = np.concatenate([(zero - one) / 2.0, after], axis=2)
    offset, scale = (a.reshape(cotangent.shape[1:]) for a in (tape.offset, tape.scale))
    slopes = cotangent * scale
    if program.postselected:
        slopes[..., -1] += by_trace + (cotangent * offset).sum(axis=2)
    return np.ascontiguousarray(slopes.reshape(rows, tape.start.size).T)
