"""Submitting e-mail to a mail server of ours (RFC 6409), which sends it on.

The standard library's client, in a thread: an attempt is a connection of its own, with a time limit for each step. Our
letters are of ASCII (`crm_bridge.notify.letter`), so nothing depends on what the server can do but TLS and the account.

Rule 1: `250` to the message is all that counts. Whatever goes wrong after it, the server has the letter.
Rule 2: 5xx about this letter or its receiver is final (RFC 5321 section 4.2.1); what is about our account, or the
server, is tried again and told as a fault.
"""

import asyncio
import base64
import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal

from crm_bridge.notify.courier import Fault
from crm_bridge.notify.letter import compose
from crm_bridge.notify.parcel import Parcel
from crm_bridge.outgoing.schedule import Answer

STEP_S: Final = 30.0
"""How long a server may take for one step. RFC 5321 allows minutes; a submission server that takes them is not well."""
MAX_SAID: Final = 120
SIGNED_IN: Final = 235
MORE: Final = 334


@dataclass(frozen=True, slots=True)
class Account:
    """Where e-mail is submitted, and as whom. `context` None is a connection in the clear; without a `user` nobody
    signs in. `sender` is our normalised address, `sender_name` what receivers see beside it."""

    host: str
    port: int
    sender: str
    sender_name: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["on", "starttls", "off"] = "on"
    context: ssl.SSLContext | None = None


class NotLetIn(Exception):
    """The server cannot be reached, or does not take us; the text says why."""


class Submission:
    """Sends parcels as e-mail."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.fault: Fault | None = None

    async def send(self, parcel: Parcel, written_at: float, now: float) -> Answer:
        """Make an attempt."""
        del now
        try:
            letter = compose(parcel, self.account.sender, self.account.sender_name, written_at)
        except ValueError as error:
            return Answer(0, f"cannot be written as an e-mail: {error}", is_final=True)
        try:
            answer = await _in_a_thread(self.account, parcel.to, letter)
        except NotLetIn as cause:
            self.fault = Fault(f"e-mail is not sent: {cause}", "correct `notify.email`, or mend that server")
            return Answer(0, str(cause))
        self.fault = None
        return answer

    async def check(self) -> None:
        """Connect and sign in, and send nothing. Raises `NotLetIn`."""
        await _in_a_thread(self.account, "", b"")

    async def close(self) -> None:
        """Nothing is open between attempts."""


async def _in_a_thread(account: Account, to: str, letter: bytes) -> Answer:
    attempt = _Attempt(account)
    try:
        return await asyncio.to_thread(attempt.make, to, letter)
    except asyncio.CancelledError:
        attempt.give_up()  # or the end of the program would wait for a server that hangs
        raise


class _Attempt:
    """One connection, for a thread."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._client: smtplib.SMTP | None = None

    def make(self, to: str, letter: bytes) -> Answer:
        """Submit a letter, or only sign in where there is none. Raises `NotLetIn`."""
        try:
            self._client = client = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            raise NotLetIn(f"{self._account.host}: {_cause(error)}") from None
        try:
            self._sign_in(client)
            return self._submit(client, to, letter) if letter else Answer(250)
        except (OSError, smtplib.SMTPException) as error:
            raise NotLetIn(f"{self._account.host}: {_cause(error)}") from None
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()

    def give_up(self) -> None:
        """Wake the thread, whatever it waits for."""
        if self._client is not None and self._client.sock is not None:
            with contextlib.suppress(OSError):
                self._client.sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        account, name = self._account, self._account.sender.rpartition("@")[2]
        if account.tls == "on":
            return smtplib.SMTP_SSL(account.host, account.port, name, timeout=STEP_S, context=account.context)
        return smtplib.SMTP(account.host, account.port, name, timeout=STEP_S)

    def _sign_in(self, client: smtplib.SMTP) -> None:
        account = self._account
        if account.tls == "starttls":
            client.starttls(context=account.context)
        if account.user:
            _authenticate(client, account.user, account.password)

    def _submit(self, client: smtplib.SMTP, to: str, letter: bytes) -> Answer:
        try:
            client.sendmail(self._account.sender, [to], letter)
        except smtplib.SMTPRecipientsRefused as refused:
            return _refused(*next(iter(refused.recipients.values())))
        except smtplib.SMTPDataError as error:
            return _refused(error.smtp_code, error.smtp_error)
        return Answer(200)


def _authenticate(client: smtplib.SMTP, user: str, password: str) -> None:
    """Sign in (RFC 4954) by PLAIN, or LOGIN where that is all there is. The library's own way knows ASCII alone."""
    client.ehlo_or_helo_if_needed()
    offered = client.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        lines = ["AUTH PLAIN " + _base64(f"\0{user}\0{password}")]
    elif "LOGIN" in offered:
        lines = ["AUTH LOGIN", _base64(user), _base64(password)]
    else:
        raise smtplib.SMTPNotSupportedError("the server lets nobody sign in by PLAIN or LOGIN on this connection")
    for line in lines:
        code, said = client.docmd(line)
        if code == SIGNED_IN:
            return
        if code != MORE:
            break
    raise smtplib.SMTPAuthenticationError(code, said)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _refused(code: int, said: bytes | str) -> Answer:
    return Answer(0, f"the mail server says {code} {_words(said)}", is_final=500 <= code <= 599)


def _cause(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    return _words(str(error)) or type(error).__name__


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(sign if sign.isprintable() else " " for sign in text)[:MAX_SAID].strip()
