"""Outputs of a program whose state stays pure, and their derivatives; see `forward` and `reverse`.

Axes: R rows, A angles, T steps, K output bits of a step, K' output values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final
from weakref import WeakKeyDictionary

import numpy as np

from qrnn_qiskit.engine.plan import TooMuchMemory
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.vectors.entries import State
from qrnn_qiskit.engine.vectors.lower import Lowered, lowered
from qrnn_qiskit.engine.vectors.run import Piece, Run, pieces_of, size_of
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Array

# Bytes of one state of all rows: more rows at a time than that gain nothing.
_STATE: Final = 2**21
# Components of a piece, where memory allows them.
_PIECE: Final = 2**22
# Ways of cutting to remember for each program.
_CUTS: Final = 4
# Least power of two of a probability; what is less likely is given as if it were about that.
LEAST_EXPONENT: Final = -500
# Angles may be off a multiple of pi by this.
_MULTIPLE: Final = 1e-12

_LOWERED: WeakKeyDictionary[Program, tuple[Lowered | None]] = WeakKeyDictionary()
_PIECES: WeakKeyDictionary[Lowered, dict[int, list[Piece]]] = WeakKeyDictionary()


def stays_pure(program: Program) -> bool:
    """Whether a state vector is enough for exact values, at least for angles that allow it."""
    return _lowered_once(program) is not None


def _lowered_once(program: Program) -> Lowered | None:
    if program not in _LOWERED:
        _LOWERED[program] = (lowered(program),)
    return _LOWERED[program][0]


def vectors_of(program: Program, angles: Array) -> Lowered | None:
    """The program for state vectors, made once; None where its state does not stay pure.

    Args:
        program: the circuit.
        angles: `[R, A]` in rad: those that select must be multiples of pi.
    """
    found = _lowered_once(program)
    if found is None or np.any(np.abs(np.sin(angles[:, found.selecting])) > _MULTIPLE):
        return None
    return found


def pure_outputs(
    program: Program, vectors: Lowered, angles: Array, weights: Array, memory_limit: int
) -> Array:
    """Outputs `[R, T, K']`; arguments as those of `pure_value_and_vjp`."""
    result = np.empty((len(angles), program.num_steps, weights.shape[1]))
    state = _itemsize(vectors) * max((entry.size for entry in vectors.entries), default=1)
    per_row = 2 * state + 8 * (3 * program.num_angles + program.num_steps * (len(weights) + 1))
    for rows in _chunks(len(angles), state, per_row, memory_limit):
        run = _run(program, vectors, angles[rows], weights)
        room = max((memory_limit - per_row * run.rows) // (8 * run.rows), 1)
        for piece in _pieces(vectors, min(1 << (room.bit_length() - 1), _PIECE)):
            run.forward(piece)
        result[rows] = _outputs(run, weights)
    return result


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """How a gradient is cut: rows, pieces of the entries, and whether all states are kept."""

    chunks: list[slice]
    pieces: list[Piece]
    keep: bool


def cuts_for(
    program: Program, vectors: Lowered, rows: int, num_outcomes: int, memory_limit: int
) -> Cuts:
    """Cuts that stay within so many bytes.

    All states are kept where they fit into half of the memory; else those at the start of some
    pieces, and each piece is run once more on the way back.

    Raises:
        TooMuchMemory: where there are none.
    """
    itemsize = _itemsize(vectors)
    state = itemsize * max((entry.size for entry in vectors.entries), default=1)
    total = itemsize * sum(size_of(entry) for entry in vectors.entries)
    work = 6 * state + 8 * (4 * program.num_angles + 3 * program.num_steps * (num_outcomes + 1))
    half = memory_limit // 2
    if rows * total <= half:
        return Cuts(_chunks(rows, state, work, half), _pieces(vectors, total), keep=True)
    # With p pieces, all rows keep p states, and a chunk the states of one piece.
    number = max(1, min(int(np.sqrt(total / state)), half // (2 * state * max(rows, 1))))
    pieces = _pieces(vectors, max(total // itemsize // number, 1))
    if len(pieces) * state * rows > half:
        raise TooMuchMemory(
            f"the gradient of {rows} state vectors of {state / 2**20:.3g} MiB does not fit "
            f"into the memory limit of {memory_limit / 2**30:.3g} GiB: raise it"
        )
    largest = itemsize * max(piece.total for piece in pieces)
    return Cuts(_chunks(rows, state, work + largest, half // 2), pieces, keep=False)


def pure_value_and_vjp(
    program: Program,
    vectors: Lowered,
    angles: Array,
    weights: Array,
    cotangent_of: Callable[[Array], Array],
    cuts: Cuts,
) -> tuple[Array, Array]:
    """Outputs `[R, T, K']` and dL/d(angles) `[R, A]`.

    Args:
        program: the circuit.
        vectors: the same for state vectors.
        angles: `[R, A]` in rad.
        weights: `[2^K, K']`: outputs = probabilities of a step's outcomes times these.
        cotangent_of: dL/d(outputs) for given outputs.
        cuts: see `cuts_for`.

    Raises:
        DataError: where the cotangent does not fit.
    """
    rows, chunks, pieces, keep = len(angles), cuts.chunks, cuts.pieces, cuts.keep
    runs, held = list[Run](), list[list[list[State]]]()
    result = np.empty((rows, program.num_steps, weights.shape[1]))
    for part in chunks:
        run = _run(program, vectors, angles[part], weights)
        kept = list[list[State]]()
        for piece in pieces:
            if keep:
                kept.append(run.kept(piece))
            else:
                kept.append([run.state.copy()])
                run.forward(piece)
        result[part] = _outputs(run, weights)
        runs.append(run)
        held.append(kept)
    cotangent = checked_cotangent(cotangent_of(result), result)
    gradient = np.empty((rows, program.num_angles))
    for part, run, kept in zip(chunks, runs, held, strict=True):
        seeds = np.ascontiguousarray((cotangent[part] @ weights.T).transpose(1, 2, 0))
        seeds = np.ldexp(seeds, _exponents(run)[:, None, :])
        slopes = np.zeros((program.num_angles + 1, run.rows))
        adjoint: State = np.zeros_like(run.state)
        for piece in reversed(pieces):
            states = kept.pop()
            if not keep:
                states = run.kept(piece, states[0])
            adjoint = run.backward(piece, states, adjoint, seeds, slopes)
        gradient[part] = slopes[:-1].T
    return result, gradient


def _run(program: Program, vectors: Lowered, angles: Array, weights: Array) -> Run:
    return Run(vectors.real, vectors.entries, angles, (program.num_steps, len(weights)))


def checked_cotangent(cotangent: Array, mean: Array) -> Array:
    """dL/d(outputs) as float64.

    Raises:
        DataError: where its shape is not that of the outputs.
    """
    cotangent = np.asarray(cotangent, dtype=np.float64)
    if cotangent.shape != mean.shape:
        raise DataError(f"cotangent has shape {cotangent.shape}, but the outputs {mean.shape}")
    return cotangent


def _itemsize(vectors: Lowered) -> int:
    return 8 if vectors.real else 16


def _chunks(rows: int, state: int, per_row: int, limit: int) -> list[slice]:
    """Slices of rows to work on at a time."""
    if per_row > limit:
        raise TooMuchMemory(
            f"a row of a state vector of {state / 2**20:.3g} MiB takes {per_row / 2**30:.3g} GiB, "
            f"but {limit / 2**30:.3g} GiB are left under the memory limit: raise it"
        )
    size = max(1, min(limit // per_row, _STATE // state))
    ends = [*range(0, rows, size), rows]
    return [slice(a, b) for a, b in pairwise(ends)]


def _pieces(vectors: Lowered, most: int) -> list[Piece]:
    known = _PIECES.setdefault(vectors, {})
    if most not in known:
        if len(known) == _CUTS:
            known.clear()
        known[most] = pieces_of(vectors.entries, most)
    return known[most]


def _exponents(run: Run) -> Array:
    return np.maximum(run.exponents, LEAST_EXPONENT)


def _outputs(run: Run, weights: Array) -> Array:
    scaled = np.ldexp(run.probabilities, _exponents(run)[:, None, :])
    outputs: Array = np.einsum("tor,ok->rtk", scaled, weights)
    return outputs
