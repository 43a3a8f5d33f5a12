"""A long fuzz: mutated messages into an endpoint that has calls in every state.

`python -m tests.telephony.sip.fuzz --n 1000000 --seed 1` (`make fuzz`). A desk phone by datagrams and a page by a
connection call the endpoint and are called by it; what they send is mutated on its way, again and again, along with the
torture messages of RFC 4475. At each checkpoint everybody hangs up, time goes by, and nothing may be left.

What must hold: nothing raises; every dialog that was told of ends exactly once; no message brings more than a handful
of others; `load()` is nothing at each checkpoint; resident memory does not grow; the mean message takes its time and
no more. A seed gives the same run again.
"""

import argparse
import gc
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import msgspec

from telephony.events import (
    AgentState,
    AnswerText,
    DialogAnswered,
    InviteReceived,
    LampCall,
    ReferReceived,
    SessionOffered,
    SipEvent,
    TellLamp,
    TextReceived,
)
from telephony.sip.address import Address, Flow, Remote
from telephony.sip.digest import authorize, hash_password
from telephony.sip.endpoint import Endpoint
from telephony.sip.invitation import Credentials
from telephony.sip.message import Request, parse_datagram, respond
from telephony.sip.settings import EndpointSettings
from telephony.sip.stream import StreamParser
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import Uri
from tests.telephony.sip import torture
from tests.telephony.sip.ledger import KINDS, Ledger
from tests.telephony.sip.messages import write_request
from tests.telephony.sip.mutation import mutate
from tests.telephony.sip.wire import DESK, HOTLINE, USERS

CHECK_EVERY = 20_000
MOST_ANSWERS = 12
MEAN_S = 0.002
MEMORY_OCTETS = 12 * 2**20
"""How much resident memory may grow between the second checkpoint and the last: allocators are not exact."""
QUIET_S = 400.0
TEXT = write_request("MESSAGE", body="Xin chao").replace(b"application/sdp", b"text/plain")
TRUNK = ("192.0.2.8", 5060)
PBX = TrunkSettings("pbx", (Uri(host=TRUNK[0]),), Credentials("desk", USERS["desk"]), register=True, probe_s=20.0)
BACKGROUND = 3
STRANGERS = (("203.0.113.5", 5060), ("203.0.113.6", 40001))
_STATM = Path("/proc/self/statm")


@dataclass
class Party:
    """A phone: an endpoint of its own, and where the hotline sees it."""

    endpoint: Endpoint
    ledger: Ledger
    address: Address
    sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))


