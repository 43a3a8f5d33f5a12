"""What Prometheus reads at `GET /metrics`: how many calls there are, how they sound, who waits.

Rule 1: what happened is counted from live events (`metrics_events`), what stands is read when somebody asks
(`metrics_state`). Nothing is done for a packet, or in a tick.

Rule 2: the values of a label are bounded by the code or the settings: states, sides, queues, trunks. A telephone
number, a person or a call is never one.

Rule 3: names are as Prometheus wants them: `hotline_`, base units (seconds, shares from 0 to 1), `_total` for what only
grows. Each has its line in docs/operations.md.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crm_bridge.connectors.lookup import Connectors
from hotline.metrics_events import EventCounts
from hotline.metrics_state import (
    ConnectorCollector,
    MessageCollector,
    RefusalCollector,
    RequestCollector,
    StateCollector,
    WorkerProcess,
)
from telephony.edge.funnel import Funnel

# Prometheus sees by itself that a counter begins anew; a second series for each says nothing more.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one running hotline, counted from now on.

    `registrations` are phones by transport; `workers` its processes.
    """

    def __init__(
        self, funnel: Funnel, registrations: Callable[[], Mapping[str, int]], workers: Sequence[WorkerProcess]
    ) -> None:
        self._registry = CollectorRegistry()
        build = Gauge("hotline_build_info", "Which hotline this is.", ["version", "python"], registry=self._registry)
        build.labels(version("hotline"), platform.python_version()).set(1)
        ProcessCollector(registry=self._registry)
        self._registry.register(StateCollector(funnel, registrations, workers))
        events = EventCounts(self._registry, funnel.clock.now, funnel.switchboard.queues.queue_names())
        funnel.live.watch(events.take)

    def watch_channels(self, refused: Mapping[tuple[str, str], int]) -> None:
        """Show what channels turned away, by channel and reason, as it stands when somebody asks."""
        self._registry.register(RefusalCollector(refused))

    def watch_messages(self, channels: Sequence[str], attempts: Mapping[tuple[str, str], int]) -> None:
        """Show how attempts to send messages ended, by channel and outcome."""
        self._registry.register(MessageCollector(channels, attempts))

    def watch_requests(self, overdue: Callable[[], Mapping[str, int]]) -> None:
        """Show which privacy requests are overdue, as it stands when somebody asks."""
        self._registry.register(RequestCollector(overdue))

    def watch_connectors(self, connectors: Connectors) -> None:
        """Show what came of requests to CRMs, and which of them answer."""
        self._registry.register(ConnectorCollector(connectors))

    def text(self) -> bytes:
        """Return all of them, in the text format 0.0.4."""
        return generate_latest(self._registry)


async def get_metrics(request: Request) -> Response:
    """Answer Prometheus."""
    metrics = getattr(request.app.state, "metrics", None)
    if not isinstance(metrics, Metrics):
        raise HTTPException(503, "The telephone side is not running yet.")
    return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
