"""Every event and every command of the hotline.

Rule 1: an `Event` is something that happened, named by a past participle; a `Command` is something to be done, named
by an imperative. The switchboard turns the one into the other and does nothing else.

Rule 2: both are frozen, msgpack-encodable and hold plain values only, so that the same object crosses the funnel, the
socket to a worker and the journal.

Rule 3: no event carries a clock. `now` stands beside it when it is handled, and a `tick` inside it only where the media
plane counted one.

Identifiers are opaque strings. A `call` is what the customer experiences; it has one to many `leg`s (one media stream
pair each); a `dialog` is the SIP state behind a leg. Numbers are E.164 (`+84912345678`) wherever a field is called
`ani`, once normalised; `number` is what came off the wire.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from telephony import prompt
from telephony.requests import AnyRequest, Values


class Event(msgspec.Struct, frozen=True, tag=True, tag_field="what"):
    """Something that happened."""


class Command(msgspec.Struct, frozen=True, tag=True, tag_field="what"):
    """Something to be done."""


class Value(msgspec.Struct, frozen=True):
    """A value inside events and commands."""


# ---------------------------------------------------------------------------------------------------- values

HIDDEN_DIGIT: Final = "•"
"""What stands in a journal for a digit that is secret. A flow that gathers digits takes it for one, so that the journal
replays up to the first condition over the secret."""


Prompt = prompt.Prompt
PromptKind = prompt.PromptKind
RenderedKind = prompt.RenderedKind


class OpenCase(Value, frozen=True):
    """A case of the customer that is not closed. `topic` is what may be said aloud of it."""

    id: str
    subject: str
    topic: str
    channel: str
    opened_at: float


class PastInteraction(Value, frozen=True):
    """One line of the customer's timeline, newest first in a context."""

    id: str
    channel: str
    direction: str
    occurred_at: float
    subject: str
    text: str


class KnownField(Value, frozen=True):
    """What a customer told us once, by the name that flows and forms have for it: an order's number, say. `at` is when,
    `channel` where."""

    name: str
    value: str
    channel: str
    at: float


class Order(Value, frozen=True):
    """An order of the customer. `state` is `placed`, `confirmed`, `shipped`, `delivered`, `cancelled` or `returned`,
    empty where nobody said it; `amount` is a decimal number of `currency` (ISO 4217), `items` 0 where nobody counted.
    `at` is when the last word of it came, `channel` where."""

    number: str
    state: str
    amount: str
    currency: str
    items: int
    products: tuple[str, ...]
    placed_at: float
    channel: str
    at: float


class Need(Value, frozen=True):
    """Something that the customer wants: `open`, `met` or `dropped`."""

    what: str
    state: str
    since: float
    channel: str
    at: float


class Survey(Value, frozen=True):
    """What the customer last thought of us: `score` of at most `of`, and `good`, `neutral` or `bad` for it."""

    kind: str
    score: int
    of: int
    sentiment: str
    channel: str
    at: float


class Reason(Value, frozen=True):
    """Why the customer probably calls: the newest matter that is not finished. `kind` is `case`, `order`, `message`,
    `survey` or `need`, `id` that of the matter, `subject` what may be said aloud of it, `why` the ground in words."""

    kind: str
    id: str
    subject: str
    why: str
    at: float


class Offer(Value, frozen=True):
    """What the customer may be offered next, by the rules of a file: `text` by language, `why` the ground in words."""

    name: str
    text: dict[str, str]
    why: str


BY_NUMBER: Final = 1
ANSWERED: Final = 2
VERIFIED: Final = 3
"""The assurance of a caller of whom there is the number alone, which can be forged; of one who answered a question;
and of one who gave back a code that was sent."""


class CallerContext(Value, frozen=True):
    """What is known of a caller before anyone speaks.

    `customer` is empty for a withheld number, and for one that is known to be shared; `known` is false for a profile
    that this very call made, unless a CRM knows it. `assurance` is 0 unknown, 1 caller's number only, 2 answered a
    question or came by a signed channel, 3 verified. `last_by_channel` has the newest interaction of each channel,
    `last_agent` is who talked with the customer last. `birthday` is ISO 8601, or `--05-17` without its year.
    """

    customer: str = ""
    known: bool = False
    name: str = ""
    language: str = ""
    assurance: int = 0
    tags: tuple[str, ...] = ()
    open_cases: tuple[OpenCase, ...] = ()
    last_interactions: tuple[PastInteraction, ...] = ()
    fields: tuple[KnownField, ...] = ()
    last_by_channel: tuple[PastInteraction, ...] = ()
    last_agent: str = ""
    orders: tuple[Order, ...] = ()
    needs: tuple[Need, ...] = ()
    survey: Survey | None = None
    birthday: str = ""
    preferred_channel: str = ""
    reason: Reason | None = None
    offer: Offer | None = None
    candidates: tuple[str, ...] = ()
    """Whom the number may mean, by profiles, where it is used by several: who calls is one of them, or not known."""
    tell_apart_by: str = ""
    """The field that tells all candidates apart, empty for none."""
    verified_by: str = ""
    """The field by which the caller was told from others, or verified, in this call; `code` for a code."""


