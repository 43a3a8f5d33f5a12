"""One run: somebody writes on Zalo, on Facebook, in a form and by e-mail, and then calls. What fails is told and the
run goes on; what was made is taken away again, whatever happened."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from crm_bridge.mail.message import CHANNEL as EMAIL
from crm_bridge.timeline import CALL
from hotline.checks import Check
from hotline.checks import body as checks_body
from hotline.config import Settings
from hotline.omnitest.channels import API, Channels, DeliveryFailed, Way
from hotline.omnitest.persona import Persona, made_up
from hotline.omnitest.verdict import Evidence, verdict
from hotline.programs import ProgramFailed, spawn

ANSWER_S: Final = 30.0
CALL_S: Final = 12.0
MAIL_S: Final = 90.0
"""A server that cannot IDLE is asked every half minute."""
SETTLED_S: Final = 30.0
LOOK_EVERY_S: Final = 0.2
SECOND_S: Final = 1.0
DRAWS: Final = 20
Json = dict[str, Any]


class OmnitestFailed(RuntimeError):
    """There is nothing to test, or no way to it; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is tested. `web` is the server's address, `sip` HOST:PORT (UDP), `dialled` the number that is called,
    `number` the caller's (one is made up without), `press` when to press what, as `hotline call` takes it."""

    web: str
    token: str
    sip: str
    dialled: str
    number: str = ""
    press: str = "2s 1"


async def run(aim: Aim, settings: Settings, tell: Callable[[str], None], http: httpx.AsyncClient) -> "Outcome":
    """Do it all. `http` has the address and the token. Raises `OmnitestFailed`."""
    story = _Story(aim, settings, http, tell)
    await story.begin()
    try:
        await story.write_and_call()
        await story.look()
    finally:
        await story.clean_up()
    return Outcome(verdict(story.evidence), story.evidence)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    checks: list[Check]
    evidence: Evidence

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def body(self) -> Json:
        """Return it for programs."""
        return checks_body(self.checks) | {
            "customer": self.evidence.customer,
            "timeline": [
                {
                    "channel": item["channel"],
                    "occurred_at": item["occurred_at"],
                    "summary": item["subject"] or item["text"],
                    "case": item["case"],
                }
                for item in self.evidence.timeline
            ],
        }


