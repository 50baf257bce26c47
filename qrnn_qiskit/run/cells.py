"""Looking at cells: lists, drawings, counts, and weights that cannot matter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qrnn_qiskit.circuit import FAMILIES, Cell, UnrolledCircuit, build_cell, load_cell, unroll
from qrnn_qiskit.circuit.export import to_qasm
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.dead_weights import dead_weights
from qrnn_qiskit.spec.job import Job
from qrnn_qiskit.spec.library import available, find

DRAWN_STEPS = 2
FOLD = 110


def list_cells() -> list[dict[str, Any]]:
    """Families and library files, with their sizes."""
    cells = [
        {"name": name, "kind": "family", **_sizes(build_cell(name))} for name in FAMILIES.names()
    ]
    for name in available("circuits"):
        path = find("circuits", name, None)
        cells.append({"name": str(path), "kind": "file", **_sizes(load_cell(path))})
    return cells


def resolve_cell(source: str) -> Cell:
    """A cell by file, by name in the library, or by family.

    Raises:
        CellError, SpecError: if there is none, or it is not fit.
    """
    if source in FAMILIES.names() and not Path(source).exists():
        return build_cell(source)
    return load_cell(find("circuits", source, None))


def describe_cell(source: str, num_steps: int) -> dict[str, Any]:
    """Drawings, counts and dead weights of a cell unrolled over `num_steps`."""
    cell = resolve_cell(source)
    unrolled = unroll(cell, num_steps)
    drawn = unrolled if num_steps <= DRAWN_STEPS else unroll(cell, DRAWN_STEPS)
    sizes = {register.name: register.size for register in cell.circuit.qregs}
    return {
        "name": cell.name,
        "io": sizes.get("io", 0),
        "hidden": sizes.get("hidden", 0),
        "ancilla": sizes.get("ancilla", 0),
        "weights": list(cell.weight_names),
        "features": [
            f"{name} ({cell.encodings[name]})" if name in cell.encodings else name
            for name in cell.feature_names
        ],
        "readout": cell.num_bits,
        "num_weights": cell.num_weights,
        "steps": num_steps,
        "occurrences": len(unrolled.occurrences),
        "occurrences_per_step": len(unrolled.angle_map.cell.outputs),
        "two_qubit_gates_per_step": _two_qubit_gates(cell),
        "two_qubit_gates": _two_qubit_in(unrolled),
        "dead_weights": [
            {"weight": dead.weight, "proof": dead.proof} for dead in dead_weights(unrolled)
        ],
        "cell_drawing": _drawing(cell.circuit),
        "last_step_drawing": _drawing(cell.last) if cell.last.data else "",
        "unrolled_drawing": _drawing(drawn.circuit),
        "unrolled_drawing_steps": drawn.num_steps,
    }


def drawn_cell(source: str, num_steps: int) -> UnrolledCircuit:
    """A cell unrolled over as many of `num_steps` as a drawing shows."""
    return unroll(resolve_cell(source), min(num_steps, DRAWN_STEPS))


def check_cell(source: str) -> dict[str, Any]:
    """Whether a cell is fit: raises what is wrong, returns what is worth knowing.

    Raises:
        CellError: if it is not fit.
    """
    cell = load_cell(find("circuits", source, None))
    unrolled = unroll(cell, 3)
    notices = []
    if not any(register.name == "hidden" for register in cell.circuit.qregs):
        notices.append("there is no register hidden: the cell has no memory between steps")
    hidden = {q for register in cell.circuit.qregs if register.name == "hidden" for q in register}
    if any(
        item.operation.name == "reset" and item.qubits[0] in hidden for item in cell.circuit.data
    ):
        notices.append("a hidden qubit is reset in every step: it carries no memory")
    for dead in dead_weights(unrolled):
        notices.append(f"weight {dead.weight} cannot influence any output ({dead.proof})")
    return {"name": cell.name, "fit": True, "notices": notices, **_sizes(cell)}


def export_cell(family: str, options: Mapping[str, Any] | None = None) -> str:
    """OpenQASM 3 text of a family's cell."""
    settings = ", ".join(f"{key} = {value}" for key, value in (options or {}).items())
    comment = f"{family}({settings})" if settings else family
    return to_qasm(build_cell(family, options), comment)


def check_for_device(job: Job) -> None:
    """Refuse a family's cell that no device can run, before anything is sent there.

    Raises:
        SpecError: with what it would cost.
    """
    if not job.backend.is_service or job.cell.name is None:
        return
    family = FAMILIES.build(job.cell.name, job.cell.options)
    problem = family.device_problem() if hasattr(family, "device_problem") else None
    if problem is not None:
        raise SpecError(problem)


def _sizes(cell: Cell) -> dict[str, Any]:
    return {
        "qubits": cell.circuit.num_qubits,
        "weights": cell.num_weights,
        "features": cell.num_features,
        "bits": cell.num_bits,
    }


def _two_qubit_gates(cell: Cell) -> int:
    one, two = (_two_qubit_in(unroll(cell, steps)) for steps in (1, 2))
    return two - one


def _two_qubit_in(unrolled: UnrolledCircuit) -> int:
    return int(
        np.sum(
            [
                len(item.qubits) == 2 and item.operation.name != "barrier"
                for item in unrolled.circuit.data
            ]
        )
    )


def _drawing(circuit: Any) -> str:
    return str(circuit.draw(output="text", fold=FOLD, idle_wires=False))
