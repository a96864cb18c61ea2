"""Does the conversation with the gateway go on when answers are missing, late or bad?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from services.sdk import Buffer, BufferFull, Problem, Refused, Results, Unreachable
from services.sdk.delivery import GatewayLine, GatewayReply, Pause, Post, Talk
from tests.services.gateway.running import event

KEY = bytes(PrivateKey.generate().public_key)


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    kept = Buffer(tmp_path / "till", KEY)
    yield kept
    kept.close()


class Script:
    """Plays the gateway's part from a list of statuses; the last one is played for ever."""

    def __init__(self, *statuses: int | GatewayReply | None) -> None:
        self._statuses = list(statuses)
        self.now = 0.0
        self.posts: list[Post] = []
        self.pauses: list[float] = []

    def play(self, talk: Talk) -> Any:
        reply = None
        try:
            while True:
                step = talk.send(reply)
                if isinstance(step, Pause):
                    self.now += step.seconds
                    self.pauses.append(step.seconds)
                    reply = None
                else:
                    reply = self._answer(step)
        except StopIteration as over:
            return over.value

    def _answer(self, post: Post) -> GatewayReply | None:
        self.posts.append(post)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if status is None or isinstance(status, GatewayReply):
            return status
        told = [
            {
                "index": index,
                "event_id": _id(sent),
                "status": "accepted" if status == 202 else "rejected",
                "field": "total",
                "reason": "must be a whole number",
            }
            for index, sent in enumerate(json.loads(post.content))
        ]
        return GatewayReply(status, json.dumps({"results": told}).encode())


def _id(sent: dict[str, Any]) -> str:
    return str(sent["meta"]["event_id"] if "meta" in sent else sent["event_id"])


def _line(script: Script, **settings: Any) -> GatewayLine:
    return GatewayLine(clock=lambda: script.now, **settings)


def _forbidden(index: int) -> GatewayReply:
    error = {"pointer": f"/{index}/meta/producer/channel", "reason": "outside"}
    problem = {"title": "Forbidden", "detail": "d", "errors": [error]}
    return GatewayReply(403, json.dumps(problem).encode())


def test_events_go_out_in_order_in_requests_of_at_most_five_hundred() -> None:
    script = Script(202)
    sent = [event("StockAdjusted") for _ in range(1_201)]
    results: Results = script.play(_line(script).send(sent))
    assert [len(json.loads(post.content)) for post in script.posts] == [500, 500, 201]
    assert [result.event_id for result in results] == [_id(each) for each in sent]
    assert [result.index for result in results] == list(range(1_201))


def test_no_request_is_larger_than_the_gateway_takes() -> None:
    script = Script(202)
    large = [event("InquiryOpened", text="長" * 6_000) for _ in range(200)]
    script.play(_line(script).send(large))
    assert max(len(post.content) for post in script.posts) < 1_000_000
    assert sum(len(json.loads(post.content)) for post in script.posts) == 200


def test_a_missing_answer_is_followed_by_the_very_same_bytes() -> None:
    script = Script(None, 503, 429, 202)
    results: Results = script.play(_line(script).send([event()]))
    assert results.accepted == 1
    assert len({post.content for post in script.posts}) == 1
    assert len(script.pauses) == 3


def test_a_pause_is_never_shorter_than_the_gateway_asked_for() -> None:
    script = Script(GatewayReply(429, b"", "7"), 202)
    script.play(_line(script).send([event()]))
    assert script.pauses == [7.0]


def test_patience_has_an_end() -> None:
    script = Script(None)
    with pytest.raises(Unreachable):
        script.play(_line(script, patience=20.0).send([event()]))
    assert 10 < script.now <= 20


def test_a_refused_request_is_a_problem() -> None:
    script = Script(GatewayReply(401, b'{"title": "Unauthorized", "detail": "no"}'))
    with pytest.raises(Problem, match="401 Unauthorized: no"):
        script.play(_line(script).send([event()]))


@pytest.mark.parametrize(
    "body",
    [b"", b"busy", b"\xff", b"[]", b"null", b'{"errors": null}', b'{"errors": 5}', b"[" * 100_000],
    ids=["empty", "text", "bytes", "list", "null", "errors_null", "errors_number", "nested"],
)
def test_an_answer_that_is_no_problem_document_is_a_problem_without_errors(body: bytes) -> None:
    problem = Problem.read(502, body)
    assert (problem.status, problem.errors, problem.indexes()) == (502, [], {})


def test_what_the_till_can_see_to_be_wrong_is_not_sent() -> None:
    script = Script(202)
    results: Results = script.play(_line(script).send([event(total="much"), event()]))
    assert [result.status for result in results] == ["rejected", "accepted"]
    assert len(json.loads(script.posts[0].content)) == 1
    with pytest.raises(Refused, match="total: must be a whole number"):
        results.raise_for_refused()


def test_a_buffered_event_leaves_with_its_answer_and_not_before(buffer: Buffer) -> None:
    script = Script(None, 202)
    line = _line(script, buffer=buffer)
    first: Results = script.play(line.send([event()]))
    assert (first.buffered, len(buffer)) == (1, 1)
    second: Results = script.play(line.send([event()]))
    assert second.buffered == 1, "the line was down a moment ago"
    script.now += 10
    third: Results = script.play(line.send([event()]))
    assert (third.accepted, len(buffer)) == (1, 0)
    assert len(json.loads(script.posts[-1].content)) == 3


def test_a_rejected_event_stays_apart_with_its_reason(buffer: Buffer) -> None:
    script = Script(422)
    results: Results = script.play(_line(script, buffer=buffer).send([sent := event()]))
    assert (results.rejected, len(buffer)) == (1, 0)
    (refused,) = buffer.refused()
    assert (refused.event_id, refused.field) == (_id(sent), "total")


def test_an_event_the_token_may_not_send_does_not_hold_up_the_others(buffer: Buffer) -> None:
    script = Script(_forbidden(1), 202)
    results: Results = script.play(_line(script, buffer=buffer).send([event() for _ in range(3)]))
    assert [each.status for each in results] == ["accepted", "rejected", "accepted"]


def test_a_problem_with_the_token_leaves_everything_in_the_buffer(buffer: Buffer) -> None:
    script = Script(GatewayReply(401, b"{}"))
    with pytest.raises(Problem):
        script.play(_line(script, buffer=buffer).send([event(), event()]))
    assert len(buffer) == 2


def test_a_full_buffer_says_so_and_takes_nothing_of_the_rest(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "till", KEY, max_events=3)
    script = Script(None)
    line = _line(script, buffer=buffer)
    script.play(line.send([event(), event()]))
    with pytest.raises(BufferFull):
        script.play(line.send([event(), event()]))
    assert len(buffer) == 2
    buffer.close()
