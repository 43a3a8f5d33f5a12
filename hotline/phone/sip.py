"""The signalling of the command-line phone: pyVoIP 1.6.8's SIP client with its faults mended.

Of pyVoIP's client stay the parser, the digest, and the text of REGISTER, INVITE, 180 and 200. What is ours, because
there it is wrong or missing:
- nothing waits for an answer: one thread receives, and tells what came (there a first answer of 183, 407, 486 or a
  bare 200 hangs the phone, and a lost datagram does so for ever);
- requests and final answers are sent again until answered, and every wait has an end;
- an authenticated INVITE has a Via branch of its own, an ACK and a BYE the tags of their dialog;
- CANCEL, in either direction, and re-INVITE without a second audio thread;
- a phone without a user registers nowhere.
"""

import contextlib
import re
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hotline.phone.dialog import Dialog, Repeater, Told, end_of, key_of, uri_of
from hotline.phone.pyvoip import RTP, SIP, VoIPPhone
from hotline.phone.registration import CHALLENGES, Registration, take_challenge

Medias = dict[int, Any]
"""Our RTP port -> payload type -> pyVoIP's `PayloadType`."""

POLL_S: Final = 0.05
MAX_DATAGRAM: Final = 65535
SENDRECV: Final = RTP.TransmitType.SENDRECV
RINGING: Final = frozenset({180, 183})


@dataclass(slots=True)
class Dialled:
    """Our INVITE, and what is needed to send it with credentials, to cancel it, and to acknowledge its answers.

    `dialog` has no tag and no target of the far end's until that has answered.
    """

    number: str
    medias: Medias
    session: int
    dialog: Dialog
    branch: str = ""
    message: Any = None
    challenged: bool = False
    cancelled: bool = False
    rang: bool = False
    ack: bytes = b""


@dataclass(slots=True)
class Incoming:
    """An INVITE that came, and the last answer to it, which answers its repetitions too."""

    request: SIP.SIPMessage
    response: bytes
    answered: bool = False


