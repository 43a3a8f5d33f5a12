"""RFC 4475: every torture message gets the answer that the table of `torture` gives it."""

import pytest

from telephony.events import BindingChanged, Invite, InviteReceived, MessageRejected
from telephony.sip.address import Address, Flow
from telephony.sip.digest import authorize, hash_password
from telephony.sip.endpoint import Endpoint
from telephony.sip.errors import RemoteError
from telephony.sip.headers import canonical, split_commas
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.torture import COUNT, FILES, ROWS, SILENCE, WELL_FORMED, read
from tests.telephony.sip.wire import HOTLINE, counting_token, make_endpoint

SOURCE = ("192.0.2.77", 5060)
REGISTERS = sorted(name for name, row in ROWS.items() if row.registered)


def answers(endpoint: Endpoint, data: bytes, source: Address = SOURCE) -> list[bytes]:
    """Return what goes out for octets that come in; all of it goes back where they came from."""
    endpoint.receive(data, source, 0.0)
    datagrams = endpoint.datagrams()
    assert all(address[0] == source[0] for _, address in datagrams)
    return [message for message, _ in datagrams]


def statuses(messages: list[bytes]) -> list[int]:
    """Return the statuses of responses, which need not be well formed: they copy what they answer."""
    return [int(message.split(b" ", 2)[1]) for message in messages]


class TestTable:
    def test_every_file_has_a_row_and_every_row_a_file(self) -> None:
        assert {path.stem for path in FILES.iterdir()} == set(ROWS)

    def test_all_of_the_rfc_are_there(self) -> None:
        """Sections 3.1.1.1-13, 3.1.2.1-19, 3.2.1, 3.3.1-15 and 3.4.1."""
        sections = {
            *(f"3.1.1.{number}" for number in range(1, 14)),
            *(f"3.1.2.{number}" for number in range(1, 20)),
            "3.2.1",
            *(f"3.3.{number}" for number in range(1, 16)),
            "3.4.1",
        }
        assert sorted(row.section for row in ROWS.values()) == sorted(sections)
        assert len(sections) == COUNT

    @pytest.mark.parametrize("name", ROWS)
    def test_lines_end_as_in_the_archive(self, name: str) -> None:
        head = read(name).partition(b"\r\n\r\n")[0]
        assert head.count(b"\n") == head.count(b"\r\n") > 2


class TestParser:
    @pytest.mark.parametrize("name", WELL_FORMED)
    def test_fields_are_read_as_they_are_meant(self, name: str) -> None:
        message = parse_datagram(read(name))
        assert ROWS[name].fields
        for ask, expected in ROWS[name].fields:
            assert ask(message) == expected

    @pytest.mark.parametrize("name", WELL_FORMED)
    def test_what_is_written_reads_as_the_same(self, name: str) -> None:
        message = parse_datagram(read(name))
        again = parse_datagram(message.write())
        assert again.start_line == message.start_line
        assert (again.via, again.from_, again.to, again.cseq) == (message.via, message.from_, message.to, message.cseq)
        message.headers.set("content-length")
        again.headers.set("content-length")
        assert again == message

    @pytest.mark.parametrize("name", sorted(set(ROWS) - set(WELL_FORMED)))
    def test_the_fault_is_named(self, name: str) -> None:
        row = ROWS[name]
        with pytest.raises(RemoteError) as caught:
            parse_datagram(read(name))
        assert caught.value.reason == row.reason
        assert row.answer in {SILENCE, caught.value.status}


