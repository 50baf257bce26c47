"""Results of executors that run at once, kept until they are fetched."""

from __future__ import annotations

import itertools
from typing import final

from qrnn_qiskit.execution.bits import PackedBits


@final
class LocalResults:
    """Outcomes by job id; the ids mean nothing to another process."""

    def __init__(self) -> None:
        self._kept: dict[str, PackedBits] = {}
        self._next = itertools.count()

    def keep(self, bits: PackedBits) -> str:
        """Store outcomes under a new id."""
        job = f"local-{next(self._next)}"
        self._kept[job] = bits
        return job

    def take(self, job: str) -> PackedBits:
        """Hand out outcomes and forget them."""
        return self._kept.pop(job)

    def __contains__(self, job: str) -> bool:
        return job in self._kept
