"""Offers of every sort, for property tests: streams that we speak, streams that we do not, and broken lines."""

import base64

from hypothesis import strategies as st

from telephony.events import SrtpKey
from telephony.sdp.sdes import OCTETS


def key(suite: str, seed: int) -> str:
    octets = next(length for name, length in OCTETS.items() if name == suite)
    return base64.b64encode(bytes((seed + i) % 256 for i in range(octets))).decode()


KEYS = tuple(SrtpKey(suite, key(suite, 7)) for suite in OCTETS)

suites = st.sampled_from([*OCTETS, "F8_128_HMAC_SHA1_80", "nonsense"])
endings = st.sampled_from(
    ["", "|2^31", "|1048576", "|2^20|1:4", "|1:4", " WSH=64", " UNENCRYPTED_SRTP", " KDR=1", " -X=1"]
)
codec_lines = {
    "0": "a=rtpmap:0 PCMU/8000",
    "8": "a=rtpmap:8 PCMA/8000/1",
    "9": "a=rtpmap:9 G722/8000",
    "13": "a=rtpmap:13 CN/8000",
    "18": "a=rtpmap:18 G729/8000",
    "96": "a=rtpmap:96 opus/48000/2",
    "97": "a=rtpmap:97 telephone-event/8000",
    "101": "a=rtpmap:101 telephone-event/8000",
    "110": "a=rtpmap:110 telephone-event/48000",
}
others = st.sampled_from(
    [
        "a=ptime:10",
        "a=maxptime:150",
        "a=rtcp:4003 IN IP4 192.0.2.2",
        "a=rtcp-mux",
        "a=fmtp:101 0-16",
        "a=mid:0",
        "b=AS:64",
        "a=candidate:1 1 UDP 1 192.0.2.2 4000 typ host",
    ]
)
protocols = st.sampled_from(
    ["RTP/AVP"] * 5 + ["RTP/SAVP"] * 3 + ["RTP/AVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/RTP/AVP"]
)
directions = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
addresses = st.sampled_from(["192.0.2.2", "192.0.2.3", "0.0.0.0", "239.1.1.1/127", "phone.example"])


@st.composite
def cryptos(draw: st.DrawFn) -> str:
    suite = draw(suites)
    material = key(suite if suite in OCTETS else "AEAD_AES_128_GCM", draw(st.integers(0, 5)))
    ending = draw(endings)
    return f"a=crypto:{draw(st.integers(0, 4))} {suite} inline:{material}{ending}"


@st.composite
def audio(draw: st.DrawFn) -> list[str]:
    ours = draw(st.sampled_from([["0"], ["8"], ["8", "0"], []]))
    more = [each for each in codec_lines if each not in ours]
    formats = ours + draw(st.lists(st.sampled_from(more), min_size=not ours, max_size=4, unique=True))
    protocol = draw(
        st.sampled_from(["RTP/AVP"] * 3 + ["RTP/SAVP", "RTP/AVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/RTP/AVP"])
    )
    port = draw(st.sampled_from([0, 4000, 4000, 4002]))
    lines = [f"m=audio {port} {protocol} {' '.join(formats)}"]
    if draw(st.integers(0, 9)) == 0:
        lines.append(f"c=IN IP4 {draw(addresses)}")
    lines += [codec_lines[each] for each in formats if each not in ("0", "8") or draw(st.booleans())]
    lines += draw(st.lists(cryptos(), max_size=3))
    lines += draw(st.lists(others, max_size=3))
    lines += [f"a={each}" for each in draw(st.lists(directions, max_size=1))]
    return lines


other_streams = st.sampled_from(
    [
        ["m=video 9078 RTP/AVP 100", "a=rtpmap:100 VP8/90000"],
        ["m=image 5000 udptl t38", "a=T38FaxVersion:0"],
        ["m=application 6000 UDP/BFCP *"],
        ["m=message 7000 TCP/MSRP *", "a=path:msrp://192.0.2.2:7000/x;tcp"],
        ["m=video 0 RTP/AVP 31"],
    ]
)


@st.composite
def offers(draw: st.DrawFn, *, at_least: int = 0) -> str:
    """An offer with up to four streams; `at_least` so many of them."""
    head = ["v=0", f"o=- 1 {draw(st.integers(1, 9))} IN IP4 192.0.2.2", "s=-"]
    head.append(f"c=IN IP4 {draw(st.sampled_from(['192.0.2.2'] * 3 + ['0.0.0.0', '192.0.2.9']))}")
    head.append(draw(st.sampled_from(["t=0 0", "t=2873397496 2873404696"])))
    head += [f"a={each}" for each in draw(st.lists(directions, max_size=1))]
    streams = draw(st.lists(audio() | audio() | other_streams, min_size=max(1, at_least), max_size=max(4, at_least)))
    return "".join(f"{line}\r\n" for line in [*head, *(line for stream in streams for line in stream)])
