"""Hidden states of the PyTorch layer: sequences in pieces, truncated gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import DensityMatrix, Operator, partial_trace

import qrnn_qiskit as qrnn

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_sequence, unpack_sequence  # noqa: E402

from qrnn_qiskit.torch import QRNN  # noqa: E402
from tests.integration.test_postselection import CELL as FLAGGED  # noqa: E402

CELLS: dict[str, dict[str, Any]] = {
    "reupload": {"n_hidden": 2, "layers": 1},
    "hardware_efficient": {"n_hidden": 1, "layers": 1},
    "li_sqrnn": {"n_io": 1, "n_hidden": 1},  # its qubits change roles between steps
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(5)


def layer(family: str = "reupload", **options: Any) -> Any:
    return QRNN(qrnn.build_cell(family, CELLS[family]), batch_first=True, **options)


def features(*shape: int) -> Any:
    return torch.rand(*shape, dtype=torch.float64) * 1.6 - 0.8


@pytest.mark.parametrize("output", ["z", "probabilities"])
@pytest.mark.parametrize("family", CELLS)
def test_pieces_are_the_whole(family: str, output: Any) -> None:
    model = layer(family, output=output)
    x = features(3, 5, model.input_size).requires_grad_()
    slopes = torch.rand(3, 5, model.output_size, dtype=torch.float64)
    whole = model(x)
    whole_slopes = torch.autograd.grad((whole * slopes).sum(), [model.weights, x])
    hidden, parts = model.initial_hidden(3), []
    for piece in (x[:, :2], x[:, 2:3], x[:, 3:]):
        part, hidden = model(piece, hidden)
        parts.append(part)
    together = torch.cat(parts, dim=1)
    torch.testing.assert_close(together, whole, rtol=0.0, atol=1e-12)
    found = torch.autograd.grad((together * slopes).sum(), [model.weights, x])
    for one, two in zip(found, whole_slopes, strict=True):
        torch.testing.assert_close(one, two, rtol=0.0, atol=1e-11)


def test_the_last_state_is_that_of_a_dense_simulation() -> None:
    model = layer()
    x = features(1, 3, 1)
    _, hidden = model(x, model.initial_hidden(1))
    cell = model.cell
    state = np.zeros((8, 8), dtype=complex)
    state[0, 0] = 1.0
    for step in x[0].tolist():
        values = dict(zip(cell.weights, model.weights.tolist(), strict=True))
        values |= dict(zip(cell.features, step, strict=True))
        gates = cell.circuit.copy_empty_like()
        for item in cell.circuit.data:
            if item.operation.name not in ("measure", "reset"):
                gates.append(item)
        unitary = Operator(gates.assign_parameters(values)).data
        after = DensityMatrix(unitary @ state @ unitary.conj().T)
        # Qiskit's first qubit, io, is the least significant: after it, only the memory is left.
        memory = partial_trace(after, [0]).data
        state = np.kron(memory, np.diag([1.0, 0.0]))
    # Here the first hidden qubit is the most significant.
    expected = memory.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)
    np.testing.assert_allclose(hidden[0].detach().numpy(), expected, atol=1e-12)
    assert abs(np.trace(expected @ expected)) < 0.999  # mixed: measurement has taken some


def test_gradcheck_through_the_hidden_state() -> None:
    model = layer("hardware_efficient")
    x = features(2, 2, model.input_size).requires_grad_()
    root = torch.randn(2, 2, 2, dtype=torch.complex128).requires_grad_()

    def last(weights: Any, x: Any, root: Any) -> Any:
        state = root @ root.mH
        state = state / state.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
        outputs, hidden = torch.func.functional_call(model, {"weights": weights}, (x, state))
        return outputs, torch.view_as_real(hidden)

    assert torch.autograd.gradcheck(last, (model.weights, x, root))


def test_detaching_truncates() -> None:
    model = layer()
    x = features(2, 4, 1)

    def slopes(detach: bool) -> Any:
        _, hidden = model(x[:, :2], model.initial_hidden(2))
        outputs, _ = model(x[:, 2:], hidden.detach() if detach else hidden)
        return torch.autograd.grad(outputs.sum(), model.weights)[0]

    whole = torch.autograd.grad(model(x)[:, 2:].sum(), model.weights)[0]
    torch.testing.assert_close(slopes(False), whole)
    assert (slopes(True) - whole).abs().max() > 1e-3
    # What is left is the gradient of the second piece alone, its start held fixed.
    with torch.no_grad():
        _, start = model(x[:, :2], model.initial_hidden(2))
    point = model.weights.detach().clone()

    def second(weights: Any) -> Any:
        pair = torch.func.functional_call(model, {"weights": weights}, (x[:, 2:], start))
        return pair[0].sum()

    numeric = torch.stack(
        [
            (second(point + 1e-5 * e) - second(point - 1e-5 * e)) / 2e-5
            for e in torch.eye(len(point), dtype=torch.float64)
        ]
    )
    torch.testing.assert_close(slopes(True), numeric.detach(), rtol=0.0, atol=1e-8)


def test_truncated_training_learns() -> None:
    series = 0.8 * torch.sin(0.6 * torch.arange(41, dtype=torch.float64))
    x, y = series[:-1].reshape(1, 10, 4, 1), series[1:].reshape(1, 10, 4, 1)
    model, head = layer("hardware_efficient"), torch.nn.Linear(1, 1, dtype=torch.float64)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.05)
    losses = []
    for _ in range(12):
        hidden = model.initial_hidden(1)
        for piece in range(10):
            optimizer.zero_grad()
            outputs, hidden = model(x[:, piece], hidden.detach())
            loss = torch.mean((head(outputs) - y[:, piece]) ** 2)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_always_a_pair_like_gru() -> None:
    model = layer(return_hidden=True)
    outputs, hidden = model(features(3, 2, 1))
    assert outputs.shape == (3, 2, 1)
    assert hidden.shape == (3, 4, 4)
    torch.testing.assert_close(hidden, hidden.mH)


def test_sequences_of_unequal_length_keep_their_places() -> None:
    model = layer()
    sequences = [features(n, 1) for n in (2, 4, 3)]
    start = torch.cat([model(s, model.initial_hidden(1))[1] for s in sequences])
    outputs, last = model(sequences, start)
    packed, packed_last = model(pack_sequence(sequences, enforce_sorted=False), start)
    for i, sequence in enumerate(sequences):
        alone, state = model(sequence, start[i : i + 1])
        torch.testing.assert_close(outputs[i], alone)
        torch.testing.assert_close(last[i], state[0])
        torch.testing.assert_close(unpack_sequence(packed)[i], alone)
    torch.testing.assert_close(packed_last, last)


@pytest.mark.parametrize(
    ("message", "cell", "options"),
    [
        ("ends with the shot, cannot be copied", "reupload", {"executor": "aer"}),
        ("a device keeps its quantum state", "reupload", {}),
        ("with noise a sequence is transpiled", "reupload", {"noise": True}),
        ("operations that only the last step has", "parity2", {}),
        ("reads a bit of the step before", "qru", {}),
        ("post-selects", FLAGGED, {}),
    ],
)
def test_refused_with_the_reason(message: str, cell: Any, options: dict[str, Any]) -> None:
    if options.pop("noise", False):
        options["executor"] = qrnn.ExactExecutor(qrnn.simple_noise(0.01, 0.02, 0.03))
    elif cell == "reupload":
        options = {**options, "shots": 10, "seed": 1}
    with pytest.raises(qrnn.QRNNError, match=message):
        QRNN(cell, return_hidden=True, **options)


@pytest.mark.parametrize(
    ("message", "hidden"),
    [
        (r"hidden is \(3, 4, 4\)", torch.zeros(3, 4, 4, dtype=torch.complex128)),
        ("hidden is torch.float64", torch.zeros(2, 4, 4, dtype=torch.float64)),
        ("its trace must be 1", torch.zeros(2, 4, 4, dtype=torch.complex128)),
        ("hidden is int", 3),
    ],
)
def test_wrong_hidden_states(message: str, hidden: Any) -> None:
    with pytest.raises(qrnn.QRNNError, match=message):
        layer()(features(2, 3, 1), hidden)
