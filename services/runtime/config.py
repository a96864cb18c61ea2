"""The settings of a process, from the environment (`HITOTSU_*`).

They are read once, when the process starts, and passed down.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.groups import LIVE


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64") from error
    if len(key) != 32:
        raise ValueError(f"must be 32 bytes in base64, not {len(key)}")
    return key


Key = Annotated[bytes, BeforeValidator(_key)]


class Settings(BaseSettings):
    """All settings of all processes; a field's variable is HITOTSU_ and its name in capitals.

    A variable that is set to "" counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix="HITOTSU_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers, host:port,...")
    postgres: str = Field("postgresql://postgres@127.0.0.1:5432/postgres", description="DSN")
    redis: str = Field("redis://127.0.0.1:6379/0", description="URL of Redis or Valkey")
    registry: str | None = Field(None, description="Base URL of the Confluent-compatible registry")
    key_encryption_key: Key = Field(repr=False, description="Key that encrypts the subject keys")
    blind_index_key: Key = Field(repr=False, description="Key of the hashes in blind indexes")
    gateway_private_key: Key = Field(repr=False, description="X25519; opens the buffers of tills")
    host: str = Field("127.0.0.1", description="Address to serve HTTP on")
    port: int = Field(0, ge=0, le=65535, description="Port of HTTP; 0: any free port")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of the projector's health and metrics; 0: any free"
    )
    group: str = Field(
        LIVE,
        pattern=r"^[a-z][a-z0-9_]{0,40}$",
        description="Group of projections: name of its schema, and after `hitotsu-` of its consumer"
        " group",
    )
    instance: str = Field("", description="Name of this process in logs and as a Kafka client")
    accrual: Literal["producer", "rules"] = Field(
        "producer",
        description="Who gives points while no version of the program's rules is in force:"
        " `producer` or `rules`",
    )
    default_program: str = Field(
        "hitotsu-points",
        min_length=1,
        max_length=64,
        description="The points program of members who joined none, and of points of which no"
        " program is named. Set once: it says whose points those of before are",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level to log"
    )

    @property
    def of_queries(self) -> dict[str, str]:
        """The settings on which answers of the read API depend, by name."""
        return {"default_program": self.default_program}
