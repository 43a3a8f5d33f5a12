"""The command-line phone on loopback, as a process, against our endpoint."""

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from hotline import phone
from telephony import sdp
from telephony.events import (
    BindingChanged,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    RegistrationRefused,
    Reject,
    Ring,
)
from tests.hotline.phone.world import (
    LOOPBACK,
    PASSWORD,
    USER,
    PhoneProcess,
    Server,
    is_as_good_as_g711,
    keys_in,
    place_of,
    read_wav,
    through_g711,
    voice_like,
    write_wav,
)

NUMBER = "19001234"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    server.close()


@pytest.fixture
async def phones(server: Server) -> AsyncIterator[list[PhoneProcess]]:
    phones: list[PhoneProcess] = []
    yield phones
    for one in phones:
        one.kill()
        await one.process.wait()


@pytest.fixture
def caller(server: Server, phones: list[PhoneProcess]) -> "Start":
    return Start(server, phones, ("call", NUMBER))


@pytest.fixture
def desk(server: Server, phones: list[PhoneProcess]) -> "Start":
    return Start(server, phones, ("agent", "--user", USER, "--password", PASSWORD, "--answer-after", "0.3"))


class Start:
    """Starts a phone with more arguments."""

    def __init__(self, server: Server, phones: list[PhoneProcess], arguments: tuple[str, ...]) -> None:
        self._server, self._phones, self._arguments = server, phones, arguments

    async def __call__(self, *more: str) -> PhoneProcess:
        phone = await PhoneProcess.start(*self._arguments, "--server", self._server.address, *more)
        self._phones.append(phone)
        return phone


