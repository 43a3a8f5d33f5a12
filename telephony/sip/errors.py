"""Whose fault it is: the far end's (`RemoteError`, with the status to answer) or ours (`LocalError`)."""

from telephony.sip.headers import Headers


class SipError(Exception):
    """Anything that goes wrong in the SIP core."""


class LocalError(SipError):
    """We asked for something that the state does not allow, or tried to write what may not be written."""


class Unanswered(SipError):
    """What came gets no answer at all, so that its sender learns nothing, not even that somebody is here."""


class Partial:
    """What could be read of a message that is broken: enough, perhaps, to answer it.

    `method` is empty for a response and for bytes that are no SIP at all: those are never answered.
    """

    __slots__ = ("headers", "method")

    def __init__(self, method: str, headers: Headers) -> None:
        self.method = method
        self.headers = headers


class RemoteError(SipError):
    """The far end sent what it may not send.

    `status` is what it is to be told and `reason` the reason phrase, which names the cause and quotes nothing of the
    far end's. `extra` are header fields that the answer needs (`Unsupported`, `Min-Expires`, ...).
    """

    def __init__(
        self,
        status: int,
        reason: str,
        partial: Partial | None = None,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.partial = partial
        self.extra = extra
