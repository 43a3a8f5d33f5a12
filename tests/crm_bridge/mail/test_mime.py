"""The structure of a message, whole or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.mail import mime
from crm_bridge.mail.mime import Part, leaves, parameters, split


def test_fields_are_unfolded_and_the_body_is_as_it_was() -> None:
    part = split(b"From a@b Mon\r\nSubject: one\r\n two\r\nX: \xc3\xa1\r\n\r\nbody\r\n")
    assert part == Part((("subject", "one two"), ("x", "á")), b"body\r\n")


def test_bare_line_ends_will_do() -> None:
    assert split(b"A: b\n\nbody") == Part((("a", "b"),), b"body")


def test_a_line_that_is_no_field_begins_the_body() -> None:
    assert split(b"A: b\r\nhello there\r\n") == Part((("a", "b"),), b"hello there\r\n")
    assert split(b"\r\nA: b") == Part((), b"A: b")
    assert split(b"") == Part((), b"")


def test_a_header_without_end_has_no_body() -> None:
    part = split(b"A: b\r\n" * 100_000)
    assert len(part.fields) == mime.MAX_FIELDS
    assert part.body == b""
    assert split(b"A: b\r\n" * 600 + b"\r\nbody").body == b"body"


def test_parts_in_parts() -> None:
    inner = b"--i\r\nContent-Type: text/html\r\n\r\nh\r\n--i--\r\n"
    body = (
        b"for nobody\r\n--o\r\nContent-Type: multipart/related; boundary=i\r\n\r\n"
        + inner
        + b"--o\r\n\r\nt\r\n--o--\r\nend"
    )
    found = list(leaves(split(b"Content-Type: multipart/mixed; boundary=o\r\n\r\n" + body)))
    assert [(part.type, part.body, around) for part, around in found] == [
        ("text/html", b"h", "multipart/related"),
        ("text/plain", b"t", "multipart/mixed"),
    ]


def test_a_multipart_that_is_cut_off_or_none_is_read_as_far_as_it_goes() -> None:
    cut = split(b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nhello")
    assert [part.body for part, _ in leaves(cut)] == [b"hello"]
    none = split(b"Content-Type: multipart/mixed; boundary=o\r\n\r\nhello")
    assert [(part.type, part.body) for part, _ in leaves(none)] == [("text/plain", b"hello")]


def test_depth_and_number_of_parts_are_bounded() -> None:
    many = split(b"Content-Type: multipart/mixed; boundary=o\r\n\r\n" + b"--o\r\n\r\nx\r\n" * 1000)
    assert len(list(leaves(many))) == mime.MAX_PARTS
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(50))
    assert len(list(leaves(split(deep)))) == 1


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ('text/plain; charset="utf-8"', {"charset": "utf-8"}),
        (r'x; name="a\"b;c"; y=z', {"name": 'a"b;c', "y": "z"}),
        ("x; filename*=utf-8'vi'%E1%BA%A3nh.png", {"filename": "ảnh.png"}),
        ("x; filename*1*=nh.png; filename*0*=utf-8''%E1%BA%A3", {"filename": "ảnh.png"}),
        ('x; filename*0="a"; filename*1="b"', {"filename": "ab"}),
        ('x; name="=?utf-8?B?4bqjbmg=?="', {"name": "ảnh"}),
        ("x; name", {}),
        ("", {}),
    ],
)
def test_parameters(field: str, found: dict[str, str]) -> None:
    assert parameters(field) == found


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("=?utf-8?Q?Ti=E1=BA=BFng_Vi=E1=BB=87t?=", "Tiếng Việt"),
        ("=?UTF-8?b?VGnhur9uZw==?= =?utf-8?B?IFZp4buHdA==?=", "Tiếng Việt"),
        ("=?utf-8?B?VGnhug?= =?utf-8?B?v25n?=", "Tiếng"),  # a letter cut in two
        ("=?utf-8*vi?Q?=C3=A1?= b =?utf-8?Q?c?=", "á b c"),
        ("=?none?Q?=C3=A1?=", "á"),
        ("a =?utf-8?Q?b", "a =?utf-8?Q?b"),
    ],
)
def test_encoded_words(field: str, text: str) -> None:
    assert mime.decoded_words(field) == text


def test_nobody_hides_text_or_turns_it_round() -> None:
    assert mime.clean("a\u202eb\u200bc\x00\x1b\r\nd\re\ufeff") == "abc\nd\ne"
    assert mime.clean("Tie\u0302\u0301ng") == "Tiếng"
    assert mime.line(" a\tb\n\u00a0c ") == "a b c"


@given(st.binary(max_size=500))
def test_any_bytes_have_fields_and_parts(raw: bytes) -> None:
    for part, _ in leaves(split(raw)):
        assert "\x00" not in part.text()
        assert part.size >= 0
