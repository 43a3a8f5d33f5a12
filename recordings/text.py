"""Words as text: how a transcript reads, and how it is searched."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from telephony.events import Word

PAUSE_S: Final = 0.8
EXCERPT_SIGNS: Final = 240
TERM: Final = re.compile(r"\w+")


def fold(text: str) -> str:
    """Return the words of `text` without case and diacritics, each between spaces (`Đặt chỗ!` -> ` dat cho `)."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    words = TERM.findall("".join(sign for sign in plain if not unicodedata.category(sign).startswith("M")))
    return f" {' '.join(words)} " if words else ""


def terms(query: str) -> list[str]:
    """Return the folded words of a query."""
    return fold(query).split()


def utterances(words: Sequence[Word]) -> list[list[Word]]:
    """Return the words as they belong together: a channel's words until it pauses for 0.8 s or is answered.

    Word by word in time order, two people talking at once would read as neither of them.
    """
    found: list[list[Word]] = []
    latest: dict[int, list[Word]] = {}
    for word in sorted(words, key=lambda word: word.start):
        own = latest.get(word.channel)
        others = (other for channel, other in latest.items() if channel != word.channel)
        if own is None or word.start - own[-1].end > PAUSE_S or any(other[0].start >= own[-1].end for other in others):
            own = latest[word.channel] = []
            found.append(own)
        own.append(word)
    return found


def text_of(words: Sequence[Word]) -> str:
    """Return a transcript as text, one utterance per line."""
    return "\n".join(" ".join(word.text for word in utterance) for utterance in utterances(words))


def excerpt(text: str, signs: int = EXCERPT_SIGNS) -> str:
    """Return the beginning of a text on one line, cut after a whole word."""
    line = " ".join(text.split())
    if len(line) <= signs:
        return line
    head = line[: signs - 1]
    return (head.rsplit(" ", 1)[0] or head) + "…"
