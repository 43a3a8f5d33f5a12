"""`webhooks`: who is told of events over HTTP, and by which rules."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crm_bridge.webhooks.endpoint import Endpoint, EventType
from crm_bridge.webhooks.signature import key_of
from hotline.config_section import Section
from hotline.config_trunk import Password
from hotline.config_values import CommaList, Duration, Name


def _url(value: str) -> str:
    # An address may hold a secret of its receiver's: it is not quoted back.
    parts = urlsplit(value)
    try:
        port_is_sound = parts.port != 0
    except ValueError:
        port_is_sound = False
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_sound:
        raise ValueError("is no address of the web; write for example https://crm.example.com/hotline")
    if parts.username is not None or parts.fragment:
        raise ValueError("has a user or a #fragment, which are not sent; the signature says who we are")
    return value


def _key(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value():
        key_of(secret.get_secret_value())
    return secret


Secret = Annotated[Password, AfterValidator(_key)]


class Webhook(Section):
    """One endpoint. Durations are seconds."""

    name: Name
    url: Annotated[str, AfterValidator(_url)] = Field(repr=False)
    secret: Secret
    old_secret: Secret = SecretStr("")
    events: Annotated[list[EventType], CommaList] = Field(min_length=1)
    retries: Annotated[list[Duration], CommaList] = Field(
        [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0], max_length=32
    )
    timeout: Duration = Field(5.0, ge=0.5, le=30)
    at_once: int = Field(4, ge=1, le=32)
    private: bool = False

    @model_validator(mode="after")
    def _is_sound(self) -> "Webhook":
        if not self.secret.get_secret_value():
            raise ValueError("secret: nothing is sent unsigned; write secret: env:NAME")
        if urlsplit(self.url).scheme == "http" and not self.private:
            raise ValueError("url: http: shows what is sent to everybody on the way; write https:, or private: yes")
        return self

    @property
    def endpoint(self) -> Endpoint:
        """What the outbox is told of it."""
        secrets = (self.secret.get_secret_value(), self.old_secret.get_secret_value())
        return Endpoint(
            name=self.name,
            url=self.url,
            keys=tuple(key_of(secret) for secret in secrets if secret),
            events=frozenset(self.events),
            retries_s=tuple(self.retries),
            timeout_s=self.timeout,
            at_once=self.at_once,
            private=self.private,
        )


def named_once(webhooks: list[Webhook]) -> list[Webhook]:
    """Return the endpoints, whose names must differ. Raises `ValueError`."""
    names = [webhook.name for webhook in webhooks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two webhooks are called `{twice}`; give each a name of its own")
    return webhooks


Webhooks = Annotated[list[Webhook], AfterValidator(named_once)]
