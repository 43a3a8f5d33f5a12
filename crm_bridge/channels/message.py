"""What a channel's event becomes: the same shape that `POST /api/v1/interactions` takes. Pure.

Rule: whatever a far end sends, the answer is an event or None. A field that is too long is cut, one that is no text is
left out: the far end would only send the same again, for hours.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pydantic import ValidationError

from crm_bridge.identity import Kind
from crm_bridge.lines import stored
from crm_bridge.shapes import InteractionIn

MAX_TEXT_LENGTH: Final = 20_000
MAX_NAME_LENGTH: Final = 200
MAX_ATTACHMENTS: Final = 10
MAX_URL_LENGTH: Final = 1024  # ten of them fit into the attributes of an interaction
SECONDS_BELOW: Final = 1e11
"""Instants below are seconds (until the year 5138), those above milliseconds (from 1973 on): Messenger writes both."""
_OPAQUE_ID = re.compile(r"[!-~]{1,255}")
_URL = re.compile(rf"https?://[!-~]{{1,{MAX_URL_LENGTH}}}")
_NUMBER = re.compile(r"\(?\+?[\d\s().\-]{9,24}")
_ADDRESS = re.compile(r"\S{1,64}@\S{3,189}")

Identities = Sequence[tuple[Kind, str]]


class SignedChannel(Protocol):
    """A channel whose far end signs what it sends. `own` is the kind of identity that the signature vouches for."""

    @property
    def own(self) -> Kind:
        """The kind of identity that the channel itself carries."""
        ...

    def is_probe(self, body: bytes) -> bool:
        """Tell whether a body holds nothing, and is sent unsigned to see whether somebody is here."""
        ...

    def is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Tell whether the far end sent these very octets; takes the same time for every wrong signature."""
        ...

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """Return what to answer to whoever asks whether the address is ours, None for a stranger."""
        ...

    def events(self, document: Mapping[str, Any], name: str, now: float) -> list[InteractionIn]:
        """Return the events in a body that this channel, called `name`, brings to a timeline, in its order."""
        ...


def parsed(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, an empty one if there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def inside(value: object, *path: str) -> Any:
    """Return what stands at `path` in nested objects, None where the path leads nowhere."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, nothing of what is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def opaque_id(value: object) -> str:
    """Return an id as the far end gives it, "" if it cannot be one. Zalo writes some as numbers."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _OPAQUE_ID.fullmatch(text) else ""


def text_of(value: object, longest: int = MAX_TEXT_LENGTH) -> str:
    """Return a text that every database can hold, cut to `longest` characters; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    text = stored(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def line_of(value: object, longest: int = MAX_NAME_LENGTH) -> str:
    """Return one printable line; "" for what is no text."""
    return text_of(" ".join("".join(sign if sign.isprintable() else " " for sign in text_of(value)).split()), longest)


def instant_of(value: object, now: float) -> float:
    """Return an instant (milliseconds or seconds since the epoch, number or text) in seconds; `now` for none."""
    try:
        figure = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return now
    seconds = figure if figure < SECONDS_BELOW else figure / 1000
    return seconds if 0 < seconds <= now else now


def said_in(text: str) -> list[tuple[Kind, str]]:
    """Return the phone number or e-mail address that a message consists of, as somebody answers who was asked for it.

    One inside a longer sentence may be anybody's ("call my husband at …") and is none.
    """
    bare = text.strip()
    if _NUMBER.fullmatch(bare):
        return [("phone", bare)]
    return [("email", bare)] if _ADDRESS.fullmatch(bare) else []


def attachments_of(message: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return kind and address of what is attached to a message, as Zalo and Messenger both write it."""
    found = []
    for each in objects(message.get("attachments"))[:MAX_ATTACHMENTS]:
        url = inside(each, "payload", "url")
        is_url = isinstance(url, str) and _URL.fullmatch(url)
        found.append({"type": line_of(each.get("type"), 32), "url": url if is_url else ""})
    return found


def interaction(
    channel: str,
    identities: Identities,
    *,
    occurred_at: float,
    external_id: str | None,
    subject: str = "",
    text: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> InteractionIn | None:
    """Return an inbound event, None for one that cannot be told. Attributes that are empty are left out."""
    try:
        return InteractionIn.model_validate(
            {
                "channel": channel,
                "occurred_at": datetime.fromtimestamp(occurred_at, UTC),
                "identities": [{"kind": kind, "value": value} for kind, value in identities],
                "subject": subject,
                "text": text,
                "external_id": external_id,
                "attributes": {key: value for key, value in (attributes or {}).items() if value},
            }
        )
    except ValidationError:
        return None
