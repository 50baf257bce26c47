"""Snapshots of real devices, as the client ships them, in the form the service sends.

Fractional gates (rx, rzz) are in the calibration data but not in the configurations. They are added
there: the service lists them, and the client takes them out again unless asked for them.
"""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from qiskit.transpiler import Target
from qiskit_ibm_runtime.models import BackendConfiguration
from qiskit_ibm_runtime.utils.backend_converter import convert_to_target
from qiskit_ibm_runtime.utils.backend_decoder import (
    decode_backend_configuration,
    properties_from_server_data,
)

from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.noise import Noise, device_noise

FRACTIONAL: Final = {
    "rx": "gate rx(theta) q { U(theta, -pi/2, pi/2) q; }",
    "rzz": "gate rzz(theta) p, q { cx p, q; u1(theta) q; cx p, q; }",
}


@lru_cache(maxsize=16)
def configuration(fake_name: str) -> dict[str, Any]:
    """Configuration of the device behind a fake one; not to be changed."""
    device = fake_device(fake_name)
    document = _read(Path(device.dirname) / device.conf_filename)
    measured: dict[str, list[list[int]]] = {}
    for gate in properties(fake_name)["gates"]:
        measured.setdefault(gate["gate"], []).append(gate["qubits"])
    for name, definition in FRACTIONAL.items():
        if name in measured and name not in document["basis_gates"]:
            document["basis_gates"].append(name)
            document["supported_instructions"].append(name)
            document["gates"].append(
                {
                    "name": name,
                    "parameters": ["theta"],
                    "qasm_def": definition,
                    "coupling_map": measured[name],
                }
            )
    return document


@lru_cache(maxsize=16)
def properties(fake_name: str) -> dict[str, Any]:
    """Calibration data of the device behind a fake one; not to be changed."""
    device = fake_device(fake_name)
    return _read(Path(device.dirname) / device.props_filename)


@lru_cache(maxsize=16)
def target(fake_name: str) -> Target:
    """What circuits must fit, fractional gates and control flow among it."""
    known = copy.deepcopy(configuration(fake_name))
    decode_backend_configuration(known)
    calibration = properties_from_server_data(
        copy.deepcopy(properties(fake_name)), use_fractional_gates=True
    )
    return convert_to_target(
        configuration=BackendConfiguration.from_dict(known), properties=calibration
    )


@lru_cache(maxsize=16)
def noise(fake_name: str) -> Noise:
    """Errors of the device's gates, fractional ones among them, and of its readout."""
    return device_noise(target(fake_name), idle=False)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
