"""What is told of those who did not get in: one line for each source and interval, whatever they tried."""

from typing import Final

from telephony.events import MessageRejected, RegistrationRefused
from telephony.sip.headers import one_line
from telephony.sip.limiter import Limiter
from telephony.sip.outbox import Address, Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.sources import source_of
from telephony.sip.uri import bracketed

MAX_USER: Final = 64


class Reports:
    """Tells the outbox, seldom."""

    def __init__(self, settings: EndpointSettings, outbox: Outbox) -> None:
        self._outbox = outbox
        self._limiter = Limiter(settings.rejections_every_s, settings.limits.sources)

    def rejected(self, source: Address, status: int, cause: str, now: float) -> None:
        """A message was answered with a refusal, or with nothing (a status of 0)."""
        held_back = self._limiter.allows(source_of(source), now)
        if held_back is not None:
            self._outbox.events.append(MessageRejected(_written(source), status, cause, held_back))

    def wrong_credentials(self, source: Address, user: str, now: float) -> None:
        """Somebody had a wrong password."""
        held_back = self._limiter.allows(source_of(source), now)
        if held_back is not None:
            event = RegistrationRefused(one_line(user)[:MAX_USER], _written(source), held_back)
            self._outbox.events.append(event)


def _written(source: Address) -> str:
    return f"{bracketed(source[0])}:{source[1]}"