Codec = Literal["PCMU", "PCMA", "opus", "G722", "L16/8000", "L16/16000"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
LegKind = Literal["rtp", "webrtc"]
Role = Literal["party", "monitor", "whisper", "echo"]
Channels = Literal["stereo", "legs"]
RecordingKind = Literal["talk", "voicemail"]
GainMode = Literal["off", "conference", "always"]


class WebRtc(Value, frozen=True):
    """One side of a WebRTC transport as its SDP says it (RFC 8839 ICE, RFC 8842 DTLS).

    `candidates` are the values of `a=candidate:` lines, `fingerprint` that of `a=fingerprint:` ("sha-256 AB:CD:..."),
    `setup` that of `a=setup:`. `complete` says that there are no more candidates than these (`a=end-of-candidates`);
    otherwise they are trickled (RFC 8838).
    """

    ufrag: str
    password: str
    candidates: tuple[str, ...]
    fingerprint: str
    setup: Literal["active", "passive", "actpass"] = "actpass"
    complete: bool = True


class Hop(Value, frozen=True):
    """One address behind a target of a trunk (RFC 3263). `target` is the target's place in the trunk's settings, `name`
    whom a TLS certificate must name."""

    target: int
    transport: Literal["UDP", "TCP", "TLS"]
    host: str
    port: int
    name: str = ""


class TargetState(Value, frozen=True):
    """How one address of a trunk does: `unknown` until an OPTIONS probe has been answered or not."""

    target: str
    address: str
    state: Literal["unknown", "up", "down"]


SrtpSuite = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]


class SrtpKey(Value, frozen=True):
    """A master key of SRTP with its salt, in base64 as `a=crypto` has it (RFC 4568 section 6.1). Never in a log or a
    journal: see `telephony.edge.redaction`."""

    suite: SrtpSuite
    key: str

    def __repr__(self) -> str:
        """Say which suite, and no key."""
        return f"SrtpKey({self.suite})"


class Srtp(Value, frozen=True):
    """What encrypts a phone's leg: `ours` is the master key and salt of what we send, `theirs` of what they send."""

    suite: SrtpSuite
    ours: str
    theirs: str

    def __repr__(self) -> str:
        """Say which suite, and no key."""
        return f"Srtp({self.suite})"


# ------------------------------------------------------------------------------------- events: SIP endpoint

DialogEnding = Literal["bye", "cancelled", "rejected", "timed_out", "failed", "local"]


class InviteReceived(Event, frozen=True):
    """A new incoming INVITE. 100 has gone out already. `sdp` is the offer, empty when the INVITE brought none.

    `claimed` says that the number is only what somebody typed: the call came over a WebSocket, from a page, where no
    network vouches for it. `user` is the one of our users whose phone sent it, by digest; empty for a caller.
    `diverted` is the number that was dialled first where the call was forwarded to us, as a trunk says (Diversion,
    History-Info). `replaces` is the dialog of ours whose place this one is to take (RFC 3891). `trunk` is the trunk
    that the call came by, empty for none. `device` is the one of the dialled user's devices that is meant, where a GRUU
    of ours was dialled.
    """

    dialog: str
    number: str
    display_name: str
    withheld: bool
    dnis: str
    sdp: str
    source: str
    claimed: bool = False
    user: str = ""
    diverted: str = ""
    replaces: str = ""
    trunk: str = ""
    device: str = ""


class DialogRinging(Event, frozen=True):
    """A 180 or 183 came for our INVITE. With `sdp` the far end sends early media."""

    dialog: str
    sdp: str = ""


class DialogAnswered(Event, frozen=True):
    """A 2xx came for our INVITE (and has been ACKed). `sdp` is the answer."""

    dialog: str
    sdp: str


class DialogConfirmed(Event, frozen=True):
    """The ACK for our 2xx came: the caller hears us from here on. `sdp` is the answer where our 2xx was the offer."""

    dialog: str
    sdp: str = ""


class SessionOffered(Event, frozen=True):
    """The far end of a confirmed dialog offers another session (re-INVITE, UPDATE): hold, a codec, an address.

    `sdp` is empty where it asks for an offer of ours. `AnswerSession` or `RefuseSession` is due at once. An offer that
    changes nothing (a session refresh) is answered by the SIP core and not told.
    """

    dialog: str
    sdp: str


class SessionAnswered(Event, frozen=True):
    """The far end's answer to an offer of ours in a confirmed dialog."""

    dialog: str
    sdp: str


class SessionRefused(Event, frozen=True):
    """The far end does not take our offer: the session stays as it was (RFC 3261 section 14.1)."""

    dialog: str
    status: int


class KeySignalled(Event, frozen=True):
    """A key came by INFO (`Signal=5`). It stands for one press, like `DigitPressed`."""

    dialog: str
    digit: str


class CandidatesReceived(Event, frozen=True):
    """The far end's further candidates, by INFO (trickle ICE, RFC 8840); `ufrag` says of which ICE session."""

    dialog: str
    ufrag: str
    candidates: tuple[str, ...]
    complete: bool = False


class ReferReceived(Event, frozen=True):
    """The far end asks that whoever it talks to be connected with `number` (REFER; 202 and a first NOTIFY have gone
    out).

    `replaces` is the dialog of ours that the far end has with that party (an attended transfer). `TellRefer` says what
    comes of it.
    """

    dialog: str
    number: str
    replaces: str = ""


class ReferProgressed(Event, frozen=True):
    """What came of a REFER of ours: 1xx under way, 2xx done, anything else failed. Nothing follows a final status."""

    dialog: str
    status: int


class DialogEnded(Event, frozen=True):
    """A dialog is over, in whatever way; nothing follows it. `status` is the SIP status where there was one.

    `ending` says who: `bye` and `cancelled` are the far end's doing, `rejected` is its final answer of 300 and above,
    `timed_out` is its silence, `failed` is the transport or a broken message, `local` is our own command.
    """

    dialog: str
    ending: DialogEnding
    status: int = 0
    reason: str = ""


class DialogUnreachable(Event, frozen=True):
    """The connection that a confirmed dialog's requests go over is lost (a closed WebSocket). The dialog goes on: its
    media may still flow, and the far end may come back."""

    dialog: str


class DialogReachable(Event, frozen=True):
    """The far end of an unreachable dialog is back over a new connection, in the same dialog."""

    dialog: str


class BindingRow(NamedTuple):
    """A registration, as its row keeps it: Contact URI, where its REGISTER came from, expiry as seconds since the
    epoch, the proxies on the way to it (Route values), and where the device names itself, the number of its way to us
    and its URN."""

    contact: str
    host: str
    port: int
    expires_at: float
    path: str = ""
    device: str = ""


