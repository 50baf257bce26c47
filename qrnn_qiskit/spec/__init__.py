"""What the user asks for: job files, their pieces, and the library that they come from."""

from qrnn_qiskit.spec.compose import job_from_dict as job_from_dict
from qrnn_qiskit.spec.compose import job_to_dict as job_to_dict
from qrnn_qiskit.spec.compose import json_schema as json_schema
from qrnn_qiskit.spec.compose import load_job as load_job
from qrnn_qiskit.spec.compose import override_job as override_job
from qrnn_qiskit.spec.job import BackendSpec as BackendSpec
from qrnn_qiskit.spec.job import BudgetSpec as BudgetSpec
from qrnn_qiskit.spec.job import CellSpec as CellSpec
from qrnn_qiskit.spec.job import DataSpec as DataSpec
from qrnn_qiskit.spec.job import GradientSpec as GradientSpec
from qrnn_qiskit.spec.job import InitialSpec as InitialSpec
from qrnn_qiskit.spec.job import Job as Job
from qrnn_qiskit.spec.job import LossSpec as LossSpec
from qrnn_qiskit.spec.job import NoiseSpec as NoiseSpec
from qrnn_qiskit.spec.job import OptimizerSpec as OptimizerSpec
from qrnn_qiskit.spec.job import ReadoutSpec as ReadoutSpec
from qrnn_qiskit.spec.job import TrainingSpec as TrainingSpec
from qrnn_qiskit.spec.library import available as available
from qrnn_qiskit.spec.library import find as find
