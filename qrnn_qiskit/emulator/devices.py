"""Devices of the emulated service: snapshots of real ones, and whether they are online."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, final

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
        queue_length: of other people's jobs; only shown.
    """

    name: str
    snapshot: str = ""
    state: DeviceState = "online"
    queue_length: int = 0

    @property
    def fake_name(self) -> str:
        """Name of the fake device that holds the snapshot."""
        return self.snapshot or "fake_" + self.name.rpartition("_")[2]

    @property
    def target(self) -> Any:
        """Qiskit's `Target` of the snapshot."""
        return fake_device(self.fake_name).target

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration as the service sends it."""
        return {**_snapshot(self.fake_name, "conf"), "backend_name": self.name}

    @property
    def properties(self) -> dict[str, Any]:
        """Calibration as the service sends it."""
        return {**_snapshot(self.fake_name, "props"), "backend_name": self.name}

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


@lru_cache(maxsize=16)
def _snapshot(fake_name: str, kind: Literal["conf", "props"]) -> dict[str, Any]:
    device = fake_device(fake_name)
    path = Path(device.dirname) / (
        device.conf_filename if kind == "conf" else device.props_filename
    )
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
