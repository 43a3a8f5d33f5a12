"""What the SIP core has to give out: datagrams for the wire and events for the switchboard, in order."""

from telephony.events import SipEvent
from telephony.sip.address import Address

__all__ = ["Address", "Outbox"]


class Outbox:
    """Two lists that the parts of the core append to and the endpoint drains."""

    __slots__ = ("datagrams", "events")

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, Address]] = []
        self.events: list[SipEvent] = []
