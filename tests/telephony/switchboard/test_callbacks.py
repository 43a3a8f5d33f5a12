"""Callers who are called back, in virtual time: their place, the agent first, the customer by a trunk, what fails."""

from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from ivr_flows.calendar import Calendar
from telephony import sdp
from telephony.clock import iso
from telephony.events import (
    AgentStateRequested,
    BindingChanged,
    CallbackBooked,
    CallbackCancelled,
    CallbackSnapshot,
    CallerContext,
    CallerFound,
    Command,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    FlowRequest,
    HangupRequested,
    HoursChanged,
    Invite,
    InviteReceived,
    LegLost,
    LegOpened,
    LegRefused,
    Play,
    Publish,
    Record,
    SaveCall,
    SaveCallback,
)
from telephony.switchboard import Switchboard, SwitchboardSettings
from telephony.switchboard.board import CallbackRules
from telephony.switchboard.callbacks import BOOKING, OPEN
from telephony.switchboard.dialling import TrunkRules
from tests.telephony.switchboard.far_ends import Dialog, World
from tests.telephony.switchboard.room import FLOW, NOW, Room, _flow

C = TypeVar("C", bound=Command)
PHONE = sdp.Capabilities("203.0.113.5", 9000, 5)
NUMBER = "+84912345678"
TRUNK = TrunkRules("first", caller_number="+842873001234", max_calls=1)
SPARE = TrunkRules("second", caller_number="+842873009999")
RULES = CallbackRules()
BOOKED = CallbackSnapshot("b" * 32, NUMBER, "care", NOW - 300.0, NOW, call="c" * 32, note="Refund")
OFFICE = Calendar(week=(((8 * 60, 17 * 60),),) * 7)  # it is 05:13 in Vietnam at NOW

FLOW_BACK = FLOW.replace("1: {next: agent}", "1: {next: agent}\n        3: {next: back}").replace(
    "  sorry:\n", "  back:\n    callback: {queue: care, note: Refund}\n    next: bye\n    failed: sorry\n  sorry:\n"
)


