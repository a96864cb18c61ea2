"""Are jars fetched once by callers that share a cache, and does none of them wait for itself?"""

from __future__ import annotations

import io
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.native import jars


class Repository:
    """Stands for a Maven repository: it writes files into the cache and counts what it wrote."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self._guard = threading.Lock()

    def fetch(self, artifact: jars.Artifact, cache: Path) -> Path:
        time.sleep(0.002)
        with self._guard:
            self.fetched.append(artifact.coordinates)
        path = cache / "maven" / artifact.sha256
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo("quarkus-run.jar"), io.BytesIO())
        return path


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository()
    monkeypatch.setattr(jars, "_fetch", made.fetch)
    return made


@pytest.mark.timeout(30)
def test_a_first_start_fetches_and_unpacks_the_registry(
    repository: Repository, tmp_path: Path
) -> None:
    home = jars.registry_home(tmp_path, lambda doing: None)
    assert (home / "quarkus-run.jar").is_file()
    assert len(repository.fetched) == 1
    assert jars.registry_home(tmp_path, lambda doing: None) == home
    assert len(repository.fetched) == 1


@pytest.mark.timeout(30)
def test_callers_at_once_fetch_each_file_once(repository: Repository, tmp_path: Path) -> None:
    def start(_caller: int) -> tuple[list[str], Path]:
        say = lambda doing: None  # noqa: E731 - nobody is told
        return jars.classpath(tmp_path, say), jars.registry_home(tmp_path, say)

    with ThreadPoolExecutor(4) as callers:
        first, *others = callers.map(start, range(4))
    assert all(other == first for other in others)
    expected = [
        artifact.coordinates for name in ("kafka", "registry") for artifact in jars.locked(name)
    ]
    assert sorted(repository.fetched) == sorted(expected)
