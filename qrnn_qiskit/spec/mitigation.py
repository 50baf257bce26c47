"""The table of error mitigation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import Positive, Table

Factors = Annotated[tuple[Positive, ...], Field(strict=False)]


class MitigationSpec(Table):
    """Corrections of outputs, the same for simulators and devices."""

    readout: Literal["none", "stated", "measured"] = Field(
        "none",
        description="Undo readout errors: those that the device states, or those measured with "
        "two calibration circuits on the same qubits.",
    )
    linear_rows: int = Field(
        0,
        ge=0,
        description="Rows at random weights from which a line from noisy to ideal outputs is "
        "learned; 0 for none.",
    )
    shots: Positive = Field(
        4096, description="Shots of each calibration circuit and of each row learned from."
    )

    noise_factors: Factors = Field(
        (),
        description="Zero-noise extrapolation: factors on the noise, odd, 1 first, such as [1, 3]; "
        "a row's shots are shared out among them. Empty for none.",
    )
    extrapolation_order: Positive = Field(
        1, description="Order of the polynomial in the noise factor, below their number."
    )

    @model_validator(mode="after")
    def _check_factors(self) -> Self:
        factors = self.noise_factors
        if not factors:
            return self
        if factors[0] != 1 or len(set(factors)) < len(factors) or any(f % 2 == 0 for f in factors):
            allowed = "must be different odd numbers with 1 first, such as [1, 3]"
            raise key_problem("noise_factors", list(factors), allowed)
        if len(factors) <= self.extrapolation_order:
            allowed = f"needs {self.extrapolation_order + 1} noise_factors, not {len(factors)}"
            raise key_problem("extrapolation_order", self.extrapolation_order, allowed)
        return self

    @property
    def is_on(self) -> bool:
        """Whether anything is corrected."""
        return self.readout != "none" or self.linear_rows > 0 or bool(self.noise_factors)
