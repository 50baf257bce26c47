"""Published cells against dense matrices written from the papers' formulas alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import combinations, pairwise, product
from math import comb
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from qrnn_qiskit import ExactExecutor, IBMExecutor, evaluate, unroll
from qrnn_qiskit.circuit import build_cell
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.dead_weights import dead_weights
from qrnn_qiskit.execution.isa import TranspileOptions

Array = NDArray[np.float64]
Matrix = NDArray[np.complex128]

PAULIS: dict[str, Matrix] = {
    "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1, -1]).astype(np.complex128),
}


class Wires:
    """Dense operators on n qubits, qubit 0 the first factor."""

    def __init__(self, count: int) -> None:
        self.count = count

    def on(self, **factors: Matrix) -> Matrix:
        """Product of one-qubit matrices, such as `on(q0=X, q2=Z)`."""
        product: Matrix = np.ones((1, 1), dtype=np.complex128)
        for qubit in range(self.count):
            factor = factors.get(f"q{qubit}", np.eye(2))
            product = np.kron(product, factor).astype(np.complex128)
        return product

    def pauli(self, axis: str, qubit: int) -> Matrix:
        return self.on(**{f"q{qubit}": PAULIS[axis]})

    def turn(self, axis: str, qubit: int, angle: float) -> Matrix:
        """exp(-i angle P / 2)."""
        rotation: Matrix = expm(-0.5j * angle * PAULIS[axis])
        return self.on(**{f"q{qubit}": rotation})

    def zz(self, first: int, second: int) -> Matrix:
        return self.on(**{f"q{first}": PAULIS["z"], f"q{second}": PAULIS["z"]})

    def controlled(self, control: int, target: int, gate: Matrix) -> Matrix:
        off, on = np.diag([1, 0]), np.diag([0, 1])
        return self.on(**{f"q{control}": off}) + self.on(**{f"q{control}": on, f"q{target}": gate})

    def outputs(self, steps: list[Matrix], io: list[int], read: list[int] | None = None) -> Array:
        """<Z> `[T, K]` of the qubits `read` after each step's unitary, `io` then reset."""
        observables = [self.pauli("z", q) for q in read or io]
        return np.array(
            [[np.trace(z @ rho).real for z in observables] for rho in self.states(steps, io)]
        )

    def traces(self, steps: list[Matrix], io: list[int]) -> Array:
        """Chance `[T]` that all post-selected measurements so far have succeeded."""
        return np.array([np.trace(rho).real for rho in self.states(steps, io)])

    def states(self, steps: list[Matrix], io: list[int]) -> Iterator[Matrix]:
        """Density matrices after each step's matrix, before `io` is reset."""
        state = np.zeros((2**self.count, 2**self.count), dtype=np.complex128)
        state[0, 0] = 1.0
        lower, stay = np.array([[0, 1], [0, 0]]), np.diag([1, 0])
        for matrix in steps:
            state = matrix @ state @ matrix.conj().T
            yield state
            for qubit in io:
                kraus = [self.on(**{f"q{qubit}": k.astype(np.complex128)}) for k in (stay, lower)]
                state = sum((k @ state @ k.conj().T for k in kraus), np.zeros_like(state))


def outputs_of(family: str, options: dict[str, Any], weights: Array, features: Array) -> Array:
    """Exact outputs `[T, K]` of the family's cell on one sequence `[T, F]`."""
    unrolled = unroll(build_cell(family, options), len(features))
    outputs = evaluate(unrolled, weights, features[None], executor=ExactExecutor())
    assert outputs.count is None
    mean: Array = outputs.mean[0]
    return mean


def product_of(gates: list[Matrix]) -> Matrix:
    """Gates in order of time as one matrix."""
    result: Matrix = reduce(lambda before, gate: gate @ before, gates)
    return result


def drawn(num_weights: int, steps: int, features: int = 1) -> tuple[Array, Array]:
    random = np.random.default_rng(5)
    weights = random.uniform(0.0, 2.0 * np.pi, num_weights)
    return weights, random.uniform(-1.0, 1.0, (steps, features))


