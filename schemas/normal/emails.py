"""The normal form of an e-mail address: two spellings of one mailbox become equal."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from schemas.normal.providers import EVERYBODY_ELSE, PROVIDERS, Provider
from schemas.normal.text import composed

_USUAL = re.compile(r"[a-z0-9_+-]{1,30}(?:\.[a-z0-9_+-]{1,30})?")
_SURELY_SHORT = 200
_WRONG = "is not an e-mail address"


def email(text: str) -> str | None:
    """Lower case, ASCII domain, without parts that the provider ignores; None when it is not an
    address.
    """
    try:
        return mailbox(text)
    except ValueError:
        return None


def mailbox(text: str) -> str:
    """As `email`, but raises ValueError with the reason (never quoting the address). Makes no DNS
    query.
    """
    local, at, domain = composed(composed(text).casefold()).rpartition("@")
    if not (at and local and domain):
        raise ValueError(f"{_WRONG}: needs exactly one @ with text before and after it")
    provider = PROVIDERS.get(domain, EVERYBODY_ELSE)
    ascii_domain = _checked(local, domain, provider)
    return f"{_local(local, provider)}@{provider.domain or ascii_domain}"


def _checked(local: str, domain: str, provider: Provider) -> str:
    """The domain as ASCII; raises ValueError unless the whole address is well formed."""
    if _USUAL.fullmatch(local) and len(local) + len(domain) <= _SURELY_SHORT:
        return _ascii(domain)
    if provider.allows_stray_dots:
        local = re.sub(r"\.+", ".", local).strip(".")
    return _library(local, domain)


@lru_cache(maxsize=4096)
def _ascii(domain: str) -> str:
    """The domain in ASCII (IDNA); cached, because the library needs 20 µs for each and domains
    repeat.
    """
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
