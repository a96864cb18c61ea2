"""Who calls, and for what purpose: from the bearer token and the header Purpose."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from services.http.bearer import token_of
from services.http.headers import header
from services.http.operation import Header
from services.http.problem import Refuse
from services.runtime.tokens import Tokens, allows

PURPOSES = ("support", "order_fulfilment", "loyalty", "operations")
PURPOSE = Header(
    "Purpose",
    "What personal values are used for. Without it, or without members:personal, they are null.",
    schema={"type": "string", "enum": list(PURPOSES)},
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Name and scopes of the token; `purpose`: the header Purpose, None if absent."""

    name: str
    scopes: frozenset[str]
    purpose: str | None = None

    def may(self, scope: str) -> bool:
        return allows(self.scopes, scope)


async def caller_of(request: Request, tokens: Tokens, scope: str) -> Caller:
    """The caller; raises a refusal as `token_of`, and 422 for an unknown purpose."""
    token = await token_of(request, tokens, scope)
    return Caller(token.name, token.scopes, _purpose(request))


def _purpose(request: Request) -> str | None:
    purpose = (header(request, b"purpose") or "").strip()
    if not purpose:
        return None
    if purpose not in PURPOSES:
        reason = f"must be one of {', '.join(PURPOSES)}"
        errors = [{"pointer": "/header/Purpose", "reason": reason}]
        raise Refuse(422, "Unprocessable Entity", f"The header Purpose {reason}.", errors=errors)
    return purpose
