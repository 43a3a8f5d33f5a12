"""What a flow asks of the world: plain, frozen, and answered once, with the name of an exit and what came of it.

Rule: a request holds what is needed to do it and no more. The journal of its call has it, without what proves who
somebody is and without secrets (`telephony.edge.redaction`); logs have its `kind` alone, since its values may be
personal.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from telephony.prompt import Prompt

Method = Literal["get", "post", "put", "patch", "delete"]
CaseDeed = Literal["open", "continue", "close"]
Scalar = str | int | float | bool | None
Values = Mapping[str, Scalar]
"""What came of a request, by names: of a customer, a case, or the wanted fields of a web service's answer."""


RETRY_PAUSE_S: Final = 0.5
"""How long a web service that failed is left alone before it is asked again."""


class Request(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something asked of the world."""


class FindCustomer(Request, frozen=True, tag="lookup"):
    """Find who has an identity: `found` (`value` has what is known of them), `not_found`, `several` or `failed`."""

    by: str
    value: str


class VerifyCaller(Request, frozen=True, tag="verify"):
    """Compare an answer with what is known of those who the caller may be: `verified`, `refused` or `failed`."""

    field: str
    value: str


class SendCode(Request, frozen=True, tag="send_code"):
    """Send whoever the caller may be a one-time code by the first of the channels `by` (by any, where there are none)
    that is surely theirs, good for `valid_s`: `sent`, `not_sent` (there is no such channel, or there were too many
    codes) or `failed`."""

    by: tuple[str, ...]
    valid_s: float


class CheckCode(Request, frozen=True, tag="check_code"):
    """Compare keys with the code that was sent in this call: `verified`, `wrong` (and may be tried again), `refused`
    (no code is taken any more) or `failed`."""

    code: str


class CallHttp(Request, frozen=True, tag="http"):
    """Ask a web service: `next`, `not_found` (404 and 410), `timed_out` or `failed`.

    `timeout_s` bounds each try. `fields` are the values wanted of a JSON answer: name -> path (`order.items.0.day`);
    where there are none, nothing is read of it. `body` is sent as JSON, where there is any.
    `{settings.name}` in a header, in the body and behind the `?` of `url` stands for a value of the settings, which may
    be a key: it is filled in when it is sent, where `settings` has the name. So are `secrets`, values of the body by
    the names of the flow's variables that have them.
    """

    method: Method
    url: str
    headers: Mapping[str, str] = {}
    body: Mapping[str, Scalar] = {}
    settings: tuple[str, ...] = ()
    secrets: Mapping[str, str] = {}
    fields: Mapping[str, str] = {}
    timeout_s: float = 3.0
    retries: int = 0


class ChangeCase(Request, frozen=True, tag="case"):
    """Open a case about `subject`, go on with the case `case`, or close it: `next` (`value` has `id`) or `failed`."""

    deed: CaseDeed
    case: str = ""
    subject: str = ""
    topic: str = ""


class BookCallback(Request, frozen=True, tag="callback"):
    """Call the caller back at a number, from the place in the queue that they have: `next` or `failed`."""

    to: str
    queue: str
    note: str = ""


class SendMessage(Request, frozen=True, tag="notify"):
    """Send the caller a message by another channel, in the language of the call: `next` (it is on its way) or `failed`
    (there is no way by which it would surely reach the caller)."""

    channel: str
    text: str
    subject: str = ""


class DialOut(Request, frozen=True, tag="dial"):
    """Call a number and put the caller together with it: `answered` (the talk is over and the caller still there),
    `busy`, `no_answer` or `failed`. `music` is heard until then; none is the tone of a phone that rings."""

    number: str
    timeout_s: float
    music: tuple[Prompt, ...] = ()


class TransferCall(Request, frozen=True, tag="transfer"):
    """Give the call away, to a number or an agent; where that fails, `failed` or `no_answer`. Else nothing follows."""

    number: str = ""
    agent: str = ""


class JoinConference(Request, frozen=True, tag="conference"):
    """Talk with everybody in a room: `next` when the caller leaves it or `limit_s` is over, `full` or `failed`."""

    room: str
    limit_s: float


class TakeMessage(Request, frozen=True, tag="voicemail"):
    """Record what the caller says, at most `limit_s`, for the agents of a queue: `next`, `no_message` (nothing was
    said) or `failed`."""

    queue: str
    limit_s: float


AnyRequest = (
    FindCustomer
    | VerifyCaller
    | SendCode
    | CheckCode
    | CallHttp
    | ChangeCase
    | BookCallback
    | SendMessage
    | DialOut
    | TransferCall
    | JoinConference
    | TakeMessage
)


def kind_of(request: AnyRequest) -> str:
    """Return the verb that asks it."""
    return str(request.__struct_config__.tag)
