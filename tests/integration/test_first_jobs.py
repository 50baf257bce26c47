"""The first jobs for a real device: rehearsed, priced, and the smallest of them for a real one.

One device has measure_2 and reset_2 beside the plain ones, one the plain reset alone, one no reset.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.execution.backends.ibm import fake_device_noise
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.isa import ISACircuit, isa_from_bytes
from qrnn_qiskit.execution.program import CompiledProgram, compile_isa
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.setup import Setup, make_setup
from qrnn_qiskit.spec.compose import load_job
from tests.integration.test_service_commands import Cli, cli

__all__ = ["cli"]
FIRST_JOBS = ["finetune_parity2", "evaluate_parity2", "reservoir_device"]
ALPHA = 1e-6
Array = NDArray[np.float64]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ibm_client, "arguments", {})
    monkeypatch.setattr("qrnn_qiskit.plot.plot_run", lambda run, out=None: [])
    return tmp_path


def rehearsed(cli: Cli, job: str, *settings: str, run: Path | None = None) -> dict[str, Any]:
    """What a rehearsal answers; its jobs and seconds are those of the plan."""
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    arguments += ["--run-dir", str(run)] if run else []
    code, out, err = cli("rehearse", f"hardware/{job}", "--json", *arguments)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    assert found["qpu_jobs"] == found["plan"]["jobs"]
    return found


def setup_of(job: str, device: str, *settings: str) -> Setup:
    """The same job on the device's snapshot."""
    name = device.replace("ibm_", "fake_")
    return make_setup(load_job(f"hardware/{job}", [*settings, f"backend.name={name}"]))


def transpiled(setup: Setup, run: Path) -> ISACircuit:
    return isa_from_bytes(setup.unrolled, (run / "isa.qpy").read_bytes())


def compiled(setup: Setup, isa: ISACircuit, device: str) -> CompiledProgram:
    """The circuit under the errors of its qubits."""
    noise = fake_device_noise(device.replace("ibm_", "fake_"))
    return compile_isa(setup.unrolled, isa, noise)


def exact_outputs(setup: Setup, program: CompiledProgram, weights: Array) -> Array:
    """Outputs `[B, T, K]` of the training sequences."""
    features = setup.splits.train.features
    shared = np.broadcast_to(weights, (len(features), len(weights)))
    angles = program.angles(setup.unrolled.angle_map.angles(shared, features))
    return engine_outputs(program.program, angles)


def excess(values: Array, exact: Array, shots: int) -> float:
    """Largest deviation of means of ±1, over what false alarms of rate ALPHA allow (Hoeffding)."""
    allowed = np.sqrt(2 * np.log(2 * values.size / ALPHA) / shots)
    return float(np.abs(values - exact).max() / allowed)


@pytest.fixture
def trained(cli: Cli, place: Path) -> Array:
    """Weights from an exact training, in the run directory `exact`."""
    found = cli("run", "train_parity2", "--run-dir", "exact", "--set", "training.steps=3")
    assert found[0] == 0
    weights: Array = np.array(json.loads((place / "exact/weights.json").read_text())["best"])
    return weights


WARM = 'initial.from="exact"'


def test_inference_on_a_device_with_measure_2_and_reset_2(
    cli: Cli, place: Path, trained: Array
) -> None:
    device, shots = "ibm_boston", 2500
    settings = (f"backend.name={device}", f"backend.shots={shots}", WARM)
    found = rehearsed(cli, "evaluate_parity2", *settings, run=place / "run")
    setup = setup_of("evaluate_parity2", device, WARM)
    isa = transpiled(setup, place / "run")
    assert {"measure_2", "reset_2"} & isa.circuit.count_ops().keys()
    outputs = np.array(found["run"]["outputs"])
    assert len(outputs) >= 10  # windows
    program = compiled(setup, isa, device)
    assert excess(outputs, exact_outputs(setup, program, trained), shots) < 1
    # Power: weights beside these are told apart.
    assert excess(outputs, exact_outputs(setup, program, trained + 0.3), shots) > 1


