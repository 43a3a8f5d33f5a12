"""Damage to SIP messages: of octets, of tokens, of header lines, and of a size that a careless scan would feel.

Every mutator takes octets and a source of chances, and gives octets. None of them knows whether what it makes is SIP.
"""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

Mutator = Callable[[bytes, Random], bytes]

_OCTETS: Final = (b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b" ", b"\t", b'"', b"<", b">", b",", b";")
_MORE_OCTETS: Final = (
    b":",
    b"=",
    b"\\",
    b"%",
    b"%00",
    b"@",
    b"?",
    b"*",
    b"[",
    b"]",
    b"(",
    b")",
    b"\x7f",
    b"\xff",
    b"\xc3(",
)
_NUMBERS: Final = tuple(
    str(number).encode()
    for number in (-1, 0, 1, 2, 69, 70, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**30)
)
_TOKEN: Final = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+")
_NUMBER: Final = re.compile(rb"[0-9]+")
METHODS: Final = (
    b"INVITE ACK BYE CANCEL OPTIONS REGISTER UPDATE PRACK INFO REFER NOTIFY MESSAGE SUBSCRIBE PUBLISH invite X".split()
)
_STATUSES: Final = b"100 180 181 183 199 200 202 300 302 400 401 404 407 408 415 420 422 480 481 486".split()
_MORE_STATUSES: Final = b"487 488 491 500 503 504 600 603 606 699 000 099 700 999 2000".split()
_LINES: Final = (
    b"Require: 100rel",
    b"Require: timer, replaces",
    b"Require: nothingSupportsThis",
    b"Supported: 100rel, timer, replaces, norefersub, path, outbound, gruu",
    b"Supported:",
    b"RSeq: 1",
    b"RSeq: 4294967296",
    b"RAck: 1 1 INVITE",
    b"RAck: x",
    b"Session-Expires: 90;refresher=uac",
    b"Session-Expires: 1;refresher=uas",
    b"Session-Expires: 99999999999999;refresher=nobody",
    b"Min-SE: 100000000000",
    b"Refer-To: <sip:1901@hotline>",
    b"Refer-To: <sip:1@h?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>",
    b"Refer-To: <sip:1@h;method=BYE>",
    b"Refer-Sub: false",
    b"Replaces: a;to-tag=b;from-tag=c",
    b"Replaces: ;;;",
    b"Event: refer",
    b"Event: dialog",
    b"Subscription-State: terminated;reason=noresource",
    b"Subscription-State: active;expires=60",
    b"Content-Type: application/sdp",
    b"Content-Type: application/dtmf-relay",
    b"Content-Type: message/sipfrag",
    b"Content-Type: multipart/mixed;boundary=x",
    b"Content-Encoding: gzip",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Contact: *",
    b"Contact: <sip:a@192.0.2.2:5060;transport=udp?Route=x>",
    b"Contact: <tel:+84912345678>, <sip:b@[2001:db8::1]>",
    b"Record-Route: <sip:192.0.2.2;lr>, <sip:192.0.2.3>",
    b"Record-Route: <sip:192.0.2.2>",
    b"Route: <sip:192.0.2.1;lr>",
    b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx",
    b"Via: SIP/2.0/TLS [2001:db8::9]:5061;rport;branch=z9hG4bK",
    b"Max-Forwards: 0",
    b"Max-Forwards: x",
    b"Expires: 0",
    b"Expires: 4294967296",
    b"Privacy: id",
    b"P-Asserted-Identity: <sip:1@h>, <tel:1>",
    b"Diversion: <sip:1@h>;reason=busy",
    b'History-Info: <sip:1@h?Reason=SIP%3Bcause%3D302>;index=1, "x" <sip:2@h>;index=1.1;rc=1',
    b'Authorization: Digest username="desk", realm="hotline", nonce="x", uri="sip:h", response="y"',
    b'Authorization: Digest realm="hotline", username="desk", qop=auth, nc=00000001, cnonce="\\""',
    b'Proxy-Authenticate: Digest realm="h", nonce="n", algorithm=SHA-512',
    b'WWW-Authenticate: Digest realm="h", nonce="n", qop="auth", algorithm=MD5',
    b"Allow: INVITE, UPDATE",
    b"Allow:",
    b"Accept: text/plain",
    b"Timestamp: 54 1",
    b"k: 100rel",
    b"l: 3",
    b"i: other",
    b"X: " + b"y" * 400,
)
_COMPACT: Final = {
    b"call-id": b"i",
    b"contact": b"m",
    b"content-length": b"l",
    b"content-type": b"c",
    b"from": b"f",
    b"supported": b"k",
    b"to": b"t",
    b"via": b"v",
}


# ------------------------------------------------------------------------------------------------------- octets


