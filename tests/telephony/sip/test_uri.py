"""SIP URIs and name-addr."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.uri import NameAddr, Uri, UriError, parse_name_addr, parse_uri

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOSTS = st.sampled_from(["192.0.2.1", "example.com", "[2001:db8::1]", "a_b", "x"])
PARAM_WORDS = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=8)
PARAMS = st.lists(st.tuples(PARAM_WORDS, PARAM_WORDS | st.none()), max_size=3).map(tuple)
URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    TEXT,
    HOSTS,
    st.integers(1, 65535) | st.none(),
    PARAMS,
)


class TestUri:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("sip:192.0.2.1", Uri(host="192.0.2.1")),
            ("SIP:Lan@Example.COM:5070", Uri(user="Lan", host="example.com", port=5070)),
            ("sips:lan:pw@h;transport=TCP;lr?a=b", None),
            ("sip:+84%20912@[2001:db8::1]:5060", Uri(user="+84 912", host="[2001:db8::1]", port=5060)),
            ("tel:+84912345678;phone-context=vn", Uri("tel", "+84912345678", params=(("phone-context", "vn"),))),
            ("mailto:lan@example.com", Uri("mailto", opaque="lan@example.com")),
        ],
    )
    def test_parse(self, text: str, expected: Uri | None) -> None:
        expected = expected or Uri("sips", "lan", "h", None, (("transport", "TCP"), ("lr", None)), "a=b", "pw")
        assert parse_uri(text) == expected
        assert parse_uri(expected.write()) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "lan@example.com",
            "sip:",
            "sip:@h",
            "sip:a@b@c",
            "sip:a@",
            "sip:a@h:0",
            "sip:a@h:65536",
            "sip:a@h:x",
            "sip:a b@h",
            "sip:a<@h",
            "sip:a@h\r\nX: y",
            "sip:a@h\x00",
            "sip:a@ho!st",
            "<sip:a@h>",
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(UriError):
            parse_uri(text)

    def test_address_and_number(self) -> None:
        assert parse_uri("sip:+84912;ext=1@[::1]").address == ("::1", 5060)
        assert parse_uri("sip:+84912;ext=1@[::1]").number == "+84912"

    def test_contacts_are_the_same_binding_by_what_leads_to_the_phone(self) -> None:
        desk = parse_uri("sip:desk@H:5060;transport=UDP;x=1")
        assert desk.identity == parse_uri("sip:desk@h:5060").identity
        for other in ("sip:desk@h", "sip:Desk@h:5060", "sip:desk@h:5060;transport=tcp", "sips:desk@h:5060"):
            assert desk.identity != parse_uri(other).identity

    @given(URIS)
    def test_reading_undoes_writing(self, uri: Uri) -> None:
        assert parse_uri(uri.write()) == uri

    @given(st.text(max_size=60))
    def test_any_text_raises_uri_error_at_most(self, text: str) -> None:
        for parse in (parse_uri, parse_name_addr):
            with contextlib.suppress(UriError):
                parse(text)


class TestNameAddr:
    @pytest.mark.parametrize(
        ("text", "name", "user", "tag"),
        [
            ('sip:lan@h;x="a <b>";tag=1', "", "lan", "1"),
            ("<sip:lan@h>;tag=1", "", "lan", "1"),
            ('"Lan, \\"La\\" \\\\" <sip:lan@h>; x ;tag=1', 'Lan, "La" \\', "lan", "1"),
            ("Lan Nguyen<sip:lan@h;tag=uri>", "Lan Nguyen", "lan", ""),
            ("Nguyễn Lan <sip:lan@h>", "Nguyễn Lan", "lan", ""),
            ("sip:lan@h;tag=1", "", "lan", "1"),
            ('"" <sip:lan@h>', "", "lan", ""),
        ],
    )
    def test_parse(self, text: str, name: str, user: str, tag: str) -> None:
        party = parse_name_addr(text)
        assert (party.display_name, party.uri.user, party.tag) == (name, user, tag)
        assert parse_name_addr(party.write()) == party

    @pytest.mark.parametrize(
        "text",
        [
            '"Lan <sip:lan@h>',
            '"Lan" sip:lan@h',
            "Lan, Nguyen <sip:lan@h>",
            "<sip:lan@h",
            "sip:lan@h?a=b",
            "sip:lan@h,sip:x@h",
            "<sip:lan@h>;=",
            "<sip:lan@h>x",
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(UriError):
            parse_name_addr(text)

    @given(URIS, TEXT.map(lambda text: "".join(sign for sign in text if sign.isprintable())), PARAMS)
    def test_reading_undoes_writing(self, uri: Uri, name: str, params: tuple[tuple[str, str | None], ...]) -> None:
        party = NameAddr(uri, name, params)
        assert parse_name_addr(party.write()) == party
