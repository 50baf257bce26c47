"""What is said about tiles, from outcomes whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.run.service.tile_report import difference, tile_deviations

ROWS, STEPS = 40, 5


def outcomes(probability: np.ndarray, shots: int, seed: int) -> Outputs:
    """Outputs of independent bits, `probability` `[R, T]` of reading 1."""
    random = np.random.default_rng(seed)
    bits = random.random((len(probability), shots, STEPS)) < probability[:, None]
    count = np.full(len(probability), shots)
    flat = bits.reshape(-1, STEPS, 1).astype(np.uint8)
    return PackedBits.from_bits(flat, count).outputs()


def base() -> np.ndarray:
    found: np.ndarray = np.random.default_rng(0).uniform(0.1, 0.9, (ROWS, STEPS))
    return found


@pytest.mark.statistical
def test_a_tile_that_errs_is_found_and_the_others_are_not(seed: int) -> None:
    """One tile of eight reads 1 too often by 0.05: its outputs are off by 0.1."""
    shots = 2000
    tiles = [outcomes(base() + 0.05 * (i == 3), shots, 10 * seed + i) for i in range(8)]
    found = tile_deviations(tiles)
    # Seven eighths of it remain of the difference to the average that it is part of.
    wrong = found[3]
    assert wrong["deviation"] == pytest.approx(0.1 * 7 / 8, abs=5.2 * wrong["standard_error"])
    assert wrong["standard_error"] < 0.01
    for i, tile in enumerate(found):
        assert tile["shot_noise"] == pytest.approx(
            np.sqrt(np.mean(4 * base() * (1 - base())) / shots), rel=0.2
        )
        if i != 3:
            # 0.1 / 8 of the wrong tile is in the average.
            assert tile["deviation"] < 0.03


def test_without_noise_a_deviation_is_the_root_mean_square() -> None:
    mean = np.zeros((4, ROWS, STEPS, 1))
    mean[0] = 0.4
    found = tile_deviations([Outputs(of_tile) for of_tile in mean])
    assert [tile["deviation"] for tile in found] == pytest.approx([0.3, 0.1, 0.1, 0.1])
    assert [tile["shot_noise"] for tile in found] == [0.0] * 4


@pytest.mark.statistical
def test_crosstalk_is_told_from_shot_noise(seed: int) -> None:
    """Equal outputs differ by chance alone; a shift of 0.1 in a few of them does not."""
    alone = outcomes(base(), 1000, seed)
    same = difference(alone, outcomes(base(), 3000, seed + 1000))
    assert same["probability"] > 1e-6
    shifted = base()
    shifted[:4] += 0.1
    other = difference(alone, outcomes(shifted, 3000, seed + 2000))
    assert other["probability"] < 1e-6
    assert other["deviation"] == pytest.approx(0.2 * np.sqrt(4 / ROWS), rel=0.3)


def test_shots_that_all_agree_are_not_certain() -> None:
    zeros = PackedBits.from_bits(np.zeros((20, 1, 1), np.uint8), np.array([20])).outputs()
    once = np.zeros((20, 1, 1), np.uint8)
    once[0] = 1
    one = PackedBits.from_bits(once, np.array([20])).outputs()
    found = difference(zeros, one)
    assert found["largest"] < 3
    assert difference(zeros, zeros)["largest"] == 0.0
