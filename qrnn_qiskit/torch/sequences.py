"""Sequences in the forms that recurrent layers of PyTorch take, and outputs back in the same form.

A form is taken apart into sequences `[T, F]`; those of one length are measured together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from qrnn_qiskit.errors import DataError

OfOneLength = Callable[[Any, list[int]], tuple[Any, Any]]
"""From features `[B, T, F]` and the B sequences' places in the batch, to outputs `[B, T, K]` and
standard errors (or None)."""


def through(of_one_length: OfOneLength, features: Any, *, batch_first: bool) -> tuple[Any, Any]:
    """Outputs and standard errors in the form of the features.

    Args:
        of_one_length: what to do with sequences of one length.
        features: `[T, B, F]` (`[B, T, F]` if `batch_first`), one sequence `[T, F]`, a list of
            sequences `[T_i, F]`, or a `PackedSequence`.
        batch_first: whether the first axis of a batch is the sequences.

    Raises:
        DataError: for anything else.
    """
    if isinstance(features, PackedSequence):
        return _packed(of_one_length, features)
    if isinstance(features, (list, tuple)):
        return _listed(of_one_length, features, list(range(len(features))))
    _check(features, (2, 3), "[T, F], [T, B, F], or [B, T, F] with batch_first=True")
    if features.ndim == 2:
        outputs, errors = of_one_length(features[None], [0])
        return outputs[0], None if errors is None else errors[0]
    places = list(range(num_sequences(features, batch_first=batch_first)))
    if batch_first:
        return of_one_length(features, places)
    outputs, errors = of_one_length(features.transpose(0, 1), places)
    return outputs.transpose(0, 1), None if errors is None else errors.transpose(0, 1)


def num_sequences(features: Any, *, batch_first: bool) -> int:
    """B of features in any form."""
    if isinstance(features, PackedSequence):
        return int(features.batch_sizes[0])
    if isinstance(features, (list, tuple)):
        return len(features)
    if not isinstance(features, torch.Tensor) or features.ndim != 3:
        return 1
    return int(features.shape[0 if batch_first else 1])


def _listed(
    of_one_length: OfOneLength, features: Sequence[Any], places: list[int]
) -> tuple[list[Any], Any]:
    """Of sequences that have these places in the batch."""
    if not features:
        raise DataError("an empty list of sequences")
    by_length: dict[int, list[int]] = {}
    for i, sequence in enumerate(features):
        _check(sequence, (2,), "[T, F] for each sequence of a list")
        by_length.setdefault(len(sequence), []).append(i)
    outputs: list[Any] = [None] * len(features)
    errors: list[Any] = [None] * len(features)
    for rows in by_length.values():
        batch = torch.stack([features[i] for i in rows])
        found, spread = of_one_length(batch, [places[i] for i in rows])
        for row, i in enumerate(rows):
            outputs[i] = found[row]
            errors[i] = None if spread is None else spread[row]
    return outputs, None if errors[0] is None else errors


def _packed(of_one_length: OfOneLength, features: Any) -> tuple[Any, Any]:
    # In the order of the pack, longest first.
    sequences = unpack_sequence(PackedSequence(features.data, features.batch_sizes))
    order = features.sorted_indices
    places = list(range(len(sequences))) if order is None else order.tolist()
    outputs, errors = _listed(of_one_length, sequences, places)

    def pack(parts: list[Any]) -> Any:
        data = pack_sequence(parts).data
        order = features.sorted_indices, features.unsorted_indices
        return PackedSequence(data, features.batch_sizes, *order)

    return pack(outputs), None if errors is None else pack(errors)


def _check(features: Any, axes: tuple[int, ...], wanted: str) -> None:
    if not isinstance(features, torch.Tensor):
        raise DataError(f"features are a {type(features).__name__}: a tensor is needed, {wanted}")
    if features.ndim not in axes:
        raise DataError(f"features have shape {tuple(features.shape)}: needed are {wanted}")
    if not features.is_floating_point():
        raise DataError(f"features are {features.dtype}: floating point is needed (x.double())")
