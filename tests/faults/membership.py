"""How is a worker put out of its group, with nobody telling it? Somebody leaves in its name."""

from __future__ import annotations

import re
import socket
import struct
import urllib.request

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

GROUP = "hitotsu-main"
LEAVE, VERSION, TIMEOUT = 13, 1, 10.0
HELD = re.compile(
    r'^hitotsu_projector_partition_held\{group="main",partition="(\d+)",topic="([\w.-]+)"\} 1'
)
Place = tuple[str, int]


def held_by(port: int) -> set[Place]:
    """The partitions that a worker says it holds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {(found[2], int(found[1])) for line in lines if (found := HELD.match(line))}


def member_with(kafka: str, places: set[Place]) -> str | None:
    """The member to whom the group gave just these partitions."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    asked = admin.describe_consumer_groups([GROUP], request_timeout=TIMEOUT)[GROUP]
    try:
        members = asked.result(TIMEOUT).members
    except KafkaException:
        return None
    for member in members:
        given = {(one.topic, one.partition) for one in member.assignment.topic_partitions}
        if places and given == places:
            return str(member.member_id)
    return None


def put_out(kafka: str, member: str) -> None:
    """Leaves the group in the name of a member, who does not hear of it before its heartbeat."""
    host, _, port = kafka.partition(":")
    body = struct.pack(">hhi", LEAVE, VERSION, 1) + _text("tests") + _text(GROUP) + _text(member)
    with socket.create_connection((host, int(port)), TIMEOUT) as broker:
        broker.sendall(struct.pack(">i", len(body)) + body)
        answer = _exactly(broker, struct.unpack(">i", _exactly(broker, 4))[0])
    _, _, error = struct.unpack(">iih", answer)
    if error:
        raise RuntimeError(f"the broker answered {error} to leaving for {member}")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">h", len(encoded)) + encoded


def _exactly(broker: socket.socket, many: int) -> bytes:
    got = b""
    while len(got) < many:
        part = broker.recv(many - len(got))
        if not part:
            raise ConnectionError("the broker hung up")
        got += part
    return got
