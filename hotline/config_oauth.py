"""`oauth` of a mail account: where its access tokens come from (RFC 6749), in place of a password."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, model_validator

from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import LOOPBACK


def https_base(value: str) -> str:
    """Return an address that secrets may go to: in the clear only to this machine. Raises `ValueError`."""
    parts = urlsplit(value)
    is_here = parts.scheme == "http" and parts.hostname in LOOPBACK
    if value and (not (parts.scheme == "https" or is_here) or not parts.hostname or parts.query or parts.fragment):
        raise ValueError(f"`{value}` is no https: address; write for example https://oauth2.googleapis.com/token")
    return value


class OAuth(Section):
    """Without a `refresh_token` the client's own credentials count (Microsoft: an app with `IMAP.AccessAsApp`)."""

    token_url: Annotated[str, AfterValidator(https_base)] = ""
    client_id: str = ""
    client_secret: Password = SecretStr("")
    refresh_token: Password = SecretStr("")
    scope: str = ""

    @property
    def is_set(self) -> bool:
        """Whether tokens take the place of a password."""
        return bool(self.token_url)

    @property
    def form(self) -> dict[str, str]:
        """What every request has."""
        given = {
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "scope": self.scope,
        }
        return {name: value for name, value in given.items() if value}

    @model_validator(mode="after")
    def _is_whole(self) -> "OAuth":
        if not self.is_set and self.model_fields_set:
            raise ValueError("token_url: is missing; write where tokens come from")
        if self.is_set and not self.client_id:
            raise ValueError("client_id: is missing; register the hotline as an app there, and write its id")
        if self.is_set and not (self.refresh_token.get_secret_value() or self.client_secret.get_secret_value()):
            raise ValueError("name a `refresh_token`, or the `client_secret` of an app that needs none")
        return self
