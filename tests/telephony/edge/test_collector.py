"""The collector of cyclic garbage, and that calls leave it nothing to do."""

import gc
from collections.abc import Iterator

import pytest

from telephony.edge import collector
from telephony.events import Answer, InviteReceived
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.wire import HOTLINE


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold, enabled = gc.get_threshold(), gc.isenabled()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()
    (gc.enable if enabled else gc.disable)()


def test_it_looks_at_nothing_during_a_start_and_rarely_after_it() -> None:
    with collector.resting():
        assert not gc.isenabled()
        collector.look_rarely()
        assert gc.isenabled()
    assert gc.get_threshold()[0] == collector.ALLOCATIONS
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_after_a_start_that_failed_it_looks_as_before() -> None:
    with pytest.raises(OSError, match="no port"), collector.resting():
        raise OSError("no port")
    assert gc.isenabled()


def test_finished_calls_form_no_cycles() -> None:
    bench = Bench()
    gc.collect()
    gc.disable()
    for number in range(50):
        call(bench, number)
    bench.wire.sent.clear()
    bench.wire.events[HOTLINE].clear()
    # A call that left a cycle would leave its transactions in it, hundreds of objects in all.
    assert gc.collect() < 50


def call(bench: Bench, number: int) -> None:
    call_id = f"c{number}"
    bench.send(write_request(branch=f"z9hG4bK-{number}-1", call_id=call_id, body=OFFER))
    (event,) = bench.wire.told(HOTLINE, InviteReceived)[-1:]
    bench.wire.perform(HOTLINE, Answer(event.dialog, OFFER))
    (answer,) = bench.responses()
    to = answer.headers.get("to")
    bench.send(write_request("ACK", branch=f"z9hG4bK-{number}-2", to=to, call_id=call_id))
    (done,) = bench.send(write_request("BYE", branch=f"z9hG4bK-{number}-3", to=to, cseq=2, call_id=call_id))
    assert done.status == 200
    bench.wire.now += 40
    bench.endpoint.handle_deadline(bench.wire.now)
    assert bench.endpoint.load()[:2] == (0, 0)
