"""Tells which dead letters are about a person: they are emptied when the person is erased.

A letter is about a person if its record's key is the person's profile id. Sales are keyed by their
transaction and name the profile in their value, so that value is searched for the id's 16 bytes.
"""

from __future__ import annotations

from typing import LiteralString

# the topics whose events name a profile in their value and not as their key
NAMED_WITHIN = ("commerce.purchases",)
# of a letter `l`, and `{subject}`, an expression for the 16 bytes of a profile id
ABOUT: LiteralString = """(l.record_key = {subject}
    or l.topic = 'commerce.purchases' and position({subject} in l.record_value) > 0)"""


def is_about(subject: bytes, topic: str, key: bytes | None, value: bytes | None) -> bool:
    """Whether a dead letter is about the person with this profile id."""
    return key == subject or (topic in NAMED_WITHIN and value is not None and subject in value)
