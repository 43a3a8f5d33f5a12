"""What happened, for Prometheus: counters and histograms that live events move."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

SIDES: Final = ("caller", "agent")
# What reaches us from a side, and what reaches that side from us, as its phone reports it.
FIGURES: Final[Mapping[str, tuple[str, str, str]]] = {
    "received": ("mos", "loss", "jitter_ms"),
    "sent": ("far_mos", "far_loss", "far_jitter_ms"),
}
# G.107 Annex B: below 4.03 some are not satisfied, below 3.6 some are dissatisfied, below 3.1 many.
MOS: Final = (1.5, 2.0, 2.58, 3.1, 3.6, 4.03, 4.2, 4.34)
LOSS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
JITTER_S: Final = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
ROUND_TRIP_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 1.0)
WAIT_S: Final = (1, 5, 10, 20, 30, 60, 120, 300, 600)
MS_PER_S: Final = 1000.0

OTHER: Final = "other"
# How the words of `ended_by` begin, and what that is called here; the words themselves may name anybody.
ENDED_BY: Final[tuple[tuple[str, str], ...]] = (
    ("caller lost", "lost"),
    ("caller", "caller"),
    ("the agent's connection", "lost"),
    ("agent", "agent"),
    ("the party outside", "outside"),
    ("no audio", "lost"),
    ("flow:", "flow"),
    ("nobody took it over", "flow"),
    ("api:", "api"),
    ("transferred by", "transfer"),
    ("not reached", "not_reached"),
    ("no media", "failure"),
    ("no common media", "failure"),
    ("failure", "failure"),
    ("the longest call", "limit"),
    ("the server stops", "stop"),
)

Body = Mapping[str, Any]


def ended_by(words: str) -> str:
    """Return which of a few ends of a call its `ended_by` means."""
    return next((end for beginning, end in ENDED_BY if words.startswith(beginning)), OTHER)


class EventCounts:
    """Takes every live event. `queues` are the queues there are."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float], queues: Iterable[str]) -> None:
        self._now = now
        self._queued: dict[str, tuple[str, float]] = {}
        """Of each call that waits, its queue and since when."""
        self._take: Mapping[str, Callable[[Body], None]] = {
            "call.arrived": lambda _: self._started.labels("inbound").inc(),
            "call.dialled": lambda _: self._started.labels("outbound").inc(),
            "call.queued": self._call_queued,
            "call.talking": self._call_talking,
            "call.ended": self._call_ended,
            "call.quality": self._quality,
            "alarm.raised": lambda body: self._alarms.labels(body["kind"]).inc(),
            "recording.finished": lambda _: self._recordings.inc(),
            "recording.transcribed": lambda body: self._transcripts.labels(body["outcome"]).inc(),
        }
        self._count(registry, queues)
        self._measure(registry)

    def _count(self, registry: CollectorRegistry, queues: Iterable[str]) -> None:
        self._started = Counter(
            "hotline_calls_started", "Calls that came in, or were dialled to the outside.", ["direction"],
            registry=registry,
        )  # fmt: skip
        self._ended = Counter("hotline_calls_ended", "Calls that ended.", ["ended_by"], registry=registry)
        self._asked_again = Counter(
            "hotline_asked_again", "Fields that flows asked although they were known and fresh.", registry=registry
        )
        self._waits = Histogram(
            "hotline_queue_wait_seconds", "How long calls waited that an agent took.", ["queue"],
            registry=registry, buckets=WAIT_S,
        )  # fmt: skip
        self._alarms = Counter("hotline_alarms_raised", "Alarms that were raised.", ["kind"], registry=registry)
        self._recordings = Counter("hotline_recordings_finished", "Recordings made a file.", registry=registry)
        self._transcripts = Counter(
            "hotline_recordings_transcribed", "Recordings that a recogniser was done with.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        for direction in ("inbound", "outbound"):
            self._started.labels(direction)
        for end in sorted({OTHER, *(end for _, end in ENDED_BY)}):
            self._ended.labels(end)
        for queue in queues:
            self._waits.labels(queue)

    def _measure(self, registry: CollectorRegistry) -> None:
        both = ["side", "direction"]

        def histogram(name: str, text: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"hotline_leg_{name}", text, labels, registry=registry, buckets=buckets)

        self._mos = histogram("mos", "How legs sounded, every 5 s (ITU-T G.107).", both, MOS)
        self._loss = histogram("loss_ratio", "Packets that were not there to be played, every 5 s.", both, LOSS)
        self._jitter = histogram("jitter_seconds", "Interarrival jitter (RFC 3550), every 5 s.", both, JITTER_S)
        self._trip = histogram("round_trip_seconds", "Round trip (RTCP), every 5 s.", ["side"], ROUND_TRIP_S)
        for side in SIDES:
            self._trip.labels(side)
            for direction in FIGURES:
                for each in (self._mos, self._loss, self._jitter):
                    each.labels(side, direction)

    def take(self, type_: str, body: Body) -> None:
        """Take one live event."""
        take = self._take.get(type_)
        if take is not None:
            take(body)

    def _call_queued(self, body: Body) -> None:
        call = body["call"]
        self._queued[call["id"]] = (call["queue"] or "", self._now())

    def _call_talking(self, body: Body) -> None:
        queue, since = self._queued.pop(body["call"]["id"], ("", 0.0))
        if queue:
            self._waits.labels(queue).observe(max(0.0, self._now() - since))

    def _call_ended(self, body: Body) -> None:
        self._queued.pop(body["call"]["id"], None)
        self._ended.labels(ended_by(body["ended_by"])).inc()
        self._asked_again.inc(len(body.get("asked_again", ())))

    def _quality(self, body: Body) -> None:
        """Note how a leg did in the last seconds; what is not known of it is -1."""
        side = body["side"]
        for direction, (mos, loss, jitter_ms) in FIGURES.items():
            _observe(self._mos.labels(side, direction), body[mos])
            _observe(self._loss.labels(side, direction), body[loss])
            _observe(self._jitter.labels(side, direction), body[jitter_ms], MS_PER_S)
        _observe(self._trip.labels(side), body["round_trip_ms"], MS_PER_S)


def _observe(histogram: Histogram, figure: float, per_unit: float = 1.0) -> None:
    if figure >= 0:
        histogram.observe(figure / per_unit)
