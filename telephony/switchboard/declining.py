"""How a phone that we rang for an agent says no, and what that means for the queues."""

from typing import Final

from telephony.acd.messages import DeclineCause
from telephony.events import DialogEnded

# Final answers of a phone by which its user says no; the rest mean that the phone could not be reached.
DECLINED: Final = frozenset({486, 600, 603})
UNANSWERED: Final = frozenset({408, 487})


def cause_of(event: DialogEnded) -> DeclineCause:
    """Return what the end of a dialog that was not answered says of its agent."""
    if event.status in DECLINED:
        return "rejected"
    return "no_answer" if event.status in UNANSWERED else "failed"
