"""What stands, for Prometheus: read off the running hotline whenever somebody asks."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crm_bridge.connectors.lookup import Connectors
from telephony.edge.funnel import Funnel
from telephony.events import AgentState
from telephony.sip.address import Transport
from telephony.switchboard import outside
from telephony.switchboard.call import CallState

CALL_STATES: Final = (*(state for state in get_args(CallState) if state != "ended"), "calling", "internal")
"""`calling` is a call to the outside that is not answered yet, `internal` one between phones of ours."""
TICKS: Final = ("on_time", "late", "skipped")
ATTEMPTS: Final = ("delivered", "failed", "dead")
SENDING: Final = ("sent", "failed", "dead")
OUTCOMES: Final = ("answered", "busy", "refused", "failed", "left_alone")

CLOCK_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PAGE_OCTETS: Final = os.sysconf("SC_PAGE_SIZE")

Values = Mapping[str, float]


class WorkerProcess(Protocol):
    """What is asked of a worker."""

    @property
    def kind(self) -> str:
        """What it is for."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it is at work."""
        ...

    @property
    def process_id(self) -> int:
        """Its process, 0 for none."""
        ...


class StateCollector(Collector):
    """Reads calls, queues, agents, registrations, workers and what waits to be written."""

    def __init__(
        self,
        funnel: Funnel,
        registrations: Callable[[], Mapping[str, int]],
        workers: Sequence[WorkerProcess],
    ) -> None:
        self._funnel, self._registrations, self._workers = funnel, registrations, workers

    def collect(self) -> Iterator[Metric]:
        """Give every metric as it stands now."""
        yield from self._calls()
        yield from self._queues()
        yield from self._phones()
        yield from self._processes()
        yield from self._waiting()

    def _calls(self) -> Iterator[Metric]:
        board = self._funnel.switchboard.board
        states = Counter[str](call.state for call in board.calls.values())
        states.update("internal" if each.outgoing is None else "calling" for each in board.directs.values())
        yield _gauges("calls", "Calls in progress.", "state", _all(CALL_STATES, states))
        yield _gauge("legs", "Media legs of calls in progress.", len(board.call_of_leg))
        yield _gauge("recordings_running", "Recordings being made.", len(board.open_recordings))

    def _queues(self) -> Iterator[Metric]:
        acd, now = self._funnel.switchboard.queues, self._funnel.clock.now()
        facts = {queue: acd.queue_facts(queue, now) for queue in acd.queue_names()}

        def of(name: str, text: str, values: Values) -> Metric:
            return _gauges(f"queue_{name}", text, "queue", values)

        yield of("calls_waiting", "Calls that wait.", {name: each.waiting for name, each in facts.items()})
        longest = {name: each.longest_wait_s for name, each in facts.items()}
        yield of("longest_wait_seconds", "How long the call that waits longest has waited.", longest)
        yield of("agents_ready", "Agents who could take a call.", {name: each.ready for name, each in facts.items()})
        yield of("agents_staffed", "Agents at work.", {name: each.staffed for name, each in facts.items()})
        states = Counter[str](agent.state for agent in acd.agents())
        yield _gauges("agents", "Agents.", "state", _all(get_args(AgentState), states))

    def _phones(self) -> Iterator[Metric]:
        phones = _all(get_args(Transport), self._registrations())
        yield _gauges("registrations", "Phones that are registered.", "transport", phones)
        trunks = outside.standing(self._funnel.switchboard.board)
        up = {rules.name: float(told is not None and told.up) for rules, told, _ in trunks}
        yield _gauges("trunk_up", "Whether calls can go out by a trunk.", "trunk", up)
        calls = {rules.name: float(count) for rules, _, count in trunks}
        yield _gauges("trunk_calls", "Calls in progress by a trunk.", "trunk", calls)

    def _processes(self) -> Iterator[Metric]:
        workers = {worker.kind: float(worker.ready) for worker in self._workers}
        yield _gauges("worker_up", "Whether a worker process is at work.", "worker", workers)
        used = {worker.kind: _used(worker.process_id) for worker in self._workers if worker.process_id}
        cpu = {kind: seconds for kind, (seconds, _) in used.items()}
        yield _counters("worker_cpu_seconds", "CPU time of a worker process.", "worker", cpu)
        memory = {kind: octets for kind, (_, octets) in used.items()}
        yield _gauges("worker_resident_memory_bytes", "Memory of a worker process.", "worker", memory)
        ticks = {outcome: float(self._funnel.ticks[outcome]) for outcome in TICKS}
        yield _counters("media_ticks", "Ticks of 20 ms of the media worker.", "outcome", ticks)

    def _waiting(self) -> Iterator[Metric]:
        funnel = self._funnel
        alarms = {alarm.kind: 1.0 for alarm in funnel.alarms.present()}
        yield _gauges("alarms", "Alarms that stand, or were raised in the last hour.", "kind", alarms)
        yield _gauge("database_away", "Whether the database does not answer, and rows are owed.", funnel.lane.away)
        yield _gauge("lane_waiting", "Rows to be written, and what is to be told after them.", len(funnel.lane))
        attempts = _all(ATTEMPTS, funnel.webhooks.attempts)
        yield _counters("webhooks", "Attempts to deliver an event, by how they ended.", "outcome", attempts)
        waiting = len(funnel.transcriptions)
        yield _gauge("transcriptions_waiting", "Recordings in line for the recogniser, the one in hand too.", waiting)


