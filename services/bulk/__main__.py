"""Sends a file of events, one JSON object per line: `python -m services.bulk FILE.ndjson` (or -).

With `--role ROLE` only events that this role may append are accepted.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import uvloop
from pydantic import ValidationError

from schemas.rights import OPERATIONS, ROLES, Role
from services.intake.bulk import BulkProducer, Counts
from services.intake.records import KeysUnavailable, Refusal
from services.runtime.config import Settings
from services.runtime.logging import configure
from services.runtime.producer import KafkaAway
from services.runtime.strict_json import Unreadable, loads


def _events(file: Iterable[bytes]) -> Iterator[Any]:
    for line in file:
        if line.strip():
            try:
                yield loads(line)
            except Unreadable as error:
                yield Refusal("", str(error), "unreadable")


async def _send(settings: Settings, file: Iterable[bytes], role: Role) -> Counts:
    async with BulkProducer(settings, role=role) as bulk:
        return await bulk.send(_events(file))


def _told(counts: Counts) -> str:
    shown = [
        {"event": index, "field": refusal.field, "reason": refusal.reason}
        for index, refusal in counts.refusals
    ]
    totals = {"accepted": counts.accepted, "rejected": counts.rejected}
    return json.dumps({**totals, "by_type": counts.by_type, "refusals": shown}, indent=2)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main(arguments: list[str]) -> int:
    """Sends the file; prints the counts as JSON.

    Returns the exit status: 0: all events accepted, or help printed; 1: some refused; 2: it failed.
    """
    parser = argparse.ArgumentParser("python -m services.bulk", exit_on_error=False)
    parser.add_argument("file", help="JSON events, one per line; - reads standard input")
    parser.add_argument(
        "--role", choices=list(ROLES), default=OPERATIONS,
        help="accept only events that this role may append",
    )  # fmt: skip
    try:
        given = parser.parse_args(arguments)
    except SystemExit as asked:  # argparse printed the help or an error
        return int(asked.code or 0)
    except argparse.ArgumentError as error:
        _say(f"{parser.format_usage()}{error}")
        return 2
    # Events are short-lived and have no reference cycles: the collector would only cost time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        settings = Settings()
        configure("bulk", settings.log_level)
        if given.file == "-":
            counts = uvloop.run(_send(settings, sys.stdin.buffer, given.role))
        else:
            with open(given.file, "rb") as file:
                counts = uvloop.run(_send(settings, file, given.role))
    except ValidationError as error:
        wrong = ", ".join("HITOTSU_" + str(each["loc"][0]).upper() for each in error.errors())
        _say(f"settings that are missing or invalid in the environment: {wrong}")
        return 2
    except OSError as error:
        _say(f"{given.file}: {error.strerror}")
        return 2
    except (KafkaAway, KeysUnavailable) as error:
        away = "Kafka" if isinstance(error, KafkaAway) else "Postgres"
        _say(f"{away} was away for too long: run the command again, a resend is safe")
        return 2
    sys.stdout.write(_told(counts) + "\n")
    return 1 if counts.rejected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
