"""Measured bits as they are kept, and the outputs computed from them.

Axes: R rows, N shots of all rows together, T steps, K bits of a step.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.estimate import Array, Outputs

OutputKind = Literal["z", "probabilities"]
CHUNK_BYTES: Final = 2 << 20  # of unpacked values at a time: what a cache holds


@final
@dataclass(frozen=True, slots=True)
class PackedBits:
    """The outcomes of every shot, eight bits to a byte.

    Attributes:
        packed: `[N, ceil(T*K/8)]`, bit (t, k) at position t*K + k, big-endian in each byte; the
            shots of row 0 first, then those of row 1, …
        count: `[R]` shots of each row.
        num_steps: T.
        num_bits: bits of a step.
        postselected: those that are post-selected on 0, ascending; the others are outputs.
        marginal: whether each step was drawn by itself, so that bits of different steps have
            nothing to do with one another.
    """

    packed: NDArray[np.uint8]
    count: NDArray[np.int64]
    num_steps: int
    num_bits: int
    postselected: tuple[int, ...] = ()
    marginal: bool = False

    @staticmethod
    def from_bits(
        bits: NDArray[np.uint8], count: NDArray[np.int64], postselected: tuple[int, ...] = ()
    ) -> PackedBits:
        """Pack `[N, T, bits]` of rows that have `count[R]` shots each."""
        _, steps, width = bits.shape
        packed = np.packbits(bits.reshape(len(bits), -1), axis=1)
        return PackedBits(packed, count, steps, width, postselected)

    def unpack(self, shots: slice) -> NDArray[np.uint8]:
        """All bits `[n, T, bits]` of some shots."""
        flat = np.unpackbits(self.packed[shots], axis=1, count=self.num_steps * self.num_bits)
        return flat.reshape(-1, self.num_steps, self.num_bits)

    def rows(self, rows: slice) -> PackedBits:
        """The outcomes of some rows that follow one another."""
        start, stop, _ = rows.indices(len(self.count))
        first = np.concatenate([[0], np.cumsum(self.count)])
        return replace(
            self, packed=self.packed[first[start] : first[stop]], count=self.count[start:stop]
        )

    def outputs(self, kind: OutputKind = "z", inverse: Array | None = None) -> Outputs:
        """Mean and single-shot covariance of the outputs of each row.

        The covariance of different steps is NaN, for unknown, where shots are marginal; so is
        every error bar that needs it.

        With post-selected bits these are raw values, one more for each step: the output values,
        each times kept, then kept itself, which is 1 if all post-selected bits of this and the
        earlier steps were read 0, else 0.

        Args:
            kind: "z" for 1 - 2 bit, K values a step; "probabilities" for the indicator of each
                joint outcome of a step's bits, 2^K values, bit 0 the least significant.
            inverse: `[T, bits, true, read]` of each bit's assignment matrix: a shot counts with
                weights that undo its readout errors in the mean.
        """
        num_outputs = self.num_bits - len(self.postselected)
        width = num_outputs if kind == "z" else 2**num_outputs
        width += bool(self.postselected)
        size = self.num_steps * width
        mean = np.empty((len(self.count), size))
        covariance = np.empty((len(self.count), size, size))
        first_shot = np.concatenate([[0], np.cumsum(self.count)])
        for start, stop in _chunks(self.count, size):
            shots = slice(first_shot[start], first_shot[stop])
            unpacked = self.unpack(shots)
            values: NDArray[np.generic] = (
                _values(unpacked, kind, self.postselected)
                if inverse is None
                else _weighted(unpacked, kind, self.postselected, inverse)
            )
            values = values.reshape(stop - start, -1, size)
            # Unless they are weighted, values are -1, 0 and 1: single precision adds up this many
            # of them without error.
            number = values.shape[1]
            single = inverse is None and number < 1 << 24
            exact = values.astype(np.float32 if single else np.float64)
            products = np.matmul(exact.transpose(0, 2, 1), exact).astype(np.float64)
            ones = np.ones(number, dtype=exact.dtype)
            found = np.matmul(ones, exact).astype(np.float64) / number
            mean[start:stop] = found
            products -= number * found[:, :, None] * found[:, None, :]
            covariance[start:stop] = products / max(1, number - 1)
        if self.marginal:
            step = np.arange(size) // width
            covariance[:, step[:, None] != step] = np.nan
        return Outputs(mean.reshape(-1, self.num_steps, width), self.count, covariance)

    def to_bytes(self) -> bytes:
        """The bits as npz bytes, without pickle."""
        buffer = io.BytesIO()
        shape = np.array([self.num_steps, self.num_bits, *self.postselected])
        marginal = np.array(self.marginal)
        np.savez(buffer, packed=self.packed, count=self.count, shape=shape, marginal=marginal)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> PackedBits:
        """The bits that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            steps, width, *postselected = (int(v) for v in arrays["shape"])
            packed, count = arrays["packed"], arrays["count"]
            marginal = bool(arrays["marginal"]) if "marginal" in arrays else False
            return PackedBits(packed, count, steps, width, tuple(postselected), marginal)


def _values(
    bits: NDArray[np.uint8], kind: OutputKind, postselected: tuple[int, ...]
) -> NDArray[np.int8]:
    if postselected:
        chosen = list(postselected)
        kept = ~np.logical_or.accumulate(bits[:, :, chosen].any(axis=2), axis=1)[..., None]
        values = _values(np.delete(bits, chosen, axis=2), kind, ())
        return np.concatenate([values * kept, kept], axis=2)
    if kind == "z":
        return 1 - 2 * bits.view(np.int8)
    weights = 1 << np.arange(bits.shape[2])
    outcome = (bits * weights).sum(axis=2)
    indicator: NDArray[np.int8] = outcome[..., None] == np.arange(2 ** bits.shape[2])
    return indicator.view(np.int8)


def _weighted(
    bits: NDArray[np.uint8], kind: OutputKind, postselected: tuple[int, ...], inverse: Array
) -> Array:
    """`_values` with each indicator of a true bit estimated from the one that was read."""
    _, steps, width = bits.shape
    step, bit = np.ogrid[:steps, :width]
    true = np.moveaxis(inverse, 3, 2)[step, bit, bits]  # [n, T, bits, true]
    outputs = [k for k in range(width) if k not in postselected]
    if kind == "z":
        values = true[:, :, outputs, 0] - true[:, :, outputs, 1]
    else:
        values = np.ones((*bits.shape[:2], 1))
        for k in outputs:  # bit 0 the least significant
            values = (true[:, :, k, :, None] * values[:, :, None, :]).reshape(*bits.shape[:2], -1)
    if not postselected:
        return values
    kept = np.cumprod(true[:, :, list(postselected), 0].prod(axis=2), axis=1)[..., None]
    return np.concatenate([values * kept, kept], axis=2)


def _chunks(count: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Runs of rows with equal shots, cut so that one run's values fit into CHUNK_BYTES."""
    borders = [0, *(np.flatnonzero(np.diff(count)) + 1), len(count)]
    chunks = []
    for first, last in pairwise(borders):
        rows = max(1, CHUNK_BYTES // max(1, 4 * size * int(count[first]))) if last > first else 1
        chunks += [(start, min(start + rows, last)) for start in range(first, last, rows)]
    return chunks
