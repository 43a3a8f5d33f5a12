"""A flow becomes a chart: what each step's box says, and which exits are one arrow."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from ivr_flows.draw.chart import Arrow, Box, Chart, Line
from ivr_flows.draw.looks import END_MARK, PLAIN, START, Look, is_failure, look_of
from ivr_flows.draw.measure import cut, width, wrap
from ivr_flows.flow import (
    END,
    REPEAT,
    Assign,
    Flow,
    Menu,
    Music,
    Queue,
    Recorded,
    Split,
    Step,
    Subflow,
    Survey,
    VerifyByCode,
    Words,
    exits,
    verb_of,
)

NAME_PX: Final = 13
CAPTION_PX: Final = 11
TEXT_PX: Final = 12
LABEL_PX: Final = 11
TEXT_LINE: Final = 16
LABEL_LINE: Final = 14
LABEL_PAD: Final = 5
PAD: Final = 12
HEAD: Final = 44
"""What a box has above its text: the icon, the name, and the verb."""
BOX_WIDTH: Final = 208
TEXT_LINES: Final = 3
FORK: Final = 12
"""How far the ends of a fork's box reach out."""
MARK_HEIGHT: Final = 24
END_SIZE: Final = 24
LABEL_LINES: Final = 6
TOLD: Final = 400

SAID: Final = ("prompt", "text", "wait", "url", "subject", "note")
"""Fields of a step that may be heard, in the order in which one is looked for."""
WORDS_OF_MARKS: Final = {
    "start": {"vi": "bắt đầu", "en": "start"},
    "failed": {"vi": "khi lỗi", "en": "on error"},
    "key": {"vi": "phím {}", "en": "key {}"},
}
EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\[\d+\]|\.[A-Za-z_]\w*)*")


def chart(flow: Flow, language: str) -> Chart:
    """Return what the picture of a flow shows, with its words in one of its languages."""
    arrows = [arrow for name, step in flow.steps.items() for arrow in _arrows(name, step, language)]
    marks = [_mark("start", "", flow.start, language)]
    if flow.failed in flow.steps:
        marks.append(_mark("failed", "", flow.failed, language))
    marks += [_mark("key", key, target, language) for key, target in flow.keys.items() if target != REPEAT]
    boxes = list(marks)
    for name, step in flow.steps.items():
        own = [arrow for arrow in arrows if arrow.source == name]
        boxes.append(_box(name, step, own, language))
        boxes += [Box(arrow.target, END_MARK, END_SIZE, END_SIZE, told=END) for arrow in own if _is_end(arrow)]
    leading = [Arrow(mark.name, mark.above, failure=mark.name == " failed", told=mark.title) for mark in marks]
    title = flow.title.get(language) or flow.name
    return Chart(flow.name, title, language, boxes, [*leading, *arrows], [mark.name for mark in marks])


def _mark(what: str, key: str, step: str, language: str) -> Box:
    """Mark where a call begins, or comes to from anywhere; no step has a name with a space."""
    word = WORDS_OF_MARKS[what].get(language, WORDS_OF_MARKS[what]["en"]).format(key)
    wide = round(width(word, LABEL_PX, bold=True)) + 2 * PAD
    return Box(f" {what}{key}", START, wide, MARK_HEIGHT, word, told=word, above=step)


def _is_end(arrow: Arrow) -> bool:
    return arrow.target.startswith(" ")


def _box(name: str, step: Step, arrows: Sequence[Arrow], language: str) -> Box:
    look, verb = look_of(verb_of(step)), verb_of(step)
    labels = sum(max(arrow.width, 20) for arrow in arrows) + 12 * (len(arrows) - 1)
    wide = max(BOX_WIDTH, labels)
    room = wide - 2 * PAD - (2 * FORK if look.shape == "fork" else 0)
    said = _said(step, language)
    text = wrap(said, TEXT_PX, room, TEXT_LINES)
    caption = " · ".join([verb, *_details(step, look)])
    return Box(
        name=name,
        look=look,
        width=wide,
        height=HEAD + (len(text) * TEXT_LINE + PAD - 4 if text else 0),
        title=cut(name, NAME_PX, room - 22, bold=True),
        caption=cut(caption, CAPTION_PX, room - 22),
        text=text,
        told=". ".join(part for part in (f"{name}: {caption}", said[:TOLD]) if part),
        doubled=isinstance(step, Subflow) or (isinstance(step, Queue) and bool(step.wait_flow)),
    )


def _details(step: Step, look: Look) -> Iterator[str]:
    """Yield what stands beside the verb. Of a verb that has no look of its own, that is its first field of text."""
    for field in look.details:
        value = getattr(step, field, "")
        if isinstance(value, float):
            yield f"{value:g} s"
        elif value and isinstance(value, str):
            yield plain(value)
    if look is not PLAIN:
        return
    nexts = {target for _, target in exits(step)}
    for value in msgspec.structs.asdict(step).values():
        if isinstance(value, str) and value and value not in nexts:
            yield value
            return


