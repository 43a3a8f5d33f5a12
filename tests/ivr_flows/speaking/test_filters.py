"""The filters that speak, as flows use them."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.expression import MAX_FACT_CHARS, ExpressionError, check_text, evaluate, render
from ivr_flows.facts import Facts, views
from ivr_flows.speaking.filters import SAYS

ENGLISH = "zero one two three four five six seven eight nine star hash plus"
SIGNS = dict(zip(ENGLISH.split(), "0123456789*#+", strict=True))
ABROAD = re.compile(r"^(\+|00)?840?")
NOW = datetime(2026, 2, 27, 10, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))  # a Friday


def said(value: object, name: str, language: str = "vi") -> str:
    source = f"{{{{ x | {name} }}}}"
    assert check_text(source, ["x"]) == []
    return render(source, scope(language, x=value))


def scope(language: str = "vi", **variables: object) -> Mapping[str, object]:
    return {**variables, **views(Facts(), {}, language, NOW.timestamp())}


@pytest.mark.parametrize(
    ("value", "name", "vietnamese", "english"),
    [
        (1005, "number", "một nghìn không trăm linh năm", "one thousand and five"),
        ("21", "number", "hai mươi mốt", "twenty-one"),
        (
            1250000,
            "money",
            "một triệu hai trăm năm mươi nghìn đồng",
            "one million two hundred and fifty thousand đồng",
        ),
        (99.5, "money", "một trăm đồng", "one hundred đồng"),
        (Decimal("12.5"), 'money("USD")', "mười hai đô la năm mươi xu", "twelve dollars and fifty cents"),
        ("1.01", 'money("USD")', "một đô la một xu", "one dollar and one cent"),
        (0.99, 'money("USD")', "chín mươi chín xu", "ninety-nine cents"),
        (0, 'money("USD")', "không đô la", "zero dollars"),
        (-3, 'money("USD")', "âm ba đô la", "minus three dollars"),
        (0.999, 'money("USD")', "một đô la", "one dollar"),
        (5000, 'money("VND")', "năm nghìn đồng", "five thousand đồng"),
        ("2026-02-27", "day", "hôm nay", "today"),
        ("2026-02-28", "day", "ngày mai", "tomorrow"),
        ("26022026", "day", "hôm qua", "yesterday"),
        ("2026-03-02", "day", "thứ hai ngày hai tháng ba", "Monday, March second"),
        ("--05-17", "day", "ngày mười bảy tháng năm", "May seventeenth"),
        ("2026-04-24", "day", "thứ sáu ngày hai mươi tư tháng tư", "Friday, April twenty-fourth"),
        (
            "2027-01-31",
            "day",
            "chủ nhật ngày ba mươi mốt tháng một năm hai nghìn không trăm hai mươi bảy",
            "Sunday, January thirty-first, twenty twenty-seven",
        ),
        ("00:00", "time", "mười hai giờ đêm", "twelve midnight"),
        ("00:05", "time", "mười hai giờ năm phút đêm", "twelve oh five AM"),
        ("08:30", "time", "tám giờ rưỡi sáng", "eight thirty AM"),
        ("11:21", "time", "mười một giờ hai mươi mốt phút trưa", "eleven twenty-one AM"),
        ("12:00", "time", "mười hai giờ trưa", "twelve noon"),
        ("12:30", "time", "mười hai giờ rưỡi trưa", "twelve thirty PM"),
        ("1315", "time", "một giờ mười lăm phút chiều", "one fifteen PM"),
        ("17:30", "time", "năm giờ rưỡi chiều", "five thirty PM"),
        ("19:00", "time", "bảy giờ tối", "seven PM"),
        ("23:59", "time", "mười một giờ năm mươi chín phút đêm", "eleven fifty-nine PM"),
        ("2026-02-28T01:30:00Z", "moment", "ngày mai lúc tám giờ rưỡi sáng", "tomorrow at eight thirty AM"),
        (
            "2026-03-02T14:00",
            "moment",
            "thứ hai ngày hai tháng ba lúc hai giờ chiều",
            "Monday, March second at two PM",
        ),
        (
            "+84912345678",
            "phone",
            "không chín một hai, ba bốn năm, sáu bảy tám",
            "zero nine one two, three four five, six seven eight",
        ),
        ("19001234", "phone", "một chín không không, một hai ba bốn", "one nine zero zero, one two three four"),
        (113, "phone", "một một ba", "one one three"),
        (
            "+6591234567",
            "phone",
            "cộng sáu năm chín, một hai ba, bốn năm sáu bảy",
            "plus six five nine, one two three, four five six seven",
        ),
        (125, "duration", "hai phút năm giây", "two minutes and five seconds"),
        (3661, "duration", "một giờ một phút một giây", "one hour, one minute and one second"),
        (0, "duration", "không giây", "zero seconds"),
        (timedelta(days=1), "duration", "một ngày", "one day"),
        (125.4, 'duration("about")', "khoảng ba phút", "about three minutes"),
        (59, 'duration("about")', "chưa đến một phút", "less than a minute"),
        (3700, 'duration("about")', "khoảng một giờ năm phút", "about one hour and five minutes"),
        (90_000, 'duration("about")', "khoảng một ngày một giờ", "about one day and one hour"),
        (120, 'duration("exactly")', "hai phút", "two minutes"),
    ],
)
def test_said(value: object, name: str, vietnamese: str, english: str) -> None:
    assert said(value, name) == vietnamese
    assert said(value, name, "en-GB") == english


@pytest.mark.parametrize(
    ("number", "groups"),
    [
        ("0912 345 678", "4 3 3"),
        ("0084912345678", "4 3 3"),
        ("84912345678", "4 3 3"),
        ("+840912345678", "4 3 3"),
        ("+842438251234", "3 4 4"),
        ("028 3825 1234", "3 4 4"),
        ("02363822041", "4 4 3"),
        ("1800 123456", "4 3 3"),
        ("+8419001234", "4 4"),
        ("115", "3"),
        ("12345", "3 2"),
        ("*21#", "4"),
    ],
)
def test_telephone_numbers_are_grouped(number: str, groups: str) -> None:
    words = said(number, "phone", "en")
    assert " ".join(str(len(group.split())) for group in words.split(", ")) == groups
    if number.startswith(("+842", "+849", "84", "0084")):
        assert words.startswith("zero")


@settings(deadline=None)
@given(st.text("0123456789*#", min_size=1, max_size=32), st.sampled_from(["", "+"]))
def test_no_digit_of_a_telephone_number_is_lost(number: str, plus: str) -> None:
    words = said(plus + number, "phone", "en").replace(",", "").split()
    heard = "".join(SIGNS[word] for word in words)
    assert heard == plus + number or heard.removeprefix("0") == ABROAD.sub("", plus + number)


@pytest.mark.parametrize("name", list(SAYS))
@pytest.mark.parametrize("value", ["Lan's secret", None, "", [], True])
def test_what_cannot_be_said_fails_without_a_word_of_it(name: str, value: object) -> None:
    with pytest.raises(ExpressionError) as error:
        render(f"{{{{ x | {name} }}}}", scope(x=value))
    assert str(error.value).startswith(f"{name}: the ")
    assert "Lan" not in str(error.value)


@pytest.mark.parametrize("name", list(SAYS))
def test_undefined_is_named(name: str) -> None:
    with pytest.raises(ExpressionError, match="'x' is undefined"):
        render(f"{{{{ x | {name} }}}}", scope())


@pytest.mark.parametrize("name", list(SAYS))
def test_a_language_that_is_not_known_gets_the_value_itself(name: str) -> None:
    assert said(1250000, name, "ko") == "1250000"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('{{ x | money("EUR") }}', "money takes VND or USD, in quotes, or nothing"),
        ("{{ x | money(x) }}", "money takes VND or USD, in quotes, or nothing"),
        ('{{ x | money(currency="USD") }}', "money takes VND or USD, in quotes, or nothing"),
        ("{{ x | number(2) }}", "number takes nothing"),
        ('{{ x | duration("about", 1) }}', "duration takes exactly or about, in quotes, or nothing"),
    ],
)
def test_arguments_are_constants_that_are_known(source: str, fault: str) -> None:
    assert fault in [found.text for found in check_text(source, ["x"])]


@settings(deadline=None)
@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from(["vi", "en"]))
def test_a_long_amount_is_never_cut(value: int, language: str) -> None:
    words = said(value, "money", language)
    assert words.endswith(" đồng")
    assert not any(sign.isdigit() for sign in words)


def test_what_customers_wrote_is_still_cut_beside_it() -> None:
    words = render("{{ x }} {{ y | number }}", scope(x="ha " * 100, y=999_999_999_999_999))
    assert words.endswith(render("{{ y | number }}", scope(y=999_999_999_999_999)))
    assert words.count("ha") <= MAX_FACT_CHARS // 3


def test_words_may_be_kept_in_a_variable() -> None:
    assert msgspec.json.encode(evaluate("x | money", scope(x=1000))) == '"một nghìn đồng"'.encode()
