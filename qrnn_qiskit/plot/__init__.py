"""Pictures of runs. Functions draw on the axes they are given and return what they drew."""

from qrnn_qiskit.plot.circuit import plot_cell as plot_cell
from qrnn_qiskit.plot.circuit import plot_circuit as plot_circuit
from qrnn_qiskit.plot.comparison import plot_comparison as plot_comparison
from qrnn_qiskit.plot.forecast import plot_forecast as plot_forecast
from qrnn_qiskit.plot.history import plot_gradient_norm as plot_gradient_norm
from qrnn_qiskit.plot.history import plot_loss as plot_loss
from qrnn_qiskit.plot.history import plot_signal_to_noise as plot_signal_to_noise
from qrnn_qiskit.plot.history import plot_spending as plot_spending
from qrnn_qiskit.plot.outputs import plot_outputs as plot_outputs
from qrnn_qiskit.plot.outputs import plot_survival as plot_survival
from qrnn_qiskit.plot.record import read_record as read_record
from qrnn_qiskit.plot.run import plot_run as plot_run
from qrnn_qiskit.plot.runs import plot_losses as plot_losses
from qrnn_qiskit.plot.runs import plot_runs as plot_runs
from qrnn_qiskit.plot.runs import plot_scores as plot_scores
from qrnn_qiskit.plot.runs import plot_sweep as plot_sweep
