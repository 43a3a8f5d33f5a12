"""Journals: whole lines in, whole lines out, whatever happens to the last one."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.journal import Entry, Journal, JournalDamaged
from telephony.clock import TICKS_PER_S, tick_at
from telephony.events import (
    CallerContext,
    CallerFound,
    Command,
    DigitPressed,
    Event,
    FindCaller,
    Hangup,
    InviteReceived,
    OpenCase,
    Play,
    Prompt,
    Publish,
    TimePassed,
)

NOON = tick_at(1_795_348_800.0)  # 2026-11-22T12:00:00Z
DAY = 24 * 3600 * TICKS_PER_S
PRESSED = DigitPressed("leg", "1", "rfc4733", 7)

TEXT = st.text(max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MESSAGES: st.SearchStrategy[Event | Command] = st.one_of(
    st.builds(InviteReceived, TEXT, TEXT, TEXT, st.booleans(), TEXT, TEXT, TEXT),
    st.builds(DigitPressed, TEXT, TEXT, st.sampled_from(["rfc4733", "inband", "info"]), st.integers(0, 2**40)),
    st.builds(
        CallerFound,
        TEXT,
        TEXT,
        st.builds(
            CallerContext,
            TEXT,
            st.booleans(),
            tags=st.lists(TEXT, max_size=2).map(tuple),
            open_cases=st.lists(st.builds(OpenCase, TEXT, TEXT, TEXT, TEXT, FLOATS), max_size=2).map(tuple),
        ),
    ),
    st.just(TimePassed()),
    st.builds(Hangup, TEXT, TEXT),
    st.builds(FindCaller, TEXT, TEXT, st.booleans(), TEXT),
    st.builds(
        Play,
        TEXT,
        TEXT,
        st.lists(st.builds(Prompt, st.sampled_from(["text", "file", "music"]), TEXT, TEXT), max_size=3).map(tuple),
    ),
    st.builds(Publish, TEXT, st.dictionaries(TEXT, st.none() | st.booleans() | TEXT | FLOATS, max_size=3)),
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def file_of(journal: Journal, call: str) -> Path:
    path = journal.path(call)
    assert path is not None
    return path


@given(st.lists(st.tuples(st.integers(NOON, NOON + 10_000), MESSAGES), max_size=20), st.integers(1, 3))
def test_what_was_appended_is_read(lines: list[tuple[int, Event | Command]], open_files: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), open_files)
        for number, (tick, message) in enumerate(lines):
            journal.append(f"call-{number % 5}", tick, message)
        journal.close_all()
        for call in range(5):
            expected = [
                Entry(tick, "event" if isinstance(message, Event) else "command", message)
                for tick, message in lines[call::5]
            ]
            assert journal.read(f"call-{call}") == expected
            assert journal.last_tick(f"call-{call}") == (expected[-1].tick if expected else None)


@given(st.integers(0, 10_000))
def test_a_file_cut_anywhere_gives_the_whole_lines_before_the_cut(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        for tick in range(5):
            journal.append("c", NOON + tick, DigitPressed("leg", str(tick), "info", tick))
        journal.close_all()
        path = file_of(journal, "c")
        octets = path.read_bytes()
        path.write_bytes(octets[: cut % (len(octets) + 1)])
        whole = path.read_bytes().count(b"\n")
        assert [entry.tick for entry in journal.read("c")] == [NOON + tick for tick in range(whole)]
        journal.append("c", NOON + 9, TimePassed())
        assert [entry.tick for entry in journal.read("c")] == [*(NOON + tick for tick in range(whole)), NOON + 9]
        assert journal.last_tick("c") == NOON + 9
        journal.close_all()


def test_a_line_is_on_file_when_append_returns(journal: Journal) -> None:
    journal.append("c", NOON, PRESSED)
    assert file_of(journal, "c").read_bytes() == (
        b'{"tick":%d,"kind":"event","message":{"what":"DigitPressed","leg":"leg","digit":"1","source":"rfc4733","tick":7}}\n'
        % NOON
    )
    assert file_of(journal, "c").parent.name == "2026-11-22"


def test_a_call_goes_on_in_its_first_file_after_midnight(journal: Journal) -> None:
    journal.append("c", NOON, PRESSED)
    journal.close("c")
    journal.append("c", NOON + DAY // 2 + 1, TimePassed())
    assert len(journal.read("c")) == 2
    journal.append("other", NOON + DAY, TimePassed())
    assert file_of(journal, "other").parent.name == "2026-11-23"


def test_a_call_without_a_journal_has_no_entries(journal: Journal, tmp_path: Path) -> None:
    assert journal.read("c") == []
    assert journal.last_tick("c") is None
    assert Journal(tmp_path / "absent").read("c") == []
    journal.close("c")


@pytest.mark.parametrize("call", ["", "../c", "a/b", ".c", "c\n", "c.jsonl", "é", "x" * 65])
def test_an_id_that_is_a_path_is_refused(journal: Journal, tmp_path: Path, call: str) -> None:
    with pytest.raises(ValueError, match="no call id"):
        journal.append(call, NOON, PRESSED)
    with pytest.raises(ValueError, match="no call id"):
        journal.read(call)
    assert list(tmp_path.iterdir()) == []


def test_damage_before_the_last_line_is_said(journal: Journal) -> None:
    journal.append("c", NOON, PRESSED)
    journal.append("c", NOON, PRESSED)
    path = file_of(journal, "c")
    path.write_bytes(b"{torn" + path.read_bytes()[20:])
    with pytest.raises(JournalDamaged, match=r"c\.jsonl:1: "):
        journal.read("c")
    path.write_bytes(b'{"tick":1,"kind":"event","message":{"what":"OfAnotherVersion"}}\n')
    with pytest.raises(JournalDamaged, match="OfAnotherVersion"):
        journal.read("c")
    assert journal.last_tick("c") == 1


def test_few_files_are_open_for_many_calls(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = Journal(tmp_path, open_files=3)
    for number in range(30):
        journal.append(f"c{number}", NOON, PRESSED)
    assert len(os.listdir("/proc/self/fd")) == before + 3
    journal.append("c0", NOON, PRESSED)
    assert len(journal.read("c0")) == 2
    journal.close_all()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_leaves_no_half_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append("c", NOON, PRESSED)
    write = os.write
    monkeypatch.setattr("os.write", lambda file, line: write(file, line[:10]))
    with pytest.raises(OSError, match="free disk space"):
        journal.append("c", NOON, PRESSED)
    monkeypatch.undo()
    journal.append("c", NOON + 1, PRESSED)
    assert [entry.tick for entry in journal.read("c")] == [NOON, NOON + 1]
    journal.close_all()
