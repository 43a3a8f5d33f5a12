"""Reports that a message of ours was not delivered (RFC 3464), as mail servers send them. Pure.

Rule 1: only what failed for good counts. A report that something is late, or was read, says nothing of it.
Rule 2: anybody can write a report; who does has to know the Message-ID, which only those who got the letter do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crm_bridge.mail import mime
from crm_bridge.mail.message import message_ids
from crm_bridge.mail.mime import Part

MAX_RECEIVERS: Final = 20
MAX_CAUSE: Final = 160
_ORIGINAL: Final = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
_STATUS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that came back, by its Message-ID, and why."""

    message_id: str
    cause: str


def returned(raw: bytes) -> Returned | None:
    """Return which message a report gives back; None for any other message, whatever it is."""
    message_id = cause = ""
    for part, _ in mime.leaves(mime.split(raw)):
        if part.type in _ORIGINAL and not message_id:
            message_id = next(iter(message_ids(mime.split(part.body).get("message-id"))), "")
        elif part.type in _STATUS and not cause:
            cause = next((why for each in _receivers(part.body) if (why := _failure(each))), "")
    return Returned(message_id, cause) if message_id and cause else None


def _receivers(body: bytes) -> Iterator[Part]:
    """Yield the fields of each group: that of the message first, then one for each receiver."""
    for _ in range(MAX_RECEIVERS + 1):
        group = mime.split(body)
        yield group
        if not group.body.strip() or len(group.body) >= len(body):
            return
        body = group.body


def _failure(group: Part) -> str:
    """Return why a receiver did not get it, "" for one who did, or may yet."""
    if mime.without_comments(group.get("action")).strip().lower() != "failed":
        return ""
    said = group.get("diagnostic-code").partition(";")[2] or mime.without_comments(group.get("status"))
    return mime.line(said)[:MAX_CAUSE].strip() or "no cause is given"
