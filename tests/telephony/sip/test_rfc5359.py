"""The service flows of RFC 5359, in virtual time, each named after its section.

The phones are endpoints of ours or scripted; the hotline stands where the RFC has the far end, the transferee or the
notifier. It is a B2BUA: what a phone is transferred to is called by the hotline, not by the phone's partner.

Not here, since no role of theirs is ours:

- 2.6 Transfer - Instant Messaging: a transfer between two phones that is told by a text.
- 2.11 3-Way Conference - Third Party Joins: Join (RFC 3911) is none of our extensions; three talk in a bridge of ours.
- 2.13, 2.14 Call Management (screening): a proxy's; a caller that it refuses is 3.9 of RFC 3665.
- 2.18 Click to Dial: a REFER outside a dialog. Both ends of a call that an agent asks for are called by the hotline;
  such a REFER is refused (`test_2_18`).

A 302 ends the call as any refusal does (RFC 3665, 3.6): forwarding (2.7 to 2.9) is what a proxy before us does, which
we see as 181 and a fork, or, behind us, as an INVITE with the number that was dialled first.
"""

import pytest

from telephony import sdp
from telephony.events import (
    AgentState,
    Answer,
    AnswerSession,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    LampCall,
    OfferSession,
    Refer,
    ReferProgressed,
    ReferReceived,
    Ring,
    SessionAnswered,
    SessionOffered,
    SipCommand,
    SipEvent,
    TellLamp,
    TellRefer,
)
from telephony.sip.message import Request, parse_datagram
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.messages import OFFER, Bench, prove, write_request
from tests.telephony.sip.scripted import Scripted
from tests.telephony.sip.watcher import Watcher, lamp
from tests.telephony.sip.wire import DESK, HOTLINE, Pair, capabilities, make_endpoint

PHONE = ("192.0.2.31", 5060)
LAN = ("192.0.2.32", 5060)
NAMES = {HOTLINE: "hotline", DESK: "bob", PHONE: "phone", LAN: "carol"}


def direction(offer: str, word: str) -> str:
    return offer.replace("a=sendrecv", f"a={word}")


def accepting(event: SipEvent) -> list[SipCommand]:
    """Answer every offer at once."""
    if isinstance(event, SessionOffered):
        return [AnswerSession(event.dialog, sdp.answer(event.sdp, capabilities(HOTLINE)).sdp)]
    return []


