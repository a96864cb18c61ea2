"""Compares a schema registry with the repository, and registers our schemas under our ids.

Ids are assigned in the repository. They are imported by Apicurio's own import, which keeps ids, and
verified by the Confluent API, which is what tools use.
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
    """The registry does not answer, or contradicts the repository."""


@dataclass(frozen=True, slots=True)
class RegistryDifference:
    """One difference: the registry lacks a schema (`missing`) or has another under its id
    (`conflict`).
    """

    kind: str
    what: str
    release: Release | None = None


def diff(url: str, known: Releases | None = None) -> list[RegistryDifference]:
    """All differences between the registry and the releases."""
    with _Registry(url) as registry:
        return list(registry.differences(known or releases()))


def apply(url: str, known: Releases | None = None) -> list[Release]:
    """Imports every release that the registry lacks, under our ids; returns those releases.

    Raises RegistryError and changes nothing when the registry has another id or schema for a
    release.
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
    """The two HTTP APIs of one registry; every call has a timeout."""

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
                    "conflict", f"id {release.id} of {name} is another schema's"
                )
            else:
                yield RegistryDifference("missing", f"{name} (id {release.id}) is missing", release)
        elif held["id"] != release.id:
            what = f"{name} has the id {held['id']} there, not {release.id}"
            yield RegistryDifference("conflict", what)
        elif fingerprint(json.loads(held["schema"])) != ours:
            yield RegistryDifference("conflict", f"{name} says something else there")

    def set_level(self) -> None:
        self._call("PUT", f"{self._url}/config", json={"compatibility": LEVEL})

    def take(self, known: Releases, missing: list[Release]) -> None:
        """Imports the texts under our ids, then registers them by the Confluent API, oldest
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
                what = f"{release.subject} v{release.version} was given the id {given}"
                raise RegistryError(f"{what}, not {release.id}")

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
