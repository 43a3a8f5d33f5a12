"""The registrar: which phone is where (RFC 3261 section 10.3), behind digest authentication."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from telephony.events import BindingChanged, RegistrationRefused
from telephony.sip.address import Flow
from telephony.sip.digest import DigestError, DigestServer, Ha1, Refusal, parse_digest
from telephony.sip.errors import RemoteError
from telephony.sip.headers import one_line, param
from telephony.sip.limiter import Limiter
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Address, Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.uri import NameAddr, Uri, UriError, bracketed, parse_name_addr, parse_uri

BindingRow = tuple[str, str, int, float]

_MAX_DIGITS: Final = 10
_MAX_CONTACT: Final = 512
_MAX_USER: Final = 64
_EXPIRY: Final = "expiry"


class Binding(msgspec.Struct, frozen=True):
    """One phone of a user: its Contact, where its REGISTER came from, and until when."""

    contact: Uri
    source: Address
    expires_at: float
    call_id: str = ""
    cseq: int = -1

    @property
    def address(self) -> Address:
        """Where its requests go: by its connection where it has one, else to its Contact, unless that names another
        host than the REGISTER came from (NAT)."""
        if isinstance(self.source, Flow):
            return self.source
        host, port = self.contact.address
        return (host, port) if host == self.source[0] else self.source

    @property
    def row(self) -> BindingRow:
        """The binding as `BindingChanged` carries it."""
        return self.contact.write(), self.source[0], self.source[1], self.expires_at


class Registrar:
    """The bindings of every user, oldest first, and the answers to REGISTER."""

    def __init__(
        self,
        settings: EndpointSettings,
        outbox: Outbox,
        deadlines: Deadlines,
        credentials: Callable[[str], Sequence[Ha1]],
        token: Callable[[int], str],
    ) -> None:
        self._settings = settings
        self._bounds = settings.registrar
        self._outbox = outbox
        self._deadlines = deadlines
        self._credentials = credentials
        self._digest = DigestServer(
            settings.domain, settings.algorithms, token, settings.nonce_s, settings.limits.nonces
        )
        self._bindings: dict[str, list[Binding]] = {}
        self._refusals = Limiter(settings.rejections_every_s, settings.limits.sources)

    def restore(self, user: str, rows: Iterable[BindingRow], now: float) -> None:
        """Take bindings back from rows after a restart, without an event. Rows that are over or unreadable are left
        out: the phone registers again."""
        bindings = []
        for contact, host, port, expires_at in sorted(rows, key=lambda row: row[3]):
            try:
                binding = Binding(parse_uri(contact), (host, port), expires_at)
            except UriError:
                continue
            if expires_at > now:
                bindings.append(binding)
        if bindings:
            self._bindings[user] = bindings
            self._arm(user)

    def newest(self, user: str, now: float) -> Binding | None:
        """Return the binding that an INVITE rings: the page that registered last where the user has one open, else the
        phone that did; None for none. A desk phone that refreshes its registration does not take the calls away."""
        live = [binding for binding in self._bindings.get(user, ()) if binding.expires_at > now]
        pages = [binding for binding in live if isinstance(binding.source, Flow)]
        return (pages or live)[-1] if live else None

    def is_bound(self, user: str, flow: Flow) -> bool:
        """Whether a user registered over this connection."""
        return any(binding.source == flow for binding in self._bindings.get(user, ()))

    def contacts(self, user: str) -> list[Binding]:
        """Return the bindings of a user, the oldest first."""
        return list(self._bindings.get(user, ()))

    def connection_lost(self, connection: str) -> None:
        """Forget whatever was bound to a connection."""
        for user, held in list(self._bindings.items()):
            kept = [
                each for each in held if not (isinstance(each.source, Flow) and each.source.connection == connection)
            ]
            if len(kept) != len(held):
                self._store(user, kept)

    def fire(self, user: str, now: float) -> None:
        """The earliest binding of a user is over."""
        held = self._bindings.get(user, [])
        live = [binding for binding in held if binding.expires_at > now]
        if len(live) != len(held):
            self._store(user, live)
        self._arm(user)

    def receive(self, request: Request, tag: str, source: Address, now: float) -> Response:
        """Answer a REGISTER, with `tag` as our To tag.

        Raises `RemoteError` for one that makes no sense (section 10.3, steps 3 to 8).
        """
        fields = self._credentials_in(request)
        user = fields.get("username", "")
        refusal = self._check(fields, request, now) if fields else None
        if not fields or refusal is not None:
            stale = refusal is not None and refusal.stale
            if refusal is not None and not stale:
                self._report_refusal(user, source, now)
            return self._challenge(request, tag, now, stale=stale)
        if request.to.uri.user != user:
            raise RemoteError(403, "Not Your Address Of Record")
        self._bind(user, request, source, now)
        return self._success(user, request, tag, now)

    # -------------------------------------------------------------------------------------------- credentials

    def _credentials_in(self, request: Request) -> dict[str, str]:
        """Return the credentials for our realm; those for another are none (RFC 3261 section 22.3)."""
        try:
            for value in request.headers.lines("authorization"):
                fields = parse_digest(value)
                if fields.get("realm") == self._settings.domain:
                    return fields
        except DigestError:
            raise RemoteError(400, "Malformed Authorization") from None
        return {}

    def _check(self, fields: dict[str, str], request: Request, now: float) -> Refusal | None:
        """Any secret of the user will do: that of the desk phone, or of a page that the user has open."""
        refusal: Refusal | None = Refusal(stale=False)
        try:
            for ha1 in self._credentials(fields.get("username", "")) or (None,):
                refusal = self._digest.check(fields, ha1, request.method, now)
                if refusal is None or refusal.stale:
                    break
            return refusal
        except DigestError:
            raise RemoteError(400, "Malformed Authorization") from None

    def _challenge(self, request: Request, tag: str, now: float, *, stale: bool) -> Response:
        response = respond(request, 401, "", tag)
        response.headers.set("www-authenticate", *self._digest.challenges(now, stale=stale))
        return response

    def _report_refusal(self, user: str, source: Address, now: float) -> None:
        held_back = self._refusals.allows(source[0], now)
        if held_back is not None:
            event = RegistrationRefused(one_line(user)[:_MAX_USER], f"{bracketed(source[0])}:{source[1]}", held_back)
            self._outbox.events.append(event)

    # ----------------------------------------------------------------------------------------------- bindings

    def _bind(self, user: str, request: Request, source: Address, now: float) -> None:
        """Do what a REGISTER asks for, or nothing at all: everything is checked before anything is changed."""
        contacts = request.headers.values("contact")
        held = [binding for binding in self._bindings.get(user, ()) if binding.expires_at > now]
        if not contacts:
            return
        if "*" in contacts:
            if len(contacts) > 1 or request.headers.get("expires") != "0":
                raise RemoteError(400, "Contact * Needs Expires: 0 And Nothing Else")
            self._store(user, [binding for binding in held if not self._is_newer(request, binding)])
            return
        changed = [self._binding(contact, request, source, now) for contact in contacts]
        identities = {binding.contact.identity: binding for binding in changed}
        for binding in held:
            if binding.contact.identity in identities and not self._is_newer(request, binding):
                raise RemoteError(500, "REGISTER Out Of Order")
        kept = [binding for binding in held if binding.contact.identity not in identities]
        kept += [binding for binding in identities.values() if binding.expires_at > now]
        self._store(user, kept[-self._bounds.bindings_per_user :])

    @staticmethod
    def _is_newer(request: Request, binding: Binding) -> bool:
        """Step 7: within one Call-ID a REGISTER with a CSeq no higher than the binding's is a late one."""
        return binding.call_id != request.call_id or request.cseq.number > binding.cseq

    def _binding(self, text: str, request: Request, source: Address, now: float) -> Binding:
        try:
            contact = parse_name_addr(text)
        except UriError:
            raise RemoteError(400, "Malformed Contact") from None
        if contact.uri.scheme not in {"sip", "sips"}:
            raise RemoteError(400, "A Contact That Is No SIP URI")
        if len(contact.uri.write()) > _MAX_CONTACT:
            raise RemoteError(400, "Contact Too Long")
        expires = self._expires(contact, request)
        return Binding(contact.uri, source, now + expires, request.call_id, request.cseq.number)

    def _expires(self, contact: NameAddr, request: Request) -> float:
        """Section 10.2.1.1: the Contact's own parameter, else Expires, else our default; malformed is our default."""
        text = param(contact.params, "expires") or request.headers.get("expires")
        if not text.isdecimal() or not text.isascii():
            return self._bounds.default_expires_s
        expires = int(text[:_MAX_DIGITS])
        if 0 < expires < self._bounds.min_expires_s:
            raise RemoteError(423, "Interval Too Brief", extra=(("min-expires", str(self._bounds.min_expires_s)),))
        return min(expires, self._bounds.max_expires_s)

    def _store(self, user: str, bindings: list[Binding]) -> None:
        if bindings:
            self._bindings[user] = bindings
        else:
            self._bindings.pop(user, None)
        self._arm(user)
        # A connection does not outlive the program, nor does what is bound to it.
        rows = tuple(binding.row for binding in bindings if not isinstance(binding.source, Flow))
        webrtc = any(isinstance(binding.source, Flow) for binding in bindings)
        self._outbox.events.append(BindingChanged(user, len(bindings), rows, webrtc))

    def _arm(self, user: str) -> None:
        bindings = self._bindings.get(user)
        if bindings:
            self._deadlines.set(user, _EXPIRY, min(binding.expires_at for binding in bindings))
        else:
            self._deadlines.cancel(user, _EXPIRY)

    def _success(self, user: str, request: Request, tag: str, now: float) -> Response:
        """Step 8: every binding, with the seconds it has left."""
        response = respond(request, 200, "", tag)
        for binding in self._bindings.get(user, ()):
            left = max(1, round(binding.expires_at - now))
            response.headers.add("contact", f"<{binding.contact.write()}>;expires={left}")
        return response
