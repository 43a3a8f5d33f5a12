"""Flows that change while the server runs are taken as a whole, or refused."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from hotline import flow_watch
from hotline.flow_watch import FlowWatch, stamp_of
from ivr_flows.flow import Flow
from ivr_flows.load import load_folder
from telephony.edge.alarms import Alarms

GOOD = "flow: main\nlanguages: vi\nstart: a\nsteps:\n  a:\n    hangup: {words}\n"


class Shelf:
    """A folder with a flow, and what was published of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("Xin chào.")
        self.published: list[Mapping[str, Flow]] = []
        self.told = asyncio.Event()
        self.alarms = Alarms(lambda _type, _body: self.told.set(), lambda: 0.0)
        self.watch = FlowWatch(folder, lambda: load_folder(folder), self._publish, self.alarms, stamp_of(folder))

    def _publish(self, flows: Mapping[str, Flow]) -> None:
        self.published.append(flows)
        self.told.set()

    def write(self, words: str) -> None:
        (self.folder / "main.yaml").write_text(GOOD.format(words=words), encoding="utf-8")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


async def test_a_sound_change_is_published_with_a_version_of_its_own(shelf: Shelf) -> None:
    await shelf.watch.renew()
    shelf.write("Tạm biệt.")
    await shelf.watch.renew()
    versions = [flows["main"].version for flows in shelf.published]
    assert len(set(versions)) == 2


async def test_a_broken_change_is_refused_and_says_why_until_it_is_mended(shelf: Shelf) -> None:
    shelf.write("Xin chào.\n    next: nowhere")
    await shelf.watch.renew()
    assert shelf.published == []
    alarm = shelf.alarms.present()[0]
    assert "main.yaml:7:5: unknown-key" in alarm.text
    assert "hotline flow check" in alarm.mend
    shelf.write("Xin chào.")
    await shelf.watch.renew()
    assert len(shelf.published) == 1
    assert shelf.alarms.present() == []


async def test_another_fault_is_another_alarm(shelf: Shelf) -> None:
    for fault in ("unknown-key", "missing-language"):
        shelf.write("x\n    next: a" if fault == "unknown-key" else "{en: Hi}")
        await shelf.watch.renew()
        assert fault in shelf.alarms.present()[0].text


async def test_the_folder_is_looked_at_until_nothing_changes_any_more(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_watch, "EVERY_S", 0.01)
    shelf.write("Một.")  # while the server was starting
    task = asyncio.create_task(shelf.watch.watch())
    try:
        (shelf.folder / "prompts.yaml").write_text("hello: Chào\n", encoding="utf-8")
        async with asyncio.timeout(20):
            await shelf.told.wait()
    finally:
        task.cancel()
    assert shelf.published


def test_a_folder_that_is_gone_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "gone") == ()
    (tmp_path / "main.yaml").write_text("x", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert [row[0] for row in stamp_of(tmp_path)] == ["main.yaml"]
