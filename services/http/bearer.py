"""Authenticates a request by its bearer token and checks the scope."""

from __future__ import annotations

from starlette.requests import Request

from services.http.headers import header
from services.http.health import Dependency
from services.http.problem import Refuse
from services.runtime.readiness import NotReady
from services.runtime.tokens import Token, Tokens, TokensUnavailable

LONGEST = 512
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hitotsu"'}
_INVALID = {"WWW-Authenticate": 'Bearer realm="hitotsu", error="invalid_token"'}


_OLDER = ("UndefinedColumn", "UndefinedTable", "InvalidSchemaName")


def tokens_needed(tokens: Tokens) -> Dependency:
    """The readiness check of the token cache: without tokens, routes with a scope answer 503."""

    async def readable() -> None:
        try:
            await tokens.check()
        except TokensUnavailable as error:
            older = str(error) in _OLDER
            hint = "; run `hitotsu prepare`, which creates what is missing" if older else ""
            raise NotReady(f"tokens cannot be read: {error}{hint}") from None

    return Dependency("tokens", readable)


async def token_of(request: Request, tokens: Tokens, scope: str) -> Token:
    """The token of the request; raises a refusal: 401 (no valid token), 403 (scope), 503."""
    scheme, _, bearer = (header(request, b"authorization") or "").partition(" ")
    bearer = bearer.strip()
    if scheme.lower() != "bearer" or not 0 < len(bearer) <= LONGEST:
        detail = "Send the header `Authorization: Bearer <token>`."
        raise Refuse(401, "Unauthorized", detail, headers=_CHALLENGE)
    try:
        token = await tokens.of(bearer)
    except TokensUnavailable:
        detail = "Tokens cannot be checked at the moment."
        raise Refuse(503, "Service Unavailable", detail, retry_after=2) from None
    if token is None:
        raise Refuse(401, "Unauthorized", "The token is unknown or revoked.", headers=_INVALID)
    if not token.may(scope):
        raise Refuse(403, "Forbidden", f"The token lacks the scope `{scope}`.")
    return token
