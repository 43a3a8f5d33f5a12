"""A desk phone behind a NAT, in network namespaces that the test makes: it is reached, heard, and stays so."""

import contextlib
import os
from pathlib import Path

import pytest

from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.namespaces import PRIVATE, PUBLIC, Nat, inside, nat
from tests.end_to_end.phones.phone import Account
from tests.end_to_end.phones.switchboard import CALLER, CALLER_HZ, FIRST_HZ, Agents, agents
from tests.end_to_end.running import wait_for

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def test_a_phone_behind_a_nat_is_called_and_heard_and_survives_the_router(tmp_path: Path) -> None:
    with nat() as networks:
        inside(networks.server, lambda: in_public(networks, tmp_path))


def in_public(networks: Nat, folder: Path) -> None:
    with agents(folder, address=PUBLIC) as switchboard:
        port = switchboard.server.sip_port
        account = Account("anna", switchboard.people["anna"].sip_password, port, host=PUBLIC)
        caller = Baresip(folder / "caller", Account(CALLER, "", port, host=PUBLIC), CALLER_HZ, address=PUBLIC)
        anna = Baresip(folder / "anna", account, FIRST_HZ, address=PRIVATE)
        with contextlib.ExitStack() as stack:
            for phone, network in ((caller, networks.server), (anna, networks.phone)):
                inside(network, phone.start)
                stack.callback(phone.stop)
            switchboard.wait_until_ready("anna")
            talk_begins(switchboard, caller, anna)

            # The router forgets who is behind it: voice comes from another port of the same host, and goes there; so
            # does what the phone signals.
            networks.forget()
            anna.hears(CALLER_HZ, 15)
            caller.hears(FIRST_HZ)
            anna.hold()
            switchboard.wait_until("held")
            caller.hang_up()
            wait_for("anna's phone is free", anna.is_free)
            switchboard.wait_until_over()


def talk_begins(switchboard: Agents, caller: Baresip, anna: Baresip) -> None:
    caller.dial("7001")
    wait_for("anna's phone rings", anna.rings)
    anna.answer()
    switchboard.wait_until("talking", "anna")
    anna.hears(CALLER_HZ)
    caller.hears(FIRST_HZ)
