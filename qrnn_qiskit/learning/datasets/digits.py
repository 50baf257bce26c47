"""Handwritten digits of 8 x 8 pixels, read row by row or pixel by pixel."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.parts import part_bounds

_SIDE: Final = 8
_BRIGHTEST: Final = 16.0
_DATA_STREAM: Final = 0
Digit = Annotated[int, Field(ge=0, le=9)]


@final
@dataclass(frozen=True, slots=True)
class Digits:
    """Images of some digits; the label, at every step, is the place of the digit in `digits`.

    1797 images by 13 writers: the test part of E. Alpaydin and C. Kaynak, Optical Recognition of
    Handwritten Digits (UCI, 1998), as scikit-learn ships it; that package must be installed, but
    is not imported. Features are brightnesses divided by 16. The images are shuffled before they
    are split.

    Attributes:
        digits: which, two or more.
        read: `rows`: 8 steps of 8 pixels; `pixels`: 64 steps of one pixel, row after row; `scans`:
            64 steps of two, row after row and column after column, as in Bausch
            (arXiv:2006.14619).
        threshold: makes pixels 0 or 1, brightness above it being 1; None: as they are.
        most: at most so many images of each digit.
        split: fractions of the images for training, validation and test.
    """

    digits: tuple[Digit, ...] = (0, 1)
    read: Literal["rows", "pixels", "scans"] = "rows"
    threshold: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    most: Annotated[int, Field(gt=0)] | None = None
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` shuffles the images.

        Raises:
            DataError: without scikit-learn, or if a digit is named twice or alone.
        """
        if len(set(self.digits)) != len(self.digits) or len(self.digits) < 2:
            raise DataError(
                f"data.digits = {list(self.digits)}: name two digits or more, once each"
            )
        images, numbers = _read()
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DATA_STREAM,)))
        order = random.permutation(len(images))
        chosen = [order[numbers[order] == digit][: self.most] for digit in self.digits]
        index = np.isin(order, np.concatenate(chosen))
        images, numbers = images[order[index]], numbers[order[index]]
        features = self._steps(images)
        place = {digit: float(label) for label, digit in enumerate(self.digits)}
        labels = np.array([place[int(number)] for number in numbers])
        targets = np.broadcast_to(labels[:, None, None], (*features.shape[:2], 1)).copy()
        train, validation, test = (
            Dataset(features[start:stop], targets[start:stop])
            for start, stop in part_bounds(len(features), self.split)
        )
        names = tuple(f"pixel {i}" for i in range(features.shape[2]))
        return Splits(train, validation, test, names, ("digit",), (None,))

    def _steps(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.threshold is not None:
            images = (images > self.threshold).astype(np.float64)
        if self.read == "rows":
            return images
        by_rows = images.reshape(len(images), -1, 1)
        if self.read == "pixels":
            return by_rows
        by_columns = images.transpose(0, 2, 1).reshape(len(images), -1, 1)
        return np.concatenate([by_rows, by_columns], axis=2)


def _read() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """All images `[1797, 8, 8]` from 0 to 1, and their digits."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError(
            "data.name = 'digits' reads the images that scikit-learn ships: install it with "
            'pip install "qrnn-qiskit[sklearn]"'
        )
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",")
    except OSError as error:
        raise DataError(f"the images of scikit-learn cannot be read: {error}") from None
    images = table[:, :-1].reshape(-1, _SIDE, _SIDE) / _BRIGHTEST
    return images, table[:, -1].astype(np.intp)


PROVIDES = Digits
