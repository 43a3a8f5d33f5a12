"""Phones that speak one codec alone: to an agent in G.711, and to one in their own; both hear, at the right level."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Phone
from tests.end_to_end.phones.switchboard import CALLER, CALLER_HZ, FIRST_HZ, Agents, MakePhone, agents
from tests.end_to_end.running import wait_for

pytestmark = pytest.mark.timeout(90)

LEVEL: Final = 8000
"""What `desks.tone` plays at."""
BARESIP: Final = {"G722": "g722/16000/1", "opus": "opus/48000/2", "L16/16000": "l16/16000/1"}
CALLERS: Final[dict[str, tuple[str, MakePhone]]] = {
    **{f"baresip {codec}": (codec, partial(Baresip, codec=spoken)) for codec, spoken in BARESIP.items()},
    "linphone G722": ("G722", partial(Linphone, codec="G722")),
    "linphone opus": ("opus", partial(Linphone, codec="opus")),
}
AGENTS: Final[dict[str, MakePhone]] = {
    "PCMU": Baresip,
    "G722": partial(Linphone, codec="G722"),
    "opus": partial(Baresip, codec=BARESIP["opus"]),
}
CASES: Final = [
    ("baresip G722", "PCMU"),
    ("baresip opus", "PCMU"),
    ("baresip L16/16000", "PCMU"),
    ("linphone G722", "PCMU"),
    ("linphone opus", "PCMU"),
    ("baresip G722", "G722"),
    ("linphone opus", "opus"),
    ("baresip opus", "G722"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOTLINE__MEDIA__CODECS", "pcmu, pcma, g722, opus, l16/16000")
        with agents(tmp_path_factory.mktemp("codecs")) as started:
            yield started


def codecs_of(server: Agents, call: str) -> dict[str, str]:
    """Return what each leg of a call was last connected with, as its journal has it."""
    (path,) = server.server.data.rglob(f"{call}.jsonl")
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    return {each["leg"]: each["codec"] for each in messages if each["what"] == "ConnectLeg"}


def hears(phone: Phone, hertz: float, other: Phone) -> None:
    """Wait until one hears the other. linphone has a volume of its own, both ways."""
    if isinstance(phone, Linphone) or isinstance(other, Linphone):
        phone.hears(hertz)
    else:
        phone.hears_as_loud(hertz, LEVEL)


@pytest.mark.parametrize(("calls", "answers"), CASES)
def test_both_ends_hear(server: Agents, tmp_path: Path, calls: str, answers: str) -> None:
    codec, make = CALLERS[calls]
    caller = make(tmp_path / "caller", server.account(CALLER, "udp"), CALLER_HZ)
    anna = AGENTS[answers](tmp_path / "anna", server.account("anna", "udp"), FIRST_HZ)
    try:
        anna.start()
        caller.start()
        server.wait_until_ready("anna")
        caller.dial("7001")
        wait_for("anna's phone rings", anna.rings)
        anna.answer()
        call = server.wait_until("talking", "anna")
        hears(anna, CALLER_HZ, caller)
        hears(caller, FIRST_HZ, anna)
        assert sorted(codecs_of(server, str(call["id"])).values()) == sorted([codec, answers])
        caller.hang_up()
        server.wait_until_over()
    except AssertionError as error:
        logs = [f"==== {phone.account.user}\n{phone.log()[-4000:]}" for phone in (caller, anna)]
        raise AssertionError("\n".join([str(error), *logs, *server.server.errors[-20:]])) from error
    finally:
        caller.stop()
        anna.stop()
