"""The rules of RFC 3264 (and of RFC 4568 for keys), looked up in the text of an offer and of its answer.

Written from the RFCs and for the tests: it shares no code with `telephony.sdp`, so that a mistake there is not made
here again.
"""

import re
from dataclasses import dataclass, field

DIRECTIONS = {
    "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"},
    "sendonly": {"recvonly", "inactive"},
    "recvonly": {"sendonly", "inactive"},
    "inactive": {"inactive"},
}
STATIC = {"0": "pcmu/8000", "8": "pcma/8000"}


@dataclass
class Stream:
    """An `m=` section."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    lines: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [line[len(name) + 3 :] for line in self.lines if line.startswith(f"a={name}:")]

    def encoding(self, number: str) -> str:
        maps = [value.split(maxsplit=1) for value in self.values("rtpmap")]
        named = [one[1].lower() for one in maps if len(one) == 2 and one[0] == number]
        return named[0].removesuffix("/1") if named else STATIC.get(number, "")


@dataclass
class Description:
    head: list[str]
    streams: list[Stream]

    def line(self, letter: str) -> str:
        return next((line[2:] for line in self.head if line.startswith(f"{letter}=")), "")

    def direction(self, stream: Stream) -> str:
        for lines in (stream.lines, self.head):
            for line in lines:
                if line.removeprefix("a=") in DIRECTIONS:
                    return line.removeprefix("a=")
        return "sendrecv"

    def address(self, stream: Stream) -> str:
        own = [line for line in (*stream.lines, *self.head) if line.startswith("c=")]
        return own[0].split()[2] if own else ""


def read(text: str) -> Description:
    found = Description([], [])
    for line in text.split("\r\n" if "\r\n" in text else "\n"):
        if line.startswith("m="):
            kind, port, protocol, *formats = line[2:].split()
            found.streams.append(Stream(kind, int(port.split("/")[0]), protocol, formats))
        elif line:
            (found.streams[-1].lines if found.streams else found.head).append(line)
    return found


def version(text: str) -> int:
    return int(read(text).line("o").split()[2])


def check_answer(offer_text: str, answer_text: str) -> None:
    """Fail where an answer is not one to that offer."""
    offer, answer = read(offer_text), read(answer_text)
    # Section 6: "there MUST be a corresponding m= line in the answer"; "exactly the same number of m= lines".
    assert len(answer.streams) == len(offer.streams)
    assert [each.kind for each in answer.streams] == [each.kind for each in offer.streams]
    # "The t= line in the answer MUST equal that of the offer."
    assert answer.line("t") == (offer.line("t") or "0 0")
    assert re.fullmatch(r"\S+ \d+ \d+ IN IP[46] \S+", answer.line("o"))
    for theirs, ours in zip(offer.streams, answer.streams, strict=True):
        # RFC 8866: the transport of an answered stream is that of the offer.
        assert ours.protocol == theirs.protocol
        assert ours.formats, "an m= line needs a format"
        if theirs.port == 0:
            assert ours.port == 0, "what is offered with port 0 stays so"
        if ours.port:
            _check_stream(offer, theirs, answer, ours)


def _check_stream(offer: Description, theirs: Stream, answer: Description, ours: Stream) -> None:
    said = offer.direction(theirs)
    if offer.address(theirs) in ("0.0.0.0", "::"):  # section 8.4: they do not receive
        said = {"sendrecv": "sendonly", "recvonly": "inactive"}.get(said, said)
    assert answer.direction(ours) in DIRECTIONS[said], (said, answer.direction(ours))
    # Section 6.1: at least one codec of the offer, and a number means the same on both sides.
    for number in ours.formats:
        assert number in theirs.formats
        assert ours.encoding(number) == theirs.encoding(number) != "", number
    assert any("telephone-event" not in ours.encoding(number) for number in ours.formats)
    assert answer.address(ours)
    _check_keys(theirs, ours)


def _check_keys(theirs: Stream, ours: Stream) -> None:
    offered = [line.split() for line in theirs.values("crypto") if len(line.split()) > 2]
    answered = [line.split() for line in ours.values("crypto")]
    # RFC 4568 section 5.1.2: exactly one, with tag and suite of an offered one, and a key of our own.
    assert len(answered) <= 1
    if ours.protocol in ("RTP/SAVP", "RTP/SAVPF"):
        assert len(answered) == 1
    for tag, suite, key, *session in answered:
        (line,) = [each for each in offered if each[0] == tag and each[1] == suite][:1]
        assert line[2].split("|")[0] != key.split("|")[0]
        assert not session


def check_next(before_text: str, after_text: str) -> None:
    """Fail where a description cannot follow an earlier one of the same side (section 8)."""
    before, after = read(before_text), read(after_text)
    assert len(after.streams) >= len(before.streams)
    name, session, number, *rest = before.line("o").split()
    name_, session_, number_, *rest_ = after.line("o").split()
    assert (name, session, rest) == (name_, session_, rest_)
    same = _without_version(before_text) == _without_version(after_text)
    assert int(number_) - int(number) == (0 if same else 1), "o= rises by one with a change, and with nothing else"


def _without_version(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("o=")]