class Three(Pair):
    """The hotline, Bob's phone and Carol's, all of them endpoints of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.carol = self.attach(LAN, make_endpoint(LAN, "c", EndpointSettings(address=LAN, domain="carol.example")))
        self.hotline.restore({"lan": [(f"sip:lan@{LAN[0]}", *LAN, 1e9)]}, 0.0)
        for address in (HOTLINE, DESK, LAN):
            self.reactions[address] = accepting

    def ring_carol(self) -> str:
        """Let the hotline call Carol, who answers; returns the dialog."""
        self.perform(HOTLINE, Invite("carol", "lan", "+84912345678", "Lan", sdp.offer(capabilities(HOTLINE))))
        self.run(0.1)
        (invite,) = self.invites(LAN)
        self.perform(LAN, Answer(invite.dialog, sdp.answer(invite.sdp, capabilities(LAN)).sdp))
        self.run(0.1)
        return "carol"

    def bobs_dialog(self) -> str:
        return self.invites(DESK)[0].dialog

    def hang_up(self) -> None:
        for dialog in ("out", "carol"):
            self.perform(HOTLINE, Hangup(dialog))
        self.settle()
        for endpoint in self.endpoints.values():
            assert endpoint.load()[:2] == (0, 0)


class TestHold:
    @pytest.mark.parametrize("holder", [DESK, HOTLINE], ids=["the phone holds", "we hold"])
    def test_2_1_call_hold(self, holder: tuple[str, int]) -> None:
        three = Three()
        three.establish()
        held = HOTLINE if holder == DESK else DESK
        dialog = three.bobs_dialog() if holder == DESK else "out"
        talk = sdp.offer(capabilities(holder))
        before = len(three.sent)
        three.perform(holder, OfferSession(dialog, direction(talk, "sendonly")))
        three.run(0.1)
        assert "a=sendonly" in three.told(held, SessionOffered)[-1].sdp
        assert "a=recvonly" in three.told(holder, SessionAnswered)[-1].sdp
        three.perform(holder, OfferSession(dialog, talk))
        three.run(0.1)
        assert "a=sendrecv" in three.told(held, SessionOffered)[-1].sdp
        one, other = NAMES[holder], NAMES[held]
        change = [f"{one}>{other} INVITE", f"{other}>{one} 100", f"{other}>{one} 200", f"{one}>{other} ACK"]
        assert three.trace(NAMES)[before:] == change * 2
        three.hang_up()

    def test_2_2_consultation_hold(self) -> None:
        """Bob holds the caller, asks Carol, and is back."""
        three = Three()
        three.establish()
        bob = three.bobs_dialog()
        talk = sdp.offer(capabilities(DESK))
        three.perform(DESK, OfferSession(bob, direction(talk, "sendonly")))
        three.run(0.1)
        three.desk.restore({"lan": [(f"sip:lan@{LAN[0]}", *LAN, 1e9)]}, three.now)
        three.perform(DESK, Invite("ask", "lan", "desk", "Bob", talk))
        three.run(0.1)
        (invite,) = three.invites(LAN)
        three.perform(LAN, Answer(invite.dialog, sdp.answer(invite.sdp, capabilities(LAN)).sdp))
        three.run(0.1)
        three.perform(DESK, Hangup("ask"))
        three.run(0.1)
        three.perform(DESK, OfferSession(bob, talk))
        three.run(0.1)
        assert [event.ending for event in three.told(LAN, DialogEnded)] == ["bye"]
        assert "a=sendrecv" in three.told(HOTLINE, SessionOffered)[-1].sdp
        assert three.told(HOTLINE, DialogEnded) == []
        three.hang_up()

    def test_2_3_music_on_hold(self) -> None:
        """Bob's phone asks for our offer (re-INVITE without SDP) and gives it to a music server, whose answer it brings
        with the ACK: we send nothing to a stream that only sends."""
        three = Three()
        bob = Scripted(three, PHONE, "bob")
        bob.invite("1900", OFFER)
        three.run(0.1)
        invite = three.invites(HOTLINE)[-1]
        three.perform(HOTLINE, Answer(invite.dialog, sdp.answer(invite.sdp, capabilities(HOTLINE)).sdp))
        three.run(0.1)
        bob.response(200)
        bob.ack()
        three.run(0.1)
        three.reactions.pop(HOTLINE)
        bob.say("INVITE")
        three.run(0.1)
        assert three.told(HOTLINE, SessionOffered) == [SessionOffered(invite.dialog, "")]
        three.perform(HOTLINE, AnswerSession(invite.dialog, sdp.offer(capabilities(HOTLINE))))
        three.run(0.1)
        assert b"a=sendrecv" in bob.response(200).body
        music = OFFER.replace("192.0.2.2", "192.0.2.99") + "a=sendonly\r\n"
        bob.ack(music)
        three.run(0.1)
        assert three.told(HOTLINE, SessionAnswered) == [SessionAnswered(invite.dialog, music)]
        bob.say("BYE")
        three.settle()
        assert three.hotline.load()[:2] == (0, 0)


class TestTransfer:
    def test_2_4_unattended(self) -> None:
        """Bob refers us to Carol, is told what comes of it, and is out of the call."""
        three = Three()
        three.establish()
        before = len(three.sent)
        three.perform(DESK, Refer(three.bobs_dialog(), "lan"))
        three.run(0.1)
        assert three.told(HOTLINE, ReferReceived) == [ReferReceived("out", "lan")]
        three.ring_carol()
        three.perform(HOTLINE, TellRefer("out", 200))
        three.run(0.1)
        three.perform(HOTLINE, Hangup("out"))
        three.run(0.1)
        assert three.trace(NAMES)[before:] == [
            "bob>hotline REFER",
            "hotline>bob 202",
            "hotline>bob NOTIFY",
            "bob>hotline 200",
            "hotline>carol INVITE",
            "carol>hotline 100",
            "carol>hotline 200",
            "hotline>carol ACK",
            "hotline>bob NOTIFY",
            "bob>hotline 200",
            "hotline>bob BYE",
            "bob>hotline 200",
        ]
        assert [event.status for event in three.told(DESK, ReferProgressed)] == [100, 200]
        three.hang_up()

    def test_2_4_unattended_fails(self) -> None:
        """What came of it is told, and the talk that there was goes on."""
        three = Three()
        three.establish()
        three.perform(DESK, Refer(three.bobs_dialog(), "lan"))
        three.run(0.1)
        three.perform(HOTLINE, TellRefer("out", 486))
        three.run(0.1)
        assert [event.status for event in three.told(DESK, ReferProgressed)] == [100, 486]
        assert three.told(DESK, DialogEnded) == []
        three.hang_up()

    def test_2_5_attended(self) -> None:
        """Bob talks to Carol through us, and refers the caller to that talk: Replaces names it."""
        three = Three()
        three.establish()
        phone = three.bobs_dialog()
        three.desk.restore({"1900": [(f"sip:1900@{HOTLINE[0]}", *HOTLINE, 1e9)]}, three.now)
        three.perform(DESK, OfferSession(phone, direction(sdp.offer(capabilities(DESK)), "sendonly")))
        three.run(0.1)
        three.perform(DESK, Invite("ask", "1900", "desk", "Bob", sdp.offer(capabilities(DESK))))
        three.run(0.1)
        consultation = three.invites(HOTLINE)[-1]
        three.perform(HOTLINE, Answer(consultation.dialog, sdp.answer(consultation.sdp, capabilities(HOTLINE)).sdp))
        three.run(0.1)
        three.ring_carol()
        three.perform(DESK, Refer(phone, "lan", "ask"))
        three.run(0.1)
        (referred,) = three.told(HOTLINE, ReferReceived)
        assert (referred.dialog, referred.replaces) == ("out", consultation.dialog)
        three.perform(HOTLINE, TellRefer("out", 200))
        three.run(0.1)
        for dialog in ("out", consultation.dialog):
            three.perform(HOTLINE, Hangup(dialog))
        three.run(0.1)
        assert [event.ending for event in three.told(DESK, DialogEnded)] == ["bye", "bye"]
        assert [event.status for event in three.told(DESK, ReferProgressed)] == [100, 200]
        assert three.told(LAN, DialogEnded) == []
        three.hang_up()

    def test_2_5_we_refer_to_a_talk_of_ours(self) -> None:
        """The other side of it: our REFER names the dialog that the far end is to take over at Carol's phone."""
        three = Three()
        three.establish()
        three.ring_carol()
        three.perform(HOTLINE, Refer("out", "lan", "carol"))
        three.run(0.1)
        refer = parse_datagram(next(sent.data for sent in three.sent if sent.name == "REFER"))
        carols = three.hotline._dialogs.by_id("carol")
        assert carols is not None
        assert f"to-tag%3D{carols.remote_tag}" in refer.headers.get("refer-to")
        assert f"from-tag%3D{carols.local_tag}" in refer.headers.get("refer-to")
        three.hang_up()


