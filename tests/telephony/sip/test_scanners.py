"""Who is a scanner by its words or by its questions, and who is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.message import Request, parse_datagram
from telephony.sip.scanners import NAMES, PATIENCE_S, WINDOW_S, Searches, is_scanner
from tests.telephony.sip.messages import write_request


def request(agent: str = "", sender: str = "<sip:1@h>;tag=1", to: str = "<sip:2@h>") -> Request:
    fields = (f"User-Agent: {agent}",) if agent else ()
    message = parse_datagram(write_request("OPTIONS", sender=sender, to=to, fields=fields))
    assert isinstance(message, Request)
    return message


class TestWords:
    @pytest.mark.parametrize(
        "agent",
        [
            "friendly-scanner",
            "Friendly-Scanner 1.0",
            "sipvicious",
            "sipcli/v1.8",
            "sip-scan",
            "sundayddr",
            "VaxSIPUserAgent/3.1",
            "pplsip",
            "eyeBeam release 1011d",
            "eyeBeam release 3007n",
        ],
    )
    def test_scanner(self, agent: str) -> None:
        assert is_scanner(request(agent))

    @pytest.mark.parametrize(
        "agent",
        [
            "",
            "baresip v1.0.0 (x86_64/linux)",
            "Linphone/5.1.0",
            "eyeBeam release 1102q stamp 51814",
            "X-Lite release 5.5.0 stamp 97576",
            "JsSIP 3.10",
            "Asterisk PBX 20.1",
            "My friendly-scanner",
        ],
    )
    def test_phone(self, agent: str) -> None:
        assert not is_scanner(request(agent))

    def test_names(self) -> None:
        assert is_scanner(request(sender='"sipvicious" <sip:100@1.1.1.1>;tag=1'))
        assert is_scanner(request(to='"sipvicious" <sip:100@1.1.1.1>'))
        assert is_scanner(request(sender="<sip:sipvicious@1.1.1.1>;tag=1"))
        assert not is_scanner(request(sender='"Sip Vicious Records" <sip:0912345678@1.1.1.1>;tag=1'))


class TestSearches:
    def test_name_after_name_and_never_a_proof(self) -> None:
        searches = Searches(10)
        found = [searches.refused("a", f"user{number}", 0.001 * number) for number in range(500)]
        assert not any(found), "phones that start together ask together: first they may answer"
        assert searches.refused("a", "one more", PATIENCE_S + 1.0)

    def test_phones_that_start_together_are_none(self) -> None:
        searches = Searches(10)
        for number in range(200):
            assert not searches.refused("office", f"user{number}", 0.001 * number)
        for number in range(200):
            searches.proven("office", f"user{number}")
        assert not searches.refused("office", "late", PATIENCE_S + 1.0)

    def test_one_phone_with_a_wrong_password_is_none(self) -> None:
        searches = Searches(10)
        assert not any(searches.refused("a", "desk", float(number)) for number in range(1000))

    def test_slow_and_wide_is_none(self) -> None:
        searches = Searches(10)
        every = WINDOW_S / (NAMES - 2)
        assert not any(searches.refused("a", f"user{number}", every * number) for number in range(100))

    def test_sources_are_apart(self) -> None:
        searches = Searches(100)
        for number in range(50):
            assert not searches.refused(f"host{number}", f"user{number}", 0.0)
            assert not searches.refused(f"host{number}", f"user{number}", 10.0)

    @given(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200), st.booleans(), st.floats(0.0, 5.0)), max_size=300)
    )
    def test_memory_is_constant(self, inputs: list[tuple[int, int, bool, float]]) -> None:
        searches = Searches(5)
        now = 0.0
        for source, name, proven, pause in inputs:
            now += pause
            if proven:
                searches.proven(str(source), str(name))
            else:
                searches.refused(str(source), str(name), now)
            assert len(searches) <= 5 * 4 * NAMES
