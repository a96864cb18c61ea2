"""Structured logs: one JSON object per line on stderr, without personal data.

Each call names its fields. Bodies, names and identifiers of persons, and arguments of validation
errors are never logged; `redact` additionally removes what looks like an e-mail address or a phone
number.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

_LOOKS_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+|(?<![\w-])(?:\+81|0)\d{1,4}[- ]?\d{1,4}[- ]?\d{3,4}(?![\w-])"
)


def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replaces e-mail addresses and phone numbers in the texts of a log event by `<personal>`."""
    for name, value in event.items():
        if isinstance(value, str) and name != "timestamp":
            event[name] = _LOOKS_PERSONAL.sub("<personal>", value)
    return event


def configure(process: str, level: str = "info") -> None:
    """Writes the logs of structlog and of `logging` to stderr as JSON lines.

    `process`: its name in every line. `level`: the lowest level that is written.
    """

    def named(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        # not a context variable: threads start with an empty context
        event["process"] = process
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        named,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for noisy in ("aiokafka", "kafka", "faust", "mode", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


log: structlog.stdlib.BoundLogger = structlog.get_logger()
