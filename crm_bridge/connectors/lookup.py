"""What the CRMs know of somebody, in the time that whoever asks has: the newest answer, else the last one.

Rule 1: nobody waits for a CRM longer than they said. One that is slow is waited for behind their back, and its answer
is there for whoever asks next.
Rule 2: the same question is on the way once, however many ask it.
Rule 3: no answer, of a CRM or of the database, raises here: a call goes on without.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import phonenumbers
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import identity
from crm_bridge.connectors import cache, orders
from crm_bridge.connectors.cache import Found
from crm_bridge.connectors.errors import CrmError, Unavailable
from crm_bridge.connectors.exchange import Row
from crm_bridge.connectors.language import OperationName
from crm_bridge.outgoing.rounds import sweep

if TYPE_CHECKING:
    from crm_bridge.connectors.client import Client  # brings an HTTP client along

LISTS: Final[tuple[OperationName, OperationName]] = ("cases", "orders")
MAX_ASKING: Final = 200
"""Questions on the way to one CRM; more than that find only what is cached."""

Way = Literal["phone", "email"]
"""What a CRM finds somebody by."""
WAYS: Final[tuple[Way, ...]] = get_args(Way)

log = structlog.get_logger("hotline.connectors")


@dataclass(frozen=True, slots=True)
class Known:
    """What a CRM says of somebody: its last answer, None if it never gave one. `stale`: there should be a newer one,
    and `cause` says why there is none."""

    client: "Client"
    found: Found | None
    stale: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is on its way to a CRM: who somebody is, and everything about them, which waits for that."""

    person: asyncio.Task[Row | None]
    whole: asyncio.Task[Found]


