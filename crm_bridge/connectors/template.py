"""Texts with gaps, and how a value gets into each so that it stays a value. Pure.

Rule 1: what a gap is filled with never ends the text that it stands in. A gap that is a whole value needs nothing: the
URL's or JSON's own writer keeps it apart. One with text around it names the language of that text (`{email|soql}`);
a file in which it does not is refused when it is loaded.
Rule 2: a filter writes the quotation marks of its language itself, so that nobody can forget them.
Rule 3: in a path every gap is one segment's part, percent-encoded, and `.` and `..` are refused.
"""

import html
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from crm_bridge.connectors.found import sound

_SLOT: Final = re.compile(r"\{\{|\}\}|\{([a-z_]+)((?:\|[a-z_]+)*)\}|[{}]")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
MAX_VALUE_LENGTH: Final = 32_000
LAST_INSTANT: Final = 1e11
"""Seconds since the epoch; beyond it are milliseconds that somebody took for seconds."""

Values = Mapping[str, Any]


class TemplateFault(ValueError):
    """A text that is no template; the text says why and what is due."""


class Unfit(ValueError):
    """A value cannot stand where it is to stand; the text names the gap, and never the value."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap: the name of what fills it, and what is made of that, in order."""

    name: str
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """Text and gaps in turn."""

    parts: tuple[str | Slot, ...]

    @property
    def names(self) -> frozenset[str]:
        """What fills its gaps."""
        return frozenset(part.name for part in self.parts if isinstance(part, Slot))

    @property
    def whole(self) -> Slot | None:
        """The gap that is all of it, None if there is text around it."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Slot) else None


EMPTY: Final = Template(())


def parse(text: str) -> Template:
    """Read `text {name|filter} text`; `{{` and `}}` are braces. Raises `TemplateFault`."""
    parts: list[str | Slot] = []
    plain, at = "", 0
    for found in _SLOT.finditer(text):
        plain += text[at : found.start()]
        at = found.end()
        if found[0] in ("{{", "}}"):
            plain += found[0][0]
        elif found[1] is None:
            raise TemplateFault(f"`{found[0]}` stands alone; write {{name}}, or {found[0] * 2} for the sign itself")
        else:
            parts += [plain] if plain else []
            plain = ""
            parts.append(Slot(found[1], tuple(filter(None, found[2].split("|")))))
    plain += text[at:]
    return Template((*parts, plain) if plain else tuple(parts))


def check(template: Template, names: frozenset[str], safe: frozenset[str]) -> None:
    """See that each gap is known, and, where text stands around it, ends in one of the filters `safe`. Raises
    `TemplateFault`."""
    for slot in (part for part in template.parts if isinstance(part, Slot)):
        if slot.name not in names:
            raise TemplateFault(f"`{slot.name}` is not known here; known are {', '.join(sorted(names))}")
        strange = next((each for each in slot.filters if each not in FILTERS), None)
        if strange is not None:
            raise TemplateFault(f"`{strange}` is no filter; known are {', '.join(sorted(FILTERS))}")
        if template.whole is None and safe and (not slot.filters or slot.filters[-1] not in safe):
            raise TemplateFault(
                f"`{{{slot.name}}}` has text around it: say how that text quotes it, with {{{slot.name}|FILTER}}, "
                f"where FILTER is {', '.join(sorted(safe))}"
            )


# ----------------------------------------------------------------------------------------------------- the filters


def _text(value: Any) -> str:
    """Any value for people to read, on one line."""
    return CONTROLS.sub(" ", _written(value)).strip()


def _soql(value: Any) -> str:
    """A string of SOQL, or a list of them (SOQL and SOSL Reference, "Quoted String Escape Sequences")."""
    if isinstance(value, list | tuple):
        return f"({','.join(map(_soql, value))})"
    escaped = _written(value).replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    for sign, name in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\b", "\\b"), ("\f", "\\f")):
        escaped = escaped.replace(sign, name)
    return f"'{CONTROLS.sub('', escaped)}'"


def _odata(value: Any) -> str:
    """A string of OData, whose quotation mark is doubled (OData 4.01 URL Conventions section 5.1.1.6.1)."""
    return "'" + _written(value).replace("'", "''") + "'"


def _guid(value: Any) -> str:
    """An id of Dataverse: nothing but hexadecimal digits, in groups."""
    text = _written(value)
    if not _GUID.fullmatch(text):
        raise Unfit("is no GUID")
    digits = text.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _search(value: Any) -> str:
    """A phrase in quotation marks of a search box (Zendesk), which knows no way to write the mark itself."""
    return '"' + re.sub(r'["\\\x00-\x1f\x7f]+', " ", _written(value)) + '"'


def _criteria(value: Any) -> str:
    """A value of Zoho's `(Field:equals:value)`, with a backslash before what would end it."""
    return re.sub(r"([\\(),:])", r"\\\1", CONTROLS.sub(" ", _written(value)))


def _html(value: Any) -> str:
    return html.escape(_text(value), quote=True)


def _url(value: Any) -> str:
    return quote(_written(value), safe="")


