"""Finished calls into a CRM, out of the outbox of webhooks: a row before anything is sent, tried again while the CRM is
away, in order for each customer, and dead only where the CRM refuses it or every attempt has failed.

A call is logged once where the CRM can say whether it is there (`find_call`), or keeps it under our own id.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import customer, identity
from crm_bridge.connectors.errors import CrmError, NotLetIn, Rejected, Unavailable
from crm_bridge.connectors.lookup import Way, find_id, finding, phone_values
from crm_bridge.connectors.place import PREFIX
from crm_bridge.customer import Profile
from crm_bridge.outgoing.rounds import Alarms
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.webhooks.endpoint import Endpoint

if TYPE_CHECKING:
    from crm_bridge.connectors.client import Client  # brings an HTTP client along

DONE: Final = Answer(200)
BELIEVED: Final = 1
"""The assurance of a number or an address by which somebody is found to be written to; a mere claim would change
somebody else's file."""


@dataclass(slots=True)
class CallLog:
    """Logs the finished calls of one CRM. `link_of` makes the address of a recording."""

    client: "Client"
    sessions: async_sessionmaker[AsyncSession]
    alarms: Alarms
    link_of: Callable[[str], str]
    region: str = "VN"

    @property
    def endpoint(self) -> Endpoint:
        """What the outbox is told of it."""
        return endpoint_of(self.client)

    async def send(self, _: str, body: str, now: float) -> Answer:  # noqa: ARG002 - a courier's sender takes it
        """Log the call that an event tells of; say what came of it."""
        alarm = f"connector_{self.client.place.name}"
        try:
            if await self._log(json.loads(body)):
                self.alarms.over(alarm)
        except Unavailable as error:
            if isinstance(error, NotLetIn):
                name = self.client.place.name
                text = f"the CRM `{name}` does not let us in: {error}"
                self.alarms.stand(alarm, text, f"correct the credentials of connectors.{name}")
            return Answer(0, str(error), error.wait_s)
        except CrmError as error:
            if isinstance(error, Rejected) and error.is_answer:
                self.alarms.over(alarm)
            return Answer(0, str(error), is_final=True)
        return DONE

    async def _log(self, event: dict[str, Any]) -> bool:
        """Log a call that somebody is known to have made; return whether the CRM was asked anything."""
        call, client = event["data"], self.client
        values = values_of(call, event["timestamp"], self.link_of)
        is_withheld = not values["number"] and not call.get("truncated")
        if is_withheld or not client.offers("log_call"):
            return False  # of a withheld number nobody knows whose call it was
        can_find = client.offers("find_call")
        if can_find and await client.ask("find_call", {"call": values["call"]}):
            return True
        profile = await self._profile(call.get("customer"))
        number = identity.phone(values["number"], self.region)
        ways = self._ways(number, profile)
        person = linked_id(profile, client.place.name) or await find_id(client, ways, self.region)
        if not person and client.place.unknown == "create" and number:
            person = await self._made(number, profile)
        if not person and client.place.unknown == "skip":
            return can_find or bool(ways)
        await client.ask("log_call", values | {"person": person})
        return True

    async def _profile(self, customer_id: str | None) -> Profile | None:
        if not customer_id:
            return None
        async with self.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            return await customer.read(session, customer_id)

    def _ways(self, number: str, profile: Profile | None) -> list[tuple[Way, str]]:
        """What the CRM can find by: the number, then addresses."""
        ways: list[tuple[Way, str]] = [("phone", number)] if number else []
        ways += [("email", email) for email in believed(profile, "email")]
        return [each for each in ways if self.client.offers(finding(each[0]))]

    async def _made(self, number: str, profile: Profile | None) -> str:
        name = profile.person.name if profile is not None else ""
        email = next(iter(believed(profile, "email")), "")
        made = await self.client.ask("create_person", person_values(name, number, email, self.region))
        return made[0].get("id", "") if made else ""


def endpoint_of(client: "Client") -> Endpoint:
    """Return a CRM as an endpoint of the outbox."""
    place = client.place
    return Endpoint(
        name=f"{PREFIX}{place.name}",
        url=place.base,
        keys=(),
        events=frozenset({"call.ended"}),
        retries_s=place.retries_s,
        timeout_s=place.timeout_s,
        at_once=2,
        private=True,
    )


def values_of(call: dict[str, Any], told_at: str, link_of: Callable[[str], str]) -> dict[str, Any]:
    """Return what `log_call` takes, of the data of `call.ended`."""
    outbound = call.get("direction") == "outbound"
    number = (call.get("dnis") if outbound else call.get("ani")) or ""
    recording = link_of(call["recording"]) if call.get("recording") else ""
    summary = call.get("summary") or "Call"
    started = _instant(call.get("started_at") or told_at)
    return {
        "call": call["id"],
        "number": number,
        "direction": "outbound" if outbound else "inbound",
        "subject": summary.partition(":")[0],
        "text": f"{summary}\nRecording: {recording}" if recording else summary,
        "started_at": started,
        "ended_at": _instant(call.get("ended_at") or told_at),
        "duration_s": call.get("duration_s") or 0.0,
        "recording": recording,
        "agent": call.get("agent") or "",
        "queue": call.get("queue") or "",
        "from_number": call.get("ani") or "",
        "to_number": call.get("dnis") or "",
    }


def person_values(name: str, number: str, email: str, region: str) -> dict[str, Any]:
    """Return what `create_person` and `update_person` take; somebody without a name is called by the number."""
    national = phone_values(number, region)["national"] if number else ""
    return {"name": name or number or email, "phone": number, "email": email, "national": national}


def linked_id(profile: Profile | None, connector: str) -> str:
    """Return the id that a profile has in a CRM by an `external` identity `connector:id`, "" for none."""
    prefix = f"{connector}:"
    of_it = (each.value for each in profile.identities if each.kind == "external") if profile is not None else ()
    return next((value.removeprefix(prefix) for value in of_it if value.startswith(prefix)), "")


def believed(profile: Profile | None, kind: Way) -> list[str]:
    """Return the numbers or addresses of a profile that are believed, the best proved first."""
    every = () if profile is None else profile.identities
    proved = [each for each in every if each.kind == kind and each.assurance >= BELIEVED]
    return [each.value for each in sorted(proved, key=lambda each: -each.assurance)]


def _instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()
