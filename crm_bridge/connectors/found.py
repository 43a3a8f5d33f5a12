"""Places in an answer: `records`, `properties.email`, `[0].errorCode`, or a list for names with dots in them. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final

Path = tuple[str | int, ...]

_STEP: Final = re.compile(r"\.?([A-Za-z_@$][\w@$:-]*)|\[(\d{1,4})\]")


def parse(text: str) -> Path:
    """Read `a.b[0].c`. Raises `ValueError` with what is due."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (at == 0 and text.startswith(".")):
            raise ValueError(f"`{text}` is no place in an answer; write a.b[0].c, or a list of names: [a, '@b.c']")
        steps.append(int(found[2]) if found[1] is None else found[1])
        at = found.end()
    return tuple(steps)


def at(answer: Any, path: Path) -> Any:
    """Return what stands at a place, None where nothing does."""
    for step in path:
        if isinstance(step, str):
            answer = answer.get(step) if isinstance(answer, dict) else None
        else:
            answer = answer[step] if isinstance(answer, list) and step < len(answer) else None
    return answer


def texts(answer: Any, paths: Sequence[Path]) -> list[str]:
    """Return what stands at each place as a text, where anything does."""
    found = (at(answer, path) for path in paths)
    return [text for each in found if (text := as_text(each))]


def as_text(value: Any) -> str:
    """Return a single value as a text, "" for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return ""
    return sound(str(value).strip())


def sound(text: str) -> str:
    """Return a text that can be written: half a surrogate pair is no character."""
    return text.encode("utf-8", "replace").decode("utf-8")
