"""What the world says, as a value of a type."""

import pytest

from ivr_flows.answers import coerce, understand
from ivr_flows.flow import MOST_NUMBER
from telephony.clock import datetime_of
from tests.ivr_flows.flows import NOW

TODAY = datetime_of(NOW).date()


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("number", " 12 ", 12),
        ("number", "2.5", 2.5),
        ("amount", -MOST_NUMBER, -MOST_NUMBER),
        ("amount", MOST_NUMBER + 1, None),
        ("number", "1e300", None),
        ("number", "nan", None),
        ("number", float("inf"), None),
        ("number", True, None),
        ("digits", "1" * 64, "1" * 64),
        ("digits", "1" * 65, None),
        ("digits", "", None),
        ("phone", "+84 912.345.678", "+84 912.345.678"),
        ("phone", "ask for Lan", None),
        ("phone", "", None),
        ("date", "2026-03-02T10:00:00Z", "2026-03-02"),
        ("time", "24:00", None),
        ("text", 7, "7"),
        ("flag", "yes", None),
    ],
)
def test_a_value_of_a_type(kind: str, value: str | float | bool, held: object) -> None:
    assert coerce(kind, value) == held


def test_more_than_a_variable_holds_is_no_answer() -> None:
    assert understand("", "amount", "9" * 15, TODAY, "VN") == MOST_NUMBER
    assert understand("", "amount", "9" * 16, TODAY, "VN") is None
