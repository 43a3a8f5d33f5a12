"""What becomes of an event after an attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.outgoing.schedule import JITTER, MAX_RETRY_AFTER_S, Answer, Verdict, judge, rest_s, retry_after_s

RETRIES = (5.0, 300.0)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_delivers(status: int) -> None:
    assert judge(RETRIES, 0, Answer(status), 100.0, 0.0) == Verdict("delivered", 1, 100.0)


@pytest.mark.parametrize("status", [199, 300, 302, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int) -> None:
    assert judge(RETRIES, 0, Answer(status), 100.0, 0.0) == Verdict("pending", 1, 105.0, f"HTTP {status}")
    assert judge(RETRIES, 1, Answer(status), 105.0, 0.5) == Verdict("pending", 2, 435.0, f"HTTP {status}")


def test_no_answer_is_a_failure_with_its_cause() -> None:
    assert judge(RETRIES, 0, Answer(0, "no answer within 5 s"), 100.0, 0.0).error == "no answer within 5 s"


def test_after_the_last_attempt_it_is_dead() -> None:
    assert judge(RETRIES, 2, Answer(500), 100.0, 0.0) == Verdict("dead", 3, 100.0, "HTTP 500")
    assert judge((), 0, Answer(500), 100.0, 0.0).state == "dead"


def test_410_is_the_end_at_once() -> None:
    assert judge(RETRIES, 0, Answer(410), 100.0, 0.0) == Verdict("dead", 1, 100.0, "HTTP 410", gone=True)


def test_retry_after_makes_it_later_and_never_sooner() -> None:
    assert judge(RETRIES, 0, Answer(503, retry_after_s=60), 100.0, 0.0).next_at == 160.0
    assert judge(RETRIES, 1, Answer(503, retry_after_s=60), 100.0, 0.0).next_at == 400.0
    assert judge(RETRIES, 0, Answer(503, retry_after_s=1e9), 0.0, 0.0).next_at == 86_400.0


@given(
    retries=st.lists(st.floats(0.1, 1e5), max_size=10),
    status=st.integers(0, 599).filter(lambda status: not 200 <= status <= 299 and status != 410),
    chance=st.floats(0, 1),
)
def test_an_event_that_always_fails_is_tried_as_often_as_the_schedule_says(
    retries: list[float], status: int, chance: float
) -> None:
    now, attempts, state = 0.0, 0, "pending"
    waits = []
    while state == "pending":
        verdict = judge(retries, attempts, Answer(status), now, chance)
        assert verdict.attempts == attempts + 1
        waits.append(verdict.next_at - now)
        now, attempts, state = verdict.next_at, verdict.attempts, verdict.state
    assert (state, attempts) == ("dead", len(retries) + 1)
    for waited, planned in zip(waits, retries, strict=False):
        assert planned - 1e-6 <= waited <= planned * (1 + JITTER) + 1e-6


def test_one_that_takes_nothing_is_asked_more_and_more_rarely() -> None:
    rests, rested = [], 0.0
    for _ in range(8):
        rested = rest_s(rested, [Answer(503), Answer(0)])
        rests.append(rested)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    assert rest_s(60.0, [Answer(503), Answer(204)]) == 0.0


def test_what_will_never_be_taken_is_dead_at_once_and_keeps_nobody_waiting() -> None:
    refused = Answer(0, "HTTP 422", is_final=True)
    assert judge(RETRIES, 0, refused, 100.0, 0.0) == Verdict("dead", 1, 100.0, "HTTP 422")
    assert rest_s(8.0, [refused]) == 0.0


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("", 3.0),
        ("9", 9.0),
        (" 9 ", 9.0),
        ("-1", 3.0),
        ("nan", 3.0),
        ("1e30", MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 3.0),
    ],
)
def test_how_long_a_far_end_asks_to_be_left_alone(value: str, wait_s: float) -> None:
    assert retry_after_s(value, 3.0) == wait_s
