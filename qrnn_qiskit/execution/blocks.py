"""A request cut into blocks of rows and shots, and put together again from their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import JobError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.gradients.plan import EvaluationPlan


class BadResult(JobError):
    """Results that arrived damaged, or not in the shape that was asked for.

    Attributes:
        empty: whether nothing arrived at all.
    """

    def __init__(self, text: str, *, empty: bool = False) -> None:
        super().__init__(text)
        self.empty = empty


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Rows and shots of a request that travel in one QPU job.

    Rows are counted with their repeats: a row with three repeats stands three times in a row.
    Shots are counted in executions: where n tiles share a device, each execution brings n.

    Attributes:
        start, stop: rows.
        first_shot: of each row, counted in the request's shots over the tiles.
        shots: of each row.
    """

    start: int
    stop: int
    first_shot: int
    shots: int

    @property
    def executions(self) -> int:
        return (self.stop - self.start) * self.shots

    def halves(self) -> tuple[Block, Block] | None:
        """The block cut in two, by rows or else by shots; None if there is nothing to cut."""
        if self.stop - self.start > 1:
            middle = (self.start + self.stop) // 2
            return (
                Block(self.start, middle, self.first_shot, self.shots),
                Block(middle, self.stop, self.first_shot, self.shots),
            )
        if self.shots > 1:
            first = self.shots // 2
            return (
                Block(self.start, self.stop, self.first_shot, first),
                Block(self.start, self.stop, self.first_shot + first, self.shots - first),
            )
        return None


def cut(
    rows: int, shots: int, *, max_rows: int, max_shots: int, max_executions: int
) -> list[Block]:
    """Blocks that cover `rows` × `shots` within the limits, alike in size as far as possible."""
    parts = -(-shots // min(max_shots, max_executions))
    blocks = []
    first = 0
    for i in range(parts):
        size = shots // parts + (i < shots % parts)
        count = -(-rows // max(1, min(max_rows, max_executions // size)))
        borders = [rows * j // count for j in range(count + 1)]
        blocks += [Block(start, stop, first, size) for start, stop in pairwise(borders)]
        first += size
    return blocks


def block_angles(
    unrolled: UnrolledCircuit, plan: EvaluationPlan, columns: Index, block: Block
) -> Array:
    """Parameter values `[stop - start, A]` of a block's rows."""
    rows = np.repeat(np.arange(plan.num_rows), plan.repeats)[block.start : block.stop]
    low, high = int(rows[0]), int(rows[-1]) + 1
    values: Array = plan.angles(unrolled.angle_map, slice(low, high))[:, columns]
    return values if len(values) == len(rows) else values[rows - low]


def assemble(
    plan: EvaluationPlan, shots: int, parts: Sequence[tuple[Block, PackedBits]]
) -> PackedBits:
    """The outcomes of a request from those of its blocks.

    Raises:
        BadResult: if the blocks do not cover the request exactly once.
    """
    first = parts[0][1]
    count = plan.repeats * shots
    total = plan.total_repeats
    if len(parts) == 1 and len(first.packed) == total * shots:
        return replace(first, count=count)
    tiles = len(first.packed) // parts[0][0].executions
    packed = np.empty((total, tiles, shots // tiles, first.packed.shape[1]), dtype=np.uint8)
    covered = np.zeros((total, shots // tiles), dtype=bool)
    for block, bits in parts:
        rows, own = slice(block.start, block.stop), _shots_of(block)
        shape = block.stop - block.start, tiles, block.shots, -1
        packed[rows, :, own] = bits.packed.reshape(shape)
        covered[rows, own] ^= True
    if not covered.all():
        raise BadResult("the blocks of a request do not cover its rows and shots")
    flat = packed.reshape(total * shots, -1)
    return replace(first, packed=flat, count=count)


def _shots_of(block: Block) -> slice:
    return slice(block.first_shot, block.first_shot + block.shots)
