"""What the phone tells programs and people."""

import json
import sys

import pytest

from hotline.phone.progress import Progress


def test_programs_get_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=True)
    progress.event("ringing", "it rings", number="+84912345678", name="Trần")
    progress.say("for people alone")
    progress.meter(1.0, -20.0, 50)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 1
    assert lines[0].pop("at") > 1_700_000_000
    assert lines[0] == {"event": "ringing", "number": "+84912345678", "name": "Trần"}


def test_people_get_sentences_and_no_meter_where_it_would_pile_up(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=False)
    progress.say("calling 1900")
    progress.meter(1.0, -20.0, 50)
    progress.event("answered", "answered (PCMU)", codec="PCMU")
    assert capsys.readouterr().out == "calling 1900\nanswered (PCMU)\n"


def test_a_terminal_has_a_living_line_that_gives_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    progress = Progress(as_json=False)
    progress.meter(61.0, -30.0, 50)
    progress.meter(61.1, -30.0, 55)  # too soon
    progress.event("pressed", "pressed 1", key="1")
    out = capsys.readouterr().out
    assert out == f"\r\x1b[K01:01  I hear {'█' * 10:<20}  -30 dB\r\x1b[Kpressed 1\n"
    Progress(as_json=False).meter(2.0, -96.0, 0)
    assert "I hear nothing yet" in capsys.readouterr().out
