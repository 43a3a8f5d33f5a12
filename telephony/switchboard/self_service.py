"""The call in its flow: the flow's actions become commands for the caller's leg."""

from typing import Final, assert_never

from ivr_flows import step as flow_step
from ivr_flows.step import (
    ChangeLanguage,
    EndCall,
    EnterQueue,
    Facts,
    FlowAction,
    FlowInput,
    FlowState,
    KeyPressed,
    PlayPrompts,
    QueueFacts,
    SendMessage,
    StopPrompts,
)
from telephony import events
from telephony.acd import CallQueued
from telephony.events import Note, Play, Prompt, PromptFinished, StopPlaying
from telephony.switchboard import ending, secret_keys
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

RINGBACK: Final = (Prompt("tone", "ringback"),)
CONGESTION: Final = (Prompt("tone", "congestion"),)
PARTING_S: Final = 4.0
"""So long it is heard by somebody who is about to be hung up on."""
EARLY_KEYS: Final = 20
"""So many keys are kept for a flow that has not begun: a dialler sends no more in that moment."""


def begin(board: Board, call: Call, now: float) -> None:
    """Start the flow, with the keys that the caller pressed before."""
    _walk(board, call, flow_step.start(call.flow, _facts(board, call, now), now), now)
    for key in call.early_keys:
        board.tell_flow(call, key)
    call.early_keys.clear()


def proceed(board: Board, call: Call, message: FlowInput, now: float) -> None:
    """Give the flow an input. A call that ended meanwhile, or never reached its flow, has none to give it to; a key
    that comes in the moment before the flow begins is kept for it."""
    if call.state != "in_flow":
        return
    if call.direction == "outbound":
        _part(board, call, now)
        return
    if call.flow_state is None:
        if isinstance(message, KeyPressed) and len(call.early_keys) < EARLY_KEYS:
            call.early_keys.append(message)
        return
    walked = flow_step.step(call.flow, call.flow_state, _facts(board, call, now), message, now)
    _walk(board, call, walked, now, message)


def _part(board: Board, call: Call, now: float) -> None:
    """A call that an agent made has no flow to go on in. Where nobody took it over, whom we called is told so."""
    if call.talk_ended_by:
        ending.end(board, call, call.talk_ended_by, now)
    elif not call.parting:
        call.parting = True
        call.playbacks += 1
        board.emit(Play(call.leg, f"parting.{call.playbacks}", CONGESTION, barge_in=False, loop=True))
        board.deadlines.put((call.id, "part"), now + PARTING_S)


def part(board: Board, call: Call, now: float) -> None:
    """The tone has been heard."""
    ending.end(board, call, "nobody took it over", now)


def _walk(
    board: Board,
    call: Call,
    walked: tuple[FlowState, tuple[FlowAction, ...]],
    now: float,
    message: FlowInput | None = None,
) -> None:
    steps, failures = (len(call.flow_state.path), len(call.flow_state.failures)) if call.flow_state else (0, 0)
    before = call.step
    call.flow_state, actions = walked
    if message is not None:
        secret_keys.note_surplus(call, before, message, now)
    board.emit(*(Note(call.id, "step", step) for step in call.flow_state.path[steps:]))
    for failure in call.flow_state.failures[failures:]:
        board.emit(Note(call.id, "failure", f"{failure.step}: {failure.cause}"))
    secret_keys.guard(board, call, now)  # before the question is heard
    _perform(board, call, actions, now)


def _facts(board: Board, call: Call, now: float) -> Facts:
    queues = {}
    for name in board.acd.queue_names():
        facts = board.acd.queue_facts(name, now)
        queues[name] = QueueFacts(facts.open, facts.waiting, facts.estimated_wait_s or 0.0)
    return Facts(
        caller=call.context,
        ani=call.ani,
        dnis=call.dnis,
        started_at=call.started_at,
        timezone=board.settings.timezone,
        queues=queues,
    )


