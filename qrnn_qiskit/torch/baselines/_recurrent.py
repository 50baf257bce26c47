"""Training of a small classical recurrent network, of as many parameters as the quantum one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.plugins import BaselineTask

Array = NDArray[np.float64]

_UPDATES: Final = 400
_BATCH: Final = 64
_VALIDATE_EVERY: Final = 20
_LEARNING_RATE: Final = 0.02
_STREAM: Final = 7


def predict_by(layer: Callable[..., Any], task: BaselineTask) -> Array:
    """Predictions or probabilities `[N, T, M]` of a recurrent layer with a linear readout.

    The hidden state is the largest that has at most the quantum network's number of parameters
    (at least one unit). 400 updates by Adam, its learning rate falling from 0.02 to 0 as a cosine,
    on batches of 64 sequences; the weights of the best of 20 validations are used.

    Args:
        layer: `torch.nn.GRU` or `torch.nn.LSTM`.
        task: what to predict.
    """
    # `spawn_key` keeps these numbers apart from all others of the seed.
    seeds = np.random.SeedSequence(task.seed, spawn_key=(_STREAM,))
    random = np.random.default_rng(seeds)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        network = _Network(layer, task)
        _train(network, task, random)
    with torch.no_grad():
        found = network(_tensor(task.data.features))
        if task.num_classes:
            found = torch.softmax(found, dim=2)
    result: Array = found.numpy()
    return result


def num_parameters(layer: Callable[..., Any], width: int, hidden: int, outputs: int) -> int:
    """Trained numbers of a layer with a linear readout."""
    gates = 4 if layer is torch.nn.LSTM else 3
    return gates * hidden * (width + hidden + 2) + (hidden + 1) * outputs


class _Network(torch.nn.Module):
    def __init__(self, layer: Callable[..., Any], task: BaselineTask) -> None:
        super().__init__()
        width, outputs = task.splits.train.features.shape[2], task.num_outputs
        hidden = 1
        while num_parameters(layer, width, hidden + 1, outputs) <= task.num_parameters:
            hidden += 1
        self.recurrent = layer(width, hidden, batch_first=True, dtype=torch.float64)
        self.readout = torch.nn.Linear(hidden, outputs, dtype=torch.float64)

    def forward(self, features: Any) -> Any:
        """Of features `[N, T, F]`."""
        return self.readout(self.recurrent(features)[0])


def _train(network: _Network, task: BaselineTask, random: np.random.Generator) -> None:
    train, validation = task.splits.train, task.splits.validation
    judged = validation if validation.num_sequences else train
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _UPDATES)
    features, size = _tensor(train.features), min(_BATCH, train.num_sequences)
    best, kept = np.inf, {k: v.clone() for k, v in network.state_dict().items()}
    for update in range(_UPDATES):
        if update % _VALIDATE_EVERY == 0:
            with torch.no_grad():
                error = float(_loss(network(_tensor(judged.features)), judged, task, slice(None)))
            if error < best:
                best, kept = error, {k: v.clone() for k, v in network.state_dict().items()}
        batch = np.sort(random.permutation(train.num_sequences)[:size])
        optimizer.zero_grad()
        _loss(network(features[batch]), train, task, batch).backward()
        optimizer.step()
        schedule.step()
    network.load_state_dict(kept)


def _loss(found: Any, data: Dataset, task: BaselineTask, chosen: Any) -> Any:
    mask = torch.as_tensor(task.mask)
    targets = _tensor(data.targets[chosen])[:, mask]
    if task.num_classes:
        logits = found[:, mask].reshape(-1, task.num_classes)
        return torch.nn.functional.cross_entropy(logits, targets.reshape(-1).long())
    return torch.mean((found[:, mask] - targets) ** 2)


def _tensor(values: Array) -> Any:
    return torch.as_tensor(values, dtype=torch.float64)
