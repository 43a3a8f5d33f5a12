"""The grammar of RFC 3261 section 25 as a generator: what a message means, and every way to spell it.

`messages` draws a meaning (fields and their values) and a spelling of it: compact names, any case, folded lines,
several values in a line or a line each, white space wherever it may be, quotes, escapes, IPv6, UTF-8, octets
that are none. Reading any spelling gives the meaning, and what is written of it reads as the same.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.headers import COMPACT, quote
from telephony.sip.message import Request, Response, Via, parse_datagram, parse_via
from telephony.sip.uri import NameAddr, Uri, parse_name_addr

Draw = st.DrawFn

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
LOWER = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=8)
HOSTS = st.sampled_from(
    ["example.com", "h", "192.0.2.7", "[2001:db8::9:1]", "[::ffff:192.0.2.1]", "under_score.example"]
)
PORTS = st.none() | st.integers(1, 65535)
# What a line may hold: any octet but the ends of lines, and NUL. Octets that are no UTF-8 are read as surrogates.
OCTETS = st.binary(max_size=12).map(
    lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"").decode("utf-8", "surrogateescape")
)
TEXTS = OCTETS | st.sampled_from(["", "Nguyễn Thị Lan", 'a "quoted" \\ name', "semi;colon, comma <angle>", "=?%41"])
PARAMS = st.lists(st.tuples(LOWER, st.none() | TOKENS | TEXTS), max_size=4, unique_by=lambda pair: pair[0]).map(tuple)
URI_PARAMS = st.lists(st.tuples(LOWER, st.none() | TOKENS), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
URIS = st.builds(
    Uri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=TEXTS.filter(bool),
    host=HOSTS,
    port=PORTS,
    params=URI_PARAMS,
    headers=st.sampled_from(["", "Route=%3Csip:a%3E", "subject=a%20b&priority=urgent"]),
    password=st.sampled_from(["", "secret", "p:w@d"]),
)
NAMES = st.sampled_from(["", "Lan", "J Rosenberg"]) | TEXTS.map(str.strip)
PARTIES = st.builds(NameAddr, URIS, NAMES, PARAMS)
VIAS = st.builds(
    Via,
    st.sampled_from(["UDP", "TCP", "TLS", "WS", "SCTP", "X-1"]),
    HOSTS,
    PORTS,
    st.lists(st.tuples(LOWER, st.none() | TOKENS), max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
)
GAPS = st.sampled_from(["", " ", "\t", "  ", "\r\n ", " \r\n\t "])
SPACES = st.sampled_from([" ", "\t", "  ", "\r\n ", " \r\n\t "])
LETTERS = {name: letter for letter, name in COMPACT.items()}


@dataclass
class Meant:
    """A message, as what it means and as one way to write it."""

    data: bytes
    request: tuple[str, Uri] | None
    status: tuple[int, str] | None
    vias: list[Via]
    sender: NameAddr
    to: NameAddr
    call_id: str
    cseq: int
    method: str
    contacts: list[NameAddr]
    others: dict[str, str]
    body: bytes


def spell_params(draw: Draw, params: tuple[tuple[str, str | None], ...]) -> str:
    """Write parameters, with white space around `;` and `=`, tokens in quotes now and then."""
    text = ""
    for name, value in params:
        text += f"{draw(GAPS)};{draw(GAPS)}{spell_case(draw, name)}"
        if value is not None:
            plain = value != "" and all(sign.isascii() and (sign.isalnum() or sign in "-.!%*_+`'~") for sign in value)
            text += f"{draw(GAPS)}={draw(GAPS)}"
            text += value if plain and draw(st.booleans()) else spell_quoted(draw, value)
    return text


def spell_quoted(draw: Draw, text: str) -> str:
    """Write a quoted-string; any ASCII sign may be escaped, not only those that must be."""
    if draw(st.booleans()):
        return quote(text)
    return (
        '"'
        + "".join(f"\\{sign}" if sign in '"\\' or (sign.isalpha() and sign.isascii()) else sign for sign in text)
        + '"'
    )


def spell_case(draw: Draw, name: str) -> str:
    return draw(st.sampled_from([name, name.upper(), name.title()]))


def spell_party(draw: Draw, party: NameAddr) -> str:
    """Write a name-addr, or an addr-spec where nothing in the URI would be taken for the header's."""
    uri = party.uri.write()
    bare = not party.display_name and not party.uri.params and not any(sign in uri for sign in "?,;")
    if bare and draw(st.booleans()):
        return uri + spell_params(draw, party.params)
    name = ""
    if party.display_name:
        words = party.display_name.split(" ")
        tokens = all(word and all(s.isascii() and (s.isalnum() or s in "-.!%*_+`'~") for s in word) for word in words)
        name = party.display_name if tokens and draw(st.booleans()) else spell_quoted(draw, party.display_name)
        name += draw(GAPS)
    return f"{name}<{uri}>{spell_params(draw, party.params)}"