class Desk(World):
    """The house with trunks, rules for callbacks, and far ends that answer or do not."""

    def __init__(
        self,
        folder: Path,
        rules: CallbackRules = RULES,
        trunks: tuple[TrunkRules, ...] = (TRUNK,),
        max_calls: int = 500,
    ) -> None:
        super().__init__(Room(folder, trunks=trunks))
        ids = iter(range(1000, 9999))
        settings = SwitchboardSettings(
            {"*": "main"}, trunks=trunks, language="en", callbacks=rules, hours={"office": OFFICE}, max_calls=max_calls
        )
        flows = {"main": _flow(folder, FLOW_BACK)}
        self.room.switchboard = Switchboard(settings, flows, self.room.acd, lambda: f"{next(ids):032x}")

    def book(self, callback: CallbackSnapshot = BOOKED, *, restored: bool = False) -> None:
        self.tell(CallbackBooked(callback, restored))

    def open_legs(self) -> None:
        """The media worker opens what is asked for."""
        for leg, state in list(self.legs.items()):
            if state == "opening":
                self.legs[leg] = "open"
                self.tell(LegOpened(leg, "127.0.0.1", next(self.room.ports)))

    def registers(self, *names: str) -> None:
        """Agents' phones register, and whatever is offered to them rings."""
        for name in names:
            self.tell(BindingChanged(name, 1), after_s=1.0)
        self.open_legs()

    def invite(self) -> Invite:
        return self.room.last(Invite)

    def answer(self) -> None:
        """Whoever was called last answers."""
        invite = self.invite()
        self.dialogs[invite.dialog].state = "confirmed"
        self.tell(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, PHONE).sdp))
        self.open_legs()

    def refuse(self, status: int = 486) -> None:
        """Whoever was called last says no."""
        self.tell(DialogEnded(self.invite().dialog, "rejected", status))
        self.open_legs()

    def lasts(self, seconds: float) -> None:
        self.wait(seconds)
        self.open_legs()

    def calls_in(self, dialog: str = "d1", *, keys: str = "") -> str:
        """The customer calls and presses keys; return the call."""
        offer = sdp.offer(PHONE)
        self.dialogs[dialog] = Dialog(dialog, False, "", offer)
        self.tell(InviteReceived(dialog, "0912345678", "", False, "1900", offer, "203.0.113.5:5060"))
        call = self.room.last(SaveCall).call.id
        self.open_legs()
        self.tell(CallerFound(call, NUMBER, CallerContext("customer1", True, "Lan", "en")))
        self.dialogs[dialog].state = "confirmed"
        self.tell(DialogConfirmed(dialog))
        self.lasts(0.5)
        for key in keys:
            self.tell(DigitPressed(f"{call}.caller", key, "rfc4733", 0))
        self.open_legs()
        return call

    def hangs_up(self, dialog: str = "d1") -> None:
        self.tell(DialogEnded(dialog, "bye"))
        self.open_legs()

    def states(self) -> dict[str, str]:
        return {agent.agent: agent.state for agent in self.room.acd.agents()}

    def row(self) -> CallbackSnapshot:
        return self.room.last(SaveCallback).callback

    def calls(self) -> list[str]:
        """The states of the last call's row."""
        last = self.room.last(SaveCall).call.id
        return [each.call.state for each in self.room.said(SaveCall) if each.call.id == last]

    def waiting(self) -> int:
        return self.room.acd.queue_facts("care", self.room.now).waiting

    def published(self) -> list[str]:
        return [each.type for each in self.room.said(Publish)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


class TestTheFirstAttempt:
    def test_an_agent_is_asked_first_and_then_the_customer_is_called(self, desk: Desk) -> None:
        desk.book()
        assert desk.waiting() == 1
        assert not desk.room.said(Invite)
        desk.registers("an")
        invite = desk.invite()
        assert (invite.user, invite.number, invite.display_name, invite.trunk) == ("an", NUMBER, "Callback", "")
        assert invite.call == BOOKED.id
        assert not desk.room.said(SaveCall), "nobody is called yet"
        desk.answer()
        invite = desk.invite()
        assert (invite.to, invite.trunk, invite.number) == (NUMBER, "first", TRUNK.caller_number)
        assert [each.kind for play in desk.room.said(Play) for each in play.prompts] == ["tone"]
        assert desk.row().state == "calling"
        assert (desk.row().attempts, desk.row().last_call) == (1, BOOKED.id)
        desk.answer()
        assert desk.row().state == "done"
        assert desk.row().ended_at == desk.room.now
        assert desk.calls() == ["calling", "talking"]
        call = desk.room.last(SaveCall).call
        assert (call.direction, call.queue, call.agent, call.dnis) == ("outbound", "care", "an", NUMBER)
        assert len(desk.room.said(Record)) == 1
        assert desk.states()["an"] == "talking"
        desk.tell(DialogEnded(desk.invite().dialog, "bye"))
        assert desk.room.last(SaveCall).call.ended_by == "the party outside"
        assert desk.states()["an"] == "after_call_work"
        assert desk.room.switchboard.callback(BOOKED.id) is None

    def test_the_agent_is_told_for_whom_and_why(self, desk: Desk) -> None:
        desk.registers("an")
        desk.book()
        desk.tell(CallerFound(BOOKED.id, NUMBER, CallerContext("customer1", True, "Lan", "en")))
        desk.open_legs()
        assert desk.invite().display_name == "Callback: Lan"
        offered = next(each for each in desk.room.said(Publish) if each.type == "call.offered")
        assert offered.body["callback"] == {
            "id": BOOKED.id, "note": "Refund", "since": iso(BOOKED.since), "attempts": 0,
        }  # fmt: skip
        shown = desk.room.switchboard.desk_call("an")
        assert shown is not None
        assert (shown[0].state, shown[0].customer, shown[1]) == ("ringing", "customer1", {"callback": "Refund"})
        assert not desk.room.said(SaveCall)
        desk.answer()
        desk.answer()
        shown = desk.room.switchboard.desk_call("an")
        assert shown is not None
        assert (shown[0].state, shown[1]) == ("talking", {"callback": "Refund"})

    def test_the_agent_hears_what_the_network_says(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.answer()
        invite = desk.invite()
        desk.tell(DialogRinging(invite.dialog, sdp.answer(invite.sdp, PHONE).sdp))
        assert len(desk.bridges) == 2
        desk.answer()
        assert desk.row().state == "done"

    def test_whoever_waited_longer_is_served_first(self, desk: Desk) -> None:
        other = replace(BOOKED, id="d" * 32, number="+84987654321", since=BOOKED.since - 1)
        desk.book()
        desk.book(other)
        desk.registers("an")
        assert desk.invite().number == other.number

    def test_an_agent_who_does_not_take_it_is_no_attempt(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an", "binh")
        desk.refuse(603)
        assert desk.invite().user == "binh"
        assert not desk.room.said(SaveCallback)
        desk.lasts(20.0)  # nor does binh
        assert desk.states()["binh"] == "not_ready"
        assert desk.invite().user == "an"
        desk.answer()
        assert desk.row().attempts == 1

    def test_a_promise_is_kept_however_full_the_queue_is(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        for number in range(120):
            desk.book(replace(BOOKED, id=f"{number:032x}", number=f"+84912345{number:03d}"))
        assert desk.waiting() == 120
        assert not desk.room.acd.queue_facts("care", desk.room.now).open

    def test_no_leg_for_the_agent_no_offer(self, desk: Desk) -> None:
        desk.book()
        desk.tell(BindingChanged("an", 1))
        desk.tell(LegRefused(f"{BOOKED.id}.near1", "no port"))
        assert desk.states()["an"] == "not_ready"
        assert desk.waiting() == 1


class TestNobodyReached:
    @pytest.mark.parametrize("status", [486, 480, 603, 404, 503])
    def test_it_is_tried_again_after_a_pause_and_then_given_up(self, desk: Desk, status: int) -> None:
        desk.book()
        desk.registers("an")
        for attempt in (1, 2, 3):
            assert desk.invite().user == "an"
            desk.answer()
            assert desk.row().attempts == attempt
            desk.refuse(status)
            call = desk.room.last(SaveCall).call
            assert (call.state, call.ended_by) == ("ended", f"not reached: {status}")
            assert desk.states()["an"] == "after_call_work"
            if attempt < 3:
                assert desk.row().state == "booked"
                assert desk.row().next_at == desk.room.now + 900.0
                desk.lasts(899.0)
                assert desk.waiting() == 0
                desk.lasts(1.0)
        assert (desk.row().state, desk.row().cause) == ("failed", f"not reached: {status}")
        assert len({each.call.id for each in desk.room.said(SaveCall)}) == 3
        desk.lasts(90000.0)
        assert desk.waiting() == 0
        assert desk.room.switchboard.deadline() is None

    def test_nobody_answers_for_a_minute(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.answer()
        desk.lasts(60.0)
        assert desk.row().state == "booked"
        assert desk.dialogs[desk.invite().dialog].told

    def test_the_agent_gives_up(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.answer()
        desk.tell(DialogEnded(f"{BOOKED.id}.near1", "bye"))
        assert (desk.row().state, desk.row().cause) == ("booked", "agent")
        assert desk.states()["an"] == "after_call_work"

    def test_the_next_trunk_is_tried_at_once(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path, trunks=(TRUNK, SPARE))
        desk.book()
        desk.registers("an")
        desk.answer()
        desk.refuse(503)
        assert desk.invite().trunk == "second"
        desk.answer()
        assert desk.row().state == "done"
        assert desk.room.last(SaveCall).call.trunk == "second"

    def test_a_day_later_it_is_too_late(self, desk: Desk) -> None:
        desk.book()
        desk.lasts(86399.0)
        assert desk.waiting() == 1
        desk.lasts(1.0)
        assert desk.row().state == "failed"
        assert desk.waiting() == 0

    def test_the_media_is_lost_while_the_customer_rings(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.answer()
        desk.tell(LegLost(f"{BOOKED.id}.far1", "the media worker died"))
        assert desk.row().state == "booked"

    def test_a_supervisor_hangs_up(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.tell(HangupRequested(BOOKED.id, "huong"))
        assert desk.waiting() == 1
        desk.lasts(6.0)
        desk.answer()
        desk.tell(HangupRequested(BOOKED.id, "huong"))
        assert desk.row().cause == "huong"

    def test_a_number_that_may_not_be_dialled_any_more(self, desk: Desk) -> None:
        desk.book(replace(BOOKED, number="+4420794601234"[:13]))
        desk.registers("an")
        assert desk.row().state == "failed"
        assert desk.states()["an"] == "ready"

    def test_a_queue_that_is_there_no_more(self, desk: Desk) -> None:
        desk.book(replace(BOOKED, queue="sales"))
        assert (desk.row().state, desk.row().cause) == ("failed", "there is no queue sales")

    def test_full_trunks_cost_no_attempt_and_no_agent(self, desk: Desk) -> None:
        desk.book()
        desk.book(replace(BOOKED, id="d" * 32, number="+84987654321"))
        desk.registers("an")
        desk.answer()
        desk.registers("binh")
        assert desk.states()["binh"] == "ready"
        desk.refuse()
        desk.lasts(30.0)
        assert desk.invite().number == "+84987654321"
        assert desk.invite().user


class TestTheCustomersOwnCalls:
    def test_nobody_is_called_back_while_calling_in(self, desk: Desk) -> None:
        desk.book()
        call = desk.calls_in()
        assert desk.waiting() == 0
        desk.registers("an")
        assert desk.states()["an"] == "ready"
        desk.hangs_up()
        assert desk.room.last(SaveCall).call.id == call
        assert desk.invite().user == "an"

    def test_an_agents_phone_stops_when_the_customer_calls_in(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        assert desk.states()["an"] == "ringing"
        desk.calls_in()
        assert desk.states()["an"] == "ready"
        assert desk.dialogs[f"{BOOKED.id}.near1"].told

    def test_who_talks_with_the_queue_meanwhile_has_been_called_back(self, desk: Desk) -> None:
        desk.book()
        desk.calls_in(keys="1")
        desk.registers("an")
        desk.answer()
        assert (desk.row().state, desk.row().attempts) == ("done", 0)
        desk.hangs_up()
        assert desk.waiting() == 0

    def test_who_talks_before_the_promise_is_written_down_is_not_called_as_well(self, desk: Desk) -> None:
        call = desk.calls_in(keys="1")
        desk.registers("an")
        desk.answer()
        desk.book(replace(BOOKED, call=call))
        assert desk.row().state == "done"
        desk.hangs_up()
        desk.lasts(15.0)
        assert (desk.waiting(), desk.states()["an"]) == (0, "ready")

    def test_another_profiles_call_changes_nothing(self, desk: Desk) -> None:
        desk.book(replace(BOOKED, number="+84987654321"))
        desk.calls_in()
        assert desk.waiting() == 1

    def test_a_person_is_known_by_the_profile_too(self, desk: Desk) -> None:
        desk.book(replace(BOOKED, number="+84987654321", customer="customer1"))
        desk.calls_in()
        assert desk.waiting() == 0

    def test_an_agent_of_the_queue_who_dials_the_customer_calls_back(self, desk: Desk) -> None:
        desk.registers("an")
        desk.tell(AgentStateRequested("an", "not_ready", "break"))
        desk.book()
        offer = sdp.offer(PHONE)
        desk.dialogs["p1"] = Dialog("p1", False, "an", offer)
        desk.tell(InviteReceived("p1", "an", "", False, "0912345678", offer, "192.0.2.7:5060", user="an"))
        assert desk.waiting() == 0
        desk.open_legs()
        desk.answer()
        desk.dialogs["p1"].state = "confirmed"
        desk.tell(DialogConfirmed("p1"))
        assert desk.row().state == "done"


class TestRestartsHoursAndCancelling:
    def test_what_was_promised_before_a_restart_is_kept(self, desk: Desk) -> None:
        desk.book(restored=True)
        desk.book(restored=True)
        assert desk.waiting() == 1
        assert desk.room.acd.queue_facts("care", desk.room.now).longest_wait_s == pytest.approx(300.0)
        assert not desk.room.said(SaveCallback)
        assert not desk.published()

    def test_an_attempt_that_the_restart_cut_was_one(self, desk: Desk) -> None:
        desk.book(replace(BOOKED, state="calling", attempts=1, last_call=BOOKED.id), restored=True)
        assert (desk.row().state, desk.row().attempts) == ("booked", 1)
        desk.registers("an")
        assert desk.invite().call != BOOKED.id, "the call that was cut has this name"

    @pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
    def test_what_is_over_is_over(self, desk: Desk, state: str) -> None:
        desk.book(replace(BOOKED, state=state), restored=True)
        assert desk.waiting() == 0

    def test_who_drains_calls_nobody(self, desk: Desk) -> None:
        desk.book()
        desk.room.switchboard.drain()
        desk.registers("an")
        assert not desk.room.said(Invite)
        assert desk.states()["an"] == "ready"
        assert not desk.room.switchboard.busy()
        kept = desk.room.switchboard.callback(BOOKED.id)
        assert kept is not None
        assert kept.state == "booked"

    def test_only_in_the_hours_of_the_settings(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path, CallbackRules(hours="office"))
        desk.book()
        desk.registers("an")
        desk.lasts(NOW + 10_000 - 1 - desk.room.now)
        assert desk.waiting() == 0
        desk.lasts(1.0)
        assert desk.invite().user == "an"

    def test_in_an_emergency_until_it_is_over(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path, CallbackRules(hours="office"))
        desk.lasts(4 * 3600.0)
        desk.book(replace(BOOKED, created_at=desk.room.now))
        desk.tell(HoursChanged("office", True, 1))
        assert desk.waiting() == 0
        desk.tell(HoursChanged("office", False, 2))
        assert desk.waiting() == 1

    def test_somebody_takes_it_back(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.tell(CallbackCancelled(BOOKED.id, "huong"))
        assert (desk.row().state, desk.row().cause) == ("cancelled", "by huong")
        assert desk.states()["an"] == "ready"
        desk.tell(CallbackCancelled(BOOKED.id, "huong"))
        assert len(desk.room.said(SaveCallback)) == 1

    def test_nobody_takes_back_what_is_being_done(self, desk: Desk) -> None:
        desk.book()
        desk.registers("an")
        desk.answer()
        desk.tell(CallbackCancelled(BOOKED.id, "huong"))
        assert desk.row().state == "calling"


def test_a_flow_asks_with_the_place_that_the_caller_has(desk: Desk) -> None:
    desk.calls_in(keys="3")
    asked = desk.room.last(FlowRequest)
    assert (asked.queue, asked.since) == ("care", desk.room.now)
    assert asked.ani == NUMBER


def test_the_call_says_that_its_caller_is_called_back(desk: Desk) -> None:
    call = desk.calls_in()
    desk.book(replace(BOOKED, call=call))
    assert desk.room.switchboard.board.calls[call].notes == ["to be called back, from the place in the queue care"]
    assert desk.published()[-1] == "callback.changed"


def test_the_table_leads_from_every_open_state_to_an_end() -> None:
    reached = {state for (before, _), state in BOOKING.items() if before in OPEN}
    assert reached == {"booked", "calling", "done", "failed", "cancelled"}
    assert not any(before not in OPEN for before, _ in BOOKING)
