"""A talk and what may befall it: hold, a transfer, and an agent whose page is reloaded in the middle of it.

Two facts about the agent's leg are kept apart. Its *audio* stalls and resumes, as the media worker says; while it is
stalled the caller hears a comfort tone. Its *signalling* is lost when its connection closes, and found again in the
same dialog, or else the same agent's phone registers anew, being a page that was reloaded: then that phone is called,
asked to answer by itself, and put in the place of the old one. The talk goes on all the while.
"""

from typing import Final

from telephony import sdp
from telephony.acd import CallQueued, TalkEnded
from telephony.events import (
    Answer,
    DialogAnswered,
    HoldRequested,
    Join,
    Leave,
    Play,
    Prompt,
    ResumeRequested,
    StopPlaying,
    TransferRequested,
)
from telephony.switchboard import ending, party, recording_pause, waiting
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS, AgentLeg, Call

HOLD: Final = "hold"
COMFORT: Final = "comfort"
FIRST: Final = 1
"""The priority of a caller who lost an agent: before everybody else."""
TRANSFERRED: Final = 3
"""That of a caller who was transferred: before newcomers (5)."""
DIRECTED_S: Final = 30.0
"""So long a call waits for the one agent it was transferred to."""
LOST: Final = "the agent's connection was lost"


# ------------------------------------------------------------------------------------------------ hold, transfer


def hold(board: Board, event: HoldRequested, now: float) -> None:
    """Let the caller hear music, and the agent nothing."""
    call = _talk_of(board, event.call, event.agent)
    if call is not None:
        _hold(board, call, now)


def resume(board: Board, event: ResumeRequested, _now: float) -> None:
    """Bring the two together again."""
    call = _talk_of(board, event.call, event.agent)
    if call is not None:
        _resume(board, call)


def phone_changed(board: Board, call: Call, now: float) -> None:
    """The agent's phone holds by itself, or does not any more: that is the agent's hold, whichever button it was."""
    if call.agent_leg is None or call.agent_leg.agreed is None:
        return
    if party.is_holding(call.agent_leg):
        _hold(board, call, now)
    else:
        _resume(board, call)


def _hold(board: Board, call: Call, now: float) -> None:
    if call.state == "talking":
        call.move("held")
        call.held_at = now
        board.emit(Leave(call.leg))
        set_sound(board, call)
        board.save(call)
        board.publish("call.held", call)


def _resume(board: Board, call: Call) -> None:
    if call.state == "held":
        call.move("resumed")
        call.held_at = 0.0
        set_sound(board, call)
        board.emit(Join(call.leg, call.id))
        board.save(call)
        board.publish("call.resumed", call)


def transfer(board: Board, event: TransferRequested, now: float) -> None:
    """Give the caller to another agent or to a queue, and let the agent go."""
    call = _talk_of(board, event.call, event.by)
    if call is None or event.agent == event.by or (event.queue and event.queue not in board.acd.queue_names()):
        return
    to = f"agent:{event.agent}" if event.agent else f"queue:{event.queue}"
    call.transferred_by = event.by
    _queue_again(board, call, event.queue or board.queue_of(call), now, only=event.agent, avoid=event.by)
    board.publish("call.transferred", call, by=event.by, to=to)
    board.publish("call.queued", call)


def _talk_of(board: Board, call_id: str, agent: str) -> Call | None:
    call = board.calls.get(call_id)
    if call is None or call.state not in TALKS or call.agent_leg is None or call.agent_leg.agent != agent:
        return None
    return call


def _queue_again(
    board: Board, call: Call, queue: str, now: float, *, only: str = "", avoid: str, priority: int = TRANSFERRED
) -> None:
    """Take the caller from the agent into a queue, in mid-recording."""
    if call.agent_leg is None:
        return
    board.tell_queues(TalkEnded(call.id, call.agent_leg.agent), now)
    if call.state == "talking":
        board.emit(Leave(call.leg))
    ending.drop_agent_leg(board, call)
    recording_pause.over(board, call)
    call.held_at = call.away_at = 0.0
    set_sound(board, call, none=True)
    call.move("transferred")
    call.agent = ""
    call.queue, call.directed_to = queue, only
    call.talk_ended_at = call.queued_at = now
    call.queue_left_at = 0.0
    call.waiting_music = call.waiting_music or (Prompt("music", "waiting"),)
    waiting.play_music(board, call)
    board.save(call)
    limit_s = DIRECTED_S if only else call.queue_limit_s
    board.tell_queues(CallQueued(call.id, queue, limit_s, priority, only=only, avoid=(avoid,)), now)


# ---------------------------------------------------------------------------------------- lost and found again


