"""The same numbers by other tools. Each function returns a call to time, and checks its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from benchmarks.cases import DEPOLARIZING, Case
from qrnn_qiskit.angle_map import Array

TOLERANCE = 1e-9


def aer_simulator(case: Case, **options: Any) -> AerSimulator:
    """Aer on one thread, with the case's noise."""
    if case.name == "C":
        options["noise_model"] = NoiseModel()
        options["noise_model"].add_all_qubit_quantum_error(
            depolarizing_error(DEPOLARIZING, 2), ["rzz"]
        )
    return AerSimulator(max_parallel_threads=1, **options)


def aer_shots(case: Case, rows: int, shots: int) -> Callable[[], object]:
    """SamplerV2, one PUB with the first `rows` rows of the plan."""
    circuit = case.executor.isa(case.unrolled)
    angles = case.plan().angles(case.unrolled.angle_map, slice(0, rows))
    values = circuit.parameter_values(angles)
    sampler = SamplerV2.from_backend(aer_simulator(case), seed=5)
    return lambda: sampler.run([(circuit.compact, values)], shots=shots).result()[0].data


def aer_exact_gradient(case: Case) -> Callable[[], object]:
    """Density matrices with saved expectation values; parameters bound at run time."""
    circuit, plan = case.executor.isa(case.unrolled), case.plan()
    saved: QuantumCircuit = circuit.compact.copy_empty_like()
    step = 0
    for item in circuit.compact.data:
        if item.operation.name == "measure":
            saved.save_expectation_value(SparsePauliOp("Z"), list(item.qubits), f"z_{step}")
            step += 1  # measured, the state would collapse; the reset that follows is enough
        else:
            saved.append(item)
    simulator = aer_simulator(case, method="density_matrix")
    num_steps = case.unrolled.num_steps
    expected = case.executor.exact_outputs(case.unrolled, plan, "z").mean

    def run() -> Array:
        angles = plan.angles(case.unrolled.angle_map, slice(0, plan.num_rows))
        values = circuit.parameter_values(angles)
        binds = dict(zip(circuit.compact.parameters, values.T.tolist(), strict=True))
        data = simulator.run(saved, parameter_binds=[binds], shots=1).result().results
        return np.array([[row.data.__dict__[f"z_{t}"] for t in range(num_steps)] for row in data])

    if np.abs(run() - expected[:, :, 0]).max() > TOLERANCE:
        raise RuntimeError("Aer's expectation values differ from the engine's")
    return run


def jax_gradient(case: Case) -> Callable[[], object]:
    """Reverse mode through a scan over density matrices, written by hand and compiled."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n = case.num_qubits
    letters = {
        "X": np.array([[0, 1], [1, 0]], dtype=complex),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1.0, -1.0]).astype(complex),
    }

    def string(label: str, qubits: tuple[int, ...]) -> Any:
        factors = [np.eye(2)] * n
        for letter, q in zip(label, qubits, strict=True):
            factors[q] = letters[letter]
        result: Any = np.eye(1)
        for factor in factors:
            result = np.kron(result, factor)
        return jnp.asarray(result)

    gates: list[tuple[Any, int, bool]] = []
    index = 0
    for q in range(n):
        for letter in "XZ":
            gates.append((string(letter, (q,)), index, False))
            index += 1
    for q in range(n):
        gates.append((string("ZZ", (q, (q + 1) % n)), index, case.name == "C"))
        index += 1
    for q in range(n):
        gates.append((string("X", (q,)), index, False))
        index += 1
    write = string("Y", (0,))
    rest = 2 ** (n - 1)
    # Depolarizing noise of strength p keeps 1 - 15 p / 16, and spreads p / 16 over 15 strings.
    paulis = []
    for pair in ((q, (q + 1) % n) for q in range(n)):
        both = [string(a + b, pair) for a in "XYZ" for b in "XYZ"]
        paulis.append(both + [string(a, (q,)) for a in "XYZ" for q in pair])

    def turn(rho: Any, generator: Any, angle: Any) -> Any:
        unitary = jnp.cos(angle / 2) * jnp.eye(2**n) - 1j * jnp.sin(angle / 2) * generator
        return unitary @ rho @ unitary.conj().T

    def step(weights: Any) -> Any:
        def body(hidden: Any, x: Any) -> tuple[Any, Any]:
            rho = jnp.zeros((2, rest, 2, rest), dtype=complex).at[0, :, 0, :].set(hidden)
            rho = turn(rho.reshape(2**n, 2**n), write, x)
            edge = 0
            for generator, weight, noisy in gates:
                rho = turn(rho, generator, weights[weight])
                if noisy:
                    mixed = sum(p @ rho @ p for p in paulis[edge])
                    rho = (1 - 15 * DEPOLARIZING / 16) * rho + DEPOLARIZING / 16 * mixed
                    edge += 1
            parts = rho.reshape(2, rest, 2, rest)
            zero, one = parts[0, :, 0, :], parts[1, :, 1, :]
            return zero + one, (jnp.trace(zero) - jnp.trace(one)).real

        return body

    def loss(weights: Any, features: Any, targets: Any) -> Any:
        def outputs(sequence: Any) -> Any:
            start = jnp.zeros((rest, rest), dtype=complex).at[0, 0].set(1.0)
            return jax.lax.scan(step(weights), start, sequence)[1]

        found = jax.vmap(outputs)(features[:, :, 0])
        return jnp.mean((found - targets[:, :, 0]) ** 2)

    compiled = jax.jit(jax.value_and_grad(loss))
    found = compiled(case.weights, case.features, case.targets)[1]
    expected = engine_gradient(case)()
    if np.abs(np.asarray(found) - expected).max() > TOLERANCE:
        raise RuntimeError("JAX's gradient differs from the engine's")
    return lambda: np.asarray(compiled(case.weights, case.features, case.targets)[1])


def lightning_gradient(case: Case) -> Callable[[], object]:
    """PennyLane's adjoint method, every step on a wire of its own (by hand)."""
    import pennylane as qml
    from pennylane import numpy as pnp

    n, steps = case.num_qubits, case.unrolled.num_steps
    device = qml.device("lightning.qubit", wires=n - 1 + steps)

    @qml.qnode(device, diff_method="adjoint")  # type: ignore[untyped-decorator]
    def outputs(weights: Any) -> Any:
        for t in range(steps):
            wires = [n - 1 + t, *range(n - 1)]
            angle = iter(range(4 * n))
            qml.RY(case.features[0, t, 0], wires[0])
            for w in wires:
                qml.RX(weights[next(angle)], w)
                qml.RZ(weights[next(angle)], w)
            for i, w in enumerate(wires):
                qml.IsingZZ(weights[next(angle)], [w, wires[(i + 1) % n]])
            for w in wires:
                qml.RX(weights[next(angle)], w)
        return [qml.expval(qml.PauliZ(n - 1 + t)) for t in range(steps)]

    def loss(weights: Any) -> Any:
        return pnp.mean((pnp.stack(outputs(weights)) - case.targets[0, :, 0]) ** 2)

    weights = pnp.array(case.weights, requires_grad=True)
    gradient = qml.grad(loss)
    if np.abs(gradient(weights) - engine_gradient(case)()).max() > TOLERANCE:
        raise RuntimeError("PennyLane's gradient differs from the engine's")
    return lambda: gradient(weights)


