"""Live events: numbered, caught up with, and never held up by a slow listener."""

import pytest

from telephony.edge.live import KEPT_EVENTS, LISTENER_BACKLOG, PASSING_BACKLOG, ListenerTooSlow, Live


def publish(live: Live, count: int) -> None:
    for number in range(count):
        live.publish("thing.happened", {"number": number}, "2026-01-01T00:00:00.000Z")


async def test_a_listener_hears_what_comes_after_it_came_in_order() -> None:
    live = Live()
    publish(live, 2)
    listener = live.listen()
    publish(live, 2)
    assert [(await listener.next())["seq"] for _ in range(2)] == [3, 4]


async def test_one_who_comes_back_gets_what_it_missed() -> None:
    live = Live()
    publish(live, 5)
    listener = live.listen(since=3)
    assert [(await listener.next())["seq"] for _ in range(2)] == [4, 5]


async def test_only_the_last_events_are_kept() -> None:
    live = Live()
    publish(live, KEPT_EVENTS + 10)
    assert (await live.listen(since=0).next())["seq"] == 11


async def test_a_slow_listener_is_sent_away_after_what_it_has() -> None:
    live = Live()
    slow, other = live.listen(), live.listen()
    publish(live, LISTENER_BACKLOG + 1)
    for _ in range(LISTENER_BACKLOG):
        await slow.next()
    with pytest.raises(ListenerTooSlow):
        await slow.next()
    live.leave(slow)
    live.leave(other)
    publish(live, 1)
    assert live.seq == LISTENER_BACKLOG + 2


async def test_what_passes_has_no_number_and_is_not_kept() -> None:
    live = Live()
    listener = live.listen()
    publish(live, 1)
    live.publish("words.spoken", {"text": "Xin"}, "2026-01-01T00:00:00.000Z", kept=False)
    publish(live, 1)
    events = [await listener.next() for _ in range(3)]
    assert [event.get("seq") for event in events] == [1, None, 2]
    assert events[1] == {"at": "2026-01-01T00:00:00.000Z", "type": "words.spoken", "text": "Xin"}
    again = live.listen(since=0)
    assert [(await again.next())["seq"] for _ in range(2)] == [1, 2]


async def test_what_passes_sends_nobody_away() -> None:
    live = Live()
    slow = live.listen()
    for _ in range(LISTENER_BACKLOG + 1):
        live.publish("words.spoken", {}, "2026-01-01T00:00:00.000Z", kept=False)
    publish(live, 1)
    events = [await slow.next() for _ in range(PASSING_BACKLOG + 1)]
    assert events[-1]["seq"] == 1


async def test_a_watcher_in_this_process_is_told_of_everything_at_once() -> None:
    live = Live()
    seen: list[tuple[str, dict[str, object]]] = []
    publish(live, 1)
    live.watch(lambda type_, body: seen.append((type_, body)))
    publish(live, 1)
    live.publish("words.spoken", {"text": "Xin"}, "2026-01-01T00:00:00.000Z", kept=False)
    assert seen == [("thing.happened", {"number": 0}), ("words.spoken", {"text": "Xin"})]
