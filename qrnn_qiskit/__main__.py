"""`python -m qrnn_qiskit`: the same as the `qrnn` command."""

from qrnn_qiskit.cli import main

main()
