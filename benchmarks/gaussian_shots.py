"""An executor for long studies of trainings: exact means and covariances, Gaussian shot noise.

A cell's memory between two steps is the state of all qubits but the one that has just been reset.
So a row's sequence is a product of small matrices, one pair for each step: S on the memory whatever
is measured, and D with the outcome (+1 or -1) as a factor. All rows share most of them, and with
them the exact mean and the exact covariance of the steps of one shot follow,

    <z_s z_t> = (1, 0, 0, …) D_t S_{t-1} … S_{s+1} D_s S_{s-1} … S_0 |start>.

Means of n shots are drawn from the normal distribution with this covariance over n: right in the
first two moments, so for a sum over many rows in all that matters, and in each row for many shots.
The covariance that goes with them is the exact one, not that of the sample. `--check` of
`python -m benchmarks.gradients` compares trainings with sampled outcomes.

One measured bit per step, on a qubit that is reset after it. Axes: R rows, T steps, B sequences,
A program angles, D = 4^n components of a state, H = 4^(n-1) of the memory, G rotations of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.engine.pauli import expand, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.program import CompiledProgram, compile_isa, compile_unrolled
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable

_PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


@final
@dataclass(frozen=True, slots=True)
class _Structure:
    """What some steps have in common: rotations, each after a fixed map, and the measured qubit.

    A rotation R(a) multiplies a component by cos a (or 1) and adds sin a times its partner's, up to
    sign. A fixed map that only permutes and scales components is done along with the rotation.

    Attributes:
        maps: `[G]` dense fixed map before each rotation; None for none.
        take, partner: `[G, D]` components that a rotation (and a fixed map) takes.
        scale, sign: `[G, D]` their factors, that of the partner 0 where there is none.
        turned: `[G, D]` whether the rotation acts on the component.
        embed: `[D, H]` memory, with the qubit of the step before in 0.
        read: `[2H, D]` S and D parts of the memory after the last fixed map and measurement.
    """

    maps: tuple[Array | None, ...]
    take: Index
    partner: Index
    scale: Array
    sign: Array
    turned: NDArray[np.bool_]
    embed: Array
    read: Array

    def factors(self, angles: Array, some: slice) -> tuple[Array, Array]:
        """Of component and partner `[g, N, D]`, for some of the rotations at angles `[N, g]`."""
        cos = np.cos(angles).T[:, :, None]
        sin = np.sin(angles).T[:, :, None]
        keep = np.where(self.turned[some, None], cos, 1.0) * self.scale[some, None]
        return keep, sin * self.sign[some, None]

    def forward(self, g: int, states: Array, keep: Array, mix: Array) -> Array:
        """Fixed map and rotation g of states `[N, D, X]`."""
        fixed = self.maps[g]
        if fixed is not None:
            states = fixed @ states
        found: Array = states.take(self.take[g], axis=1)
        found *= keep[:, :, None]
        other = states.take(self.partner[g], axis=1)
        other *= mix[:, :, None]
        found += other
        return found

    def stacks(self, angles: Array) -> tuple[list[Array], list[Array]]:
        """States before each fixed map `[N, D, H]`, what is read after its rotation `[N, 2H, D]`.

        The states have one entry more, the last: those before the last measurement.
        """
        keep, mix = self.factors(angles, slice(None))
        count, size = angles.shape
        before = [np.broadcast_to(self.embed, (count, *self.embed.shape))]
        for g in range(size):
            before.append(self.forward(g, before[-1], keep[g], mix[g]))
        rows = np.broadcast_to(self.read, (count, *self.read.shape))
        after = []
        for g in reversed(range(size)):
            after.append(rows)
            back, back_partner = np.argsort(self.take[g]), np.argsort(self.partner[g])
            found = (rows * keep[g][:, None]).take(back, axis=2)
            found += (rows * mix[g][:, None]).take(back_partner, axis=2)
            fixed = self.maps[g]
            rows = found if fixed is None else found @ fixed
        return before, after[::-1]


@final
@dataclass(frozen=True, slots=True)
class _Step:
    """A step of a program: its structure, by number, and the angles of its rotations `[G]`."""

    structure: int
    angles: Index


@final
class StepMaps:
    """A program as pairs of matrices, one for each step."""

    def __init__(self, program: Program) -> None:
        """Compile it."""
        self._structures: list[_Structure] = []
        self._steps: list[_Step] = []
        known: dict[tuple[object, ...], int] = {}
        last, size = 0, program.num_qubits
        self.flips = np.zeros((program.num_steps, 2))
        for step, (operations, measured) in enumerate(_segments(program)):
            self.flips[step] = measured.flip
            key = (last, measured.qubit, *(_key(operation) for operation in operations))
            if key not in known:
                known[key] = len(self._structures)
                self._structures.append(_structure(operations, last, measured.qubit, size))
            columns = [o.angle for o in operations if isinstance(o, Rotation)]
            self._steps.append(_Step(known[key], np.array(columns, dtype=np.intp)))
            last = measured.qubit
        one = np.array([1.0, 0.0, 0.0, 1.0])
        self.start: Array = np.ones(1)
        for _ in range(size - 1):
            self.start = np.kron(self.start, one)

    def base(self, angles: Array) -> tuple[Array, dict[int, tuple[list[Array], list[Array]]]]:
        """Maps `[T, B, 2H, H]` at angles `[B, A]`, and what variants of them are made from."""
        size = len(self.start)
        found = np.empty((len(self._steps), len(angles), 2 * size, size))
        stacks = {}
        for number, structure in enumerate(self._structures):
            steps = self._with(number)
            of_steps = np.concatenate([angles[:, self._steps[t].angles] for t in steps])
            before, after = structure.stacks(of_steps)
            found[steps] = (structure.read @ before[-1]).reshape(
                len(steps), len(angles), 2 * size, size
            )
            stacks[number] = before, after
        return found, stacks

    def variants(
        self,
        base_angles: Array,
        angles: Array,
        sequence: Index,
        stacks: dict[int, tuple[list[Array], list[Array]]],
    ) -> tuple[Array, Index]:
        """Maps `[V, 2H, H]` that differ from the base rows', and whose they are `[R, T]`, or -1."""
        number_of = np.full((len(angles), len(self._steps)), -1, dtype=np.intp)
        parts, total = [], 0
        different = angles != base_angles[sequence]
        for number, structure in enumerate(self._structures):
            steps = np.array(self._with(number))
            columns = np.array([self._steps[t].angles for t in steps])
            changed = different[:, columns]  # [R, steps, G]
            row, place = np.nonzero(changed.any(axis=2))
            if not len(row):
                continue
            here = changed[row, place]
            first = here.argmax(axis=1)
            last = here.shape[1] - 1 - here[:, ::-1].argmax(axis=1)
            own = angles[row[:, None], columns[place]]
            which = place * len(base_angles) + sequence[row]
            before, after = stacks[number]
            spans, span = np.unique(first * 1000 + last, return_inverse=True)
            for i, (begin, end) in enumerate(divmod(int(s), 1000) for s in spans):
                chosen = np.flatnonzero(span == i)
                state = before[begin][which[chosen]]
                few = slice(begin, end + 1)
                keep, mix = structure.factors(own[chosen, few], few)
                for g in range(begin, end + 1):
                    state = structure.forward(g, state, keep[g - begin], mix[g - begin])
                parts.append(after[end][which[chosen]] @ state)
                number_of[row[chosen], steps[place[chosen]]] = total + np.arange(len(chosen))
                total += len(chosen)
        size = len(self.start)
        return np.concatenate([np.empty((0, 2 * size, size)), *parts]), number_of

    def _with(self, structure: int) -> list[int]:
        return [t for t, step in enumerate(self._steps) if step.structure == structure]


