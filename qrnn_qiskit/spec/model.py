"""The tables of the model and its data: cell, data, readout, loss."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem, nearest, unknown_key
from qrnn_qiskit.spec.table import (
    Bound,
    FilePath,
    Fractions,
    Name,
    Pair,
    Positive,
    Table,
    TableWithOptions,
)

_SUM_TOLERANCE: Final = 1e-9


class CellSpec(TableWithOptions):
    """The cell: an OpenQASM 3 file, or a named family with its own keys."""

    file: FilePath | None = Field(None, description="OpenQASM 3 file of the cell.")
    name: Name | None = Field(
        None, description="Family of cells; the other keys of the table are its options."
    )

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.file is not None and self.name is not None:
            raise key_problem(
                "file", str(self.file), "give either cell.file or cell.name, not both"
            )
        if self.name is not None:
            return self
        for key, value in self.options.items():
            if nearest(key, ("file", "name")):
                raise unknown_key(key)
            if self.file is not None:
                allowed = "only a cell with a name has options, but cell.file is given"
                raise key_problem(key, value, allowed)
        if self.file is None:
            raise key_problem("name", None, "is missing; give a family's name, or cell.file")
        return self


class DataSpec(TableWithOptions):
    """The data: a file of sequences (`.npz`), a series (`.csv`), or a named set.

    Without file and name the keys say how to read the data given on the command line.
    """

    file: FilePath | None = Field(
        None,
        description="Sequences (.npz with features [N,T,F], targets [N,T,M]) or a series (.csv).",
    )
    name: Name | None = Field(
        None, description="Data set of the library; the other keys of the table are its options."
    )
    columns: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="Columns of a series that are features; all of numbers if not given."
    )
    target: Name | None = Field(
        None, description="Column of a series to forecast; the first feature if not given."
    )
    window: Positive | None = Field(None, description="Steps T of a sequence cut from a series.")
    horizon: Positive = Field(1, description="Steps that the target lies ahead in a series.")
    stride: Positive | None = Field(
        None, description="Steps from one window's start to the next; `window` if not given."
    )
    split: Fractions | None = Field(
        None, description="Fractions [train, validation, test] in order; they sum to 1."
    )
    scale: Literal["none", "minmax"] = Field(
        "none", description="Scaling of features and targets, fitted on the training part."
    )
    scale_targets: bool = Field(
        True, description="Whether `scale` holds for the targets too; labels are never scaled."
    )
    range: Pair = Field((-1.0, 1.0), description="What `minmax` scales the training part to.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.file is not None and self.name is not None:
            raise key_problem(
                "file", str(self.file), "give either data.file or data.name, not both"
            )
        if self.name is None:
            for key in self.options:
                raise unknown_key(key)
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise key_problem("columns", self.columns, "must not name a column twice")
        if self.split is not None:
            good = self.split[0] > 0.0 and min(self.split) >= 0.0
            if not good or abs(sum(self.split) - 1.0) > _SUM_TOLERANCE:
                raise key_problem(
                    "split",
                    self.split,
                    "must be three fractions [train, validation, test] that sum to 1, none "
                    "negative, the first greater than 0",
                )
        if self.range[0] >= self.range[1]:
            raise key_problem("range", self.range, "must be [low, high] with low below high")
        return self


class ReadoutSpec(Table):
    """From measured bits to predictions."""

    output: Literal["z", "probabilities"] = Field(
        "z", description="Output values of a step: <Z> of each bit, or the 2^n probabilities."
    )
    head: Literal["identity", "scale", "linear"] = Field(
        "identity",
        description="Prediction: the output values; a scale times the mean of a target's values "
        "plus a bias; or a full matrix times them plus a bias.",
    )
    scale: float = Field(1.0, description="Initial scale.")
    max_scale: Bound = Field(
        10.0, description='Bound of the trained scale, in magnitude; "none" for no bound.'
    )
    train_scale: bool = Field(True, description="Whether the scale is trained.")
    train_bias: bool = Field(True, description="Whether the bias is trained.")


class LossSpec(TableWithOptions):
    """What training makes small."""

    name: Name = Field("mse", description="Loss; the other keys of the table are its options.")
    last: Positive | None = Field(
        None, description="Read only so many last steps of a sequence; all if not given."
    )
    every: Positive = Field(
        1, description="Read only every so manyth step, counted back from the last."
    )
    correction: Literal["auto", "first_order", "none"] = Field(
        "auto",
        description="Of the bias that shots bring into the loss and its derivatives. auto: the "
        "loss's own unbiased estimator where it has one, else first_order; none: for study.",
    )
