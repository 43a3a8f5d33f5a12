"""Finished calls into a CRM, out of the outbox of webhooks: a row before anything is sent, tried again while the CRM is
away, in order for each customer, and dead only where the CRM refuses it or every attempt has failed.

A call is logged once where the CRM can say whether it is there (`find_call`), or keeps it under our own id.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import customer, identity
from crm_bridge.connectors.errors import CrmError, NotLetIn, Unavailable
from crm_bridge.connectors.lookup import best, phone_values
from crm_bridge.connectors.place import PREFIX
from crm_bridge.customer import Profile
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.webhooks.endpoint import Endpoint

if TYPE_CHECKING:
    from crm_bridge.connectors.client import Client  # brings an HTTP client along

DONE: Final = Answer(200)
BELIEVED: Final = 1
"""The assurance of an e-mail address that a call is logged by; a mere claim would put it into somebody else's file."""


class Alarms(Protocol):
    """Whom to tell of what somebody has to mend."""

    def stand(self, kind: str, text: str, mend: str, /) -> None:
        """Tell of something that lasts."""

    def over(self, kind: str) -> None:
        """It is over."""


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
        name = self.client.place.name
        try:
            await self._log(json.loads(body))
        except Unavailable as error:
            if isinstance(error, NotLetIn):
                text = f"the CRM `{name}` does not let us in: {error}"
                self.alarms.stand(f"connector_{name}", text, f"correct the credentials of connectors.{name}")
            return Answer(0, str(error), error.wait_s)
        except CrmError as error:
            return Answer(0, str(error), is_final=True)
        self.alarms.over(f"connector_{name}")
        return DONE

    async def _log(self, event: dict[str, Any]) -> None:
        call = event["data"]
        values = values_of(call, event["timestamp"], self.link_of)
        if not values["number"] or not self.client.offers("log_call"):
            return  # of a withheld number nobody knows whose call it was
        if self.client.offers("find_call") and await self.client.ask("find_call", {"call": values["call"]}):
            return
        profile = await self._profile(call.get("customer"))
        person = await self._person(values["number"], profile)
        if not person and self.client.place.unknown == "skip":
            return
        await self.client.ask("log_call", values | {"person": person})

    async def _profile(self, customer_id: str | None) -> Profile | None:
        if not customer_id:
            return None
        async with self.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            return await customer.read(session, customer_id)

    async def _person(self, number: str, profile: Profile | None) -> str:
        """Return who it is in the CRM: by the id that is linked, by the number, by an address; "" for nobody."""
        linked = linked_id(profile, self.client.place.name)
        if linked:
            return linked
        normal = identity.phone(number, self.region)
        if normal and self.client.offers("find_by_phone"):
            rows = await self.client.ask("find_by_phone", phone_values(normal, self.region))
            if (found := best(rows, "phone", normal, self.region)) is not None:
                return found["id"]
        for email in emails_of(profile):
            if self.client.offers("find_by_email"):
                rows = await self.client.ask("find_by_email", {"email": email})
                if (found := best(rows, "email", email, self.region)) is not None:
                    return found["id"]
        if self.client.place.unknown != "create" or not normal:
            return ""
        name = profile.person.name if profile is not None else ""
        email = next(iter(emails_of(profile)), "")
        made = await self.client.ask("create_person", person_values(name, normal, email, self.region))
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


def emails_of(profile: Profile | None) -> list[str]:
    """Return the addresses of a profile that are believed."""
    every = () if profile is None else profile.identities
    return [each.value for each in every if each.kind == "email" and each.assurance >= BELIEVED]


def _instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()
