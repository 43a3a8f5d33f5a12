"""An e-mail becomes an event, whatever it is and whoever wrote it."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_bridge.mail.message import MAX_TEXT, OLDEST_S, Kind, parse
from tests.crm_bridge.mail.letters import NOON, letter, parts, read

# ------------------------------------------------------------------------------------------------------------ whole


def test_a_letter_is_an_event_of_its_sender() -> None:
    mail = read("Đơn của tôi ở đâu?\r\n", From="=?utf-8?Q?Nguy=E1=BB=85n_An?= <An@Example.VN>")
    posted = mail.interaction()
    assert posted.channel == "email"
    assert posted.direction == "inbound"
    assert [(each.kind, each.value) for each in posted.identities] == [("email", "an@example.vn")]
    assert (posted.subject, posted.text) == ("Đơn hàng 7", "Đơn của tôi ở đâu?")
    assert posted.occurred_at.timestamp() == NOON - 60
    assert posted.external_id == "<1@example.vn>"
    assert posted.attributes.stored() == {"name": "Nguyễn An", "authentic": False}
    assert mail.concerns_a_customer
    assert mail.may_be_answered


def test_a_date_after_receipt_or_long_before_is_a_wrong_clock() -> None:
    assert read(Date="Tue, 17 Nov 2026 12:00:00 +0700").occurred_at == NOON
    assert read(Date="Thu, 01 Jan 1970 00:00:00 +0000").occurred_at == NOON
    assert read(Date="yesterday").occurred_at == NOON
    assert read(Date="").occurred_at == NOON
    assert read(Date="Fri, 13 Nov 2026 12:00:00 +0700").occurred_at > NOON - OLDEST_S


def test_a_message_without_an_id_gets_one_that_does_not_depend_on_its_way() -> None:
    first = read(Message_ID="")
    again = read(Message_ID="", Received="from a by b; Mon, 16 Nov 2026 12:00:00 +0700")
    other = read("Không\r\n", Message_ID="")
    assert first.external_id == again.external_id
    assert first.external_id.startswith("sha256:")
    assert other.external_id != first.external_id


def test_references_are_read_from_the_nearest_on() -> None:
    mail = read(In_Reply_To="<3@x>", References="<1@x>\r\n <2@x> <3@x>")
    assert mail.references == ("<3@x>", "<2@x>", "<1@x>")
    assert mail.root == "<1@x>"
    assert read().root == "<1@example.vn>"
    assert read(In_Reply_To="<9@x>").root == "<9@x>"


# ------------------------------------------------------------------------------------------------------------- body


def test_of_two_forms_the_plain_one_is_read() -> None:
    kind, body = parts(
        "alternative",
        "Content-Type: text/plain; charset=utf-8\r\n\r\nchữ thường",
        "Content-Type: text/html\r\n\r\n<b>chu dam</b>",
    )
    assert read(body, Content_Type=kind).text == "chữ thường"


def test_html_is_read_where_there_is_nothing_else() -> None:
    kind, body = parts(
        "alternative",
        "Content-Type: text/plain\r\n\r\n \r\n",
        "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Xin&nbsp;chào</p><p>Tôi là An</p><blockquote>cũ</blockquote>",
    )
    assert read(body, Content_Type=kind).text == "Xin chào\n\nTôi là An"


def test_attachments_are_named_and_counted_and_not_kept() -> None:
    kind, body = parts(
        "mixed",
        "Content-Type: text/plain; charset=utf-8\r\n\r\nXem hoá đơn",
        "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename*=utf-8''h%C3%B3a%20%C4%91%C6%A1n.pdf\r\n\r\nAAAAAAAA",
        'Content-Type: image/png; name="=?utf-8?B?4bqjbmg=?="\r\n\r\nx',
    )
    mail = read(body, Content_Type=kind)
    assert mail.text == "Xem hoá đơn"
    stored = mail.interaction().attributes.stored()
    assert stored["attachment_count"] == 2
    assert stored["attachments"] == [
        {"name": "hóa đơn.pdf", "type": "application/pdf", "bytes": 6},
        {"name": "ảnh", "type": "image/png", "bytes": 1},
    ]


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("windows-1258", "Tiê\u0301ng Viê\u0323t".encode("cp1258")),
        ("utf-8", "Tiếng Việt".encode()),
        ("no-such-set", "Tiếng Việt".encode()),
        ("us-ascii", "Tiếng Việt".encode()),
        ("utf-16", "Tiếng Việt".encode("utf-16")),
        ("unicode_escape", "Tiếng Việt".encode()),
    ],
)
def test_text_is_read_in_its_character_set(charset: str, encoded: bytes) -> None:
    assert read(encoded, Content_Type=f"text/plain; charset={charset}").text == "Tiếng Việt"


def test_transfer_encodings_are_undone() -> None:
    assert read("Ti=E1=BA=BFng =\r\nVi=E1=BB=87t", Content_Transfer_Encoding="quoted-printable").text == "Tiếng Việt"
    assert read("VGnhur9uZyBWaeG7h3Q", Content_Transfer_Encoding="BASE64").text == "Tiếng Việt"


def test_a_long_text_is_cut() -> None:
    text = read("a" * 100_000).text
    assert len(text) == MAX_TEXT
    assert text.endswith("…")


# ------------------------------------------------------------------------------------------------------------- who


@pytest.mark.parametrize(
    ("written", "name", "sender"),
    [
        ("an@example.vn", "", "an@example.vn"),
        ('"An, Nguyễn" <an@example.vn>', "An, Nguyễn", "an@example.vn"),
        ("Nguyễn, An <an@example.vn>", "Nguyễn, An", "an@example.vn"),
        ("a@example.vn, An <an@example.vn>", "", "a@example.vn"),
        ('"boss@bank.vn <boss@bank.vn>" <thief@example.vn>', "", "thief@example.vn"),
        ("(<boss@bank.vn>) An <an@example.vn>", "An", "an@example.vn"),
        ("=?utf-8?Q?=3Cboss=40bank.vn=3E?= <thief@example.vn>", "", "thief@example.vn"),
        ('"An <an@example.vn>', "An", "an@example.vn"),
        ("undisclosed:;", "", ""),
        ("nobody", "", ""),
        ("", "", ""),
    ],
)
def test_from_names_its_first_mailbox(written: str, name: str, sender: str) -> None:
    mail = read(From=written)
    assert (mail.name, mail.sender) == (name, sender)
    assert mail.concerns_a_customer is bool(sender)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("person", {"Auto_Submitted": "no"}),
        ("automatic", {"Auto_Submitted": "auto-replied (vacation)"}),
        ("automatic", {"Precedence": "bulk"}),
        ("automatic", {"X_Autoreply": "yes"}),
        ("automatic", {"Return_Path": "<>"}),
        ("list", {"List_Id": "News <news.example.vn>"}),
        ("list", {"Precedence": "list"}),
        ("bounce", {"From": "MAILER-DAEMON@mx.example.vn"}),
        ("bounce", {"Content_Type": "multipart/report; report-type=delivery-status; boundary=x"}),
        ("own", {"From": "Help <HELP@shop.vn>"}),
    ],
)
def test_what_a_machine_wrote_is_never_answered(kind: Kind, fields: dict[str, str]) -> None:
    mail = read("Xin chào", (), **fields)
    assert mail.kind == kind
    assert mail.may_be_answered is (kind == "person")
    assert mail.concerns_a_customer is (kind in ("person", "automatic"))


def test_a_message_that_goes_in_circles_is_left_out() -> None:
    raw = b"Received: from a by b; Mon, 16 Nov 2026 11:59:00 +0700\r\n" * 100 + letter()
    assert parse(raw, received_at=NOON).kind == "loop"


def test_the_envelope_says_more_than_return_path() -> None:
    raw = letter(Return_Path="<an@example.vn>")
    assert parse(raw, received_at=NOON, envelope_sender="").kind == "automatic"
    assert parse(raw, received_at=NOON, envelope_sender="an@example.vn").kind == "person"


def test_two_senders_are_vouched_for_by_nobody() -> None:
    results = "Authentication-Results: mx.shop.vn; dmarc=pass header.from=example.vn\r\n"
    once = results.encode() + letter()
    assert parse(once, received_at=NOON, trusted=("mx.shop.vn",)).is_authentic
    assert not parse(b"From: An <an@example.vn>\r\n" + once, received_at=NOON, trusted=("mx.shop.vn",)).is_authentic


# ---------------------------------------------------------------------------------------------------- anything at all

TOKENS = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
            b" ",
            b"\t",
            b"\x00",
            b"\xff",
            b'"',
            b"\\",
            b"(",
            b")",
            b"<",
            b">",
            b";",
            b"=",
            b"*",
        ),
        *(b"From: ", b"Date: ", b"Subject: ", b"References: ", b"Content-Type: ", b"Message-ID: ", b"From "),
        *(b"multipart/mixed; boundary=b", b"multipart/alternative;boundary=b", b"text/html", b"--b\r\n", b"--b--\r\n"),
        *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
        *(b"Content-Disposition: attachment; filename=", b"filename*0*=utf-8''%C4", b"name*1=", b"charset=utf-16"),
        *(b"=?utf-8?Q?=C4?=", b"=?utf-8?B?xA?=", b"=?hex?Q?x?=", b"an@example.vn", b"<an@example.vn>", b"<1@x>"),
        *(b"Mon, 16 Nov 2026 11:59:00 +0700", b"Mon, 99 Nov 99999999999 99:99:99 +9999", b"> x\r\n", b"-- \r\n"),
        *(
            b"On 1 An wrote:\r\n",
            b"From: x\r\nSent: y\r\nTo: z\r\n",
            b"<blockquote>",
            b"<!--",
            b"</",
            b"&#xD800;",
            b"&#0;",
        ),
        *(b"\xcc\x81\xcc\xa3", b"\xe2\x80\xae", b"\xed\xa0\x80", "Nguyễn".encode()),
    ]
)
ANYTHING = st.binary(max_size=300) | st.lists(TOKENS | st.binary(max_size=4), max_size=60).map(b"".join)


@given(ANYTHING, st.booleans())
@example(b"From: an@example.vn\r\nSubject: \xf4\x8f\xbf\xbf\r\n\r\n\xed\xa0\x80", True)
def test_any_bytes_make_an_event_or_concern_nobody(raw: bytes, has_sender: bool) -> None:
    if has_sender:
        raw = b"From: An <an@example.vn>\r\n" + raw
    mail = parse(raw, received_at=NOON, trusted=("mx",))
    assert mail.occurred_at <= NOON
    assert mail.external_id
    if mail.sender:
        posted = mail.interaction()  # checks every field of it
        assert posted.external_id == mail.external_id
    if has_sender and not raw.startswith(b"From: An <an@example.vn>\r\n "):
        assert mail.sender == "an@example.vn"


MEGABYTE = 1 << 20
HOSTILE = {
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(20_000)
    ),
    "many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 200_000,
    "delimiters that are none": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b " * 300_000,
    "one long field": b"From: " + b'"\\' * MEGABYTE,
    "quotes in From": b"From: " + b'"' * MEGABYTE,
    "comments in From": b"From: " + b"(" * MEGABYTE + b"<an@example.vn>",
    "many fields": b"X: y\r\n" * 300_000,
    "parameters": b"Content-Type: multipart/mixed" + b';a="\\' * 100_000,
    "encoded words": b"Subject: " + b"=?a?q?" * 200_000,
    "open comments": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 200_000,
    "open tags": b"Content-Type: text/html\r\n\r\n" + b"<a " * 200_000,
    "open declarations": b"Content-Type: text/html\r\n\r\n" + b"<![" * 200_000,
    "open instructions": b"Content-Type: text/html\r\n\r\n" + b"<?" * 200_000,
    "open ends": b"Content-Type: text/html\r\n\r\n" + b"</" * 200_000,
    "ends in a script": b"Content-Type: text/html\r\n\r\n<script>" + b"</a" * 200_000 + b">",
    "attributes": b"Content-Type: text/html\r\n\r\n<a " + b"a=' " * 200_000,
    "quotations": b"Content-Type: text/html\r\n\r\n" + b"<blockquote>" * 100_000,
    "marks upon marks": b"\r\n\r\n" + "\u0323\u0301".encode() * 250_000,
    "attributions": b"\r\n\r\n" + b"On 1\r\n" * 200_000,
    "headers": b"\r\n\r\n" + b"From: a\r\n\r\n" * 200_000,
    "rules": b"\r\n\r\n" + b"__________\r\n\r\n" * 100_000,
    "references": b"References: " + b"<" * MEGABYTE,
    "results": b"Authentication-Results: mx;" + b'dkim=pass header.d="\\' * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_takes_no_longer_than_its_size_allows(name: str) -> None:
    raw = HOSTILE[name] if name == "comments in From" else b"From: an@example.vn\r\n" + HOSTILE[name].lstrip(b"\r\n")
    raw = raw if HOSTILE[name][:1] != b"\r" else b"From: an@example.vn\r\n" + HOSTILE[name]
    began = time.process_time()
    mail = parse(raw, received_at=NOON, trusted=("mx",))
    assert time.process_time() - began < 2.0
    assert len(mail.text) <= MAX_TEXT
    if mail.sender:
        assert mail.interaction().channel == "email"
