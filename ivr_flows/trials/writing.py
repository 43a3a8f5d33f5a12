"""Scenarios as YAML, to be pasted or put at the end of a test file. Pure."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ivr_flows.trials.marks import Exit
from ivr_flows.trials.search import Found

INDENT: Final = "  "
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
"""What needs no quotes: nothing that could be a number."""
MAX_LINE: Final = 110


class NotAppendable(Exception):
    """A test file that does not end with its scenarios; the text says what to do."""


def yaml_of(found: Sequence[Found], indent: str = INDENT) -> str:
    """Return scenarios as they stand below `scenarios:`."""
    return "\n".join("\n".join(_scenario(each, indent)) for each in found) + "\n" if found else ""


def new_file(flow: str, found: Sequence[Found]) -> str:
    """Return a whole test file."""
    return f"flow: {flow}\n\nscenarios:\n{yaml_of(found)}"


def appended(text: str, found: Sequence[Found]) -> str:
    """Return a test file with scenarios at its end. Raises `NotAppendable`."""
    lines = text.splitlines()
    tops = [line for line in lines if line and not line[0].isspace() and not line.startswith(("#", "---"))]
    if not tops or tops[-1].partition("#")[0].strip() != "scenarios:":
        raise NotAppendable("`scenarios:` is not the last key of the file; paste them by hand")
    begin = max(index for index, line in enumerate(lines) if line == tops[-1])
    inner = [line for line in lines[begin + 1 :] if line.strip() and not line.strip().startswith("#")]
    indent = inner[0][: len(inner[0]) - len(inner[0].lstrip())] if inner else INDENT
    return text.rstrip("\n") + "\n" + ("\n" if inner else "") + yaml_of(found, indent)


def _scenario(found: Found, indent: str) -> Iterator[str]:
    yield f"{indent}{found.scenario.name}: # {_takes(found.exits)}"
    inner = indent + INDENT
    for key, value in found.plain.items():
        line = f"{inner}{key}: {flowing(value)}"
        if key == "call" and len(line) > MAX_LINE:
            yield f"{inner}call:"
            yield from (f"{inner}{INDENT}- {_bare(each)}" for each in value)
        else:
            yield line


def _takes(exits: Sequence[Exit]) -> str:
    names = ", ".join(f"{exit_.step}.{exit_.name}" for exit_ in exits)
    return "takes " + " ".join(names.split())


def _bare(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        return f"{key}: {flowing(inner)}"
    return flowing(value)


def flowing(value: Any) -> str:
    """Return plain values in YAML's flow style, quoted where that is needed."""
    match value:
        case dict():
            return "{" + ", ".join(f"{flowing(key)}: {flowing(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flowing, value)) + "]"
        case bool():
            return "yes" if value else "no"
        case str() if _WORD.fullmatch(value):
            return value
        case str() if value == "...":
            return value
    return json.dumps(value, ensure_ascii=False)
