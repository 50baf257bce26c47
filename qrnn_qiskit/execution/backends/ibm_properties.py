"""What a real device says of itself, now or at an earlier moment: for noise of that device."""

from __future__ import annotations

import datetime
from typing import Any

from qiskit.transpiler import Target

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends.ibm_client import Client


def calibrated_at(device: str, account: str | None = None, instance: str | None = None) -> str:
    """When a device was calibrated last, in ISO 8601.

    Args:
        device: its name.
        account: name of a saved account; None for the environment's or the default one.
        instance: name or CRN of an instance; None for the account's.

    Raises:
        BackendError: if the service cannot be asked, or does not have the device.
    """
    client, backend = _backend(device, account, instance)
    properties = client.ask(backend.properties)
    moment = getattr(properties, "last_update_date", None)
    if moment is None:
        raise BackendError(f"noise.device = {device!r}: the service states no properties of it")
    return str(moment.isoformat())


def target_at(
    device: str, moment: str, account: str | None = None, instance: str | None = None
) -> Target:
    """The device's gates, with their errors and durations as they were at a moment.

    Args:
        device: its name.
        moment: in ISO 8601.
        account: as for `calibrated_at`.
        instance: likewise.

    Raises:
        BackendError: as `calibrated_at`, or if the moment is no time.
    """
    try:
        # The service gives what was valid before a moment: the calibration's own must be in it.
        until = datetime.datetime.fromisoformat(moment) + datetime.timedelta(seconds=1)
    except ValueError:
        raise BackendError(
            f"noise.calibrated = {moment!r}: give a date and time such as 2026-01-31T12:00:00+00:00"
        ) from None
    client, backend = _backend(device, account, instance)
    target: Target = client.ask(lambda: backend.target_history(datetime=until))
    return target


def _backend(device: str, account: str | None, instance: str | None) -> tuple[Client, Any]:
    from qiskit.providers.exceptions import QiskitBackendNotFoundError

    def find() -> Any:
        try:
            return client.service.backend(device)
        except QiskitBackendNotFoundError:
            return None

    try:
        client = Client(account, instance)
        found = client.ask(find)
        names = (
            [] if found else client.ask(lambda: sorted(b.name for b in client.service.backends()))
        )
    except BackendError as error:
        raise BackendError(
            f"noise.device = {device!r} takes the properties of a real device from IBM's service, "
            f"but {error}. Snapshots need no service: noise.device = 'fake_marrakesh'"
        ) from None
    if found is None:
        raise BackendError(
            f"noise.device = {device!r}: the account has no such device; it has "
            f"{', '.join(names) or 'none'}"
        )
    return client, found
