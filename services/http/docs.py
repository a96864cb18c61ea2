"""What does a person read at `/docs`? One page without script, font or anything from elsewhere."""

from __future__ import annotations

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
_CURL = """curl -sS "$API/v1/stock/$SKU" -H "Authorization: Bearer $TOKEN\""""


def page(document: dict[str, Any]) -> str:
    """The documentation page, from the OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            section = by_tag.setdefault(described["tags"][0], [])
            section.append(_operation(method, path, described))
    sections = "".join(
        f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in sorted(by_tag.items())
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Hitotsu read API</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>Hitotsu read API</h1>"
        "<p>Every answer is <code>{data, position, lag, served_from}</code>, pages also carry"
        " <code>next_cursor</code>. Give <code>min_position</code> to read what you just wrote."
        ' For tools: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<pre>{escape(_CURL)}</pre>{sections}"
    )


def _operation(method: str, path: str, described: dict[str, Any]) -> str:
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
    return (
        f'<details id="{described["operationId"]}"><summary>'
        f"<code>{method.upper()} {escape(path)}</code> {escape(described['summary'])}</summary>"
        f"<p>{escape(described['description'])}</p>"
        f"<table>{parameters}</table><table>{statuses}</table></details>"
    )
