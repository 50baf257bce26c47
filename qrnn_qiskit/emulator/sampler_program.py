"""The legacy `sampler` program (`SamplerV2`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from ibm_quantum_schemas.sampler.version_0_1 import ParamsModel
from pydantic import ValidationError
from qiskit.primitives.containers import (
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubResult,
)
from qiskit_ibm_runtime.execution_span import DoubleSliceSpan, ExecutionSpans
from qiskit_ibm_runtime.json import RuntimeDecoder, RuntimeEncoder

from qrnn_qiskit.emulator.program import Arrays, Item, Program, Values
from qrnn_qiskit.emulator.replies import Refusal, invalid


def read_sampler(params: Mapping[str, Any]) -> Program:
    """The work in the params of a `sampler` job.

    Raises:
        Refusal: status 400 if they do not fit the client's model, or ask for what is not emulated.
    """
    text = json.dumps(params)
    try:
        model = ParamsModel.model_validate_json(text)
    except ValidationError as error:
        raise invalid("params", error) from error
    options = model.options
    if options.execution.meas_type != "classified":
        raise Refusal(400, "params.options.execution.meas_type: only 'classified' is emulated")
    pubs = json.loads(text, cls=RuntimeDecoder)["pubs"]
    twirling = options.twirling.enable_gates or options.twirling.enable_measure
    ignored = {
        "twirling": twirling,
        "dynamical_decoupling": options.dynamical_decoupling.enable,
        "init_qubits = False": not options.execution.init_qubits,
    }
    return Program(
        items=tuple(_item(*pub) for pub in pubs),
        rep_delay=options.execution.rep_delay,
        encode=_encode,
        notes=tuple(f"not emulated, ignored: {name}" for name, asked in ignored.items() if asked),
    )


def _item(circuit: Any, values: Any, shots: int) -> Item:
    if isinstance(circuit, str):
        raise Refusal(400, "params.pubs: OpenQASM text is not emulated; send circuits")
    angles = np.asarray(values, dtype=np.float64)
    if not circuit.num_parameters:
        angles = angles.reshape(*angles.shape[: max(0, angles.ndim - 1)], 0)
    elif angles.ndim == 0 or angles.shape[-1] != circuit.num_parameters:
        raise Refusal(
            400,
            f"params.pubs: parameter values of shape {angles.shape} do not fit "
            f"{circuit.num_parameters} circuit parameters",
        )
    return Item(circuit, shots, angles.shape[:-1], {"angles": angles}, lambda _: Values(angles, {}))


def _encode(results: Sequence[Arrays], start: datetime, stop: datetime) -> str:
    pubs, slices = [], {}
    for index, item in enumerate(results):
        arrays = {
            name: BitArray.from_bool_array(bits, order="little") for name, bits in item.items()
        }
        shape, shots = next(iter(item.values())).shape[:-2], next(iter(item.values())).shape[-2]
        pubs.append(SamplerPubResult(DataBin(**arrays, shape=shape), {"circuit_metadata": {}}))
        slices[index] = ((*shape, shots), slice(0, int(np.prod(shape))), slice(0, shots))
    spans = ExecutionSpans([DoubleSliceSpan(start, stop, slices)])
    metadata = {"execution": {"execution_spans": spans}, "version": 2}
    return json.dumps(PrimitiveResult(pubs, metadata=metadata), cls=RuntimeEncoder)
