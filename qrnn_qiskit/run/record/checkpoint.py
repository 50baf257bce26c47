"""Where a training stands, in one file that is replaced as a whole."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import RunError

if TYPE_CHECKING:
    from qrnn_qiskit.run.record.directory import RunDirectory

NAME: Final = "checkpoint.npz"
_OPTIMIZER: Final = "optimizer_"
_POLICY: Final = "policy_"


@final
@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything that the next step depends on; random streams follow from seed and step.

    Attributes:
        step: steps done.
        parameters: `[P + n]` the cell's weights, then the readout's parameters.
        optimizer: arrays by name.
        policy: what past gradients have shown, arrays by name (`run.policy`).
        best: parameters with the lowest loss that selection looks at.
        best_loss: that loss.
        best_step: after how many steps it was reached.
        stale: validations since then.
        shots_used: since the start.
        qpu_seconds: predicted, since the start.
        finished: no step remains.
        reason: why it finished.
    """

    step: int
    parameters: Array
    optimizer: dict[str, Array] = field(default_factory=dict)
    policy: dict[str, Array] = field(default_factory=dict)
    best: Array = field(default_factory=lambda: np.empty(0))
    best_loss: float = float("inf")
    best_step: int = 0
    stale: int = 0
    shots_used: int = 0
    qpu_seconds: float = 0.0
    finished: bool = False
    reason: str = ""

    def considered(self, parameters: Array, loss: float, step: int) -> TrainingState:
        """The state after `parameters` were found to have `loss`."""
        if loss < self.best_loss:
            return replace(self, best=parameters, best_loss=loss, best_step=step, stale=0)
        return replace(self, stale=self.stale + 1)


_SCALARS: Final = (
    "step",
    "best_loss",
    "best_step",
    "stale",
    "shots_used",
    "qpu_seconds",
    "finished",
    "reason",
)


def save(directory: RunDirectory, state: TrainingState) -> None:
    """Replace the checkpoint, the history before it durable.

    A resumed run writes later steps again, so that this is all the syncing that a history needs.
    """
    directory.sync_history()
    scalars = json.dumps({name: getattr(state, name) for name in _SCALARS})
    directory.write_arrays(
        NAME,
        {
            "scalars": np.array(scalars),
            "parameters": state.parameters,
            "best": state.best,
            **{_OPTIMIZER + name: array for name, array in state.optimizer.items()},
            **{_POLICY + name: array for name, array in state.policy.items()},
        },
    )


def load(directory: RunDirectory) -> TrainingState | None:
    """The last checkpoint; None if there is none yet.

    Raises:
        RunError: if the file is damaged.
    """
    path = directory.path / NAME
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            optimizer, policy = (
                {n.removeprefix(prefix): arrays[n] for n in arrays.files if n.startswith(prefix)}
                for prefix in (_OPTIMIZER, _POLICY)
            )
            return TrainingState(
                parameters=arrays["parameters"],
                best=arrays["best"],
                optimizer=optimizer,
                policy=policy,
                **json.loads(str(arrays["scalars"])),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path} is damaged ({error}): delete it, and the run starts over from what its "
            "ledger holds"
        ) from None