class Exchange:
    """The endpoint under test, the phones that call it, and a switchboard that does whatever comes to its mind."""

    mutated = 0.1
    """How much of what the phones send is mutated, or lost, on its way."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 1000.0
        self.number = 0
        self.cpu_s = 0.0
        self.quiet = False
        self.last: tuple[bytes, Address] = (b"", HOTLINE)
        self.flows = count(1)
        self.stream = StreamParser()
        self.hotline = self._party("hotline", HOTLINE, HOTLINE)
        self.desk = self._party("desk.example", DESK, DESK)
        self.page = self._party("page.example", ("192.0.2.9", 5060), self._flow())
        self.trunk = self._party("trunk.example", TRUNK, TRUNK)
        self.corpus = [torture.read(name) for name in sorted(torture.ROWS)] + [TEXT]
        self._restore()

    def _party(self, name: str, own: tuple[str, int], address: Address) -> Party:
        dialogs = count(1)
        trunks = (PBX,) if own == HOTLINE else ()
        settings = EndpointSettings(address=own, domain=name, ring_s=40.0, session_expires_s=120, trunks=trunks)
        secrets = (hash_password("desk", name, USERS["desk"]),)
        endpoint = Endpoint(
            settings,
            lambda user: secrets if user == "desk" else (),
            self._token,
            lambda: f"{name}-in-{next(dialogs)}",
        )
        return Party(endpoint, Ledger(name, own), address)

    def _token(self, octets: int) -> str:
        return f"{self.random.getrandbits(8 * octets):0{2 * octets}x}"

    def _flow(self) -> Flow:
        return Flow("192.0.2.9", 50000, f"c{next(self.flows)}", self.random.choice(("WS", "TCP", "TLS")))

    def _restore(self) -> None:
        self.hotline.endpoint.restore({"desk": [(f"sip:desk@{DESK[0]}", *DESK, 1e12)]}, self.now)
        for party in (self.desk, self.page, self.trunk):
            party.endpoint.restore({"1900": [(f"sip:1900@{HOTLINE[0]}", *HOTLINE, 1e12)]}, self.now)

    @property
    def parties(self) -> tuple[Party, ...]:
        """Everybody."""
        return self.hotline, self.desk, self.page, self.trunk

    # -------------------------------------------------------------------------------------------------- traffic

    def fuzz(self) -> None:
        """Let one mutated message come in, and whatever follows of it."""
        self.number += 1
        random = self.random
        chance = random.random()
        party = random.choice((self.desk, self.desk, self.page, self.trunk))
        seed = random.choice(self.corpus) if chance < 0.1 or not party.sent else random.choice(party.sent)
        source = random.choice(STRANGERS) if chance > 0.97 else party.address
        self.receive(mutate(seed, random), source)
        self.pump()
        if random.random() < 0.5:
            self.act()
        if random.random() < 0.1:
            self.wait(random.choice((0.01, 0.6, 4.1, 5.1, 33.0)))

    def receive(self, data: bytes, source: Address) -> None:
        """Let the endpoint under test take in octets, and count what it costs."""
        self.last = (data, source)
        begun = time.process_time()
        if isinstance(source, Flow) and source.transport in {"TCP", "TLS"}:
            self._receive_stream(data, source)
        else:
            self.hotline.endpoint.receive(data, source, self.now)
        self.cpu_s += time.process_time() - begun

    def _receive_stream(self, data: bytes, source: Flow) -> None:
        """What comes over TCP comes in pieces, and where one cannot tell its end the connection is of no more use."""
        cut_at = self.random.randint(0, len(data))
        for piece in (data[:cut_at], data[cut_at:]):
            for message in self.stream.feed(piece):
                self.hotline.endpoint.receive(message, source, self.now)
        if self.stream.fault is not None:
            self.hotline.endpoint.receive_broken(self.stream.fault, source, self.now)
            self._lose()

    def ask(self, method: str, *fields: str) -> None:
        """Let the desk phone send a request with the credentials of its user: REGISTER, or SUBSCRIBE to a lamp."""
        number = f"{self.number}-{method}"
        uri = "sip:192.0.2.1" if method == "REGISTER" else "sip:an@192.0.2.1"
        first = write_request(
            method,
            target=uri,
            sender="<sip:desk@hotline>;tag=w",
            to="<sip:desk@hotline>",
            call_id=number,
            branch=f"z9hG4bK{number}-1",
            fields=fields,
        )
        self.receive(first, DESK)
        challenged = [data for data, _ in self.hotline.endpoint.datagrams() if data.startswith(b"SIP/2.0 401")]
        for data in challenged:
            challenge = parse_datagram(data).headers.get("www-authenticate")
            credentials = authorize(challenge, "desk", USERS["desk"], method, uri, "c0ffee")
            second = first.replace(b"-1\r\n", b"-2\r\n", 1).replace(b"CSeq: 1 ", b"CSeq: 2 ", 1)
            request = second.replace(b"Contact:", f"Authorization: {credentials}\r\nContact:".encode(), 1)
            self.desk.sent.append(request)
            self.receive(request, DESK)

    def pump(self) -> None:
        """Carry what was sent to where it goes, until nobody has anything to say. Of what goes to the endpoint
        under test a part is mutated or lost."""
        for _ in range(200):
            busy = False
            for party in self.parties:
                self._tell(party)
                datagrams = party.endpoint.datagrams()
                busy = busy or bool(datagrams)
                if party is self.hotline and not self.quiet:
                    assert len(datagrams) <= MOST_ANSWERS, f"{len(datagrams)} messages at once"
                for data, address in datagrams:
                    self._carry(party, data, address)
            if not busy:
                return
        raise AssertionError("they never stop talking")

    def _carry(self, party: Party, data: bytes, address: Address) -> None:
        if party is not self.hotline:
            party.sent.append(data)
            chance = 1.0 if self.quiet else self.random.random()
            if chance >= self.mutated:
                self.receive(data, party.address)
            elif chance > self.mutated / 2:
                self.receive(mutate(data, self.random), party.address)
        elif address == self.page.address:
            self.page.endpoint.receive(data, HOTLINE, self.now)
        elif isinstance(address, Remote):  # by a connection of our own, where the page's is lost
            if self.random.random() < 0.5:
                self.hotline.endpoint.connection_refused(address, self.now)
            else:
                self.page.endpoint.receive(data, HOTLINE, self.now)
        elif address[0] == DESK[0] and data.startswith(b"NOTIFY") and b"\nEvent: refer" not in data:
            answer = respond(_request(data), self.random.choice((200, 200, 200, 481, 503))).write()
            self.receive(mutate(answer, self.random) if self.random.random() < self.mutated else answer, DESK)
        elif address[0] == DESK[0]:
            self.desk.endpoint.receive(data, HOTLINE, self.now)
        elif address[0] == TRUNK[0]:
            self.trunk.endpoint.receive(data, HOTLINE, self.now)

    # ------------------------------------------------------------------------------------------------ switchboard

    def _tell(self, party: Party) -> None:
        for event in party.endpoint.events():
            party.ledger.note(event)
            if not self.quiet:
                self._react(party, event)

    def _react(self, party: Party, event: SipEvent) -> None:
        kinds: tuple[str, ...] = ()
        match event:
            case InviteReceived():
                kinds = ("ring", "progress", "answer", "answer", "reject", "hangup", "")
            case SessionOffered():
                kinds = ("accept", "accept", "refuse", "hangup", "")
            case ReferReceived():
                kinds = ("tell", "hangup", "")
            case TextReceived():
                self.hotline.endpoint.perform(AnswerText(event.message, self.random.choice((202, 503))), self.now)
            case DialogAnswered():
                kinds = ("hold", "refer", "key", "hangup", "", "")
        kind = self.random.choice(kinds) if kinds else ""
        if kind:
            self._command(party, event.dialog, kind)  # type: ignore[union-attr]  # those above have one

    def _command(self, party: Party, dialog: str, kind: str) -> None:
        if dialog in party.ledger.known:
            status = self.random.choice((180, 200, 404, 486, 603))
            status = 486 if kind == "reject" and status < 300 else status
            party.endpoint.perform(party.ledger.command(dialog, kind, status), self.now)

    def act(self) -> None:
        """Let somebody do something that comes to mind."""
        random = self.random
        party = random.choice(self.parties)
        if len(party.ledger.known) < 12 and random.random() < 0.3:
            invite = party.ledger.invite("desk" if party is self.hotline else "1900")
            if party is self.hotline and random.random() < 0.4:
                invite = msgspec.structs.replace(invite, user="", trunk="pbx", to="+84987654321")
            party.endpoint.perform(invite, self.now)
        elif party.ledger.known:
            dialog = random.choice(list(party.ledger.known))
            self._command(party, dialog, random.choice((*KINDS, "key")))
        chance = random.random()
        if chance < 0.002:
            self._lose()
        elif chance < 0.01:
            self.receive(TEXT.replace(b"c1", b"t%d" % self.number).replace(b"bK1", b"bKt%d" % self.number), DESK)
        elif chance < 0.02:
            self.ask("REGISTER", "Expires: 60")
        elif chance < 0.06:
            self.ask("SUBSCRIBE", f"Event: {random.choice(('dialog', 'presence'))}", "Expires: 120")
        elif chance < 0.1:
            state: AgentState = random.choice(("ready", "talking", "not_ready"))
            calls = (LampCall(f"c{random.randint(1, 9)}", "confirmed", True, "+84912345678"),)
            self.hotline.endpoint.perform(TellLamp("an", state, "", self.now, calls), self.now)
        self.pump()

    def _lose(self) -> None:
        """The page's connection breaks, and it is back over another one."""
        assert isinstance(self.page.address, Flow)
        self.hotline.endpoint.connection_lost(self.page.address.connection, self.now)
        self.page.address = self._flow()
        self.stream = StreamParser()

    def wait(self, seconds: float) -> None:
        """Let time go by, for everybody."""
        end = self.now + seconds
        for _ in range(5_000):
            dues = [due for party in self.parties if (due := party.endpoint.deadline()) is not None]
            if not dues or min(dues) > end:
                break
            self.now = max(self.now, min(dues))
            for party in self.parties:
                party.endpoint.handle_deadline(self.now)
            self.pump()
        self.now = end

    def clear(self) -> None:
        """Everybody hangs up, and time goes by: nothing may be left of anything but the phone's registration."""
        self.quiet = True
        for party in self.parties:
            for dialog in list(party.ledger.known):
                self._command(party, dialog, "hangup")
        self.pump()
        self.wait(QUIET_S)
        self._lose()
        self.wait(QUIET_S)
        for party in self.parties:
            assert party.ledger.known == {}, f"{party.ledger.name} was not told of the end of {party.ledger.known}"
            load = party.endpoint.load()
            # A trunk registers and is asked whether it is there, for ever; both take a transaction on either side.
            trunked = party in (self.hotline, self.trunk)
            most = (BACKGROUND, 0, 1 + 2 * BACKGROUND) if trunked else (0, 0, 1)
            assert all(left <= bound for left, bound in zip(load, most, strict=True)), f"{party.ledger.name}: {load}"
        self.quiet = False


