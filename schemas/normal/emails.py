"""The normal form of an e-mail address: two spellings of the same mailbox become equal."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from schemas.normal.providers import EVERYBODY_ELSE, PROVIDERS, Provider
from schemas.normal.text import composed

_USUAL = re.compile(r"[a-z0-9_+-]{1,30}(?:\.[a-z0-9_+-]{1,30})?")
_SURELY_SHORT = 200
_WRONG = "is not an e-mail address"


def email(text: str) -> str | None:
    """The address in lower case, with an ASCII domain, without parts that its provider ignores.

    None if the text is not an e-mail address.
    """
    try:
        return mailbox(text)
    except ValueError:
        return None


def mailbox(text: str) -> str:
    """As `email`, but raises ValueError with a reason, which never quotes the address.

    Makes no DNS query.
    """
    local, at, domain = composed(composed(text).casefold()).rpartition("@")
    if not (at and local and domain):
        raise ValueError(f"{_WRONG}: needs exactly one @ with text before and after it")
    provider = PROVIDERS.get(domain, EVERYBODY_ELSE)
    ascii_domain = _checked(local, domain, provider)
    return f"{_local(local, provider)}@{provider.domain or ascii_domain}"


def _checked(local: str, domain: str, provider: Provider) -> str:
    """The domain as ASCII; raises ValueError if the address is malformed."""
    if _USUAL.fullmatch(local) and len(local) + len(domain) <= _SURELY_SHORT:
        return _ascii(domain)
    if provider.allows_stray_dots:
        local = re.sub(r"\.+", ".", local).strip(".")
    return _library(local, domain)


@lru_cache(maxsize=4096)
def _ascii(domain: str) -> str:
    """The domain in ASCII (IDNA); cached, because the library takes 20 µs and domains repeat."""
    return _library("a", domain)


def _library(local: str, domain: str) -> str:
    try:
        found = validate_email(f"{local}@{domain}", check_deliverability=False)
    except EmailNotValidError:
        # The library's message quotes the address.
        raise ValueError(f"{_WRONG}: its syntax is invalid") from None
    return str(found.ascii_domain)


def _local(local: str, provider: Provider) -> str:
    mailbox = local
    if provider.tag:
        mailbox = local.partition(provider.tag)[0]
    if provider.ignores_dots:
        mailbox = mailbox.replace(".", "")
    return mailbox or local
