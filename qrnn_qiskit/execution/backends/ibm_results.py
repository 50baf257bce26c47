"""Results of a QPU job as packed bits, without the copies that the client's own form needs.

The client makes a byte of every shot of every register, and seconds of work of thousands of rows.
Results without twirling need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.execution.service import BadResult

if TYPE_CHECKING:
    from qiskit_ibm_runtime import RuntimeJobV2

Registers = Mapping[str, NDArray[np.bool_]]
"""Bits `[rows, shots, bits]` of each classical register, lowest bit first."""


def registers_of(job: RuntimeJobV2) -> Registers | None:
    """The registers of a job with one circuit; None if the service sent nothing.

    Raises:
        BadResult: if the results cannot be decoded.
    """
    from qiskit_ibm_runtime.decoders.executor.decoder import ExecutorResultDecoder
    from qiskit_ibm_runtime.decoders.executor_sampler.decoder import ClientSideSamplerResultDecoder

    try:
        result = job.result(decoder=ExecutorResultDecoder)
        if result is None:
            return None
        if _is_plain(result):
            return dict(result[0].items())
        data = ClientSideSamplerResultDecoder.decode(result)[0].data
        return {name: data[name].to_bool_array(order="little") for name in data}
    except (JSONDecodeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadResult(f"the results cannot be read: {type(error).__name__}") from None


def _is_plain(result: Any) -> bool:
    """Whether there is nothing to undo: no twirling, of measurements or of gates."""
    passed = result.passthrough_data
    processor = passed.get("post_processor", {}) if isinstance(passed, dict) else {}
    if processor.get("version") != "v0.1" or processor.get("meas_type") != "classified":
        return False
    return processor.get("twirling") is False and not any(
        name.startswith("measurement_flips") for name in dict(result[0].items())
    )


def packed_bits(
    registers: Registers,
    shape: tuple[int, int],
    suffixes: Sequence[str],
    rows: int,
    shots: int,
) -> NDArray[np.uint8]:
    """Bits `[rows * tiles * shots, ceil(T*K/8)]` as `PackedBits` has them.

    Args:
        registers: `step_t` of each step and tile.
        shape: T and K.
        suffixes: of the registers' names, one for each tile.
        rows: that were asked for.
        shots: of each row and tile; twirling rounds them up, and the rest is cut.

    Raises:
        BadResult: if the registers are others.
    """
    steps, width = shape
    packed = np.zeros((rows, len(suffixes), shots, -(-steps * width // 8)), dtype=np.uint8)
    for tile, suffix in enumerate(suffixes):
        for step in range(steps):
            bits = registers.get(f"step_{step}{suffix}")
            if bits is None:
                raise BadResult("the results are not those of the circuit: a register is missing")
            if (
                bits.ndim != 3
                or len(bits) != rows
                or bits.shape[1] < shots
                or bits.shape[2] != width
            ):
                raise BadResult(
                    f"the results have shape {list(bits.shape)} instead of {rows} rows × {shots} "
                    f"shots × {width} bits"
                )
            for bit in range(width):
                byte, place = divmod(step * width + bit, 8)
                column = bits[:, :shots, bit].astype(np.uint8)
                packed[:, tile, :, byte] |= column << np.uint8(7 - place)
    return packed.reshape(-1, packed.shape[-1])
