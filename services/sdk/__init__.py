"""The Python SDK for producers: sends events, and buffers them on disk while the gateway is away.

    with Client("http://127.0.0.1:8080", token, Buffer("till.buffer", sealing_key)) as till:
        till.send([{"type": "PurchaseCompleted", "meta": {...}, ...}])

`AsyncClient` is the same with `async with` and `await`.
"""

from services.sdk.buffer import Buffer, BufferFull, RefusedEvent
from services.sdk.client import AsyncClient, Client
from services.sdk.clocks import Clocks
from services.sdk.ids import event_id_for, profile_id, uuid7
from services.sdk.offline_limit import FloorLimit
from services.sdk.results import Problem, Refused, Result, Results, Unreachable

__all__ = [
    "AsyncClient",
    "Buffer",
    "BufferFull",
    "Client",
    "Clocks",
    "FloorLimit",
    "Problem",
    "Refused",
    "RefusedEvent",
    "Result",
    "Results",
    "Unreachable",
    "event_id_for",
    "profile_id",
    "uuid7",
]