class TextReceived(Event, frozen=True):
    """A text (MESSAGE) of somebody who is none of our users: in a call's `dialog`, or to a number, without one.

    `AnswerText` for `message` is due within seconds. `number` is what the sender's phone says of itself, unless a trunk
    `vouched` for it. `external_id` is the same for the same text, however often it is sent.
    """

    message: str
    dialog: str
    number: str
    withheld: bool
    dnis: str
    kind: str
    text: str
    external_id: str
    vouched: bool = False


class BindingChanged(Event, frozen=True):
    """A user's registration changed; `contacts` is how many bindings it has now (0: gone).

    `bindings` are for the rows that survive a restart; a binding over a connection ends with it and is not among them.
    `webrtc` says that the phone an INVITE would ring is a browser's, `secure` that it is one registered over TLS.
    """

    user: str
    contacts: int
    bindings: tuple[BindingRow, ...] = ()
    webrtc: bool = False
    secure: bool = False


class RegistrationRefused(Event, frozen=True):
    """Wrong credentials, in a request of whatever method, from a source that had been given a challenge (a first 401 is
    none).

    One source is reported once an interval; `unreported` is how many were held back since the last one.
    """

    user: str
    source: str
    unreported: int = 0


class MessageRejected(Event, frozen=True):
    """Bytes that are not SIP, or not the SIP that is due. `status` is what was answered, 0 for nothing.

    One source is reported once an interval; `unreported` is how many were held back since the last one.
    """

    source: str
    status: int
    cause: str
    unreported: int = 0


TrunkState = Literal["unregistered", "registering", "registered", "failed", "idle"]


class TrunkChanged(Event, frozen=True):
    """A trunk is registered, or not any more, or one of its addresses went up or down.

    `state` is that of its registration, `idle` for a trunk that does not register. `up`: calls may go out by it, as far
    as is known. `reason` says what brought the change about. `targets` are its addresses, in order of preference.
    """

    trunk: str
    state: TrunkState
    up: bool
    reason: str = ""
    targets: tuple[TargetState, ...] = ()


class HoursChanged(Event, frozen=True):
    """Somebody turned the emergency switch of opening hours. `version` counts the turns; an older one is void."""

    hours: str
    emergency: bool
    version: int


# ------------------------------------------------------------------------------------- events: media worker

PromptEnding = Literal["finished", "barged_in", "stopped", "failed"]
DigitSource = Literal["rfc4733", "inband", "info"]
VoiceDetector = Literal["plain", "trained"]


class LegOpened(Event, frozen=True):
    """A leg has its RTP socket; `address` and `port` go into our SDP, and of a WebRTC leg `webrtc` too. `keys` are
    fresh master keys of a phone's leg, one for each suite of SRTP, for what we send should it be encrypted."""

    leg: str
    address: str
    port: int
    webrtc: WebRtc | None = None
    keys: tuple[SrtpKey, ...] = ()


class LegMoved(Event, frozen=True):
    """A leg that was open is open in another media worker, its own being gone: fields as in `LegOpened`. What it plays,
    hears and has recorded goes on there; its far end does not know the new address yet."""

    leg: str
    address: str
    port: int
    webrtc: WebRtc | None = None
    keys: tuple[SrtpKey, ...] = ()


class LegLost(Event, frozen=True):
    """A leg's media worker is gone, and no other has taken the leg over."""

    leg: str
    cause: str


class CandidatesGathered(Event, frozen=True):
    """More candidates of ours, after `LegOpened` or `IceRestarted` (trickle ICE, RFC 8838); `ufrag` says of which ICE
    session, `complete` that there will be no more."""

    leg: str
    ufrag: str
    candidates: tuple[str, ...]
    complete: bool


class IceRestarted(Event, frozen=True):
    """What belongs into our SDP for an ICE restart; None when there is nowhere to be reached at, for which `cause` has
    the words."""

    leg: str
    webrtc: WebRtc | None
    cause: str = ""


class LegRefused(Event, frozen=True):
    """No socket for a leg: out of ports, or at the limit."""

    leg: str
    cause: str


class DigitPressed(Event, frozen=True):
    """A key, once per press however many packets or blocks it took."""

    leg: str
    digit: str
    source: DigitSource
    tick: int


class VoiceStarted(Event, frozen=True):
    """Somebody speaks on a leg that is listened to (`ListenForVoice`), and has for as long as it takes to be sure."""

    leg: str
    tick: int


class VoiceEnded(Event, frozen=True):
    """Whoever spoke has been silent for a moment."""

    leg: str
    tick: int


class PromptFinished(Event, frozen=True):
    """A playback is over. `failed` carries its cause in words."""

    leg: str
    playback: str
    ending: PromptEnding
    tick: int
    cause: str = ""


class MediaTimedOut(Event, frozen=True):
    """No RTP from the far end for the configured time."""

    leg: str
    tick: int


class MediaStalled(Event, frozen=True):
    """No RTP from the far end of a leg that had been heard, for a second: a reloaded page, a lost network."""

    leg: str
    tick: int


class MediaResumed(Event, frozen=True):
    """A stalled leg is heard again."""

    leg: str
    tick: int


class LegQuality(Event, frozen=True):
    """How a leg does, every few seconds. Shares are from 0 to 1, -1 is not known.

    `received` and `lost` are packets since the leg's beginning, `loss` is the share of the last seconds' packets that
    were not there to be played, `jitter_ms` and `round_trip_ms` as in RFC 3550, `mos` an estimate of how its far end
    sounds to us (ITU-T G.107), 1 to 4.5. `far_loss`, `far_jitter_ms` and `far_mos` are what the far end reports of us.
    """

    leg: str
    tick: int
    received: int
    lost: int
    loss: float
    jitter_ms: float
    round_trip_ms: float
    mos: float
    far_loss: float = -1.0
    far_jitter_ms: float = -1.0
    far_mos: float = -1.0