class TestForwarding:
    """A proxy forwards; we are the caller."""

    @staticmethod
    def call() -> tuple[Pair, Scripted, Request]:
        pair = Pair()
        proxy = Scripted(pair, PHONE, "proxy")
        pair.hotline.restore({"bob": [(f"sip:bob@{PHONE[0]}", *PHONE, 1e9)]}, 0.0)
        pair.perform(HOTLINE, Invite("out", "bob", "1", "", OFFER))
        pair.run(0.1)
        return pair, proxy, proxy.request("INVITE")

    @pytest.mark.parametrize(
        ("statuses", "rings"),
        [
            pytest.param([("", 181), ("carol", 180)], 1, id="2.7 unconditional"),
            pytest.param([("", 100), ("", 181), ("carol", 180)], 1, id="2.8 busy"),
            pytest.param([("bob", 180), ("", 181), ("carol", 180)], 1, id="2.9 no answer"),
        ],
    )
    def test_2_7_to_2_9_forwarded_by_a_proxy(self, statuses: list[tuple[str, int]], rings: int) -> None:
        pair, proxy, invite = self.call()
        for tag, status in statuses:
            proxy.answer(invite, status, tag=tag or "proxy")
        proxy.answer(invite, 200, OFFER, tag="carol")
        pair.run(0.1)
        assert len(pair.told(HOTLINE, DialogRinging)) == rings
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1
        assert proxy.request("ACK").to.tag == "carol"
        pair.perform(HOTLINE, Hangup("out"))
        pair.run(0.1)
        bye = proxy.request("BYE")
        assert bye.to.tag == "carol"
        proxy.answer(bye, 200)
        pair.settle()
        assert pair.hotline.load()[:2] == (0, 0)

    @pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
    def test_2_7_forwarded_by_a_redirect_is_a_refusal(self, status: int) -> None:
        pair, proxy, invite = self.call()
        proxy.answer(invite, status, "", ("contact", f"<sip:carol@{LAN[0]}>"))
        pair.settle()
        assert pair.names(HOTLINE) == ["INVITE", "ACK"]
        (ended,) = pair.told(HOTLINE, DialogEnded)
        assert (ended.ending, ended.status) == ("rejected", status)

    def test_2_9_bob_is_cancelled(self) -> None:
        """The other side of it: we ring, and somebody else gets the call."""
        pair = Pair()
        proxy = Scripted(pair, PHONE, "proxy")
        proxy.invite("1900", OFFER)
        pair.run(0.1)
        (invite,) = pair.invites(HOTLINE)
        pair.perform(HOTLINE, Ring(invite.dialog))
        pair.run(8.0)
        proxy.say("CANCEL", cseq=1, branch="z9hG4bKproxyINVITE1")
        pair.run(0.1)
        assert [proxy.response(status).cseq.method for status in (200, 487)] == ["CANCEL", "INVITE"]
        proxy.say("ACK", cseq=1, branch="z9hG4bKproxyINVITE1")
        pair.settle()
        assert [event.ending for event in pair.told(HOTLINE, DialogEnded)] == ["cancelled"]
        assert pair.hotline.load()[:2] == (0, 0)

    def test_2_12_find_me(self) -> None:
        """The proxy asks one place after another: each rings with a tag of its own, and one answers."""
        pair, proxy, invite = self.call()
        for tag in ("desk", "mobile", "home"):
            proxy.answer(invite, 180, tag=tag)
        proxy.answer(invite, 200, OFFER, tag="home")
        pair.run(0.1)
        assert [type(event) for event in pair.events[HOTLINE]] == [DialogRinging, DialogAnswered]
        assert proxy.request("ACK").to.tag == "home"

    def test_2_12_find_me_in_parallel_and_two_answer(self) -> None:
        """Pitfall 3: the second 200 is acknowledged, and its caller hung up on."""
        pair, proxy, invite = self.call()
        for tag in ("desk", "home"):
            proxy.answer(invite, 200, OFFER, tag=tag)
        pair.run(0.1)
        assert sorted(request.to.tag for request in (proxy.request("ACK"), proxy.request("ACK"))) == ["desk", "home"]
        assert proxy.request("BYE").to.tag == "home"
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1


