"""Rows as people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.importing.entry import Entry, Reader
from crm_bridge.importing.records import Record, Trouble


def read(*cells: tuple[str, str]) -> tuple[Entry | None, list[Trouble]]:
    return Reader("pos", "VN", {}).read(Record(2, cells))


def keys(*cells: tuple[str, str]) -> list[tuple[str, str]]:
    entry, _ = read(*cells)
    return [each.key for each in entry.claims] if entry else []


@pytest.mark.parametrize(
    "written",
    [
        "0912 345 678",
        "912345678",  # a spreadsheet took the zero
        "'0912345678",
        '="0912345678"',
        "912345678.0",
        "9.12345678E+08",
        "9,12345678E+08",
        "84912345678",
        "+84 912 345 678",
        "0084912345678",
        " 0912345678 ; 0912.345.678",
    ],
)
def test_a_number_is_read_through_the_damage_that_spreadsheets_do(written: str) -> None:
    assert keys(("SĐT", written)) == [("phone", "+84912345678")]


def test_a_rounded_number_is_no_number_and_says_so() -> None:
    entry, (rounded, refused) = read(("SĐT", "9.12E+08"))
    assert entry is None
    assert "a spreadsheet has rounded" in str(rounded)
    assert refused.refused


def test_several_of_a_kind_are_all_taken() -> None:
    assert keys(("Phone", "0912345678; 0168 123 4567"), ("phone2", "028 3823 4567"), ("Email", "a@b.vn, c@d.vn")) == [
        ("phone", "+84912345678"),
        ("phone", "+84381234567"),
        ("phone", "+842838234567"),
        ("email", "a@b.vn"),
        ("email", "c@d.vn"),
    ]


def test_an_id_is_prefixed_by_its_system_and_worth_more_than_what_it_wrote_down() -> None:
    entry, _ = read(("Mã KH", "7"), ("Phone", "0912345678"))
    assert entry is not None
    assert [(each.key, each.assurance, each.confidence) for each in entry.claims] == [
        (("phone", "+84912345678"), 0, 0.8),
        (("external", "pos:7"), 1, 1.0),
    ]


def test_an_unusable_value_costs_the_value_and_not_the_row() -> None:
    entry, (trouble,) = read(("Phone", "113"), ("Email", "a@b.vn"))
    assert entry is not None
    assert str(trouble) == (
        "2: Phone: is no number that could identify a person in region VN; write it as +84912345678"
    )
    assert not trouble.refused


def test_a_row_that_identifies_nobody_is_refused_and_an_empty_one_is_none() -> None:
    _, (trouble,) = read(("Họ tên", "An"))
    assert trouble.refused
    assert read() == (None, [])


def test_names_are_put_together_as_the_region_does() -> None:
    cells = (("LastName", "Nguyễn Văn"), ("FirstName", "An"), ("Email", "a@b.vn"))
    entry, _ = read(*cells)
    assert entry is not None
    assert entry.name == "Nguyễn Văn An"
    abroad, _ = Reader("pos", "GB", {}).read(Record(2, cells))
    assert abroad is not None
    assert abroad.name == "An Nguyễn Văn"


def test_the_rest_of_a_profile_is_read() -> None:
    entry, troubles = read(
        ("Email", "a@b.vn"), ("Họ tên", "  An\n Nguyễn "), ("Ngôn ngữ", "Tiếng Việt"), ("Thẻ", "vip, nợ;vip")
    )
    assert entry is not None
    assert (entry.name, entry.language, entry.tags, troubles) == ("An Nguyễn", "vi", ("vip", "nợ"), [])


def test_what_is_no_name_language_or_tag_is_left_out_and_said() -> None:
    entry, troubles = read(("Email", "a@b.vn"), ("Name", "x" * 201), ("Language", "??"), ("Tags", "y" * 65))
    assert entry is not None
    assert (entry.name, entry.language, entry.tags) == ("", "", ())
    assert [each.column for each in troubles] == ["Name", "Language", "Tags"]


def test_what_is_more_than_a_profile_has_is_left_out_and_said() -> None:
    half = [f"t{number}" for number in range(30)]
    more = [f"u{number}" for number in range(30)]
    entry, (trouble,) = read(("Email", "a@b.vn"), ("Tags", ",".join(half)), ("Nhóm", ",".join(["t1", *more])))
    assert entry is not None
    assert entry.tags == (*half, *more[:20])
    assert (trouble.column, trouble.refused, "beyond the 50" in trouble.cause) == ("Nhóm", False, True)
    named, (too_long,) = read(("Email", "a@b.vn"), ("Họ", "x" * 120), ("Tên", "y" * 120))
    assert named is not None
    assert (named.name, too_long.column, "longer than 200" in too_long.cause) == ("", "Họ", True)


def test_columns_that_are_not_known_are_remembered() -> None:
    reader = Reader("pos", "VN", {"Liên lạc": "phone"})
    entry, _ = reader.read(Record(2, (("Liên lạc", "0912345678"), ("Nghề nghiệp", "1990"), ("Ghi chú", "x"))))
    assert entry is not None
    assert list(reader.unknown) == ["Nghề nghiệp", "Ghi chú"]


HEADINGS = st.sampled_from(["phone", "email", "zalo", "Id", "name", "Họ", "language", "tags", "other"])


@given(st.lists(st.tuples(HEADINGS, st.text(min_size=1)), max_size=6))
def test_whatever_stands_in_a_row_is_an_entry_or_a_refusal(cells: list[tuple[str, str]]) -> None:
    entry, troubles = read(*cells)
    assert (entry is not None) != any(each.refused for each in troubles) or not cells
    if entry is not None:
        assert all(0 < len(each.value) <= 255 for each in entry.claims)
        assert len(entry.name) <= 200
