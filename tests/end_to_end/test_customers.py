"""Customers on the pages: found by whatever is known of them, and each shown whole to whom it is allowed."""

import contextlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from hotline.auth import Role
from tests.end_to_end.browser import Tab, chromium
from tests.end_to_end.desks import LAN, Person, add_person, sign_in
from tests.end_to_end.looking import faults, look
from tests.end_to_end.people import Known, busy_house, recorded, tell, tell_of_people
from tests.end_to_end.running import Server, wait_for

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with busy_house(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def people(server: Server) -> dict[str, Person]:
    roles: dict[str, Role] = {"thanh": "agent", "huong": "supervisor"}
    return {name: add_person(server, name, role) for name, role in roles.items()}


@pytest.fixture(scope="module")
def known(server: Server) -> Known:
    return tell_of_people(server)


@contextlib.contextmanager
def signed_in(playwright: Playwright, server: Server, folder: Path, person: Person) -> Iterator[Tab]:
    with chromium(playwright, server, folder) as tab:
        sign_in(tab, person, "/customers")
        yield tab


@pytest.fixture(scope="module")
def agent(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    with signed_in(playwright, server, tmp_path_factory.mktemp("agent"), people["thanh"]) as tab:
        yield tab


@pytest.fixture(scope="module")
def supervisor(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    with signed_in(playwright, server, tmp_path_factory.mktemp("supervisor"), people["huong"]) as tab:
        yield tab


def test_the_pages_in_all_their_looks(
    server: Server, known: Known, agent: Tab, supervisor: Tab, pictures: Path
) -> None:
    server.post(f"/customers/{known.lan}/hold", {"reason": "court 7/2026"})
    server.post("/privacy/requests", {"kind": "export", "customer": known.lan, "note": "Bằng e-mail"})
    late = {"kind": "erase", "note": "Ông Nam, 0903 111 222", "received_at": "2026-11-01T10:00:00+07:00"}
    server.post("/privacy/requests", late)
    agent.go("/customers?q=lan")
    expect(agent.page.get_by_role("list", name="Customers").get_by_role("listitem")).to_have_count(2)
    look(agent, "customers-search", pictures)
    agent.go(f"/customers/{known.lan}")
    expect(agent.page.get_by_role("region", name="Timeline").get_by_role("listitem")).to_have_count(3)
    look(agent, "customers-beside-the-phone", pictures)
    supervisor.go(f"/customers/{known.lan}")
    expect(supervisor.page.get_by_text("answer by")).to_be_visible()
    expect(supervisor.page.get_by_text("1 might be the same")).to_be_visible()
    look(supervisor, "customers-person", pictures)
    supervisor.go(f"/customers/{known.lan}/same?with={known.other}")
    expect(supervisor.page.get_by_role("region", name="Side by side")).to_contain_text("Gọi lại tôi")
    look(supervisor, "customers-same", pictures)
    supervisor.page.get_by_role("button", name="One person: put together").click()
    expect(supervisor.page.get_by_role("dialog")).to_contain_text("The legal hold of one keeps the data of both.")
    assert faults(supervisor.page) == []
    supervisor.page.keyboard.press("Escape")
    supervisor.go("/supervise/requests")
    expect(supervisor.page.get_by_role("row").nth(1)).to_contain_text("Late")
    look(supervisor, "supervise-requests", pictures)
    supervisor.go("/tasks")
    expect(supervisor.page.get_by_text("Place 1")).to_be_visible()
    look(supervisor, "tasks", pictures)
    server.post(f"/customers/{known.lan}/release", {})


def test_an_agent_finds_a_customer_by_anything_and_sees_what_comes_in(server: Server, known: Known, agent: Tab) -> None:
    page = agent.page
    agent.go("/customers")
    for typed in ("0912 345 678", "lan.pham@example.com", "lan-zalo"):
        page.get_by_label("Find a customer").fill(typed)
        expect(page.get_by_role("list", name="Customers").get_by_role("listitem")).to_have_count(1)
        expect(page.get_by_role("list", name="Customers").get_by_role("link", name="Phạm Thị Lan")).to_be_visible()
    page.get_by_label("Find a customer").fill("nobody at all")
    expect(page.get_by_text("Nobody is known by “nobody at all”.")).to_be_visible()
    page.get_by_label("Find a customer").fill("tran binh")
    expect(page.get_by_role("link", name="Trần Văn Bình")).to_be_visible()
    page.get_by_label("Find a customer").fill(LAN)
    expect(page.get_by_role("list", name="Customers").get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{known.lan}")
    # Who, how sure we are, what is open, what was bought and agreed to; and the phone is beside it.
    identities = page.get_by_role("region", name="Known by")
    expect(identities.get_by_role("listitem").filter(has_text="lan-zalo")).to_contain_text("Seen by the channel")
    expect(identities.get_by_role("listitem").filter(has_text="0912 345 678")).to_contain_text("Only claimed")
    expect(page.get_by_role("region", name="Requests")).to_contain_text("Hoàn tiền đơn 4561")
    expect(page.get_by_role("region", name="Payments")).to_contain_text("MoMo")
    expect(page.get_by_role("region", name="Consents")).to_contain_text("Offers and news")
    expect(page.get_by_role("region", name="Phone")).to_be_visible()
    timeline = page.get_by_role("region", name="Timeline")
    expect(timeline.get_by_role("listitem")).to_have_count(3)
    # The filter is in the address, and what comes in meanwhile appears by itself.
    timeline.get_by_role("button", name="Zalo").click()
    expect(timeline.get_by_role("listitem")).to_have_count(1)
    page.reload()
    expect(timeline.get_by_role("listitem")).to_have_count(1)
    tell(server, "zalo", "2026-11-23T01:00:00Z", {"zalo": "lan-zalo"}, "Còn hàng không?")
    expect(timeline.get_by_role("listitem")).to_have_count(2)
    timeline.get_by_label("From").fill("2026-11-22")
    expect(timeline.get_by_role("listitem")).to_have_count(1)
    timeline.get_by_role("button", name="Clear").click()
    expect(timeline.get_by_role("listitem")).to_have_count(4)
    assert not [line for line in agent.console if "401" not in line]


def test_a_supervisor_decides_whether_two_are_one_person_and_takes_it_back(
    server: Server, known: Known, supervisor: Tab
) -> None:
    page = supervisor.page
    supervisor.go(f"/customers/{known.lan}")
    expect(page.get_by_text("1 might be the same")).to_be_visible()
    page.get_by_role("link", name="One person or two?").click()
    maybe = page.get_by_role("region", name="Might be the same person")
    expect(maybe).to_contain_text("same name; similar e-mail address; same postal address")
    maybe.get_by_role("link", name="Phạm Thị Lan").click()
    compared = page.get_by_role("region", name="Side by side")
    expect(compared).to_contain_text("Gọi lại tôi")
    expect(compared).to_contain_text("Hoàn tiền đơn 4561")

    # Without a network nothing is lost, and nothing is done later behind anybody's back.
    compared.get_by_role("button", name="One person: put together").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("one person with 2 profiles, 5 identities and 1 requests")
    dialog.get_by_label("How do you know?").fill("she said so on the phone")
    supervisor.context.set_offline(True)
    dialog.get_by_role("button", name="One person: put together").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not certain whether it was done")
    supervisor.context.set_offline(False)
    expect(dialog.get_by_label("How do you know?")).to_have_value("she said so on the phone")
    assert server.get(f"/customers/{known.lan}/links")["items"] == []
    # Two clicks are one merge.
    dialog.get_by_role("button", name="One person: put together").dblclick()
    expect(page.get_by_role("status").filter(has_text="They are one person now.")).to_be_focused()
    (merge,) = server.get(f"/customers/{known.lan}/links")["items"]
    assert (merge["kind"], merge["by"], merge["evidence"]) == ("merge", "huong", "she said so on the phone")
    expect(page.get_by_role("region", name="Put together of these profiles").get_by_role("listitem")).to_have_count(2)
    history = page.get_by_role("region", name="What was decided")
    expect(history).to_contain_text("huong · she said so on the phone")

    # Somebody else was quicker: it is said, and the page shows what is.
    history.get_by_role("button", name="Undo").click()
    server.post(f"/merges/{merge['id']}/undo", {"evidence": "twins"})
    dialog.get_by_role("button", name="Undo").click()
    expect(dialog.get_by_role("alert")).to_contain_text("undone already")
    page.keyboard.press("Escape")
    expect(history).to_contain_text("twins")
    expect(page.get_by_text("Was one person before")).to_be_visible()

    # Two people: suggested as judged, and not to be put together until that is undone.
    maybe.get_by_role("link", name="Phạm Thị Lan").click()
    compared.get_by_role("button", name="Two different people").click()
    dialog.get_by_label("How do you know?").fill("two identity cards")
    page.keyboard.press("Enter")
    expect(page.get_by_text("They are held for two people now.")).to_be_visible()
    expect(maybe).to_contain_text("Different people")
    maybe.get_by_role("link", name="Phạm Thị Lan").click()
    expect(compared.get_by_role("button", name="One person: put together")).to_be_disabled()
    history.get_by_role("button", name="Undo: Held for two people").click()
    dialog.get_by_role("button", name="Undo").click()
    expect(compared.get_by_role("button", name="One person: put together")).to_be_enabled()
    assert not [line for line in supervisor.console if not any(said in line for said in ("401", "409", "DISCONNECTED"))]


def test_whom_a_claim_alone_joined_is_confirmed_before_anything_is_handed_over(server: Server, supervisor: Tab) -> None:
    page, number = supervisor.page, "0909000111"
    mai = tell(server, "zalo", "2026-11-20T01:00:00Z", {"zalo": "mai", "phone": number}, "Xin chào")
    tell(server, "facebook", "2026-11-20T02:00:00Z", {"facebook": "guest"}, "Chào shop")
    assert tell(server, "facebook", "2026-11-20T03:00:00Z", {"facebook": "guest", "phone": number}, number) == mai
    supervisor.go(f"/customers/{mai}")
    privacy = page.get_by_role("region", name="Privacy")
    expect(privacy).to_contain_text("it may be a stranger")
    privacy.get_by_role("link", name="One person or two?").click()
    history = page.get_by_role("region", name="What was decided")
    expect(history).to_contain_text("a number the customer gave")
    history.get_by_role("button", name="Confirm").click()
    page.get_by_role("dialog").get_by_label("How do you know?").fill("she called from it")
    page.keyboard.press("Enter")
    expect(history.get_by_role("listitem")).to_have_count(2)
    expect(history.get_by_role("button", name="Confirm")).to_have_count(0)
    page.get_by_role("link", name="← ").click()
    expect(page.get_by_role("listitem").filter(has_text="guest").first).to_contain_text("Seen by the channel")
    expect(privacy).not_to_contain_text("it may be a stranger")


def test_consents_requests_and_holds_are_written_down_where_the_customer_is(
    server: Server, known: Known, supervisor: Tab, agent: Tab
) -> None:
    page = supervisor.page
    supervisor.go(f"/customers/{known.other}")
    consents, privacy = page.get_by_role("region", name="Consents"), page.get_by_role("region", name="Privacy")
    dialog = page.get_by_role("dialog")
    consents.get_by_role("button", name="Write down a consent").click()
    dialog.get_by_label("Words to which it was said").fill("May we send you offers?")
    dialog.get_by_role("button", name="Write down").click()
    expect(consents).to_contain_text("Offers and news")
    expect(consents).to_contain_text("withdrawn")
    consents.get_by_text("What was said").click()
    expect(consents.get_by_text("May we send you offers?")).to_be_visible()
    # What proves a consent is heard where it stands, and the hearing is written down.
    server.write([recorded(server, 7, known.other)])
    proof = {"recording": f"{7:032x}", "clip_from": 0.5, "clip_until": 2.0}
    spoken = {
        "purpose": "recording",
        "state": "given",
        "at": "2026-11-20T03:00:00Z",
        "channel": "call",
        "notice": "Vâng",
    }
    server.post(f"/customers/{known.other}/consents", spoken | proof)
    page.reload()
    clip = consents.get_by_label("Hear the consent: Recording of calls")
    clip.evaluate("sound => sound.play()")
    expect(clip).to_have_js_property("duration", 1.5)
    wait_for("the hearing is written down", lambda: server.get("/audit?what=consent.heard")["items"])
    # What somebody asks for has a deadline, here and in the list of all.
    privacy.get_by_role("button", name="Write down a request").click()
    dialog.get_by_role("button", name="What is asked for").click()
    page.get_by_role("option", name="To be erased").click()
    dialog.get_by_role("button", name="Write down").click()
    expect(privacy).to_contain_text("answer by")
    # A hold is seen by everybody, and stands in the way of an erasure.
    privacy.get_by_role("button", name="Place a legal hold").click()
    dialog.get_by_label("Why it has to be kept").fill("court 7/2026")
    page.keyboard.press("Enter")
    expect(page.get_by_role("note")).to_contain_text("court 7/2026")
    expect(privacy.get_by_role("button", name="Erase")).to_be_disabled()
    agent.go(f"/customers/{known.other}")
    expect(agent.page.get_by_role("note")).to_contain_text("court 7/2026")
    expect(agent.page.get_by_role("region", name="Privacy")).to_have_count(0)
    agent.go(f"/customers/{known.other}/same")
    expect(agent.page.get_by_text("Supervisors decide who is one person.")).to_be_visible()
    privacy.get_by_role("button", name="Release the hold").click()
    dialog.get_by_role("button", name="Release the hold").click()
    expect(page.get_by_role("note")).to_have_count(0)


def test_a_customer_is_exported_and_erased_once_no_hold_stands(
    server: Server, known: Known, supervisor: Tab, agent: Tab
) -> None:
    page = supervisor.page
    for tab in (supervisor, agent):
        tab.go(f"/customers/{known.other}")
    privacy, dialog = page.get_by_role("region", name="Privacy"), page.get_by_role("dialog")
    with page.expect_download() as download:
        privacy.get_by_role("link", name="Export as ZIP").click()
    assert zipfile.is_zipfile(download.value.path())
    # A hold that somebody places at that moment wins.
    privacy.get_by_role("button", name="Erase").click()
    erase = dialog.get_by_role("button", name="Erase")
    dialog.get_by_role("textbox").fill("Pham Thi Lan")
    expect(erase).to_be_disabled()
    dialog.get_by_role("textbox").fill("Phạm Thị Lan")
    server.post(f"/customers/{known.other}/hold", {"reason": "court 8/2026"})
    erase.click()
    expect(dialog.get_by_role("alert")).to_contain_text("court 8/2026")
    server.post(f"/customers/{known.other}/release", {})
    erase.click()
    page.wait_for_url("**/customers/erasures/*")
    expect(page.get_by_text("Everything is gone.")).to_be_visible()
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the certificate").click()
    assert json.loads(download.value.path().read_text("utf-8"))["signature"]
    expect(agent.page.get_by_text("There is no such customer.")).to_be_visible()
    deeds = {entry["what"] for entry in server.get("/audit?who=huong&limit=200")["items"]}
    assert {"customer.export", "customer.erase", "customer.erase.held", "consent.withdrawn"} <= deeds
    supervisor.go("/supervise/requests")
    page.get_by_role("button", name="Closed ones, too").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("To be erased")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Done")


def test_messages_are_heard_and_done_and_promised_calls_stand_in_their_order(
    server: Server, known: Known, agent: Tab, supervisor: Tab
) -> None:
    page = agent.page
    agent.go("/tasks")
    messages = page.get_by_role("region", name="Voicemails")
    expect(messages.get_by_role("listitem")).to_have_count(2)
    first = messages.get_by_role("listitem").first
    expect(first).to_contain_text("0912 345 678")
    expect(first).to_contain_text("Đơn 4602 của tôi đến chưa?")
    first.locator("audio").evaluate("sound => sound.play()")
    expect(first.locator("audio")).to_have_js_property("paused", False)
    wait_for("the hearing is written down", lambda: server.get("/audit?what=voicemail.heard")["items"])
    first.get_by_role("button", name="Mark as done: 0912 345 678").dblclick()
    expect(messages.get_by_role("listitem")).to_have_count(1)
    expect(messages.get_by_role("status")).to_contain_text("The message of 0912 345 678 is done.")
    expect(messages.get_by_role("status")).to_be_focused()
    messages.get_by_role("button", name="Open again").click()
    expect(messages.get_by_role("listitem")).to_have_count(2)
    # Another one comes in, for those who see that queue.
    supervisor.go("/tasks")
    others = supervisor.page.get_by_role("region", name="Voicemails")
    expect(others.get_by_role("listitem")).to_have_count(2)
    others.get_by_role("button", name="Mark as done: 0903 111 222").click()
    expect(messages.get_by_role("listitem")).to_have_count(1)

    expect(page.get_by_role("region", name="Callbacks")).to_contain_text("Nobody waits for a call.")
    promised = supervisor.page.get_by_role("region", name="Callbacks")
    expect(promised.get_by_role("listitem").first).to_contain_text("Place 1")
    expect(promised.get_by_role("listitem").first).to_contain_text("0908 123 450")
    promised.get_by_role("button", name="Take back: 0908 123 450").click()
    supervisor.page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(promised.get_by_role("listitem")).to_have_count(1)
    expect(promised.get_by_role("listitem").first).to_contain_text("0908 123 451")
    expect(promised.get_by_role("listitem").first).to_contain_text("Place 1")
    promised.get_by_role("button", name="Not reached").click()
    expect(promised.get_by_role("listitem").first).to_contain_text("no answer")
    assert [each["state"] for each in server.get("/callbacks")["items"]].count("cancelled") == 1


def test_an_address_of_nobody_says_so(supervisor: Tab) -> None:
    supervisor.go("/supervise/customers/0000")
    expect(supervisor.page.get_by_text("There is no such customer.")).to_be_visible()
    assert supervisor.page.url.endswith("/customers/0000")
