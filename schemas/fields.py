"""The pydantic types of the events' input models: how kinds of fields are checked and converted.

Input models ("edge models") validate the JSON that producers send. Validation converts a value to
its wire form (ids to 16 bytes, instants to microseconds, dates to days since the epoch), so that
building the event afterwards only copies values.
"""

import re
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from schemas import barcodes
from schemas.codes import normal_code, upper_code
from schemas.currencies import MINOR_UNITS
from schemas.wire.bounds import (
    AMOUNT_MAX,
    EARLIEST,
    EPOCH,
    FIRST_DAY,
    INT_MAX,
    LAST_DAY,
    LATEST,
    MICROSECOND,
)

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_NIL = bytes(16)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_START = re.compile(r"(?:0\d|1[01]):[0-5]\d|12:00", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_EPOCH_DAY = date(1970, 1, 1).toordinal()
MANY = 500


class Edge(BaseModel):
    """Base class of the input models: unknown fields are refused, types are not converted."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _wrong(reason: str) -> PydanticCustomError:
    return PydanticCustomError("hitotsu", reason)


def _id(value: object) -> bytes:
    found = b""
    if isinstance(value, str) and _UUID.fullmatch(value):
        found = bytes.fromhex(value.replace("-", ""))
    elif isinstance(value, UUID):
        found = value.bytes
    if found == _NIL:
        raise _wrong("must not be the nil UUID")
    if found:
        return found
    raise _wrong("must be a UUID, such as 0190163d-8694-739b-aea5-966c26f8ad90")


def _not_nil(value: UUID) -> UUID:
    if value.bytes == _NIL:
        raise _wrong("must not be the nil UUID")
    return value


def _instant(value: object) -> int:
    moment = value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            moment = datetime.fromisoformat(_micros_only(value))
        except ValueError:
            raise _wrong("is not a time that exists") from None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise _wrong("must be a time with an offset, such as 2026-04-01T10:15:00+09:00")
    micros = (moment - EPOCH) // MICROSECOND
    if not EARLIEST <= micros < LATEST:
        raise _wrong("must lie in the years 1900 to 2199")
    return micros


def _micros_only(text: str) -> str:
    """An RFC 3339 time as `datetime.fromisoformat` reads it: upper case, six decimals or none.

    Further decimals are cut off.
    """
    text = text.upper()
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = re.match(r"\d+", rest)
    count = digits.end() if digits else 0
    return f"{head}.{rest[: min(count, 6)]:0<6}{rest[count:]}"


def _date(value: object) -> int:
    day = value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise _wrong("is not a date that exists") from None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise _wrong("must be a date, such as 2026-04-01")
    days = day.toordinal() - _EPOCH_DAY
    if not FIRST_DAY <= days < LAST_DAY:
        raise _wrong("must lie in the years 1900 to 2199")
    return days


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise _wrong("must be a time zone of the IANA database, such as Asia/Tokyo")
    return value


def _day_start(value: str) -> str:
    if not _DAY_START.fullmatch(value):
        raise _wrong("must be a time of day from 00:00 to 12:00, such as 05:00")
    return value


@cache
def time_zones() -> frozenset[str]:
    """The names of time zones that a store may have; "localtime" and the like are machines' own."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def _date_text(value: object) -> str:
    return date.fromordinal(_date(value) + _EPOCH_DAY).isoformat()


def _currency(value: object) -> str:
    if isinstance(value, str) and value in MINOR_UNITS:
        return value
    if not isinstance(value, str):
        raise _wrong("must be a string")
    if not _CURRENCY.fullmatch(value):
        raise _wrong("must be three capital letters")
    raise _wrong("is not a currency code of ISO 4217 that is used for payment")


def _not_zero(value: int) -> int:
    if value == 0:
        raise _wrong("must not be 0")
    return value


def _barcode(value: str) -> str:
    wrong = barcodes.wrong_with(value)
    if wrong is not None:
        raise _wrong(wrong)
    return value


def _show_id(value: bytes) -> str:
    return str(UUID(bytes=value))


def _show_instant(value: int) -> str:
    return (EPOCH + timedelta(microseconds=value)).isoformat()


def _show_date(value: int) -> str:
    return date.fromordinal(value + _EPOCH_DAY).isoformat()


def _json(format_: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": format_})


def _no_repeats(*keys: str) -> AfterValidator:
    """Checks that no two elements of an array agree in all fields that `keys` names."""
    told = f"two elements have the same {' and '.join(keys)}"

    def check(items: list[Any]) -> list[Any]:
        if len({tuple(getattr(item, key) for key in keys) for item in items}) != len(items):
            raise _wrong(told)
        return items

    return AfterValidator(check)


_SHORT = r"^[^\x00-\x1f\x7f]*$"
_LONG = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_INT = Field(ge=-INT_MAX, le=INT_MAX)
_BIG = Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)

Id = Annotated[bytes, PlainValidator(_id), PlainSerializer(_show_id), _json("uuid")]
# an id in the body of a command: validated alike, but it stays a UUID
GivenId = Annotated[UUID, AfterValidator(_not_nil)]
Instant = Annotated[
    int, PlainValidator(_instant), PlainSerializer(_show_instant), _json("date-time")
]
Date = Annotated[int, PlainValidator(_date), PlainSerializer(_show_date), _json("date")]
DateText = Annotated[str, PlainValidator(_date_text), _json("date")]

Short = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_SHORT)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_SHORT)]
Barcode = Annotated[Code, AfterValidator(_barcode)]
# a code in a question or a command: normal where it is used, so that it finds what events tell
AskedCode = Annotated[str, AfterValidator(normal_code)]
AskedLocation = Annotated[str, AfterValidator(upper_code)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=_LONG)]
Currency = Annotated[
    str,
    PlainValidator(_currency),
    WithJsonSchema({"type": "string", "pattern": f"^{_CURRENCY.pattern}$"}),
]

TimeZone = Annotated[str, AfterValidator(_time_zone)]
DayStart = Annotated[str, AfterValidator(_day_start)]

Int = Annotated[int, _INT]
IntOrdinal = Annotated[int, Field(ge=1, le=INT_MAX)]
IntQuantity = Annotated[int, Field(ge=1, le=INT_MAX)]
IntCount = Annotated[int, Field(ge=0, le=INT_MAX)]
IntChange = Annotated[int, _INT, AfterValidator(_not_zero)]
Big = Annotated[int, _BIG]
Money = Annotated[int, _BIG]
BigQuantity = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
BigCount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
BigChange = Annotated[int, _BIG, AfterValidator(_not_zero)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
# decimal places of a quantity
Scale = Annotated[int, Field(ge=0, le=3)]
# hundredths of a percent, up to 1,000 %
BasisPoints = Annotated[int, Field(ge=0, le=100_000)]
ByLineNo = _no_repeats("line_no")
ByLineNoAndSku = _no_repeats("line_no", "sku")
ByLotId = _no_repeats("lot_id")
ByRate = _no_repeats("rate_basis_points")
BySkuAndLocation = _no_repeats("sku", "location_id")
