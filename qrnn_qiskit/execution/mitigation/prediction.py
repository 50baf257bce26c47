"""Whether extrapolation to zero noise pays, predicted with the exact engine before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.estimate import Array
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.mitigation.zero_noise import weights
from qrnn_qiskit.execution.noise import Noise
from qrnn_qiskit.execution.program import compile_isa

MOST_QUBITS: Final = 7  # of the engine, wires of bits included: beyond it a prediction takes long


def predicted_outputs(
    unrolled: UnrolledCircuit, isa: ISACircuit, noise: Noise | None, angles: Array
) -> Array | None:
    """Outputs <Z> `[B, T, K]` of a circuit under noise; None where they would take long.

    Args:
        unrolled: the circuit.
        isa: as it runs.
        noise: of its qubits; None for none.
        angles: `[B, O]` of the occurrences.
    """
    if len(isa.qubits) > MOST_QUBITS:
        return None
    compiled = compile_isa(unrolled, isa, noise)
    if compiled.program.num_qubits > MOST_QUBITS:
        return None
    return engine_outputs(compiled.program, compiled.angles(angles), kind="z")


def pays_from(outputs: Sequence[Array], factors: Sequence[float], order: int) -> int | None:
    """Shots of a row from which extrapolated outputs are nearer than plain ones.

    With n shots the mean squared error is bias^2 + v/n without, (sum |c|)^2 v/n with extrapolation,
    v = 1 - y^2, c the coefficients; what it leaves of the bias is neglected.

    Args:
        outputs: exact <Z> `[B, T, K]` at each factor.
        factors: of the noise, 1 first.
        order: of the polynomial.

    Returns:
        None where there is no bias to take away.
    """
    coefficients = weights(factors, order)
    plain = outputs[0]
    bias = np.mean((np.tensordot(coefficients, np.asarray(outputs), axes=1) - plain) ** 2)
    growth = np.abs(coefficients).sum() ** 2 - 1
    variance = np.mean(1 - plain**2)
    return int(np.ceil(growth * variance / bias)) if bias > 0 else None
