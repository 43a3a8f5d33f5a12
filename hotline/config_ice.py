"""`media.ice_servers`: the STUN and TURN servers by which browsers and media workers behind a NAT find each other."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList
from telephony.edge import ice_servers


class IceServer(Section):
    """One server: `stun:`, `turn:` or `turns:`. A TURN server has a user and a password, or shares `media.turn_secret`
    with us."""

    url: Annotated[str, AfterValidator(ice_servers.check_url)]
    username: str = ""
    credential: Password = SecretStr("")

    @model_validator(mode="after")
    def _has_both(self) -> "IceServer":
        if bool(self.username) != bool(self.credential.get_secret_value()):
            raise ValueError("`username` and `credential` belong together: give both, or neither")
        if self.username and self.url.startswith("stun:"):
            raise ValueError("a stun: server asks for no `username`; leave it and `credential` out")
        return self

    def with_secret(self, secret: SecretStr) -> ice_servers.IceServer:
        """Return what a media worker and the pages are told of it."""
        password = self.credential.get_secret_value()
        shared = "" if self.username or self.url.startswith("stun:") else secret.get_secret_value()
        return ice_servers.IceServer(self.url, self.username, password, shared)


def _written_short(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


IceServers = Annotated[list[Annotated[IceServer, BeforeValidator(_written_short)]], CommaList, Field(max_length=8)]
