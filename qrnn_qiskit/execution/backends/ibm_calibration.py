"""What a device states of the qubits that a circuit is on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from qiskit.transpiler import Target

from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.service import Calibration
from qrnn_qiskit.execution.tiles import tile_errors


def calibration_of(isa: ISACircuit, target: Target, properties: Any) -> Calibration:
    """Date, predicted errors and stated values of the circuit's qubits.

    Args:
        isa: the circuit.
        target: of the device.
        properties: of the Runtime client; None where the device has none.
    """
    tiles = isa.tiles or (isa.qubits,)
    used = {qubit for tile in tiles for qubit in tile}
    moment = getattr(properties, "last_update_date", None)
    failing = np.array(tile_errors(isa.circuit, target, tiles))
    with np.errstate(divide="ignore"):
        errors = float(np.mean(-np.log1p(-failing)))
    return Calibration(
        "unknown" if moment is None else str(moment.isoformat()),
        errors,
        json.dumps(_stated(used, target), sort_keys=True),
    )


def _stated(used: set[int], target: Target) -> dict[str, Any]:
    """Times of the qubits, errors and durations of their instructions."""
    times = target.qubit_properties or []
    return {
        "qubits": {
            str(qubit): {name: getattr(times[qubit], name, None) for name in ("t1", "t2")}
            for qubit in sorted(used)
            if qubit < len(times)
        },
        "instructions": {
            name: {
                ",".join(map(str, qubits)): [value.error, value.duration]
                for qubits, value in (target[name] or {}).items()
                if qubits and value is not None and used.issuperset(qubits)
            }
            for name in sorted(target.operation_names)
        },
    }
