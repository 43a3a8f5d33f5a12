"""A desk phone that shows lamps: it subscribes, and answers the NOTIFYs that come."""

from collections import deque
from dataclasses import dataclass, field
from xml.etree import ElementTree

from telephony.events import AgentState, LampCall, TellLamp
from telephony.sip.digest import authorize
from telephony.sip.endpoint import Endpoint
from telephony.sip.message import Request, Response, parse_datagram, respond
from tests.telephony.sip.messages import write_request
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, Address, FakeWire, make_endpoint

DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
RINGING = LampCall("c1.agent1", "early", True, "+84912345678", "Lan")


def read_xml(body: bytes) -> ElementTree.Element:
    """Return the root of a document of ours."""
    return ElementTree.fromstring(body)  # noqa: S314 - nobody but the code under test wrote it


def lamp(state: AgentState = "ready", *calls: LampCall, agent: str = "an", reason: str = "") -> TellLamp:
    """Return an agent's lamp."""
    return TellLamp(agent, state, reason, 1_700_000_000.0, calls)


@dataclass
class Watcher:
    """`user` is one of `wire.USERS`; `statuses` answer the next NOTIFYs (0: not at all), 200 the rest."""

    wire: FakeWire = field(default_factory=FakeWire)
    user: str = "lan"
    address: Address = DESK
    statuses: deque[int] = field(default_factory=deque)
    retry_after: str = ""
    notifies: list[Request] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    cseq: int = 0
    to_tag: str = ""
    call_id: str = "w1"
    _read: int = 0

    def __post_init__(self) -> None:
        if HOTLINE not in self.wire.endpoints:
            self.wire.attach(HOTLINE, make_endpoint(HOTLINE))
            self.wire.perform(HOTLINE, lamp())

    @property
    def endpoint(self) -> Endpoint:
        """The hotline's."""
        return self.wire.endpoints[HOTLINE]

    def tell(self, told: TellLamp) -> None:
        """Let the switchboard tell an agent's state."""
        self.wire.perform(HOTLINE, told)
        self.react()

    def subscribe(self, event: str = "dialog", *fields: str, agent: str = "an", password: str = "") -> Response:
        """Subscribe, or, once there is a subscription, refresh it; return the answer to the authenticated request."""
        challenged = self.ask(event, *fields, agent=agent)
        if challenged.status != 401:
            return challenged
        challenge = next(each for each in challenged.headers.lines("www-authenticate") if "=MD5," in each)
        uri = f"sip:{agent}@192.0.2.1"
        credentials = authorize(challenge, self.user, password or USERS[self.user], "SUBSCRIBE", uri, "0a4f113b")
        return self.ask(event, f"Authorization: {credentials}", *fields, agent=agent)

    def ask(self, event: str, *fields: str, agent: str = "an") -> Response:
        """Send one SUBSCRIBE; return its answer."""
        self.cseq += 1
        tag = f";tag={self.to_tag}" if self.to_tag else ""
        data = write_request(
            "SUBSCRIBE",
            target=f"sip:{agent}@192.0.2.1",
            branch=f"z9hG4bK{self.call_id}{self.cseq}",
            sender=f"<sip:{self.user}@hotline>;tag=watch",
            to=f"<sip:{agent}@192.0.2.1>{tag}",
            call_id=self.call_id,
            cseq=self.cseq,
            fields=(*((f"Event: {event}",) if event else ()), *fields),
        )
        self.wire.inject(data, self.address, HOTLINE)
        self.react()
        response = self.responses[-1]
        if response.status == 200 and not self.to_tag:
            self.to_tag = response.to.tag
        return response

    def react(self) -> None:
        """Take what was sent to this phone, and answer it."""
        while self._read < len(self.wire.sent):
            sent = self.wire.sent[self._read]
            self._read += 1
            if sent.destination != self.address or sent.source != HOTLINE:
                continue
            message = parse_datagram(sent.data)
            if isinstance(message, Response):
                self.responses.append(message)
                continue
            if all(message.headers.get("cseq") != known.headers.get("cseq") for known in self.notifies):
                self.notifies.append(message)
            status = self.statuses.popleft() if self.statuses else 200
            if status:
                answer = respond(message, status, "", "watch")
                if status == 503 and self.retry_after:
                    answer.headers.set("retry-after", self.retry_after)
                self.wire.inject(answer.write(), self.address, HOTLINE)

    def run(self, seconds: float) -> None:
        """Let virtual time pass, answering what comes."""
        end = self.wire.now + seconds
        self.react()
        while (when := self.wire.next_at()) is not None and when <= end:
            self.wire.step()
            self.react()
        self.wire.run(end - self.wire.now)

    # -------------------------------------------------------------------------------------------- what it knows

    @property
    def state(self) -> str:
        """What the last NOTIFY says of the subscription."""
        return self.notifies[-1].headers.get("subscription-state")

    def shown(self) -> list[tuple[str, str]]:
        """Return the calls (id and state) in the last NOTIFY."""
        root = read_xml(self.notifies[-1].body)
        return [(each.attrib["id"], each.findtext(f"{DIALOG_INFO}state") or "") for each in root]
