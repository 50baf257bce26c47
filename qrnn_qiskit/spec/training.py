"""The tables of training: optimizer, length, initial weights."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import (
    FilePath,
    Name,
    Positive,
    Table,
    TableWithOptions,
)


class OptimizerSpec(TableWithOptions):
    """How weights are changed."""

    name: Name = Field(
        "adam", description="Optimizer; the other keys of the table are its options."
    )


class TrainingSpec(Table):
    """How long, and on how much at a time."""

    steps: Positive = Field(100, description="Changes of the weights.")
    batch_size: Positive | None = Field(
        None, description="Sequences of a step; all of the training part if not given."
    )
    gradient_clip: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="Largest norm of a gradient; longer ones are shortened to it."
    )
    validate_every: Positive = Field(10, description="Steps from one validation to the next.")
    patience: Positive | None = Field(
        None, description="Validations without improvement before training stops."
    )
    keep_weights: bool = Field(
        False, description="Whether history.jsonl gets the weights after each step."
    )
    test_shots: Positive | None = Field(
        None,
        description="Shots of each sequence of the final forecast; those of a training step's "
        "sequence if not given.",
    )
    baselines: list[Name] | None = Field(
        None,
        description="Forecasts that the report has beside the network's; all that are installed "
        "if not given.",
    )


class InitialSpec(Table):
    """The weights to start from: another run's, or random ones."""

    source: FilePath | None = Field(
        None, alias="from", description="Run directory or weights file to start from."
    )
    distribution: Literal["uniform", "normal"] = Field(
        "uniform", description="Distribution of random initial weights."
    )
    low: float = Field(0.0, description="Lower end of the uniform distribution, in rad.")
    high: float = Field(2 * math.pi, description="Upper end of the uniform distribution, in rad.")
    mean: float = Field(0.0, description="Mean of the normal distribution, in rad.")
    std: Annotated[float, Field(ge=0.0)] = Field(
        0.1, description="Standard deviation of the normal distribution, in rad."
    )

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        if self.low > self.high:
            raise key_problem("low", self.low, f"must not be above initial.high = {self.high!r}")
        return self
