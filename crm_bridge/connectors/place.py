"""Where somebody's own CRM is, and how we are let in: what the settings add to a connector's file. Light."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from crm_bridge.connectors.language import Connector

Unknown = Literal["log", "create", "skip"]
"""What becomes of a finished call whose person the CRM does not know: logged of nobody, logged of a person who is made
there, or not logged."""
PREFIX: Final = "crm:"
"""Before a connector's name where it stands among the endpoints of webhooks."""


@dataclass(frozen=True, slots=True)
class Place:
    """One CRM of the settings. `timeout_s` is for one thing that it is asked; `patience_s` how long a caller's greeting
    waits for it; `fresh_s` so long an answer is not asked for again."""

    name: str
    connector: Connector
    base: str
    login: str
    credentials: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    patience_s: float = 0.5
    fresh_s: float = 60.0
    log_calls: bool = True
    unknown: Unknown = "log"
    retries_s: tuple[float, ...] = ()

    def missing(self) -> list[str]:
        """Return what the file needs and the settings do not give."""
        connector = self.connector
        credentials = [name for name in connector.sign_in.needs if not self.credentials.get(name)]
        options = [f"options.{name}" for name, default in connector.options.items() if default is None]
        return [
            *([] if self.base else ["base"]),
            *credentials,
            *(each for each in options if not self.options.get(each.removeprefix("options."))),
        ]
