"""Callbacks among everything else that happens to calls, in any order: all of it ends once, and no agent is stuck."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from telephony.events import BindingChanged, CallbackBooked, CallbackCancelled, CallbackSnapshot, DialogEnded
from telephony.switchboard.callbacks import OPEN
from tests.telephony.switchboard.test_endings import AGENTS, Endings, picks

CALLERS = "+84912345678"
"""The number that callers of this house have."""


class CallingBack(Endings):
    """Everything that may happen to calls, and promises to call back besides."""

    booked = 0

    @rule(number=st.sampled_from([CALLERS, "+84987654321", "+84976543210", "+4420794601234"]), waited=st.booleans())
    def somebody_is_promised_a_call_back(self, number: str, waited: bool) -> None:
        self.booked += 1
        now = self.world.room.now
        since = now - 300.0 if waited else now
        callback = CallbackSnapshot(f"b{self.booked}", number, "care", since, now)
        self.world.tell(CallbackBooked(callback))

    @rule(pick=picks)
    def somebody_takes_a_promise_back(self, pick: int) -> None:
        bookings = list(self.world.room.switchboard.board.bookings)
        if bookings:
            self.world.tell(CallbackCancelled(bookings[pick % len(bookings)], "huong"))

    @rule(number=st.sampled_from(["+84987654321", CALLERS]), answers=st.booleans())
    def an_attempt_comes_as_far_as_the_customer(self, number: str, answers: bool) -> None:
        for agent in AGENTS:
            self.world.tell(BindingChanged(agent, 1), 11.0)
        self.somebody_is_promised_a_call_back(number, True)
        self.the_worker_opens_all()
        self.a_phone_answers(0, True)
        if answers:
            self.every_phone_answers()

    @invariant()
    def who_rests_does_not_wait(self) -> None:
        if not hasattr(self, "world"):
            return
        board = self.world.room.switchboard.board
        waiting = set(board.acd.waiting())
        for booking in board.bookings.values():
            assert booking.kept.state in OPEN
            assert booking.queued == (booking.call in waiting), booking
        attempts = [between.booking for between in board.directs.values() if between.booking]
        assert len(attempts) == len(set(attempts))
        calling = {each.kept.id for each in board.bookings.values() if each.kept.state == "calling"}
        assert calling <= set(attempts)

    def teardown(self) -> None:
        """Nobody is promised anything any more; the rest ends as ever."""
        if not hasattr(self, "world"):
            return
        board = self.world.room.switchboard.board
        while board.bookings:
            for identity in list(board.bookings):
                self.world.tell(CallbackCancelled(identity, "huong"))
            dialog = self.some_dialog(0, "early", "answered", "confirmed")
            if dialog is not None:
                self.world.tell(DialogEnded(dialog.name, "bye" if dialog.state == "confirmed" else "failed"))
        super().teardown()


TestCallingBack = pytest.mark.timeout(240)(CallingBack.TestCase)
TestCallingBack.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
