"""Runs a single Kafka broker (KRaft) as a plain process."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from infra.home import Home
from infra.native import class_archive, jars, java
from infra.native.server import Say, ServerRecord
from infra.process import Recorded, StartError, spawn, wait_until

CLUSTER_ID = "hitotsu-local-cluster0"
STARTED = b"Kafka Server started"
META = "meta.properties"  # in every formatted log folder
# For a single broker. Records are kept for ever, with the time of their append; only the topics job
# creates topics. A killed broker can register again only after its session, which is short.
# A broker without work would write a record to its metadata twice a second, and look four times a
# second whether one of its 97 threads has something to do.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
log.retention.ms=-1
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
metadata.max.idle.interval.ms=0
num.network.threads=1
num.io.threads=2
"""
MEMORY = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
QUIET = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


class Kafka:
    """The Kafka broker of a home. `java_options` are for the broker, not for formatting storage."""

    name: ClassVar[str] = "kafka"

    def __init__(self, home: Home, java_options: Sequence[str] = ()) -> None:
        self.home = home
        self._java_options = java_options
        self.folder = home.path / "kafka"
        self.record = ServerRecord(home, self.name)

    def start(self, say: Say) -> str:
        if self.record.process is not None:
            return str(self.record.entry["url"])
        command = self._command(say)
        port = self.home.port("kafka")
        properties = self._properties(port)
        if not (self.folder / "data" / META).exists():
            self._format(command, say)
        say("starting")
        log = self.home.log(self.name)
        before = log.stat().st_size if log.exists() else 0
        program, *options = command
        argv = [program, *self._java_options, *options, "kafka.Kafka", str(properties)]
        process = spawn(argv, log)
        url = f"127.0.0.1:{port}"
        self.record.keep(process, url, jars.KAFKA_VERSION)
        self._await(process, port, log, before)
        return url

    def stop(self) -> None:
        self.record.stop(bound_seconds=30.0)

    def _await(self, process: Recorded, port: int, log: Path, before: int) -> None:
        def started() -> bool:
            with log.open("rb") as file:
                file.seek(before)
                if STARTED not in file.read():
                    return False
            socket.create_connection(("127.0.0.1", port), 2.0).close()
            return True

        wait_until(started, process, self.name, log, 90.0)

    def _command(self, say: Say) -> list[str]:
        program, classpath = java.executable(), jars.classpath(self.home.cache, say)
        archive = class_archive.path(self.home.cache, program, classpath)
        return [
            program,
            *class_archive.options(archive),
            java.temporary(self.folder),
            *MEMORY,
            *QUIET,
            "-cp",
            ":".join(classpath),
        ]

    def _properties(self, port: int) -> Path:
        self.folder.mkdir(exist_ok=True)
        controller = self.home.port("kafka-controller")
        text = SETTINGS.format(port=port, controller=controller, data=self.folder / "data")
        path = self.folder / "server.properties"
        path.write_text(text, "utf-8")
        return path

    def _format(self, command: list[str], say: Say) -> None:
        """Puts a formatted log folder in place: a copy of the one in the cache."""
        formatted = _formatted_in(self.home.cache)
        if not (formatted / META).exists():
            say("formatting")
            _make_formatted(formatted, command)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        # the file that makes it a formatted folder comes last: an interrupted copy begins again
        for path in sorted(formatted.rglob("*"), key=lambda path: (path.name == META, path)):
            target = data / path.relative_to(formatted)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            elif not target.exists():
                beside = target.with_name(f"{target.name}.new")
                shutil.copyfile(path, beside)
                beside.rename(target)


def _formatted_in(cache: Path) -> Path:
    """The cache's formatted log folder for this release and these settings.

    Formatting starts a JVM and writes the cluster's id and the release's metadata version: the same
    for every local broker, each of which is a cluster of its own.
    """
    identity = f"{jars.KAFKA_VERSION} {CLUSTER_ID} {SETTINGS}"
    return cache / f"kafka-formatted-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _make_formatted(formatted: Path, command: list[str]) -> None:
    """Formats a new folder and renames it to `formatted`, unless another start did so meanwhile.

    Raises StartError when the formatting fails.
    """
    with tempfile.TemporaryDirectory(prefix=".kafka-formatting-", dir=formatted.parent) as folder:
        data, properties = Path(folder) / "data", Path(folder) / "server.properties"
        properties.write_text(SETTINGS.format(port=1, controller=2, data=data), "utf-8")
        done = subprocess.run(
            [
                *command,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={CLUSTER_ID}",
                "-c",
                str(properties),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            said = done.stderr.strip()[-800:]
            raise StartError(f"kafka: formatting {data} failed: {said}")
        with suppress(OSError):  # another start was faster
            data.rename(formatted)
