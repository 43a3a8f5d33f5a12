"""Words as text: how a transcript reads, and how it is searched."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from telephony.events import Word

PAUSE_S: Final = 0.8
EXCERPT_SIGNS: Final = 240
SIGNS_BEFORE_HIT: Final = 60
SIGNS_AFTER_HIT: Final = 140
TERM: Final = re.compile(r"\w+")


class Piece(NamedTuple):
    """A part of an excerpt; `hit` where it is what was looked for."""

    text: str
    hit: bool


def fold(text: str) -> str:
    """Return the words of `text` without case and diacritics, each between spaces (`Đặt chỗ!` -> ` dat cho `)."""
    words = TERM.findall("".join(map(_plain, text)))
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


def hits(text: str, query: str) -> list[Piece]:
    """Return the part of `text` in which the words of `query` are found (each from the beginning of a word, without
    case and diacritics), with what was found marked; nothing where none is.

    It is taken from the line that has most of the words. Joined, the pieces are a part of the text, on one line, with
    `…` where it goes on.
    """
    wanted = terms(query)
    begin, end = _best_line(text, wanted)
    spans = list(_hits(text, begin, end, wanted))
    if not spans:
        return []
    first, last = _window(text, *spans[0])
    pieces: list[Piece] = [Piece("…", False)] if first else []
    position = first
    for hit_begin, hit_end in _hits(text, first, last, wanted):
        pieces += [Piece(text[position:hit_begin], False), Piece(text[hit_begin:hit_end], True)]
        position = hit_end
    pieces += [Piece(text[position:last] + ("…" if last < len(text) else ""), False)]
    return [Piece(" ".join(piece.text.split("\n")), piece.hit) for piece in pieces if piece.text]


def _best_line(text: str, wanted: Sequence[str]) -> tuple[int, int]:
    best, most, begin = (0, 0), 0, 0
    for line in text.split("\n"):
        folded = fold(line)
        count = sum(f" {term}" in folded for term in wanted)
        if count > most:
            best, most = (begin, begin + len(line)), count
            if most == len(wanted):
                break
        begin += len(line) + 1
    return best


def _hits(text: str, begin: int, end: int, wanted: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where, between `begin` and `end`, words begin as one of `wanted` does: as far as the longest of them."""
    plain = [_plain(sign) for sign in text[begin:end]]
    where = [begin + index for index, signs in enumerate(plain) for _ in signs]
    for word in TERM.finditer("".join(plain)):
        length = max((len(term) for term in wanted if word[0].startswith(term)), default=0)
        if length:
            last = where[word.start() + length - 1] + 1
            while last < end and not plain[last - begin]:
                last += 1  # the marks that belong to the last letter
            yield where[word.start()], last


def _window(text: str, hit_begin: int, hit_end: int) -> tuple[int, int]:
    """Return what to show around a hit, from the beginning of a word to the end of one."""
    first, last = max(0, hit_begin - SIGNS_BEFORE_HIT), min(len(text), hit_end + SIGNS_AFTER_HIT)
    if first:
        gap = re.search(r"\s", text[first:hit_begin])
        first = first + gap.end() if gap else hit_begin
    if last < len(text):
        gaps = [gap.start() for gap in re.finditer(r"\s", text[hit_end:last])]
        last = hit_end + gaps[-1] if gaps else last
    return first, last


@lru_cache(maxsize=4096)
def _plain(sign: str) -> str:
    """Return a sign without case and marks: often one letter, none for a mark, several for a ligature or a syllable."""
    letters = unicodedata.normalize("NFD", sign.casefold().replace("đ", "d"))
    return "".join(letter for letter in letters if not unicodedata.category(letter).startswith("M"))
