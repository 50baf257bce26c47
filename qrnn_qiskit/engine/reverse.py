"""Gradients with respect to all angles by reverse mode: one pass forward, one adjoint pass back.

Axes: R rows, A angles, T steps, K output values per step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.engine.adjoint import AdjointSpace
from qrnn_qiskit.engine.forward import (
    FLOAT,
    Kind,
    finished,
    in_layers,
    outcome_weights,
    outputs,
    padded_part,
    pulled_back,
    state_bytes,
    tape_for,
    vectors_for,
)
from qrnn_qiskit.engine.layers import layered_of
from qrnn_qiskit.engine.plan import MEMORY_LIMIT, ROW_BLOCK, TooMuchMemory, chunks, halves, padded
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.sweep import Sweep
from qrnn_qiskit.engine.tape import Fork, Join, Tape, Turn
from qrnn_qiskit.engine.vectors.evaluate import checked_cotangent, cuts_for, pure_value_and_vjp
from qrnn_qiskit.estimate import Array


def value_and_vjp(
    program: Program,
    angles: Array,
    cotangent_of: Callable[[Array], Array],
    kind: Kind = "z",
    *,
    memory_limit: int = MEMORY_LIMIT,
) -> tuple[Array, Array]:
    """Outputs, and the gradient of a function of them with respect to every angle of every row.

    The state after the last rotation of each run is kept (two rotations are in one run unless a
    measurement, a reset or noise lies between them); within a run, going back undoes the rotations.
    Where that takes too much memory, only the states at the start of some pieces of the tape are
    kept, and each piece is run forward once more.

    Args:
        program: the circuit.
        angles: `[R, A]` in rad.
        cotangent_of: dL/d(outputs) for given outputs, both `[R, T, K']`.
        kind: as for `forward.outputs`.
        memory_limit: bytes to stay within. Where they do for all rows, they leave every bit of
            the result as it is; else rows are worked on in parts, with one more pass forward.

    Returns:
        The outputs `[R, T, K']`, and dL/d(angles) `[R, A]`.

    Raises:
        DataError: where the angles do not fit the program, or the cotangent not the outputs.
        BackendError: where the memory limit is too small for one row.
    """
    angles = program.checked(angles)
    vectors = vectors_for(program, angles)
    if vectors is not None:
        weights = outcome_weights(program, kind)
        try:
            cuts = cuts_for(program, vectors, len(angles), len(weights), memory_limit)
        except TooMuchMemory:
            if len(angles) == 1:
                raise
            return _in_parts(program, angles, cotangent_of, kind, memory_limit)
        return pure_value_and_vjp(program, vectors, angles, weights, cotangent_of, cuts)
    tape = tape_for(program, kind)
    rows = angles.shape[0]
    if in_layers(program, kind, rows, memory_limit):
        return _by_layers(program, tape, angles, cotangent_of, kind)
    try:
        plan = _plan(tape, rows, memory_limit)
    except TooMuchMemory:
        if rows == 1:
            raise
        return _in_parts(program, angles, cotangent_of, kind, memory_limit)
    parts = [angles[chunk] for chunk in plan.chunks]
    records = np.empty((tape.start.size, rows))
    held: list[list[Array]] = []
    for chunk, part in zip(plan.chunks, parts, strict=True):
        size = padded_part(rows, part)
        noted = np.repeat(tape.start[:, None], size, axis=1)
        with tape.pool.borrow(AdjointSpace, size, lambda n: AdjointSpace(tape, n)) as space:
            held.append(_first_pass(tape, plan, space, part, noted))
        records[:, chunk] = noted[:, : part.shape[0]]
    mean = finished(program, tape, records, kind)
    seeds = _seeds(program, tape, mean, cotangent_of, kind)
    gradient = np.empty((rows, program.num_angles))
    for chunk, part, states in zip(plan.chunks, parts, held, strict=True):
        size = padded_part(rows, part)
        padded_seeds = np.zeros((seeds.shape[0], size))
        padded_seeds[:, : part.shape[0]] = seeds[:, chunk]
        with tape.pool.borrow(AdjointSpace, size, lambda n: AdjointSpace(tape, n)) as space:
            transposed = _second_pass(tape, plan, space, part, states, padded_seeds)
        gradient[chunk] = transposed.T[: part.shape[0]]
    return mean, gradient


def _in_parts(
    program: Program,
    angles: Array,
    cotangent_of: Callable[[Array], Array],
    kind: Kind,
    memory_limit: int,
) -> tuple[Array, Array]:
    """All outputs first; then the gradient of half of the rows at a time, with one more pass."""
    mean = outputs(program, angles, kind=kind, memory_limit=memory_limit)
    cotangent = checked_cotangent(cotangent_of(mean), mean)
    gradients = []
    for part in halves(len(angles)):

        def given(_: Array, part: slice = part) -> Array:
            return cotangent[part]

        _, gradient = value_and_vjp(program, angles[part], given, kind, memory_limit=memory_limit)
        gradients.append(gradient)
    return mean, np.concatenate(gradients)


def _by_layers(
    program: Program,
    tape: Tape,
    angles: Array,
    cotangent_of: Callable[[Array], Array],
    kind: Kind,
) -> tuple[Array, Array]:
    rows, layered = angles.shape[0], layered_of(program)
    with layered.pool.borrow(Sweep, padded(rows), lambda n: Sweep(layered, n)) as sweep:
        sweep.load(angles)
        mean = finished(program, tape, sweep.forward(tape.start)[:, :rows], kind)
        seeds = np.zeros((tape.start.size, sweep.rows))
        seeds[:, :rows] = _seeds(program, tape, mean, cotangent_of, kind)
        return mean, np.ascontiguousarray(sweep.backward(seeds)[:rows])


def _seeds(
    program: Program,
    tape: Tape,
    mean: Array,
    cotangent_of: Callable[[Array], Array],
    kind: Kind,
) -> Array:
    """dL/d(records) `[slots, R]`."""
    cotangent = checked_cotangent(cotangent_of(mean), mean)
    return pulled_back(program, tape, cotangent, kind)


@final
@dataclass(frozen=True, slots=True)
class _Plan:
    """Chunks of rows; pieces of the tape; whether the first pass keeps all that is needed."""

    chunks: list[slice]
    pieces: list[slice]
    leads: list[int]
    keep_all: bool


def _first_pass(
    tape: Tape, plan: _Plan, space: AdjointSpace, part: Array, noted: Array
) -> list[Array]:
    """Run forward; returns the states kept: of all runs, or at the start of each piece."""
    forward, kept = space.forward, list[Array]()
    forward.load(part)
    forward.start()
    if plan.keep_all:
        forward.forward(tape.entries, noted, kept)
        return kept
    for piece, lead in zip(plan.pieces, plan.leads, strict=True):
        kept.append(forward.states[lead][0].copy())
        forward.forward(tape.entries[piece], noted)
    return kept


def _second_pass(
    tape: Tape, plan: _Plan, space: AdjointSpace, part: Array, states: list[Array], seeds: Array
) -> Array:
    """Run backward; returns dL/d(angles) `[A, rows]`."""
    gradient = np.zeros((tape.num_angles, space.rows))
    space.forward.load(part)
    space.start()
    if plan.keep_all:
        space.backward(tape.entries, states, seeds, gradient)
        return gradient
    again = np.empty_like(seeds)
    for piece, lead in zip(reversed(plan.pieces), reversed(plan.leads), strict=True):
        kept: list[Array] = []
        space.forward.states[lead][0][...] = states.pop()
        space.forward.forward(tape.entries[piece], again, kept)
        space.backward(tape.entries[piece], kept, seeds, gradient)
    return gradient


def _plan(tape: Tape, rows: int, memory_limit: int) -> _Plan:
    """Half of the memory for what is kept, half for the work on one chunk."""
    state, half = state_bytes(tape), memory_limit // 2
    what = f"the gradient of a density matrix of {tape.num_qubits} qubits"
    work = 8 * state + FLOAT * (6 * tape.num_angles + 3 * tape.start.size)
    whole = chunks(rows, state, work, half, what)
    # Where the tape may be cut: right after the last rotation of a run.
    cuts, leads = [0], [1]
    lead = 1
    kept = 0
    for i, entry in enumerate(tape.entries):
        if isinstance(entry, Fork):
            lead = 2 * entry.lead
        elif isinstance(entry, Join):
            lead = 2 ** (entry.num_axes - len(entry.axes))
        elif isinstance(entry, Turn) and entry.closes:
            cuts.append(i + 1)
            leads.append(lead)
            kept += FLOAT * lead * 4**tape.num_qubits
    if padded(rows) * kept <= half:
        return _Plan(whole, [slice(None)], [1], keep_all=True)
    numbers = [2**i for i in range(len(cuts).bit_length())]
    # As many rows at a time as without checkpoints, if that fits with any number of pieces.
    fitting = (
        number
        for size in (min(padded(rows), whole[0].stop), ROW_BLOCK)
        for number in numbers
        if padded(rows) * state * number <= half and size * (work + 2 * kept // number) <= half
    )
    number = next(fitting, None)
    if number is None:
        raise TooMuchMemory(
            f"{what} for {rows} rows and {len(cuts) - 1} runs of rotations does not fit into "
            f"the memory limit of {memory_limit / 2**30:.3g} GiB: give it fewer rows at a time"
        )
    chosen = [len(cuts) * i // number for i in range(number)]
    ends = [cuts[i] for i in chosen[1:]] + [len(tape.entries)]
    pieces = [slice(cuts[i], end) for i, end in zip(chosen, ends, strict=True)]
    per_row = work + 2 * kept // number
    return _Plan(
        chunks(rows, state, per_row, half, what), pieces, [leads[i] for i in chosen], keep_all=False
    )
