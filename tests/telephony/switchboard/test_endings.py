"""Calls and dialogs end in every order, and each of them once: the two legs of a call have dialogs of their own."""

import tempfile
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telephony import sdp
from telephony.events import (
    AgentStateRequested,
    BindingChanged,
    CallerContext,
    CallerFound,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogEnding,
    DialogReachable,
    DialogRinging,
    DialogUnreachable,
    DigitPressed,
    HangupRequested,
    HoldRequested,
    InviteReceived,
    LegOpened,
    LegRefused,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    RecordingStopped,
    ReferReceived,
    ResumeRequested,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
    TransferRequested,
    VoiceEnded,
    VoiceStarted,
)
from tests.telephony.switchboard.far_ends import Dialog, World, phone, world

AGENTS = ("an", "binh", "chi")
others = st.integers(1, 2)
"""How far in `AGENTS` a colleague is from an agent."""
NUMBER = "0912345678"
picks = st.integers(0, 11)
OFFER = sdp.offer(phone())
HELD = OFFER.replace("a=sendrecv", "a=sendonly")
OLD_HELD = OFFER.replace("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0")
UNUSABLE = OFFER.replace("0 8 101", "18")
offers = st.sampled_from([OFFER] * 4 + ["", UNUSABLE, "nonsense"])
re_offers = st.sampled_from([OFFER, HELD, HELD.replace("sendonly", "inactive"), OLD_HELD, "", UNUSABLE])


def answer_to(offer: str, port: int) -> str:
    """What a phone answers; nothing where SRTP alone is offered, which these do not have."""
    try:
        return sdp.answer(offer, phone(port)).sdp
    except sdp.SdpError:
        return ""


