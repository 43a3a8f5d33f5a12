"""The torture messages of RFC 4475, all 49, with the answer that each must get from an endpoint, and why.

The files of `tests/data/torture` hold the RFC's octets under the names that its archive gives them (appendix A). A file
without a row here fails `test_torture`, and so does a row without its file. The endpoint is a user agent and registrar
that nobody of these is known to; what its registrar says once the right credentials are there is in `registered`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telephony.sip.message import parse_via
from telephony.sip.uri import parse_name_addr

FILES = Path(__file__).parents[2] / "data" / "torture"
COUNT = 49
SILENCE = 0


@dataclass(frozen=True)
class Row:
    """What a file must get: `answer` is the status, or SILENCE; `accepted` says whether the call is told to the
    switchboard. `fields` are what is asked of the message as it was read, with what it must say; none for a message
    that must not be read. `registered` is the status once it carries credentials."""

    section: str
    answer: int
    why: str
    accepted: bool = False
    fields: tuple[tuple[Callable[[Any], object], object], ...] = ()
    reason: str = ""
    registered: int = 0


def read(name: str) -> bytes:
    """Return the octets of a file."""
    return (FILES / f"{name}.dat").read_bytes()


ROWS: dict[str, Row] = {
    # Section 3.1.1: valid messages
    "wsinv": Row(
        "3.1.1.1",
        481,
        "well formed, however folded; its To tag names a dialog that there is not (RFC 3261 section 12.2.2)",
        fields=(
            (lambda m: m.to.tag, "1918181833n"),
            (lambda m: m.from_.display_name, 'J Rosenberg \\"'),
            (lambda m: m.from_.tag, "98asjd8"),
            (lambda m: m.cseq.number, 9),
            (lambda m: m.headers.get("max-forwards"), "0068"),
            (lambda m: m.headers.get("subject"), ""),
            (lambda m: m.headers.get("newfangledheader"), "newfangled value continued newfangled value"),
            (lambda m: m.headers.get("unknownheaderwithunusualvalue"), ";;,,;;,;"),
            (
                lambda m: [parse_via(v).host for v in m.headers.values("via")],
                [
                    "192.0.2.2",
                    "spindle.example.com",
                    "192.168.255.111",
                ],
            ),
            (
                lambda m: [parse_via(v).branch for v in m.headers.values("via")],
                ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"],
            ),
            (lambda m: parse_name_addr(m.headers.get("contact")).display_name, 'Quoted string ""'),
            (
                lambda m: parse_name_addr(m.headers.get("contact")).params,
                (
                    ("newparam", "newvalue"),
                    ("secondparam", None),
                    ("q", "0.33"),
                ),
            ),
            (
                lambda m: parse_name_addr(m.headers.get("route")).uri.params,
                (
                    ("lr", None),
                    ("unknownwith", "value"),
                    ("unknown-no-value", None),
                ),
            ),
            (lambda m: len(m.body), 150),
        ),
    ),
    "intmeth": Row(
        "3.1.1.2",
        501,
        "every sign that the grammar allows is read; the method is nobody's (RFC 3261 section 21.5.2)",
        fields=(
            (lambda m: m.method, "!interesting-Method0123456789_*+`.%indeed'~"),
            (lambda m: m.uri.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"),
            (lambda m: m.uri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"),
            (lambda m: m.uri.host, "example.com"),
            (lambda m: m.to.display_name, "BEL:\x07 NUL:\x00 DEL:\x7f"),
            (lambda m: m.from_.display_name, "token1~` token2'+_ token3*%!.-"),
            (lambda m: m.from_.params, (("fromparam''~+*_!.-%", "работающий"), ("tag", "_token~1'+`*%!-."))),
            (lambda m: m.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"),
            (lambda m: m.headers.get("extensionheader-!.%*+_`'~"), "\ufeff大停電"),
        ),
    ),
    "esc01": Row(
        "3.1.1.3",
        100,
        "escapes are undone where they are parsed, and not before: the user is not a URI of its own",
        accepted=True,
        fields=(
            (lambda m: m.uri.user, "sips:user@example.com"),
            (lambda m: m.uri.host, "example.net"),
            (lambda m: m.to.uri.user, "user"),
            (lambda m: m.from_.uri.user, "I have spaces"),
            (lambda m: parse_name_addr(m.headers.get("contact")).uri.user, "caller"),
        ),
    ),
    "escnull": Row(
        "3.1.1.4",
        401,
        "%00 is an octet like any other; whoever registers has to prove who he is (section 10.3)",
        registered=200,
        fields=(
            (lambda m: m.to.uri.user, "null-\x00-null"),
            (lambda m: [parse_name_addr(c).uri.user for c in m.headers.values("contact")], ["\x00", "\x00\x00"]),
        ),
    ),
    "esc02": Row(
        "3.1.1.5",
        501,
        "RE%47IST%45R is not REGISTER, nor C%6Fntact a Contact, nor %Z%45 an escape in a display name",
        fields=(
            (lambda m: m.method, "RE%47IST%45R"),
            (lambda m: m.to.display_name, "%Z%45"),
            (lambda m: m.via.branch, "z9hG4bK209%fzsnel234"),
            (lambda m: len(m.headers.values("contact")), 2),
            (lambda m: "c%6fntact" in m.headers, True),
        ),
    ),
    "lwsdisp": Row(
        "3.1.1.6",
        200,
        "no white space is needed between a display name and its <",
        fields=(
            (lambda m: m.from_.display_name, "caller"),
            (lambda m: m.from_.uri.user, "caller"),
        ),
    ),
    "longreq": Row(
        "3.1.1.7",
        100,
        "long names and values are no fault; without a branch with the cookie it is matched as RFC 2543 was",
        accepted=True,
        fields=(
            (lambda m: len(m.headers.values("via")), 34),
            (lambda m: m.via.host, "sip33.example.com"),
            (lambda m: m.from_.tag, "12" + "982" * 50 + "424"),
            (lambda m: m.to.uri.port, 6000),
            (lambda m: len(m.to.uri.params), 3),
            (lambda m: m.call_id, "longreq.one" + "really" * 20 + "longcallid"),
        ),
    ),
    "dblreq": Row(
        "3.1.1.8",
        401,
        "what follows the first message in a datagram is dropped, by its Content-Length (RFC 3261 section 18.3)",
        registered=200,
        fields=(
            (lambda m: m.method, "REGISTER"),
            (lambda m: m.call_id, "dblreq.0ha0isndaksdj99sdfafnl3lk233412"),
            (lambda m: m.body, b""),
        ),
    ),
    "semiuri": Row(
        "3.1.1.9",
        200,
        "a semicolon before the @ belongs to the user, not to the URI",
        fields=(
            (lambda m: m.uri.user, "user;par=u@example.net"),
            (lambda m: m.uri.params, ()),
            (lambda m: len(m.headers.values("accept")), 6),
        ),
    ),
    "transports": Row(
        "3.1.1.10",
        200,
        "a transport that nobody knows is a token like any other",
        fields=(
            (
                lambda m: [parse_via(v).transport for v in m.headers.values("via")],
                ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"],
            ),
            (lambda m: m.call_id, "transports.kijh4akdnaqjkwendsasfdj"),
        ),
    ),
    "mpart01": Row(
        "3.1.1.11",
        415,
        "a body may hold any octets, NUL and CRLF among them; as a text we take text/plain and text/html alone",
        fields=(
            (lambda m: len(m.body), 553),
            (lambda m: m.body.count(b"\x00"), 2),
            (lambda m: m.method, "MESSAGE"),
        ),
    ),
    "unreason": Row(
        "3.1.1.12",
        SILENCE,
        "a reason phrase in UTF-8; a response that no request of ours asked for is dropped (section 17.1.3)",
        fields=(
            (lambda m: m.status, 200),
            (lambda m: m.reason, "= 2**3 * 5**2 но сто девяносто девять - простое"),
        ),
    ),
    "noreason": Row(
        "3.1.1.13",
        SILENCE,
        "a reason phrase may be empty; likewise",
        fields=(
            (lambda m: m.status, 100),
            (lambda m: m.reason, ""),
        ),
    ),
    # Section 3.1.2: invalid messages
    "badinv01": Row("3.1.2.1", 400, "commas and semicolons in Via without anything between", reason="Malformed Via"),
    "clerr": Row(
        "3.1.2.2", 400, "a datagram that ends before its body does", reason="Content-Length Beyond The Datagram"
    ),
    "ncl": Row("3.1.2.3", 400, "a negative Content-Length", reason="Malformed Content-Length"),
    "scalar02": Row(
        "3.1.2.4", 400, "CSeq, Max-Forwards and Expires beyond their bounds", reason="Malformed Max-Forwards"
    ),
    "scalarlg": Row("3.1.2.5", SILENCE, "a response with a CSeq out of bounds is dropped", reason="Malformed CSeq"),
    "quotbal": Row("3.1.2.6", 400, "a quoted string that does not end", reason="Malformed To"),
    "ltgtruri": Row("3.1.2.7", 400, "a Request-URI in angle brackets", reason="Malformed Request-URI"),
    "lwsruri": Row("3.1.2.8", 400, "white space in the Request-URI", reason="Malformed Request-URI"),
    "lwsstart": Row("3.1.2.9", 400, "more than one space in the Request-Line", reason="Malformed Request-Line"),
    "trws": Row("3.1.2.10", 400, "spaces after the version", reason="Malformed Request-Line"),
    "escruri": Row(
        "3.1.2.11",
        100,
        "headers have no place in a Request-URI; the RFC lets us be liberal, and we ignore them",
        accepted=True,
        fields=(
            (lambda m: m.uri.user, "user"),
            (lambda m: m.uri.host, "example.com"),
            (lambda m: "route" in m.headers, False),
        ),
    ),
    "baddate": Row(
        "3.1.2.12",
        100,
        "a Date that is none: a field that we have no use for cannot break a call",
        accepted=True,
        fields=((lambda m: m.headers.get("date"), "Fri, 01 Jan 2010 16:00:00 EST"),),
    ),
    "regbadct": Row(
        "3.1.2.13",
        401,
        "first of all it has to prove who it is; its Contact needs < and >, which 400 then says",
        registered=400,
        fields=((lambda m: m.to.uri.user, "user"),),
    ),
    "badaspec": Row(
        "3.1.2.14",
        200,
        "spaces between the brackets and their URI: the RFC lets us be liberal, for nothing is ambiguous",
        fields=(
            (lambda m: m.to.uri.user, "t.watson"),
            (lambda m: m.to.display_name, "Watson, Thomas"),
        ),
    ),
    "baddn": Row("3.1.2.15", 400, "a display name that needs quotes", reason="Malformed From"),
    "badvers": Row("3.1.2.16", 505, "a version that we do not speak", reason="Version Not Supported"),
    "mismatch01": Row("3.1.2.17", 400, "the method is not that of CSeq", reason="CSeq Method Does Not Match"),
    "mismatch02": Row("3.1.2.18", 400, "likewise, of a method unknown", reason="CSeq Method Does Not Match"),
    "bigcode": Row("3.1.2.19", SILENCE, "a response whose status is no status is dropped", reason="Not SIP"),
    # Section 3.2: transaction layer semantics
    "badbranch": Row(
        "3.2.1",
        200,
        "a branch of the magic cookie alone names no transaction: it is matched as RFC 2543 was",
        fields=((lambda m: m.via.branch, "z9hG4bK"),),
    ),
    # Section 3.3: application layer semantics
    "insuf": Row("3.3.1", 400, "neither From nor To nor Call-ID: what there is, is answered", reason="Missing From"),
    "unkscm": Row(
        "3.3.2",
        416,
        "a Request-URI of a scheme that nobody knows",
        fields=(
            (lambda m: m.uri.scheme, "nobodyknowsthisscheme"),
            (lambda m: m.uri.opaque, "totallyopaquecontent"),
        ),
    ),
    "novelsc": Row("3.3.3", 416, "a scheme that SIP has no use for", fields=((lambda m: m.uri.scheme, "soap.beep"),)),
    "unksm2": Row(
        "3.3.4",
        401,
        "schemes of To, From and Contact are not a parser's business; then its Contact has to be a SIP URI",
        registered=400,
        fields=(
            (lambda m: m.to.uri.scheme, "isbn"),
            (lambda m: m.to.uri.opaque, "2983792873"),
            (lambda m: m.from_.uri.scheme, "http"),
        ),
    ),
    "bext01": Row(
        "3.3.5",
        420,
        "extensions that we do not know; Proxy-Require is for proxies",
        fields=((lambda m: m.headers.values("require"), ["nothingSupportsThis", "nothingSupportsThisEither"]),),
    ),
    "invut": Row(
        "3.3.6",
        415,
        "a body that is no session description",
        fields=(
            (lambda m: m.headers.get("content-type"), "application/unknownformat"),
            (lambda m: len(m.body), 40),
        ),
    ),
    "regaut01": Row(
        "3.3.7",
        401,
        "credentials of a scheme that we do not know are none: a challenge says which we do",
        registered=200,
        fields=((lambda m: m.headers.get("authorization"), "NoOneKnowsThisScheme opaque-data=here"),),
    ),
    "multi01": Row(
        "3.3.8", 400, "several values where one may be (Call-ID, CSeq, To, From)", reason="More Than One Call-ID"
    ),
    "mcl01": Row("3.3.9", 400, "two lengths, of which none is right", reason="More Than One Content-Length"),
    "bcast": Row(
        "3.3.10",
        SILENCE,
        "a response with a second Via to everybody: no request of ours asked for it",
        fields=(
            (lambda m: m.status, 200),
            (lambda m: len(m.headers.values("via")), 2),
        ),
    ),
    "zeromf": Row(
        "3.3.11",
        200,
        "no hop is left, and none is needed: we are whom it is for",
        fields=((lambda m: m.headers.get("max-forwards"), "0"),),
    ),
    "cparam01": Row(
        "3.3.12",
        401,
        "a parameter that nobody knows belongs to the Contact, not to its URI",
        registered=200,
        fields=(
            (lambda m: parse_name_addr(m.headers.get("contact")).params, (("unknownparam", None),)),
            (lambda m: parse_name_addr(m.headers.get("contact")).uri.params, ()),
        ),
    ),
    "cparam02": Row(
        "3.3.13",
        401,
        "within the brackets it belongs to the URI",
        registered=200,
        fields=(
            (lambda m: parse_name_addr(m.headers.get("contact")).params, ()),
            (lambda m: parse_name_addr(m.headers.get("contact")).uri.params, (("unknownparam", None),)),
        ),
    ),
    "regescrt": Row(
        "3.3.14",
        401,
        "headers in a Contact are kept as they are; Route of them is not honoured (RFC 3261 section 19.1.5)",
        registered=200,
        fields=((lambda m: parse_name_addr(m.headers.get("contact")).uri.headers, "Route=%3Csip:sip.example.com%3E"),),
    ),
    "sdp01": Row(
        "3.3.15",
        406,
        "it takes no session description, and we have nothing else",
        fields=((lambda m: m.headers.get("accept"), "text/nobodyKnowsThis"),),
    ),
    # Section 3.4: backward compatibility
    "inv2543": Row(
        "3.4.1",
        100,
        "RFC 2543: no branch, no tag in From, no Content-Length",
        accepted=True,
        fields=(
            (lambda m: m.via.branch, ""),
            (lambda m: m.from_.tag, ""),
            (lambda m: m.from_.uri.user, "+13035551111"),
            (lambda m: len(m.body), 105),
        ),
    ),
}

WELL_FORMED = sorted(name for name, row in ROWS.items() if not row.reason)
"""What is read without a fault."""
REQUESTS = sorted(name for name in WELL_FORMED if not read(name).startswith(b"SIP/"))
