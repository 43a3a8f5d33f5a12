"""The demo's story with the agent in the browser, and the supervisor at the replay."""

import re
import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Playwright, expect

from hotline.demo.checks import share_heard
from recordings.transcribe.error_rate import word_error_rate
from tests.end_to_end.browser import chromium
from tests.end_to_end.desks import (
    SETTINGS,
    Caller,
    add_person,
    answer,
    calling,
    desk,
    sign_in,
    speech,
    tell_of_lan,
)
from tests.end_to_end.running import running_server, wait_for

pytestmark = [pytest.mark.timeout(240), pytest.mark.alone]

SAID = re.compile(r"good|morning|refund|arrive|email|thank|calling|approved|money|account", re.IGNORECASE)
CALLER_SAYS = "Good morning. I would like to know when my refund will arrive. I sent you an email about it yesterday."
AGENT_SAYS = "Thank you for calling. The refund was approved today, and the money will be in your account on Friday."


def test_a_caller_speaks_with_a_browser_and_the_supervisor_replays_it(  # noqa: PLR0915 - one story
    playwright: Playwright,
    tmp_path: Path,
) -> None:
    spoken = speech(tmp_path, caller=CALLER_SAYS, agent=AGENT_SAYS)
    with running_server(tmp_path, SETTINGS) as server:
        customer = tell_of_lan(server)
        thanh, huong = add_person(server, "thanh"), add_person(server, "huong", "supervisor")
        caller = Caller(server, tmp_path, spoken["caller"], play_after_s=5.0)
        with desk(playwright, server, tmp_path / "thanh", thanh, spoken["agent"]) as tab, calling(caller):
            page = tab.page
            # Before answering: who it is, how sure we are, the open case, what was written, what was chosen.
            expect(page.get_by_role("button", name="Answer")).to_be_visible(timeout=30_000)
            expect(page.get_by_role("heading", name="Phạm Thị Lan").first).to_be_visible()
            expect(page.get_by_text("Number only, can be forged")).to_be_visible()
            expect(page.get_by_text("Hoàn tiền đơn 4561").first).to_be_visible()
            expect(page.get_by_text("Đơn hàng của tôi đâu rồi?")).to_be_visible()
            expect(page.get_by_text("about_case").first).to_be_visible()
            assert "Phạm Thị Lan" in wait_for("the title rings", lambda: page.title() if "☎" in page.title() else None)
            answer(tab)
            heard = tab.hears(12.0)
            # The transcript appears while they talk, of both.
            lane = page.get_by_role("region", name="Transcript")
            for who in ("caller", "agent"):
                said = lane.locator(f"li.{who}").filter(has_text=SAID)
                expect(said.first).to_be_visible(timeout=20_000)
            page.get_by_role("button", name="Hang up").click()
            # After-call work: the draft of the note outlives a reload.
            page.get_by_label("Note").fill("Hoàn tiền vào thứ Sáu")
            page.reload()
            expect(page.get_by_label("Note")).to_have_value("Hoàn tiền vào thứ Sáu")
            page.get_by_role("button", name="What did it come to?").click()
            page.get_by_role("option", name="Resolved").click()
            page.get_by_role("button", name="Save and go ready").click()
            expect(page.get_by_text("Ready since")).to_be_visible()
            assert not [line for line in tab.console if "401" not in line]
        write(tmp_path / "browser-heard.wav", heard)
        assert share_heard(spoken["caller"], tmp_path / "browser-heard.wav") > 0.6
        call = wait_for("the call has ended", lambda: next(iter(server.get("/calls?state=ended")["items"]), None))
        recording = call["recording"]
        (item,) = server.get(f"/customers/{customer}/timeline?channel=call")["items"]
        assert (item["call"]["disposition"], item["call"]["note"]) == ("resolved", "Hoàn tiền vào thứ Sáu")

        def transcript() -> dict[str, object] | None:
            found: dict[str, object] = server.get(f"/recordings/{recording}/transcript")
            return found if found["state"] == "done" else None

        words = wait_for("the transcript", transcript, 60)["words"]
        assert isinstance(words, list)
        for channel, text in ((0, CALLER_SAYS), (1, AGENT_SAYS)):
            heard_words = " ".join(word["text"] for word in words if word["channel"] == channel).split()
            # The agent's microphone plays its file again and again, from wherever the talk begins.
            count = len(text.split())
            parts = [heard_words[begin : begin + count] for begin in range(max(1, len(heard_words) - count + 1))]
            assert min(word_error_rate(text, " ".join(part)) for part in parts) < 0.3, heard_words
        status, audio = server.request("GET", f"/api/v1/recordings/{recording}/audio")
        assert status == 200
        (tmp_path / "recording.wav").write_bytes(audio)
        assert (channels(tmp_path / "recording.wav").std(axis=0) > 100).all()
        # What the caller heard of the agent, compared with what the agent's microphone played.
        assert louder_together(spoken["agent"], caller.heard) > 0.5

        with chromium(playwright, server, tmp_path / "huong") as tab:
            sign_in(tab, huong, "/supervise")
            tab.page.get_by_role("link", name="Recordings").click()
            # Any word that was understood: a recogniser may mishear one of them.
            longest = max((each["text"].strip(".,?") for each in words), key=len)
            tab.page.get_by_label("Words said").fill(longest.lower())
            tab.page.get_by_label("Person").fill("pham thi lan")
            tab.page.get_by_role("button", name="Search").click()
            expect(tab.page.locator("mark").first).to_have_text(re.compile(longest, re.IGNORECASE))
            tab.page.get_by_role("row").nth(1).get_by_role("link").first.click()
            tab.page.locator("button.word", has_text=longest).last.click()
            expect(tab.page.get_by_test_id("clock")).not_to_have_text(re.compile(r"^0:00 /"))
            tab.page.keyboard.press("Escape")
            tab.page.get_by_role("button", name="Play").click()
            expect(tab.page.locator("button.word.lit").first).to_be_visible()
            tab.page.get_by_role("button", name="Pause").click()
            # From the recording to the customer's history, and back.
            tab.page.get_by_role("link", name="Open").first.click()
            expect(tab.page.get_by_test_id("wave")).to_be_visible()
            assert not [line for line in tab.console if "401" not in line]
        deeds = {(entry["who"], entry["what"], entry["about"]) for entry in server.get("/audit")["items"]}
        assert ("huong", "recording.heard", recording) in deeds
        assert ("huong", "transcript.read", recording) in deeds


def write(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())


def channels(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        return samples.reshape(-1, file.getnchannels())


def louder_together(sent: Path, heard: Path) -> float:
    """Return how well the loudness of what was said, in steps of 20 ms, is found again in what was heard: the greatest
    correlation over all delays. A browser levels its microphone, so that samples cannot be compared."""

    def loudness(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        samples = channels(path)[:, 0]
        rows = samples[: len(samples) // 160 * 160].reshape(-1, 160)
        levels: np.ndarray[tuple[int], np.dtype[np.float64]] = np.log1p(np.sqrt((rows**2).mean(axis=1)) / 100)
        return levels

    said, got = loudness(sent), loudness(heard)
    best = 0.0
    for begin in range(max(1, len(got) - len(said))):
        part = got[begin : begin + len(said)]
        if part.std() > 0:
            best = max(best, float(np.corrcoef(said[: len(part)], part)[0, 1]))
    return best
