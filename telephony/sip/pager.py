"""MESSAGE (RFC 3428): texts between colleagues' phones, and from callers to us.

Rule 1: a text is answered once it is where it belongs, and not before: 200 is the colleague's phone's own, 202 says
that the text is on the customer's timeline. What cannot be kept is refused, so that nobody takes it for said.

Rule 2: who claims to be one of our users proves it. Of anybody else texts to a number that can be called are taken, in
a call or without one, of a bounded size and in a bounded number.
"""

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from telephony.events import AnswerText, TextReceived
from telephony.sip.address import Flow
from telephony.sip.allowance import Allowance
from telephony.sip.authentication import Authenticator
from telephony.sip.dialog import Dialog, State, as_request_uri, with_tag
from telephony.sip.errors import RemoteError
from telephony.sip.headers import Headers, one_line, param, parse_params
from telephony.sip.identity import MAX_LENGTH, Identity, identify
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Address, Outbox
from telephony.sip.registration import Binding
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import MAX_FORWARDS, TAG_OCTETS, Transaction, TransactionLayer
from telephony.sip.uri import NameAddr, Uri

TYPES: Final = ("text/plain", "text/html")
ANSWER_S: Final = 8.0
"""So long a text may take to be kept; its sender waits for 32 s."""
UNANSWERED: Final = "unanswered"
_CHARSETS: Final = frozenset({"", "utf-8", "us-ascii"})
_CHALLENGES: Final = frozenset({401, 407})
_RETRY_AFTER: Final = (("retry-after", "60"),)


class Text:
    """A text that waits to be kept, or to be answered by the phone it was passed on to: the owner of deadlines and of
    the transaction of what was passed on."""

    __slots__ = ("id", "request", "transaction")

    def __init__(self, id_: str, transaction: Transaction, request: Request) -> None:
        self.id = id_
        self.transaction = transaction
        self.request = request


class Finds(NamedTuple):
    """Whom a text may be for: the dialog it came in (raises `RemoteError`), the phone of a user, and whether there is
    such an agent; and of one that came by a trunk, who sends it and to which number."""

    dialog: Callable[[Request, Address, float], Dialog]
    binding: Callable[[str, float], Binding | None]
    knows: Callable[[str], bool]
    by_trunk: Callable[[Request, Address], tuple[Identity, str] | None]


