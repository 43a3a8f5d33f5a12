"""What a flow keeps of its call, from the key to the row: a consent, an answer, a message."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.privacy.tables import Consent
from crm_bridge.tables import Interaction
from recordings.tables import Recording
from telephony.events import (
    DialogEnded,
    DigitPressed,
    ListenForVoice,
    PlaySamples,
    PromptFinished,
    RecordingStopped,
    StartRecording,
    VoiceStarted,
)
from telephony.tables import Voicemail
from tests.telephony.edge.test_funnel import House, sessions, spoken

__all__ = ["sessions"]

FLOW = """
flow: main
title: {en: Test}
languages: [en]
variables: {score: {type: number}}
start: ask
steps:
  ask:
    menu: {prompt: {en: May we record?}, choices: {1: {next: agreed}}}
    no_input: bye
    no_match: bye
  agreed: {record: {do: start, consent: yes}, next: rate}
  rate:
    survey: {kind: csat, prompt: {en: How was it?}, into: score}
    next: leave
    no_input: bye
    no_match: bye
  leave: {voicemail: {to: care}, next: bye, no_message: bye, failed: bye}
  bye: {hangup: {en: Goodbye.}}
"""


async def test_they_are_rows(tmp_path: Path, sessions: async_sessionmaker[AsyncSession]) -> None:
    house = House(tmp_path, sessions, FLOW)
    call = await house.call()
    leg = f"{call}.caller"
    await house.until(lambda: house.funnel.switchboard.calls()[0].customer)
    house.funnel.media_event(DigitPressed(leg, "1", "rfc4733", 0))
    house.funnel.media_event(DigitPressed(leg, "5", "rfc4733", 0))
    await house.until(lambda: house.media.said(PlaySamples)[-1].playback.startswith("message"))
    house.funnel.media_event(PromptFinished(leg, house.media.said(PlaySamples)[-1].playback, "finished", 0))
    await house.until(lambda: len(house.media.said(StartRecording)) == 2)
    assert house.media.said(ListenForVoice) == [ListenForVoice(leg)]
    house.funnel.media_event(VoiceStarted(leg, 0))
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    for start in house.media.said(StartRecording):
        spoken(start)
        house.funnel.media_event(RecordingStopped(start.recording, 10))
    await house.funnel.lane.drained()
    whole, message = (start.recording for start in house.media.said(StartRecording))

    async with sessions() as session:
        consent = (await session.scalars(select(Consent))).one()
        assert (consent.purpose, consent.notice, consent.call_id) == ("recording", "May we record?", call)
        left = (await session.scalars(select(Voicemail))).one()
        assert (left.id, left.call_id, left.customer_id) == (message, call, consent.customer_id)
        kinds = (await session.execute(select(Recording.id, Recording.kind, Recording.queue))).all()
        assert {tuple(each) for each in kinds} == {(whole, "talk", ""), (message, "voicemail", "care")}
        entries = (await session.scalars(select(Interaction))).all()
    assert {entry.channel: entry.recording_id for entry in entries} == {
        "call": whole, "survey": None, "voicemail": message,
    }  # fmt: skip
    told = [event["type"] for event in house.funnel.live._kept]
    assert (told.count("voicemail.created"), told.count("survey.answered")) == (1, 1)
    await house.funnel.close()