class TicksCounted(Event, frozen=True):
    """What became of a worker's ticks in the last seconds: `run` were run, `late` of those after their time, and
    `skipped` were not run at all."""

    run: int
    late: int
    skipped: int


class RecordingStarted(Event, frozen=True):
    """The first row of the spool is this tick."""

    recording: str
    tick: int


class RecordingPaused(Event, frozen=True):
    """From this tick on the recording's rows are silence, on purpose."""

    recording: str
    tick: int


class RecordingResumed(Event, frozen=True):
    """From this tick on the recording has what is said again."""

    recording: str
    tick: int


class StreamStopped(Event, frozen=True):
    """A live stream is over: its leg was closed, it was stopped, or `cause` says why it could not go on."""

    stream: str
    tick: int
    cause: str = ""


class RecordingStopped(Event, frozen=True):
    """The spool is complete: `ticks` rows of 20 ms. `cause` is empty, or says what ended it early (disk full)."""

    recording: str
    ticks: int
    cause: str = ""


class LegClosed(Event, frozen=True):
    """A leg's socket is closed; its packet counts, for the journal."""

    leg: str
    received: int
    sent: int
    lost: int
    concealed: int


# ----------------------------------------------------------------------------- events: workers, bridge, agents

WorkerKind = Literal["media", "render", "transcribe", "live", "hear"]
AgentState = Literal["offline", "not_ready", "ready", "ringing", "talking", "after_call_work"]


class WorkerStarted(Event, frozen=True):
    """A worker process answers."""

    worker: WorkerKind
    process: int


class WorkerBeat(Event, frozen=True):
    """A media worker is alive, five times a second, and this is its tick."""

    tick: int


class WorkerDied(Event, frozen=True):
    """A worker process is gone; it is started again by its watcher."""

    worker: WorkerKind
    process: int
    cause: str


class CallerFound(Event, frozen=True):
    """The bridge's answer to `FindCaller`. `ani` is E.164, empty for a withheld or unusable number."""

    call: str
    ani: str
    context: CallerContext


class CandidatesFound(Event, frozen=True):
    """A flow has found whom its caller may be, by something that they said: profiles. It proves nothing."""

    call: str
    candidates: tuple[str, ...]


class CallerVerified(Event, frozen=True):
    """The caller has answered a question about themselves (`context.verified_by`), or given the code that was sent to
    them (`code`), and is that profile from now on. `proven`: the answer is one that others do not know; else it only
    says which of several people calls."""

    call: str
    context: CallerContext
    proven: bool


class FlowAnswered(Event, frozen=True):
    """The answer to a `FlowRequest`, exactly one to each while its call runs: what became of it (the name of the exit
    that the flow takes) and what came of it."""

    call: str
    number: int
    outcome: str
    values: Values = {}


class CallbackBooked(Event, frozen=True):
    """A caller was promised to be called back, and the row says so. `restored`: it was before the program started."""

    callback: "CallbackSnapshot"
    restored: bool = False


class CallbackCancelled(Event, frozen=True):
    """Somebody takes a promise back, `by` name. One that is being kept already stays."""

    callback: str
    by: str


class AgentStateRequested(Event, frozen=True):
    """An agent (or a supervisor for one) asks for `ready` or `not_ready`."""

    agent: str
    state: Literal["ready", "not_ready"]
    reason: str = ""


class HangupRequested(Event, frozen=True):
    """Somebody ends a call through the API."""

    call: str
    by: str


class HoldRequested(Event, frozen=True):
    """The agent of a talk wants the caller to hear music for a while."""

    call: str
    agent: str


class KeysRequested(Event, frozen=True):
    """The agent of a talk presses keys for whom it talks to: somebody's voice menu."""

    call: str
    agent: str
    keys: str


class RecordingPauseRequested(Event, frozen=True):
    """The agent of a talk is about to hear what must not be recorded."""

    call: str
    agent: str


class RecordingResumeRequested(Event, frozen=True):
    """The agent of a talk wants it recorded again."""

    call: str
    agent: str


class ResumeRequested(Event, frozen=True):
    """The agent wants the held caller back."""

    call: str
    agent: str


class TransferRequested(Event, frozen=True):
    """The agent of a talk gives the caller to another agent, to a queue, or to a number in the world outside (exactly
    one of the three), and leaves."""

    call: str
    by: str
    agent: str = ""
    queue: str = ""
    number: str = ""


class PhraseRecognised(Event, frozen=True):
    """Words of a running recording as they are spoken. A phrase comes again, with the same `phrase` number, each time
    more of it is understood; with `final` it stays. Seconds count from the recording's start; channel 0 is the caller.
    """

    recording: str
    phrase: int
    channel: int
    text: str
    start: float
    end: float
    final: bool


class UtteranceBegan(Event, frozen=True):
    """A caller who is listened to (`Listen`) has been heard since a tick; one of the two that follow says with what."""

    call: str
    start: int


class UtteranceRecognised(Event, frozen=True):
    """What a caller said from one tick to another. `confidence` is 0 to 1; `text` is empty for words of which none is
    expected."""

    call: str
    text: str
    confidence: float
    start: int
    end: int


class UtteranceDismissed(Event, frozen=True):
    """What began was no words, or is given up: the recogniser is gone, or behind."""

    call: str


class TimePassed(Event, frozen=True):
    """The armed deadline is reached; each part of the core looks at its own."""


# ------------------------------------------------------------------------------------ commands: SIP endpoint


class Ring(Command, frozen=True):
    """Answer 180 to an incoming INVITE."""

    dialog: str


class Progress(Command, frozen=True):
    """Answer 183 to an incoming INVITE, with our SDP: the caller hears early media. Sent reliably where the far end can
    (RFC 3262)."""

    dialog: str
    sdp: str


