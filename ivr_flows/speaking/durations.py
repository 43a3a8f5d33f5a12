"""Durations in words."""

from typing import Final

from ivr_flows.speaking.numbers import cardinal
from ivr_flows.speaking.reading import Spoken

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400
UNITS: Final = ((DAY_S, "ngày", "day"), (HOUR_S, "giờ", "hour"), (MINUTE_S, "phút", "minute"), (1, "giây", "second"))
ABOUT: Final[dict[Spoken, tuple[str, str]]] = {
    "vi": ("khoảng", "chưa đến một phút"),
    "en": ("about", "less than a minute"),
}
FIVE_MINUTES_S: Final = 300


def duration(seconds: int, language: Spoken) -> str:
    """Say a duration to the second: "hai phút năm giây", "two minutes and five seconds"."""
    parts: list[str] = []
    for size, vietnamese, english in UNITS:
        count, seconds = divmod(seconds, size)
        if count or (size == 1 and not parts):
            parts.append(_counted(count, vietnamese, english, language))
    if language == "vi":
        return " ".join(parts)
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if parts[1:] else parts[0]


def about(seconds: int, language: Spoken) -> str:
    """Say a duration as somebody who waits wants to hear it: rounded up to whole minutes, above an hour to five of
    them, above a day to whole hours."""
    word, short = ABOUT[language]
    if seconds < MINUTE_S:
        return short
    step = MINUTE_S if seconds <= HOUR_S else FIVE_MINUTES_S if seconds <= DAY_S else HOUR_S
    return f"{word} {duration(-(-seconds // step) * step, language)}"


def _counted(count: int, vietnamese: str, english: str, language: Spoken) -> str:
    if language == "vi":
        return f"{cardinal(count, 'vi')} {vietnamese}"
    return f"{cardinal(count, 'en')} {english}{'' if count == 1 else 's'}"
