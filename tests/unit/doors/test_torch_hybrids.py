"""Quantum layers on vectors, circuits inside recurrent cells, and what public codes got wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli, Statevector

import qrnn_qiskit as qrnn

torch = pytest.importorskip("torch")

from qrnn_qiskit import ScriptRun  # noqa: E402
from qrnn_qiskit.torch import QGRU, QLSTM, QRNN, QuantumLayer  # noqa: E402

MODELS: dict[str, Any] = {
    "QRNN": lambda **o: QRNN("reupload", batch_first=True, **o),
    "QuantumLayer": lambda **o: QuantumLayer(1, 2, form="reuploaded", **o),
    "QLSTM, 6 circuits": lambda **o: QLSTM(1, 2, layers=1, batch_first=True, **o),
    "QLSTM, 4 circuits": lambda **o: QLSTM(
        1, 2, circuits=4, qubits=2, layers=1, batch_first=True, **o
    ),
    "QGRU": lambda **o: QGRU(1, 2, qubits=2, layers=1, batch_first=True, **o),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(5)


def outputs_of(found: Any) -> Any:
    return found[0] if isinstance(found, tuple) else found


def dense(form: str, qubits: int, layers: int, x: Any, w: Any) -> Any:
    """<Z> of each qubit from a state vector, written from the papers' figures."""
    circuit, free = QuantumCircuit(qubits), iter(w.ravel().tolist())

    def rotations() -> None:
        for q in range(qubits):
            circuit.rz(next(free), q)
            circuit.ry(next(free), q)
            circuit.rz(next(free), q)

    def ring(step: int) -> None:
        for q in range(qubits):
            circuit.cx(q, (q + step) % qubits)

    if form == "chen":
        for q in range(qubits):
            circuit.h(q)
            circuit.ry(np.arctan(x[q]), q)
            circuit.rz(np.arctan(x[q] ** 2), q)
    for layer in range(layers):
        if form == "chen":
            ring(1)
            ring(2)
            rotations()
            continue
        if form == "reuploaded" or layer == 0:
            for q in range(qubits):
                circuit.rx(x[q], q)
        rotations()
        ring(1 + layer % (qubits - 1))
    state = Statevector(circuit)
    labels = ["I" * (qubits - 1 - q) + "Z" + "I" * q for q in range(qubits)]
    return [state.expectation_value(Pauli(label)).real for label in labels]


@pytest.mark.parametrize("form", ["strongly_entangling", "reuploaded", "chen"])
def test_outputs_of_a_bank(form: str) -> None:
    layer = QuantumLayer(3, 2, form=form, circuits=2)
    x = torch.rand(4, 3, dtype=torch.float64) * 2 - 1
    found = layer(x)
    assert found.shape == (4, 2, 3)
    for n in range(4):
        for g in range(2):
            expected = dense(form, 3, 2, x[n].numpy(), layer.weights[g].detach().numpy())
            np.testing.assert_allclose(found[n, g].detach().numpy(), expected, atol=1e-12)
    own = torch.stack([x, -x], dim=1)  # an input for each circuit
    torch.testing.assert_close(layer(own)[:, 0], found[:, 0])
    torch.testing.assert_close(layer(own)[:, 1], layer(-x)[:, 1])


@pytest.mark.parametrize("form", ["strongly_entangling", "reuploaded", "chen"])
def test_gradcheck(form: str) -> None:
    layer = QuantumLayer(2, 1, form=form, circuits=2)
    x = torch.rand(2, 2, dtype=torch.float64).requires_grad_()

    def outputs(weights: Any, x: Any) -> Any:
        return torch.func.functional_call(layer, {"weights": weights}, (x,))

    assert torch.autograd.gradcheck(outputs, (layer.weights, x))


def test_a_bank_is_one_request() -> None:
    layer: Any = QuantumLayer(2, 1, circuits=4, shots=20, seed=1, executor="aer")
    x = torch.rand(3, 2, requires_grad=True)
    layer(x).sum().backward()
    assert layer.circuit.measurements == 2  # forward and backward, all four circuits in each
    assert layer.circuit.last_evaluation.shots == 4 * 3 * 20
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert layer.weights.grad.abs().sum() > 0


def test_nothing_is_measured_for_what_does_not_learn() -> None:
    layer: Any = QuantumLayer(2, 1, shots=20, seed=1, executor="aer")
    x = torch.rand(3, 2)

    def rows(x: Any) -> int:
        layer(x).sum().backward()
        return int(layer.circuit.last_backward.rows)

    both = rows(x.requires_grad_())
    weights_alone = rows(x.detach())
    layer.requires_grad_(False)
    inputs_alone = rows(x)
    assert (weights_alone, inputs_alone) == (both - 3 * 2 * 2, 3 * 2 * 2)
    recurrent: Any = QRNN("reupload", batch_first=True, shots=20, seed=1)
    sequence = torch.rand(2, 2, 1, requires_grad=True)
    recurrent(sequence).sum().backward()
    whole = recurrent.last_backward.rows
    planned = recurrent.plan(sequence, by_features=True).backward_rows
    recurrent.requires_grad_(False)
    recurrent(sequence).sum().backward()
    assert recurrent.last_backward.rows < whole == planned
    assert recurrent.plan(sequence, by_features=True).backward_rows == recurrent.last_backward.rows


