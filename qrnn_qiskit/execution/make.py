"""From the tables of a job to executors and noise."""

from __future__ import annotations

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.noise import Noise, simple_noise
from qrnn_qiskit.spec.backend import BackendSpec
from qrnn_qiskit.spec.messages import nearest
from qrnn_qiskit.spec.noise import NoiseSpec

SIMULATORS = ("exact", "aer")


def make_executor(backend: BackendSpec, noise: NoiseSpec | None) -> Executor:
    """The executor of a job's `[backend]` and `[noise]`.

    Raises:
        SpecError: for an unknown backend, or noise on a device.
        BackendError: if the device is unknown.
    """
    transpile = _transpile_options(backend)
    if backend.name == "exact":
        return ExactExecutor(
            make_noise(noise), transpile, sampling=backend.sampling, precision=backend.precision
        )
    if backend.name == "aer":
        from qrnn_qiskit.execution.backends.aer import AerExecutor

        return AerExecutor(make_noise(noise), transpile)
    if not backend.name.startswith(("fake_", "ibm_")):
        raise SpecError(
            f"backend.name = {backend.name!r} is unknown{nearest(backend.name, SIMULATORS)}; "
            "known: exact, aer, and devices such as fake_marrakesh"
        )
    if noise is not None:
        raise SpecError(
            f"[noise] is for the simulators exact and aer; {backend.name} brings its own: remove "
            f'[noise], or set backend.name = "aer" and noise.device = "{backend.name}"'
        )
    from qrnn_qiskit.execution.backends.ibm import IBMExecutor

    return IBMExecutor(backend.name, transpile)


def make_reference(backend: BackendSpec, noise: NoiseSpec | None) -> ExactExecutor:
    """The exact engine under the same noise as a backend: what its shots scatter around.

    Raises:
        QRNNError: as `make_executor`.
    """
    if backend.name.startswith("fake_"):
        noise = NoiseSpec(device=backend.name)
    return ExactExecutor(make_noise(noise), _transpile_options(backend))


def _transpile_options(backend: BackendSpec) -> TranspileOptions:
    layout = backend.initial_layout
    return TranspileOptions(
        backend.optimization_level,
        backend.seed_transpiler,
        None if layout is None else tuple(layout),
    )


def make_noise(spec: NoiseSpec | None) -> Noise | None:
    """The noise of a job; None where there is none.

    Raises:
        BackendError: if `noise.device` is unknown.
    """
    if spec is None:
        return None
    if spec.device is not None:
        return named_device_noise(spec.device)
    return simple_noise(spec.depolarizing_1q, spec.depolarizing_2q, spec.readout)


def named_device_noise(device: str) -> Noise:
    """Noise of a device by name, such as `fake_boston`.

    Raises:
        BackendError: if the device is unknown.
    """
    from qrnn_qiskit.execution.backends.ibm import fake_device_noise

    return fake_device_noise(device)
