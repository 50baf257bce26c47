"""What the user asks for: job files, their pieces, and the library that they come from."""

from qrnn_qiskit.spec.backend import BackendSpec as BackendSpec
from qrnn_qiskit.spec.backend import BudgetSpec as BudgetSpec
from qrnn_qiskit.spec.compose import job_from_dict as job_from_dict
from qrnn_qiskit.spec.compose import job_to_dict as job_to_dict
from qrnn_qiskit.spec.compose import json_schema as json_schema
from qrnn_qiskit.spec.compose import load_job as load_job
from qrnn_qiskit.spec.compose import override_job as override_job
from qrnn_qiskit.spec.gradient import GradientSpec as GradientSpec
from qrnn_qiskit.spec.job import Job as Job
from qrnn_qiskit.spec.library import available as available
from qrnn_qiskit.spec.library import find as find
from qrnn_qiskit.spec.model import CellSpec as CellSpec
from qrnn_qiskit.spec.model import DataSpec as DataSpec
from qrnn_qiskit.spec.model import LossSpec as LossSpec
from qrnn_qiskit.spec.model import ReadoutSpec as ReadoutSpec
from qrnn_qiskit.spec.noise import NoiseSpec as NoiseSpec
from qrnn_qiskit.spec.training import InitialSpec as InitialSpec
from qrnn_qiskit.spec.training import OptimizerSpec as OptimizerSpec
from qrnn_qiskit.spec.training import TrainingSpec as TrainingSpec
