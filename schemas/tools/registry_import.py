"""Builds an archive in Apicurio's export format, to import schemas with their ids.

Apicurio numbers the texts of schemas, and the Confluent API returns that number as the schema's id.
So the texts are imported with their numbers first. Registering the same text afterwards finds that
number, and is still checked by the registry's compatibility rule.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

PATH = "/apis/registry/v3/admin/import?requireEmptyRegistry=false"
HEADERS = {
    "content-type": "application/zip",
    "X-Registry-Preserve-GlobalId": "true",
    "X-Registry-Preserve-ContentId": "true",
}
_MANIFEST = {
    "systemVersion": "3.3.3",
    "systemName": "Hitotsu",
    "systemDescription": "Released schemas with their ids.",
    "exportVersion": "3.0",
    "exportedOn": 1_700_000_000_000,  # any fixed time: the same texts make the same archive
    "exportedBy": "",
}


def archive(texts: Iterable[tuple[int, str]]) -> bytes:
    """The zip file for `PATH` with these (id, schema text)."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as out:
        _put(out, "manifest-0.Manifest.json", _MANIFEST)
        for identity, text in texts:
            digest = sha256(text.encode()).hexdigest()
            about = {
                "contentId": identity,
                "canonicalHash": digest,
                "contentHash": digest,
                "artifactType": "AVRO",
                "contentType": "application/json",
                "serializedReferences": None,
            }
            _put(out, f"content/{digest}.Content.json", about)
            out.writestr(f"content/{digest}.Content.data", text)
    return buffer.getvalue()


def _put(out: ZipFile, path: str, value: dict[str, Any]) -> None:
    out.writestr(path, json.dumps(value))
