"""The command that compares gradient methods."""

from __future__ import annotations

from qrnn_qiskit.cli.options import AsJson, JobFileOrRun, NewRunDirectory, Overrides
from qrnn_qiskit.cli.output import show_json, show_line, show_records, show_table


def compare(
    source: JobFileOrRun,
    run_dir: NewRunDirectory = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Compare gradient methods at equal total shots, against the exact gradient."""
    from qrnn_qiskit.cli.progress import make_reporter
    from qrnn_qiskit.plot.comparison import plot_comparison
    from qrnn_qiskit.run.comparison.compare import compare_job

    reporter = make_reporter()
    try:
        result = compare_job(source, overrides=overrides or (), run_dir=run_dir, reporter=reporter)
    finally:
        reporter.stop()
    pictures = plot_comparison(result.run_dir)
    if as_json:
        show_json({**result.to_dict(), "pictures": [str(path) for path in pictures]})
        return
    keys = ["shots", "rows", "step", "bias", "std", "rmse", "cosine"]
    keys.append("coverage")
    if any(entry.qpu_seconds is not None for entry in result.entries):
        keys.append("qpu_seconds")
    show_records(
        [
            {"method": entry.method, "T": entry.num_steps}
            | {key: getattr(entry, key) for key in keys}
            for entry in result.entries
        ]
    )
    if result.curves:
        show_line()
        show_table(
            ("training by", "shots", "first loss", "last loss", "ended by"),
            [(c.method, c.shots[-1], c.loss[0], c.loss[-1], c.reason) for c in result.curves],
        )
    show_line(f"\nAgainst {result.reference}. {result.verdict}")
    if result.published:
        show_line(f"published: {result.published}")
    show_line(f"run directory: {result.run_dir}")
    for path in pictures:
        show_line(f"picture: {path}")
