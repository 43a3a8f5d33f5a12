"""Header fields and the scanners of their values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.headers import (
    Headers,
    canonical,
    one_line,
    param,
    parse_params,
    presentable,
    quote,
    split_commas,
    unquote,
    write_params,
    written,
)


class TestHeaders:
    def test_lines_and_values(self) -> None:
        headers = Headers((("allow", "INVITE, ACK"), ("allow", "BYE"), ("to", "x")))
        assert headers.lines("allow") == ["INVITE, ACK", "BYE"]
        assert headers.values("allow") == ["INVITE", "ACK", "BYE"]
        assert (headers.get("to"), headers.get("from", "none"), "to" in headers) == ("x", "none", True)
        headers.set("allow", "BYE")
        assert list(headers) == [("allow", "BYE"), ("to", "x")]
        assert repr(headers) == "Headers((('allow', 'BYE'), ('to', 'x')))"

    @pytest.mark.parametrize(("name", "known"), [("V", "via"), ("call-ID", "call-id"), ("X-Odd", "x-odd")])
    def test_names(self, name: str, known: str) -> None:
        assert canonical(name) == known
        assert canonical(written(known)) == known


class TestSplitting:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("a", ["a"]),
            ("a , b,c", ["a", "b", "c"]),
            ('"a,b" <c,d>, e', ['"a,b" <c,d>', "e"]),
            ('"a\\",b", c', ['"a\\",b"', "c"]),
            ('"a\\\\", c', ['"a\\\\"', "c"]),
            ('"never closed, at all', ['"never closed, at all']),
            ("", [""]),
        ],
    )
    def test_commas(self, text: str, parts: list[str]) -> None:
        assert split_commas(text) == parts

    @given(st.lists(st.text("abc;=<>\\ ,", max_size=6).map(quote), min_size=1, max_size=5))
    def test_quoted_strings_are_never_cut(self, parts: list[str]) -> None:
        assert split_commas(", ".join(parts)) == parts


class TestParams:
    def test_parse(self) -> None:
        params = parse_params(' ; Tag = 1 ;lr; x="a;\\"b" ;y=; ')
        assert params == (("tag", "1"), ("lr", None), ("x", 'a;"b'), ("y", ""))
        assert (param(params, "lr"), param(params, "tag"), param(params, "z")) == ("", "1", None)
        assert parse_params(write_params(params)) == params

    @pytest.mark.parametrize("text", ["x", ";=1", ';a="b', ";a=b c", ";a,b"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a parameter"):
            parse_params(text)


class TestText:
    @given(st.text())
    def test_quotes_come_off_again(self, text: str) -> None:
        assert unquote(quote(text).replace("\n", "")) == text.replace("\n", "")

    def test_text_without_quotes_is_left_alone(self) -> None:
        assert unquote("plain") == "plain"

    def test_only_text_leaves_the_core(self) -> None:
        broken = b"Lan\xff".decode("utf-8", "surrogateescape")
        assert presentable(broken) == "Lan\ufffd"
        assert one_line("Nguyễn\r\n Lan\x00") == "Nguyễn Lan"