def pennylane_gradient(case: Case) -> Callable[[], object]:
    """PennyLane as it comes: `default.qubit`, measurements deferred, backpropagation."""
    import pennylane as qml
    from pennylane import numpy as pnp

    n, steps = case.num_qubits, case.unrolled.num_steps

    @qml.qnode(qml.device("default.qubit"))  # type: ignore[untyped-decorator]
    def outputs(weights: Any) -> Any:
        bits = []
        for t in range(steps):
            angle = iter(range(4 * n))
            qml.RY(case.features[0, t, 0], 0)
            for w in range(n):
                qml.RX(weights[next(angle)], w)
                qml.RZ(weights[next(angle)], w)
            for w in range(n):
                qml.IsingZZ(weights[next(angle)], [w, (w + 1) % n])
            for w in range(n):
                qml.RX(weights[next(angle)], w)
            bits.append(qml.measure(0, reset=True))
        return [qml.expval(bit) for bit in bits]

    def loss(weights: Any) -> Any:
        z = 1 - 2 * pnp.stack(outputs(weights))
        return pnp.mean((z - case.targets[0, :, 0]) ** 2)

    weights = pnp.array(case.weights, requires_grad=True)
    gradient = qml.grad(loss)
    if np.abs(gradient(weights) - engine_gradient(case)()).max() > TOLERANCE:
        raise RuntimeError("PennyLane's gradient differs from the engine's")
    return lambda: gradient(weights)


def machine_learning_gradient(case: Case) -> Callable[[], object]:
    """qiskit-machine-learning's `EstimatorQNN` on Aer: one circuit for each step's prefix."""
    from qiskit_aer.primitives import EstimatorV2
    from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    cell, n = case.unrolled.cell, case.num_qubits
    estimator = EstimatorV2.from_backend(aer_simulator(case, method="density_matrix"))
    estimator.options.default_precision = 0.0
    networks = []
    for steps in range(1, case.unrolled.num_steps + 1):
        circuit = QuantumCircuit(n)
        for t in range(steps):
            body = cell.circuit.assign_parameters(
                dict(zip(cell.features, case.features[0, t], strict=True))
            )
            for item in body.data:
                if item.operation.name == "measure" or (
                    item.operation.name == "reset" and t == steps - 1
                ):
                    continue
                circuit.append(item.operation, [body.find_bit(q).index for q in item.qubits])
        observable = SparsePauliOp("I" * (n - 1) + "Z")
        networks.append(
            EstimatorQNN(
                circuit=circuit,
                observables=observable,
                weight_params=list(cell.weights),
                estimator=estimator,
                gradient=ParamShiftEstimatorGradient(estimator),
                default_precision=0.0,
            )
        )

    def run() -> Array:
        gradient = np.zeros(len(case.weights))
        for t, network in enumerate(networks):
            value = network.forward([], case.weights)[0, 0]
            _, slope = network.backward([], case.weights)
            factor = 2 * (value - case.targets[0, t, 0]) / len(networks)
            gradient += factor * slope[0, 0]
        return gradient

    if np.abs(run() - engine_gradient(case)()).max() > TOLERANCE:
        raise RuntimeError("qiskit-machine-learning's gradient differs from the engine's")
    return run


def engine_gradient(case: Case) -> Callable[[], Array]:
    """Our own: reverse mode, weights' gradient of the mean squared error."""
    unrolled = case.unrolled

    def run() -> Array:
        angles = unrolled.angle_map.angles(case.weights, case.features)
        _, by_angle = case.executor.value_and_vjp(
            unrolled, angles, lambda y: 2 * (y - case.targets) / case.targets.size, "z"
        )
        return unrolled.angle_map.pull_back_weights(case.weights, case.features, by_angle)

    return run
