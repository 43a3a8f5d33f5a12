"""HTML as plain text: what a reader would see, with quotations marked as in plain mail."""

import contextlib
from html import unescape
from html.parser import HTMLParser
from typing import Final

MAX_HTML: Final = 300_000

_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "div",
        "dl",
        "dt",
        "dd",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._quotation = 0
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's
        if tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self.end_line(blank=True)
        elif tag in _BLOCKS:
            self.end_line()
        elif tag in ("td", "th"):
            self._line.append(" ")
        if tag == "body":
            self._silent = 0  # a head that nobody closed
        self._quotation += tag == "blockquote"
        if tag == "li":
            self._line.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCKS:
            self.end_line()
        if tag == "p":
            self.end_line(blank=True)
        if tag == "blockquote":
            self._quotation = max(0, self._quotation - 1)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._line.append(data)

    def end_line(self, *, blank: bool = False) -> None:
        """Finish the line; an empty one counts only where it is meant (`blank`)."""
        text = " ".join("".join(self._line).split())
        self._line.clear()
        if text or blank:
            self.lines.append(("> " + text) if self._quotation else text)


def plain(html: str) -> str:
    """Return the text of HTML, which may be anything; what is inside a quotation begins with `> `."""
    reader = _Reader()
    # Not closed at the end: of what is never finished (a comment, a tag) nothing is shown, as browsers do, and trying
    # again behind every one of them takes quadratic time.
    with contextlib.suppress(AssertionError):  # it takes some nonsense for its own mistake
        reader.feed(html[:MAX_HTML].replace("<![", "<!-["))  # sections are XML's; Outlook writes them into HTML
    if "<" not in reader.rawdata:
        reader.handle_data(unescape(reader.rawdata))
    reader.end_line()
    return "\n".join(reader.lines)
