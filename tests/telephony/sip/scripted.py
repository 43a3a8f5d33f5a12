"""Far ends that say what the flow of an RFC has them say: a phone, and a proxy that records its route."""

from telephony.sip.headers import Headers
from telephony.sip.message import BRANCH_COOKIE, Request, Response, Via, parse_datagram, respond
from telephony.sip.uri import parse_name_addr
from tests.telephony.sip.wire import HOTLINE, Address, FakeWire

Message = Request | Response


class Scripted:
    """A phone of which every message is in the test. `inbox` is what came and has not been taken."""

    def __init__(self, wire: FakeWire, address: tuple[str, int], name: str) -> None:
        self.wire = wire
        self.address = address
        self.name = name
        self.inbox: list[Message] = []
        self.outbox: list[tuple[bytes, Address]] = []
        self.contact = f"<sip:{name}@{address[0]}:{address[1]}>"
        self.call_id = f"{name}-call"
        self.local = f"<sip:{name}@{address[0]}>;tag={name}-tag"
        self.remote = ""
        self.target = ""
        self.routes: tuple[str, ...] = ()
        self.cseq = 0
        wire.others[address] = self

    def receive(self, data: bytes, _source: Address, _now: float, /) -> None:
        """Take in a datagram."""
        self.inbox.append(parse_datagram(data))

    def datagrams(self) -> list[tuple[bytes, Address]]:
        """Hand out what is to be sent."""
        sent, self.outbox = self.outbox, []
        return sent

    # -------------------------------------------------------------------------------------------- what it hears

    def request(self, method: str) -> Request:
        """Take the first request of a method that came."""
        found = next(each for each in self.inbox if isinstance(each, Request) and each.method == method)
        self.inbox.remove(found)
        return found

    def response(self, status: int) -> Response:
        """Take the first response of a status that came; a 2xx makes the dialog."""
        found = next(each for each in self.inbox if isinstance(each, Response) and each.status == status)
        self.inbox.remove(found)
        if found.headers.get("contact") and found.cseq.method == "INVITE":
            self.remote = found.headers.get("to")
            self.target = parse_name_addr(found.headers.get("contact")).uri.write()
            self.routes = tuple(reversed(found.headers.values("record-route")))
        return found

    # --------------------------------------------------------------------------------------------- what it says

    def answer(self, request: Request, status: int, sdp: str = "", *fields: tuple[str, str], tag: str = "") -> None:
        """Answer a request; an INVITE that is answered makes the dialog."""
        response = respond(request, status, "", (tag or f"{self.name}-tag") if status > 100 else "")
        if request.method == "INVITE" and status > 100:
            response.headers.set("contact", self.contact)
            response.headers.set("record-route", *request.headers.lines("record-route"))
            if not response.headers.lines("record-route"):
                response.headers = Headers(tuple(each for each in response.headers if each[0] != "record-route"))
            self.call_id, self.local = request.call_id, response.headers.get("to")
            self.remote = request.headers.get("from")
            self.target = parse_name_addr(request.headers.get("contact")).uri.write()
            self.routes = tuple(request.headers.values("record-route"))
        for name, value in fields:
            response.headers.set(name, value)
        if sdp:
            response.headers.set("content-type", "application/sdp")
            response.body = sdp.encode()
        self._send(response, self._next_hop(request))

    def invite(self, number: str, sdp: str = "", *fields: tuple[str, str], to: Address = HOTLINE) -> None:
        """Call a number of the hotline's."""
        self.remote = self.target = f"sip:{number}@{HOTLINE[0]}"
        self.remote = f"<{self.remote}>"
        self.say("INVITE", sdp, *fields, to=to)

    def say(
        self,
        method: str,
        sdp: str = "",
        *fields: tuple[str, str],
        to: Address = HOTLINE,
        cseq: int = 0,
        branch: str = "",
    ) -> None:
        """Send a request in the dialog that there is, or is to be."""
        if not cseq:
            self.cseq += 1
            cseq = self.cseq
        via = Via("UDP", self.address[0], self.address[1])
        branch = branch or f"{BRANCH_COOKIE}{self.name}{method}{cseq}"
        headers = Headers((("via", f"{via.write()};branch={branch};rport"), ("max-forwards", "70")))
        if self.routes:
            headers.set("route", *self.routes)
        headers.set("from", self.local)
        headers.set("to", self.remote)
        headers.set("call-id", self.call_id)
        headers.set("cseq", f"{cseq} {method}")
        headers.set("contact", self.contact)
        for name, value in fields:
            headers.set(name, value)
        if sdp:
            headers.set("content-type", "application/sdp")
        self._send(Request(method, self.target, headers, sdp.encode()), to)

    def ack(self, sdp: str = "", to: Address = HOTLINE) -> None:
        """Acknowledge the 2xx to its last INVITE."""
        self.say("ACK", sdp, to=to, cseq=self.cseq, branch=f"{BRANCH_COOKIE}{self.name}ack{self.cseq}")

    def _send(self, message: Message, to: Address) -> None:
        self.outbox.append((message.write(), to))
        self.wire.collect()

    @staticmethod
    def _next_hop(request: Request) -> Address:
        return (request.via.host, request.via.port or 5060)


