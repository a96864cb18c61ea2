"""The page at `/docs`: static HTML without scripts, fonts or external resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .2rem 0; }
"""
Schemas = Mapping[str, Any]


def page(document: dict[str, Any], example: str = "") -> str:
    """The HTML of `/docs`. `document`: OpenAPI. `example`: a first request to try."""
    by_tag: dict[str, list[str]] = {}
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            section = by_tag.setdefault(described["tags"][0], [])
            section.append(_operation(method, path, described, schemas))
    sections = "".join(
        f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in sorted(by_tag.items())
    )
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{escape(document['info']['description'])}"
        ' For tools: <a href="/openapi.json">/openapi.json</a>. Optional members have a question'
        " mark.</p>" + (f"<pre>{escape(example)}</pre>" if example else "") + sections
    )


def _operation(method: str, path: str, described: dict[str, Any], schemas: Schemas) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{'required' if one.get('required') else ''}</td>"
        f"<td>{escape(one['description'])}</td></tr>"
        for one in described["parameters"]
    )
    statuses = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in sorted(described["responses"].items())
    )
    contents = described.get("requestBody", {}).get("content", {})
    bodies = "".join(_body(media, content, schemas) for media, content in contents.items())
    replies = "".join(
        _body(f"{status} {media}", content, schemas)
        for status, answer in sorted(described["responses"].items())
        if int(status) < 300
        for media, content in answer.get("content", {}).items()
    )
    return (
        f'<details id="{described["operationId"]}"><summary>'
        f"<code>{method.upper()} {escape(path)}</code> {escape(described['summary'])}</summary>"
        f"<p>{escape(described['description'])}</p>"
        f"<table>{parameters}</table>{bodies}{replies}<table>{statuses}</table></details>"
    )


def _body(media: str, content: Mapping[str, Any], schemas: Schemas) -> str:
    # a body may be one event or a list: the first alternative lists the event types
    alternatives = [content["schema"], *content["schema"].get("anyOf", ())]
    variants = [
        reference
        for one in alternatives
        for reference in one.get("discriminator", {}).get("mapping", {}).values()
    ]
    shown = "".join(_model(reference, schemas) for reference in variants)
    if not shown and "$ref" in content["schema"]:
        shown = _fields(schemas[content["schema"]["$ref"].rpartition("/")[2]])
    examples = "".join(
        f"<pre>{escape(json.dumps(one['value'], ensure_ascii=False, indent=2))}</pre>"
        for one in content.get("examples", {}).values()
    )
    return f"<p><code>{escape(media)}</code></p>{shown}{examples}"


def _model(reference: str, schemas: Schemas) -> str:
    name = reference.rpartition("/")[2]
    schema = schemas[name]
    examples = "".join(
        f"<pre>{escape(json.dumps(one, ensure_ascii=False, indent=2))}</pre>"
        for one in schema.get("examples", ())
    )
    described = escape(schema.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary><b>{escape(name)}</b> {described}</summary>'
        f"{_fields(schema)}{examples}</details>"
    )


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    named = ", ".join(
        f"<code>{escape(name)}</code>" + ("" if name in required else "?")
        for name in schema.get("properties", {})
    )
    return f"<p>{named}</p>"
