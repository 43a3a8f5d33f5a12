"""What the log says of those whom SIP refused: seldom, and quoting nothing that steers a terminal."""

from typing import Final

import structlog

from telephony.events import MessageRejected, RegistrationRefused

NO_ROOM: Final = 503

log = structlog.get_logger("hotline.sip")


def log_refusal(event: MessageRejected | RegistrationRefused) -> None:
    """Write one line, with how many of the same source went untold before it."""
    untold = {"unreported": event.unreported} if event.unreported else {}
    match event:
        case MessageRejected():
            what = "SIP that we had no room for" if event.status == NO_ROOM else "bad SIP message"
            log.warning(what, source=event.source, status=event.status, cause=event.cause, **untold)
        case RegistrationRefused():
            log.warning("wrong SIP credentials", source=event.source, user=event.user, **untold)
