"""One far end of a call: its dialog, its leg, and what the two have agreed on (RFC 3264).

A caller, an agent's phone, and either side of a call between phones are parties alike; what is offered and answered in
the middle of a call is the same for all of them.
"""

from typing import Literal, Protocol

import msgspec

from telephony import sdp
from telephony.events import Codec, ConnectLeg, LegOpened, WebRtc
from telephony.switchboard.board import Board

Secure = Literal["no", "may", "must"]


class Party(Protocol):
    """`media` is our side of the leg once it is open, `agreed` what stands, `said` our last description, `version` its
    number, and `session_id` the number that stays in it. `moved`: the leg is in another media worker than we said."""

    dialog: str
    leg: str
    media: LegOpened | None
    agreed: sdp.Negotiated | None
    version: int
    said: str
    moved: bool

    @property
    def session_id(self) -> int:
        """The start of the call, in seconds (RFC 8866 section 5.2)."""
        ...


def offer(board: Board, party: Party, prefer: Codec | None = None, *, secure: Secure = "no") -> str:
    """Return our offer; `prefer` is the codec of the other side, and `secure` says whether SRTP may or must be offered:
    its keys cross the network in the signalling, so that has to be encrypted itself. The leg must be open."""
    return _say(party, sdp.offer(_capabilities(board, party, secure=secure), prefer))


def spoken(party: Party | None) -> Codec | None:
    """Return the codec that a party speaks, None while nothing is agreed on. The other side had best speak it too:
    then voice is passed on as it is."""
    return party.agreed.codec if party is not None and party.agreed is not None else None


def favourite(board: Board, party: Party, text: str) -> Codec | None:
    """Return the codec that an offer of a party's will be answered with, as far as it is for us to say."""
    return sdp.favourite(text, _capabilities(board, party)) if text and party.media is not None else None


def answer(board: Board, party: Party, text: str, prefer: Codec | None = None) -> sdp.Negotiated:
    """Agree to an offer; `prefer` is the codec of the other side. Raises `SdpError`."""
    agreed = sdp.answer(text, msgspec.structs.replace(_capabilities(board, party), prefer=prefer))
    if party.agreed is not None and not _may_follow(party.agreed.webrtc, agreed.webrtc):
        raise sdp.SdpError("another DTLS association, without ICE being restarted")
    web = _in_its_role(agreed.webrtc, party.agreed)
    party.agreed = msgspec.structs.replace(agreed, sdp=_say(party, agreed.sdp), webrtc=web)
    return party.agreed


def accept(party: Party, text: str) -> sdp.Negotiated:
    """Take the answer to our offer. Raises `SdpError`."""
    party.agreed = sdp.read_answer(text, party.said)
    return party.agreed


def succeed(party: Party, other: Party) -> None:
    """Let a party stand where another stood: the same far end, in another part."""
    party.media, party.agreed, party.moved = other.media, other.agreed, other.moved
    party.version, party.said = other.version, other.said


def restarts_ice(party: Party, text: str) -> bool:
    """Whether an offer asks for an ICE restart: its user name and password are new (RFC 8839 section 4.4.1.1.1). What
    cannot be read asks for nothing."""
    before = party.agreed.webrtc if party.agreed is not None else None
    after = sdp.transport_of(text)
    return before is not None and after is not None and (before.ufrag, before.password) != (after.ufrag, after.password)


def _say(party: Party, text: str) -> str:
    """Return our description: the last one again where nothing is changed (RFC 3264 section 8: the version stays), else
    a new one, with the next version."""
    if not (party.said and sdp.is_same(party.said, text)):
        party.said, party.version = text, party.version + 1
    party.moved = False  # whoever is told anything is told where the leg is now
    return party.said


def connection(party: Party, *, nowhere: bool = False) -> ConnectLeg:
    """Return the command that connects the leg as agreed; `nowhere`: it is heard, and not spoken to yet.

    A browser that still has to be told that its leg has moved is not connected: what it has agreed to was another
    worker's.
    """
    agreed = party.agreed
    if agreed is None:
        raise ValueError(f"nothing is agreed on with {party.leg}")
    if party.moved and agreed.webrtc is not None:
        agreed, nowhere = msgspec.structs.replace(agreed, webrtc=None), True
    return ConnectLeg(
        party.leg,
        sdp.NOWHERE if nowhere else agreed.address,
        0 if nowhere else agreed.port,
        agreed.payload_type,
        agreed.telephone_event,
        agreed.codec,
        agreed.webrtc,
        agreed.direction,
        agreed.srtp,
        agreed.receives,
        agreed.event_clock,
    )


def is_holding(party: Party) -> bool:
    """Whether the far end has put us on hold: it does not want to hear us."""
    return party.agreed is not None and party.agreed.direction in ("recvonly", "inactive")


def _capabilities(board: Board, party: Party, *, secure: Secure = "no") -> sdp.Capabilities:
    if party.media is None:
        raise ValueError(f"leg {party.leg} is not open")
    srtp = board.settings.srtp
    return sdp.Capabilities(
        # Browsers are told every address by ICE.
        address=party.media.address
        if party.media.webrtc is not None
        else board.settings.media_address or party.media.address,
        port=party.media.port,
        session_id=party.session_id,
        codecs=board.settings.codecs,
        webrtc=_ours(party.media.webrtc, party.agreed, party.said),
        version=party.version + 1,
        keys=() if srtp == "off" else party.media.keys,
        secure=secure != "no",
        savp=secure == "must",
        srtp_required=srtp == "required",
        standing=party.agreed,
    )


def _ours(webrtc: WebRtc | None, agreed: sdp.Negotiated | None, said: str) -> WebRtc | None:
    """Our WebRTC side; where there is a DTLS association already, in the role that we have in it. With another
    certificate than we `said` there is none (another media worker)."""
    if webrtc is None or agreed is None or agreed.webrtc is None or webrtc.fingerprint not in said:
        return webrtc
    return msgspec.structs.replace(webrtc, setup="passive" if agreed.webrtc.setup == "active" else "active")


def _in_its_role(theirs: WebRtc | None, agreed: sdp.Negotiated | None) -> WebRtc | None:
    """Their side in the role that it has in the association: every new offer says `actpass` (RFC 8842 section 5.3),
    which changes no role, and must not be taken for one in the offer after it."""
    if theirs is None or agreed is None or agreed.webrtc is None:
        return theirs
    return msgspec.structs.replace(theirs, setup=agreed.webrtc.setup)


def _may_follow(before: WebRtc | None, after: WebRtc | None) -> bool:
    """Whether one far end may take the place of another: a new DTLS association takes new ICE (RFC 8842 section 4)."""
    if before is None or after is None:
        return before is after
    restarted = (before.ufrag, before.password) != (after.ufrag, after.password)
    return restarted or before.fingerprint == after.fingerprint
