"""The trainer: minibatches, clipping, what is kept as best, when it stops, what it pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager

from qrnn_qiskit import ExactExecutor
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BudgetError, RunError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.learning.plugins import OPTIMIZERS, Minimizer, StepwiseOptimizer
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.measure.riding import Rider
from qrnn_qiskit.run.record import checkpoint
from qrnn_qiskit.run.record.checkpoint import TrainingState
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.setup import Setup, make_evaluator, make_setup
from qrnn_qiskit.run.train import Training
from tests.unit.run.small import Recorder, arrays, history, make_job, write_data

Tables = Mapping[str, Any]


@dataclass
class Trainer:
    """A training in a folder, step by step."""

    folder: Path
    tables: Tables
    recorder: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.setup = make_setup(make_job(self.folder, **self.tables))
        self.directory = RunDirectory(self.folder / "run")
        self.directory.path.mkdir(exist_ok=True)

    def training(self, setup: Setup | None = None) -> Training:
        setup = setup or self.setup
        account = Account(setup)
        evaluator = make_evaluator(setup, charge=account.charge)
        return Training(setup, evaluator, account, self.directory, self.recorder)

    def run(self, optimizer: StepwiseOptimizer | Minimizer | None = None) -> TrainingState:
        spec = self.setup.job.optimizer
        return self.training().run(optimizer or OPTIMIZERS.build(spec.name, spec.options))


class Still:
    """An optimizer that keeps the gradients it is given, and moves as it is told."""

    stepwise: ClassVar[Literal[True]] = True

    def __init__(self, change: float = 0.0) -> None:
        self.gradients: list[Array] = []
        self.change = change

    def init(self, num_parameters: int) -> dict[str, Array]:
        return {}

    def update(self, gradient: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        self.gradients.append(gradient)
        return np.full(len(gradient), self.change), {"count": np.asarray(len(self.gradients))}


def batches(trainer: Trainer, steps: range) -> list[list[int]]:
    training = trainer.training()
    return [training._batch(step).tolist() for step in steps]


@pytest.mark.parametrize(("size", "per_epoch"), [(4, 3), (5, 2), (1, 10)])
def test_every_epoch_takes_each_sequence_once_in_a_new_order(
    size: int, per_epoch: int, tmp_path: Path
) -> None:
    write_data(tmp_path, **arrays(parts={"": 10}))
    trainer = Trainer(tmp_path, {"training": {"batch_size": size}})
    epochs = [batches(trainer, range(e * per_epoch, (e + 1) * per_epoch)) for e in range(4)]
    for epoch in epochs:
        assert sorted(index for batch in epoch for index in batch) == list(range(10))
        assert all(len(batch) == size for batch in epoch[:-1])
    assert len({str(epoch) for epoch in epochs}) == 4
    other = Trainer(tmp_path, {"training": {"batch_size": size}})
    assert batches(other, range(per_epoch)) == epochs[0], "the seed decides, not the process"


def test_without_minibatches_all_sequences_are_taken_in_order(tmp_path: Path) -> None:
    for size in ({}, {"batch_size": 6}, {"batch_size": 99}):
        trainer = Trainer(tmp_path, {"training": size})
        assert batches(trainer, range(2)) == [[0, 1, 2, 3, 4, 5]] * 2


def test_a_gradient_is_clipped_to_its_norm_and_reported_as_it_was(tmp_path: Path) -> None:
    plain, clipped = Still(), Still()
    free = Trainer(tmp_path, {"training": {"steps": 1}})
    free.run(plain)
    (gradient,) = plain.gradients
    norm = float(np.linalg.norm(gradient))
    assert free.recorder.steps[0].gradient_norm == pytest.approx(norm, rel=1e-14)

    (tmp_path / "run" / checkpoint.NAME).unlink()
    limited = Trainer(tmp_path, {"training": {"steps": 1, "gradient_clip": 0.25 * norm}})
    limited.run(clipped)
    np.testing.assert_allclose(clipped.gradients[0], 0.25 * gradient, rtol=1e-13)
    assert limited.recorder.steps[0].gradient_norm == pytest.approx(norm, rel=1e-14)

    (tmp_path / "run" / checkpoint.NAME).unlink()
    loose = Still()
    Trainer(tmp_path, {"training": {"steps": 1, "gradient_clip": 1.01 * norm}}).run(loose)
    np.testing.assert_array_equal(loose.gradients[0], gradient)


def scripted(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[int]:
    """Replace validation by given losses; returns the steps at which it was asked for."""
    asked: list[int] = []
    validation = Training._validation

    def ask(self: Training, step: int) -> Rider:
        asked.append(step)
        return validation(self, step)

    def loss(self: Training, parameters: Array, outputs: Outputs) -> float:
        return losses[len(asked) - 1]

    monkeypatch.setattr(Training, "_validation", ask)
    monkeypatch.setattr(Training, "_validation_loss", loss)
    return asked


def test_the_best_validated_weights_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.5, 0.2, 0.3, 0.4])
    trainer = Trainer(tmp_path, {"training": {"steps": 9, "validate_every": 3}})
    state = trainer.run(Still(change=0.01))
    assert asked == [0, 3, 6, 9]
    assert (state.best_step, state.best_loss, state.step) == (3, 0.2, 9)
    np.testing.assert_allclose(state.best, trainer.setup.initial + 0.03, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state.parameters, trainer.setup.initial + 0.09, rtol=0, atol=1e-12)
    reported = [report.validation_loss for report in trainer.recorder.steps]
    assert reported == [0.5, None, None, 0.2, None, None, 0.3, None, None]


def test_the_weights_after_the_last_step_can_be_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.5, 0.4, 0.1])
    trainer = Trainer(tmp_path, {"training": {"steps": 4, "validate_every": 2}})
    state = trainer.run(Still(change=0.01))
    assert (state.best_step, state.best_loss) == (4, 0.1)
    np.testing.assert_array_equal(state.best, state.parameters)


def test_training_stops_when_patience_is_exhausted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.5, 0.3, 0.4, 0.3, 0.35, 0.1])
    limits = {"steps": 50, "validate_every": 2, "patience": 3}
    trainer = Trainer(tmp_path, {"training": limits})
    state = trainer.run(Still(change=0.01))
    assert asked == [0, 2, 4, 6, 8]
    assert (state.best_step, state.best_loss) == (2, 0.3)
    assert (state.finished, state.reason) == (True, "no improvement in 3 validations")
    assert len(history(trainer.directory.path)) == 9


@pytest.mark.parametrize("name", ["bfgs", "l_bfgs_b"])
def test_minimizers_stop_by_patience_and_keep_the_best_validated_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, [0.2, 0.3, 0.3, 0.1])
    limits = {"steps": 50, "validate_every": 2, "patience": 2}
    trainer = Trainer(tmp_path, {"training": limits, "optimizer": {"name": name}})
    state = trainer.run()
    assert asked == [0, 2, 4]
    assert (state.step, state.best_step, state.best_loss) == (5, 1, 0.2)
    assert (state.finished, state.reason) == (True, "no improvement in 2 validations")


def test_without_a_validation_part_the_training_loss_decides(tmp_path: Path) -> None:
    only = arrays(parts={"": 6})
    np.savez(tmp_path / "data.npz", features=only["features"], targets=only["targets"])
    trainer = Trainer(
        tmp_path,
        {"training": {"steps": 12}, "optimizer": {"name": "sgd", "learning_rate": 3.0}},
    )
    state = trainer.run()
    losses = [report.loss for report in trainer.recorder.steps]
    assert losses[-1] != min(losses), "a rate this large should overshoot"
    assert state.best_loss == min(losses)
    assert state.best_step == int(np.argmin(losses))


def exact_loss(trainer: Trainer, parameters: Array, part: str = "train") -> float:
    setup = trainer.setup
    data = getattr(setup.splits, part)
    weights, readout = setup.split_parameters(parameters)
    angles = setup.unrolled.angle_map.angles(weights, data.features)
    outputs = ExactExecutor().forward(setup.unrolled, angles, "z")
    predictions = setup.objective.readout.predict(readout, outputs)
    return float(np.mean((predictions - data.targets) ** 2))


def test_validation_is_the_loss_of_the_validation_part(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, {"training": {"steps": 1}})
    trainer.run(Still())
    expected = exact_loss(trainer, trainer.setup.initial, "validation")
    assert trainer.recorder.steps[0].validation_loss == pytest.approx(expected, rel=1e-12)


def test_the_readout_is_trained_with_the_cell_or_left_alone(tmp_path: Path) -> None:
    trained = Trainer(tmp_path, {"training": {"steps": 30}})
    state = trained.run()
    assert trained.setup.parameter_names == ["a", "b", "c", "scale", "bias"]
    assert np.all(np.abs(state.parameters - trained.setup.initial) > 1e-3)

    for head, names in (
        ({"head": "scale", "train_scale": False}, ["bias"]),
        ({"head": "scale", "train_bias": False}, ["scale"]),
        ({"head": "identity"}, []),
    ):
        (tmp_path / "run" / checkpoint.NAME).unlink()
        fixed = Trainer(tmp_path, {"readout": head, "training": {"steps": 1}})
        assert fixed.setup.parameter_names[3:] == names
        assert len(fixed.run().parameters) == 3 + len(names)


@pytest.mark.parametrize("name", ["bfgs", "l_bfgs_b", "adam", "sgd"])
def test_every_optimizer_lowers_the_loss(name: str, tmp_path: Path) -> None:
    options = {} if "bfgs" in name else {"learning_rate": 0.1}
    trainer = Trainer(tmp_path, {"optimizer": {"name": name, **options}, "training": {"steps": 40}})
    losses = [report.loss for report in (trainer.run(), trainer.recorder.steps)[1]]
    assert losses[-1] < 0.75 * losses[0]
    if "bfgs" in name:
        assert losses == sorted(losses, reverse=True)


def test_bfgs_and_l_bfgs_b_find_the_same_minimum(tmp_path: Path) -> None:
    found = []
    for name in ("bfgs", "l_bfgs_b"):
        (tmp_path / name).mkdir()
        trainer = Trainer(
            tmp_path / name, {"optimizer": {"name": name}, "training": {"steps": 500}}
        )
        state = trainer.run()
        assert trainer.recorder.steps[-1].gradient_norm < 1e-7, state.reason
        found.append(trainer.recorder.steps[-1].loss)
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_a_scale_head_trained_with_shots_on_aer_lowers_the_loss(tmp_path: Path) -> None:
    trainer = Trainer(
        tmp_path,
        {
            "backend": {"name": "aer", "shots": 40},
            "gradient": {"method": "parameter_shift"},
            "readout": {"head": "scale", "scale": 3.0},
            "training": {"steps": 12, "batch_size": 3, "validate_every": 99},
            "optimizer": {"name": "adam", "learning_rate": 0.25},
        },
    )
    state = trainer.run()
    assert exact_loss(trainer, state.parameters) < 0.3 * exact_loss(trainer, trainer.setup.initial)
    assert state.parameters[3] < trainer.setup.initial[3] - 1.0


SAMPLED: Tables = {
    "backend": {"name": "exact", "shots": 10},
    "gradient": {"method": "parameter_shift"},
}


def test_shots_are_counted_as_they_were_planned(tmp_path: Path) -> None:
    training = {"steps": 5, "batch_size": 3, "validate_every": 2}
    trainer = Trainer(tmp_path, {**SAMPLED, "training": training})
    state = trainer.run(Still())
    plan = plan_job(trainer.setup)
    test_part = 3 * 10
    assert plan["shots_per_gradient"] == 10 * plan["rows_per_gradient"]
    assert state.shots_used == plan["shots_total"] - test_part
    each = plan["shots_per_gradient"]
    assert [report.shots_used for report in trainer.recorder.steps] == [
        each + 20,
        2 * each + 20,
        3 * each + 40,
        4 * each + 40,
        5 * each + 80,  # and once more after the last step
    ]
    assert trainer.recorder.steps[0].shots_left is None


def test_what_is_left_of_the_budget_is_reported(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, {**SAMPLED, "budget": {"shots": 100_000}})
    trainer.run(Still())
    for report in trainer.recorder.steps:
        assert report.shots_left == 100_000 - report.shots_used


@pytest.mark.parametrize("optimizer", ["adam", "bfgs"])
def test_a_budget_that_is_exhausted_keeps_what_was_paid_for(optimizer: str, tmp_path: Path) -> None:
    training = {"steps": 6, "validate_every": 99}
    tables = {**SAMPLED, "training": training, "optimizer": {"name": optimizer}}
    whole = Trainer(tmp_path, tables)
    expected = whole.run()
    lines = history(whole.directory.path)
    if (whole.directory.path / checkpoint.NAME).exists():
        (whole.directory.path / checkpoint.NAME).unlink()

    limit = lines[2]["shots"] + 1
    short = Trainer(tmp_path, {**tables, "budget": {"shots": limit}})
    with pytest.raises(BudgetError, match=f"of budget.shots = {limit:,}; all so far is kept"):
        short.run()
    kept = history(short.directory.path)
    assert kept == lines[: len(kept)]
    assert len(kept) == 3

    assert Trainer(tmp_path, tables).run().parameters.tolist() == expected.parameters.tolist()
    assert history(whole.directory.path) == lines


def test_a_checkpoint_holds_the_whole_state(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert checkpoint.load(directory) is None
    random = np.random.default_rng(0)
    state = TrainingState(
        step=7,
        parameters=random.normal(size=5),
        optimizer={"mean": random.normal(size=5), "count": np.asarray(7.0)},
        best=random.normal(size=5),
        best_loss=0.1 + 0.2,
        best_step=4,
        stale=2,
        shots_used=2**40,
        qpu_seconds=1.25,
        finished=True,
        reason="all steps done ±",
    )
    for saved in (state, TrainingState(0, np.zeros(2))):  # no loss yet: infinite
        checkpoint.save(directory, saved)
        loaded = checkpoint.load(directory)
        assert loaded is not None
        for name in TrainingState.__slots__:
            np.testing.assert_equal(getattr(loaded, name), getattr(saved, name))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint.save(RunDirectory(tmp_path), TrainingState(0, np.zeros(2)))
    path = tmp_path / checkpoint.NAME
    for content in (path.read_bytes()[:-30], b"", b"garbage"):
        path.write_bytes(content)
        with pytest.raises(RunError, match="checkpoint.npz is damaged .*: delete it"):
            checkpoint.load(RunDirectory(tmp_path))


def test_history_beyond_the_checkpoint_is_forgotten(tmp_path: Path) -> None:
    whole = Trainer(tmp_path, {"training": {"steps": 6}})
    expected = whole.run()
    lines = (tmp_path / "run" / "history.jsonl").read_bytes()
    interrupted = Trainer(tmp_path, {"training": {"steps": 6}}, Recorder(interrupt_after=4))
    (tmp_path / "run" / checkpoint.NAME).unlink()
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    state = checkpoint.load(interrupted.directory)
    assert state is not None
    assert 0 < state.step < 6
    with (tmp_path / "run" / "history.jsonl").open("a") as file:
        file.write('{"step": 4, "torn')
    resumed = Trainer(tmp_path, {"training": {"steps": 6}}).run()
    np.testing.assert_equal(resumed.parameters, expected.parameters)
    assert (tmp_path / "run" / "history.jsonl").read_bytes() == lines


def test_a_training_transpiles_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counting(**options: Any) -> Any:
        made.append(options["optimization_level"])
        return generate_preset_pass_manager(**options)

    monkeypatch.setattr("qrnn_qiskit.execution.isa.generate_preset_pass_manager", counting)
    trainer = Trainer(
        tmp_path,
        {
            "backend": {"name": "aer", "shots": 4, "optimization_level": 2},
            "training": {"steps": 3, "batch_size": 2},
        },
    )
    plan_job(trainer.setup)
    trainer.run()
    assert len(trainer.recorder.steps) == 3
    assert made == [2]
