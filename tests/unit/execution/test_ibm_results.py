"""Results of QPU jobs as packed bits."""

from __future__ import annotations

import numpy as np
import pytest

from qrnn_qiskit.execution.backends.ibm_results import packed_bits
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.service import BadResult

ROWS, SHOTS, STEPS, WIDTH = 3, 5, 4, 3
SUFFIXES = ["_tile_0", "_tile_1"]


def registers(shots: int = SHOTS) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    return {
        f"step_{step}{suffix}": random.random((ROWS, shots, WIDTH)) < 0.5
        for step in range(STEPS)
        for suffix in SUFFIXES
    }


@pytest.mark.parametrize("shots", [SHOTS, SHOTS + 2])
def test_bits_are_in_the_order_of_rows_tiles_and_shots(shots: int) -> None:
    found = registers(shots)
    packed = packed_bits(found, (STEPS, WIDTH), SUFFIXES, ROWS, SHOTS)
    bits = PackedBits(packed, np.full(ROWS, 2 * SHOTS), STEPS, WIDTH).unpack(slice(None))
    bits = bits.reshape(ROWS, 2, SHOTS, STEPS, WIDTH)
    for step in range(STEPS):
        for tile, suffix in enumerate(SUFFIXES):
            expected = found[f"step_{step}{suffix}"][:, :SHOTS]
            np.testing.assert_array_equal(bits[:, tile, :, step], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.pop("step_2_tile_1"), "a register is missing"),
        (lambda found: found.update(step_0_tile_0=found["step_0_tile_0"][:, 1:]), "instead of"),
        (lambda found: found.update(step_0_tile_0=found["step_0_tile_0"][1:]), "instead of"),
        (lambda found: found.update(step_0_tile_0=found["step_0_tile_0"][..., 1:]), "instead of"),
        (lambda found: found.update(step_0_tile_0=found["step_0_tile_0"][0]), "instead of"),
    ],
)
def test_other_registers_are_refused(change: object, message: str) -> None:
    found = registers()
    change(found)  # type: ignore[operator]
    with pytest.raises(BadResult, match=message):
        packed_bits(found, (STEPS, WIDTH), SUFFIXES, ROWS, SHOTS)
