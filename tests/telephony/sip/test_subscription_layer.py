"""SUBSCRIBE and NOTIFY, from both sides, in virtual time."""

from collections import deque

import pytest

from telephony.events import InviteReceived, LampCall, Ring
from telephony.sip.address import Flow
from telephony.sip.digest import authorize
from telephony.sip.endpoint import EndpointSettings
from telephony.sip.settings import SubscriptionSettings
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.watcher import RINGING, Watcher, lamp, read_xml
from tests.telephony.sip.wire import DESK, HOTLINE, FakeWire, Pair, make_endpoint


def bounded(**bounds: int) -> Watcher:
    """A watcher of an endpoint with bounds of its own."""
    wire = FakeWire()
    settings = EndpointSettings(address=HOTLINE, subscriptions=SubscriptionSettings(**bounds))
    wire.attach(HOTLINE, make_endpoint(HOTLINE, settings=settings))
    wire.perform(HOTLINE, lamp())
    return Watcher(wire)


class TestSubscribing:
    def test_state_comes_at_once_and_with_every_change(self) -> None:
        watcher = Watcher()
        response = watcher.subscribe()
        assert (response.status, response.headers.get("expires")) == (200, "3600")
        assert response.headers.get("contact") == "<sip:192.0.2.1:5060>"
        assert (watcher.state, watcher.shown()) == ("active;expires=3600", [])
        watcher.run(2.0)
        watcher.tell(lamp("ringing", RINGING))
        assert watcher.shown() == [("c1.agent1", "early")]
        watcher.run(2.0)
        watcher.tell(lamp("after_call_work"))
        assert watcher.shown() == [("c1.agent1", "terminated")]
        watcher.run(2.0)
        assert len(watcher.notifies) == 3

    def test_notify_is_a_request_inside_the_dialog(self) -> None:
        watcher = Watcher()
        watcher.subscribe("dialog;id=7", "Record-Route: <sip:192.0.2.9;lr>")
        notify = watcher.notifies[0]
        assert notify.target == "sip:0912345678@192.0.2.2:5060"
        assert (notify.from_.tag, notify.to.tag) == (watcher.to_tag, "watch")
        assert notify.headers.get("event") == "dialog;id=7"
        assert notify.headers.get("route") == "<sip:192.0.2.9;lr>"
        assert notify.headers.get("content-type") == "application/dialog-info+xml"
        assert watcher.responses[-1].headers.get("record-route") == "<sip:192.0.2.9;lr>"

    def test_a_fetch_is_one_notify_and_nothing_more(self) -> None:
        watcher = Watcher()
        assert watcher.subscribe("dialog", "Expires: 0").status == 200
        assert watcher.state == "terminated;reason=timeout"
        watcher.tell(lamp("ringing", RINGING))
        watcher.run(100.0)
        assert len(watcher.notifies) == 1
        assert watcher.endpoint.load() == (0, 0, 0)

    @pytest.mark.parametrize(
        ("asked", "granted"), [("60", "60"), ("99999", "3600"), ("soon", "3600"), ("99999999999999", "3600")]
    )
    def test_expiry(self, asked: str, granted: str) -> None:
        assert Watcher().subscribe("dialog", f"Expires: {asked}").headers.get("expires") == granted

    def test_too_brief_is_told_what_would_do(self) -> None:
        response = Watcher().subscribe("dialog", "Expires: 59")
        assert (response.status, response.headers.get("min-expires")) == (423, "60")

    @pytest.mark.parametrize("event", ["", "message-summary", "dialog;id", "reg", "dialog ;id=a b"])
    def test_an_unknown_package(self, event: str) -> None:
        response = Watcher().ask(event)
        assert (response.status, response.headers.get("allow-events")) == (489, "dialog, presence, refer")

    def test_a_document_that_is_not_accepted(self) -> None:
        assert Watcher().subscribe("dialog", "Accept: text/plain").status == 406
        assert Watcher().subscribe("dialog", "Accept: text/plain, application/dialog-info+xml;q=0.5").status == 200

    def test_publish_has_no_place_here(self) -> None:
        (response,) = Bench().send(write_request("PUBLISH", fields=("Event: presence",)))
        assert response.status == 405


