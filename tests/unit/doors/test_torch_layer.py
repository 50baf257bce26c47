"""The PyTorch layer: derivatives, forms of sequences, training, state; where torch is installed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import qrnn_qiskit as qrnn

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import (  # noqa: E402
    PackedSequence,
    pack_sequence,
    pad_sequence,
    unpack_sequence,
)

from qrnn_qiskit import ScriptRun  # noqa: E402
from qrnn_qiskit.torch import QRNN  # noqa: E402
from tests.integration.test_postselection import CELL as FLAGGED  # noqa: E402

FALSE_ALARM = 1e-6
START = {"theta_0": 0.7, "theta_1": 1.9, "theta_2": 0.4, "theta_3": 2.3}


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    torch.manual_seed(11)
    torch.set_num_threads(1)


def layer(cell: Any = "parity2", **options: Any) -> Any:
    options = {"batch_first": True, **options}
    if cell == "parity2":
        options = {"initial": START, **options}
    return QRNN(cell, **options)


def features(*shape: int, dtype: Any = None) -> Any:
    return torch.rand(*shape, dtype=dtype or torch.float64) * 1.6 - 0.8


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("parity2", {}),
        ("parity2", {"rule": qrnn.ParameterShift()}),
        ("parity2", {"output": "probabilities"}),
        ("parity2", {"executor": qrnn.ExactExecutor(qrnn.simple_noise(0.01, 0.02, 0.03))}),
        (qrnn.build_cell("reupload", {"n_hidden": 1, "layers": 1, "n_features": 2}), {}),
        (FLAGGED, {}),
    ],
    ids=["adjoint", "shift", "probabilities", "noise", "two features", "post-selected"],
)
def test_gradcheck(cell: Any, options: dict[str, Any]) -> None:
    model = layer(cell, **options)
    x = features(2, 2, model.input_size).requires_grad_()

    def outputs(weights: Any, x: Any) -> Any:
        return torch.func.functional_call(model, {"weights": weights}, (x,))

    assert torch.autograd.gradcheck(outputs, (model.weights, x))


def test_outputs_are_those_of_evaluate() -> None:
    model, x = layer(), features(3, 4, 1)
    circuit = qrnn.unroll(model.cell, 4)
    weights = model.weights.detach().numpy()
    expected = qrnn.evaluate(circuit, weights, x.numpy(), executor=qrnn.ExactExecutor())
    np.testing.assert_array_equal(model(x).detach().numpy(), expected.mean)
    assert model.last_evaluation.standard_errors is None


@pytest.mark.statistical
@pytest.mark.parametrize("backend", ["exact", "noise", "fake_marrakesh"])
def test_gradients_with_shots(backend: str, seed: int) -> None:
    """A linear loss, by weights and features: all components leave the bound at a rate of 1e-6."""
    shots, repeats = (800, 2) if backend == "fake_marrakesh" else (2000, 3)
    executor: Any
    if backend == "fake_marrakesh":
        executor = qrnn.IBMExecutor(backend)
        reference = qrnn.ExactExecutor(qrnn.named_device_noise(backend, idle=False))
    else:
        noise = qrnn.simple_noise(0.002, 0.02, 0.03) if backend == "noise" else None
        executor = reference = qrnn.ExactExecutor(noise)
    slopes = features(2, 3, 1)

    def derivatives(model: Any) -> Any:
        x = torch.linspace(-0.7, 0.8, 6, dtype=torch.float64).reshape(2, 3, 1).requires_grad_()
        model.zero_grad()
        (model(x) * slopes).sum().backward()
        return torch.cat([model.weights.grad, x.grad.ravel()]).numpy()

    truth = derivatives(layer(executor=reference))
    sampled = layer(executor=executor, shots=shots, seed=seed)
    found = np.array([derivatives(sampled) for _ in range(repeats)])
    # Bound of the errors, from the angles alone: what a shot of a row contributes lies between
    # -total and total, and a derivative is the sum of half the differences of pairs of rows.
    circuit = qrnn.unroll(sampled.cell, 3)
    x = torch.linspace(-0.7, 0.8, 6, dtype=torch.float64).reshape(2, 3, 1).numpy()
    point = sampled.weights.detach().numpy()
    total = float(slopes.abs().sum(dim=(1, 2)).max())
    by_weights = circuit.angle_map.weight_jacobian(point, x)
    by_features = circuit.angle_map.feature_jacobian(point, x)
    variance = np.zeros(4 + 6)
    step = circuit.occurrences.step
    for b in range(2):
        np.add.at(variance, by_weights.column, by_weights.values[b] ** 2 / 2)
        column = 4 + 3 * b + step[by_features.occurrence]
        np.add.at(variance, column, by_features.values[b] ** 2 / 2)
    error = total * np.sqrt(variance / (shots * repeats))
    z = (found.mean(axis=0) - truth) / error
    bound = stats.norm.ppf(1 - FALSE_ALARM / (2 * len(z)))
    assert np.max(np.abs(z)) < bound
    assert np.max(np.abs((2 * found.mean(axis=0) - truth) / error)) > 1.5 * bound
    assert len({row.tobytes() for row in found}) == repeats  # new shots every time


def test_what_was_measured_is_told() -> None:
    model = layer(shots=50, seed=4)
    x = features(2, 3, 1)
    outputs = model(x)
    assert model.last_evaluation.standard_errors.shape == outputs.shape
    assert model.last_evaluation.shots == 2 * 50
    outputs.sum().backward()
    back = model.last_backward
    assert back.shots == 50 * back.rows > 0
    assert back.gradient.standard_error is not None
    np.testing.assert_array_equal(back.gradient.mean, model.weights.grad.numpy())
    assert model.shots_used == 100 + back.shots


def test_no_derivative_is_measured_that_nobody_wants() -> None:
    model = layer(shots=50, seed=4)
    with torch.no_grad():
        model(features(2, 3, 1))
    model.requires_grad_(False)
    assert not model(features(2, 3, 1)).requires_grad
    x = features(2, 3, 1).requires_grad_()
    model(x).sum().backward()  # frozen, but features before it still learn
    assert model.weights.grad is None
    assert x.grad.abs().sum() > 0


def test_the_same_seed_gives_the_same_bits_and_goes_on_after_loading() -> None:
    def train(model: Any, steps: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            (model(torch.ones(2, 3, 1)) ** 2).sum().backward()
            optimizer.step()

    whole, first = (layer(shots=20, seed=9) for _ in range(2))
    train(whole, 4)
    train(first, 2)
    second = layer(shots=20, seed=9)
    second.load_state_dict(first.state_dict())
    train(second, 2)
    assert torch.equal(whole.weights, second.weights)
    assert whole.shots_used == second.shots_used


def test_forms_of_sequences() -> None:
    model = layer()
    x = features(3, 4, 1)
    batch = model(x)
    assert batch.shape == (3, 4, 1)
    torch.testing.assert_close(layer(batch_first=False)(x.transpose(0, 1)), batch.transpose(0, 1))
    torch.testing.assert_close(model(x[1]), batch[1])
    torch.testing.assert_close(model(x[:1]), batch[:1])


@pytest.mark.parametrize("shots", [None, 30])
def test_sequences_of_unequal_length(shots: int | None) -> None:
    model = layer(shots=shots, seed=None if shots is None else 1)
    sequences = [features(n, 1) for n in (2, 4, 2, 3)]
    outputs = model(sequences)
    assert [len(y) for y in outputs] == [2, 4, 2, 3]
    if shots is None:
        for sequence, found in zip(sequences, outputs, strict=True):
            torch.testing.assert_close(model(sequence), found)
    else:
        assert [len(e) for e in model.last_evaluation.standard_errors] == [2, 4, 2, 3]
        assert model.last_evaluation.shots == 4 * 30
    packed = model(pack_sequence(sequences, enforce_sorted=False))
    assert isinstance(packed, PackedSequence)
    if shots is None:
        for one, two in zip(unpack_sequence(packed), outputs, strict=True):
            torch.testing.assert_close(one, two)
    packed.data.sum().backward()
    assert model.weights.grad is not None


def test_training_with_adam_learns_a_sine() -> None:
    time = torch.arange(24, dtype=torch.float64)
    series = 0.8 * torch.sin(0.7 * time)
    x = torch.stack([series[i : i + 5] for i in range(18)])[:, :, None]
    y = torch.stack([series[i + 1 : i + 6] for i in range(18)])[:, :, None]
    cell = qrnn.build_cell("hardware_efficient", {"layers": 2, "n_hidden": 1})
    model = torch.nn.Sequential(layer(cell), torch.nn.Linear(1, 1, dtype=torch.float64))
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.mean((model(x)[:, -1] - y[:, -1]) ** 2)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    persistence = float(torch.mean((x[:, -1] - y[:, -1]) ** 2))
    assert min(losses) < 0.2 * losses[0]
    assert losses[-1] < 0.5 * persistence


def test_training_with_lbfgs_learns_parity() -> None:
    """All eight words of three bits; the last output is the sign of their parity."""
    words = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)[:, :, None]
    signs = 1 - 2 * (words.sum(dim=1) % 2)
    model = layer(initial={"theta_0": 0.3, "theta_1": 0.4})
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = torch.mean((model(words)[:, -1] - signs) ** 2)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(closure().detach()) < 1e-6


def test_between_classical_layers_of_single_precision() -> None:
    cell = qrnn.build_cell("reupload", {"n_hidden": 1, "layers": 1, "n_features": 2})
    first, quantum, last = torch.nn.Linear(3, 2), layer(cell), torch.nn.Linear(1, 2)
    outputs = last(quantum(torch.tanh(first(features(4, 3, 3, dtype=torch.float32)))))
    outputs.sum().backward()
    assert outputs.dtype == torch.float32
    for parameter in (first.weight, quantum.weights, last.weight):
        assert parameter.grad.abs().sum() > 0
    assert quantum.weights.grad.dtype == torch.float64


def test_an_own_loss_of_padded_steps() -> None:
    """Padding that a loss leaves out has no influence, forward in time."""
    sequences = [features(2, 1), features(4, 1)]
    model = layer()
    padded = model(pad_sequence(sequences, batch_first=True))
    torch.testing.assert_close(padded[1], model(sequences[1]))


def test_a_loop_over_a_data_loader_with_unequal_lengths() -> None:
    data = [(features(n, 1), torch.tensor([0.2 * n])) for n in (2, 3, 4, 2, 3)]

    def collate(pairs: Any) -> Any:
        return [x for x, _ in pairs], torch.stack([y for _, y in pairs])

    loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True, collate_fn=collate)
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before, batches = model.weights.detach().clone(), 0
    for sequences, targets in loader:
        optimizer.zero_grad()
        last = torch.stack([outputs[-1] for outputs in model(sequences)])
        torch.mean((last - targets) ** 2).backward()
        optimizer.step()
        batches += 1
    assert batches == 3
    assert not torch.equal(before, model.weights.detach())


def test_shorter_sequences_cost_less_than_their_padding() -> None:
    model = layer(shots=100, seed=1)
    sequences = [features(n, 1) for n in (2, 4, 4)]
    alone, padded = model.plan(sequences), model.plan(pad_sequence(sequences, batch_first=True))
    assert alone.forward_rows == padded.forward_rows == 3
    assert alone.backward_rows < padded.backward_rows
    model(sequences)[0].sum().backward()
    assert model.last_backward.rows < padded.backward_rows


def test_a_plan_is_what_a_loop_uses() -> None:
    model, x = layer(shots=30, seed=1), features(3, 3, 1).requires_grad_()
    planned = model.plan(x, 2, batches=2, by_features=True, last=1)
    assert model.shots_used == 0
    for _ in range(4):
        model(x)[:, -1].sum().backward()
    assert planned.shots == model.shots_used
    assert planned.backward_rows == model.last_backward.rows
    assert (planned.passes, planned.jobs, planned.qpu_seconds) == (4, 8, 0.0)
    exact = layer().plan(x, 2)
    assert (exact.shots, exact.jobs) == (0, 0)
    device = layer().plan(x, 2, backend="fake_marrakesh", shots=30)
    # Every shot is an execution, at least as long as the delay between two.
    assert device.qpu_seconds > 2.0 * device.jobs + 250e-6 * device.shots
    model.requires_grad_(False)
    assert model.plan(x, 2).backward_rows == 0


def test_types_as_other_modules_have_them() -> None:
    single = layer().float()
    assert single.weights.dtype == torch.float32
    x = features(2, 3, 1)
    torch.testing.assert_close(single(x), layer()(x), rtol=0.0, atol=1e-6)
    single(x.float()).sum().backward()
    assert single.weights.grad.dtype == torch.float32
    assert layer()(x.float()).dtype == torch.float32
    assert layer()(x).dtype == torch.float64
    assert torch.nn.utils.parameters_to_vector(layer().parameters()).shape == (4,)


def test_a_copy_has_no_place_in_the_run(tmp_path: Path) -> None:
    with ScriptRun(tmp_path / "run") as record:
        model = layer(shots=20, seed=1, run=record)
        assert f"run='{tmp_path / 'run'}'" in repr(model)
        model(features(1, 2, 1))
        copied = copy.deepcopy(model)
        assert copied.run is None
        copied(features(1, 2, 1))
        assert record.shots == 20


def test_names_and_state() -> None:
    model = layer()
    assert [name for name, _ in model.named_parameters()] == ["weights"]
    assert model.named_weights() == START
    assert set(model.state_dict()) == {"weights", "measurements", "shots_spent"}
    assert "parity2" in repr(model)
    assert "shots=7" in repr(layer(shots=7, seed=1))
    model(features(2, 3, 1)).sum().backward()
    copied = copy.deepcopy(model)
    x = features(2, 3, 1)
    assert torch.equal(copied(x), model(x))
    before = model.weights.clone()
    model.reset_parameters()
    assert not torch.equal(before, model.weights)
    assert torch.equal(copied.weights, before)


def test_weights_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps([0.1, 0.2, 0.3, 0.4]))
    assert layer(initial=tmp_path / "w.json").weights.tolist() == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("shots need an explicit seed", {"shots": 10}),
        ("shots = 1: must be at least 2", {"shots": 1, "seed": 1}),
        ("backend 'aer' only samples", {"executor": qrnn.AerExecutor()}),
        (r"Adjoint\(\) is exact", {"rule": qrnn.Adjoint(), "shots": 10, "seed": 1}),
        ("no weight 'theta_9'", {"initial": {"theta_9": 1.0}}),
    ],
)
def test_wrong_options(message: str, options: dict[str, Any]) -> None:
    with pytest.raises(qrnn.QRNNError, match=message):
        layer(**options)


@pytest.mark.parametrize(
    ("message", "x"),
    [
        ("features have 2 values in each of 3 steps", torch.zeros(1, 3, 2)),
        (r"features have shape \(3,\)", torch.zeros(3)),
        ("features are torch.int64", torch.zeros(1, 3, 1, dtype=torch.int64)),
        ("features are a ndarray", np.zeros((1, 3, 1))),
        ("an empty list", []),
        ("an empty batch", torch.zeros(0, 3, 1)),
    ],
)
def test_wrong_features(message: str, x: Any) -> None:
    with pytest.raises(qrnn.QRNNError, match=message):
        layer()(x)
