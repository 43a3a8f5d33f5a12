"""`channels`: who brings messages of customers, one block for each."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from hotline.config_oauth import https_base
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList, Name

Kind = Literal["zalo", "messenger", "form"]

NEEDED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "zalo": ("app_id", "oa_secret"),
    "messenger": ("app_secret", "verify_token"),
    "form": ("origins",),
}
ALSO: Final[Mapping[Kind, tuple[str, ...]]] = {
    "zalo": ("app_secret", "refresh_token", "api_url", "oauth_url"),
    "messenger": (),
    "form": ("honeypot", "per_minute"),
}
TAKEN: Final = frozenset({"call", "phone", "sms", "sip", "email", "web"})
"""What the timeline calls channels of the hotline itself: nobody else may write under these names."""
_FIELD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _origin(value: Any) -> str:
    """Return an origin as browsers write it (RFC 6454 section 6.1)."""
    text = str(value)
    parts = urlsplit(text.lower())
    try:
        port = parts.port
    except ValueError:
        port = 0
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and not parts.username
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not is_bare or port == 0 or "*" in text:
        raise ValueError(f"`{text}` is not the origin of a page; write for example https://www.example.com")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _DEFAULT_PORTS[parts.scheme] else "")


def _field(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise ValueError(f"`{value}` is not the name of a field; write letters, digits, - and _, such as website_url")
    return value


Origin = Annotated[str, BeforeValidator(_origin)]


class Channel(Section):
    """A Zalo Official Account, a Facebook app with its pages, or a form on a website; `kind` says which.

    `per_minute` is how many forms one address may send. With a `refresh_token` (and the app's secret) a Zalo account
    sends messages, too; `api_url` and `oauth_url` are where Zalo is.
    """

    kind: Kind
    app_id: str = ""
    oa_secret: Password = SecretStr("")
    app_secret: Password = SecretStr("")
    verify_token: Password = SecretStr("")
    refresh_token: Password = SecretStr("")
    api_url: Annotated[str, AfterValidator(https_base)] = "https://openapi.zalo.me"
    oauth_url: Annotated[str, AfterValidator(https_base)] = "https://oauth.zaloapp.com"
    origins: Annotated[list[Origin], CommaList] = Field([])
    honeypot: Annotated[str, AfterValidator(_field)] = "website_url"
    per_minute: int = Field(10, ge=1, le=6000)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Channel":
        needed = NEEDED[self.kind]
        foreign = self.model_fields_set - {"kind", *needed, *ALSO[self.kind]}
        if foreign:
            raise ValueError(f"{min(foreign)}: is nothing for kind {self.kind}, which takes {', '.join(needed)}")
        for name in needed:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f"{name}: is missing; a channel of kind {self.kind} needs {' and '.join(needed)}")
        if self.refresh_token.get_secret_value() and not self.app_secret.get_secret_value():
            raise ValueError("app_secret: is missing; a `refresh_token` is renewed with the secret of the app")
        return self

    @property
    def sends(self) -> bool:
        """Whether messages go out by it, too."""
        return bool(self.refresh_token.get_secret_value())


def _with_free_names(channels: dict[str, Channel]) -> dict[str, Channel]:
    taken = sorted(TAKEN & set(channels))
    if taken:
        raise ValueError(f"`{taken[0]}` is what the timeline calls a channel of its own; take another name")
    return channels


Channels = Annotated[dict[Name, Channel], AfterValidator(_with_free_names)]
