"""For any offer: what is answered obeys RFC 3264, first and in the middle of a session, with keys and without."""

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import SrtpKey
from telephony.sdp import Capabilities, SdpError, is_same
from tests.telephony.sdp import rules
from tests.telephony.sdp.offers import KEYS, key, offers

POLICIES = st.sampled_from([((), False), (KEYS, False), (KEYS, True)])


def ours(
    policy: tuple[tuple[SrtpKey, ...], bool], standing: sdp.Negotiated | None = None, version: int = 1
) -> Capabilities:
    keys, required = policy
    return Capabilities(
        "192.0.2.1", 20000, 42, version=version, keys=keys, srtp_required=required, secure=True, standing=standing
    )


def _check_refusal(refused: SdpError) -> None:
    assert refused.status in (400, 488)
    assert refused.warning >= 300


@given(offers(), POLICIES)
def test_every_answer_obeys_the_rules(offer: str, policy: tuple[tuple[SrtpKey, ...], bool]) -> None:
    try:
        agreed = sdp.answer(offer, ours(policy))
    except SdpError as refused:
        _check_refusal(refused)
        return
    rules.check_answer(offer, agreed.sdp)
    answered = rules.read(agreed.sdp)
    assert sum(stream.port != 0 for stream in answered.streams) == 1
    assert answered.streams[agreed.chosen].port == 20000
    if policy[1]:
        assert agreed.srtp is not None
    if not policy[0]:
        assert agreed.srtp is None
        assert "crypto" not in agreed.sdp


@settings(max_examples=40)
@given(st.lists(offers(at_least=2), min_size=2, max_size=4), POLICIES)
def test_every_later_answer_obeys_them_too(many: list[str], policy: tuple[tuple[SrtpKey, ...], bool]) -> None:
    said, standing, version = "", None, 0
    for offer in many:
        try:
            agreed = sdp.answer(offer, ours(policy, standing, version + 1))
        except SdpError:
            continue
        rules.check_answer(offer, agreed.sdp)
        text = said if said and is_same(said, agreed.sdp) else agreed.sdp
        if said:
            rules.check_next(said, text)
        said, standing, version = text, agreed, rules.version(text)


@given(offers(), st.booleans(), POLICIES)
def test_our_offer_in_the_middle_keeps_every_stream_in_its_place(
    offer: str, prefers: bool, policy: tuple[tuple[SrtpKey, ...], bool]
) -> None:
    try:
        standing = sdp.answer(offer, ours(policy))
    except SdpError:
        return
    again = sdp.offer(ours(policy, standing, 2), "PCMA" if prefers else None)
    before, after = rules.read(standing.sdp), rules.read(again)
    assert [(each.kind, each.protocol) for each in after.streams] == [
        (each.kind, each.protocol) for each in before.streams
    ]
    assert [bool(each.port) for each in after.streams] == [bool(each.port) for each in before.streams]
    assert rules.version(again) == 2
    keys = after.streams[standing.chosen].values("crypto")
    assert len(keys) == (standing.srtp is not None)
    if standing.srtp is not None:
        assert standing.srtp.ours in keys[0]


@given(POLICIES, POLICIES)
def test_two_of_us_agree_or_say_why_not(
    one: tuple[tuple[SrtpKey, ...], bool], other: tuple[tuple[SrtpKey, ...], bool]
) -> None:
    theirs = Capabilities(
        "192.0.2.2",
        30000,
        7,
        keys=tuple(SrtpKey(each.suite, key(each.suite, 99)) for each in other[0]),
        srtp_required=other[1],
    )
    offer = sdp.offer(ours(one))
    try:
        answered = sdp.answer(offer, theirs)
    except SdpError:
        assert one[1] != other[1]
        return
    agreed = sdp.read_answer(answered.sdp, offer)
    rules.check_answer(offer, answered.sdp)
    assert (agreed.srtp is None) == (answered.srtp is None) == (not one[0] or not other[0])
    if agreed.srtp is not None and answered.srtp is not None:
        assert agreed.srtp.suite == "AEAD_AES_256_GCM"
        assert (agreed.srtp.ours, agreed.srtp.theirs) == (answered.srtp.theirs, answered.srtp.ours)


@given(offers(), offers())
def test_no_answer_makes_anything_but_an_sdp_error(offer: str, answer: str) -> None:
    try:
        agreed = sdp.read_answer(answer, offer)
    except SdpError:
        return
    assert agreed.payload_type in (0, 8, 9, 96)


@given(st.binary(max_size=400))
def test_no_octets_make_anything_but_an_sdp_error(octets: bytes) -> None:
    for text in (
        octets.decode("utf-8", "surrogateescape"),
        "v=0\r\nm=audio 4000 RTP/AVP 0\r\na=crypto:" + octets.decode("latin-1"),
    ):
        for read in (lambda text: sdp.answer(text, ours((KEYS, False))), sdp.read_answer, sdp.parse):
            try:
                read(text)
            except SdpError:
                continue


def test_the_offers_are_not_all_refused() -> None:
    """Else the properties above would say little."""
    counts = {"answered": 0, "encrypted": 0, "refused": 0}

    @settings(max_examples=200, database=None, derandomize=True)
    @given(offers())
    def count(offer: str) -> None:
        try:
            agreed = sdp.answer(offer, ours((KEYS, False)))
        except SdpError:
            counts["refused"] += 1
        else:
            counts["encrypted" if agreed.srtp is not None else "answered"] += 1

    count()
    assert min(counts.values()) >= 20
