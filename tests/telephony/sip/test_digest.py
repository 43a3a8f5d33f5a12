"""Digest on both sides, against the examples of RFC 7616 and against those who cheat."""

import pytest

from telephony.sip.digest import (
    DigestError,
    DigestServer,
    Ha1,
    Refusal,
    authorize,
    hash_password,
    parse_digest,
    respond_to,
)
from tests.telephony.sip.wire import counting_token

PASSWORD = "battery staple"
LAN = hash_password("lan", "hotline", PASSWORD)


def make_server(max_nonces: int = 100) -> DigestServer:
    return DigestServer("hotline", ("MD5", "SHA-256"), counting_token("n"), 300.0, max_nonces)


def answer(challenge: str, password: str = PASSWORD, count: int = 1) -> dict[str, str]:
    return parse_digest(authorize(challenge, "lan", password, "REGISTER", "sip:h", "c", count))


def without_qop(challenge: str) -> dict[str, str]:
    """What pyVoIP sends: RFC 2069, whatever was offered."""
    offered = parse_digest(challenge)
    fields = {"username": "lan", "realm": "hotline", "nonce": offered["nonce"], "uri": "sip:h"}
    return fields | {"response": respond_to(LAN, fields, "REGISTER")}


class TestRfc:
    """RFC 7616 section 3.9.1: "Mufasa" and "Circle of Life"."""

    @pytest.mark.parametrize(
        ("algorithm", "expected"),
        [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ],
    )
    def test_example(self, algorithm: str, expected: str) -> None:
        ha1 = hash_password("Mufasa", "http-auth@example.org", "Circle of Life")
        fields = {
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "uri": "/dir/index.html",
            "qop": "auth",
            "nc": "00000001",
            "algorithm": algorithm,
        }
        assert respond_to(ha1, fields, "GET") == expected


