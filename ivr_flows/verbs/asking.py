"""Verbs that ask and tell the world: lookup, verify, http, case, note, notify."""

import re
from collections.abc import Iterable
from typing import Final, get_args

from ivr_flows import values
from ivr_flows.flow import (
    ANSWER_LIMIT_S,
    ANY_CHANNEL,
    CODE_DIGITS,
    CODE_FIRST_KEY_S,
    CODE_LIMIT_S,
    CODE_VALID_S,
    Case,
    Gather,
    Http,
    Lookup,
    Notify,
    TakeNote,
    Verify,
    VerifyByCode,
)
from ivr_flows.source import ListNode, MapNode, Node, Scalar, one_of
from ivr_flows.step_reading import StepReading
from ivr_flows.verbs.calling import CALLERS_NUMBER
from ivr_flows.verbs.speaking import keys_of
from telephony.requests import CaseDeed, Method

IDENTITIES: Final = ("phone", "email", "zalo", "facebook", "web", "external")
METHODS: Final = get_args(Method)
DEEDS: Final = get_args(CaseDeed)
MAX_RETRIES: Final = 5
MAX_CODE_VALID_S: Final = 900.0
OF_A_CODE: Final = ("prompt", "keys", "filler", "wrong", "no_input", "not_sent")
OF_AN_ANSWER: Final = ("field", "value", "refused")
"""What stands in a `verify` that asks for a code, and in one that compares an answer, and not in the other."""
ADDRESS: Final = re.compile(r"(https?://[^/{}\s]+|\{\{\s*settings\.\w+\s*\}\})(?=[/?#]|$)")
IN_CLEAR: Final = re.compile(r"http://(?!(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?$)")
"""What is neither encrypted nor this very machine: see `telephony.edge.web_service`."""


def lookup(step: StepReading) -> Lookup:
    node = step.main("by", "lookup")
    by = "phone" if node is None else values.word_of(step.reading, node, IDENTITIES, "an identity")
    value = step.given.get("value")
    if value is None and by != "phone":
        step.reading.faults.add(step.given.place, "missing-key", f"lookup by {by} needs 'value:'")
    return Lookup(
        by=by,
        value=CALLERS_NUMBER if value is None else step.template(value, "looked up"),
        exits=step.exits("found", "not_found", "several", "failed"),
        into=step.variable("into", ("record",)),
        timeout_s=step.duration("timeout", ANSWER_LIMIT_S),
    )


def verify(step: StepReading) -> Verify | VerifyByCode:
    if "code" in step.given:
        return _verify_by_code(step, step.given.items["code"][1])
    _not_for(step, OF_A_CODE, "is for a code: verify: {code: {by: [zalo, email]}, prompt: …}")
    field = step.needed("field", "verify")
    return Verify(
        field="" if field is None else values.name(step.reading, field, "a field's name"),
        value=step.bare(step.needed("value", "verify")),
        exits=step.exits("verified", "refused", "failed"),
        timeout_s=step.duration("timeout", ANSWER_LIMIT_S),
    )


def _verify_by_code(step: StepReading, node: Node) -> VerifyByCode:
    _not_for(step, OF_AN_ANSWER, "is for an answer that is compared; a code is asked for by the step itself")
    by, valid_s = _code(step, node)
    keys = keys_of(step, CODE_FIRST_KEY_S)
    question = Gather(
        into="",
        prompt=step.question("verify"),
        length=(CODE_DIGITS, CODE_DIGITS),
        next="",
        no_input=step.retry("no_input"),
        no_match=step.retry("wrong"),
        finish=keys.finish,
        first_key_s=keys.first_s,
        between_keys_s=keys.between_s,
        secret=True,
    )
    return VerifyByCode(
        question=question,
        exits=step.exits("verified", "not_sent", "failed"),
        by=by,
        valid_s=valid_s,
        timeout_s=step.duration("timeout", CODE_LIMIT_S),
        filler=step.prompt("filler"),
    )


def _code(step: StepReading, node: Node) -> tuple[tuple[str, ...], float]:
    """Read `code: {by: [zalo, email], valid: 5m}`, or its channels alone; `auto` is any."""
    if not isinstance(node, MapNode):
        return _channels(step, node), CODE_VALID_S
    inner = values.fields(step.reading, node, ("by", "valid"), "'code'")
    by, valid = inner.get("by"), inner.get("valid")
    valid_s = values.duration(step.reading, valid, CODE_VALID_S)
    if valid is not None and not 0 < valid_s <= MAX_CODE_VALID_S:
        step.reading.faults.add(valid, "bad-value", f"a code is good for {MAX_CODE_VALID_S / 60:.0f}m at most")
    return () if by is None else _channels(step, by), valid_s


