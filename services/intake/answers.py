"""The request and response types of `POST /v1/events`; its documentation is generated from them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from schemas.generated.inputs import INPUTS, example
from schemas.rights import INTERNAL, RIGHTS
from services.http.operation import AnswerModel, Body, Header
from services.intake.body import JSON, MAX_EVENTS, NDJSON, SEALED

TRACEPARENT = Header("traceparent", "W3C trace context; it is copied to the headers in Kafka.")


class AcceptedEvent(AnswerModel):
    """An event that was appended to the log, at `topic`, `partition` and `offset`.

    `normalised`: the codes that were sent in another form than they are kept in.
    """

    index: int = Field(description="The event's index in the request, from 0.")
    event_id: str | None
    status: Literal["accepted"]
    topic: str
    partition: int
    offset: int
    normalised: dict[str, str] | SkipJsonSchema[None] = Field(
        None,
        description="By dotted path, such as lines.0.sku: the code as it is kept. Absent if every"
        " code was sent as it is kept.",
    )


class RejectedEvent(AnswerModel):
    """An event that was not appended; `reason`: what is wrong with `field`."""

    index: int = Field(description="The event's index in the request, from 0.")
    event_id: str | None
    status: Literal["rejected"]
    field: str = Field(description="Dotted path, such as lines.0.quantity; empty: the event.")
    reason: str


class EventResults(AnswerModel):
    """A result for every event, in the order sent; `accepted` and `rejected` are their numbers."""

    results: list[Annotated[AcceptedEvent | RejectedEvent, Field(discriminator="status")]]
    accepted: int = Field(ge=0)
    rejected: int = Field(ge=0)


class SealedEvent(AnswerModel):
    """An event of an offline till, encrypted with the gateway's public key."""

    event_id: str
    sealed: str = Field(description="Base64.", json_schema_extra={"contentEncoding": "base64"})


class SealingKey(AnswerModel):
    """The public key with which a till encrypts its offline buffer."""

    algorithm: Literal["x25519-sealedbox"]
    public_key: str = Field(description="Base64.", json_schema_extra={"contentEncoding": "base64"})


def producer_events() -> list[str]:
    """Names of the events that tokens may send, sorted."""
    return sorted(set(INPUTS) - INTERNAL)


def event_notes() -> dict[str, dict[str, Any]]:
    """Additions to the events' JSON schemas, by schema name: who may append it, and an example."""
    return {
        INPUTS[name].__name__: {
            "description": f"{INPUTS[name].__doc__ or ''}"
            f" May be appended by: {', '.join(RIGHTS[name].roles)}.",
            "examples": [example(name)],
        }
        for name in producer_events()
    }


def events_body() -> Body:
    """The accepted request bodies: an event, an array of events, JSON lines, or an array of sealed
    events.
    """
    union: Any = reduce(or_, (INPUTS[name] for name in producer_events()))
    event: Any = Annotated[union, Field(discriminator="type")]
    many: Any = Annotated[list[event], Field(min_length=1, max_length=MAX_EVENTS)]
    lines: Any = Annotated[str, Field(description="One event per line.")]
    sealed: Any = Annotated[list[SealedEvent], Field(min_length=1, max_length=MAX_EVENTS)]
    return Body(
        {JSON: event | many, NDJSON: lines, SEALED: sealed}, ([example("PurchaseCompleted")],)
    )
