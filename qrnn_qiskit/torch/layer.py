"""The recurrent layer.

Axes: B sequences, T steps, F features, K output values, P weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from qrnn_qiskit.circuit import Cell, UnrolledCircuit, unroll
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.continued import ContinuedCircuit
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.gradients.problem import GradientRule
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.run.cells import resolve_cell
from qrnn_qiskit.run.cost.loops import LoopCost, loop_cost
from qrnn_qiskit.run.measure.evaluator import Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.pull_back import PulledBack
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.script import Backend, ScriptRun, check_recorded, executor_of
from qrnn_qiskit.run.weights import read_weights
from qrnn_qiskit.spec.messages import nearest
from qrnn_qiskit.torch import hidden as hidden_states
from qrnn_qiskit.torch.hidden import Piece
from qrnn_qiskit.torch.measured import Backward, Evaluation, Measurement, to_array
from qrnn_qiskit.torch.sequences import num_sequences, through

Initial = Mapping[str, float] | str | Path

# Tensors of a graph cannot be copied, and two layers cannot have one place in a run.
_NOT_KEPT: Final = ("last_evaluation", "last_backward", "run", "_name")


class QRNN(torch.nn.Module):
    """A quantum recurrent network as a layer, in the place of `torch.nn.GRU`.

    The cell's weights are one parameter, `weights` `[P]`, ordered as `weight_names`, in double
    precision. Features and outputs have the same type and device; the circuit is worked out on
    the CPU in double precision. Sequences of different length may follow each other: each length
    gets a circuit of its own, made once.

    With shots, forward and backward passes measure apart, every time with new random numbers that
    follow from `seed` and the number of measurements so far, which `state_dict` holds: a loaded
    layer goes on where the saved one stopped. With a `run`, every measurement with shots goes
    through its ledger: the same script started again pays nothing twice. Second derivatives are
    not offered (`qrnn_qiskit.hessian` has them).

    On the exact engine without noise the layer can hand out the density matrix of the hidden
    qubits and go on from it: `output, hidden = layer(input, hidden)`.

    Attributes:
        cell: the cell.
        executor: where it runs.
        rule: how the backward pass gets derivatives.
        learned: `[F]` the features by which derivatives are measured where any are; all if None.
        run: the record of measurements with shots; None for none. Copies of a layer have none.
        last_evaluation: standard errors and shots of the last forward pass.
        last_backward: gradient with standard errors, rows and shots of the last backward pass (of
            the last length, if the batch had several).
    """

    def __init__(
        self,
        cell: Cell | str,
        *,
        batch_first: bool = False,
        executor: Backend | None = None,
        shots: int | None = None,
        seed: int | None = None,
        rule: GradientRule | Adjoint | None = None,
        output: OutputKind = "z",
        initial: Initial | None = None,
        return_hidden: bool = False,
        run: ScriptRun | str | Path | None = None,
    ) -> None:
        """Make a layer.

        Args:
            cell: a cell, or one by file, by name in the library, or by family.
            batch_first: take `[B, T, F]` instead of `[T, B, F]`.
            executor: where the circuit runs, as an executor, a backend's name or a table
                `[backend]` of a job file; the exact engine by default.
            shots: of each row; None for exact values.
            seed: of the shots.
            rule: of the backward pass; by default adjoint if exact, else parameter shift.
            output: "z" for <Z> of each output bit, "probabilities" of all outcomes of a step.
            initial: weights to start from: values by name, the others drawn as
                `reset_parameters` does; or a run directory or weights file.
            return_hidden: always return the hidden state too, as `torch.nn.GRU` does.
            run: what keeps ledger and budget of measurements with shots, or its directory (then
                without limits); real devices need one.

        Raises:
            QRNNError: saying what does not fit.
        """
        super().__init__()
        self.cell = resolve_cell(cell) if isinstance(cell, str) else cell
        self.executor: Executor = ExactExecutor() if executor is None else executor_of(executor)
        exact = shots is None and isinstance(self.executor, ExactExecutor)
        if rule is None:
            rule = Adjoint() if exact else ParameterShift()
        _check(self.executor, shots, seed, rule)
        self.rule = rule
        self.return_hidden = return_hidden
        if return_hidden:
            hidden_states.check_hidden(self.cell, self.executor, shots)
        self.run = ScriptRun.at(run) if isinstance(run, str | Path) else run
        check_recorded(self.executor, self.run)
        self._name = "layer"
        if self.run is not None:
            self._name = self.run.add_layer(self.cell, self.executor, method_name(rule))
        self.batch_first, self.shots, self.output = batch_first, shots, output
        self.seed = 0 if seed is None else seed
        self.weights = torch.nn.Parameter(torch.empty(self.cell.num_weights, dtype=torch.float64))
        self.register_buffer("measurements", torch.zeros((), dtype=torch.int64))
        self.register_buffer("shots_spent", torch.zeros((), dtype=torch.int64))
        self.learned: NDArray[np.bool_] | None = None
        self.last_evaluation: Evaluation | None = None
        self.last_backward: Backward | None = None
        self._by_length: dict[int, Measurement] = {}
        self._pieces: dict[int, Piece] = {}
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

    def initial_hidden(self, batch: int) -> Any:
        """All hidden qubits in state 0, as every sequence starts: `[B, D, D]`, D = 2^hidden."""
        return hidden_states.ground_state(self.cell, batch)

    def forward(self, input: Any, hidden: Any = None) -> Any:
        """Outputs of every step.

        Args:
            input: features `[T, B, F]`, `[B, T, F]` if `batch_first`; one sequence `[T, F]`; a list
                of sequences `[T_i, F]`; or a `PackedSequence`.
            hidden: density matrices `[B, D, D]` of the hidden qubits to start from (the first
                qubit most significant); all in state 0 if None. `hidden.detach()` truncates the
                gradient.

        Returns:
            Outputs in the same form, K in the place of F. If `hidden` is given, or with
            `return_hidden`, a pair: outputs and the last density matrices `[B, D, D]`.

        Raises:
            QRNNError: saying what does not fit; for hidden states on anything but the exact
                engine without noise and shots.
        """
        before = self.shots_used
        if hidden is None and not self.return_hidden:
            outputs, errors = through(self._of_one_length, input, batch_first=self.batch_first)
            self.last_evaluation = Evaluation(errors, self.shots_used - before)
            return outputs
        return self._with_hidden(input, hidden)

    def plan(
        self,
        batch: Any,
        epochs: int = 1,
        *,
        batches: int = 1,
        backend: Backend | None = None,
        shots: int | None = None,
        rule: GradientRule | Adjoint | None = None,
        by_features: bool = False,
        last: int | None = None,
    ) -> LoopCost:
        """What a training loop will cost; nothing is measured.

        Args:
            batch: features of a batch like those to come, in any form that `forward` takes.
            epochs: passes over the data.
            batches: in each epoch.
            backend: where it would run, such as `"fake_marrakesh"`; the layer's own by default.
            shots: of each row; the layer's by default.
            rule: of the backward pass; the layer's by default, or parameter shift where that needs
                the exact engine.
            by_features: whether a layer before this one learns.
            last: the loss reads only the last so many steps.

        Raises:
            QRNNError: saying what does not fit.
        """
        executor = self.executor if backend is None else executor_of(backend)
        shots = self.shots if shots is None else shots
        rule = rule or self.rule
        if isinstance(rule, Adjoint) and (shots is not None or executor is not self.executor):
            rule = ParameterShift()
        _check(executor, shots, self.seed, rule)
        parts: list[LoopCost] = []

        def price(features: Any, places: list[int]) -> tuple[Any, Any]:
            unrolled = self._unrolled(self._checked(features).shape[1])
            parts.append(
                loop_cost(
                    unrolled,
                    executor,
                    rule,
                    weights=to_array(self.weights),
                    features=to_array(features),
                    shots=shots,
                    passes=epochs * batches,
                    by_weights=self.weights.requires_grad,
                    by_features=by_features,
                    last=last,
                )
            )
            return features, None

        through(price, batch, batch_first=self.batch_first)
        return sum(parts[1:], parts[0])

    def extra_repr(self) -> str:
        """One line for `print`."""
        parts = [repr(self.cell.name), f"{self.input_size} -> {self.output_size}"]
        parts += [f"weights={self.cell.num_weights}", f"backend={self.executor.name!r}"]
        parts += [f"batch_first={self.batch_first}"] * self.batch_first
        parts += [f"shots={self.shots}, seed={self.seed}"] * (self.shots is not None)
        parts += [f"rule={self.rule}"]
        parts += ["return_hidden=True"] * self.return_hidden
        parts += [] if self.run is None else [f"run={str(self.run.path)!r}"]
        return ", ".join(parts)

    def __getstate__(self) -> dict[str, Any]:
        # Circuits are made again when they are needed.
        fresh = {"_name": "layer", "_by_length": {}, "_pieces": {}}
        return {**self.__dict__, **dict.fromkeys(_NOT_KEPT), **fresh}

    def _checked(self, features: Any) -> Any:
        if not len(features):
            raise DataError("an empty batch: at least one sequence is needed")
        if features.shape[2] != self.input_size or not features.shape[1]:
            raise DataError(
                f"features have {features.shape[2]} values in each of {features.shape[1]} steps, "
                f"but cell {self.cell.name!r} needs {self.input_size} in at least one"
            )
        return features

    def _of_one_length(self, features: Any, places: list[int]) -> tuple[Any, Any]:
        measurement = self._measurement(self._checked(features).shape[1])
        outputs, measured = measurement.outputs(self.weights, features, self.learned)
        if self.shots is not None:
            self._spend(self.shots * len(features))
        error = measured.estimate.standard_error
        return outputs, None if error is None else torch.from_numpy(error).to(features)

    def _with_hidden(self, input: Any, hidden: Any) -> tuple[Any, Any]:
        hidden_states.check_hidden(self.cell, self.executor, self.shots)
        count = num_sequences(input, batch_first=self.batch_first)
        given = self.initial_hidden(count) if hidden is None else hidden
        first = hidden_states.checked(given, self.cell, count)
        last: list[Any] = [None] * count

        def continued(features: Any, places: list[int]) -> tuple[Any, Any]:
            piece = self._piece(self._checked(features).shape[1])
            outputs, states = piece.outputs(self.weights, features, first[places])
            for place, state in zip(places, states, strict=True):
                last[place] = state
            return outputs, None

        outputs, _ = through(continued, input, batch_first=self.batch_first)
        self.last_evaluation = Evaluation(None, 0)
        return outputs, torch.stack(last).to(given.device)

    def _piece(self, num_steps: int) -> Piece:
        if num_steps not in self._pieces:
            unrolled = self._unrolled(num_steps)
            circuit = ContinuedCircuit(unrolled, self.output)
            self._pieces[num_steps] = Piece(circuit, unrolled.angle_map)
        return self._pieces[num_steps]

    def _unrolled(self, num_steps: int) -> UnrolledCircuit:
        known = self._by_length.get(num_steps)
        return unroll(self.cell, num_steps) if known is None else known.evaluator.unrolled

    def _measurement(self, num_steps: int) -> Measurement:
        if num_steps not in self._by_length:
            unrolled = unroll(self.cell, num_steps)
            evaluator = (
                Evaluator(unrolled, self.executor, kind=self.output, seed=self.seed)
                if self.run is None
                else self.run.evaluator(
                    self._name, unrolled, self.executor, kind=self.output, seed=self.seed
                )
            )
            self._by_length[num_steps] = Measurement(
                evaluator, self.rule, self.shots, self._name, self._next, self._backward_done
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
