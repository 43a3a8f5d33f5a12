"""What a picture has to show, before anything has a place: boxes and arrows, with their sizes and their text."""

from collections.abc import Sequence
from dataclasses import dataclass

from ivr_flows.draw.looks import Look


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text of an arrow's label. `name` is the exit's; `failure` says that it is for what went wrong."""

    text: str
    name: str
    failure: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A step, or the mark of a beginning or an end. `text` is what it says, wrapped; `told` is for those who hear the
    picture instead of seeing it. With `above` it stands in the row before that of the box named there."""

    name: str
    look: Look
    width: int
    height: int
    title: str = ""
    caption: str = ""
    text: tuple[str, ...] = ()
    told: str = ""
    above: str = ""
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """All exits of one box that lead to one other. It is a `failure` where each of them is."""

    source: str
    target: str
    lines: tuple[Line, ...] = ()
    width: int = 0
    height: int = 0
    failure: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Boxes and arrows in the order of the file, arrows of one source together. The walk begins at `roots`."""

    name: str
    title: str
    language: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    roots: Sequence[str]
