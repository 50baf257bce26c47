"""Train quantum recurrent neural networks on IBM quantum hardware and simulators."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrnn_qiskit.circuit import Cell as Cell
    from qrnn_qiskit.circuit import UnrolledCircuit as UnrolledCircuit
    from qrnn_qiskit.circuit import build_cell as build_cell
    from qrnn_qiskit.circuit import load_cell as load_cell
    from qrnn_qiskit.circuit import unroll as unroll
    from qrnn_qiskit.errors import QRNNError as QRNNError
    from qrnn_qiskit.estimate import Estimate as Estimate
    from qrnn_qiskit.estimate import Outputs as Outputs
    from qrnn_qiskit.execution.backends.aer import AerExecutor as AerExecutor
    from qrnn_qiskit.execution.backends.exact import ExactExecutor as ExactExecutor
    from qrnn_qiskit.execution.backends.ibm import IBMExecutor as IBMExecutor
    from qrnn_qiskit.execution.make import named_device_noise as named_device_noise
    from qrnn_qiskit.execution.noise import Noise as Noise
    from qrnn_qiskit.execution.noise import simple_noise as simple_noise
    from qrnn_qiskit.execution.sampler import ExactSampler as ExactSampler
    from qrnn_qiskit.gradients.plan import EvaluationPlan as EvaluationPlan
    from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference as FiniteDifference
    from qrnn_qiskit.gradients.rules.gate_shift import GateShift as GateShift
    from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift as ParameterShift
    from qrnn_qiskit.gradients.rules.random_occurrences import (
        RandomOccurrences as RandomOccurrences,
    )
    from qrnn_qiskit.gradients.rules.spsa import SPSA as SPSA
    from qrnn_qiskit.gradients.rules.tied_shift import TiedShift as TiedShift
    from qrnn_qiskit.learning.losses.cross_entropy import CrossEntropy as CrossEntropy
    from qrnn_qiskit.learning.losses.mse import MeanSquaredError as MeanSquaredError
    from qrnn_qiskit.learning.losses.nll import NegativeLogLikelihood as NegativeLogLikelihood
    from qrnn_qiskit.run.api import evaluate as evaluate
    from qrnn_qiskit.run.api import gradient as gradient
    from qrnn_qiskit.run.api import hessian as hessian
    from qrnn_qiskit.run.jobs import run_job as train
    from qrnn_qiskit.run.measure.gradient import Adjoint as Adjoint
    from qrnn_qiskit.run.measure.gradient import GradientResult as GradientResult
    from qrnn_qiskit.run.measure.hessian import HessianResult as HessianResult
    from qrnn_qiskit.run.notebook import DeviceExecutor as DeviceExecutor
    from qrnn_qiskit.run.script import ScriptRun as ScriptRun

__version__ = "0.1.0"

# Where each public name lives. Nothing is imported before it is asked for: `import qrnn_qiskit`
# and `qrnn --help` must not wait for Qiskit, Aer or the Runtime client.
_HOMES = {
    "Adjoint": "run.measure.gradient",
    "AerExecutor": "execution.backends.aer",
    "Cell": "circuit",
    "CrossEntropy": "learning.losses.cross_entropy",
    "DeviceExecutor": "run.notebook",
    "Estimate": "estimate",
    "EvaluationPlan": "gradients.plan",
    "ExactExecutor": "execution.backends.exact",
    "ExactSampler": "execution.sampler",
    "FiniteDifference": "gradients.rules.finite_difference",
    "GateShift": "gradients.rules.gate_shift",
    "GradientResult": "run.measure.gradient",
    "HessianResult": "run.measure.hessian",
    "IBMExecutor": "execution.backends.ibm",
    "MeanSquaredError": "learning.losses.mse",
    "NegativeLogLikelihood": "learning.losses.nll",
    "Noise": "execution.noise",
    "Outputs": "estimate",
    "ParameterShift": "gradients.rules.parameter_shift",
    "QRNNError": "errors",
    "RandomOccurrences": "gradients.rules.random_occurrences",
    "SPSA": "gradients.rules.spsa",
    "ScriptRun": "run.script",
    "TiedShift": "gradients.rules.tied_shift",
    "UnrolledCircuit": "circuit",
    "build_cell": "circuit",
    "evaluate": "run.api",
    "gradient": "run.api",
    "hessian": "run.api",
    "load_cell": "circuit",
    "named_device_noise": "execution.make",
    "simple_noise": "execution.noise",
    "train": "run.jobs",
    "unroll": "circuit",
}

__all__ = [
    "SPSA",
    "Adjoint",
    "AerExecutor",
    "Cell",
    "CrossEntropy",
    "DeviceExecutor",
    "Estimate",
    "EvaluationPlan",
    "ExactExecutor",
    "ExactSampler",
    "FiniteDifference",
    "GateShift",
    "GradientResult",
    "HessianResult",
    "IBMExecutor",
    "MeanSquaredError",
    "NegativeLogLikelihood",
    "Noise",
    "Outputs",
    "ParameterShift",
    "QRNNError",
    "RandomOccurrences",
    "ScriptRun",
    "TiedShift",
    "UnrolledCircuit",
    "__version__",
    "build_cell",
    "evaluate",
    "gradient",
    "hessian",
    "load_cell",
    "named_device_noise",
    "simple_noise",
    "train",
    "unroll",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, "run_job" if name == "train" else name)


def __dir__() -> list[str]:
    return __all__