def _channels(step: StepReading, node: Node) -> tuple[str, ...]:
    nodes = node.elements if isinstance(node, ListNode) else (node,)
    words = tuple(values.text(step.reading, each, "a channel") for each in nodes)
    if not words:
        step.reading.faults.add(node, "bad-value", "name the channels by which a code is sent: by: [zalo, email]")
    return () if words == (ANY_CHANNEL,) else words


def _not_for(step: StepReading, names: Iterable[str], why: str) -> None:
    for name in names:
        if name in step.given:
            step.reading.faults.add(step.given.items[name][0], "unknown-key", f"'{name}' {why}")


def http(step: StepReading) -> Http:
    methods = [key for key in METHODS if key in step.given]
    if len(methods) != 1:
        text = f"http asks by one of {one_of(METHODS)}: {{get: https://…}}"
        step.reading.faults.add(step.given.place, "bad-value" if methods else "missing-key", text)
    method: Method = next((key for key in METHODS if methods and key == methods[0]), "get")
    return Http(
        method=method,
        url=_address(step, step.given.get(method)),
        exits=step.exits("next", "failed", optional=("not_found", "timed_out")),
        headers=step.templates("headers", "asked of a web service"),
        query=step.templates("query", "asked of a web service"),
        body={name: step.bare(value, "asked of a web service") for name, value in step.mapping("body").items()},
        secrets={name: step.filled(node, f"secrets.{name}") for name, node in step.mapping("secrets").items()},
        into=step.variable("into", ("record",)),
        fields=_fields(step),
        timeout_s=step.duration("timeout", ANSWER_LIMIT_S),
        retries=values.count(step.reading, step.given.get("retries"), 0, MAX_RETRIES),
        filler=step.prompt("filler"),
    )


def _address(step: StepReading, node: Node | None) -> str:
    """Read an address. Which service is asked does not depend on what a caller says."""
    url = step.template(node, "asked of a web service")
    if node is None or not url:
        return url
    begins = ADDRESS.match(url)
    if begins is None:
        text = f"'{url}': an address begins with https://host or with a setting, {{{{ settings.orders_url }}}}/…"
        step.reading.faults.add(node, "bad-value", text)
    elif "secrets" in step.given and IN_CLEAR.match(begins[0]):
        text = f"'{begins[0]}': something secret goes to an https:// address alone"
        step.reading.faults.add(node, "secret-told", text)
    return url


def _fields(step: StepReading) -> dict[str, str]:
    """The paths of the record's fields in the answer: a field that is not mapped has its own name there."""
    into = step.given.get("into")
    declared = step.reading.variables.get(into.text) if isinstance(into, Scalar) else None
    mapped = {name: values.text(step.reading, node, "a path") for name, node in step.mapping("map").items()}
    if declared is None:
        return mapped
    for name in mapped:
        if name not in declared.fields:
            key = step.given.get("map")
            items = key.items if isinstance(key, MapNode) else {}
            values.unknown_keys(step.reading, {name: items[name]}, declared.fields, "the record")
    return {name: mapped.get(name, name) for name in declared.fields}


def case(step: StepReading) -> Case:
    deeds = [key for key in DEEDS if key in step.given]
    if len(deeds) != 1:
        text = f"case does one of {one_of(DEEDS)}: {{open: Delivery is late}}"
        step.reading.faults.add(step.given.place, "bad-value" if deeds else "missing-key", text)
    deed: CaseDeed = next((key for key in DEEDS if deeds and key == deeds[0]), "open")
    node, topic = step.given.get(deed), step.given.get("topic")
    is_own = isinstance(node, Scalar) and values.FLAGS.get(node.text.lower(), False)
    return Case(
        deed=deed,
        exits=step.exits("next", "failed"),
        case="" if deed == "open" or is_own else step.bare(node, "told to the cases"),
        subject=step.template(node, "written into a case") if deed == "open" else "",
        topic=step.template(topic, "written into a case"),
        into=step.variable("into", ("text",)),
        timeout_s=step.duration("timeout", ANSWER_LIMIT_S),
    )


def note(step: StepReading) -> TakeNote:
    node = step.given.short
    if isinstance(node, ListNode | MapNode):
        step.reading.faults.add(node, "bad-value", 'note is one text: note: "Asked for {{ order }}"')
        node = None
    return TakeNote(step.template(node, "noted"), step.exit("next"))


def notify(step: StepReading) -> Notify:
    reading = step.reading
    node = step.given.short or step.needed("text", "notify")
    channel, subject = step.given.get("channel"), step.given.get("subject")
    return Notify(
        text={} if node is None else values.words(reading, node, "sent").text,
        exits=step.exits("next", "failed"),
        channel=ANY_CHANNEL if channel is None else values.channel(reading, channel),
        subject={} if subject is None else values.words(reading, subject, "sent").text,
    )
