"""What a comparison shows, in words."""

from __future__ import annotations

from collections.abc import Sequence

from qrnn_qiskit.run.comparison.gradients import Entry
from qrnn_qiskit.run.comparison.training import Curve

SIGNIFICANT = 3.0  # times the scatter of a mean


def verdict(entries: Sequence[Entry], curves: Sequence[Curve]) -> str:
    """Which method won with the most shots at each length, why, and what training shows."""
    parts = []
    for num_steps in dict.fromkeys(entry.num_steps for entry in entries):
        parts.append(_winner([entry for entry in entries if entry.num_steps == num_steps]))
    parts.append(_error_bars(entries))
    if curves:
        parts.append(_training(curves))
    return " ".join(parts)


def _winner(entries: Sequence[Entry]) -> str:
    most = max(entry.shots for entry in entries)
    best, *others = sorted((e for e in entries if e.shots == most), key=lambda entry: entry.rmse)
    text = (
        f"At T = {best.num_steps} and {most:,} shots {best.method} has the lowest error, "
        f"{best.rmse:.3g} of the gradient's norm"
    )
    unlike = [other for other in others if _kind(other) != _kind(best)]
    if not unlike:
        return text + "."
    second = unlike[0]
    if second.rows > 2 * best.rows:
        why = f"its {best.rows:,} rows share the shots, those of {second.method} {second.rows:,}"
        if _biased(best) and best.bias < second.std:
            why += f", and its bias of {best.bias:.2g} stays below that scatter"
    elif _biased(second) and second.bias > second.std:
        why = f"the bias of {second.method}, {second.bias:.2g}, no longer shrinks with more shots"
    else:
        why = f"it scatters by {best.std:.2g}, {second.method} by {second.std:.2g}"
    return f"{text} ({second.method}: {second.rmse:.3g}): {why}."


def _error_bars(entries: Sequence[Entry]) -> str:
    biased = dict.fromkeys(entry.method for entry in entries if _biased(entry))
    if not biased:
        return "No method shows a bias beyond the scatter of its mean."
    return f"The error bars of {', '.join(biased)} leave out a bias that shows in the mean."


def _training(curves: Sequence[Curve]) -> str:
    best, *others = sorted(curves, key=lambda curve: curve.loss[-1])
    text = f"In training {best.method} ends at the lowest exact loss, {best.loss[-1]:.3g}"
    rest = ", ".join(f"{curve.method} {curve.loss[-1]:.3g}" for curve in others)
    return f"{text} (from {best.loss[0]:.3g}; {rest})."


def _kind(entry: Entry) -> str:
    return "central difference" if entry.step is not None else entry.method


def _biased(entry: Entry) -> bool:
    return entry.bias > SIGNIFICANT * entry.bias_error
