"""A chart and its layout become SVG.

Text is text, in the fonts of whoever looks. Colours are classes, once for light and once for dark; what they say is
also said by a pattern, so that the picture can be printed in black. Who hears the picture is told every step and every
arrow, in the order of the file.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from xml.sax.saxutils import escape

from ivr_flows.draw.chart import Arrow, Box, Chart
from ivr_flows.draw.compose import (
    CAPTION_PX,
    FORK,
    HEAD,
    LABEL_LINE,
    LABEL_PX,
    NAME_PX,
    PAD,
    TEXT_LINE,
    TEXT_PX,
)
from ivr_flows.draw.layout import Layout, Point, Rect, Wire

MARGIN: Final = 24
TITLE: Final = 40
LEGEND: Final = 36
ROUND: Final = 7
TITLE_PX: Final = 18
FONTS: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans','Liberation Sans',Arial,sans-serif"
UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot say."""

LIGHT: Final = 0
DARK: Final = 1
COLOURS: Final = {
    "page": ("#ffffff", "#0f172a"), "text": ("#0f172a", "#f8fafc"), "quiet": ("#475569", "#cbd5e1"),
    "way": ("#334155", "#cbd5e1"), "failing": ("#b91c1c", "#fca5a5"),
}  # fmt: skip
"""What is drawn, where it is light and where it is dark."""
TONES: Final = {
    "speak": (("#eff6ff", "#172554"), ("#1d4ed8", "#93c5fd")),
    "ask": (("#f5f3ff", "#2e1065"), ("#6d28d9", "#c4b5fd")),
    "decide": (("#fffbeb", "#451a03"), ("#b45309", "#fcd34d")),
    "person": (("#ecfdf5", "#022c22"), ("#047857", "#6ee7b7")),
    "fact": (("#f8fafc", "#1e293b"), ("#475569", "#cbd5e1")),
    "stop": (("#f3f4f6", "#111827"), ("#111827", "#f3f4f6")),
}
"""The inside and the edge of boxes, likewise."""
LEGENDS: Final = {
    "vi": ("lối đi", "khi hỏng", "cuộc gọi kết thúc"),
    "en": ("way on", "way on when something failed", "the call ends"),
}
PICTURE_OF: Final = {"vi": "Sơ đồ luồng {name}: {steps} bước.", "en": "Picture of the flow {name}: {steps} steps."}
GOES_TO: Final = {"vi": "{source}, {exits}: đến {target}", "en": "{source}, {exits}: to {target}"}


def svg(chart: Chart, layout: Layout) -> str:
    """Return the picture as a document of its own."""
    words = chart.language if chart.language in LEGENDS else "en"
    wide = max(layout.width, 360) + 2 * MARGIN
    high = layout.height + TITLE + LEGEND + 2 * MARGIN
    steps = sum(not box.name.startswith(" ") for box in chart.boxes)
    about = PICTURE_OF[words].format(name=chart.name, steps=steps)
    off = (wide - layout.width) // 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
        f' role="graphics-document document" lang={_quoted(chart.language)} aria-labelledby="title desc">',
        f'<title id="title">{_text(chart.title)}</title>',
        f'<desc id="desc">{_text(about)}</desc>',
        f"<style>{_style(chart.boxes)}</style>",
        f'<rect class="page" width="{wide}" height="{high}"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + TITLE_PX}" aria-hidden="true">{_text(chart.title)}'
        + (f' <tspan class="quiet">{_text(chart.name)}</tspan>' if chart.title != chart.name else "")
        + "</text>",
        f'<g transform="translate({off} {MARGIN + TITLE})">',
        *(line for wire in layout.wires for line in _wire(chart, wire, words)),
        *_joints(layout.wires),
        *_boxes(chart, layout, words),
        "</g>",
        *_legend(MARGIN, high - MARGIN, LEGENDS[words]),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return escape(UNPRINTABLE.sub("", text))


def _quoted(text: str) -> str:
    return f'"{escape(UNPRINTABLE.sub("", text), {chr(34): "&quot;", chr(10): "&#10;"})}"'


