"""Plug-ins by file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.registry import Registry

ENTRY = '''
from __future__ import annotations
from dataclasses import dataclass
from typing import Annotated
from pydantic import Field

@dataclass(frozen=True, slots=True)
class Rate:
    """Options."""
    rate: Annotated[float, Field(gt=0)] = 0.5
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.rate == 13:
            raise ValueError("13 brings bad luck")

PROVIDES = Rate
'''


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Of a package made for the test, with an entry and a private module that cannot be read."""
    package = tmp_path / "plugged_in_for_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "quick.py").write_text(ENTRY)
    (package / "slow.py").write_text(ENTRY.replace("rate", "delay"))
    (package / "empty.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Empty: pass\nPROVIDES = Empty\n"
    )
    (package / "broken.py").write_text("raise RuntimeError('imported')")
    (package / "_private.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry(package.name, "optimizer")
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def test_names_without_importing(registry: Registry) -> None:
    assert registry.names() == ["broken", "empty", "quick", "slow"]
    assert f"{registry.package}.quick" not in sys.modules


def test_build(registry: Registry) -> None:
    made = registry.build("quick", {"rate": 2, "sizes": [1, 2]})
    assert type(made) is registry.type_of("quick")
    assert (made.rate, made.sizes) == (2.0, (1, 2))
    assert type(made.rate) is float
    assert registry.build("quick", {}).rate == 0.5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "quik",
            {},
            "optimizer.name = 'quik' is unknown (did you mean 'quick'?); known: broken, empty, "
            "quick, slow",
        ),
        ("_private", {}, "optimizer.name = '_private' is unknown; known: broken, "),
        (
            "quick",
            {"rat": 1},
            "optimizer.rat is not a key of optimizer.name = 'quick' (did you mean 'rate'?); its "
            "keys: rate, sizes",
        ),
        ("empty", {"a": 1}, "optimizer.a is not a key of optimizer.name = 'empty'; its keys: none"),
        ("quick", {"rate": -1}, "optimizer.rate = -1: must be greater than 0"),
        ("quick", {"rate": "fast"}, "optimizer.rate = 'fast': must be a number"),
        ("quick", {"sizes": [1, "b"]}, "optimizer.sizes[1] = 'b': must be a whole number"),
        ("quick", {"rate": 13}, "optimizer: 13 brings bad luck"),
    ],
)
def test_refused(registry: Registry, name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        registry.build(name, options)
    assert str(caught.value).startswith(message)


def test_another_key_may_hold_the_name(registry: Registry) -> None:
    with pytest.raises(SpecError, match=r"gradient\.method = 'x' is unknown"):
        Registry(registry.package, "gradient", "method").build("x", {})