class Answer(Command, frozen=True):
    """Answer 200 to an incoming INVITE, with our SDP: the answer, or the offer where the INVITE brought none."""

    dialog: str
    sdp: str


class Reject(Command, frozen=True):
    """Answer an incoming INVITE with a final status of 300 and above. `warning` is the code of a Warning header field
    with the reason as its text (RFC 3261 section 20.43), 0 for none."""

    dialog: str
    status: int
    reason: str
    warning: int = 0


class Invite(Command, frozen=True):
    """Call the registered phone of `user` in a dialog that the switchboard names. `number` and `display_name` are
    the caller's, for the phone's screen. `call` goes along in the header `X-Hotline-Call`, so that a page knows which
    of the server's calls rings. With `auto_answer` the phone is asked to answer by itself (`Call-Info: ...;
    answer-after=0`): its user is in that call already, and comes back. `device` is the one of the user's devices that
    is to ring; without it the newest does.

    With `trunk` it goes to the number `to` in the world outside instead, by that trunk: `number` is then what is shown
    there, asserted but not shown where it is `withheld`, and `diverted` the number that was dialled first, where the
    call is forwarded.
    """

    dialog: str
    user: str
    number: str
    display_name: str
    sdp: str
    call: str = ""
    auto_answer: bool = False
    trunk: str = ""
    to: str = ""
    withheld: bool = False
    diverted: str = ""
    device: str = ""


class Hangup(Command, frozen=True):
    """End a dialog by whatever its state asks for: CANCEL, BYE, or a final status."""

    dialog: str
    reason: str = ""


class OfferSession(Command, frozen=True):
    """Offer another session in a confirmed dialog; `SessionAnswered` or `SessionRefused` answers. Where an offer is
    under way already this one follows it; of several that wait the last counts."""

    dialog: str
    sdp: str


class AnswerSession(Command, frozen=True):
    """Answer `SessionOffered`: with an answer, or, where it brought no offer, with ours."""

    dialog: str
    sdp: str


class RefuseSession(Command, frozen=True):
    """Refuse `SessionOffered`; the session goes on as it was. `warning` and `reason` are as in `Reject`."""

    dialog: str
    status: int = 488
    warning: int = 0
    reason: str = ""


class Refer(Command, frozen=True):
    """Ask the far end to call `number` itself (REFER); with `replaces`, a dialog of ours with that party, in its place.
    `ReferProgressed` answers."""

    dialog: str
    number: str
    replaces: str = ""


class TellRefer(Command, frozen=True):
    """Tell the far end what came of its REFER so far; a status of 200 and above is the last word."""

    dialog: str
    status: int


class SignalCandidates(Command, frozen=True):
    """Tell the far end our further candidates, by INFO (RFC 8840), where it knows trickle ICE. `ufrag` is our user name
    in the ICE session that they are of; of another than the one in our last description they are not told."""

    dialog: str
    ufrag: str
    candidates: tuple[str, ...]
    complete: bool


class SignalKey(Command, frozen=True):
    """Send a key by INFO."""

    dialog: str
    digit: str


class AnswerText(Command, frozen=True):
    """Answer a text: 202 where it is kept, else a final status of 300 and above."""

    message: str
    status: int


class LocateTrunk(Command, frozen=True):
    """Reach a trunk by these addresses from now on, in this order; none is tried that is not among them."""

    trunk: str
    hops: tuple[Hop, ...]


class LeaveTrunks(Command, frozen=True):
    """Unregister from every trunk: the program stops. `TrunkChanged` with `unregistered` answers, or time runs out."""


class LampCall(Value, frozen=True):
    """One call of an agent as colleagues' lamps show it. `trying`: its phone has not rung yet; `early`: it rings.

    `number` and `display_name` are the other party's; with `colleague` that is one of our users, whom everybody may
    know, else a customer, whom nobody but the agent may. `incoming`: the agent is the one who was called. `dialog` is
    ours with the agent's phone, where whoever watches may take the call from it (INVITE with Replaces).
    """

    id: str
    state: Literal["trying", "early", "confirmed"]
    incoming: bool
    number: str = ""
    display_name: str = ""
    colleague: bool = False
    dialog: str = ""


class TellLamp(Command, frozen=True):
    """Show an agent's state and calls to the phones that watch them (SUBSCRIBE). `reason` and `since` as in
    `SaveAgent`. The first one makes the agent somebody who can be watched."""

    agent: str
    state: AgentState
    reason: str = ""
    since: float = 0.0
    calls: tuple[LampCall, ...] = ()


# ------------------------------------------------------------------------------------ commands: media worker


class OpenLeg(Command, frozen=True):
    """Bind an RTP socket for a leg; `LegOpened` or `LegRefused` answers. A `webrtc` leg gathers its candidates first;
    `offers` says that the SDP which comes of it is the offer, so that we are the controlling side of ICE (RFC 8445
    section 6.1.1). `at` are addresses and ports that it is to have where they are free: the leg was there in another
    worker, and its far end sends to them. `beside` is a leg that it may be put together with later: in one worker that
    takes no moving.
    """

    leg: str
    kind: LegKind = "rtp"
    offers: bool = False
    at: tuple[tuple[str, int], ...] = ()
    beside: str = ""


