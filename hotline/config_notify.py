"""`notify`: how messages to people go out. Zalo's part stands with its channel."""

from email.utils import parseaddr
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crm_bridge import identity
from hotline.config_oauth import OAuth
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import Domain, Folder, not_in_the_clear

PORTS: Final = {"on": 465, "starttls": 587, "off": 25}


def _sender(value: str) -> str:
    if value and (not _address(value) or not value.isprintable()):
        raise ValueError(f"`{value}` is no sender; write Our Shop <care@example.com>, or the address alone")
    return value


def _address(written: str) -> str:
    normal = identity.email(parseaddr(written)[1])
    return normal if normal.isascii() else ""


class Submission(Section):
    """The mail server that takes our e-mail and sends it on (RFC 6409). Without a `host` none is sent."""

    host: Domain | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    tls: Literal["on", "starttls", "off"] = "on"
    user: str = ""
    password: Password = SecretStr("")
    oauth: OAuth = OAuth()
    sender: Annotated[str, AfterValidator(_sender), Field(alias="from")] = ""
    authorities: Folder | None = None

    @model_validator(mode="after")
    def _is_sound(self) -> "Submission":
        if self.host is None:
            return self
        if not self.sender:
            raise ValueError("from: is missing; write the address that e-mail comes from, which answers go to")
        has_password = bool(self.password.get_secret_value())
        if has_password and self.oauth.is_set:
            raise ValueError("password: stands beside `oauth`, which takes its place; leave one of them out")
        if bool(self.user) != (has_password or self.oauth.is_set):
            raise ValueError("`user` and `password` belong together: name both (or `oauth`), or neither")
        if self.user:
            not_in_the_clear(self.tls, self.host)
        return self

    @property
    def served_at(self) -> int:
        """The port of the server: the one given, else the usual one (RFC 8314)."""
        return self.port or PORTS[self.tls]

    @property
    def address(self) -> str:
        """Our normalised address, "" where there is none."""
        return _address(self.sender)

    @property
    def name(self) -> str:
        """What receivers see beside it."""
        return parseaddr(self.sender)[0]


class Notify(Section):
    """The ways out that are no channel's of their own."""

    email: Submission = Submission()
