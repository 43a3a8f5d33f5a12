"""What the events say that webhooks carry. Pure.

Rule 1: an event says what the API shows of the same thing, and not more.
Rule 2: what is sent is made once, when the event is written; an attempt made hours later says what was so then.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from crm_bridge import call_summary
from crm_bridge.rows import new_id
from crm_bridge.webhooks.endpoint import EventType
from telephony.clock import iso
from telephony.events import CallSnapshot

MAX_BODY_OCTETS: Final = 65_536
ALWAYS: Final = ("id", "customer", "call", "recording", "external_id", "channel")
"""What stays of an event that is too large, so that its receiver can ask for the rest."""


def event_id(type_: EventType, key: str) -> str:
    """Return the id of an event, the same for the same `key`, a fresh one for none. There is no full stop in it, which
    would end it too early in what is signed."""
    return f"msg_{hashlib.sha256(f'{type_} {key}'.encode()).hexdigest()[:32] if key else new_id()}"


def body_of(type_: EventType, data: Mapping[str, Any], now: float) -> str:
    """Return what is sent: JSON with `type`, `timestamp` and `data`; of what is too large only what names it."""
    body = _json(type_, data, now)
    if len(body.encode()) <= MAX_BODY_OCTETS:
        return body
    named = {key: data[key] for key in ALWAYS if isinstance(data.get(key), str)}
    return _json(type_, named | {"truncated": True}, now)


def call_ended(call: CallSnapshot) -> dict[str, Any]:
    """Return what is told of a call that is over: the fields of `GET /api/v1/calls/{id}`, and the line and the figures
    of the timeline."""
    return {
        "id": call.id,
        "customer": call.customer or None,
        "case": call.case or None,
        "ani": call.ani or None,
        "trunk": call.trunk or None,
        "recording": call.recording or None,
        "started_at": iso(call.started_at),
        "answered_at": iso(call.answered_at) if call.answered_at else None,
        "ended_at": iso(call.ended_at),
        "summary": call_summary.summary(call),
    } | {key: None if value == "" else value for key, value in call_summary.attributes(call).items()}


def _json(type_: EventType, data: Mapping[str, Any], now: float) -> str:
    whole = {"type": type_, "timestamp": iso(now), "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
