"""Noise of simulators: what it consists of, and where it strikes a circuit."""

from qrnn_qiskit.execution.noise.device import device_noise as device_noise
from qrnn_qiskit.execution.noise.model import Noise as Noise
from qrnn_qiskit.execution.noise.simple import simple_noise as simple_noise
