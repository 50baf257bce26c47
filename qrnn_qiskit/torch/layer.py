"""The recurrent layer.

Axes: B sequences, T steps, F features, K output values, P weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch

from qrnn_qiskit.circuit import Cell, unroll
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.gradients.problem import GradientRule
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.run.cells import resolve_cell
from qrnn_qiskit.run.measure.evaluator import Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.pull_back import PulledBack
from qrnn_qiskit.run.weights import read_weights
from qrnn_qiskit.spec.messages import nearest
from qrnn_qiskit.torch.measured import Backward, Evaluation, Measurement
from qrnn_qiskit.torch.sequences import through

Initial = Mapping[str, float] | str | Path

_NOT_KEPT: Final = ("_by_length", "last_evaluation", "last_backward")


class QRNN(torch.nn.Module):
    """A quantum recurrent network as a layer, in the place of `torch.nn.GRU`.

    The cell's weights are one parameter, `weights` `[P]`, ordered as `weight_names`, in double
    precision. Features and outputs have the same type and device; the circuit is worked out on
    the CPU in double precision. Sequences of different length may follow each other: each length
    gets a circuit of its own, made once.

    With shots, forward and backward passes measure apart, every time with new random numbers that
    follow from `seed` and the number of measurements so far, which `state_dict` holds: a loaded
    layer goes on where the saved one stopped. Second derivatives are not offered
    (`qrnn_qiskit.hessian` has them).

    Attributes:
        cell: the cell.
        executor: where it runs.
        rule: how the backward pass gets derivatives.
        last_evaluation: standard errors and shots of the last forward pass.
        last_backward: gradient with standard errors, rows and shots of the last backward pass (of
            the last length, if the batch had several).
    """

    def __init__(
        self,
        cell: Cell | str,
        *,
        batch_first: bool = False,
        executor: Executor | None = None,
        shots: int | None = None,
        seed: int | None = None,
        rule: GradientRule | Adjoint | None = None,
        output: OutputKind = "z",
        initial: Initial | None = None,
    ) -> None:
        """Make a layer.

        Args:
            cell: a cell, or one by file, by name in the library, or by family.
            batch_first: take `[B, T, F]` instead of `[T, B, F]`.
            executor: where the circuit runs; the exact engine by default.
            shots: of each row; None for exact values.
            seed: of the shots.
            rule: of the backward pass; by default adjoint if exact, else parameter shift.
            output: "z" for <Z> of each output bit, "probabilities" of all outcomes of a step.
            initial: weights to start from: values by name, the others drawn as
                `reset_parameters` does; or a run directory or weights file.

        Raises:
            QRNNError: saying what does not fit.
        """
        super().__init__()
        self.cell = resolve_cell(cell) if isinstance(cell, str) else cell
        self.executor: Executor = ExactExecutor() if executor is None else executor
        exact = shots is None and isinstance(self.executor, ExactExecutor)
        if rule is None:
            rule = Adjoint() if exact else ParameterShift()
        _check(self.executor, shots, seed, rule)
        self.rule = rule
        self.batch_first, self.shots, self.output = batch_first, shots, output
        self.seed = 0 if seed is None else seed
        self.weights = torch.nn.Parameter(torch.empty(self.cell.num_weights, dtype=torch.float64))
        self.register_buffer("measurements", torch.zeros((), dtype=torch.int64))
        self.register_buffer("shots_spent", torch.zeros((), dtype=torch.int64))
        self.last_evaluation: Evaluation | None = None
        self.last_backward: Backward | None = None
        self._by_length: dict[int, Measurement] = {}
        self.reset_parameters()
        if initial is not None:
            self.set_weights(initial)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """P names, in the order of `weights`."""
        return tuple(self.cell.weight_names)

    @property
    def input_size(self) -> int:
        """F."""
        return self.cell.num_features

    @property
    def output_size(self) -> int:
        """K."""
        return self.cell.num_bits if self.output == "z" else int(2**self.cell.num_bits)

    @property
    def shots_used(self) -> int:
        """Shots of all forward and backward passes so far."""
        return int(self.shots_spent)

    def reset_parameters(self) -> None:
        """Draw all weights evenly from 0 to 2 pi, by PyTorch's random numbers."""
        torch.nn.init.uniform_(self.weights, 0.0, 2 * math.pi)

    def set_weights(self, initial: Initial) -> None:
        """Set weights by name (others stay), or all from a run directory or weights file.

        Raises:
            DataError: for an unknown name or a file that does not fit.
        """
        with torch.no_grad():
            if not isinstance(initial, Mapping):
                found, _ = read_weights(Path(initial), self.cell)
                self.weights.copy_(torch.from_numpy(found))
                return
            places = {name: i for i, name in enumerate(self.weight_names)}
            for name, value in initial.items():
                if name not in places:
                    raise DataError(
                        f"cell {self.cell.name!r} has no weight {name!r}"
                        f"{nearest(name, self.weight_names)}; it has {', '.join(places)}"
                    )
                self.weights[places[name]] = float(value)

    def named_weights(self) -> dict[str, float]:
        """Values of all weights by name."""
        return dict(zip(self.weight_names, self.weights.tolist(), strict=True))

    def forward(self, input: Any) -> Any:
        """Outputs of every step.

        Args:
            input: features `[T, B, F]`, `[B, T, F]` if `batch_first`; one sequence `[T, F]`; a list
                of sequences `[T_i, F]`; or a `PackedSequence`.

        Returns:
            Outputs in the same form, K in the place of F.

        Raises:
            QRNNError: saying what does not fit.
        """
        before = self.shots_used
        outputs, errors = through(self._of_one_length, input, batch_first=self.batch_first)
        self.last_evaluation = Evaluation(errors, self.shots_used - before)
        return outputs

    def extra_repr(self) -> str:
        """One line for `print`."""
        parts = [repr(self.cell.name), f"{self.input_size} -> {self.output_size}"]
        parts += [f"weights={self.cell.num_weights}", f"backend={self.executor.name!r}"]
        parts += [f"batch_first={self.batch_first}"] * self.batch_first
        parts += [f"shots={self.shots}, seed={self.seed}"] * (self.shots is not None)
        return ", ".join([*parts, f"rule={self.rule}"])

    def __getstate__(self) -> dict[str, Any]:
        # Tensors of a graph cannot be copied, and circuits are made again when they are needed.
        return {**self.__dict__, **dict.fromkeys(_NOT_KEPT), "_by_length": {}}

    def _of_one_length(self, features: Any) -> tuple[Any, Any]:
        if not len(features):
            raise DataError("an empty batch: at least one sequence is needed")
        if features.shape[2] != self.input_size or not features.shape[1]:
            raise DataError(
                f"features have {features.shape[2]} values in each of {features.shape[1]} steps, "
                f"but cell {self.cell.name!r} needs {self.input_size} in at least one"
            )
        outputs, measured = self._measurement(features.shape[1]).outputs(self.weights, features)
        if self.shots is not None:
            self._spend(self.shots * len(features))
        error = measured.estimate.standard_error
        return outputs, None if error is None else torch.from_numpy(error).to(features)

    def _measurement(self, num_steps: int) -> Measurement:
        if num_steps not in self._by_length:
            circuit = unroll(self.cell, num_steps)
            evaluator = Evaluator(circuit, self.executor, kind=self.output, seed=self.seed)
            self._by_length[num_steps] = Measurement(
                evaluator, self.rule, self.shots, self._next, self._backward_done
            )
        return self._by_length[num_steps]

    def _next(self) -> int:
        number = int(self.measurements)
        cast(Any, self.measurements).add_(1)
        return number

    def _spend(self, shots: int) -> None:
        cast(Any, self.shots_spent).add_(shots)

    def _backward_done(self, found: PulledBack) -> None:
        self.last_backward = Backward(found.by_weights, found.rows, found.shots)
        self._spend(found.shots)


def _check(
    executor: Executor, shots: int | None, seed: int | None, rule: GradientRule | Adjoint
) -> None:
    if isinstance(rule, Adjoint) and (shots is not None or not isinstance(executor, ExactExecutor)):
        raise DataError(
            "Adjoint() is exact and needs ExactExecutor() without shots: use ParameterShift()"
        )
    if shots is None:
        if not isinstance(executor, ExactExecutor):
            raise BackendError(f"backend {executor.name!r} only samples: give shots and a seed")
        return
    if seed is None:
        raise DataError("shots need an explicit seed, such as seed=7")
    if shots < 2:
        raise DataError(f"shots = {shots}: must be at least 2, to estimate errors from")
