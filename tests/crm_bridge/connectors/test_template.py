"""Whatever a value is, it stays a value."""

import contextlib
import json
import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors import exchange, load, template
from crm_bridge.connectors.language import INPUTS
from crm_bridge.connectors.template import SAFE_IN_QUERY, Slot, Template, TemplateFault, Unfit

anything = st.text(min_size=1, max_size=60) | st.sampled_from(
    ["'", "\\", "\\'", "''", "' OR Id != '", '"', "\n", ")", "%27"]
)


def filled(text: str, value: object) -> str:
    return str(template.value_of(template.parse(text), {"x": value}))


@settings(deadline=None)
@given(anything)
def test_a_string_of_soql_ends_where_it_should(value: str) -> None:
    written = filled("WHERE Email = {x|soql} LIMIT 1", value)
    found = re.fullmatch(r"WHERE Email = '((?:[^'\\\n\r]|\\['\"\\nrtbf])*)' LIMIT 1", written)
    assert found is not None


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=4))
def test_a_list_of_soql_has_as_many_strings(values: list[str]) -> None:
    strings = re.sub(r"'(?:[^'\\]|\\.)*'", "?", filled("IN {x|soql} LIMIT 1", tuple(values)))
    assert strings == f"IN ({','.join('?' * len(values))}) LIMIT 1"


@settings(deadline=None)
@given(anything)
def test_a_string_of_odata_reads_back_as_it_was(value: str) -> None:
    written = filled("a eq {x|odata} or b", value)
    assert written.startswith("a eq '")
    assert written.endswith("' or b")
    inner = written.removeprefix("a eq '").removesuffix("' or b")
    assert "'" not in inner.replace("''", "")
    assert inner.replace("''", "'") == value.encode("utf-8", "replace").decode()


@settings(deadline=None)
@given(anything)
def test_a_phrase_of_a_search_has_one_end(value: str) -> None:
    assert filled("email:{x|search}", value).count('"') == 2


@settings(deadline=None)
@given(anything)
def test_criteria_are_not_ended_by_a_value(value: str) -> None:
    inner = filled("(A:equals:{x|criteria})", value).removeprefix("(A:equals:").removesuffix(")")
    assert not re.search(r"[(),:]", re.sub(r"\\.", "", inner))


@settings(deadline=None)
@given(anything)
def test_text_for_html_has_no_markup(value: str) -> None:
    assert not set("<>\"'") & set(filled("{x|html}", value))


@settings(deadline=None)
@given(anything)
def test_a_path_keeps_its_segments(value: str) -> None:
    path = template.parse("/contacts/{x}/cases")
    try:
        written = template.path_of(path, {"x": value})
    except Unfit:
        return
    assert urlsplit(f"https://crm.example.com{written}").path == written
    assert written.count("/") == 3
    assert ".." not in written.split("/")
    assert unquote(written.split("/")[2]) == value.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("value", ["", ".", "..", "a\nb", None, ["a"], "x" * 40_000])
def test_what_cannot_be_in_a_path_is_refused(value: object) -> None:
    with pytest.raises(Unfit):
        template.path_of(template.parse("/contacts/{x}"), {"x": value})


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_header_is_one_line(value: str) -> None:
    try:
        written = template.header_of(template.parse("Bearer {x}"), {"x": value})
    except Unfit:
        return
    assert written.isprintable()


@settings(deadline=None)
@given(
    st.sampled_from(sorted(SAFE_IN_QUERY)),
    st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans(),
)
def test_no_filter_fails_otherwise_than_by_saying_so(name: str, value: object) -> None:
    with contextlib.suppress(Unfit):
        assert isinstance(template.value_of(Template(("a ", Slot("x", (name,)))), {"x": value}), str)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_template_or_a_fault(text: str) -> None:
    try:
        template.parse(text)
    except TemplateFault:
        assert "{" in text or "}" in text


@settings(deadline=None)
@given(
    st.sampled_from(sorted(load.shipped())),
    st.fixed_dictionaries(dict.fromkeys(sorted(set().union(*INPUTS.values()) - {"numbers"}), anything)),
)
def test_no_value_changes_the_shape_of_any_request(kind: str, hostile: dict[str, str]) -> None:
    """What a caller may choose (a display name, an address) changes neither where we ask nor what."""
    connector = CONNECTORS[kind]
    times = {"started_at": 1.8e9, "ended_at": 1.8e9 + 9, "duration_s": 9.0, "numbers": (hostile["phone"],)}
    for operation in connector.operations.values():
        values = {name: value for name, value in (hostile | times).items() if name in INPUTS[operation.name]}
        try:
            request = exchange.request_of(connector, operation, {"tenant": "t", **values})
        except Unfit:
            continue
        assert {name for name, _ in request.query} <= set(operation.query) | {"page"}
        assert "\n" not in request.address
        assert " " not in request.address
        for name, value in request.query:
            # OData knows no backslash; in SOQL it is what keeps a quotation mark.
            string = r"'(?:[^']|'')*'" if kind == "dynamics" else r"'(?:[^'\\]|\\.|'')*'"
            shape = re.sub(rf"{string}|\"[^\"]*\"", "?", value)
            if (plain := operation.query.get(name)) is not None and plain.whole is None and kind != "zoho":
                assert hostile.get("email", "") not in shape or len(hostile["email"]) < 3
        json.dumps(request.body).encode("utf-8")


CONNECTORS = {name: load.load(path) for name, path in load.shipped().items()}
