"""The tables of where circuits run, and what that may cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import (
    Name,
    Positive,
    Table,
)

ResetChoice = Literal["auto", "reset", "conditional_x", "fresh_qubits"]
TileChoice = Literal["auto"] | Annotated[int, Field(ge=1)]


def _one_text(value: Any) -> Any:
    """A list of names as one text, names between commas."""
    if not isinstance(value, list | tuple):
        return value
    if not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError("must be a name or a list of names")
    return ",".join(value)


class BackendSpec(Table):
    """Where circuits run."""

    name: Annotated[Name, BeforeValidator(_one_text, json_schema_input_type=str | list[str])] = (
        Field(
            "exact",
            description="Simulator (exact, aer), fake device (fake_marrakesh, ...), or a device of "
            "IBM's service (ibm_..., or least_busy). A list of devices shares out the sequences of "
            "each minibatch.",
        )
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
    layout_trials: Annotated[int, Field(ge=0)] = Field(
        4,
        description="Seeds to transpile for a device with; of all places for all results the one "
        "with the least predicted error is taken. 0 leaves the layout to the transpiler.",
    )
    reset: ResetChoice = Field(
        "auto",
        description="What a reset becomes: the device's instruction, X if the qubit was just "
        "measured in 1, or a fresh qubit; auto takes the first that the device has.",
    )
    reset_repeats: Positive = Field(1, description="Resets in the place of each.")

    tiles: TileChoice = Field(
        1,
        description="Copies of the circuit side by side on the device, each a shot of an "
        "execution; auto for as many as fit with guard qubits between them.",
    )

    tile_check: Positive | None = Field(
        None,
        description="Executions of each sequence, with all tiles and with the best one alone, by "
        "which a training first looks for crosstalk; not looked for if not given.",
    )

    account: Name | None = Field(
        None, description="Name of the saved IBM account; the default one if not given."
    )
    instance: Name | None = Field(
        None, description="Name or CRN of the IBM instance that pays; the account's if not given."
    )
    mode: Literal["job", "batch", "session"] = Field(
        "job", description="Whether QPU jobs are submitted alone, in a batch or in a session."
    )
    unknown: Literal["ask", "list"] = Field(
        "ask",
        description="Who decides whether a submission without an answer was accepted, where its "
        "tag is not found: a person (ask), or the service's list of jobs alone (list).",
    )
    drift: Literal["stop", "retranspile", "ignore"] = Field(
        "stop",
        description="What a run does when a new calibration takes one of its qubits away, or makes "
        "its circuit err `drift_factor` times as much as at the start.",
    )
    drift_factor: Annotated[float, Field(gt=1.0)] = Field(
        3.0, description="Errors of an execution over those at the start that a run goes on with."
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the Runtime client's Sampler by its own names, such as "
        "execution.rep_delay (in seconds), twirling.enable_gates, dynamical_decoupling.enable.",
    )

    @property
    def is_service(self) -> bool:
        """Whether jobs go to IBM's service, where they are paid for."""
        return self.name == "least_busy" or self.name.startswith("ibm_")

    @property
    def names(self) -> tuple[str, ...]:
        """The devices, or the one backend."""
        return tuple(self.name.split(","))

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = self.names
        if len(names) == 1:
            return self
        if len(set(names)) < len(names):
            raise key_problem("name", self.name, "must not name a device twice")
        for prefix in ("ibm_", "fake_"):
            if all(name.startswith(prefix) for name in names):
                return self
        raise key_problem(
            "name",
            self.name,
            "as a list must name devices of IBM's service (ibm_...), or fake ones (fake_...)",
        )

    @model_validator(mode="after")
    def _check_service(self) -> Self:
        for key in ("account", "instance", "options"):
            if getattr(self, key) and not self.is_service:
                raise key_problem(
                    key, getattr(self, key), f"is for devices of IBM's service, not {self.name!r}"
                )
        for key, usual in (("mode", "job"), ("unknown", "ask"), ("drift", "stop")):
            if getattr(self, key) != usual and not self.is_service:
                raise key_problem(
                    key, getattr(self, key), f"is for devices of IBM's service, not {self.name!r}"
                )
        return self

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
    def _check_tiles(self) -> Self:
        if self.tiles != 1 and self.name in ("exact", "aer"):
            raise key_problem(
                "tiles",
                self.tiles,
                f"must be 1 with name = {self.name!r}, which simulates one copy of the circuit: "
                "tiles are for fake devices and devices of IBM's service",
            )
        if self.tiles == 1 and self.tile_check is not None:
            raise key_problem("tile_check", self.tile_check, "needs backend.tiles of more than 1")
        return self

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        layout = self.initial_layout
        if layout is not None and len(set(layout)) < len(layout):
            raise key_problem("initial_layout", layout, "must not name a qubit twice")
        if layout is not None and len(self.names) > 1:
            raise key_problem("initial_layout", layout, "is for one device, not for several")
        return self


class BudgetSpec(Table):
    """What a run may cost at most; more is refused before anything is submitted."""

    shots: Positive | None = Field(None, description="Shots of the whole run.")
    qpu_seconds: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="QPU time of the whole run, in seconds."
    )
    qpu_jobs: Positive | None = Field(
        None, description="Submissions of the whole run to a device of IBM's service."
    )
    executions: Positive | None = Field(
        None, description="Executions of the whole run on a device: shots over tiles."
    )
    money: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="Price of the whole run, in the currency of `money_per_second`."
    )
    money_per_second: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="Price of a QPU second, in any currency."
    )
    wall_hours: Annotated[float, Field(gt=0.0)] | None = Field(
        None,
        description="Hours after the run's first submission in which it may submit; queues and "
        "interruptions count.",
    )

    @model_validator(mode="after")
    def _check_money(self) -> Self:
        if self.money is not None and self.money_per_second is None:
            raise key_problem(
                "money", self.money, "needs budget.money_per_second, the price of a QPU second"
            )
        return self
