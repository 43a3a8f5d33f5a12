"""The registrar: which phone is where (RFC 3261 section 10.3). Who may register is for `authentication` to say.

A phone behind a NAT is asked something (OPTIONS) every `KEEP_ALIVE_S`. The NAT goes on remembering it for what the
phone sends, not for what it receives (RFC 4787 section 4.3), so it has to be something that is answered. What it
answers, and whether, does not matter: a binding ends when it expires.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from telephony.events import BindingChanged, BindingRow
from telephony.sip import gruu
from telephony.sip.address import Flow, is_page, transport_of
from telephony.sip.errors import RemoteError
from telephony.sip.headers import Headers, quote
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Address, Outbox
from telephony.sip.registration import GRUU, OUTBOUND, PATH, SUPPORTED, Binding, read_bindings, restored, wants
from telephony.sip.settings import EndpointSettings
from telephony.sip.sources import source_of
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import MAX_FORWARDS, TAG_OCTETS, TransactionLayer
from telephony.sip.uri import NameAddr, Uri

Row = BindingRow | tuple[str, str, int, float]

KEEP_ALIVE_S: Final = 25.0
"""Less than the 30 s after which NATs at large forget UDP (RFC 5626 section 4.4.2)."""
_EXPIRY, _KEEP_ALIVE = "expiry", "keep alive"
_SECRET_OCTETS: Final = 16


class Registrar:
    """The bindings of every user, oldest first, and the answers to REGISTER."""

    def __init__(
        self,
        settings: EndpointSettings,
        outbox: Outbox,
        deadlines: Deadlines,
        transactions: TransactionLayer,
        token: Callable[[int], str],
    ) -> None:
        self._bounds = settings.registrar
        self._domain = settings.domain
        self._user_agent = settings.user_agent
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions
        self._token = token
        self._bindings: dict[str, list[Binding]] = {}
        self._addresses: Counter[Address] = Counter()
        self._sources: Counter[str] = Counter()

    def restore(self, user: str, rows: Iterable[Row], now: float) -> None:
        """Take bindings back from rows after a restart, without an event. Rows that are over or unreadable are left
        out: the phone registers again."""
        bindings = []
        for row in sorted(rows, key=lambda row: row[3]):
            try:
                binding = restored(BindingRow(*row), self._token(_SECRET_OCTETS))
            except ValueError:
                continue
            if binding.expires_at > now:
                bindings.append(binding)
        if bindings:
            self._keep(user, bindings, now)

    def newest(self, user: str, now: float, device: str = "") -> Binding | None:
        """Return the binding that an INVITE rings: the page that registered last where the user has one open, else the
        phone that did; None for none. A desk phone that refreshes its registration does not take the calls away. With
        `device` that one rings, by its newest way."""
        live = [binding for binding in self._bindings.get(user, ()) if binding.expires_at > now]
        if device:
            live = [binding for binding in live if binding.instance == device]
        pages = [binding for binding in live if is_page(binding.source)]
        return (pages or live)[-1] if live else None

    def is_bound(self, user: str, source: Address) -> bool:
        """Whether a user registered over this connection, or from this very address."""
        return any(binding.source == source for binding in self._bindings.get(user, ()))

    def is_at(self, user: str, source: str) -> bool:
        """Whether a user registered from this source (`sources.source_of`)."""
        return any(source_of(binding.source) == source for binding in self._bindings.get(user, ()))

    def is_phone(self, address: Address) -> bool:
        """Whether a phone is registered over this connection, or from this very address."""
        return address in self._addresses

    def has_phones(self, source: str) -> bool:
        """Whether any phone is registered from this source."""
        return source in self._sources

    def by_transport(self) -> Counter[str]:
        """Return how many bindings there are over each transport, in capitals."""
        return Counter(transport_of(binding.source) for held in self._bindings.values() for binding in held)

    def contacts(self, user: str) -> list[Binding]:
        """Return the bindings of a user, the oldest first."""
        return list(self._bindings.get(user, ()))

    def dialled(self, uri: Uri) -> tuple[str, str]:
        """Return the user and the device that a Request-URI means: those of a GRUU of ours, else its user and no
        device. Raises `RemoteError` 404 for a GRUU that is none, or was one."""
        if not gruu.is_gruu(uri) or uri.host != self._domain:
            return uri.number, ""
        for user in (uri.user,) if uri.user in self._bindings else self._bindings:
            for binding in reversed(self._bindings[user]):
                if gruu.means(uri, user, binding):
                    return user, binding.instance
        raise RemoteError(404, "Not Found")

    def connections(self) -> set[str]:
        """Return the connections that phones are bound to."""
        held = (binding.source for bindings in self._bindings.values() for binding in bindings)
        return {source.connection for source in held if isinstance(source, Flow)}

    def connection_lost(self, connection: str, now: float) -> None:
        """Forget whatever was bound to a connection."""
        for user, held in list(self._bindings.items()):
            kept = [
                each for each in held if not (isinstance(each.source, Flow) and each.source.connection == connection)
            ]
            if len(kept) != len(held):
                self._store(user, kept, now)

    def forget(self, user: str, now: float) -> None:
        """Forget whatever a user has registered."""
        if user in self._bindings:
            self._store(user, [], now)

    def fire(self, user: str, timer: str, now: float) -> None:
        """The earliest binding of a user is over, or those behind a NAT are to be asked something."""
        if timer == _KEEP_ALIVE:
            for binding in self._bindings.get(user, ()):
                if binding.is_behind_nat:
                    self._ask(binding)
            self._arm(user, now)
            return
        held = self._bindings.get(user, [])
        live = [binding for binding in held if binding.expires_at > now]
        if len(live) != len(held):
            self._store(user, live, now)
        else:
            self._arm(user, now)

    def receive(self, request: Request, user: str, tag: str, source: Address, now: float) -> Response:
        """Answer the REGISTER of a user's phone, with `tag` as our To tag.

        Raises `RemoteError` for one that makes no sense (section 10.3, steps 4 to 8).
        """
        if request.to.uri.user != user:
            raise RemoteError(403, "Not Your Address Of Record")
        self._bind(user, request, source, now)
        return self._success(user, request, tag, now)

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
            self._store(user, [binding for binding in held if not self._is_newer(request, binding)], now)
            return
        # A temporary GRUU lives as long as the registration, and that as long as its Call-ID (RFC 5627 section 5.1).
        secrets = [binding.secret for binding in held if binding.call_id == request.call_id and binding.secret]
        secret = secrets[0] if secrets else self._token(_SECRET_OCTETS)
        changed = {each.key: each for each in read_bindings(request, source, self._bounds, secret, now)}
        for binding in held:
            if binding.key in changed and not self._is_newer(request, binding):
                raise RemoteError(500, "REGISTER Out Of Order")
        kept = [binding for binding in held if binding.key not in changed]
        kept += [binding for binding in changed.values() if binding.expires_at > now]
        self._store(user, kept[-self._bounds.bindings_per_user :], now)

    @staticmethod
    def _is_newer(request: Request, binding: Binding) -> bool:
        """Step 7: within one Call-ID a REGISTER with a CSeq no higher than the binding's is a late one."""
        return binding.call_id != request.call_id or request.cseq.number > binding.cseq

    def _store(self, user: str, bindings: list[Binding], now: float) -> None:
        self._keep(user, bindings, now)
        # A connection does not outlive the program, nor does what is bound to it. One row for each Contact.
        rows = {binding.contact: binding.row for binding in bindings if not isinstance(binding.source, Flow)}
        webrtc = any(is_page(binding.source) for binding in bindings)
        secure = bool(bindings) and not webrtc and transport_of(bindings[-1].source) == "TLS"
        self._outbox.events.append(BindingChanged(user, len(bindings), tuple(rows.values()), webrtc, secure))

    def _keep(self, user: str, bindings: list[Binding], now: float) -> None:
        before = self._bindings.pop(user, [])
        if bindings:
            self._bindings[user] = bindings
        self._addresses.update(each.source for each in bindings)
        self._addresses -= Counter(each.source for each in before)
        self._sources.update(source_of(each.source) for each in bindings)
        self._sources -= Counter(source_of(each.source) for each in before)
        self._arm(user, now)

    def _arm(self, user: str, now: float) -> None:
        bindings = self._bindings.get(user, ())
        if bindings:
            self._deadlines.set(user, _EXPIRY, min(binding.expires_at for binding in bindings))
        else:
            self._deadlines.cancel(user, _EXPIRY)
        if any(binding.is_behind_nat for binding in bindings):
            self._deadlines.set(user, _KEEP_ALIVE, now + KEEP_ALIVE_S)
        else:
            self._deadlines.cancel(user, _KEEP_ALIVE)

    def _ask(self, binding: Binding) -> None:
        """Ask a phone for its abilities, in no transaction: the next question stands for every lost one."""
        headers = Headers()
        headers.set("via", "")
        headers.set("max-forwards", MAX_FORWARDS)
        own = NameAddr(Uri(host=self._domain), params=(("tag", self._token(TAG_OCTETS)),))
        headers.set("from", own.write())
        headers.set("to", NameAddr(binding.contact).write())
        headers.set("call-id", self._token(_SECRET_OCTETS))
        headers.set("cseq", "1 OPTIONS")
        headers.set("user-agent", self._user_agent)
        request = Request("OPTIONS", binding.contact.write(), headers)
        self._transactions.stamp(request, binding.address)
        self._outbox.datagrams.append((request.write(), binding.address))

    def _success(self, user: str, request: Request, tag: str, now: float) -> Response:
        """Step 8: every binding, with the seconds it has left."""
        response = respond(request, 200, "", tag)
        for binding in self._bindings.get(user, ()):
            left = max(1, round(binding.expires_at - now))
            value = f"<{binding.contact.write()}>;expires={left}"
            if binding.instance:
                value += f";+sip.instance={quote(f'<{binding.instance}>')}"
            if binding.reg_id:
                value += f";reg-id={binding.reg_id}"
            if binding.instance and wants(request, GRUU):
                value += gruu.params(user, self._domain, binding, self._token)
            response.headers.add("contact", value)
        if "path" in request.headers and wants(request, PATH):
            response.headers.set("path", *request.headers.lines("path"))
        if any(binding.reg_id and binding.call_id == request.call_id for binding in self._bindings.get(user, ())):
            response.headers.set("require", OUTBOUND)  # RFC 5626 section 6
        response.headers.set("supported", ", ".join(sorted(SUPPORTED)))
        return response
