"""Arrays kept between calls: a training loop asks for the same again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar, final

# Bytes up to which arrays are kept.
_KEPT: Final = 2**26


class Pooled(Protocol):
    """Arrays for a number of rows."""

    @property
    def rows(self) -> int:
        """Rows that they are made for."""

    @property
    def num_bytes(self) -> int:
        """Memory that they take."""


S = TypeVar("S", bound=Pooled)


@final
class Pool:
    """One of each kind is kept, until another number of rows is asked for.

    Making the arrays and binding kernels to them can take longer than the work itself.
    """

    def __init__(self) -> None:
        self._idle: dict[type, Any] = {}

    @contextmanager
    def borrow(self, kind: type[S], rows: int, make: Callable[[int], S]) -> Iterator[S]:
        """Arrays for so many rows, nobody else's meanwhile."""
        space: S | None = self._idle.pop(kind, None)
        if space is None or space.rows != rows:
            space = make(rows)
        yield space
        if space.num_bytes <= _KEPT:
            self._idle[kind] = space
