"""The state of an agent as a presence document (RFC 3863), with what it is doing (RFC 4479, RFC 4480).

`open` says that the agent's phone is registered; whether a call would be welcome is what the activities say.
"""

from html import escape
from typing import Final

from telephony.clock import iso
from telephony.events import AgentState, TellLamp
from telephony.sip.headers import one_line
from telephony.sip.uri import Uri

CONTENT_TYPE: Final = "application/pidf+xml"

# Activities of RFC 4480 section 3.2, with the words that phones show. Phones at large look for these very prefixes.
_ACTIVITIES: Final[dict[AgentState, tuple[str, ...]]] = {
    "offline": (),
    "not_ready": ("away",),
    "ready": (),
    "ringing": ("busy",),
    "talking": ("on-the-phone", "busy"),
    "after_call_work": ("working", "busy"),
}
_NOTES: Final[dict[AgentState, str]] = {
    "offline": "Offline",
    "not_ready": "Not ready",
    "ready": "Ready",
    "ringing": "Ringing",
    "talking": "On a call",
    "after_call_work": "After-call work",
}
_REASONS: Final = {"lunch": "meal", "meeting": "meeting"}


def write_pidf(lamp: TellLamp, *, host: str) -> bytes:
    """Return the document; `host` is that of the watched URI."""
    uri = _text(Uri(user=lamp.agent, host=host).write())
    basic = "closed" if lamp.state == "offline" else "open"
    note = _text(_NOTES[lamp.state] + (f": {lamp.reason}" if lamp.state == "not_ready" and lamp.reason else ""))
    since = f"<timestamp>{iso(lamp.since)}</timestamp>" if lamp.since else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
        f'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="{uri}">\n'
        f'<tuple id="phone"><status><basic>{basic}</basic></status><contact>{uri}</contact>'
        f"<note>{note}</note>{since}</tuple>\n"
        f'<dm:person id="agent">{_activities(lamp)}<dm:note>{note}</dm:note></dm:person>\n'
        "</presence>\n"
    ).encode()


def _activities(lamp: TellLamp) -> str:
    activities = _ACTIVITIES[lamp.state]
    if lamp.state == "not_ready":
        activities += tuple(activity for reason, activity in _REASONS.items() if reason == lamp.reason)
    inner = "".join(f"<rpid:{activity}/>" for activity in activities)
    return f"<rpid:activities>{inner}</rpid:activities>" if inner else ""


def _text(text: str) -> str:
    return escape(one_line(text))
