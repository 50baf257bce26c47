"""The table of a simulator's noise."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from qrnn_qiskit.spec.messages import key_problem
from qrnn_qiskit.spec.table import Name, Pair, Probability, Table

NotNegative = Annotated[float, Field(ge=0.0)]
Time = Annotated[float, Field(gt=0.0)]
Times = Annotated[tuple[Time, ...], Field(strict=False, min_length=1)]
Probabilities = Annotated[tuple[Probability, ...], Field(strict=False, min_length=1)]
Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
Pairs = Annotated[tuple[Pair, ...], Field(strict=False, min_length=1)]

PRESETS: Final[dict[str, dict[str, float]]] = {
    # Medians of the best snapshots (Heron r3).
    "good": {
        "depolarizing_1q": 0.0002,
        "depolarizing_2q": 0.0015,
        "readout": 0.005,
        "t1_us": 290.0,
        "t2_us": 250.0,
        "gate_1q_ns": 32.0,
        "gate_2q_ns": 68.0,
        "measure_ns": 1600.0,
        "reset_ns": 1650.0,
        "feedforward_ns": 600.0,
    },
    "typical": {
        "depolarizing_1q": 0.0003,
        "depolarizing_2q": 0.005,
        "readout": 0.015,
        "t1_us": 200.0,
        "t2_us": 150.0,
        "gate_1q_ns": 36.0,
        "gate_2q_ns": 68.0,
        "measure_ns": 2500.0,
        "reset_ns": 2600.0,
        "feedforward_ns": 600.0,
        "reset_error": 0.005,
    },
    "bad": {
        "depolarizing_1q": 0.001,
        "depolarizing_2q": 0.02,
        "readout": 0.05,
        "t1_us": 80.0,
        "t2_us": 60.0,
        "gate_1q_ns": 60.0,
        "gate_2q_ns": 300.0,
        "measure_ns": 4000.0,
        "reset_ns": 4200.0,
        "feedforward_ns": 1000.0,
        "reset_error": 0.02,
        "measurement_disturbance": 0.005,
    },
}
# Where a decay is given without them, and the latency of a device, whose target does not say it.
DURATIONS_NS: Final = {
    key: PRESETS["typical"][key]
    for key in ("gate_1q_ns", "gate_2q_ns", "measure_ns", "reset_ns", "feedforward_ns")
}
# Error rates, which `scale` multiplies; it divides T1 and T2.
_RATES: Final = (
    "depolarizing_1q",
    "depolarizing_2q",
    "readout",
    "reset_error",
    "measurement_disturbance",
    "measurement_dephasing",
    "over_rotation",
    "over_rotation_proportional",
    "detuning_khz",
)
_TIMES: Final = ("t1_us", "t2_us")
# What a device knows of itself.
OF_A_DEVICE: Final = (
    "preset",
    "depolarizing_1q",
    "depolarizing_2q",
    "readout",
    "t1_us",
    "t2_us",
    "gate_1q_ns",
    "gate_2q_ns",
    "measure_ns",
    "reset_ns",
)


class NoiseSpec(Table):
    """Noise of a simulator: that of a device, a preset, or error rates key by key.

    A list holds a value for each qubit of the circuit, `io` first. Keys that are not given are
    those of the preset, or mean no such error.
    """

    device: Name | None = Field(
        None,
        description="Device whose noise is simulated: a snapshot (fake_...) or a device of IBM's "
        "service (ibm_...), whose properties are asked for.",
    )
    calibrated: Name | None = Field(
        None,
        description="Date and time of a real device's properties, in ISO 8601; a run takes the "
        "latest ones and keeps to them.",
    )
    account: Name | None = Field(
        None, description="Saved IBM account to ask with; the default one if not given."
    )
    instance: Name | None = Field(
        None, description="IBM instance to ask with; the account's if not given."
    )
    preset: Literal["good", "typical", "bad"] | None = Field(
        None, description="Round numbers of a device; other keys override them."
    )
    scale: NotNegative = Field(
        1.0, description="Factor on all error rates, those of a device too; divides T1 and T2."
    )
    depolarizing_1q: Probability | None = Field(
        None, description="Depolarizing probability after each SX and X."
    )
    depolarizing_2q: Probability | None = Field(
        None, description="Depolarizing probability after each two-qubit gate."
    )
    readout: Probability | Pair | Pairs | None = Field(
        None,
        description="Probability that a measured bit is flipped, or [of 0 read as 1, of 1 read "
        "as 0], or a list of such pairs.",
    )
    t1_us: Time | Times | None = Field(None, description="Relaxation time T1 in µs.")
    t2_us: Time | Times | None = Field(None, description="Coherence time T2 in µs, at most 2 T1.")
    gate_1q_ns: NotNegative | None = Field(None, description="Duration of SX and X in ns.")
    gate_2q_ns: NotNegative | None = Field(None, description="Duration of two-qubit gates in ns.")
    measure_ns: NotNegative | None = Field(None, description="Duration of a measurement in ns.")
    reset_ns: NotNegative | None = Field(None, description="Duration of a reset in ns.")
    feedforward_ns: NotNegative | None = Field(
        None, description="Time from a measurement to a gate that depends on its outcome, in ns."
    )
    detuning_khz: float | Numbers | None = Field(
        None,
        description="Constant detuning of waiting qubits in kHz, which turns their phase; the kind "
        "of error that decoupling undoes.",
    )
    idle: bool = Field(True, description="Whether qubits decay while others are at work.")
    reset_error: Probability | Probabilities | None = Field(
        None, description="Probability that a reset leaves |1>."
    )
    measurement_disturbance: Probability | None = Field(
        None,
        description="Probability that a measurement depolarizes another (a device's "
        "neighbouring) qubit.",
    )
    measurement_dephasing: Probability | None = Field(
        None, description="Probability that a measurement flips the phase of such a qubit."
    )
    over_rotation: float | None = Field(
        None,
        description="Angle in rad by which each SX, X (about X) and CZ (about ZZ) turns too far.",
    )
    over_rotation_proportional: float | None = Field(
        None, description="Fraction of its angle by which each such gate turns too far."
    )

    @property
    def is_live(self) -> bool:
        """Whether the noise is that of a real device."""
        return (self.device or "").startswith("ibm_")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("calibrated", "account", "instance"):
            if getattr(self, key) is not None and not self.is_live:
                allowed = "is for noise.device = 'ibm_...', a device of IBM's service"
                raise key_problem(key, getattr(self, key), allowed)
        if self.device is not None:
            for key in OF_A_DEVICE:
                if getattr(self, key) not in (None, 0.0):
                    allowed = f"cannot be given with noise.device = {self.device!r}; leave one out"
                    raise key_problem(key, getattr(self, key), allowed)
        for place, pair in _pairs(self.readout):
            for i, value in enumerate(pair):
                if not 0 <= value <= 1:
                    raise key_problem(f"readout{place}[{i}]", value, "must be between 0 and 1")
        self._check_times()
        self._check_scale()
        return self

    def _check_times(self) -> None:
        values = self.values()
        t1, t2 = values.get("t1_us"), values.get("t2_us")
        if t2 is not None and t1 is None:
            raise key_problem("t2_us", t2, "needs noise.t1_us beside it")
        if t1 is None or t2 is None:
            return
        lists = [len(t) for t in (t1, t2) if isinstance(t, tuple)]
        if len(set(lists)) > 1:
            raise key_problem("t2_us", t2, f"has {lists[1]} values, but noise.t1_us has {lists[0]}")
        for i in range(max(lists, default=1)):
            one, two = (t[i] if isinstance(t, tuple) else t for t in (t1, t2))
            if two > 2 * one:
                place = f"[{i}]" if isinstance(t2, tuple) else ""
                raise key_problem(f"t2_us{place}", two, f"must be at most 2 T1 = {2 * one:g} us")

    def _check_scale(self) -> None:
        values = self.values()
        for key in _RATES[:6]:
            largest = max(_numbers(values.get(key)), default=0.0)
            if largest * self.scale > 1:
                allowed = f"makes noise.{key} = {largest:g} a probability above 1"
                raise key_problem("scale", self.scale, allowed)

    def values(self) -> dict[str, Any]:
        """What is given, over the preset, before `scale`; without `device`, `preset`, `scale`."""
        fixed = ("device", "calibrated", "account", "instance", "preset", "scale", "idle")
        given = {
            key: value
            for key in type(self).model_fields
            if key not in fixed and (value := getattr(self, key)) is not None
        }
        return {**PRESETS.get(self.preset or "", {}), **given}

    def scaled(self) -> dict[str, Any]:
        """`values` with `scale` applied; no T1 and T2 at scale 0."""
        values = self.values()
        for key in _RATES:
            if key in values:
                values[key] = _times(values[key], self.scale)
        for key in _TIMES:
            if key in values and self.scale:
                values[key] = _times(values[key], 1 / self.scale)
            else:
                values.pop(key, None)
        return values


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_times(each, factor) for each in value)
    return value * factor


def _numbers(value: Any) -> list[float]:
    if isinstance(value, tuple):
        return [number for each in value for number in _numbers(each)]
    return [] if value is None else [value]


def _pairs(readout: Any) -> list[tuple[str, tuple[float, float]]]:
    if not isinstance(readout, tuple):
        return []
    if not isinstance(readout[0], tuple):
        return [("", readout)]
    return [(f"[{i}]", pair) for i, pair in enumerate(readout)]
