"""The table of error mitigation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from qrnn_qiskit.spec.table import Positive, Table


class MitigationSpec(Table):
    """Corrections of outputs <Z>, the same for simulators and devices."""

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

    @property
    def is_on(self) -> bool:
        """Whether anything is corrected."""
        return self.readout != "none" or self.linear_rows > 0
