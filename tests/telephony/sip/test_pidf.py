"""Presence documents, held against the schemas of RFC 3863 section 4.4, RFC 4479 and RFC 4480."""

from datetime import datetime
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import AgentState, TellLamp
from telephony.sip.pidf import write_pidf
from telephony.sip.uri import parse_uri
from tests.telephony.sip.watcher import read_xml

NS, DM, RPID = (f"{{urn:ietf:params:xml:ns:pidf{part}}}" for part in ("", ":data-model", ":rpid"))
# Those of RFC 4480 section 3.2 that are written here.
ACTIVITIES = {"away", "busy", "meal", "meeting", "on-the-phone", "working"}


def document(lamp: TellLamp) -> Element:
    """Return the root of a document that is valid."""
    root = read_xml(write_pidf(lamp, host="hotline.test"))
    assert root.tag == f"{NS}presence"
    parse_uri(root.attrib["entity"])
    assert [part.tag for part in root] == [f"{NS}tuple", f"{DM}person"]
    tuple_, person = root
    assert tuple_.attrib["id"]
    assert person.attrib["id"]
    kinds = [part.tag.removeprefix(NS) for part in tuple_]
    assert kinds == ["status", "contact", "note", "timestamp"][: len(kinds)]
    assert [part.tag for part in tuple_[0]] == [f"{NS}basic"]
    if len(kinds) == 4:
        datetime.fromisoformat(tuple_[3].text or "")
    assert [part.tag for part in person][-1:] == [f"{DM}note"]
    for part in person[:-1]:
        assert part.tag == f"{RPID}activities"
        assert {each.tag.removeprefix(RPID) for each in part} <= ACTIVITIES
        assert len(part) > 0
    return root


@pytest.mark.parametrize(
    ("state", "reason", "basic", "activities", "note"),
    [
        ("offline", "", "closed", [], "Offline"),
        ("ready", "", "open", [], "Ready"),
        ("not_ready", "lunch", "open", ["away", "meal"], "Not ready: lunch"),
        ("not_ready", "meeting", "open", ["away", "meeting"], "Not ready: meeting"),
        ("not_ready", "break", "open", ["away"], "Not ready: break"),
        ("ringing", "", "open", ["busy"], "Ringing"),
        ("talking", "break", "open", ["on-the-phone", "busy"], "On a call"),
        ("after_call_work", "", "open", ["working", "busy"], "After-call work"),
    ],
)
def test_states(state: AgentState, reason: str, basic: str, activities: list[str], note: str) -> None:
    root = document(TellLamp("an", state, reason, 1_700_000_000.0))
    assert root[0][0][0].text == basic
    found = root[1].find(f"{RPID}activities")
    assert [each.tag.removeprefix(RPID) for each in (found if found is not None else [])] == activities
    assert root[1].findtext(f"{DM}note") == note


def test_a_state_of_unknown_age_has_no_time() -> None:
    assert document(TellLamp("an", "offline"))[0].find(f"{NS}timestamp") is None


@given(reason=st.text(max_size=30), agent=st.text(min_size=1, max_size=30))
def test_no_text_breaks_a_document(reason: str, agent: str) -> None:
    read_xml(write_pidf(TellLamp(agent, "not_ready", reason), host="hotline.test"))
