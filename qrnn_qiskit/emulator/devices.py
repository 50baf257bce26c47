"""Devices of the emulated service: snapshots of real ones, and whether they are online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

from qiskit.transpiler import Target

from qrnn_qiskit.emulator import snapshots
from qrnn_qiskit.emulator.replies import Refusal
from qrnn_qiskit.execution.backends.ibm import fake_device

DeviceState = Literal["online", "paused", "offline", "retired"]


@final
@dataclass(frozen=True)
class Device:
    """A device as the service shows it.

    Attributes:
        name: such as `ibm_marrakesh`.
        snapshot: name of the fake device behind it; "" takes `fake_` and the end of `name`.
        state: `paused` and `offline` devices accept jobs and keep them queued; a `retired` one is
            neither listed nor accepts jobs.
        queue_length: other people's jobs; only shown.
        error_scale: errors that its calibration states, over those of the snapshot; shots keep
            the snapshot's noise.
        faulty: qubits that it states to be out of service.
        calibrated: date of the calibration, ISO 8601; "" for the snapshot's.
    """

    name: str
    snapshot: str = ""
    state: DeviceState = "online"
    queue_length: int = 0
    error_scale: float = 1.0
    faulty: tuple[int, ...] = ()
    calibrated: str = ""

    @property
    def fake_name(self) -> str:
        """Name of the fake device that holds the snapshot."""
        return self.snapshot or "fake_" + self.name.rpartition("_")[2]

    @property
    def target(self) -> Target:
        """Qiskit's `Target` of the snapshot."""
        return snapshots.target(self.fake_name)

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration as the service sends it."""
        return {**snapshots.configuration(self.fake_name), "backend_name": self.name}

    @property
    def properties(self) -> dict[str, Any]:
        """Calibration as the service sends it."""
        document = {**snapshots.properties(self.fake_name), "backend_name": self.name}
        if self.calibrated:
            document["last_update_date"] = self.calibrated
        if self.error_scale != 1.0 or self.faulty:
            return _changed(document, self.error_scale, self.faulty)
        return document

    @property
    def listing(self) -> dict[str, Any]:
        """The entry in the list of devices."""
        configuration = self.configuration
        return {
            "name": self.name,
            "status": {"name": self.state, "reason": "available"},
            "queue_length": self.queue_length,
            "qubits": configuration["n_qubits"],
            "physical_qubits": configuration["n_qubits"],
            "processor_type": configuration.get("processor_type", {}),
        }

    @property
    def status(self) -> dict[str, Any]:
        """Whether it is working, and its queue."""
        return {
            "state": self.state in ("online", "paused"),
            "status": "active" if self.state == "online" else self.state,
            "length_queue": self.queue_length,
            "backend_version": self.configuration["backend_version"],
        }


def _changed(document: dict[str, Any], scale: float, faulty: tuple[int, ...]) -> dict[str, Any]:
    """Properties with other errors and with qubits out of service."""

    def scaled(entry: dict[str, Any]) -> dict[str, Any]:
        if entry["name"] not in ("gate_error", "readout_error"):
            return entry
        return {**entry, "value": min(0.5, entry["value"] * scale)}

    gone = {"date": document["last_update_date"], "name": "operational", "unit": "", "value": 0}
    gates = [
        {**gate, "parameters": [scaled(entry) for entry in gate["parameters"]]}
        for gate in document["gates"]
    ]
    qubits = [
        [scaled(entry) for entry in entries] + [gone] * (number in faulty)
        for number, entries in enumerate(document["qubits"])
    ]
    return {**document, "gates": gates, "qubits": qubits}


@final
class Devices:
    """The devices of a service by name; their state may change while it runs."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Make the collection.

        Raises:
            BackendError: if there is no snapshot of a device.
        """
        for device in devices:
            fake_device(device.fake_name)
        self._devices = {device.name: device for device in devices}

    def listed(self) -> list[Device]:
        """All but the retired."""
        return [device for device in self._devices.values() if device.state != "retired"]

    def get(self, name: str) -> Device:
        """A device by name.

        Raises:
            Refusal: if there is none, or it is retired.
        """
        device = self._devices.get(name)
        if device is None or device.state == "retired":
            known = ", ".join(d.name for d in self.listed())
            raise Refusal(404, f"backend {name!r} does not exist; there are {known or 'none'}")
        return device

    def known(self, name: str) -> Device:
        """A device by name, retired or not.

        Raises:
            KeyError: if there never was one.
        """
        return self._devices[name]

    def is_online(self, name: str) -> bool:
        """Whether its queue moves."""
        return self._devices[name].state == "online"

    def names(self) -> list[str]:
        """Names of all devices, the retired among them."""
        return list(self._devices)

    def set_state(self, name: str, state: DeviceState) -> None:
        """Change a device's state."""
        self._devices[name] = replace(self._devices[name], state=state)

    def recalibrate(
        self, name: str, date: str, error_scale: float, faulty: tuple[int, ...]
    ) -> None:
        """Change what a device states of itself."""
        self._devices[name] = replace(
            self._devices[name], calibrated=date, error_scale=error_scale, faulty=faulty
        )
