"""From the tables of a job to executors and noise."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.devices import Devices
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.noise import Noise, device_noise
from qrnn_qiskit.execution.noise.simple import noise_of_values, over_rotations
from qrnn_qiskit.spec.backend import BackendSpec
from qrnn_qiskit.spec.messages import nearest
from qrnn_qiskit.spec.noise import DURATIONS_NS, NoiseSpec

SIMULATORS = ("exact", "aer")


def make_executor(backend: BackendSpec, noise: NoiseSpec | None, *, folds: int = 1) -> Executor:
    """The executor of a job's `[backend]` and `[noise]`.

    Args:
        backend: where circuits run.
        noise: of a simulator.
        folds: see `TranspileOptions`.

    Raises:
        SpecError: for an unknown backend, or noise on a device.
        BackendError: if the device is unknown.
    """
    if len(backend.names) > 1:
        each = [backend.model_copy(update={"name": name}) for name in backend.names]
        return Devices([make_executor(one, noise, folds=folds) for one in each])
    transpile = _transpile_options(backend, folds)
    if backend.name == "exact":
        return ExactExecutor(
            make_noise(noise), transpile, sampling=backend.sampling, precision=backend.precision
        )
    if backend.name == "aer":
        from qrnn_qiskit.execution.backends.aer import AerExecutor

        return AerExecutor(make_noise(noise), transpile)
    if not (backend.is_service or backend.name.startswith("fake_")):
        raise SpecError(
            f"backend.name = {backend.name!r} is unknown{nearest(backend.name, SIMULATORS)}; "
            "known: exact, aer, devices such as fake_marrakesh, ibm_... and least_busy"
        )
    if noise is not None:
        raise SpecError(
            f"[noise] is for the simulators exact and aer; {backend.name} brings its own: remove "
            f'[noise], or set backend.name = "aer" and noise.device = "{backend.name}"'
        )
    if backend.is_service:
        from qrnn_qiskit.execution.backends.ibm_options import ServiceOptions
        from qrnn_qiskit.execution.backends.ibm_service import ServiceExecutor

        service = ServiceOptions(
            backend.name, backend.account, backend.instance, backend.mode, backend.options
        )
        # Without submit, poll and fetch of its own: only a run, with its ledger, may use it.
        return cast(Executor, ServiceExecutor(service, transpile))
    from qrnn_qiskit.execution.backends.ibm import IBMExecutor

    return IBMExecutor(backend.name, transpile)


def make_sibling(
    executor: Executor, backend: BackendSpec, noise: NoiseSpec | None, *, folds: int = 1
) -> Executor:
    """An executor of the same device with other options of transpilation.

    On a service it is the same connection, device, and session.
    """
    if not backend.is_service:
        return make_executor(backend, noise, folds=folds)
    service: Any = executor
    return cast(Executor, service.sibling(_transpile_options(backend, folds)))


def has_reference(backend: BackendSpec) -> bool:
    """Whether the exact engine can say what a backend's shots scatter around: not for devices."""
    alone = len(backend.names) == 1
    return backend.name in SIMULATORS or (alone and backend.name.startswith("fake_"))


def make_reference(backend: BackendSpec, noise: NoiseSpec | None) -> ExactExecutor:
    """The exact engine under the same noise as a backend: what its shots scatter around.

    Raises:
        QRNNError: as `make_executor`.
    """
    if backend.name.startswith("fake_"):
        # The client's local mode has no idle times.
        noise = NoiseSpec(device=backend.name, idle=False)
    return ExactExecutor(make_noise(noise), _transpile_options(backend))


def _transpile_options(backend: BackendSpec, folds: int = 1) -> TranspileOptions:
    layout = backend.initial_layout
    return TranspileOptions(
        backend.optimization_level,
        backend.seed_transpiler,
        None if layout is None else tuple(layout),
        backend.layout_trials,
        backend.reset,
        backend.reset_repeats,
        backend.tiles,
        folds,
        backend.decoupling,
    )


def make_noise(spec: NoiseSpec | None) -> Noise | None:
    """The noise of a job; None where there is none.

    Raises:
        BackendError: if `noise.device` is unknown.
    """
    if spec is None:
        return None
    values = spec.scaled()
    if spec.device is None:
        return noise_of_values(values, idle=spec.idle)
    live = (pinned(spec).calibrated, spec.account, spec.instance) if spec.is_live else None
    try:
        noise = named_device_noise(
            spec.device,
            idle=spec.idle,
            latency=values.get("feedforward_ns", DURATIONS_NS["feedforward_ns"]) * 1e-9,
            scale=spec.scale,
            live=live,
        )
    except BackendError as error:
        if spec.is_live:  # what the service says is about more than this key
            raise
        raise BackendError(f"noise.device: {error}") from None
    over = over_rotations(values)
    if over and "cz" not in noise.target.operation_names:
        raise SpecError(
            f"noise.over_rotation is known for SX, X and CZ, but {spec.device} has no CZ: leave it "
            "out, or take another device"
        )
    reset_error = values.get("reset_error", 0.0)
    if isinstance(reset_error, tuple):
        raise SpecError("noise.reset_error: give one number for the qubits of a device")
    detuning = values.get("detuning_khz", 0.0)
    if isinstance(detuning, tuple):
        raise SpecError("noise.detuning_khz: give one number for the qubits of a device")
    return replace(
        noise,
        detuning={None: detuning * 1e3} if spec.idle else {},
        reset_error={None: reset_error},
        depolarizing_by_measurement=values.get("measurement_disturbance", 0.0),
        dephasing_by_measurement=values.get("measurement_dephasing", 0.0),
        over_rotations=over,
    )


@lru_cache(maxsize=8)
def named_device_noise(
    device: str,
    *,
    idle: bool = True,
    latency: float = 0.0,
    scale: float = 1.0,
    live: tuple[str | None, str | None, str | None] | None = None,
) -> Noise:
    """Noise of a device by name, such as `fake_boston`.

    Args:
        device: its name.
        idle: let qubits decay while others are at work, measured or reset.
        latency: s from a measurement to what depends on it.
        scale: factor on all error probabilities and decay rates.
        live: of a device of IBM's service: the moment of its properties, account and instance.

    Raises:
        BackendError: if the device is unknown, or the service cannot be asked.
    """
    if live is not None:
        from qrnn_qiskit.execution.backends.ibm_properties import target_at

        moment, account, instance = live
        target = target_at(device, moment or "", account, instance)
    else:
        from qrnn_qiskit.execution.backends.ibm import fake_device

        target = fake_device(device).target
    return device_noise(target, idle=idle, latency=latency, scale=scale)


def pinned(spec: NoiseSpec) -> NoiseSpec:
    """Noise of a real device at its latest calibration, where no moment is given yet.

    A run that continues tomorrow has the same noise.

    Raises:
        BackendError: if the service cannot be asked.
    """
    if not spec.is_live or spec.calibrated is not None:
        return spec
    from qrnn_qiskit.execution.backends.ibm_properties import calibrated_at

    moment = calibrated_at(spec.device or "", spec.account, spec.instance)
    return spec.model_copy(update={"calibrated": moment})
