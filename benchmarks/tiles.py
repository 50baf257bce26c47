"""Tiles: how many fit on a device, and what their simulation costs.

    python -m benchmarks.tiles [--device marrakesh] [--cell parity2] [--steps 4]
    python -m benchmarks.tiles --most 4

First the packing of lines of qubits, with and without the limit on a tile's errors. Then one
request on all tiles of a device, as the emulated service runs it: on the exact engine, and on Aer.
Times are CPU times; a first request includes making the errors of the gates and the programs, later
ones do not. `--most n` prints only the most lines of n qubits that any packing can have, from an
integer program.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from scipy.optimize import Bounds, LinearConstraint, milp

from qrnn_qiskit import build_cell, unroll
from qrnn_qiskit.emulator import AerRunner, DeviceRunner, RunRequest, snapshots
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import TranspileOptions, to_isa
from qrnn_qiskit.execution.tiles import WORST, choose_tiles, tile_errors


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and its CPU seconds."""
    began = time.process_time()
    found = call()
    return found, time.process_time() - began


def line(size: int, qubits: int) -> QuantumCircuit:
    """Neighbours coupled, each measured once."""
    circuit = QuantumCircuit(size, qubits)
    for q in range(qubits - 1):
        circuit.cz(q, q + 1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def pack(device: str) -> None:
    """Tiles of lines."""
    target = fake_device(f"fake_{device}").target
    print("| qubits | errors up to | tiles | mean predicted error | s |")
    print("| --- " * 5 + "|")
    for qubits in (2, 3, 4, 5):
        circuit = line(target.num_qubits, qubits)
        for worst, label in ((WORST, f"{WORST:g} × least"), (1e9, "any")):
            tiles, seconds = timed(partial(choose_tiles, circuit, target, "auto", worst=worst))
            error = np.mean(tile_errors(circuit, target, tiles))
            print(f"| {qubits} | {label} | {len(tiles)} | {error:.3f} | {seconds:.2f} |")


def simulate(device: str, cell: str, steps: int, rows: int, shots: int) -> None:
    """One request, twice on the engine and twice on Aer."""
    name = f"fake_{device}"
    unrolled = unroll(build_cell(cell), steps)
    isa = to_isa(
        unrolled, fake_device(name).target, TranspileOptions(layout_trials=4, tiles="auto")
    )
    snapshots.noise(name)
    angles = np.random.default_rng(0).uniform(-2, 2, (rows, len(unrolled.occurrences)))
    request = RunRequest(isa.executed, isa.parameter_values(angles), shots, 5, name)
    print(f"\n{cell}, T = {steps}: {isa.num_tiles} tiles × {rows} rows × {shots} executions")
    print("| simulator | first request, s | later ones, s |\n| --- | --- | --- |")
    for label, runner in (("exact engine", DeviceRunner()), ("Aer", AerRunner())):
        first, later = (timed(partial(runner, request))[1] for _ in range(2))
        print(f"| {label} | {first:.2f} | {later:.2f} |", flush=True)


def most(device: str, qubits: int) -> None:
    """The most lines with a guard qubit between any two: at most one touches each coupler."""
    coupling = fake_device(f"fake_{device}").target.build_coupling_map()
    pairs = sorted({tuple(sorted(edge)) for edge in coupling.get_edges()})
    paths = [[q] for q in coupling.physical_qubits]
    for _ in range(qubits - 1):
        paths = [[*p, q] for p in paths for q in coupling.neighbors(p[-1]) if q not in p]
    lines = sorted({tuple(sorted(path)) for path in paths})
    touched = np.array([[a in each or b in each for each in lines] for a, b in pairs], dtype=float)
    found = milp(
        -np.ones(len(lines)),
        constraints=LinearConstraint(touched, -np.inf, 1),
        integrality=np.ones(len(lines), dtype=np.int64),
        bounds=Bounds(0, 1),
    )
    if found.x is None or found.mip_dual_bound is None:
        raise SystemExit(found.message)
    bound = math.floor(-found.mip_dual_bound + 1e-6)
    fit = round(found.x.sum())
    print(f"{len(lines)} lines of {qubits} qubits: {fit} fit together, at most {bound}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="marrakesh")
    parser.add_argument("--cell", default="parity2")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--shots", type=int, default=31, help="executions of each row")
    parser.add_argument("--most", type=int, help="prove the most lines of so many qubits")
    given = parser.parse_args()
    if given.most:
        most(given.device, given.most)
        return
    pack(given.device)
    simulate(given.device, given.cell, given.steps, given.rows, given.shots)


if __name__ == "__main__":
    main()
