"""`connectors`: the CRMs that the business has already, by name."""

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator

from crm_bridge.connectors import load
from crm_bridge.connectors.language import CREDENTIALS, Connector
from crm_bridge.connectors.place import Place, Unknown
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList, Duration, Folder, Name

MAX_NAME_LENGTH: Final = 32
ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")


def _address(value: str) -> str:
    if value and not ORIGIN.fullmatch(value):
        raise ValueError("is no address of a CRM; write for example https://example.my.salesforce.com")
    return value.rstrip("/")


Origin = Annotated[str, AfterValidator(_address)]


class ConnectorSource(Section):
    """One CRM: `kind` is a shipped connector, or `file` one of your own. `login` is where tokens come from, where the
    file says otherwise. Durations are seconds."""

    kind: Literal["salesforce", "dynamics", "zendesk", "hubspot", "zoho", "rest"] | None = None
    file: Folder | None = None
    base: Origin = ""
    login: Origin = ""
    user: str = ""
    key: Password = SecretStr("")
    client_id: Password = SecretStr("")
    client_secret: Password = SecretStr("")
    refresh_token: Password = SecretStr("")
    options: dict[str, str] = Field(default_factory=dict)
    private: bool = False
    timeout: Duration = Field(10.0, ge=0.5, le=60)
    patience: Duration = Field(0.3, ge=0, le=3)
    fresh: Duration = Field(60.0, ge=0, le=86_400)
    log_calls: bool = True
    unknown: Unknown = "log"
    retries: Annotated[list[Duration], CommaList] = Field(
        [5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 72_000.0, 86_400.0], max_length=32
    )

    _connector: Connector = PrivateAttr()

    @model_validator(mode="after")
    def _is_whole(self) -> "ConnectorSource":
        if (self.kind is None) == (self.file is None):
            raise ValueError("`kind` names a connector that is shipped, `file` one of your own: write one of them")
        try:
            self._connector = connector = load.load(self.file or load.shipped()[self.kind or ""])
        except load.ConnectorErrors as error:
            more = len(error.errors) - 1
            raise ValueError(f"file: {error.errors[0]}" + (f" (and {more} more)" if more else "")) from None
        strange = sorted(set(self.options) - set(connector.options))
        if strange:
            known = ", ".join(connector.options) or "none"
            raise ValueError(f"options.{strange[0]}: is no option of {connector.title}, which knows {known}")
        place = self.place("", connector)
        missing = place.missing()
        if missing:
            raise ValueError(f"{missing[0]}: is missing; {connector.title} needs {', '.join(missing)}")
        for key, address in (("base", place.base), ("login", place.login)):
            if urlsplit(address).scheme == "http" and not self.private:
                raise ValueError(f"{key}: http: shows keys to everybody on the way; write https:, or private: yes")
        return self

    def connector(self) -> Connector:
        """Return what its file said when the settings were read."""
        return self._connector

    def place(self, name: str, connector: Connector) -> Place:
        """Return it as the bridge knows it."""
        secrets = {key: getattr(self, key) for key in CREDENTIALS}
        return Place(
            name=name,
            connector=connector,
            base=self.base or connector.base,
            login=self.login or connector.sign_in.login,
            credentials={
                key: value.get_secret_value() if isinstance(value, SecretStr) else value
                for key, value in secrets.items()
            },
            options=self.options,
            timeout_s=self.timeout,
            patience_s=self.patience,
            fresh_s=self.fresh,
            log_calls=self.log_calls,
            unknown=self.unknown,
            retries_s=tuple(self.retries),
        )


def _named_briefly(connectors: dict[str, ConnectorSource]) -> dict[str, ConnectorSource]:
    long = next((name for name in connectors if len(name) > MAX_NAME_LENGTH), None)
    if long is not None:
        raise ValueError(f"`{long}` is longer than {MAX_NAME_LENGTH} characters")
    return connectors


Connectors = Annotated[dict[Name, ConnectorSource], AfterValidator(_named_briefly)]