class Pager:
    """Every text that is under way."""

    def __init__(
        self,
        settings: EndpointSettings,
        outbox: Outbox,
        deadlines: Deadlines,
        transactions: TransactionLayer,
        token: Callable[[int], str],
        authenticator: Authenticator,
        finds: Finds,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions
        self._token = token
        self._authenticator = authenticator
        self._finds = finds
        bounds = settings.texts
        self._of_user = Allowance(bounds.per_minute_of_user, settings.limits.sources)
        self._of_source = Allowance(bounds.per_minute_of_source, settings.limits.sources)
        self._of_strangers = Allowance(bounds.per_minute_of_strangers, 1)
        self._waiting: dict[str, Text] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    # ------------------------------------------------------------------------------------------------- the verbs

    def receive(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        """Serve a MESSAGE. Raises `RemoteError`."""
        if request.to.tag:
            dialog = self._finds.dialog(request, source, now)
            if dialog.state is not State.CONFIRMED:
                raise RemoteError(481, "No Such Call")
            kind, text = self._read(request)
            self._check_stranger(dialog.id, now)
            self._tell(transaction, request, now, kind, text, dialog=dialog.id)
            return
        trunk = self._finds.by_trunk(request, source)
        user = self._user_of(request, source, now) if trunk is None else ""
        kind, text = self._read(request)
        if user:
            self._pass_on(transaction, request, user, now)
        else:
            # Everybody who writes by a trunk comes from its address.
            self._check_stranger(source[0] if trunk is None else f"{source[0]} {trunk[0].number}", now)
            self._tell(transaction, request, now, kind, text, trunk=trunk)

    def answer(self, command: AnswerText, now: float) -> None:
        """The switchboard, or whoever keeps texts, says what became of one. Too late is too late."""
        text = self._waiting.pop(command.message, None)
        if text is not None:
            self._deadlines.cancel_all(text)
            self._respond(text, command.status, now)

    def fire(self, text: Text, _timer: str, now: float) -> None:
        """Nobody said in time what became of a text: its sender has to send it again. If it is kept after all, it is so
        once: it has the same Call-ID and CSeq."""
        self._waiting.pop(text.id, None)
        self._respond(text, 503, now)

    def responded(
        self, text: Text, _transaction: Transaction, response: Response, _source: Address, now: float
    ) -> None:
        """The phone that a text was passed on to answers; what is said to us alone is said in words of ours."""
        if response.status >= 200:
            self._respond(text, 480 if response.status in _CHALLENGES | {503} else response.status, now)

    def unanswered(self, text: Text, _transaction: Transaction, _now: float) -> None:
        """That phone says nothing. Neither do we: a 408 would come too late for the sender (RFC 4320 section 4.2)."""
        self._transactions.abandon(text.transaction)

    def undelivered(self, text: Text, _transaction: Transaction, now: float) -> None:
        """The connection to that phone is gone, or cannot be had."""
        self._respond(text, 480, now)

    # ------------------------------------------------------------------------------------------------- from whom

    def _user_of(self, request: Request, source: Address, now: float) -> str:
        """Return which of our users sends it, `""` for a stranger. Raises `RemoteError`: 401, to pages' guests too, who
        have no number."""
        is_page = isinstance(source, Flow) and source.transport in {"WS", "WSS"}
        if "authorization" in request.headers or self._authenticator.claims(request) or is_page:
            return self._authenticator.user_of(request, source, now)
        return ""

    def _check_stranger(self, sender: str, now: float) -> None:
        if not self._of_source.takes(sender, now) or not self._of_strangers.takes("", now):
            raise RemoteError(503, "Too Many Messages", extra=_RETRY_AFTER)

    def _read(self, request: Request) -> tuple[str, str]:
        """Return the type of a text and the text itself. Raises `RemoteError`."""
        kind, semicolon, rest = request.headers.get("content-type", TYPES[0]).partition(";")
        kind = kind.strip().lower()
        try:
            charset = (param(parse_params(semicolon + rest), "charset") or "").lower()
        except ValueError:
            charset = "?"
        encoding = request.headers.get("content-encoding", "identity").lower()
        if kind not in TYPES or charset not in _CHARSETS or encoding != "identity":
            raise RemoteError(415, "Unsupported Media Type", extra=(("accept", ", ".join(TYPES)),))
        if len(request.body) > self._settings.texts.octets:
            raise RemoteError(413, f"More Than {self._settings.texts.octets} Octets")
        if not request.body.strip():
            raise RemoteError(400, "Nothing Is Said")
        return kind, _plain(request.body.decode("utf-8", "replace"))

    # ------------------------------------------------------------------------------------------ to us, to others

    def _tell(
        self,
        transaction: Transaction,
        request: Request,
        now: float,
        kind: str,
        text: str,
        *,
        dialog: str = "",
        trunk: tuple[Identity, str] | None = None,
    ) -> None:
        if len(self) >= self._settings.texts.waiting:
            raise RemoteError(503, "Too Many Messages", extra=_RETRY_AFTER)
        own_word = identify(request, trusted=False), one_line(request.uri.number)[:MAX_LENGTH]
        identity, dialled = trunk or own_word
        waiting = Text(self._token(TAG_OCTETS), transaction, request)
        self._waiting[waiting.id] = waiting
        self._deadlines.set(waiting, UNANSWERED, now + ANSWER_S)
        named = f"{request.call_id}\n{request.cseq.number}\n{request.from_.tag}"
        self._outbox.events.append(
            TextReceived(
                message=waiting.id,
                dialog=dialog,
                number=identity.number,
                withheld=identity.withheld,
                dnis=dialled,
                kind=kind,
                text=text,
                external_id=hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest(),
                vouched=trunk is not None,
            )
        )

    def _pass_on(self, transaction: Transaction, request: Request, user: str, now: float) -> None:
        """Send a colleague's text to the phone that an INVITE would ring."""
        to = request.uri.user
        binding = self._finds.binding(to, now)
        if binding is None:
            raise RemoteError(480 if self._finds.knows(to) else 404, "")
        if not self._of_user.takes(user, now):
            raise RemoteError(503, "Too Many Messages", extra=_RETRY_AFTER)
        domain = self._settings.domain
        headers = Headers()
        headers.set("via", "")
        headers.set("max-forwards", MAX_FORWARDS)
        headers.set("from", with_tag(NameAddr(Uri(user=user, host=domain)), self._token(TAG_OCTETS)))
        headers.set("to", NameAddr(Uri(user=to, host=domain)).write())
        headers.set("call-id", self._token(2 * TAG_OCTETS))
        headers.set("cseq", "1 MESSAGE")
        headers.set("user-agent", self._settings.user_agent)
        headers.set("content-type", request.headers.get("content-type", TYPES[0]))
        target = as_request_uri(binding.contact).write()
        passed = Request("MESSAGE", target, headers, request.body)
        self._transactions.open_client(passed, binding.address, now, Text("", transaction, request))

    def _respond(self, text: Text, status: int, now: float) -> None:
        if text.transaction.request is None:
            return  # its connection is gone
        response = respond(text.request, status, "", text.transaction.tag)
        if status == 503:
            response.headers.set(*_RETRY_AFTER[0])
        self._transactions.respond(text.transaction, response, now)


def _plain(text: str) -> str:
    """Return a text without control characters other than the ends of lines and tabs."""
    return "".join(sign for sign in text.replace("\r\n", "\n") if sign.isprintable() or sign in "\n\t")
