"""Verbs about the call itself and who joins it: answer, ring, reject, record, whisper, hold, queue, dial, transfer,
conference, callback."""

from typing import get_args

from ivr_flows import values
from ivr_flows.flow import (
    CONFERENCE_LIMIT_S,
    DIAL_LIMIT_S,
    QUEUE_LIMIT_S,
    QUEUE_PRIORITY,
    WAITING_MUSIC,
    Answer,
    Callback,
    Conference,
    Dial,
    Hold,
    Music,
    PromptParts,
    Queue,
    Record,
    RecordDeed,
    Reject,
    Rejection,
    Ring,
    Transfer,
    Whisper,
)
from ivr_flows.source import MapNode, Node, Scalar, one_of
from ivr_flows.step_reading import StepReading

QUEUE_EXITS = ("answered", "timeout", "full", "closed")
TRANSFERS = ("flow", "number", "agent")
CALLERS_NUMBER = "{{ call.ani }}"


def answer(step: StepReading) -> Answer:
    return Answer(step.exit("next"))


def ring(step: StepReading) -> Ring:
    return Ring(values.duration(step.reading, step.given.short, 1.0), step.exit("next"))


def reject(step: StepReading) -> Reject:
    short = step.given.short or step.place
    word = values.word_of(step.reading, short, get_args(Rejection), "a reason to reject a call")
    return Reject(next(reason for reason in get_args(Rejection) if reason == word))


def record(step: StepReading) -> Record:
    node = step.main("do", "record")
    word = (
        "start" if node is None else values.word_of(step.reading, node, get_args(RecordDeed), "done with a recording")
    )
    deed = next(deed for deed in get_args(RecordDeed) if deed == word)
    return Record(deed, step.exit("next"), step.flag("consent"))


def whisper(step: StepReading) -> Whisper:
    return Whisper(step.spoken("text"), step.exit("next"))


def hold(step: StepReading) -> Hold:
    return Hold(step.spoken("text"), step.exit("next"))


def queue(step: StepReading) -> Queue:
    reading = step.reading
    wait, wait_flow = _wait(step, step.given.get("wait"))
    return Queue(
        to=step.named("queue", step.main("to", "queue"), "a queue's name"),
        **step.exits(*QUEUE_EXITS, may_end=True),
        wait=wait,
        limit_s=step.duration("limit", QUEUE_LIMIT_S),
        wait_flow=wait_flow,
        exits=step.other_exits(QUEUE_EXITS) if wait_flow else _no_others(step),
        skills=_skills(step),
        priority=values.count(reading, step.given.get("priority"), QUEUE_PRIORITY, 10),
    )


def _wait(step: StepReading, node: Node | None) -> tuple[PromptParts, str]:
    """Read what is heard while waiting: a prompt, or the name of a flow, which is any name that is no prompt's."""
    if node is None:
        return (Music(WAITING_MUSIC),), ""
    if isinstance(node, Scalar) and values.NAME.fullmatch(node.text) and not _is_prompt(step, node.text):
        return (), step.named("wait", node, "a flow's name")
    return values.prompt(step.reading, node, "name"), ""


def _no_others(step: StepReading) -> dict[str, str]:
    """Only a flow that is heard while waiting has exits of its own."""
    others = {name: step.given.items[name] for name in step.given.beside if name not in QUEUE_EXITS}
    values.unknown_keys(step.reading, others, QUEUE_EXITS, "queue")
    return {}


def _is_prompt(step: StepReading, name: str) -> bool:
    return name in step.reading.catalogue or name in step.reading.shared


def _skills(step: StepReading) -> dict[str, int]:
    node = step.given.get("skills")
    found = {}
    if isinstance(node, MapNode):
        for key, value in node.items.values():
            found[step.template(key, "a skill")] = values.count(step.reading, value, 1, 10)
    elif node is not None:
        step.reading.faults.add(node, "bad-value", "skills are a mapping of names to levels from 1 to 10: {vi: 1}")
    return found


def dial(step: StepReading) -> Dial:
    return Dial(
        number=step.template(step.main("number", "dial"), "dialled"),
        exits=step.exits("answered", "busy", "no_answer", "failed", may_end=True),
        timeout_s=step.duration("timeout", DIAL_LIMIT_S),
        music=step.prompt("music"),
    )


def transfer(step: StepReading) -> Transfer:
    named = [key for key in TRANSFERS if key in step.given]
    if len(named) != 1:
        text = f"a call is transferred to one of {one_of(TRANSFERS)}"
        step.reading.faults.add(step.given.place, "missing-key" if not named else "bad-value", text)
        return Transfer(flow="?")
    node = step.given.get(named[0])
    if named[0] == "flow":
        for name in ("failed", "no_answer"):
            if name in step.given:
                step.reading.faults.add(
                    step.given.items[name][0], "unknown-key", f"a flow has no way back: no '{name}'"
                )
        return Transfer(flow=step.named("transfer", node, "a flow's name"))
    to = step.template(node, "dialled")
    if named[0] == "number":
        return Transfer(number=to, exits=step.exits("failed"))
    return Transfer(agent=to, exits=step.exits("failed", "no_answer"))


def conference(step: StepReading) -> Conference:
    return Conference(
        room=step.template(step.main("room", "conference"), "the name of a room"),
        exits=step.exits("next", "full", "failed"),
        limit_s=step.duration("limit", CONFERENCE_LIMIT_S),
    )


def callback(step: StepReading) -> Callback:
    to, note = step.given.get("to"), step.given.get("note")
    return Callback(
        to=CALLERS_NUMBER if to is None else step.template(to, "dialled"),
        exits=step.exits("next", "failed"),
        queue=step.named("queue", step.given.get("queue"), "a queue's name"),
        note=step.template(note, "noted"),
    )
