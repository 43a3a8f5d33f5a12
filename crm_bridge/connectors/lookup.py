"""What the CRMs know of somebody, in the time that whoever asks has: the newest answer, else the last one.

Rule 1: nobody waits for a CRM longer than they said. One that is slow is waited for behind their back, and its answer
is there for whoever asks next.
Rule 2: the same question is on the way once, however many ask it.
Rule 3: no answer, of a CRM or of the database, raises here: a call goes on without.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import phonenumbers
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import identity
from crm_bridge.connectors import cache
from crm_bridge.connectors.cache import Found
from crm_bridge.connectors.errors import CrmError, Unavailable
from crm_bridge.connectors.exchange import Row
from crm_bridge.connectors.language import OperationName

if TYPE_CHECKING:
    from crm_bridge.connectors.client import Client  # brings an HTTP client along

LISTS: Final[tuple[OperationName, OperationName]] = ("cases", "orders")
MAX_ASKING: Final = 200
"""Questions on the way to one CRM; more than that find only what is cached."""
FORGET_EVERY_S: Final = 3600.0

log = structlog.get_logger("hotline.connectors")


@dataclass(frozen=True, slots=True)
class Known:
    """What a CRM says of somebody: its last answer, None if it never gave one. `stale`: there should be a newer one,
    and `cause` says why there is none."""

    client: "Client"
    found: Found | None
    stale: bool = False
    cause: str = ""


@dataclass(slots=True)
class Connectors:
    """The CRMs of the settings. `region` is for numbers without a country code."""

    clients: Sequence["Client"]
    sessions: async_sessionmaker[AsyncSession]
    now: Callable[[], float]
    region: str = "VN"
    _asking: dict[tuple[str, str], asyncio.Task[Found]] = field(default_factory=dict)
    _broom: asyncio.Task[None] | None = None

    def find(self, name: str) -> "Client | None":
        """Return a CRM by its name in the settings."""
        return next((each for each in self.clients if each.place.name == name), None)

    def start(self) -> None:
        """Begin to forget what is old."""
        self._broom = asyncio.create_task(self._sweep(), name="connectors broom")

    async def stop(self) -> None:
        """Stop in the middle of whatever is asked."""
        tasks: list[asyncio.Task[Any]] = [*self._asking.values(), *([self._broom] if self._broom else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self.clients:
            await client.close()

    async def lookup(self, number_or_email: str, within_s: float) -> list[Known]:
        """Return what each CRM that can find by it knows of whoever has a number or an e-mail address."""
        kind = "email" if "@" in number_or_email else "phone"
        value = identity.email(number_or_email) if kind == "email" else identity.phone(number_or_email, self.region)
        if not value:
            return []
        able = [client for client in self.clients if client.offers(_finding(kind))]
        return list(await asyncio.gather(*(self._of(client, kind, value, within_s) for client in able)))

    async def name_of(self, number: str) -> str:
        """Return what the first CRM that knows a caller calls them, "" for none, within its patience."""
        able = [client for client in self.clients if client.place.patience_s and client.offers("find_by_phone")]
        known = await asyncio.gather(*(self._of(each, "phone", number, each.place.patience_s) for each in able))
        names = (each.found.person.get("name", "") for each in known if each.found and each.found.person)
        return next((name for name in names if name), "")

    # ------------------------------------------------------------------------------------------------- one of them

    async def _of(self, client: "Client", kind: str, value: str, within_s: float) -> Known:
        key, now = f"{kind}:{value}", self.now()
        last = await self._cached(client, key, within_s)
        if last is not None and 0 <= now - last.as_of < client.place.fresh_s:
            return Known(client, last)
        task = self._ask(client, kind, value, last)
        if task is None:
            return Known(client, last, stale=True, cause="too much is asked of it already")
        await asyncio.wait({task}, timeout=max(0.0, within_s - (self.now() - now)))
        if not task.done() or task.cancelled():
            return Known(client, last, stale=True, cause="it has not answered yet")
        if (error := task.exception()) is not None:
            return Known(
                client, last, stale=True, cause=str(error) if isinstance(error, CrmError) else "a fault of ours"
            )
        return Known(client, task.result())

    async def _cached(self, client: "Client", key: str, within_s: float) -> Found | None:
        try:
            async with asyncio.timeout(within_s), self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                return await cache.read(session, client.place.name, key)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.error("what a CRM said before is out of reach", crm=client.place.name, cause=type(error).__name__)
            return None

    def _ask(self, client: "Client", kind: str, value: str, last: Found | None) -> asyncio.Task[Found] | None:
        key = (client.place.name, f"{kind}:{value}")
        task = self._asking.get(key)
        if task is None:
            if sum(name == client.place.name for name, _ in self._asking) >= MAX_ASKING:
                return None
            task = asyncio.create_task(self._found(client, kind, value, last), name=f"crm {client.place.name}")
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        return task

    def _asked(self, key: tuple[str, str], task: asyncio.Task[Found]) -> None:
        self._asking.pop(key, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, CrmError):
            log.warning("a CRM did not say what it knows; the last answer holds", crm=key[0], cause=str(error))
        else:
            log.error("a CRM could not be asked; the last answer holds", crm=key[0], exc_info=error)

    async def _found(self, client: "Client", kind: str, value: str, last: Found | None) -> Found:
        """Ask a CRM for everything, and keep it. Raises `CrmError`."""
        rows = await client.ask(
            _finding(kind), phone_values(value, self.region) if kind == "phone" else {"email": value}
        )
        person = best(rows, kind, value, self.region)
        found = Found(self.now())
        if person is not None:
            found = Found(self.now(), person, *await self._lists(client, person, last))
        try:
            async with self.sessions() as session:
                await cache.write(session, client.place.name, f"{kind}:{value}", found)
                await session.commit()
        except (SQLAlchemyError, OSError) as error:
            log.error("what a CRM says is not kept", crm=client.place.name, cause=type(error).__name__)
        return found

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

    async def _sweep(self) -> None:
        while True:
            try:
                async with self.sessions() as session:
                    await cache.forget(session, [each.place.name for each in self.clients], self.now())
                    await session.commit()
            except (SQLAlchemyError, OSError) as error:
                log.error("old answers of CRMs are not deleted yet", cause=type(error).__name__)
            await asyncio.sleep(FORGET_EVERY_S)


def phone_values(number: str, region: str) -> dict[str, Any]:
    """Return a number in E.164 as CRMs may have written it down."""
    parsed = phonenumbers.parse(number, region)
    spoken = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    national = "".join(sign for sign in spoken if sign.isdecimal())
    digits = number.removeprefix("+")
    numbers = tuple(dict.fromkeys((number, digits, national)))
    return {"phone": number, "numbers": numbers, "digits": digits, "national": national}


def best(rows: Sequence[Row], kind: str, value: str, region: str) -> Row | None:
    """Return the person who is meant: one whose identity is the very one, else the first, which the CRM put first."""
    people = [row for row in rows if row.get("id")]

    def is_meant(row: Row) -> bool:
        return identity.normalise("phone" if kind == "phone" else "email", row.get(kind, ""), region) == value

    return next((row for row in people if is_meant(row)), people[0] if people else None)


def _finding(kind: str) -> OperationName:
    return "find_by_email" if kind == "email" else "find_by_phone"
