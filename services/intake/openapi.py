"""What does the gateway's HTTP contract look like to a tool? An OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.generated.inputs import INPUTS, example
from schemas.rights import INTERNAL
from services.http.bodies import MAX_BYTES
from services.intake.body import JSON, MAX_EVENTS, NDJSON, SEALED

PROBLEM = "application/problem+json"
_AGAIN = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}
_REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "400": ("The body cannot be read.", {}),
    "401": ("No token, or one that is not known.", {}),
    "403": ("The token's scopes forbid it; nothing was appended.", {}),
    "408": ("The body did not arrive in time.", {}),
    "413": (f"More than {MAX_EVENTS} events or {MAX_BYTES} bytes.", {}),
    "415": ("Not one of the content types read here.", {}),
    "429": ("Too fast for this token, or too much waits for Kafka.", _AGAIN),
    "503": ("A server behind the gateway is away; send the same again.", _AGAIN),
}


def producer_events() -> list[str]:
    """The events that a producer may send."""
    return sorted(set(INPUTS) - INTERNAL)


def document() -> dict[str, Any]:
    """The whole OpenAPI document, made from the models that check what comes in."""
    _, schemas = models_json_schema(
        [(INPUTS[name], "validation") for name in producer_events()],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hitotsu gateway",
            "version": "1",
            "description": "Facts go in here: an answer per event, after Kafka acknowledged it.",
        },
        "paths": {"/v1/events": {"post": _events()}, "/v1/sealing-key": {"get": _sealing_key()}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**schemas.get("$defs", {}), **_answers()},
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _events() -> dict[str, Any]:
    names = producer_events()
    mapping = {name: f"#/components/schemas/{INPUTS[name].__name__}" for name in names}
    event = {
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    array = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_EVENTS}
    answered = {"application/json": {"schema": _ref("Answer")}}
    return {
        "operationId": "appendEvents",
        "summary": "Append events",
        "description": "A resend with the same `event_id` is accepted again and applied once.",
        "security": [{"token": []}],
        "parameters": [
            {
                "name": "traceparent",
                "in": "header",
                "description": "W3C trace context; rides along in Kafka's headers.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"oneOf": [event, array]},
                    "example": [example("PurchaseCompleted")],
                },
                NDJSON: {"schema": {"type": "string", "description": "One event a line."}},
                SEALED: {"schema": {"type": "array", "items": _ref("SealedEvent")}},
            },
        },
        "responses": {
            "202": {"description": "At least one event is in the log.", "content": answered},
            "422": {"description": "No event was accepted.", "content": answered},
            **{status: _refusal(*refusal) for status, refusal in _REFUSALS.items()},
        },
    }


def _refusal(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    made = {"description": description, "content": {PROBLEM: {"schema": _ref("Problem")}}}
    return {**made, "headers": headers} if headers else made


def _sealing_key() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["algorithm", "public_key"],
        "properties": {
            "algorithm": {"const": "x25519-sealedbox"},
            "public_key": {"type": "string", "contentEncoding": "base64"},
        },
    }
    return {
        "operationId": "sealingKey",
        "summary": "The public key that a till seals its offline buffer to",
        "responses": {
            "200": {"description": "The key.", "content": {"application/json": {"schema": schema}}}
        },
    }


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


def _answers() -> dict[str, Any]:
    text, whole = {"type": "string"}, {"type": "integer"}
    place = {"index": whole, "event_id": {"type": ["string", "null"]}}
    field = {"type": "string", "description": "Dotted path, e.g. lines.0.quantity"}
    accepted = {"status": {"const": "accepted"}, "topic": text, "partition": whole, "offset": whole}
    rejected = {"status": {"const": "rejected"}, "field": field, "reason": text}
    results = {"type": "array", "items": {"oneOf": [_ref("Accepted"), _ref("Rejected")]}}
    error = _object({"pointer": text, "reason": text})
    problem = {"type": text, "title": text, "status": whole, "detail": text}
    sealed = {"type": "string", "contentEncoding": "base64"}
    return {
        "Accepted": _object({**place, **accepted}),
        "Rejected": _object({**place, **rejected}),
        "Answer": _object({"results": results, "accepted": whole, "rejected": whole}),
        "Problem": _object(problem, {"errors": {"type": "array", "items": error}}),
        "SealedEvent": _object({"event_id": text, "sealed": sealed}),
    }