def _segments(program: Program) -> list[tuple[list[Operation], Measure]]:
    """Each step's operations on the way to its measurement, those that may wait included."""
    found: list[tuple[list[Operation], Measure]] = []
    now: list[Operation] = []
    measured: Measure | None = None
    for operation in program.operations:
        if isinstance(operation, Measure):
            measured = operation
        elif isinstance(operation, Reset):
            if measured is None or operation.qubit != measured.qubit:
                raise ValueError("a reset without a measurement before it")
            found.append((now, measured))
            now, measured = [], None
        else:
            if measured is not None and measured.qubit in operation.qubits:
                raise ValueError("an operation between measurement and reset")
            now.append(operation)
    if measured is not None:
        found.append((now, measured))
    if [m.step for _, m in found] != list(range(program.num_steps)):
        raise ValueError("one measured bit per step is needed")
    return found


def _key(operation: Operation) -> tuple[object, ...]:
    if isinstance(operation, Rotation):
        return operation.generator, operation.qubits
    if isinstance(operation, Channel):
        return operation.ptm.tobytes(), operation.qubits
    return (operation,)


def _structure(operations: list[Operation], last: int, now: int, size: int) -> _Structure:
    everywhere = tuple(range(size))
    every = np.arange(4**size)
    maps: list[Array | None] = []
    columns: list[tuple[Array, ...]] = []
    fixed = np.eye(4**size)
    for operation in operations:
        if isinstance(operation, Channel):
            fixed = expand(operation.ptm, operation.qubits, everywhere) @ fixed
        elif isinstance(operation, Rotation):
            partner, sign = _partners(operation, size)
            take, scale = every, np.ones(4**size)
            single = bool(np.all(np.count_nonzero(fixed, axis=1) == 1)) and bool(
                np.all(np.count_nonzero(fixed, axis=0) == 1)
            )
            if single:
                take = np.argmax(np.abs(fixed), axis=1)
                scale = fixed[every, take]
            maps.append(None if single else fixed)
            columns.append(
                (take, take[partner], scale, sign * scale[partner], (sign != 0).astype(float))
            )
            fixed = np.eye(4**size)
    digits = np.indices((4,) * size).reshape(size, -1)
    memory = [[d for q, d in enumerate(column) if q != last] for column in digits.T]
    place = [sum(d * 4 ** (size - 2 - i) for i, d in enumerate(m)) for m in memory]
    embed = np.zeros((4**size, 4 ** (size - 1)))
    inside = np.isin(digits[last], (0, 3))
    embed[inside, np.array(place)[inside]] = 1.0
    rows = np.concatenate([every[digits[now] == 0], every[digits[now] == 3]])
    take, partners, scale, sign, turned = (
        np.array(column) for column in zip(*columns, strict=True)
    )
    return _Structure(
        tuple(maps),
        take.astype(np.intp),
        partners.astype(np.intp),
        scale,
        sign,
        turned > 0,
        embed,
        fixed[rows],
    )


