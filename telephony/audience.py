"""What of the live events an agent's page is told. Pure.

Rule: an agent sees everything of calls that are offered to it or that it talks in, the state of every agent (a transfer
needs to know), that there is a message for some queue, that something happened with some customer (whose page it may
have open: the id alone, the rest it asks for), and of all other calls no more than that something changed in their
queue. What passes, and has no number, changes no queue. Numbering stays as it is, so that a page which comes back knows
from where to go on.
"""

from typing import Any, Final

Event = dict[str, Any]

OF_EVERYBODY: Final = frozenset({"hello", "agent.changed", "voicemail.created", "voicemail.done"})
OF_CUSTOMERS: Final = ("interaction.", "customer.")


def seen_by(agent: str, event: Event) -> Event | None:
    """Return the event as this agent may see it, None for one that is not for it."""
    if event["type"] in OF_EVERYBODY:
        return event
    if event["type"].startswith(OF_CUSTOMERS):
        return {name: event[name] for name in ("seq", "at", "type", "customer") if name in event}
    call = event.get("call") or {}
    if event["type"] == "callback.changed":  # it waits in a queue as a call does
        call = {"queue": event["callback"]["queue"]}
    if agent in (call.get("agent"), event.get("agent"), event.get("by")):
        return event
    if call.get("queue") and "seq" in event:
        return {"seq": event["seq"], "at": event["at"], "type": "queue.changed", "queue": call["queue"]}
    return None
