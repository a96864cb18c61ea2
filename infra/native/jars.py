"""Downloads and verifies the jars that run Kafka and the registry.

`jars.lock` lists every file with its SHA-256. They are downloaded once, in parallel, into the cache
folder; a start that finds them there does not use the network.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infra.backend import ProviderError
from infra.variables import variable

LOCK = Path(__file__).with_name("jars.lock")
KAFKA_VERSION = "4.4.0"
REGISTRY_VERSION = "3.3.3"
MIRROR_VARIABLE = "HITOTSU_MAVEN"
FETCH_THREADS = 12
FETCH_ATTEMPTS = 3

_in_this_process = threading.Lock()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository: group:artifact:packaging:classifier:version."""

    coordinates: str
    sha256: str

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        group, artifact, packaging, classifier, version = self.coordinates.split(":")
        return group, artifact, packaging, classifier, version


def locked(bundle: str) -> list[Artifact]:
    """The files of a bundle (`kafka` or `registry`) that `jars.lock` lists."""
    rows = [line.split() for line in LOCK.read_text("utf-8").splitlines() if line.strip()]
    return [Artifact(row[1], row[2]) for row in rows if row[0] == bundle]


def classpath(cache: Path, say: Callable[[str], None]) -> list[str]:
    """The paths of Kafka's jars, which are downloaded if missing.

    Raises ProviderError when a jar cannot be downloaded.
    """
    return sorted(str(path) for path in _bundle("kafka", cache, say))


def registry_home(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of the registry, with `quarkus-run.jar`; downloads and unpacks it if missing."""
    home = cache / f"registry-{REGISTRY_VERSION}"
    if (home / "quarkus-run.jar").exists():
        return home
    with _one_at_a_time(cache):
        if not (home / "quarkus-run.jar").exists():
            (archive,) = _fetched("registry", cache, say)
            say("unpacking")
            beside = home.with_name(f"{home.name}.{os.getpid()}")
            with tarfile.open(archive) as tar:
                # filters exist since Python 3.11.4; before, only the digest protects
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
                tar.extractall(beside)
            beside.rename(home)
            archive.unlink()
            _stamp("registry", cache).unlink(missing_ok=True)
    return home


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    """Holds the cache's lock, so that processes that share a cache download one after another.

    Not reentrant: a thread that takes it twice waits for ever.
    """
    with _in_this_process, (cache / "fetching.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bundle(name: str, cache: Path, say: Callable[[str], None]) -> list[Path]:
    if kept := _verified(name, locked(name), cache):
        return kept
    with _one_at_a_time(cache):
        return _fetched(name, cache, say)


def _fetched(name: str, cache: Path, say: Callable[[str], None]) -> list[Path]:
    """The bundle's files, downloaded if missing; the caller holds the cache's lock."""
    artifacts = locked(name)
    if kept := _verified(name, artifacts, cache):
        return kept
    fetched = _fetch_all(artifacts, cache, say)
    lines = [_known(artifacts), *(str(path.relative_to(cache)) for path in fetched)]
    _stamp(name, cache).write_text("\n".join(lines), "utf-8")
    return fetched


def _verified(name: str, artifacts: list[Artifact], cache: Path) -> list[Path]:
    """The bundle's files if all were downloaded and verified before; else []."""
    stamp = _stamp(name, cache)
    if not stamp.exists():
        return []
    known, *names = stamp.read_text("utf-8").splitlines() or [""]
    kept = [cache / name for name in names]
    return kept if known == _known(artifacts) and all(path.exists() for path in kept) else []


def _known(artifacts: list[Artifact]) -> str:
    return hashlib.sha256(repr(artifacts).encode()).hexdigest()


def _stamp(name: str, cache: Path) -> Path:
    return cache / f"{name}.verified"


def _fetch_all(artifacts: list[Artifact], cache: Path, say: Callable[[str], None]) -> list[Path]:
    done = 0

    def one(artifact: Artifact) -> Path:
        nonlocal done
        path = _fetch(artifact, cache)
        done += 1
        say(f"fetching jars {done}/{len(artifacts)}")
        return path

    with ThreadPoolExecutor(min(FETCH_THREADS, len(artifacts))) as pool:
        return list(pool.map(one, artifacts))


def _fetch(artifact: Artifact, cache: Path) -> Path:
    if find_spec("jgo") is None:
        raise ProviderError(
            "jars must be downloaded, but `jgo` is missing: pip install '.[native]'"
        )
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    logging.getLogger("jgo").setLevel(logging.ERROR)
    mirror = variable(MIRROR_VARIABLE) or MAVEN_CENTRAL_URL
    context = MavenContext(repo_cache=cache / "maven", remote_repos={"central": mirror}, timeout=60)
    group, name, packaging, classifier, version = artifact.parts
    wanted = context.project(group, name).at_version(version).artifact(classifier, packaging)
    reason = "wrong SHA-256"
    for _ in range(FETCH_ATTEMPTS):
        try:
            path = Path(wanted.resolve())
        except Exception as error:  # jgo raises any error of requests
            reason = f"{type(error).__name__}: {error}"
        else:
            if _sha256(path) == artifact.sha256:
                return path
        # An interrupted download leaves a partial file at the path of the complete one.
        if wanted.cached_path is not None:
            wanted.cached_path.unlink(missing_ok=True)
    raise ProviderError(
        f"could not download {artifact.coordinates} ({reason}); "
        f"check the network, or set {MIRROR_VARIABLE} to a Maven mirror"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
