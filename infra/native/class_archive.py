"""Finds the archive of loaded and linked classes that makes the start of a Kafka broker faster.

Without it a broker reads and verifies about nine thousand classes at every start, half of the CPU
time of a start. `make_class_archive` creates the archive (JEP 483) in the cache folder; a broker
uses it if it exists. Java checks that it belongs to this Java and these jars, else ignores it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PREFIX = "kafka-classes-"
# Java 25 would also archive adapters between compiled and interpreted code, and warn of a hash
# collision among them; creating them at each start costs nothing that can be measured.
CLASSES_ALONE = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching")


def path(cache: Path, executable: str, classpath: Sequence[str]) -> Path:
    """The path of the archive for this Java and these jars; it need not exist."""
    identity = repr(list(_versions(executable, classpath)))
    return cache / f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:16]}.aot"


def options(archive: Path) -> tuple[str, ...]:
    """The Java options to use the archive; () if it does not exist.

    Sets its modification time to now, so that archives in use are not removed.
    """
    if not archive.exists():
        return ()
    with suppress(OSError):  # the cache may be read-only, or belong to another user
        os.utime(archive)
    return (f"-XX:AOTCache={archive}", *CLASSES_ALONE)


def _versions(executable: str, classpath: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Name, size and modification time of the files that Java compares with the archive."""
    home = Path(executable).resolve().parent.parent
    image = home / "lib" / "modules"
    for file in (image if image.exists() else Path(executable), *map(Path, classpath)):
        entry = file.stat()
        yield file.name if file == image else str(file), entry.st_size, int(entry.st_mtime)
