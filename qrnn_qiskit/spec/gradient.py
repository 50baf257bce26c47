"""The tables of gradients and of their comparison."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from qrnn_qiskit.spec.table import (
    Name,
    Positive,
    Table,
    TableWithOptions,
)


class GradientSpec(TableWithOptions):
    """How gradients are found."""

    method: Name = Field(
        "auto",
        description="Gradient rule; the other keys of the table are its options. auto: adjoint "
        "without shots; with shots each step of a training has the rule, step and shots of least "
        "predicted error.",
    )
    shots_total: Positive | None = Field(
        None, description="Shots of one whole gradient, shared by its rows; or backend.shots."
    )
    forward_shots: Positive | None = Field(
        None,
        description="Shots of each unshifted row; if not given those of the other rows, with "
        "optimal allocation a tenth of all or what past steps suggest.",
    )
    allocation: Literal["uniform", "optimal"] | None = Field(
        None,
        description="Shots of the rows: all alike, or shared out for the least predicted variance; "
        "optimal with method = 'auto', else uniform if not given.",
    )
    adaptive: bool | None = Field(
        None,
        description="Take fewer shots where the gradient is large against its noise; shots_total "
        "or backend.shots are the most then. True with method = 'auto' in a stepwise training, "
        "else false if not given.",
    )


class MethodSpec(TableWithOptions):
    """One method of a comparison: a gradient rule, its other keys the rule's options."""

    name: Name = Field(description="Gradient rule.")
    label: Name | None = Field(None, description="What tables and pictures call it.")

    @property
    def title(self) -> str:
        """The label, or the name with its options."""
        options = ", ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in self.options.items()
        )
        return self.label or (f"{self.name} ({options})" if options else self.name)


def _named(method: Any) -> Any:
    return {"name": method} if isinstance(method, str) else method


class CompareSpec(Table):
    """A comparison of gradient methods at equal total shots."""

    methods: Annotated[
        tuple[Annotated[MethodSpec, BeforeValidator(_named)], ...],
        Field(strict=False, min_length=1),
    ] = Field(
        (MethodSpec(name="parameter_shift"), MethodSpec(name="finite_difference")),
        description="Gradient rules: names, or tables with a name and options.",
    )
    shots_total: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] = Field(
        (10_000, 100_000), description="Shots of one whole gradient, the same for each method."
    )
    repetitions: Annotated[int, Field(ge=2)] = Field(
        20, description="Independent gradients for each method and number of shots."
    )
    sequences: Positive = Field(1, description="Training sequences that the loss is over.")
    num_steps: Annotated[tuple[Positive, ...], Field(strict=False)] = Field(
        (),
        description="Lengths T to compare at: sequences are cut to their first T steps; the "
        "data's length alone if not given.",
    )
    step_sweep: Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(strict=False)] = Field(
        (), description="Steps h of central differences, in rad, compared beside the methods."
    )
    training_shots: Positive | None = Field(
        None,
        description="Total shots of one training by each method, and by SciPy's BFGS with its "
        "default step; no training if not given.",
    )
