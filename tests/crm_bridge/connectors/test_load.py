"""A file that is wrong says where, and what would be right."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors import load
from crm_bridge.connectors.load import ConnectorErrors

SOUND = """\
title: Ours
sign_in: {kind: header, value: "Bearer {key}"}
operations:
  check: {method: GET, path: /me}
  find_by_email:
    method: GET
    path: /people
    query: {email: "{email}"}
    rows: items
    fields: {id: id}
"""


def errors_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ConnectorErrors) as told:
        load.parse(text, "ours.yaml")
    return told.value.errors


def faults_of(text: str) -> tuple[str, ...]:
    try:
        load.parse(text, "f")
    except ConnectorErrors as told:
        return told.errors
    return ()


def test_a_sound_file_is_read() -> None:
    connector = load.parse(SOUND, "ours.yaml")
    assert connector.title == "Ours"
    assert connector.sign_in.needs == ("key",)


@pytest.mark.filterwarnings("error")
def test_of_a_doubled_anchor_the_later_one_holds() -> None:
    doubled = SOUND.replace("title: Ours", "headers: {X-A: &a one, X-B: &a two}\ntitle: *a")
    assert load.parse(doubled, "ours.yaml").title == "two"


@pytest.mark.parametrize(
    ("was", "instead", "said"),
    [
        ('email: "{email}"', 'q: "email = {email}"', "ours.yaml:8:16: `{email}` has text around it: say how that text"),
        ('email: "{email}"', 'q: "a {email|text}"', "has text around it"),
        ('"{email}"', '"{emial}"', "ours.yaml:8:20: `emial` is not known here; known are email"),
        ('"{email}"', '"{email|sql}"', "`sql` is no filter"),
        ('"{email}"', '"{email"', "stands alone"),
        ("path: /people", "path: people", "ours.yaml:7:11: a path begins with one /"),
        ("path: /people", "path: //evil.example.com/people", "a path begins with one /"),
        ("path: /people", "path: /people?all=1", "parameters go into `query:`"),
        ("rows: items", "rows: items..x", "is no place in an answer"),
        ("fields: {id: id}", "fields: {name: name}", "must say where the `id` is"),
        ("fields: {id: id}", "feilds: {id: id}", "ours.yaml:10:5: `feilds` means nothing here; `fields`?"),
        (
            "method: GET\n    path: /people",
            "method: DELETE\n    path: /people",
            "`DELETE` is not known; write GET, POST",
        ),
        ("kind: header", "kind: magic", "`magic` is not known"),
        ("title: Ours\n", "", "`title` is missing"),
        ("check: {method: GET, path: /me}", "pages: {}", "`check` is missing"),
        ("title: Ours", "title: Ours\ntitle: Theirs", "ours.yaml:2:1: `title` stands here twice, first on line 1"),
        ("title: Ours", "title: [", "this is not YAML"),
        ("title: Ours", "title: Ours\nlimits: {per_second: 0}", "a number of at least 0.01 is due"),
        ("title: Ours", "title: Ours\nbusy: [{status: 403, at: code}]", "`at` and `word` belong together"),
        ("title: Ours", "title: Ours\noptions: {email: x}", "is no name of an option"),
        ("rows: items", "rows: items\n    pages: {page: page}", "how many rows a full page has"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(was: str, instead: str, said: str) -> None:
    assert was in SOUND
    assert any(said in error for error in errors_of(SOUND.replace(was, instead))), said


def test_everything_wrong_is_said_at_once() -> None:
    text = SOUND.replace("path: /people", "path: people").replace("rows: items", "rowz: items")
    assert len(errors_of(text)) == 2


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConnectorErrors, match="cannot be read"):
        load.load(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"title: a\nx: \xff\n")
    with pytest.raises(ConnectorErrors, match=r"broken.yaml:2:4: is not UTF-8"):
        load.load(broken)


def test_an_alias_to_itself_has_an_end() -> None:
    assert "not YAML" in errors_of("title: &a [*a]\n")[0]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("{}[]:,-\n &*#\"'|>%@ab1"), max_size=80))
def test_any_text_is_a_connector_or_has_errors_with_places(text: str) -> None:
    assert all(error.startswith("f:") for error in faults_of(text))


@settings(deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.sampled_from(["{", "}", ":", "\t", "x", "- ", "null", "&a ", "*a", "'"]))
def test_a_sound_file_with_a_slip_never_raises_otherwise(at: int, slip: str) -> None:
    assert all(error.startswith("f:") for error in faults_of(SOUND[:at] + slip + SOUND[at:]))
