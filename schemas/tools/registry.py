"""Compares a schema registry with this repository, and registers schemas with the ids of here.

Ids are assigned in the repository. Schemas are imported by Apicurio's import API, which keeps ids,
and verified by the Confluent API, which tools use.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from schemas.history.releases import Release, Releases, fingerprint, releases
from schemas.tools import registry_import
from schemas.tools.registry_import import HEADERS, archive

LEVEL = "FULL_TRANSITIVE"
_TIMEOUT = httpx.Timeout(10.0, read=60.0)


class RegistryError(Exception):
    """The registry does not answer, or contradicts this repository; the text says which."""


@dataclass(frozen=True, slots=True)
class RegistryDifference:
    """A difference of the registry from this repository.

    `kind` "missing": it lacks `release`, or has another compatibility level; "conflict": it has
    another schema or id.
    """

    kind: str
    what: str
    release: Release | None = None


def diff(url: str, known: Releases | None = None) -> list[RegistryDifference]:
    """All differences of the registry from the releases; raises RegistryError if it is away."""
    with _Registry(url) as registry:
        return list(registry.differences(known or releases()))


def apply(url: str, known: Releases | None = None) -> list[Release]:
    """Imports all releases that the registry lacks, with their ids; returns those releases.

    Raises RegistryError and changes nothing if the registry has another id or schema for a release.
    """
    known = known or releases()
    with _Registry(url) as registry:
        found = list(registry.differences(known))
        _refuse([item for item in found if item.kind == "conflict"])
        registry.set_level()
        missing = [item.release for item in found if item.release]
        if missing:
            registry.take(known, missing)
            _refuse(list(registry.differences(known)))
        return missing


def _refuse(found: list[RegistryDifference]) -> None:
    if found:
        raise RegistryError("; ".join(item.what for item in found))


class _Registry:
    """A client of the registry's two HTTP APIs; every call has a timeout."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._root = self._url.split("/apis/")[0]
        self._http = httpx.Client(timeout=_TIMEOUT)

    def __enter__(self) -> "_Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def differences(self, known: Releases) -> Iterator[RegistryDifference]:
        level = (self._get("/config") or {}).get("compatibilityLevel")
        if level != LEVEL:
            yield RegistryDifference("missing", f"compatibility is {level}, not {LEVEL}")
        for release in known:
            yield from self._difference(release)

    def _difference(self, release: Release) -> Iterator[RegistryDifference]:
        name = f"{release.subject} v{release.version}"
        ours = release.fingerprint
        subject = quote(release.subject, safe="")
        held = self._get(f"/subjects/{subject}/versions/{release.version}")
        if held is None:
            taken = self._get(f"/schemas/ids/{release.id}")
            if taken is not None and fingerprint(json.loads(taken["schema"])) != ours:
                yield RegistryDifference(
                    "conflict", f"id {release.id} of {name} belongs to another schema there"
                )
            else:
                yield RegistryDifference("missing", f"{name} (id {release.id}) is missing", release)
        elif held["id"] != release.id:
            what = f"{name} has the id {held['id']} there, not {release.id}"
            yield RegistryDifference("conflict", what)
        elif fingerprint(json.loads(held["schema"])) != ours:
            yield RegistryDifference("conflict", f"{name} has another schema there")

    def set_level(self) -> None:
        self._call("PUT", f"{self._url}/config", json={"compatibility": LEVEL})

    def take(self, known: Releases, missing: list[Release]) -> None:
        """Imports the schemas with their ids, then registers them by the Confluent API, oldest
        first.
        """
        texts = [(release.id, known.text(release)) for release in missing]
        url = self._root + registry_import.PATH
        self._call("POST", url, content=archive(texts), headers=HEADERS)
        for release, (_, text) in zip(missing, texts, strict=True):
            subject = quote(release.subject, safe="")
            url = f"{self._url}/subjects/{subject}/versions"
            given = self._call("POST", url, json={"schema": text}).json()["id"]
            if given != release.id:
                what = f"{release.subject} v{release.version} got the id {given}"
                raise RegistryError(f"{what} in the registry, not {release.id}")

    def _get(self, path: str) -> Any | None:
        answer = self._call("GET", self._url + path, absent=True)
        return None if answer.status_code == 404 else answer.json()

    def _call(self, method: str, url: str, absent: bool = False, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, url, **more)
        except httpx.HTTPError as error:
            raise RegistryError(f"{self._root} does not answer: {error!r}") from None
        if answer.is_success or (absent and answer.status_code == 404):
            return answer
        raise RegistryError(f"{method} {url}: HTTP {answer.status_code}: {answer.text[:300]}")
