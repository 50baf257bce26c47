"""The `qrnn` command: thin wrappers over public functions. Data on stdout, progress on stderr.

Command functions import what they need inside, so that `qrnn --help` loads nothing heavy.
"""

from qrnn_qiskit.cli.app import main as main
