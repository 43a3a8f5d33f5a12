"""The documents of the dialog package, held against the schema of RFC 4235 section 4.4."""

from xml.etree.ElementTree import Element

from hypothesis import given
from hypothesis import strategies as st

from telephony.events import LampCall, TellLamp
from telephony.sip.dialog_info import write_dialog_info
from telephony.sip.refer import Replaces
from telephony.sip.uri import parse_uri
from tests.telephony.sip.watcher import read_xml

NS = "{urn:ietf:params:xml:ns:dialog-info}"
STATES = {"trying", "proceeding", "early", "confirmed", "terminated"}


def document(lamp: TellLamp, *ended: LampCall, own: bool = False, named: Replaces | None = None) -> Element:
    """Return the root of a document that is valid."""
    body = write_dialog_info(lamp, ended, host="hotline.test", version=3, named=lambda _: named, own=own)
    root = read_xml(body)
    assert_valid(root)
    return root


def assert_valid(root: Element) -> None:
    """The order, names and values that the schema asks for."""
    assert root.tag == f"{NS}dialog-info"
    assert set(root.attrib) == {"version", "state", "entity"}
    assert root.attrib["version"].isdecimal()
    assert root.attrib["state"] in {"full", "partial"}
    parse_uri(root.attrib["entity"])
    ids = [dialog.attrib["id"] for dialog in root]
    assert len(ids) == len(set(ids))
    for dialog in root:
        assert dialog.tag == f"{NS}dialog"
        assert set(dialog.attrib) <= {"id", "call-id", "local-tag", "remote-tag", "direction"}
        assert dialog.attrib["direction"] in {"initiator", "recipient"}
        assert [part.tag for part in dialog] == [f"{NS}state", f"{NS}local", f"{NS}remote"]
        assert dialog[0].text in STATES
        for party in dialog[1:]:
            assert [part.tag for part in party] == [f"{NS}identity", f"{NS}target"]
            parse_uri(party[0].text or "")
            parse_uri(party[1].attrib["uri"])


def remote(root: Element, number: int = 0) -> tuple[str, str]:
    """Return URI and name of the other party."""
    identity = root[number][2][0]
    return identity.text or "", identity.attrib.get("display", "")


class TestDocument:
    def test_no_call(self) -> None:
        root = document(TellLamp("an", "ready"))
        assert (root.attrib["entity"], root.attrib["version"], list(root)) == ("sip:an@hotline.test", "3", [])

    def test_a_colleague_may_be_known(self) -> None:
        root = document(TellLamp("an", "talking", calls=(LampCall("c", "confirmed", False, "binh", "Bình", True),)))
        assert root[0].attrib["direction"] == "initiator"
        assert root[0][0].text == "confirmed"
        assert remote(root) == ("sip:binh@hotline.test", "Bình")

    def test_a_customer_is_known_to_the_agent_alone(self) -> None:
        lamp = TellLamp("an", "talking", calls=(LampCall("c", "confirmed", True, "+84912345678", "Lan"),))
        assert remote(document(lamp)) == ("sip:anonymous@anonymous.invalid", "")
        assert remote(document(lamp, own=True)) == ("sip:+84912345678@hotline.test", "Lan")

    def test_what_rings_can_be_named_as_the_phone_that_rings_would(self) -> None:
        ringing = LampCall("c", "early", True, dialog="d")
        root = document(TellLamp("an", "ringing", calls=(ringing,)), named=Replaces("id@host", "ours", "theirs"))
        names = {name: root[0].attrib.get(name) for name in ("call-id", "local-tag", "remote-tag")}
        assert names == {"call-id": "id@host", "local-tag": "theirs", "remote-tag": "ours"}

    def test_what_cannot_be_taken_is_not_named(self) -> None:
        talking = LampCall("c", "confirmed", True, dialog="d")
        root = document(TellLamp("an", "talking", calls=(talking,)), named=Replaces("id@host", "ours", "theirs"))
        assert "call-id" not in root[0].attrib

    def test_what_is_over_is_terminated(self) -> None:
        root = document(TellLamp("an", "ready"), LampCall("c", "confirmed", True))
        assert (root[0].attrib["id"], root[0][0].text) == ("c", "terminated")

    @given(name=st.text(max_size=30), number=st.text(max_size=30), agent=st.text(min_size=1, max_size=30))
    def test_no_text_breaks_a_document(self, name: str, number: str, agent: str) -> None:
        call = LampCall("c", "early", True, number, name, True)
        lamp = TellLamp(agent, "ringing", calls=(call,))
        read_xml(write_dialog_info(lamp, (), host="hotline.test", version=0, named=lambda _: None, own=True))
