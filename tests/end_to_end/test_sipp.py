"""SIPp's scenarios of `tests/sipp`, over UDP and TCP, and 600 calls with every twentieth packet lost each way.

The name of a scenario ends with the status that it expects; each fails when it gets another, or not what belongs to it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import pytest

from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.switchboard import FIRST_HZ, Agents
from tests.end_to_end.running import finish_sipp, sipp, start_sipp, wait_for

pytestmark = pytest.mark.timeout(120)

TRANSPORTS: Final = ("udp", "tcp")
CALLERS: Final = {
    "dials-an-unknown-number-expect-404": "404",
    "offers-no-codec-of-ours-expect-488": "7001",
    "offers-no-description-expect-488": "7001",
    "brings-another-body-expect-415": "7001",
    "requires-an-extension-expect-420": "7001",
    "asks-for-a-short-session-timer-expect-422": "7001",
    "is-malformed-expect-400": "7001",
    "asks-for-options-expect-200": "7001",
    "publishes-expect-405": "7001",
    "asks-for-an-unknown-method-expect-501": "7001",
    "hangs-up-nothing-expect-481": "7001",
    "cancels-nothing-expect-481": "7001",
    "holds-and-resumes-expect-200": "7003",
    "holds-by-the-null-address-expect-200": "7003",
    "calls-sendonly-expect-200": "7003",
    "makes-no-offer-expect-200": "7003",
    "makes-no-offer-again-expect-200": "7003",
    "offers-two-streams-expect-200": "7003",
    "updates-its-session-expect-200": "7003",
    "refreshes-its-session-expect-200": "7003",
    "sends-no-key-by-info-expect-415": "7003",
    "acknowledges-nothing-provisional-expect-481": "7003",
    "hangs-up-as-we-do-expect-200": "7004",
}


@pytest.fixture(scope="module")
def anna(switchboard: Agents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baresip]:
    """Anna's phone."""
    phone = Baresip(tmp_path_factory.mktemp("anna"), switchboard.account("anna", "udp"), FIRST_HZ)
    phone.start()
    switchboard.wait_until_ready("anna")
    yield phone
    phone.stop()


def user(switchboard: Agents, name: str, password: str = "") -> list[str]:
    """Return the arguments that make SIPp the phone of an agent."""
    return ["-key", "user", name, "-au", name, "-ap", password or switchboard.people[name].sip_password]


def running(switchboard: Agents) -> list[dict[str, Any]]:
    """Return the running calls."""
    calls: list[dict[str, Any]] = switchboard.server.get("/calls?state=running")["items"]
    return calls


def newest_calls(switchboard: Agents, count: int) -> list[dict[str, Any]]:
    """Return the calls that came last, page by page."""
    page = switchboard.server.get("/calls?limit=100")
    calls: list[dict[str, Any]] = page["items"]
    while page["next"] is not None and len(calls) < count:
        page = switchboard.server.get(f"/calls?limit=100&before={page['next']}")
        calls += page["items"]
    return calls[:count]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("does", CALLERS)
