"""What is read off the state for the outputs, one marginal at a time.

Records of a step are <Z> of its K output bits; with post-selection they belong to the state that is
not normalised, and its trace comes after them.
"""

from __future__ import annotations

from typing import final

import numpy as np

from qrnn_qiskit.engine.program import Program, Reset
from qrnn_qiskit.engine.simplify import Dephase, Outcome, Select
from qrnn_qiskit.estimate import Array


@final
class Readings:
    """Slots of the records, filled along the way; each reading is (component, slot).

    Attributes:
        start: `[slots]` records where nothing is measured.
        offset, scale: `[slots]` an output is offset * trace + scale * record.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.width = len(program.outputs) + bool(program.postselected)
        self.start = np.ones(program.num_steps * self.width)
        self.offset: Array = np.zeros(self.start.size)
        self.scale: Array = np.ones(self.start.size)
        self._place = {bit: k for k, bit in enumerate(program.outputs)}
        self._read: set[int] = set()
        self._step = 0

    def read(self, outcome: Outcome) -> tuple[Dephase | Reset | Select, list[tuple[int, int]]]:
        """What a measurement does to the state, and the readings right before it."""
        readings = self._before(outcome.step) if self.program.postselected else []
        if outcome.bit in self.program.postselected:
            return Select(outcome), readings
        slot = outcome.step * self.width + self._place[outcome.bit]
        self._read.add(slot)
        false_one, false_zero = outcome.flip
        self.offset[slot] = false_zero - false_one
        self.scale[slot] = 1.0 - false_zero - false_one
        readings.append((3 * 4 ** (self.program.num_qubits - 1 - outcome.qubit), slot))
        return Reset(outcome.qubit) if outcome.reset else Dephase(outcome.qubit), readings

    def rest(self) -> list[tuple[int, int]]:
        """The readings at the end."""
        return self._before(self.program.num_steps) if self.program.postselected else []

    def _before(self, step: int) -> list[tuple[int, int]]:
        """The traces of all steps before one; bits never measured are 0, so they read it too."""
        slots = range(self._step * self.width, max(step, self._step) * self.width)
        self._step = max(step, self._step)
        return [(0, slot) for slot in slots if slot not in self._read]
