"""`ivr_flows.source`: nodes keep what was written and where."""

from pathlib import Path

from ivr_flows.source import Faults, ListNode, MapNode, Node, Scalar, did_you_mean, one_of, read


def _read(folder: Path, text: str) -> Node:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    faults = Faults("x.yaml")
    root = read(path, faults)
    assert root is not None
    assert faults.sorted() == []
    return root


def test_scalars_stay_as_written(tmp_path: Path) -> None:
    root = _read(tmp_path, "a: 0912\nb: no\n1: 6..10\nc:\nd: 'null'\n")
    assert isinstance(root, MapNode)
    assert {name: value for name, (_, value) in root.items.items()} == {
        "a": Scalar(1, 4, "0912"),
        "b": Scalar(2, 4, "no"),
        "1": Scalar(3, 4, "6..10"),
        "c": Scalar(4, 1, "", empty=True),
        "d": Scalar(5, 4, "null"),
    }


def test_places_count_from_one(tmp_path: Path) -> None:
    root = _read(tmp_path, "list:\n  - x\n  - {y: 1}\n")
    assert isinstance(root, MapNode)
    key, value = root.items["list"]
    assert (key.line, key.column) == (1, 1)
    assert isinstance(value, ListNode)
    assert [(element.line, element.column) for element in value.elements] == [(2, 5), (3, 5)]


def test_a_key_is_one_word(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("[a]: 1\nb: 2\n")
    faults = Faults("x.yaml")
    root = read(path, faults)
    assert isinstance(root, MapNode)
    assert list(root.items) == ["b"]
    assert [str(error) for error in faults.sorted()] == ["x.yaml:1:1: bad-value: a key is one word"]


def test_words() -> None:
    assert did_you_mean("nxt", ["next", "full"]) == "; did you mean 'next'?"
    assert did_you_mean("qqq", ["next", "full"]) == ""
    assert one_of(["a", "b", "c"]) == "a, b or c"
    assert one_of(["a"]) == "a"
    assert one_of([]) == ""
