"""Every subscription of an endpoint, and the performing of the rows of `subscription`.

Who watches is one of our users, by digest, each time: whoever is not, learns nothing, not even who there is to be
watched. Whom there is, is told by `TellLamp`.
"""

from collections.abc import Callable
from typing import Final

from telephony.events import TellLamp
from telephony.sip.address import Flow
from telephony.sip.dialog import read_routes, read_target
from telephony.sip.dialog_info import Named
from telephony.sip.errors import LocalError, RemoteError
from telephony.sip.headers import TOKEN, param, parse_params
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Address
from telephony.sip.settings import EndpointSettings
from telephony.sip.subscription import (
    ALLOW_EVENTS,
    EXPIRY,
    OVER,
    PACE,
    PACKAGES,
    SUBSCRIPTION,
    Action,
    Input,
    Notice,
    Package,
    State,
    Subscription,
)
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import Transaction, TransactionLayer

_MAX_DIGITS: Final = 10
_MAX_RETRY_S: Final = 60.0


UserOf = Callable[[Request, Address, float], str]
"""Returns the user whose credentials a request brings, at an instant. Raises `RemoteError`: 401 with challenges."""


class SubscriptionLayer:
    """Every subscription of one endpoint. `named` gives a dialog as a watcher may name it in Replaces."""

    def __init__(
        self,
        settings: EndpointSettings,
        deadlines: Deadlines,
        transactions: TransactionLayer,
        user_of: UserOf,
        named: Named,
    ) -> None:
        self._settings = settings
        self._deadlines = deadlines
        self._transactions = transactions
        self._user_of = user_of
        self._named = named
        self._lamps: dict[str, TellLamp] = {}
        self._by_key: dict[tuple[str, str, str], Subscription] = {}
        self._by_agent: dict[str, dict[Subscription, None]] = {}
        self._by_watcher: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def knows(self, agent: str) -> bool:
        """Whether there is an agent of this name."""
        return agent in self._lamps

    # ---------------------------------------------------------------------------------------------- the verbs

    def tell(self, lamp: TellLamp, now: float) -> None:
        """Take an agent's state, and show it to whoever watches."""
        self._lamps[lamp.agent] = lamp
        for subscription in list(self._by_agent.get(lamp.agent, ())):
            if subscription.shown != subscription.package.essence(lamp):
                self._step(subscription, Input.CHANGED, now)

    def receive(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        """Serve a SUBSCRIBE. Raises `RemoteError`."""
        package, event = _event_of(request)
        user = self._user_of(request, source, now)
        expires = self._expires(request)
        if request.to.tag:
            subscription = self._found(request, event, user)
        else:
            subscription = self._begun(request, package, event, user, source)
            self._check_room(user)
        subscription.remote_seq = request.cseq.number
        subscription.peer = source
        subscription.target = read_target(request, subscription.target)
        subscription.expires_at = now + expires
        received = Input.SUBSCRIBE if expires else Input.UNSUBSCRIBE
        if subscription.state is State.INIT:
            self._add(subscription, transaction.tag)
        self._step(subscription, received, now, (transaction, request))

    def responded(
        self, notice: Notice, _transaction: Transaction, response: Response, _source: Address, now: float
    ) -> None:
        """A response to a NOTIFY. Of several that are out, the last one says that the watcher knows; any of them may
        say that there is no subscription any more."""
        subscription = notice.subscription
        retry = response.headers.get("retry-after")[:_MAX_DIGITS].split(";")[0].split("(")[0].strip()
        if response.status < 200:
            return
        if response.status >= 300 and not (retry.isdecimal() and retry.isascii()):
            self._step(subscription, Input.REFUSED, now)
        elif notice is subscription.notice:
            if response.status >= 300:
                subscription.shown, subscription.retry_s = None, min(float(retry), _MAX_RETRY_S)
            self._step(subscription, Input.NOTIFIED if response.status < 300 else Input.LATER, now)

    def unanswered(self, notice: Notice, _transaction: Transaction, now: float) -> None:
        """No response at all to a NOTIFY."""
        self._step(notice.subscription, Input.REFUSED, now)

    def fire(self, subscription: Subscription, timer: str, now: float) -> None:
        """A timer of a subscription is due."""
        received = Input(timer)
        if received is Input.PACE_OVER and subscription.shown != self._essence(subscription):
            received = Input.PACE_OVER_NEWS
        self._step(subscription, received, now)

    def connections(self) -> set[str]:
        """Return the connections that somebody watches over."""
        return {each.peer.connection for each in self._by_key.values() if isinstance(each.peer, Flow)}

    def connection_lost(self, connection: str, now: float) -> None:
        """Whoever watched over a connection that is gone watches no more."""
        for subscription in list(self._by_key.values()):
            if isinstance(subscription.peer, Flow) and subscription.peer.connection == connection:
                self._step(subscription, Input.LOST, now)

    def deactivate(self, now: float) -> None:
        """Tell every watcher that the subscription is over, and to subscribe anew (we stop, and will be back)."""
        for subscription in list(self._by_key.values()):
            self._step(subscription, Input.DEACTIVATED, now)

    # ------------------------------------------------------------------------------------------- a SUBSCRIBE

    def _expires(self, request: Request) -> int:
        bounds = self._settings.subscriptions
        text = request.headers.get("expires")
        if not text.isdecimal() or not text.isascii():
            return bounds.default_expires_s
        expires = int(text[:_MAX_DIGITS])
        if 0 < expires < bounds.min_expires_s:
            raise RemoteError(423, "Interval Too Brief", extra=(("min-expires", str(bounds.min_expires_s)),))
        return min(expires, bounds.max_expires_s)

    def _found(self, request: Request, event: str, user: str) -> Subscription:
        """Return the subscription that a SUBSCRIBE refreshes or ends."""
        subscription = self._by_key.get((request.call_id, request.to.tag, request.from_.tag))
        if subscription is None or subscription.state in OVER or subscription.event != event:
            raise RemoteError(481, "Subscription Does Not Exist")
        if subscription.watcher != user:
            raise RemoteError(403, "Somebody Else's Subscription")
        if request.cseq.number < subscription.remote_seq:
            raise RemoteError(500, "CSeq Out Of Order")
        return subscription

    def _begun(self, request: Request, package: Package, event: str, user: str, source: Address) -> Subscription:
        _check_accept(request, package)
        agent = request.uri.user
        if agent not in self._lamps:
            raise RemoteError(404, "Nobody To Watch")
        host = request.uri.host or self._settings.domain
        subscription = Subscription(package, event, user, agent, host, source)
        subscription.call_id = request.call_id
        subscription.local, subscription.remote = request.to, request.from_
        subscription.remote_tag = request.from_.tag
        subscription.target = request.from_.uri
        subscription.routes = read_routes(request, reverse=False)
        return subscription

    def _check_room(self, user: str) -> None:
        """A watcher with too many is refused for good, and whoever comes when memory is spent for a while."""
        bounds = self._settings.subscriptions
        if self._by_watcher.get(user, 0) >= bounds.per_user:
            raise RemoteError(403, "Too Many Subscriptions")
        if len(self) >= bounds.total:
            raise RemoteError(503, "Too Many Subscriptions", extra=(("retry-after", "60"),))

    # ------------------------------------------------------------------------------------------------ the table

    def _step(
        self,
        subscription: Subscription,
        received: Input,
        now: float,
        asked: tuple[Transaction, Request] | None = None,
    ) -> None:
        row = SUBSCRIPTION.get((subscription.state, received))
        if row is None:
            return
        state, actions = row
        for action in actions:
            self._perform(subscription, action, now, asked)
        if state is not State.PACING:
            self._deadlines.cancel(subscription, PACE)
        subscription.state = state
        if state is State.TERMINATED:
            self._remove(subscription)

    def _perform(
        self, subscription: Subscription, action: Action, now: float, asked: tuple[Transaction, Request] | None
    ) -> None:
        match action:
            case Action.ACCEPT:
                self._accept(subscription, asked, now)
            case Action.START_EXPIRY:
                self._deadlines.set(subscription, EXPIRY, subscription.expires_at)
            case Action.STOP_EXPIRY:
                self._deadlines.cancel(subscription, EXPIRY)
            case Action.NOTIFY:
                left = max(1, round(subscription.expires_at - now))
                self._notify(subscription, f"active;expires={left}", now)
            case Action.NOTIFY_TIMEOUT:
                self._notify(subscription, "terminated;reason=timeout", now)
            case Action.NOTIFY_DEACTIVATED:
                self._notify(subscription, "terminated;reason=deactivated", now)
            case Action.START_PACE:
                self._deadlines.set(subscription, PACE, now + subscription.package.pace_s)
            case Action.START_RETRY:
                self._deadlines.set(subscription, PACE, now + max(subscription.retry_s, subscription.package.pace_s))

    def _accept(self, subscription: Subscription, asked: tuple[Transaction, Request] | None, now: float) -> None:
        if asked is None:
            raise LocalError("a subscription is accepted without its SUBSCRIBE")
        transaction, request = asked
        response = respond(request, 200, "", transaction.tag)
        if "record-route" in request.headers:
            response.headers.set("record-route", *request.headers.lines("record-route"))
        response.headers.set("expires", str(max(0, round(subscription.expires_at - now))))
        response.headers.set("contact", f"<{self._transactions.contact(subscription.peer)}>")
        response.headers.set("user-agent", self._settings.user_agent)
        self._transactions.respond(transaction, response, now)

    def _notify(self, subscription: Subscription, state: str, now: float) -> None:
        request, destination = subscription.request("NOTIFY", self._settings.user_agent)
        headers = request.headers
        headers.set("contact", f"<{self._transactions.contact(destination)}>")
        headers.set("event", subscription.event)
        headers.set("subscription-state", state)
        headers.set("allow-events", ALLOW_EVENTS)
        lamp = self._lamps[subscription.agent]
        headers.set("content-type", subscription.package.content_type)
        request.body = subscription.package.write(subscription, lamp, self._named)
        subscription.shown = subscription.package.essence(lamp)
        subscription.notices += 1
        subscription.notice = Notice(subscription)
        self._transactions.open_client(request, destination, now, subscription.notice)

    def _essence(self, subscription: Subscription) -> object:
        return subscription.package.essence(self._lamps[subscription.agent])

    def _add(self, subscription: Subscription, tag: str) -> None:
        subscription.local_tag = tag
        self._by_key[subscription.key] = subscription
        self._by_agent.setdefault(subscription.agent, {})[subscription] = None
        self._by_watcher[subscription.watcher] = self._by_watcher.get(subscription.watcher, 0) + 1

    def _remove(self, subscription: Subscription) -> None:
        self._deadlines.cancel_all(subscription)
        if self._by_key.pop(subscription.key, None) is None:
            return
        watching = self._by_agent[subscription.agent]
        del watching[subscription]
        if not watching:
            del self._by_agent[subscription.agent]
        self._by_watcher[subscription.watcher] -= 1
        if not self._by_watcher[subscription.watcher]:
            del self._by_watcher[subscription.watcher]


def _event_of(request: Request) -> tuple[Package, str]:
    """Return the package that is asked for, and Event as our NOTIFYs repeat it. Raises 489."""
    refusal = RemoteError(489, "Bad Event", extra=(("allow-events", ALLOW_EVENTS),))
    values = request.headers.lines("event")
    name, semicolon, rest = (values[0] if len(values) == 1 else "").partition(";")
    package = PACKAGES.get(name.strip().lower())
    if package is None:
        raise refusal
    try:
        id_ = param(parse_params(semicolon + rest), "id")
    except ValueError:
        raise refusal from None
    if id_ is None:
        return package, package.name
    if not TOKEN.fullmatch(id_):
        raise refusal
    return package, f"{package.name};id={id_}"


def _check_accept(request: Request, package: Package) -> None:
    """Section 3.1.3: without Accept, the package's own type is accepted."""
    wide = {"*/*", "application/*", package.content_type}
    accepted = {value.partition(";")[0].strip().lower() for value in request.headers.values("accept")}
    if accepted and not accepted & wide:
        raise RemoteError(406, "Not Acceptable", extra=(("accept", package.content_type),))
