"""An emulated service with the real client, for tests: a small circuit, a quick runner."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.options_models.executor import ExecutorOptions
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from qrnn_qiskit.emulator import RunRequest
from qrnn_qiskit.emulator.address import Reachable
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.emulator.routes import API
from qrnn_qiskit.execution.backends.ibm import fake_device

DEVICE = "ibm_marrakesh"
POLL = 0.1  # seconds; the client allows no less
ANGLES: NDArray[np.float64] = np.array([[0.3, 0.4], [1.0, 2.0], [2.5, -1.1]])


def coins(request: RunRequest) -> dict[str, Bits]:
    """A runner that tosses coins instead of simulating."""
    random = np.random.default_rng(request.seed)
    shape = len(request.angles), request.shots
    return {
        register.name: random.random((*shape, register.size)) < 0.5
        for register in request.circuit.cregs
    }


def two_steps(suffix: str = "") -> QuantumCircuit:
    """Two steps on two qubits, with measurement and reset between them.

    With angles (x, y): step 0 reads 1 with probability sin²(x/2); step 1 reads the same bit again
    (qubit 1 keeps it) and a new one with probability sin²(y/2).

    Args:
        suffix: of the circuit's name.
    """
    qubits = QuantumRegister(2, "q")
    first, second = ClassicalRegister(1, "step_0"), ClassicalRegister(2, "step_1")
    circuit = QuantumCircuit(qubits, first, second, name="two_steps" + suffix)
    circuit.ry(Parameter("x"), 0)
    circuit.cx(0, 1)
    circuit.measure(0, first)
    circuit.reset(0)
    circuit.ry(Parameter("y"), 0)
    circuit.measure(qubits, second)
    return circuit


@lru_cache(maxsize=8)
def isa_circuit(suffix: str = "") -> QuantumCircuit:
    """`two_steps` for the device."""
    target = fake_device("fake_marrakesh").target
    manager = generate_preset_pass_manager(1, target=target, seed_transpiler=0)
    isa: QuantumCircuit = manager.run(two_steps(suffix))
    return isa


def connect(service: Reachable, proxy: bool = False) -> QiskitRuntimeService:
    """The real client, inside `service.environment(proxy)`."""
    return QiskitRuntimeService(**(service.proxy_kwargs() if proxy else service.client_kwargs()))


def call(service: Reachable, method: str, path: str, **content: Any) -> requests.Response:
    """A request without the client: one answer, no retries."""
    token = requests.post(service.base_url + "/identity/token", timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Service-CRN": service.instance}
    url = service.base_url + API + path
    return requests.request(method, url, headers=headers, timeout=10, **content)


def executor_body() -> dict[str, Any]:
    """Body of `POST /jobs` as the client sends it."""
    program = QuantumProgram(shots=10)
    program.append_circuit_item(isa_circuit(), circuit_arguments=ANGLES)
    params = QUANTUM_PROGRAM_PARAMS_CONVERTERS["v2.0"].encoder(program, ExecutorOptions())
    return {"program_id": "executor", "backend": DEVICE, "params": params.model_dump(mode="json")}


def submit(
    mode: Any,
    *,
    shots: int = 10,
    tags: Sequence[str] = (),
    angles: NDArray[np.float64] = ANGLES,
    circuit: QuantumCircuit | None = None,
) -> Any:
    """A job through the client's `executor_sampler.Sampler`."""
    sampler = Sampler(mode=mode)
    if tags:
        sampler.options.environment.job_tags = list(tags)
    return sampler.run([(circuit or isa_circuit(), angles)], shots=shots)


def bits(job: Any) -> dict[str, NDArray[np.bool_]]:
    """Bits `[R, S, bits]` of a job's one PUB by register, lowest bit first."""
    data = job.result(poll_interval=POLL)[0].data
    return {name: data[name].to_bool_array(order="little") for name in data}
