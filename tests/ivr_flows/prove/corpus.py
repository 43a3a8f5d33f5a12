r"""Flows that are good, and what may be broken in them.

`corpus/good/` has flows in which nothing is wrong. `corpus/faults/NAME.faults` has faults that are put into
`good/NAME.yaml`, one after the other, each into the good flow as it stands:

    == what is wrong, in words
    < a piece of the good flow, which stands in it once
    > what stands there instead, with «code» just before the place that is reported

`\n` is a new line. Several pieces may be changed. A mark may say «warning: code».
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "corpus"
GOOD = FOLDER / "good"
MARK = re.compile(r"«(warning: )?([a-z0-9-]+)»")


class Expected(NamedTuple):
    """An error that is to be found, and where."""

    line: int
    column: int
    code: str
    warning: bool


class Fault(NamedTuple):
    """A flow with something wrong: `base` is the good flow's path below `good`, `text` the broken one."""

    base: str
    name: str
    text: str
    expected: frozenset[Expected]

    @property
    def id(self) -> str:
        return f"{self.base}: {self.name}"


def good_flows() -> list[Path]:
    return sorted(GOOD.rglob("*.yaml"))


def faults() -> Iterator[Fault]:
    """Yield every fault of the corpus."""
    for path in sorted((FOLDER / "faults").rglob("*.faults")):
        base = path.relative_to(FOLDER / "faults").with_suffix(".yaml")
        good = (GOOD / base).read_text(encoding="utf-8")
        for part in re.split(r"^== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, *lines = part.splitlines()
            text, expected = _marked(_changed(good, lines, f"{path.name}: {name}"))
            yield Fault(base.as_posix(), name, text, expected)


def _changed(text: str, lines: list[str], where: str) -> str:
    pieces = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(pieces) % 2 == 0, f"{where}: pieces come in pairs"
    for old, new in zip(pieces[::2], pieces[1::2], strict=True):
        assert old.startswith("< "), f"{where}: {old}"
        assert new.startswith(">"), f"{where}: {new}"
        was, becomes = (piece[1:].strip().replace("\\n", "\n") for piece in (old, new))
        assert text.count(was) == 1, f"{where}: this stands {text.count(was)} times: {was}"
        text = text.replace(was, becomes)
    return text


def _marked(text: str) -> tuple[str, frozenset[Expected]]:
    expected = []
    while (mark := MARK.search(text)) is not None:
        line = text.count("\n", 0, mark.start()) + 1
        column = mark.start() - (text.rfind("\n", 0, mark.start()) + 1) + 1
        expected.append(Expected(line, column, mark[2], bool(mark[1])))
        text = text[: mark.start()] + text[mark.end() :]
    return text, frozenset(expected)
