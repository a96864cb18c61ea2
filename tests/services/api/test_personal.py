"""Whose personal values are shown, to whom, and never again after an erasure."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from tests.services.api.conftest import Running
from tests.services.api.shop import CARD, CLEAR_EMAIL, CLEAR_NAME, CLEAR_NOTE, CLEAR_TEXT, INQUIRY

pytestmark = pytest.mark.servers
SUPPORT = {"Purpose": "support"}


def test_personal_values_need_the_scope_and_a_purpose(api: Running) -> None:
    path = f"/v1/members/{CARD}/profiles"
    shown = api.answer(path, headers=SUPPORT)["data"][0]
    assert shown["name"] == CLEAR_NAME
    assert shown["identifiers"] == [{"kind": "email", "value": CLEAR_EMAIL, "verified": True}]
    for refused in (api.answer(path), api.answer(path, who="all", headers=SUPPORT)):
        assert refused["data"][0]["name"] is None
        assert refused["data"][0]["identifiers"][0]["value"] is None


def test_a_purpose_that_nobody_agreed_on_is_refused(api: Running) -> None:
    got = api.ask(f"/v1/members/{CARD}/profiles", headers={"Purpose": "curiosity"})
    assert got.status_code == 422
    assert "order_fulfilment" in got.json()["errors"][0]["reason"]


def test_what_a_customer_wrote_is_shown_to_staff_with_a_purpose(api: Running) -> None:
    path = f"/v1/inquiries/{INQUIRY}"
    assert api.answer(path, headers=SUPPORT)["data"]["conversation"][0]["text"] == CLEAR_TEXT
    assert api.answer(path)["data"]["conversation"][0]["text"] is None


def test_the_note_of_a_closing_stands_where_its_words_stood(api: Running) -> None:
    """In the list, in the member's part and beside the conversation, for who may see it."""
    for headers, note in ((SUPPORT, CLEAR_NOTE), ({}, None)):
        told = api.answer(f"/v1/inquiries/{INQUIRY}", headers=headers)["data"]
        assert [said["author"] for said in told["conversation"]] == ["CUSTOMER"]
        shown = [
            told["inquiry"],
            *api.answer("/v1/inquiries?topic=delivery", headers=headers)["data"],
            *api.answer(f"/v1/members/{CARD}/inquiries", headers=headers)["data"],
        ]
        assert [one["note"] for one in shown] == [note] * 3
        assert [one["resolution"] for one in shown] == [note] * 3


def test_that_somebody_looked_is_logged_without_what_they_saw(api: Running) -> None:
    api.answer(f"/v1/members/{CARD}/profiles", headers=SUPPORT)
    written = api.log.read_text()
    assert '"personal_values_shown"' in written
    assert '"purpose": "support"' in written
    for clear in (CLEAR_NAME, CLEAR_EMAIL, CLEAR_TEXT):
        assert clear not in written


def test_once_the_key_is_destroyed_the_next_answer_shows_nothing(api: Running) -> None:
    path = f"/v1/members/{CARD}/profiles"
    assert api.answer(path, headers=SUPPORT)["data"][0]["name"] == CLEAR_NAME
    with psycopg.connect(api.endpoints.postgres, autocommit=True) as connection:
        select = "select wrapped, kek_id from hitotsu.subject_key where subject = %s"
        kept = connection.execute(select, [CARD.bytes]).fetchone()
        assert kept is not None
        change = (
            "update hitotsu.subject_key set wrapped = %s, kek_id = %s, erased_at = %s"
            " where subject = %s"
        )
        connection.execute(change, [None, None, datetime.now(UTC), CARD.bytes])
        try:
            assert api.answer(path, headers=SUPPORT)["data"][0]["name"] is None
        finally:
            connection.execute(change, [*kept, None, CARD.bytes])
