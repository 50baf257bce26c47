"""Reports: one self-contained HTML file about a run, or about several side by side."""

from qrnn_qiskit.report.page import write_report as write_report
