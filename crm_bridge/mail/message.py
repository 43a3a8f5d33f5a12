"""An e-mail as an event of the timeline. Pure: bytes and the time of receipt in, a `Mail` out.

Rule 1: any bytes at all are legal input, and whatever comes out fits `crm_bridge.shapes.InteractionIn`.
Rule 2: From is a claim. Only a server that we trust can say more of it (`crm_bridge.mail.authentic`).
Rule 3: nothing that a machine wrote may make another machine answer: `kind` says who wrote, and only a person's mail
ever gets an answer (RFC 3834).
Rule 4: attachments are named and counted, and not kept.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from crm_bridge import identity
from crm_bridge.mail import mime
from crm_bridge.mail.authentic import is_vouched_for
from crm_bridge.mail.mime import Part
from crm_bridge.mail.own_words import own_words
from crm_bridge.mail.plain import plain
from crm_bridge.shapes import AttributesIn, CaseIn, IdentityIn, InteractionIn

Kind = Literal["person", "automatic", "list", "bounce", "own", "loop"]

CHANNEL: Final = "email"
MAX_TEXT: Final = 20_000
MAX_READ: Final = 200_000
"""Characters in which quotations are looked for."""
MAX_SUBJECT: Final = 500
MAX_NAME: Final = 200
MAX_ID: Final = 255
MAX_REFERENCES: Final = 20
MAX_NAMED_FILES: Final = 10
MAX_FILE_NAME: Final = 64
MAX_HOPS: Final = 100  # RFC 5321 section 6.3
OLDEST_S: Final = 7 * 86_400
"""A message waits for days at most on its way (RFC 5321 section 4.5.4.1): an older Date is a wrong clock."""

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,253}>")
_MACHINES: Final = frozenset({"mailer-daemon", "postmaster"})
_NOBODYS: Final = frozenset({"bulk", "junk", "auto_reply"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message: its name ("" for none), its media type, about how many bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail. `sender` is a normalised address, "" if From holds none that identifies anybody.

    `name` is what From calls them. `text` is what they wrote, without quotation and signature. `occurred_at` is seconds
    since the epoch. `references` are the ids of the messages it answers, the nearest first. `is_authentic`: a trusted
    server vouches for `sender`.
    """

    sender: str
    name: str
    subject: str
    text: str
    occurred_at: float
    external_id: str
    references: tuple[str, ...]
    root: str
    """The id of the message that began the thread: its own, if it answers nothing."""
    kind: Kind
    is_authentic: bool
    attachments: tuple[Attachment, ...]

    @property
    def concerns_a_customer(self) -> bool:
        """Whether it belongs on a timeline: somebody is known to have sent it, or their machine answered for them."""
        return bool(self.sender) and self.kind in ("person", "automatic")

    @property
    def may_be_answered(self) -> bool:
        """Whether a machine may answer it. Without this two machines answer each other for ever."""
        return self.kind == "person"

    def interaction(self, case: CaseIn | None = None) -> InteractionIn:
        """Return what `POST /api/v1/interactions` takes. Only for a mail with a sender."""
        attributes: dict[str, object] = {"authentic": self.is_authentic}
        if self.name:
            attributes["name"] = self.name
        if self.kind != "person":
            attributes["automatic"] = self.kind
        if self.references:
            attributes["answers"] = self.references[0]
        if self.attachments:
            attributes["attachment_count"] = len(self.attachments)
            attributes["attachments"] = [
                {"name": each.name, "type": each.type, "bytes": each.size}
                for each in self.attachments[:MAX_NAMED_FILES]
            ]
        return InteractionIn(
            channel=CHANNEL,
            occurred_at=datetime.fromtimestamp(self.occurred_at, UTC),
            identities=[IdentityIn(kind="email", value=self.sender)],
            subject=self.subject,
            text=self.text,
            case=case,
            external_id=self.external_id,
            attributes=AttributesIn.model_validate(attributes),
        )


def parse(
    raw: bytes,
    *,
    received_at: float,
    trusted: Collection[str] = (),
    own: Collection[str] = (),
    envelope_sender: str | None = None,
) -> Mail:
    """Read a message, whatever it is.

    `received_at` is seconds since the epoch. `trusted` are the authserv-ids of servers whose Authentication-Results
    count, `own` our own normalised addresses. `envelope_sender` is what came with MAIL FROM; None where only the
    message is known, then its Return-Path counts.
    """
    message = mime.split(raw)
    senders = message.all("from")
    name, address = mime.mailbox(senders[0]) if senders else ("", "")
    sender = identity.email(address[: mime.MAX_MAILBOX])
    own_id, references = _thread(message)
    leaves = list(mime.leaves(message))
    external_id = own_id or _made_id(message)
    return Mail(
        sender=sender,
        name="" if "@" in name else name[:MAX_NAME].rstrip(),
        subject=_shortened(mime.line(mime.decoded_words(message.get("subject"))), MAX_SUBJECT),
        text=_shortened(own_words(_body(leaves)), MAX_TEXT),
        occurred_at=_occurred_at(message.get("date"), received_at),
        external_id=external_id,
        references=references,
        root=_root(message) or external_id,
        kind=_kind(message, sender, own, envelope_sender),
        is_authentic=_is_authentic(message, trusted, sender),
        attachments=tuple(_attachment(part) for part, _ in leaves if part.is_attachment),
    )