def _partners(rotation: Rotation, num_qubits: int) -> tuple[Index, Array]:
    """The partner of each component `[D]`, and its sign; 0 where the rotation does nothing."""
    matrix = np.eye(1)
    for letter in rotation.generator:
        matrix = np.kron(matrix, _PAULI[letter])
    quarter = (np.eye(len(matrix)) - 1j * matrix) / np.sqrt(2)
    everywhere = tuple(range(num_qubits))
    ptm = expand(np.rint(ptm_of_unitary(quarter)), rotation.qubits, everywhere)
    partner = np.argmax(np.abs(ptm), axis=1)
    every = np.arange(len(ptm))
    return partner, np.where(partner != every, ptm[every, partner], 0.0)


@final
class GaussianExecutor:
    """Rows with shots as described above; without shots exact means."""

    def __init__(self, exact: ExactExecutor) -> None:
        """Make one that stands for another; `exact` has the circuit and the noise."""
        self._exact = exact
        self._compiled: dict[int, tuple[CompiledProgram, StepMaps]] = {}
        self._found: Outputs | None = None
        self.base: Array = np.empty(0)  # exact means [B, T, 1] of the base rows drawn last

    @property
    def name(self) -> str:
        """Of the backend."""
        return "gaussian"

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit that runs."""
        return self._exact.isa(unrolled)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """Its occurrences."""
        return self._exact.occurrences(unrolled)

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Draw at once."""
        mean, covariance = self.moments(unrolled, request.plan)
        self.base = mean[: request.plan.num_sequences, :, None]
        count = request.plan.repeats * request.shots
        root = np.linalg.cholesky(covariance + 1e-12 * np.eye(covariance.shape[1]))
        normal = np.random.default_rng(request.seed).normal(size=mean.shape)
        noise = (root @ normal[:, :, None])[:, :, 0] / np.sqrt(count)[:, None]
        self._found = Outputs((mean + noise)[:, :, None], count, covariance)
        return "only"

    def poll(self, job: str) -> bool:
        """Always done."""
        return True

    def fetch(self, job: str) -> GaussianExecutor:
        """Itself: `outputs` has what was drawn last."""
        return self

    def outputs(self, kind: OutputKind) -> Outputs:
        """What was drawn last."""
        if self._found is None or kind != "z":
            raise ValueError("nothing was drawn, or not <Z>")
        return self._found

    def exact_outputs(
        self, unrolled: UnrolledCircuit, plan: EvaluationPlan, kind: OutputKind
    ) -> Outputs:
        """Exact means `[R, T, 1]`."""
        mean, _ = self.moments(unrolled, plan, means_only=True)
        self.base = mean[: plan.num_sequences, :, None]
        return Outputs(mean[:, :, None])

    def forward(self, unrolled: UnrolledCircuit, angles: Array, kind: OutputKind = "z") -> Array:
        """Exact means `[B, T, 1]` at angles `[B, O]`."""
        compiled, maps = self._maps(unrolled)
        base, _ = maps.base(compiled.angles(angles))
        mean = np.empty(base.shape[:2])
        size = len(maps.start)
        state = np.broadcast_to(maps.start, (len(angles), size))[:, :, None]
        for t, pair in enumerate(base):
            both = pair @ state
            mean[t] = both[:, size, 0]
            state = both[:, :size]
        return self._read(mean.T, maps)[:, :, None]

    def moments(
        self, unrolled: UnrolledCircuit, plan: EvaluationPlan, *, means_only: bool = False
    ) -> tuple[Array, Array]:
        """Exact means `[R, T]` and covariances of a shot `[R, T, T]` of all rows."""
        compiled, maps = self._maps(unrolled)
        angles = compiled.angles(plan.angles(unrolled.angle_map, slice(0, plan.num_rows)))
        base_angles = angles[: plan.num_sequences]
        base, stacks = maps.base(base_angles)
        variants, number = maps.variants(base_angles, angles, plan.sequence, stacks)
        products = _products(maps.start, base, variants, number, plan.sequence, means_only)
        mean = self._read(products[:, 0, 1:], maps)
        if means_only:
            return mean, np.empty(0)
        scale = 1 - maps.flips.sum(axis=1)
        raw = products[:, 0, 1:]
        pairs = products[:, 1:, 1:]
        covariance = (pairs - raw[:, :, None] * raw[:, None, :]) * np.outer(scale, scale)
        upper = np.triu(covariance, 1)
        steps = np.arange(len(scale))
        covariance = upper + upper.transpose(0, 2, 1)
        covariance[:, steps, steps] = np.maximum(1 - mean**2, 0.0)
        return mean, covariance

    @staticmethod
    def _read(raw: Array, maps: StepMaps) -> Array:
        """<Z> of the bits, readout errors included."""
        false_one, false_zero = maps.flips.T
        found: Array = false_zero - false_one + (1 - false_zero - false_one) * raw
        return found

    def _maps(self, unrolled: UnrolledCircuit) -> tuple[CompiledProgram, StepMaps]:
        if id(unrolled) not in self._compiled:
            noise = self._exact.noise
            compiled = (
                compile_unrolled(unrolled)
                if noise is None
                else compile_isa(unrolled, self._exact.isa(unrolled), noise)
            )
            self._compiled[id(unrolled)] = compiled, StepMaps(compiled.program)
        return self._compiled[id(unrolled)]


