"""The webhook of a Facebook page (Messenger Platform). Pure.

Rule 1: a body is Meta's if `X-Hub-Signature-256: sha256=…` is HMAC-SHA-256 of its octets under the app secret. The
address is ours if `hub.verify_token` is the token that stands in the settings; the answer is `hub.challenge`
(https://developers.facebook.com/docs/messenger-platform/webhooks).

Rule 2: an event's id is its `mid`. Echoes, receipts (delivery, read), typing, reactions, edits and what has no
page-scoped id (`sender.id`) are not events of a timeline.

Rule 3: Meta vouches for the page-scoped id and for nothing that the person wrote or tapped.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from crm_bridge.channels.message import (
    attachments_of,
    inside,
    instant_of,
    interaction,
    line_of,
    objects,
    opaque_id,
    said_in,
    text_of,
)
from crm_bridge.identity import Kind
from crm_bridge.shapes import InteractionIn

SIGNATURE: Final = "x-hub-signature-256"
PREFIX: Final = "sha256="
MAX_CHALLENGE_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class Messenger:
    """A Facebook app that one or more pages are linked to."""

    own: ClassVar[Kind] = "facebook"

    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)

    def is_probe(self, body: bytes) -> bool:
        """Meta signs whatever it sends."""
        del body
        return False

    def is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Tell whether Meta sent these octets."""
        said = headers.get(SIGNATURE, "")
        due = PREFIX + hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(said.encode(), due.encode())

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """Return `hub.challenge` for whoever knows the verify token."""
        said = query.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
        knows = hmac.compare_digest(said, self.verify_token.encode())
        asked = query.get("hub.challenge", "")
        is_ask = query.get("hub.mode") == "subscribe" and 0 < len(asked) <= MAX_CHALLENGE_LENGTH
        return asked if knows and is_ask and asked.isascii() and asked.isprintable() else None

    def events(self, document: Mapping[str, Any], name: str, now: float) -> list[InteractionIn]:
        """Return messages and postbacks of people, of every entry in the body, in its order."""
        if document.get("object") != "page":  # Instagram's ids are not page-scoped ids of Messenger
            return []
        found = (_event(each, name, now) for each in _messaging(document))
        return [each for each in found if each is not None]


def _messaging(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give what happened; `standby` is the same while another app holds the conversation."""
    for entry in objects(document.get("entry")):
        yield from objects(entry.get("messaging"))
        yield from objects(entry.get("standby"))


def _event(each: Mapping[str, Any], name: str, now: float) -> InteractionIn | None:
    person = opaque_id(inside(each, "sender", "id"))
    event = "message" if isinstance(each.get("message"), dict) else "postback"
    said = each.get(event)
    if not person or not isinstance(said, dict) or said.get("is_echo"):
        return None
    text = text_of(said.get("text" if event == "message" else "title"))
    attachments = attachments_of(said)
    if not text and not attachments:
        return None
    return interaction(
        name,
        # A quick reply that gives a phone number or an e-mail address says it in the text, too.
        [("facebook", person), *said_in(text)],
        occurred_at=instant_of(each.get("timestamp"), now),
        external_id=(opaque_id(said.get("mid")) or f"{event}:{person}:{line_of(str(each.get('timestamp')), 20)}"),
        text=text,
        attributes={"event": event, "attachments": attachments, "page": opaque_id(inside(each, "recipient", "id"))},
    )
