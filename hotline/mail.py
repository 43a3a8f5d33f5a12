"""From the settings of mail to what follows its folders and keeps its doors."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.mail import message
from crm_bridge.mail.follow import Mailbox, follow
from crm_bridge.mail.hook import MailHook
from crm_bridge.mail.imap import ImapError
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.smtp import DoorSettings, SmtpDoor
from crm_bridge.webhooks.outbox import Webhooks
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings
from hotline.config_mail import MailSource
from hotline.config_oauth import OAuth
from hotline.config_values import Listen
from hotline.notify import http_client, mail_context, tokens

if TYPE_CHECKING:
    import httpx

Token = Callable[[str], Awaitable[str]]
"""Gives an access token, another one than that which is not taken any more."""

log = structlog.get_logger("mail")


class Mail:
    """What follows the folders and keeps the doors of the settings."""

    def __init__(
        self,
        settings: Settings,
        sessions: async_sessionmaker[AsyncSession],
        now: Callable[[], float],
        publish: Callable[[str, dict[str, Any]], None],
        webhooks: Webhooks,
    ) -> None:
        self._sources = settings.mail
        sender = frozenset({settings.notify.email.address}) - {""}
        own = sender.union(*(source.own for source in self._sources.values()))
        self._keeper = Keeper(sessions, now, lambda type_, body: publish(type_, dict(body)), webhooks, own)
        self._settings, self._now = settings, now
        self._client: httpx.AsyncClient | None = None
        self._followers: list[asyncio.Task[None]] = []
        self._doors: list[SmtpDoor] = []
        self.ports: dict[str, int] = {}
        """Where each door listens."""

    def hooks(self) -> dict[str, MailHook]:
        """Return the addresses that mail is posted to."""
        return {
            name: MailHook(source.keys, partial(self._keep_posted, _trusted(source)), source.max_size << 20)
            for name, source in self._sources.items()
            if source.kind == "http"
        }

    async def _keep_posted(self, trusted: tuple[str, ...], raw: bytes) -> message.Mail:
        return await self._keeper.keep(raw, None, trusted=trusted)

    async def start(self) -> None:
        """Begin. Raises `CannotStart`; `stop` is due then, too."""
        for name, source in self._sources.items():
            if source.kind == "imap":
                following = follow(mailbox(name, source, self._token(name, source)), self._keeper, _say)
                self._followers.append(asyncio.create_task(following, name=f"mail {name}"))
            elif source.listen is not None:
                await self._open(name, source, source.listen)

    def _token(self, name: str, source: MailSource) -> Token | None:
        """Return where the access tokens of a folder come from, None for one with a password."""
        if not source.oauth.is_set:
            return None
        if self._client is None:
            self._client = http_client()
        return token_of(self._settings, name, source.oauth, self._client, self._now)

    async def _open(self, name: str, source: MailSource, listen: Listen) -> None:
        trusted = _trusted(source)

        async def take(raw: bytes, sender: str) -> None:
            await self._keeper.keep(raw, None, trusted=trusted, envelope_sender=sender)

        def failed(kind: str) -> None:
            log.error("a message could not be recorded; its sender was asked to come again", mail=name, cause=kind)

        door = SmtpDoor(door_settings(name, source), take, failed)
        try:
            self.ports[name] = await door.start(listen.host, listen.port)
        except OSError as error:
            raise CannotStart(f"mail.{name} cannot listen on {listen}: {cause(error)}; change its `listen`") from None
        self._doors.append(door)

    async def stop(self) -> None:
        """End all of it, and wait until nothing is being written any more."""
        for door in self._doors:
            await door.stop()
        for task in self._followers:
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()


def door_settings(name: str, source: MailSource) -> DoorSettings:
    """Return what a door takes. Raises `CannotStart`."""
    context = None
    if source.certificate is not None and source.key is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(source.certificate, source.key)
        except OSError as error:
            raise CannotStart(
                f"mail.{name} cannot show {source.certificate} with {source.key}: {cause(error)}; "
                "name a certificate and its key, in PEM"
            ) from None
    return DoorSettings(frozenset(source.recipients), source.max_size << 20, source.per_minute, context=context)


def token_of(
    settings: Settings, name: str, oauth: OAuth, client: "httpx.AsyncClient", now: Callable[[], float]
) -> Token:
    """Return where the access tokens of a folder come from."""
    from crm_bridge.oauth import NoToken  # noqa: PLC0415 - brings an HTTP client along

    granted = tokens(settings, f"mail-{name}", oauth, client)

    async def token(spent: str) -> str:
        try:
            return await granted.get(now(), spent)
        except NoToken as error:
            raise ImapError(str(error)) from None

    return token


def mailbox(name: str, source: MailSource, token: Token | None = None) -> Mailbox:
    """Return where a folder is and how it is reached. Raises `CannotStart`."""
    return Mailbox(
        name,
        source.host or "",
        source.served_at,
        source.user,
        source.password.get_secret_value(),
        source.folder,
        context=None if source.tls == "off" else mail_context(f"mail.{name}", source.authorities),
        starttls=source.tls == "starttls",
        trusted=_trusted(source),
        token=token,
    )


def _trusted(source: MailSource) -> tuple[str, ...]:
    return tuple(each.lower() for each in source.trusted)


def _say(box: Mailbox, why: str, again_in_s: float) -> None:
    log.warning(
        "a folder of mail cannot be read; check its block in `mail`, and the server",
        mail=box.name,
        host=box.host,
        port=box.port,
        cause=why,
        again_in_s=again_in_s,
    )