def two_qubit_gates(family: str, options: dict[str, Any]) -> int:
    circuit = build_cell(family, options).circuit
    return sum(len(item.qubits) == 2 for item in circuit.data)


def takaki_hamiltonian(wires: Wires, pairs: list[tuple[int, int]], seed: int) -> list[Matrix]:
    """Its X part and its ZZ part."""
    random = np.random.default_rng(seed)
    field = random.uniform(-1.0, 1.0, wires.count)
    strength = random.uniform(-1.0, 1.0, len(pairs))
    zero = np.zeros((2**wires.count,) * 2, dtype=np.complex128)
    return [
        sum((a * wires.pauli("x", q) for q, a in enumerate(field)), zero),
        sum((j * wires.zz(*pair) for j, pair in zip(strength, pairs, strict=True)), zero),
    ]


@pytest.mark.parametrize("coupling", ["all", "line"])
@pytest.mark.parametrize("evolution", ["exact", "trotter"])
def test_takaki(coupling: str, evolution: str) -> None:
    n_io, depth, tau = 2, 2, 0.7
    wires = Wires(3)
    pairs = list(combinations(range(3), 2) if coupling == "all" else pairwise(range(3)))
    fields, bonds = takaki_hamiltonian(wires, pairs, seed=4)
    if evolution == "exact":
        evolve = expm(-1j * tau * (fields + bonds))
    else:
        half = expm(-0.25j * tau * fields)
        evolve = np.linalg.matrix_power(half @ expm(-0.5j * tau * bonds) @ half, 2)
    weights, features = drawn(3 * 3 * depth, 3)
    angles = weights.reshape(depth, 3, 3)

    def step(x: float) -> Matrix:
        gates = [wires.turn("y", q, np.arccos(x)) for q in range(n_io)]
        for layer in angles:
            for q, angle in enumerate(layer):
                gates += [wires.turn(axis, q, a) for axis, a in zip("xzx", angle, strict=True)]
            gates.append(evolve)
        return product_of(gates)

    options: dict[str, Any] = {"n_io": n_io, "n_hidden": 1, "depth": depth, "tau": tau}
    options |= {"coupling": coupling, "evolution": evolution, "hamiltonian_seed": 4}
    if evolution == "trotter":
        options["trotter_steps"] = 2
    expected = wires.outputs([step(x) for x in features[:, 0]], io=[0, 1])
    found = outputs_of("takaki", options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_takaki_trotter_steps_converge_to_the_exact_evolution() -> None:
    """The symmetric formula's error falls with the square of the number of steps."""
    options: dict[str, Any] = {"n_io": 1, "n_hidden": 2, "depth": 2, "tau": 0.5}
    weights, features = drawn(18, 3)
    exact = outputs_of("takaki", options | {"evolution": "exact"}, weights, features)
    few, many = (
        np.abs(outputs_of("takaki", options | {"trotter_steps": r}, weights, features) - exact)
        for r in (2, 8)
    )
    assert 12.0 < few.max() / many.max() < 20.0
    assert many.max() < 1e-2


@pytest.mark.parametrize(("n_io", "n_hidden", "num_features"), [(1, 2, 1), (2, 2, 2)])
def test_connerty(n_io: int, n_hidden: int, num_features: int) -> None:
    """Registers `io`, `hidden` are the factors 0 … n_io - 1 and those after them."""
    size = n_io + n_hidden
    wires = Wires(size)
    chain = [0] * size
    chain[0::2] = range(n_io, size)
    chain[1::2] = range(n_io)
    num_angles = 7 * size - 1
    repeats = 2
    weights, features = drawn(repeats * num_angles * (num_features + 1), 2, num_features)
    matrix = weights[: repeats * num_angles * num_features].reshape(-1, num_features)
    bias = weights[repeats * num_angles * num_features :]

    def step(x: Array) -> Matrix:
        angles = iter(matrix @ x + bias)
        gates: list[Matrix] = []

        def rotate_all() -> None:
            for q in chain:
                gates.extend(wires.turn(axis, q, next(angles)) for axis in "zxz")

        for _ in range(repeats):
            rotate_all()
            for control, target in pairwise(chain):
                gate = expm(-0.5j * next(angles) * PAULIS["x"])
                gates.append(wires.controlled(control, target, gate))
            rotate_all()
        return product_of(gates)

    options = {"n_io": n_io, "n_hidden": n_hidden, "n_features": num_features, "repeats": repeats}
    expected = wires.outputs([step(x) for x in features], io=list(range(n_io)))
    found = outputs_of("connerty", options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("family", "axes"), [("viqueira_emcz2", "xz"), ("viqueira_emcz3", "xzx")])
def test_viqueira_with_two_variables(family: str, axes: str) -> None:
    exchange, memory, layers, reuploads = 2, 1, 2, 2
    size = exchange + memory
    wires = Wires(size)
    last = 1 if axes == "xz" else 3
    count = len(axes) * (exchange * reuploads + size * layers) + last * exchange
    weights, features = drawn(count, 3, exchange)
    pairs = [(0, 1), (1, 2)] if axes == "xz" else [(0, 2), (1, 2)]

    def step(x: Array) -> Matrix:
        angles, gates = iter(weights), []
        for e in range(exchange):
            gates.append(wires.turn("y", e, x[e]))
            for _ in range(reuploads):
                gates += [wires.turn(axis, e, next(angles)) for axis in axes]
                gates.append(wires.turn("y", e, x[e]))
        for _ in range(layers):
            gates += [wires.turn(axis, q, next(angles)) for q in range(size) for axis in axes]
            gates += [wires.controlled(*pair, PAULIS["z"]) for pair in pairs]
        gates += [
            wires.turn(axis, e, next(angles)) for e in range(exchange) for axis in axes[:last]
        ]
        return product_of(gates)

    options = {"n_exchange": exchange, "n_memory": memory}
    options |= {"layers": layers, "reuploads": reuploads}
    expected = wires.outputs([step(x) for x in features], io=[0, 1])
    found = outputs_of(family, options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("final_rx", [True, False])
@pytest.mark.parametrize("family", ["li_pqrnn", "li_sqrnn"])
def test_li(family: str, final_rx: bool) -> None:
    """The ring is exp(i theta ZZ), without a factor 1/2 and with a plus sign.

    Staggered roles: the circuit stays and the state moves, each qubit one place up the ring.
    """
    wires = Wires(4)
    weights, features = drawn(20 if final_rx else 16, 4)
    move = np.eye(16, dtype=np.complex128)
    if family == "li_sqrnn":
        labels = np.arange(16).reshape(2, 2, 2, 2).transpose(3, 0, 1, 2).ravel()
        move = move[labels]

    def step(x: float) -> Matrix:
        gates = [wires.turn("y", q, np.arccos(x)) for q in (0, 1)]
        for q, angles in enumerate(weights[:12].reshape(4, 3)):
            gates += [wires.turn(axis, q, a) for axis, a in zip("xzx", angles, strict=True)]
        ring = [(0, 1), (1, 2), (2, 3), (3, 0)]
        gates += [
            expm(1j * a * wires.zz(*pair)) for a, pair in zip(weights[12:16], ring, strict=True)
        ]
        if final_rx:
            gates += [wires.turn("x", q, a) for q, a in enumerate(weights[16:])]
        return product_of(gates)

    first, *others = [step(x) for x in features[:, 0]]
    steps = [first, *(matrix @ move for matrix in others)]
    expected = wires.outputs(steps, io=[0, 1], read=[0])
    options = {"n_io": 2, "n_hidden": 2, "final_rx": final_rx}
    found = outputs_of(family, options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_li_pqrnn_as_drawn_in_its_paper_remembers_nothing() -> None:
    """Without the final column an output depends on the present feature and qubit 0 alone."""
    weights, features = drawn(24, 5)
    found = outputs_of("li_pqrnn", {"final_rx": False}, weights, features)
    one = Wires(1)
    for x, z in zip(features[:, 0], found[:, 0], strict=True):
        gates = [one.turn("y", 0, np.arccos(x))]
        gates += [one.turn(axis, 0, a) for axis, a in zip("xzx", weights, strict=False)]
        assert one.outputs([product_of(gates)], io=[0])[0, 0] == pytest.approx(z, abs=1e-12)


def test_reupload() -> None:
    """Five features on each `io` qubit: three in a first rotation, two in a second."""
    wires = Wires(3)
    weights, features = drawn(2 * (2 * (6 + 5) + 3) + 2, 3, 5)

    def step(x: Array) -> Matrix:
        angles, gates = iter(weights), []
        for _ in range(2):
            for q in (0, 1):
                for chunk in (x[:3], x[3:]):
                    written = [
                        next(angles) + (next(angles) * chunk[i] if i < len(chunk) else 0.0)
                        for i in range(3)
                    ]
                    gates += [wires.turn(a, q, v) for a, v in zip("yzy", written, strict=True)]
            gates += [wires.turn(axis, 2, next(angles)) for axis in "yzy"]
            # The line is hidden, first io, second io.
            gates += [wires.controlled(*pair, PAULIS["z"]) for pair in ((2, 0), (0, 1))]
        gates += [wires.turn("y", q, next(angles)) for q in (0, 1)]
        return product_of(gates)

    options = {"n_io": 2, "n_hidden": 1, "n_features": 5, "layers": 2}
    expected = wires.outputs([step(x) for x in features], io=[0, 1])
    found = outputs_of("reupload", options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("num_features", [1, 2, 3])
def test_hardware_efficient(num_features: int) -> None:
    wires = Wires(4)
    reads = {1: [[0], [0]], 2: [[0], [1]], 3: [[0, 2], [1]]}[num_features]
    weights, features = drawn(2 * (8 + max(2, num_features)) + 2, 3, num_features)

    def step(x: Array) -> Matrix:
        angles, gates = iter(weights), []
        for _ in range(2):
            for q, read in enumerate(reads):
                written = next(angles) + sum(next(angles) * x[f] for f in read)
                gates += [wires.turn("y", q, written), wires.turn("z", q, next(angles))]
            for q in (2, 3):
                gates += [wires.turn("y", q, next(angles)), wires.turn("z", q, next(angles))]
            # The line is hidden 0, io 0, hidden 1, io 1.
            gates += [wires.controlled(*p, PAULIS["z"]) for p in ((2, 0), (3, 1), (0, 3))]
        gates += [wires.turn("y", q, next(angles)) for q in (0, 1)]
        return product_of(gates)

    options = {"n_io": 2, "n_hidden": 2, "layers": 2, "n_features": num_features}
    expected = wires.outputs([step(x) for x in features], io=[0, 1])
    found = outputs_of("hardware_efficient", options, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def bausch_step(
    wires: Wires,
    shape: dict[str, int],
    weights: Array,
    bits: Array,
    factor: Callable[[float], complex] = lambda eta: 1.0,
) -> Matrix:
    """The closed form of the paper: each neuron as one (not unitary) matrix.

    `factor` multiplies what it does where its angle is eta.
    """
    inputs, hidden = shape["n_io"], shape["n_hidden"]
    given = iter(weights)
    power = 2 ** shape["order"]

    def neuron(target: int) -> Matrix:
        controls = [q for q in range(inputs + hidden) if q != target]
        sets = [
            chosen
            for size in range(1, shape["degree"] + 1)
            for chosen in combinations(controls, size)
        ]
        phi, theta = [next(given) for _ in sets], next(given)
        total = np.zeros((2**wires.count,) * 2, dtype=np.complex128)
        for state in product((0, 1), repeat=len(controls)):
            x = dict(zip(controls, state, strict=True))
            polynomial = sum(
                p for p, chosen in zip(phi, sets, strict=True) if all(x[i] for i in chosen)
            )
            eta = (polynomial + theta + np.pi / 2) / 2
            gate = np.cos(eta) ** power * np.eye(2) + np.sin(eta) ** power * np.array(
                [[0, -1], [1, 0]]
            )
            gate = factor(float(eta)) * gate
            select = {
                f"q{q}": np.diag([1.0 - b, float(b)]).astype(np.complex128) for q, b in x.items()
            }
            total += wires.on(**select, **{f"q{target}": gate.astype(np.complex128)})
        return total

    write = [wires.pauli("x", i) for i in range(inputs) if bits[i]]
    gates = list(write)
    for stage in range(1 + shape["stages"]):
        if stage:
            gates += [wires.turn("y", inputs + w, next(given)) for w in range(hidden)]
        gates += [neuron(inputs + w) for w in range(hidden)]
    gates += write
    gates += [neuron(i) for i in range(inputs)]
    return product_of(gates)


@pytest.mark.parametrize(
    "shape",
    [
        {"n_io": 1, "n_hidden": 1, "stages": 0, "order": 1, "degree": 1},
        {"n_io": 2, "n_hidden": 1, "stages": 1, "order": 2, "degree": 1},
        {"n_io": 1, "n_hidden": 2, "stages": 1, "order": 2, "degree": 2},
        {"n_io": 1, "n_hidden": 1, "stages": 1, "order": 3, "degree": 1},
        {"n_io": 2, "n_hidden": 2, "stages": 1, "order": 1, "degree": 3},
    ],
    ids=str,
)
def test_bausch(shape: dict[str, int]) -> None:
    """Raw values: <Z> times the chance that all neurons have succeeded so far, and that chance."""
    inputs, size = shape["n_io"], shape["n_io"] + shape["n_hidden"]
    cell = build_cell("bausch", shape)
    neurons = (1 + shape["stages"]) * shape["n_hidden"] + inputs
    subsets = sum(comb(size - 1, k) for k in range(1, shape["degree"] + 1))
    assert cell.num_weights == neurons * (1 + subsets) + shape["stages"] * shape["n_hidden"]
    random = np.random.default_rng(8)
    weights = random.normal(0.0, 0.7, cell.num_weights)
    bits = random.integers(0, 2, (3, inputs)).astype(np.float64)
    wires = Wires(size)
    steps = [bausch_step(wires, shape, weights, word) for word in bits]
    io = list(range(inputs))
    unrolled = unroll(cell, 3)
    found = ExactExecutor().forward(unrolled, unrolled.angle_map.angles(weights, bits[None]), "z")
    np.testing.assert_allclose(found[0, :, :-1], wires.outputs(steps, io), atol=1e-12)
    np.testing.assert_allclose(found[0, :, -1], wires.traces(steps, io), atol=1e-12)


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_bausch_neurons_that_are_repeated_until_success(attempts: int) -> None:
    """Kraus operators S F^k of a neuron: k failures with their undoing, then a success."""
    cell = build_cell("bausch", {"n_hidden": 1, "stages": 0, "neuron": "rus", "attempts": attempts})
    weights = np.array([0.7, -0.4, 0.3, 0.9])
    wires, flip = Wires(2), np.array([[0, -1], [1, 0]])
    undo = expm(0.75j * np.pi * PAULIS["y"])

    def tried(state: Matrix, control: int, phi: float, theta: float) -> Matrix:
        success, failure = np.zeros((2, 4, 4), dtype=np.complex128)
        for x in (0, 1):
            eta = (phi * x + theta + np.pi / 2) / 2
            good = np.cos(eta) ** 2 * np.eye(2) + np.sin(eta) ** 2 * flip
            bad = undo @ (np.sin(eta) * np.cos(eta) * (flip - np.eye(2)))
            select = {f"q{control}": np.diag([1.0 - x, float(x)]).astype(np.complex128)}
            success += wires.on(**select, **{f"q{1 - control}": good.astype(np.complex128)})
            failure += wires.on(**select, **{f"q{1 - control}": bad})
        result = np.zeros((4, 4), dtype=np.complex128)
        for k in range(attempts):
            kraus = success @ np.linalg.matrix_power(failure, k)
            result += kraus @ state @ kraus.conj().T
        return result

    state = np.zeros((4, 4), dtype=np.complex128)
    state[0, 0] = 1.0
    expected = []
    for bit in (1, 0, 1):
        write = wires.pauli("x", 0) if bit else np.eye(4)
        state = tried(write @ state @ write, 0, weights[0], weights[1])
        state = tried(write @ state @ write, 1, weights[2], weights[3])
        expected.append([np.trace(wires.pauli("z", 0) @ state).real, np.trace(state).real])
        kraus = [wires.on(q0=np.diag([1.0, 0.0]).astype(np.complex128))]
        kraus.append(kraus[0] @ wires.pauli("x", 0))
        state = sum((k @ state @ k.conj().T for k in kraus), np.zeros_like(state))
    unrolled = unroll(cell, 3)
    angles = unrolled.angle_map.angles(weights, np.array([1.0, 0.0, 1.0])[None, :, None])
    found = ExactExecutor().forward(unrolled, angles, "z")[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bausch_neurons_succeed_as_often_as_the_paper_says() -> None:
    """At eta = pi/4 an order-k neuron survives with probability 1/2, 1/8, 1/128."""
    for order, chance in ((1, 1 / 2), (2, 1 / 8), (3, 1 / 128)):
        cell = build_cell("bausch", {"n_hidden": 1, "stages": 0, "order": order})
        unrolled = unroll(cell, 1)
        angles = unrolled.angle_map.angles(np.zeros(4), np.zeros((1, 1, 1)))
        raw = ExactExecutor().forward(unrolled, angles, "z")
        assert raw[0, 0, -1] == pytest.approx(chance**2, abs=1e-14)


def test_bausch_costs() -> None:
    """Two-qubit gates of a step: no more than controlled rotations need, counted by hand."""
    assert two_qubit_gates("bausch", {}) == 45
    assert two_qubit_gates("bausch", {"n_hidden": 1, "stages": 0}) == 10
    xor = {"n_io": 2, "n_hidden": 4, "order": 2, "degree": 3}
    assert two_qubit_gates("bausch", xor) < 1340


def test_qru() -> None:
    """Reset and X where the bit was 1 leave the candidate in the state it was found in."""
    wires = Wires(3)
    weights, features = drawn(18, 4)
    swap = np.eye(8, dtype=np.complex128)  # candidate, memory, gate: |011> and |101> swap
    swap[[3, 5]] = swap[[5, 3]]
    ring = [(0, 1), (1, 2), (2, 0)]
    dephase = [wires.on(q0=np.diag(p).astype(np.complex128)) for p in ([1, 0], [0, 1])]
    reset = [
        wires.on(q2=np.array(k, dtype=np.complex128)) for k in ([[1, 0], [0, 0]], [[0, 1], [0, 0]])
    ]
    state = np.zeros((8, 8), dtype=np.complex128)
    state[0, 0] = 1.0
    expected = []
    for x in features[:, 0]:
        angles, gates = iter(weights), [wires.turn("y", 0, x)]
        for _ in range(2):
            gates += [wires.turn(axis, q, next(angles)) for q in range(3) for axis in "zyz"]
            gates += [wires.controlled(*pair, PAULIS["x"]) for pair in ring]
        matrix = product_of([*gates, swap])
        state = matrix @ state @ matrix.conj().T
        expected.append([np.trace(wires.pauli("z", 0) @ state).real])
        for kraus in (dephase, reset):
            state = sum((k @ state @ k.conj().T for k in kraus), np.zeros_like(state))
    found = outputs_of("qru", {"n_hidden": 1, "layers": 2}, weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Properties of fake_nighthawk")
@pytest.mark.parametrize("device", ["fake_marrakesh", "fake_nighthawk"])
def test_hardware_efficient_needs_no_swaps(device: str) -> None:
    """On a heavy-hex and on a square lattice, as many two-qubit gates as in the cell."""
    cell = build_cell("hardware_efficient", {"n_io": 3, "n_hidden": 4})
    unrolled = unroll(cell, 3)
    isa = IBMExecutor(device, transpile=TranspileOptions(optimization_level=1)).isa(unrolled)
    counts = isa.compact.count_ops()
    assert counts["cz"] == 3 * 3 * 6
    assert "swap" not in counts


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("bausch", (4, 17, 1, 1)),
        ("connerty", (8, 110, 1, 4)),
        ("hardware_efficient", (3, 22, 1, 1)),
        ("li_pqrnn", (6, 30, 1, 1)),
        ("li_sqrnn", (6, 30, 1, 1)),
        ("qru", (6, 72, 1, 2)),
        ("reupload", (3, 31, 1, 1)),
        ("takaki", (6, 54, 1, 3)),
        ("viqueira_emcz3", (3, 39, 1, 1)),
    ],
)
def test_sizes_of_the_papers(family: str, sizes: tuple[int, int, int, int]) -> None:
    """Qubits, weights, features and bits of a family as it is by default."""
    cell = build_cell(family)
    found = (cell.circuit.num_qubits, cell.num_weights, cell.num_features, cell.num_bits)
    assert found == sizes


@pytest.mark.parametrize(
    ("family", "options", "dead"),
    [
        ("takaki", {"n_io": 1, "n_hidden": 1, "depth": 1}, []),
        ("viqueira_emcz3", {}, []),
        ("bausch", {}, []),
        ("bausch", {"neuron": "rus", "n_hidden": 1}, []),
        ("bausch", {"neuron": "amplify", "n_hidden": 1, "stages": 0, "rounds": 1}, []),
        ("bausch", {"words": "given", "n_hidden": 1}, []),
        ("qru", {"n_hidden": 1, "layers": 2}, ["theta_6"]),
        ("reupload", {"n_features": 4}, []),
        ("hardware_efficient", {"n_io": 2, "n_features": 3}, []),
        ("li_pqrnn", {"n_io": 1, "n_hidden": 2}, []),
        ("li_pqrnn", {"n_io": 2, "n_hidden": 1}, ["theta_13"]),
        (
            "connerty",
            {"n_io": 1, "n_hidden": 1},
            ["w_3_0", "w_12_0", "b_3", "b_12"],
        ),
    ],
)
def test_dead_weights_are_those_the_documentation_names(
    family: str, options: dict[str, Any], dead: list[str]
) -> None:
    found = dead_weights(unroll(build_cell(family, options), 4))
    assert [weight.weight for weight in found] == dead


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("takaki", {"coupling": "ring"}, "cell.coupling = 'ring': must be 'all' or 'line'"),
        ("takaki", {"tau": 0.0}, "cell.tau = 0.0: must be greater than 0"),
        (
            "takaki",
            {"n_io": 6, "evolution": "exact"},
            "cell.evolution = 'exact': is one matrix, for at most 8 qubits, but there are 9",
        ),
        (
            "takaki",
            {"evolution": "exact", "trotter_steps": 2},
            "cell.trotter_steps = 2: is for evolution = 'trotter'",
        ),
        ("qru", {"n_features": 3}, "cell.n_features = 3: must be at most n_hidden = 2"),
        ("bausch", {"degree": 3}, "cell.degree = 3: must be at most 2, the number of controls"),
        (
            "bausch",
            {"order": 2, "neuron": "rus"},
            "cell.order = 2: must be 1 with neuron = 'rus'",
        ),
        ("bausch", {"attempts": 3}, "cell.attempts = 3: is for neuron = 'rus'"),
        ("bausch", {"rounds": 3}, "cell.rounds = 3: is for neuron = 'amplify'"),
        ("bausch", {"tolerance": 0.2}, "cell.tolerance = 0.2: is for neuron = 'amplify'"),
        (
            "bausch",
            {"order": 9},
            "cell.order = 9: makes 2,555 post-selected measurements in each step, where 200",
        ),
        ("connerty", {"n_hidden": 2}, "cell.n_hidden = 2: must be n_io = 4 or one more"),
    ],
)
def test_wrong_options(family: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        build_cell(family, options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