class TestServer:
    @pytest.mark.parametrize("index", [0, 1])
    def test_right_password(self, index: int) -> None:
        server = make_server()
        challenge = server.challenges(0.0)[index]
        assert parse_digest(challenge)["algorithm"] == ("MD5", "SHA-256")[index]
        assert server.check(answer(challenge), LAN, "REGISTER", 1.0) is None

    def test_right_password_without_qop(self) -> None:
        server = make_server()
        assert server.check(without_qop(server.challenges(0.0)[0]), LAN, "REGISTER", 1.0) is None

    @pytest.mark.parametrize("ha1", [LAN, None, Ha1("", "")])
    def test_wrong_password_and_unknown_user_look_alike(self, ha1: Ha1 | None) -> None:
        server = make_server()
        fields = answer(server.challenges(0.0)[0], "wrong")
        assert server.check(fields, ha1, "REGISTER", 1.0) == Refusal(stale=False)

    def test_nobody_has_no_password(self) -> None:
        """The stand-in for an unknown user must not be a password that one could compute with."""
        server = make_server()
        offered = parse_digest(server.challenges(0.0)[0])
        fields = {"username": "x", "realm": "hotline", "nonce": offered["nonce"], "uri": "sip:h"}
        fields["response"] = respond_to(Ha1("", ""), fields, "REGISTER")
        assert server.check(fields, None, "REGISTER", 1.0) == Refusal(stale=False)

    def test_credentials_are_for_one_method(self) -> None:
        server = make_server()
        assert server.check(answer(server.challenges(0.0)[0]), LAN, "INVITE", 1.0) == Refusal(stale=False)

    def test_old_nonce_is_stale(self) -> None:
        server = make_server()
        assert server.check(answer(server.challenges(0.0)[0]), LAN, "REGISTER", 301.0) == Refusal(stale=True)
        assert "stale=true" in server.challenges(301.0, stale=True)[0]

    def test_nonce_of_an_earlier_run_is_stale(self) -> None:
        server = make_server()
        forged = server.challenges(0.0)[0].replace("-0", "-1")
        assert server.check(answer(forged), LAN, "REGISTER", 1.0) == Refusal(stale=True)

    def test_count_must_rise(self) -> None:
        server = make_server()
        challenge = server.challenges(0.0)[0]
        assert server.check(answer(challenge, count=1), LAN, "REGISTER", 1.0) is None
        assert server.check(answer(challenge, count=1), LAN, "REGISTER", 2.0) == Refusal(stale=True)
        assert server.check(answer(challenge, count=5), LAN, "REGISTER", 3.0) is None
        assert server.check(answer(challenge, count=4), LAN, "REGISTER", 4.0) == Refusal(stale=True)

    def test_nonce_without_qop_is_good_once(self) -> None:
        server = make_server()
        fields = without_qop(server.challenges(0.0)[0])
        assert server.check(fields, LAN, "REGISTER", 1.0) is None
        assert server.check(fields, LAN, "REGISTER", 1.0) == Refusal(stale=True)

    def test_forgotten_nonce_does_not_become_good_again(self) -> None:
        server = make_server(max_nonces=3)
        challenges = [server.challenges(float(number))[0] for number in range(6)]
        for challenge in challenges:
            assert server.check(answer(challenge), LAN, "REGISTER", 6.0) is None
        for challenge in challenges:
            assert server.check(answer(challenge), LAN, "REGISTER", 7.0) == Refusal(stale=True)

    def test_expired_nonces_are_forgotten(self) -> None:
        server = make_server(max_nonces=1_000)
        for number in range(100):
            challenge = server.challenges(number * 100.0)[0]
            assert server.check(answer(challenge), LAN, "REGISTER", number * 100.0 + 1) is None
        assert len(server._counts) <= 5

    @pytest.mark.parametrize(
        "change",
        [{"algorithm": "SHA-512"}, {"qop": "auth-int"}, {"nc": "x"}, {"nc": ""}, {"cnonce": ""}],
    )
    def test_nonsense(self, change: dict[str, str]) -> None:
        server = make_server()
        fields = answer(server.challenges(0.0)[0]) | change
        with pytest.raises(DigestError):
            server.check(fields, LAN, "REGISTER", 1.0)

    def test_algorithm_that_is_switched_off(self) -> None:
        server = DigestServer("hotline", ("SHA-256",), counting_token("n"))
        with pytest.raises(DigestError, match="not offered"):
            server.check(answer(server.challenges(0.0)[0]) | {"algorithm": "md5"}, LAN, "REGISTER", 1.0)

    def test_octets_that_are_no_text(self) -> None:
        server = make_server()
        broken = b"\xff".decode("utf-8", "surrogateescape")
        fields = answer(server.challenges(0.0)[0]) | {"response": broken, "nonce": broken + "-" + broken}
        assert server.check(fields, LAN, "REGISTER", 1.0) == Refusal(stale=True)
        fields = answer(server.challenges(0.0)[0]) | {"response": broken}
        assert server.check(fields, LAN, "REGISTER", 1.0) == Refusal(stale=False)

    @pytest.mark.parametrize("password", [PASSWORD, "wrong"])
    def test_an_old_nonce_is_no_way_to_try_passwords(self, password: str) -> None:
        """What is said to it does not tell whether the password is right."""
        server = make_server()
        old = server.challenges(0.0)[0]
        made_up = old.replace("-0", "-1")
        for challenge, now in ((old, 301.0), (made_up, 1.0)):
            assert server.check(answer(challenge, password), LAN, "REGISTER", now) == Refusal(stale=True)

    def test_a_nonce_says_whom_it_was_given_to(self) -> None:
        server = make_server()
        fields = answer(server.challenges(0.0, asker="192.0.2.2")[0])
        assert server.check(fields, LAN, "REGISTER", 1.0) is None
        assert server.asker_of(fields) == server.mark("192.0.2.2") != server.mark("192.0.2.3")


class TestParsing:
    def test_quoted_commas(self) -> None:
        fields = parse_digest('DIGEST Realm="a, \\"b\\"" , nonce=c')
        assert fields == {"realm": 'a, "b"', "nonce": "c"}

    @pytest.mark.parametrize("value", ["", "Basic dXNlcg==", "Digest", "Digest realm", 'Digest a="1", a="2"'])
    def test_what_is_none(self, value: str) -> None:
        with pytest.raises(DigestError):
            parse_digest(value)

    def test_challenge_without_qop_and_with_opaque(self) -> None:
        line = authorize('Digest realm="r", nonce="n", opaque="o"', "lan", "p", "REGISTER", "sip:h", "c")
        fields = parse_digest(line)
        assert fields["opaque"] == "o"
        assert "qop" not in fields