def _style(boxes: Sequence[Box]) -> str:
    """Return the style sheet: light, and dark where the reader asks for it. No variables: not every viewer has them."""
    tones = {box.look.tone for box in boxes}
    fixed = (
        f"text{{font-family:{FONTS};font-size:{TEXT_PX}px}}"
        f".title{{font-size:{TITLE_PX}px;font-weight:600}}.name{{font-size:{NAME_PX}px;font-weight:600}}"
        f".caption{{font-size:{CAPTION_PX}px}}.label{{font-size:{LABEL_PX}px;text-anchor:middle}}"
        ".mark{font-size:11px;font-weight:600;text-anchor:middle}"
        ".frame{stroke-width:1.5}.stopping{stroke-width:2.5}.icon{fill:none;stroke-width:1.3;"
        "stroke-linecap:round;stroke-linejoin:round}.way{fill:none;stroke-width:1.6;stroke-linejoin:round}"
        ".failing.way{stroke-dasharray:6 3}.failing.label{font-style:italic}.tag{stroke-width:0.75}"
        ".wire:hover .way{stroke-width:3.2}"
    )
    return f"{fixed}{_colours(LIGHT, tones)}@media (prefers-color-scheme:dark){{{_colours(DARK, tones)}}}"


def _colours(shade: int, used: AbstractSet[str]) -> str:
    page, text, quiet, way, failing = (COLOURS[name][shade] for name in ("page", "text", "quiet", "way", "failing"))
    rules = [
        f".page,.tag{{fill:{page}}}.title,.name,.words,.label{{fill:{text}}}.caption,.quiet{{fill:{quiet}}}",
        f".way,.tag{{stroke:{way}}}.head,.joint{{fill:{way}}}.label.failing,.head.failing,.joint.failing{{fill:{failing}}}",
        f".way.failing,.tag.failing{{stroke:{failing}}}.begin{{fill:{text};stroke:{text}}}.mark{{fill:{page}}}",
    ]
    for name, (inside, edge) in TONES.items():
        if name in used:
            fill, stroke = inside[shade], edge[shade]
            rules.append(f".{name} .frame{{fill:{fill};stroke:{stroke}}}.{name} .icon{{stroke:{stroke}}}")
            rules.append(f".{name} .core{{fill:{stroke}}}")
    return "".join(rules)


def _wire(chart: Chart, wire: Wire, words: str) -> Iterator[str]:
    failing = " failing" if wire.failure else ""
    yield f'<g class="wire" aria-hidden="true"><title>{_text(_told_wire(chart, wire, words))}</title>'
    yield f'<path class="way{failing}" d="{"".join(map(_path, wire.lines))}"/>'
    x, y = wire.tip
    yield f'<path class="head{failing}" d="M{x} {y}l-4.5-9h9z"/></g>'


def _told_wire(chart: Chart, wire: Wire, words: str) -> str:
    return "\n".join(_told(chart.arrows[number], words) for number in wire.arrows)


def _told(arrow: Arrow, words: str) -> str:
    """Say an arrow in words; marks and ends have names that begin with a space."""
    return GOES_TO[words].format(
        source=arrow.source.strip(), exits=arrow.told, target=arrow.target.strip().partition(" of ")[0]
    )


