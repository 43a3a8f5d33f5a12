"""From the settings of mail to what follows its folders."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.mail.follow import Mailbox, follow
from crm_bridge.mail.keep import Keeper
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings
from hotline.config_mail import MailSource

log = structlog.get_logger("mail")


def start(
    settings: Settings,
    sessions: async_sessionmaker[AsyncSession],
    now: Callable[[], float],
    publish: Callable[[str, dict[str, Any]], None],
) -> list[asyncio.Task[None]]:
    """Follow every folder of the settings, until the tasks are cancelled. Raises `CannotStart`."""
    boxes = [mailbox(name, source) for name, source in settings.mail.items()]
    own = frozenset().union(*(source.own for source in settings.mail.values()))

    def tell(type_: str, body: Mapping[str, Any]) -> None:
        publish(type_, dict(body))

    keeper = Keeper(sessions, now, tell, own)
    return [asyncio.create_task(follow(box, keeper, _say), name=f"mail {box.name}") for box in boxes]


async def stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Stop following, and wait until nothing is being written any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def mailbox(name: str, source: MailSource) -> Mailbox:
    """Return where a folder is and how it is reached. Raises `CannotStart`."""
    return Mailbox(
        name,
        source.host,
        source.served_at,
        source.user,
        source.password.get_secret_value(),
        source.folder,
        context=None if source.tls == "off" else _context(name, source),
        starttls=source.tls == "starttls",
        trusted=tuple(each.lower() for each in source.trusted),
    )


def _context(name: str, source: MailSource) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=source.authorities)
    except OSError as error:  # ssl.SSLError is one
        raise CannotStart(
            f"the authorities of mail.{name} cannot be read from {source.authorities}: {cause(error)}; "
            f"name a PEM file in mail.{name}.authorities"
        ) from None


def _say(box: Mailbox, why: str, again_in_s: float) -> None:
    log.warning(
        "a folder of mail cannot be read; check its block in `mail`, and the server",
        mail=box.name,
        host=box.host,
        port=box.port,
        cause=why,
        again_in_s=again_in_s,
    )
