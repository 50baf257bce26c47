"""Instances: who pays for jobs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, final

from qrnn_qiskit.emulator.replies import Refusal
from qrnn_qiskit.emulator.routes import PLAN_ID

ACCOUNT = uuid.uuid5(uuid.NAMESPACE_DNS, "account.emulator.test").hex


@final
class Instances:
    """The instances of the one account, by name."""

    def __init__(self, names: Sequence[str]) -> None:
        self.crns = {name: crn(name) for name in names}

    def check(self, given: str) -> str:
        """The resource name that a request comes with.

        Raises:
            Refusal: status 403 if it is not one of the account's.
        """
        if given not in self.crns.values():
            raise Refusal(403, f"instance {given!r} does not belong to this account")
        return given

    def search(self) -> dict[str, Any]:
        """The account's instances as Global Search lists them."""
        items = [
            {
                "crn": number,
                "name": name,
                "tags": [],
                "service_plan_unique_id": PLAN_ID,
                "doc": {"extensions": [{"name": "emulated"}]},
            }
            for name, number in self.crns.items()
        ]
        return {"items": items, "limit": 100}

    @staticmethod
    def plan() -> dict[str, Any]:
        """The plan of all instances as Global Catalog describes it."""
        return {
            "id": PLAN_ID,
            "overview_ui": {"en": {"display_name": "Open"}},
            "metadata": {"pricing": {"type": "free"}},
        }


def crn(name: str) -> str:
    """Cloud resource name of an instance; the same in every process."""
    number = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.emulator.test")
    return f"crn:v1:bluemix:public:quantum-computing:us-east:a/{ACCOUNT}:{number}::"
