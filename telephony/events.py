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

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True, tag_field="what"):
    """Something that happened."""


class Command(msgspec.Struct, frozen=True, tag=True, tag_field="what"):
    """Something to be done."""


class Value(msgspec.Struct, frozen=True):
    """A value inside events and commands."""


# ---------------------------------------------------------------------------------------------------- values

PromptKind = Literal["text", "file", "music"]


class Prompt(Value, frozen=True):
    """One thing to be heard: words to be spoken, a `.wav` file, or named music.

    `value` is the text, the file's path, or the music's name; `language` is a BCP 47 tag for text (`vi`, `en`).
    """

    kind: PromptKind
    value: str
    language: str = ""


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


class CallerContext(Value, frozen=True):
    """What is known of a caller before anyone speaks.

    `customer` is empty for a withheld number; `known` is false for a profile that this very call made. `assurance`
    is 0 unknown, 1 caller's number only, 2 answered a question or came by a signed channel, 3 verified.
    """

    customer: str = ""
    known: bool = False
    name: str = ""
    language: str = ""
    assurance: int = 0
    tags: tuple[str, ...] = ()
    open_cases: tuple[OpenCase, ...] = ()
    last_interactions: tuple[PastInteraction, ...] = ()


Codec = Literal["PCMU", "PCMA", "opus"]
LegKind = Literal["rtp", "webrtc"]


class WebRtc(Value, frozen=True):
    """One side of a WebRTC transport as its SDP says it (RFC 8839 ICE, RFC 8842 DTLS).

    `candidates` are the values of `a=candidate:` lines, `fingerprint` that of `a=fingerprint:` ("sha-256 AB:CD:..."),
    `setup` that of `a=setup:`.
    """

    ufrag: str
    password: str
    candidates: tuple[str, ...]
    fingerprint: str
    setup: Literal["active", "passive", "actpass"] = "actpass"


# ------------------------------------------------------------------------------------- events: SIP endpoint

DialogEnding = Literal["bye", "cancelled", "rejected", "timed_out", "failed", "local"]


class InviteReceived(Event, frozen=True):
    """A new incoming INVITE. 100 has gone out already. `sdp` is the offer, empty when the INVITE brought none.

    `claimed` says that the number is only what somebody typed: the call came over a WebSocket, from a page, where no
    network vouches for it.
    """

    dialog: str
    number: str
    display_name: str
    withheld: bool
    dnis: str
    sdp: str
    source: str
    claimed: bool = False


class DialogRinging(Event, frozen=True):
    """A 180 or 183 came for our INVITE."""

    dialog: str


class DialogAnswered(Event, frozen=True):
    """A 2xx came for our INVITE (and has been ACKed). `sdp` is the answer."""

    dialog: str
    sdp: str


class DialogConfirmed(Event, frozen=True):
    """The ACK for our 2xx came: the caller hears us from here on."""

    dialog: str


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


class BindingChanged(Event, frozen=True):
    """A user's registration changed; `contacts` is how many bindings it has now (0: gone).

    `bindings` are (contact URI, source host, source port, expiry as seconds since the epoch), for the row that
    survives a restart; a binding over a WebSocket ends with its connection and is not among them. `webrtc` says that
    the phone an INVITE would ring is a browser's.
    """

    user: str
    contacts: int
    bindings: tuple[tuple[str, str, int, float], ...] = ()
    webrtc: bool = False


