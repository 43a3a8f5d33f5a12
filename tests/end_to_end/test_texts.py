"""Texts of phones that are not ours: SIPp writes to a number and in a call, linphone to a colleague's baresip."""

from pathlib import Path

import pytest

from tests.end_to_end.desks import add_person, state_of
from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Account
from tests.end_to_end.running import Server, sipp, wait_for

pytestmark = pytest.mark.timeout(120)


def timeline(server: Server, number: str = "0912345678") -> list[tuple[str, str]]:
    """Return channel and text of what is on the timeline of a number, newest first."""
    (customer,) = server.get(f"/customers?phone={number}")["items"]
    items = server.get(f"/customers/{customer['id']}/timeline")["items"]
    return [(item["channel"], item["text"].strip()) for item in items]


def _answered(messages: str) -> bool:
    """Whether a MESSAGE of linphone's was answered 200."""
    return any(
        part.startswith("200 OK") and " MESSAGE" in part.partition("CSeq:")[2][:20]
        for part in messages.split("SIP/2.0 ")[1:]
    )


def test_to_a_number(server: Server, tmp_path: Path) -> None:
    sipp(server, tmp_path, "uac-writes-to-a-number-expect-202.xml", "-s", "19001234")
    assert timeline(server)[0] == ("sip", "Đơn hàng của tôi ở đâu?")


def test_in_a_call(server: Server, tmp_path: Path) -> None:
    sipp(server, tmp_path, "uac-writes-in-a-call-expect-202.xml", "-s", "19001234")
    kept = timeline(server)
    assert ("sip", "Đây là địa chỉ mới của tôi.") in kept
    assert "call" in {channel for channel, _ in kept}


@pytest.mark.parametrize("scenario", ["uac-writes-too-much-expect-413.xml", "uac-writes-a-picture-expect-415.xml"])
def test_what_is_not_taken(server: Server, tmp_path: Path, scenario: str) -> None:
    sipp(server, tmp_path, scenario, "-s", "19001234")


def test_linphone_writes_to_a_colleagues_baresip(server: Server, tmp_path: Path) -> None:
    reads, writes = add_person(server, "an"), add_person(server, "binh")
    baresip = Baresip(tmp_path / "baresip", Account(reads.name, reads.sip_password, server.sip_port), 800.0)
    linphone = Linphone(tmp_path / "linphone", Account(writes.name, writes.sip_password, server.sip_port), 600.0)
    try:
        baresip.start()
        linphone.start()
        names = {reads.name, writes.name}
        wait_for("both are ready", lambda: {state_of(server, name) for name in names} == {"ready"})
        linphone.command(f"chat sip:{reads.name}@127.0.0.1:{server.sip_port} Can you take the next one?")
        wait_for("baresip has the text", lambda: "Can you take the next one?" in baresip.log())
        seen = tmp_path / "linphone" / "messages.log"
        wait_for("linphone knows that it arrived", lambda: _answered(seen.read_text("utf-8", errors="replace")))
    finally:
        linphone.stop()
        baresip.stop()
