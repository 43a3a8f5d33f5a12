"""Only a trusted server's word, for the domain in From, makes a sender more than a claim."""

import pytest

from crm_bridge.mail.authentic import is_vouched_for, passed, server

OURS = ("mx.shop.vn",)


@pytest.mark.parametrize(
    "results",
    [
        "mx.shop.vn; dmarc=pass (p=none dis=none) header.from=example.vn",
        "mx.shop.vn 1; dkim=pass header.i=@example.vn header.s=s1",
        "MX.shop.vn; dkim=fail header.d=example.vn; dkim=pass header.d=Example.vn header.s=s1",
        'mx.shop.vn; spf=pass smtp.mailfrom="an@example.vn"',
        'mx.shop.vn (ours; dkim=fail); spf / 1 = pass reason="a; b" smtp.mailfrom=example.vn',
        "mx.shop.vn; dkim=pass header.d=vn.example.vn; dkim=pass header.d=example.vn",
    ],
)
def test_a_pass_for_the_domain_counts(results: str) -> None:
    assert is_vouched_for([results], OURS, "example.vn")


@pytest.mark.parametrize(
    "results",
    [
        "mx.evil.vn; dmarc=pass header.from=example.vn",
        "mx.shop.vn; dkim=pass header.d=evil.vn",
        "mx.shop.vn; spf=pass smtp.mailfrom=an@evil.vn smtp.helo=example.vn",
        "mx.shop.vn; dmarc=fail header.from=example.vn",
        "mx.shop.vn; dmarc=pass header.from=evil.vn",
        "mx.shop.vn; dmarc=pass",
        "mx.shop.vn; dkim=pass header.d=vn",
        "mx.shop.vn; dkim=pass header.d=notexample.vn",
        "mx.shop.vn; dkim=none (dkim=pass header.d=example.vn)",
        'mx.shop.vn; dkim=neutral reason="x; dkim=pass header.d=example.vn"',
        "mx.shop.vn; auth=pass smtp.auth=an@example.vn",
        "mx.shop.vn; none",
        "",
        ";",
    ],
)
def test_anything_else_does_not(results: str) -> None:
    assert not is_vouched_for([results], OURS, "example.vn")


def test_only_the_topmost_field_of_a_server_counts() -> None:
    fake = "mx.shop.vn; dmarc=pass header.from=example.vn"
    assert not is_vouched_for(["mx.shop.vn; dmarc=fail header.from=example.vn", fake], OURS, "example.vn")
    assert is_vouched_for(["mx.other.vn; none", fake], OURS, "example.vn")


def test_nobody_is_trusted_unless_named() -> None:
    assert not is_vouched_for(["; dmarc=pass header.from=example.vn"], (), "example.vn")
    assert not is_vouched_for(["mx.shop.vn; dmarc=pass header.from="], OURS, "")


def test_a_domain_is_vouched_for_by_the_one_it_is_part_of() -> None:
    results = ["mx.shop.vn; dkim=pass header.d=example.vn"]
    assert is_vouched_for(results, OURS, "mail.example.vn")
    assert not is_vouched_for(["mx.shop.vn; dkim=pass header.d=mail.example.vn"], OURS, "example.vn")
    assert not is_vouched_for(["mx.shop.vn; dmarc=pass header.from=example.vn"], OURS, "mail.example.vn")


def test_the_parts_of_a_field() -> None:
    assert server('"mx.shop.vn" 1; none') == "mx.shop.vn"
    assert [
        (each.method, each.domain) for each in passed("a; spf=pass smtp.mailfrom=x@y.vn; dkim=fail header.d=z.vn")
    ] == [("spf", "y.vn")]
