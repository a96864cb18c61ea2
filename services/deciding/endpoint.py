"""The HTTP side of commands: checks token, scope, idempotency key and body, and asks the decider.

The same `Idempotency-Key` of a token gets the same answer, denials included, as long as answers are
stored. The same key with another body or address is refused (422). While this process decides the
key, every further request with it is refused (409).
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
    "A command with this key is being decided; send it again after `Retry-After` seconds.",
)  # fmt: skip
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a command has beside its body: token, path parameters, and an id.

    `made_id`: a new id, for the thing that the command creates.
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
    "Identifies the command: the same key gets the same answer. Required except for a dry run.",
    schema={"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[ -~]+$"},
)


class NamedById(BaseModel):
    """The path parameter `id`."""

    id: UUID


@dataclass(frozen=True, slots=True)
class CommandRoute:
    """Makes the POST operations of commands; `scope` and `tag` are the same for all of them."""

    scope: str
    tag: str

    def at(
        self, door: Door, path: str, name: str, summary: str, kind: type[Body],
        command: Callable[[Body, Sent], Any], reply: Reply, *problems: ProblemType,
        status: int = 200,
    ) -> Operation:  # fmt: skip
        """A POST operation that decides one command.

        `status`: the HTTP status if it is accepted; a dry run gets 200.
        """

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
    """What the routes of a decider use; `needs`: projections that its decisions read."""

    tokens: Tokens
    decider: Decider
    builds: Builds
    needs: frozenset[str]

    def check_built(self) -> None:
        """Raises a refusal (503) while a projection in `needs` is being built."""
        try:
            self.builds.check(self.needs)
        except BeingBuilt as error:
            raise building_problem.refusal(error.build) from None

    async def take(
        self, request: Request, scope: str, kind: type[Body],
        command: Callable[[Body, Sent], Any], parameters: type[BaseModel] | None = None,
    ) -> Response:  # fmt: skip
        """Validates the request, waits for the decision, and returns the answer; raises refusals.

        `parameters`: the model of the path parameters; None if there are none.
        """
        token = await token_of(request, self.tokens, scope)
        self.check_built()
        in_path = parameters_of(request, parameters, ()) if parameters else {}
        body = await read_as(request, kind)
        key = None if getattr(body, "dry_run", False) else _key(request)
        # the id is random: a key may be used again after its answer was deleted
        sent = Sent(token, uuid4(), in_path)
        said = f"{request.scope['path']}\0{body.model_dump_json()}".encode()
        keyed = Keyed(token.name, key, blake2b(said, digest_size=16).digest(), command(body, sent))
        try:
            answer = await self.decider.ask(keyed)
        except InFlight:
            detail = "A command with this Idempotency-Key is being decided; send it again."
            raise Refuse.of(IN_FLIGHT, detail, retry_after=1) from None
        except NotDecided as error:
            detail = f"Not decided: {error}. Send it again with the same Idempotency-Key."
            raise Refuse(503, "Service Unavailable", detail, retry_after=1) from None
        return respond(answer)


def respond(answer: Answer) -> Response:
    """The HTTP response; from status 400 its media type is application/problem+json."""
    media = PROBLEM_JSON if answer.status >= 400 else "application/json"
    return Response(answer.body, answer.status, media_type=media)


def within_channel(token: Token, channel: str) -> None:
    """Raises a refusal (403) if the token's scopes do not include the channel."""
    if not token.within("channel", channel):
        errors = [{"pointer": "/channel", "reason": "outside the token's channel scopes"}]
        raise Refuse(
            403, "Forbidden", "The token's scopes do not include this channel.", errors=errors
        )


def path_id(request: Request) -> UUID:
    """The `id` in the path; raises a refusal (422) if it is not a UUID."""
    found: UUID = parameters_of(request, NamedById, ())["id"]
    return found


async def read_as(request: Request, kind: type[Body]) -> Body:
    """The body, validated by its model; an empty one counts as `{}`.

    Raises a refusal: 415 (media type), 413 and 408 (too large, too slow), 400 (not JSON), or 422,
    which names every invalid field.
    """
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
    # only a body with this escape can contain U+0000, which Postgres cannot store
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
