"""The devices of an account, as their owner shows them."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from qrnn_qiskit.execution.backends.ibm_client import Client


def list_devices(account: str | None = None, instance: str | None = None) -> list[dict[str, Any]]:
    """What each device offers; medians over its qubits and pairs.

    Args:
        account: name of a saved account; None for the environment's or the default one.
        instance: name or CRN of an instance; None for the account's.

    Raises:
        BackendError: if the account does not serve.
        Unreachable: if the service does not answer.
    """
    client = Client(account, instance)
    backends = client.ask(lambda: client.service.backends())
    return [_device(client, backend) for backend in backends]


def _device(client: Client, backend: Any) -> dict[str, Any]:
    status, target = client.ask(backend.status), client.ask(lambda: backend.target)
    names = set(target.operation_names)
    pairs = [name for name in ("cz", "ecr", "cx") if name in names]
    return {
        "name": backend.name,
        "online": bool(status.operational),
        "queue": status.pending_jobs,
        "qubits": target.num_qubits,
        "reset": "reset" in names,
        "measure_2": "measure_2" in names,
        "reset_2": "reset_2" in names,
        "if_else": "if_else" in names,
        "error_2q": _median(target, pairs, "error"),
        "error_readout": _median(target, ["measure"], "error"),
        "readout_us": _scaled(_median(target, ["measure"], "duration"), 1e6),
        "reset_us": _scaled(_median(target, ["reset"], "duration"), 1e6),
    }


def _median(target: Any, names: Iterable[str], field: str) -> float | None:
    values = [
        value
        for name in names
        if name in target.operation_names
        for properties in (target[name] or {}).values()
        if properties is not None and (value := getattr(properties, field)) is not None
    ]
    return float(median(values)) if values else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
