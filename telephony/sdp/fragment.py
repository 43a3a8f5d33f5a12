"""Candidates that come after their description, as an INFO carries them (RFC 8840 section 9: trickle-ice-sdpfrag)."""

from typing import Final

from telephony.sdp.description import SdpError, parse
from telephony.sdp.webrtc import MAX_CANDIDATES, MAX_WORD

TYPE: Final = "application/trickle-ice-sdpfrag"
PACKAGE: Final = "trickle-ice"
"""Both the option tag and the INFO package."""


def read(text: str) -> tuple[str, tuple[str, ...], bool]:
    """Return the user name of the ICE session that candidates are of, the candidates, and whether they are the last.
    Raises `SdpError` where there is no user name."""
    ufrag, complete = "", False
    candidates: list[str] = []
    for line in text.splitlines():
        name, _, value = line.removeprefix("a=").partition(":") if line.startswith("a=") else ("", "", "")
        if len(value) > MAX_WORD:
            continue
        if name == "ice-ufrag":
            ufrag = ufrag or value.strip()
        elif name == "candidate" and len(candidates) < MAX_CANDIDATES:
            candidates.append(value.strip())
        elif name == "end-of-candidates":
            complete = True
    if not ufrag:
        raise SdpError("no a=ice-ufrag that says whose candidates these are")
    return ufrag, tuple(candidates), complete


def write(description: str, ufrag: str, candidates: tuple[str, ...], *, complete: bool) -> str:
    """Return the fragment with further candidates to a description of ours; `""` where that is of another ICE
    session."""
    media = next((each for each in parse(description).media if each.port and each.attributes("ice-ufrag")), None)
    if media is None or media.attributes("ice-ufrag")[0] != ufrag:
        return ""
    mid = media.attributes("mid")[0]
    lines = [
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{media.attributes('ice-pwd')[0]}",
        f"m=audio 9 {media.protocol} {' '.join(media.formats)}",
        f"a=mid:{mid}",
        *(f"a=candidate:{candidate}" for candidate in candidates),
        *(["a=end-of-candidates"] if complete else []),
    ]
    return "\r\n".join((*lines, ""))
