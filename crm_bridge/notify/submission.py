"""Submitting e-mail to a mail server of ours (RFC 6409), which sends it on.

The standard library's client, in a thread: an attempt is a connection of its own, with a time limit for each step. Our
letters are of ASCII (`crm_bridge.notify.letter`), so nothing depends on what the server can do but TLS and the account.

Rule 1: `250` to the message is all that counts. Whatever goes wrong after it, the server has the letter.
Rule 2: 5xx about this letter or its receiver is final (RFC 5321 section 4.2.1); what is about our account, or the
server, is tried again and told as a fault.
"""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx

from crm_bridge import sasl
from crm_bridge.notify.courier import Fault
from crm_bridge.notify.letter import compose
from crm_bridge.notify.parcel import Parcel
from crm_bridge.oauth import NoToken, Tokens
from crm_bridge.outgoing.schedule import Answer

STEP_S: Final = 30.0
"""How long a server may take for one step. RFC 5321 allows minutes; a submission server that takes them is not well."""
MAX_SAID: Final = 120
SIGNED_IN: Final = 235
MORE: Final = 334


@dataclass(frozen=True, slots=True)
class Account:
    """Where e-mail is submitted, and as whom. `context` None is a connection in the clear; without a `user` nobody
    signs in. `sender` is our normalised address, `sender_name` what receivers see beside it. `tokens` stand in place of
    the password."""

    host: str
    port: int
    sender: str
    sender_name: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["on", "starttls", "off"] = "on"
    context: ssl.SSLContext | None = None
    tokens: Tokens | None = field(default=None, repr=False)


class NotLetIn(Exception):
    """The server cannot be reached, or does not take us; the text says why. `is_spent`: it is the token that it does
    not take."""

    def __init__(self, cause: str, *, is_spent: bool = False) -> None:
        super().__init__(cause)
        self.is_spent = is_spent


class Submission:
    """Sends parcels as e-mail. `client` is what the account's tokens are got with, and closed with it."""

    def __init__(self, account: Account, client: httpx.AsyncClient | None = None) -> None:
        self.account = account
        self._client = client
        self.fault: Fault | None = None

    async def send(self, parcel: Parcel, written_at: float, now: float) -> Answer:
        """Make an attempt; with a new token a second one where the first was not taken."""
        try:
            letter = compose(parcel, self.account.sender, self.account.sender_name, written_at)
        except ValueError as error:
            return Answer(0, f"cannot be written as an e-mail: {error}", is_final=True)
        try:
            answer = await self._submit(parcel.to, letter, now)
        except NotLetIn as cause:
            self.fault = Fault(f"e-mail is not sent: {cause}", "correct `notify.email`, or mend that server")
            return Answer(0, str(cause))
        self.fault = None
        return answer

    async def check(self, now: float) -> None:
        """Connect and sign in, and send nothing. Raises `NotLetIn`."""
        await self._submit("", b"", now)

    async def _submit(self, to: str, letter: bytes, now: float) -> Answer:
        token = await self._token(now)
        try:
            return await _in_a_thread(self.account, token, to, letter)
        except NotLetIn as refused:
            if not refused.is_spent:
                raise
        return await _in_a_thread(self.account, await self._token(now, token), to, letter)

    async def _token(self, now: float, spent: str = "") -> str:
        if self.account.tokens is None:
            return ""
        try:
            return await self.account.tokens.get(now, spent)
        except NoToken as error:
            raise NotLetIn(str(error)) from None

    async def close(self) -> None:
        """Close what is open. Between attempts there is no connection to the mail server."""
        if self._client is not None:
            await self._client.aclose()


async def _in_a_thread(account: Account, token: str, to: str, letter: bytes) -> Answer:
    attempt = _Attempt(account, token)
    try:
        return await asyncio.to_thread(attempt.make, to, letter)
    except asyncio.CancelledError:
        attempt.give_up()  # or the end of the program would wait for a server that hangs
        raise