class _Story:
    def __init__(self, aim: Aim, settings: Settings, http: httpx.AsyncClient, tell: Callable[[str], None]) -> None:
        self.evidence = Evidence()
        self._aim = aim
        self._region = settings.region
        self._http = http
        self._tell = tell
        self._channels = Channels(http, settings)
        self._who = Persona("", "")

    # --------------------------------------------------------------------------------------------------- the story

    async def begin(self) -> None:
        """Make somebody up whom nobody knows. Raises `OmnitestFailed`."""
        dice = secrets.SystemRandom()
        for _ in range(DRAWS):
            try:
                self._who = made_up(dice, self._aim.number, self._region)
            except ValueError as error:
                raise OmnitestFailed(str(error)) from None
            if not await self._found("phone", self._who.number):
                return
            if self._aim.number:
                raise OmnitestFailed(
                    f"{self._who.number} is a customer's already, whose history this would disturb: give another --from"
                )
        raise OmnitestFailed("every number made up is a customer's already: give one that is not, with --from")

    async def write_and_call(self) -> None:
        """The whole story, each channel with another spelling of the number."""
        who = self._who
        await self._step("Zalo", lambda: self._channels.write_on_zalo(who, who.spelling(4)))
        await self._step("Facebook", lambda: self._channels.write_on_facebook(who, who.spelling(1)))
        await self._step("form", lambda: self._channels.fill_in_the_form(who, who.spelling(0)))
        await asyncio.sleep(SECOND_S)  # a letter's Date has no parts of a second, and is to come after the form
        await self._step("e-mail", self._write_an_email)
        await self._step("call", lambda: self._call(who.spelling(3)))

    async def _step(self, name: str, do: Callable[[], Awaitable[Way]]) -> None:
        self._tell(name)
        try:
            self.evidence.ways[name] = await do()
        except (DeliveryFailed, ProgramFailed) as error:
            self.evidence.failures[name] = str(error)
        except httpx.HTTPError as error:
            self.evidence.failures[name] = f"{self._aim.web} does not answer ({type(error).__name__}): is it running?"

    async def _write_an_email(self) -> Way:
        way = await self._channels.write_an_email(self._who)

        async def has_come() -> bool:
            return any(item["channel"] == EMAIL for item in await self._items())

        await _until("the e-mail on the timeline", has_come, MAIL_S)
        return way

    async def _call(self, spelling: str) -> Way:
        phone = await spawn(
            "the phone", "hotline.phone", "call", self._aim.dialled, "--server", self._aim.sip,
            "--from", spelling, "--press", self._aim.press, "--seconds", str(CALL_S), "--json",
        )  # fmt: skip
        try:
            await phone.until("answered", ANSWER_S)
        finally:
            await phone.end(CALL_S + ANSWER_S)

        async def is_settled() -> bool:
            calls = (await self._get("/calls", customer=await self._customer()))["items"]
            items = await self._items()
            ended = next((call for call in calls if call["state"] == "ended"), None)
            entry = next((item for item in items if item["channel"] == CALL), None)
            return ended is not None and entry is not None and entry["call"]["state"] == "ended"

        await _until("the call on the timeline", is_settled, SETTLED_S)
        return Way(CALL, f"SIP, {self._aim.dialled} at {self._aim.sip}, as {spelling}")

    # ---------------------------------------------------------------------------------------------------- the look

    async def look(self) -> None:
        """See what the server made of it."""
        self._tell("looking")
        try:
            for kind, value in (*(("phone", each) for each in self._who.spellings), *self._ids()):
                self.evidence.found[f"{kind} {value}"] = await self._found(kind, value)
            customer = await self._customer()
            if not customer:
                return
            self.evidence.customer = await self._get(f"/customers/{customer}")
            self.evidence.timeline = await self._items()
            calls = (await self._get("/calls", customer=customer))["items"]
            self.evidence.call = await self._get(f"/calls/{calls[0]['id']}") if calls else {}
        except (DeliveryFailed, httpx.HTTPError) as error:
            self.evidence.failures.setdefault("call", f"what became of it cannot be read: {error}")

    def _ids(self) -> list[tuple[str, str]]:
        return [*self._who.accounts.items(), ("email", self._who.email)]

    async def _found(self, kind: str, value: str) -> list[str]:
        return [each["id"] for each in (await self._get("/customers", **{kind: value}))["items"]]

    async def _customer(self) -> str:
        """Return who the person is, by whatever finds them, "" for nobody."""
        for kind, value in (("phone", self._who.number), *self._ids()):
            if found := await self._found(kind, value):
                return found[0]
        return ""

    async def _items(self) -> list[Json]:
        customer = await self._customer()
        if not customer:
            return []
        return list(reversed((await self._get(f"/customers/{customer}/timeline", limit="200"))["items"]))

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self._http.get(f"{API}{path}" + (f"?{urlencode(query)}" if query else ""))
        if not answer.is_success:
            raise DeliveryFailed(f"GET {API}{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    # ------------------------------------------------------------------------------------------------ taking it away

    async def clean_up(self) -> None:
        """Take away whatever was made, and see that it is gone."""
        self._tell("cleaning up")
        left = self.evidence.left_behind
        try:
            await self._channels.take_the_email_away(self._who)
        except DeliveryFailed as error:
            left.append(str(error))
        try:
            while customer := await self._customer():
                answer = await self._http.post(
                    f"{API}/customers/{customer}/erase", json={"reason": "made up by hotline omnitest"}
                )
                if not answer.is_success:
                    left.append(f"customer {customer} cannot be erased: {answer.status_code} {answer.text[:300]}")
                    return
            self.evidence.was_cleaned = True
        except (DeliveryFailed, httpx.HTTPError) as error:
            left.append(f"what was made may be there still: {error}")


async def _until(what: str, look: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not await look():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise DeliveryFailed(f"not within {timeout_s:g} s: {what}") from None
