"""Recordings as rows and files, from the first spooled tick to the transcript.

Rule 1: the caller commits; `finish` and `recover` also do so before they write a file, so that no lock of the database
is held for as long as a disk may take. Files change before rows do, and every step may be done again after a crash
between the two: a spool is removed only after its WAV file is on disk, and a WAV file without its spool is a finished
one.

Rule 2: while a row says `spooling`, its spool belongs to a media worker or to `recover` at the next start.

Rule 3: what is wrong is said in the row (`cause`, `ended_early`, `transcript_cause`); no audio is deleted here.

Files below the recordings folder: `spool/RECORDING.spool` while a call lasts (and `RECORDING.spool.1` and so on, where
another media worker had to go on with it), `YYYY-MM-DD/RECORDING.wav` afterwards.
"""

import asyncio
import contextlib
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.timeline import TranscriptState, attach_recording, describe_message
from recordings.journal import ID
from recordings.spool import close_to_wav, parts_of
from recordings.tables import Recording, RecordingState, Transcript
from recordings.text import excerpt, fold, text_of
from telephony.clock import SAMPLES_PER_TICK, TICK_S, datetime_of
from telephony.events import CallSnapshot, FileTranscribed

SPOOL_FOLDER: Final = "spool"
SPOOL_SUFFIX: Final = ".spool"
LONGEST_NAME: Final = 200
INTERRUPTED: Final = "The server stopped while the call was being recorded."

log = structlog.get_logger("hotline.recordings")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start found of the last run. `unlisted` is a spool without a row: it stays where it is."""

    recording: str
    call: str
    state: RecordingState | Literal["unlisted"]
    seconds: float = 0.0
    language: str = ""
    cause: str = ""
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Audio:
    """What became of a spool."""

    state: Literal["closed", "failed", "lost"]
    ticks: int = 0
    cause: str = ""
    gaps: tuple[tuple[int, int], ...] = ()


class NoRecording(LookupError):
    """No row has this id."""


async def create(
    session: AsyncSession,
    recording: str,
    call: str,
    customer: str,
    started_at: float,
    language: str,
    folder: Path,
    message_for: str = "",
) -> Path:
    """Add the row of a recording that begins and return where its spool goes (absolute; its folder exists).

    `message_for` is the queue for which it is a message, empty for a talk.
    """
    spool = spool_path(folder, recording)
    row = Recording(
        id=recording,
        call_id=call,
        customer_id=customer or None,
        path=f"{datetime_of(started_at):%Y-%m-%d}/{recording}.wav",
        started_at=started_at,
        language=language,
        kind="voicemail" if message_for else "talk",
        queue=message_for,
    )
    session.add(row)
    await session.flush()
    await asyncio.to_thread(_make_folder, spool.parent)
    return spool


async def set_customer(session: AsyncSession, call: str, customer: str) -> None:
    """Say whose call it was, on every recording of it."""
    await session.execute(update(Recording).where(Recording.call_id == call).values(customer_id=customer or None))


async def describe(session: AsyncSession, call: CallSnapshot) -> None:
    """Write what recordings are found by: on every recording of a call whose it is, on the present one who talked.

    What is not known (yet, or any more) leaves what is there.
    """
    name = call.context.name[:LONGEST_NAME]
    caller = {"ani": call.customer_number, "person": name, "person_folded": fold(name)[:LONGEST_NAME]}
    of_call = update(Recording).where(Recording.call_id == call.id)
    if known := {column: value for column, value in caller.items() if value}:
        await session.execute(of_call.values(**known))
    talk = (("agent", call.agent), ("queue", call.queue)) if call.recording else ()
    if known := {column: value for column, value in talk if value}:
        await session.execute(of_call.where(Recording.id == call.recording).values(**known))


async def finish(
    session: AsyncSession, recording: str, language: str, folder: Path, now: float, cause: str = ""
) -> Recording:
    """Close a recording's spool to its WAV file and return the row; a second time nothing changes.

    `cause` says what ended the recording early, `language` what it is in (empty: as it was created). Raises
    `NoRecording`.
    """
    row = await _row(session, recording)
    if row.state == "closed":
        return row
    spool, wav = spool_path(folder, recording), wav_path(folder, row)
    await session.commit()
    audio = await asyncio.to_thread(_close, spool, wav)
    await session.refresh(row)
    row.state, row.cause, row.closed_at = audio.state, audio.cause, now
    row.ticks, row.seconds = audio.ticks, audio.ticks * TICK_S
    row.gaps = [[since * TICK_S, until * TICK_S] for since, until in audio.gaps]
    row.language, row.ended_early = language or row.language, cause
    due: Literal["pending", "failed"] = "pending" if audio.ticks else "failed"
    row.transcript_state = due
    row.transcript_cause = "" if audio.ticks else audio.cause or "The recording holds no audio."
    await session.flush()
    await _attach(session, row, due, "")
    return row


async def note_pause(session: AsyncSession, recording: str, at: float, *, paused: bool) -> None:
    """Note that a recording is silent on purpose from an instant on, or no more. Raises `NoRecording`."""
    row = await _row(session, recording)
    pauses = [list(pause) for pause in row.pauses]
    stands = bool(pauses) and pauses[-1][1] is None
    if paused and not stands:  # a pause that goes on in another media worker is told again
        pauses.append([at, None])
    elif not paused and stands:
        pauses[-1][1] = at
    row.pauses = pauses
    await session.flush()


async def recover(session: AsyncSession, folder: Path, now: float) -> list[Recovered]:
    """Finish every recording that the last run left spooling, or could not close (its disk was full), and report
    spools that no row knows.

    For the start alone, before any media worker runs: whoever spools now would have the spool closed over it.
    """
    unfinished = await session.execute(
        select(Recording.id, Recording.state, Recording.ended_early).where(Recording.state.in_(("spooling", "failed")))
    )
    found: list[Recovered] = []
    for recording, state, ended_early in unfinished.all():
        if state == "failed" and not await asyncio.to_thread(parts_of, spool_path(folder, recording)):
            continue
        cause = INTERRUPTED if state == "spooling" else ended_early
        row = await finish(session, recording, "", folder, now, cause)
        ended_at = row.started_at + row.seconds
        found.append(Recovered(row.id, row.call_id, row.state, row.seconds, row.language, row.cause, ended_at))
    return found + await _unlisted(session, folder)


async def pending(session: AsyncSession, *, awaiting: bool = True) -> Sequence[Recording]:
    """Return the recordings to be transcribed, oldest first; with `awaiting` those, too, that lacked a model before."""
    states = ["pending", "awaiting_model"] if awaiting else ["pending"]
    query = select(Recording).where(Recording.state == "closed", Recording.transcript_state.in_(states))
    return (await session.scalars(query.order_by(Recording.started_at, Recording.id))).all()


async def save_transcript(session: AsyncSession, transcribed: FileTranscribed, now: float) -> Recording:
    """Store what a recogniser made of a recording, on its row and on the customer's timeline. Raises `NoRecording`.

    A later run that fails takes no transcript away: its cause is noted beside it.
    """
    row = await _row(session, transcribed.recording)
    transcript = await session.get(Transcript, row.id)
    if transcribed.outcome == "done":
        transcript = transcript or Transcript(recording_id=row.id)
        transcript.engine, transcript.language = transcribed.engine, transcribed.language
        transcript.text = text_of(transcribed.words)
        transcript.folded = fold(transcript.text)
        transcript.words = [msgspec.to_builtins(word) for word in transcribed.words]
        transcript.created_at = now
        session.add(transcript)
    outcome = "done" if transcript else transcribed.outcome
    row.transcript_state, row.transcript_cause = outcome, transcribed.cause
    await session.flush()
    await _attach(session, row, outcome, excerpt(transcript.text) if transcript else "")
    return row


def spool_path(folder: Path, recording: str) -> Path:
    """Return where a recording is spooled. Raises `ValueError` for an id that is none: it becomes part of a path."""
    if not ID.fullmatch(recording):
        raise ValueError(f"{recording!r} is no recording id: letters, digits, _ and -, at most 64.")
    return folder / SPOOL_FOLDER / f"{recording}{SPOOL_SUFFIX}"


def wav_path(folder: Path, row: Recording) -> Path:
    """Return a recording's WAV file (it is there when the state is `closed`)."""
    return folder / row.path


