"""One party of a call between two phones: one of ours, or one in the world outside."""

from dataclasses import dataclass

from telephony import sdp
from telephony.events import LegOpened
from telephony.switchboard.dialling import TrunkRules


@dataclass(slots=True)
class Side:
    """One of the two. `offer` is what its INVITE brought, empty for the one who is called, or for none.

    Of a party outside `agent` is empty and `number` is what is called; `trunks` are those by which it may be, the
    present one first, and each of its dialogs has a name of its own. It is called for the agent `by`, perhaps in the
    place of a caller with the number `passed`; `shown` is the number that it sees, `diverted` the one that was called
    first, where it is called in somebody's place. `heard`: its early media is.
    """

    agent: str
    dialog: str
    leg: str
    session_id: int
    offer: str = ""
    media: LegOpened | None = None
    agreed: sdp.Negotiated | None = None
    version: int = 0
    said: str = ""
    moved: bool = False
    sound: str = ""
    """The playback that this side hears while the other holds."""
    device: str = ""
    """Which of the agent's devices is called, where one was named."""
    number: str = ""
    trunks: tuple[TrunkRules, ...] = ()
    by: str = ""
    passed: str = ""
    shown: str = ""
    diverted: str = ""
    withheld: bool = False
    heard: bool = False

    @property
    def trunk(self) -> str:
        """The trunk that it is called by, empty for one of ours."""
        return self.trunks[0].name if self.trunks else ""
