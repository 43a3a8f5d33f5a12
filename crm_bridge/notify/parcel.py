"""What goes to a person, and by which way. Pure, and light: the settings import it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

Kind = Literal["zalo", "email"]

EMAIL: Final = "email"
"""The channel of e-mail, as the timeline calls it."""
MAX_TEXT: Final[Mapping[Kind, int]] = {"zalo": 2000, "email": 20_000}
"""Characters. Zalo's is the limit of `message.text`."""
RETRIES_S: Final = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21_600.0)
"""Nine hours: what comes later than that is news to nobody."""
KEY_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Route:
    """A way to people. `name` is its channel on the timeline. `domain` is that of our own address, for Message-IDs."""

    name: str
    kind: Kind
    domain: str = ""
    at_once: int = 4
    retries_s: Sequence[float] = RETRIES_S

    def external_id(self, digits: str) -> str:
        """Return the id that a message has on the timeline; of an e-mail, its Message-ID (RFC 5322 section 3.6.4)."""
        return f"<{digits}@{self.domain}>" if self.kind == "email" else f"out:{digits}"


class Parcel(msgspec.Struct, frozen=True):
    """A message as it is sent, however often. `to` is a normalised identity, `references` are the Message-IDs of the
    thread, the oldest first; `automatic`: a flow sends it, nobody wrote it."""

    to: str
    text: str
    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    automatic: bool = False
    language: str = ""


def digits_of(key: str) -> str:
    """Return what a message is known by from here on: the same for the same key."""
    return hashlib.sha256(f"message {key}".encode()).hexdigest()[:KEY_DIGITS]


def in_language(texts: Mapping[str, str], language: str) -> tuple[str, str]:
    """Return the language and the words for a person: their own, or one that is close (`en` for `en-GB`), else the
    first that there is. A text without a language has the key ""."""
    for wanted in (language, language.partition("-")[0]):
        if wanted in texts:
            return wanted, texts[wanted]
    return next(iter(texts.items()), ("", ""))
