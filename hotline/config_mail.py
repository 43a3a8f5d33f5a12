"""`mail`: where e-mail comes from, one block for each folder of a mail server and each door for mail."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crm_bridge import identity
from crm_bridge.webhooks.signature import key_of
from hotline.config_oauth import OAuth
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList, Domain, Folder, Name, WebListen, not_in_the_clear
from hotline.config_webhook import Secret

PORTS: Final = {"on": 993, "starttls": 143, "off": 143}
NEEDED: Final = {"imap": ("host", "user"), "smtp": ("listen", "recipients"), "http": ("secret",)}
ALSO: Final = {
    "imap": ("password", "oauth", "port", "folder", "tls", "authorities"),
    "smtp": ("max_size", "per_minute", "certificate", "key"),
    "http": ("old_secret", "max_size"),
}


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


def _recipient(value: str) -> str:
    """Return an address, or `@domain` for every address of a domain."""
    normal = identity.email(f"any{value}" if value.startswith("@") else value)
    if not normal:
        raise ValueError(f"`{value}` takes no mail; write support@example.com, or @example.com for all of a domain")
    return normal.removeprefix("any") if value.startswith("@") else normal


Recipient = Annotated[str, AfterValidator(_recipient)]


class MailSource(Section):
    """A folder that is followed (`imap`), a door that mail is sent to (`smtp`), or one that it is posted to (`http`).

    `addresses` are our own, whose mail is no customer's; `trusted` are the authserv-ids whose Authentication-Results
    count (RFC 8601); `authorities` vouch for the server, the system's where no file (PEM) is given. `max_size` is MiB.
    """

    kind: Literal["imap", "smtp", "http"]
    host: Domain | None = None
    port: int | None = Field(None, ge=1, le=65535)
    user: str = ""
    password: Password = SecretStr("")
    oauth: OAuth = OAuth()
    folder: Annotated[str, AfterValidator(_folder)] = "INBOX"
    tls: Literal["on", "starttls", "off"] = "on"
    authorities: Folder | None = None
    listen: WebListen | None = None
    recipients: Annotated[list[Recipient], CommaList] = Field([])
    max_size: int = Field(8, ge=1, le=32)
    per_minute: int = Field(120, ge=1, le=100_000)
    certificate: Folder | None = None
    key: Folder | None = None
    secret: Secret = SecretStr("")
    old_secret: Secret = SecretStr("")
    addresses: Annotated[list[Address], CommaList] = Field([])
    trusted: Annotated[list[Domain], CommaList] = Field([])

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "MailSource":
        needed, takes = NEEDED[self.kind], (*NEEDED[self.kind], *ALSO[self.kind])
        foreign = self.model_fields_set - {"kind", "addresses", "trusted", *takes}
        if foreign:
            raise ValueError(f"{min(foreign)}: is nothing for kind {self.kind}, which takes {', '.join(takes)}")
        for name in needed:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f"{name}: is missing; kind {self.kind} needs {' and '.join(needed)}")
        if self.kind == "imap" and bool(self.password.get_secret_value()) == self.oauth.is_set:
            raise ValueError("password: is missing; write it, or where access tokens come from in `oauth`, not both")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` belong together: name both, or neither")
        if self.kind == "imap":
            not_in_the_clear(self.tls, self.host)
        return self

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What signs the letters that are posted."""
        secrets = (self.secret.get_secret_value(), self.old_secret.get_secret_value())
        return tuple(key_of(secret) for secret in secrets if secret)

    @property
    def served_at(self) -> int:
        """The port of the server: the one given, else the usual one (RFC 8314)."""
        return self.port or PORTS[self.tls]

    @property
    def own(self) -> frozenset[str]:
        """Our own addresses: those given, and the account and the recipients if they are some."""
        return frozenset({*self.addresses, *map(identity.email, (self.user, *self.recipients))}) - {""}


Mail = dict[Name, MailSource]
