"""The gradient module: rules make evaluation plans, plans contract outputs to gradients."""

from qrnn_qiskit.gradient.plan import EvaluationPlan as EvaluationPlan
from qrnn_qiskit.gradient.plan import forward_plan as forward_plan
from qrnn_qiskit.gradient.problem import GradientProblem as GradientProblem
from qrnn_qiskit.gradient.problem import GradientRule as GradientRule
from qrnn_qiskit.registry import Registry

RULES = Registry("qrnn_qiskit.gradient.rules", table="gradient", key="method")
