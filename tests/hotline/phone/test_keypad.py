"""Keys as telephone events, to the octet."""

import io
import threading
from itertools import islice
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hotline.phone.keypad import ENDS, EVENTS, HELD_TICKS, Keypad, Press, obey


def test_a_key_is_told_as_rfc_4733_has_it() -> None:
    keypad = Keypad()
    keypad.press("#")
    ticks = list(islice(keypad.ticks(), HELD_TICKS + ENDS + 1))
    first, last = ticks[0], ticks[HELD_TICKS]
    assert first is not None
    assert last is not None
    assert first.payload == bytes((11, 10, 0, 160))
    assert last.payload == bytes((11, 0x80 | 10, *(HELD_TICKS * 160).to_bytes(2, "big")))
    assert ticks[HELD_TICKS : HELD_TICKS + ENDS] == [last] * ENDS
    assert ticks[-1] is None


@given(st.text(alphabet=EVENTS + EVENTS.lower() + " ?", max_size=6))
def test_every_key_begins_once_and_in_its_order(keys: str) -> None:
    keypad = Keypad()
    keypad.press(keys)
    ticks = islice(keypad.ticks(), 20 * len(keys) + 1)
    begun = [press.key for press in ticks if isinstance(press, Press) and press.begins]
    assert "".join(begun) == "".join(key for key in keys.upper() if key in EVENTS)


def test_a_program_says_what_is_pressed_and_when_it_is_over() -> None:
    keypad, stopping = Keypad(), threading.Event()
    played: list[Path] = []
    obey(io.StringIO("press 12\nplay a b.wav\nnonsense\nhang_up\npress 3\n"), keypad, played.append, stopping)
    assert played == [Path("a b.wav")]
    begun = [press.key for press in islice(keypad.ticks(), 60) if press is not None and press.begins]
    assert begun == ["1", "2"]
    assert stopping.is_set()
