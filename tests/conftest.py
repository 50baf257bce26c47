"""What all tests share: one thread per worker, Hypothesis profiles, and seeds that are told."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

# Read when numpy, Aer and matplotlib are imported. The tests run in as many processes as there
# are cores, so each keeps to one thread.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"
# The Runtime client would read the source of every frame of the stack for each request.
os.environ["USAGE_DATA_OPT_OUT"] = "True"

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,  # the first example of a worker pays for imports
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=500)
settings.load_profile("default")


@pytest.fixture(autouse=True, scope="session")
def _quick_reports() -> Iterator[None]:
    """Reports without classical networks, which each run would train anew.

    They are tested by themselves, and where a job names them.
    """
    from qrnn_qiskit.run import baselines

    every = baselines.installed_baselines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            baselines,
            "installed_baselines",
            lambda: [name for name in every() if name not in ("gru", "lstm")],
        )
        yield


@pytest.fixture
def seed() -> int:
    """A fresh seed for a statistical test, printed when it fails; QRNN_TEST_SEED repeats one."""
    value = int(os.environ.get("QRNN_TEST_SEED") or secrets.randbits(32))
    print(f"seed: repeat with QRNN_TEST_SEED={value}")
    return value
