"""Do clients of tests share their certificates?"""

from __future__ import annotations

import ssl

import httpx
import pytest


def test_a_second_client_reads_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    httpx.Client(trust_env=False).close()
    read: list[object] = []
    monkeypatch.setattr(ssl, "create_default_context", lambda **more: read.append(more))
    httpx.Client(trust_env=False).close()
    assert read == []
