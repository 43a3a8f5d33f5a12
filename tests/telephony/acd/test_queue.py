"""What is configured of a queue, and a call's place in it."""

from telephony.acd.queue import REJECT_PAUSE_S, QueueSettings, WaitingCall


def test_a_queue_without_a_list_of_agents_has_them_all() -> None:
    assert QueueSettings("sales").has("anyone")
    assert QueueSettings("sales", agents=("an",)).has("an")
    assert not QueueSettings("sales", agents=("an",)).has("binh")
    assert not QueueSettings("sales", agents=()).has("an")


def test_places_go_by_priority_then_arrival_then_order() -> None:
    sales = QueueSettings("sales")
    places = [(5, 10.0, 1), (5, 9.0, 2), (1, 11.0, 3), (5, 9.0, 4)]
    calls = [WaitingCall(str(place[2]), sales, place, 100.0) for place in places]
    assert [call.call for call in sorted(calls, key=lambda call: call.place)] == ["3", "2", "4", "1"]
    assert calls[0].since == 10.0


def test_a_refusal_is_remembered_for_its_pause_and_for_its_agent_alone() -> None:
    call = WaitingCall("c", QueueSettings("sales"), (5, 0.0, 1), 100.0)
    call.rejected_at["an"] = 20.0
    assert not call.may_ask("an", 20.0 + REJECT_PAUSE_S - 0.1, REJECT_PAUSE_S)
    assert call.may_ask("an", 20.0 + REJECT_PAUSE_S, REJECT_PAUSE_S)
    assert call.may_ask("binh", 20.0, REJECT_PAUSE_S)
