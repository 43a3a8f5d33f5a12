"""A switchboard in virtual time: events go in by hand, every command is remembered."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ivr_flows.calendar import Calendar
from ivr_flows.flow import Flow
from ivr_flows.load import load
from telephony import acd, sdp
from telephony.events import (
    BindingChanged,
    CallerContext,
    CallerFound,
    Command,
    DialogAnswered,
    DialogConfirmed,
    DigitPressed,
    Event,
    Invite,
    InviteReceived,
    LegOpened,
    OpenCase,
    OpenLeg,
    SaveCall,
    TimePassed,
)
from telephony.switchboard import Switchboard, SwitchboardSettings
from telephony.switchboard.board import SrtpPolicy
from telephony.switchboard.dialling import TrunkRules

C = TypeVar("C", bound=Command)
NOW = 1_700_000_000.0
CALLER_OFFER = sdp.offer(sdp.Capabilities("192.0.2.1", 4000, 1))

FLOW = """
flow: main
title: {en: Test}
languages: [en]
variables: {case: {type: text}}
start: menu
steps:
  menu:
    menu:
      prompt: {en: "Hello {{ caller.name }}. Press 1 for an agent."}
      choices:
        1: {next: agent}
        2: {next: same_case}
        8: {next: after}
        9: {next: bye}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 1, next: bye}
  same_case:
    set: {case: "caller.open_cases[0].id"}
    next: agent
  agent:
    queue: {to: care, limit: 60s, wait: [{en: Please hold.}, {music: waiting}]}
    answered: after
    timeout: sorry
    full: sorry
    closed: sorry
  sorry:
    say: {text: {en: Nobody is free.}, interruptible: voice}
    next: bye
  after:
    say: {en: Thank you.}
    next: bye
  bye:
    hangup: {en: Goodbye.}
"""


WAIT = "[{en: Please hold.}, {music: waiting}]"

_FLOWS: dict[str, Flow] = {}
"""Read once: reading takes longer than a call does."""


def _flow(folder: Path, text: str) -> Flow:
    if text not in _FLOWS:
        path = folder / "main.yaml"
        path.write_text(text, encoding="utf-8")
        _FLOWS[text] = load(path)
    return _FLOWS[text]


class Room:
    """The switchboard with two agents, `an` and `binh`, or others, and one queue, `care`."""

    def __init__(
        self,
        folder: Path,
        *,
        max_calls: int = 500,
        max_call_s: float = 10800.0,
        answered: str = "after",
        wait: str = WAIT,
        flow: str = FLOW,
        srtp: SrtpPolicy = "optional",
        trunks: tuple[TrunkRules, ...] = (),
        agents: tuple[str, ...] = ("an", "binh"),
        codecs: tuple[int, ...] = (sdp.PCMU, sdp.PCMA),
        hours: Mapping[str, Calendar] | None = None,
        queue_hours: Mapping[str, str] | None = None,
    ) -> None:
        ids = itertools.count(1)
        self.acd = acd.Acd(
            {"care": acd.QueueSettings("care", ring_timeout_s=15, wrap_up_s=10)},
            {name: acd.AgentSettings(name) for name in agents},
        )
        self.switchboard = Switchboard(
            SwitchboardSettings(
                {"*": "main"},
                codecs=codecs,
                max_calls=max_calls,
                max_call_s=max_call_s,
                srtp=srtp,
                trunks=trunks,
                language="en",
                hours=hours or {},
                queue_hours=queue_hours or {},
            ),
            {"main": _flow(folder, flow.replace("answered: after", f"answered: {answered}").replace(WAIT, wait))},
            self.acd,
            lambda: f"{next(ids):032x}",
        )
        self.now = NOW
        self.commands: list[Command] = []
        self.ports = itertools.count(20000, 2)
        self.dialogs: dict[str, str] = {}

    def happened(self, event: Event, after_s: float = 0.0) -> list[Command]:
        """Take an event; return and remember what is commanded."""
        self.now += after_s
        commands = self.switchboard.handle(event, self.now)
        self.commands += commands
        return commands

    def wait(self, seconds: float) -> list[Command]:
        """Let time pass from deadline to deadline."""
        end, commands = self.now + seconds, []
        while (deadline := self.switchboard.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            commands += self.happened(TimePassed())
        self.now = end
        return commands

    def said(self, kind: type[C]) -> list[C]:
        """Return the commands of one kind so far."""
        return [command for command in self.commands if isinstance(command, kind)]

    def last(self, kind: type[C]) -> C:
        """Return the last command of one kind."""
        return self.said(kind)[-1]

    def state(self) -> str:
        """Return the last saved call's state."""
        return self.last(SaveCall).call.state

    def open_leg(self) -> list[Command]:
        """Open the leg that was last asked for."""
        return self.happened(LegOpened(self.last(OpenLeg).leg, "127.0.0.1", next(self.ports)))

    def ring_in(self, dialog: str = "d1", offer: str = CALLER_OFFER) -> str:
        """An INVITE comes; return the call's id."""
        self.happened(InviteReceived(dialog, "0912345678", "", False, "1900", offer, "192.0.2.1:5060"))
        call = self.last(SaveCall).call.id
        self.dialogs[call] = dialog
        return call

    def known_caller(self, call: str) -> list[Command]:
        """The bridge knows the caller, who has one open case."""
        case = OpenCase("case1", "Refund", "your refund", "email", NOW - 86400)
        context = CallerContext("customer1", True, "Lan", "en", 1, (), (case,))
        return self.happened(CallerFound(call, "+84912345678", context))

    def in_menu(self, dialog: str = "d1") -> str:
        """A call that hears the menu; return its id."""
        call = self.ring_in(dialog)
        self.open_leg()
        self.known_caller(call)
        self.happened(DialogConfirmed(dialog))
        self.wait(0.3)
        return call

    def agents_register(self, *names: str) -> None:
        """Agents' phones register."""
        for name in names or ("an", "binh"):
            self.happened(BindingChanged(name, 1), after_s=1.0)

    def talking(self) -> str:
        """A call that talks with `an`; return its id."""
        self.agents_register("an")
        call = self.in_menu()
        self.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
        self.open_leg()
        self.agent_answers()
        return call

    def agent_answers(self) -> list[Command]:
        """The phone that was last invited answers."""
        invite = self.last(Invite)
        answer = sdp.answer(invite.sdp, sdp.Capabilities("192.0.2.2", 6000, 1))
        return self.happened(DialogAnswered(invite.dialog, answer.sdp))