def flip(data: bytes, random: Random) -> bytes:
    """One octet becomes another."""
    if not data:
        return data
    position = random.randrange(len(data))
    return data[:position] + bytes((random.randrange(256),)) + data[position + 1 :]


def insert(data: bytes, random: Random) -> bytes:
    """A sign that means something comes in somewhere."""
    position = random.randint(0, len(data))
    return data[:position] + random.choice(_OCTETS + _MORE_OCTETS) + data[position:]


def cut(data: bytes, random: Random) -> bytes:
    """Some octets are gone."""
    position = random.randint(0, len(data))
    return data[:position] + data[position + random.randint(1, 40) :]


def repeat(data: bytes, random: Random) -> bytes:
    """Some octets come again."""
    position = random.randint(0, len(data))
    piece = data[position : position + random.randint(1, 60)]
    return data[:position] + piece * random.randint(1, 4) + data[position:]


def end(data: bytes, random: Random) -> bytes:
    """The rest never came."""
    return data[: random.randint(0, len(data))]


# ------------------------------------------------------------------------------------------------------- tokens


def _replace(data: bytes, pattern: re.Pattern[bytes], by: bytes, random: Random) -> bytes:
    found = list(pattern.finditer(data, 0, 4000))
    if not found:
        return data
    chosen = random.choice(found)
    return data[: chosen.start()] + by + data[chosen.end() :]


def renumber(data: bytes, random: Random) -> bytes:
    """A number becomes one that bounds are made for."""
    return _replace(data, _NUMBER, random.choice(_NUMBERS), random)


def exchange(data: bytes, random: Random) -> bytes:
    """A token becomes another one of the same message."""
    tokens = _TOKEN.findall(data[:4000])
    return _replace(data, _TOKEN, random.choice(tokens), random) if tokens else data


def change_case(data: bytes, random: Random) -> bytes:
    """A token is written otherwise."""
    tokens = _TOKEN.findall(data[:4000])
    if not tokens:
        return data
    token = random.choice(tokens)
    return data.replace(token, token.swapcase(), 1)


# -------------------------------------------------------------------------------------------------------- lines