class _Client(smtplib.SMTP):
    """Over a connection that somebody else opened."""

    def __init__(self, connection: socket.socket, account: Account) -> None:
        self._connection = connection
        super().__init__(account.host, account.port, account.sender.rpartition("@")[2], timeout=STEP_S)

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._connection


class _Attempt:
    """One connection, for a thread."""

    def __init__(self, account: Account, token: str) -> None:
        self._account = account
        self._token = token
        self._line: socket.socket | None = None
        self._is_given_up = False

    def make(self, to: str, letter: bytes) -> Answer:
        """Submit a letter, or only sign in where there is none. Raises `NotLetIn`."""
        try:
            client = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            self._hang_up()
            raise NotLetIn(f"{self._account.host}: {_cause(error)}") from None
        try:
            self._sign_in(client)
            return self._submit(client, to, letter) if letter else Answer(250)
        except (OSError, smtplib.SMTPException) as error:
            is_spent = bool(self._token) and isinstance(error, smtplib.SMTPAuthenticationError)
            raise NotLetIn(f"{self._account.host}: {_cause(error)}", is_spent=is_spent) from None
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()
            self._hang_up()

    def give_up(self) -> None:
        """Wake the thread, whatever it waits for once there is a connection; one that comes later is ended at once."""
        self._is_given_up = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()

    def _connected(self) -> smtplib.SMTP:
        account = self._account
        connection = socket.create_connection((account.host, account.port), STEP_S)
        # Another handle on the connection, which ends it whatever becomes of the first: TLS takes that one away.
        self._line = connection.dup()
        if self._is_given_up:
            self.give_up()
        if account.tls == "on":
            context = account.context or ssl.create_default_context()
            connection = context.wrap_socket(connection, server_hostname=account.host)
        return _Client(connection, account)

    def _sign_in(self, client: smtplib.SMTP) -> None:
        account = self._account
        if account.tls == "starttls":
            client.starttls(context=account.context)
        if account.user:
            _authenticate(client, account, self._token)

    def _submit(self, client: smtplib.SMTP, to: str, letter: bytes) -> Answer:
        try:
            client.sendmail(self._account.sender, [to], letter)
        except smtplib.SMTPRecipientsRefused as refused:
            return _refused(*next(iter(refused.recipients.values())))
        except smtplib.SMTPDataError as error:
            return _refused(error.smtp_code, error.smtp_error)
        return Answer(200)


def _authenticate(client: smtplib.SMTP, account: Account, token: str) -> None:
    """Sign in (RFC 4954): by a token, by PLAIN, or by LOGIN where that is all there is. The library's own way knows
    ASCII alone."""
    client.ehlo_or_helo_if_needed()
    offered = client.esmtp_features.get("auth", "").upper().split()
    if token:
        how = sasl.bearer(offered, account.user, account.host, account.port, token)
        # What a server says to a token that it does not take waits for an answer, which is not that it refuses yet.
        lines = [] if how is None else [f"AUTH {how.mechanism} {how.first}", how.after_no]
    elif "PLAIN" in offered:
        lines = [f"AUTH PLAIN {sasl.plain(account.user, account.password)}"]
    elif "LOGIN" in offered:
        lines = ["AUTH LOGIN", sasl.encoded(account.user), sasl.encoded(account.password)]
    else:
        lines = []
    if not lines:
        ways = "OAUTHBEARER or XOAUTH2" if token else "PLAIN or LOGIN"
        raise smtplib.SMTPNotSupportedError(f"the server lets nobody sign in by {ways} on this connection")
    for line in lines:
        code, said = client.docmd(line)
        if code == SIGNED_IN:
            return
        if code != MORE:
            break
    raise smtplib.SMTPAuthenticationError(code, said)


def _refused(code: int, said: bytes | str) -> Answer:
    return Answer(0, f"the mail server says {code} {_words(said)}", is_final=500 <= code <= 599)


def _cause(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    return _words(str(error)) or type(error).__name__


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(sign if sign.isprintable() else " " for sign in text)[:MAX_SAID].strip()
