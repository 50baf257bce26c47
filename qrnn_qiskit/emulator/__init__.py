"""An emulated IBM Quantum service on loopback, for tests and rehearsals with the real client."""

from qrnn_qiskit.emulator.address import Address as Address
from qrnn_qiskit.emulator.devices import Device as Device
from qrnn_qiskit.emulator.exact import DeviceRunner as DeviceRunner
from qrnn_qiskit.emulator.faults import Fault as Fault
from qrnn_qiskit.emulator.service import EmulatedService as EmulatedService
from qrnn_qiskit.emulator.simulate import AerRunner as AerRunner
from qrnn_qiskit.emulator.simulate import RunRequest as RunRequest