class TestConference:
    def test_2_10_third_party_is_added(self) -> None:
        """Bob becomes the focus: a re-INVITE with another Contact moves the dialog's target, and nothing else."""
        three = Three()
        bob = Scripted(three, PHONE, "bob")
        bob.invite("1900", OFFER)
        three.run(0.1)
        invite = three.invites(HOTLINE)[-1]
        three.perform(HOTLINE, Answer(invite.dialog, sdp.answer(invite.sdp, capabilities(HOTLINE)).sdp))
        three.run(0.1)
        bob.response(200)
        bob.ack()
        three.run(0.1)
        bob.contact = f"<sip:conference@{PHONE[0]}>;isfocus"
        bob.say("INVITE", OFFER.replace("o=- 1 1", "o=- 1 2"))
        three.run(0.1)
        bob.response(200)
        bob.ack()
        three.run(0.1)
        three.perform(HOTLINE, Hangup(invite.dialog))
        three.run(0.1)
        assert bob.request("BYE").uri.user == "conference"

    def test_2_11_join_is_not_ours(self) -> None:
        (response,) = Bench().send(write_request(body=OFFER, fields=("Require: join", "Join: a;to-tag=b;from-tag=c")))
        assert (response.status, response.headers.get("unsupported")) == (420, "join")