class RegistrationRefused(Event, frozen=True):
    """Wrong credentials from a source that had been given a challenge (a first 401 is none).

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


# ------------------------------------------------------------------------------------- events: media worker

PromptEnding = Literal["finished", "barged_in", "stopped", "failed"]
DigitSource = Literal["rfc4733", "inband", "info"]


class LegOpened(Event, frozen=True):
    """A leg has its RTP socket; `address` and `port` go into our SDP, and of a WebRTC leg `webrtc` too."""

    leg: str
    address: str
    port: int
    webrtc: WebRtc | None = None


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


class RecordingStarted(Event, frozen=True):
    """The first row of the spool is this tick."""

    recording: str
    tick: int


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

WorkerKind = Literal["media", "render", "transcribe", "live"]
AgentState = Literal["offline", "not_ready", "ready", "ringing", "talking", "after_call_work"]


class WorkerStarted(Event, frozen=True):
    """A worker process answers."""

    worker: WorkerKind
    process: int


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


class ResumeRequested(Event, frozen=True):
    """The agent wants the held caller back."""

    call: str
    agent: str


class TransferRequested(Event, frozen=True):
    """The agent of a talk gives the caller to another agent, or to a queue (exactly one of the two), and leaves."""

    call: str
    by: str
    agent: str = ""
    queue: str = ""


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


class TimePassed(Event, frozen=True):
    """The armed deadline is reached; each part of the core looks at its own."""


# ------------------------------------------------------------------------------------ commands: SIP endpoint


class Ring(Command, frozen=True):
    """Answer 180 to an incoming INVITE."""

    dialog: str


class Answer(Command, frozen=True):
    """Answer 200 to an incoming INVITE, with our SDP."""

    dialog: str
    sdp: str


class Reject(Command, frozen=True):
    """Answer an incoming INVITE with a final status of 300 and above."""

    dialog: str
    status: int
    reason: str


class Invite(Command, frozen=True):
    """Call the registered phone of `user` in a dialog that the switchboard names. `number` and `display_name` are
    the caller's, for the phone's screen. `call` goes along in the header `X-Hotline-Call`, so that a page knows which
    of the server's calls rings. With `auto_answer` the phone is asked to answer by itself (`Call-Info: ...;
    answer-after=0`): its user is in that call already, and comes back."""

    dialog: str
    user: str
    number: str
    display_name: str
    sdp: str
    call: str = ""
    auto_answer: bool = False


class Hangup(Command, frozen=True):
    """End a dialog by whatever its state asks for: CANCEL, BYE, or a final status."""

    dialog: str
    reason: str = ""


# ------------------------------------------------------------------------------------ commands: media worker


class OpenLeg(Command, frozen=True):
    """Bind an RTP socket for a leg; `LegOpened` or `LegRefused` answers. A `webrtc` leg gathers its candidates first;
    `offers` says that the SDP which comes of it is the offer, so that we are the controlling side of ICE (RFC 8445
    section 6.1.1)."""

    leg: str
    kind: LegKind = "rtp"
    offers: bool = False


class ConnectLeg(Command, frozen=True):
    """Say where a leg's far end is and what it speaks; may be repeated (a re-INVITE).

    `payload_type` is what we send: 0 PCMU, 8 PCMA, or the negotiated number of Opus; `codec` names it. PCMU and PCMA
    are always received. `telephone_event` is the negotiated payload type of RFC 4733, -1 for none: then tones in the
    audio are listened for. In-band detection runs either way. `webrtc` is the far end of a WebRTC leg: with it ICE and
    DTLS begin (said again, it changes nothing), and `address` and `port` do not count.
    """

    leg: str
    address: str
    port: int
    payload_type: int
    telephone_event: int = -1
    codec: Codec = "PCMU"
    webrtc: WebRtc | None = None


class CloseLeg(Command, frozen=True):
    """Close a leg; whatever it plays or records ends, and `LegClosed` answers."""

    leg: str


class Play(Command, frozen=True):
    """Play prompts one after another to a leg, in place of whatever it plays. The edge renders text first.

    With `barge_in` a key ends it at once in the media worker (`PromptFinished` with `barged_in`, after the
    `DigitPressed`). With `loop` it starts again until stopped.
    """

    leg: str
    playback: str
    prompts: tuple[Prompt, ...]
    barge_in: bool = True
    loop: bool = False


class PlaySamples(Command, frozen=True):
    """`Play` with every prompt resolved to a file of raw samples (8 kHz, mono, signed 16 bit, native order)."""

    leg: str
    playback: str
    paths: tuple[str, ...]
    barge_in: bool = True
    loop: bool = False


class StopPlaying(Command, frozen=True):
    """Stop what a leg plays; `PromptFinished` with `stopped` answers where there was something."""

    leg: str
    playback: str


class Join(Command, frozen=True):
    """Let a leg hear, and be heard by, the other legs of `bridge` (total minus own)."""

    leg: str
    bridge: str


class Leave(Command, frozen=True):
    """Take a leg out of its bridge."""

    leg: str


class StartRecording(Command, frozen=True):
    """Record stereo into an append-only spool: left is `leg` (the caller), right is everyone else in its bridge."""

    recording: str
    call: str
    leg: str
    path: str


class StopRecording(Command, frozen=True):
    """End a recording; `RecordingStopped` answers."""

    recording: str


# --------------------------------------------------------------------------------- commands: bridge and rows


class FindCaller(Command, frozen=True):
    """Ask the bridge who calls; `CallerFound` answers, always. `number` as it came off the wire; one that is only
    `claimed` finds the profile that it names, and proves nothing (assurance 0)."""

    call: str
    number: str
    withheld: bool
    display_name: str
    claimed: bool = False


class SaveCall(Command, frozen=True):
    """Write the call's row and, where there is a customer, its one timeline entry, as they now stand."""

    call: "CallSnapshot"


class SaveAgent(Command, frozen=True):
    """Write an agent's state."""

    agent: str
    state: AgentState
    reason: str
    since: float
    call: str = ""


class Record(Command, frozen=True):
    """Record a call's talk: the edge writes the recording's row, then sends `StartRecording` to the media worker."""

    recording: str
    call: str
    leg: str
    customer: str
    language: str


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
    about: Literal["step", "failure"]
    text: str


class Publish(Command, frozen=True):
    """Tell whoever listens on the WebSocket. `body` is a JSON object; rows saved before it are committed first."""

    type: str
    body: dict[str, object]


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


class RenderPrompt(Command, frozen=True):
    """Have the rendering worker turn a prompt into samples at `path`; `PromptRendered` answers.

    `value` is the prompt's: a text to speak in the voice of its language, a `.wav` file's path, or a music's name.
    """

    key: str
    kind: PromptKind
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


MediaCommand = (
    OpenLeg | ConnectLeg | CloseLeg | PlaySamples | StopPlaying | Join | Leave | StartRecording | StopRecording
)
MediaEvent = (
    LegOpened
    | LegRefused
    | LegClosed
    | DigitPressed
    | PromptFinished
    | MediaTimedOut
    | MediaStalled
    | MediaResumed
    | RecordingStarted
    | RecordingStopped
)
SipCommand = Ring | Answer | Reject | Invite | Hangup
SipEvent = (
    InviteReceived
    | DialogRinging
    | DialogAnswered
    | DialogConfirmed
    | DialogEnded
    | DialogUnreachable
    | DialogReachable
    | BindingChanged
    | RegistrationRefused
    | MessageRejected
)