class TestEndpoint:
    @pytest.mark.parametrize("name", ROWS)
    def test_answer(self, name: str) -> None:
        row = ROWS[name]
        endpoint = make_endpoint()
        sent = answers(endpoint, read(name))
        assert statuses(sent) == ([row.answer] if row.answer else [])
        events = endpoint.events()
        assert [type(event) for event in events] == (
            [InviteReceived] if row.accepted else [MessageRejected] if row.reason else []
        )
        if row.reason and sent:
            assert sent[0].startswith(f"SIP/2.0 {row.answer} {row.reason}\r\n".encode())

    @pytest.mark.parametrize("name", ROWS)
    def test_the_answer_names_what_it_is_to(self, name: str) -> None:
        """RFC 3261 section 8.2.6.2: Via, From, Call-ID and CSeq are those of the request."""
        for data in answers(make_endpoint(), read(name)):
            response = parse_lenient(data)
            request = parse_lenient(read(name))
            for field in ("from", "call-id", "cseq"):
                assert response.get(field, [])[:1] == request.get(field, [])[:1]
            assert _count(response["via"]) == _count(request["via"])

    @pytest.mark.parametrize("name", ROWS)
    def test_nothing_stays(self, name: str) -> None:
        endpoint = make_endpoint()
        answers(endpoint, read(name))
        for _ in range(100):
            due = endpoint.deadline()
            if due is None:
                break
            endpoint.handle_deadline(due)
        assert endpoint.load() == (0, 0, 0)

    @pytest.mark.parametrize("name", ROWS)
    def test_a_connection_gets_the_same_answer(self, name: str) -> None:
        endpoint = make_endpoint()
        sent = answers(endpoint, read(name), Flow("192.0.2.77", 40000, "c1", "TCP"))
        assert statuses(sent) == ([ROWS[name].answer] if ROWS[name].answer else [])


class TestRegistrar:
    def test_every_register_of_the_rfc_that_can_be_read_is_tried(self) -> None:
        assert {name for name in WELL_FORMED if read(name).startswith(b"REGISTER")} == set(REGISTERS)

    @pytest.mark.parametrize("name", REGISTERS)
    def test_answer_to_credentials(self, name: str) -> None:
        assert self.register(name)[1].status == ROWS[name].registered

    def test_headers_of_a_contact_do_not_go_into_a_request_uri(self) -> None:
        """RFC 3261 sections 19.1.1 and 19.1.5, for 3.3.14 regescrt."""
        endpoint, response = self.register("regescrt")
        assert "?Route=" in response.headers.get("contact")
        (changed,) = [event for event in endpoint.events() if isinstance(event, BindingChanged)]
        assert changed.contacts == 1
        endpoint.perform(Invite("d1", "user", "1", "", "v=0\r\n"), 0.0)
        (data, address) = endpoint.datagrams()[0]
        assert address == SOURCE
        invite = parse_datagram(data)
        assert isinstance(invite, Request)
        assert invite.target == "sip:user@example.com"
        assert "route" not in invite.headers

    @staticmethod
    def register(name: str) -> tuple[Endpoint, Response]:
        """Send a file's REGISTER, and again with the answer to its challenge."""
        request = parse_datagram(read(name))
        user = request.to.uri.user
        endpoint = Endpoint(
            EndpointSettings(address=HOTLINE),
            lambda asked: (hash_password(user, "hotline", "secret"),) if asked == user else (),
            counting_token("a"),
            lambda: "d",
        )
        challenged = parse_datagram(answers(endpoint, read(name))[0])
        line = authorize(
            challenged.headers.get("www-authenticate"), user, "secret", "REGISTER", "sip:example.com", "c0ffee"
        )
        request.headers.add("authorization", line)
        request.headers.set("cseq", f"{request.cseq.number + 1} REGISTER")
        response = parse_datagram(answers(endpoint, request.write())[0])
        assert isinstance(response, Response)
        return endpoint, response


def parse_lenient(data: bytes) -> dict[str, list[str]]:
    """Return the header lines of a message that need not be well formed."""
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    fields: dict[str, list[str]] = {}
    for line in head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(canonical(name.strip()), []).append(" ".join(value.split()))
    return fields


def _count(lines: list[str]) -> int:
    return sum(len(split_commas(line)) for line in lines)