class Endings(RuleBasedStateMachine):
    """Everything that may happen to calls, in any order."""

    world: World

    @initialize()
    def begin(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.world = world(Path(folder))
        self.numbers = 0

    # -------------------------------------------------------------------------------------------------- helpers

    def some_dialog(self, pick: int, *states: str, ours: bool | None = None) -> Dialog | None:
        found = [
            each
            for each in self.world.dialogs.values()
            if not each.told and each.state in states and ours in (None, each.ours)
        ]
        return found[pick % len(found)] if found else None

    def some_leg(self, pick: int) -> str:
        legs = list(self.world.legs)
        return legs[-1 - pick % len(legs)] if legs else ""

    def some_call(self, pick: int) -> str:
        calls = self.world.room.switchboard.running()
        return calls[pick % len(calls)] if calls else "gone"

    def new_dialog(self, user: str, offer: str) -> str:
        self.numbers += 1
        name = f"in{self.numbers}"
        self.world.dialogs[name] = Dialog(name, False, user, offer)
        return name

    # ---------------------------------------------------------------------------------------------- what happens

    @rule(offer=offers)
    def a_caller_calls(self, offer: str) -> None:
        name = self.new_dialog("", offer)
        self.world.tell(InviteReceived(name, "0912345678", "", False, "1900", offer, "192.0.2.1:5060"))

    @rule(agent=st.sampled_from(AGENTS), which=others, offer=offers)
    def an_agent_dials_a_colleague(self, agent: str, which: int, offer: str) -> None:
        other = AGENTS[AGENTS.index(agent) - which]
        name = self.new_dialog(agent, offer)
        self.world.tell(InviteReceived(name, agent, "", False, other, offer, "192.0.2.7:5060", user=agent))

    @rule(agent=st.sampled_from(AGENTS), number=st.sampled_from([NUMBER, NUMBER, "1900123"]), offer=offers)
    def an_agent_dials_outside(self, agent: str, number: str, offer: str) -> None:
        name = self.new_dialog(agent, offer)
        self.world.tell(InviteReceived(name, agent, "", False, number, offer, "192.0.2.7:5060", user=agent))

    @rule(pick=picks, agent=st.sampled_from(["", *AGENTS]), offer=offers)
    def somebody_wants_to_take_a_dialog_over(self, pick: int, agent: str, offer: str) -> None:
        replaced = self.some_dialog(pick, "early", "answered", "confirmed")
        if replaced is None:
            return
        name = self.new_dialog(agent, offer)
        self.world.tell(
            InviteReceived(name, "x", "", False, "x", offer, "192.0.2.7:5060", user=agent, replaces=replaced.name)
        )

    @rule(agent=st.sampled_from(AGENTS), contacts=st.sampled_from([1, 1, 1, 0]), secure=st.booleans())
    def a_phone_registers(self, agent: str, contacts: int, secure: bool) -> None:
        self.world.tell(BindingChanged(agent, contacts, secure=secure and contacts > 0))

    @rule(agent=st.sampled_from(AGENTS), ready=st.booleans())
    def an_agent_says_what_it_wants(self, agent: str, ready: bool) -> None:
        self.world.tell(AgentStateRequested(agent, "ready" if ready else "not_ready"))

    @rule(pick=picks, refused=st.sampled_from([False] * 5 + [True]))
    def the_worker_opens_a_leg(self, pick: int, refused: bool) -> None:
        opening = [leg for leg, state in self.world.legs.items() if state == "opening"]
        if opening:
            leg = opening[pick % len(opening)]
            if not refused:
                self.world.legs[leg] = "open"
            opened = LegOpened(leg, "127.0.0.1", 20000 + 2 * pick)
            self.world.tell(LegRefused(leg, "full") if refused else opened)

    @rule(pick=picks)
    def a_caller_is_found(self, pick: int) -> None:
        if self.world.searches:
            call = self.world.searches.pop(pick % len(self.world.searches))
            self.world.tell(CallerFound(call, "+84912345678", CallerContext("c", True, "Lan", "en", 1)))

    @rule(pick=picks)
    def what_was_pending_is_told(self, pick: int) -> None:
        if self.world.pending:
            self.world.tell(self.world.pending.pop(pick % len(self.world.pending)))

    @rule(pick=picks, early=st.booleans())
    def a_phone_rings(self, pick: int, early: bool) -> None:
        dialog = self.some_dialog(pick, "early", ours=True)
        if dialog is not None:
            self.world.tell(DialogRinging(dialog.name, answer_to(dialog.said, 7100) if early else ""))

    @rule(pick=picks, usable=st.sampled_from([True] * 5 + [False]))
    def a_phone_answers(self, pick: int, usable: bool) -> None:
        dialog = self.some_dialog(pick, "early", ours=True)
        if dialog is None:
            return
        answer = answer_to(dialog.said, 7200)
        if not answer:
            self.world.tell(DialogEnded(dialog.name, "rejected", 488))
            return
        dialog.state = "confirmed"
        self.world.tell(DialogAnswered(dialog.name, answer if usable else UNUSABLE))

    @rule(pick=picks, status=st.sampled_from([486, 603, 480, 408, 503, 487, 488, 488]))
    def a_phone_refuses(self, pick: int, status: int) -> None:
        dialog = self.some_dialog(pick, "early", ours=True)
        if dialog is not None:
            self.world.tell(DialogEnded(dialog.name, "rejected", status))

    @rule(pick=picks, usable=st.sampled_from([True] * 5 + [False]))
    def an_ack_comes(self, pick: int, usable: bool) -> None:
        dialog = self.some_dialog(pick, "answered", ours=False)
        if dialog is not None:
            dialog.state = "confirmed"
            answer = "" if dialog.offer else sdp.answer(dialog.said, phone(7300)).sdp if usable else "nonsense"
            self.world.tell(DialogConfirmed(dialog.name, answer))

    @rule(pick=picks)
    def a_caller_cancels(self, pick: int) -> None:
        dialog = self.some_dialog(pick, "early", ours=False)
        if dialog is not None:
            self.world.tell(DialogEnded(dialog.name, "cancelled", 487))

    @rule(pick=picks, ending=st.sampled_from(["bye", "bye", "timed_out", "failed"]))
    def a_far_end_hangs_up_or_is_gone(self, pick: int, ending: str) -> None:
        dialog = self.some_dialog(pick, "answered", "confirmed")
        if dialog is not None:
            self.world.tell(DialogEnded(dialog.name, cast(DialogEnding, ending)))

    @rule(pick=picks, offer=re_offers)
    def a_far_end_offers(self, pick: int, offer: str) -> None:
        dialog = self.some_dialog(pick, "confirmed")
        if dialog is not None:
            dialog.offered = True
            self.world.tell(SessionOffered(dialog.name, offer))
            assert not dialog.offered, "every offer is answered at once"

    @rule(pick=picks, usable=st.booleans())
    def a_far_end_answers_our_offer(self, pick: int, usable: bool) -> None:
        dialog = self.some_dialog(pick, "confirmed")
        if dialog is not None:
            self.world.tell(SessionAnswered(dialog.name, OFFER if usable else "nonsense"))

    @rule(pick=picks, lost=st.booleans())
    def a_connection_is_lost_or_back(self, pick: int, lost: bool) -> None:
        dialog = self.some_dialog(pick, "confirmed")
        if dialog is not None:
            self.world.tell(DialogUnreachable(dialog.name) if lost else DialogReachable(dialog.name))

    @rule(pick=picks, digit=st.sampled_from("11123467#05*89"))
    def a_key_is_pressed(self, pick: int, digit: str) -> None:
        self.world.tell(DigitPressed(self.some_leg(pick), digit, "rfc4733", 0))

    @rule(pick=picks, what=st.sampled_from([MediaTimedOut, MediaStalled, MediaResumed]))
    def media_come_and_go(self, pick: int, what: type[MediaTimedOut | MediaStalled | MediaResumed]) -> None:
        self.world.tell(what(self.some_leg(pick), 0))

    @rule(pick=picks, what=st.sampled_from([VoiceStarted, VoiceEnded]))
    def somebody_speaks(self, pick: int, what: type[VoiceStarted | VoiceEnded]) -> None:
        self.world.tell(what(self.some_leg(pick), 0))

    @rule(key=st.sampled_from("034672"))
    def a_callers_flow_asks(self, key: str) -> None:
        self.a_caller_calls(OFFER)
        self.the_worker_opens_all()
        self.a_caller_is_found(len(self.world.searches) - 1)
        self.an_ack_comes(0, True)
        self.world.wait(0.5)
        legs = [leg for leg in self.world.legs if leg.endswith(".caller")]
        self.world.tell(DigitPressed(legs[-1], key, "rfc4733", 0))
        self.the_worker_opens_all()

    @rule(pick=picks, agent=st.sampled_from(AGENTS), held=st.booleans())
    def the_desk_holds(self, pick: int, agent: str, held: bool) -> None:
        call = self.some_call(pick)
        self.world.tell(HoldRequested(call, agent) if held else ResumeRequested(call, agent))

    @rule(pick=picks, by=st.sampled_from(AGENTS), to=st.sampled_from(["an", "binh", "chi", "care", "nobody", NUMBER]))
    def the_desk_transfers(self, pick: int, by: str, to: str) -> None:
        queue, number = (to if to == "care" else ""), (to if to == NUMBER else "")
        agent = "" if queue or number else to
        self.world.tell(TransferRequested(self.some_call(pick), by, agent, queue, number))

    @rule(pick=picks, to=st.sampled_from(["an", "binh", "chi", "care", "nobody", NUMBER]))
    def a_phone_transfers_blind(self, pick: int, to: str) -> None:
        dialog = self.some_dialog(pick, "confirmed")
        if dialog is not None:
            self.world.tell(ReferReceived(dialog.name, to))

    @rule(pick=picks, other=picks)
    def a_phone_transfers_attended(self, pick: int, other: int) -> None:
        dialog, replaced = (
            self.some_dialog(pick, "confirmed"),
            self.some_dialog(other, "early", "answered", "confirmed"),
        )
        if dialog is not None and replaced is not None:
            self.world.tell(ReferReceived(dialog.name, "x", replaced.name))

    @rule(pick=picks, by=st.sampled_from(["agent", "supervisor"]))
    def the_api_hangs_up(self, pick: int, by: str) -> None:
        self.world.tell(HangupRequested(self.some_call(pick), by))

    @rule(pick=picks)
    def a_disk_is_full(self, pick: int) -> None:
        running = [name for name, state in self.world.recordings.items() if state == "running"]
        if running:
            name = running[pick % len(running)]
            self.world.recordings[name] = "stopped"
            self.world.tell(RecordingStopped(name, 5, "the disk is full"))

    @rule(pick=picks, spare=st.sampled_from([True, True, False]))
    def the_media_worker_dies(self, pick: int, spare: bool) -> None:
        if spare:
            self.world.media_moves(24000 + 2 * pick)
        else:
            self.world.media_is_lost()

    @rule(pick=picks, follows=st.sampled_from([True] * 5 + [False]), usable=st.sampled_from([True] * 5 + [False]))
    def a_phone_answers_an_offer(self, pick: int, follows: bool, usable: bool) -> None:
        waiting = [each for each in self.world.dialogs.values() if each.offering and not each.told]
        if not waiting:
            return
        dialog = waiting[pick % len(waiting)]
        offer, dialog.offering = dialog.offering, ""
        answer = answer_to(offer, 7400) if usable else UNUSABLE
        self.world.tell(SessionAnswered(dialog.name, answer) if follows else SessionRefused(dialog.name, 488))

    @rule(seconds=st.sampled_from([0.3, 1.0, 6.0, 20.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    # ------------------------------------------------------------------------------------------------ shortcuts

    @rule()
    def a_call_comes_as_far_as_its_agent(self) -> None:
        """What takes many right steps in a row is rare by chance."""
        for agent in AGENTS:
            self.world.tell(BindingChanged(agent, 1), 11.0)
        self.a_caller_calls(OFFER)
        self.the_worker_opens_all()
        self.a_caller_is_found(len(self.world.searches) - 1)
        self.an_ack_comes(0, True)
        self.world.wait(0.5)
        legs = [leg for leg in self.world.legs if leg.endswith(".caller")]
        self.world.tell(DigitPressed(legs[-1], "1", "rfc4733", 0))
        self.the_worker_opens_all()

    @rule()
    def every_phone_answers(self) -> None:
        while self.some_dialog(0, "early", ours=True) is not None:
            self.a_phone_answers(0, True)
        while self.some_dialog(0, "answered", ours=False) is not None:
            self.an_ack_comes(0, True)

    @rule(agent=st.sampled_from(AGENTS), which=others)
    def an_agent_asks_a_colleague(self, agent: str, which: int) -> None:
        self.an_agent_dials_a_colleague(agent, which, OFFER)
        self.the_worker_opens_all()
        self.every_phone_answers()

    @rule(pick=picks, other=picks)
    def an_agent_puts_its_two_calls_together(self, pick: int, other: int) -> None:
        board = self.world.room.switchboard.board
        legs = [(leg.agent, leg.dialog) for call in board.calls.values() if (leg := call.agent_leg) is not None]
        asked = [(side.agent, side.dialog) for between in board.directs.values() for side in between.sides]
        pairs = [
            (mine, dialog)
            for agent, mine in legs
            for other_agent, dialog in (*legs, *asked)
            if dialog != mine and other_agent == agent and mine in board.call_of_dialog
        ]
        if pairs:
            dialog, replaced = pairs[(pick + other) % len(pairs)]
            self.world.tell(ReferReceived(dialog, "x", replaced))

    @rule(agent=st.sampled_from(AGENTS), which=others, pick=picks)
    def who_is_asked_hands_somebody_over(self, agent: str, which: int, pick: int) -> None:
        """The one who asked may have a caller already."""
        self.an_agent_asks_a_colleague(agent, which)
        self.an_agent_asks_somebody_outside(AGENTS[AGENTS.index(agent) - which])
        self.an_agent_puts_its_two_calls_together(pick, 0)

    @rule(agent=st.sampled_from(AGENTS))
    def an_agent_asks_somebody_outside(self, agent: str) -> None:
        self.an_agent_dials_outside(agent, NUMBER, OFFER)
        self.the_worker_opens_all()
        self.every_phone_answers()

    @rule(pick=picks, answers=st.booleans())
    def a_caller_is_given_away(self, pick: int, answers: bool) -> None:
        call = self.world.room.switchboard.board.calls.get(self.some_call(pick))
        if call is None or call.agent_leg is None:
            return
        self.world.tell(TransferRequested(call.id, call.agent_leg.agent, number=NUMBER))
        self.the_worker_opens_all()
        if answers:
            self.every_phone_answers()

    def the_worker_opens_all(self) -> None:
        while "opening" in self.world.legs.values():
            self.the_worker_opens_a_leg(0, False)

    # ----------------------------------------------------------------------------------------------- what holds

    @invariant()
    def nothing_is_forgotten(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        """Everybody hangs up, and what is pending is told: nothing is left of anything."""
        if not hasattr(self, "world"):
            return
        while (dialog := self.some_dialog(0, "early", "answered", "confirmed")) is not None:
            self.world.tell(DialogEnded(dialog.name, "bye" if dialog.state == "confirmed" else "failed"))
        self.world.wait(4000.0)
        while self.world.pending:
            self.what_was_pending_is_told(0)
        assert all(dialog.told for dialog in self.world.dialogs.values())
        assert set(self.world.legs.values()) <= {"closed"}
        assert set(self.world.recordings.values()) <= {"finished"}
        assert not self.world.room.switchboard.busy()
        board = self.world.room.switchboard._board
        for index in (board.call_of_dialog, board.call_of_leg, board.open_recordings, board.stopping, board.directs):
            assert not index
        assert board.deadlines.next() is None
        assert not any(agent.call for agent in self.world.room.acd.agents())


TestEndings = pytest.mark.timeout(240)(Endings.TestCase)
TestEndings.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("first", [0, 1])
def test_who_is_handed_a_second_talk_is_busy_until_the_last_of_the_two_is_over(first: int) -> None:
    """`an` has a caller and asks `binh`, who calls somebody outside and hands that one over."""
    house = Endings()
    house.begin()
    house.a_call_comes_as_far_as_its_agent()
    house.every_phone_answers()
    house.an_agent_asks_a_colleague("an", 2)
    house.an_agent_asks_somebody_outside("binh")
    board, queues = house.world.room.switchboard.board, house.world.room.acd
    caller, called = board.calls.values()
    (between,) = board.directs.values()
    assert called.agent_leg is not None
    house.world.tell(ReferReceived(called.agent_leg.dialog, "x", between.far.dialog))
    assert [call.agent_leg and call.agent_leg.agent for call in (caller, called)] == ["an", "an"]
    house.world.tell(DialogEnded((caller, called)[first].dialog, "bye"))
    assert {agent.agent: agent.state for agent in queues.agents()}["an"] == "talking"
    house.world.tell(DialogEnded((caller, called)[1 - first].dialog, "bye"))
    house.world.wait(20.0)
    assert {agent.agent: agent.state for agent in queues.agents()} == dict.fromkeys(AGENTS, "ready")
