"""`mail`: where e-mail comes from, one block for each folder of a mail server."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crm_bridge import identity
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList, Domain, Folder, Name

PORTS = {"on": 993, "starttls": 143, "off": 143}


def _address(value: str) -> str:
    normal = identity.email(value)
    if not normal:
        raise ValueError(f"`{value}` is no e-mail address; write it as support@example.com")
    return normal


def _folder(value: str) -> str:
    if not value.isascii() or not value.isprintable() or not value or len(value) > 255:
        raise ValueError(f"`{value}` is not the name of a folder as the server writes it; write for example INBOX")
    return value


Address = Annotated[str, AfterValidator(_address)]


class MailSource(Section):
    """A folder that is followed by IMAP.

    `addresses` are our own, whose mail is no customer's; `trusted` are the authserv-ids whose Authentication-Results
    count (RFC 8601); `authorities` vouch for the server, the system's where no file (PEM) is given.
    """

    kind: Literal["imap"]
    host: Domain
    port: int | None = Field(None, ge=1, le=65535)
    user: str
    password: Password = SecretStr("")
    folder: Annotated[str, AfterValidator(_folder)] = "INBOX"
    tls: Literal["on", "starttls", "off"] = "on"
    authorities: Folder | None = None
    addresses: Annotated[list[Address], CommaList] = Field([])
    trusted: Annotated[list[Domain], CommaList] = Field([])

    @model_validator(mode="after")
    def _keeps_the_password_to_itself(self) -> "MailSource":
        if not self.user:
            raise ValueError("user: is missing; write the account, such as support@example.com")
        if not self.password.get_secret_value():
            raise ValueError("password: is missing; write env:NAME and put it into the environment")
        if self.tls == "off" and self.host not in ("localhost", "127.0.0.1"):
            raise ValueError(f"tls: the password would go to {self.host} in the clear; leave it on, or write starttls")
        return self

    @property
    def served_at(self) -> int:
        """The port: the one given, else the usual one (RFC 8314)."""
        return self.port or PORTS[self.tls]

    @property
    def own(self) -> frozenset[str]:
        """Our own addresses: those given, and the account if it is one."""
        return frozenset({*self.addresses, identity.email(self.user)}) - {""}


Mail = dict[Name, MailSource]
