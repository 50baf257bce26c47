"""Random numbers by place: each row has its own stretch of one stream.

What a row draws depends on the seed and its number, not on chunks or on the order of work.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.estimate import Array

# From row to row in a stream of 2^128 numbers, the stride of `numpy.random.PCG64.jumped`.
_STRIDE: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835


def stream_of(seed: int, row: int, place: int = 0) -> np.random.PCG64:
    """The stream of a row, from a place on."""
    stream = np.random.PCG64(seed)
    stream.advance((row * _STRIDE + place) % 2**128)
    return stream


def uniforms(seed: int, first_row: int, counts: NDArray[np.int64], draws: int) -> Array:
    """`[shots of all rows, draws]`, each row's from its own place in the stream."""
    drawn = np.empty((int(counts.sum()), draws))
    stream = stream_of(seed, first_row)
    generator = np.random.Generator(stream)
    start = 0
    for count in counts.tolist():
        generator.random(out=drawn[start : start + count])
        stream.advance((_STRIDE - count * draws) % 2**128)
        start += count
    return drawn
