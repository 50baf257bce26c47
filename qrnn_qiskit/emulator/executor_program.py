"""The `executor` program, schema v2.0: what `executor_sampler.Sampler` sends and reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0.models import (
    ChunkPart,
    ChunkSpan,
    ItemMetadataModel,
    MetadataModel,
    ParamsModel,
    QuantumProgramResultItemModel,
    QuantumProgramResultModel,
)
from pydantic import ValidationError
from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from samplomatic.quantum_program import CircuitItem

from qrnn_qiskit.emulator.program import Arrays, Item, Program, Values
from qrnn_qiskit.emulator.replies import Refusal, invalid

SCHEMA: Final = "v2.0"


def read_executor(params: Mapping[str, Any]) -> Program:
    """The work in the params of an `executor` job.

    Raises:
        Refusal: status 400 if they do not fit the client's model, or ask for what is not emulated.
    """
    version = params.get("schema_version")
    if version != SCHEMA:
        raise Refusal(400, f"params.schema_version = {version!r}: only {SCHEMA!r} is emulated")
    try:
        model = ParamsModel.model_validate(params)
    except ValidationError as error:
        raise invalid("params", error) from error
    unknown = sorted(_unknown(params, model.model_dump(mode="json"), "params"))
    if unknown:
        raise Refusal(400, f"{', '.join(unknown)}: unknown to schema {SCHEMA}")
    options = model.options
    for name in ("scheduler_timing", "stretch_values"):
        if getattr(options, name):
            raise Refusal(400, f"params.options.{name} is not emulated")
    if model.quantum_program.meas_level != "classified":
        raise Refusal(400, "params.quantum_program.meas_level: only 'classified' is emulated")
    program, _ = QUANTUM_PROGRAM_PARAMS_CONVERTERS[SCHEMA].decoder(model)
    notes = [f"not emulated, ignored: experimental option {name}" for name in options.experimental]
    if not options.init_qubits:
        notes.append("not emulated, ignored: init_qubits = False")
    return Program(
        items=tuple(_item(item, program.shots) for item in program.items),
        rep_delay=options.rep_delay,
        encode=lambda results, start, stop: _encode(model, results, start, stop),
        notes=tuple(notes),
    )


def _item(item: Any, shots: int) -> Item:
    if isinstance(item, CircuitItem):
        angles = np.asarray(item.circuit_arguments, dtype=np.float64)
        if angles.shape[-1] != item.circuit.num_parameters:
            raise Refusal(
                400,
                f"circuit_arguments have {angles.shape[-1]} columns, but the circuit has "
                f"{item.circuit.num_parameters} parameters",
            )
        return Item(
            item.circuit, shots, angles.shape[:-1], {"angles": angles}, lambda _: Values(angles, {})
        )
    item.samplex.finalize()
    given = item.samplex_arguments
    arguments = {
        spec.name: np.asarray(given[spec.name])
        for spec in given.specs
        if spec.name in given and np.asarray(given[spec.name]).dtype != object
    }

    def draw(random: np.random.Generator) -> Values:
        drawn = broadcast_sample(item.samplex, given, item.shape, random)
        return Values(drawn.pop("parameter_values"), drawn)

    return Item(item.circuit, shots, tuple(item.shape), arguments, draw)


def _encode(model: ParamsModel, results: Sequence[Arrays], start: datetime, stop: datetime) -> str:
    parts = []
    for index, item in enumerate(results):
        shape = model.quantum_program.items[index].shape or _rows(item)
        size = math.prod(shape)
        parts.append(
            ChunkPart(
                idx_item=index,
                size=size,
                permutation=list(range(len(shape))),
                element_range=(0, size, 1),
            )
        )
    answer = QuantumProgramResultModel(
        data=[
            QuantumProgramResultItemModel(
                results={n: CompressedTensorModel.from_numpy(a) for n, a in item.items()},
                metadata=ItemMetadataModel(),
            )
            for item in results
        ],
        metadata=MetadataModel(chunk_timing=[ChunkSpan(start=start, stop=stop, parts=parts)]),
        passthrough_data=model.quantum_program.passthrough_data,
        semantic_role=model.quantum_program.semantic_role,
    )
    return str(answer.model_dump_json())


def _rows(item: Arrays) -> list[int]:
    return list(next(iter(item.values())).shape[:-2]) if item else []


def _unknown(given: Any, known: Any, place: str) -> set[str]:
    """Paths of the fields that the client's model dropped."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        found = {f"{place}.{key}" for key in given.keys() - known.keys()}
        for key in given.keys() & known.keys():
            found |= _unknown(given[key], known[key], f"{place}.{key}")
        return found
    if isinstance(given, list) and isinstance(known, list):
        found = set()
        for index, (one, other) in enumerate(zip(given, known, strict=False)):
            found |= _unknown(one, other, f"{place}.{index}")
        return found
    return set()
