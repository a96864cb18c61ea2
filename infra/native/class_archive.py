"""Where the classes that Kafka loads are kept, parsed and linked, for later starts to map.

The packaged Java has no archive of its own classes, so a broker reads and verifies some nine
thousand of them at each start: half of the CPU time of a start. `make_class_archive` makes an
archive (JEP 483) in the cache folder, and a broker that sees it there uses it. Java itself checks
that an archive belongs to this Java and these jars, and starts without it when it does not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PREFIX = "kafka-classes-"
# Java 25 also keeps the adapters between compiled and interpreted code, finds some by a hash that
# two of them share, and warns; making them anew costs nothing that can be measured.
CLASSES_ALONE = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching")


def path(cache: Path, executable: str, classpath: Sequence[str]) -> Path:
    """The archive's file for this Java and these jars, whether it was made or not."""
    identity = repr(list(_versions(executable, classpath)))
    return cache / f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:16]}.aot"


def options(archive: Path) -> tuple[str, ...]:
    """The Java options that use the archive; empty when there is none.

    Its modification time is set to now, by which unused archives are recognised.
    """
    if not archive.exists():
        return ()
    with suppress(OSError):  # a cache that is read-only, or another user's
        os.utime(archive)
    return (f"-XX:AOTCache={archive}", *CLASSES_ALONE)


def _versions(executable: str, classpath: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Java compares sizes and times of change of the same files."""
    home = Path(executable).resolve().parent.parent
    image = home / "lib" / "modules"
    for file in (image if image.exists() else Path(executable), *map(Path, classpath)):
        entry = file.stat()
        yield file.name if file == image else str(file), entry.st_size, int(entry.st_mtime)
