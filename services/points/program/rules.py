"""The rules of a points program, and the parser of their JSON (field `rules` of `ProgramRulesSet`).

An unknown field or a value of another type is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.codes import upper_code
from schemas.currencies import worth
from schemas.fields import Currency
from schemas.generated.inputs.vocabulary import Channel, LineKind, TenderKind
from services.points.program.apportionment import Rounding
from services.runtime.logging import log
from services.runtime.metrics import POINTS_UNREADABLE
from services.runtime.strict_json import Unreadable, loads

ReturnPolicy = Literal["pending_only", "within_balance", "go_negative", "withhold_from_refund"]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Months = Annotated[int, Field(ge=1, le=600)]
Amount = Annotated[int, Field(ge=0, le=1_000_000_000)]
# as quoted, e.g. 150.25; a text, since a JSON number may be read as binary fraction
Rate = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$")]


class UnreadableProgramRules(ValueError):
    """The rules are invalid. `field`: a path such as `earn.0.per`, or "rules" for the whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Earn(_Strict):
    """A rate: `points` for every `per` minor units of the currency, pro rata, before rounding.

    A line gets the first rate whose conditions all match it; None matches every line.
    """

    channels: Annotated[list[Channel], Field(min_length=1)] | None = None
    categories: Annotated[list[Name], Field(min_length=1)] | None = None
    ranks: Annotated[list[Name], Field(min_length=1)] | None = None
    points: Annotated[int, Field(ge=0, le=1_000_000)]
    per: Annotated[int, Field(ge=1, le=1_000_000_000)]

    def matches(self, channel: str, category: str | None, rank: str | None) -> bool:
        """Whether the rate applies to a line with this channel, category and buyer's rank."""
        return (
            (self.channels is None or channel in self.channels)
            and (self.categories is None or category in self.categories)
            and (self.ranks is None or rank in self.ranks)
        )


class Never(_Strict):
    """Points never expire."""

    kind: Literal["never"] = "never"


class AfterMonths(_Strict):
    """Points expire `months` months after the day on which they were earned."""

    kind: Literal["months"]
    months: Months


class EndOfMonth(_Strict):
    """Points expire at the end of the month that is `months` after the month of earning."""

    kind: Literal["end_of_month"]
    months: Annotated[int, Field(ge=0, le=600)]


class EndOfYear(_Strict):
    """Points expire at the end of the year that is `years` after the year of earning."""

    kind: Literal["end_of_year"]
    years: Annotated[int, Field(ge=0, le=50)]


class Inactivity(_Strict):
    """Points without an expiry time expire `months` months after the last earning or spending."""

    kind: Literal["inactivity"]
    months: Months


Expiry = Annotated[
    Never | AfterMonths | EndOfMonth | EndOfYear | Inactivity, Field(discriminator="kind")
]


class Rank(_Strict):
    """A rank. `spent`: the spending that it requires, in minor units of the currency."""

    name: Name
    spent: Amount


class Ranks(_Strict):
    """Ranks by spending, less returns, in the `months` whole calendar months before the sale."""

    months: Annotated[int, Field(ge=1, le=120)]
    ladder: Annotated[list[Rank], Field(min_length=1)]


class Grace(_Strict):
    """Points given back stay valid for at least `min_days_after_refund` days; 0: no grace."""

    min_days_after_refund: Annotated[int, Field(ge=0, le=3_660)] = 0


class OfflineFloor(_Strict):
    """Points that a terminal may redeem in one redemption while offline.

    `per_redemption`: for all terminals. `terminals`: other limits, by "store/terminal".
    """

    per_redemption: Amount = 0
    terminals: dict[Name, Amount] = Field(default_factory=dict)

    def limit(self, store_id: str, terminal_id: str) -> int:
        """Points that this terminal may redeem in one redemption while offline.

        Codes are compared in their normal form, whichever the rules or the till write.
        """
        asked = upper_code(f"{store_id}/{terminal_id}")
        limits = {upper_code(name): points for name, points in self.terminals.items()}
        return limits.get(asked, self.per_redemption)