def _products(
    start: Array,
    base: Array,
    variants: Array,
    number: NDArray[np.intp],
    sequence: Index,
    means_only: bool,
) -> Array:
    """`[R, 1 + T, 1 + T]`: entry (0, 1 + t) is <z_t>, entry (1 + s, 1 + t) with s < t <z_s z_t>.

    A row follows its base row up to its first variant. Column 0 of its states is the plain one,
    column 1 + s has the outcome of step s as a factor.
    """
    steps, batch, _, size = base.shape
    rows = len(sequence)
    width = 1 if means_only else 1 + steps
    result = np.zeros((rows, width, 1 + steps))
    differs = number >= 0
    first = np.where(differs.any(axis=1), differs.argmax(axis=1), steps)
    states = np.zeros((rows, size, width))
    of_base = np.zeros((batch, size, width))
    of_base[:, :, 0] = start
    base_result = np.zeros((batch, width, 1 + steps))
    for t in range(steps):
        used = 1 if means_only else 1 + t
        starting = np.flatnonzero(first == t)
        states[starting] = of_base[sequence[starting]]
        result[starting, :, : 1 + t] = base_result[sequence[starting], :, : 1 + t]
        now = np.flatnonzero(differs[:, t])
        if len(now):
            _advance(states, result, now, variants[number[now, t]], t, used, means_only)
        for b in range(batch):
            others = np.flatnonzero((first < t) & ~differs[:, t] & (sequence == b))
            if len(others):
                _advance(states, result, others, base[t, b], t, used, means_only)
        _advance(of_base, base_result, np.arange(batch), base[t], t, used, means_only)
    unchanged = np.flatnonzero(first == steps)
    result[unchanged] = base_result[sequence[unchanged]]
    return result


def _advance(
    states: Array, result: Array, rows: Index, pair: Array, t: int, used: int, means_only: bool
) -> None:
    """Step t of some rows, in place."""
    size = states.shape[1]
    if pair.ndim == 2:  # one map for all: one product
        flat = states[rows][:, :, :used].transpose(1, 0, 2).reshape(size, -1)
        both = (pair @ flat).reshape(2 * size, len(rows), used).transpose(1, 0, 2)
    else:
        both = pair @ states[rows][:, :, :used]
    result[rows, :used, 1 + t] = both[:, size]
    states[rows, :, :used] = both[:, :size]
    if not means_only:
        states[rows, :, 1 + t] = both[:, size:, 0]
