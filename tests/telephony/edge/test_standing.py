"""What another worker is to be told: how legs stand, whatever way they came to it."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from telephony.edge.standing import LOST, Standing
from telephony.events import (
    CloseLeg,
    Command,
    ConnectLeg,
    GuardKeys,
    IceRestarted,
    Join,
    Leave,
    LegOpened,
    OpenLeg,
    PauseRecording,
    PlaySamples,
    PromptFinished,
    RecordingStopped,
    ResumeRecording,
    Srtp,
    StartRecording,
    StartStream,
    StopPlaying,
    StopRecording,
    StopStream,
    StreamStopped,
    WebRtc,
)

CONNECT = ConnectLeg("a", "192.0.2.1", 4000, 0)
PLAY = PlaySamples("a", "p", ("x.raw",))
RECORD = StartRecording("r", "call", "a", "/spool/r.spool")
STREAM = StartStream("s", "a", "/run/audio")
WEB = WebRtc("u", "p", (), "sha-256 AB")


def told(*commands: Command) -> Standing:
    standing = Standing()
    for command in (OpenLeg("a"), *commands):
        standing.note(command, 0)
    return standing


def again(standing: Standing, *legs: str) -> list[Command]:
    return list(standing.again(list(legs or ("a",))))


def test_the_last_word_of_each_kind_counts() -> None:
    other = msgspec.structs.replace(CONNECT, port=4002)
    standing = told(Join("a", "b"), PLAY, CONNECT, other, Join("a", "b", "monitor"))
    assert again(standing) == [OpenLeg("a"), other, Join("a", "b", "monitor"), PLAY]


def test_a_guard_is_up_before_anybody_hears_the_leg() -> None:
    standing = told(Join("a", "b"), RECORD, GuardKeys("a", on=True))
    part = msgspec.structs.replace(RECORD, path="/spool/r.spool.1")
    assert again(standing) == [OpenLeg("a"), GuardKeys("a", on=True), Join("a", "b"), part]


def test_what_is_over_is_not_said_again() -> None:
    standing = told(Join("a", "b"), PLAY, Leave("a"), StopPlaying("a", "another"))
    assert again(standing) == [OpenLeg("a"), PLAY]
    standing.note(StopPlaying("a", "p"), 0)
    assert again(standing) == [OpenLeg("a")]
    standing.note(PLAY, 0)
    standing.heard(PromptFinished("a", "another", "finished", 1))
    standing.heard(PromptFinished("stranger", "p", "finished", 1))
    assert again(standing) == [OpenLeg("a"), PLAY]
    standing.heard(PromptFinished("a", "p", "finished", 1))
    assert again(standing) == [OpenLeg("a")]
    standing.note(CloseLeg("a"), 0)
    assert standing.legs == {}


def test_a_browser_has_to_agree_anew_and_an_encrypted_phone_has_not() -> None:
    assert again(told(msgspec.structs.replace(CONNECT, webrtc=WEB))) == [OpenLeg("a")]
    secured = msgspec.structs.replace(CONNECT, srtp=Srtp("AES_CM_128_HMAC_SHA1_80", "ours", "theirs"))
    assert again(told(secured)) == [OpenLeg("a"), secured]


def test_the_ports_that_a_far_end_sends_to_are_wanted_again() -> None:
    standing = told()
    standing.heard(LegOpened("a", "192.0.2.1", 4000))
    assert again(standing) == [OpenLeg("a", at=(("192.0.2.1", 4000),))]
    hosts = [f"{n} 1 udp 1 192.0.2.{n} 400{n} typ host" for n in (1, 2)]
    web = msgspec.structs.replace(
        WEB, candidates=(*hosts, "3 1 udp 1 198.51.100.7 9 typ srflx raddr 192.0.2.1 rport 1")
    )
    standing.heard(LegOpened("a", "192.0.2.1", 4000, web))
    assert again(standing) == [OpenLeg("a", at=(("192.0.2.1", 4001), ("192.0.2.2", 4002)))]
    standing.heard(IceRestarted("a", msgspec.structs.replace(web, candidates=tuple(hosts[1:]))))
    standing.heard(IceRestarted("a", None, "no address"))
    assert again(standing) == [OpenLeg("a", at=(("192.0.2.2", 4002),))]


def test_a_recording_goes_on_in_a_part_of_its_own() -> None:
    standing = told(RECORD, STREAM)
    part = msgspec.structs.replace(RECORD, path="/spool/r.spool.1")
    assert again(standing) == [OpenLeg("a"), part, STREAM]
    standing.note(PauseRecording("r"), 0)
    assert again(standing)[1:3] == [msgspec.structs.replace(RECORD, path="/spool/r.spool.2"), PauseRecording("r")]
    standing.note(ResumeRecording("r"), 0)
    assert again(standing)[1:] == [msgspec.structs.replace(RECORD, path="/spool/r.spool.3"), STREAM]


def test_in_every_part_a_leg_has_the_channel_that_it_had() -> None:
    standing = told(OpenLeg("b"), OpenLeg("c"), Join("c", "talk", "monitor"), Join("b", "talk"))
    standing.note(msgspec.structs.replace(RECORD, channels="legs"), 0)
    standing.note(Join("a", "talk"), 0)
    standing.note(CloseLeg("b"), 0)
    for command in (OpenLeg("d"), Join("d", "talk"), Join("d", "talk"), OpenLeg("e"), Join("e", "elsewhere")):
        standing.note(command, 0)
    assert standing.recordings["r"].order == ["a", "b", "d"]
    part = next(each for each in again(standing) if isinstance(each, StartRecording))
    assert part.order == ("a", "b", "d")


def test_what_was_being_stopped_is_over() -> None:
    standing = told(RECORD, STREAM, StopRecording("r"))
    assert again(standing) == [OpenLeg("a"), STREAM]
    assert standing.unfinished(0) == [RecordingStopped("r", 0, LOST)]
    assert standing.unfinished(1) == []
    standing.heard(RecordingStopped("r", 10))
    assert standing.unfinished(0) == []
    standing.note(CloseLeg("a"), 0)
    assert standing.unfinished(0) == [StreamStopped("s", 0, LOST)]
    standing.heard(StreamStopped("s", 1))
    assert (standing.streams, standing.recordings) == ({}, {})


def test_all_is_over_where_nobody_goes_on() -> None:
    standing = told(RECORD, STREAM)
    assert standing.unfinished(0) == []
    standing.give_up(["a"])
    assert standing.unfinished(0) == [RecordingStopped("r", 0, LOST), StreamStopped("s", 0, LOST)]
    standing.note(StopStream("s"), 0)
    assert standing.unfinished(0) == [RecordingStopped("r", 0, LOST)]
    assert standing.of_slot(0) == []


def test_deaths_long_ago_count_for_nothing() -> None:
    standing = told()
    assert [standing.hopeless(0, now) for now in (100.0, 130.0, 191.0, 200.0)] == [[], [], [], []]
    assert standing.hopeless(0, 210.0) == ["a"]


def test_where_things_are() -> None:
    standing = told(RECORD, STREAM)
    standing.note(OpenLeg("b"), 1)
    for message in (LegOpened("a", "", 1), StopRecording("r"), StopStream("s"), CloseLeg("a")):
        assert standing.slot_of(message) == 0
    assert standing.slot_of(Leave("b")) == 1
    assert standing.slot_of(Leave("stranger")) is None
    standing.note(Join("b", "bridge"), 1)
    assert standing.bridge_slot("bridge", "a") == 1
    assert standing.bridge_slot("bridge", "b") is None
    standing.move(["a"], 1)
    assert [standing.slot_of(each) for each in (Leave("a"), StopRecording("r"), StopStream("s"))] == [1, 1, 1]


words: st.SearchStrategy[Command] = st.sampled_from(
    [
        CONNECT,
        msgspec.structs.replace(CONNECT, port=4002),
        Join("a", "b"),
        Join("a", "c", "monitor"),
        GuardKeys("a", on=True),
        GuardKeys("a", on=False),
        Leave("a"),
        PLAY,
        PlaySamples("a", "q", ("y.raw",)),
        StopPlaying("a", "p"),
        StopPlaying("a", "q"),
    ]
)


def state(commands: Sequence[Command]) -> dict[str, object]:
    """How a worker's leg stands after commands, by the meaning that `telephony.events` gives them."""
    stands: dict[str, object] = {}
    for command in commands:
        match command:
            case ConnectLeg():
                stands["far end"] = command
            case GuardKeys():
                stands["guard"] = command
            case Join():
                stands["bridge"] = command
            case Leave():
                stands.pop("bridge", None)
            case PlaySamples():
                stands["playing"] = command
            case StopPlaying():
                playing = stands.get("playing")
                if isinstance(playing, PlaySamples) and playing.playback == command.playback:
                    del stands["playing"]
            case _:
                pass
    return stands


@given(st.lists(words, max_size=30))
def test_whoever_is_told_again_stands_as_the_first(commands: list[Command]) -> None:
    assert state(again(told(*commands))) == state(commands)
