"""Word error rate: the figure that says how far a transcript is from what was spoken.

Both texts are brought to one form first: lower case, NFC, no punctuation, hyphens as spaces, apostrophes dropped.
Numbers become single digits, whether written (`2,500`, `21st`, `09:30`) or spoken in English (`two thousand five
hundred`): a recogniser writes telephone and order numbers as it likes. Words of other languages' numbers stay words.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

# fmt: off
UNIT_WORDS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
TEN_WORDS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# fmt: on
UNITS: Final = {word: value for value, word in enumerate(UNIT_WORDS)}
TENS: Final = {word: 10 * value for value, word in enumerate(TEN_WORDS, start=2)}
SCALES: Final = {"thousand": 1_000, "million": 1_000_000}
GROUPED_DIGITS: Final = re.compile(r"(?<=\d)[,](?=\d{3}\b)")
ORDINAL: Final = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
APOSTROPHES: Final = re.compile(r"['’ʼ`]")
WORDS: Final = re.compile(r"\d|[^\W\d_]+")


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Return (substitutions + deletions + insertions) / words of the reference, after `normalised`.

    0.0 is word for word; above 1.0 there were more errors than words. An empty reference counts as one word.
    """
    spoken, heard = normalised(reference), normalised(hypothesis)
    return edits(spoken, heard) / max(1, len(spoken))


def normalised(text: str) -> list[str]:
    """Return the words that are compared."""
    lowered = APOSTROPHES.sub("", unicodedata.normalize("NFC", text).casefold())
    plain = ORDINAL.sub(r"\1", GROUPED_DIGITS.sub("", lowered))
    # Combining marks that NFC cannot compose belong to the word that they follow.
    words = WORDS.findall("".join(sign for sign in plain if not unicodedata.category(sign).startswith("M")))
    return _numbers_as_digits(words)


def edits(spoken: Sequence[str], heard: Sequence[str]) -> int:
    """Return the Levenshtein distance between two lists of words."""
    row = list(range(len(heard) + 1))
    for deleted, word in enumerate(spoken, start=1):
        corner, row[0] = row[0], deleted
        for column, other in enumerate(heard, start=1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (word != other))
    return row[-1]


def _numbers_as_digits(words: list[str]) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(words):
        value, used = _spoken_number(words[position:])
        found += list(str(value)) if used else [words[position]]
        position += used or 1
    return found


def _spoken_number(words: list[str]) -> tuple[int, int]:
    """Return the number that `words` begin with and how many of them it takes (0: none).

    `two thousand five hundred and one` is one number; `four five` and `nineteen eighty` are two, as when dictated.
    """
    total, used = 0, 0
    limit = 1_000_000_000
    while True:
        group, taken = _below_thousand(words[used:])
        scale = SCALES.get(words[used + taken]) if used + taken < len(words) else None
        if scale is not None and scale < limit and (taken or not used):
            total, used, limit = total + max(group, 0 if taken else 1) * scale, used + taken + 1, scale
            continue
        return (total + group, used + taken) if taken and (not used or group) else (total, used)


def _below_thousand(words: list[str]) -> tuple[int, int]:
    """Return a spoken number below a thousand at the head of `words`, and how many words it takes."""
    value, used = _below_hundred(words)
    if words[used : used + 1] == ["hundred"] and value < 100:
        value, used = (value if used else 1) * 100, used + 1
        joined = 1 if words[used : used + 1] == ["and"] else 0
        rest, taken = _below_hundred(words[used + joined :])
        if taken and rest:
            value, used = value + rest, used + joined + taken
    return value, used


def _below_hundred(words: list[str]) -> tuple[int, int]:
    if not words:
        return 0, 0
    if words[0] in TENS:
        unit = UNITS.get(words[1], 0) if len(words) > 1 else 0
        return (TENS[words[0]] + unit, 2) if 0 < unit < 10 else (TENS[words[0]], 1)
    return (UNITS[words[0]], 1) if words[0] in UNITS else (0, 0)