class Signalling(SIP.SIPClient):
    """One account, at most one call. `tell` is called from the receiving thread."""

    def __init__(
        self,
        phone: VoIPPhone,
        server: str,
        port: int,
        user: str,
        password: str,
        caller: str,
        own: tuple[str, int],
        tell: Callable[[Told], None],
    ) -> None:
        """`own` is where the phone is; port 0 is for one that the system chooses."""
        super().__init__(server, port, user, password, phone, *own)
        self._caller = caller
        self._tell = tell
        self._repeater = Repeater(self._send, self._gave_up)
        self._dialled: Dialled | None = None
        self._incoming: Incoming | None = None
        self._dialog: Dialog | None = None
        self._registration = Registration(self)

    # ------------------------------------------------------------------------------------------------- the socket

    def start(self) -> None:
        """Open the socket and receive. Nothing is sent. Raises `OSError`."""
        self.s = self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((self.myIP, self.myPort))
        self.s.connect((self.server, self.port))
        self.myPort = self.s.getsockname()[1]
        self.NSD = True
        self._thread = threading.Thread(target=self.recv_loop, name="SIP", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the socket, and wait for its thread."""
        self.NSD = False
        self._thread.join()
        self._close_sockets()

    def recv_loop(self) -> None:
        """Receive, send again what is unanswered, and register anew, until `stop`."""
        while self.NSD:
            with contextlib.suppress(OSError, ValueError):  # the socket was closed by `stop`
                if select.select([self.s], [], [], POLL_S)[0]:
                    self.recv()
                now = time.monotonic()
                self._repeater.repeat(now)
                self._registration.refresh(now)

    def recv(self) -> None:
        """Take one datagram."""
        try:
            raw = self.s.recv(MAX_DATAGRAM)
        except ConnectionRefusedError:
            if self._repeater.clear():
                self._tell(Told("unreachable", f"nothing listens at {self.server}:{self.port}"))
            return
        if not raw.strip(b"\r\n\0 "):
            return
        # pyVoIP's parser raises whatever it stumbles over (IndexError, KeyError, ...): such a message is not for us.
        with contextlib.suppress(Exception):
            self.parse_message(SIP.SIPMessage(raw))

    def _send(self, octets: bytes) -> None:
        with contextlib.suppress(OSError):  # the far end's port is closed: `recv` is told so too
            self.s.send(octets)

    def _gave_up(self, method: str) -> None:
        self._tell(Told("unreachable", f"no answer to {method} from {self.server}:{self.port}"))

    def tell(self, told: Told) -> None:
        """Tell what happened."""
        self._tell(told)

    def request(self, text: str) -> None:
        """Send a request until it is answered."""
        self._repeater.send(text.encode(), key_of(text), time.monotonic())

    def gen_call_id(self) -> str:
        """A Call-ID that no other phone has had (pyVoIP counts from 1 in every process)."""
        return f"{uuid.uuid4().hex}@{self.myIP}"

    @property
    def sent_by(self) -> str:
        """Our end of the socket, for Via."""
        return f"{self.myIP}:{self.myPort}"

    # ----------------------------------------------------------------------------------------------- registering

    def register(self) -> bool:
        """Begin to register; `registered` or `not_registered` is told, and it is kept up from then on."""
        self._registration.begin()
        return True

    def deregister(self) -> bool:
        """Begin to take the registration back; `unregistered` is told."""
        self._registration.leaving = True
        self._registration.begin()
        return True

    # ---------------------------------------------------------------------------------------------- calls of ours

    def dial(self, number: str, medias: Medias) -> Dialled:
        """Send an INVITE; `ringing`, then `answered`, `refused` or `unreachable` are told."""
        uri = f"sip:{number}@{self.server}"
        dialog = Dialog(
            self.gen_call_id(), f"{self._caller.replace('{}', self.sent_by)};tag={self.gen_tag()}", f"<{uri}>", uri
        )
        dialled = Dialled(number, medias, self.sessID.next(), dialog)
        self._dialled = dialled  # which the thread that reads may have cleared before we are back here
        self._invite(dialled)
        return dialled

    def _invite(self, dialled: Dialled, authorization: str = "") -> None:
        dialog, dialled.branch = dialled.dialog, self.gen_branch()
        text = self.gen_invite(
            dialled.number,
            str(dialled.session),
            dialled.medias,
            RTP.TransmitType.SENDRECV,
            dialled.branch,
            dialog.call_id,
        )
        dialog.cseq = self.inviteCounter.current() - 1
        privacy = "\r\nPrivacy: id" if "anonymous.invalid" in self._caller else ""
        text = re.sub(r"(?m)^From: [^\r\n]*", lambda _: f"From: {dialog.local}{privacy}", text, count=1)
        text = text.replace("\r\nContent-Length", f"{authorization}\r\nContent-Length", 1)
        dialled.message = SIP.SIPMessage(text.encode())
        self.request(text)

    def cancel(self) -> None:
        """Take our INVITE back; the 487 to it is told as `refused`."""
        dialled = self._dialled
        if dialled is None or dialled.cancelled or self._dialog is not None:
            return
        dialled.cancelled = True
        self._repeater.settle((dialled.dialog.call_id, f"{dialled.dialog.cseq} INVITE"))
        self.request(dialled.dialog.request("CANCEL", self.sent_by, dialled.branch))

    def hang_up(self) -> None:
        """End the call; `closed` is told when the far end agrees."""
        dialog, self._dialog = self._dialog, None
        if dialog is None:
            self.tell(Told("closed"))
            return
        dialog.cseq += 1
        self.request(dialog.request("BYE", self.sent_by, self.gen_branch()))

    def _invite_answered(self, message: SIP.SIPMessage, status: int) -> None:
        dialled, headers = self._dialled, message.headers
        if dialled is None or headers["Call-ID"] != dialled.dialog.call_id:
            return
        if headers["CSeq"]["check"] != str(dialled.dialog.cseq):
            return  # the challenge once more
        self._repeater.settle((dialled.dialog.call_id, f"{dialled.dialog.cseq} INVITE"))
        if status < 200:
            if status in RINGING and not dialled.rang:
                dialled.rang = True
                self.tell(Told("ringing"))
        elif status < 300:
            self._answered(dialled, message)
        else:
            self._refused(dialled, message, status)

    def _answered(self, dialled: Dialled, message: SIP.SIPMessage) -> None:
        if dialled.ack:  # the 200 once more: our ACK was lost
            self._send(dialled.ack)
            return
        headers = message.headers
        dialog = dialled.dialog
        self._dialog = replace(dialog, remote=end_of(headers["To"]), target=uri_of(headers["Contact"]))
        dialled.ack = self._dialog.request("ACK", self.sent_by, self.gen_branch()).encode()
        self._send(dialled.ack)
        if dialled.cancelled:  # the answer and our CANCEL have crossed
            self.hang_up()
        else:
            self.tell(Told("answered", message=message))

    def _refused(self, dialled: Dialled, message: SIP.SIPMessage, status: int) -> None:
        # RFC 3261 section 17.1.1.3: the ACK to a refusal is of the INVITE's transaction.
        refused = replace(dialled.dialog, remote=end_of(message.headers["To"]))
        self._send(refused.request("ACK", self.sent_by, dialled.branch).encode())
        if status in CHALLENGES and not dialled.challenged and self.password:
            dialled.challenged = True
            self._invite(dialled, f"\r\n{self._credentials(message)}")
        else:
            self._dialled = None
            self.tell(Told("refused", str(message.status), status))

    def _credentials(self, message: SIP.SIPMessage) -> str:
        """Return the header that answers a challenge."""
        name = take_challenge(message)
        realm, nonce = message.authentication["realm"], message.authentication["nonce"]
        return (
            f'{name}: Digest username="{self.username}",realm="{realm}",nonce="{nonce}",'
            f'uri="sip:{self.server};transport=UDP",response="{self.gen_authorization(message).decode()}",algorithm=MD5'
        )

    # ------------------------------------------------------------------------------------------ calls that come in

    def accept(self, session: str, medias: Medias) -> None:
        """Answer the INVITE that came, again and again until it is acknowledged."""
        incoming = self._incoming
        if incoming is None or incoming.answered:
            return
        headers = incoming.request.headers
        text = self.gen_answer(incoming.request, session, medias, SENDRECV)
        local = end_of(headers["To"], self.tagLibrary[headers["Call-ID"]])
        self._dialog = Dialog(headers["Call-ID"], local, end_of(headers["From"]), uri_of(headers["Contact"]))
        incoming.answered, incoming.response = True, text.encode()
        self._repeater.send(incoming.response, (headers["Call-ID"], "ACK"), time.monotonic())

    def refuse(self, status: str) -> None:
        """Answer the INVITE that came with a final status such as `486 Busy Here`."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._respond(incoming.request, status)

    def _invited(self, message: SIP.SIPMessage) -> None:
        incoming, headers = self._incoming, message.headers
        if incoming is not None and incoming.request.headers["Call-ID"] == headers["Call-ID"]:
            if incoming.request.headers["CSeq"]["check"] == headers["CSeq"]["check"]:
                self._send(incoming.response)
            elif incoming.answered:
                self._invited_again(incoming, message)
        elif incoming is not None or self._dialled is not None or headers["To"]["tag"]:
            self._respond(message, "486 Busy Here")
        else:
            self._incoming = Incoming(message, self.gen_ringing(message).encode())
            self._send(self._incoming.response)
            self.tell(Told("incoming", message=message))

    def _invited_again(self, incoming: Incoming, message: SIP.SIPMessage) -> None:
        """A re-INVITE: the session as it was, under the Via and CSeq of the new request; the far end may have moved."""
        body = incoming.response.partition(b"\r\n\r\n")[2].decode()
        incoming.request = message
        sdp = f"Contact: <sip:{self.username}@{self.sent_by}>\r\nContent-Type: application/sdp\r\n"
        incoming.response = self._response(message, "200 OK", sdp, body).encode()
        self.tell(Told("moved", message=message))
        self._repeater.send(incoming.response, (message.headers["Call-ID"], "ACK"), time.monotonic())

    def _acknowledged(self, message: SIP.SIPMessage) -> None:
        self._repeater.settle((message.headers["Call-ID"], "ACK"))

    def _cancelled(self, message: SIP.SIPMessage) -> None:
        incoming = self._incoming
        if incoming is None or incoming.request.headers["Call-ID"] != message.headers["Call-ID"]:
            self._respond(message, "481 Call/Transaction Does Not Exist")
            return
        self._respond(message, "200 OK")
        if not incoming.answered:
            self.refuse("487 Request Terminated")
            self.tell(Told("cancelled"))

    def _ended(self, message: SIP.SIPMessage) -> None:
        dialog = self._dialog
        if dialog is None or dialog.call_id != message.headers["Call-ID"]:
            self._respond(message, "481 Call/Transaction Does Not Exist")
            return
        self._respond(message, "200 OK")
        self._repeater.settle((dialog.call_id, "ACK"))
        self._dialog = None
        self.tell(Told("hung_up"))

    def _respond(self, request: SIP.SIPMessage, status: str) -> None:
        self._send(self._response(request, status).encode())

    def _response(self, request: SIP.SIPMessage, status: str, more: str = "", body: str = "") -> str:
        """Return an answer, with our tag where the request has none of ours yet."""
        headers = request.headers
        tag = self.tagLibrary.setdefault(headers["Call-ID"], self.gen_tag())
        return (
            f"SIP/2.0 {status}\r\n{self._gen_response_via_header(request)}"
            f"From: {end_of(headers['From'])}\r\nTo: {end_of(headers['To'], tag)}\r\nCall-ID: {headers['Call-ID']}\r\n"
            f"CSeq: {headers['CSeq']['check']} {headers['CSeq']['method']}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    # -------------------------------------------------------------------------------------------- what comes in

    def parse_message(self, message: SIP.SIPMessage) -> None:
        """Take a message by what it is."""
        if message.type == SIP.SIPMessageType.MESSAGE:
            takes = {"INVITE": self._invited, "ACK": self._acknowledged, "CANCEL": self._cancelled, "BYE": self._ended}
            takes[message.method](message)
            return
        status, cseq = int(message.status), message.headers["CSeq"]
        if cseq["method"] == "INVITE":
            self._invite_answered(message, status)
        elif status >= 200:
            self._repeater.settle((message.headers["Call-ID"], f"{cseq['check']} {cseq['method']}"))
            if cseq["method"] == "REGISTER":
                self._registration.answered(message, status)
            elif cseq["method"] == "BYE":
                self.tell(Told("closed"))