def test_all_circuits_of_a_network_share_a_run(tmp_path: Path) -> None:
    def script() -> tuple[Any, int]:
        torch.manual_seed(4)
        with ScriptRun(tmp_path / "run") as record:
            model = QLSTM(1, 1, layers=1, shots=10, seed=2, run=record)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(2):
                optimizer.zero_grad()
                model(torch.ones(2, 1, 1))[0].sum().backward()
                optimizer.step()
            return [p.tolist() for p in model.parameters()], record.shots

    first = script()
    assert script() == first
    assert first[1] > 0


def step_of_paper(gates: Any, x: Any, hidden: Any, cell: Any) -> tuple[Any, Any, Any]:
    """Eq. 7 of arXiv:2009.01783 with six circuits."""
    one, two, three, four, five, six = gates
    v = torch.cat([hidden, x], dim=-1)
    forget, update = torch.sigmoid(one(v)), torch.sigmoid(two(v))
    cell = forget * cell + update * torch.tanh(three(v))
    gated = torch.sigmoid(four(v)) * torch.tanh(cell)
    return six(gated), five(gated)[:, : hidden.shape[1]], cell


def test_qlstm_is_that_of_the_paper() -> None:
    model = QLSTM(1, 2, layers=1, batch_first=True).double()
    banks = [*model.gates.weights.detach(), *model.last.weights.detach()]
    gates = []
    for weights in banks:
        alone = QuantumLayer(3, 1, form="chen")
        alone.weights.data.copy_(weights)
        gates.append(alone)
    x = torch.rand(2, 3, 1, dtype=torch.float64)
    found, (hidden, cell) = model(x)
    h, c = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
    for t in range(3):
        y, h, c = step_of_paper(gates, x[:, t], h, c)
        torch.testing.assert_close(found[:, t], y)
    torch.testing.assert_close(hidden, h)
    torch.testing.assert_close(cell, c)
    first, state = model(x[:, :1])
    second, _ = model(x[:, 1:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), found)


def test_a_gate_that_is_open_makes_the_gru_a_memory() -> None:
    """With z at 1 the hidden values stay; at 0 they are the candidate."""
    model = QGRU(1, 2, qubits=2, layers=1)
    with torch.no_grad():
        model.gates.leave[1].weight.zero_()
        model.gates.leave[1].bias.fill_(40.0)
    start = torch.tensor([[0.3, -0.2]])
    outputs, _ = model(torch.rand(4, 1, 1), start)
    torch.testing.assert_close(outputs[-1], start)


# What public QLSTM and RVQE codes got wrong: circuits in a plain dict are not in parameters();
# `.item()` and clones cut autograd; a rotation about Z right before the readout never matters; and
# nothing noticed that a group of weights did not train.


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_is_registered_and_trains(name: str) -> None:
    model = MODELS[name]()
    names = {n for n, p in model.named_parameters() if p.requires_grad and p.numel()}
    assert names == {n for n in model.state_dict() if n.endswith(("weights", "weight", "bias"))} - {
        n for n, p in model.named_parameters() if not p.numel()
    }
    before = copy.deepcopy(model.state_dict())
    head = torch.nn.Linear(outputs_of(model(torch.rand(2, 3, 1))).shape[-1], 1)
    optimizer = torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        x = torch.rand(4, 3, 1)
        loss = torch.mean((head(outputs_of(model(x))) - x) ** 2)
        loss.backward()
        optimizer.step()
    for key, value in model.state_dict().items():
        if key in names:
            assert not torch.equal(value, before[key]), f"{key} did not move"


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_depends_on_the_weights_as_autograd_says(name: str) -> None:
    """Detached or frozen copies show here: a difference along the gradient that is not its norm."""
    model = MODELS[name]().double()
    x = torch.rand(2, 3, 1, dtype=torch.float64)
    parameters = [p for p in model.parameters() if p.requires_grad and p.numel()]

    def loss() -> Any:
        return (outputs_of(model(x)) ** 2).sum()

    slopes = torch.autograd.grad(loss(), parameters)
    norm = float(torch.sqrt(sum((g**2).sum() for g in slopes)))
    found = []
    for sign in (1.0, -2.0):
        with torch.no_grad():
            for p, g in zip(parameters, slopes, strict=True):
                p.add_(sign * 1e-4 * g / norm)
        found.append(float(loss().detach()))
    assert norm > 1e-3
    np.testing.assert_allclose((found[0] - found[1]) / 2e-4, norm, rtol=1e-5)


def test_the_papers_last_rotation_about_z_never_trains() -> None:
    """All other weights of its circuit do; `qrnn cells check` names such weights of a cell."""
    chen = QuantumLayer(2, 1, form="chen")
    x = torch.rand(3, 2)
    slopes = torch.autograd.grad((chen(x) ** 2).sum(), chen.weights)[0]
    # The last RZ of each qubit's rotation; and all others do train.
    assert slopes.abs().reshape(2, 3)[:, 2].max() < 1e-12
    assert slopes.abs().reshape(2, 3)[:, 1].min() > 1e-6


@pytest.mark.parametrize(
    ("message", "make"),
    [
        (r"form = 'chem' is unknown \(did you mean 'chen'", lambda: QuantumLayer(2, form="chem")),
        ("at least 1", lambda: QuantumLayer(0)),
        ("inputs have 3 values for 2 qubits", lambda: QuantumLayer(2)(torch.zeros(1, 3))),
        ("a QLSTM has 6 circuits of 3", lambda: QLSTM(1, 2, qubits=4)),
        ("features have shape", lambda: QGRU(1, 2)(torch.zeros(2, 1))),
    ],
)
def test_wrong_arguments(message: str, make: Any) -> None:
    with pytest.raises(qrnn.QRNNError, match=message):
        make()
