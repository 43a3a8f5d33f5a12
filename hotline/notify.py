"""From the settings to the ways by which messages go out."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crm_bridge.notify.parcel import EMAIL, Route
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings
from hotline.config_channels import Channel
from hotline.config_notify import Submission
from hotline.config_oauth import OAuth

if TYPE_CHECKING:
    import httpx

    from crm_bridge.notify.courier import Sender
    from crm_bridge.notify.submission import Account
    from crm_bridge.oauth import Tokens

TIMEOUT_S: Final = 15.0


def routes(settings: Settings) -> list[Route]:
    """Return the ways there are, in the order of the settings, e-mail last."""
    return [*_zalo(settings), *_email(settings.notify.email)]


def _zalo(settings: Settings) -> Iterator[Route]:
    for name, channel in settings.channels.items():
        if channel.sends:
            yield Route(name, "zalo")


def _email(submission: Submission) -> Iterator[Route]:
    if submission.host is not None:
        yield Route(EMAIL, "email", domain=submission.address.rpartition("@")[2])


def senders(settings: Settings) -> "dict[str, Sender]":
    """Return what speaks for each route. Raises `CannotStart`."""
    found: dict[str, Sender] = {
        name: _zalo_account(settings, name, channel) for name, channel in settings.channels.items() if channel.sends
    }
    if settings.notify.email.host is not None:
        found[EMAIL] = _submission(settings)
    return found


def _submission(settings: Settings) -> "Sender":
    from crm_bridge.notify import submission  # noqa: PLC0415 - brings an HTTP client along, as the others here

    client = http_client() if settings.notify.email.oauth.is_set else None
    return submission.Submission(account(settings, client), client)


def account(settings: Settings, client: "httpx.AsyncClient | None") -> "Account":
    """Return where e-mail is submitted; `client` is for its tokens, None where there are none. Raises `CannotStart`."""
    from crm_bridge.notify.submission import Account  # noqa: PLC0415

    submission = settings.notify.email
    return Account(
        host=submission.host or "",
        port=submission.served_at,
        sender=submission.address,
        sender_name=submission.name,
        user=submission.user,
        password=submission.password.get_secret_value(),
        tls=submission.tls,
        context=None if submission.tls == "off" else mail_context("notify.email", submission.authorities),
        tokens=None if client is None else tokens(settings, "notify-email", submission.oauth, client),
    )


def tokens(settings: Settings, name: str, oauth: OAuth, client: "httpx.AsyncClient") -> "Tokens":
    """Return the access tokens of an account; the newest are kept in the data folder under `name`."""
    from crm_bridge.oauth import Grant, Tokens  # noqa: PLC0415

    refresh_token = oauth.refresh_token.get_secret_value()
    file = settings.data / "tokens" / f"{name}.json"
    return Tokens(Grant(oauth.token_url, oauth.form, refresh_token, file=file), client)


def mail_context(what: str, authorities: Path | None) -> ssl.SSLContext:
    """Return whom a mail server is believed by; `what` is its block in the settings. Raises `CannotStart`."""
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:  # ssl.SSLError is one
        raise CannotStart(
            f"the authorities of {what} cannot be read from {authorities}: {cause(error)}; "
            f"name a PEM file in {what}.authorities"
        ) from None


def http_client() -> "httpx.AsyncClient":
    """Return what speaks to the addresses of the settings, and to nothing that they lead on to."""
    import httpx  # noqa: PLC0415 - an HTTP client, for those who need one

    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S)


@contextlib.asynccontextmanager
async def client_for(oauth: OAuth) -> "AsyncIterator[httpx.AsyncClient | None]":
    """Give what an account's tokens are got with, None for one with a password."""
    if not oauth.is_set:
        yield None
        return
    async with http_client() as client:
        yield client


def _zalo_account(settings: Settings, name: str, channel: Channel) -> "Sender":
    from crm_bridge.notify.zalo import ZaloAccount  # noqa: PLC0415
    from crm_bridge.oauth import Grant, Tokens  # noqa: PLC0415

    client = http_client()
    grant = Grant(
        url=channel.oauth_url.rstrip("/") + "/v4/oa/access_token",
        form={"app_id": channel.app_id},
        refresh_token=channel.refresh_token.get_secret_value(),
        headers={"secret_key": channel.app_secret.get_secret_value()},
        file=settings.data / "tokens" / f"channel-{name}.json",
    )
    return ZaloAccount(name, channel.api_url, Tokens(grant, client), client)
