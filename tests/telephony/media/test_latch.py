import pytest

from telephony.media.latch import ESTABLISHED, LOCK_AFTER, SILENT_TICKS, Latch

SDP, NAT, OTHER = ("10.0.0.1", 4000), ("203.0.113.7", 61000), ("192.0.2.9", 5)


def destination(latch: Latch) -> tuple[str, int] | None:
    """Read it anew: to the type checker an attribute is still what it was when last asserted."""
    return latch.destination


def locked(latch: Latch) -> tuple[str, int] | None:
    """Likewise."""
    return latch.locked


def connected() -> Latch:
    latch = Latch()
    latch.connect(*SDP)
    return latch


def test_to_the_sdp_address_until_packets_come() -> None:
    latch = Latch()
    assert destination(latch) is None
    latch.connect(*SDP)
    assert destination(latch) == SDP
    assert latch.admits(NAT, 1)
    assert destination(latch) == NAT


@pytest.mark.parametrize("place", [("0.0.0.0", 4000), ("::", 4000), ("10.0.0.1", 0), ("", 4000)])
def test_no_place_to_send_to(place: tuple[str, int]) -> None:
    latch = Latch()
    latch.connect(*place)
    assert destination(latch) is None


def test_locked_to_the_first_source() -> None:
    latch = connected()
    for tick in range(LOCK_AFTER):
        assert locked(latch) is None
        assert latch.admits(NAT, tick)
    assert locked(latch) == NAT
    assert not latch.admits(OTHER, LOCK_AFTER)
    assert not latch.admits(SDP, LOCK_AFTER)
    assert latch.admits(NAT, LOCK_AFTER)
    assert destination(latch) == NAT


def test_before_the_lock_the_sdp_address_wins() -> None:
    latch = connected()
    assert latch.admits(OTHER, 1)
    assert not latch.admits(NAT, 1)
    assert latch.admits(SDP, 2)
    assert not latch.admits(OTHER, 2)
    assert destination(latch) == SDP


def test_another_source_once_the_first_is_silent() -> None:
    latch = connected()
    for _ in range(LOCK_AFTER):
        latch.admits(NAT, 0)
    latch.heard(1, 10)
    assert not latch.admits(OTHER, 10 + SILENT_TICKS)
    assert latch.admits(OTHER, 11 + SILENT_TICKS)
    assert locked(latch) is None
    assert destination(latch) == OTHER


def test_an_established_leg_is_open_to_its_own_hosts_alone() -> None:
    latch = connected()
    for tick in range(LOCK_AFTER):
        latch.admits(NAT, tick)
    for tick in range(LOCK_AFTER, ESTABLISHED):
        latch.heard(1, tick)
    long_after = ESTABLISHED + 100 * SILENT_TICKS
    assert not latch.admits(OTHER, long_after)
    assert destination(latch) == NAT
    assert latch.admits((NAT[0], 61002), long_after)
    for tick in range(ESTABLISHED):
        latch.admits((NAT[0], 61002), long_after + tick)
    assert latch.admits(SDP, long_after + ESTABLISHED + 2 * SILENT_TICKS)


def test_a_changed_address_unlocks_and_the_same_does_not() -> None:
    latch = connected()
    for _ in range(LOCK_AFTER):
        latch.admits(NAT, 0)
    latch.connect(*SDP)
    assert locked(latch) == NAT
    latch.connect(*OTHER)
    assert locked(latch) is None
    assert destination(latch) == OTHER
