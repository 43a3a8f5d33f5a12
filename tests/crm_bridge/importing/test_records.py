"""Files as rows: encodings, separators, broken rows."""

import json
from pathlib import Path

import pytest

from crm_bridge.importing.records import Record, Trouble, records
from crm_bridge.importing.source_file import MAX_LINE_LENGTH, SourceFile, Unreadable, look


def file_of(folder: Path, text: str, encoding: str = "utf-8") -> SourceFile:
    path = folder / "file"
    path.write_bytes(text.encode(encoding))
    return look(path)


def read(folder: Path, text: str, encoding: str = "utf-8") -> list[Record | Trouble]:
    return list(records(file_of(folder, text, encoding)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_found(tmp_path: Path, encoding: str, separator: str) -> None:
    text = "Họ tên,Số điện thoại\r\nNguyễn Văn Đức,0912345678\r\n".replace(",", separator)
    (row,) = read(tmp_path, text, encoding)
    assert row == Record(2, (("Họ tên", "Nguyễn Văn Đức"), ("Số điện thoại", "0912345678")))


def test_windows_1258_is_guessed_and_said(tmp_path: Path) -> None:
    found = file_of(tmp_path, "Tên,Email\nĐào,a@example.vn\n", "cp1258")
    assert (found.encoding, found.guessed) == ("cp1258", True)
    assert next(records(found)) == Record(2, (("Tên", "Đào"), ("Email", "a@example.vn")))


def test_quoted_line_breaks_and_separators_are_parts_of_a_value(tmp_path: Path) -> None:
    rows = read(tmp_path, 'name,phone,note\n"An\nNguyễn","091,\r\n2","say ""hi"""\nBình,0913\n')
    assert rows == [
        Record(2, (("name", "An\nNguyễn"), ("phone", "091,\r\n2"), ("note", 'say "hi"'))),
        Record(3, (("name", "Bình"), ("phone", "0913"))),
    ]


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    rows = read(tmp_path, "sep=;\n\nname;phone\n\nAn;1\n;\n")
    assert [(each.row, getattr(each, "cells", None)) for each in rows] == [
        (4, ()),
        (5, (("name", "An"), ("phone", "1"))),
        (6, ()),
    ]


def test_a_row_with_too_many_cells_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    first, second = read(tmp_path, "name,phone\nNguyễn, An,0912\nBình,0913\n")
    assert isinstance(first, Trouble)
    assert first.refused
    assert str(first).startswith("2: has 3 cells, and the heading 2; put")
    assert second.row == 3


def test_a_line_without_end_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    first, second = read(tmp_path, f"name,phone\nAn,{'1' * 3 * MAX_LINE_LENGTH}\nBình,0913\n")
    assert isinstance(first, Trouble)
    assert second == Record(3, (("name", "Bình"), ("phone", "0913")))


def test_a_quotation_mark_that_is_never_closed_costs_a_few_rows_and_no_more(tmp_path: Path) -> None:
    rows = read(tmp_path, 'name,phone\n"An,0912\n' + "Bình,0913\n" * 30_000)
    assert sum(isinstance(each, Trouble) for each in rows) == 1
    assert len(rows) > 10_000


def test_an_array_and_lines_of_json_are_the_same_rows(tmp_path: Path) -> None:
    people = [{"name": f"Người {index}", "phone": [f"09{index:08}", 84912345678], "x": None} for index in range(3000)]
    array = read(tmp_path, json.dumps(people, ensure_ascii=False, indent=1))
    lines = read(tmp_path, "\n".join(json.dumps(each) for each in people))
    assert array == lines
    assert array[1] == Record(2, (("name", "Người 1"), ("phone", "0900000001"), ("phone", "84912345678")))


def test_our_own_identities_are_read(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '[{"identities": [{"kind": "zalo", "value": "z1"}], "tags": ["a", "b"]}]')
    assert row == Record(1, (("zalo", "z1"), ("tags", "a"), ("tags", "b")))


@pytest.mark.parametrize(
    ("text", "troubled"),
    [
        ('[{"a": "1"}, 7, {"a": "2"}]', [2]),
        ('[{"a": "1"}, {"a": ]', [2]),
        ('[{"a": "1"}, {"a"', [2]),
        ('[{"a": "1"}', [2]),
        ("[]", []),
        ("[ ", [1]),
        ('{"a": 1}\n{oops\n[1]\n{"a": 2}\n', [2, 3]),
        ("[" * 5000, [1]),
    ],
)
def test_broken_json_is_said_where_it_breaks(tmp_path: Path, text: str, troubled: list[int]) -> None:
    assert [each.row for each in read(tmp_path, text) if isinstance(each, Trouble)] == troubled


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "is empty"), (b" \n ", "is empty"), (b"PK\x03\x04\x81\x00\xd2\xff\x00\xd8\x00\xd8\x00", "is no text")],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=cause):
        look(path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        look(tmp_path / "nothing")