def _all(names: Sequence[str], counts: Mapping[str, int]) -> dict[str, float]:
    """Return the counts with a zero for each name that has none: a series that comes and goes cannot be graphed."""
    return {**dict.fromkeys(names, 0.0), **counts}


def _used(process: int) -> tuple[float, float]:
    """Return the seconds of CPU and the octets of memory that a process has used (proc(5)), zeros for none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0, 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S, float(int(fields[21]) * PAGE_OCTETS)


class MessageCollector(Collector):
    """Reads how attempts to send messages ended, by channel and outcome."""

    def __init__(self, channels: Sequence[str], attempts: Mapping[tuple[str, str], int]) -> None:
        self._channels, self._attempts = channels, attempts

    def collect(self) -> Iterator[Metric]:
        """Give the counts as they stand now."""
        text = "Attempts to send a message to a customer, by how they ended."
        family = CounterMetricFamily("hotline_messages", text, labels=["channel", "outcome"])
        for channel in self._channels:
            for outcome in SENDING:
                family.add_metric([channel, outcome], self._attempts.get((channel, outcome), 0))
        yield family


class RequestCollector(Collector):
    """Reads what people asked for by law and is not done in time, by kind."""

    def __init__(self, overdue: Callable[[], Mapping[str, int]]) -> None:
        self._overdue = overdue

    def collect(self) -> Iterator[Metric]:
        """Give the counts as they were last looked at."""
        text = "Open privacy requests whose answer or whose end is overdue."
        yield _gauges("privacy_requests_overdue", text, "kind", _all((), self._overdue()))


class RefusalCollector(Collector):
    """Reads what channels turned away, by channel and reason."""

    def __init__(self, refused: Mapping[tuple[str, str], int]) -> None:
        self._refused = refused

    def collect(self) -> Iterator[Metric]:
        """Give the counts as they stand now."""
        text = "Webhooks and forms that channels turned away."
        family = CounterMetricFamily("hotline_channels_refused", text, labels=["channel", "reason"])
        for labels, count in self._refused.items():
            family.add_metric(labels, count)
        yield family


class ConnectorCollector(Collector):
    """Reads what came of requests to CRMs, and how each stands."""

    def __init__(self, connectors: Connectors) -> None:
        self._connectors = connectors

    def collect(self) -> Iterator[Metric]:
        """Give the counts as they stand now."""
        clients = self._connectors.clients
        total = sum((client.outcomes for client in clients), Counter[str]())
        yield _counters("connectors", "Requests to CRMs.", "outcome", _all(OUTCOMES, total))
        up = {client.place.name: float(client.breaker.state == "closed") for client in clients}
        yield _gauges("connector_up", "Whether a CRM answers.", "connector", up)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hotline_{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: Values) -> Metric:
    family = GaugeMetricFamily(f"hotline_{name}", text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _counters(name: str, text: str, label: str, values: Values) -> Metric:
    family = CounterMetricFamily(f"hotline_{name}", text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
