"""A job file: all its tables together."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from qrnn_qiskit.spec.backend import BackendSpec, BudgetSpec
from qrnn_qiskit.spec.gradient import CompareSpec, GradientSpec
from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.mitigation import MitigationSpec
from qrnn_qiskit.spec.model import CellSpec, DataSpec, LossSpec, ReadoutSpec
from qrnn_qiskit.spec.noise import NoiseSpec
from qrnn_qiskit.spec.table import Name, Table
from qrnn_qiskit.spec.training import InitialSpec, OptimizerSpec, TrainingSpec


class Job(Table):
    """All about one piece of work."""

    kind: Literal["train", "evaluate", "gradient", "compare"] = Field(
        "train", description="What to do."
    )
    name: Name | None = Field(None, description="Name for people, such as in a run's directory.")
    published: Name | None = Field(
        None, description="What a paper reports for this, shown beside what comes out."
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        0, description="Seed of every random number of the job."
    )
    cell: CellSpec
    data: DataSpec | None = None
    readout: ReadoutSpec = ReadoutSpec()
    loss: LossSpec = LossSpec()
    backend: BackendSpec = BackendSpec()
    noise: NoiseSpec | None = None
    mitigation: MitigationSpec = MitigationSpec()
    gradient: GradientSpec = GradientSpec()
    compare: CompareSpec = CompareSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    training: TrainingSpec = TrainingSpec()
    initial: InitialSpec = InitialSpec()
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="after")
    def _check_shots(self) -> Self:
        total, shots = self.gradient.shots_total, self.backend.shots
        if total is not None and shots is not None:
            allowed = f"cannot be given together with backend.shots = {shots}; leave one out"
            raise key_problem("gradient.shots_total", total, allowed)
        return self


def keys_of(table: str | None = None) -> list[str]:
    """The fixed keys of a table; those of the job itself, `defaults` among them, if None."""
    if table is None:
        return ["defaults", *Job.model_fields]
    annotation = Job.model_fields[table].annotation
    kinds = [k for k in (annotation, *get_args(annotation)) if isinstance(k, type)]
    fields = next(k.model_fields for k in kinds if issubclass(k, Table))
    return [field.alias or name for name, field in fields.items()]
