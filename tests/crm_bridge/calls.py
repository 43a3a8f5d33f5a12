"""Snapshots of calls as telephony takes them."""

from typing import Any

import msgspec

from telephony.events import CallerContext, CallSnapshot

CALL_ID = "c" * 32


def snapshot(customer: str = "", **fields: Any) -> CallSnapshot:
    """Return a call that has just come in, or what `fields` make of it."""
    call = CallSnapshot(
        id=CALL_ID,
        state="in_flow",
        number="0912345678",
        ani="+84912345678",
        dnis="19001234",
        customer=customer,
        context=CallerContext(customer=customer, known=True),
        language="en",
        flow="welcome",
        flow_path=("greeting",),
        queue="",
        agent="",
        recording="",
        case="",
        started_at=1000.0,
    )
    return msgspec.structs.replace(call, **fields)


def ended(customer: str = "", **fields: Any) -> CallSnapshot:
    """Return a call that waited 12 s, was talked for 45 s and recorded."""
    whole: dict[str, Any] = {
        "state": "ended",
        "flow_path": ("greeting", "menu", "agent"),
        "queue": "care",
        "agent": "an",
        "recording": "r" * 32,
        "answered_at": 1000.5,
        "queued_at": 1010.0,
        "queue_left_at": 1022.0,
        "talk_started_at": 1022.0,
        "ended_at": 1067.0,
        "ended_by": "caller",
    }
    return snapshot(customer, **(whole | fields))