async def _attach(session: AsyncSession, row: Recording, state: TranscriptState, text: str) -> None:
    """Say on the customer's timeline what became of a recording: at its call, or at the message that it is."""
    if row.kind == "voicemail":
        await describe_message(session, row.id, state, text)
    else:
        await attach_recording(session, row.call_id, row.id, state, text)


async def _row(session: AsyncSession, recording: str) -> Recording:
    row = await session.get(Recording, recording)
    if row is None:
        raise NoRecording(f"There is no recording {recording}: it was never created, or its row was not committed.")
    return row


async def _unlisted(session: AsyncSession, folder: Path) -> list[Recovered]:
    names = await asyncio.to_thread(_spools, folder / SPOOL_FOLDER)
    known = set((await session.scalars(select(Recording.id).where(Recording.id.in_(names)))).all())
    cause = f"A spool without a row lies in {folder / SPOOL_FOLDER}: listen to it or remove it."
    return [Recovered(name, "", "unlisted", cause=cause) for name in names if name not in known]


def _spools(folder: Path) -> list[str]:
    """Return the recordings of which there is a spool, or any part of one."""
    names = (path.name.partition(SPOOL_SUFFIX)[0] for path in folder.glob(f"*{SPOOL_SUFFIX}*"))
    return sorted(set(names)) if folder.is_dir() else []


def _close(spool: Path, wav: Path) -> _Audio:
    """Turn a spool with its parts into a WAV file that is on disk (`close_to_wav` syncs it), and only then remove them.

    Done again, it finds the WAV file alone.
    """
    parts = parts_of(spool)
    if not parts:
        return _closed_before(wav)
    try:
        closed = close_to_wav(spool, wav)
    except (OSError, ValueError) as error:
        log.error("a spool was not closed; it is kept", spool=str(spool), cause=str(error))
        return _Audio("failed", cause=f"The spool {spool.name} could not be closed and is kept: {error}")
    for part in parts:
        part.unlink()
    return _Audio("closed", closed.ticks, gaps=closed.gaps)


def _closed_before(wav: Path) -> _Audio:
    with contextlib.suppress(OSError, EOFError, wave.Error), wave.open(str(wav), "rb") as file:
        return _Audio("closed", file.getnframes() // SAMPLES_PER_TICK)
    return _Audio("lost", cause="There is no spool and no file: recording never began, or its file was removed.")


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
