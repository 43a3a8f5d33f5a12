"""Whose a transaction, or a deadline, is: what each part of the core does with what it asked for.

Rule: a part that sends requests or sets timers stands here, once; nobody else asks what kind of thing an owner is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from telephony.sip.address import Address
from telephony.sip.message import Response
from telephony.sip.transaction_layer import Transaction


class Part(NamedTuple):
    """What is done with the requests of one kind of owner: on a response, where none came in time, and where it could
    not be sent at all (RFC 3261 section 8.1.3.1)."""

    responded: Callable[[Any, Transaction, Response, Address, float], None]
    unanswered: Callable[[Any, Transaction, float], None]
    undelivered: Callable[[Any, Transaction, float], None]


class Owners:
    """Every kind of owner. An owner that is of none of them wants to know nothing."""

    def __init__(self) -> None:
        self._parts: dict[type, Part] = {}
        self._timers: dict[type, Callable[[Any, str, float], object]] = {}

    def of_requests(self, kind: type, part: Part) -> None:
        """Let requests of this kind of owner be told to a part."""
        self._parts[kind] = part

    def of_timers(self, kind: type, fire: Callable[[Any, str, float], object]) -> None:
        """Let timers of this kind of owner go off there."""
        self._timers[kind] = fire

    def responded(self, transaction: Transaction, response: Response, source: Address, now: float) -> None:
        """A response that the transaction hands on."""
        part = self._parts.get(type(transaction.owner))
        if part is not None:
            part.responded(transaction.owner, transaction, response, source, now)

    def unanswered(self, owner: object, transaction: Transaction, now: float) -> None:
        """No final response came; the transaction, which is over, has forgotten its `owner`."""
        part = self._parts.get(type(owner))
        if part is not None:
            part.unanswered(owner, transaction, now)

    def undelivered(self, owner: object, transaction: Transaction, now: float) -> None:
        """The request could not be sent."""
        part = self._parts.get(type(owner))
        if part is not None:
            part.undelivered(owner, transaction, now)

    def fire(self, owner: object, timer: str, now: float) -> None:
        """A deadline is due that is no transaction's."""
        self._timers[type(owner)](owner, timer, now)
