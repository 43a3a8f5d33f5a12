"""Verbs that ask and tell the world: lookup, verify, http, case, note, notify."""

import re
from typing import Final, get_args

from ivr_flows import values
from ivr_flows.flow import (
    ANSWER_LIMIT_S,
    ANY_CHANNEL,
    Case,
    Http,
    Lookup,
    Notify,
    TakeNote,
    Verify,
)
from ivr_flows.source import ListNode, MapNode, Node, Scalar, one_of
from ivr_flows.step_reading import StepReading
from ivr_flows.verbs.calling import CALLERS_NUMBER
from telephony.requests import CaseDeed, Method

IDENTITIES: Final = ("phone", "email", "zalo", "facebook", "web", "external")
METHODS: Final = get_args(Method)
DEEDS: Final = get_args(CaseDeed)
MAX_RETRIES: Final = 5
ADDRESS: Final = re.compile(r"(https?://[^/{}\s]+|\{\{\s*settings\.\w+\s*\}\})(?=[/?#]|$)")


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


def verify(step: StepReading) -> Verify:
    field = step.needed("field", "verify")
    return Verify(
        field="" if field is None else values.name(step.reading, field, "a field's name"),
        value=step.bare(step.needed("value", "verify")),
        exits=step.exits("verified", "refused", "failed"),
        timeout_s=step.duration("timeout", ANSWER_LIMIT_S),
    )


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
    if node is not None and url and not ADDRESS.match(url):
        text = f"'{url}': an address begins with https://host or with a setting, {{{{ settings.orders_url }}}}/…"
        step.reading.faults.add(node, "bad-value", text)
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
        case="" if deed == "open" or is_own else step.bare(node),
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
        next=step.exit("next"),
        channel=ANY_CHANNEL if channel is None else values.channel(reading, channel),
        subject={} if subject is None else values.words(reading, subject, "sent").text,
    )