def _said(step: Step, language: str) -> str:
    """Return the first words of a step that a caller hears or gets, or what it does with variables."""
    if isinstance(step, Assign):
        return "; ".join(f"{name} = {value}" for name, value in step.values.items())
    if isinstance(step, Survey | VerifyByCode):
        return _words(step.question.prompt, language)
    for field in SAID:
        text = _words(getattr(step, field, None), language)
        if text:
            return text
    return ""


def _words(value: Any, language: str) -> str:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return plain(str(value.get(language) or next(iter(value.values()), "")))
    if isinstance(value, tuple):
        heard = [part for part in value if not isinstance(part, Music)] or value
        return " ".join(filter(None, (_part(part, language) for part in heard)))
    return ""


def _part(part: object, language: str) -> str:
    match part:
        case Words(text=text):
            return plain(text.get(language) or next(iter(text.values()), ""))
        case Recorded(file=file):
            return file.get(language) or next(iter(file.values()), "")
        case Music(name=name):
            return f"♪ {name}"
    return ""


def plain(template: str) -> str:
    """Return words as they are read, with the name of a value in place of its expression: `Chào ‹name›.`"""
    return " ".join(EXPRESSION.sub(lambda found: _named(found[1]), template).split())


def _named(expression: str) -> str:
    found = PATH.search(QUOTED.sub(" ", expression))
    before = " " if QUOTED.match(expression.strip()) and expression.strip()[1:2] == " " else ""
    return f"{before}‹{found[0].rpartition('.')[2]}›" if found else "…"


def _arrows(source: str, step: Step, language: str) -> list[Arrow]:
    """Join exits that lead to the same step, in the order of the first of each."""
    look = look_of(verb_of(step))
    ways: dict[str, list[Line]] = {}
    for name, target in exits(step):
        if target:
            end = f" end of {source}" if target == END else target
            ways.setdefault(end, []).append(Line(_label(step, name, language), name, is_failure(look, name)))
    bare = len(ways) == 1 and [line.name for line in next(iter(ways.values()))] == ["next"]
    return [_arrow(source, target, () if bare else lines, len(ways), lines) for target, lines in ways.items()]


def _label(step: Step, name: str, language: str) -> str:
    if isinstance(step, Menu) and name in step.choices:
        phrases = step.choices[name].phrases
        spoken = phrases.get(language) or next(iter(phrases.values()), ())
        return f"{name} {spoken[0]}" if spoken else name
    if isinstance(step, Split):
        return f"{name} {step.shares[name]} %"
    return " ".join(name.split())


def _arrow(source: str, target: str, lines: Sequence[Line], ways: int, all_lines: Sequence[Line]) -> Arrow:
    room = (196, 196, 150, 124, 108)[min(ways, 4)]
    shown = _packed(lines, room)
    wide = max((width(line.text, LABEL_PX) for line in shown), default=0)
    return Arrow(
        source=source,
        target=target,
        lines=tuple(shown),
        width=round(wide) + 2 * LABEL_PAD + 1 if shown else 0,
        height=len(shown) * LABEL_LINE + 4 if shown else 0,
        failure=all(line.failure for line in all_lines),
        told=", ".join(line.text for line in all_lines),
    )


def _packed(lines: Sequence[Line], room: int) -> list[Line]:
    """Return the lines of a label, none wider than `room`: names that are short share one, long ones are wrapped, and
    what is more than fits is cut."""
    packed: list[Line] = []
    for line in lines:
        last = packed[-1] if packed else None
        both = f"{last.text}, {line.text}" if last else ""
        if last and last.failure == line.failure and _short(last) and _short(line) and width(both, LABEL_PX) <= room:
            packed[-1] = Line(both, both, line.failure)
        else:
            packed.append(Line(line.text, line.name, line.failure))
    each = max(1, LABEL_LINES // 2 // max(len(packed), 1))
    wrapped = [Line(text, line.name, line.failure) for line in packed for text in wrap(line.text, LABEL_PX, room, each)]
    if len(wrapped) <= LABEL_LINES:
        return wrapped
    rest = wrapped[LABEL_LINES - 1 :]
    names = ", ".join(dict.fromkeys(line.name for line in rest))
    return [*wrapped[: LABEL_LINES - 1], Line(cut(names, LABEL_PX, room), "", all(line.failure for line in rest))]


def _short(line: Line) -> bool:
    """Say whether a line is names of exits alone, without phrases."""
    return line.text == line.name and " " not in line.text.replace(", ", "")
