"""The services of the local stack, their environment, and its tokens."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Collection, Mapping

import psycopg

from infra.backend import Endpoints
from infra.home import Home
from infra.supervisor import Service
from infra.variables import variable
from schemas.rights import Role
from services.runtime.config import Settings
from services.runtime.processes import Process, processes

READS = (
    "members:read",
    "points:read",
    "stock:read",
    "recommendations:read",
    "inquiries:read",
    "events:read",
)
ANY_PRODUCER = ("events:write", "channel:*", "system:*", "store:*")
DECIDED = ("stock:reserve", "points:redeem", "purchases:claim")
IDENTITY = ("identity:search", "identity:review", "identity:decide")
COMMANDS = ("stock:read", "points:read", "purchases:read", *DECIDED)
TOKENS: Mapping[str, tuple[str, ...]] = {
    "till": ("events:write", "channel:STORE", "system:pos", "store:*", *COMMANDS),
    "ec": ("events:write", "channel:EC", "system:ec", "store:*", *COMMANDS),
    "warehouse": ("events:write", "channel:*", "system:wms", "store:*"),
    "catalogue": ("events:write", "channel:*", "system:*", "store:*"),
    "bulk": ANY_PRODUCER,
    "app": ("members:read", "points:read", "stock:read", "recommendations:read"),
    "staff": (*READS, "members:personal", *IDENTITY),
    "operator": (
        *ANY_PRODUCER,
        *READS,
        "members:personal",
        "operations",
        *DECIDED,
        "discrepancies:settle",
        *IDENTITY,
    ),
}
# the role says which events a token may append; without role none
TOKEN_ROLES: Mapping[str, Role] = {
    "till": "till",
    "ec": "ec",
    "warehouse": "warehouse",
    "catalogue": "catalogue",
    "bulk": "operations",
    "operator": "operations",
}
_KEYS = ("key_encryption_key", "blind_index_key", "gateway_private_key")


def environment(home: Home, endpoints: Endpoints) -> dict[str, str]:
    """The `HITOTSU_*` variables for every service.

    Keys are those in the stack's folder, unless this process has the variable.
    """
    kept = home.secrets()
    keys = {}
    for name in _KEYS:
        setting = f"HITOTSU_{name.upper()}"
        keys[setting] = variable(setting) or kept[name]
    return {**endpoints.environment(), **keys}


def settings(env: Mapping[str, str]) -> Settings:
    """The settings of a process that has these variables."""
    named = {name.removeprefix("HITOTSU_").lower(): value for name, value in env.items()}
    return Settings.model_validate(named)


def services(home: Home, running: Collection[str] = ()) -> list[Service]:
    """All services, with the ports that they had before; a taken port is replaced.

    `running`: names of services that run now; they keep their ports.
    """
    return [
        _service(home, process, name, running)
        for process in processes()
        for name in process.instances(process.local)
    ]


def prepare(endpoints: Endpoints, env: Mapping[str, str], tokens: Mapping[str, str]) -> list[str]:
    """Creates missing tables, topics, schemas in the registry, and the local `tokens` by caller.

    A caller who has or had another token keeps it. Returns notices about migrations and builds.
    """
    from services.runtime.tokens import register_new

    notices: list[str] = importlib.import_module("services.cli.setup").prepare(settings(env))
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        for name, token in tokens.items():
            if token:
                register_new(connection, name, TOKENS[name], token, TOKEN_ROLES.get(name))
    return notices


def tokens(home: Home) -> dict[str, str]:
    """The stack's own tokens by caller, created on the first call and stored in its private folder.

    "" stands for a token that was revoked, or replaced by one with other scopes or role.
    """
    known = home.read("tokens")
    missing = {name: f"hitotsu_{secrets.token_urlsafe(32)}" for name in TOKENS if name not in known}
    if missing:
        known.update(missing)
        home.write("tokens", known)
    return {name: str(known[name]) for name in TOKENS}


def _service(home: Home, process: Process, name: str, running: Collection[str]) -> Service:
    port = home.port(name, in_use=name in running)
    address = f"http://127.0.0.1:{port}"
    return Service(
        name=name,
        argv=(sys.executable, "-m", process.module),
        log=str(home.log(name)),
        env={variable: str(port) for variable in process.port_variables}
        | {"HITOTSU_INSTANCE": name},
        url=address if process.port is not None else None,
        metrics=f"{address}/metrics",
    )