class ConnectLeg(Command, frozen=True):
    """Say where a leg's far end is and what it speaks; may be repeated (a re-INVITE).

    `payload_type` is what we send: 0 PCMU, 8 PCMA, or the negotiated number of another codec; `codec` names it, and
    `receives` is the number under which it comes where that is another (-1: the same). PCMU and PCMA are always
    received. `direction` is ours (RFC 3264 section 6.1): a leg that does not send is silent on the wire, and
    one whose far end need not send neither stalls nor times out. `telephone_event` is the negotiated payload type of
    RFC 4733, -1 for none: then tones in the audio are listened for. In-band detection runs either way. `webrtc` is the
    far end of a WebRTC leg: with it ICE and DTLS begin (said again, it changes nothing), and `address` and `port` do
    not count. With `srtp` a phone's leg is encrypted in both directions, and what does not decrypt is not heard; said
    again with the same keys, it goes on as before. `event_clock` is the clock of telephone-event, in Hz.
    """

    leg: str
    address: str
    port: int
    payload_type: int
    telephone_event: int = -1
    codec: Codec = "PCMU"
    webrtc: WebRtc | None = None
    direction: Direction = "sendrecv"
    srtp: Srtp | None = None
    receives: int = -1
    event_clock: int = 8000


class RestartIce(Command, frozen=True):
    """Gather candidates of a WebRTC leg anew (RFC 8445 section 9); `IceRestarted` answers, always. The way there is
    goes on until a `ConnectLeg` with the far end's new side has led to another."""

    leg: str


class AddCandidates(Command, frozen=True):
    """Take further candidates of a WebRTC leg's far end, those of the ICE session in which its user name is `ufrag`;
    they may come before their `ConnectLeg`."""

    leg: str
    ufrag: str
    candidates: tuple[str, ...]


class CloseLeg(Command, frozen=True):
    """Close a leg; whatever it plays or records ends, and `LegClosed` answers."""

    leg: str


class Play(Command, frozen=True):
    """Play prompts one after another to a leg, in place of whatever it plays. The edge renders text first.

    With `barge_in` a key ends it at once in the media worker (`PromptFinished` with `barged_in`, after the
    `DigitPressed`), with `barge_in_by_voice` the leg's voice does, and no other event comes before. With `loop` it
    starts again until stopped. `level_db` is its gain, -60 to +12 dB; what would then be louder than a sample can be is
    held at the limits. `offset_ms` is where it begins, bounded to what there is.
    """

    leg: str
    playback: str
    prompts: tuple[Prompt, ...]
    barge_in: bool = True
    loop: bool = False
    level_db: float = 0.0
    offset_ms: int = 0
    barge_in_by_voice: bool = False


class PlaySamples(Command, frozen=True):
    """`Play` with every prompt resolved to a file of raw samples (8 kHz, mono, signed 16 bit, native order), or to a
    tone that the worker makes itself (`tone:busy`, see `telephony.edge.clips`).

    `detector` says what tells voice from other sounds, None for what `media.voice_detector` says.
    """

    leg: str
    playback: str
    paths: tuple[str, ...]
    barge_in: bool = True
    loop: bool = False
    level_db: float = 0.0
    offset_ms: int = 0

    barge_in_by_voice: bool = False
    detector: VoiceDetector | None = None


class SeekPlaying(Command, frozen=True):
    """Let what a leg plays go on from `to_ms` of its prompts one after another, or with `relative` from so much further
    on (back, where it is negative). Bounded to what there is: at the end it finishes, or a loop begins again. Refused
    where that playback is not running; nothing answers."""

    leg: str
    playback: str
    to_ms: int
    relative: bool = False


class StopPlaying(Command, frozen=True):
    """Stop what a leg plays; `PromptFinished` with `stopped` answers where there was something."""

    leg: str
    playback: str


class SendKeys(Command, frozen=True):
    """Press keys, one after another, so that a leg's far end gets them: as telephone-events where it has agreed on
    them, else as tones. Each is down for `tone_ms` and up for `pause_ms`, from 40 to 1000 ms, in whole ticks. What is
    still being pressed goes first."""

    leg: str
    keys: str
    tone_ms: int = 100
    pause_ms: int = 60


class ListenForVoice(Command, frozen=True):
    """Tell when somebody speaks on a leg and when not (`VoiceStarted`, `VoiceEnded`), or no more. `detector` as in
    `PlaySamples`."""

    leg: str
    on: bool = True
    detector: VoiceDetector | None = None


class Listen(Command, frozen=True):
    """Have what the caller says recognised, from now on and until `StopListening`, or another `Listen`:
    `UtteranceBegan` and what follows it answer. `phrases` are what is expected; empty for anything. Where no recogniser
    is set for the language nothing answers."""

    call: str
    leg: str
    language: str
    phrases: tuple[str, ...] = ()


class StopListening(Command, frozen=True):
    """Listen to a caller no more; what was not understood by now never is."""

    call: str


class Join(Command, frozen=True):
    """Let a leg hear the other legs of `bridge`, and be heard by them as its role says.

    A `party` is heard by all, a `monitor` by nobody, a `whisper` by the leg `to` alone; all of them hear the parties.
    An `echo` hears itself, and nobody else hears it: the test of a line. Whoever barges in is a party. Said again, it
    changes the role. Who is no party is in no recording.
    """

    leg: str
    bridge: str
    role: Role = "party"
    to: str = ""


class Leave(Command, frozen=True):
    """Take a leg out of its bridge."""

    leg: str


class GuardKeys(Command, frozen=True):
    """Let nobody hear the keys of a leg, from now on or no more: its tones and telephone-events are silence in
    recordings, live streams and for whoever hears it. `DigitPressed` tells of them as ever. What a guarded leg says
    comes 60 ms later; guarding goes on for a moment after its end, and until a key that sounds is up."""

    leg: str
    on: bool


class StartRecording(Command, frozen=True):
    """Record into an append-only spool. `stereo`: left is `leg` (the caller), right is everyone else in its bridge.
    `legs`: a channel for each leg that comes into its bridge, at most eight; the first is `leg`. `order` are legs that
    have a channel already, in a part before this one."""

    recording: str
    call: str
    leg: str
    path: str
    channels: Channels = "stereo"
    order: tuple[str, ...] = ()


class StopRecording(Command, frozen=True):
    """End a recording; `RecordingStopped` answers."""

    recording: str


