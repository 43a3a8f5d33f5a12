"""Prompts are played when they are there; recordings are transcribed one by one."""

from pathlib import Path

import pytest

from telephony.edge.speech import Prompts, Transcriptions
from telephony.events import (
    Event,
    FileTranscribed,
    Play,
    PlaySamples,
    Prompt,
    PromptFinished,
    PromptRendered,
    RenderPrompt,
    SeekPlaying,
    TranscribeFile,
)

HELLO = Prompt("text", "hello", "en")
BYE = Prompt("text", "bye", "en")
BUSY = Prompt("tone", "busy")


class Desk:
    """Prompts over a folder, with everything it says remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[RenderPrompt] = []
        self.played: list[PlaySamples] = []
        self.finished: list[Event] = []
        self.prompts = Prompts(self.path, self.asked.append, self.played.append, self.finished.append)

    def path(self, prompt: Prompt) -> Path:
        return self.folder / f"{prompt.value}.s16"

    def render(self, prompt: Prompt, cause: str = "") -> None:
        if not cause:
            self.path(prompt).write_bytes(b"\0\0")
        self.prompts.rendered(PromptRendered(str(self.path(prompt)), cause))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_what_is_cached_plays_at_once(desk: Desk) -> None:
    desk.path(HELLO).write_bytes(b"\0\0")
    desk.prompts.play(Play("leg", "1", (HELLO,), barge_in=False, loop=True, barge_in_by_voice=True))
    played = PlaySamples("leg", "1", (str(desk.path(HELLO)),), barge_in=False, loop=True, barge_in_by_voice=True)
    assert desk.played == [played]
    assert not desk.asked


async def test_tones_need_no_rendering(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (BUSY, BUSY)))
    assert desk.played == [PlaySamples("leg", "1", ("tone:busy", "tone:busy"))]
    desk.prompts.prepare((BUSY,))
    assert not desk.asked
    desk.prompts.play(Play("leg", "2", (BUSY, HELLO)))
    assert [command.value for command in desk.asked] == ["hello"]
    desk.render(HELLO)
    assert desk.played[-1].paths == ("tone:busy", str(desk.path(HELLO)))


async def test_what_waits_and_is_replaced_is_over(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,)))
    desk.prompts.play(Play("leg", "2", (BUSY,)))
    assert desk.finished == [PromptFinished("leg", "1", "stopped", 0)]
    desk.render(HELLO)
    assert [each.playback for each in desk.played] == ["2"]


async def test_level_and_place_go_along(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (BUSY,), level_db=-6.0, offset_ms=250))
    assert (desk.played[0].level_db, desk.played[0].offset_ms) == (-6.0, 250)


async def test_a_seek_in_what_waits_is_where_it_begins(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,), offset_ms=500))
    assert not desk.prompts.seek(SeekPlaying("leg", "2", 100))
    assert not desk.prompts.seek(SeekPlaying("other", "1", 100))
    assert desk.prompts.seek(SeekPlaying("leg", "1", 1000, relative=True))
    assert desk.prompts.seek(SeekPlaying("leg", "1", -200, relative=True))
    desk.render(HELLO)
    assert desk.played[0].offset_ms == 1300
    assert not desk.prompts.seek(SeekPlaying("leg", "1", 100))
    desk.prompts.play(Play("leg", "2", (BYE,)))
    assert desk.prompts.seek(SeekPlaying("leg", "2", 700))
    assert desk.prompts.seek(SeekPlaying("leg", "2", -900, relative=True))
    desk.render(BYE)
    assert desk.played[1].offset_ms == 0


async def test_a_playback_waits_for_all_of_its_prompts_and_asks_once(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO, BYE, HELLO)))
    desk.prompts.play(Play("other", "1", (HELLO,)))
    assert [command.value for command in desk.asked] == ["hello", "bye"]
    desk.render(HELLO)
    assert [play.leg for play in desk.played] == ["other"]
    desk.render(BYE)
    assert [play.leg for play in desk.played] == ["other", "leg"]


async def test_a_prompt_that_cannot_be_rendered_ends_its_playback_with_the_cause(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,)))
    desk.render(HELLO, "no voice for en")
    assert desk.finished == [PromptFinished("leg", "1", "failed", 0, "no voice for en")]


async def test_a_later_playback_takes_the_place_of_one_that_waits(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,)))
    desk.prompts.play(Play("leg", "2", (BYE,)))
    desk.render(HELLO)
    assert not desk.played
    desk.render(BYE)
    assert [play.playback for play in desk.played] == ["2"]


async def test_cancelling_says_that_it_was_stopped(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,)))
    assert not desk.prompts.cancel("leg", "another")
    assert desk.prompts.cancel("leg", "1", tick=7)
    assert desk.finished == [PromptFinished("leg", "1", "stopped", 7)]
    desk.render(HELLO)
    assert not desk.played


async def test_a_renderer_that_dies_is_asked_again_once(desk: Desk) -> None:
    desk.prompts.play(Play("leg", "1", (HELLO,)))
    desk.prompts.renderer_died()
    assert len(desk.asked) == 2
    desk.prompts.renderer_died()
    assert isinstance(desk.finished[0], PromptFinished)
    assert desk.finished[0].ending == "failed"


def test_one_recording_at_a_time_and_a_worker_that_dies_gets_it_again_once() -> None:
    sent: list[TranscribeFile] = []
    done: list[FileTranscribed] = []
    line = Transcriptions(sent.append, done.append)
    first, second = TranscribeFile("a", "a.wav", "en"), TranscribeFile("b", "b.wav", "en")
    line.add(first)
    line.add(second)
    assert sent == [first]
    assert len(line) == 2
    line.transcriber_died()
    assert sent == [first, first]
    line.transcriber_died()
    assert done[0].outcome == "failed"
    assert sent == [first, first, second]
    line.transcribed(FileTranscribed("a", "done"))  # a late answer about another recording changes nothing
    line.transcribed(FileTranscribed("b", "done"))
    assert [answer.recording for answer in done] == ["a", "b"]
    assert len(line) == 0
    line.transcriber_died()
