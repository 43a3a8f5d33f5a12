"""Steps that ask the world: what they ask, and where its answer leads. Pure."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from ivr_flows.answers import record_of, wrong_field
from ivr_flows.expression import ExpressionError, address, evaluate, render
from ivr_flows.flow import (
    ANSWER_LIMIT_S,
    Callback,
    Case,
    Conference,
    Dial,
    Http,
    Lookup,
    Notify,
    Plain,
    Request,
    Transfer,
    Verify,
    VerifyByCode,
    Voicemail,
)
from ivr_flows.kept_settings import Telling
from ivr_flows.state import Ask
from ivr_flows.walk import Following, Walk
from telephony.requests import (
    RETRY_PAUSE_S,
    AnyRequest,
    BookCallback,
    CallHttp,
    ChangeCase,
    CheckCode,
    DialOut,
    FindCustomer,
    JoinConference,
    SendCode,
    SendMessage,
    TakeMessage,
    TransferCall,
    Values,
    VerifyCaller,
)

GRACE_S: Final = 2.0
"""So much later than it is due an answer may come."""
UNBOUNDED: Final = Dial | Transfer | Conference | Voicemail
"""What takes as long as people talk."""
INSTEAD: Final = {"not_found": "failed", "timed_out": "failed"}


def request(walk: Walk, here: Request) -> Following:
    """Ask, and wait for the answer."""
    if isinstance(here, Voicemail) and not walk.state.keys:
        prompts = walk.prompts(here.prompt)
        if prompts:
            return walk.play(prompts, True, "speaking")
    return ask_world(walk, here)


def ask_world(walk: Walk, here: Request) -> Following:
    """Ask now, whatever there was to say before."""
    if isinstance(here, Voicemail | Dial | Conference):
        walk.change(keys="")  # what comes after that is not what they were for
    asked = _asked(walk, here)
    if isinstance(asked, SendMessage) and not asked.text:
        return here.exits["next"]
    timeout_s = ANSWER_LIMIT_S if isinstance(asked, CheckCode) else _timeout_s(here)
    number = walk.state.requests + 1
    walk.change(requests=number, playing=None, collected="")
    walk.actions.append(Ask(number, asked, timeout_s))
    fills = isinstance(here, Http) or isinstance(asked, SendCode)
    filler = walk.prompts(here.filler) if fills and isinstance(here, Http | VerifyByCode) else ()
    if filler:
        walk.play(filler, False, "requesting", loop=True)
    return walk.wait("requesting", walk.now + timeout_s + GRACE_S if timeout_s else None)


def _timeout_s(here: Request) -> float:
    match here:
        case Http():
            return here.timeout_s * (1 + here.retries) + RETRY_PAUSE_S * here.retries
        case Lookup() | Verify() | VerifyByCode() | Case() | Callback():
            return here.timeout_s
        case Notify():
            return ANSWER_LIMIT_S
        case _:
            return 0.0


def _asked(walk: Walk, here: Request) -> AnyRequest:
    match here:
        case Lookup():
            return FindCustomer(here.by, walk.render(here.value))
        case Verify():
            return VerifyCaller(here.field, str(_plain(here.value, walk.scope())))
        case VerifyByCode():
            return CheckCode(walk.state.collected) if walk.state.collected else SendCode(here.by, here.valid_s)
        case Http():
            return _http(walk, here)
        case Case():
            case = str(_plain(here.case, walk.scope())) if here.case else walk.state.case
            return ChangeCase(here.deed, case, walk.render(here.subject), walk.render(here.topic))
        case Callback():
            return BookCallback(walk.render(here.to), here.queue, walk.render(here.note))
        case Notify():
            return _message(walk, here)
        case Dial():
            return DialOut(walk.render(here.number), here.timeout_s, walk.prompts(here.music))
        case Transfer():
            return TransferCall(walk.render(here.number), walk.render(here.agent))
        case Conference():
            return JoinConference(walk.render(here.room), here.limit_s)
        case Voicemail():
            return TakeMessage(here.queue, here.limit_s)


def _message(walk: Walk, here: Notify) -> SendMessage:
    language = walk.state.language
    subject = render(here.subject[language], walk.scope()) if here.subject else ""
    return SendMessage(here.channel, render(here.text[language], walk.scope()), subject)


def _http(walk: Walk, here: Http) -> CallHttp:
    url, telling = address(here.url, walk.scope()), Telling(walk.scope(), walk.facts.settings)
    query = urlencode({name: telling.say(text, render) for name, text in here.query.items()}, safe="{}")
    headers = {name: telling.say(text, render) for name, text in here.headers.items()}
    body = {name: telling.say(source, _plain) for name, source in here.body.items()}
    return CallHttp(
        method=here.method,
        url=f"{url}{'&' if '?' in url else '?'}{query}" if query else url,
        headers=headers,
        body=body,
        settings=telling.settings,
        secrets=here.secrets,
        fields=here.fields,
        timeout_s=here.timeout_s,
        retries=here.retries,
    )


def _plain(source: str, scope: Mapping[str, object]) -> Plain:
    value = evaluate(source, scope)
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, int | float | bool | None):
        raise ExpressionError(f"{source}: text, a number or a flag is told to the world, not {type(value).__name__}")
    return value


def answered(walk: Walk, here: Request, outcome: str, values: Values) -> Following:
    """Take the world's answer: what it says goes into the step's variable, and its name is the exit."""
    walk.stop_playing()
    exits = here.exits
    if outcome not in exits:
        outcome = INSTEAD.get(outcome, outcome)
    if outcome not in exits:
        walk.note(f"an answer that the step does not know: {outcome}")
        outcome = "failed"
    elif outcome in ("next", "found") and not _taken(walk, here, values):
        outcome = "failed"
    return exits[outcome]


def _taken(walk: Walk, here: Request, values: Values) -> bool:
    """Put an answer into its variable; false, with the reason noted, for one that does not fit."""
    if isinstance(here, Case):
        walk.change(case=str(values.get("id", "")) if here.deed != "close" else "")
        if here.into:
            walk.hold(here.into, str(values.get("id", "")))
    if not isinstance(here, Http | Lookup) or not here.into:
        return True
    fields = walk.flow.variables[here.into].fields
    record = record_of(fields, values)
    if record is None:
        walk.note(f"the answer has no '{wrong_field(fields, values)}' of the type that the record declares")
        return False
    walk.hold(here.into, record)
    return True
