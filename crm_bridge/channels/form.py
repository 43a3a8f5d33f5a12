"""A form on a website, filled in by anybody. Pure.

Rule 1: whatever stands in it is a claim. It joins the history of whom it names, raises nothing, and the answer is the
same whether we know that person or not.

Rule 2: a field that people do not see (the honeypot) stays empty; a program fills it in, is told that all is well, and
nothing is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from crm_bridge.channels.message import MAX_TEXT_LENGTH, interaction, line_of
from crm_bridge.identity import Kind, normalise
from crm_bridge.lines import storable
from crm_bridge.shapes import InteractionIn

MAX_FIELDS: Final = 50
MAX_OTHER_LENGTH: Final = 1000
MAX_LENGTHS: Final[Mapping[str, int]] = {
    "id": 200,
    "name": 200,
    "phone": 64,
    "email": 254,
    "subject": 500,
    "text": MAX_TEXT_LENGTH,
    "visitor": 255,
}
"""The fields that mean something here, and how long each may be; others are kept as they are."""
CONTACTS: Final[tuple[Kind, ...]] = ("phone", "email")


class FormFault(ValueError):
    """What is wrong with a form; `pointer` is the field (RFC 6901), "" for the whole. The value itself is not told."""

    def __init__(self, pointer: str, cause: str) -> None:
        super().__init__(cause)
        self.pointer = pointer


class FormUnreadable(ValueError):
    """A body that is neither JSON nor form-encoded."""


def fields_of(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a body, as `application/json` or `application/x-www-form-urlencoded` says them.

    Raises `FormUnreadable` for other types, `FormFault` for a body that is not what its type says.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return _of_json(body)
    if kind != "application/x-www-form-urlencoded":
        raise FormUnreadable("send application/json or application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError:
        raise FormFault("", f"is not a form of at most {MAX_FIELDS} fields in UTF-8") from None


def _of_json(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise FormFault("", "is not JSON") from None
    if not isinstance(document, dict) or len(document) > MAX_FIELDS:
        raise FormFault("", f"is not a JSON object of at most {MAX_FIELDS} fields")
    fields = {}
    for key, value in document.items():
        if isinstance(value, dict | list):
            raise FormFault("", "holds a list or an object where one value is due")
        if value is not None:
            fields[key] = value if isinstance(value, str) else json.dumps(value)
    return fields


@dataclass(frozen=True, slots=True)
class Form:
    """A website's form. `origins` are the pages that may send it (RFC 6454), `honeypot` the field that stays empty."""

    origins: frozenset[str]
    honeypot: str

    def is_of_a_program(self, fields: Mapping[str, str]) -> bool:
        """Tell whether somebody filled in what people do not see."""
        return bool(fields.get(self.honeypot))

    def submission(self, fields: Mapping[str, str], name: str, now: float, region: str) -> InteractionIn:
        """Return the event of a form that this channel, called `name`, brings. Raises `FormFault`."""
        _check(fields)
        identities: list[tuple[Kind, str]] = [(kind, fields[kind]) for kind in CONTACTS if fields.get(kind, "").strip()]
        if not any(normalise(kind, value, region) for kind, value in identities):
            pointer = f"#/{identities[0][0]}" if identities else ""
            raise FormFault(pointer, "gives neither a phone number nor an e-mail address that could be answered")
        if fields.get("visitor", "").strip():
            identities.append(("web", fields["visitor"]))
        others = {key: value for key, value in fields.items() if key not in MAX_LENGTHS and key != self.honeypot}
        told = interaction(
            name,
            identities,
            occurred_at=now,
            external_id=f"form:{line_of(fields['id'])}" if fields.get("id", "").strip() else None,
            subject=line_of(fields.get("subject"), MAX_LENGTHS["subject"]),
            text=fields.get("text", ""),
            attributes={"name": line_of(fields.get("name")), "fields": others},
        )
        if told is None:
            raise FormFault("", "is too long as a whole: leave out what is not needed")
        return told


def _check(fields: Mapping[str, str]) -> None:
    for key, value in fields.items():
        longest = MAX_LENGTHS.get(key, MAX_OTHER_LENGTH)
        pointer = f"#/{key}" if key in MAX_LENGTHS else ""
        if len(key) > MAX_OTHER_LENGTH or len(value) > longest:
            raise FormFault(pointer, f"is longer than {longest} characters")
        try:
            storable(key + value)
        except ValueError as error:
            raise FormFault(pointer, str(error)) from None