def test_a_caller(switchboard: Agents, tmp_path: Path, does: str, transport: str) -> None:
    sipp(switchboard.server, tmp_path, f"uac-{does}.xml", "-s", CALLERS[does], transport=transport, timeout_s=15)
    wait_for("no call is left but the silent one", lambda: len(running(switchboard)) <= 1)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_phone_registers_or_is_refused(switchboard: Agents, tmp_path: Path, transport: str) -> None:
    def run(does: str, *arguments: str) -> None:
        sipp(switchboard.server, tmp_path, f"uac-{does}.xml", *arguments, transport=transport, timeout_s=15)

    run("registers-expect-200", *user(switchboard, "bao"))
    run("registers-for-too-short-expect-423", *user(switchboard, "bao"))
    run("registers-with-a-wrong-password-expect-401", *user(switchboard, "bao", "wrong"))
    run("calls-with-a-wrong-password-expect-401", "-s", "anna", *user(switchboard, "bao", "wrong"))
    run("calls-an-absent-agent-expect-480", "-s", "chi", *user(switchboard, "bao"))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_agent_calls_another(switchboard: Agents, anna: Baresip, tmp_path: Path, transport: str) -> None:
    server, bao, chi = switchboard.server, user(switchboard, "bao"), user(switchboard, "chi")

    def start(does: str, *arguments: str) -> Popen[str]:
        return start_sipp(server, tmp_path, f"uac-{does}.xml", "-s", "anna", *arguments, transport=transport)

    # While it rings, anna is engaged to everybody else; then the one who called gives up.
    first = start("gives-up-while-it-rings-expect-487", "-d", "1500", *bao)
    wait_for("anna's phone rings", anna.rings)
    finish_sipp(start("calls-an-engaged-agent-expect-486", *chi), tmp_path)
    finish_sipp(first, tmp_path)
    wait_for("anna's phone rings no more", anna.is_free)

    finish_sipp(start("hangs-up-while-it-rings-expect-487", *bao), tmp_path)
    wait_for("anna's phone rings no more", anna.is_free)

    finish_sipp(start("acknowledges-ringing-expect-200", *bao), tmp_path)
    wait_for("anna's phone rings no more", anna.is_free)

    declined = start("calls-an-agent-who-declines-expect-486", *bao)
    wait_for("anna's phone rings", anna.rings)
    anna.hang_up()
    finish_sipp(declined, tmp_path)

    taken = start("calls-an-agent-expect-200", *bao)
    wait_for("anna's phone rings", anna.rings)
    anna.answer()
    finish_sipp(taken, tmp_path)
    wait_for("anna's phone is free", anna.is_free)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_key_by_info_leads_on(switchboard: Agents, anna: Baresip, tmp_path: Path, transport: str) -> None:
    scenario = "uac-presses-a-key-by-info-expect-200.xml"
    caller = start_sipp(switchboard.server, tmp_path, scenario, "-s", "7003", "-d", "2000", transport=transport)
    wait_for("anna's phone rings", anna.rings)
    finish_sipp(caller, tmp_path)
    wait_for("anna's phone rings no more", anna.is_free)


@pytest.fixture(scope="module", autouse=True)
def silent(switchboard: Agents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A caller who never acknowledges the answer, at it for more than half a minute beside the other tests; gives what
    waits for the end of that."""
    folder = tmp_path_factory.mktemp("silent")
    with start_sipp(switchboard.server, folder, "uac-never-acknowledges-expect-200.xml", "-s", "7003") as process:
        yield lambda: finish_sipp(process, folder)
        if process.poll() is None:
            process.kill()


@pytest.mark.alone  # 25 calls a second: where others have the processor, the server refuses some of them
def test_600_calls_with_loss_and_none_of_them_lost(
    switchboard: Agents, silent: Callable[[], str], tmp_path: Path
) -> None:
    """SIPp drops every twentieth packet of its own, going out and coming in, and sends again what is not answered."""
    messages = sipp(
        switchboard.server, tmp_path, "uac-calls-and-hangs-up-expect-200.xml", "-s", "7003", "-m", "600", "-r", "25",
        "-l", "100", "-lost", "5", timeout_s=100,
    )  # fmt: skip
    assert messages.count(" lost (") > 100, "SIPp drops none"
    wait_for("no call is left", lambda: not running(switchboard), 60)
    # The numbers of these are nobody's; that of the silent one, which may have begun among them, is somebody's.
    theirs = [call for call in newest_calls(switchboard, 700) if not call["ani"]][:600]
    assert Counter(call["ended_by"] for call in theirs) == {"caller": 600}


def test_a_caller_who_never_acknowledges_is_hung_up_on(switchboard: Agents, silent: Callable[[], str]) -> None:
    """The answer is repeated for 32 s (64 * T1, RFC 3261 section 13.3.1.4), and then the call is ended by a BYE."""
    messages = silent()
    assert messages.count("SIP/2.0 200 OK") > 5
    wait_for("no call is left", lambda: not running(switchboard))
