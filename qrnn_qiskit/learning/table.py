"""Reading a `.csv` table whose rows are moments in time."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.spec.messages import nearest

Array = NDArray[np.float64]

_LABEL_COLUMNS: Final = ("time", "date")
_MONTHS_PER_YEAR: Final = 12


@final
@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: text cells, numbers made on demand so that only columns in use must be.

    Attributes:
        path: the file.
        columns: names of the header line.
        rows: cells of each row.
        lines: line number of each row in the file.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that tell the time of a row: `time`, `date`, or `year` with `month`."""
        known = {name.lower(): name for name in self.columns}
        for name in _LABEL_COLUMNS:
            if name in known:
                return (known[name],)
        if "year" in known and "month" in known:
            return known["year"], known["month"]
        return ()

    def require(self, names: tuple[str, ...]) -> None:
        """Raise DataError unless all `names` are columns."""
        for name in names:
            if name not in self.columns:
                raise DataError(
                    f"{self.path} has no column {name!r}{nearest(name, list(self.columns))}; "
                    f"its columns: {', '.join(self.columns)}"
                )

    def values(self, names: tuple[str, ...]) -> Array:
        """Numbers `[n, len(names)]` of some columns.

        Raises:
            DataError: for a missing column, or a cell that is not a finite number.
        """
        self.require(names)
        index = [self.columns.index(name) for name in names]
        result = np.empty((len(self.rows), len(index)))
        for i, row in enumerate(self.rows):
            for j, column in enumerate(index):
                result[i, j] = self._number(row[column], self.lines[i], names[j])
        return result

    def labels(self, beyond: int) -> list[str]:
        """The time of each row, and of `beyond` rows after the last.

        Months are written `YYYY-MM`, other labels as in the file and beyond it as `LAST+1`, …;
        without a label column they are row numbers from 1.
        """
        n, columns = len(self.rows), self.label_columns
        if not columns:
            return [str(i + 1) for i in range(n + beyond)]
        if len(columns) == 1:
            at = self.columns.index(columns[0])
            known = [row[at].strip() for row in self.rows]
            return known + [f"{known[-1]}+{i + 1}" for i in range(beyond)]
        months = [int(year * _MONTHS_PER_YEAR + month) - 1 for year, month in self.values(columns)]
        months += [months[-1] + i + 1 for i in range(beyond)]
        return [f"{m // _MONTHS_PER_YEAR:04d}-{m % _MONTHS_PER_YEAR + 1:02d}" for m in months]

    def _number(self, cell: str, line: int, name: str) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = np.nan
        if not np.isfinite(number):
            found = repr(cell.strip()) if cell.strip() else "an empty cell"
            raise DataError(
                f"{self.path} line {line}, column {name!r}: {found}, but every cell must be a "
                "finite number; fill the gap, or choose other columns with data.columns"
            )
        return number


def read_table(path: Path) -> Table:
    """Read a `.csv` file with a header line; empty lines are passed over.

    Raises:
        DataError: when the file cannot be read, has no header, or its rows differ in length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            read = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise DataError(f"data file {path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"data file {path} cannot be read as csv: {error}") from None
    if len(read) < 2:
        raise DataError(f"{path} holds no data: expected a header line and one row for each time")
    columns = _header(path, read[0][1])
    for line, row in read[1:]:
        if len(row) != len(columns):
            raise DataError(
                f"{path} line {line} has {len(row)} cells, but the header has {len(columns)}"
            )
    return Table(
        path,
        columns,
        tuple(tuple(row) for _, row in read[1:]),
        tuple(line for line, _ in read[1:]),
    )


def _header(path: Path, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if any(_is_number(name) for name in names):
        raise DataError(
            f"{path} line 1 holds numbers, but must be a header line naming the columns"
        )
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise DataError(f"{path}: separate the columns by commas")
    for i, name in enumerate(names):
        if not name or name in names[:i]:
            raise DataError(
                f"{path} line 1: column {i + 1} is named {name!r}, but every column needs its own "
                "name"
            )
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
