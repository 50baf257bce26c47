"""Training: minibatches and steps, or a minimizer of SciPy's; both replay exactly.

Random streams are derived from the seed and the place in the run alone, so a resumed run draws
what the interrupted one would have drawn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.plugins import Minimizer, ReadoutSolver, StepwiseOptimizer
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator, exact_executor
from qrnn_qiskit.run.measure.gradient import (
    Adjoint,
    GradientResult,
    measure_gradient,
    measure_outputs,
)
from qrnn_qiskit.run.measure.health import gradient_report
from qrnn_qiskit.run.measure.known import baseline_of
from qrnn_qiskit.run.measure.lags import lags_of_last_output
from qrnn_qiskit.run.measure.policy import Decision, learn
from qrnn_qiskit.run.measure.riding import Rider
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.record import checkpoint
from qrnn_qiskit.run.record.checkpoint import TrainingState
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.reporter import GradientReport, Reporter, StepReport
from qrnn_qiskit.run.reservoir import fit_readout
from qrnn_qiskit.run.setup import Setup

BATCH_STREAM: Final = 1
GRADIENT_STREAM: Final = 2
VALIDATION_STREAM: Final = 3
LAGS_EVERY: Final = 10  # steps with exact gradients, to each of which it adds another half
CHECKPOINT_SECONDS: Final = 1.0  # a replayed second is cheap where evaluations are


@final
@dataclass(frozen=True, slots=True)
class Training:
    """One training and the places it reads from and writes to."""

    setup: Setup
    evaluator: Evaluator
    account: Account
    directory: RunDirectory
    reporter: Reporter

    def run(self, optimizer: StepwiseOptimizer | Minimizer | ReadoutSolver) -> TrainingState:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            PendingError: if a job is not done and nobody waits.
            BudgetError: where the next evaluation would exceed the budget; all is kept.
        """
        state = checkpoint.load(self.directory) or TrainingState(0, self.setup.initial)
        self.account.resume(state.shots_used, state.qpu_seconds)
        if state.finished:
            return state
        total = self.setup.job.training.steps
        self.reporter.start(total, self.setup.job.name or self.setup.cell.name)
        try:
            if optimizer.stepwise is True:
                state = self._run_stepwise(optimizer, state)
            elif isinstance(optimizer, ReadoutSolver):
                state = fit_readout(self, optimizer)
            else:
                state = self._run_minimizer(optimizer)
        finally:
            self.reporter.stop()
        checkpoint.save(self.directory, state)
        return state

    def _run_stepwise(self, optimizer: StepwiseOptimizer, state: TrainingState) -> TrainingState:
        training = self.setup.job.training
        if not state.optimizer:
            state = replace(state, optimizer=optimizer.init(len(state.parameters)))
        self.directory.truncate_history(state.step)
        saved = time.monotonic()
        try:
            while not state.finished:
                state = self._step(optimizer, state)
                if state.step == training.steps and not state.finished:
                    state = replace(state, finished=True, reason="all steps done")
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    checkpoint.save(self.directory, state)
                    saved = time.monotonic()
        except (Exception, KeyboardInterrupt):
            checkpoint.save(self.directory, state)
            raise
        return state

    def _step(self, optimizer: StepwiseOptimizer, state: TrainingState) -> TrainingState:
        training = self.setup.job.training
        train = self.setup.splits.train
        sequences = self._batch(state.step)
        batch = train.sequences(sequences)
        call = Call(f"step-{state.step}/gradient", (GRADIENT_STREAM, state.step))
        decision = self._decide(state, batch, sequences)
        known = state.policy.get("known")
        has_validation = self.setup.splits.validation.num_sequences > 0
        due = has_validation and state.step % training.validate_every == 0
        result, state = self._gradient(
            state,
            state.parameters,
            batch,
            call,
            decision,
            None if known is None else baseline_of(known, sequences),
            [self._validation(state.step)] if due else [],
        )
        if isinstance(decision.rule, Adjoint) and state.step % LAGS_EVERY == 0:
            result = replace(result, lags=self._lags(state.parameters, batch.features))
        memory = learn(
            state.policy,
            result,
            decision.shots.total,
            sequences,
            self.setup.splits.train.num_sequences,
        )
        state = replace(state, policy=memory)
        gradient = np.concatenate([result.gradient.mean, result.readout_gradient.mean])
        norm = float(np.linalg.norm(gradient))
        limit = training.gradient_clip
        if limit is not None and norm > limit:
            gradient = gradient * (limit / norm)

        validation: float | None = None
        if due:
            validation = self._validation_loss(state.parameters, result.riders[0])
            state = state.considered(state.parameters, validation, state.step)
            state = self._stopped_early(state)
        elif not has_validation:
            state = state.considered(state.parameters, float(result.loss.mean), state.step)
            state = replace(state, stale=0)  # patience counts validations

        change, moments = optimizer.update(gradient, state.optimizer)
        state = replace(
            state,
            step=state.step + 1,
            parameters=state.parameters + change,
            optimizer=moments,
        )
        if has_validation and state.step == training.steps and not state.finished:
            last, state = self._validate(state, state.step)
            state = state.considered(state.parameters, last, state.step)
        names = self.setup.cell.weight_names
        found = gradient_report(names, method_name(decision.rule), decision, result, state.policy)
        self._report(state, state.step - 1, result, validation, norm, found)
        return state

    def _decide(
        self, state: TrainingState, batch: Dataset, sequences: NDArray[np.intp]
    ) -> Decision:
        policy = self.setup.policy
        if policy is None:
            return Decision(self.setup.rule, self.setup.shots)
        weights, _ = self.setup.split_parameters(state.parameters)
        problem = self.setup.problem_at(weights, batch.features)
        return policy.decide(problem, state.policy, sequences)

    def _lags(self, parameters: Array, features: Array) -> Array:
        weights, _ = self.setup.split_parameters(parameters)
        executor = exact_executor(self.evaluator.executor)
        return lags_of_last_output(self.evaluator, executor, weights, features)

    def _run_minimizer(self, minimizer: Minimizer) -> TrainingState:
        """SciPy keeps its state to itself, so a resumed run starts anew and replays.

        Every call takes the whole training part and, with shots, new random numbers: a device has
        no others.
        """
        training = self.setup.job.training
        state = TrainingState(0, self.setup.initial)
        self.directory.truncate_history(0)
        calls = 0
        seen: dict[bytes, tuple[GradientResult, float]] = {}

        def objective(parameters: Array) -> tuple[float, Array]:
            nonlocal state, calls
            call = Call(f"call-{calls}/gradient", (GRADIENT_STREAM, calls))
            calls += 1
            decision = Decision(self.setup.rule, self.setup.shots)
            train = self.setup.splits.train
            result, state = self._gradient(state, parameters, train, call, decision)
            gradient = np.concatenate([result.gradient.mean, result.readout_gradient.mean])
            seen[parameters.tobytes()] = (result, float(np.linalg.norm(gradient)))
            return float(result.loss.mean), gradient

        def after_iteration(parameters: Array) -> None:
            nonlocal state
            result, norm = seen[parameters.tobytes()]
            seen.clear()
            validation: float | None = None
            state = replace(state, parameters=parameters, step=state.step + 1)
            if self.setup.splits.validation.num_sequences:
                if (state.step - 1) % training.validate_every == 0 or state.step == training.steps:
                    validation, state = self._validate(state, state.step - 1)
                    state = state.considered(parameters, validation, state.step)
            else:
                state = state.considered(parameters, float(result.loss.mean), state.step)
                state = replace(state, stale=0)
            self._report(state, state.step - 1, result, validation, norm)
            state = self._stopped_early(state)
            if state.finished:
                raise StopIteration

        found = minimizer.minimize(objective, self.setup.initial, training.steps, after_iteration)
        reason = state.reason or found.message.strip(" .:")
        state = replace(state, parameters=found.weights, finished=True, reason=reason)
        if not len(state.best):
            state = state.considered(found.weights, found.value, state.step)
        return state

    def _gradient(
        self,
        state: TrainingState,
        parameters: Array,
        batch: Dataset,
        call: Call,
        decision: Decision,
        known: Array | None = None,
        riders: Sequence[Rider] = (),
    ) -> tuple[GradientResult, TrainingState]:
        weights, readout = self.setup.split_parameters(parameters)
        result = measure_gradient(
            self.evaluator,
            decision.rule,
            self.setup.objective,
            weights=weights,
            readout=readout,
            features=batch.features,
            targets=batch.targets,
            shots=decision.shots,
            call=call,
            known=known,
            riders=riders,
        )
        return result, self._paid(state)

    def _validation(self, step: int) -> Rider:
        return Rider(
            self.setup.splits.validation.features,
            self.setup.forward_shots,
            Call(f"step-{step}/validation", (VALIDATION_STREAM, step)),
        )

    def _validate(self, state: TrainingState, step: int) -> tuple[float, TrainingState]:
        """The loss of the validation part, measured by itself."""
        weights, _ = self.setup.split_parameters(state.parameters)
        own = self._validation(step)
        outputs = measure_outputs(self.evaluator, weights, own.features, own.shots, own.call)
        return self._validation_loss(state.parameters, outputs), self._paid(state)

    def _validation_loss(self, parameters: Array, outputs: Outputs) -> float:
        _, readout = self.setup.split_parameters(parameters)
        targets = self.setup.splits.validation.targets
        return float(self.setup.objective.loss_estimate(readout, outputs, targets).mean)

    def _stopped_early(self, state: TrainingState) -> TrainingState:
        patience = self.setup.job.training.patience
        if patience is None or state.stale < patience:
            return state
        return replace(state, finished=True, reason=f"no improvement in {state.stale} validations")

    def _paid(self, state: TrainingState) -> TrainingState:
        return replace(state, shots_used=self.account.shots, qpu_seconds=self.account.qpu_seconds)

    def _report(
        self,
        state: TrainingState,
        step: int,
        result: GradientResult,
        validation: float | None,
        norm: float,
        gradient: GradientReport | None = None,
    ) -> None:
        error = result.loss.standard_error
        budget = self.setup.job.budget.shots
        kept = self.setup.job.training.keep_weights
        report = StepReport(
            step=step,
            loss=float(result.loss.mean),
            loss_standard_error=None if error is None else float(error),
            validation_loss=validation,
            gradient_norm=norm,
            shots_used=state.shots_used,
            shots_left=None if budget is None else budget - state.shots_used,
            qpu_seconds_used=round(state.qpu_seconds, 3),
            parameters=state.parameters.tolist() if kept else None,
            gradient=gradient,
        )
        self.directory.append_history(report)
        self.reporter.step(report)

    def _batch(self, step: int) -> NDArray[np.intp]:
        """Sequences of a step's minibatch: every epoch a new order, every sequence once."""
        total, size = self.setup.splits.train.num_sequences, self.setup.batch_size
        if size == total:
            return np.arange(total)
        per_epoch = -(-total // size)
        epoch, place = divmod(step, per_epoch)
        seed = np.random.SeedSequence(self.setup.job.seed, spawn_key=(BATCH_STREAM, epoch))
        order = np.random.default_rng(seed).permutation(total)
        return np.sort(order[place * size : (place + 1) * size])