def _path(line: Sequence[Point]) -> str:
    """Return a polyline with round corners."""
    points = [point for index, point in enumerate(line) if not index or point != line[index - 1]]
    found = [f"M{points[0][0]} {points[0][1]}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        bend = min(ROUND, _far(before, here) // 2, _far(here, after) // 2)
        into, out = _toward(here, before, bend), _toward(here, after, bend)
        found.append(f"L{into[0]} {into[1]}Q{here[0]} {here[1]} {out[0]} {out[1]}")
    found.append(f"L{points[-1][0]} {points[-1][1]}")
    return "".join(found)


def _far(one: Point, other: Point) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _toward(here: Point, there: Point, by: int) -> Point:
    def step(one: int, other: int) -> int:
        return by * ((other > one) - (other < one))

    return here[0] + step(here[0], there[0]), here[1] + step(here[1], there[1])


def _joints(wires: Sequence[Wire]) -> Iterator[str]:
    for wire in wires:
        failing = " failing" if wire.failure else ""
        for x, y in dict.fromkeys(wire.joints):
            yield f'<circle class="joint{failing}" cx="{x}" cy="{y}" r="2.5" aria-hidden="true"/>'


def _boxes(chart: Chart, layout: Layout, words: str) -> Iterator[str]:
    """Draw each box with the labels of its exits, in the order of the file."""
    leaving: dict[str, list[int]] = {}
    for number, arrow in enumerate(chart.arrows):
        leaving.setdefault(arrow.source, []).append(number)
    for box, rect in zip(chart.boxes, layout.boxes, strict=True):
        own = leaving.get(box.name, [])
        told = [box.told, *(_told(chart.arrows[number], words) for number in own)]
        if box.name.startswith(" ") and not own:
            told = []
        heard = f'role="graphics-object" aria-label={_quoted(". ".join(told))}' if told else 'aria-hidden="true"'
        yield f'<g class="{box.look.tone}" {heard}>'
        yield from _frame(box, rect)
        for number in own:
            place = layout.labels[number]
            if place is not None:
                yield from _label(chart.arrows[number], place)
        yield "</g>"


def _frame(box: Box, rect: Rect) -> Iterator[str]:
    middle = rect.x + rect.width // 2
    if box.look.shape == "mark":
        yield _round(rect, "begin", rect.height // 2)
        yield f'<text class="mark" x="{middle}" y="{rect.y + 16}">{_text(box.title)}</text>'
        return
    if box.look.shape == "end":
        centre = f'cx="{middle}" cy="{rect.y + rect.height // 2}"'
        yield f'<circle class="frame" {centre} r="{rect.height // 2 - 1}"/>'
        yield f'<circle class="core" {centre} r="{rect.height // 2 - 6}"/>'
        return
    yield f"<title>{_text(box.told)}</title>"
    if box.look.shape == "fork":
        yield _fork(rect)
    else:
        stop = box.look.shape == "stop"
        yield _round(rect, "frame stopping" if stop else "frame", min(rect.height // 2, 22) if stop else 6)
    if box.doubled:
        yield _round(Rect(rect.x + 4, rect.y + 4, rect.width - 8, rect.height - 8), "frame", 3)
    yield from _inside(box, rect)


def _round(rect: Rect, kind: str, radius: int) -> str:
    size = f'width="{rect.width}" height="{rect.height}" rx="{radius}"'
    return f'<rect class="{kind}" x="{rect.x}" y="{rect.y}" {size}/>'


def _fork(rect: Rect) -> str:
    left, right, top, bottom = rect.x, rect.right, rect.y, rect.bottom
    middle = top + rect.height // 2
    return (
        f'<path class="frame" d="M{left + FORK} {top}H{right - FORK}L{right} {middle}'
        f'L{right - FORK} {bottom}H{left + FORK}L{left} {middle}z"/>'
    )


def _inside(box: Box, rect: Rect) -> Iterator[str]:
    x = rect.x + PAD + (FORK if box.look.shape == "fork" else 0)
    y = rect.y
    yield f'<path class="icon" transform="translate({x - 2} {y + 8})" d="{box.look.icon}"/>'
    yield f'<text class="name" x="{x + 20}" y="{y + 20}">{_text(box.title)}</text>'
    yield f'<text class="caption" x="{x + 20}" y="{y + 35}">{_text(box.caption)}</text>'
    for index, line in enumerate(box.text):
        yield f'<text class="words" x="{x}" y="{y + HEAD + 11 + index * TEXT_LINE}">{_text(line)}</text>'


def _label(arrow: Arrow, place: Rect) -> Iterator[str]:
    failing = " failing" if arrow.failure else ""
    yield _round(place, f"tag{failing}", 4)
    x = place.x + place.width // 2
    for index, line in enumerate(arrow.lines):
        own = " failing" if line.failure else ""
        yield f'<text class="label{own}" x="{x}" y="{place.y + 13 + index * LABEL_LINE}">{_text(line.text)}</text>'


def _legend(x: int, y: int, words: tuple[str, str, str]) -> Iterator[str]:
    """Say at the bottom what the two kinds of lines and the ring mean."""
    yield '<g class="stop" aria-hidden="true">'
    ways = (("", words[0], 0), (" failing", words[1], 40 + 7 * len(words[0]) + 16))
    for kind, word, off in ways:
        yield f'<path class="way{kind}" d="M{x + off} {y - 4}h28"/>'
        yield f'<text class="caption" x="{x + off + 34}" y="{y}">{word}</text>'
    off = ways[1][2] + 40 + 7 * len(words[1]) + 16
    yield f'<circle class="frame" cx="{x + off + 8}" cy="{y - 4}" r="7"/>'
    yield f'<circle class="core" cx="{x + off + 8}" cy="{y - 4}" r="3"/>'
    yield f'<text class="caption" x="{x + off + 22}" y="{y}">{words[2]}</text></g>'