# ---------------------------------------------------------------------------------------------------------- thread


def message_ids(field: str) -> list[str]:
    """Return the ids in a Message-ID, In-Reply-To or References field, in its order."""
    return _MESSAGE_ID.findall(field)


def _thread(message: Part) -> tuple[str, tuple[str, ...]]:
    """Return the message's own id ("" if it has none) and those that it answers, the nearest first."""
    own_id = next(iter(message_ids(message.get("message-id"))), "")
    answered = message_ids(message.get("in-reply-to")) + message_ids(message.get("references"))[::-1]
    return own_id, tuple(each for each in dict.fromkeys(answered) if each != own_id)[:MAX_REFERENCES]


def _root(message: Part) -> str:
    """Return the id that the thread began with, "" if none is named (RFC 5322 section 3.6.4)."""
    named = message_ids(message.get("references")) or message_ids(message.get("in-reply-to"))
    return named[0] if named else ""


def _made_id(message: Part) -> str:
    """Return an id that is the same whichever way the message comes: servers on the way write in other fields."""
    said = [message.get(name).encode() for name in ("from", "to", "date", "subject")]
    return "sha256:" + hashlib.sha256(b"\n".join([*said, message.body])).hexdigest()


# ------------------------------------------------------------------------------------------------------------ kind


def _kind(message: Part, sender: str, own: Collection[str], envelope_sender: str | None) -> Kind:
    if sender in own:
        return "own"
    if len(message.all("received")) >= MAX_HOPS:
        return "loop"
    if _is_report(message) or message.get("x-failed-recipients") or sender.partition("@")[0] in _MACHINES:
        return "bounce"
    precedence = mime.without_comments(message.get("precedence")).lower()
    if message.get("list-id") or precedence == "list":
        return "list"
    submitted = mime.without_comments(message.get("auto-submitted")).partition(";")[0].strip().lower()
    answered_by_machine = message.get("x-autoreply") or message.get("x-autorespond")
    if (submitted and submitted != "no") or precedence in _NOBODYS or answered_by_machine:
        return "automatic"
    return "automatic" if _has_null_path(message, envelope_sender) else "person"


def _is_report(message: Part) -> bool:
    """Whether it reports on delivery or reading (RFC 6522)."""
    return message.type == "multipart/report"


def _has_null_path(message: Part, envelope_sender: str | None) -> bool:
    """Whether nobody may be told of a failure: reports and automatic answers are sent so (RFC 3834 section 3.3)."""
    if envelope_sender is not None:
        return envelope_sender.strip("<> ") == ""
    return "".join(message.get("return-path").split()) == "<>"


def _is_authentic(message: Part, trusted: Collection[str], sender: str) -> bool:
    if len(message.all("from")) != 1:  # RFC 5322 section 3.6 allows one; of two the server may have judged the other
        return False
    return is_vouched_for(message.all("authentication-results"), trusted, sender.rpartition("@")[2])


# ------------------------------------------------------------------------------------------------------------- body


def _body(leaves: Iterable[tuple[Part, str]]) -> str:
    """Return what there is to read; of a text in several forms the plain one, unless there is nothing in it."""
    texts: list[str] = []
    has_plain_form = False
    left = 4 * MAX_READ
    for part, around in leaves:
        if part.is_attachment or left <= 0:
            continue
        is_one_form = around in ("multipart/alternative", "multipart/related")
        if part.type == "text/html" and is_one_form and has_plain_form:
            continue
        text = part.text()
        left -= len(text)
        if part.type == "text/html":
            text = mime.clean(plain(text))
        if text.strip():
            has_plain_form = is_one_form
            texts.append(text)
    return "\n".join(texts)[:MAX_READ]


def _attachment(part: Part) -> Attachment:
    return Attachment(part.filename[:MAX_FILE_NAME], part.type[:MAX_FILE_NAME], part.size)


# ------------------------------------------------------------------------------------------------------------ values


def _occurred_at(date: str, received_at: float) -> float:
    """Return when it was written, as far as that can be: not after it came, and not long before."""
    try:
        written = parsedate_to_datetime(mime.without_comments(date)[:200])
        at = (written if written.tzinfo else written.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at
    return at if received_at - OLDEST_S <= at <= received_at else received_at


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
