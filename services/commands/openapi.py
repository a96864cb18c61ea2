"""What does the HTTP contract of commands look like to a tool? An OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.deciding.endpoint import HEADER
from services.points.holds.commands import CaptureBody, HoldBody, RedeemBody, ReleaseHoldBody
from services.points.holds.offline_limit import LIMIT, OVER
from services.points.holds.routes import BASE as HOLDS
from services.points.holds.routes import REDEMPTIONS
from services.points.returns.quote import ReturnBody
from services.points.returns.routes import RETURNS
from services.stock.commands import CommitBody, ExtendBody, ReleaseBody, ReserveBody
from services.stock.location_choice import PickBody
from services.stock.routes import BASE

COMMANDS: dict[str, tuple[str, type[BaseModel], str]] = {
    BASE: ("reserveStock", ReserveBody, "Hold units for a while"),
    BASE + "/{id}/extend": ("extendStock", ExtendBody, "Hold them longer"),
    BASE + "/{id}/commit": ("commitStock", CommitBody, "Promise them to an order"),
    BASE + "/{id}/release": ("releaseStock", ReleaseBody, "Let them go"),
    HOLDS: ("holdPoints", HoldBody, "Hold points for a while"),
    HOLDS + "/{id}/capture": ("capturePoints", CaptureBody, "Spend what is held, all or some"),
    HOLDS + "/{id}/release": ("releasePoints", ReleaseHoldBody, "Let them go"),
    REDEMPTIONS: ("redeemPoints", RedeemBody, "Spend points at once"),
    RETURNS: ("returnPoints", ReturnBody, "Goods come back: take points back, give points back"),
}
MAKES = (BASE, HOLDS)
_NO = {
    "400": "The body or the key cannot be read.",
    "401": "No token, or one that is not known.",
    "403": "The token's scopes forbid it.",
    "404": "There is no such reservation, hold or purchase, or nothing is known of the profile.",
    "409": "No: out of stock, not enough points, expired, resolved before, or being decided now.",
    "413": "The body holds more than a command may.",
    "415": "Not JSON.",
    "422": "Not such a command, or the key was sent before with another body.",
    "503": "Not decided; send the same with the same key again.",
}


def document() -> dict[str, Any]:
    """The whole document, made from the models that check what comes in."""
    kinds: list[type[BaseModel]] = [*(kind for _, kind, _ in COMMANDS.values()), PickBody]
    _, made = models_json_schema(
        [(kind, "validation") for kind in kinds],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hitotsu commands",
            "version": "1",
            "description": "What may be refused is decided here, once for each key.",
        },
        "paths": {
            **{path: {"post": _post(path, *what)} for path, what in COMMANDS.items()},
            BASE + "/{id}": {"get": _get("reservation", "What became of a reservation")},
            HOLDS + "/{id}": {"get": _get("pointsHold", "What became of a hold of points")},
            "/v1/stock/pick": {"post": _pick()},
            LIMIT: {"get": _limit()},
            OVER: {"get": _over()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**made.get("$defs", {}), "Problem": {"type": "object"}},
        },
    }


def _post(path: str, name: str, kind: type[BaseModel], summary: str) -> dict[str, Any]:
    key = {"name": HEADER, "in": "header", "schema": {"type": "string", "maxLength": 255}}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}],
        "parameters": [key, *([_id()] if "{id}" in path else [])],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}
            },
        },
        "responses": {
            "201" if path in MAKES else "200": {"description": "Yes."},
            **_refusals(_NO),
        },
    }


def _pick() -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/PickBody"}}}
    return {
        "operationId": "pickLocation",
        "summary": "Which location serves an order? Advisory: nothing is held",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "Locations that have every line, the best first."},
            **_refusals({status: _NO[status] for status in ("400", "401", "403", "415")}),
        },
    }


def _get(name: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}],
        "parameters": [_id()],
        "responses": {
            "200": {"description": "Its state and lines."},
            **_refusals({status: _NO[status] for status in ("401", "403", "404")}),
        },
    }


def _limit() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 64}
    return {
        "operationId": "offlineLimit",
        "summary": "What a terminal may redeem while nobody can be asked",
        "security": [{"token": []}],
        "parameters": [
            {"name": name, "in": "query", "required": True, "schema": text}
            for name in ("store_id", "terminal_id")
        ],
        "responses": {
            "200": {"description": "The limit of one redemption, and the rules that say so."},
            **_refusals({status: _NO[status] for status in ("401", "403", "422")}),
        },
    }


def _over() -> dict[str, Any]:
    return {
        "operationId": "unauthorisedRedemptions",
        "summary": "What tills redeemed unasked above their limit, the newest first",
        "security": [{"token": []}],
        "responses": {
            "200": {"description": "Redemptions, each with the limit that was in force."},
            **_refusals({status: _NO[status] for status in ("401", "403")}),
        },
    }


def _id() -> dict[str, Any]:
    uuid = {"type": "string", "format": "uuid"}
    return {"name": "id", "in": "path", "required": True, "schema": uuid}


def _refusals(what: dict[str, str]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": said, "content": problem} for status, said in what.items()}
