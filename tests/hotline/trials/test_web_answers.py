"""The web services of a scenario, asked by HTTP."""

import asyncio
import urllib.error
import urllib.request

import pytest

from hotline.trials.web_answers import WebAnswers, meant_by
from ivr_flows.facts import Facts
from ivr_flows.trials.scenario import Reply, World

FACTS = Facts(settings={"shop": "shop", "orders_url": "https://orders.example.com/v1"})


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("/shop/orders/7", "shop/orders/7"),
        ("/orders_url/7?a=b", "https://orders.example.com/v1/7?a=b"),
        ("/shop", "shop"),
        ("/", ""),
    ],
)
def test_an_address_is_the_one_that_the_scenario_knows(target: str, meant: str) -> None:
    assert meant_by(FACTS, target) == meant


def _get(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_each_time_it_says_what_is_due_and_fails_where_nothing_is() -> None:
    replies = {"*/7": (Reply("not_found", after_s=0.0), Reply("next", {"day": "Friday"}, after_s=0.0))}

    async def ask() -> list[tuple[int, bytes]]:
        web = WebAnswers(World(facts=FACTS, http=replies))
        settings = await web.start()
        try:
            paths = ("/7", "/7", "/7", "/8")
            return [await asyncio.to_thread(_get, settings["shop"] + path) for path in paths]
        finally:
            await web.stop()

    said = asyncio.run(ask())
    assert [status for status, _ in said] == [404, 200, 200, 500]
    assert said[1][1] == said[2][1] == b'{"day": "Friday"}'
