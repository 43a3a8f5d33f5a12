"""What the writer of an e-mail wrote, without what they answer and without their signature.

Clients mark a quotation in their own ways, in the language of their user: Vietnamese and English here. Line by line;
every rule looks at a few lines and a bounded length of each.
"""

import re
from typing import Final

_LONGEST_LINE: Final = 400
_ATTRIBUTION_LINES: Final = 3
_HEADER_LINES: Final = 6

_OPENING = re.compile(r"(?:On|Vào|Ngày|Lúc|Trong)\b", re.IGNORECASE)
# Gmail, Apple Mail, Thunderbird, Yahoo: `On 16 Nov 2026, at 10:00, An <an@…> wrote:`, `Vào … An <an@…> đã viết:`
_ATTRIBUTION = re.compile(r"(?=.*\d).*\b(?:wrote|đã viết|viết)\s?:", re.IGNORECASE)
_DATED = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d\b.*<[^<>\s]+@[^<>\s]+>\s?:")
# Outlook repeats the header of what it answers.
_FROM = re.compile(r"[*_\s]*(?:From|Từ|Người gửi)\s?:", re.IGNORECASE)
_OTHER_FIELD = re.compile(
    r"[*_\s]*(?:Sent|Date|To|Cc|Subject|Đã gửi|Ngày gửi|Gửi|Ngày|Đến|Tới|Người nhận|Chủ đề|Tiêu đề)\s?:", re.IGNORECASE
)
_ORIGINAL = re.compile(r"-{2,}\s*(?:Original Message|Tin nhắn gốc|Thư gốc|Thư ban đầu)\s*-{2,}", re.IGNORECASE)
_PASSED_ON = re.compile(
    r"-{2,}\s*(?:Forwarded message|Thư đã chuyển tiếp|Thư được chuyển tiếp|Tin nhắn đã chuyển tiếp)\s*-{2,}"
    r"|Begin forwarded message\s?:|Bắt đầu thư được chuyển tiếp\s?:",
    re.IGNORECASE,
)
_RULE = re.compile(r"_{10,}")
_SIGNATURE: Final = "--"
_SENT_FROM = re.compile(
    r"(?:Sent from (?:my |Yahoo |Mail |Outlook|Gmail|Samsung)|Sent with |Get Outlook for |"
    r"(?:Được|Đã) gửi từ |Gửi từ (?:iPhone|iPad|điện thoại|Yahoo|Samsung|Outlook)|"
    r"Tải Outlook cho |Tải xuống Outlook).{0,80}",
    re.IGNORECASE,
)
_ANSWER_MARKS = re.compile(
    r"(?:\s*(?:re|fw|fwd|tl|ct|aw|trả lời|chuyển tiếp)\s?(?:\[\d{1,3}\])?\s?:)+\s*", re.IGNORECASE
)


def own_words(text: str) -> str:
    """Return what the writer added. Where nothing is left (a mail that only passes something on) it is all of it."""
    lines = [each.rstrip() for each in text.split("\n")]
    return _tidy(_without_signature(_without_quotations(lines))) or _tidy(lines)


def matter(subject: str) -> str:
    """Return a subject without the marks of answering and passing on: `Re: TL: Đơn 7` is `Đơn 7`."""
    marks = _ANSWER_MARKS.match(subject)
    return subject[marks.end() :] if marks else subject


def _without_quotations(lines: list[str]) -> list[str]:
    kept: list[str] = []
    place = 0
    while place < len(lines):
        if _PASSED_ON.match(lines[place]):
            return kept + lines[place:]  # what is passed on is what they mean to show
        if _begins_a_header(lines, place):
            return kept
        length = _attribution(lines, place)
        if length:
            place = _next_written(lines, place + length)
            if place == len(lines) or not lines[place].startswith(">"):
                return kept  # an unmarked quotation: nobody can say where it ends
        elif lines[place].startswith(">"):
            place += 1  # they may go on below, point by point
        else:
            kept.append(lines[place])
            place += 1
    return kept


def _attribution(lines: list[str], place: int) -> int:
    """Return how many lines say who wrote what follows; clients wrap long ones."""
    if len(lines[place]) <= _LONGEST_LINE and _DATED.fullmatch(lines[place]):
        return 1
    if not _OPENING.match(lines[place]):
        return 0
    for length in range(1, _ATTRIBUTION_LINES + 1):
        together = " ".join(lines[place : place + length])
        if len(together) <= _LONGEST_LINE and _ATTRIBUTION.fullmatch(together):
            return length
    return 0


def _begins_a_header(lines: list[str], place: int) -> bool:
    if _ORIGINAL.fullmatch(lines[place]):
        return True
    if _RULE.fullmatch(lines[place]):
        place = _next_written(lines, place + 1, within=_HEADER_LINES)
        return place < len(lines) and _begins_a_header_of_fields(lines, place)
    return _begins_a_header_of_fields(lines, place)


def _begins_a_header_of_fields(lines: list[str], place: int) -> bool:
    if not _FROM.match(lines[place]):
        return False
    below = lines[place + 1 : place + 1 + _HEADER_LINES]
    return sum(_OTHER_FIELD.match(each) is not None for each in below) >= 2


def _next_written(lines: list[str], place: int, within: int | None = None) -> int:
    end = len(lines) if within is None else min(len(lines), place + within)
    while place < end and not lines[place]:
        place += 1
    return place


def _without_signature(lines: list[str]) -> list[str]:
    if _SIGNATURE in lines:  # RFC 3676 section 4.3; its space is often lost on the way
        lines = lines[: lines.index(_SIGNATURE)]
    end = len(lines)
    while end and (not lines[end - 1] or _SENT_FROM.fullmatch(lines[end - 1])):
        end -= 1
    return lines[:end]


def _tidy(lines: list[str]) -> str:
    """Return lines as text, with one blank line at most between two written ones."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
