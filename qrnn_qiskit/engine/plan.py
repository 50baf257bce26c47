"""How many rows at a time: within the memory limit, and in pieces that stay in the cache."""

from __future__ import annotations

from typing import Final

from qrnn_qiskit.errors import BackendError

MEMORY_LIMIT: Final = 2**30
# Bytes of one state that are fastest: numpy's loops want many rows, the caches not too many.
CACHE: Final = 2**20
# Rows come in multiples of this, but for a single row: matrix products then see whole vectors of
# rows only, and the result of a row does not depend on where the rows were cut.
ROW_BLOCK: Final = 8


def padded(rows: int) -> int:
    """Rows rounded up to whole blocks."""
    return rows if rows <= 1 else -(-rows // ROW_BLOCK) * ROW_BLOCK


def halves(rows: int) -> list[slice]:
    """Rows in two parts, the first of whole blocks where there is more than one."""
    blocks = -(-rows // ROW_BLOCK)
    middle = blocks // 2 * ROW_BLOCK if blocks > 1 else rows // 2
    return [slice(0, middle), slice(middle, rows)]


class TooMuchMemory(BackendError):
    """So many rows do not fit into the memory limit."""


def chunks(rows: int, state: int, per_row: int, memory_limit: int, what: str) -> list[slice]:
    """Slices of rows to work on at a time, all but the last a multiple of `ROW_BLOCK` long.

    Args:
        rows: number of rows.
        state: bytes of one row's state.
        per_row: bytes that one row takes altogether while it is worked on.
        memory_limit: bytes that all rows of a chunk may take.
        what: what the memory is for, for the error.

    Raises:
        TooMuchMemory: where not even one block of rows fits.
    """
    least = min(padded(rows), ROW_BLOCK) * per_row
    if least > memory_limit:
        raise TooMuchMemory(
            f"{what} takes {least / 2**30:.3g} GiB, but {memory_limit / 2**30:.3g} GiB are left "
            "under the memory limit: raise it, or use a backend that runs shot by shot, such as aer"
        )
    size = min(max(CACHE // state, ROW_BLOCK), memory_limit // per_row)
    size = max(size // ROW_BLOCK, 1) * ROW_BLOCK
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
