"""`GET /metrics`: behind the door, in Prometheus' own format, as the documentation says, and naming nobody."""

import dataclasses
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from crm_bridge.connectors.client import Client
from crm_bridge.connectors.lookup import Connectors
from hotline.config import Settings
from hotline.database import Sessions
from hotline.metrics import Metrics
from hotline.web import create_app
from telephony.events import DialogEnded, LegQuality, TicksCounted, TrunkChanged, WorkerKind
from telephony.switchboard.dialling import TrunkRules
from tests.crm_bridge.connectors.playing import place
from tests.hotline.conftest import StandingClock, TokenMaker
from tests.telephony.edge.test_funnel import House

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


class Process:
    """A worker that is this very process."""

    def __init__(self, kind: WorkerKind, process_id: int) -> None:
        self.kind, self.process_id, self.ready = kind, process_id, bool(process_id)


@pytest.fixture
async def house(tmp_path: Path, sessions: Sessions) -> AsyncIterator[House]:
    made = House(tmp_path, sessions)
    board = made.funnel.switchboard.board
    board.settings = dataclasses.replace(board.settings, trunks=(TrunkRules("provider"), TrunkRules("backup")))
    yield made
    await made.funnel.close()


@pytest.fixture
def metrics(house: House) -> Metrics:
    workers = (Process("media", os.getpid()), Process("render", 0))
    made = Metrics(house.funnel, lambda: {"UDP": 2, "WSS": 1}, workers)
    made.watch_channels({("zalo", "signature"): 3})
    made.watch_messages(["email"], {("email", "sent"): 1})
    made.watch_requests(lambda: {"erase": 1})
    client = Client(place("rest", "https://crm.example.com"), house.funnel.clock.now)
    client.outcomes["answered"] = 2
    made.watch_connectors(Connectors([client], house.funnel.sessions, house.funnel.clock.now))
    return made


@pytest.fixture
def app(settings: Settings, sessions: Sessions, clock: StandingClock) -> FastAPI:
    return create_app(settings, sessions, clock)


def read(metrics: Metrics) -> dict[str, float]:
    """Return every sample by its name and labels, as they are written; the format must be sound."""
    text = metrics.text().decode()
    assert list(text_string_to_metric_families(text))
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    samples = {name: float(value) for name, _, value in lines}
    assert len(samples) == len(lines), "a series comes twice"
    return samples


async def get(app: FastAPI, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hotline") as client:
        return await client.get("/metrics", headers=headers)


async def test_the_scope_metrics_opens_it_and_nothing_else_does(
    app: FastAPI, metrics: Metrics, token_with: TokenMaker
) -> None:
    app.state.metrics = metrics
    token = await token_with(["metrics"])
    answer = await get(app, token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "# TYPE hotline_leg_mos histogram" in answer.text
    refused = await get(app, await token_with(["read", "live", "listen", "agents", "interactions"]))
    assert (refused.status_code, refused.json()["scope"]) == (403, "metrics")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hotline") as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert (await client.get("/api/v1/calls")).status_code == 403


async def test_before_the_telephone_side_runs_it_says_so(app: FastAPI, token_with: TokenMaker) -> None:
    answer = await get(app, await token_with(["metrics"]))
    assert (answer.status_code, answer.json()["detail"]) == (503, "The telephone side is not running yet.")


async def test_the_page_names_every_metric_with_its_type_and_labels(house: House, metrics: Metrics) -> None:
    await house.talk()
    house.funnel.alarms.tell("disk_low", "full", "make room")
    house.funnel.publish("recording.transcribed", {"recording": "r", "outcome": "done"})
    text = metrics.text().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    ours = {
        (f"{name}_total" if family.type == "counter" else name, family.type): {
            label for sample in family.samples for label in sample.labels if label != "le"
        }
        for name, family in families.items()
        if name.startswith("hotline_")
    }
    rows = re.findall(r"^\| `(hotline_\w+)` \| (\w+) \| (.*?) \|", OPERATIONS, re.MULTILINE)
    documented = {(name, kind): set(re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows}
    assert ours == documented
    assert {name.split("_")[0] for name in families} == {"hotline", "process"}


async def test_nobody_is_named(house: House, metrics: Metrics) -> None:
    call = await house.talk()
    house.funnel.media_event(LegQuality(f"{call}.caller", 7, 250, 2, 0.008, 3.5, 20.0, 4.21))
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    text = metrics.text().decode()
    values = {value for _, value in re.findall(r'(\w+)="([^"]*)"', text)}
    for named in ("912345678", call, "192.0.2", "1900"):
        assert not any(named in value for value in values), named
    assert "an" not in values  # the agent's name


async def test_a_call_is_counted_through_its_life(house: House, metrics: Metrics) -> None:
    assert read(metrics)['hotline_calls{state="talking"}'] == 0
    call = await house.talk()
    house.funnel.media_event(LegQuality(f"{call}.caller", 7, 250, 2, 0.008, 3.5, 20.0, 4.21))
    await house.funnel.lane.drained()
    now = read(metrics)
    assert now['hotline_calls{state="talking"}'] == 1
    assert now["hotline_legs"] == 2
    assert now["hotline_recordings_running"] == 1
    assert now['hotline_agents{state="talking"}'] == 1
    assert now['hotline_queue_wait_seconds_count{queue="care"}'] == 1
    assert now['hotline_leg_mos_sum{direction="received",side="caller"}'] == 4.21
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    now = read(metrics)
    assert now['hotline_calls{state="talking"}'] == now["hotline_legs"] == 0
    assert now['hotline_calls_ended_total{ended_by="caller"}'] == 1


async def test_what_stands_is_read_when_it_is_asked_for(house: House, metrics: Metrics) -> None:
    house.funnel.media_event(TicksCounted(run=250, late=2, skipped=7))
    house.funnel.media_event(TicksCounted(run=250, late=0, skipped=0))
    house.funnel.alarms.stand("disk_low", "full", "make room")
    house.funnel.happened(TrunkChanged("provider", "registered", up=True))
    now = read(metrics)
    assert [now[f'hotline_media_ticks_total{{outcome="{each}"}}'] for each in ("on_time", "late", "skipped")] == [
        498, 2, 7,
    ]  # fmt: skip
    assert now['hotline_alarms{kind="disk_low"}'] == now['hotline_alarms_raised_total{kind="disk_low"}'] == 1
    assert [now[f'hotline_registrations{{transport="{each}"}}'] for each in ("UDP", "TCP", "WSS")] == [2, 0, 1]
    assert [now[f'hotline_trunk_up{{trunk="{each}"}}'] for each in ("provider", "backup")] == [1, 0]
    assert now['hotline_trunk_calls{trunk="provider"}'] == 0
    assert [now[f'hotline_worker_up{{worker="{each}"}}'] for each in ("media", "render")] == [1, 0]
    assert now['hotline_worker_cpu_seconds_total{worker="media"}'] > 0.1
    assert now['hotline_worker_resident_memory_bytes{worker="media"}'] > 10e6
    assert 'hotline_worker_cpu_seconds_total{worker="render"}' not in now
    house.funnel.alarms.over("disk_low")
    assert 'hotline_alarms{kind="disk_low"}' not in read(metrics)
