"""A person with something in every place where anything can lie."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crm_bridge import timeline
from crm_bridge.case import CaseReference
from crm_bridge.connectors.tables import CachedAnswer
from crm_bridge.facts import Saying
from crm_bridge.importing.tables import ImportIdentity, ImportNote, ImportProfile
from crm_bridge.match import claim
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.privacy.tables import Consent, PrivacyRequest
from crm_bridge.tables import IdentityUser
from crm_bridge.webhooks.endpoint import Endpoint
from crm_bridge.webhooks.outbox import Webhooks
from hotline import person_files
from hotline.config import Settings
from hotline.database import Sessions
from recordings import store
from recordings.journal import Journal
from recordings.spool import SpoolWriter
from telephony.clock import SAMPLES_PER_TICK, tick_at
from telephony.edge import call_rows
from telephony.events import CallerContext, CallSnapshot, DigitPressed, FileTranscribed, Play, Prompt, SaveCall, Word
from telephony.tables import Voicemail, WrapUp

NAME = "Nguyễn Markus Văn Zebra"
NUMBER = "0912345678"
E164 = "+84912345678"
EMAIL = "zebra.marker@example.vn"
SAID = "quixotic"
OF_OTHERS = "+84905555555"
"""A number that is known to be used by people, and owned by none of these."""
MARKS = tuple(each.encode() for each in (NAME, "Zebra", "zebra", "912345678", SAID, "Zebrafrage"))

ENDPOINT = Endpoint(
    name="crm",
    url="https://crm.example.vn/hook",
    keys=(b"0" * 32,),
    events=frozenset({"interaction.created", "call.ended", "recording.transcribed"}),
    retries_s=(5.0,),
    timeout_s=5.0,
    at_once=1,
    private=False,
)
WEBHOOKS = Webhooks([ENDPOINT])


@dataclass(frozen=True)
class Someone:
    """The ids of what was made."""

    customer: str
    call: str
    recording: str
    case: str


async def someone(
    settings: Settings, sessions: Sessions, now: float, *, mark: str = "a", number: str = NUMBER, e164: str = E164
) -> Someone:
    """Make a person who wrote, called, was recorded, and agreed to it."""
    call, recording = mark * 32, chr(ord(mark) + 1) * 32
    async with sessions.begin() as session:
        recorded = await timeline.record(
            session,
            timeline.NewInteraction(
                channel="zalo",
                direction="inbound",
                occurred_at=now,
                claims=(claim("zalo", "phone", e164), claim("zalo", "email", mark + EMAIL)),
                subject=f"{NAME} asks",
                text=f"My number is {number}. {SAID}",
                case=CaseReference(external_id="T-1", subject="Zebrafrage", topic="Zebrafrage"),
                external_id=f"m-{mark}",
                name=NAME,
                language="vi",
                tags=("Zebra",),
                attributes={"name": NAME, "address": "1 Zebra"},
                facts=(Saying("order", f"Zebra-{mark}", {"state": "placed", "products": ["Zebra"]}),),
            ),
            now,
        )
        customer = recorded.interaction.customer_id
        case = recorded.interaction.case_id or ""
        await WEBHOOKS.tell(session, "interaction.created", {"text": NAME}, customer=customer, now=now)
        await WEBHOOKS.tell(session, "call.ended", {"ani": e164}, customer=None, now=now)
    snapshot = _call(call, recording, customer, case, now, number, e164)
    journal = Journal(settings.data / "journals")
    prompt = Prompt("text", f"Xin chào {NAME}", "vi")
    journal.append(call, tick_at(now), SaveCall(snapshot))
    journal.append(call, tick_at(now), Play("leg", "p", (prompt,)))
    journal.append(call, tick_at(now), DigitPressed("leg", "7", "rfc4733", tick_at(now)))
    journal.close_all()
    rendered = person_files.of(settings).prompt_path(prompt)
    rendered.parent.mkdir(parents=True, exist_ok=True)
    rendered.write_bytes(b"Zebra")
    await _record(settings, sessions, snapshot, now)
    async with sessions.begin() as session:
        session.add(
            Voicemail(
                id=recording, call_id=call, queue="care", customer_id=customer, ani=e164, left_at=now, seconds=1.0
            )
        )
        session.add(WrapUp(call_id=call, agent="lan", disposition="resolved", note=f"{NAME} calls back", at=now))
        session.add(
            Consent(
                id=mark * 32,
                customer_id=customer,
                purpose="recording",
                state="given",
                at=now,
                channel="call",
                notice=f"Zebra, {SAID}",
                notice_version="1",
                call_id=call,
                recording_id=recording,
                clip_from=0.0,
                clip_until=0.04,
                by="lan",
                created_at=now,
            )
        )
        session.add(
            PrivacyRequest(
                id=mark * 32,
                kind="erase",
                customer_id=customer,
                received_at=now,
                answer_due_at=now + 1,
                due_at=now + 2,
                outcome="",
                note="Zebra wrote",
                by="lan",
                done_by="",
            )
        )
        session.add_all(_imported_and_written_to(mark, customer, now))
        session.add(
            IdentityUser(
                id=mark * 32,
                kind="phone",
                value=OF_OTHERS,
                customer_id=customer,
                source="api",
                evidence=f"{NAME} said so",
                at=now,
            )
        )
        session.add(CachedAnswer(connector="crm", key=f"phone:{e164}", found={"person": {"name": NAME}}, as_of=now))
    return Someone(customer, call, recording, case)


def _imported_and_written_to(mark: str, customer: str, now: float) -> list[object]:
    """What an import noted of the person, and a message on its way."""
    whose = {"import_id": mark * 32, "customer_id": customer}
    return [
        ImportProfile(**whose, row=2, created=False, name=mark * 32, language="", tags=[]),
        ImportIdentity(**whose, identity_id=mark * 32),
        ImportNote(**whose, kind="ignored", row=2, column="phone", cause=SAID, mend="", other_row=0),
        OutgoingMessage(
            endpoint="email", customer_id=customer, body=f"{NAME}, {SAID}", state="pending", attempts=0,
            next_at=now, error="", created_at=now, interaction_id=mark * 32,
        ),
    ]  # fmt: skip


def _call(call: str, recording: str, customer: str, case: str, now: float, number: str, e164: str) -> CallSnapshot:
    return CallSnapshot(
        id=call,
        state="ended",
        number=number,
        ani=e164,
        dnis="19001234",
        customer=customer,
        context=CallerContext(customer=customer, known=True, name=NAME, assurance=1),
        language="vi",
        flow="welcome",
        flow_path=("greeting", "agent"),
        queue="care",
        agent="lan",
        recording=recording,
        case=case,
        started_at=now,
        answered_at=now + 1,
        talk_started_at=now + 2,
        ended_at=now + 60,
        ended_by="caller",
        told={"order": SAID},
    )


async def _record(settings: Settings, sessions: Sessions, call: CallSnapshot, now: float) -> None:
    folder = settings.recordings_folder
    async with sessions.begin() as session:
        spool = await store.create(session, call.recording, call.id, call.customer, now, "vi", folder)
    _spool(spool, call.recording, tick_at(now))
    async with sessions() as session:
        await store.finish(session, call.recording, "vi", folder, now)
        await call_rows.save(session, call, "VN", now, WEBHOOKS)
        words = (Word(text=SAID, start=0.0, end=0.02, confidence=1.0, channel=0),)
        heard = FileTranscribed(call.recording, "done", "whisper", "vi", words)
        await store.save_transcript(session, heard, now)
        await session.commit()


def _spool(path: Path, recording: str, tick: int) -> None:
    writer = SpoolWriter(path, recording, tick)
    for at in range(tick, tick + 10):
        writer.write(at, np.full((SAMPLES_PER_TICK, 2), 7, np.int16))
    writer.close()
