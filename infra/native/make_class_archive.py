"""Creates the archive of Kafka's classes: `python -m infra.native.make_class_archive`.

It starts a broker in a temporary folder and lets Java record the loaded classes. That takes about
ten seconds of CPU time once, and saves one and a half at every later start of a broker.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from infra.backend import ProviderError
from infra.home import Home
from infra.native import class_archive, jars, java
from infra.native.kafka import Kafka
from infra.process import StartError

OLDEST_JAVA = 25
WRITTEN_BOUND_SECONDS = 240.0
UNUSED_SECONDS = 14 * 86_400.0


def make(cache: Path, say: Callable[[str], None]) -> Path | None:
    """The path of the archive in this cache folder; creates it if it does not exist.

    None if Java is too old for it. Raises StartError when the broker does not start, or Java writes
    no archive; ProviderError when Java or a jar is missing.
    """
    executable = java.executable()
    archive = class_archive.path(cache, executable, jars.classpath(cache, say))
    if archive.exists():
        return archive
    if java.major(executable) < OLDEST_JAVA:
        return None
    _remove_unused(cache)
    with tempfile.TemporaryDirectory(prefix="hitotsu-classes-", dir=cache) as folder:
        recorded = Path(folder) / archive.name
        _record(Home(Path(folder) / "home"), cache, recorded, say)
        recorded.replace(archive)
    return archive


def _record(home: Home, cache: Path, archive: Path, say: Callable[[str], None]) -> None:
    home.cache = cache
    home.open()
    options = (f"-XX:AOTCacheOutput={archive}", *class_archive.CLASSES_ALONE)
    kafka = Kafka(home, java_options=options)
    try:
        kafka.start(say)
        process = kafka.record.process
        assert process is not None, "it has just answered"
        say("writing the archive")
        # Java writes the archive while it exits, which takes longer than `stop` would wait
        process.send(signal.SIGTERM)
        if not process.wait(WRITTEN_BOUND_SECONDS) or not archive.exists():
            shown = home.log(kafka.name).read_text("utf-8", "replace")[-800:]
            raise StartError(f"kafka: Java wrote no archive of its classes: {shown}")
    finally:
        kafka.stop()


def _remove_unused(cache: Path) -> None:
    """Removes archives that no broker has used for 14 days; they are large."""
    until = time.time() - UNUSED_SECONDS
    for archive in cache.glob(f"{class_archive.PREFIX}*.aot"):
        if archive.stat().st_mtime < until:
            archive.unlink(missing_ok=True)


def main() -> int:
    """Creates the archive; returns 0 also if Java is too old for it, and 1 after an error."""
    cache = Home().open().cache
    try:
        archive = make(cache, lambda doing: _tell(sys.stderr, f"── kafka: {doing}"))
    except (ProviderError, StartError, OSError) as error:
        _tell(sys.stderr, f"no archive of Kafka's classes: {error}")
        return 1
    without = f"Java is older than {OLDEST_JAVA}: brokers start without archive"
    _tell(sys.stdout, str(archive or without))
    return 0


def _tell(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
