"""Packed bits: what is kept, and the outputs computed from it."""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.execution import bits as bits_module
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from tests.reference import Bits, joint_moments, raw_values

Measured = NDArray[np.uint8]


def measured(count: list[int], num_steps: int, num_bits: int) -> tuple[Measured, PackedBits]:
    random = np.random.default_rng(7)
    bits = random.integers(0, 2, (sum(count), num_steps, num_bits), dtype=np.uint8)
    return bits, PackedBits.from_bits(bits, np.array(count))


def values(bits: Measured, kind: OutputKind) -> NDArray[np.float64]:
    """Outputs of each shot `[N, T * width]`, bit by bit."""
    if kind == "z":
        return np.where(bits, -1.0, 1.0).reshape(len(bits), -1)
    shots, steps, width = bits.shape
    indicator = np.zeros((shots, steps, 2**width))
    for s in range(shots):
        for t in range(steps):
            indicator[s, t, sum(int(bits[s, t, k]) << k for k in range(width))] = 1.0
    return indicator.reshape(shots, -1)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 3))
def test_bits_come_back(count: list[int], num_steps: int, num_bits: int) -> None:
    bits, packed = measured(count, num_steps, num_bits)
    assert packed.packed.shape == (sum(count), -(-num_steps * num_bits // 8))
    assert np.array_equal(packed.unpack(slice(None)), bits)
    again = PackedBits.from_bytes(packed.to_bytes())
    assert np.array_equal(again.unpack(slice(None)), bits)
    assert again.count.tolist() == count
    assert (again.num_steps, again.num_bits) == (num_steps, num_bits)


@pytest.mark.parametrize("kind", ["z", "probabilities"])
@pytest.mark.parametrize("chunk_bytes", [64 << 20, 1, 700])
def test_mean_and_covariance_of_each_row(
    kind: OutputKind, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The covariance of one shot, steps and bits together, whatever the chunks."""
    monkeypatch.setattr(bits_module, "CHUNK_BYTES", chunk_bytes)
    count = [40, 40, 7, 40, 2]
    bits, packed = measured(count, 3, 2)
    outputs = packed.outputs(kind)
    assert outputs.count is not None
    assert outputs.covariance is not None
    assert outputs.count.tolist() == count
    start = 0
    for row, shots in enumerate(count):
        of_row = values(bits[start : start + shots], kind)
        start += shots
        assert outputs.mean[row].ravel() == pytest.approx(of_row.mean(axis=0), abs=1e-15)
        assert outputs.covariance[row] == pytest.approx(np.cov(of_row.T), abs=1e-14)
    assert outputs.mean.shape == (5, 3, 2 if kind == "z" else 4)


@pytest.mark.parametrize("kind", ["z", "probabilities"])
@pytest.mark.parametrize("postselected", [(0,), (1,), (0, 2)])
def test_raw_values_of_post_selected_bits(kind: OutputKind, postselected: tuple[int, ...]) -> None:
    """Each value times kept, then kept; with their covariance."""
    bits, _ = measured([30, 12], 3, 3)
    packed = PackedBits.from_bits(bits, np.array([30, 12]), postselected)
    packed = PackedBits.from_bytes(packed.to_bytes())
    outputs = packed.outputs(kind)
    for row, part in enumerate((bits[:30], bits[30:])):
        joint: dict[Bits, float] = {}
        for shot in part.reshape(len(part), -1).tolist():
            joint[tuple(shot)] = joint.get(tuple(shot), 0.0) + 1.0 / len(part)
        expected = raw_values(joint, (3, 3), postselected, kind)
        assert outputs.mean[row] == pytest.approx(expected, abs=1e-14)
    assert outputs.covariance is not None
    kept = np.all(bits[:30, :2][:, :, list(postselected)] == 0, axis=(1, 2))
    width = outputs.mean.shape[2]
    assert outputs.covariance[0, 2 * width - 1, 2 * width - 1] == pytest.approx(
        np.var(kept, ddof=1)
    )


def test_one_shot_has_a_mean_and_no_spread() -> None:
    _, packed = measured([1], 2, 1)
    outputs = packed.outputs()
    assert outputs.covariance is not None
    assert set(np.abs(outputs.mean.ravel())) == {1.0}
    assert not outputs.covariance.any()


def test_the_spread_is_the_unbiased_one() -> None:
    """Averaged over all samples of 3 shots from four outcomes it is the covariance itself."""
    outcomes = np.array([[0, 0], [0, 1], [1, 1], [0, 0]], dtype=np.uint8)
    found = np.zeros((2, 2))
    for index in np.ndindex(4, 4, 4):
        packed = PackedBits.from_bits(outcomes[list(index)][:, :, None], np.array([3]))
        covariance = packed.outputs().covariance
        assert covariance is not None
        found += covariance[0] / 64
    joint: dict[Bits, float] = {(0, 0): 0.5, (0, 1): 0.25, (1, 1): 0.25}
    assert found == pytest.approx(joint_moments(joint)[1], abs=1e-14)


class Trap:
    """Runs where it is unpickled."""

    sprung: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Trap, "sprung", True)


def stranger(compressed: bool = False, **changes: Any) -> bytes:
    """Outcomes as a run keeps them, but for some changes."""
    buffer = io.BytesIO()
    arrays = {
        "packed": np.zeros((6, 1), np.uint8),
        "count": np.array([3, 3]),
        "shape": np.array([2, 1]),
        **changes,
    }
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def test_recorded_outcomes_are_read_whoever_wrote_them() -> None:
    assert PackedBits.from_bytes(stranger()).unpack(slice(None)).shape == (6, 2, 1)


@pytest.mark.parametrize(
    "data",
    [
        stranger(packed=np.array([Trap()], dtype=object)),
        stranger(shape=np.array([Trap()], dtype=object)),
        pickle.dumps(Trap()),
        stranger(compressed=True, packed=np.zeros((1 << 20, 1), np.uint8)),
        stranger(packed=np.zeros((5, 1), np.uint8)),
        stranger(packed=np.zeros((6, 2), np.uint8)),
        stranger(packed=np.zeros((6, 1))),
        stranger(shape=np.array([1 << 40, 1])),
        stranger(shape=np.array([0, 0])),
        stranger(count=np.array([1 << 40])),
        b"PK",
        b"",
    ],
)
def test_nothing_that_a_stranger_puts_there_runs_or_fills_the_memory(data: bytes) -> None:
    with pytest.raises(RunError, match="recorded outcomes are damaged"):
        PackedBits.from_bytes(data)
    assert not Trap.sprung
