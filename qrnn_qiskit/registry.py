"""Plug-ins by file: a module in a package is an entry, its `PROVIDES` the class of its options."""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import dataclass, fields
from typing import Any, final

from pydantic import TypeAdapter, ValidationError

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec.messages import first_problem, nearest


@final
@dataclass(frozen=True, slots=True)
class Registry:
    """The entries of one package; nothing is imported before an entry is asked for.

    Attributes:
        package: dotted name, such as `"qrnn_qiskit.gradients.rules"`.
        table: the job-file table the entries are named in, such as `"gradient"` (for messages).
        key: the key of that table holding the entry's name, such as `"method"`.
    """

    package: str
    table: str
    key: str = "name"

    def names(self) -> list[str]:
        """Names of all entries, sorted."""
        path = importlib.import_module(self.package).__path__
        return sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))

    def type_of(self, name: str) -> type[Any]:
        """The options class of an entry: a frozen dataclass whose fields are the table's keys.

        Raises:
            SpecError: for an unknown name, naming the nearest one.
        """
        names = self.names()
        if name not in names:
            raise SpecError(
                f"{self.table}.{self.key} = {name!r} is unknown{nearest(name, names)}; "
                f"known: {', '.join(names)}"
            )
        provided: type[Any] = importlib.import_module(f"{self.package}.{name}").PROVIDES
        return provided

    def build(self, name: str, options: dict[str, Any]) -> Any:
        """The entry made with `options`, its fields validated.

        Raises:
            SpecError: for an unknown name, an unknown key or a bad value, with the key's path.
        """
        kind = self.type_of(name)
        keys = [field.name for field in fields(kind)]
        for key in options:
            if key not in keys:
                raise SpecError(
                    f"{self.table}.{key} is not a key of {self.table}.{self.key} = {name!r}"
                    f"{nearest(key, keys)}; its keys: {', '.join(keys) or 'none'}"
                )
        try:
            # Through JSON, strictly: a list may fill a tuple, but text never a number.
            return TypeAdapter(kind).validate_json(json.dumps(options), strict=True)
        except ValidationError as error:
            raise SpecError(first_problem(error, self.table)) from None
