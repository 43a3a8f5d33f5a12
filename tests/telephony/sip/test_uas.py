"""Our responses to INVITE, where the dialogs' own tests do not reach."""

import pytest

from telephony.events import Answer, DialogEnded, InviteReceived
from telephony.sip.dialog import INCOMING, Dialog, State
from telephony.sip.errors import LocalError
from telephony.sip.outbox import Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import TransactionLayer
from telephony.sip.uas import UserAgentServer
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, counting_token


class TestAnswer:
    def test_second_final_response_is_our_error(self) -> None:
        outbox, deadlines = Outbox(), Deadlines()
        layer = TransactionLayer(outbox, deadlines, counting_token("t"), HOTLINE)
        uas = UserAgentServer(EndpointSettings(HOTLINE), outbox, deadlines, layer)
        dialog = Dialog("d", INCOMING, State.ENDED, "c", DESK)
        with pytest.raises(LocalError, match="has its final response"):
            uas.answer(dialog, dialog.invite, "", 0.0)

    def test_reinvite_before_the_answer_is_told_to_wait(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        tag = next(iter(bench.endpoint._dialogs._by_key))[1]
        again = write_request(body=OFFER, to=f"<sip:1900@192.0.2.1>;tag={tag}", cseq=2, branch="z9hG4bK2")
        trying, refused = bench.send(again)
        assert (trying.status, refused.status, refused.headers.get("retry-after")) == (100, 500, "1")
        bench.wire.perform(HOTLINE, Answer("a-in-1", OFFER))
        assert bench.responses()[-1].cseq.number == 1
        assert bench.wire.told(HOTLINE, DialogEnded) == []
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 1

    def test_reinvite_with_a_body_that_is_no_description(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", OFFER))
        to = bench.responses()[-1].headers.get("to")
        bench.send(write_request("ACK", to=to, branch="z9hG4bK2"))
        data = write_request(body=OFFER, to=to, cseq=2, branch="z9hG4bK3").replace(b"application/sdp", b"text/plain")
        assert [response.status for response in bench.send(data)] == [415]
