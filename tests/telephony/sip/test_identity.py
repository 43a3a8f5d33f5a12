"""Who calls, and for whom: what a trunk says counts, what a stranger says does not."""

import pytest

from telephony.sip.identity import Identity, identify
from telephony.sip.message import Request, parse_datagram
from tests.telephony.sip.messages import write_request


def invite(*fields: str, sender: str = '"Lan" <sip:0912345678@192.0.2.2>;tag=f1') -> Request:
    message = parse_datagram(write_request(sender=sender, fields=fields))
    assert isinstance(message, Request)
    return message


ASSERTED = 'P-Asserted-Identity: "Tran Lan" <sip:+84912345678@carrier.example>, <tel:+84912345678>'


class TestIdentify:
    def test_a_trunks_word_counts(self) -> None:
        request = invite(ASSERTED, sender="<sip:account7@carrier.example>;tag=1")
        assert identify(request, trusted=True) == Identity("+84912345678", "Tran Lan", withheld=False)

    def test_a_strangers_does_not(self) -> None:
        request = invite(ASSERTED, "Diversion: <sip:1900@x>")
        assert identify(request, trusted=False) == Identity("0912345678", "Lan", withheld=False)

    @pytest.mark.parametrize("privacy", ["Privacy: id", "Privacy: header;user", "Privacy: ID"])
    def test_who_asks_not_to_be_known_is_not_though_the_trunk_knows(self, privacy: str) -> None:
        assert identify(invite(ASSERTED, privacy), trusted=True) == Identity("", "", withheld=True)

    def test_privacy_of_something_else(self) -> None:
        assert not identify(invite("Privacy: none"), trusted=False).withheld

    def test_remote_party_id_of_older_equipment(self) -> None:
        request = invite('Remote-Party-ID: "Lan" <sip:0243555@pbx>;party=calling;screen=yes')
        assert identify(request, trusted=True).number == "0243555"

    def test_what_cannot_be_read_is_as_if_it_were_not_there(self) -> None:
        assert identify(invite('P-Asserted-Identity: "open <sip:'), trusted=True).number == "0912345678"


class TestDiverted:
    @pytest.mark.parametrize(
        ("fields", "diverted"),
        [
            (("Diversion: <sip:+8419001234@pbx>;reason=unconditional",), "+8419001234"),
            # RFC 5806 section 4: the newest stands first.
            (("Diversion: <sip:second@pbx>, <sip:first@pbx>",), "first"),
            (("History-Info: <sip:1900@pbx>;index=1, <sip:1901@pbx;cause=302>;index=1.1;mp=1",), "1900"),
            (("History-Info: <sip:1900@pbx?Reason=SIP%3Bcause%3D302>;index=1, <sip:1901@pbx>;index=1.1",), "1900"),
            (("History-Info: <sip:1900@pbx>;index=1",), ""),
            (("History-Info: <sip:1900@pbx>;index=1, <sip:1900@192.0.2.1>;index=1.1",), ""),
        ],
    )
    def test_the_number_dialled_first(self, fields: tuple[str, ...], diverted: str) -> None:
        assert identify(invite(*fields), trusted=True).diverted == diverted
