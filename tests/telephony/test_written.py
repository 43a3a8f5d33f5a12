"""YAML that people write."""

import pytest

from telephony.written import ListNode, MapNode, Node, NotYaml, Scalar, nodes_of, place_in


def no_bad_key(key: Node, first: int) -> None:
    raise AssertionError(key, first)


def test_what_is_written_keeps_its_place_its_text_and_what_yaml_makes_of_it() -> None:
    root = nodes_of('a: 0912\nb: [no, "1", 2.5, 1:30]\nc:\nd: ~\n', 20, no_bad_key)
    assert isinstance(root, MapNode)
    listed = root.items["b"][1]
    assert isinstance(listed, ListNode)
    found = [root.items["a"][1], *listed.elements, root.items["c"][1], root.items["d"][1]]
    assert found == [
        Scalar(1, 4, "0912"), Scalar(2, 5, "no"), Scalar(2, 9, "1"), Scalar(2, 14, "2.5"), Scalar(2, 19, "1:30"),
        Scalar(3, 1, "", empty=True), Scalar(4, 4, "~", empty=True),
    ]  # fmt: skip
    assert [each.value for each in found if isinstance(each, Scalar)] == [912, "no", "1", 2.5, "1:30", None, None]
    assert [each.quoted for each in found if isinstance(each, Scalar)] == [False, False, True, *[False] * 4]


def test_a_key_that_is_no_word_or_stands_there_again_is_told() -> None:
    told: list[tuple[int, int, int]] = []
    nodes_of("a: 1\n[b]: 2\na: 3\n", 20, lambda key, first: told.append((key.line, key.column, first)))
    assert told == [(2, 1, 0), (3, 1, 1)]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a: [1\n", 2, 1), ("a: &a [*a]", 1, 1), ("a: &a [1, 2]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]", 1, 1)],
)
def test_what_has_no_end_or_is_no_yaml(text: str, line: int, column: int) -> None:
    with pytest.raises(NotYaml) as raised:
        nodes_of(text, 20, no_bad_key)
    assert raised.value.place == Node(line, column)


def test_a_place_in_a_file() -> None:
    assert [place_in(b"ab\ncd", at) for at in (0, 1, 3, 4)] == [Node(1, 1), Node(1, 2), Node(2, 1), Node(2, 2)]
