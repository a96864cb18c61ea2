"""What does a person read at `/docs`? One page without script, font or anything from elsewhere."""

from __future__ import annotations

import json
from functools import cache
from html import escape

from schemas.generated.inputs import INPUTS, example
from schemas.rights import RIGHTS
from schemas.topics import TOPICS
from services.intake.openapi import document, producer_events

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .2rem 0; }
"""
_CURL = """curl -sS "$GATEWAY/v1/events" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '[...]'"""


def _status_rows() -> str:
    responses = document()["paths"]["/v1/events"]["post"]["responses"]
    return "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in sorted(responses.items())
    )


def _event(name: str) -> str:
    model = INPUTS[name]
    fields = ", ".join(
        f"<code>{escape(field)}</code>" + ("" if info.is_required() else "?")
        for field, info in model.model_fields.items()
    )
    shown = escape(json.dumps(example(name), ensure_ascii=False, indent=2))
    return (
        f'<details id="{name}"><summary><b>{name}</b> {escape(model.__doc__ or "")}</summary>'
        f"<p>{fields}</p><p>May be appended by: {', '.join(RIGHTS[name].roles)}.</p>"
        f"<pre>{shown}</pre></details>"
    )


@cache
def page() -> str:
    """The documentation page; what is optional carries a question mark."""
    offered = set(producer_events())
    sections = "".join(
        f"<h2><code>{topic.name}</code></h2>"
        + "".join(_event(name) for name in topic.events if name in offered)
        for topic in TOPICS.values()
        if offered.intersection(topic.events)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Hitotsu gateway</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>Hitotsu gateway</h1>"
        "<p>Send facts as JSON: one event, an array, or one a line as NDJSON. Each gets its"
        " answer, in the order given, after Kafka acknowledged it. Sending it again is safe."
        ' For tools: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<pre>{escape(_CURL)}</pre><h2>Answers</h2><table>{_status_rows()}</table>{sections}"
    )