def stalled(board: Board, call: Call, now: float) -> None:
    """The agent is not heard: the caller shall know that somebody is still there."""
    agent_leg = call.agent_leg
    if agent_leg is None or call.state not in TALKS or agent_leg.stalled:
        return
    agent_leg.stalled = True
    away(board, call, now)


def resumed(board: Board, call: Call) -> None:
    """The agent is heard again."""
    if call.agent_leg is not None and call.agent_leg.stalled and call.state in TALKS:
        call.agent_leg.stalled = False
        _back(board, call)


def unreachable(call: Call) -> None:
    """The connection of the agent's page is lost; as long as there is audio, that is all."""
    if call.agent_leg is not None and call.agent_leg.answered:
        call.agent_leg.unreachable = True


def reachable(call: Call) -> None:
    """The agent's page is back, in the same dialog."""
    if call.agent_leg is not None:
        call.agent_leg.unreachable = False


def registered_anew(board: Board, agent: str, now: float) -> None:
    """A phone of the agent is there. If that of its talk is not, this one takes its place."""
    call = next((each for each in board.calls.values() if _waits_for(each, agent)), None)
    if call is None or call.agent_leg is None:
        return
    ending.drop_agent_leg(board, call)
    agent_leg = board.open_agent_leg(call, agent)
    agent_leg.stalled = agent_leg.returning = True
    if not call.away_at:
        away(board, call, now)


def _waits_for(call: Call, agent: str) -> bool:
    leg = call.agent_leg
    return call.state in TALKS and leg is not None and leg.agent == agent and leg.unreachable


def returned(board: Board, call: Call, event: DialogAnswered) -> None:
    """The new phone answered: it is where the old one was."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    try:
        party.accept(agent_leg, event.sdp)
    except sdp.SdpError:
        not_returned(board, call)
        return
    agent_leg.answered, agent_leg.returning, agent_leg.stalled = True, False, False
    board.emit(
        party.connection(agent_leg),
        Join(agent_leg.leg, call.id),
    )
    _back(board, call)


def answer_phone(board: Board, call: Call) -> None:
    """The agent's other phone called, to take the talk over: answer it."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    try:
        agreed = party.answer(board, agent_leg, agent_leg.offer, party.spoken(call))
    except sdp.SdpError:
        not_returned(board, call)
        return
    board.emit(party.connection(agent_leg, nowhere=True), Answer(agent_leg.dialog, agreed.sdp))


def taken_over(board: Board, call: Call) -> None:
    """The other phone has the talk."""
    agent_leg = call.agent_leg
    if agent_leg is None or not agent_leg.offer:
        return
    agent_leg.answered, agent_leg.returning, agent_leg.stalled = True, False, False
    board.emit(party.connection(agent_leg), Join(agent_leg.leg, call.id))
    _back(board, call)


def not_returned(board: Board, call: Call, *, dialog_open: bool = True) -> None:
    """It did not work; the next time that the phone registers it is tried again, until the time is up."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    ending.drop_agent_leg(board, call, dialog_open=dialog_open)
    call.agent_leg = AgentLeg("", agent_leg.agent, 0, answered=True, unreachable=True, stalled=True)


def lost_for_good(board: Board, call: Call, now: float) -> None:
    """The agent did not come back. The caller is the first to be served by the next."""
    if call.state not in TALKS or call.agent_leg is None or not call.away_at:
        return
    agent = call.agent_leg.agent
    _queue_again(board, call, board.queue_of(call), now, avoid=agent, priority=FIRST)
    board.publish("call.talk_ended", call, by=LOST)
    board.publish("call.queued", call)


def away(board: Board, call: Call, now: float) -> None:
    """The agent is not there for the moment."""
    call.away_at = now
    board.deadlines.set(call.id, "away", now + board.settings.away_s)
    set_sound(board, call)
    board.save(call)
    board.publish("call.away", call)


def _back(board: Board, call: Call) -> None:
    call.away_at = 0.0
    board.deadlines.cancel(call.id, "away")
    set_sound(board, call)
    board.save(call)
    board.publish("call.back", call)


# ------------------------------------------------------------------------------------------ what the caller hears


def set_sound(board: Board, call: Call, *, none: bool = False) -> None:
    """Play to the caller what the talk's state asks for, and nothing else."""
    wanted = ""
    if not none and call.state in TALKS:
        wanted = HOLD if call.state == "held" else COMFORT if call.away_at else ""
    if wanted == call.sound:
        return
    if call.sound_playback:
        board.emit(StopPlaying(call.leg, call.sound_playback))
    call.sound, call.sound_playback = wanted, ""
    if wanted:
        call.playbacks += 1
        call.sound_playback = f"talk.{call.playbacks}"
        prompts = call.hold if wanted == HOLD and call.hold else (Prompt("music", wanted),)
        board.emit(Play(call.leg, call.sound_playback, prompts, barge_in=False, loop=True))
