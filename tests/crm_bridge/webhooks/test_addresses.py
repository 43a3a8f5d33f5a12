"""Which addresses are of the public internet."""

import ipaddress

import pytest

from crm_bridge.webhooks.addresses import AddressRefused, is_public, locate


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "203.113.131.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


async def test_a_private_one_is_taken_where_it_is_allowed() -> None:
    assert await locate("127.0.0.1", 80, private=True) == ["127.0.0.1"]
    with pytest.raises(AddressRefused, match=r"leads to 127\.0\.0\.1, which is not of the public internet"):
        await locate("127.0.0.1", 80, private=False)


async def test_a_name_that_is_none_leads_nowhere() -> None:
    with pytest.raises(AddressRefused, match="cannot be looked up"):
        await locate("a" * 64 + ".invalid", 443, private=True)