class PauseRecording(Command, frozen=True):
    """Let a recording, and every live stream of its leg, be silent until `ResumeRecording`: a card's number is told.
    `RecordingPaused` answers."""

    recording: str


class ResumeRecording(Command, frozen=True):
    """Record again; `RecordingResumed` answers."""

    recording: str


class StartStream(Command, frozen=True):
    """Send what a leg says, and what is said to it, to the Unix stream socket at `path` as it is said: see
    `telephony.edge.live_audio`. `StreamStopped` tells the end, once."""

    stream: str
    leg: str
    path: str


class StopStream(Command, frozen=True):
    """End a live stream; `StreamStopped` answers."""

    stream: str


# --------------------------------------------------------------------------------- commands: bridge and rows


class FindCaller(Command, frozen=True):
    """Ask the bridge who calls; `CallerFound` answers, always. `number` as it came off the wire; one that is only
    `claimed` finds the profile that it names, and proves nothing (assurance 0); one that was `dialled` is that of whom
    we call."""

    call: str
    number: str
    withheld: bool
    display_name: str
    claimed: bool = False
    dialled: bool = False


class SaveCall(Command, frozen=True):
    """Write the call's row and, where there is a customer, its one timeline entry, as they now stand."""

    call: "CallSnapshot"


class SaveText(Command, frozen=True):
    """Put a caller's text on the customer's timeline, and have it answered (`AnswerText`) when it is there: 202, or 403
    where its number is nobody's. `call` is the call that it came in, if any; a number that is only `claimed` proves
    nothing. The same `external_id` again changes nothing.
    """

    message: str
    number: str
    claimed: bool
    dnis: str
    kind: str
    text: str
    external_id: str
    call: str = ""


class FlowRequest(Command, frozen=True, kw_only=True):
    """Something that a flow asks of the world, beside the call; `FlowAnswered` answers, always, and no later than after
    `timeout_s`. `number` tells it from the others of the call; `customer` is the profile's id, empty for nobody known,
    `case` the call's. `candidates` are the profiles of those whom the caller may be."""

    call: str
    number: int
    request: AnyRequest
    timeout_s: float = 3.0
    flow: str = ""
    language: str = ""
    ani: str = ""
    dnis: str = ""
    customer: str = ""
    case: str = ""
    candidates: tuple[str, ...] = ()
    queue: str = ""
    """The queue that the caller waits in, or else the first that there is."""
    since: float = 0.0
    """Since when the caller waits there; now for one who does not."""


class SaveConsent(Command, frozen=True, kw_only=True):
    """Keep that a caller agreed to something in a flow: to the words `notice`, which the flow's text of
    `notice_version` has. The proof is a piece of a recording, seconds from its start; an empty `recording` for none."""

    call: str
    customer: str
    purpose: str
    at: float
    notice: str
    notice_version: str
    flow: str
    recording: str = ""
    since: float = 0.0
    until: float = 0.0


class SaveVoicemail(Command, frozen=True, kw_only=True):
    """Keep that a caller has left a message in a recording, for whoever serves a queue. `at` is when it began,
    `customer` the profile's id, empty for nobody known."""

    call: str
    recording: str
    queue: str
    customer: str
    ani: str
    language: str
    flow: str
    case: str
    at: float
    seconds: float


class SaveScore(Command, frozen=True, kw_only=True):
    """Put a caller's answer to a survey on the customer's timeline; `number` tells it from the others of the call, so
    that the same one again changes nothing."""

    call: str
    number: int
    customer: str
    survey: str
    score: int
    language: str
    flow: str
    case: str
    at: float


class SaveAgent(Command, frozen=True):
    """Write an agent's state."""

    agent: str
    state: AgentState
    reason: str
    since: float
    call: str = ""


class Record(Command, frozen=True):
    """Record a call's talk, or a message (`voicemail`) that is left for a `queue`: the edge writes the recording's row,
    then sends `StartRecording` to the media worker."""

    recording: str
    call: str
    leg: str
    customer: str
    language: str
    channels: Channels = "stereo"
    kind: RecordingKind = "talk"
    queue: str = ""


class FinishRecording(Command, frozen=True):
    """Turn a complete spool into a file and have it transcribed in the call's language.

    `cause` says what ended the recording early, if anything did.
    """

    recording: str
    call: str
    language: str
    cause: str = ""


class Note(Command, frozen=True):
    """Something for the call's journal alone: a step of its flow, or why one failed."""

    call: str
    about: Literal["flow", "step", "failure", "note"]
    text: str


class RefuseNumber(Command, frozen=True):
    """Somebody dialled a number that may not be dialled: it is for the log, where toll fraud is looked for."""

    user: str
    number: str
    cause: str


class Publish(Command, frozen=True):
    """Tell whoever listens on the WebSocket. `body` is a JSON object; rows saved before it are committed first. What is
    soon out of date is not `kept` for those who come back."""

    type: str
    body: dict[str, object]
    kept: bool = True


class CallSnapshot(Value, frozen=True):
    """A call as its row shows it; instants are seconds since the epoch, 0 for not yet.

    Where a call waits or talks more than once, `queued_at` to `queue_left_at` and `talk_started_at` to `talk_ended_at`
    are the last time.
    """

    id: str
    state: str
    number: str
    ani: str
    dnis: str
    customer: str
    context: CallerContext
    language: str
    flow: str
    flow_path: tuple[str, ...]
    queue: str
    agent: str
    recording: str
    case: str
    started_at: float
    answered_at: float = 0.0
    queued_at: float = 0.0
    queue_left_at: float = 0.0
    talk_started_at: float = 0.0
    talk_ended_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""
    held_at: float = 0.0
    """Since when the caller is on hold, 0 for not."""
    away_at: float = 0.0
    """Since when the agent of the talk is not heard, 0 for not: a reloaded page, a lost network."""
    transferred_by: str = ""
    """The agent who gave the call on last."""
    direction: Literal["inbound", "outbound"] = "inbound"
    """Of an outbound call `number` and `dnis` are what was dialled, and `ani` is what was shown there."""
    trunk: str = ""
    """The trunk that it came or went by."""
    paused_at: float = 0.0
    """Since when its recording is paused, 0 for not."""
    told: Mapping[str, str] = {}
    """What the caller was asked and answered that is to be remembered, by the flow's variables."""
    asked_again: tuple[str, ...] = ()
    """What the caller was asked although it was known and fresh."""

    @property
    def customer_number(self) -> str:
        """The customer's, whoever called whom; in E.164, empty for one that is not known."""
        return self.dnis if self.direction == "outbound" else self.ani


