"""What a flow sends a caller, into the outbox of messages."""

from typing import Final

import structlog

from crm_bridge.case import CaseOfAnother, CaseReference, CaseUnknown
from crm_bridge.keep import KeepContended
from crm_bridge.notify.choice import NotReachable
from crm_bridge.notify.outbox import KeyOfAnother, Notifier, SubjectMissing, Wanted
from crm_bridge.notify.thread import MAX_SUBJECT
from crm_bridge.person import NoProfile
from telephony.events import SendMessage

REFUSED: Final = (NotReachable, SubjectMissing, KeyOfAnother, CaseUnknown, CaseOfAnother, NoProfile, KeepContended)

log = structlog.get_logger("hotline.notify")


async def send(notifier: Notifier | None, command: SendMessage, now: float) -> None:
    """Queue a message and commit. The call went on long ago: what cannot be sent is said in the log, without a word of
    what it says. Raises the database's errors."""
    subject = _line(command.subject)
    wanted = Wanted(
        customer=command.customer,
        text={command.language: _storable(command.text)},
        subject={command.language: subject} if subject else {},
        channel=command.channel,
        case=CaseReference(id=command.case) if command.case else None,
        key=f"call {command.call} {command.number}",
        automatic=True,
        language=command.language,
        by=f"flow {command.flow}",
        call=command.call,
    )
    try:
        if notifier is None:
            raise NotReachable("nothing is set that could send messages")
        await notifier.send(wanted, now)
    except REFUSED as error:
        cause = "the profile is gone" if isinstance(error, NoProfile) else str(error)
        log.warning("a flow's message was not sent", call=command.call, flow=command.flow, cause=cause)


def _line(text: str) -> str:
    """Return words as the one line that a subject is: a variable may have brought anything along."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(printable.split())[:MAX_SUBJECT].rstrip()


def _storable(text: str) -> str:
    """Return a text without what no database holds: NUL, and halves of surrogate pairs."""
    return "".join(sign for sign in text if sign != "\0" and not "\ud800" <= sign <= "\udfff")