class TestWhoMayWatch:
    def test_strangers_learn_nothing(self) -> None:
        watcher = Watcher()
        known, unknown = watcher.ask("dialog"), watcher.ask("dialog", agent="nobody")
        assert known.status == unknown.status == 401
        wrong = [watcher.subscribe(agent=agent, password="guess") for agent in ("an", "nobody")]
        assert [each.status for each in wrong] == [401, 401]
        assert watcher.notifies == []

    def test_our_users_are_told_that_there_is_nobody(self) -> None:
        assert Watcher().subscribe(agent="nobody").status == 404

    def test_nobody_refreshes_somebody_elses(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.user = "desk"
        assert watcher.subscribe().status == 403

    def test_number_is_for_the_agent_alone(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.run(2.0)
        watcher.tell(lamp("ringing", RINGING))
        assert b"84912345678" not in watcher.notifies[-1].body
        own = Watcher()
        own.tell(lamp("ringing", RINGING, agent="lan"))
        own.subscribe(agent="lan")
        assert b"84912345678" in own.notifies[-1].body


class TestRefreshing:
    def test_a_refresh_moves_the_end(self) -> None:
        watcher = Watcher()
        watcher.subscribe("dialog", "Expires: 100")
        watcher.run(90.0)
        assert watcher.subscribe("dialog", "Expires: 100").status == 200
        assert watcher.state == "active;expires=100"
        watcher.run(90.0)
        assert watcher.state == "active;expires=100"
        watcher.run(20.0)
        assert watcher.state == "terminated;reason=timeout"
        watcher.run(100.0)
        assert watcher.endpoint.load() == (0, 0, 0)

    def test_leaving(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        assert watcher.subscribe("dialog", "Expires: 0").headers.get("expires") == "0"
        assert watcher.state == "terminated;reason=timeout"
        assert watcher.subscribe().status == 481

    def test_another_event_or_dialog_is_another_subscription(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        assert watcher.subscribe("presence").status == 481
        watcher.to_tag = "elsewhere"
        assert watcher.subscribe().status == 481

    def test_out_of_order(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.run(1.0)
        watcher.cseq, watcher.call_id = -1, "w1"
        assert watcher.subscribe().status == 500

    def test_a_phone_that_moved_is_told_where_it_is(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.run(2.0)
        watcher.address = ("192.0.2.77", 5070)
        assert watcher.subscribe().status == 200
        assert watcher.wire.sent[-1].destination == ("192.0.2.77", 5070)


class TestPace:
    def test_changes_in_quick_succession_are_one_notify_with_the_newest(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.tell(lamp("ringing", RINGING))
        watcher.tell(lamp("talking", LampCall("c1", "confirmed", True)))
        assert len(watcher.notifies) == 1
        watcher.run(0.9)
        assert len(watcher.notifies) == 1
        watcher.run(0.2)
        assert (len(watcher.notifies), watcher.shown()) == (2, [("c1", "confirmed")])

    def test_what_is_as_before_is_not_told(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.tell(lamp("ringing", RINGING))
        watcher.tell(lamp())
        watcher.run(10.0)
        watcher.tell(lamp())
        watcher.run(10.0)
        assert len(watcher.notifies) == 1

    def test_a_notify_that_is_out_holds_the_next_one_back(self) -> None:
        watcher = Watcher(statuses=deque([0, 0, 200]))
        watcher.subscribe()
        watcher.tell(lamp("ringing", RINGING))
        assert len(watcher.notifies) == 1
        watcher.run(3.0)
        assert (len(watcher.notifies), watcher.shown()) == (2, [("c1.agent1", "early")])

    def test_versions_rise_by_one(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        for _ in range(3):
            watcher.subscribe()
        versions = [read_xml(notify.body).attrib["version"] for notify in watcher.notifies]
        assert versions == ["0", "1", "2", "3"]


class TestEnds:
    @pytest.mark.parametrize("status", [481, 489, 404, 500])
    def test_who_refuses_a_notify_has_no_subscription(self, status: int) -> None:
        watcher = Watcher(statuses=deque([status]))
        watcher.subscribe()
        watcher.tell(lamp("ringing", RINGING))
        watcher.run(40.0)
        assert len(watcher.notifies) == 1
        assert watcher.endpoint.load() == (0, 0, 0)

    def test_silence_is_the_end(self) -> None:
        watcher = Watcher(statuses=deque([0] * 20))
        watcher.subscribe()
        watcher.run(31.0)
        assert watcher.endpoint.load()[1] == 1
        watcher.run(2.0)
        assert watcher.endpoint.load() == (0, 0, 0)

    def test_who_asks_for_a_moment_is_told_later(self) -> None:
        watcher = Watcher(statuses=deque([503]), retry_after="10 (busy)")
        watcher.subscribe()
        watcher.run(9.0)
        assert len(watcher.notifies) == 1
        watcher.run(2.0)
        assert len(watcher.notifies) == 2

    def test_shutdown(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.endpoint.deactivate(watcher.wire.now)
        watcher.run(40.0)
        assert watcher.state == "terminated;reason=deactivated"
        assert watcher.endpoint.load() == (0, 0, 0)

    def test_a_connection_that_is_lost_takes_its_subscriptions_along(self) -> None:
        wire = FakeWire()
        endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE))
        endpoint.perform(lamp(), 0.0)
        flow = Flow("192.0.2.2", 5060, "ws-1")
        watcher = Watcher(wire)
        watcher.subscribe()
        subscription = next(iter(endpoint._subscriptions._by_key.values()))
        subscription.peer = flow
        endpoint.connection_lost("ws-2", 1.0)
        assert endpoint.load()[1] == 1
        endpoint.connection_lost("ws-1", 1.0)
        assert endpoint.load()[1] == 0


class TestLimits:
    def test_of_one_user(self) -> None:
        watcher = bounded(per_user=2)
        for call_id, status in (("w1", 200), ("w2", 200), ("w3", 403)):
            watcher.call_id, watcher.to_tag = call_id, ""
            assert watcher.subscribe().status == status
        watcher.user, watcher.call_id = "desk", "w4"
        assert watcher.subscribe().status == 200

    def test_in_all(self) -> None:
        watcher = bounded(total=1)
        assert watcher.subscribe().status == 200
        watcher.call_id, watcher.to_tag = "w2", ""
        response = watcher.subscribe()
        assert (response.status, response.headers.get("retry-after")) == (503, "60")

    def test_room_is_free_again(self) -> None:
        watcher = bounded(per_user=1)
        watcher.subscribe("dialog", "Expires: 0")
        watcher.run(1.0)
        watcher.call_id, watcher.to_tag = "w2", ""
        assert watcher.subscribe().status == 200

    def test_a_retransmission_is_no_second_subscription(self) -> None:
        watcher = Watcher()
        watcher.subscribe()
        watcher.cseq, watcher.to_tag = watcher.cseq - 1, ""
        assert watcher.ask("dialog").status == 200
        assert watcher.endpoint.load()[1] == len(watcher.notifies) == 1


class TestPickup:
    @pytest.mark.parametrize(("to_tag", "from_tag"), [("local-tag", "remote-tag"), ("remote-tag", "local-tag")])
    def test_what_rings_can_be_taken_by_the_name_that_its_lamp_gives(self, to_tag: str, from_tag: str) -> None:
        watcher, named = self.ringing()
        status = self.pick_up(watcher, f"{named['call-id']};to-tag={named[to_tag]};from-tag={named[from_tag]}")
        assert status == 100
        assert [(each.user, each.replaces) for each in watcher.wire.told(HOTLINE, InviteReceived)] == [("lan", "out")]

    def test_nothing_else_can(self) -> None:
        watcher, named = self.ringing()
        assert self.pick_up(watcher, f"{named['call-id']};to-tag=guess;from-tag={named['remote-tag']}") == 481

    def test_what_is_answered_is_not_named(self) -> None:
        watcher, _ = self.ringing()
        assert isinstance(watcher.wire, Pair)
        watcher.wire.answer_at_desk()
        watcher.run(2.0)
        watcher.tell(lamp("talking", LampCall("c1", "confirmed", True, dialog="out"), agent="desk"))
        assert "call-id" not in read_xml(watcher.notifies[-1].body)[0].attrib

    @staticmethod
    def ringing() -> tuple[Watcher, dict[str, str]]:
        """A call rings at the desk, whom `lan` watches; return what the lamp says of it."""
        pair = Pair()
        pair.perform(HOTLINE, lamp(agent="desk"))
        watcher = Watcher(pair, address=("192.0.2.9", 5060))
        assert watcher.subscribe(agent="desk").status == 200
        watcher.run(2.0)
        pair.call("out")
        watcher.run(0.1)
        pair.perform(DESK, Ring(pair.invites(DESK)[0].dialog))
        watcher.run(0.1)
        watcher.tell(lamp("ringing", LampCall("c1", "early", True, dialog="out"), agent="desk"))
        return watcher, dict(read_xml(watcher.notifies[-1].body)[0].attrib)

    @staticmethod
    def pick_up(watcher: Watcher, replaces: str) -> int:
        """Let `lan` send an INVITE with Replaces; return what it is answered after its challenge."""
        target = "sip:desk@192.0.2.1"
        fields: tuple[str, ...] = (f"Replaces: {replaces}", "Require: replaces")
        for cseq in (1, 2):
            data = write_request(
                target=target, sender="<sip:lan@hotline>;tag=p", branch=f"z9hG4bKp{cseq}", call_id="pick", cseq=cseq,
                fields=fields, body=OFFER,
            )  # fmt: skip
            watcher.wire.inject(data, watcher.address, HOTLINE)
            before = len(watcher.responses)
            watcher.react()
            answers = watcher.responses[before:]
            challenge = answers[-1].headers.get("www-authenticate")
            if challenge:
                line = authorize(challenge, "lan", "battery staple", "INVITE", target, "0a4f113b")
                fields = (f"Authorization: {line}", *fields)
        return answers[-1].status
