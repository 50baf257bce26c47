"""Jobs on several tiles of a device: plan, refusals, and a run through the emulated service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.emulator import AerRunner, EmulatedService
from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.setup import make_setup
from tests.integration.service_harness import write_training
from tests.integration.test_service_commands import Cli, cli, point_at
from tests.unit.run.small import make_job

__all__ = ["cli"]
DEVICE = "ibm_jakarta"  # seven qubits: two pairs fit with a guard qubit between them


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with EmulatedService([DEVICE], runner=AerRunner(noise=False)) as running:
        point_at(running, monkeypatch)
        yield running


def test_a_run_on_two_tiles_of_a_service(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job = write_training(tmp_path, backend={"name": DEVICE, "shots": 999, "tiles": 2})
    plan = json.loads(cli("plan", job, "--json")[1])
    assert plan["tiles"] == 2
    assert plan["shots_total"] == 2 * plan["executions_total"]
    assert plan["qpu_seconds_without_tiles"] > plan["qpu_seconds"]
    run = tmp_path / "run"
    code, _, err = cli("run", job, "--run-dir", run)
    assert (code, err.count("error")) == (0, 0)
    ledger = Ledger(run, looking=True)
    try:
        rows = ledger.jobs()
        assert {row.block.shots for row in rows} == {500}  # 999 shots are 1000 on two tiles
        assert sum(row.block.executions for row in rows) == plan["executions_total"]
        bits = [PackedBits.from_bytes(ledger.load(row)) for row in rows]
    finally:
        ledger.close()
    assert all(set(part.count) == {1000} for part in bits)
    # The same rows on both tiles, but not the same shots.
    each = bits[0].packed.reshape(-1, 2, 500)
    assert not np.array_equal(each[:, 0], each[:, 1])
    used = sum(row.used or 0.0 for row in rows)
    assert used == pytest.approx(plan["qpu_seconds"], rel=0.1)
    # A continued run keeps tiles and circuit.
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == len(rows)


def test_tiles_are_reported_apart_and_crosstalk_is_looked_for(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    backend = {"name": DEVICE, "shots": 1000, "tiles": 2, "tile_check": 300}
    job = write_training(tmp_path, backend=backend)
    plan = json.loads(cli("plan", job, "--json")[1])
    run = tmp_path / "run"
    assert cli("run", job, "--run-dir", run)[0] == 0
    assert len(service.jobs) == plan["jobs"] == 4
    assert service.consumed_seconds() == pytest.approx(plan["qpu_seconds"], abs=0.1)
    found = json.loads(cli("tiles", run, "--json")[1])
    assert found["addresses"] == ["test"]
    assert [tile["qubits"] for tile in found["tiles"]] == plan["tile_qubits"]
    assert [tile["predicted_error"] for tile in found["tiles"]] == plan["tile_errors"]
    crosstalk = found["crosstalk"][DEVICE]
    assert crosstalk["probability"] > 1e-6  # the emulated device has none
    assert "alone and among the others" in (run / "log.txt").read_text(encoding="utf-8")
    # A run that continues does not measure it again, and one without tiles has no report.
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 4
    alone = write_training(tmp_path, backend={"name": DEVICE, "shots": 8})
    assert cli("run", alone, "--run-dir", tmp_path / "alone")[0] == 0
    assert "has no tiles" in cli("tiles", tmp_path / "alone")[2]


def test_the_plan_of_a_tiled_job(tmp_path: Path) -> None:
    backend = {"name": "fake_marrakesh", "shots": 1000, "layout_trials": 1}
    gradient = {"method": "parameter_shift"}
    alone, filled = (
        plan_job(make_setup(make_job(tmp_path, backend={**backend, "tiles": n}, gradient=gradient)))
        for n in (1, "auto")
    )
    assert "tile_qubits" not in alone
    tiles = filled["tiles"]
    assert tiles >= 20
    assert len(filled["tile_qubits"]) == len(filled["tile_errors"]) == tiles
    assert filled["tile_qubits"][0] == filled["physical_qubits"]
    assert filled["executions_total"] * tiles == filled["shots_total"] >= alone["shots_total"]
    assert alone["jobs"] == filled["jobs"]
    work = filled["qpu_seconds"] - 2 * alone["jobs"]
    assert tiles * work == pytest.approx(
        filled["qpu_seconds_without_tiles"] - 2 * alone["jobs"], abs=0.1 * tiles
    )


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"backend": {"name": "exact", "tiles": 2}}, "tiles.*simulates one copy"),
        ({"backend": {"name": "aer", "shots": 8, "tiles": "auto"}}, "tiles.*simulates one copy"),
        ({"backend": {"name": "fake_quito", "shots": 8, "tiles": 2}}, "only 1 copies"),
        ({"backend": {"name": "fake_quito", "shots": 8, "tile_check": 9}}, "needs backend.tiles"),
        (
            {
                "backend": {"name": "fake_jakarta", "shots": 8, "tiles": 2},
                "mitigation": {"readout": "stated"},
            },
            "mitigation. is not for backend.tiles",
        ),
    ],
)
def test_what_tiles_do_not_go_with(tmp_path: Path, tables: dict[str, object], message: str) -> None:
    with pytest.raises(QRNNError, match=message):
        make_setup(make_job(tmp_path, **tables))  # type: ignore[arg-type]