def _lines(data: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


def _joined(lines: Sequence[bytes], body: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def drop_line(data: bytes, random: Random) -> bytes:
    """A header line is gone."""
    lines, body = _lines(data)
    del lines[random.randrange(len(lines))]
    return _joined(lines, body)


def double_line(data: bytes, random: Random) -> bytes:
    """A header line comes twice."""
    lines, body = _lines(data)
    lines.insert(random.randint(1, len(lines)), random.choice(lines))
    return _joined(lines, body)


def swap_lines(data: bytes, random: Random) -> bytes:
    """Two lines change places."""
    lines, body = _lines(data)
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return _joined(lines, body)


def add_line(data: bytes, random: Random) -> bytes:
    """A header line that means something comes in."""
    lines, body = _lines(data)
    lines.insert(random.randint(1, len(lines)), random.choice(_LINES))
    return _joined(lines, body)


def replace_line(data: bytes, random: Random) -> bytes:
    """A header field gets a value that means something, of its own name where there is one."""
    lines, body = _lines(data)
    new = random.choice(_LINES)
    name = new.partition(b":")[0].lower()
    lines = [line for line in lines if line.partition(b":")[0].lower() != name]
    lines.insert(random.randint(1, len(lines) + 1), new)
    return _joined(lines, body)


def shorten_names(data: bytes, random: Random) -> bytes:
    """Names are written in their compact form, and lines are folded."""
    lines, body = _lines(data)
    for position, line in enumerate(lines[1:], 1):
        name, colon, value = line.partition(b":")
        short = _COMPACT.get(name.lower())
        if short and random.random() < 0.5:
            lines[position] = short + b" " * random.randint(0, 2) + colon + value
        elif random.random() < 0.3:
            lines[position] = line.replace(b" ", b"\r\n ", random.randint(1, 2))
    return _joined(lines, body)


def change_method(data: bytes, random: Random) -> bytes:
    """A request becomes a whole one of another method, newer than what came before it."""
    lines, body = _lines(data)
    if lines[0].startswith(b"SIP/"):
        return change_status(data, random)
    method = random.choice(METHODS)
    lines[0] = method + b" " + lines[0].partition(b" ")[2]
    for position, line in enumerate(lines):
        if line.lower().startswith(b"cseq:"):
            found = _NUMBER.search(line)
            number = int(found.group()[:9]) if found else 1
            lines[position] = b"CSeq: %d %s" % (number + random.choice((0, 0, 1, 1, 2, 100)), method)
        elif line.lower().startswith(b"via:") and random.random() < 0.8:
            lines[position] = re.sub(rb"branch=[^;,]*", b"branch=z9hG4bK%x" % random.getrandbits(40), line, count=1)
    return _joined(lines, body)


def change_status(data: bytes, random: Random) -> bytes:
    """A response becomes another one."""
    lines, body = _lines(data)
    if lines[0].startswith(b"SIP/"):
        lines[0] = b"SIP/2.0 " + random.choice(_STATUSES + _MORE_STATUSES) + b" So"
    return _joined(lines, body)


def retag(data: bytes, random: Random) -> bytes:
    """Another far end says it: a fork, or nobody."""
    lines, body = _lines(data)
    for position, line in enumerate(lines):
        if line.lower().startswith((b"to:", b"from:")) and random.random() < 0.6:
            new = b";tag=%x" % random.getrandbits(8)
            lines[position] = (
                re.sub(rb";tag=[^;]*", new, line) if b";tag=" in line and random.random() < 0.8 else line + new
            )
    return _joined(lines, body)


# ---------------------------------------------------------------------------------------------------- adversaries

ADVERSARIES: Final[dict[str, Callable[[int], bytes]]] = {
    "commas": lambda size: b"Route: " + b"," * size,
    "quotes": lambda size: b"Contact: " + b'"' * size,
    "escaped quotes": lambda size: b'Contact: "' + b'\\"' * (size // 2),
    "open brackets": lambda size: b"Contact: " + b"<" * size,
    "nested brackets": lambda size: b"Contact: " + b"<" * (size // 2) + b">" * (size // 2),
    "nested comments": lambda size: b"User-Agent: " + b"(" * (size // 2) + b")" * (size // 2),
    "via values": lambda size: b"Via: " + b", ".join([b"SIP/2.0/UDP h;branch=1"] * (size // 24)),
    "via parameters": lambda size: b"Via: SIP/2.0/UDP h" + b";a=b" * (size // 4),
    "empty parameters": lambda size: b"To: <sip:a@b>" + b";" * size,
    "parameters": lambda size: b"Contact: <sip:a@b>" + b";a=b" * (size // 4),
    "quoted parameters": lambda size: b"Contact: <sip:a@b>" + b';a="b"' * (size // 6),
    "uri parameters": lambda size: b"Contact: <sip:a@b" + b";a=b" * (size // 4) + b">",
    "uri headers": lambda size: b"Refer-To: <sip:a@b?" + b"a=b&" * (size // 4) + b">",
    "contacts": lambda size: b"Contact: " + b"<sip:a@b>," * (size // 10),
    "record routes": lambda size: b"Record-Route: " + b"<sip:a;lr>," * (size // 11),
    "escapes": lambda size: b"Contact: <sip:" + b"%41" * (size // 3) + b"@b>",
    "ats": lambda size: b"Contact: <sip:" + b"@" * size + b">",
    "colons": lambda size: b"Contact: <sip:a" + b":" * size + b"@b>",
    "white space": lambda size: b"CSeq: 1" + b" " * size + b"INVITE",
    "white space in Via": lambda size: b"Via: SIP / 2.0 / UDP" + b" " * size + b"x y",
    "white space between parameters": lambda size: b"Contact: <sip:a@b>" + b" ; a" + b" " * size + b"!",
    "digits": lambda size: b"Max-Forwards: " + b"9" * size,
    "folds": lambda size: b"Subject: a" + b"\r\n b" * (size // 4),
    "digest fields": lambda size: b"Authorization: Digest " + b",".join(b'a%d="b"' % n for n in range(size // 8)),
    "options": lambda size: b"Require: " + b"a," * (size // 2),
    "tokens": lambda size: b"Privacy: " + b"id;" * (size // 3),
    "history": lambda size: b"History-Info: " + b"<sip:a@b>;index=1," * (size // 18),
    "lines": lambda size: b"X: y\r\n" * (size // 6) + b"X: y",
}
"""Header lines of about as many octets as asked for, which a scan that starts over again would take for ever on."""


def adversary(data: bytes, random: Random) -> bytes:
    """A header line that is made to cost time."""
    lines, body = _lines(data)
    name = random.choice(sorted(ADVERSARIES))
    new = ADVERSARIES[name](random.choice((100, 1000, 8000)))
    lines.insert(random.randint(1, len(lines)), new)
    return _joined(lines, body)


MUTATORS: Final[tuple[Mutator, ...]] = (
    flip,
    insert,
    cut,
    repeat,
    end,
    renumber,
    exchange,
    change_case,
    drop_line,
    double_line,
    swap_lines,
    add_line,
    add_line,
    replace_line,
    replace_line,
    shorten_names,
    change_method,
    change_method,
    change_status,
    retag,
)
RARE: Final = 0.002
"""How often a message is an adversary: they are long, and would be most of what is read."""


def mutate(data: bytes, random: Random) -> bytes:
    """Return octets with one to four things wrong with them; one in ten stays whole."""
    if random.random() < RARE:
        return adversary(data, random)
    for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2, 2, 3, 4))):
        data = random.choice(MUTATORS)(data, random)
    return data