class EarningRules(_Strict):
    """The parsed rules: how points are earned, expire, and are taken back when goods are returned.

    `currency`: in whose minor units the rules name amounts, and in which sales earn. `rates`: what
    one unit of another currency is worth in it; sales in a currency without a rate earn nothing.
    `point_value`: what a point is worth, in minor units of the currency. `rounded_per`: points of
    each line are rounded, or those of the receipt, whose lines then share them. `base_without_tax`:
    money without tax earns. `tax_rounding`: of a rate's tax that the receipt does not say.
    `excluded_kinds`, `excluded_tenders`: lines that do not earn, and money. `most_per_receipt`,
    `most_per_day`: how many points a receipt can earn, and a member in a day; null: any number.
    """

    time_zone: Name = "Asia/Tokyo"
    currency: Currency = "JPY"
    rates: dict[Currency, Rate] = Field(default_factory=dict)
    earn: list[Earn] = Field(default_factory=list)
    rounding: Rounding = "floor"
    earn_on_points_paid: bool = False
    pending_days: Annotated[int, Field(ge=0, le=366)] = 0
    expiry: Expiry = Field(default_factory=Never)
    return_policy: ReturnPolicy = "within_balance"
    grace: Grace = Field(default_factory=Grace)
    point_value: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    offline_floor: OfflineFloor = Field(default_factory=OfflineFloor)
    ranks: Ranks | None = None
    rounded_per: Literal["line", "receipt"] = "line"
    base_without_tax: bool = False
    tax_rounding: Rounding = "floor"
    excluded_kinds: list[LineKind] = Field(default_factory=list)
    excluded_tenders: list[TenderKind] = Field(default_factory=list)
    most_per_receipt: Amount | None = None
    most_per_day: Amount | None = None

    @field_validator("excluded_tenders")
    @classmethod
    def _not_both(cls, tenders: list[TenderKind], info: ValidationInfo) -> list[TenderKind]:
        if "POINTS" in tenders and info.data.get("earn_on_points_paid"):
            raise ValueError("has POINTS, but earn_on_points_paid says that they earn")
        return tenders

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a time zone of the IANA database") from None
        return name

    @model_validator(mode="after")
    def _ranks_are_there(self) -> Self:
        known = {rank.name for rank in self.ranks.ladder} if self.ranks else set()
        for number, earn in enumerate(self.earn):
            for name in earn.ranks or ():
                if name not in known:
                    raise ValueError(
                        f"earn.{number}.ranks has {name!r}, which is not a declared rank"
                    )
        return self

    @model_validator(mode="after")
    def _rates_are_of_others(self) -> Self:
        if self.currency in self.rates:
            raise ValueError(f"rates has {self.currency!r}, which is the program's own currency")
        for currency, rate in self.rates.items():
            if not Fraction(rate):
                raise ValueError(f"rates.{currency} is 0: leave the currency out")
        return self

    def worth(self, currency: str) -> Fraction | None:
        """What a minor unit of `currency` is worth, in minor units of the program's; None if the
        rules declare no rate.
        """
        if currency == self.currency:
            return Fraction(1)
        rate = self.rates.get(currency)
        return None if rate is None else worth(Fraction(rate), currency, self.currency)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which the program's days begin."""
        return ZoneInfo(self.time_zone)

    def rank(self, spent: int) -> str | None:
        """The name of the highest rank that this spending reaches; None if it reaches no rank."""
        reached = [one for one in self.ranks.ladder if one.spent <= spent] if self.ranks else []
        return max(reached, key=lambda one: one.spent).name if reached else None

    def higher_rank(self, first: str | None, second: str | None) -> str | None:
        """The higher of two ranks; None is below all."""
        spent = {one.name: one.spent for one in self.ranks.ladder} if self.ranks else {}
        return max((first, second), key=lambda name: -1 if name is None else spent.get(name, -1))


def read_rules(text: str) -> EarningRules:
    """Parses the rules in this JSON text; raises `UnreadableProgramRules` if they are invalid."""
    try:
        found = loads(text.encode())
    except Unreadable as error:
        raise UnreadableProgramRules("rules", str(error)) from None
    try:
        return EarningRules.model_validate_json(json.dumps(found))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = [str(part) for part in first["loc"]]
        if path[-1:] == ["[key]"]:  # a currency among `rates` that is none
            del path[-1]
        if path[:1] == ["expiry"]:  # the second part is the kind (a union's tag), not a field
            del path[1:2]
        raise UnreadableProgramRules(".".join(path) or "rules", first["msg"]) from None


def version_at(versions: Iterable[Mapping[str, Any]], at: int) -> Mapping[str, Any] | None:
    """The row in force at `at` (microseconds); None if none is.

    That is the row with the latest `valid_from` up to `at`; of several, the one that was set last.
    """
    past = [one for one in versions if one["valid_from"] <= at]
    order = ("valid_from", "set_at", "program_id")
    return max(past, key=lambda one: tuple(one[name] for name in order)) if past else None


def readable(versions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose rules can be parsed, with the parsed rules as a further column `read`.

    Other rows are left out, so the version before them stays in force. Each is logged once per
    process; their number is a metric.
    """
    rows, kept = list(versions), []
    for row in rows:
        rules = _read_once(row["program_id"], row["version"], row["rules"])
        if rules is not None:
            kept.append({**row, "read": rules})
    POINTS_UNREADABLE.set(len(rows) - len(kept))
    return kept


@lru_cache(maxsize=1_000)
def _read_once(program_id: str, version: str, text: str) -> EarningRules | None:
    try:
        return read_rules(text)
    except UnreadableProgramRules as error:
        log.error(
            "rules_unreadable", program=program_id, version=version,
            field=error.field, reason=error.reason,
        )  # fmt: skip
        return None
