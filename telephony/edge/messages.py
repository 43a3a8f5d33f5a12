"""What a flow sends a caller, into the outbox of messages."""

import structlog

from crm_bridge.case import CaseReference, CaseUnknown
from crm_bridge.keep import KeepContended
from crm_bridge.notify.choice import NotReachable
from crm_bridge.notify.outbox import Notifier, SubjectMissing, Wanted
from crm_bridge.person import NoProfile
from telephony.events import SendMessage

log = structlog.get_logger("hotline.notify")


async def send(notifier: Notifier | None, command: SendMessage, now: float) -> None:
    """Queue a message and commit. The call went on long ago: what cannot be sent is said in the log, without a word of
    what it says. Raises the database's errors."""
    wanted = Wanted(
        customer=command.customer,
        text={command.language: command.text},
        subject={command.language: command.subject} if command.subject else {},
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
    except (NotReachable, SubjectMissing, CaseUnknown, NoProfile, KeepContended) as error:
        cause = "the profile is gone" if isinstance(error, NoProfile) else str(error)
        log.warning("a flow's message was not sent", call=command.call, flow=command.flow, cause=cause)
