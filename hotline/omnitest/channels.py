"""What somebody writes on each channel, delivered as its far end does: signed as the settings' secrets say, at the
addresses that Zalo, Facebook, a website and a mail server use. A channel that the settings do not have is played by
`POST /api/v1/interactions`, as another system of the house would.
"""

import asyncio
import hashlib
import hmac
import imaplib
import json
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import httpx

from crm_bridge.mail.message import CHANNEL
from crm_bridge.webhooks.signature import headers
from hotline.config import Settings
from hotline.config_channels import Channel, Kind
from hotline.config_mail import MailSource
from hotline.config_values import Listen, is_wildcard
from hotline.mail import mailbox
from hotline.omnitest.persona import MAIL_DOMAIN, NAME, Persona

API: Final = "/api/v1"
MAIL_S: Final = 20.0
QUESTION: Final = "Chào shop, đơn hàng của tôi đến đâu rồi?"
AGAIN: Final = "Hello, I wrote to you on Zalo. Is there any news?"
SUBJECT: Final = "Omnitest: please refund my order"
LETTER: Final = "The order never came. Please send my money back."


Sign = Callable[[Channel, str, str, str, int], tuple[bytes, dict[str, str]]]
"""Takes the channel, the account, the text, the message's id and the milliseconds; gives a body and its headers."""


class DeliveryFailed(RuntimeError):
    """A channel did not take what was sent; the text says which, and what it said."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a message went: what the timeline calls its channel, and where it was taken."""

    channel: str
    how: str