class TestParkAndPickup:
    def test_2_15_call_park(self) -> None:
        """The park server's INVITE takes the place of the talk that Bob has with us."""
        three = Three()
        three.establish()
        bobs = three.hotline._dialogs.by_id("out")
        assert bobs is not None
        replaces = f"Replaces: {bobs.call_id};to-tag={bobs.local_tag};from-tag={bobs.remote_tag}"
        event = self.replaced(three, replaces)
        assert event.replaces == "out"
        three.perform(HOTLINE, Answer(event.dialog, sdp.answer(event.sdp, capabilities(HOTLINE)).sdp))
        three.perform(HOTLINE, Hangup("out"))
        three.run(0.1)
        assert [ended.ending for ended in three.told(DESK, DialogEnded)] == ["bye"]
        three.perform(HOTLINE, Hangup(event.dialog))
        three.hang_up()

    def test_2_16_call_pickup(self) -> None:
        """Bob's phone rings, and a colleague's takes the call: the early dialog with Bob is cancelled."""
        three = Three()
        three.call()
        three.run(0.1)
        three.perform(DESK, Ring(three.invites(DESK)[0].dialog))
        three.run(0.1)
        ringing = three.hotline._dialogs.by_id("out")
        assert ringing is not None
        tag = next(iter(ringing.early))
        replaces = f"Replaces: {ringing.call_id};to-tag={ringing.local_tag};from-tag={tag};early-only"
        event = self.replaced(three, replaces)
        assert event.replaces == "out"
        three.perform(HOTLINE, Answer(event.dialog, sdp.answer(event.sdp, capabilities(HOTLINE)).sdp))
        three.perform(HOTLINE, Hangup("out"))
        three.run(0.1)
        assert [ended.ending for ended in three.told(DESK, DialogEnded)] == ["cancelled"]
        three.perform(HOTLINE, Hangup(event.dialog))
        three.hang_up()

    @staticmethod
    def replaced(three: Three, replaces: str) -> InviteReceived:
        """Let a user's phone send an INVITE with Replaces; returns what the switchboard is told."""
        before = len(three.invites(HOTLINE))
        bench = Bench(three)
        bench.responses()
        invite = write_request(
            sender="<sip:lan@hotline>;tag=pick",
            via=f"SIP/2.0/UDP {PHONE[0]}:5060;rport",
            call_id="pick",
            fields=(replaces,),
            body=OFFER,
        )
        answers = prove(bench, invite, "lan", PHONE)
        assert [answer.status for answer in answers][-1:] == [100]
        (event,) = three.invites(HOTLINE)[before:]
        return event


class TestAutomaticRedial:
    def test_2_17_automatic_redial(self) -> None:
        """Bob is busy; whoever watches his calls is told when he is not, and calls again."""
        watcher = Watcher()
        busy: AgentState = "talking"
        watcher.tell(lamp(busy, LampCall("c1", "confirmed", True, "+84912345678")))
        assert watcher.subscribe("dialog").status == 200
        assert watcher.shown() == [("c1", "confirmed")]
        watcher.run(2.0)
        watcher.tell(lamp("ready"))
        watcher.run(2.0)
        assert watcher.shown() == [("c1", "terminated")]
        assert watcher.wire.names()[:2] == ["401", "200"]
        assert watcher.wire.names().count("NOTIFY") == 2
        invite = write_request(branch="z9hG4bKredial", call_id="redial", body=OFFER)
        watcher.wire.inject(invite, DESK, HOTLINE)
        (received,) = watcher.wire.told(HOTLINE, InviteReceived)
        watcher.wire.perform(HOTLINE, Answer(received.dialog, OFFER))
        ack = write_request("ACK", branch="z9hG4bKredialack", call_id="redial", to=watcher_tag(watcher))
        watcher.wire.inject(ack, DESK, HOTLINE)
        assert len(watcher.wire.told(HOTLINE, DialogConfirmed)) == 1

    def test_2_17_nobody_else_may_watch(self) -> None:
        watcher = Watcher()
        watcher.wire.perform(HOTLINE, TellLamp("an", "ready"))
        assert watcher.subscribe("dialog", password="wrong").status == 401


class TestClickToDial:
    def test_2_18_a_refer_outside_a_dialog_is_refused(self) -> None:
        (response,) = Bench().send(write_request("REFER", fields=("Refer-To: <sip:1901@hotline>",)))
        assert response.status == 403


def watcher_tag(watcher: Watcher) -> str:
    """Return the To of the last 200 to an INVITE."""
    answers = [parse_datagram(sent.data) for sent in watcher.wire.sent if sent.name == "200"]
    return next(each.headers.get("to") for each in reversed(answers) if each.cseq.method == "INVITE")
