"""`callbacks`: how callers are called back who were promised it."""

from pydantic import Field

from hotline.config_section import Section
from hotline.config_values import Duration, Name
from telephony.switchboard.board import CallbackRules


class Callbacks(Section):
    """`hours` names the opening hours in which it is done; none: always. Durations are seconds."""

    retries: int = Field(ge=0, le=20)
    retry_after: Duration = Field(ge=1)
    expire: Duration = Field(ge=60)
    hours: Name | None = None

    @property
    def rules(self) -> CallbackRules:
        """What the switchboard goes by."""
        return CallbackRules(self.retries, self.retry_after, self.expire, self.hours or "")