def spell_via(draw: Draw, via: Via) -> str:
    slash = f"{draw(GAPS)}/{draw(GAPS)}"
    port = "" if via.port is None else f"{draw(GAPS)}:{draw(GAPS)}{via.port}"
    return f"SIP{slash}2.0{slash}{via.transport}{draw(SPACES)}{via.host}{port}{spell_params(draw, via.params)}"


def spell_lines(draw: Draw, name: str, values: list[str]) -> list[str]:
    """Write the values of a field, in one line or in several, under one of its names."""
    lines: list[str] = []
    while values:
        count = draw(st.integers(1, len(values)))
        here, values = values[:count], values[count:]
        known = draw(st.sampled_from([name, LETTERS.get(name, name)]))
        lines.append(
            f"{spell_case(draw, known)}{draw(st.sampled_from(['', ' ', chr(9)]))}:{draw(GAPS)}"
            + f"{draw(GAPS)},{draw(GAPS)}".join(here)
        )
    return lines


@st.composite
def messages(draw: Draw) -> Meant:
    """Draw a message."""
    method, is_request = draw(TOKENS), draw(st.booleans())
    uri = draw(URIS)
    status, reason = draw(st.integers(100, 699)), draw(TEXTS)
    vias, sender, to = draw(st.lists(VIAS, min_size=1, max_size=3)), draw(PARTIES), draw(PARTIES)
    call_id, cseq = draw(TOKENS), draw(st.integers(0, 2**31 - 1))
    contacts = draw(st.lists(PARTIES, max_size=3))
    others = draw(st.dictionaries(LOWER.map(lambda name: f"x-{name}"), TEXTS.map(str.strip), max_size=3))
    body = draw(st.binary(max_size=30))
    fields = [
        spell_lines(draw, "via", [spell_via(draw, via) for via in vias]),
        spell_lines(draw, "from", [spell_party(draw, sender)]),
        spell_lines(draw, "to", [spell_party(draw, to)]),
        spell_lines(draw, "call-id", [call_id]),
        spell_lines(draw, "cseq", [f"{'0' * draw(st.integers(0, 10 - len(str(cseq))))}{cseq}{draw(SPACES)}{method}"]),
        spell_lines(draw, "contact", [spell_party(draw, contact) for contact in contacts]),
        *(spell_lines(draw, name, [value]) for name, value in others.items()),
        spell_lines(draw, "content-length", [str(len(body))]) if draw(st.booleans()) else [],
    ]
    start = f"{method} {uri.write()} SIP/2.0" if is_request else f"SIP/2.0 {status} {reason}"
    head = "\r\n".join([start, *(line for lines in draw(st.permutations(fields)) for line in lines)])
    return Meant(
        head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body,
        (method, uri) if is_request else None,
        None if is_request else (status, reason),
        vias,
        sender,
        to,
        call_id,
        cseq,
        method,
        contacts,
        others,
        body,
    )


@settings(max_examples=100, deadline=None)
@given(messages())
def test_every_spelling_is_read_as_it_is_meant(meant: Meant) -> None:
    message = parse_datagram(meant.data)
    if isinstance(message, Request):
        assert (message.method, message.uri) == meant.request
    else:
        assert (message.status, message.reason) == meant.status
    assert [parse_via(value) for value in message.headers.values("via")] == meant.vias
    assert (message.via, message.from_, message.to) == (meant.vias[0], meant.sender, meant.to)
    assert (message.call_id, message.cseq.number, message.cseq.method) == (meant.call_id, meant.cseq, meant.method)
    assert [parse_name_addr(value) for value in message.headers.values("contact")] == meant.contacts
    for name, value in meant.others.items():
        assert message.headers.get(name) == value
    assert message.body == meant.body
    assert_writing_reads_as_the_same(message, meant.body)


def assert_writing_reads_as_the_same(message: Request | Response, body: bytes) -> None:
    """What is written is the same message, and is written the same again."""
    written = message.write()
    again = parse_datagram(written)
    assert type(again) is type(message)
    assert again.start_line == message.start_line
    assert isinstance(again, Request | Response)
    for each in (message, again):
        each.headers.set("content-length", str(len(body)))
    assert again.headers == message.headers
    assert again.body == message.body == body
    assert again.write() == written


@given(VIAS)
def test_a_via_that_is_written_reads_as_the_same(via: Via) -> None:
    assert parse_via(via.write()) == via


@given(PARTIES)
def test_a_party_that_is_written_reads_as_the_same(party: NameAddr) -> None:
    assert parse_name_addr(party.write()) == party