class Proxy:
    """A proxy that stays in the dialog (RFC 3261 section 16): it records its route, answers 100 of its own, and sends
    requests without a Route on to the next hop that it is told."""

    def __init__(self, wire: FakeWire, address: tuple[str, int], next_hop: Address) -> None:
        self.address = address
        self.next_hop = next_hop
        self.outbox: list[tuple[bytes, Address]] = []
        self.sources: dict[str, Address] = {}
        self.refused: set[str] = set()
        wire.others[address] = self

    @property
    def uri(self) -> str:
        """Its route."""
        return f"<sip:{self.address[0]}:{self.address[1]};lr>"

    def datagrams(self) -> list[tuple[bytes, Address]]:
        """Hand out what is to be sent."""
        sent, self.outbox = self.outbox, []
        return sent

    def receive(self, data: bytes, source: Address, _now: float, /) -> None:
        """Forward what comes."""
        message = parse_datagram(data)
        if isinstance(message, Response):
            self._forward_response(message, source)
        else:
            self._forward_request(message, source)

    def _forward_request(self, request: Request, source: Address) -> None:
        branch = f"{BRANCH_COOKIE}p{self.address[0][-1]}{request.via.branch[7:]}"
        if request.method == "ACK" and branch in self.refused:
            return  # it was acknowledged hop by hop
        self.sources[branch] = source
        if request.method == "INVITE":
            self.outbox.append((respond(request, 100).write(), source))
            request.headers.set("record-route", self.uri, *request.headers.lines("record-route"))
        routes = [route for route in request.headers.values("route") if route != self.uri]
        next_hop = self.next_hop
        if routes:
            next_hop = parse_name_addr(routes[0]).uri.address
        elif request.to.tag and request.method != "CANCEL":
            next_hop = request.uri.address
        request.headers.set("route", *routes)
        if not routes:
            request.headers = Headers(tuple(each for each in request.headers if each[0] != "route"))
        via = f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch={branch}"
        request.headers.set("via", via, *request.headers.values("via"))
        self.outbox.append((request.write(), next_hop))

    def _forward_response(self, response: Response, source: Address) -> None:
        if response.status == 100:
            return
        if response.status >= 300 and response.cseq.method == "INVITE":
            self.refused.add(response.via.branch)
            self.outbox.append((self._ack(response).write(), source))
        to = self.sources[response.via.branch]
        response.headers.set("via", *response.headers.values("via")[1:])
        self.outbox.append((response.write(), to))

    @staticmethod
    def _ack(response: Response) -> Request:
        headers = Headers((("via", response.headers.values("via")[0]),))
        for name in ("from", "to", "call-id"):
            headers.set(name, response.headers.get(name))
        headers.set("cseq", f"{response.cseq.number} ACK")
        return Request("ACK", response.to.uri.write(), headers)
