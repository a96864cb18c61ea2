"""Estimates new match rules from all known profiles."""

from __future__ import annotations

import asyncio
import json

from psycopg import AsyncConnection

from projections.member.rules import DEFAULT, MatchRules, read_rules
from services.identity.matching.estimate import estimate
from services.identity.replay.moment import Moved, moment
from services.identity.replay.run import CannotReplay, check_size
from services.identity.rules import newest
from services.runtime.config import Settings
from services.runtime.db import conninfo, pool
from services.runtime.keys import SubjectKeys


async def estimated(settings: Settings, version: str, moved: Moved) -> MatchRules:
    """The rules in force (or the defaults) as `version`, with a model of the present profiles.

    Raises `CannotReplay` when there are too few profiles, or the model is too large for an event.
    """
    postgres = pool(settings.postgres, group=settings.group, name="estimate", timeout=5.0)
    await postgres.open(wait=True)
    try:
        keys = SubjectKeys(postgres, settings.key_encryption_key)
        where = conninfo(settings.postgres, group=settings.group, name="estimate")
        async with await AsyncConnection.connect(where, autocommit=True) as connection:
            now = await moment(connection, keys, settings.group, moved)
            text = await newest(connection)
    finally:
        await postgres.close()
    try:
        model = await asyncio.to_thread(estimate, now.features.values())
    except ValueError as error:
        raise CannotReplay(str(error)) from None
    before = DEFAULT if text is None else read_rules(*text)
    matching = json.loads(model.to_json())
    rules = before.model_copy(update={"version": version, "matching": matching})
    check_size(rules)
    return rules
