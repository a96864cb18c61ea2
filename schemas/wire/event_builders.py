"""Fast constructors of event classes, for generated code: functions with keyword parameters.

Calling a class with keywords creates a tuple and a dict per object; calling a function does not.
The result is an instance of the same dataclass. Every field has to be passed.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, cast

Built = TypeVar("Built")


def by_name(cls: type[Built]) -> type[Built]:
    """A constructor function of a dataclass with slots; all fields are required keywords."""
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # generated ones are
    scope: dict[str, Any] = {"new": object.__new__, "cls": cls}
    stores = "".join(f"    built.{name} = {name}\n" for name in names)
    text = f"def make(*, {', '.join(names)}):\n    built = new(cls)\n{stores}    return built\n"
    exec(text, scope)  # noqa: S102 - made of field names alone
    return cast(type[Built], scope["make"])
