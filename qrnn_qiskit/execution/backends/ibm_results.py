"""Results of a QPU job as packed bits, without the copies that the client's own form needs.

The client makes a byte of every bit of every register, and seconds of work of thousands of rows.
Results without twirling need none of it: they are decoded one register at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.execution.service import BadResult

if TYPE_CHECKING:
    from qiskit_ibm_runtime import RuntimeJobV2

Registers = Mapping[str, NDArray[np.bool_]]
"""Bits `[rows, shots, bits]` of each classical register, lowest bit first."""


@final
class CompressedRegisters(Registers):
    """Registers as they came, each decoded when it is asked for."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        try:
            found: NDArray[np.bool_] = self._tensors[name].to_numpy()
        except (ValueError, ZlibError) as error:
            raise BadResult(f"the results cannot be read: {type(error).__name__}") from None
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def registers_of(job: RuntimeJobV2) -> Registers | None:
    """The registers of a job with one circuit; None if the service sent nothing.

    Raises:
        BadResult: if the results cannot be decoded.
    """
    from pydantic import BaseModel
    from qiskit_ibm_runtime.decoders.executor.decoder import (
        AVAILABLE_DECODERS,
        ExecutorResultDecoder,
    )
    from qiskit_ibm_runtime.decoders.executor_sampler.decoder import ClientSideSamplerResultDecoder

    class Version(BaseModel):
        schema_version: str

    class AsItCame(ExecutorResultDecoder):  # type: ignore[misc]
        """Leaves the tensors as they came."""

        @classmethod
        def decode(cls, raw_result: str) -> Any:
            convert, model = AVAILABLE_DECODERS[
                Version.model_validate_json(raw_result).schema_version
            ]
            return convert, model.model_validate_json(raw_result)

    try:
        found = job.result(decoder=AsItCame)
        if found is None:
            return None
        convert, came = found
        tensors = came.data[0].results
        about = convert(came.model_copy(update={"data": []}))
        if _is_plain(about.passthrough_data, tensors):
            return CompressedRegisters(tensors)
        data = ClientSideSamplerResultDecoder.decode(convert(came))[0].data
        return {name: data[name].to_bool_array(order="little") for name in data}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadResult(f"the results cannot be read: {type(error).__name__}") from None


def _is_plain(passed: Any, tensors: Mapping[str, Any]) -> bool:
    """Whether there is nothing to undo: no twirling, of measurements or of gates."""
    processor = passed.get("post_processor", {}) if isinstance(passed, dict) else {}
    if processor.get("version") != "v0.1" or processor.get("meas_type") != "classified":
        return False
    return processor.get("twirling") is False and not any(
        name.startswith("measurement_flips") for name in tensors
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
