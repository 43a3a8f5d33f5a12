"""Who counts as one sender."""

import pytest

from telephony.sip.address import Flow
from telephony.sip.outbox import Address
from telephony.sip.sources import source_of


@pytest.mark.parametrize(
    ("address", "source"),
    [
        (("192.0.2.2", 5060), "192.0.2.2"),
        (Flow("192.0.2.2", 1, "c"), "192.0.2.2"),
        (("2001:db8:1:2:3:4:5:6", 5060), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 5060), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5060), "fe80::/64"),
        (("not:an:address", 5060), "not:an:address"),
    ],
)
def test_source(address: Address, source: str) -> None:
    assert source_of(address) == source