def _request(data: bytes) -> Request:
    request = parse_datagram(data)
    assert isinstance(request, Request)
    return request


def resident() -> int:
    """Return the octets of memory that the process holds, 0 where nobody says."""
    gc.collect()
    return int(_STATM.read_text().split()[1]) * 4096 if _STATM.exists() else 0


def run(number: int, seed: int, check_every: int = CHECK_EVERY, *, talkative: bool = False) -> Exchange:
    """Fuzz with so many messages. Raises `AssertionError` with what to look at for whatever must not be."""
    exchange = Exchange(Random(seed))  # noqa: S311 - a run is to be repeated
    memory: list[int] = []
    begun = time.monotonic()
    try:
        for done in range(1, number + 1):
            exchange.fuzz()
            if done % check_every == 0 or done == number:
                exchange.clear()
                memory.append(resident())
                if talkative:
                    ended = sum(party.ledger.ended for party in exchange.parties)
                    print(  # noqa: T201 - a program's own words
                        f"{done:>9} messages, {ended} dialogs ended, {memory[-1] / 2**20:.1f} MiB, "
                        f"{exchange.cpu_s / done * 1e6:.0f} us each, {time.monotonic() - begun:.0f} s",
                        flush=True,
                    )
    except Exception as error:
        data, source = exchange.last
        raise AssertionError(f"seed {seed}, message {exchange.number} from {source}: {error!r}\n{data!r}") from error
    mean_s = exchange.cpu_s / max(1, number)
    assert mean_s < MEAN_S, f"{mean_s * 1e6:.0f} us for each message"
    grown = memory[-1] - memory[min(1, len(memory) - 1)]
    assert grown < MEMORY_OCTETS, f"memory grew by {grown / 2**20:.1f} MiB between checkpoints: {memory}"
    return exchange


def main() -> None:
    """Run it from a shell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=1_000_000, help="how many messages")
    parser.add_argument("--seed", type=int, default=1, help="what the run is made from")
    asked = parser.parse_args()
    try:
        run(asked.n, asked.seed, talkative=True)
    except AssertionError as error:
        traceback.print_exception(error.__cause__)
        sys.exit(str(error))


if __name__ == "__main__":
    main()
