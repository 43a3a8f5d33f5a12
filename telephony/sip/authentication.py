"""Whose phone sent a request: digest authentication of every method at one door (RFC 3261 section 22).

Rule 1: who claims to be one of our users proves it. A From of our domain, of our own address, or of the very IP address
that is called (one of ours, where we listen on all of them) is such a claim; anybody else is a caller, who may call and
nothing else.

Rule 2: what a request is answered depends on what it says, never on whether there is such a user.

Rule 3: a connection on which this very user is registered is proof: nobody else can send on it. A UDP source address is
none, since anybody can write it; nor is the connection of a proxy, on which everybody behind it sends.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from telephony.sip.address import Flow, is_page
from telephony.sip.admission import Admission
from telephony.sip.dialog import Dialog
from telephony.sip.digest import DigestError, DigestServer, Ha1, Refusal, is_digest, parse_digest
from telephony.sip.errors import RemoteError, Unanswered
from telephony.sip.guesses import Guesses
from telephony.sip.message import Request
from telephony.sip.outbox import Address
from telephony.sip.registrar import Registrar
from telephony.sip.reports import Reports
from telephony.sip.settings import EndpointSettings
from telephony.sip.sources import source_of
from telephony.sip.uri import parse_name_addr

_IP_ADDRESS: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|\[[0-9a-f:.]+\]")
GUESSERS_PER_SOURCE: Final = 4
_LEAST_CHECKS: Final = 4
"""So many secrets are tried at least, though there be fewer, or none: how long it takes does not tell."""


class Authenticator:
    """Challenges, and knows whose credentials come back.

    `credentials(user)` returns what is stored of each of a user's passwords, that of the desk phone first, then those
    that were drawn for pages; `own_addresses()` where we are reached.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        credentials: Callable[[str], Sequence[Ha1]],
        token: Callable[[int], str],
        own_addresses: Callable[[], Iterable[tuple[str, int]]],
        registrar: Registrar,
        admission: Admission,
        reports: Reports,
    ) -> None:
        self._domain = settings.domain
        self._credentials = credentials
        self._own_addresses = own_addresses
        self._registrar = registrar
        self._admission = admission
        self._reports = reports
        self._digest = DigestServer(
            settings.domain, settings.algorithms, token, settings.nonce_s, settings.limits.nonces
        )
        self._guesses = Guesses(settings.limits.guesses, GUESSERS_PER_SOURCE * settings.limits.sources)

    def user_of(self, request: Request, source: Address, now: float, *, callers: bool = True) -> str:
        """Return whose phone sent a request, `""` for a caller. Raises `RemoteError` 401, with the challenge, where it
        has to be asked, and 400 for credentials that make no sense; `Unanswered` for one who guesses passwords.

        INVITE alone is for callers too, and with `callers` false nothing is. Over a WebSocket whoever is not registered
        is a page's guest, under whatever name was typed, and is never asked.
        """
        fields = self._fields(request)
        if fields:
            return self._checked(fields, request, source, now)
        user = request.from_.uri.user
        if request.method != "REGISTER" and _is_own(source, request) and self._registrar.is_bound(user, source):
            return user
        may_call = callers and request.method == "INVITE" and "replaces" not in request.headers
        if may_call and (is_page(source) or not self.claims(request)):
            return ""
        self._admission.refused(source, request.to.uri.user if request.method == "REGISTER" else user, now)
        raise self._challenge(source, now, stale=False)

    def check_inside(self, dialog: Dialog, request: Request, source: Address, now: float) -> None:
        """Let a request inside a dialog pass, or ask for its proof. Raises `RemoteError`.

        Call-ID and tags are the dialog's secret; ours are random. Still a datagram from a host that the dialog has
        nothing to do with (its far end, its Contact, its routes, a trunk) is taken only from the phone itself.
        """
        if isinstance(source, Flow) or source[0] in _hosts(dialog) or self._admission.is_trunk(source):
            return
        if self.user_of(request, source, now, callers=False) != dialog.remote.uri.user:
            raise RemoteError(403, "Not Your Dialog")

    def claims(self, request: Request) -> bool:
        """Whether a request says that it comes from one of our users (rule 1)."""
        sender, called = request.from_.uri, request.uri
        if sender.host == self._domain:
            return True
        own = {(host.strip("[]"), port) for host, port in self._own_addresses()}
        if _IP_ADDRESS.fullmatch(called.host):
            own |= {(called.host.strip("[]"), called.port or port) for _, port in own}
        return any(sender.host.strip("[]") == host and sender.port in {None, port} for host, port in own)

    def _fields(self, request: Request) -> dict[str, str]:
        """Return the credentials for our realm; those for another are none (RFC 3261 section 22.3), nor are those of a
        scheme that we do not know."""
        try:
            for value in request.headers.lines("authorization"):
                if not is_digest(value):
                    continue
                fields = parse_digest(value)
                if fields.get("realm") == self._domain:
                    return fields
        except DigestError:
            raise RemoteError(400, "Malformed Authorization") from None
        return {}

    def _checked(self, fields: dict[str, str], request: Request, source: Address, now: float) -> str:
        """Any secret of the user will do: that of the desk phone, or of a page that the user has open."""
        user = fields.get("username", "")
        asker = self._digest.asker_of(fields)
        waits = self._has_to_wait(asker, user, source, now)
        try:
            refusal = self._refusal(fields, user, request.method, now, phones=not waits)
        except DigestError:
            raise RemoteError(400, "Malformed Authorization") from None
        if refusal is None:
            self._guesses.succeeded(asker, user)
            self._admission.proven(source, user)
            return user
        if waits and not refusal.stale:
            self._refused(user, source, now)
            raise Unanswered("wrong passwords before")
        if not refusal.stale:
            self._guesses.failed(asker, user, now)
            self._admission.refused(source, user, now)
            self._refused(user, source, now)
        raise self._challenge(source, now, stale=refusal.stale)

    def _has_to_wait(self, asker: str, user: str, source: Address, now: float) -> bool:
        """Whether passwords were guessed before. A source address can be forged; whoever holds a challenge that was
        given to it is there."""
        is_there = asker == self._digest.mark(source_of(source))
        if is_there and self._registrar.is_bound(user, source):
            return False
        gentle = is_there and self._registrar.is_at(user, source_of(source))
        return self._guesses.wait(asker, user, now, gentle=gentle) > 0

    def _refusal(self, fields: dict[str, str], user: str, method: str, now: float, *, phones: bool) -> Refusal | None:
        """Try what is stored of a user; with `phones` false what was drawn for pages alone, which nobody guesses."""
        stored: list[Ha1 | None] = [*self._credentials(user)]
        stored = stored if phones else stored[1:]
        stored += [None] * (_LEAST_CHECKS - len(stored))
        refusal: Refusal | None = Refusal(stale=False)
        for ha1 in stored:
            refusal = self._digest.check(fields, ha1, method, now)
            if refusal is None or refusal.stale:
                break
        return refusal

    def _challenge(self, source: Address, now: float, *, stale: bool) -> RemoteError:
        challenges = self._digest.challenges(now, stale=stale, asker=source_of(source))
        return RemoteError(401, "Unauthorized", extra=tuple(("www-authenticate", value) for value in challenges))

    def _refused(self, user: str, source: Address, now: float) -> None:
        self._admission.counts.wrong_passwords += 1
        self._reports.wrong_credentials(source, user, now)


def _is_own(source: Address, request: Request) -> bool:
    """Whether a request came over its sender's own connection, by no proxy: each adds a Via (RFC 3261 section 16.6)."""
    return isinstance(source, Flow) and len(request.headers.values("via")) == 1


def _hosts(dialog: Dialog) -> set[str]:
    uris = [dialog.target, *(parse_name_addr(route).uri for route in dialog.routes)]
    return {dialog.peer[0], *(uri.host.strip("[]") for uri in uris)}
