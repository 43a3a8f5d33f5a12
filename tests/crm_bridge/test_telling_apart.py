"""One question tells apart who shares a number; its answer fits exactly one, however it is given."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.telling_apart import Candidate, Day, best_field, day_of, fits, initials, verify

HER, HIM = "lan", "minh"


def candidates(**fields: tuple[str, str]) -> list[Candidate]:
    """Two people and what each would answer; "" is not known."""
    return [
        Candidate(who, {name: (pair[place],) for name, pair in fields.items() if pair[place]})
        for place, who in enumerate((HER, HIM))
    ]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1990-05-17", Day(17, 5, 1990)),
        ("1990-5-7T00:00:00Z", Day(7, 5, 1990)),
        ("17/5/1990", Day(17, 5, 1990)),
        ("17.05.90", Day(17, 5, 90)),
        ("17.5.", Day(17, 5)),
        ("--05-17", Day(17, 5)),
        ("1705", Day(17, 5)),
        ("17051990#", Day(17, 5, 1990)),
        ("170590", Day(17, 5, 90)),
        ("2902", Day(29, 2)),
        ("29022023", None),
        ("3102", None),
        ("0000", None),
        ("179", None),
        ("••••", None),
        ("", None),
    ],
)
def test_a_date_is_read_as_people_give_it(text: str, day: Day | None) -> None:
    assert day_of(text) == day


@pytest.mark.parametrize(
    ("field", "known", "answer", "does"),
    [
        ("birthday", "1990-05-17", "1705", True),
        ("birthday", "1990-05-17", "17051990", True),
        ("birthday", "1990-05-17", "170590", True),
        ("birthday", "05-17", "1705", False),  # no date that could be read one way only
        ("birthday", "17/5", "17051990", True),
        ("birthday", "1990-05-17", "17051991", False),
        ("birthday", "1990-05-17", "0517", False),
        ("birthday", "1990-05-17", "", False),
        ("order", "4561", "4561", True),
        ("order", "20264561", "4561", True),
        ("order", "20264561", "561", False),
        ("order", "20264561", "04561", False),
        ("order", "DH-2026/4561", "4561", True),
        ("order", "DH-2026/4561", "dh-2026/4561", True),
        ("order", "561", "561", True),
        ("order", "561", "0561", False),
        ("phone", "+84912345678", "0912345678", True),
        ("phone", "+84912345678", "5678", True),
        ("phone", "+84912340078", "078", False),
        ("phone", "+84912340000", "0000", True),
        ("name", "Nguyễn Văn Đức", "nguyen van duc", True),
        ("name", "Nguyễn Văn Đức", "", False),
        ("name_initial", "D", "3", True),
        ("name_initial", "Đ", "d", True),
        ("name_initial", "D", "2", False),
        ("name_initial", "D", "", False),
    ],
)
def test_an_answer_is_compared_as_people_give_it(field: str, known: str, answer: str, does: bool) -> None:
    assert fits(field, answer, [known]) is does


def test_the_answer_fits_one_none_or_several() -> None:
    people = candidates(birthday=("1990-05-17", "1988-11-02"), order=("4561", "4561"))
    assert verify(people, "birthday", "1705") == (HER,)
    assert verify(people, "birthday", "0101") == ()
    assert verify(people, "order", "4561") == (HER, HIM)
    assert verify(people, "postcode", "70000") == ()
    assert verify([], "birthday", "1705") == ()


@pytest.mark.parametrize(
    ("fields", "best"),
    [
        ({"birthday": ("1990-05-17", "1988-11-02"), "order": ("4561", "4562")}, "birthday"),
        ({"birthday": ("1990-05-17", "1988-05-17"), "order": ("4561", "4562")}, "order"),
        ({"birthday": ("1990-05-17", ""), "city": ("Huế", "Hà Nội"), "order": ("4561", "4562")}, "order"),
        ({"order": ("14561", "24561"), "city": ("Huế", "Hà Nội"), "name": ("Lan", "Minh")}, "city"),
        ({"name": ("Lan", "Minh"), "order": ("", "4562")}, "name"),
        ({"order": ("4561", "4561")}, ""),
        ({}, ""),
    ],
)
def test_the_best_question_is_known_of_all_and_different_for_each(
    fields: dict[str, tuple[str, str]], best: str
) -> None:
    assert best_field(candidates(**fields)) == best


def test_one_who_is_alone_is_told_from_nobody() -> None:
    assert best_field(candidates(birthday=("1990-05-17", ""))[:1]) == ""
    assert best_field([]) == ""


def test_a_name_begins_with_the_family_or_the_given_name() -> None:
    assert initials("Nguyễn Văn Đức") == ("n", "d")
    assert initials("Lan") == ("l",)
    assert initials("") == ()


days = st.dates(date(1920, 1, 1), date(2020, 12, 31))
numbers = st.from_regex(r"\A[0-9]{4,12}\Z")


@given(st.lists(st.tuples(days, numbers), min_size=2, max_size=6), st.data())
def test_the_best_question_is_answered_by_exactly_one_however_it_is_given(
    people: list[tuple[date, str]], data: st.DataObject
) -> None:
    shared = [
        Candidate(str(place), {"birthday": (born.isoformat(),), "order": (number,)})
        for place, (born, number) in enumerate(people)
    ]
    field = best_field(shared)
    for each, (born, number) in zip(shared, people, strict=True):
        ways = {
            "birthday": [f"{born:%d%m}", f"{born:%d%m%Y}", f"{born:%d%m%y}", born.isoformat(), f"{born:%d/%m/%Y}"],
            "order": [number, number[-4:]],
        }
        if field:
            assert verify(shared, field, data.draw(st.sampled_from(ways[field]))) == (each.customer,)
