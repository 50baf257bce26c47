"""Rows beside their base rows, against the same rows run from beginning to end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qrnn_qiskit.engine import shifted
from qrnn_qiskit.engine.forward import outputs
from qrnn_qiskit.engine.program import Measure, Program, Rotation
from qrnn_qiskit.engine.shifted import shifted_outputs
from tests.unit.engine.dense import random_angles
from tests.unit.engine.test_forward import noisy_program


@pytest.mark.parametrize(("num_bits", "postselected"), [(1, ()), (2, ()), (2, (0,))])
@pytest.mark.parametrize("memory", [2**30, 2**16 * 10])
def test_every_angle_shifted(
    num_bits: int, postselected: tuple[int, ...], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifted, "ENOUGH", 0)
    program = replace(noisy_program(num_steps=5, num_bits=num_bits), postselected=postselected)
    base = random_angles(program, 2, 4)
    shifts = np.eye(program.num_angles)[None] * np.array([np.pi / 2, -np.pi / 2])[:, None, None]
    rows = (base[:, None, None, :] + shifts).reshape(-1, program.num_angles)
    base_of = np.repeat([0, 1], 2 * program.num_angles)
    # Rows that are the base row, that differ everywhere, or in two stretches.
    more = np.concatenate([base, random_angles(program, 2, 5), base[1:]])
    more[4, [0, -1]] += 0.3
    rows, base_of = np.concatenate([rows, more]), np.concatenate([base_of, [0, 1, 0, 1, 1]])
    order = np.random.default_rng(1).permutation(len(rows))
    found = shifted_outputs(program, base, rows[order], base_of[order], memory_limit=memory)
    np.testing.assert_allclose(found, outputs(program, rows[order]), rtol=0, atol=1e-12)


def test_no_rows_and_no_rotations() -> None:
    program = Program(1, 2, 1, 1, (Rotation("X", (0,), 0), Measure(0, 0, 0)))
    none = np.empty(0, dtype=np.intp)
    assert shifted_outputs(program, np.zeros((1, 1)), np.empty((0, 1)), none).shape == (0, 2, 1)
    still = Program(1, 2, 1, 0, ())
    found = shifted_outputs(still, np.empty((1, 0)), np.empty((9, 0)), np.zeros(9, dtype=np.intp))
    np.testing.assert_array_equal(found, np.ones((9, 2, 1)))
