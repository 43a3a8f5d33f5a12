"""The webhook of a Zalo Official Account. Pure.

Rule 1: a body is Zalo's if the header `X-ZEvent-Signature: mac=…` is SHA-256 of app id, body, timestamp and the
account's secret key, joined (https://developers.zalo.me/docs/official-account/webhook/tong-quan). The timestamp is the
body's `timestamp`, or that of the header `X-ZEvent-Timestamp`: receivers in the field know both.

Rule 2: an event's id is `message.msg_id`. Those without a message (follow, user_submit_info) happen once for a user and
an instant.

Rule 3: Zalo vouches for the user id and for nothing that the user wrote: the phone number of `user_submit_info` is a
claim.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from crm_bridge.channels.message import (
    Identities,
    attachments_of,
    inside,
    instant_of,
    interaction,
    line_of,
    opaque_id,
    parsed,
    said_in,
    text_of,
)
from crm_bridge.identity import Kind
from crm_bridge.shapes import InteractionIn

SIGNATURE: Final = "x-zevent-signature"
TIMESTAMP: Final = "x-zevent-timestamp"
MESSAGE: Final = "user_send_"
OF_A_GROUP: Final = "user_send_group_"  # said to a group, not to us
FOLLOWS: Final[Mapping[str, str]] = {
    "follow": "Follows the Official Account",
    "unfollow": "Does not follow the Official Account any more",
}
SUBMIT_INFO: Final = "user_submit_info"
ADDRESS: Final = ("address", "ward", "district", "city")
_TIMESTAMP = re.compile(r"\d{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Zalo:
    """An Official Account, as the app that it is linked to is told of it."""

    own: ClassVar[Kind] = "zalo"

    app_id: str
    oa_secret: str = field(repr=False)

    def is_probe(self, body: bytes) -> bool:
        """Zalo's console sends an empty object, unsigned, and takes the address only if the answer is 200."""
        return body.strip() == b"{}"

    def is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Tell whether Zalo sent these octets, by either timestamp; without one, or without a MAC, it did not."""
        said = headers.get(SIGNATURE, "").removeprefix("mac=").lower().encode()
        stamps = [str(parsed(body).get("timestamp", "")), headers.get(TIMESTAMP, "")]
        # Digits alone: a timestamp from a header could else stand for a part of the body.
        due = [self._mac(body, stamp) for stamp in stamps if _TIMESTAMP.fullmatch(stamp)]
        return any([hmac.compare_digest(said, each) for each in due])  # noqa: C419 - all of them, found or not

    def _mac(self, body: bytes, stamp: str) -> bytes:
        signed = self.app_id.encode() + body + stamp.encode() + self.oa_secret.encode()
        return hashlib.sha256(signed).hexdigest().encode()

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """Zalo does not ask in this way."""
        del query
        return None

    def events(self, document: Mapping[str, Any], name: str, now: float) -> list[InteractionIn]:
        """Return the one event of a body; none for receipts, for what the account itself wrote, and for strangers
        without an id of their own (`anonymous_…`)."""
        event = line_of(document.get("event_name"), 64)
        user = opaque_id(inside(document, "follower" if event in FOLLOWS else "sender", "id"))
        if not user:
            return []
        occurred_at = instant_of(document.get("timestamp"), now)
        without_message = f"{event}:{user}:{line_of(str(document.get('timestamp')), 20)}"
        said: Identities = []
        subject, text = "", ""
        attributes: dict[str, Any] = {"event": event}
        if event.startswith(MESSAGE) and not event.startswith(OF_A_GROUP):
            message = document.get("message")
            message = message if isinstance(message, dict) else {}
            external_id = opaque_id(message.get("msg_id")) or without_message
            text = text_of(message.get("text"))
            said = said_in(text)
            attributes["attachments"] = attachments_of(message)
        elif event == SUBMIT_INFO:
            external_id, subject = without_message, "Gave contact details"
            phone = inside(document, "info", "phone")
            said = [("phone", str(phone))] if isinstance(phone, str | int) and 0 < len(str(phone)) <= 64 else []
            attributes["name"] = line_of(inside(document, "info", "name"))
            attributes["address"] = ", ".join(
                part for key in ADDRESS if (part := line_of(inside(document, "info", key)))
            )
        elif event in FOLLOWS:
            external_id, subject = without_message, FOLLOWS[event]
        else:
            return []
        told = interaction(
            name,
            [("zalo", user), *said],
            occurred_at=occurred_at,
            external_id=external_id[:255],
            subject=subject,
            text=text,
            attributes=attributes,
        )
        return [] if told is None else [told]
