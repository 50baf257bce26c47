"""The tables of a job file: which keys there are, and what they may hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from qrnn_qiskit.spec.messages import key_problem, nearest, unknown_key

_SUM_TOLERANCE: Final = 1e-9


def _not_empty(value: Any) -> Any:
    if value == "":  # as a path it would be the current folder
        raise ValueError("must not be empty")
    return value


Positive = Annotated[int, Field(gt=0)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
# TOML has text for paths and lists for tuples: these alone are converted.
FilePath = Annotated[Path, Field(strict=False), BeforeValidator(_not_empty)]
Pair = Annotated[tuple[float, float], Field(strict=False)]
Fractions = Annotated[tuple[float, float, float], Field(strict=False)]
# TOML has no null, so that the bound is removed by a word.
Bound = Annotated[
    Annotated[float, Field(gt=0.0)] | None,
    BeforeValidator(
        lambda value: None if value == "none" else value,
        json_schema_input_type=float | Literal["none"] | None,
    ),
]


class Table(BaseModel):
    """A table with fixed keys. Whole numbers serve as floats; nothing else is converted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class TableWithOptions(Table):
    """A table that names something with options of its own, which are checked where it is made."""

    model_config = ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are not fixed ones."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        for key, value in self.options.items():
            if problem := _wrong_option(value):
                raise key_problem(key, value, problem)
        return self


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
        description="Prediction: the output values; each times a scale plus a bias; or a full "
        "matrix times them plus a bias.",
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

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        layout = self.initial_layout
        if layout is not None and len(set(layout)) < len(layout):
            raise key_problem("initial_layout", layout, "must not name a qubit twice")
        return self


class NoiseSpec(Table):
    """Noise of a simulator: that of a device, or depolarizing gates and readout flips."""

    device: Name | None = Field(None, description="Device whose noise is simulated.")
    depolarizing_1q: Probability = Field(
        0.0, description="Depolarizing probability after each one-qubit gate."
    )
    depolarizing_2q: Probability = Field(
        0.0, description="Depolarizing probability after each two-qubit gate."
    )
    readout: Probability = Field(0.0, description="Probability that a measured bit is flipped.")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        for key in ("depolarizing_1q", "depolarizing_2q", "readout"):
            value = getattr(self, key)
            if self.device is not None and value:
                allowed = f"cannot be given with noise.device = {self.device!r}; leave one out"
                raise key_problem(key, value, allowed)
        return self


class GradientSpec(TableWithOptions):
    """How gradients are found."""

    method: Name = Field(
        "auto",
        description="Gradient rule; the other keys of the table are its options. auto: adjoint "
        "without shots, parameter_shift with.",
    )
    shots_total: Positive | None = Field(
        None, description="Shots of one whole gradient, shared by its rows; or backend.shots."
    )
    forward_shots: Positive | None = Field(
        None, description="Shots of each unshifted row; those of the other rows if not given."
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
    test_shots: Positive | None = Field(
        None,
        description="Shots of each sequence of the final forecast; those of a training step's "
        "sequence if not given.",
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


class BudgetSpec(Table):
    """What a run may cost at most; more is refused before anything is submitted."""

    shots: Positive | None = Field(None, description="Shots of the whole run.")
    qpu_seconds: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="QPU time of the whole run, in seconds."
    )


class Job(Table):
    """All about one piece of work."""

    kind: Literal["train", "evaluate", "gradient", "compare"] = Field(
        "train", description="What to do."
    )
    name: Name | None = Field(None, description="Name for people, such as in a run's directory.")
    seed: Annotated[int, Field(ge=0)] = Field(
        0, description="Seed of every random number of the job."
    )
    cell: CellSpec
    data: DataSpec | None = None
    readout: ReadoutSpec = ReadoutSpec()
    loss: LossSpec = LossSpec()
    backend: BackendSpec = BackendSpec()
    noise: NoiseSpec | None = None
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


def _wrong_option(value: Any) -> str:
    """What is wrong with an option's value; empty if nothing. Options are what JSON can hold."""
    if isinstance(value, list):
        return next((problem for item in value if (problem := _wrong_option(item))), "")
    if isinstance(value, dict):
        return next((problem for item in value.values() if (problem := _wrong_option(item))), "")
    if isinstance(value, float) and not math.isfinite(value):
        return "must be finite"
    if not isinstance(value, bool | int | float | str):
        return "must be a number, text, true, false, a list or a table (dates go in quotes)"
    return ""
