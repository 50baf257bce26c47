"""The gradient module: rules make evaluation plans, plans contract outputs to gradients."""

from qrnn_qiskit.gradients.plan import EvaluationPlan as EvaluationPlan
from qrnn_qiskit.gradients.plan import forward_plan as forward_plan
from qrnn_qiskit.gradients.problem import GradientProblem as GradientProblem
from qrnn_qiskit.gradients.problem import GradientRule as GradientRule
from qrnn_qiskit.registry import Registry

RULES = Registry("qrnn_qiskit.gradients.rules", table="gradient", key="method")
