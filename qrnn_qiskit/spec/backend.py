"""The tables of where circuits run, and what that may cost."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import (
    Name,
    Positive,
    Table,
)


class BackendSpec(Table):
    """Where circuits run."""

    name: Name = Field(
        "exact", description="Simulator (exact, aer), or device such as fake_marrakesh."
    )
    shots: Positive | None = Field(
        None, description="Shots of each row; exact values if not given (engine `exact` only)."
    )
    optimization_level: Annotated[int, Field(ge=0, le=3)] = Field(
        1, description="Transpiler's optimization level."
    )
    initial_layout: (
        Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)] | None
    ) = Field(None, description="Physical qubits of the circuit's qubits, in order.")
    seed_transpiler: Annotated[int, Field(ge=0)] = Field(0, description="Transpiler's seed.")

    sampling: Literal["joint", "marginal"] = Field(
        "joint",
        description="Shots of whole sequences, or (`exact` only) of each step by itself: faster, "
        "but without error bars for what combines steps.",
    )
    precision: Literal["double", "single"] = Field(
        "double", description="Of states while `exact` draws shots; `single` is off by about 1e-6."
    )

    @model_validator(mode="after")
    def _check_exact(self) -> Self:
        for key, given, usual in (
            ("sampling", self.sampling, "joint"),
            ("precision", self.precision, "double"),
        ):
            if self.name != "exact" and given != usual:
                raise key_problem(key, given, f'must be "{usual}" unless name = "exact"')
        return self

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        layout = self.initial_layout
        if layout is not None and len(set(layout)) < len(layout):
            raise key_problem("initial_layout", layout, "must not name a qubit twice")
        return self


class BudgetSpec(Table):
    """What a run may cost at most; more is refused before anything is submitted."""

    shots: Positive | None = Field(None, description="Shots of the whole run.")
    qpu_seconds: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="QPU time of the whole run, in seconds."
    )