def _instant(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LAST_INSTANT:
        raise Unfit("is no instant")
    return datetime.fromtimestamp(value, UTC)


def _iso(value: Any) -> str:
    return _instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(value: Any) -> str:
    """An instant to the second with the offset from UTC, as Zoho has it."""
    return _instant(value).isoformat(timespec="seconds")


def _date(value: Any) -> str:
    return _instant(value).date().isoformat()


def _ms(value: Any) -> int:
    """Seconds as milliseconds."""
    return round(_number(value) * 1000)


def _seconds(value: Any) -> int:
    return round(_number(value))


def _minutes(value: Any) -> int:
    """Seconds as whole minutes, begun ones counted."""
    return math.ceil(_number(value) / 60)


def _clock(value: Any) -> str:
    """Seconds as `mm:ss`."""
    whole = round(_number(value))
    return f"{whole // 60:02d}:{whole % 60:02d}"


def _flag(value: Any) -> bool:
    """`true` or `false` as JSON has it."""
    if value not in ("true", "false", True, False):
        raise Unfit("is neither true nor false")
    return value in ("true", True)


def _integer(value: Any) -> int:
    text = _written(value)
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Unfit("is no whole number")
    return int(text)


def _last_word(value: Any) -> str:
    """The family name, where a CRM insists on one: the last word."""
    return _text(value).rpartition(" ")[2]


def _first_words(value: Any) -> str:
    return _text(value).rpartition(" ")[0]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LAST_INSTANT:
        raise Unfit("is no number of seconds")
    return value


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Unfit("is no single value")
    text = str(value)
    if len(text) > MAX_VALUE_LENGTH:
        raise Unfit(f"is longer than {MAX_VALUE_LENGTH} characters")
    return sound(text)


FILTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "soql": _soql,
    "odata": _odata,
    "guid": _guid,
    "search": _search,
    "criteria": _criteria,
    "html": _html,
    "url": _url,
    "iso": _iso,
    "offset": _offset,
    "date": _date,
    "ms": _ms,
    "seconds": _seconds,
    "minutes": _minutes,
    "clock": _clock,
    "flag": _flag,
    "integer": _integer,
    "last_word": _last_word,
    "first_words": _first_words,
}
_MADE_BY_US: Final = frozenset({"guid", "iso", "offset", "date", "ms", "seconds", "minutes", "clock", "integer"})
"""What these write has no sign that means anything anywhere."""
SAFE_IN_QUERY: Final = _MADE_BY_US | {"soql", "odata", "search", "criteria", "url"}
SAFE_IN_TEXT: Final = SAFE_IN_QUERY | {"text", "html"}
ANYWHERE: Final[frozenset[str]] = frozenset()
"""For paths and headers, which keep every gap apart themselves."""


# ---------------------------------------------------------------------------------------------------------- filling


def value_of(template: Template, values: Values) -> Any:
    """Return what a template is: of a whole gap the value with its type, None if it is empty; else a text. Raises
    `Unfit`."""
    if (slot := template.whole) is not None:
        return _filled(slot, values)
    return "".join(part if isinstance(part, str) else _within_text(part, values) for part in template.parts)


def lacks(template: Template, values: Values) -> bool:
    """Whether a gap is empty that the text around it needs: one that is not for people to read."""
    slots = (part for part in template.parts if isinstance(part, Slot))
    return template.whole is None and any(_is_needed(slot) and _is_empty(values.get(slot.name)) for slot in slots)


def path_of(template: Template, values: Values) -> str:
    """Return a path whose gaps are percent-encoded. Raises `Unfit` for what is empty or leads elsewhere."""
    written = ""
    for part in template.parts:
        if isinstance(part, str):
            written += part
            continue
        value = _as_text(_filled(part, values))
        if not value or value in (".", "..") or CONTROLS.search(value):
            raise Unfit(f"`{part.name}` cannot be part of an address")
        written += quote(value, safe="")
    return written


def header_of(template: Template, values: Values) -> str:
    """Return a header's value: printable ASCII on one line. Raises `Unfit`."""
    text = _as_text(value_of(template, values))
    if not text.isascii() or not text.isprintable() or len(text) > 8000:
        raise Unfit(f"{', '.join(sorted(template.names)) or 'it'} cannot stand in a header")
    return text


def _within_text(slot: Slot, values: Values) -> str:
    value = _filled(slot, values)
    if value is None and _is_needed(slot):
        raise Unfit(f"`{slot.name}` is empty, and the text around it needs it")
    return _as_text(value)


def _is_needed(slot: Slot) -> bool:
    return bool(slot.filters) and slot.filters[-1] not in ("text", "html")


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", (), [])


def _filled(slot: Slot, values: Values) -> Any:
    value = values.get(slot.name)
    if _is_empty(value):
        return None
    try:
        for each in slot.filters:
            value = FILTERS[each](value)
    except Unfit as error:
        raise Unfit(f"`{slot.name}` {error}") from None
    return value


def _as_text(value: Any) -> str:
    return "" if value is None else _written(value)
