"""How wide text will be, without a font: each letter has the width it has in DejaVu Sans, the widest of the fonts that
the picture names, so that text fits wherever the picture is shown."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

CUT: Final = "…"
BOLD: Final = 1.15
WIDE: Final = 1.0
USUAL: Final = 0.65
# Widths in ems, rounded up. Marks above and below a letter (ễ, ặ) take no room beside it.
WIDTHS: Final = {
    letter: width
    for width, letters in (
        (0.3, "IJijl'"),
        (0.35, " ,./:;\\|·"),
        (0.4, "()-[]ft‹›"),
        (0.45, "!r"),
        (0.5, '"*_`–'),
        (0.55, "?csz"),
        (0.6, "FLkvxy"),
        (0.7, "ABCKRVXZ"),
        (0.75, "NU"),
        (0.8, "&DGHOQĐ"),
        (0.85, "#+<=>^w~→×"),
        (0.95, "MƯ%Ơ"),
        (1.0, "@Wm…—"),
    )
    for letter in letters
}


@lru_cache(4096)
def _letter(letter: str) -> float:
    if letter in WIDTHS:
        return WIDTHS[letter]
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return WIDE
    decomposed = unicodedata.normalize("NFD", letter)
    if len(decomposed) > 1:
        return max(_letter(part) for part in decomposed)
    return USUAL if letter.isalnum() else WIDE


def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line of text in pixels, `size` being that of its font."""
    return sum(map(_letter, unicodedata.normalize("NFC", text))) * size * (BOLD if bold else 1.0)


def cut(text: str, size: float, room: float, bold: bool = False) -> str:
    """Return the text, or as much of its beginning as fits, with a sign that there was more."""
    if width(text, size, bold) <= room:
        return text
    kept = text
    while kept and width(kept + CUT, size, bold) > room:
        kept = kept[:-1]
    return kept.rstrip() + CUT


def wrap(text: str, size: float, room: float, lines: int) -> tuple[str, ...]:
    """Return the text in at most so many lines of `room` pixels; the last says with a sign where there was more."""
    done: list[str] = []
    line = ""
    words = list(_pieces(text, size, room))
    for number, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if not line or width(longer, size) <= room:
            line = longer
        elif len(done) + 1 == lines:
            return (*done, cut(" ".join([line, *words[number:]]), size, room))
        else:
            done.append(line)
            line = word
    return (*done, line) if line else tuple(done)


def _pieces(text: str, size: float, room: float) -> Iterator[str]:
    """Yield words; one that is too long for a line is broken."""
    for word in text.split():
        rest = word
        while width(rest, size) > room and len(rest) > 1:
            fits = len(rest) - 1
            while fits > 1 and width(rest[:fits], size) > room:
                fits -= 1
            fits = _softly(rest, fits)
            yield rest[:fits]
            rest = rest[fits:]
        yield rest


def _softly(word: str, fits: int) -> int:
    """Return where to break a word of which `fits` letters fit: after a `.`, `/` or `_` in their second half."""
    best = max(word.rfind(sign, 0, fits) for sign in "./_")
    return best + 1 if best + 1 > fits // 2 else fits
