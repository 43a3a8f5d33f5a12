"""The automatic call distributor: calls that wait, agents who are ready, and offers between them.

Pure: inputs and `now` in, outputs out. What holds after every input:
- a waiting call is offered whenever an agent who may take it is ready; the first call by priority and arrival chooses
  first, across queues, because agents are shared between them;
- an agent has at most one call or offer, a call at most one offer;
- whatever is a lease (ringing, after-call work, a call's limit, the pause after a refusal) ends at `deadline()`;
- a late or repeated input, or one about a stranger, changes nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from telephony.acd.agent import (
    AGENT,
    NO_ANSWER,
    REJECTING,
    UNREACHABLE,
    UNSPECIFIED,
    Agent,
    AgentInput,
    AgentSettings,
)
from telephony.acd.estimate import HandleTime, estimated_wait_s
from telephony.acd.messages import (
    AcdInput,
    AcdOutput,
    AgentDisengaged,
    AgentEngaged,
    AgentNotReady,
    AgentReachable,
    AgentReady,
    AgentSnapshot,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    DeclineCause,
    OfferAnswered,
    OfferCall,
    OfferDeclined,
    OfferTaken,
    Place,
    QueueFacts,
    TalkEnded,
    TalkTaken,
    WithdrawCause,
    WithdrawOffer,
)
from telephony.acd.queue import REJECT_PAUSE_ALONE_S, REJECT_PAUSE_S, QueueSettings, WaitingCall
from telephony.acd.strategy import STRATEGIES
from telephony.events import TimePassed


class Acd:
    """The queues and agents of one hotline."""

    def __init__(self, queues: Mapping[str, QueueSettings], agents: Mapping[str, AgentSettings]) -> None:
        self._queues = dict(queues)
        self._agents = {name: Agent(settings) for name, settings in agents.items()}
        self._waiting: dict[str, WaitingCall] = {}
        self._handle_times = {name: HandleTime() for name in queues}
        self._queued = 0
        self._outputs: list[AcdOutput] = []

    # ---------------------------------------------------------------------------------------------- the verbs

    def handle(self, happened: AcdInput, now: float) -> list[AcdOutput]:
        """Take one input at `now` (seconds since the epoch, never smaller than before) and return what follows.

        The input is taken before the leases that `now` ends: an answer at the last moment counts.
        """
        self._take(happened, now)
        self._end_leases(now)
        self._offer_calls(now)
        outputs, self._outputs = self._outputs, []
        return outputs

    def deadline(self) -> float | None:
        """Return when `TimePassed` is due (seconds since the epoch), `None` when nothing is pending."""
        due = min(
            min((agent.lease_until for agent in self._agents.values()), default=math.inf),
            min((call.limit_at for call in self._waiting.values()), default=math.inf),
            min(self._pauses(), default=math.inf),
        )
        return None if math.isinf(due) else due

    def restore(self, agents: Iterable[AgentSnapshot], now: float) -> list[AcdOutput]:
        """Take agents' states from before a restart; calls did not survive it. Returns what changed by that.

        Everyone is unreachable until `AgentReachable` says otherwise. What the agent wished stays; a talk that the
        restart cut becomes after-call work, and after-call work goes on where it was.
        """
        for snapshot in agents:
            agent = self._agents.get(snapshot.agent)
            if agent is not None:
                self._restore(agent, snapshot, now)
        outputs, self._outputs = self._outputs, []
        return outputs

    def know(self, settings: AgentSettings) -> bool:
        """Take a new agent, offline until reachable; false for one already known, whom this does not change."""
        if settings.name in self._agents:
            return False
        self._agents[settings.name] = Agent(settings)
        return True

    def queue_facts(self, queue: str, now: float) -> QueueFacts:
        """Return the facts of a queue; one that does not exist is closed and empty."""
        settings = self._queues.get(queue)
        if settings is None:
            return QueueFacts(open=False, waiting=0, longest_wait_s=0.0, ready=0, staffed=0, estimated_wait_s=None)
        since = [call.since for call in self._waiting.values() if call.queue.name == queue]
        states = [agent.state for agent in self._agents.values() if settings.has(agent.name)]
        ready = states.count("ready")
        staffed = len(states) - states.count("offline") - states.count("not_ready")
        return QueueFacts(
            open=len(since) < settings.max_waiting,
            waiting=len(since),
            longest_wait_s=max((now - instant for instant in since), default=0.0),
            ready=ready,
            staffed=staffed,
            estimated_wait_s=estimated_wait_s(self._handle_times[queue].mean_s, len(since), ready, staffed),
        )

    def queue_names(self) -> tuple[str, ...]:
        """Return the names of all queues, as configured."""
        return tuple(self._queues)

    def agents(self) -> tuple[AgentSnapshot, ...]:
        """Return every agent as it stands, by name."""
        return tuple(self._agents[name].snapshot() for name in sorted(self._agents))

    def agent(self, name: str) -> AgentSnapshot | None:
        """Return an agent as it stands, None for nobody."""
        agent = self._agents.get(name)
        return None if agent is None else agent.snapshot()

    def serves(self, agent: str, queue: str) -> bool:
        """Say whether an agent takes calls of a queue."""
        settings = self._queues.get(queue)
        return settings is not None and settings.has(agent)

    def place(self, call: str, now: float) -> Place | None:
        """Return how a waiting call stands in its queue, None for one that does not wait."""
        own = self._waiting.get(call)
        if own is None:
            return None
        queue = own.queue.name
        before = sum(other.place < own.place for other in self._waiting.values() if other.queue.name == queue)
        facts = self.queue_facts(queue, now)
        wait_s = estimated_wait_s(self._handle_times[queue].mean_s, before, facts.ready, facts.staffed)
        return Place(before + 1, wait_s)

    def waiting(self) -> tuple[str, ...]:
        """Return the waiting calls of all queues in the order in which they are served."""
        return tuple(call.call for call in self._in_order())

    # -------------------------------------------------------------------------------------------------- inputs

    def _take(self, happened: AcdInput, now: float) -> None:
        match happened:
            case CallQueued():
                self._call_queued(happened, now)
            case CallLeft(call):
                self._call_left(call, now)
            case AgentReady(name) | AgentNotReady(name) | AgentReachable(name):
                if (agent := self._agents.get(name)) is not None:
                    self._agent_wishes(agent, happened, now)
            case OfferTaken(call, name, for_s):
                if (agent := self._offered(call, name)) is not None:
                    agent.lease_until = now + for_s
            case OfferAnswered() | OfferDeclined():
                self._offer_over(happened, now)
            case AgentEngaged() | AgentDisengaged() | TalkTaken() | TalkEnded():
                if (agent := self._agents.get(happened.agent)) is not None:
                    self._talk_changed(agent, happened, now)
            case TimePassed():
                pass

    def _call_queued(self, queued: CallQueued, now: float) -> None:
        known = self._waiting.get(queued.call)
        if known is not None and known.queue.name == queued.queue:
            return
        self._call_left(queued.call, now)
        settings = self._queues.get(queued.queue)
        if settings is None:
            self._outputs.append(CallRefused(queued.call, "unknown_queue"))
        elif queued.closed:
            self._outputs.append(CallRefused(queued.call, "closed"))
        elif not queued.promised and self._is_full(settings):
            self._outputs.append(CallRefused(queued.call, "full"))
        else:
            self._queued += 1
            place = (queued.priority, queued.waiting_since or now, self._queued)
            self._waiting[queued.call] = WaitingCall(
                queued.call,
                settings,
                place,
                now + queued.limit_s,
                rejected_at={agent: now for agent in queued.avoid if agent in self._agents},
                only=queued.only,
            )

    def _is_full(self, queue: QueueSettings) -> bool:
        return sum(call.queue is queue for call in self._waiting.values()) >= queue.max_waiting

    def _call_left(self, call: str, now: float) -> None:
        waiting = self._waiting.pop(call, None)
        if waiting is not None:
            self._withdraw(waiting, "caller_left", now)
            return
        for agent in self._agents.values():
            if agent.state == "talking" and agent.call == call:
                self._talk_ended(agent, now)

    def _agent_wishes(self, agent: Agent, wish: AgentReady | AgentNotReady | AgentReachable, now: float) -> None:
        match wish:
            case AgentReady():
                agent.rejections = 0
                self._move(agent, "asked_ready", now, reason="")
            case AgentNotReady(_, reason):
                self._withdraw_from(agent, "asked_not_ready", "not_ready", now, reason=reason or UNSPECIFIED)
            case AgentReachable(_, True):
                agent.reachable = True
                self._move(agent, "reached", now, reason="" if agent.reason == UNREACHABLE else agent.reason)
            case AgentReachable():
                agent.reachable = False
                self._withdraw_from(agent, "lost", "unreachable", now, reason=agent.reason)

    def _offer_over(self, outcome: OfferAnswered | OfferDeclined, now: float) -> None:
        agent = self._offered(outcome.call, outcome.agent)
        if agent is None:
            return
        if isinstance(outcome, OfferDeclined):
            self._offer_declined(agent, outcome.cause, now)
        else:
            self._offer_answered(agent, now)

    def _offer_answered(self, agent: Agent, now: float) -> None:
        del self._waiting[agent.call]
        agent.rejections = 0
        agent.talk_started_at = now
        self._move(agent, "answered", now)

    def _offer_declined(self, agent: Agent, cause: DeclineCause, now: float) -> None:
        call = self._waiting[agent.call]
        call.offered_to = ""
        if cause == "no_answer":
            self._move(agent, "unanswered", now, reason=NO_ANSWER)
        elif cause == "failed":
            self._move(agent, "failed", now, reason=UNREACHABLE)
            if agent.state == "not_ready":
                agent.lease_until = now + agent.settings.retry_unreachable_s
        else:
            call.rejected_at[agent.name] = now
            agent.rejections += 1
            gives_up = agent.rejections >= agent.settings.max_rejections
            self._move(agent, "rejected", now, reason=REJECTING if gives_up else agent.reason)

    def _talk_changed(
        self, agent: Agent, happened: AgentEngaged | AgentDisengaged | TalkTaken | TalkEnded, now: float
    ) -> None:
        match happened:
            case TalkEnded(call):
                if call in agent.engaged:  # one that the agent has dialled: no queue has given it
                    agent.engaged.remove(call)
                if agent.state == "talking" and agent.call == call:
                    self._talk_ended(agent, now)
            case AgentEngaged(_, call):
                agent.engaged.append(call)
                if (agent.state, "engaged") in AGENT:
                    agent.call, agent.queue = call, ""
                    self._move(agent, "engaged", now)
            case AgentDisengaged(_, call) if call in agent.engaged:
                agent.engaged.remove(call)
                if agent.call == call and not agent.queue:
                    self._move(agent, "disengaged", now)
            case TalkTaken(_, call, queue) if agent.state == "talking" and queue in self._queues and not agent.queue:
                agent.call, agent.queue, agent.talk_started_at = call, queue, now
                self._outputs.append(agent.changed())
            case TalkTaken(_, call, _) if agent.state in ("talking", "ringing"):
                agent.engaged.append(call)  # besides the one of a queue that the agent has

    def _talk_ended(self, agent: Agent, now: float) -> None:
        if not agent.queue:
            self._move(agent, "disengaged", now)
            return
        wrap_up_s = self._queues[agent.queue].wrap_up_s
        self._handle_times[agent.queue].add(now - agent.talk_started_at + wrap_up_s)
        self._move(agent, "talk_ended", now)
        if agent.state == "after_call_work":
            agent.lease_until = now + wrap_up_s

    # -------------------------------------------------------------------------------------------- leases, offers

    def _end_leases(self, now: float) -> None:
        for call in [call for call in self._waiting.values() if call.limit_at <= now]:
            del self._waiting[call.call]
            self._withdraw(call, "timed_out", now)
            self._outputs.append(CallTimedOut(call.call))
        for agent in self._agents.values():
            if agent.lease_until > now:
                continue
            if agent.state == "ringing":
                self._withdraw_from(agent, "unanswered", "no_answer", now, reason=NO_ANSWER)
            else:
                self._move(agent, "lease_ended", now, reason="" if agent.reason == UNREACHABLE else agent.reason)

    def _offer_calls(self, now: float) -> None:
        ready = [agent for agent in self._agents.values() if agent.state == "ready"]
        for call in self._in_order():
            if not ready:
                return
            if call.offered_to:
                continue
            agents = [agent for agent in ready if call.is_for(agent.name)]
            for pause_s in (REJECT_PAUSE_S, REJECT_PAUSE_ALONE_S):
                willing = [agent for agent in agents if call.may_ask(agent.name, now, pause_s)]
                if willing:
                    agent = STRATEGIES[call.queue.strategy](willing)
                    ready.remove(agent)
                    self._offer(call, agent, now)
                    break

    def _offer(self, call: WaitingCall, agent: Agent, now: float) -> None:
        call.offered_to = agent.name
        agent.call, agent.queue = call.call, call.queue.name
        self._move(agent, "offered", now)
        agent.lease_until = now + call.queue.ring_timeout_s
        self._outputs.append(OfferCall(call.call, agent.name))

    def _pauses(self) -> Iterator[float]:
        """Yield when a call that nobody may be asked for now may be offered again to a ready agent who refused it."""
        for call in self._waiting.values():
            if not call.offered_to:
                for name, rejected_at in call.rejected_at.items():
                    if self._agents[name].state == "ready" and call.is_for(name):
                        yield rejected_at + REJECT_PAUSE_ALONE_S

    def _offered(self, call: str, name: str) -> Agent | None:
        agent = self._agents.get(name)
        return agent if agent is not None and agent.state == "ringing" and agent.call == call else None

    def _withdraw(self, call: WaitingCall, cause: WithdrawCause, now: float) -> None:
        """Free the agent to whom `call`, now out of its queue, is offered, if any; its idle time goes on."""
        if call.offered_to:
            self._withdraw_from(self._agents[call.offered_to], "withdrawn", cause, now, reason="")

    def _withdraw_from(self, agent: Agent, taken: AgentInput, cause: WithdrawCause, now: float, *, reason: str) -> None:
        """Take a step that ends the agent's offer where it has one; the call keeps its place."""
        call = agent.call if agent.state == "ringing" else ""
        self._move(agent, taken, now, reason=reason)
        if call:
            self._outputs.append(WithdrawOffer(call, agent.name, cause))
            if call in self._waiting:
                self._waiting[call].offered_to = ""

    # -------------------------------------------------------------------------------------------------- agents

    def _move(self, agent: Agent, taken: AgentInput, now: float, *, reason: str | None = None) -> None:
        before = agent.changed()
        if reason is not None:
            agent.reason = reason
        agent.take(taken, now)
        if agent.changed() != before:
            self._outputs.append(agent.changed())

    def _restore(self, agent: Agent, snapshot: AgentSnapshot, now: float) -> None:
        agent.reason = "" if snapshot.reason == UNREACHABLE else snapshot.reason
        agent.state, agent.since = "offline", now
        if snapshot.state in ("talking", "after_call_work"):
            wrap_up_s = max((queue.wrap_up_s for queue in self._queues.values() if queue.has(agent.name)), default=0.0)
            agent.state = "after_call_work"
            agent.since = snapshot.since if snapshot.state == "after_call_work" else now
            agent.lease_until = agent.since + wrap_up_s
        elif snapshot.state == "offline":
            agent.since = snapshot.since
        changed = agent.changed()
        if (changed.state, changed.reason, changed.call) != (snapshot.state, snapshot.reason, snapshot.call):
            self._outputs.append(changed)

    def _in_order(self) -> list[WaitingCall]:
        return sorted(self._waiting.values(), key=lambda call: call.place)
