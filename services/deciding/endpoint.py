"""The HTTP side of a command: token, scope, idempotency key, body; then one decision and its
answer.

The same `Idempotency-Key` gets the same answer, denials included, as long as answers are stored.
With another body it is refused; while it is being decided, the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.deciding.answers import KEY_REUSED, Answer, Keyed
from services.deciding.decider import Decider, InFlight, NotDecided
from services.http import building_problem
from services.http.bearer import token_of
from services.http.bodies import read_body, size_of
from services.http.operation import Header, Operation, Reply, json_body
from services.http.parameters import parameters_of
from services.http.postgres_limits import unstorable
from services.http.problem import Refuse
from services.http.problem_type import BUILDING, PROBLEM_JSON, ProblemType
from services.runtime.build_state import BeingBuilt, Builds
from services.runtime.strict_json import Unreadable, loads
from services.runtime.tokens import Token, Tokens

HEADER = "Idempotency-Key"
KEY_MAX, BODY_MAX = 255, 65_536


IN_FLIGHT = ProblemType(
    "in-flight", 409, "In flight",
    "The same command is being decided; send it again after `Retry-After` seconds.",
)  # fmt: skip
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Sent:
    """What belongs to a command beside its body: the token, and the id of what it would create.

    `parameters`: the validated path parameters of its operation.
    """

    token: Token
    made_id: UUID
    parameters: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The `id` in the path."""
        found: UUID = self.parameters["id"]
        return found


KEY = Header(
    HEADER,
    "Names the command: the same key gets the same answer. Needed unless it is a dry run.",
    schema={"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[ -~]+$"},
)


class NamedById(BaseModel):
    """The path parameter `id`."""

    id: UUID


@dataclass(frozen=True, slots=True)
class CommandRoute:
    """What all routes of one kind of command share."""

    scope: str
    tag: str

    def at(
        self, door: Door, path: str, name: str, summary: str, kind: type[Body],
        command: Callable[[Body, Sent], Any], reply: Reply, *problems: ProblemType,
        status: int = 200,
    ) -> Operation:  # fmt: skip
        """A POST that decides one command. `status`: when accepted; for a dry run 200."""

        parameters = NamedById if "{id}" in path else None

        async def endpoint(request: Request) -> Response:
            return await door.take(request, self.scope, kind, command, parameters)

        replies = {status: reply}
        if "dry_run" in kind.model_fields:
            replies.setdefault(200, replace(reply, description="What would be decided.", links={}))
        return Operation(
            method="POST", path=path, name=name, summary=summary, tag=self.tag,
            description=" ".join((kind.__doc__ or "").split()), endpoint=endpoint,
            scope=self.scope, parameters=parameters,
            body=json_body(kind), replies=replies, idempotency=KEY,
            problems=(BUILDING, IN_FLIGHT, KEY_REUSED, *problems),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Door:
    """Access to one decider; `needs`: the projections on which its decisions depend."""

    tokens: Tokens
    decider: Decider
    builds: Builds
    needs: frozenset[str]

    def check_built(self) -> None:
        """Refuses (503) while one of these projections is being built."""
        try:
            self.builds.check(self.needs)
        except BeingBuilt as error:
            raise building_problem.refusal(error.build) from None

    async def take(
        self, request: Request, scope: str, kind: type[Body],
        command: Callable[[Body, Sent], Any], parameters: type[BaseModel] | None = None,
    ) -> Response:  # fmt: skip
        """Validates the request, has it decided, and answers. `parameters`: path parameters."""
        token = await token_of(request, self.tokens, scope)
        self.check_built()
        in_path = parameters_of(request, parameters, ()) if parameters else {}
        body = await read_as(request, kind)
        key = None if getattr(body, "dry_run", False) else _key(request)
        # not derived from the key, which may be reused once its answer is deleted
        sent = Sent(token, uuid4(), in_path)
        said = f"{request.scope['path']}\0{body.model_dump_json()}".encode()
        keyed = Keyed(token.name, key, blake2b(said, digest_size=16).digest(), command(body, sent))
        try:
            answer = await self.decider.ask(keyed)
        except InFlight:
            detail = "A command with this Idempotency-Key is being decided; ask again."
            raise Refuse.of(IN_FLIGHT, detail, retry_after=1) from None
        except NotDecided as error:
            detail = f"Not decided: {error}. Send the same with the same Idempotency-Key again."
            raise Refuse(503, "Service Unavailable", detail, retry_after=1) from None
        return respond(answer)


def respond(answer: Answer) -> Response:
    """The HTTP response; problems get the media type application/problem+json."""
    media = PROBLEM_JSON if answer.status >= 400 else "application/json"
    return Response(answer.body, answer.status, media_type=media)


def within_channel(token: Token, channel: str) -> None:
    """Refuses a channel that the token's scopes do not include."""
    if not token.within("channel", channel):
        errors = [{"pointer": "/channel", "reason": "outside the token's channel scopes"}]
        raise Refuse(
            403, "Forbidden", "The token's scopes do not include this channel.", errors=errors
        )


def path_id(request: Request) -> UUID:
    """The `id` in the address; 422 naming the field when it is not a UUID."""
    found: UUID = parameters_of(request, NamedById, ())["id"]
    return found


async def read_as(request: Request, kind: type[Body]) -> Body:
    """The body, validated against the model, or a refusal that names each wrong field."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Refuse(415, "Unsupported Media Type", "Content-Type must be application/json.")
    size_of(request, BODY_MAX)
    text = await read_body(request, BODY_MAX) or b"{}"
    try:
        loads(text)  # strict JSON: no duplicate keys
    except Unreadable as error:
        raise Refuse(400, "Bad Request", f"The body cannot be read: {error}.") from None
    try:
        body = kind.model_validate_json(text)
    except ValidationError as error:
        errors = [
            {"pointer": "/" + "/".join(map(str, one["loc"])), "reason": one["msg"]}
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "The body is not valid for this command; see `errors`."
        raise Refuse(422, "Unprocessable Entity", detail, errors=errors) from None
    # a text holds U+0000 only as its escape
    if b"\\u0000" in text and (refused := [*unstorable("", body.model_dump())]):
        detail = "The body has values that cannot be stored; see `errors`."
        raise Refuse(422, "Unprocessable Entity", detail, errors=refused)
    return body


def _key(request: Request) -> str:
    key = request.headers.get(HEADER, "")
    if not 0 < len(key) <= KEY_MAX or not (key.isascii() and key.isprintable()):
        detail = f"Send the header `{HEADER}`: 1 to {KEY_MAX} printable ASCII characters."
        raise Refuse(400, "Bad Request", detail)
    return key
