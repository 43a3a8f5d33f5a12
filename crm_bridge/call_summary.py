"""What a call looks like on a timeline: one line of English for people, and the same in fields for pages. Pure."""

from typing import Any, Final

from telephony.events import CallSnapshot

MAX_SUMMARY_LENGTH: Final = 500
PARTIES: Final = ("caller", "agent", "flow")  # other endings are said in words, such as `no audio from the caller`


def queue_wait_s(call: CallSnapshot) -> float | None:
    """Return the seconds between entering the queue and leaving it, with an agent or without; None while it waits."""
    until = call.queue_left_at or call.ended_at
    return _seconds(call.queued_at, until) if call.queued_at and until else None


def talk_s(call: CallSnapshot) -> float | None:
    """Return the seconds of talk with the agent, None before its end and where there was none."""
    until = call.talk_ended_at or call.ended_at
    return _seconds(call.talk_started_at, until) if call.talk_started_at and until else None


def attributes(call: CallSnapshot) -> dict[str, Any]:
    """Return the call's figures, for pages that say them in their own language."""
    return {
        "state": call.state,
        "direction": call.direction,
        "dnis": call.dnis,
        "language": call.language,
        "flow": call.flow,
        "flow_path": list(call.flow_path),
        "queue": call.queue,
        "queue_wait_s": queue_wait_s(call),
        "agent": call.agent,
        "talk_s": talk_s(call),
        "duration_s": _seconds(call.started_at, call.ended_at) if call.ended_at else None,
        "ended_by": call.ended_by,
        "asked_again": list(call.asked_again),
    }


def summary(call: CallSnapshot) -> str:
    """Return one line: `Call to 19001234: menu > agent; waited 12 s in care; talked 45 s with an; ended by caller`, or,
    of one of ours, `Call from an to +84912345678: ...`."""
    waited, talked = queue_wait_s(call), talk_s(call)
    parts = [" > ".join(call.flow_path)]
    if call.queue:
        parts.append(f"waits in {call.queue}" if waited is None else f"waited {waited:.0f} s in {call.queue}")
    if call.talk_started_at:
        talk = "talks" if talked is None else f"talked {talked:.0f} s"
        parts.append(f"{talk} with {call.agent}" if call.agent else talk)
    if call.transferred_by:
        parts.append(f"transferred by {call.transferred_by}")
    if call.ended_by:
        parts.append(f"ended by {call.ended_by}" if call.ended_by in PARTIES else f"ended: {call.ended_by}")
    by = f"from {call.transferred_by or call.agent} " if call.direction == "outbound" else ""
    line = f"Call {by}to {call.dnis}: {'; '.join(part for part in parts if part)}".removesuffix(": ")
    return line if len(line) <= MAX_SUMMARY_LENGTH else line[: MAX_SUMMARY_LENGTH - 1] + "…"


def _seconds(begin: float, end: float) -> float:
    return round(max(0.0, end - begin), 3)
