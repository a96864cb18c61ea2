"""Does a broker start from the archive of its classes, and without it all the same?"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from infra.home import Home
from infra.native import class_archive, jars, java, make_class_archive
from infra.native.kafka import Kafka

SHARED = Home().cache
HOUR = 3600.0


def _say(_doing: str) -> None:
    """Nobody is told what the start does."""


def _archive(cache: Path) -> Path:
    program = java.executable()
    return class_archive.path(cache, program, jars.classpath(cache, _say))


@pytest.fixture
def jars_of_others(home: Home) -> Home:
    """A folder with its own cache, whose jars are the shared ones."""
    jars.classpath(SHARED, _say)
    for name in ("maven", "kafka.verified"):
        (home.cache / name).symlink_to(SHARED / name)
    return home


@pytest.mark.servers
def test_a_broker_maps_the_archive_and_java_has_nothing_against_it(home: Home) -> None:
    home.cache = SHARED
    archive = make_class_archive.make(SHARED, _say)
    assert archive == _archive(SHARED)
    kafka = Kafka(home)
    try:
        kafka.start(_say)
        process = kafka.record.process
        assert process is not None
        assert str(archive) in Path(f"/proc/{process.pid}/maps").read_text()
        assert "aot" not in home.log("kafka").read_text()
    finally:
        kafka.stop()


@pytest.mark.servers
def test_a_broken_archive_keeps_no_broker_from_starting(jars_of_others: Home) -> None:
    archive = _archive(jars_of_others.cache)
    archive.write_bytes(b"no archive" * 1000)
    kafka = Kafka(jars_of_others)
    try:
        kafka.start(_say)
        assert re.search(r"\[(warning|error)\]\[aot", jars_of_others.log("kafka").read_text())
    finally:
        kafka.stop()


def test_a_broker_without_an_archive_is_told_of_none(home: Home) -> None:
    assert class_archive.options(home.cache / "kafka-classes-0.aot") == ()


def test_other_jars_have_another_archive(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"jar")
    first = class_archive.path(tmp_path, java.executable(), [str(jar)])
    assert first == class_archive.path(tmp_path, java.executable(), [str(jar)])
    jar.write_bytes(b"another")
    assert first != class_archive.path(tmp_path, java.executable(), [str(jar)])


@pytest.mark.servers
def test_an_older_java_makes_no_archive(
    jars_of_others: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"21.0.4\"' >&2\n", "utf-8")
    old.chmod(0o755)
    monkeypatch.setenv(java.JAVA_VARIABLE, str(old))
    assert make_class_archive.make(jars_of_others.cache, _say) is None
    assert not list(jars_of_others.cache.glob("*.aot"))


def test_an_archive_that_nobody_used_for_two_weeks_is_removed(tmp_path: Path) -> None:
    used, unused = tmp_path / "kafka-classes-1.aot", tmp_path / "kafka-classes-2.aot"
    fortnight = make_class_archive.UNUSED_SECONDS
    for archive in (used, unused):
        archive.write_bytes(b"")
        os.utime(archive, (0, time.time() - fortnight - HOUR))
    assert class_archive.options(used) == (f"-XX:AOTCache={used}", *class_archive.CLASSES_ALONE)
    make_class_archive._remove_unused(tmp_path)
    assert used.exists() and not unused.exists()