def test_fine_tuning_on_tiles_of_a_device_with_plain_reset(
    cli: Cli, place: Path, trained: Array
) -> None:
    device = "ibm_marrakesh"
    settings = (
        WARM,
        "backend.shots=4000",
        "backend.layout_trials=1",
        "training.steps=1",
        "training.batch_size=16",
    )
    found = rehearsed(
        cli, "finetune_parity2", f"backend.name={device}", *settings, run=place / "run"
    )
    assert found["plan"]["tiles"] > 20
    setup = setup_of("finetune_parity2", device, *settings)
    isa = transpiled(setup, place / "run")
    assert isa.num_tiles == found["plan"]["tiles"]
    assert {"measure", "reset"} < isa.circuit.count_ops().keys()
    tiles = [compiled(setup, isa.tile(i), device) for i in range(isa.num_tiles)]

    def exact_loss(weights: Array) -> float:
        mean = np.mean([exact_outputs(setup, tile, weights) for tile in tiles], axis=0)
        targets = setup.splits.train.targets
        return setup.objective.loss_estimate(np.empty(0), Outputs(mean), targets).mean.item()

    step = json.loads((place / "run/history.jsonl").read_text())
    bound = -norm.ppf(ALPHA / 2) * step["loss_standard_error"]
    assert abs(step["loss"] - exact_loss(trained)) < bound
    assert abs(step["loss"] - exact_loss(trained + 0.5)) > bound
    # Adam's first step goes a learning rate down the slope of each weight that has an influence.
    moved = np.array(json.loads((place / "run/weights.json").read_text())["last"]) - trained
    loss = exact_loss(trained)
    for weight in np.flatnonzero(np.array(step["gradient"]["signal_to_noise"]) > 10):
        beside = trained.copy()
        beside[weight] += 0.02 * np.sign(moved[weight])
        assert abs(moved[weight]) == pytest.approx(0.02, rel=1e-6)
        assert exact_loss(beside) < loss


def test_a_reservoir_on_a_device_without_reset(cli: Cli, place: Path) -> None:
    """Each step takes fresh qubits; of windows as long as those of the job see the docs."""
    device, shots = "ibm_berlin", 400
    settings = (
        f"backend.shots={shots}",
        "backend.layout_trials=1",
        "data.points=100",
        "data.window=2",
        "loss.last=1",
        'training.baselines=["persistence"]',
    )
    run = place / "run"
    rehearsed(cli, "reservoir_device", f"backend.name={device}", *settings, run=run)
    setup = setup_of("reservoir_device", device, *settings)
    isa = transpiled(setup, run)
    assert not {"reset", "reset_2", "if_else"} & isa.circuit.count_ops().keys()
    assert len(isa.qubits) >= 6
    weights, _ = setup.split_parameters(setup.initial)
    exact = exact_outputs(setup, compiled(setup, isa, device), weights)
    ledger = Ledger(run, looking=True)
    bits = next(PackedBits.from_bytes(ledger.load(row)) for row in ledger.jobs())
    ledger.close()
    outputs = bits.outputs("z").mean[: len(exact)]  # other parts' windows may ride along
    assert excess(outputs, exact, shots) < 1
    assert excess(outputs, exact[::-1], shots) > 1
    assert json.loads((run / "readout.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("device", ["ibm_marrakesh", "ibm_boston", "ibm_berlin"])
@pytest.mark.parametrize("job", FIRST_JOBS)
def test_every_first_job_on_every_device(cli: Cli, place: Path, job: str, device: str) -> None:
    if (job, device) == ("reservoir_device", "ibm_berlin"):
        pytest.skip("a fresh qubit for each of its 20 steps is more than can be simulated")
    settings = [f"backend.name={device}", "backend.shots=8"]
    if job == "finetune_parity2":
        settings += ["backend.tile_check=8", "training.steps=2"]
    rehearsed(cli, job, *settings)


@pytest.mark.parametrize("job", FIRST_JOBS)
def test_the_first_jobs_cost_less_than_a_minute(cli: Cli, job: str) -> None:
    arguments = ("--set", "backend.name=fake_marrakesh", "--json")
    plan = json.loads(cli("plan", f"hardware/{job}", *arguments)[1])
    assert plan["qpu_seconds"] < 60
    assert plan["within_budget"] is True


@pytest.mark.hardware
@pytest.mark.skipif("QRNN_HARDWARE" not in os.environ, reason="needs an account: QRNN_HARDWARE=1")
def test_on_a_real_device(cli: Cli, tmp_path: Path) -> None:
    # The smallest job: 16 rows of 64 shots, about 2.3 QPU seconds.
    place = ("--run-dir", tmp_path / "run", "--set", "backend.shots=64")
    code, out, err = cli("evaluate", "hardware/evaluate_parity2", "--json", *place)
    assert code == 0, err
    assert np.shape(json.loads(out)["outputs"])[:2] == (16, 4)
