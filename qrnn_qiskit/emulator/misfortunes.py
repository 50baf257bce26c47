"""Faults that strike somewhere else than the request that sets them off."""

from __future__ import annotations

from typing import Final

from qrnn_qiskit.emulator.devices import DeviceState
from qrnn_qiskit.emulator.faults import Fault
from qrnn_qiskit.emulator.handling import Parts

_DEVICE_STATES: Final[dict[str, DeviceState]] = {
    "offline": "offline",
    "pause": "paused",
    "retire": "retired",
}


def happen_elsewhere(fault: Fault, parts: Parts) -> None:
    """Let a fault of the kind `faults.Elsewhere` happen; nothing for the others."""
    if fault.action == "expire_tokens":
        parts.tokens.expire()
    elif fault.action == "close_sessions":
        for session_id in parts.state.open_sessions():
            parts.state.close_session(session_id)
    elif fault.action in _DEVICE_STATES:
        for name in [fault.backend] if fault.backend else parts.state.devices.names():
            parts.state.set_device_state(name, _DEVICE_STATES[fault.action])
