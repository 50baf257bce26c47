"""Pictures of runs. Functions draw on the axes they are given and return what they drew."""

from qrnn_qiskit.plot.forecast import plot_forecast as plot_forecast
from qrnn_qiskit.plot.history import plot_gradient_norm as plot_gradient_norm
from qrnn_qiskit.plot.history import plot_loss as plot_loss
from qrnn_qiskit.plot.run import plot_run as plot_run
