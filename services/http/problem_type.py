"""Problem types (`type` of RFC 9457): each is declared once, beside the code that raises it.

OpenAPI schemas and the pages at `/problems/<slug>` are generated from the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, with_config
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

PROBLEM_JSON = "application/problem+json"
DECLARED: dict[str, ProblemType] = {}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem.

    `meaning`: what its page says. `members`: additional members, name to type; those given as
    (type, default) can be absent.
    """

    slug: str
    status: int
    title: str
    meaning: str
    members: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.slug in DECLARED and DECLARED[self.slug] != self:
            raise TypeError(f"/problems/{self.slug} is declared twice")
        DECLARED[self.slug] = self

    @property
    def uri(self) -> str:
        """The value of the member `type`: the path of the page."""
        return f"/problems/{self.slug}"


@with_config(ConfigDict(extra="forbid"))
class FieldError(TypedDict):
    """An error in one field of the request."""

    pointer: Annotated[
        str,
        Field(
            description="A JSON pointer that begins with `/query`, `/path` or `/header`, or else"
            " points into the body (in the read API after `/body`)."
        ),
    ]
    reason: str


def may_be_absent(kind: Any) -> tuple[Any, None]:
    """The declaration of a member that can be absent, but is never null."""
    nothing: Any = Annotated[None, SkipJsonSchema()]  # type: ignore[type-arg]
    return kind | nothing, None


BAD_REQUEST = ProblemType(
    "bad-request", 400, "Bad Request",
    "The request could not be read; `detail` says why.",
)  # fmt: skip
UNAUTHORIZED = ProblemType(
    "unauthorized", 401, "Unauthorized",
    "The request needs the header `Authorization: Bearer <token>` with a valid token.",
)  # fmt: skip
FORBIDDEN = ProblemType(
    "forbidden", 403, "Forbidden", "The token is valid, but its scopes do not allow this."
)
NOT_FOUND = ProblemType("not-found", 404, "Not Found", "There is nothing at this address.")
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "Method Not Allowed",
    "This address does not have this method; see the header `Allow`.",
)  # fmt: skip
REQUEST_TIMEOUT = ProblemType(
    "request-timeout", 408, "Request Timeout", "The head or the body did not arrive in time."
)
CONTENT_TOO_LARGE = ProblemType(
    "request-entity-too-large", 413, "Content Too Large",
    "The body has more bytes or events than allowed.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", 415, "Unsupported Media Type",
    "The body's content type is not supported at this address.",
)  # fmt: skip
UNPROCESSABLE = ProblemType(
    "unprocessable-entity", 422, "Unprocessable Entity",
    "The request was read, but has invalid values; see `errors`.",
)  # fmt: skip
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests", 429, "Too Many Requests",
    "A limit is reached. Send the request again after `Retry-After` seconds.",
)  # fmt: skip
HEAD_TOO_LARGE = ProblemType(
    "request-head-too-large", 431, "Request Header Fields Too Large",
    "The request line and headers hold more than 65,536 bytes.",
)  # fmt: skip
INTERNAL_SERVER_ERROR = ProblemType(
    "internal-server-error", 500, "Internal Server Error",
    "The process failed unexpectedly; its log has the error.",
)  # fmt: skip
SERVICE_UNAVAILABLE = ProblemType(
    "service-unavailable", 503, "Service Unavailable",
    "A server that is needed is unreachable. Send again after `Retry-After` seconds.",
)  # fmt: skip
GATEWAY_TIMEOUT = ProblemType(
    "gateway-timeout", 504, "Gateway Timeout", "The answer was not ready within the time allowed."
)
# the problem type of a refusal that gives only a status
BY_STATUS = {each.status: each for each in DECLARED.values()}

# after BY_STATUS, so that a refusal of 503 without type is `service-unavailable`
BUILDING = ProblemType(
    "building", 503, "Building",
    "A projection that is needed is being built from the log; see `read` and `total`.",
    {"projection": str, "read": int | None, "total": int | None},
)  # fmt: skip
