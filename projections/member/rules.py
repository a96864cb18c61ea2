"""Match rules, and the parser of their JSON (field `rules` of `MatchRulesActivated`).

An unknown field or a value of another type is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

RULE_SET = "identity"
DAY = 86_400_000_000
WINDOWS = 20  # a value on more than 20 x `limit` profiles never connects, whatever the window
Kind = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Index = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
System = Annotated[str, StringConstraints(min_length=1, max_length=64)]
GoldenField = Literal["name", "name_kana", "postcode", "address", "birth_date", "email", "phone"]
Criterion = Literal["verified", "source", "newest"]
T = TypeVar("T")


class UnreadableMatchRules(ValueError):
    """The rules are invalid. `field`: a path such as identifiers.phone.limit, or "rules"."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class _StrictRules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class IdentifierRule(_StrictRules):
    """How identifiers of a kind connect profiles.

    `unique`: a person has only one, and nobody shares it. `strong`: profiles with the same verified
    value are one person unless something contradicts. `weak`: does not connect. A value that was
    first seen on more than `limit` profiles within `window_days` (null: at any time) does not
    connect, nor do the values `blocked`, which are blind indexes in hexadecimal.
    """

    class_: Annotated[Literal["unique", "strong", "weak"], Field(alias="class")]
    limit: Annotated[int, Field(ge=1, le=1_000)] = 10
    window_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    blocked: tuple[Index, ...] = Field(default=(), strict=False)


class Order(_StrictRules):
    """The criteria by which one of several values is chosen, the first ones first."""

    order: tuple[Criterion, ...] = Field(("verified", "source", "newest"), strict=False)
    sources: tuple[System, ...] = Field(default=(), strict=False)


class Survivorship(Order):
    """How values of the golden record are chosen: in general, and for single `fields`.

    `sources`: source systems, the most trusted first; other systems come after them.
    """

    fields: dict[GoldenField, Order] = Field(default_factory=dict)

    def of(self, field: str) -> Order:
        """The criteria for a field."""
        return self.fields.get(field, self)  # type: ignore[call-overload, no-any-return]


Identifiers = dict[Kind, IdentifierRule]


class MatchRules(_StrictRules):
    """A version of the match rules; `matching`: the model of record linkage."""

    version: str
    identifiers: Identifiers
    survivorship: Survivorship = Field(default_factory=Survivorship)
    matching: dict[str, Any] | None = None

    def text(self) -> str:
        """The JSON for `MatchRulesActivated.rules`."""
        return self.model_dump_json(by_alias=True, exclude={"version"})


DEFAULT = MatchRules(
    version="default",
    identifiers={
        "card": IdentifierRule(class_="unique"),
        "account": IdentifierRule(class_="unique"),
        "email": IdentifierRule(class_="strong"),
        "phone": IdentifierRule(class_="strong"),
    },
)


def read_rules(version: str, text: str) -> MatchRules:
    """Parses the rules in this JSON text; raises `UnreadableMatchRules` if they are invalid."""
    found = _loaded(text)
    if not isinstance(found, dict):
        raise UnreadableMatchRules("rules", "not a JSON object")
    if "version" in found:
        raise UnreadableMatchRules("version", "is a field of the event, not of the rules")
    return _valid(TypeAdapter(MatchRules), json.dumps({**found, "version": version}), "rules")


def part(text: str, name: str) -> str | None:
    """A field of valid rules as canonical JSON text; None if it is absent."""
    found = _loaded(text).get(name)
    if found is None:
        return None
    return json.dumps(found, separators=(",", ":"), sort_keys=True)


class Connecting(NamedTuple):
    """An `IdentifierRule` in the form that grouping needs; `window` in microseconds."""

    unique: bool
    limit: int
    window: int | None
    blocked: frozenset[bytes]

    @property
    def most(self) -> int:
        """A value on more profiles than this connects none, whatever the window."""
        return self.limit if self.window is None else self.limit * WINDOWS


class ActiveRules(NamedTuple):
    """The part of the rules in force that determines groups.

    `version`: only its links by rule count. `kinds`: the kinds of identifiers that connect.
    """

    version: str
    kinds: dict[str, Connecting]

    @property
    def limits(self) -> dict[str, int]:
        """By kind: a value on more profiles than this connects none, whatever the window."""
        return {kind: rule.most for kind, rule in self.kinds.items()}

    @property
    def blocked(self) -> list[tuple[str, bytes]]:
        """The blocked values: kind and blind index."""
        return [(kind, value) for kind, rule in self.kinds.items() for value in rule.blocked]


def active(versions: Iterable[tuple[int, str, str]]) -> ActiveRules:
    """The rules in force: the greatest of (valid from, version, identifiers' JSON).

    No clock is read: a version whose valid time is in the future is in force at once. Without any
    version, the default rules.
    """
    rows = [(valid_from, version, text) for valid_from, version, text in versions]
    if not rows:
        return _connecting(DEFAULT.version, None)
    _, version, text = max(rows)
    return _connecting(version, text)


@lru_cache(maxsize=8)
def _connecting(version: str, text: str | None) -> ActiveRules:
    rules = DEFAULT.identifiers
    if text is not None:
        rules = _valid(TypeAdapter(Identifiers), text, "identifiers")
    kinds = {
        kind: Connecting(
            rule.class_ == "unique",
            rule.limit,
            None if rule.window_days is None else rule.window_days * DAY,
            frozenset(map(bytes.fromhex, rule.blocked)),
        )
        for kind, rule in sorted(rules.items())
        if rule.class_ != "weak"
    }
    return ActiveRules(version, kinds)


@lru_cache(maxsize=8)
def survivorship(text: str | None) -> Survivorship:
    """The survivorship rules in this JSON text; None: those of the default rules."""
    if text is None:
        return DEFAULT.survivorship
    return _valid(TypeAdapter(Survivorship), text, "survivorship")


def _valid(shape: TypeAdapter[T], text: str, whole: str) -> T:
    try:
        return shape.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise UnreadableMatchRules(field or whole, first["msg"]) from None


def _loaded(text: str) -> Any:
    """Parses JSON without duplicate keys and NaN; raises `UnreadableMatchRules` otherwise."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise UnreadableMatchRules("rules", "an object has the same key twice")
        return made

    def constant(name: str) -> Any:
        raise UnreadableMatchRules("rules", f"{name} is not a JSON number")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=constant)
    except UnreadableMatchRules:
        raise
    except RecursionError:
        raise UnreadableMatchRules("rules", "nested too deeply") from None
    except ValueError as error:
        raise UnreadableMatchRules("rules", f"not JSON: {error}") from None