class Channels:
    """The ways into a running server. `http` has its address and, for `/api/v1`, a token."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings

    # ------------------------------------------------------------------------------------------------- networks

    async def write_on_zalo(self, who: Persona, number: str) -> Way:
        """Ask a question, then give the number."""
        return await self._chat("zalo", "zalo", who, (QUESTION, number), _as_zalo)

    async def write_on_facebook(self, who: Persona, number: str) -> Way:
        """The same on Messenger."""
        return await self._chat("messenger", "facebook", who, (AGAIN, number), _as_meta)

    async def _chat(self, kind: Kind, network: str, who: Persona, texts: tuple[str, str], sign: Sign) -> Way:
        """Write two messages, of which the second is a phone number."""
        found = self._channel(kind)
        account = who.accounts[network]
        for index, text in enumerate(texts):
            message = f"{network}-{index}-{who.tag}"
            if found is None:
                claims = [(network, account), *([("phone", text)] if index else [])]
                await self._post(network, claims, message, text=text)
            else:
                await self._deliver(found[0], *sign(found[1], account, text, message, _now_ms()))
        return _way(found, network)

    async def fill_in_the_form(self, who: Persona, number: str) -> Way:
        """Give number and e-mail address on the website."""
        found = self._channel("form")
        text = "Please call me back."
        if found is None:
            await self._post("form", [("phone", number), ("email", who.email)], f"form-{who.tag}", text=text)
            return _way(None, "form")
        fields = {"name": NAME, "phone": number, "email": who.email, "text": text, "id": f"omnitest-{who.tag}"}
        origin = {"Origin": found[1].origins[0]}
        await self._deliver(found[0], json.dumps(fields).encode(), {"Content-Type": "application/json"} | origin)
        return _way(found, "form")

    def _channel(self, kind: Kind) -> tuple[str, Channel] | None:
        return next(((name, each) for name, each in self._settings.channels.items() if each.kind == kind), None)

    async def _deliver(self, name: str, body: bytes, headers: Mapping[str, str]) -> None:
        self._checked(await self._http.post(f"/hooks/{name}", content=body, headers=dict(headers)))

    async def _post(self, channel: str, identities: list[tuple[str, str]], external_id: str, **more: object) -> None:
        body = {
            "channel": channel,
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "identities": [{"kind": kind, "value": value} for kind, value in identities],
            "external_id": external_id,
        }
        self._checked(await self._http.post(f"{API}/interactions", json=body | more))

    def _checked(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise DeliveryFailed(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")

    # ----------------------------------------------------------------------------------------------------- mail

    async def write_an_email(self, who: Persona) -> Way:
        """Write a letter, to a folder, a door or an address of the settings."""
        name, source = self._mail
        if source is None:
            case = {"external_id": f"omnitest:{who.tag}", "subject": SUBJECT, "state": "open"}
            await self._post(CHANNEL, [("email", who.email)], message_id(who), subject=SUBJECT, text=LETTER, case=case)
            return _way(None, CHANNEL)
        letter = _letter(who, _recipient(source))
        try:
            match source.kind:
                case "imap":
                    await asyncio.to_thread(_put_into_folder, name, source, letter)
                case "smtp":
                    await asyncio.to_thread(_bring_to_door, source, letter)
                case "http":
                    body = letter.as_bytes()
                    await self._deliver(name, body, headers(source.keys[:1], message_id(who), time.time(), body))
        except (OSError, imaplib.IMAP4.error, smtplib.SMTPException) as error:
            raise DeliveryFailed(f"mail.{name} does not take a letter: {error}") from None
        return Way(CHANNEL, f"mail.{name}, {source.kind}")

    async def take_the_email_away(self, who: Persona) -> None:
        """Remove the letter from the folder, if it went to one."""
        name, source = self._mail
        if source is None or source.kind != "imap":
            return
        try:
            await asyncio.to_thread(_remove_from_folder, name, source, message_id(who))
        except (OSError, imaplib.IMAP4.error) as error:
            raise DeliveryFailed(f"the letter stays in the folder of mail.{name}: {error}") from None

    @property
    def _mail(self) -> tuple[str, MailSource | None]:
        """The first block that a letter can be brought to: not a folder whose access tokens the server alone has."""
        blocks = ((name, each) for name, each in self._settings.mail.items() if not each.oauth.is_set)
        return next(blocks, ("", None))


def message_id(who: Persona) -> str:
    """Return the Message-ID of the letter of a run."""
    return f"<omnitest-{who.tag}@{MAIL_DOMAIN}>"


def _way(found: tuple[str, Channel] | None, otherwise: str) -> Way:
    if found is None:
        return Way(otherwise, f"{API}/interactions, since the settings have no such channel")
    return Way(found[0], f"/hooks/{found[0]}")


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _as_zalo(channel: Channel, account: str, text: str, message: str, at_ms: int) -> tuple[bytes, dict[str, str]]:
    """Return a body and its headers as Zalo signs them (`crm_bridge.channels.zalo`)."""
    document = {
        "app_id": channel.app_id,
        "sender": {"id": account},
        "recipient": {"id": "omnitest"},
        "event_name": "user_send_text",
        "message": {"text": text, "msg_id": message},
        "timestamp": str(at_ms),
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    signed = channel.app_id.encode() + body + str(at_ms).encode() + channel.oa_secret.get_secret_value().encode()
    return body, {"X-ZEvent-Signature": f"mac={hashlib.sha256(signed).hexdigest()}"}


def _as_meta(channel: Channel, account: str, text: str, message: str, at_ms: int) -> tuple[bytes, dict[str, str]]:
    """Return a body and its headers as Meta signs them (`crm_bridge.channels.messenger`)."""
    said = {
        "sender": {"id": account},
        "recipient": {"id": "omnitest"},
        "timestamp": at_ms,
        "message": {"mid": message, "text": text},
    }
    document = {"object": "page", "entry": [{"id": "omnitest", "time": at_ms, "messaging": [said]}]}
    body = json.dumps(document, ensure_ascii=False).encode()
    mac = hmac.new(channel.app_secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Hub-Signature-256": f"sha256={mac}"}


def _letter(who: Persona, to: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = f"{NAME} <{who.email}>"
    letter["To"] = to
    letter["Subject"] = SUBJECT
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = message_id(who)
    letter.set_content(LETTER)
    return letter


def _recipient(source: MailSource) -> str:
    given = next(iter([*source.recipients, *source.addresses, source.user]), "")
    return f"omnitest{given}" if given.startswith("@") else given


def _bring_to_door(source: MailSource, letter: EmailMessage) -> None:
    listen = source.listen or Listen("tcp", "127.0.0.1", smtplib.SMTP_PORT)  # the settings refuse a door without one
    host = "127.0.0.1" if is_wildcard(listen.host) else listen.host
    with smtplib.SMTP(host, listen.port, timeout=MAIL_S) as client:
        if client.ehlo()[0] == 250 and client.has_extn("starttls"):
            client.starttls(context=_unverified())
        client.send_message(letter)


def _unverified() -> ssl.SSLContext:
    """What any mail server does that brings mail to a door (RFC 7435): nothing of the letter is secret."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _opened(name: str, source: MailSource) -> imaplib.IMAP4:
    box = mailbox(name, source)
    if box.context is not None and not box.starttls:
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=box.context, timeout=MAIL_S)
    else:
        client = imaplib.IMAP4(box.host, box.port, timeout=MAIL_S)
        if box.context is not None:
            client.starttls(box.context)
    client.authenticate("PLAIN", lambda _: f"\0{box.user}\0{box.password}".encode())
    return client


def _put_into_folder(name: str, source: MailSource, letter: EmailMessage) -> None:
    with _opened(name, source) as client:
        status, said = client.append(source.folder, "", "", letter.as_bytes())
        if status != "OK":
            raise imaplib.IMAP4.error(str(said))


def _remove_from_folder(name: str, source: MailSource, message: str) -> None:
    with _opened(name, source) as client:
        client.select(source.folder)
        found = client.uid("SEARCH", "HEADER", "Message-ID", f'"{message}"')[1]
        for uid in (found[0] or b"").split():
            client.uid("STORE", uid.decode(), "+FLAGS.SILENT", "(\\Deleted)")
            client.uid("EXPUNGE", uid.decode())  # of UIDPLUS (RFC 4315): nobody else's deleted letters go