class TestCall:
    async def test_keys_are_heard_as_tones_and_speech_as_it_was(
        self, server: Server, caller: Start, tmp_path: Path
    ) -> None:
        spoken = voice_like(1.0)
        phone = await caller(
            *(
                "--from",
                "0084 912-345-678",
                "--press",
                "0.3s 1#,2",
                "--play",
                str(write_wav(tmp_path / "s.wav", spoken)),
            ),
            *("--play-after", "0.4", "--seconds", "4"),
        )
        invited = await server.until(InviteReceived)
        assert (invited.number, invited.dnis, invited.withheld) == ("0084912345678", NUMBER, False)
        await server.until(DialogConfirmed)
        ended = await server.until(DialogEnded)
        assert ended.ending == "bye"
        assert await phone.end() == 0
        assert phone.events() == ["answered", "pressed", "pressed", "pressed", "speaking", "ended"]
        assert [line["key"] for line in phone.lines if line["event"] == "pressed"] == ["1", "#", "2"]
        heard = server.rtp.heard()
        assert keys_in(heard) == "1#2"
        speaking = next(line for line in phone.lines if line["event"] == "speaking")
        assert speaking["end"] - speaking["start"] == pytest.approx(1.0, abs=0.1)
        begin = place_of(spoken, heard)
        assert is_as_good_as_g711(heard[begin : begin + len(spoken)], spoken)
        # 0.3 s, two keys, a second, a key of 0.3 s each, 0.4 s
        assert begin == pytest.approx((0.3 + 0.6 + 1.0 + 0.3 + 0.4) * 8000, abs=1)

    async def test_packets_leave_every_twenty_milliseconds_and_count_well(self, server: Server, caller: Start) -> None:
        phone = await caller("--seconds", "3")
        await server.until(DialogEnded)
        assert await phone.end() == 0
        sequences = [int.from_bytes(packet[2:4], "big") for packet in server.rtp.packets]
        timestamps = [int.from_bytes(packet[4:8], "big") for packet in server.rtp.packets]
        assert np.diff(sequences).tolist() == [1] * (len(sequences) - 1)
        assert np.diff(timestamps).tolist() == [160] * (len(timestamps) - 1)
        assert [packet[1] >> 7 for packet in server.rtp.packets] == [1] + [0] * (len(sequences) - 1)
        assert len({packet[8:12] for packet in server.rtp.packets}) == 1
        # On absolute deadlines nothing adds up, however late a single packet may be.
        drift = np.array(server.rtp.came_at) - np.arange(len(sequences)) * 0.02
        assert abs(np.median(drift[-50:]) - np.median(drift[:50])) < 0.01
        assert phone.lines[-1]["packets_sent"] == len(sequences)

    @pytest.mark.parametrize("law", [0, 8])
    async def test_the_recording_is_what_was_sent(
        self, server: Server, caller: Start, tmp_path: Path, law: int
    ) -> None:
        server.codecs = (law,)
        phone = await caller("--record", str(tmp_path / "heard.wav"), "--seconds", "2.5")
        assert (await phone.until("answered"))["codec"] == ("PCMA" if law else "PCMU")
        said = voice_like(1.5, seed=law)
        server.rtp.talk(said, lost=frozenset({20}), swapped=40)
        await server.until(DialogEnded)
        assert await phone.end() == 0
        expected = through_g711(said, law)
        expected[20 * 160 : 21 * 160] = 0
        heard = read_wav(tmp_path / "heard.wav")
        begin = place_of(expected, heard)
        assert np.array_equal(heard[begin : begin + len(expected)], expected)
        assert phone.lines[-1]["packets_received"] == 74

    async def test_the_far_end_hangs_up(self, server: Server, caller: Start) -> None:
        phone = await caller("--say", "Xin chào, tôi muốn hỏi về đơn hàng của tôi", "--say-after", "0.1")
        invited = await server.until(InviteReceived)
        await server.until(DialogConfirmed)
        await asyncio.sleep(0.6)
        server.perform(Hangup(invited.dialog))
        assert await phone.end() == 0
        assert phone.lines[-1]["by"] == "far_end"
        speaking = next(line for line in phone.lines if line["event"] == "speaking")
        assert 0.1 < speaking["end"] - speaking["start"] < 1.5

    async def test_it_rings_before_it_is_answered(self, server: Server, caller: Start) -> None:
        server.answers = False
        phone = await caller("--seconds", "0.2")
        invited = await server.until(InviteReceived)
        server.perform(Ring(invited.dialog))
        assert await phone.until("ringing") == phone.lines[-1]
        server.answer(invited)
        assert await phone.end() == 0
        assert phone.events() == ["ringing", "answered", "ended"]

    @pytest.mark.parametrize("status", [404, 486])
    async def test_a_refusal_is_told_with_its_status(self, server: Server, caller: Start, status: int) -> None:
        server.answers = False
        phone = await caller()
        invited = await server.until(InviteReceived)
        server.perform(Reject(invited.dialog, status, "No"))
        assert await phone.end() == 1
        assert (phone.lines[-1]["ok"], phone.lines[-1]["status"]) == (False, status)
        assert str(status) in phone.lines[-1]["reason"]

    async def test_no_answer_is_cancelled_after_its_time(self, server: Server, caller: Start) -> None:
        server.answers = False
        phone = await caller("--answer-timeout", "0.7")
        invited = await server.until(InviteReceived)
        server.perform(Ring(invited.dialog))
        ended = await server.until(DialogEnded)
        assert (ended.dialog, ended.ending) == (invited.dialog, "cancelled")
        assert await phone.end() == 1
        assert phone.lines[-1]["reason"] == "no answer within 0.7 s"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_being_stopped_ends_the_call_in_order(
        self, server: Server, caller: Start, tmp_path: Path, number: signal.Signals
    ) -> None:
        phone = await caller("--record", str(tmp_path / "heard.wav"))
        await phone.until("answered")
        await server.until(DialogConfirmed)
        server.rtp.talk(voice_like(0.4))
        await server.rtp.talked()
        phone.process.send_signal(number)
        assert (await server.until(DialogEnded)).ending == "bye"
        assert await phone.end() == 0
        assert len(read_wav(tmp_path / "heard.wav")) >= 0.4 * 8000

    async def test_being_stopped_while_it_rings_cancels(self, server: Server, caller: Start) -> None:
        server.answers = False
        phone = await caller()
        server.perform(Ring((await server.until(InviteReceived)).dialog))
        await phone.until("ringing")
        phone.process.terminate()
        assert (await server.until(DialogEnded)).ending == "cancelled"
        assert await phone.end() == 1

    async def test_nobody_at_the_address_is_told_at_once(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind((LOOPBACK, 0))
            address = f"{LOOPBACK}:{unused.getsockname()[1]}"
        phone = await PhoneProcess.start("call", NUMBER, "--server", address)
        assert await phone.end() == 1
        assert phone.lines[-1]["reason"] == f"nothing listens at {address}"

    async def test_a_server_that_is_silent_is_given_up(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((LOOPBACK, 0))
            address = f"{LOOPBACK}:{silent.getsockname()[1]}"
            phone = await PhoneProcess.start("call", NUMBER, "--server", address)
            assert await phone.end() == 1
            assert phone.lines[-1]["reason"] == f"no answer to INVITE from {address}"
            silent.setblocking(False)
            invites: list[bytes] = []
            while len(invites) < 9:
                try:
                    invites.append(silent.recv(4096))
                except BlockingIOError:
                    break
        assert len(invites) == 5  # at 0, 0.5, 1.5, 3.5 and 7.5 s
        assert len(set(invites)) == 1

    @pytest.mark.parametrize("hidden", [("--from", "anonymous"), ()])
    async def test_a_withheld_number(self, server: Server, caller: Start, hidden: tuple[str, ...]) -> None:
        phone = await caller("--seconds", "0.1", *hidden)
        invited = await server.until(InviteReceived)
        assert (invited.withheld, invited.number) == (True, "")
        assert await phone.end() == 0

    async def test_with_a_user_it_registers_first_and_leaves_last(self, server: Server, caller: Start) -> None:
        phone = await caller("--user", USER, "--password", PASSWORD, "--seconds", "0.2")
        assert (await server.until(BindingChanged)).contacts == 1
        assert (await server.until(InviteReceived)).number == USER
        assert (await server.until(BindingChanged)).contacts == 0
        assert await phone.end() == 0
        assert phone.events() == ["registered", "answered", "ended"]

    async def test_a_wrong_password_is_told(self, server: Server, caller: Start) -> None:
        phone = await caller("--user", USER, "--password", "wrong")
        await server.until(RegistrationRefused)
        assert await phone.end() == 1
        assert phone.lines[-1]["reason"] == f"wrong password for {USER}, or no such user"


class TestAgent:
    async def test_registers_answers_talks_and_records(self, server: Server, desk: Start, tmp_path: Path) -> None:
        spoken, said = voice_like(1.0, seed=1), voice_like(1.5, seed=2)
        phone = await desk(
            *("--play", str(write_wav(tmp_path / "s.wav", spoken)), "--play-after", "0.5"),
            *("--record", str(tmp_path / "heard.wav")),
        )
        binding = await server.until(BindingChanged)
        assert (binding.user, binding.contacts) == (USER, 1)
        assert (await phone.until("registered"))["user"] == USER
        server.perform(self.invite(server))
        await server.until(DialogRinging)
        ringing = await phone.until("ringing")
        assert (ringing["number"], ringing["name"]) == ("+84912345678", "Lan Trần")
        answered = await server.until(DialogAnswered)
        server.connect(sdp.read_answer(answered.sdp))
        server.rtp.talk(said)
        await server.rtp.talked()
        await asyncio.sleep(0.3)
        server.perform(Hangup("out"))
        assert (await server.until(BindingChanged)).contacts == 0
        assert await phone.end() == 0
        assert phone.events() == ["registered", "ringing", "answered", "speaking", "ended"]
        assert phone.lines[-1]["by"] == "far_end"
        heard, sent = read_wav(tmp_path / "heard.wav"), server.rtp.heard()
        begin = place_of(said, heard)
        assert np.array_equal(heard[begin : begin + len(said)], through_g711(said, 0))
        begin = place_of(spoken, sent)
        assert is_as_good_as_g711(sent[begin : begin + len(spoken)], spoken)

    async def test_it_hangs_up_itself(self, server: Server, desk: Start) -> None:
        phone = await desk("--seconds", "2")
        await phone.until("registered")
        server.perform(self.invite(server))
        server.connect(sdp.read_answer((await server.until(DialogAnswered)).sdp))
        assert (await server.until(DialogEnded)).ending == "bye"
        assert await phone.end() == 0
        assert phone.lines[-1]["by"] == "us"

    async def test_a_caller_who_gives_up_leaves_it_waiting_for_the_next(self, server: Server, desk: Start) -> None:
        phone = await desk("--answer-after", "0.8")
        await phone.until("registered")
        server.perform(self.invite(server))
        await phone.until("ringing")
        server.perform(Hangup("out"))
        assert (await server.until(DialogEnded)).ending == "local"
        server.perform(self.invite(server, "again"))
        server.connect(sdp.read_answer((await server.until(DialogAnswered)).sdp))
        server.perform(Hangup("again"))
        assert await phone.end() == 0
        assert phone.events() == ["registered", "ringing", "ringing", "answered", "ended"]

    async def test_no_call_is_told_and_stopping_takes_the_registration_back(self, server: Server, desk: Start) -> None:
        phone = await desk("--seconds", "0.5")
        assert await phone.end() == 1
        assert phone.lines[-1]["reason"] == "no call came"
        assert (await server.until(BindingChanged)).contacts == 1
        assert (await server.until(BindingChanged)).contacts == 0

    @staticmethod
    def invite(server: Server, dialog: str = "out") -> Invite:
        return Invite(dialog, USER, "+84912345678", "Lan Trần", sdp.offer(server.capabilities()))


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--press", "1 x"), "'X' is no key"),
            (("--play", "nowhere.wav"), "nowhere.wav cannot be read"),
            (("--record", "/nowhere/heard.wav"), "there is no folder /nowhere"),
            (("--server", "127.0.0.1:0"), "write HOST or HOST:PORT"),
            (("--server", "nowhere.invalid"), "no IPv4 address"),
            (("--from", "a b@c"), "is no number"),
        ],
    )
    def test_is_told_before_anybody_is_called(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
    ) -> None:
        pytest.importorskip("pyVoIP")
        assert phone.main(["call", NUMBER, "--server", "127.0.0.1", *arguments]) == 1
        assert reason in capsys.readouterr().out

    def test_without_pyvoip_the_command_that_installs_it_is_told(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pyVoIP.VoIP", None)
        for name in ("line", "sip", "registration", "pyvoip"):
            monkeypatch.delitem(sys.modules, f"hotline.phone.{name}", raising=False)
            monkeypatch.delattr(f"hotline.phone.{name}", raising=False)
        assert phone.call(NUMBER, server="127.0.0.1") == 1
        assert "pip install 'hotline[phone]'" in capsys.readouterr().out

    async def test_in_a_thread_it_calls_without_signals(
        self, server: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status = await asyncio.to_thread(phone.call, NUMBER, server=server.address, press="5", seconds=1.6)
        assert status == 0
        assert keys_in(server.rtp.heard()) == "5"
        assert "pressed 5" in capsys.readouterr().out
        assert [thread.name for thread in threading.enumerate() if thread.name in {"SIP", "RTP"}] == []