CallbackState = Literal["booked", "calling", "done", "failed", "cancelled"]


class CallbackSnapshot(Value, frozen=True):
    """A caller who is called back, as the row shows it; instants are seconds since the epoch, 0 for not (yet)."""

    id: str
    number: str
    """Whom to call, in E.164."""
    queue: str
    since: float
    """The instant from which the place in the queue counts."""
    created_at: float
    call: str = ""
    """The call in which it was booked."""
    customer: str = ""
    note: str = ""
    state: CallbackState = "booked"
    attempts: int = 0
    """How often the customer was called."""
    next_at: float = 0.0
    """Not before this the customer is called again."""
    last_call: str = ""
    """The call that tried last."""
    ended_at: float = 0.0
    cause: str = ""
    """What the last attempt came to, or why there is none any more."""


class SaveCallback(Command, frozen=True):
    """Write a callback's row as it now stands. One whose row is gone was erased, and stays so."""

    callback: CallbackSnapshot


class RenderPrompt(Command, frozen=True):
    """Have the rendering worker turn a prompt into samples at `path`; `PromptRendered` answers.

    `value` is the prompt's: a text to speak in the voice of its language, a `.wav` file's path, or a music's name.
    """

    key: str
    kind: RenderedKind
    value: str
    language: str
    path: str


class PromptRendered(Event, frozen=True):
    """A prompt's samples are at its path, or `cause` says why not."""

    key: str
    cause: str = ""


class TranscribeFile(Command, frozen=True):
    """Have the transcribing worker recognise each channel of a WAV file; `FileTranscribed` answers."""

    recording: str
    path: str
    language: str


class Word(Value, frozen=True):
    """A recognised word: seconds from the start of the recording; channel 0 is the caller, 1 everyone else."""

    text: str
    start: float
    end: float
    confidence: float
    channel: int


class FileTranscribed(Event, frozen=True):
    """A transcript, or why there is none. `outcome` is never `done` when the engine did not run."""

    recording: str
    outcome: Literal["done", "awaiting_model", "failed"]
    engine: str = ""
    language: str = ""
    words: tuple[Word, ...] = ()
    cause: str = ""


class FollowRecording(Command, frozen=True):
    """Have the live recogniser read a spool as it grows, and tell what is said; `PhraseRecognised` answers, often.

    Its phrases are numbered from `first_phrase` on. With more than 0, words of this call were told before: it is read
    from its present end on, not from the beginning.
    """

    recording: str
    path: str
    language: str
    first_phrase: int = 0


class StopFollowing(Command, frozen=True):
    """End that."""

    recording: str


class HearStream(Command, frozen=True):
    """Have the hearing worker recognise the left channel of a live stream, utterance by utterance; `StreamHeard`
    answers. `phrases` as in `Listen`."""

    stream: str
    language: str
    phrases: tuple[str, ...] = ()


class StopHearing(Command, frozen=True):
    """End that; nothing more is told."""

    stream: str


class StreamHeard(Event, frozen=True):
    """An utterance on a stream: it `began`, was `words` (as `UtteranceRecognised` has them), or `nothing`. In ticks of
    the stream."""

    stream: str
    outcome: Literal["began", "words", "nothing"]
    start: int = 0
    end: int = 0
    text: str = ""
    confidence: float = 0.0


PlaneCommand = (
    ConnectLeg
    | CloseLeg
    | PlaySamples
    | SeekPlaying
    | StopPlaying
    | SendKeys
    | ListenForVoice
    | Join
    | Leave
    | GuardKeys
    | StartRecording
    | StopRecording
    | PauseRecording
    | ResumeRecording
    | StartStream
    | StopStream
)
"""What the pure media plane performs; the rest of `MediaCommand` is for the sockets around it."""
MediaCommand = OpenLeg | RestartIce | AddCandidates | PlaneCommand
MediaEvent = (
    LegOpened
    | CandidatesGathered
    | IceRestarted
    | LegRefused
    | LegClosed
    | DigitPressed
    | VoiceStarted
    | VoiceEnded
    | PromptFinished
    | MediaTimedOut
    | MediaStalled
    | MediaResumed
    | LegQuality
    | TicksCounted
    | RecordingStarted
    | RecordingStopped
    | RecordingPaused
    | RecordingResumed
    | StreamStopped
)
SipCommand = (
    Ring
    | Progress
    | Answer
    | Reject
    | Invite
    | Hangup
    | OfferSession
    | AnswerSession
    | RefuseSession
    | Refer
    | TellRefer
    | SignalKey
    | SignalCandidates
    | LocateTrunk
    | LeaveTrunks
    | TellLamp
    | AnswerText
)
SipEvent = (
    InviteReceived
    | DialogRinging
    | DialogAnswered
    | DialogConfirmed
    | SessionOffered
    | SessionAnswered
    | SessionRefused
    | KeySignalled
    | CandidatesReceived
    | ReferReceived
    | ReferProgressed
    | TextReceived
    | DialogEnded
    | DialogUnreachable
    | DialogReachable
    | BindingChanged
    | RegistrationRefused
    | MessageRejected
    | TrunkChanged
)