@dataclass(slots=True)
class Connectors:
    """The CRMs of the settings. `region` is for numbers without a country code."""

    clients: Sequence["Client"]
    sessions: async_sessionmaker[AsyncSession]
    now: Callable[[], float]
    region: str = "VN"
    _asking: dict[tuple[str, str], _Question] = field(default_factory=dict)
    _broom: asyncio.Task[None] | None = None

    def find(self, name: str) -> "Client | None":
        """Return a CRM by its name in the settings."""
        return next((each for each in self.clients if each.place.name == name), None)

    def start(self) -> None:
        """Begin to forget what is old."""

        async def forget(session: AsyncSession, now: float) -> None:
            await cache.forget(session, [each.place.name for each in self.clients], now)

        self._broom = asyncio.create_task(sweep(forget, self.sessions, self.now), name="connectors broom")

    async def stop(self) -> None:
        """Stop in the middle of whatever is asked."""
        tasks: list[asyncio.Task[Any]] = [self._broom] if self._broom else []
        for asked in self._asking.values():
            tasks += [asked.whole, asked.person]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self.clients:
            await client.close()

    async def lookup(self, number_or_email: str, within_s: float) -> list[Known]:
        """Return what each CRM that can find by it knows of whoever has a number or an e-mail address."""
        way: Way = "email" if "@" in number_or_email else "phone"
        value = identity.email(number_or_email) if way == "email" else identity.phone(number_or_email, self.region)
        if not value:
            return []
        able = [client for client in self.clients if client.offers(finding(way))]
        return list(await asyncio.gather(*(self._of(client, way, value, within_s) for client in able)))

    async def name_of(self, number: str) -> str:
        """Return what the first CRM that knows a caller calls them, "" for none, within its patience."""
        able = [client for client in self.clients if client.place.patience_s and client.offers("find_by_phone")]
        names = await asyncio.gather(*(self._name(each, number) for each in able))
        return next((name for name in names if name), "")

    # ------------------------------------------------------------------------------------------------- one of them

    async def _of(self, client: "Client", way: Way, value: str, within_s: float) -> Known:
        until = self.now() + within_s
        last = await self._cached(client, way, value, within_s)
        if last is not None and self._is_fresh(client, last):
            return Known(client, last)
        asked = self._ask(client, way, value, last)
        if asked is None:
            return Known(client, last, stale=True, cause="too much is asked of it already")
        task = asked.whole
        await asyncio.wait({task}, timeout=max(0.0, until - self.now()))
        if not task.done() or task.cancelled():
            return Known(client, last, stale=True, cause="it has not answered yet")
        if (error := task.exception()) is not None:
            return Known(
                client, last, stale=True, cause=str(error) if isinstance(error, CrmError) else "a fault of ours"
            )
        return Known(client, task.result())

    async def _name(self, client: "Client", number: str) -> str:
        """Return what a CRM calls a caller within its patience; their cases and orders come behind their back."""
        within_s = client.place.patience_s
        until = self.now() + within_s
        last = await self._cached(client, "phone", number, within_s)
        person = last.person if last is not None else None
        if last is None or not self._is_fresh(client, last):
            asked = self._ask(client, "phone", number, last)
            if asked is not None:
                await asyncio.wait({asked.person}, timeout=max(0.0, until - self.now()))
                if asked.person.done() and not asked.person.cancelled() and asked.person.exception() is None:
                    person = asked.person.result()
        return person.get("name", "") if person is not None else ""

    def _is_fresh(self, client: "Client", last: Found) -> bool:
        return 0 <= self.now() - last.as_of < client.place.fresh_s

    async def _cached(self, client: "Client", way: Way, value: str, within_s: float) -> Found | None:
        try:
            async with asyncio.timeout(within_s), self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                return await cache.read(session, client.place.name, f"{way}:{value}")
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.error("what a CRM said before is out of reach", crm=client.place.name, cause=type(error).__name__)
            return None

    def _ask(self, client: "Client", way: Way, value: str, last: Found | None) -> _Question | None:
        name = client.place.name
        key = (name, f"{way}:{value}")
        asked = self._asking.get(key)
        if asked is None:
            if sum(crm == name for crm, _ in self._asking) >= MAX_ASKING:
                return None
            person = asyncio.create_task(find(client, way, value, self.region), name=f"crm {name} person")
            whole = asyncio.create_task(self._found(client, key[1], person, last), name=f"crm {name}")
            self._asking[key] = asked = _Question(person, whole)
            whole.add_done_callback(lambda done: self._asked(key, done))
        return asked

    def _asked(self, key: tuple[str, str], task: asyncio.Task[Found]) -> None:
        self._asking.pop(key, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, CrmError):
            log.warning("a CRM did not say what it knows; the last answer holds", crm=key[0], cause=str(error))
        else:
            log.error("a CRM could not be asked; the last answer holds", crm=key[0], exc_info=error)

    async def _found(self, client: "Client", key: str, asked: asyncio.Task[Row | None], last: Found | None) -> Found:
        """Ask a CRM for everything of who is found, and keep it. Raises `CrmError`."""
        person = await asked
        found = Found(self.now())
        if person is not None:
            found = Found(self.now(), person, *await self._lists(client, person, last))
        try:
            async with self.sessions() as session:
                await cache.write(session, client.place.name, key, found)
                await session.commit()
        except (SQLAlchemyError, OSError) as error:
            log.error("what a CRM says is not kept", crm=client.place.name, cause=type(error).__name__)
        await self._keep_orders(client, key, found)
        return found

    async def _keep_orders(self, client: "Client", key: str, found: Found) -> None:
        try:
            async with self.sessions() as session:
                if await orders.keep(session, client.place.name, key, found, self.region):
                    await session.commit()
        except (SQLAlchemyError, OSError) as error:
            log.error("orders of a CRM are not kept", crm=client.place.name, cause=type(error).__name__)

    async def _lists(self, client: "Client", person: Row, last: Found | None) -> list[tuple[Row, ...] | None]:
        """Return cases and orders. Neither goes on by itself where the other fails, or nobody waits any more."""
        asked = (self._rows(client, name, person, last) for name in LISTS)
        lists: list[tuple[Row, ...] | None] = []
        for each in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(each, BaseException):
                raise each
            lists.append(each)
        return lists

    async def _rows(
        self, client: "Client", name: OperationName, person: Row, last: Found | None
    ) -> tuple[Row, ...] | None:
        if not client.offers(name):
            return None
        try:
            return tuple(await client.ask(name, {"person": person["id"]}))
        except Unavailable:
            is_same = last is not None and last.person is not None and last.person.get("id") == person["id"]
            if is_same and getattr(last, name) is not None:
                raise  # the whole of the last answer is worth more than a part of this one
            return None
        except CrmError as error:
            log.warning("a CRM refuses what its connector offers", crm=client.place.name, what=name, cause=str(error))
            return None


def phone_values(number: str, region: str) -> dict[str, Any]:
    """Return a number in E.164 as CRMs may have written it down."""
    parsed = phonenumbers.parse(number, region)
    spoken = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    national = "".join(sign for sign in spoken if sign.isdecimal())
    digits = number.removeprefix("+")
    numbers = tuple(dict.fromkeys((number, digits, national)))
    return {"phone": number, "numbers": numbers, "digits": digits, "national": national}


async def find(client: "Client", way: Way, value: str, region: str) -> Row | None:
    """Ask a CRM who has a number or an address, None for nobody. Raises `CrmError`."""
    values = phone_values(value, region) if way == "phone" else {"email": value}
    return best(await client.ask(finding(way), values), way, value, region)


async def find_id(client: "Client", ways: Iterable[tuple[Way, str]], region: str) -> str:
    """Return the id of whoever a CRM finds first by what it is able to, "" for nobody. Raises `CrmError`."""
    for way, value in ways:
        if client.offers(finding(way)) and (person := await find(client, way, value, region)) is not None:
            return person["id"]
    return ""


def best(rows: Sequence[Row], way: Way, value: str, region: str) -> Row | None:
    """Return the person who is meant: one whose identity is the very one, else the first, which the CRM put first."""
    people = [row for row in rows if row.get("id")]

    def is_meant(row: Row) -> bool:
        return identity.normalise(way, row.get(way, ""), region) == value

    return next((row for row in people if is_meant(row)), people[0] if people else None)


def finding(way: Way) -> OperationName:
    """Return the operation that finds somebody so."""
    return "find_by_email" if way == "email" else "find_by_phone"