def _perform(board: Board, call: Call, actions: tuple[FlowAction, ...], now: float) -> None:
    for action in actions:
        match action:
            case PlayPrompts():
                call.talk_ended_by = ""
                playback, by_voice = f"flow.{action.playback}", action.by_voice
                board.emit(
                    Play(
                        call.leg,
                        playback,
                        action.prompts,
                        action.interruptible,
                        action.loop,
                        barge_in_by_voice=by_voice,
                    )
                )
            case StopPrompts():
                board.emit(StopPlaying(call.leg, f"flow.{action.playback}"))
            case EnterQueue():
                _enter_queue(board, call, action, now)
            case ChangeLanguage():
                board.publish("call.language", call, language=action.language)
            case SendMessage():
                _send(board, call, action)
            case EndCall():
                # Where the flow has nothing to say after the talk, it was the agent who ended the call.
                ending.end(board, call, call.talk_ended_by or f"flow: {action.reason}", now)
            case _:
                assert_never(action)
    if call.state != "ended":
        deadline = call.flow_state.deadline if call.flow_state is not None and call.state == "in_flow" else None
        board.deadlines.put((call.id, "flow"), deadline)


def _send(board: Board, call: Call, action: SendMessage) -> None:
    """Nobody but somebody whom we know can be written to."""
    if not call.context.customer:
        board.emit(Note(call.id, "failure", "a message is not sent: nobody is known whom it could go to"))
        return
    command = events.SendMessage(
        call=call.id,
        number=action.number,
        customer=call.context.customer,
        case=call.case,
        flow=call.flow.name,
        channel=action.channel,
        language=action.language,
        text=action.text,
        subject=action.subject,
    )
    board.emit(command)


def flow_playback(playback: str) -> int | None:
    """Return the flow's number of a playback that it asked for."""
    prefix, _, number = playback.partition(".")
    return int(number) if prefix == "flow" and number.isdecimal() else None


# ------------------------------------------------------------------------------------------ waiting in a queue


def _enter_queue(board: Board, call: Call, action: EnterQueue, now: float) -> None:
    call.move("queued")
    call.queue = action.queue
    call.queue_limit_s = action.limit_s
    call.music_playing = False
    call.queued_at = now
    call.queue_left_at = 0.0
    announcements = tuple(prompt for prompt in action.wait if prompt.kind != "music")
    call.waiting_music = tuple(prompt for prompt in action.wait if prompt.kind == "music")
    board.save(call)
    board.publish("call.queued", call)
    if announcements:
        _play_waiting(board, call, announcements, loop=False)
    else:
        play_music(board, call)
    board.tell_queues(CallQueued(call.id, action.queue, action.limit_s), now)


def _play_waiting(board: Board, call: Call, prompts: tuple[Prompt, ...], *, loop: bool) -> None:
    call.playbacks += 1
    call.waiting_playback = f"wait.{call.playbacks}"
    board.emit(Play(call.leg, call.waiting_playback, prompts, barge_in=False, loop=loop))


def play_music(board: Board, call: Call) -> None:
    """Music until there is something better, whatever the announcement before it came to."""
    if call.waiting_music:
        call.music_playing = True
        _play_waiting(board, call, call.waiting_music, loop=True)


def ring_out(board: Board, call: Call) -> None:
    """A phone is rung for a caller who hears nothing, there being no music, or none that could be played: the caller
    hears it ring."""
    called_outside = call.state == "forwarding" and call.outsider is not None and not call.outsider.heard
    if (call.state == "ringing" or called_outside) and not call.waiting_playback:
        call.hears_ringing = True
        _play_waiting(board, call, RINGBACK, loop=True)


def stop_ringing(board: Board, call: Call) -> None:
    """Nothing rings for the caller any more."""
    if call.hears_ringing:
        stop_waiting_music(board, call)


def waiting_prompt_finished(board: Board, call: Call, event: PromptFinished) -> None:
    """The announcement is over: music follows. Music that failed is not tried again: silence, but the place is kept."""
    call.waiting_playback = ""
    was_ringing, call.hears_ringing = call.hears_ringing, False
    if was_ringing or event.ending not in {"finished", "failed"}:
        return
    if not call.music_playing and call.state in {"queued", "ringing"}:
        play_music(board, call)
    ring_out(board, call)


def stop_waiting_music(board: Board, call: Call) -> None:
    """Somebody is there, or the wait is over."""
    if call.waiting_playback:
        board.emit(StopPlaying(call.leg, call.waiting_playback))
        call.waiting_playback = ""
        call.hears_ringing = False
