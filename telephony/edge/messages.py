"""What a flow sends a caller, into the outbox of messages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from crm_bridge.case import CaseOfAnother, CaseReference, CaseUnknown
from crm_bridge.keep import KeepContended
from crm_bridge.lines import stored
from crm_bridge.notify.choice import NotReachable
from crm_bridge.notify.outbox import KeyOfAnother, Notifier, SubjectMissing, Wanted
from crm_bridge.notify.thread import MAX_SUBJECT
from crm_bridge.person import NoProfile
from telephony.edge.flow_requests import FAILED, Outcome
from telephony.events import FlowRequest
from telephony.requests import SendMessage

REFUSED: Final = (NotReachable, SubjectMissing, KeyOfAnother, CaseUnknown, CaseOfAnother, NoProfile, KeepContended)

log = structlog.get_logger("hotline.notify")


@dataclass(frozen=True, slots=True)
class MessageRequests:
    """Puts messages into the outbox, each in a transaction of its own; `turn` is that of whoever writes."""

    notifier: Notifier
    turn: asyncio.Lock
    now: Callable[[], float]

    async def perform(self, asked: FlowRequest) -> Outcome:
        """Queue a message: `next` once it is kept. Why one is not is said in the log, without a word of what it says.
        Raises the database's errors."""
        request = asked.request
        if not isinstance(request, SendMessage):
            raise TypeError(f"{type(request).__name__} is no message")
        try:
            if not asked.customer:
                raise NotReachable("nobody is known whom it could go to")
            async with self.turn:
                await self.notifier.send(_wanted(asked, request), self.now())
        except REFUSED as error:
            cause = "the profile is gone" if isinstance(error, NoProfile) else str(error)
            log.warning("a flow's message was not sent", call=asked.call, flow=asked.flow, cause=cause)
            return Outcome(FAILED)
        return Outcome("next")


def _wanted(asked: FlowRequest, message: SendMessage) -> Wanted:
    subject = _line(message.subject)
    return Wanted(
        customer=asked.customer,
        text={asked.language: stored(message.text)},
        subject={asked.language: subject} if subject else {},
        channel=message.channel,
        case=CaseReference(id=asked.case) if asked.case else None,
        key=f"call {asked.call} {asked.number}",
        automatic=True,
        language=asked.language,
        by=f"flow {asked.flow}",
        call=asked.call,
    )


def _line(text: str) -> str:
    """Return words as the one line that a subject is: a variable may have brought anything along."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(printable.split())[:MAX_SUBJECT].rstrip()
