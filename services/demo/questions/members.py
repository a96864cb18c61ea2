"""Checks that every identifier resolves to its customer's member, without other profiles.

A customer whose two profiles were not linked is two members, each with its own identifiers.
"""

from __future__ import annotations

from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

_PROFILE = {"card": "card", "phone": "card", "account": "account", "email": "account"}
Expected = tuple[int, list[tuple[Any, ...]]]


async def ask(asking: PendingQuestion) -> None:
    mailboxes = asking.oracle.mailboxes()

    async def customer(expected: Expected) -> None:
        number, profiles = expected
        group = [(profile, number) for (profile,) in profiles]
        shown = _identifiers(number, mailboxes.get(number))
        found = await asking.answers.resolved(shown)
        wanted = dict.fromkeys(shown, group)
        if number in asking.answers.apart:
            wanted = {kind: [(_PROFILE[kind], number)] for kind in shown}
        asking.row.mapping(f"customer {number} by ", wanted, found)
        asking.answered()

    await in_parallel(asking.by_customer("members"), customer)
    await _nobody_else(asking)


async def _nobody_else(asking: PendingQuestion) -> None:
    """Checks that the list of all members has every expected member once, and no other."""
    groups: dict[tuple[tuple[str, int], ...], int] = {}
    for number, profiles in asking.by_customer("members"):
        group = tuple((profile, number) for (profile,) in profiles)
        apart = number in asking.answers.apart
        groups |= {(one,): 1 for one in group} if apart else {group: 1}
    listed: dict[tuple[tuple[str, int], ...], int] = {}
    async for member in asking.answers.pages("/v1/members"):
        asking.tally["members"] += 1
        group = tuple(asking.answers.profiles(member["profile_ids"]))
        listed[group] = listed.get(group, 0) + 1
    asking.row.mapping("members with profiles ", groups, listed)


def _identifiers(customer: int, mailbox: str | None) -> dict[str, str]:
    """A customer's identifiers by kind, some spelled otherwise than in the events."""
    shown = {
        "card": names.customer_id(names.POS, customer),
        "account": names.customer_id(names.EC, customer),
        "phone": names.phone(customer),
    }
    return shown | ({"email": mailbox.upper()} if mailbox else {})
