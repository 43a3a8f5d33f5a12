"""Every trunk of an endpoint: registering with the far ends (RFC 3261 section 10.2), and asking whether they are there.

Requests of trunks are outside of dialogs. Each has an `Exchange`, which is what its transaction and its time-out belong
to; one that has had no response for `PATIENCE_S` is given up, long before timer F.
"""

from collections.abc import Callable
from typing import Final

from telephony.events import Hop, LeaveTrunks, LocateTrunk, TrunkChanged
from telephony.sip.address import Address, Flow
from telephony.sip.challenge import CHALLENGES, challenge_of, is_stale
from telephony.sip.digest import authorize
from telephony.sip.headers import Headers, one_line
from telephony.sip.message import Request, Response
from telephony.sip.outbox import Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import MAX_FORWARDS, TAG_OCTETS, Transaction, TransactionLayer
from telephony.sip.trunk import (
    FORGIVEN_S,
    MOST_RETRY_AFTER_S,
    REFUSED_S,
    REGISTRATION,
    RETRY_S,
    Action,
    Challenge,
    Exchange,
    Input,
    Prober,
    Reach,
    Sign,
    State,
    Trunk,
    Way,
    back_off_s,
    refresh_s,
    spread,
    written,
)
from telephony.sip.trunk_ways import MOST_EXPIRES_S, at_once, granted_s, seconds_in, ways_of
from telephony.sip.uac import CALL_ID_OCTETS, CNONCE_OCTETS
from telephony.sip.uas import ALLOW
from telephony.sip.uri import NameAddr, Uri

PATIENCE_S: Final = 5.0
ELSEWHERE: Final = frozenset({408, 430, 480, 500, 502, 503, 504})
"""Responses to REGISTER after which the next address is tried."""
CHALLENGES_AT_MOST: Final = 4
_DEAD: Final = frozenset({408, 503})
_SAID: Final = {
    Reach.UP: "answers",
    Reach.DOWN: "does not answer",
    Reach.UNKNOWN: "did not answer a while ago, and is tried again",
}
_START, _PROBE, _SILENT, _FORGIVE = "start", "probe", "silent", "forgive"


