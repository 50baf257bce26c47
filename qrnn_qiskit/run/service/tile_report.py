"""The tiles of a device apart: how far each is from the others, and whether they disturb it.

Axes: R rows, T steps, K output values, n tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import ndtr

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import RunError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.blocks import assemble
from qrnn_qiskit.execution.devices import SEPARATOR, members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.tiles import SupportsSingle, by_tile, tile_errors
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.setup import Setup
from qrnn_qiskit.spec.compose import job_from_dict

TILE_STREAM: Final = 7
ROWS: Final = 64  # of a request that a report reads
ALARM: Final = 1e-3  # probability of a difference by chance, below which it is told
FILE: Final = "tiles.json"


def tile_places(setup: Setup) -> dict[str, Any]:
    """Physical qubits and predicted error of each tile, by device; empty without tiles."""
    found = {}
    for executor in members_of(setup.executor):
        isa, target = executor.isa(setup.unrolled), getattr(executor, "target", None)
        if isa.tiles and target is not None:
            errors = tile_errors(isa.circuit, target, isa.tiles)
            found[executor.name] = {
                "qubits": [list(tile) for tile in isa.tiles],
                "errors": [round(error, 4) for error in errors],
            }
    return found


def tile_deviations(tiles: list[Outputs]) -> list[dict[str, float]]:
    """How far each tile's outputs are from the average of all.

    Returns:
        For each tile `deviation`, the root mean square over rows, steps and values with what shots
        alone would show taken off; its `standard_error`; and `shot_noise`, what shots alone show.
    """
    mean = np.stack([tile.mean for tile in tiles])  # [n, R, T, K]
    variance = np.stack([_variance(tile) for tile in tiles])
    count = len(tiles)
    # Of the difference to an average that the tile itself is part of.
    noise = variance * (1 - 2 / count) + variance.mean(axis=0) / count
    excess = (mean - mean.mean(axis=0)) ** 2 - noise
    of_rows = excess.mean(axis=(2, 3))  # steps of a shot are correlated, rows are not
    found = []
    for tile in range(count):
        square = float(of_rows[tile].mean())
        spread = float(of_rows[tile].std()) / math.sqrt(max(1, of_rows.shape[1] - 1))
        deviation = math.sqrt(max(square, 0.0))
        found.append(
            {
                "deviation": deviation,
                "standard_error": spread / (2 * deviation) if deviation else math.sqrt(spread),
                "shot_noise": math.sqrt(float(noise[tile].mean())),
            }
        )
    return found


def difference(alone: Outputs, among_others: Outputs) -> dict[str, float]:
    """How the outputs of one tile change when the others run beside it.

    Returns:
        `largest`: difference of an output, in standard errors; `probability`: of one as large
        among so many by shots alone; `deviation`: root mean square, shot noise taken off.
    """
    change = among_others.mean - alone.mean
    variance = _variance(alone) + _variance(among_others)
    largest = float(np.max(np.abs(change) / np.sqrt(variance)))
    return {
        "largest": largest,
        "probability": min(1.0, change.size * 2 * float(ndtr(-largest))),
        "deviation": math.sqrt(max(0.0, float(np.mean(change**2 - variance)))),
    }


def check_crosstalk(
    setup: Setup, evaluator: Evaluator, directory: RunDirectory, notify: Callable[[str], None]
) -> None:
    """Compare the best tile alone with the same tile among all others, if the job asks for it.

    The unshifted rows of the first minibatch at the initial weights are measured twice,
    `backend.tile_check` executions each. What is found is written to `tiles.json`.

    Raises:
        QRNNError: as `Evaluator.raw_outputs`.
    """
    executions = setup.job.backend.tile_check
    if executions is None or (directory.path / FILE).exists():
        return
    weights, _ = setup.split_parameters(setup.initial)
    plan = forward_plan(weights, setup.splits.train.features[: setup.batch_size])
    found = {}
    for number, device in enumerate(members_of(setup.executor)):
        executor: object = device
        if not isinstance(executor, SupportsSingle):
            continue
        name = "" if SEPARATOR not in setup.executor.name else f"@{device.name}"
        tiles = device.isa(setup.unrolled).num_tiles
        all_tiles, one = (
            evaluator.on(setup.unrolled, on).bits(
                plan, shots, Call(f"tiles/{what}{name}", (TILE_STREAM, number, stream))
            )
            for stream, (what, on, shots) in enumerate(
                (
                    ("all", device, executions * tiles),
                    ("one", executor.single(), executions),
                )
            )
        )
        kind = evaluator.kind
        best = by_tile(all_tiles, executions * tiles, tiles)[0].outputs(kind)
        found[device.name] = difference(one.outputs(kind), best)
        notify(_words(device, found[device.name]))
    directory.write_json(FILE, {"executions": executions, "crosstalk": found})


def _words(device: Executor, change: dict[str, float]) -> str:
    told = (
        f"tiles of {device.name}: alone and among the others the best one differs by at most "
        f"{change['largest']:.2g} standard errors"
    )
    if change["probability"] >= ALARM:
        return told
    return (
        f"{told}, by {change['deviation']:.2g} on average: more than shots explain "
        f"(probability {change['probability']:.1g}); fewer tiles (backend.tiles) may help"
    )


def tile_report(run: Path) -> dict[str, Any]:
    """The tiles of a run apart, from its ledger alone.

    Returns:
        `tiles`: for each its `device`, `qubits`, `predicted_error` and what `tile_deviations`
        says of the last gradient or forecast that is complete; `address`: of that;
        `crosstalk`: by device, what `difference` found, None if it was not asked for.

    Raises:
        RunError: if the run has no tiles, or nothing measured yet.
    """
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    places = record.get("tiles") or {}
    if not places:
        raise RunError(f"{run} has no tiles: its backend.tiles was 1")
    kind = job_from_dict(record["job"]).readout.output
    tiles = []
    addresses = []
    ledger = Ledger(directory.path, looking=True)
    try:
        for device, place in places.items():
            address, found = _last(ledger, device, len(place["qubits"]), kind, len(places) > 1)
            addresses.append(address)
            for qubits, error, deviation in zip(
                place["qubits"], place["errors"], tile_deviations(found), strict=True
            ):
                tiles.append(
                    {"device": device, "qubits": qubits, "predicted_error": error}
                    | {key: round(value, 5) for key, value in deviation.items()}
                )
    finally:
        ledger.close()
    crosstalk = None
    if (directory.path / FILE).exists():
        crosstalk = directory.read_json(FILE)["crosstalk"]
    return {"addresses": addresses, "tiles": tiles, "crosstalk": crosstalk}


def _last(
    ledger: Ledger, device: str, count: int, kind: OutputKind, several: bool
) -> tuple[str, list[Outputs]]:
    """The outputs of each tile in the last complete request on a device."""
    for request in reversed(ledger.requests()):
        mine = not several or request.address.endswith(f"@{device}")
        if request.state == "completed" and mine and not request.address.startswith("tiles/"):
            break
    else:
        raise RunError(f"{ledger.directory} has measured nothing on {device} yet")
    plan = EvaluationPlan.from_bytes(ledger.load_plan(request))
    shots = request.shots // plan.total_repeats
    parts = [
        (row.block, PackedBits.from_bytes(ledger.load(row)))
        for row in ledger.jobs(request.address, ["completed"])
    ]
    bits = assemble(plan, shots, parts).rows(slice(0, ROWS))
    return request.address, [tile.outputs(kind) for tile in by_tile(bits, shots, count)]


def _variance(outputs: Outputs) -> Array:
    """Of the means, `[R, T, K]`; not zero where all shots happen to agree."""
    if outputs.count is None or outputs.covariance is None:
        return np.zeros(outputs.mean.shape)
    count = outputs.count[:, None]
    of_shot = np.diagonal(outputs.covariance, axis1=1, axis2=2) + 1 / count
    found: Array = (of_shot / count).reshape(outputs.mean.shape)
    return found
