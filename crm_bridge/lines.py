"""What the shapes of the bridge are made of: texts, names and instants, each with its bounds."""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

MAX_ATTRIBUTES_LENGTH: Final = 16_384
LANGUAGE: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"  # BCP 47, the shape alone
_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def storable(text: str) -> str:
    """Return `text` if every database and every JSON reader can hold it (no NUL, no half of a surrogate pair)."""
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("holds a NUL or half of a surrogate pair, which is no text: send it without")
    return text


def stored(text: str) -> str:
    """Return `text` without what `storable` refuses."""
    return "".join(sign for sign in text if sign != "\x00" and not "\ud800" <= sign <= "\udfff")


def _one_line(text: str) -> str:
    if not all(sign.isprintable() for sign in text):
        raise ValueError("holds a control character or a line break: send one line of plain text")
    return text


def _written_as_text(value: object) -> object:
    # pydantic would take a bare number for seconds or milliseconds, whichever it resembles.
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_INSTANT.match(value)):
        return value
    raise ValueError("is not ISO 8601 with a zone: write it as 2026-11-22T10:41:00+07:00")


def _in_living_memory(instant: datetime) -> datetime:
    if not 1900 <= instant.year <= 2200:
        raise ValueError("lies outside the years 1900 to 2200: check the date")
    return instant


def _leaves(value: JsonValue) -> Iterator[str | float]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | float):
        yield value


def storable_attributes(attributes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return attributes that every database and every JSON reader can hold, and that are not too many."""
    for leaf in _leaves(attributes):
        if isinstance(leaf, str):
            storable(leaf)
        elif not math.isfinite(leaf):
            raise ValueError("holds NaN or an infinity, which JSON has not: send null instead")
    if len(json.dumps(attributes)) > MAX_ATTRIBUTES_LENGTH:
        raise ValueError(f"is longer than {MAX_ATTRIBUTES_LENGTH} characters of JSON: send a link to the rest")
    return attributes


Text = Annotated[str, AfterValidator(storable)]
Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_one_line)]
Name = Annotated[Line, Field(max_length=200)]
Language = Annotated[Line, Field(max_length=35, pattern=LANGUAGE)]
ExternalId = Annotated[Line, Field(min_length=1, max_length=255)]
Channel = Annotated[Line, StringConstraints(to_lower=True, min_length=1, max_length=64)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written_as_text), AfterValidator(_in_living_memory)]


class Shape(BaseModel):
    """Takes no field that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
