"""SciPy's minimizers behind one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.plugins import Minimum, Objective

Array = NDArray[np.float64]


def scipy_minimize(
    method: Literal["BFGS", "L-BFGS-B"],
    objective: Objective,
    start: Array,
    max_steps: int,
    callback: Callable[[Array], None] | None,
    options: dict[str, float],
) -> Minimum:
    """Minimize `objective` (value and gradient `[n]`) from `start` `[n]`; see `Minimizer`."""
    # Imported here: SciPy's optimizers take longer to load than all of this package.
    from scipy.optimize import minimize

    # SciPy passes the weights alone to a callback whose argument has this name.
    def after_iteration(xk: Array) -> None:
        if callback is not None:
            callback(xk.copy())

    # SciPy's stubs want one dictionary type for the options of all methods.
    all_options: Any = {"maxiter": max_steps, **options}
    found = minimize(
        objective,
        np.array(start, dtype=np.float64),
        jac=True,
        method=method,
        callback=after_iteration,
        options=all_options,
    )
    return Minimum(
        np.array(found.x, dtype=np.float64),
        float(found.fun),
        int(found.nit),
        bool(found.success),
        str(found.message),
    )
