"""The table of a simulator's noise."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import (
    Name,
    Probability,
    Table,
)


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
