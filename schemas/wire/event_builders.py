"""Fast construction of events in generated code: a function with keyword parameters.

Calling a class with keywords builds a tuple and a dict per object; calling a function does not. The
result is the same dataclass with slots; every field has to be passed.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, cast

Built = TypeVar("Built")


def by_name(cls: type[Built]) -> type[Built]:
    """A constructor function for a dataclass with slots; every field is a required keyword."""
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # generated ones are
    scope: dict[str, Any] = {"new": object.__new__, "cls": cls}
    stores = "".join(f"    built.{name} = {name}\n" for name in names)
    text = f"def make(*, {', '.join(names)}):\n    built = new(cls)\n{stores}    return built\n"
    exec(text, scope)  # noqa: S102 - made of field names alone
    return cast(type[Built], scope["make"])