class TrunkLayer:
    """Every trunk of one endpoint. Targets that are addresses are known at once, names after `LocateTrunk`."""

    def __init__(
        self,
        settings: EndpointSettings,
        outbox: Outbox,
        deadlines: Deadlines,
        transactions: TransactionLayer,
        token: Callable[[int], str],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions
        self._token = token
        self.trunks = {each.name: Trunk(each, token(CALL_ID_OCTETS)) for each in settings.trunks}
        self._probers: dict[Way, Prober] = {}
        for trunk in self.trunks.values():
            trunk.ways = ways_of(trunk, at_once(trunk, token))
            deadlines.set(trunk, _START, 0.0)

    # ------------------------------------------------------------------------------------------------- commands

    def perform(self, command: LocateTrunk | LeaveTrunks, now: float) -> None:
        """Take the addresses of a trunk, or leave every trunk."""
        if isinstance(command, LeaveTrunks):
            for trunk in self.trunks.values():
                self._stop(trunk, now)
        elif command.trunk in self.trunks:
            self._deadlines.cancel(self.trunks[command.trunk], _START)  # it knows less
            self._locate(self.trunks[command.trunk], command.hops, now)

    def _locate(self, trunk: Trunk, hops: tuple[Hop, ...], now: float) -> None:
        """Take new addresses; those that were known keep what is known of them."""
        ways = ways_of(trunk, hops)
        before = trunk.ways
        for gone in set(before) - set(ways):
            if (prober := self._probers.pop(gone, None)) is not None:
                self._deadlines.cancel_all(prober)
        trunk.ways = ways
        trunk.left = [way for way in trunk.left if way in ways]
        if trunk.stopped:
            return
        for way in trunk.ways:
            if trunk.settings.probe_s and way not in self._probers:
                self._probers[way] = Prober(trunk, way)
                self._probe(self._probers[way], now)
        if set(ways) - set(before) or (ways and trunk.state is State.UNREGISTERED):
            # Not for other weights alone: who was refused for his password would ask as often as the DNS is asked.
            self.step(trunk, Input.START, now)
        if ways and trunk.at not in ways:
            self.step(trunk, Input.REFRESH_DUE, now)  # nobody would find out that the old address is dead
        self._tell(trunk)

    def _stop(self, trunk: Trunk, now: float) -> None:
        trunk.stopped = True
        for way in trunk.ways:
            if (prober := self._probers.pop(way, None)) is not None:
                self._deadlines.cancel_all(prober)
        self.step(trunk, Input.STOP, now)
        self._tell(trunk)

    # --------------------------------------------------------------------------------------------------- inputs

    def step(self, trunk: Trunk, received: Input, now: float) -> None:
        """Look up and perform one row of the registration; without one, the input came too late."""
        row = REGISTRATION.get((trunk.state, received))
        if row is None:
            return
        trunk.state, actions = row
        for action in actions:
            self._perform(trunk, action, now)

    def fire(self, owner: object, timer: str, now: float) -> bool:
        """A timer is due; False where it is none of ours."""
        if isinstance(owner, Exchange):
            self._unanswered(owner, now)
        elif isinstance(owner, Prober) and timer == _FORGIVE:
            self._sensed(owner.trunk, owner.way, Sign.TIME, now)
            self._tell(owner.trunk)
        elif isinstance(owner, Prober):
            self._probe(owner, now)
        elif isinstance(owner, Trunk) and timer == _START:
            self._locate(owner, at_once(owner, self._token), now)
        elif isinstance(owner, Trunk):
            self.step(owner, Input(timer), now)
            self._tell(owner)
        else:
            return False
        return True

    def responded(
        self, exchange: Exchange, _transaction: Transaction, response: Response, source: Address, now: float
    ) -> None:
        """A response to a request of a trunk."""
        trunk, way = exchange.trunk, exchange.way
        if response.status < 200:
            return
        self._deadlines.cancel_all(exchange)
        self._sensed(trunk, way, Sign.SILENCE if response.status in _DEAD else Sign.ANSWER, now)
        if exchange.method == "REGISTER" and exchange is trunk.exchange:
            self._registered(trunk, response, source, now)
        self._tell(trunk)

    def timed_out(self, exchange: Exchange, _transaction: Transaction, now: float) -> None:
        """Timer F of one, or its address cannot be reached at all."""
        self._unanswered(exchange, now)

    def connections(self) -> set[str]:
        """Return the connections that a registration was granted over: calls to us come by them."""
        return {trunk.flow.connection for trunk in self.trunks.values() if trunk.flow is not None}

    def connection_lost(self, connection: str, now: float) -> None:
        """A trunk that registered over this connection is not registered any more."""
        for trunk in self.trunks.values():
            if trunk.flow is not None and trunk.flow.connection == connection:
                trunk.flow, trunk.reason = None, "the connection was lost"
                self.step(trunk, Input.LOST, now)
                self._tell(trunk)

    def went_silent(self, address: Address, now: float) -> None:
        """A request to this address, such as an INVITE, has had no response in time."""
        for trunk in self.trunks.values():
            for way in trunk.ways:
                if way.address == address:
                    self._sensed(trunk, way, Sign.SILENCE, now)
                    self._tell(trunk)

    def _unanswered(self, exchange: Exchange, now: float) -> None:
        trunk = exchange.trunk
        self._deadlines.cancel_all(exchange)
        if exchange.transaction is not None:
            self._transactions.abandon(exchange.transaction)
        if exchange.method == "REGISTER":
            trunk.reason = "no answer"
        self._sensed(trunk, exchange.way, Sign.SILENCE, now)
        if exchange.method == "REGISTER" and exchange is trunk.exchange:
            self._try_next(trunk, now)
        self._tell(trunk)

    def _sensed(self, trunk: Trunk, way: Way, sign: Sign, now: float) -> None:
        if not way.gave(sign):
            return
        is_down = way.reach is Reach.DOWN
        trunk.reason = f"{written(way.address)} {_SAID[way.reach]}"
        if is_down and not (trunk.settings.probe_s or trunk.stopped):
            self._deadlines.set(self._probers.setdefault(way, Prober(trunk, way)), _FORGIVE, now + FORGIVEN_S)
        if is_down and way is trunk.at and trunk.state is State.REGISTERED:
            self.step(trunk, Input.LOST, now)

    # ------------------------------------------------------------------------------------------------- register

    def _perform(self, trunk: Trunk, action: Action, now: float) -> None:
        match action:
            case Action.SEND | Action.SEND_REMOVAL:
                self._begin(trunk, now, removing=action is Action.SEND_REMOVAL)
            case Action.AWAIT_REFRESH:
                self._deadlines.set(trunk, Input.REFRESH_DUE, now + refresh_s(trunk.granted_s, self._token))
            case Action.AWAIT_RETRY | Action.AWAIT_MERCY:
                bounds = RETRY_S if action is Action.AWAIT_RETRY else REFUSED_S
                trunk.failures += 1
                wait_s = max(back_off_s(bounds, trunk.failures, self._token), trunk.retry_after_s)
                self._deadlines.set(trunk, Input.RETRY_DUE, now + wait_s)
            case Action.FORGET:
                self._deadlines.cancel_all(trunk)

    def _begin(self, trunk: Trunk, now: float, *, removing: bool) -> None:
        """Send the first REGISTER of an attempt, or one more of it: `left` says where it may still go."""
        if not trunk.left:
            trunk.left = trunk.in_order()
            trunk.retry_after_s = 0.0
            if removing and trunk.at in trunk.left:
                trunk.left = [trunk.at]
        if not trunk.left:
            self.step(trunk, Input.SILENT, now)
            return
        trunk.removing = removing
        if trunk.at is not trunk.left[0]:
            trunk.at, trunk.challenge = trunk.left[0], None  # a nonce is good where it comes from
        self._send_register(trunk, trunk.at, now)

    def _try_next(self, trunk: Trunk, now: float) -> None:
        """The present address did not do; try the one after it."""
        trunk.left = [way for way in trunk.left if way is not trunk.at]  # which the DNS may have taken away
        trunk.challenge, trunk.challenges = None, 0
        self.step(trunk, Input.AGAIN if trunk.left else Input.SILENT, now)

    def _end(self, trunk: Trunk, received: Input, reason: str, now: float) -> None:
        trunk.left, trunk.reason, trunk.challenges = [], reason, 0
        self.step(trunk, received, now)

    def _registered(self, trunk: Trunk, response: Response, source: Address, now: float) -> None:
        """The final response to a REGISTER."""
        status, said = response.status, f"{response.status} {one_line(response.reason)}"
        if status < 300:
            self._granted(trunk, response, source, now)
        elif status in CHALLENGES:
            self._challenged(trunk, response, now)
        elif status == 423 and self._lengthened(trunk, response):
            self.step(trunk, Input.AGAIN, now)
        elif status in ELSEWHERE or status < 400:
            # Another registrar, by its own word (3xx), is not followed: whom we trust stands in the settings.
            trunk.reason = said
            wait_s = min(seconds_in(response.headers.get("retry-after")), MOST_RETRY_AFTER_S)
            trunk.retry_after_s = max(trunk.retry_after_s, wait_s)
            self._try_next(trunk, now)
        else:
            self._end(trunk, Input.REFUSED, said, now)

    def _granted(self, trunk: Trunk, response: Response, source: Address, now: float) -> None:
        trunk.granted_s = granted_s(response, trunk.settings.contact_user, trunk.expires_s)
        trunk.failures = 0
        trunk.granted = {address: until for address, until in trunk.granted.items() if until > now}
        if trunk.at is not None and not trunk.removing:
            trunk.granted[trunk.at.address] = now + trunk.granted_s
        trunk.service_route = tuple(response.headers.values("service-route"))
        trunk.flow = source if isinstance(source, Flow) else None
        self._end(trunk, Input.SUCCESS, "", now)

    def _challenged(self, trunk: Trunk, response: Response, now: float) -> None:
        """Answer a challenge. To a second one at once the answer was wrong; but a nonce that has served for an earlier
        REGISTER may be too old, and some far ends want another one each time without saying so."""
        credentials = trunk.settings.credentials
        found = challenge_of(credentials, response) if credentials is not None else None
        was_fresh = trunk.challenge is not None and trunk.challenge.count == 1
        trunk.challenges += 1
        if found is None:
            cause = "no password for it" if credentials is None else "no challenge that can be answered"
            self._end(trunk, Input.REFUSED, f"{response.status}: {cause}", now)
        elif trunk.challenges > CHALLENGES_AT_MOST or (was_fresh and not is_stale(response)):
            trunk.challenge = None
            self._end(trunk, Input.REFUSED, f"{response.status}: wrong user or password", now)
        else:
            trunk.challenge = Challenge(*found)
            self.step(trunk, Input.AGAIN, now)

    @staticmethod
    def _lengthened(trunk: Trunk, response: Response) -> bool:
        """Ask for as long as the far end insists on (423, section 10.2.8)."""
        least = int(seconds_in(response.headers.get("min-expires")))
        if trunk.removing or not trunk.expires_s < least <= MOST_EXPIRES_S:
            return False
        trunk.expires_s = least
        return True

    def _send_register(self, trunk: Trunk, way: Way, now: float) -> None:
        settings = trunk.settings
        domain = trunk.domain_at(way.target)
        user = settings.credentials.user if settings.credentials is not None else settings.contact_user
        registrar = Uri(scheme=way.target.scheme, host=domain)
        trunk.cseq += 1
        expires_s = 0 if trunk.removing else trunk.expires_s
        request = self._request("REGISTER", registrar, Uri(user=user, host=domain), Uri(user=user, host=domain))
        headers = request.headers
        headers.set("call-id", trunk.call_id)
        headers.set("cseq", f"{trunk.cseq} REGISTER")
        contact = self._transactions.contact(way.address, settings.contact_user)
        headers.set("contact", f"<{contact}>;expires={expires_s}")
        headers.set("expires", str(expires_s))
        headers.set("allow", ALLOW)
        headers.set("supported", "path")
        challenge = trunk.challenge
        if challenge is not None and settings.credentials is not None:
            challenge.count += 1
            mine = settings.credentials
            cnonce = self._token(CNONCE_OCTETS)
            answer = authorize(
                challenge.value, mine.user, mine.password, "REGISTER", request.target, cnonce, challenge.count
            )
            headers.set(challenge.field, answer)
        self._send(Exchange(trunk, way, "REGISTER"), request, now)

    # --------------------------------------------------------------------------------------------------- probes

    def _probe(self, prober: Prober, now: float) -> None:
        """Ask an address whether it is there, and again after a while."""
        trunk, way = prober.trunk, prober.way
        every_s = trunk.settings.probe_s * (0.9 + spread(self._token) / 5)
        self._deadlines.set(prober, _PROBE, now + every_s)
        domain = trunk.domain_at(way.target)
        own = Uri(user=trunk.settings.contact_user, host=self._settings.domain)
        request = self._request("OPTIONS", Uri(scheme=way.target.scheme, host=domain), own, Uri(host=domain))
        request.headers.set("call-id", self._token(CALL_ID_OCTETS))
        request.headers.set("cseq", "1 OPTIONS")
        contact = self._transactions.contact(way.address, trunk.settings.contact_user)
        request.headers.set("contact", f"<{contact}>")
        request.headers.set("accept", "application/sdp")
        self._send(Exchange(trunk, way, "OPTIONS"), request, now)

    # ----------------------------------------------------------------------------------------------------- both

    def _request(self, method: str, target: Uri, from_: Uri, to: Uri) -> Request:
        headers = Headers()
        headers.set("via", "")
        headers.set("max-forwards", MAX_FORWARDS)
        headers.set("from", NameAddr(from_, "", (("tag", self._token(TAG_OCTETS)),)).write())
        headers.set("to", NameAddr(to).write())
        headers.set("user-agent", self._settings.user_agent)
        return Request(method, target.write(), headers)

    def _send(self, exchange: Exchange, request: Request, now: float) -> None:
        exchange.transaction = self._transactions.open_client(request, exchange.way.address, now, exchange)
        if exchange.method == "REGISTER":
            exchange.trunk.exchange = exchange
        self._deadlines.set(exchange, _SILENT, now + PATIENCE_S)

    def _tell(self, trunk: Trunk) -> None:
        """Tell how a trunk stands, where it stands otherwise than last told."""
        now_so = trunk.snapshot()
        before = trunk.told
        if before is None or _standing(before) != _standing(now_so):
            trunk.told = now_so
            self._outbox.events.append(now_so)


def _standing(changed: TrunkChanged) -> tuple[object, ...]:
    return changed.state, changed.up, changed.targets
