"""The baselines of a report: those that a job names, or all that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.plugins import BASELINES, Baseline
from qrnn_qiskit.registry import Registry
from qrnn_qiskit.spec.messages import nearest

_FIRST: Final = ("persistence", "class_frequencies", "transition_frequencies", "linear_ridge")

# By name, so that nothing of PyTorch is imported before a report needs it.
_TORCH_BASELINES: Final = Registry("qrnn_qiskit.torch.baselines", "training", "baselines")
_OF_TORCH: Final = ("gru", "lstm")


def installed_baselines() -> list[str]:
    """Names of all that can be made here, the simplest first."""
    own = [*_FIRST, *(name for name in BASELINES.names() if name not in _FIRST)]
    return own if find_spec("torch") is None else [*own, *_OF_TORCH]


def check_baselines(names: Sequence[str] | None) -> None:
    """Refuse names that are unknown, or whose package is missing.

    Raises:
        SpecError: with the nearest name, or with what to install.
    """
    known = {*BASELINES.names(), *_OF_TORCH}
    for name in names or ():
        if name not in known:
            raise SpecError(
                f"training.baselines: {name!r} is unknown{nearest(name, sorted(known))}; "
                f"known: {', '.join(sorted(known))}"
            )
        if name in _OF_TORCH and find_spec("torch") is None:
            raise SpecError(
                f"training.baselines: {name!r} needs PyTorch: pip install 'qrnn-qiskit[torch]', "
                "or leave it out"
            )


def chosen_baselines(
    names: Sequence[str] | None, *, labels: bool, many_steps: bool
) -> list[Baseline]:
    """Baselines by name, in that order, or all that are installed.

    Args:
        names: of the job; None: all. Those of another kind of prediction are passed over.
        labels: whether classes are predicted.
        many_steps: whether several steps of a sequence are read.

    Raises:
        SpecError: as `check_baselines`.
    """
    check_baselines(names)
    fitting = {"both", "labels" if labels else "values"}
    if labels and many_steps:
        fitting.add("label_sequences")
    registries = [
        (_TORCH_BASELINES if name in _OF_TORCH else BASELINES, name)
        for name in (installed_baselines() if names is None else names)
    ]
    made: list[Baseline] = [registry.build(name, {}) for registry, name in registries]
    return [baseline for baseline in made if baseline.kind in fitting]
